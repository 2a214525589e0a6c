"""Tests of gcnn.training and gcnn.checkpoint: on a tiny network and a few made-up pictures, seconds in all."""

import copy
import dataclasses
import functools
import io
import math
import os
import types

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from gcnn import training
from gcnn.budgets import BUDGETS, Budget
from gcnn.checkpoint import own_file
from gcnn.selection import selection
from gcnn.training import train_model

TINY = Budget("tiny", epochs=3, batch_size=16, learning_rate=1e-2)


def digits(n: int, seed: int = 0) -> types.SimpleNamespace:
    """Pictures of three classes, (n, 1, 5, 5): noise with a bright row that tells the class."""
    g = torch.Generator().manual_seed(seed)
    labels = torch.randint(3, (n,), generator=g)
    images = 0.3 * torch.rand(n, 1, 5, 5, generator=g)
    images[torch.arange(n), 0, labels] += 0.7
    return types.SimpleNamespace(images=images, labels=labels)


@pytest.fixture
def data():
    """What every training here is given."""
    return {"train_set": digits(100), "valid_set": digits(40, seed=1)}


@pytest.fixture
def model():
    """A network with everything that a training can change: weights, running statistics, and dropout's chance."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Flatten(), nn.Linear(25, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, 3)
    )


@pytest.fixture(autouse=True)
def not_graded(monkeypatch):
    """No grader runs these tests, whoever runs them."""
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)


def same(a: nn.Module, b: nn.Module) -> bool:
    """Whether two networks hold exactly the same numbers."""
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


def test_learns_and_returns_the_same_network(model, data):
    """Does a training solve an easy task, in place?"""
    before = copy.deepcopy(model)
    assert train_model(model, TINY, **data) is model
    assert not same(model, before)
    assert training.test_model(model, digits(200, seed=2)) > 90


def test_the_same_seed_gives_the_same_network_and_another_seed_another(model, data):
    """Is a run repeatable, whatever the global random state is, and does the seed matter?"""
    runs = []
    for seed, state in ((3, 0), (3, 1), (4, 0)):
        torch.manual_seed(state)
        runs.append(train_model(copy.deepcopy(model), TINY, seed, **data))
    assert same(runs[0], runs[1])
    assert not same(runs[0], runs[2])


def test_leaves_the_global_random_state_alone(model, data):
    """Does the next network start from the same weights whether or not one was trained before?"""
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train_model(model, TINY, **data)
    assert torch.equal(torch.rand(3), expected)


def test_every_epoch_takes_every_image_once_in_a_new_order(data):
    """Are the images shuffled anew in each epoch, none left out or taken twice?"""
    data["train_set"].images[:, 0, 0, 0] = torch.arange(100.0)  # a number by which to know an image again
    seen = []

    class Watching(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(1, 3)

        def forward(self, x):
            if self.training and len(x) > 2:  # with two images the network is only tried out
                seen.extend(x[:, 0, 0, 0].int().tolist())
            return self.linear(x.mean((1, 2, 3))[:, None])

    train_model(Watching(), Budget("two", epochs=2, batch_size=10), **data)
    first, second = seen[:100], seen[100:]
    assert sorted(first) == sorted(second) == list(range(100))
    assert first != second
    assert first != sorted(first)


def test_history_has_one_entry_per_epoch_and_one_loss_per_step(model, data):
    """Are the curves complete, also when the last epoch is a part of one?"""
    train_model(model, dataclasses.replace(TINY, epochs=2.5), seed=7, **data)
    history = model.history
    assert history.epochs == [1, 2, pytest.approx(2.5, abs=0.2)]
    for name in ("loss", "train_accuracy", "valid_accuracy", "learning_rate", "seconds"):
        assert len(getattr(history, name)) == 3, name
    assert len(history.step_loss) == 15  # 100 images make 6 batches of 16
    assert sum(history.step_loss[:6]) / 6 == pytest.approx(history.loss[0], rel=1e-5)
    assert history.loss[-1] < history.loss[0]
    assert history.seconds == sorted(history.seconds)
    assert history.learning_rate[-1] < 0.1 * TINY.learning_rate
    assert history.valid_accuracy[-1] == pytest.approx(training.test_model(model, data["valid_set"]))
    assert (history.budget.epochs, history.seed) == (2.5, 7)


def test_parts_of_an_epoch_change_nothing_but_how_often_progress_is_measured(model, data):
    """Is an epoch of three parts the same training with more entries, the last part shorter where they do not fit?"""
    model[4].p = 0.0  # what is dropped differs
    whole, budget = copy.deepcopy(model), Budget("whole", epochs=1.5, batch_size=10)
    train_model(whole, budget, **data)
    train_model(model, dataclasses.replace(budget, parts=3), **data)
    assert same(model, whole)
    assert model.history.step_loss == whole.history.step_loss
    assert model.history.epochs == [0.4, 0.8, 1, 1.4, 1.5] and whole.history.epochs == [1, 1.5]
    assert sum(model.history.step_loss[:4]) / 4 == pytest.approx(model.history.loss[0], rel=1e-5)


def test_modes_are_restored(model, data):
    """Is every part of a network back in its own mode after training and testing?"""
    model.eval()
    model[2].train()
    modes = [module.training for module in model.modules()]
    train_model(model, TINY, **data)
    assert [module.training for module in model.modules()] == modes
    training.test_model(model, data["valid_set"])
    assert [module.training for module in model.modules()] == modes


def test_testing_changes_nothing_and_does_not_depend_on_the_batch_size(model, data):
    """Are weights and statistics untouched by test_model, and is its answer a share in percent?"""
    before = copy.deepcopy(model)
    accuracy = training.test_model(model, data["valid_set"])
    assert same(model, before)
    assert training.test_model(model, data["valid_set"], batch_size=7) == accuracy
    y = model.eval()(data["valid_set"].images)
    assert accuracy == pytest.approx(100 * (y.argmax(1) == data["valid_set"].labels).float().mean().item())


def test_testing_computes_no_gradients(data):
    """Is test_model free of a gradient's memory?"""

    class Asking(nn.Module):
        def forward(self, x):
            assert not torch.is_grad_enabled()
            return x.new_zeros(len(x), 3)

    assert 0 < training.test_model(Asking(), data["valid_set"]) < 100


