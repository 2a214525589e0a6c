"""How accurate do the course's networks get in a long training, and how long does it take?

    python benchmarks/record.py                        # five seeds each of C4CNN with normalisation and D4CNN: hours
    python benchmarks/record.py --seeds 1 --network c4cnn_bn

Each seed draws new weights and another order. The trainings run one after the other, so that their seconds are those of
the whole machine; with ``--untimed`` they run side by side, a core each, and their seconds are not kept. What is done
is in ``build/record.jsonl``, and the same command goes on from there. ``accuracy.…`` is on the public test digits;
``seconds.…`` is the whole call of `train_model`; ``mistaken.…`` counts the digits of two classes that were taken for
each other, for the pairs of classes that were so most often. Writes a file for each network,
``benchmarks/results/BUDGET_NETWORK.json``, so that one can be measured without the others.
"""

import argparse
import collections
import os
import sys
import time

import networks
import results
import torch
from calibrate import Training, measured
from rich.console import Console
from rich.progress import track

from autograder.kept import Kept
from gcnn.budgets import BUDGETS
from gcnn.data import MnistRotDataset
from gcnn.probes import predict
from gcnn.training import train_model

NETWORKS, SEEDS, PAIRS = ("c4cnn_bn", "d4cnn"), 5, 3
UNITS = {"accuracy": "percent of the public test digits", "seconds": "seconds of train_model"}


class Long(Training):
    """A long training, of which more is told than the accuracy."""

    @property
    def kept_as(self) -> str:
        """By what it is found again: all that its accuracy depends on, and the threads that its seconds do."""
        return f"{self.key} {torch.get_num_threads()}"

    def run(self) -> dict[str, object]:
        """Its accuracy in percent, its seconds, and how many digits of two classes were taken for each other."""
        torch.manual_seed(self.seed)
        model, test = networks.network("ours", self.network), MnistRotDataset("test")
        start = time.perf_counter()
        train_model(model, self.budget, self.seed, progress=False)
        seconds = time.perf_counter() - start
        answers = predict(model, test.images).argmax(1)
        wrong = answers != test.labels
        pairs = zip(answers[wrong].tolist(), test.labels[wrong].tolist(), strict=True)
        mistaken = collections.Counter(f"{min(pair)}_{max(pair)}" for pair in pairs)
        return {"accuracy": 100 * (~wrong).double().mean().item(), "seconds": seconds, "mistaken": mistaken}


def rows(network: str, budget: str, done: list[dict[str, object]]) -> list[dict[str, object]]:
    """A network's figures, over the trainings that have each."""
    found = []
    for what, unit in UNITS.items():
        if values := [one[what] for one in done if what in one]:
            found.append(results.over_seeds(f"{what}.{network}.{budget}", values, unit))
    counts = [one["mistaken"] for one in done if "mistaken" in one]
    for pair, _ in sum(map(collections.Counter, counts), collections.Counter()).most_common(PAIRS):
        values = [float(count.get(pair, 0)) for count in counts]
        found.append(results.over_seeds(f"mistaken.{network}.{budget}.{pair}", values, "public test digits"))
    return [{**row, "epochs": BUDGETS[budget].epochs} for row in found]


def main() -> None:
    """Train what is missing and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", action="append", choices=list(networks.CLASSES), help="may be repeated")
    parser.add_argument("--budget", choices=list(BUDGETS), default="record")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="trainings of each network")
    parser.add_argument("--untimed", action="store_true", help="train side by side, a core each, for the accuracy only")
    arguments = parser.parse_args()
    kept = Kept(results.ROOT / "build" / "record.jsonl")
    MnistRotDataset("train")  # the files are in the system's cache from here on
    chosen = arguments.network or NETWORKS
    runs = [Long(network, arguments.budget, seed) for seed in range(arguments.seeds) for network in chosen]
    console = Console() if sys.stdout.isatty() else Console(width=120)
    missing = [run for run in runs if run.kept_as not in kept]
    if arguments.untimed:
        done = measured(missing, Kept(None), os.cpu_count(), console)
        found = ((run, {k: v for k, v in figures.items() if k != "seconds"}) for run, figures in done)
    else:
        found = ((run, run.run()) for run in track(missing, "training", console=console))
    for run, figures in found:
        kept[run.kept_as] = figures
        console.print(f"{run.row}, seed {run.seed}: {figures}")
    for network in chosen:
        made = rows(network, arguments.budget, [kept[run.kept_as] for run in runs if run.network == network])
        for row in made:
            console.print(f"{row['name']}: {row['value']} {row['unit']}, {row['spread']['values']}")
        results.write(results.FOLDER / f"{arguments.budget}_{network}.json", "benchmarks/record.py", made)


if __name__ == "__main__":
    main()
