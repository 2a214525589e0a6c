"""How accurate are right and wrong networks after each budget, and how sure is it that only the wrong ones fail?

Trains the model solution's networks (answer cells of ``notebooks/gcnn.py``), an ordinary one and networks with typical
mistakes, each from many seeds, and writes ``benchmarks/results/calibrate.json``. `autograder.thresholds` rests on it;
`fairness.py` says how sure that is.

    python benchmarks/calibrate.py                          # all that a CPU does in an hour
    python benchmarks/calibrate.py --budget full --budget record    # also these, from ten seeds: days on a CPU
    python benchmarks/calibrate.py --official               # also the official digits, if they are there
    python benchmarks/calibrate.py --only c4cnn             # a part; writes build/calibrate.json

Every training is kept in ``build/calibrate.jsonl`` under a hash of all that it depends on: an interrupted run goes on
where it stopped. A seed fixes the first weights and the order of the images; in the grading budget, in which accuracies
are those on the hidden digits, also by which angles these are turned. All others are on the public test digits. All are
percent; a row's value is the mean over seeds, its spread has every seed's. ``none`` is no training at all. Trainings
run side by side, a core each, so that their seconds say nothing: see `training.py`.
"""

import argparse
import concurrent.futures
import dataclasses
import functools
import hashlib
import json
import multiprocessing
import os
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from types import SimpleNamespace

import fairness
import mistakes
import networks
import results
import torch
from mistakes import MISTAKES
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

import gcnn
from autograder import hidden
from autograder.kept import Kept
from autograder.thresholds import GRADING
from gcnn.budgets import BUDGETS
from gcnn.data import MnistRotDataset
from gcnn.training import test_model, train_model

DIGITS = results.ROOT / "src" / "autograder" / "digits" / "hidden.npz"
CACHE = results.ROOT / "build" / "calibrate.jsonl"
_MODULES = "training budgets selection optimizers fast fourier rings banks data equivariance"
"""Of gcnn: those that decide a network's accuracy."""


@dataclasses.dataclass(frozen=True)
class Training:
    """One network to be trained, or not, and measured."""

    network: str
    """Of `networks.CLASSES` or `MISTAKES`."""
    budget: str
    """Of `gcnn.budgets.BUDGETS`, or "none"."""
    seed: int
    """Of weights, order and angles."""
    precision: str = "auto"
    """What convolutions multiply, see `gcnn.fast`."""
    official: bool = False
    """Whether the digits are the official ones."""

    @property
    def row(self) -> str:
        """The name of the figure that it is a part of."""
        parts = ["accuracy", self.network, self.budget]
        parts += [self.precision] if self.precision != "auto" else []
        return ".".join([*parts, "official"] if self.official else parts)

    @property
    def key(self) -> str:
        """A hash of all that its accuracy depends on."""
        budget = dataclasses.asdict(BUDGETS[self.budget]) if self.budget in BUDGETS else None
        parts = [dataclasses.astuple(self), budget, _code(self.network), torch.__version__, _device()]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def run(self) -> float:
        """The accuracy, in percent."""
        torch.manual_seed(self.seed)
        model = MISTAKES[self.network][1]() if self.network in MISTAKES else networks.network("ours", self.network)
        sets = _official() if self.official else {}
        if self.budget != "none":
            chosen = {f"{mode}_set": sets[mode] for mode in ("train", "valid") if sets}
            train_model(model, self.budget, self.seed, progress=False, precision=self.precision, **chosen)
        unseen = self.budget in ("none", "grading") and not self.official
        return test_model(model, _hidden(self.seed) if unseen else sets.get("test"))


@functools.cache
def _code(network: str) -> str:
    """A hash of the code and the digits that decide a network's accuracy."""
    root = Path(gcnn.__file__).parent
    paths = [root / f"{name}.py" for name in _MODULES.split()]
    paths += [Path(hidden.__file__), DIGITS, *sorted((root / "digits").iterdir())]
    if network in MISTAKES:
        paths.append(Path(mistakes.__file__))
    name = MISTAKES[network][0] if network in MISTAKES else network
    texts = [path.read_bytes() for path in paths] + [networks.solution_code(name).encode()]
    return hashlib.sha256(b"".join(hashlib.sha256(text).digest() for text in texts)).hexdigest()


def _device() -> str:
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"


@functools.cache
def _official() -> dict[str, MnistRotDataset]:
    return {mode: MnistRotDataset(mode, source="official") for mode in ("train", "valid", "test")}


def _hidden(seed: int) -> SimpleNamespace:
    """The hidden digits as a data set, turned by angles of this seed."""
    images, labels = hidden.digits_turned(seed)
    return SimpleNamespace(images=images, labels=labels)