@pytest.mark.parametrize(("value", "expected"), [("autograde", "grading"), ("", "standard"), (None, "standard")])
def test_the_grader_gets_its_own_budget(model, data, monkeypatch, value, expected):
    """Does nbgrader's environment variable, and nothing else, choose the budget?"""
    if value is not None:
        monkeypatch.setenv("NBGRADER_EXECUTION", value)
    monkeypatch.setitem(BUDGETS, expected, dataclasses.replace(TINY, name=expected, epochs=1))
    train_model(model, **data)
    assert model.history.budget is BUDGETS[expected]


def test_budgets_grow():
    """Are the budgets there, each under its own name and longer than the one before?"""
    assert list(BUDGETS) == ["trial", "grading", "standard", "full", "record"]
    assert all(name == budget.name for name, budget in BUDGETS.items())
    epochs = [budget.epochs for budget in BUDGETS.values()]
    assert epochs == sorted(epochs)


def test_a_budget_may_turn_the_images(data):
    """Is each image seen turned by another angle in each epoch, as bright as before, and not turned without?"""
    disc = torch.linspace(-1, 1, 33).square()[:, None] + torch.linspace(-1, 1, 33).square() < 0.8
    data["train_set"].images = torch.rand(100, 1, 33, 33, generator=torch.Generator().manual_seed(5)) * disc
    data["valid_set"].images = torch.zeros(40, 1, 33, 33)
    seen = []

    class Watching(nn.Sequential):
        def forward(self, x):
            if self.training and len(x) > 2:  # with two images the network is only tried out
                seen.append(x.detach().clone())
            return super().forward(x)

    for turned in (True, False):
        net = Watching(nn.Flatten(), nn.Linear(33 * 33, 3))
        train_model(net, Budget("two", epochs=2, batch_size=100, turned=turned), **data)
    first, second, plain, again = (x.flatten(1)[x.sum((1, 2, 3)).argsort()] for x in seen)
    assert torch.equal(plain, again)
    assert torch.equal(plain, data["train_set"].images.flatten(1)[data["train_set"].images.sum((1, 2, 3)).argsort()])
    assert not torch.allclose(first, second, atol=0.1)
    torch.testing.assert_close(first.sum(1), plain.sum(1), rtol=0.02, atol=0)


