"""Whether what was graded is what lies in ``submitted/`` now.

Each grading writes down the `version` of the hand-in that it saw, in the evidence of the graded notebook. Whose hand-in
has another version by now has handed in again since: the points in the gradebook are those of an earlier hand-in. They
may be that, too, where there is no graded notebook: a grading was interrupted, or failed, between the two.
"""

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path

from nbgrader.coursedir import CourseDirectory

from autograder.archives import is_junk
from autograder.notebooks import ASSIGNMENT

EVIDENCE = "handed in"  # the key in a run's evidence
SAME, OTHER, NONE = "the one that is there", "another one", "none"
REASON = "the newest hand-in is not graded: run `autograder grade`"


def other_files(folder: Path) -> list[Path]:
    """The plain files of a hand-in but for notebooks, its date, and what an operating system left; sorted, no links."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    own = (path for path in paths if not is_junk(path.relative_to(folder).as_posix()))
    return [path for path in own if path.suffix != ".ipynb" and path.name != "timestamp.txt"]


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
    """Those of these students who were graded, and have handed in again since.

    Args:
        directory: the course's.
        students: who handed in.
    """
    return frozenset(student for student in students if _graded_version(directory, student) == OTHER)


def whose_hand_in_waits(directory: CourseDirectory, students: Iterable[str]) -> frozenset[str]:
    """Those of these students whose hand-in that is there is not graded, whether an earlier one was or not.

    Args:
        directory: the course's.
        students: who handed in.
    """
    return frozenset(student for student in students if _graded_version(directory, student) != SAME)


def _graded_version(directory: CourseDirectory, student: str) -> str:
    """Which hand-in was graded: `SAME`, `OTHER` or `NONE`."""
    folders = directory.autograded_directory, directory.submitted_directory
    graded, submitted = (Path(directory.format_path(folder, student, ASSIGNMENT)) for folder in folders)
    try:
        text = (graded / f"{ASSIGNMENT}.ipynb").read_text(encoding="utf-8")
        evidence = json.loads(text)["metadata"]["course"]["evidence"]
    except (OSError, ValueError, KeyError, TypeError):
        return NONE
    seen = evidence.get(EVIDENCE)  # nothing where it was graded before versions were written down
    return SAME if not seen or seen == version(submitted) else OTHER
