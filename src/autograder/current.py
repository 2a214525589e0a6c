"""Which hand-in lies in ``submitted/`` now.

Each grading writes down the `version` of the hand-in that it saw, in the evidence of the graded notebook. Whose hand-in
has another version by now has handed in again since; `autograder.standing` says who.
"""

import hashlib
import os
from pathlib import Path

from autograder.archives import is_junk
from autograder.notebooks import ASSIGNMENT

EVIDENCE = "handed in"  # the key in a run's evidence


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