class OnItsOrder(nn.Module):
    """Right in PyTorch, but only as long as its features lie in PyTorch's own order."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Conv2d(1, 4, 3, padding=1), nn.Linear(100, 3)

    def forward(self, x):
        """Set a feature to zero, and classify."""
        y = self.first(x)
        y.view(len(y), -1)[:, 0] = 0
        return self.last(y.view(len(y), -1))


@pytest.mark.parametrize("bfloat16", [True, False])
def test_an_answer_may_rest_on_how_its_features_lie(bfloat16, data, monkeypatch):
    """Does a network train as PyTorch would train it where the faster ways would order its features otherwise?"""
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: bfloat16, raising=False)
    nets = []
    for precision in ("auto", "float32"):
        torch.manual_seed(0)
        nets.append(train_model(OnItsOrder(), TINY, **data, precision=precision))
    assert same(*nets) and nets[0].history.precision == "float32"


@pytest.mark.parametrize("kept", ["a generator", "a result"])
def test_what_cannot_be_copied_trains_as_ever(kept, model, data):
    """Does a network train, and in the same precision, that holds something which Python cannot copy?"""
    other = copy.deepcopy(model)
    model.kept = (i for i in range(3)) if kept == "a generator" else model[1].weight.sum()
    with pytest.raises((TypeError, RuntimeError)):
        copy.deepcopy(model)
    train_model(model, TINY, **data)
    train_model(other, TINY, **data)
    assert same(model, other) and model.history.precision == other.history.precision


def test_a_budget_may_have_muon_for_filters(data):
    """Does it learn with Muon, and are filters and other weights both changed?"""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(36, 3))
    before = copy.deepcopy(net.state_dict())
    train_model(net, dataclasses.replace(TINY, epochs=8, muon=0.02), **data)
    assert all(not torch.equal(before[name], value) for name, value in net.state_dict().items())
    assert net.history.valid_accuracy[-1] > 90


def test_hard_images_are_never_left_out():
    """Are all images with a loss above the mean chosen, others at random, and is the weighted mean that of all?"""
    losses = torch.full((1000,), 0.01)
    losses[::10] = 1.0
    generator, means = torch.Generator().manual_seed(0), []
    values = losses * torch.linspace(0.5, 1.5, 1000)
    for _ in range(200):
        chosen, weight = selection(losses, 550, generator)
        assert len(chosen.unique()) == len(chosen) == 550 and weight.shape == (1000,)
        assert set(range(0, 1000, 10)) <= set(chosen.tolist())
        means.append(float((weight * values)[chosen].mean()))
    assert sum(means) / len(means) == pytest.approx(float(values.mean()), rel=1e-3)


@pytest.mark.parametrize("losses", [torch.full((100,), math.inf), torch.linspace(0, 1, 100)])
def test_all_images_have_the_same_chance_where_most_are_hard_or_unknown(losses):
    """Is nothing preferred before a loss is known, and where hard images would fill the epoch?"""
    counts, generator = torch.zeros(100), torch.Generator().manual_seed(0)
    for _ in range(400):
        chosen, weight = selection(losses, 50, generator)
        counts[chosen] += 1
        assert torch.equal(weight, torch.ones(100))
    assert counts.sum() == 400 * 50 and counts.min() > 140


def test_all_images_are_taken_where_no_share_is_asked_for():
    """Is an epoch a random order of all images, each counting alike?"""
    chosen, weight = selection(torch.rand(30), 30, torch.Generator().manual_seed(1))
    assert chosen.sort().values.tolist() == list(range(30)) and weight.tolist() == [1] * 30


def test_the_learning_rate_rises_and_falls(model, data):
    """Does the learning rate start low, reach its largest value once and end near 0?"""
    rates = [TINY.rate(step, 100) for step in range(100)]
    top = rates.index(max(rates))
    assert rates[:top] == sorted(rates[:top]) and rates[top:] == sorted(rates[top:], reverse=True)
    assert 0 < rates[0] < 0.1 * max(rates)
    assert max(rates) == pytest.approx(TINY.learning_rate, rel=0.01)
    assert 0 < rates[-1] < 0.01 * max(rates)
    assert TINY.rate(0, 1) > 0  # one step only still learns


@pytest.mark.parametrize("graded", [False, True])
def test_everything_goes_to_stdout(model, data, capsys, monkeypatch, graded):
    """Is stderr empty, and are there only a few lines where nobody watches?"""
    if graded:
        monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    train_model(model, TINY, **data)
    printed = capsys.readouterr()
    assert printed.err == ""
    lines = printed.out.splitlines()
    assert len(lines) == 3
    assert "epoch 3 of 3" in lines[-1] and "validation" in lines[-1]


def test_a_terminal_gets_a_bar_on_stdout(model, data, capsys, monkeypatch):
    """Does the moving bar, too, stay away from stderr?"""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    train_model(model, TINY, **data)
    printed = capsys.readouterr()
    assert printed.err == ""
    assert "100%" in printed.out and "validation" in printed.out


def test_progress_can_be_silenced(model, data, capsys):
    """Does progress=False print nothing?"""
    train_model(model, TINY, progress=False, **data)
    assert capsys.readouterr() == ("", "")


class Interrupt(Exception):
    """Stands for a kernel that stops."""


def interrupted_after(epochs: int, monkeypatch) -> None:
    """Let the next training stop in the middle of the epoch after these."""
    real, calls = training._stop_unless_finite, []

    def stop(losses, first_step):
        real(losses, first_step)
        calls.append(None)
        if len(calls) > epochs:
            raise Interrupt

    monkeypatch.setattr(training, "_stop_unless_finite", stop)


LONG = {"turned": True, "stretched": 0.1, "share": 0.6, "smoothing": 0.1, "muon": 0.01}


@pytest.mark.parametrize("more", [{}, {"turned": True}, LONG, {"parts": 4}], ids=["plain", "turned", "long", "parts"])
@pytest.mark.parametrize("done", [0, 1, 2])
def test_resuming_equals_not_having_been_interrupted(model, data, tmp_path, monkeypatch, capsys, done, more):
    """Is the result the same, to the last bit, from another start of the network, and are the curves whole?"""
    path, budget = tmp_path / "new" / "run.pt", dataclasses.replace(TINY, **more)
    model.insert(0, nn.Conv2d(1, 1, 3, padding=1))
    twin = copy.deepcopy(model)
    train_model(twin, budget, **data)
    with monkeypatch.context() as m, pytest.raises(Interrupt):
        interrupted_after(done, m)
        train_model(copy.deepcopy(model), budget, checkpoint=path, **data)
    assert path.exists() == (done > 0)
    if done:  # after a kernel's restart the network starts from other weights
        torch.manual_seed(99)
        for module in model.modules():
            if hasattr(module, "reset_parameters"):
                module.reset_parameters()
    train_model(model, budget, checkpoint=str(path), **data)
    assert same(model, twin)
    for name, values in vars(twin.history).items():
        if name != "seconds":
            assert getattr(model.history, name) == values, name
    assert model.history.seconds == sorted(model.history.seconds)
    assert ("Going on from" in capsys.readouterr().out) == (done > 0)


def test_a_finished_checkpoint_is_loaded(model, data, tmp_path, capsys):
    """Does a second run of a finished cell give the same network at once, and say so?"""
    path = tmp_path / "run.pt"
    twin = train_model(copy.deepcopy(model), TINY, checkpoint=path, **data)
    capsys.readouterr()
    train_model(model, TINY, checkpoint=path, **data)
    assert same(model, twin)
    assert "epoch 3 of 3" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == [path]


def test_every_training_can_have_a_file_of_its_own(model, data, tmp_path, monkeypatch, capsys):
    """Is a finished training loaded, after a restart too, but not that of a network whose code has changed?"""
    monkeypatch.chdir(tmp_path)
    start = copy.deepcopy(model.state_dict())
    once = copy.deepcopy(train_model(model, TINY, checkpoint=True, **data))
    model.load_state_dict(start)
    capsys.readouterr()
    train_model(model, TINY, checkpoint=True, **data)
    assert same(model, once)
    (file,) = (tmp_path / "checkpoints").iterdir()
    assert f"Loaded from {file.relative_to(tmp_path)}, epoch 3 of 3" in capsys.readouterr().out

    class Doubled(nn.Linear):  # the same parameters, and the same words, but another function
        def forward(self, x):
            return super().forward(x).flip(1)

        def _get_name(self):
            return "Linear"

    model.load_state_dict(start)
    model[-1].__class__ = Doubled
    train_model(model, TINY, checkpoint=True, **data)
    assert "Loaded" not in capsys.readouterr().out
    assert len(list((tmp_path / "checkpoints").iterdir())) == 2


def _turned(x):
    return x.rot90(1, (-2, -1))


SHARE = 0.5


def _of(forward, **others):
    """A network of one layer, with a method of its own; its name and its weights are always the same."""
    torch.manual_seed(0)
    members = {"forward": forward, "_get_name": lambda self: "Linear", "__module__": __name__, **others}
    return nn.Sequential(nn.Flatten(), type("Layer", (nn.Linear,), members)(25, 3))


def _right(self, x):
    return F.linear(x, self.weight, self.bias) + 0


def test_code_that_shows_only_in_training_has_a_file_of_its_own(data, tmp_path, monkeypatch):
    """Is a training of wrong code not loaded when only the gradient differs, and loaded when only words do?"""

    def with_words(self, x):
        """Say what it does."""
        # and why
        return F.linear(x, self.weight, self.bias) + 0

    def without_a_gradient(self, x):
        return F.linear(x, self.weight.data, self.bias) + 0

    monkeypatch.chdir(tmp_path)
    files = []
    for forward in (_right, with_words, without_a_gradient):
        train_model(_of(forward), TINY, checkpoint=True, **data)
        files.append(len(list((tmp_path / "checkpoints").iterdir())))
    assert files == [1, 1, 2]


def _by_a_function(self, x):
    return _turned(x)


def _by_a_number(self, x, share=0.1):
    return F.dropout(x, SHARE + share, self.training)


def _wrapped(inner):
    @functools.wraps(inner)
    def outer(self, x):
        return inner(self, x)

    return outer


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"helper": _by_a_function}, {"helper": _right}),
        ({"helper": _wrapped(_by_a_function)}, {"helper": _wrapped(_right)}),
        ({"helper": staticmethod(_turned)}, {"helper": staticmethod(_right)}),
        ({"helper": property(_by_a_function)}, {"helper": property(_right)}),
        ({"helper": functools.partial(_turned, 1)}, {"helper": functools.partial(_turned, 2)}),
        ({"share": 0.5}, {"share": 0.25}),
    ],
    ids=["a method", "below a decorator", "a static method", "a property", "a part", "a number"],
)
def test_what_a_network_uses_belongs_to_its_code(data, before, after):
    """Does a checkpoint's name tell apart what a network's class has, however it has it?"""
    names = [own_file(_of(_right, **members), data["train_set"].images, {}) for members in (before, before, after)]
    assert names[0] == names[1] != names[2]


def test_what_a_network_uses_elsewhere_belongs_to_its_code(data, monkeypatch):
    """Does a checkpoint's name tell when a function or a number outside of the class has changed, or a default?"""
    images = data["train_set"].images
    calls, reads = _of(_right, helper=_by_a_function), _of(_right, helper=_by_a_number)
    before = [own_file(model, images, {}) for model in (calls, reads)]
    monkeypatch.setattr(_by_a_number, "__defaults__", (0.2,))
    assert own_file(reads, images, {}) != before[1]
    monkeypatch.undo()
    assert own_file(reads, images, {}) == before[1]
    monkeypatch.setitem(globals(), "SHARE", 0.25)
    monkeypatch.setitem(globals(), "_turned", lambda x: x)
    assert all(own_file(model, images, {}) != old for model, old in zip((calls, reads), before, strict=True))


