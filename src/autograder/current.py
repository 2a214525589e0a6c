"""Whether what was graded is what lies in ``submitted/`` now.

Each grading writes down the `version` of the hand-in that it saw, in the evidence of the graded notebook. Whose hand-in
has another version by now has handed in again since: the points in the gradebook are those of an earlier hand-in.
"""

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path

from nbgrader.coursedir import CourseDirectory

from autograder.notebooks import ASSIGNMENT

EVIDENCE = "handed in"  # the key in a run's evidence
REASON = "a newer hand-in waits: run `autograder grade`"


def other_files(folder: Path) -> list[Path]:
    """The plain files of a hand-in other than its notebooks and its date, sorted; links are none."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return [path for path in paths if path.suffix != ".ipynb" and path.name != "timestamp.txt"]


def version(folder: Path) -> str:
    """A hash of a hand-in's notebook and of the other files in it; empty if they cannot be read."""
    sums = hashlib.sha256()
    try:
        for path in (folder / f"{ASSIGNMENT}.ipynb", *other_files(folder)):
            sums.update(str(path.relative_to(folder)).encode("utf-8", "surrogateescape") + b"\0" + _hash(path))
    except OSError:
        return ""
    return sums.hexdigest()


def _hash(path: Path) -> bytes:
    # What was put there by hand may be a link or a FIFO, which would lead elsewhere or keep one waiting.
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def handed_in_again(directory: CourseDirectory, students: Iterable[str]) -> frozenset[str]:
    """Those of these students who handed in again since they were graded.

    Args:
        directory: the course's.
        students: who handed in.
    """
    return frozenset(student for student in students if _is_newer(directory, student))


def _is_newer(directory: CourseDirectory, student: str) -> bool:
    folders = directory.autograded_directory, directory.submitted_directory
    graded, submitted = (Path(directory.format_path(folder, student, ASSIGNMENT)) for folder in folders)
    try:
        text = (graded / f"{ASSIGNMENT}.ipynb").read_text(encoding="utf-8")
        seen = json.loads(text)["metadata"]["course"]["evidence"][EVIDENCE]
    except (OSError, ValueError, KeyError, TypeError):  # not graded, or before versions were written down
        return False
    return bool(seen) and seen != version(submitted)
