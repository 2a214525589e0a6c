"""Whether the points that the gradebook has are those of now: of the hand-in that lies there, and of today's tests.

Each grading writes down, in the evidence of the graded notebook, which hand-in it saw (`autograder.current`) and by
which tests it judged (`autograder.versions`). Where one of them has another version by now, the points are not final.
They may be those of an earlier hand-in, too, where there is no such evidence: a grading was interrupted, or failed,
between the two.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import nbformat
from nbgrader.coursedir import CourseDirectory

from autograder.collected import shown
from autograder.current import EVIDENCE, version
from autograder.notebooks import ASSIGNMENT
from autograder.pending import Pending
from autograder.versions import tests_version
from autograder.words import listed

HAND_IN = "the newest hand-in is not graded: run `autograder grade`"
TESTS = "graded by an earlier version of the tests: run `autograder grade`"
HELD = "a new result is held: run `autograder grade` and decide"


def behind(directory: CourseDirectory, students: Iterable[str], *, evident: bool = False) -> dict[str, str]:
    """Why these students' points are not those of now: `HAND_IN`, `HELD` or `TESTS`; who is not in it has those.

    Args:
        directory: the course's.
        students: who handed in.
        evident: leave out those whose grading left no evidence: nothing is known of it.
    """
    tests, pending, found = _tests(directory), Pending(Path(directory.root)), {}
    for student in students:
        evidence = _evidence(directory, student)
        submitted = Path(directory.format_path(directory.submitted_directory, student, ASSIGNMENT))
        # No version is there where it was graded before versions were written down.
        if (evidence or {}).get(EVIDENCE) and evidence[EVIDENCE] != version(submitted):
            found[student] = HAND_IN
        elif evidence and tests is not None and evidence.get("tests") == tests:
            continue
        elif pending.place(student).is_file():
            found[student] = HELD
        elif evidence is None and not evident:
            found[student] = HAND_IN
        elif evidence and tests is not None and "tests" in evidence:
            found[student] = TESTS
    return found


def sentences(reasons: Mapping[str, str]) -> list[str]:
    """A line for each reason, with the students."""
    lines = []
    for reason in (HAND_IN, HELD, TESTS):
        if names := [student for student, why in reasons.items() if why == reason]:
            what, _, todo = reason.partition(": ")
            lines.append(f"{what[0].upper()}{what[1:]} ({todo}): {listed(map(shown, sorted(names)))}")
    return lines


def _tests(directory: CourseDirectory) -> str | None:
    """The version of the tests that a grading would use; ``None`` where there is no source."""
    source = Path(directory.format_path(directory.source_directory, ".", ASSIGNMENT)) / f"{ASSIGNMENT}.ipynb"
    try:
        return tests_version(nbformat.read(source, as_version=4))
    except (OSError, ValueError):
        return None


def _evidence(directory: CourseDirectory, student: str) -> dict[str, Any] | None:
    """What a grading has written down; ``None`` where it has not, or was interrupted."""
    graded = Path(directory.format_path(directory.autograded_directory, student, ASSIGNMENT))
    try:
        return dict(
            json.loads((graded / f"{ASSIGNMENT}.ipynb").read_text(encoding="utf-8"))["metadata"]["course"]["evidence"]
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