@pytest.mark.parametrize("kept", [False, True])
def test_a_training_that_cannot_be_stored_goes_on(model, data, tmp_path, monkeypatch, capsys, kept):
    """Is it said once, with the reason, and is the training whole all the same?"""
    path = tmp_path / "place" / "run.pt"
    twin = train_model(copy.deepcopy(model), TINY, **data)
    if kept:
        with monkeypatch.context() as m, pytest.raises(Interrupt):
            interrupted_after(1, m)
            train_model(copy.deepcopy(model), TINY, checkpoint=path, **data)
        path.with_name("run.pt.part").symlink_to("/dev/full")
    else:
        path.parent.write_text("a file where the folder should be")
    capsys.readouterr()
    train_model(model, TINY, checkpoint=path, **data)
    printed = capsys.readouterr()
    reason, again = "File exists", "start anew"
    if kept:
        reason, again = "No space left on device", "go on from an earlier epoch"
    sentence = f"This training cannot be stored in {path} ({reason}). It goes on, and would {again} after a restart."
    assert printed.out.count("cannot be stored") == 1 and sentence in printed.out and printed.err == ""
    assert same(model, twin) and len(model.history.epochs) == 3


@pytest.mark.parametrize("times", [2, 99])
def test_a_file_that_another_program_holds_is_tried_again(model, data, tmp_path, monkeypatch, capsys, times):
    """Where a scanner or a cloud's client holds the file, is it tried a few times, and then done without?"""
    path, replace, tries = tmp_path / "run.pt", os.replace, []

    def held(*paths):
        tries.append(paths)
        if len(tries) <= times:
            raise PermissionError(13, "Permission denied")
        replace(*paths)

    monkeypatch.setattr("gcnn.checkpoint.PAUSES", (0, 0, 0))
    monkeypatch.setattr("os.replace", held)
    train_model(model, TINY, checkpoint=path, **data)
    said = capsys.readouterr().out
    assert path.exists() == (times == 2) and len(tries) == (5 if times == 2 else 4)
    assert ("cannot be stored" in said) == (times == 99)
    assert list(tmp_path.iterdir()) == ([path] if times == 2 else [])


