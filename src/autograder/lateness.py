"""How late a hand-in is, and what that costs: extensions, and penalties that follow from what the gradebook says now.

nbgrader works a penalty out when a submission is graded: from its points of that moment, in which no written answer is
marked, and by the deadline of that day. `renew` works every penalty out again by the course's own rule, and runs no
submission. `EnterHandIn` sees to it that an entry in the gradebook is of the hand-in that is graded.
"""

import dataclasses
import math
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from nbgrader.api import (
    Assignment,
    BaseCell,
    Comment,
    Grade,
    Gradebook,
    MissingEntry,
    Notebook,
    SubmittedAssignment,
    SubmittedNotebook,
)
from nbgrader.plugins import BasePlugin
from nbgrader.preprocessors import AssignLatePenalties, NbGraderPreprocessor
from sqlalchemy import func, select
from traitlets import TraitError
from traitlets.config import Config

from autograder.errors import CourseError
from autograder.notebooks import ASSIGNMENT
from autograder.words import listed

_SET_ONE = f'set one with `nbgrader db assignment add {ASSIGNMENT} --duedate="2026-12-01 18:00:00 Europe/Amsterdam"`'


@dataclasses.dataclass(frozen=True)
class Change:
    """A penalty that is another than before."""

    student: str
    """Whose."""
    before: float
    """The points that were taken off."""
    after: float
    """The points that are."""


def renew(gradebook: Gradebook, config: Config, student: str | None = None) -> list[Change]:
    """Work out what being late costs: by today's points, dates, deadlines, extensions and rule.

    Args:
        gradebook: the course's.
        config: the course's settings, which name the rule.
        student: whose; by default everybody's.

    Returns:
        The penalties that changed, by student.

    Raises:
        CourseError: the rule cannot be used. Then no penalty is changed.
    """
    entries = (
        select(SubmittedNotebook, SubmittedAssignment, Assignment.duedate)
        .join(SubmittedAssignment, SubmittedAssignment.id == SubmittedNotebook.assignment_id)
        .join(Assignment, Assignment.id == SubmittedAssignment.assignment_id)
        .join(Notebook, Notebook.id == SubmittedNotebook.notebook_id)
        .where(Assignment.name == ASSIGNMENT, Notebook.name == ASSIGNMENT)
        .order_by(SubmittedAssignment.student_id)
    )
    points = select(Grade.notebook_id, func.sum(Grade.score)).group_by(Grade.notebook_id)
    if student is not None:
        entries = entries.where(SubmittedAssignment.student_id == student)
        points = points.join(SubmittedNotebook, SubmittedNotebook.id == Grade.notebook_id)
        points = points.join(SubmittedAssignment, SubmittedAssignment.id == SubmittedNotebook.assignment_id)
        points = points.where(SubmittedAssignment.student_id == student)
    scores = dict(gradebook.db.execute(points).tuples().all())
    rule, changes, found = _rule(config), [], gradebook.db.execute(entries).all()
    new: list[tuple[SubmittedNotebook, float]] = []
    for notebook, hand_in, due in found:
        before, after = notebook.late_submission_penalty or 0.0, 0.0
        if late := seconds_late(hand_in.timestamp, due, hand_in.extension):
            after = _penalty(rule, hand_in.student_id, scores.get(notebook.id) or 0.0, late)
        if not math.isclose(before, after, abs_tol=1e-9):
            changes.append(Change(hand_in.student_id, before, after))
            new.append((notebook, after))
    for notebook, after in new:
        notebook.late_submission_penalty = after or None
    if new:
        gradebook.db.commit()
    return changes


def sentence(changes: Sequence[Change]) -> str:
    """What changed, in one line; an empty string for nothing."""
    if not changes:
        return ""
    named = listed(f"{one.student} {one.before:.4g} → {one.after:.4g}" for one in changes)
    return f"Penalties for being late: {len(changes)} changed ({named})."


def seconds_late(handed_in: datetime | None, due: datetime | None, extension: timedelta | None) -> float:
    """By how many seconds a hand-in came too late; 0 where one of the dates is not known."""
    if handed_in is None or due is None:
        return 0.0
    return max(0.0, (handed_in - due - (extension or timedelta())).total_seconds())


def _rule(config: Config) -> BasePlugin:
    """The course's rule, as nbgrader's own step makes it.

    Raises:
        CourseError: the settings name none that can be used.
    """
    try:
        step = AssignLatePenalties(config=config)
        step.init_plugin()
    except (TraitError, ImportError) as error:
        raise CourseError(f"the rule for late hand-ins in nbgrader_config.py does not fit: {error}") from error
    return step.plugin_inst


