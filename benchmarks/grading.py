"""Where does the time go while one submission is graded?

Grades the model answer, bonus included (``full``), and the same with networks that have no ReLU, so that their
architecture tests fail (``early_fail``), in turn, judged and sandboxed, and writes ``benchmarks/results/grading.json``.

    python benchmarks/grading.py              # leave the machine alone meanwhile: a few minutes on two cores
    python benchmarks/grading.py --runs 1 --out x.json

``….seconds`` is the wall time from the notebook to its outcomes. Its parts: ``kernel`` (starting it), ``given`` (the
course's own cells, imports among them), ``answers``, ``training``, ``tests``, ``playground`` (the free cells, pictures
among them) and ``rest`` (making and removing the sandbox).
"""

import argparse
import collections
import copy
import sys
import tempfile
from pathlib import Path

import results
from nbformat import NotebookNode
from rich.console import Console

from autograder.errors import CourseError
from autograder.mutants.made import all_mutants
from autograder.notebooks import read_text, role, submission_names
from autograder.run import run
from autograder.submissions import pour, read_sample

NETWORKS = ("c4cnn", "isotropic-cnn", "c4cnn-bn", "d4cnn")
MISTAKE = "has no ReLU at all"


def hand_ins(source: NotebookNode) -> dict[str, NotebookNode]:
    """The two notebooks that are graded, by name, ready to be run.

    Raises:
        CourseError: there is no such mutant of a network.
    """
    right = read_sample(results.ROOT / "tests" / "submissions" / "passes_all.py", source).notebook
    mutants = all_mutants(source, results.ROOT / "tests" / "mutants")
    wrong = {one.exercise: one.source for one in mutants if one.exercise in NETWORKS and one.mistake == MISTAKE}
    if missing := set(NETWORKS) - wrong.keys():
        raise CourseError(f"there is no mutant that {MISTAKE} of {', '.join(sorted(missing))}")
    full = pour(right, source).notebook
    failing = copy.deepcopy(full)
    for cell in failing.cells:
        cell.source = wrong.get(cell.id, cell.source)
    return {"full": full, "early_fail": failing}


def parts(notebook: NotebookNode, seconds: dict[str, float]) -> dict[str, float]:
    """A run's seconds, by what they were spent on."""
    kinds = {"answer": "answers", "tests": "tests", "training": "training", "playground": "playground"}
    roles = {cell.id: kinds.get(role(cell), "given") for cell in notebook.cells}
    found: collections.Counter[str] = collections.Counter()
    for name, value in seconds.items():
        if name != "all":
            found[roles.get(name, name)] += value
    found["rest"] = seconds["all"] - sum(found.values())
    return dict(found)


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3, help="how often each is graded")
    parser.add_argument("--out", type=Path, default=results.FOLDER / "grading.json")
    arguments = parser.parse_args()
    console = Console()
    try:
        source = read_text(results.ROOT / "notebooks" / "gcnn.py")
        notebooks, names = hand_ins(source), frozenset(submission_names(source))
        taken: dict[str, list[float]] = collections.defaultdict(list)
        for turn in range(arguments.runs):
            for name, notebook in notebooks.items():
                with tempfile.TemporaryDirectory(prefix="grading-") as folder:
                    done = run(notebook, names, files=Path(folder))
                passed = sum(outcome.status == "passed" for outcome in done.outcomes.values())
                seconds = done.evidence["seconds"]
                taken[f"{name}.seconds"].append(seconds["all"])
                for part, value in parts(notebook, seconds).items():
                    taken[f"{name}.{part}_seconds"].append(value)
                console.print(
                    f"{turn + 1} {name}: {seconds['all']:.1f} s, {passed} of {len(done.outcomes)} tests passed"
                )
    except CourseError as error:
        sys.exit(f"error: {error}")
    rows = [results.over_seeds(name, values, "seconds") for name, values in taken.items()]
    for row in rows:
        console.print(f"{row['name']}: {row['value']} {row['unit']}")
    results.write(arguments.out, "benchmarks/grading.py", rows)


if __name__ == "__main__":
    main()
