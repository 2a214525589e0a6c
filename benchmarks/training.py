"""How fast do the course's networks train and answer, beside the original's recipe and the field's library?

    python benchmarks/training.py                       # all of it; leave the machine alone meanwhile
    python benchmarks/training.py --only c4cnn          # one network; writes build/training.json
    python benchmarks/training.py --quick               # a smoke run, under a minute: its figures mean nothing

The peers: ``original`` (the original assignment's recipe: every digit through a PIL image, batches of 64 in the order
of the file, Adam at 5e-5, each layer one convolution with the expanded filter bank), ``pairs`` (layers as students
often write them: one small convolution for each pair of group elements), ``ours`` (`gcnn.training`), ``escnn`` (the
field's library, in an environment of its own: ``make escnn``; without it, it is left out). Each has a process of its
own (`peer.py`). They take turns, a few dozen steps each, for some rounds: a row's value is the median over rounds,
its spread has every round's figure, a ratio is taken within each round. All but ``original`` use batches of 50, and
all take Adam's steps there. Trainings to an accuracy are kept in ``build/training.jsonl`` as soon as they are done,
under machine, code and budget: an interrupted benchmark goes on after the last one.

An epoch is 10,000 images, and its seconds are extrapolated from the measured steps, loading included. Only ours is
trained to an accuracy, from several seeds, in ever larger budgets until the median on the public test digits reaches
the target. ``pairs`` computes the same function and ``escnn`` one of the same shape: they are counted as needing as
many epochs as ours. ``original`` is counted as its 30 epochs, after which it reports 93.24 % (C4CNN) and about 95 %
(with normalisation) on the official test digits. A row that depends on a number format names it in ``dtype``; "best"
is the faster of float32 and bfloat16. Writes ``benchmarks/results/training.json``; ``speed_page.py`` makes the page.
"""

import argparse
import dataclasses
import functools
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import results
import torch
import trainings
from networks import CLASSES, ORDERS, SHAPES, flops, network
from results import ROOT

from autograder.kept import Kept
from gcnn.budgets import BUDGETS, Budget
from gcnn.data import MnistRotDataset
from gcnn.training import test_model, train_model

ESCNN = ROOT / "build" / "escnn" / "bin" / "python"
KEPT = ROOT / "build" / "training.jsonl"
EPOCH, TEST = 10_000, 5_000  # images
BATCHES = {"original": 64}
BATCH = 50
ORIGINAL_EPOCHS = 30
TARGETS = {"93": 93.24, "95": 95.0}  # percent; the first is what the original reports for C4CNN
ORIGINAL_REACHED = {"c4cnn": ("93",), "c4cnn_bn": ("93", "95")}  # after its 30 epochs, by its own account
peak = functools.cache(results.peak)
# The budgets that are tried: the course's own, and `standard` with fewer and more epochs. `record.py` has the longest,
# which is another recipe.
LADDER = tuple(
    BUDGETS[rung]
    if isinstance(rung, str)
    else dataclasses.replace(BUDGETS["standard"], name=f"{rung:g} epochs", epochs=rung)
    for rung in (0.2, 0.4, 0.6, "grading", 1, 1.5, "standard", 4, 6, "full")
)
NO_TARGET = {"isotropic_cnn"}  # stays far below all of them: only the course's short budgets are trained


@dataclasses.dataclass
class Plan:
    """How much is measured."""

    rounds: int = 7
    """Turns of each peer."""
    steps: int = 24
    """Steps of one turn."""
    images: int = 1000
    """Digits that are named in one turn."""
    seeds: int = 3
    """Trainings for each accuracy that counts."""
    ladder: tuple[Budget, ...] = LADDER
    """The budgets that are tried, the shortest first."""
    growth: tuple[tuple[str, float, int], ...] = (
        *(("c4cnn", 1, batch) for batch in (10, 50, 250)),
        *(("c4cnn", width, 50) for width in (0.5, 2)),
        *((name, 1, 50) for name in ("c1cnn", "d4cnn")),
    )
    """Network, width and batch of the steps that show how the time grows."""


QUICK = Plan(rounds=1, steps=2, images=50, seeds=1, ladder=(Budget("0.02 epochs", 0.02),), growth=(("c4cnn", 1, 10),))


def row(name: str, values: list[float], unit: str, **more: object) -> dict[str, object]:
    """A figure: the median of some values, and how they spread."""
    kept = [float(f"{value:.5g}") for value in values]
    spread = {"n": len(kept), "min": min(kept), "max": max(kept), "values": kept}
    return {"name": name, "value": float(f"{statistics.median(values):.5g}"), "unit": unit, "spread": spread, **more}


