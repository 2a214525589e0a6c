"""Tests of what `benchmarks/training.py` compares, and of the page that shows it; nothing is timed here."""

import json
import subprocess

import pytest
import torch

BUDGETS = {"0.8_epochs": (0.8, 12.0, 91.3), "standard": (4, 60.0, 95.4)}


@pytest.fixture
def benchmarks(project):
    """The folder of the benchmarks."""
    return project / "benchmarks"


def made_up():
    """A result as `training.py` writes it, with a few rows."""

    def row(name, value, **more):
        spread = {"n": 3, "min": 0.9 * value, "max": 1.1 * value, "values": [0.9 * value, value, 1.1 * value]}
        return {"name": name, "value": value, "unit": "of some kind", "spread": spread, **more}

    rows = []
    for network in ("c4cnn", "c4cnn_bn", "plain_cnn"):
        for who, epoch in (("original", 17.5), ("pairs", 31.25), ("ours", 6.125), ("escnn", 14.75)):
            rows.append(row(f"{network}.{who}.step_ms.float32", 5 * epoch, dtype="float32"))
            rows.append(row(f"{network}.{who}.seconds_per_epoch", epoch, dtype="float32"))
            rows.append(row(f"{network}.{who}.share_of_peak", 0.4321, dtype="float32"))
        for budget, (epochs, seconds, percent) in BUDGETS.items():
            rows.append(row(f"accuracy.{network}.{budget}", percent, epochs=epochs))
            rows.append(row(f"seconds.{network}.{budget}", seconds, epochs=epochs))
        rows.append(row(f"{network}.original.seconds_to_93", 525.0))
    rows += [row("c4cnn.speedup_to_93", 16.5), row("c4cnn.step_ratio_to_pairs", 2.25)]
    rows.append(row("growth.d4cnn.width_1.batch_50.ours.step_ms", 123.0))
    machine = {"cpu": "a processor", "cores": 2, "memory": "8 GiB", "gpu": None}
    about = {"made": "2026-01-02T03:04:05+00:00", "commit": "abc", "command": "python benchmarks/training.py"}
    return {**about, "machine": machine, "versions": {"torch": "2.x"}, "rows": rows}


def made_up_record():
    """A result as `record.py` writes it."""
    values = {
        "accuracy.d4cnn.record": [96.5, 97.5],
        "seconds.d4cnn.record": [612.0],
        "mistaken.d4cnn.record.2_5": [31.0],
    }
    rows = [
        {"name": name, "value": sum(v) / len(v), "spread": {"n": len(v), "min": min(v), "max": max(v)}}
        for name, v in values.items()
    ]
    rows[1]["machine"] = "a processor, 2 threads, bfloat16"
    other = {"value": 1234.0, "machine": "another, 2 threads, bfloat16", "gflops": 540, "spread": {"n": 1}}
    return {"rows": [*rows, {"name": "seconds.d4cnn.record.1", **other}]}


def test_page_shows_the_figures(benchmarks):
    """Does the page have a machine, every kind of table, the figures, and what was reached or missed?"""
    import speed_page

    text = speed_page.page(json.loads(json.dumps(made_up())), [made_up_record()])
    assert "a processor, 2 cores" in text and "torch 2.x" in text
    lines = text.splitlines()
    assert any("93.24 %" in line and line.endswith("| at least 15 | reached |") for line in lines)
    assert any("pairs" in line and line.endswith("| at least 2.5 | **missed** |") for line in lines)
    assert sum(line.endswith("| not measured |") for line in lines) == 3
    assert any(line.startswith("| C4CNN | ours | 30.6 (") and "6.12" in line and "43.2 %" in line for line in lines)
    assert "| C4CNN | 4 | `standard` | 60 | 95.4 |" in lines
    assert any(line.startswith("| 50 | × 1 | 8 |") and "123" in line for line in lines)
    seconds = "612 (a processor, n 1); 1,234 (another, n 1, 0.54 TFLOP/s)"
    assert f"| D4CNN | 2 | 97.00 (96.50 … 97.50) | {seconds} | 2 and 5: 31 |" in lines
    assert "| D4CNN | – | 97.00 (96.50 … 97.50), 2 |" in lines
    assert "every figure is in float32" in text
    assert "C4CNN 60 s to 95.4 %" in text.partition("](pictures/accuracy_against_seconds.png)")[0]