def test_a_grader_passes_over_the_file_without_a_word(model, data, tmp_path, monkeypatch, capsys):
    """Do the notebook's own training cells, which keep their trainings, print and write nothing more while grading?"""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    train_model(model, TINY, checkpoint=True, progress=False, **data)
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr() == ("", "")


def in_a_notebook(monkeypatch) -> list:
    """What a notebook shows of a training's curves from now on: "new" or "update", and the picture."""
    seen = []

    class Handle:
        def update(self, picture):
            seen.append(("update", picture))

    class Screen(io.StringIO):
        pass

    Screen.__module__ = "ipykernel.iostream"
    monkeypatch.setattr("sys.stdout", Screen())
    monkeypatch.setattr(
        "IPython.display.display", lambda picture, display_id: seen.append(("new", picture)) or Handle()
    )
    return seen


def test_a_notebook_gets_a_curve_that_grows(model, data, monkeypatch):
    """Are the curves shown after the first epoch and brought up to date in one place, at the latest in the end?"""
    shown = in_a_notebook(monkeypatch)
    train_model(model, TINY, **data)
    kinds = [kind for kind, _ in shown]
    assert kinds[0] == "new" and len(kinds) > 1 and set(kinds[1:]) == {"update"}
    assert "after 1 epoch" in shown[0][1].alt and "after 3 epochs" in shown[-1][1].alt


