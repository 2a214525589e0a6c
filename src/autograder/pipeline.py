"""Grades a class: what is unchanged is skipped, workers do the rest, and each result lands whole, as it comes.

Only this process writes the gradebook. A result is first kept by `autograder.pending`, then entered with nbgrader's own
steps, then removed there: whenever the grading is interrupted, what was finished is not run again. What the grader
itself could not do is tried again by every run, until it is done or a person has decided. Where a test or its points,
or what it compares with, have been changed since a submission was graded, its new result is *held* there until somebody
has seen who gained or lost what.
"""

import contextlib
import dataclasses
import datetime
import json
import signal
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbgrader.api import MissingEntry

from autograder import current, intake, releases, versions
from autograder.course import Course
from autograder.errors import CourseError, GradebookError, in_words, is_full
from autograder.jobs import Job, Result, digest, pack, spoilt, trouble
from autograder.judge import Outcome
from autograder.notebooks import ASSIGNMENT, role
from autograder.pending import Pending
from autograder.run import not_run
from autograder.sandbox import SandboxUnavailable, clean_up_stale
from autograder.secret import read_secret
from autograder.steps import differs, prepared
from autograder.versions import tests_version
from autograder.workers import Workers

LANDED, SKIPPED, HELD, FAILED, NOTHING = "graded", "unchanged", "held", "failed", ""
OVERTAKEN = "what was held is gone, or of another hand-in, other tests or settings than there are now: grade again"


@dataclasses.dataclass(frozen=True)
class Change:
    """A test's points that are others than before."""

    student: str
    """Whose."""
    test: str
    """The test cell's id."""
    before: float | None
    """Points that the gradebook has; ``None`` for *not graded*."""
    after: float | None
    """Points that it has with the new result."""
    overruled: bool = False
    """Whether a person has given the test's points: they stay, though the test itself ended otherwise."""


@dataclasses.dataclass(frozen=True)
class Event:
    """Something that happened to a submission."""

    kind: str
    """`LANDED`, `SKIPPED`, `HELD`, `FAILED`, or `NOTHING` from time to time."""
    student: str = ""
    """Whose."""
    points: float = 0.0
    """Of its tests."""
    not_graded: int = 0
    """How many of its tests a person must look at."""
    repairs: int = 0
    """How many things had to be put right in the hand-in."""
    reason: str = ""
    """Why it failed."""


