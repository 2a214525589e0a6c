"""What is known about a whole class after grading, as plain data: read from the gradebook and from what each run noted.

The gradebook says what everything is worth, each graded notebook's ``metadata.course`` what its run measured and met,
and the record of what was collected who handed in twice, or not at all. Notebooks are read one after the other and only
facts are kept, so that a large class needs little memory. Nothing here judges: `autograder.findings` says what students
have in common, `autograder.overview` shows it.
"""

import dataclasses
import datetime
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbgrader.api import (
    MissingEntry,
)
from nbgrader.utils import parse_utc

from autograder.collected import Collected, HandIn, read_collected
from autograder.course import Course
from autograder.errors import CourseError
from autograder.lateness import extensions
from autograder.notebooks import ASSIGNMENT, role
from autograder.rebinding import Given
from autograder.report import Grades, exercise_of, read_class
from autograder.standing import behind

FINAL, WAITING, NOT_GRADED, NOT_RUN, MISSING = "final", "waiting for marking", "not graded", "not run", "missing"
STATES = (FINAL, WAITING, NOT_GRADED, NOT_RUN, MISSING)
"""Where a student's work stands. Those that have been graded are where `autograder.report.Grades.status` says: final,
waiting for marking by hand, or with a test that could not be decided; "not run" lies there and was not graded, also
where an earlier hand-in was, or where it was by other tests than those of now."""

TEST_CHANGED, UNREADABLE_REPLY, LEFT_OUT = "test cell changed", "unreadable reply", "file left out"

_QUOTED = re.compile(r"'([^']+)'")
_LONGEST_MESSAGE = 400  # characters of a message that are kept


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What became of one test cell of a student's."""

    exercise: str
    """The exercise's key."""
    status: str
    """"passed", "failed" or "not graded"."""
    message: str = ""
    """Why it did not pass."""
    accuracy: float | None = None
    """The accuracy that was measured last, on the most digits: percent."""
    images: int = 0
    """On how many digits."""


@dataclasses.dataclass(frozen=True)
class Observation:
    """Something in a hand-in that a person may want to look at. It has cost no points, and need not mean anything."""

    kind: str
    """`TEST_CHANGED`, `UNREADABLE_REPLY`, `LEFT_OUT`, or one of the kinds of `autograder.rebinding`."""
    detail: str
    """What was seen: a cell, a name, a sentence."""


@dataclasses.dataclass(frozen=True)
class Student:
    """One student, and all that is known about the hand-in."""

    name: str
    """The student's id."""
    state: str
    """One of `STATES`."""
    person: str = ""
    """First and last name, where the gradebook has them."""
    grades: Grades | None = None
    """The points, once it is graded."""
    late: datetime.timedelta = datetime.timedelta()
    """By how much it came after the deadline, the student's own extension included."""
    late_in_lms: bool = False
    """Whether the LMS marks it as late, whatever its date."""
    tests: Mapping[str, Verdict] = dataclasses.field(default_factory=dict)
    """By the test cell's id."""
    seconds: float | None = None
    """How long grading it took."""
    memory_mb: float | None = None
    """The most memory that it took."""
    repairs: tuple[str, ...] = ()
    """What had to be put right before grading, one sentence each."""
    limits: tuple[str, ...] = ()
    """Limits that it hit, and what its kernel died of."""
    observations: tuple[Observation, ...] = ()
    """What a person may want to look at."""
    unreadable: str = ""
    """Why there was nothing to run, if there was not."""
    feedback: Path | None = None
    """The page with its feedback, if that is written."""
    behind: str = ""
    """Why the gradebook's points are not those of now, see `autograder.standing`; empty where they are."""

    @property
    def tested(self) -> float | None:
        """The points from tests; ``None`` where one of them could not be decided."""
        if self.grades is None or self.grades.waiting(by_hand=False):
            return None
        return self.grades.total(by_hand=False)

    @property
    def total(self) -> float | None:
        """All points, less what being late costs; ``None`` unless they are final."""
        return None if self.grades is None else self.grades.final


@dataclasses.dataclass(frozen=True)
class Classroom:
    """A whole class."""

    assignment: str
    """The assignment's name."""
    deadline: datetime.datetime | None
    """When it was due, UTC; ``None`` where the gradebook has no date."""
    students: tuple[Student, ...]
    """Everyone who is enrolled or handed something in."""
    memory_limit_mb: float
    """How much memory a submission may take now."""
    seconds_limit: float
    """How long a submission's kernels may run now."""
    collected: Collected | None = None
    """What was collected, if `autograder collect` did it."""

    def __iter__(self) -> Iterator[Student]:
        """The students."""
        return iter(self.students)

    @property
    def graded(self) -> list[Student]:
        """Those whose submission was graded, to the end or not."""
        return [student for student in self if student.grades is not None]


