"""How good are the tests: does every wrong answer lose points, where it should, and does every right one keep them?

Judges all mutants of `autograder.mutants` and all different right answers of ``tests/alternatives``, and writes
``benchmarks/results/tests.json``, ``benchmarks/results/mutants.csv`` and ``docs/tests.md``. Ends with an error if a
mutant that is no equivalent survives, if one that is said to be right loses points, if a right answer does, if more
than 3 % of the killed mutants lose points where they should not, or if the accuracies that `calibrate.py` measured say
that a threshold is not fair.

    python benchmarks/tests.py                                    # all of it: about ten minutes on two cores
    python benchmarks/tests.py --only c4 --only rotate-p4         # a part; writes nothing unless told where
    python benchmarks/tests.py --mistake '*clockwise*'            # the mutants with such names
    python benchmarks/tests.py --sample 100                       # a fixed sample, the same each time

What was judged is kept in ``build/mutants.jsonl`` under a hash of all that it depends on: an interrupted run goes on
where it stopped, and a second one judges what changed.
"""

import argparse
import collections
import fnmatch
import sys
from pathlib import Path

import fairness
import results
from nbformat import NotebookNode
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from autograder.alternatives import FOLDER, Alternative, alternatives, judged
from autograder.errors import CourseError
from autograder.exercises import EXERCISES
from autograder.judge.cells import PASSED
from autograder.kept import Kept
from autograder.mutants import made, page, proof
from autograder.mutants.mutant import Mutant
from autograder.notebooks import read_text
from autograder.secret import PUBLIC_SECRET, handed_over

MUTANTS = results.ROOT / "tests" / "mutants"
LOCALISED = 0.97  # the share of killed mutants that must lose points only where they should
SAYS_EVERY = 50  # without a terminal, a line after so many mutants


def chosen(mutants: list[Mutant], arguments: argparse.Namespace) -> list[Mutant]:
    """The mutants that were asked for."""
    some = [m for m in mutants if not arguments.only or m.exercise in arguments.only]
    some = [m for m in some if not arguments.mistake or fnmatch.fnmatchcase(m.mistake, arguments.mistake)]
    if arguments.sample and arguments.sample < len(some):
        # By their ids, which are hashes: any mutant is as likely as any other, and stays in while it is what it is.
        keep = {m.id for m in sorted(some, key=lambda m: m.id.rpartition("-")[2])[: arguments.sample]}
        some = [m for m in some if m.id in keep]
    return some


def prove(source: NotebookNode, mutants: list[Mutant], cache: Path, processes: int, console: Console) -> list:
    """Judge mutants, and show how far it is."""
    columns = (TextColumn("judging"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    counts: collections.Counter = collections.Counter()
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=len(mutants))

        def told(one: proof.Proof) -> None:
            counts[one.status] += 1
            progress.advance(task)
            if one.status not in (proof.KILLED, proof.EQUIVALENT):
                progress.console.print(f"{one.status}: {one.mutant.id} {escape(one.mutant.mistake)}", soft_wrap=True)
            if not console.is_terminal and counts.total() % SAYS_EVERY == 0:
                console.print(f"{counts.total()} of {len(mutants)}: {dict(counts)}")

        return proof.prove(source, mutants, Kept(cache), processes=processes, told=told)


def right_answers(source: NotebookNode, runs: int, console: Console) -> tuple[list[tuple[str, int, int]], list[str]]:
    """Judge the different right answers several times in a row, each time on other inputs.

    Returns:
        By exercise, how many there are and how many lost points in some run; and the losses, a sentence each.
    """
    found: list[Alternative] = alternatives(results.ROOT / FOLDER, source)
    losers, sentences = set(), []
    for number in range(runs):
        with handed_over(f"{PUBLIC_SECRET}, run {number}"):
            outcomes = judged(found, source)
        for one in found:
            lost = [f"{test}: {o.message}" for test, o in outcomes[one.name].items() if o.status != PASSED]
            losers |= {one.name} if lost else set()
            sentences += [f"the right answer {one.name} loses points: {escape(reason)}" for reason in lost]
        console.print(f"{len(found)} different right answers judged, run {number + 1} of {runs}")
    keys = [key for key in EXERCISES if any(one.exercise == key for one in found)]
    own = {key: [one.name for one in found if one.exercise == key] for key in keys}
    return [(key, len(names), len(losers.intersection(names))) for key, names in own.items()], sentences


def main() -> None:
    """Judge everything and write what came out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=[*made.TABLES], help="an exercise; may be repeated")
    parser.add_argument("--mistake", help="a pattern of the mistakes' names")
    parser.add_argument("--sample", type=int, help="so many mutants, always the same")
    parser.add_argument("--source", type=Path, default=results.ROOT / "notebooks" / "gcnn.py")
    parser.add_argument("--cache", type=Path, default=results.ROOT / "build" / "mutants.jsonl")
    parser.add_argument("--runs", type=int, default=3, help="how many times right answers are judged, on other inputs")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=Path, help="a folder for tests.json, mutants.csv and tests.md")
    arguments = parser.parse_args()
    console = Console()
    if not console.is_terminal:
        console = Console(width=120)
    whole = not (arguments.only or arguments.mistake or arguments.sample)
    measured = results.FOLDER / "calibrate.json"
    if whole and not measured.is_file():
        sys.exit(f"error: {measured} is missing, on which the thresholds rest: make calibrate")
    fair = fairness.judged(fairness.measured(measured)) if whole else []
    try:
        source = read_text(arguments.source)
        mutants = made.all_mutants(source, MUTANTS)
        stale = sorted(made.equivalents().keys() - {mutant.id for mutant in mutants})
        proofs = prove(source, chosen(mutants, arguments), arguments.cache, arguments.processes, console)
        right, wronged = right_answers(source, arguments.runs, console) if whole else ([], [])
    except CourseError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted: what was judged is kept, and the same command goes on from here")
    rows = page.rows(proofs)
    if whole:
        rows.append(fairness.overall(fair))
        rows.append({"name": "alternatives.total", "value": sum(total for _, total, _ in right), "unit": "answers"})
        rows.append({"name": "alternatives.failed", "value": sum(failed for *_, failed in right), "unit": "answers"})
    if arguments.out or whole:
        folder = arguments.out or results.FOLDER
        results.write(folder / "tests.json", "benchmarks/tests.py", rows)
        (folder / "mutants.csv").write_text(page.table(proofs), encoding="utf-8")
        document = folder / "tests.md" if arguments.out else results.ROOT / "docs" / "tests.md"
        document.write_text(page.page(proofs, right, fairness.section(fair) if whole else ""), encoding="utf-8")
    for row in rows:
        if row["name"].count(".") == 1:
            console.print(f"{row['name']}: {row['value']} {row['unit']}")
    wrong = [
        *proof.problems(proofs, stale if whole else ()),
        *wronged,
        *(problem for one in fair for problem in one.problems),
    ]
    if page.share(proofs, "localised") < LOCALISED:
        wrong.append(f"fewer than {LOCALISED:.0%} of the killed mutants lose points only where they should")
    if wrong:
        console.print("[red]The tests are not proved to be good:[/]")
        console.print(*map(escape, wrong), sep="\n", soft_wrap=True)
        sys.exit(1)
    console.print("[green]Every wrong answer loses points, and every right one keeps them.[/]")


if __name__ == "__main__":
    main()