def say(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """Print rows, and hand them on."""
    for one in rows:
        low, high = one["spread"]["min"], one["spread"]["max"]
        print(f"{one['name']}: {one['value']} {one['unit']} ({low} … {high}) {one.get('dtype', '')}", flush=True)
    return rows


class Peer:
    """A process of `peer.py`.

    Args:
        who: "original", "pairs", "ours" or "escnn".
        device: "cpu" or "cuda".
    """

    def __init__(self, who: str, device: str):
        self.who, self.batch = who, BATCHES.get(who, BATCH)
        python = ESCNN if who == "escnn" else sys.executable
        command = [str(python), "-W", "ignore", str(ROOT / "benchmarks" / "peer.py"), who, device]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, **request: object) -> dict[str, object]:
        """The answer to a request; it may be an "error".

        Raises:
            RuntimeError: the process ended.
        """
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the process of {self.who} ended with status {self.process.wait()}, see above")
        return json.loads(line)

    def close(self) -> None:
        """End the process."""
        self.process.stdin.close()
        self.process.wait()


def peers(names: list[str], network_name: str, device: str) -> list[Peer]:
    """The processes of those that have such a network."""
    grouped = ORDERS[SHAPES[network_name][0]] > 1
    return [Peer(name, device) for name in names if grouped or name != "pairs"]


def dtypes(who: str, device: str) -> tuple[str, ...]:
    """What a peer is measured in: the original as it is, and nobody in a format that the machine only imitates."""
    imitated = peak(torch.bfloat16, device) < peak(torch.float32, device) / 2
    return ("float32",) if who == "original" or imitated else ("float32", "bfloat16")


def steps_of(name: str, names: list[str], device: str, plan: Plan) -> list[dict[str, object]]:
    """Rows of one network's steps: all peers in turns."""
    running = peers(names, name, device)
    taken: dict[tuple[str, str], list[dict[str, float]]] = {}
    evaluated: dict[str, list[float]] = {}
    rows = []
    for turn in range(plan.rounds + 1):  # the first turn warms up
        for peer in running:
            for dtype in dtypes(peer.who, device):
                steps = plan.steps if turn else min(3, plan.steps)
                ask = {"do": "train", "network": name, "width": 1, "batch": peer.batch, "dtype": dtype}
                peer.ask(**ask, steps=2)  # untimed: the first steps of a turn are slower
                answer = peer.ask(**ask, steps=steps)
                if "error" in answer:
                    if not turn:
                        print(f"{name}, {peer.who}, {dtype}: left out, {answer['error']}", flush=True)
                elif turn and answer["dtype"] == dtype:  # else this machine chooses float32 anyway
                    taken.setdefault((peer.who, dtype), []).append(answer)
                if not turn and dtype == "float32":
                    where = "the GPU's tensors" if device == "cuda" else "the whole process"
                    rows.append(row(f"{name}.{peer.who}.peak_mb", [peer.ask(do="peak")["mb"]], f"MiB, {where}"))
            for kind in (peer.who, "escnn_export") if peer.who == "escnn" else (peer.who,):
                asked = {"images": plan.images, "exported": kind == "escnn_export"}
                answer = peer.ask(do="evaluate", network=name, **asked)
                if turn and "seconds" in answer:
                    evaluated.setdefault(kind, []).append(answer["seconds"] * TEST / plan.images)
                elif "error" in answer and not turn:
                    print(f"{name}, {kind}, evaluation: left out, {answer['error']}", flush=True)
    for peer in running:
        peer.close()
    count = plan.rounds * plan.steps
    for (who, dtype), answers in taken.items():
        unit = f"ms a step of {BATCHES.get(who, BATCH)} images, from {count} measured steps"
        rows.append(row(f"{name}.{who}.step_ms.{dtype}", [a["step_ms"] for a in answers], unit, dtype=dtype))
    for who, values in evaluated.items():
        unit = f"seconds for the {TEST:,} public test digits, from {plan.images * plan.rounds} measured images"
        rows.append(row(f"{name}.{who}.evaluate_seconds", values, unit, dtype="float32"))
    return say([*rows, *epochs_of(name, taken, device, count), *ratios(name, taken)])


def milliseconds(answers: list[dict[str, float]]) -> list[float]:
    """Of a step with its loading, for each round."""
    return [a["step_ms"] + a["loading_ms"] for a in answers]


def best(taken: dict[tuple[str, str], list], who: str) -> str:
    """The number format in which a peer is fastest."""
    own = {d: statistics.median(milliseconds(answers)) for (w, d), answers in taken.items() if w == who}
    return min(own, key=own.get)


