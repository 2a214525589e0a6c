"""What the gradebook says: points by exercise, what is still to be marked, and a table of them for a terminal."""

import dataclasses
import math
from collections.abc import Iterable, Mapping

from nbgrader.api import Gradebook, MissingEntry, Student, SubmittedNotebook
from rich import box
from rich.markup import escape
from rich.table import Table
from sqlalchemy.orm import selectinload

from autograder.errors import CourseError
from autograder.exercises import EXERCISES
from autograder.lateness import seconds_late
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

    @classmethod
    def of(cls, points: float | None, maximum: float, *, waits: bool, decided: bool) -> "Score":
        """What a row of the gradebook comes to.

        Args:
            points: its score; what is no number counts as none, and waits.
            maximum: what it can have.
            waits: whether nbgrader asks for a person.
            decided: whether a test or a person has given points.
        """
        known = points is not None and math.isfinite(points)
        return cls(points if known else 0.0, maximum, waits or not decided or not known)


@dataclasses.dataclass(frozen=True)
class Grades:
    """One student's points."""

    student: str
    """The student's id."""
    scores: dict[str, Score]
    """By exercise, in the notebook's order."""
    first_name: str = ""
    """As the gradebook has it, as are the next three; empty where it has none."""
    last_name: str = ""
    email: str = ""
    lms_id: str = ""
    """The student's id in the learning management system."""
    penalty: float = 0.0
    """What is taken off for being late, as `autograder.lateness.renew` has worked it out."""
    seconds_late: float = 0.0
    """How late it was handed in."""
    handed_in: bool = True
    """Whether there is anything to grade."""
    behind: str = ""
    """Why the gradebook's points are not those of now, and nothing is known yet; empty where they are."""

    @property
    def status(self) -> str:
        """Where the grading stands: "missing", "not graded", "waiting for marking" or "final"."""
        if not self.handed_in:
            return "missing"
        if self.waiting(by_hand=False):
            return "not graded"
        return "waiting for marking" if self.waiting(by_hand=True) else "final"

    @property
    def final(self) -> float | None:
        """What the student gets, less the penalty for being late; ``None`` as long as anything is undecided."""
        if any(score.waiting for score in self.scores.values()):
            return None
        return max(0.0, self.total(by_hand=False) + self.total(by_hand=True) - self.penalty)

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
    """One student's points, as they stand in the gradebook.

    Raises:
        CourseError: the gradebook is that of another version of the notebook.
    """
    return _read(gradebook.find_submission_notebook(ASSIGNMENT, ASSIGNMENT, student))


def read_class(
    gradebook: Gradebook,
    handed_in: Iterable[str] = (),
    missing: Mapping[str, str] | None = None,
    behind: Mapping[str, str] | None = None,
) -> list[Grades]:
    """Every student's points: of all whom the gradebook knows and of all who handed in, graded or not; by name.

    Args:
        gradebook: the course's.
        handed_in: the ids of those whose submission is there.
        missing: names by id of further students, of whom nothing has come.
        behind: by student, why the gradebook's points are not those of now, see `autograder.standing`.

    Raises:
        CourseError: the gradebook is that of another version of the notebook.
    """
    there = set(handed_in)
    known = {student.id: student for student in gradebook.students}
    try:
        notebook = gradebook.find_notebook(ASSIGNMENT, ASSIGNMENT)
    except MissingEntry:  # no release yet
        graded = {}
    else:
        # A handful of queries for all, where nbgrader's own way takes a handful for each.
        together = selectinload(SubmittedNotebook.grades), selectinload(SubmittedNotebook.assignment)
        submissions = gradebook.db.query(SubmittedNotebook).filter_by(notebook_id=notebook.id).options(*together)
        graded = {submission.student.id: submission for submission in submissions}
    rows = []
    expected, behind = dict(missing or {}), behind or {}
    for name in known.keys() | there | expected.keys():
        if name in graded and name not in behind:
            rows.append(_read(graded[name]))
        else:
            scores = {key: Score(0.0, exercise.points, waiting=True) for key, exercise in EXERCISES.items()}
            person = _person(known.get(name))
            person["last_name"] = person["last_name"] or expected.get(name, "")
            rows.append(Grades(name, scores, **person, handed_in=name in there, behind=behind.get(name, "")))
    return sorted(rows, key=lambda row: (row.last_name.casefold(), row.first_name.casefold(), row.student))


def _read(submission: SubmittedNotebook) -> Grades:
    parts: dict[str, list[Score]] = {key: [] for key in EXERCISES}
    # A cell that was added after this was graded has no points here, not none.
    unknown = {cell.name: cell.max_score for cell in submission.notebook.grade_cells}
    try:
        for grade in submission.grades:
            unknown.pop(grade.name, None)
            decided = (grade.auto_score, grade.manual_score) != (None, None)
            score = Score.of(grade.score, grade.cell.max_score, waits=bool(grade.needs_manual_grade), decided=decided)
            parts[exercise_of(grade.name)].append(score)
        for name, maximum in unknown.items():
            parts[exercise_of(name)].append(Score(0.0, maximum, waiting=True))
    except ValueError as error:
        raise CourseError(f"{error}: run `make release`, then grade again") from error
    scores = {
        key: Score(sum(s.points for s in many), sum(s.maximum for s in many), any(s.waiting for s in many))
        for key, many in parts.items()
    }
    hand_in = submission.assignment
    late = seconds_late(hand_in.timestamp, hand_in.assignment.duedate, hand_in.extension)
    penalty = submission.late_submission_penalty or 0.0
    student = submission.student
    return Grades(student.id, scores, **_person(student), penalty=penalty, seconds_late=late)


def _person(student: Student | None) -> dict[str, str]:
    fields = {"first_name": "first_name", "last_name": "last_name", "email": "email", "lms_id": "lms_user_id"}
    return {ours: getattr(student, theirs, None) or "" for ours, theirs in fields.items()}


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