def plan(arguments: argparse.Namespace, kept: Collection[str]) -> list[Training]:
    """All trainings, those that the thresholds rest on first; long ones if they are asked for or done already.

    Args:
        arguments: what was typed.
        kept: keys of trainings that are done.
    """
    seeds, few, ten = (range(min(n, arguments.seeds)) for n in (arguments.seeds, 5, 10))
    others = [name for name in (*networks.CLASSES, *MISTAKES) if name not in GRADING]
    found = [Training(name, "grading", seed) for seed in seeds for name in GRADING]
    found += [Training(name, "grading", seed) for name in others for seed in few]
    found += [Training(name, "none", seed) for name in networks.CLASSES for seed in few]
    found += [Training(name, "grading", seed, "float32") for name in GRADING for seed in few]
    for budget in sorted(BUDGETS.keys() - {"trial", "grading"}, key=lambda name: BUDGETS[name].epochs):
        some = [Training(name, budget, seed) for name in networks.CLASSES for seed in ten]
        asked = budget == "standard" or budget in (arguments.budget or ())
        found += [one for one in some if asked or one.key in kept]
    official = [Training(name, "standard", seed, official=True) for name in networks.CLASSES for seed in few]
    found += [one for one in official if arguments.official or one.key in kept]
    return [one for one in found if not arguments.only or one.network in arguments.only]


def _begin() -> None:
    torch.set_num_threads(1)


def measured(
    trainings: list[Training], kept: Kept, processes: int, console: Console
) -> Iterator[tuple[Training, float]]:
    """Every training with its accuracy, as they are ready; each is kept before it is told."""
    columns = (TextColumn("training"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    context = multiprocessing.get_context("spawn")
    os.environ["OMP_NUM_THREADS"] = "1"
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=len(trainings))
        missing = []
        for one in trainings:
            if one.key in kept:
                progress.advance(task)
                yield one, kept[one.key]
            else:
                missing.append(one)
        pool = concurrent.futures.ProcessPoolExecutor(processes, context, _begin)
        try:
            futures = {pool.submit(one.run): one for one in missing}
            done = len(trainings) - len(missing)
            for number, future in enumerate(concurrent.futures.as_completed(futures), done + 1):
                one, accuracy = futures[future], future.result()
                kept[one.key] = accuracy
                progress.advance(task)
                if not console.is_terminal and number % 10 == 0:
                    console.print(f"{number} of {len(trainings)}: {one.row}, seed {one.seed}: {accuracy:.1f} %")
                yield one, accuracy
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def main() -> None:
    """Measure everything and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=30, help="runs of each right network in the grading budget")
    parser.add_argument("--only", action="append", choices=[*networks.CLASSES, *MISTAKES], help="may be repeated")
    parser.add_argument("--budget", action="append", choices=sorted(BUDGETS.keys() - {"trial", "grading", "standard"}))
    parser.add_argument("--official", action="store_true", help="also the official digits, in the standard budget")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="trainings at a time")
    parser.add_argument("--out", type=Path, help="by default build/calibrate.json, unless all of it is measured")
    arguments = parser.parse_args()
    console = Console() if sys.stdout.isatty() else Console(width=120)
    if arguments.official:
        try:
            _official()
        except Exception as error:
            sys.exit(f"error: the official digits are not here: {error}")
    found: dict[str, dict[int, float]] = {}
    kept = Kept(CACHE)
    trainings = plan(arguments, kept)
    try:
        for one, accuracy in measured(trainings, kept, arguments.processes, console):
            found.setdefault(one.row, {})[one.seed] = accuracy
    except KeyboardInterrupt:
        sys.exit("interrupted: what was trained is kept, and the same command goes on from here")
    accuracies = {one.row: [found[one.row][seed] for seed in sorted(found[one.row])] for one in trainings}
    rows = [results.over_seeds(name, values, "percent") for name, values in accuracies.items()]
    for row in rows:
        console.print(f"{row['name']}: {row['value']} {row['unit']}, sd {row['spread']['sd']}, n {row['spread']['n']}")
    fair = fairness.judged(accuracies)
    for row in (sure := fairness.rows(fair)):
        console.print(f"{row['name']}: {row['value']}")
    whole = not arguments.only and arguments.seeds >= fairness.RUNS
    out = arguments.out or (results.FOLDER if whole else CACHE.parent) / "calibrate.json"
    results.write(out, "benchmarks/calibrate.py", rows + sure)
    asked = {"--budget full": arguments.budget, "--official": arguments.official}
    if left := [option for option, given in asked.items() if not given]:
        console.print(f"left out, because it takes long: {', '.join(left)}")
    if problems := [problem for one in fair for problem in one.problems]:
        console.print("[red]The thresholds are not fair:[/]", *problems, sep="\n", soft_wrap=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