def test_the_growing_curve_takes_a_small_share_of_the_time(model, data, monkeypatch):
    """Is the curve drawn seldom where epochs are short, and whole in the end?"""
    shown = in_a_notebook(monkeypatch)
    train_model(model, dataclasses.replace(TINY, epochs=40), **data)
    assert 2 <= len(shown) < 20
    assert "after 40 epochs" in shown[-1][1].alt


@pytest.mark.parametrize("by", ["budget", "variable"])
def test_a_grader_never_uses_a_checkpoint(model, data, tmp_path, monkeypatch, capsys, by):
    """Is a checkpoint neither read nor written while grading, with a note?"""
    path = tmp_path / "run.pt"
    path.write_bytes(b"weights from elsewhere")
    if by == "variable":
        monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    budget = dataclasses.replace(TINY, name="grading") if by == "budget" else TINY
    train_model(model, budget, checkpoint=path, **data)
    assert path.read_bytes() == b"weights from elsewhere"
    assert "ignored" in capsys.readouterr().out


@pytest.mark.parametrize("content", ["empty", "cut", "other", "weights"])
def test_a_file_that_is_no_checkpoint_is_refused_and_kept(model, data, tmp_path, content):
    """Does a damaged or foreign file stop the training with its name, unharmed?"""
    path = tmp_path / "run.pt"
    train_model(copy.deepcopy(model), TINY, checkpoint=path, **data)
    if content == "weights":
        torch.save(model.state_dict(), path)
    else:
        path.write_bytes({"empty": b"", "cut": path.read_bytes()[:1000], "other": b"my notes"}[content])
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"run\.pt is damaged or no checkpoint.*Delete"):
        train_model(model, TINY, checkpoint=path, **data)
    assert path.read_bytes() == before


