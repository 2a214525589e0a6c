"""Do tests and hints find mistakes that nobody had seen who made them?

Takes the wrong answers of ``tests/mutants/unseen``. They were written by somebody who knew neither the hidden tests nor
the checks that hint nor the other wrong answers, and who was asked to avoid the likeliest mistakes. Each is judged as
`tests.py` judges (``unseen.tests…``), and looked at as a student's check does (``unseen.hints…``). ``causes.toml``
beside them has the causes that count as right, written down before any hint was seen. Nothing in the checks is made
from them; once hints have been improved with them in view, they tell nothing more, and others must be written.

    python benchmarks/unseen.py    # three minutes on two cores; writes benchmarks/results/unseen.json
"""

import argparse
import collections
from pathlib import Path

import results
import tomllib
from rich.console import Console

import tests
from autograder.hinting import Answer, observed
from autograder.mutants.made import written_mutants
from autograder.mutants.page import rows as figures
from autograder.notebooks import read_text
from gcnn.diagnosis.course import ASKED
from gcnn.diagnosis.findings import judged
from gcnn.diagnosis.outcomes import Outcome

FOLDER = results.ROOT / "tests" / "mutants" / "unseen"
RIGHT, WRONG, UNNAMED, ELSEWHERE, UNNOTICED = "right", "wrong", "unnamed", "elsewhere", "unnoticed"


def hint(exercise: str, outcomes: list[Outcome] | str | None, causes: list[str]) -> tuple[str, str]:
    """What becomes of one wrong answer, and what is said about it.

    Args:
        exercise: whose answer it is.
        outcomes: what was seen of it; no list if it did not run.
        causes: those that count as right.
    """
    if not isinstance(outcomes, list):
        return UNNAMED, outcomes or "it did not run to its end"
    finding = judged(ASKED[exercise], outcomes)
    named = [cause.key for cause in finding.causes]
    said = f"{finding.headline} {named or ''}"
    if finding.right:
        return UNNOTICED, said
    if finding.elsewhere:
        return ELSEWHERE, said
    if not named:
        return UNNAMED, said
    return (RIGHT if set(named) & set(causes) else WRONG), said


def main() -> None:
    """Look at all of them and write what came out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=Path, default=results.FOLDER / "unseen.json")
    arguments = parser.parse_args()
    source = read_text(results.ROOT / "notebooks" / "gcnn.py")
    accepted = tomllib.loads((FOLDER / "causes.toml").read_text(encoding="utf-8"))
    mutants = {Path(one.operator).stem: one for one in written_mutants(FOLDER)}
    proofs = tests.prove(
        source,
        list(mutants.values()),
        argparse.Namespace(cache=results.ROOT / "build" / "mutants.jsonl", processes=arguments.processes),
        Console(),
    )
    wanted = ("mutants.killed", "mutants.survived", "mutants.localised_share")
    rows = [{"name": "unseen.total", "value": len(mutants), "unit": "wrong answers"}]
    rows += [
        {**row, "name": row["name"].replace("mutants", "unseen.tests")}
        for row in figures(proofs)
        if row["name"] in wanted
    ]
    answers = [Answer(one.id, one.exercise, one.source) for one in mutants.values()]
    seen = observed(source, answers, results.ROOT / "build" / "hints.jsonl", arguments.processes)
    counts: collections.Counter[str] = collections.Counter()
    for name, one in mutants.items():
        status, said = hint(one.exercise, seen.get(one.id), accepted[name])
        counts[status] += 1
        print(f"{status}: {name}: {said}")
    rows += [
        {"name": f"unseen.hints.{status}", "value": counts[status], "unit": "wrong answers"}
        for status in (RIGHT, WRONG, UNNAMED, ELSEWHERE, UNNOTICED)
    ]
    for row in rows:
        print(f"{row['name']}: {row['value']} {row['unit']}")
    results.write(arguments.out, "benchmarks/unseen.py", rows)


if __name__ == "__main__":
    main()
