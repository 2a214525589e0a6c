"""Results that are finished and not in the gradebook yet: a file a student in ``.results/``, whole or not there.

Whenever a grading is interrupted, the next one finds here what need not be run again; and a held result waits here
until somebody has decided.
"""

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import filelock

from autograder import current, durable
from autograder.errors import CourseError
from autograder.jobs import Job, Result, digest
from autograder.notebooks import ASSIGNMENT

FOLDER = ".results"


class Pending:
    """Those of one course.

    Attributes:
        folder: where they are.
    """

    def __init__(self, root: Path):
        """Nothing is read or written yet.

        Args:
            root: the course's folder.
        """
        self.folder = root / FOLDER / ASSIGNMENT

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Let nobody else write results and grades; the folder is there meanwhile.

        Raises:
            CourseError: somebody else does.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            with filelock.FileLock(self.folder / "lock", blocking=False):
                yield
        except filelock.Timeout as error:
            raise CourseError("this course is being graded already: wait for that grading, or end it") from error

    def place(self, student: str) -> Path:
        """The file of a student's result, who may have any name."""
        return self.folder / f"{digest(student)[:32]}.json"

    def add(self, result: Result) -> None:
        """Write a result, in place of an earlier one of the same student."""
        durable.write(self.place(result.student), result.dumps())

    def of(self, job: Job) -> Result | None:
        """The result of just this job, if it is there."""
        try:
            result = Result.loads(self.place(job.student).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        if (result.student, result.key) != (job.student, job.key):
            return None
        return dataclasses.replace(result, evidence={**result.evidence, current.EVIDENCE: job.handed_in})

    def has(self, student: str, seen: str) -> bool:
        """Whether a student's result is the one with this hash: another run may have put its own there."""
        try:
            return digest(self.place(student).read_text(encoding="utf-8")) == seen
        except OSError:
            return False

    def remove(self, student: str) -> None:
        """Remove a student's result, if there is one."""
        self.place(student).unlink(missing_ok=True)
