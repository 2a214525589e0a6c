"""Trainings whose accuracy is measured: what is trained, and what came out, kept with the project.

Ten seeds of a long training take longer than a machine is there for. So every training stands in
``benchmarks/results/trainings.jsonl`` as soon as it is done, with the machine it ran on, under a hash of all that its
accuracy depends on: code without comments and docstrings, digits, budget, PyTorch. Whoever asks for it again, here or
on the next machine, finds it there; a change of what it depends on asks for it anew.
"""

import collections
import concurrent.futures
import dataclasses
import datetime
import functools
import hashlib
import inspect
import json
import multiprocessing
import os
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

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
from autograder.mutants.mutant import normalised
from gcnn.budgets import BUDGETS, Budget
from gcnn.data import MnistRotDataset
from gcnn.fast import rounds
from gcnn.probes import predict
from gcnn.training import train_model

DONE = results.FOLDER / "trainings.jsonl"
DIGITS = results.ROOT / "src" / "autograder" / "digits" / "hidden.npz"
_MODULES = "training selection optimizers fast fourier rings banks data equivariance"
"""Of gcnn: those that decide a network's accuracy, beside what a budget is."""


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
        """A hash of all that its accuracy depends on, and the name of its figure."""
        budget = dataclasses.asdict(BUDGETS[self.budget]) if self.budget in BUDGETS else None
        return keyed(f"{self.row} {self.seed}", self.network, dataclasses.astuple(self), budget)

    def run(self) -> dict[str, object]:
        """Train and measure.

        Returns:
            "accuracy" in percent, "seconds" of the training, how many digits of two classes were "mistaken" for each
            other, and "on": the machine, its threads and the format of what convolutions multiply.
        """
        torch.manual_seed(self.seed)
        model = MISTAKES[self.network][1]() if self.network in MISTAKES else networks.network("ours", self.network)
        sets = (
            official_digits() if self.official else {mode: MnistRotDataset(mode) for mode in ("train", "valid", "test")}
        )
        start = time.perf_counter()
        if self.budget != "none":
            chosen = {f"{mode}_set": sets[mode] for mode in ("train", "valid")}
            train_model(model, self.budget, self.seed, progress=False, precision=self.precision, **chosen)
        seconds = time.perf_counter() - start
        unseen = self.budget in ("none", "grading") and not self.official
        test = _hidden(self.seed) if unseen else sets["test"]
        answers = predict(model, test.images).argmax(1)
        wrong = answers != test.labels
        pairs = zip(answers[wrong].tolist(), test.labels[wrong].tolist(), strict=True)
        mistaken = collections.Counter(f"{min(pair)}_{max(pair)}" for pair in pairs)
        return {
            "accuracy": round(100 * (~wrong).double().mean().item(), 3),
            "seconds": round(seconds, 1),
            "mistaken": dict(sorted(mistaken.items())),
            "on": here(self.precision),
        }


def keyed(name: str, network: str, *parts: object) -> str:
    """A name with a hash of a network's code, of PyTorch's version and of what else a result depends on."""
    hashed = json.dumps([*parts, code_of(network), torch.__version__])
    return f"{name} {hashlib.sha256(hashed.encode()).hexdigest()[:16]}"


def today() -> str:
    """The date, as it is kept with a result."""
    return datetime.datetime.now(datetime.timezone.utc).date().isoformat()


def here(precision: str = "auto") -> str:
    """This machine, its threads and the format of what convolutions multiply."""
    machine = results.machine()
    number = "bfloat16" if rounds(precision) else "float32"
    return f"{machine['gpu'] or machine['cpu']}, {torch.get_num_threads()} threads, {number}"


@functools.cache
def code_of(network: str) -> str:
    """A hash of the code and the digits that decide a network's accuracy."""
    root = Path(gcnn.__file__).parent
    modules = [*(root / f"{name}.py" for name in _MODULES.split()), Path(hidden.__file__)]
    if network in MISTAKES:
        modules.append(Path(mistakes.__file__))
    name = MISTAKES[network][0] if network in MISTAKES else network
    codes = [*(path.read_text(encoding="utf-8") for path in modules), inspect.getsource(Budget)]
    codes.append(networks.solution_code(name))
    contents = [normalised(code).encode() for code in codes]
    contents += [path.read_bytes() for path in (DIGITS, *sorted((root / "digits").iterdir()))]
    return hashlib.sha256(b"".join(hashlib.sha256(one).digest() for one in contents)).hexdigest()


@functools.cache
def official_digits() -> dict[str, MnistRotDataset]:
    """The official data set's three parts by mode."""
    return {mode: MnistRotDataset(mode, source="official") for mode in ("train", "valid", "test")}


def _hidden(seed: int) -> SimpleNamespace:
    """The hidden digits as a data set, turned by angles of this seed."""
    images, labels = hidden.digits_turned(seed)
    return SimpleNamespace(images=images, labels=labels)


def _timed(one: Training) -> dict[str, object]:
    """What came out of a training that has the machine to itself, and what the machine could do just then.

    A machine in a data centre shares its processors with others, and one training takes much longer on one day than on
    another. "gflops" is the peak of its matrix products in the convolutions' format: the lower of before and after.
    """
    dtype = torch.bfloat16 if rounds(one.precision) else torch.float32
    device = "cuda" if torch.cuda.is_available() else "cpu"
    before = results.peak(dtype, device)
    figures = one.run()
    return {**figures, "gflops": round(min(before, results.peak(dtype, device)) / 1e9)}


def _one_thread() -> None:
    torch.set_num_threads(1)


def _side_by_side(missing: list[Training], processes: int) -> Iterator[tuple[Training, dict[str, object]]]:
    """Every training with what came out, as they are ready. They disturb each other, so that seconds are left out."""
    os.environ["OMP_NUM_THREADS"] = "1"
    pool = concurrent.futures.ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), _one_thread)
    try:
        futures = {pool.submit(one.run): one for one in missing}
        for future in concurrent.futures.as_completed(futures):
            yield futures[future], {name: value for name, value in future.result().items() if name != "seconds"}
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def measured(
    trainings: list[Training], console: Console, processes: int = 0, done: Path = DONE
) -> dict[Training, dict[str, object]]:
    """What came out of every training; those that are not in the file are done now, and stand in it at once.

    Args:
        trainings: what is asked for.
        console: where progress is shown.
        processes: how many run side by side, a core each; 0: one after the other with the whole machine, and those that
            are there without their seconds are done again.
        done: the file.
    """
    kept = Kept(done)
    missing = [one for one in trainings if one.key not in kept or (not processes and "seconds" not in kept[one.key])]
    columns = (TextColumn("training"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    found = _side_by_side(missing, processes) if processes else ((one, _timed(one)) for one in missing)
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=len(missing))
        for number, (one, figures) in enumerate(found, 1):
            kept[one.key] = {**figures, "made": today()}
            progress.advance(task)
            if not console.is_terminal:
                console.print(f"{number} of {len(missing)}: {one.row}, seed {one.seed}: {figures['accuracy']:.2f} %")
    return {one: kept[one.key] for one in trainings}
