"""What the gradebook says of a submission, cell by cell: points, marks, comments, and what waits for a person.

Read with one query for a whole class, so that a page for each of many students costs no query for each of many cells.
"""

import dataclasses
from collections.abc import Collection
from datetime import datetime

from nbgrader.api import (
    Assignment,
    BaseCell,
    Comment,
    Grade,
    Gradebook,
    Notebook,
    Student,
    SubmittedAssignment,
    SubmittedNotebook,
)
from sqlalchemy import select

from autograder.notebooks import ASSIGNMENT
from autograder.report import Score


@dataclasses.dataclass(frozen=True)
class Mark:
    """What one graded cell earned."""

    points: float
    """What it has so far."""
    maximum: float
    """What it can have."""
    waiting: bool
    """Whether a person has yet to look at it: its points are not final."""
    by_hand: bool
    """Whether a person gave its points."""


@dataclasses.dataclass(frozen=True)
class Marks:
    """What one submission earned."""

    student: str
    """The student's id."""
    name: str = ""
    """The student's name, if the gradebook knows it."""
    handed_in: datetime | None = None
    """When, if that is known; UTC."""
    late_penalty: float = 0.0
    """The points that are taken off."""
    cells: dict[str, Mark] = dataclasses.field(default_factory=dict)
    """By the graded cell's id."""
    comments: dict[str, str] = dataclasses.field(default_factory=dict)
    """By the answer cell's id: what a person wrote, in Markdown."""

    @property
    def total(self) -> float:
        """All points so far, the penalty taken off."""
        return max(sum(mark.points for mark in self.cells.values()) - self.late_penalty, 0.0)

    @property
    def waiting(self) -> list[str]:
        """The ids of the cells that a person has yet to look at, sorted."""
        return sorted(name for name, mark in self.cells.items() if mark.waiting)


def read_marks(gradebook: Gradebook, students: Collection[str] | None = None) -> dict[str, Marks]:
    """The marks of all submissions in the gradebook, or of these students', by student."""
    chosen = [Assignment.name == ASSIGNMENT, Notebook.name == ASSIGNMENT]
    if students is not None and len(students) == 1:
        chosen.append(Student.id == next(iter(students)))
    submissions = (
        select(
            *(Student.id, Student.first_name, Student.last_name, SubmittedAssignment.timestamp),
            *(SubmittedNotebook.late_submission_penalty, SubmittedNotebook.id),
        )
        .join(SubmittedAssignment, SubmittedAssignment.student_id == Student.id)
        .join(Assignment, Assignment.id == SubmittedAssignment.assignment_id)
        .join(SubmittedNotebook, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
        .join(Notebook, Notebook.id == SubmittedNotebook.notebook_id)
        .where(*chosen)
        .order_by(Student.id)
    )
    found: dict[str, Marks] = {}
    for student, first, last, timestamp, penalty, notebook in gradebook.db.execute(submissions):
        if students is None or student in students:
            name = " ".join(part for part in (first, last) if part)
            found[notebook] = Marks(student, name, timestamp, penalty or 0.0)
    here = [SubmittedNotebook.id == next(iter(found))] if len(found) == 1 else []
    grades = (
        select(Grade.notebook_id, BaseCell.name, Grade.score, Grade.max_score, Grade.needs_manual_grade)
        .add_columns(Grade.auto_score, Grade.manual_score)
        .join(BaseCell, BaseCell.id == Grade.cell_id)
        .join(SubmittedNotebook, SubmittedNotebook.id == Grade.notebook_id)
        .where(*here)
    )
    for notebook, cell, points, maximum, waits, tested, by_hand in gradebook.db.execute(grades):
        if notebook in found:
            score = Score.of(points, maximum or 0.0, waits=bool(waits), decided=(tested, by_hand) != (None, None))
            found[notebook].cells[cell] = Mark(score.points, score.maximum, score.waiting, by_hand is not None)
    comments = (
        select(Comment.notebook_id, BaseCell.name, Comment.manual_comment)
        .join(BaseCell, BaseCell.id == Comment.cell_id)
        .join(SubmittedNotebook, SubmittedNotebook.id == Comment.notebook_id)
        .where(Comment.manual_comment.is_not(None), *here)
    )
    for notebook, cell, comment in gradebook.db.execute(comments):
        if notebook in found and comment.strip():
            found[notebook].comments[cell] = comment
    return {marks.student: marks for marks in found.values()}