def test_another_trainings_checkpoint_is_refused(model, data, tmp_path):
    """Does a checkpoint of another budget, seed, data set or network stop the training, and say what differs?"""
    path = tmp_path / "run.pt"
    train_model(copy.deepcopy(model), TINY, checkpoint=path, **data)
    longer, others = dataclasses.replace(TINY, epochs=4), digits(100, seed=5)
    wider = nn.Sequential(nn.Flatten(), nn.Linear(25, 9), nn.ReLU(), nn.Linear(9, 3))
    for what, network, budget, seed, train_set in [
        ("budget", model, longer, 0, data["train_set"]),
        ("seed", model, TINY, 1, data["train_set"]),
        ("training digits", model, TINY, 0, others),
        ("network", wider, TINY, 0, data["train_set"]),
    ]:
        with pytest.raises(ValueError, match=f"another training: different .*{what}"):
            train_model(network, budget, seed, train_set=train_set, valid_set=data["valid_set"], checkpoint=path)


def test_a_lost_loss_stops_the_training(model, data):
    """Does a loss that is NaN stop at once, with the step and what to look at?"""
    data["train_set"].images[17] = torch.nan
    with pytest.raises(RuntimeError, match=r"loss became nan in step \d+.*Check"):
        train_model(model, TINY, **data)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"budget": "huge"}, "'grading', 'standard', 'full'.*got 'huge'"),
        ({"budget": 3}, "got 3"),
        ({"seed": -1}, "seed must be a whole number from 0; got -1"),
        ({"seed": True}, "got True"),
        ({"seed": 0.5}, "got 0.5"),
        ({"model": nn.Linear}, r"got the class Linear: write Linear\(\)"),
        ({"model": None}, "got NoneType"),
        ({"model": nn.Flatten()}, "no parameters"),
        ({"model": nn.Sequential(nn.Flatten(), nn.Linear(25, 2))}, r"returned \(2, 2\), expected \(2, 3\)"),
        ({"model": nn.Conv2d(1, 3, 5)}, r"returned \(2, 3, 1, 1\)"),
        ({"train_set": [1, 2]}, "images and labels.*got list"),
        ({"valid_set": types.SimpleNamespace(images=torch.zeros(2), labels=torch.zeros(3))}, "got 3 and 2"),
    ],
)
def test_wrong_arguments_are_named(model, data, change, message):
    """Does each wrong argument give a ValueError with what came and what is taken?"""
    with pytest.raises(ValueError, match=message):
        train_model(**{"model": model, "budget": TINY, **data, **change})


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": 0},
        {"batch_size": 2.5},
        {"learning_rate": float("nan")},
        {"warm_up": 1},
        {"turned": 1},
        {"stretched": 0.1},  # without turned
        {"share": 0},
        {"smoothing": 1},
        {"muon": -1},
        {"parts": 0},
        {"parts": 2, "turned": True},
    ],
)
def test_impossible_budgets_are_refused(change):
    """Does a budget refuse numbers that no training can use?"""
    with pytest.raises(ValueError, match=f"budget's {next(iter(change))} must be"):
        dataclasses.replace(TINY, **change)