def test_the_graders_recipe_is_no_point_of_the_curve(benchmarks):
    """Is `grading`, which is trained otherwise, in the table of budgets, and not on the line through the others?"""
    import speed_page

    result = made_up()
    for one in list(result["rows"]):
        if one["name"].endswith("c4cnn.0.8_epochs"):
            result["rows"].append({**one, "name": one["name"].replace("0.8_epochs", "grading")})
    assert [epochs for epochs, *_ in speed_page.Rows(result).curve("c4cnn")] == [0.8, 4]
    text = speed_page.page(json.loads(json.dumps(result)), [])
    assert "| C4CNN | 0.8 | `grading` | 12 | 91.3 |" in text and "| C4CNN | 0.8 |  | 12 | 91.3 |" in text


def test_page_says_what_its_figures_are_not(benchmarks):
    """Is it said that no GPU was measured, that the recipe has changed since, and neither where it is not so?"""
    import speed_page

    from gcnn.budgets import BUDGETS

    old, new = made_up(), made_up()
    new["machine"]["gpu"] = "a GPU"
    for one in new["rows"]:
        if one["name"].endswith(".standard"):
            one["epochs"] = BUDGETS["standard"].epochs
    for result, said in ((old, True), (new, False)):
        text = speed_page.page(json.loads(json.dumps(result)), [])
        assert ("No GPU has been measured" in text) == said
        assert ("was another recipe than it is now: 4 epochs here" in text) == said


def test_page_shows_where_a_step_goes(benchmarks):
    """Is each kind of work there with its share, and what stands in the way?"""
    import speed_page

    rows = [("pools", 30.0), ("filter banks", 10.0)]
    rows = [{"name": f"profile.c4cnn.{name}", "value": value, "dtype": "float32"} for name, value in rows]
    profile = {**made_up(), "command": "python benchmarks/profiled.py", "rows": rows}
    text = speed_page.page(json.loads(json.dumps(made_up())), [], {"profiled": profile})
    assert "| pools | 30 | 75 % |" in text and "| filter banks | 10 | 25 % |" in text
    assert "one thread, in float32" in text and "What stands in the way" in text


def test_page_shows_what_each_way_saves(benchmarks):
    """Does each network's row have its step, how many times as long it takes without each way, and no other column?"""
    import speed_page
    import training

    rows = [training.row("c4cnn.float32.all.step_ms", [50.0, 60.0, 40.0], "ms")]
    rows += [training.row("c4cnn.float32.without_fourier.ratio", [1.5, 1.25, 2.0], "times")]
    measured = {**made_up(), "command": "python benchmarks/ways.py", "rows": rows}
    text = speed_page.page(json.loads(json.dumps(made_up())), [], {"ways": measured})
    assert "| network | format | ms a step | without Fourier basis |\n" in text
    assert "| C4CNN | float32 | 50 (40 … 60) | 1.5 (1.25 … 2) |" in text


@pytest.mark.parametrize("way", ["fourier", "rings", "convolutions", "pools", "batch_norm", "pytorch"])
def test_a_way_is_taken_away(benchmarks, monkeypatch, way):
    """Is what is timed without a way, and nothing else, computed without it, and is it there again afterwards?"""
    import ways

    from gcnn import fast, fourier, rings

    called = set()
    own = {"fourier": (fourier, "convolve"), "rings": (rings, "convolve"), "convolutions": (fast._Kernels, "_conv2d")}
    own |= {"pools": (fast._Kernels, "_max_pool2d"), "batch_norm": (fast._Kernels, "_batch_norm")}

    def noted(name, function):
        return lambda *args, **more: called.add(name) or function(*args, **more)

    for name, (owner, attribute) in own.items():
        monkeypatch.setattr(owner, attribute, noted(name, getattr(owner, attribute)))
    assert ways.step_ms("c4cnn_bn", "float32", "all", 1) > 0 and called == own.keys()
    called.clear()
    assert ways.step_ms("c4cnn_bn", "float32", way, 1) > 0
    gone = {"convolutions": {"convolutions", "fourier", "rings"}, "pytorch": own.keys()}.get(way, {way})
    assert called == own.keys() - gone
    called.clear()
    assert ways.step_ms("c4cnn_bn", "float32", "all", 1) > 0 and called == own.keys()


