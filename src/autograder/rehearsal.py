"""A small course, and classes that hand in, to rehearse grading: real kernels and tests, seconds in place of minutes.

The small course has the first exercises, with tests that need no tensors, so that what is measured and tested is the
grading and not the training.
"""

import copy
import dataclasses
import random
from collections.abc import Iterator

import nbformat
from nbformat import NotebookNode
from nbgrader.plugins import LateSubmissionPlugin

from autograder.course import Course
from autograder.notebooks import ASSIGNMENT, as_released, role
from autograder.submissions import solved

KEPT = ("unique-inverse", "c4", "d4")
_TESTS = {
    "test-c4-product": """\
assert C4.product(1, 2) == 3, f"C4.product(1, 2) is {C4.product(1, 2)}, expected 3."
### BEGIN HIDDEN TESTS
for r in range(4):
    for s in range(4):
        assert C4.product(r, s) == (r + s) % 4, f"C4.product({r}, {s}) is {C4.product(r, s)}."
### END HIDDEN TESTS
""",
    "test-c4-inverse": """\
assert C4.inverse(1) == 3, f"C4.inverse(1) is {C4.inverse(1)}, expected 3."
### BEGIN HIDDEN TESTS
for r in range(4):
    assert C4.product(r, C4.inverse(r)) == 0, f"C4.inverse({r}) does not undo {r}."
### END HIDDEN TESTS
""",
    "test-d4-product": """\
assert D4.product((0, 1), (1, 0)) == (1, 1), f"first mirror, then turn: that is not {D4.product((0, 1), (1, 0))}."
### BEGIN HIDDEN TESTS
assert D4.product((1, 0), (0, 1)) == (1, 3), f"D4.product((1, 0), (0, 1)) is {D4.product((1, 0), (0, 1))}."
### END HIDDEN TESTS
""",
    "test-d4-inverse": """\
assert D4.inverse((0, 1)) == (0, 3), f"D4.inverse((0, 1)) is {D4.inverse((0, 1))}, expected (0, 3)."
### BEGIN HIDDEN TESTS
for g in [(f, r) for f in (0, 1) for r in range(4)]:
    assert D4.product(g, D4.inverse(g)) == (0, 0), f"D4.inverse({g}) does not undo {g}."
### END HIDDEN TESTS
""",
}


def small_source(source: NotebookNode) -> NotebookNode:
    """The source notebook's first exercises, with tests of their own that need no tensors."""
    small = copy.deepcopy(source)
    small.cells = [cell for cell in small.cells if cell.metadata.course.get("exercise") in KEPT]
    for cell in small.cells:
        cell.source = _TESTS.get(cell.id, cell.source)
    return small


def open_course(course: Course, source: NotebookNode) -> NotebookNode:
    """Put the small course's source in place, and make its release."""
    small = small_source(source)
    folder = course.folder("source")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{ASSIGNMENT}.ipynb").write_text(nbformat.writes(small) + "\n", encoding="utf-8")
    course.release()
    return small


@dataclasses.dataclass(frozen=True)
class HandIn:
    """What one student of a generated class hands in."""

    student: str
    """The student's id."""
    kind: str
    """"right", "wrong", "untouched", "damaged" or "hostile"."""
    text: str
    """The notebook's file."""
    points: float | None
    """What its tests must earn; ``None`` where that is not known beforehand."""
    late: bool = False
    """Whether it comes after the others."""


_WRONG = [  # exercise, what the model has, what a student has in its place
    ("c4", "return (r + s) % 4", "return r + s"),
    ("d4", "return (1, r) if f else (0, -r % 4)", "return (f, -r % 4)"),
    ("c4", "return -r % 4", "return 4 - r"),
]
_HOSTILE = [
    "import os\nos._exit(0)",
    "while True:\n    pass",
    "int.__eq__ = lambda a, b: True",
    "import builtins\nbuiltins.print = builtins.len = lambda *a: 1\nassert False",
    "import sys\nsys.settrace(lambda *a: 1 / 0)",
    "raise SystemExit",
]


def hand_ins(small: NotebookNode, students: int, seed: int = 0) -> Iterator[HandIn]:
    """A class: right and wrong answers, untouched releases, late, damaged and hostile ones, mixed.

    Args:
        small: what `open_course` gave.
        students: how many.
        seed: another one gives another class.
    """
    draw = random.Random(seed)
    for number in range(students):
        kind = ("right", "wrong", "right", "damaged", "right", "hostile", "untouched", "wrong")[number % 8]
        notebook = _answered(small)
        answers = {cell.id: cell for cell in notebook.cells if role(cell) == "answer"}
        if kind == "untouched":
            notebook = as_released(small)
        elif kind == "wrong":
            key, right, wrong = draw.choice(_WRONG)
            answers[key].source = answers[key].source.replace(right, wrong)
        elif kind == "hostile":
            answers["d4"].source += "\n" + draw.choice(_HOSTILE)
        answers["unique-inverse"].source += f"\n\nProof number {number}: $h = he = h(gk) = (hg)k = ek = k$."
        text = nbformat.writes(notebook)
        if kind == "damaged":
            text = draw.choice([_with_mark, _with_garbage, _without_metadata, _empty])(text)
        points = {"right": 13.0, "untouched": 0.0}.get(kind)
        yield HandIn(f"student-{number:04}", kind, text, points, late=draw.random() < 0.2)


def _answered(small: NotebookNode) -> NotebookNode:
    return solved(small, {cell.id for cell in small.cells if role(cell) == "answer" and cell.cell_type == "code"})


def _with_mark(text: str) -> str:
    return "\ufeff" + text


def _with_garbage(text: str) -> str:
    return text + "\n}}} downloaded twice"


def _without_metadata(text: str) -> str:
    notebook = nbformat.reads(text, as_version=4)
    for cell in notebook.cells:
        cell.metadata = {}
        cell.id = nbformat.v4.new_raw_cell("").id
    return nbformat.writes(notebook)


def _empty(text: str) -> str:
    return ""


def hand_in(course: Course, handed: HandIn) -> None:
    """Put it where submissions are collected."""
    folder = course.folder("submitted", handed.student)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{ASSIGNMENT}.ipynb").write_text(handed.text, encoding="utf-8")
    day = 20 if handed.late else 10
    (folder / "timestamp.txt").write_text(f"2026-11-{day} 12:00:00 UTC\n")


def snapshot(course: Course) -> dict[str, dict[str, object]]:
    """Everything that the gradebook says of each student, but for its own random ids: to compare two gradings."""
    found: dict[str, dict[str, object]] = {}
    with course.gradebook() as gradebook:
        for submission in gradebook.assignment_submissions(ASSIGNMENT):
            fields: dict[str, object] = {"timestamp": submission.timestamp, "score": submission.score}
            fields["late penalty"] = submission.late_submission_penalty
            for notebook in submission.notebooks:
                fields["failed tests"] = notebook.failed_tests
                for grade in notebook.grades:
                    fields[f"grade {grade.name}"] = (
                        *(grade.auto_score, grade.manual_score, grade.extra_credit),
                        *(grade.needs_manual_grade, grade.max_score, grade.score, grade.failed_tests),
                    )
                for comment in notebook.comments:
                    fields[f"comment {comment.name}"] = comment.auto_comment, comment.manual_comment
            found[submission.student.id] = fields
    return found


class OnePointLate(LateSubmissionPlugin):
    """Takes a point from whoever is late, however late: so that late hand-ins are seen in the points."""

    def late_submission_penalty(self, student_id: str, score: float, total_seconds_late: float) -> float:
        """nbgrader asks for it where a hand-in is late."""
        return 1.0
