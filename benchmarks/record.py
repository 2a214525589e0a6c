"""How accurate do the course's networks get in budgets longer than the grader's, and how long does it take?

    python benchmarks/record.py                        # `record`, five seeds of two networks, timed: two hours
    python benchmarks/record.py --network c4cnn_bn --seeds 1
    python benchmarks/record.py --budget standard --network all --seeds 10 --untimed    # an hour
    python benchmarks/record.py --budget full --network all --seeds 10 --untimed        # one to four hours

Each seed draws new weights and another order. The trainings run one after the other, so that their seconds are those of
the whole machine; with ``--untimed`` they run side by side, a core each, and their seconds are not kept. Each is kept
with the project (see `trainings.py`): the same command goes on where it or another machine stopped, and writes what is
there when it is interrupted. ``accuracy.…`` is on the public test digits; ``seconds.…`` is the whole call of
`train_model`, a row for each machine, the one on which most were timed first, with the peak of its matrix products
beside the trainings; those that the file had of a machine stay until as many are timed there anew. ``mistaken.…``
counts the digits of two classes that were taken for each other, for the pairs of classes that were so most often.
Writes a file for each network,
``benchmarks/results/BUDGET_NETWORK.json``, so that one can be measured without the others; with ``--official``
``BUDGET_NETWORK_official.json``.
"""

import argparse
import collections
import functools
import json
import os
import statistics
import sys

import networks
import results
from rich.console import Console
from trainings import DONE, Training, measured, official_digits

from autograder.kept import Kept
from gcnn.budgets import BUDGETS

NETWORKS, SEEDS, PAIRS = ("c4cnn_bn", "d4cnn"), 5, 3


def timings(name: str, done: list[dict[str, object]], earlier: list[dict[str, object]]) -> list[dict[str, object]]:
    """Rows of the seconds, one for each machine, that with the most trainings first.

    Args:
        name: of the first row; the others' have a number after it.
        done: what came out of each training.
        earlier: rows of seconds that were written before. Each stays until its machine has timed as many.
    """
    found = {row["machine"]: row for row in earlier}
    timed = collections.defaultdict(list)
    for one in done:
        if "seconds" in one:
            timed[one["on"]].append(one)
    for machine, ones in timed.items():
        if machine in found and found[machine]["spread"]["n"] > len(ones):
            continue
        row = results.over_seeds(name, [one["seconds"] for one in ones], f"seconds of train_model, {machine}")
        peaks = [one["gflops"] for one in ones if "gflops" in one]
        about = {"machine": machine, "made": max(one["made"] for one in ones)}
        found[machine] = {**row, **about, "gflops": round(statistics.mean(peaks)) if peaks else None}
    ordered = sorted(found.values(), key=lambda row: row["spread"]["n"], reverse=True)
    return [{**row, "name": f"{name}.{place}" if place else name} for place, row in enumerate(ordered)]


def rows(
    network: str,
    budget: str,
    done: list[dict[str, object]],
    official: bool = False,
    earlier: list[dict[str, object]] | None = None,
) -> list[dict[str, object]]:
    """A network's figures.

    Args:
        network: of `networks.CLASSES`.
        budget: of `gcnn.budgets.BUDGETS`.
        done: what came out of each training, at least one.
        official: whether it was on the official digits.
        earlier: the rows that were written before; those of seconds are kept, see `timings`.
    """
    end, digits = f"{network}.{budget}{'.official' * official}", f"{'official' if official else 'public'} test digits"
    accuracies = [one["accuracy"] for one in done]
    found = [results.over_seeds(f"accuracy.{end}", accuracies, f"percent of the {digits}")]
    found[0]["machines"] = dict(collections.Counter(one["on"] for one in done))
    seconds = f"seconds.{end}"
    found += timings(seconds, done, [row for row in earlier or [] if row["name"].startswith(seconds)])
    counts = [one["mistaken"] for one in done]
    for pair, _ in sum(map(collections.Counter, counts), collections.Counter()).most_common(PAIRS):
        values = [float(count.get(pair, 0)) for count in counts]
        found.append(results.over_seeds(f"mistaken.{end}.{pair}", values, digits))
    return [{**row, "epochs": BUDGETS[budget].epochs} for row in found]


def main() -> None:
    """Train what is missing and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", action="append", choices=["all", *networks.CLASSES], help="may be repeated")
    parser.add_argument("--budget", choices=["standard", "full", "record"], default="record")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="trainings of each network")
    parser.add_argument("--untimed", action="store_true", help="train side by side, a core each, for the accuracy only")
    parser.add_argument("--official", action="store_true", help="on the official digits, if they are there")
    arguments = parser.parse_args()
    console = Console() if sys.stdout.isatty() else Console(width=120)
    chosen = arguments.network or list(NETWORKS)
    chosen = list(networks.CLASSES) if "all" in chosen else chosen
    if arguments.official:
        try:
            official_digits()
        except Exception as error:
            sys.exit(f"error: the official digits are not here: {error}")
    train = functools.partial(Training, budget=arguments.budget, official=arguments.official)
    trainings = [train(network, seed=seed) for seed in range(arguments.seeds) for network in chosen]
    stopped = ""
    try:
        measured(trainings, console, os.cpu_count() if arguments.untimed else 0)
    except KeyboardInterrupt:
        stopped = "interrupted: what was trained is kept, and the same command goes on from here"
    kept = Kept(DONE)
    for network in chosen:
        done = [kept[one.key] for one in trainings if one.network == network and one.key in kept]
        if not done:
            continue
        file = results.FOLDER / f"{arguments.budget}_{network}{'_official' * arguments.official}.json"
        earlier = json.loads(file.read_text(encoding="utf-8"))["rows"] if file.is_file() else []
        made = rows(network, arguments.budget, done, arguments.official, earlier)
        for row in made:
            console.print(f"{row['name']}: {row['value']} {row['unit']}, {row['spread']['values']}")
        results.write(file, "benchmarks/record.py", made)
    sys.exit(stopped or None)


if __name__ == "__main__":
    main()