def test_page_shows_the_whole_notebook_and_grading(benchmarks):
    """Is what they take beside what they may take, with how it was measured?"""
    import speed_page

    solved = {**made_up(), "command": "a", "rows": [{"name": "solved.seconds", "value": 400.0}]}
    grading = [{"name": "full.seconds", "value": 80.0}, {"name": "early_fail.seconds", "value": 15.0}]
    grading += [{"name": "full.training_seconds", "value": 40.4}, {"name": "full.given_seconds", "value": 2.0}]
    grading = {**made_up(), "command": "b", "rows": grading}
    grading["machine"] |= {"numbers": "bfloat16"}
    text = speed_page.page(json.loads(json.dumps(made_up())), [], {"solved": solved, "grading": grading})
    assert "| 400 | at most 480 | reached | `a`, 2026-01-02, a processor, number format not kept |" in text
    assert "| 80 | at most 75 | **missed** | `b`, 2026-01-02, a processor, bfloat16 |" in text
    assert "| 15 | at most 15 | reached |" in text
    assert "Of the full submission's 80 seconds 40.4 are training, – tests" in text


def test_a_steps_work_is_told_apart(benchmarks):
    """Is a step's time found by kind, the layers' filters and the optimizers among them, and are layers left alone?"""
    import networks
    import profiled

    from gcnn.optimizers import Adam

    before = Adam.step
    taken = profiled.measured("plain_cnn", steps=1)
    assert {"convolutions", "pools", "ReLU", profiled.OPTIMIZERS} <= taken.keys() and min(taken.values()) >= 0
    assert Adam.step is before
    layers = {type(module) for module in networks.network("ours", "isotropic_cnn").modules()}
    (layer,) = (cls for cls in layers if hasattr(cls, "build_filter"))
    with torch.profiler.profile() as seen, profiled.ranges([layer]):
        layer(1, 2)(torch.rand(1, 1, 5, 5))
    assert profiled.BANKS in {profiled.kind(event) for event in seen.events()}


def test_page_of_a_result_with_nothing_in_it(benchmarks, tmp_path):
    """Are page and picture made from a result that has no row yet?"""
    import speed_page

    empty = {**made_up(), "rows": []}
    assert speed_page.page(empty, []).count("not measured") == len(speed_page.AIMS)
    speed_page.picture(empty, tmp_path / "empty.png")
    assert (tmp_path / "empty.png").exists()


def test_picture_is_drawn(benchmarks, tmp_path):
    """Is the picture there, and small enough for a page?"""
    import speed_page

    path = tmp_path / "pictures" / "one.png"
    speed_page.picture(made_up(), path)
    assert path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size < 200_000


@pytest.mark.parametrize("name", ["c4cnn", "c4cnn_bn", "isotropic_cnn", "d4cnn", "plain_cnn"])
@pytest.mark.parametrize("who", ["original", "pairs"])
def test_peers_compute_the_same_function(benchmarks, who, name):
    """With the same weights, do the other ways of computing a network give what ours gives, and the same gradients?"""
    import networks

    if who == "pairs" and networks.ORDERS[networks.SHAPES[name][0]] == 1:
        with pytest.raises(ValueError, match="no pairs"):
            networks.network(who, name)
        return
    torch.manual_seed(0)
    ours, other = networks.network("ours", name).double(), networks.network(who, name).double()
    with torch.no_grad():
        for weight in ours.parameters():
            weight += 0.1 * torch.randn_like(weight)  # biases start at zero, and scales at one
    other.load_state_dict(ours.state_dict())
    x = torch.rand(3, 1, 33, 33, dtype=torch.float64)
    results = []
    for model in (ours, other):
        y = model(x)
        gradients = torch.autograd.grad(y.square().sum(), list(model.parameters()))
        results.append([y.detach(), *gradients, model.eval()(x).detach()])
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-8)