def _penalty(rule: BasePlugin, student: str, score: float, late: float) -> float:
    """What the rule takes off: at least nothing, at most the score."""
    if not math.isfinite(score):
        return 0.0  # a person has yet to decide
    try:
        found = rule.late_submission_penalty(student, score, late)
        penalty = 0.0 if found is None else float(found)
        if math.isnan(penalty):
            raise ValueError("it gives no number")
    except Exception as error:  # it is the instructor's own code
        raise CourseError(
            f"the rule for late hand-ins, {type(rule).__name__}, fails for {student} "
            f"({type(error).__name__}: {error}). No penalty was changed: correct it, or name another in "
            "nbgrader_config.py"
        ) from error
    return min(max(penalty, 0.0), max(score, 0.0))


def extensions(gradebook: Gradebook) -> dict[str, timedelta]:
    """By student, how much later than everybody's the deadline is, for those who have an extension."""
    given = (
        select(SubmittedAssignment.student_id, SubmittedAssignment.extension)
        .join(Assignment, Assignment.id == SubmittedAssignment.assignment_id)
        .where(Assignment.name == ASSIGNMENT, SubmittedAssignment.extension.is_not(None))
    )
    return dict(gradebook.db.execute(given).tuples().all())


def deadline(gradebook: Gradebook) -> datetime | None:
    """When the assignment is due, in UTC; ``None`` where the gradebook does not say."""
    try:
        due = gradebook.find_assignment(ASSIGNMENT).duedate
    except MissingEntry:
        return None
    return None if due is None else due.replace(tzinfo=timezone.utc)


def extend(
    gradebook: Gradebook, student: str, length: timedelta | None, others: Collection[str] = ()
) -> datetime | None:
    """Give a student an extension, in the place of an earlier one.

    nbgrader keeps it with what was handed in. Where nothing was, an entry is made that holds nothing else: the notebook
    may still be changed and released, which nbgrader refuses once there are submissions of it.

    Args:
        gradebook: the course's.
        student: the student's id.
        length: how much later than everybody's the student's deadline is; nothing takes an extension back, and ``None``
            changes nothing.
        others: students who may be in no roster of the gradebook's.

    Returns:
        The student's deadline; ``None`` where there is none, from which an extension can only be taken back.

    Raises:
        CourseError: there is no such student, or no deadline to extend.
    """
    due = deadline(gradebook)
    if due is None and (length or student not in extensions(gradebook)):
        raise CourseError(f"there is no deadline to extend: {_SET_ONE}")
    if student not in {known.id for known in gradebook.students}:
        if student not in others:
            raise CourseError(
                f"there is no student {student}: the gradebook has no such id, and nothing was handed in under it. "
                "`nbgrader db student list` says who is there, and `nbgrader db student add` adds somebody"
            )
        gradebook.update_or_create_student(student)
    if length is not None:
        try:
            submission = gradebook.find_submission(ASSIGNMENT, student)
        except MissingEntry:
            submission = SubmittedAssignment(assignment_id=gradebook.find_assignment(ASSIGNMENT).id, student_id=student)
            gradebook.db.add(submission)
        submission.extension = length or None
        gradebook.db.commit()
    return due and due + extensions(gradebook).get(student, timedelta())


def check(gradebook: Gradebook, student: str) -> None:
    """Refuse what nbgrader cannot work with: an extension of no deadline.

    Raises:
        CourseError: the student has such a one.
    """
    if student in extensions(gradebook) and deadline(gradebook) is None:
        raise CourseError(
            f"{student} has an extension, and there is no deadline any more: {_SET_ONE}, or take the extension back "
            f"with `autograder extend {student} --days 0`"
        )


class EnterHandIn(NbGraderPreprocessor):
    """Makes the gradebook's entry that of the hand-in that is being graded.

    nbgrader leaves an earlier hand-in's date where the new one has none, and adds no points to an entry that was made
    for an extension.
    """

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        """Complete the entry; the notebook stays as it is."""
        names, coursedir = resources["nbgrader"], self.parent.parent.coursedir
        folder = Path(coursedir.format_path(coursedir.submitted_directory, names["student"], names["assignment"]))
        with Gradebook(names["db_url"]) as gradebook:
            submission = gradebook.find_submission(names["assignment"], names["student"])
            if coursedir.get_existing_timestamp(str(folder)) is None:
                submission.timestamp = None
            there = {notebook.notebook_id for notebook in submission.notebooks}
            for notebook in submission.assignment.notebooks:
                if notebook.id not in there:
                    _add_cells(gradebook, notebook, submission)
            gradebook.db.commit()
        return nb, resources


def _add_cells(gradebook: Gradebook, notebook: Notebook, submission: SubmittedAssignment) -> None:
    """Add what nbgrader adds with a new submission: a row for each graded cell and for each comment."""
    submitted = SubmittedNotebook(notebook_id=notebook.id, assignment_id=submission.id)
    gradebook.db.add(submitted)
    gradebook.db.flush()

    def rows(kind: type, cells: Sequence[BaseCell]) -> list[Grade | Comment]:
        return [kind(cell_id=cell.id, notebook_id=submitted.id) for cell in cells]

    gradebook.db.add_all(rows(Grade, [*notebook.grade_cells, *notebook.task_cells]))
    gradebook.db.add_all(rows(Comment, [*notebook.solution_cells, *notebook.task_cells]))