def epochs_of(name: str, taken: dict[tuple[str, str], list], device: str, count: int) -> list[dict[str, object]]:
    """Rows that follow from the steps: an epoch, images a second, share of the machine's peak."""
    rows, operations = [], flops(name)
    for who in dict.fromkeys(who for who, _ in taken):
        dtype = best(taken, who)
        a_second = [1e3 * BATCHES.get(who, BATCH) / ms for ms in milliseconds(taken[who, dtype])]
        top = peak(getattr(torch, dtype), device)
        start = f"{name}.{who}"
        unit = f"seconds, from {count} measured steps"
        rows += [
            row(f"{start}.seconds_per_epoch", [EPOCH / speed for speed in a_second], unit, dtype=dtype),
            row(f"{start}.images_per_second", a_second, "images a second", dtype=dtype),
            row(f"{start}.share_of_peak", [s * operations / top for s in a_second], "of matrix products", dtype=dtype),
        ]
        if who == "original":
            loading = [a["loading_ms"] for a in taken[who, dtype]]
            rows.append(row(f"{start}.loading_ms", loading, "ms a step of 64 images"))
    return rows


def ratios(name: str, taken: dict[tuple[str, str], list]) -> list[dict[str, object]]:
    """How much longer the others' steps take than ours, in the same rounds; all of 50 images."""
    rows = []
    for who in ("escnn", "pairs"):
        if any(w == who for w, _ in taken):
            pairs = {"float32": ("float32", "float32"), "best": (best(taken, who), best(taken, "ours"))}
            for kind, (theirs, own) in pairs.items():
                both = zip(milliseconds(taken[who, theirs]), milliseconds(taken["ours", own]), strict=True)
                unit, dtype = f"{who} / ours", theirs if theirs == own else f"{theirs} / {own}"
                values = [a / b for a, b in both]
                rows.append(row(f"{name}.step_ratio_to_{who}.{kind}", values, unit, dtype=dtype))
                if who == "pairs" and kind == "best":
                    rows.append(row(f"{name}.step_ratio_to_pairs", values, unit, dtype=dtype))
    return rows


