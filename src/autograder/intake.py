"""Looks at a hand-in before nbgrader copies it, and puts aside what nbgrader would follow, hang on, or choke on.

Links, FIFOs, devices, too many or too large files, a timestamp that is none and a notebook that cannot be read are
moved to a folder beside the hand-in, ``….left-out``, for whoever wants to look. A stand-in takes the place of a
notebook that cannot be read: its tests will be *not graded*, with the reason, and the submission is not dropped.
"""

import logging
import os
import stat
from pathlib import Path

import nbformat
from nbgrader.utils import parse_utc

log = logging.getLogger(__name__)

UNREADABLE = "unreadable"  # the key in a stand-in's metadata under which the reason stands
MAX_NOTEBOOK = 50e6  # bytes
MAX_FILES = 200e6  # bytes of all other files together
MAX_COUNT = 2000  # files


def clear(assignment: str, student: str, notebooks: list[str]) -> None:
    """Clear one hand-in; nbgrader's hook before it converts a submission.

    A hand-in that cannot be cleared is put aside as a whole: nbgrader would only log the error, and follow the rest.

    Args:
        assignment: the assignment's name, which is its notebook's.
        student: for the log.
        notebooks: the notebooks that nbgrader found. Where the assignment's own is missing, a stand-in's path is added.
    """
    folder = Path(notebooks[0]).parent
    try:
        _clear(folder, assignment, student, notebooks)
    except Exception as error:
        reason = f"the hand-in could not be cleared of what must not be copied ({type(error).__name__})"
        number = len(list(folder.parent.glob(f"{folder.name}.left-out*")))
        folder.rename(folder.with_name(f"{folder.name}.left-out-{number}"))
        folder.mkdir()
        notebooks[:] = [str(folder / f"{assignment}.ipynb")]
        _stand_in(Path(notebooks[0]), reason)
        log.warning("%s: %s", student, reason)


def _clear(folder: Path, assignment: str, student: str, notebooks: list[str]) -> None:
    for path in (folder.parent, folder):
        if path.is_symlink():  # the whole hand-in would be somebody else's
            path.unlink()
            path.mkdir()
            log.warning("%s: the folder %s was a link, and was replaced", student, path.name)
    room, count = MAX_FILES, 0
    for parent, folders, files in os.walk(folder):
        for path in (Path(parent, name) for name in sorted([*folders, *files])):
            status = path.lstat()
            if stat.S_ISDIR(status.st_mode):
                continue
            if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
                # Following it would bring what it leads to into the submission: another's work, a password.
                _put_aside(path, folder, student, "was a link or no plain file")
            elif str(path) not in notebooks:
                room, count = room - status.st_size, count + 1
                if room < 0 or count > MAX_COUNT:
                    _put_aside(path, folder, student, "was too large, or one of too many")
                    room, count = room + status.st_size, count - 1
    _check_timestamp(folder / "timestamp.txt", folder, student)
    wanted = folder / f"{assignment}.ipynb"
    if str(wanted) not in notebooks:
        notebooks.append(str(wanted))
    for path in map(Path, notebooks):
        if reason := _unreadable(path):
            if path.exists():
                _put_aside(path, folder, student, reason)
            _stand_in(path, reason)


def _stand_in(path: Path, reason: str) -> None:
    nbformat.write(nbformat.v4.new_notebook(metadata={"course": {UNREADABLE: reason}}), path)


def _put_aside(path: Path, folder: Path, student: str, why: str) -> None:
    aside = folder.with_name(f"{folder.name}.left-out")
    aside.mkdir(exist_ok=True)
    path.rename(aside / f"{len(list(aside.iterdir()))}-{path.name[-60:]}")  # a name may be as long as names can be
    log.warning("%s: %s %s, and was put aside", student, path.name, why)


def _check_timestamp(path: Path, folder: Path, student: str) -> None:
    """Put a timestamp aside that nbgrader could not read."""
    if not path.is_file():
        return
    try:
        parse_utc(path.read_text(encoding="utf-8").strip())
    except Exception:  # whatever a damaged text makes the parser raise
        _put_aside(path, folder, student, "was no date")


def _unreadable(path: Path) -> str:
    """Why a notebook cannot be read, or an empty string."""
    if not path.is_file():
        return f"there is no notebook {path.name}"
    if path.stat().st_size > MAX_NOTEBOOK:
        return f"the notebook is too large ({path.stat().st_size / 1e6:,.0f} MB)"
    try:
        notebook = nbformat.read(path, as_version=4)
    except Exception as error:  # whatever a damaged file makes a library raise
        return f"the notebook cannot be read ({type(error).__name__})"
    if not all(isinstance(cell.source, str) and isinstance(cell.metadata, dict) for cell in notebook.cells):
        return "the notebook's cells are malformed"
    return ""