class Grading:
    """One run over a class.

    Attributes:
        students: whom to grade.
        maximum: points that all tests have together.
        counts: how many events there were of each kind.
        changes: points that changed for those who had been graded before, held results among them.
        held: the students whose results wait until somebody has seen what changed, and a hash of each result.
        failed: by student, why the result could not be entered.
        pending: the results that are not entered yet.
    """

    def __init__(self, course: Course, workers: Workers, students: Sequence[str], *, force: bool = False):
        """Prepare; nothing is run or written yet.

        Args:
            course: with its release made.
            workers: who runs the submissions.
            students: whom to grade, among those who handed in.
            force: whether to run also what is unchanged.

        Raises:
            CourseError: the gradebook's tests are not the source's, or there is no sandbox.
        """
        self.course, self.workers, self.students, self._force = course, workers, list(students), force
        self.counts = dict.fromkeys((LANDED, SKIPPED, HELD, FAILED), 0)
        self.changes: list[Change] = []
        self.held: dict[str, str] = {}
        self.failed: dict[str, str] = {}
        self._events: list[Event] = []
        self._source, self._settings = course.source(), course.settings()
        self.maximum = float(sum(c.metadata.nbgrader.points for c in self._source.cells if role(c) == "tests"))
        self._secret = read_secret(course.root)
        self._tests = tests_version(self._source)
        self._released = releases.known(course.root)
        self.pending = Pending(course.root)
        self._entered: dict[str, dict[str, float | None]] = {}
        self._overruled: dict[str, dict[str, float]] = {}  # by student, the points that a person gave tests
        self._undecided: set[str] = set()  # students with a test that waits for a person
        self._dates: dict[str, datetime.datetime] = {}

    def events(self) -> Iterator[Event]:
        """Grade, and say what happens; whoever stops listening ends the work, and the next run goes on with it.

        Raises:
            CourseError: another grading runs, the gradebook is of another version or cannot be used, the disk is full,
                there is no sandbox where submissions run, or a cluster's scheduler is gone.
        """
        if self.workers.here:
            self.course.check_sandbox()
        clean_up_stale()
        try:
            with self.pending.alone():
                for student in self.course.handed_in():
                    self.course.restore(student)
                self._entered = self._read_gradebook()
                for result in self.workers.results(self._jobs()):
                    yield from self._told()
                    yield self._take(result) if result is not None else Event(NOTHING)
                yield from self._told()
        except SandboxUnavailable as error:
            raise CourseError(f"a worker cannot run submissions: {error}") from error
        except GradebookError as error:
            raise CourseError(f"{error} What was finished is kept: the same command goes on from there") from error
        except OSError as error:
            raise CourseError(
                f"the grading cannot go on: {in_words(error)}. What was finished is kept: put that right, and run the "
                "same command again"
            ) from error

    def _told(self) -> Iterator[Event]:
        while self._events:
            yield self._events.pop(0)

    def _read_gradebook(self) -> dict[str, dict[str, float | None]]:
        """By student, the points of each test that a grading has entered."""
        where = ASSIGNMENT, ASSIGNMENT
        with self.course.gradebook() as gradebook:
            try:
                stale = differs(self._source, *where, gradebook)
            except MissingEntry:
                stale = True
            if stale:
                raise CourseError(
                    f"the gradebook's tests are not those of {self.course.folder('source')}: run `make release` (or "
                    f"`autograder release`), then grade again"
                )
            tests = {cell.name for cell in gradebook.find_notebook(*where).grade_cells if cell.cell_type == "code"}
            entered = {}
            for submission in gradebook.notebook_submissions(*where):
                scores = {g.name: g.auto_score for g in submission.grades if g.name in tests}
                waits = {g.name for g in submission.grades if g.name in tests and g.needs_manual_grade}
                marked = {g.name: g.manual_score for g in submission.grades if g.manual_score is not None}
                # Rows are there from when a submission is first looked at; a grading leaves a number or a flag in each,
                # and whoever marks takes the flag away.
                looked_at = waits | marked.keys()
                if scores and all(score is not None or name in looked_at for name, score in scores.items()):
                    entered[submission.student.id] = scores
                    self._overruled[submission.student.id] = marked
                    if waits:
                        self._undecided.add(submission.student.id)
                if (date := submission.assignment.timestamp) is not None:
                    self._dates[submission.student.id] = date.replace(tzinfo=None)
        return entered

    def _jobs(self) -> Iterator[Job | None]:
        """What is to be run, one after the other; ``None`` for each student of whom nothing is: that is an event."""
        for student in self.students:
            try:
                job, earlier = self.job(student), self.course.graded(student)
                result = None if self._force else self.pending.of(job)
                if result is not None and spoilt(result.evidence):
                    result = None
                unchanged = not self._force and result is None and self._unchanged(job, _evidence(earlier))
                if unchanged and (self._has_another_date(student) or self._is_to_be_written_again(job, earlier)):
                    result = _again(job, earlier)
            except Exception as error:  # one hand-in must not stop the others
                if isinstance(error, CourseError) or is_full(error):
                    raise
                self._events.append(self._failed(student, f"it could not be read ({type(error).__name__}: {error})"))
                yield None
                continue
            if result is not None:
                self._events.append(self._take(result, earlier=earlier))
            elif unchanged:
                self._events.append(self._counted(Event(SKIPPED, student)))
            yield None if unchanged or result is not None else job

    def _unchanged(self, job: Job, evidence: Mapping[str, Any]) -> bool:
        """Whether a job is the one that was entered, and need not be tried again; ``evidence`` is that one's."""
        if job.student not in self._entered or evidence.get("key") != job.key:
            return False
        return not spoilt(evidence) or job.student not in self._undecided

    def _has_another_date(self, student: str) -> bool:
        """Whether the hand-in's date is not the gradebook's: then only the penalty for being late may change."""
        date = self.course.directory.get_existing_timestamp(str(self.course.folder("submitted", student)))
        return (None if date is None else date.replace(tzinfo=None)) != self._dates.get(student)

    def _is_to_be_written_again(self, job: Job, graded: NotebookNode) -> bool:
        """Whether a graded notebook lacks what changes no points: the rubrics of now, and which hand-in it is of."""
        seen = _evidence(graded).get(current.EVIDENCE)
        return seen != job.handed_in or _rubrics(nbformat.v4.reads(job.notebook)) != _rubrics(graded)

    def job(self, student: str) -> Job:
        """A student's hand-in as a job; what must not be copied is put aside."""
        folder = self.course.folder("submitted", student)
        wanted = folder / f"{ASSIGNMENT}.ipynb"
        intake.clear(ASSIGNMENT, student, [str(wanted)])
        handed_in = current.version(folder)  # first: whoever hands in while this is read has handed in again
        notebook = nbformat.read(wanted, as_version=4)
        notebook = prepared(notebook, self._source, intake.notes(folder, ASSIGNMENT), self._released)
        return Job(student, nbformat.writes(notebook), pack(folder), self._settings, self._secret, handed_in)

    def _take(self, result: Result, earlier: NotebookNode | None = None) -> Event:
        """Enter a result, or hold it; one that cannot be used must not stop the others."""
        try:
            return self._entered_or_held(result, earlier)
        except (OSError, CourseError):
            raise
        except Exception as error:
            self.pending.remove(result.student)  # it would be no better the next time
            return self._failed(result.student, f"its result cannot be used ({type(error).__name__}: {error})")

    def _failed(self, student: str, reason: str) -> Event:
        self.failed[student] = reason
        return self._counted(Event(FAILED, student, reason=reason))

    def _entered_or_held(self, result: Result, earlier: NotebookNode | None) -> Event:
        student = result.student
        earlier = earlier or self.course.graded(student)
        if spoilt(result.evidence) and self._is_better(student, _evidence(earlier), result.evidence):
            reason = f"{trouble(result.evidence)}; the earlier result of the same hand-in stays"
            return self._failed(student, reason)
        self.pending.add(result)
        scores = _scores(result)
        if student in self._entered:
            before, given = self._entered[student], self._overruled[student]
            self.changes += [
                Change(student, name, given.get(name, before.get(name)), given.get(name, score), name in given)
                for name, score in scores.items()
                if before.get(name) != score
            ]
            if self._must_be_seen(student, _evidence(earlier), scores):
                self.held[student] = digest(result.dumps())
                return self._counted(self._event(HELD, result, scores))
        return self._land(result)

    def _is_better(self, student: str, earlier: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
        """Whether a student's entry stays rather than one that the grader spoilt, as it is of the same and is not."""
        same = earlier.get(current.EVIDENCE, now[current.EVIDENCE]) == now[current.EVIDENCE]
        return student in self._entered and same and earlier.get("tests") == self._tests and not spoilt(earlier)

    def _must_be_seen(self, student: str, evidence: Mapping[str, Any], scores: Mapping[str, float | None]) -> bool:
        """Whether new points of somebody who has some must be seen before they count.

        They must where the tests are others than those of ``evidence``; and if it is gone, by which the earlier points
        could be told, where they change.
        """
        if "tests" in evidence:
            return evidence["tests"] != self._tests
        before = self._entered[student]
        has_points = any(score is not None for score in (*before.values(), *self._overruled[student].values()))
        return has_points and any(before.get(name) != score for name, score in scores.items())

    def _land(self, result: Result) -> Event:
        try:
            with _uninterrupted():
                self.course.land(result.student, result.run())
                self.pending.remove(result.student)
        except GradebookError:
            raise
        except CourseError as error:
            return self._failed(result.student, str(error))
        return self._counted(self._event(LANDED, result, _scores(result)))

    def _event(self, kind: str, result: Result, scores: dict[str, float | None]) -> Event:
        points = sum(score or 0.0 for score in scores.values())
        repairs = len(json.loads(result.notebook)["metadata"]["course"]["repairs"])
        return Event(kind, result.student, points, sum(score is None for score in scores.values()), repairs)

    def _counted(self, event: Event) -> Event:
        self.counts[event.kind] += 1
        return event

    def land_held(self) -> Iterator[Event]:
        """Enter the results that this run held; one that cannot be used, or is not of now, is its student's failure.

        Raises:
            CourseError: another grading runs, or the gradebook cannot be used; what is not entered then stays held.
        """
        with self.pending.alone():
            versions.look_again()
            now = Grading(self.course, self.workers, [])  # hours may have passed until somebody decided
            while self.held:
                student, seen = next(iter(self.held.items()))
                try:
                    result = now.pending.of(now.job(student)) if self.pending.has(student, seen) else None
                    event = self._failed(student, OVERTAKEN) if result is None else self._land(result)
                except Exception as error:  # one must not stop the others
                    if isinstance(error, GradebookError) or is_full(error):
                        raise
                    event = self._failed(student, f"its result cannot be used ({type(error).__name__}: {error})")
                del self.held[student]
                self.counts[HELD] -= 1
                yield event

    def discard_held(self) -> int:
        """Forget the results that this run held; how many there were.

        Raises:
            CourseError: another grading runs.
        """
        with self.pending.alone():
            for student, seen in self.held.items():
                if self.pending.has(student, seen):
                    self.pending.remove(student)
        number, self.held = len(self.held), {}
        self.counts[HELD] -= number
        return number


def _rubrics(notebook: NotebookNode) -> list[str]:
    return [cell.source for cell in notebook.cells if role(cell) == "rubric"]


def _again(job: Job, graded: NotebookNode) -> Result:
    """A job's result, taken from the notebook of when the same was graded."""
    notebook, evidence = nbformat.reads(job.notebook, as_version=4), dict(graded.metadata.course.evidence)
    evidence[current.EVIDENCE] = job.handed_in
    ran = ([cell for cell in each.cells if cell.cell_type == "code"] for each in (notebook, graded))
    for cell, before in zip(*ran, strict=True):
        cell.outputs, cell.execution_count = before.outputs, before.execution_count
    told = {"status", "message", "grader_error"}
    outcomes = {
        name: Outcome(**{field: value for field, value in outcome.items() if field in told})
        for name, outcome in evidence.get("outcomes", {}).items()
    } or not_run(graded, evidence["not run"]).outcomes
    return Result(job.student, evidence["key"], nbformat.writes(notebook), outcomes, evidence)


def _scores(result: Result) -> dict[str, float | None]:
    """Each test's points, as `autograder.steps.SaveJudgedGrades` enters them."""
    notebook = result.run().notebook
    points = {cell.id: float(cell.metadata.nbgrader.points) for cell in notebook.cells if cell.id in result.outcomes}
    values = {"passed": 1.0, "failed": 0.0}
    return {
        name: points[name] * values[outcome.status] if outcome.status in values else None
        for name, outcome in result.outcomes.items()
    }


def _evidence(notebook: NotebookNode | None) -> dict[str, Any]:
    return {} if notebook is None else notebook.metadata.course.evidence


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let Ctrl-C wait until a result is entered."""
    asked = []
    before = signal.getsignal(signal.SIGINT)
    try:
        signal.signal(signal.SIGINT, lambda *_: asked.append(True))
    except ValueError:  # not the main thread, which alone is interrupted
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if asked:
        raise KeyboardInterrupt
