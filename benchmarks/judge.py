"""Does any hostile submission earn what it does not deserve, or change anything outside? And what does judging cost?

Grades every attack of `autograder.attacks` and writes ``benchmarks/results/judge.json``. Ends with an error if one of
them had any success.

    python benchmarks/judge.py                       # about 25 minutes on two cores
    python benchmarks/judge.py --only 'handin__*' --runs 0 --out x.json   # a part

``attacks.undeserved_points`` adds up the points, over all attacks, of exercises that an attack did not answer or
answered wrongly; ``attacks.effects_outside`` counts what changed around the sandboxes: planted files, other students'
grades, processes, connections. ``attacks.not_as_promised`` counts exercises whose points are not what they should be,
deserved points that were withheld among them, and submissions that were dropped. ``overhead.wall_ratio`` is the wall
time of grading the model answer, judged and sandboxed, divided by that of nbgrader as it comes, measured in turn.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import results
from rich.console import Console
from rich.markup import escape
from traitlets.config import Config

from autograder import attacks
from autograder.course import Course
from autograder.errors import CourseError
from autograder.submissions import read_sample


def measure_attacks(console: Console, only: str = "*") -> tuple[list[dict[str, object]], list[str]]:
    """Grade the attacks.

    Args:
        console: where the table goes.
        only: a pattern of their names.

    Returns:
        The rows ``attacks.…``, and in which way attacks succeeded, a sentence each.
    """
    with tempfile.TemporaryDirectory(prefix="attacks-") as folder:
        # One folder deeper: what is planted beside the course is then in nobody's way.
        found = attacks.run(results.ROOT, Path(folder) / "course", console, only)
    undeserved = sum(result.undeserved for result in found)
    effects = [effect for result in found for effect in result.effects]
    broken = [sentence for result in found for sentence in result.broken]
    seconds = results.over_seeds("attacks.seconds", [result.seconds for result in found], "seconds")
    rows = [
        {"name": "attacks.total", "value": len(found), "unit": "submissions"},
        {"name": "attacks.undeserved_points", "value": undeserved, "unit": "points"},
        {"name": "attacks.effects_outside", "value": len(effects), "unit": "effects"},
        {"name": "attacks.not_as_promised", "value": len(broken), "unit": "findings"},
        {**seconds, "spread": {key: value for key, value in seconds["spread"].items() if key != "values"}},
    ]
    return rows, [*broken, *effects]


def measure_overhead(console: Console, runs: int) -> list[dict[str, object]]:
    """Grade the model answer, networks and bonus included, with the judge and with nbgrader as it comes, in turn.

    Returns:
        The rows ``overhead.…``: seconds of each way, and judged ÷ stock, pair by pair.
    """
    seconds: dict[str, list[float]] = {"judged": [], "stock": []}
    with tempfile.TemporaryDirectory(prefix="overhead-") as folder:
        course = Course(Path(folder), results.ROOT)
        sample = read_sample(results.ROOT / "tests" / "submissions" / "passes_all.py", course.build())
        course.release()
        course.hand_in(sample.name, sample.notebook)
        stock = Course(Path(folder), results.ROOT)
        stock.config.Autograde = Config()  # nbgrader's own steps
        stock.config.Execute.timeout = 600
        for _ in range(runs):
            for way, grader in (("judged", course), ("stock", stock)):
                start = time.perf_counter()
                grader.autograde(sample.name)
                seconds[way].append(time.perf_counter() - start)
                console.print(f"{way}: {seconds[way][-1]:.1f} s")
    ratios = [judged / stock for judged, stock in zip(*seconds.values(), strict=True)]
    rows = [results.over_seeds(f"overhead.{way}_seconds", values, "seconds") for way, values in seconds.items()]
    return [*rows, results.over_seeds("overhead.wall_ratio", ratios, "judged / stock nbgrader")]


def main() -> None:
    """Measure everything and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="*", help="a pattern of the attacks' names")
    parser.add_argument("--out", type=Path, default=results.FOLDER / "judge.json")
    parser.add_argument("--runs", type=int, default=3, help="how often the model answer is graded each way; 0: not")
    arguments = parser.parse_args()

    console = Console()
    if not console.is_terminal:
        console = Console(width=120)  # a log has no width of its own, and the table needs this much
    try:
        overhead = measure_overhead(console, arguments.runs) if arguments.runs else []
        rows, successes = measure_attacks(console, arguments.only)
    except CourseError as error:
        sys.exit(f"error: {error}")
    bwrap = subprocess.run(["bwrap", "--version"], capture_output=True, text=True, check=False).stdout.split()
    results.write(arguments.out, "benchmarks/judge.py", [*rows, *overhead], bubblewrap=bwrap[-1] if bwrap else "none")
    for row in [*rows, *overhead]:
        console.print(f"{row['name']}: {row['value']} {row['unit']}")
    if successes:
        console.print("[red]An attack succeeded:[/]", *(escape(sentence) for sentence in successes), sep="\n")
        sys.exit(1)
    console.print("[green]No attack had any success.[/]")


if __name__ == "__main__":
    main()
