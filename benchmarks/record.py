"""How accurate do the course's networks get in a long training, and how long does it take?

    python benchmarks/record.py                        # five seeds each of C4CNN with normalisation and D4CNN: hours
    python benchmarks/record.py --seeds 1 --network c4cnn_bn

Each seed draws new weights and another order. The trainings run one after the other, so that their seconds are those of
the whole machine; with ``--untimed`` they run side by side, a core each, and their seconds are not kept. What is done
is in ``build/record.jsonl``, and the same command goes on from there. ``accuracy.…`` is on the public test digits;
``seconds.…`` is the whole call of `train_model`. Writes a file for each network,
``benchmarks/results/BUDGET_NETWORK.json``, so that one can be measured without the others.
"""

import argparse
import os
import sys

import networks
import results
import torch
from calibrate import Training, measured
from rich.console import Console
from rich.progress import track
from training import trained

from autograder.kept import Kept
from gcnn.budgets import BUDGETS
from gcnn.data import MnistRotDataset
from gcnn.environment import default_device

NETWORKS, SEEDS = ("c4cnn_bn", "d4cnn"), 5


def key(network: str, budget: str, seed: int) -> str:
    """All by which a training is found again: what its accuracy depends on, and the threads that its seconds do."""
    return f"{Training(network, budget, seed).key} {torch.get_num_threads()}"


def timed(network: str, budget: str, seed: int) -> dict[str, float]:
    """One training's accuracy in percent, and its seconds."""
    accuracy, seconds, _ = trained(network, BUDGETS[budget], seed, str(default_device()))
    return {"accuracy": accuracy, "seconds": seconds}


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
    runs = [(n, arguments.budget, s) for s in range(arguments.seeds) for n in arguments.network or NETWORKS]
    console = Console() if sys.stdout.isatty() else Console(width=120)
    missing = [run for run in runs if key(*run) not in kept]
    if arguments.untimed:
        done = measured([Training(*run) for run in missing], Kept(None), os.cpu_count(), console)
        found = (((one.network, one.budget, one.seed), {"accuracy": accuracy}) for one, accuracy in done)
    else:
        found = ((run, timed(*run)) for run in track(missing, "training", console=console))
    for run, figures in found:
        kept[key(*run)] = figures
        console.print(f"{run}: {figures}")
    for network in dict.fromkeys(run[0] for run in runs):
        done = [kept[key(*run)] for run in runs if run[0] == network]
        name, epochs, rows = f"{network}.{arguments.budget}", BUDGETS[arguments.budget].epochs, []
        for what, unit in (("accuracy", "percent of the public test digits"), ("seconds", "seconds of train_model")):
            values = [one[what] for one in done if what in one]
            if not values:
                continue
            rows.append({**results.over_seeds(f"{what}.{name}", values, unit), "epochs": epochs})
            console.print(f"{rows[-1]['name']}: {rows[-1]['value']} {unit}, {rows[-1]['spread']['values']}")
        results.write(results.FOLDER / f"{arguments.budget}_{network}.json", "benchmarks/record.py", rows)


if __name__ == "__main__":
    main()