def test_operations_are_counted(benchmarks):
    """Is a forward and backward pass of C4CNN counted as the 177 million operations an image that it takes?"""
    import networks

    assert networks.flops("c4cnn") == pytest.approx(177e6, rel=0.01)


def test_loader_hands_out_the_digits(benchmarks):
    """Does the original's loader give the digits that ours are trained on, in the order of the file?"""
    import peer

    from gcnn.data import MnistRotDataset

    images, labels = next(peer.Peer("original", "cpu").loader(64))
    data = MnistRotDataset("train")
    torch.testing.assert_close(images, data.images[:64], rtol=0, atol=1e-7)
    assert torch.equal(labels, data.labels[:64])


def test_budgets_of_the_course_are_on_the_ladder(benchmarks):
    """Are the course's budgets tried as they are, the shortest first, with the batch of the others' steps?"""
    import training

    from gcnn.budgets import BUDGETS

    assert {"grading", "standard", "full"} <= {budget.name for budget in training.LADDER}
    assert all(BUDGETS.get(budget.name, budget) is budget for budget in training.LADDER)
    epochs = [budget.epochs for budget in training.LADDER]
    assert epochs == sorted(epochs)
    assert {budget.batch_size for budget in training.LADDER} == {training.BATCH}


def test_times_are_counted_and_compared(benchmarks):
    """Are the others' seconds counted from epochs as the page says, and the speed-up from the two medians?"""
    import training

    rows = [training.row("c4cnn.ours.seconds_to_93", [8.0, 10.0, 12.0], "seconds", epochs=1.2, dtype="bfloat16")]
    for who, epoch in (("original", 20.0), ("escnn", 15.0)):
        rows.append(training.row(f"c4cnn.{who}.seconds_per_epoch", [epoch], "seconds", dtype="float32"))
    found = {one["name"]: one["value"] for one in training.times_to("c4cnn", rows)}
    assert found["c4cnn.original.seconds_to_93"] == 600
    assert found["c4cnn.escnn.seconds_to_93"] == pytest.approx(18)
    assert found["c4cnn.speedup_to_93"] == 60
    assert set(found) == {"c4cnn.original.seconds_to_93", "c4cnn.escnn.seconds_to_93", "c4cnn.speedup_to_93"}


def test_escnn_has_the_same_shape(benchmarks, project):
    """In escnn, has C4CNN its shape and number of parameters, and is the exported network the same function?"""
    python = project / "build" / "escnn" / "bin" / "python"
    if not python.exists():
        pytest.skip("escnn is not installed (make escnn)")
    code = """
import json, torch
from escnn_network import Network
torch.manual_seed(0)
model = Network("c4cnn_bn").eval()
x = torch.rand(2, 1, 33, 33)
with torch.no_grad():
    y, turned, exported = model(x), model(x.rot90(1, (-2, -1))), model.exported()(x)
count = sum(p.numel() for p in Network("c4cnn").parameters())
print(json.dumps([list(y.shape), count, float((y - turned).abs().max()), float((y - exported).abs().max())]))
"""
    command = [str(python), "-W", "ignore", "-c", code]
    ran = subprocess.run(command, cwd=benchmarks, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    shape, count, turned, exported = json.loads(ran.stdout)
    assert shape == [2, 10]
    assert 100_000 < count < 393_290  # escnn's 3x3 filters have fewer parameters than free ones
    assert turned < 1e-4 and exported < 1e-4
