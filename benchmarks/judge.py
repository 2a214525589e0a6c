"""Does any hostile submission earn a point that it does not deserve, or change anything outside its sandbox?

Grades every attack of `autograder.attacks` and writes ``benchmarks/results/judge.json``. Ends with an error if one of
them had any success.

    python benchmarks/judge.py                       # all attacks: about 15 minutes on two cores
    python benchmarks/judge.py --only 'handin__*' --out x.json   # some of them

``attacks.undeserved_points`` adds up the points, over all attacks, of exercises that an attack did not answer or
answered wrongly; ``attacks.effects_outside`` counts what changed around the sandboxes: planted files, other students'
grades, processes, connections. ``attacks.not_as_promised`` counts exercises whose points are not what they should be,
deserved points that were withheld among them, and submissions that were dropped.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import results
from rich.console import Console
from rich.markup import escape

from autograder import attacks
from autograder.errors import CourseError


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


def main() -> None:
    """Measure everything and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="*", help="a pattern of the attacks' names")
    parser.add_argument("--out", type=Path, default=results.FOLDER / "judge.json")
    arguments = parser.parse_args()

    console = Console()
    if not console.is_terminal:
        console = Console(width=120)  # a log has no width of its own, and the table needs this much
    try:
        rows, successes = measure_attacks(console, arguments.only)
    except CourseError as error:
        sys.exit(f"error: {error}")
    bwrap = subprocess.run(["bwrap", "--version"], capture_output=True, text=True, check=False).stdout.split()
    results.write(arguments.out, "benchmarks/judge.py", rows, bubblewrap=bwrap[-1] if bwrap else "none")
    for row in rows:
        console.print(f"{row['name']}: {row['value']} {row['unit']}")
    if successes:
        console.print("[red]An attack succeeded:[/]", *(escape(sentence) for sentence in successes), sep="\n")
        sys.exit(1)
    console.print("[green]No attack had any success.[/]")


if __name__ == "__main__":
    main()