def growth_of(names: list[str], device: str, plan: Plan) -> list[dict[str, object]]:
    """Rows of steps in float32 at other batches, widths and groups."""
    rows = []
    for name, width, batch in plan.growth:
        running, taken = peers(names, name, device), {}
        ask = {"do": "train", "network": name, "width": width, "batch": batch, "dtype": "float32"}
        for turn in range(max(1, plan.rounds // 2) + 1):
            for peer in running:
                peer.ask(**ask, steps=2)
                answer = peer.ask(**ask, steps=max(2, plan.steps // 2) if turn else 2)
                if turn and "step_ms" in answer:
                    taken.setdefault(peer.who, []).append(answer["step_ms"])
        for peer in running:
            peer.close()
        for who, values in taken.items():
            unit = f"ms a step of {batch} images, without loading"
            title = f"growth.{name}.width_{width:g}.batch_{batch}.{who}.step_ms"
            rows += say([row(title, values, unit, dtype="float32")])
    return rows


def trained(name: str, budget: Budget, seed: int, device: str, kept: Kept) -> tuple[float, float, str]:
    """One training of ours: percent on the public test digits, seconds of `train_model`, and its number format."""
    what = f"{name}, {budget.name}, seed {seed}"
    key = trainings.keyed(what, name, dataclasses.asdict(budget), trainings.here(), device)
    if key not in kept:
        torch.manual_seed(seed)
        model = network("ours", name)
        start = time.perf_counter()
        train_model(model, budget, seed, progress=False, device=device)
        seconds = time.perf_counter() - start  # its curves have been fetched from the device: nothing is waited for
        kept[key] = [test_model(model), seconds, model.history.precision]
    return tuple(kept[key])


def accuracies(name: str, device: str, plan: Plan) -> list[dict[str, object]]:
    """Rows of ours trained in ever larger budgets, and of when it reached each target."""
    rows, left, kept = [], {} if name in NO_TARGET else dict(TARGETS), Kept(KEPT)
    train_model(network("ours", name), Budget("warm-up", 0.02), progress=False, device=device)  # first steps are slow
    for budget in plan.ladder:
        named = budget.name in BUDGETS
        if not left and not (named and budget.epochs <= BUDGETS["standard"].epochs):
            continue
        runs = [trained(name, budget, 0, device, kept)]
        close = any(runs[0][0] >= target - 0.5 for target in left.values())
        if named or close:
            runs += [trained(name, budget, seed, device, kept) for seed in range(1, plan.seeds)]
        percent, seconds, (dtype, *_) = zip(*runs, strict=True)
        end = f"{name}.{budget.name.replace(' ', '_')}"
        more = {"dtype": dtype, "epochs": budget.epochs}
        new = [row(f"accuracy.{end}", list(percent), "percent of the public test digits", **more)]
        new.append(row(f"seconds.{end}", list(seconds), "seconds of train_model", **more))
        for key in [key for key, target in left.items() if statistics.median(percent) >= target]:
            del left[key]
            unit = f"seconds, {budget.epochs:g} epochs"
            new.append(row(f"{name}.ours.seconds_to_{key}", list(seconds), unit, **more))
        rows += say(new)
    return rows


def times_to(name: str, rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """Rows of when the others reach the targets, counted from their epochs (see the top), and our speed-up."""
    found, new = {one["name"]: one for one in rows}, []
    for key in TARGETS:
        ours = found.get(f"{name}.ours.seconds_to_{key}")
        for who in ("original", "pairs", "escnn"):
            epoch = found.get(f"{name}.{who}.seconds_per_epoch")
            if who == "original":
                epochs = ORIGINAL_EPOCHS if key in ORIGINAL_REACHED.get(name, ()) else None
            else:
                epochs = ours and ours["epochs"]
            if epoch is None or epochs is None:
                continue
            values = [epochs * value for value in epoch["spread"]["values"]]
            unit = f"seconds, counted as {epochs:g} epochs"
            new.append(row(f"{name}.{who}.seconds_to_{key}", values, unit, dtype=epoch["dtype"]))
            if ours and who == "original":
                speedups = [statistics.median(values) / seconds for seconds in ours["spread"]["values"]]
                new.append(row(f"{name}.speedup_to_{key}", speedups, "original / ours", dtype=ours["dtype"]))
    return say(new)


def main() -> None:
    """Measure everything and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=[*CLASSES], help="a network; may be repeated")
    parser.add_argument("--quick", action="store_true", help="a smoke run of C4CNN, or of --only's networks")
    parser.add_argument("--no-training", action="store_true", help="steps only: train nothing to an accuracy")
    parser.add_argument("--rounds", type=int, help=f"turns of each peer, by default {Plan.rounds}")
    parser.add_argument("--most-epochs", type=float, default=float("inf"), help="of the budgets that are tried")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto", help="auto: a GPU if there is one")
    parser.add_argument("--out", type=Path, help="by default build/training.json, unless all of it is measured")
    arguments = parser.parse_args()
    whole = not (arguments.only or arguments.quick or arguments.no_training)
    out = arguments.out or (results.FOLDER if whole else ROOT / "build") / "training.json"
    device = arguments.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    elif device == "cuda" and not torch.cuda.is_available():
        sys.exit("error: there is no GPU that torch can use; --device cpu measures this machine's processor")
    plan = QUICK if arguments.quick else Plan()
    plan = dataclasses.replace(
        plan,
        rounds=arguments.rounds or plan.rounds,
        ladder=tuple(budget for budget in plan.ladder if budget.epochs <= arguments.most_epochs),
    )
    chosen = arguments.only or (["c4cnn"] if arguments.quick else list(CLASSES))

    names, versions = ["original", "pairs", "ours"], {"device": device}
    if ESCNN.exists():
        asked = [str(ESCNN), "-W", "ignore", "-c", "import escnn, torch; print(escnn.__version__)"]
        versions["escnn"] = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
        names.append("escnn")
    else:
        print("escnn is left out: it is not installed (make escnn)", flush=True)
    print({**results.machine(), "torch": torch.__version__, **versions, "threads": torch.get_num_threads()}, flush=True)
    MnistRotDataset("train")  # the files are in the system's cache from here on
    kinds = torch.float32, torch.bfloat16
    unit = "thousand million operations a second in products of matrices"
    rows = say([row(f"machine.peak.{str(kind)[6:]}", [peak(kind, device) / 1e9], unit) for kind in kinds])
    for name in chosen:
        own = steps_of(name, names, device, plan)
        own += [] if arguments.no_training else accuracies(name, device, plan)
        rows += own + times_to(name, own)
        results.write(out, "benchmarks/training.py", rows, **versions)  # an interruption loses one network's figures
    if whole or arguments.quick:
        rows += growth_of(["ours"] if arguments.quick else names, device, plan)
        results.write(out, "benchmarks/training.py", rows, **versions)


if __name__ == "__main__":
    try:
        main()
    except RuntimeError as error:
        sys.exit(f"error: {error}")
