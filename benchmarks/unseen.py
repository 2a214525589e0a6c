"""Do tests and hints find mistakes that nobody had seen who made them?

Takes the wrong answers of ``tests/mutants/unseen``. They were written by somebody who knew neither the hidden tests nor
the checks that hint nor the other wrong answers, and who was asked to avoid the likeliest mistakes. Each is judged as
`tests.py` judges (``unseen.tests…``), and hinted at and counted as by `hints.py` (``unseen.hints…``). ``causes.toml``
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
from autograder import hints
from autograder.hinting import Answer, observed
from autograder.mutants.made import model_answers, written_mutants
from autograder.mutants.page import rows as figures
from autograder.notebooks import read_text
from gcnn.diagnosis.family import family

FOLDER = results.ROOT / "tests" / "mutants" / "unseen"


def main() -> None:
    """Look at all of them and write what came out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=Path, default=results.FOLDER / "unseen.json")
    arguments = parser.parse_args()
    source = read_text(results.ROOT / "notebooks" / "gcnn.py")
    accepted = tomllib.loads((FOLDER / "causes.toml").read_text(encoding="utf-8"))
    mutants = {Path(one.operator).stem: one for one in written_mutants(FOLDER)}
    build = results.ROOT / "build"
    proofs = tests.prove(source, list(mutants.values()), build / "mutants.jsonl", arguments.processes, Console())
    wanted = ("mutants.killed", "mutants.survived", "mutants.localised_share")
    rows = [{"name": "unseen.total", "value": len(mutants), "unit": "wrong answers"}]
    rows += [
        {**row, "name": row["name"].replace("mutants", "unseen.tests")}
        for row in figures(proofs)
        if row["name"] in wanted
    ]
    answers = [Answer(one.id, one.exercise, one.source) for one in mutants.values()]
    seen = observed(source, answers, build / "hints.jsonl", arguments.processes)
    models = model_answers(source)
    counts: collections.Counter[str] = collections.Counter()
    for name, one in mutants.items():
        known, bases = family(one.exercise), [models[one.exercise]]
        found = hints.hint(one, seen.get(one.id), known, bases, accepted[name])
        counts[found.status] += 1
        causes = [cause.key for cause in found.finding.causes] if found.finding else []
        print(f"{found.status}: {name}: {found.finding.headline if found.finding else seen.get(one.id)} {causes or ''}")
    rows += [
        {"name": f"unseen.hints.{status}", "value": counts[status], "unit": "wrong answers"}
        for status in (hints.RIGHT, hints.WRONG, hints.UNNAMED, hints.UNSEEN, hints.NOT_RUN)
    ]
    for row in rows:
        print(f"{row['name']}: {row['value']} {row['unit']}")
    results.write(arguments.out, "benchmarks/unseen.py", rows)


if __name__ == "__main__":
    main()
