"""What the gradebook says, for people: points by exercise in a table and as CSV, and what is still to be marked."""

import csv
import dataclasses
from collections.abc import Iterable
from pathlib import Path

from nbgrader.api import Gradebook
from rich import box
from rich.markup import escape
from rich.table import Table

from autograder.exercises import EXERCISES
from autograder.notebooks import ASSIGNMENT


@dataclasses.dataclass(frozen=True)
class Score:
    """One student's points in one exercise."""

    points: float
    """What it has so far."""
    maximum: float
    """What it can have."""
    waiting: bool = False
    """Whether a person has yet to look at it: its points are not final."""


@dataclasses.dataclass(frozen=True)
class Grades:
    """One student's points."""

    student: str
    """The student's id."""
    scores: dict[str, Score]
    """By exercise, in the notebook's order."""

    def total(self, *, by_hand: bool) -> float:
        """The points of the exercises that are marked by hand, or of those that tests grade."""
        return sum(score.points for key, score in self.scores.items() if EXERCISES[key].by_hand == by_hand)

    def waiting(self, *, by_hand: bool) -> list[str]:
        """The numbers of the exercises that a person must look at: written answers, or tests that were not graded."""
        found = (key for key, score in self.scores.items() if score.waiting and EXERCISES[key].by_hand == by_hand)
        return [EXERCISES[key].number for key in found]


def exercise_of(grade_id: str) -> str:
    """The exercise that a graded cell belongs to.

    Raises:
        ValueError: it belongs to none.
    """
    name = grade_id.removeprefix("test-")
    fitting = [key for key in EXERCISES if name == key or (name != grade_id and name.startswith(f"{key}-"))]
    if not fitting:
        raise ValueError(f"the graded cell {grade_id!r} belongs to no exercise")
    return max(fitting, key=len)


def read_grades(gradebook: Gradebook, student: str) -> Grades:
    """One student's points, as they stand in the gradebook."""
    submission = gradebook.find_submission_notebook(ASSIGNMENT, ASSIGNMENT, student)
    parts: dict[str, list[Score]] = {key: [] for key in EXERCISES}
    for grade in submission.grades:
        score = Score(grade.score or 0.0, grade.max_score, bool(grade.needs_manual_grade))
        parts[exercise_of(grade.name)].append(score)
    return Grades(
        student,
        {
            key: Score(sum(s.points for s in many), sum(s.maximum for s in many), any(s.waiting for s in many))
            for key, many in parts.items()
        },
    )


def _number(points: float) -> str:
    return f"{points:.2f}".rstrip("0").rstrip(".")


def table(rows: Iterable[Grades], title: str = "") -> Table:
    """Students × exercises, for a terminal of 110 columns: green is full marks, red none."""
    result = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 0, 0, 1), pad_edge=False)
    result.add_column("student", max_width=31, min_width=20)
    by_hand = sum(e.points for e in EXERCISES.values() if e.by_hand)
    tested = [e for e in EXERCISES.values() if not e.by_hand]
    letters = {"d4-lifting-conv": "l", "d4-group-conv": "g"}  # two answers share the number 4b
    for exercise in tested:
        result.add_column(f"{exercise.number}{letters.get(exercise.key, '')}\n/{exercise.points}", justify="right")
    result.add_column(f"tests\n/{sum(e.points for e in tested)}", justify="right", style="bold")
    result.add_column(f"by hand\n/{by_hand}", justify="right")
    for row in rows:
        cells = []
        for exercise in tested:
            score = row.scores[exercise.key]
            colour = "green" if score.points == score.maximum else "red" if score.points == 0 else "yellow"
            cells.append("?" if score.waiting else f"[{colour}]{_number(score.points)}[/]")
        hand = "waits" if row.waiting(by_hand=True) else _number(row.total(by_hand=True))
        name = escape(row.student).replace("__", "\n  ").replace("_", " ")
        result.add_row(name, *cells, _number(row.total(by_hand=False)), hand)
    return result


def write_csv(rows: Iterable[Grades], path: Path) -> None:
    """Points by exercise, one student a line. What is not final has no points, and a column of its own."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        names = [f"{e.number} {e.key} (of {e.points})" for e in EXERCISES.values()]
        writer.writerow(["student", *names, "tests", "by hand", "total", "not graded", "waiting for marking"])
        for row in rows:
            points = ["" if s.waiting else _number(s.points) for s in row.scores.values()]
            totals = []
            for kinds in ((False,), (True,), (False, True)):
                open_ones = any(row.waiting(by_hand=kind) for kind in kinds)
                totals.append("" if open_ones else _number(sum(row.total(by_hand=kind) for kind in kinds)))
            # A spreadsheet would run a cell that begins like a formula.
            student = f"'{row.student}" if row.student[:1] in "=+-@\t\r" else row.student
            waiting = [" ".join(row.waiting(by_hand=kind)) for kind in (False, True)]
            writer.writerow([student, *points, *totals, *waiting])
