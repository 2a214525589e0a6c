"""A sandbox's directory on the host (its sockets live there), and cleaning up after graders that were killed.

A live grader holds a lock on its sandbox's directory, which the kernel takes away when the grader dies, however it
dies. So what is locked is in use, and what is not is left over: no process number that somebody else has by now.
"""

import contextlib
import fcntl
import os
import random
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from autograder.sandbox import cgroups
from autograder.sandbox.limits import SandboxUnavailable

# Users of their own for sandboxes of root: above all ranges that distributions, systemd and containers hand out, see
# https://systemd.io/UIDS-GIDS/ ("unused": 1879048192 to 2147483647).
FIRST_UID, UIDS = 1_900_000_000, 100_000_000


def base_directory() -> Path:
    """The directory of all of this user's sandboxes; it belongs to nobody else.

    Raises:
        SandboxUnavailable: somebody else made it.
    """
    temporary = tempfile.gettempdir()
    # A socket's path has room for about 100 characters.
    base = Path(temporary if len(temporary) < 60 else "/tmp") / f"gcnn-sandbox-{os.geteuid()}"
    while True:
        with contextlib.suppress(FileExistsError):
            base.mkdir(mode=0o700)
        with contextlib.suppress(FileNotFoundError):  # another grader has just removed it, since it was empty
            found = base.lstat()
            break
    # Else another user could have made it (or a link) beforehand, to get at our sockets.
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise SandboxUnavailable(f"{base} must be a directory that belongs to you only: remove it and try again.")
    return base


@contextlib.contextmanager
def _alone() -> Iterator[Path]:
    """Keep other graders from making or removing directories meanwhile; the base directory goes when it is empty."""
    while True:
        base = base_directory()
        try:
            descriptor = os.open(base, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:  # removed since: another try
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            try:
                same = os.path.samestat(os.fstat(descriptor), base.lstat())
            except FileNotFoundError:
                same = False
            if not same:
                continue  # whoever had the lock before us removed it
            try:
                yield base
            finally:
                with contextlib.suppress(OSError):
                    base.rmdir()
            return
        finally:
            os.close(descriptor)


class Workspace:
    """One sandbox's directory ``path``, with a number that no other sandbox on this machine has: ``uid``."""

    there: ClassVar[set[Path]] = set()
    """Directories that this process made and has not removed."""

    def __init__(self):
        clean_up_stale()
        with _alone() as base:
            while True:
                self.uid = FIRST_UID + random.SystemRandom().randrange(UIDS)
                self.path = base / str(self.uid)
                with contextlib.suppress(FileExistsError):
                    self.path.mkdir(mode=0o700)
                    break
            self.there.add(self.path)
            self._lock = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(self._lock, fcntl.LOCK_EX)

    def note_cgroup(self, directory: Path) -> None:
        """Remember a cgroup, before it is made, for whoever cleans up after us."""
        with open(self.path / "cgroups", "a") as file:
            file.write(f"{directory}\n")

    def remove(self) -> None:
        """Remove the directory. Twice is fine."""
        if self._lock is not None:
            with _alone():
                shutil.rmtree(self.path, ignore_errors=True)
            if not self.path.exists():
                self.there.discard(self.path)
            os.close(self._lock)
            self._lock = None


def clean_up_stale() -> list[Path]:
    """Remove what killed graders of this user left: directories, and cgroups with whatever still runs in them.

    Their kernels are dead by then: bubblewrap's ``--die-with-parent`` saw to it. Every new sandbox calls this first.

    Returns:
        The directories removed.
    """
    removed = []
    with _alone() as base:
        for directory in filter(Path.is_dir, base.iterdir()):
            descriptor = os.open(directory, os.O_RDONLY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue  # its grader lives
            finally:
                os.close(descriptor)
            with contextlib.suppress(FileNotFoundError):
                cgroups.remove(Path(line) for line in (directory / "cgroups").read_text().splitlines())
            shutil.rmtree(directory, ignore_errors=True)
            removed.append(directory)
    return removed