def test_wrong_arguments_of_test_model_are_named(model, data):
    """Does test_model, too, refuse classes, things that are no data set and impossible batches?"""
    with pytest.raises(ValueError, match=r"test_model takes a network, got the class Linear"):
        training.test_model(nn.Linear)
    with pytest.raises(ValueError, match="got list"):
        training.test_model(model, [])
    with pytest.raises(ValueError, match=r"batch_size.*got 0"):
        training.test_model(model, data["valid_set"], batch_size=0)


def test_other_dtypes_and_frozen_parts_are_trained_as_they_are(model, data):
    """Does a float64 network stay one, and does a frozen layer keep its weights?"""
    model.double()
    model[1].requires_grad_(False)
    frozen = model[1].weight.clone()
    train_model(model, TINY, **data)
    assert model[5].weight.dtype == torch.float64
    assert torch.equal(model[1].weight, frozen)


def test_a_short_training_looks_at_few_validation_images(data):
    """Are no more images looked at than were trained on?"""
    seen = []

    class Watching(nn.Linear):
        def forward(self, x):
            seen.append((self.training, len(x)))
            return super().forward(x.flatten(1))

    train_model(Watching(25, 3), Budget("brief", epochs=0.2, batch_size=10), **data)
    assert seen[2:] == [(True, 10), (True, 10), (False, 20)]  # the first two try the network out


def test_fewer_images_than_a_batch(model):
    """Does a training work on fewer images than a batch holds?"""
    train_model(model, dataclasses.replace(TINY, batch_size=500), train_set=digits(20), valid_set=digits(5))
    assert len(model.history.step_loss) == 3


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_trains_on_a_gpu(model, data):
    """Does the same code run on a GPU, from a network on the CPU?"""
    train_model(model, TINY, **data)
    assert next(model.parameters()).is_cuda
    assert training.test_model(model, digits(200, seed=2)) > 90


def test_the_given_digits_can_be_learned():
    """Does the grading budget teach an ordinary network the bundled digits?"""
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 16, 3, stride=2), nn.ReLU(), nn.Conv2d(16, 32, 3, stride=2), nn.ReLU()]
    model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(32 * 49, 10))
    train_model(model, "grading")
    assert training.test_model(model) > 45
