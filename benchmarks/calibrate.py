"""How accurate are right and wrong networks in the grading budget, and how sure is it that only the wrong ones fail?

Trains the model solution's networks (answer cells of ``notebooks/gcnn.py``), an ordinary one and networks with typical
mistakes, each from many seeds, and writes ``benchmarks/results/calibrate.json``. `autograder.thresholds` rests on it;
`fairness.py` says how sure that is. For longer budgets see `record.py`.

    python benchmarks/calibrate.py                  # an hour
    python benchmarks/calibrate.py --only c4cnn     # a part; writes build/calibrate.json

Every training is kept (see `trainings.py`): an interrupted run goes on where it stopped. A seed fixes the first
weights, the order of the images, and by which angles the hidden digits are turned, on which all accuracies are. They
are percent; a row's value is the mean over seeds, its spread has every seed's. ``none`` is no training at all.
Trainings run side by side, a core each, so that their seconds say nothing: see `training.py`.
"""

import argparse
import os
import sys
from pathlib import Path

import fairness
import networks
import results
from mistakes import MISTAKES
from rich.console import Console
from trainings import Training, measured

from autograder.thresholds import GRADING


def plan(seeds: int, only: list[str] | None) -> list[Training]:
    """All trainings, those that the thresholds rest on first.

    Args:
        seeds: trainings of each network that is graded; five, or fewer, of all others.
        only: of `networks.CLASSES` and `MISTAKES`; None for all.
    """
    few = range(min(5, seeds))
    others = [name for name in (*networks.CLASSES, *MISTAKES) if name not in GRADING]
    found = [Training(name, "grading", seed) for seed in range(seeds) for name in GRADING]
    found += [Training(name, "grading", seed) for name in others for seed in few]
    found += [Training(name, "none", seed) for name in networks.CLASSES for seed in few]
    found += [Training(name, "grading", seed, "float32") for name in GRADING for seed in few]
    return [one for one in found if not only or one.network in only]


def main() -> None:
    """Measure everything and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=30, help="runs of each right network")
    parser.add_argument("--only", action="append", choices=[*networks.CLASSES, *MISTAKES], help="may be repeated")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="trainings at a time")
    parser.add_argument("--out", type=Path, help="by default build/calibrate.json, unless all of it is measured")
    arguments = parser.parse_args()
    console = Console() if sys.stdout.isatty() else Console(width=120)
    trainings = plan(arguments.seeds, arguments.only)
    try:
        done = measured(trainings, console, arguments.processes)
    except KeyboardInterrupt:
        sys.exit("interrupted: what was trained is kept, and the same command goes on from here")
    accuracies: dict[str, list[float]] = {}
    for one in trainings:
        accuracies.setdefault(one.row, []).append(done[one]["accuracy"])
    rows = [results.over_seeds(name, values, "percent") for name, values in accuracies.items()]
    for row in rows:
        console.print(f"{row['name']}: {row['value']} {row['unit']}, sd {row['spread']['sd']}, n {row['spread']['n']}")
    fair = fairness.judged(accuracies)
    for row in (sure := fairness.rows(fair)):
        console.print(f"{row['name']}: {row['value']}")
    whole = not arguments.only and arguments.seeds >= fairness.RUNS
    out = arguments.out or (results.FOLDER if whole else results.ROOT / "build") / "calibrate.json"
    results.write(out, "benchmarks/calibrate.py", rows + sure)
    if problems := [problem for one in fair for problem in one.problems]:
        console.print("[red]The thresholds are not fair:[/]", *problems, sep="\n", soft_wrap=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