def read_classroom(course: Course) -> Classroom:
    """Read what is known about a course's class.

    Raises:
        CourseError: the gradebook does not know the assignment, or another version of it; or the record of what was
            collected is damaged.
    """
    collected = read_collected(course)
    handed_in = set(course.handed_in())
    reasons = behind(course.directory, handed_in)
    with course.gradebook() as gradebook:
        try:
            deadline = gradebook.find_assignment(ASSIGNMENT).duedate
        except MissingEntry as error:
            raise CourseError(f"the gradebook does not know {ASSIGNMENT}: enter it with `make release`") from error
        rows = {row.student: row for row in read_class(gradebook, handed_in, behind=reasons)}
        more = extensions(gradebook)
    given = Given()
    hands = {hand.student: hand for hand in collected.hand_ins} if collected else {}
    due = {name: deadline and deadline + more.get(name, datetime.timedelta()) for name in rows}
    students = [_student(course, row, hands.get(name, HandIn(name)), due[name], given) for name, row in rows.items()]
    if collected:
        students += [Student(name, MISSING, person) for name, person in collected.missing if name not in rows]
    limits = course.settings().limits
    return Classroom(ASSIGNMENT, deadline, tuple(students), limits.memory_mb, limits.submission_seconds, collected)


def _student(course: Course, row: Grades, hand: HandIn, deadline: datetime.datetime | None, given: Given) -> Student:
    """One student's facts."""
    name = row.student
    person = " ".join(part for part in (row.first_name, row.last_name) if part) or hand.name
    if Path(name).name != name:  # it names no folder of a student's
        return Student(name, MISSING, person)
    outdated = not row.handed_in or row.behind
    notebook = None if outdated else _graded(course.folder("autograded", name) / f"{ASSIGNMENT}.ipynb")
    if notebook is None:
        late = _late(course.folder("submitted", name), deadline)
        state = NOT_RUN if row.handed_in else MISSING
        return Student(name, state, person, late=late, late_in_lms=hand.late_in_lms, behind=row.behind)
    noted = notebook.metadata.course
    evidence = noted.evidence
    sandbox = evidence.get("sandbox", {})
    tests = _tests(evidence, notebook)
    limits = [*evidence.get("kernel deaths", ()), *sandbox.get("limits_hit", ())]
    page = course.folder("feedback", name) / f"{ASSIGNMENT}.html"
    return Student(
        name,
        row.status,
        person,
        row,
        datetime.timedelta(seconds=row.seconds_late),
        hand.late_in_lms,
        tests,
        seconds=evidence.get("seconds", {}).get("all"),
        memory_mb=sandbox.get("peak_memory_mb") or None,
        repairs=tuple(_short(repair) for repair in noted.get("repairs", ())),
        limits=tuple(dict.fromkeys(_short(limit) for limit in limits)),
        observations=tuple(_observations(notebook, tests, given)),
        unreadable=_short(evidence.get("not run", "")),
        feedback=page if page.is_file() else None,
    )


def _short(text: object) -> str:
    text = str(text)
    return text if len(text) <= _LONGEST_MESSAGE else text[:_LONGEST_MESSAGE] + "…"


def _graded(path: Path) -> NotebookNode | None:
    """A graded notebook; ``None`` where there is none, or where its grading was interrupted.

    It is not validated, which would take most of the time of reading a class: the grader wrote it.
    """
    try:
        notebook = nbformat.v4.reads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return notebook if "evidence" in notebook.metadata.get("course", {}) else None


def _late(folder: Path, deadline: datetime.datetime | None) -> datetime.timedelta:
    """How late a submission is that is not graded yet, by the plain file beside it that says when it was handed in."""
    path = folder / "timestamp.txt"
    try:
        status = path.lstat()
        # A link would lead elsewhere, and at a FIFO one would wait.
        if deadline is None or not stat.S_ISREG(status.st_mode) or status.st_size > 1000:
            return datetime.timedelta()
        moment = parse_utc(path.read_text(encoding="utf-8").strip())
        return max(datetime.timedelta(), moment - deadline)
    except Exception:  # whatever a damaged text makes the parser raise
        return datetime.timedelta()


def _tests(evidence: Mapping[str, Any], notebook: NotebookNode) -> dict[str, Verdict]:
    """What became of each test, from a run's evidence; where nothing was run, each for the same reason."""
    if reason := evidence.get("not run"):
        cells = [cell for cell in notebook.cells if role(cell) == "tests"]
        return {cell.id: Verdict(exercise_of(cell.id), "not graded", _short(reason)) for cell in cells}
    found = {}
    for name, outcome in evidence.get("outcomes", {}).items():
        # The hidden digits come last and are more than the public ones.
        measured = [one for one in outcome.get("measured", ()) if "accuracy" in one]
        best = max(enumerate(measured), key=lambda pair: (pair[1]["images"], pair[0]), default=(0, {}))[1]
        found[name] = Verdict(
            exercise_of(name),
            outcome["status"],
            _short(outcome.get("message", "")),
            best.get("accuracy"),
            best.get("images", 0),
        )
    return found


def _observations(notebook: NotebookNode, tests: Mapping[str, Verdict], given: Given) -> Iterator[Observation]:
    """What a person may want to look at in a hand-in, most telling first."""
    noted = notebook.metadata.course
    for repair in noted.get("repairs", ()):
        if set(_QUOTED.findall(repair)) & tests.keys():
            yield Observation(TEST_CHANGED, _short(repair))
    for kind, what in given.touched(notebook):
        yield Observation(kind, what)
    for name, test in tests.items():
        if test.status == "failed" and "cannot be read" in test.message:
            yield Observation(UNREADABLE_REPLY, f"{name}: {test.message}")
    for death in noted.evidence.get("kernel deaths", ()):
        if "cannot be read" in death:
            yield Observation(UNREADABLE_REPLY, _short(death))
    for file in noted.evidence.get("sandbox", {}).get("left_out", ()):
        yield Observation(LEFT_OUT, _short(file))
