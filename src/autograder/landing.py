"""Puts a hand-in into ``submitted/``, whole or not at all, and what it replaces aside.

Everything is made in a folder that begins with a dot, in ``submitted/`` itself so that it is on the same disk, and
lands by renaming, when it is on the disk: what has landed stays, also after a power cut. Two collectings cannot meet;
what a killed one left is cleared, or completed, by the next.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from autograder import durable
from autograder.errors import CourseError

_LOCK = ".collecting.lock"
_TEMPORARY = ".collecting-"
_MOVING = ".moving-"


@contextmanager
def workplace(submitted: Path, assignment: str) -> Iterator[Path]:
    """A folder for what is not complete; it is gone afterwards.

    Args:
        submitted: where all students' folders are.
        assignment: the name of each student's folder that hand-ins lie in.

    Raises:
        CourseError: somebody else is collecting.
    """
    was_there = submitted.exists()
    submitted.mkdir(parents=True, exist_ok=True)
    try:
        durable.sync(submitted.parent)
        with _alone(submitted):
            for left in submitted.glob(f"{_TEMPORARY}*"):
                shutil.rmtree(left)
            for moving in submitted.glob(f"*/{assignment}.earlier/{_MOVING}*"):
                _settle(moving, assignment)
            folder = Path(tempfile.mkdtemp(prefix=_TEMPORARY, dir=submitted))
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)
    finally:
        if not was_there:
            with contextlib.suppress(OSError):  # something landed in it
                submitted.rmdir()


@contextmanager
def _alone(submitted: Path) -> Iterator[None]:
    """Keep others from collecting, on other machines too: a lock on a folder would be this machine's only, on NFS.

    The lock's file is gone afterwards. Whoever has opened it just before that has locked a file that nobody else sees,
    and takes a new one.
    """
    path = submitted / _LOCK
    while True:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        try:
            # Whoever may collect here may lock what a killed collecting of somebody else's has left.
            with contextlib.suppress(PermissionError):
                os.fchmod(lock, submitted.stat().st_mode & 0o666)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise CourseError("somebody is collecting into this course: wait until that is done") from error
            if not _is_at(path, lock):
                continue
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
            return
        finally:
            os.close(lock)


def _is_at(path: Path, file: int) -> bool:
    """Whether an open file is the one of a path."""
    try:
        return os.path.samestat(path.lstat(), os.fstat(file))
    except FileNotFoundError:
        return False


def land(staged: Path, target: Path) -> None:
    """Rename a complete hand-in to its place.

    What lies there goes into ``….earlier/NUMBER`` with the folders ``….left-out*`` beside it, which belong to it.

    Args:
        staged: the hand-in. Nothing else lies in the folder that it lies in.
        target: its place, ``submitted/STUDENT/ASSIGNMENT``.

    Raises:
        CourseError: the student's folder is a link.
        OSError: the disk is full or damaged; then what lies there is as it was, or the hand-in has landed.
    """
    if target.parent.is_symlink():
        raise CourseError(f"{target.parent} is a link, and links are not followed: remove it and collect again")
    durable.sync_all(staged.parent)
    if not target.parent.exists():
        # In one step: a folder of a student's without a hand-in in it would be half of something.
        staged.parent.rename(target.parent)
        durable.sync(target.parent.parent)
        return
    beside = sorted(target.parent.glob(f"{target.name}.left-out*"))
    if not (target.exists() or target.is_symlink() or beside):
        staged.rename(target)
        durable.sync(target.parent)
        return
    earlier = target.with_name(f"{target.name}.earlier")
    earlier.mkdir(exist_ok=True)
    numbers = [int(path.name) for path in earlier.iterdir() if path.name.isdecimal()]
    moving = earlier / f"{_MOVING}{max(numbers, default=0) + 1}"
    moving.mkdir()
    try:
        # The hand-in first: by where it lies, whoever finds this interrupted knows how far it came.
        for path in [target, *beside]:
            with contextlib.suppress(FileNotFoundError):
                path.rename(moving / path.name)
        staged.rename(target)
    except BaseException:
        _undo(moving)
        raise
    moving.rename(_done(moving))
    for folder in (_done(moving), earlier, target.parent):
        durable.sync(folder)


def _settle(moving: Path, assignment: str) -> None:
    """Complete a replacement whose new hand-in has landed; undo any other."""
    old, new = moving / assignment, moving.parent.parent / assignment
    if new.exists() and (old.exists() or old.is_symlink()):
        moving.rename(_done(moving))
    else:
        _undo(moving)


def _done(moving: Path) -> Path:
    return moving.with_name(moving.name.removeprefix(_MOVING))


def _undo(moving: Path) -> None:
    for path in moving.iterdir():
        path.rename(moving.parent.parent / path.name)
    moving.rmdir()
    with contextlib.suppress(OSError):
        moving.parent.rmdir()
