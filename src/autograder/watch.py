"""Looks from outside at what must not change while a submission is graded: files, grades, processes, sockets.

Whatever the grader believes, an effect outside the sandbox is found: canaries are planted around the course, everything
that is there is compared before and after, and what listens on this machine hears nothing.
"""

import contextlib
import ctypes
import os
import secrets
import socket
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from autograder.course import Course
from autograder.notebooks import ASSIGNMENT
from autograder.sandbox.workspace import Workspace

MARK = "hostile-sample"  # what the samples call the files that they leave behind
MOST_MB = 300  # that a submission's results may take of the grader's disk, ten times what a large one needs
SETTLE = 3.0  # seconds that a process which has been killed may take to disappear

_IN_ACCESS, _IN_MODIFY, _IN_OPEN = 0x1, 0x2, 0x20  # linux/inotify.h


class Watch:
    """Plants canaries around a course, and says what an attack did to them and to the machine.

    A context manager: the canaries go when it ends.
    """

    def __init__(self, course: Course, bystander: str):
        """Plant nothing yet.

        Args:
            course: with its release made.
            bystander: an honest student, graded already, whose work nobody may open.
        """
        self.course, self.token = course, secrets.token_hex(8)
        name = f"hostile-canary-{self.token}.txt"
        own = course.folder("submitted", bystander)
        folders = (Path.home(), Path(tempfile.gettempdir()), course.root, course.root.parent, own, own.parent)
        self.canaries = [folder / name for folder in dict.fromkeys(folders)]
        self.unread = [*self.canaries, own / f"{ASSIGNMENT}.ipynb"]
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> "Watch":
        """Plant the canaries and listen."""
        with contextlib.ExitStack() as stack:
            for path in self.canaries:
                stack.callback(path.unlink, missing_ok=True)
                path.write_text(f"hostile-canary {self.token}\n")
            self.network = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=128))
            self.abstract = stack.enter_context(socket.socket(socket.AF_UNIX))
            if sys.platform == "linux":
                self.abstract.bind(f"\0{MARK}-{self.token}")
                self.abstract.listen()
            self.reads = stack.enter_context(_Reads(self.unread))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """Remove them."""
        self._stack.close()

    @contextlib.contextmanager
    def over(self, student: str) -> Iterator[list[str]]:
        """Watch the block that grades a student; the list that it gives is filled with effects when the block ends."""
        effects: list[str] = []
        before, environment, folder = self._state(student), dict(os.environ), Path.cwd()
        mounts, there = _mounts(), set(_sandboxed())
        self.reads.seen()  # by this process, just now
        yield effects
        opened = self.reads.seen()  # before this process itself opens them
        after = self._state(student)
        for place in before.keys() | after.keys():
            if before.get(place) != after.get(place):
                how = "appeared" if place not in before else "disappeared" if place not in after else "changed"
                effects.append(f"{place} {how}")
        effects += [f"{path} was opened" for path in opened]
        effects += [f"{path} holds a canary's text" for path in self._copies(student)]
        if (megabytes := self._megabytes(student)) > MOST_MB:
            effects.append(f"{megabytes:,.0f} MB of the grader's disk were taken")
        effects += [f"a connection came to {listener.getsockname()!r}" for listener in self._called()]
        effects += [f"a process is left over: {process}" for process in _left_over(there)]
        effects += [f"the sandbox left {path}" for path in Workspace.there if path.exists()]
        if (dict(os.environ), Path.cwd(), _mounts()) != (environment, folder, mounts):
            effects.append("the grader's environment, folder or mounts changed")

    def _state(self, student: str) -> dict[str, Any]:
        """What must stay as it is while this student is graded, by place."""
        state: dict[str, Any] = {str(path): path.read_text() for path in self.canaries if path.is_file()}
        own = {self.course.folder(step, student).parent for step in ("submitted", "autograded", "feedback")}
        for path in self.course.root.rglob("*"):
            if not own & {path, *path.parents} and path.is_file() and not path.name.startswith("gradebook.db"):
                status = path.lstat()
                state[str(path)] = status.st_size, status.st_mtime_ns, status.st_ino, status.st_mode
        folders = {Path(top) for top in ("/", "/tmp", "/var/tmp", "/dev/shm", "/etc", "/run", Path.home(), Path.cwd())}
        for top in folders | {self.course.project, self.course.root, *self.course.root.parents}:
            with contextlib.suppress(OSError):
                state |= {str(path): True for path in top.iterdir() if MARK in path.name and path not in self.canaries}
        return state | self._rows(student)

    def _rows(self, student: str) -> dict[str, Any]:
        """The gradebook's rows but for those of a student, by table and key."""
        rows: dict[str, Any] = {}
        with contextlib.closing(sqlite3.connect(self.course.root / "gradebook.db")) as base:
            own = {student}
            # Submissions, notebooks, grades and comments of the student hang on each other by their ids.
            for table, key in (
                ("submitted_assignment", "student_id"),
                ("submitted_notebook", "assignment_id"),
                ("grade", "notebook_id"),
                ("comment", "notebook_id"),
            ):
                places = ",".join("?" * len(own))
                own |= {row[0] for row in base.execute(f"select id from {table} where {key} in ({places})", [*own])}
            tables = [name for (name,) in base.execute("select name from sqlite_master where type = 'table'")]
            for table in tables:
                for row in base.execute(f"select * from {table}"):
                    if row[0] not in own:
                        rows[f"the gradebook's {table} {row[0]}"] = row
        return rows

    def _copies(self, student: str) -> list[Path]:
        """Files of the student's that hold a canary's text, and links among them."""
        return [p for p in self._made(student) if p.is_symlink() or self._holds_a_canary(p)]

    def _made(self, student: str) -> list[Path]:
        """The files that grading a student made."""
        folders = [self.course.folder(step, student) for step in ("autograded", "feedback")]
        return [path for folder in folders for path in folder.rglob("*") if path.is_file() or path.is_symlink()]

    def _megabytes(self, student: str) -> float:
        return sum(path.lstat().st_blocks * 512 for path in self._made(student)) / 1e6

    def _holds_a_canary(self, path: Path) -> bool:
        return path.stat().st_size < 1e8 and self.token.encode() in path.read_bytes()

    def _called(self) -> list[socket.socket]:
        called = []
        for listener in (self.network, self.abstract):
            listener.settimeout(0)
            with contextlib.suppress(OSError):
                while True:
                    listener.accept()[0].close()
                    called.append(listener)
        return called


class _Reads:
    """Notices that files are opened, also from inside a sandbox that has them mounted. On Linux only."""

    def __init__(self, paths: list[Path]):
        self.paths, self.watches, self.descriptor = paths, dict[int, Path](), -1

    def __enter__(self) -> "_Reads":
        if sys.platform == "linux":
            libc = ctypes.CDLL(None, use_errno=True)
            self.descriptor = _known(libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
            mask = _IN_ACCESS | _IN_MODIFY | _IN_OPEN  # what has been removed is seen anyway
            try:
                for path in self.paths:
                    self.watches[_known(libc.inotify_add_watch(self.descriptor, os.fsencode(path), mask))] = path
            except OSError:
                os.close(self.descriptor)
                raise
        return self

    def __exit__(self, *_: object) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)

    def seen(self) -> list[Path]:
        """The files that were opened or changed since the last call."""
        found = set()
        with contextlib.suppress(BlockingIOError, OSError):
            while self.descriptor >= 0:
                events = os.read(self.descriptor, 1 << 16)
                while events:  # struct inotify_event: wd, mask, cookie, len, name
                    found.add(int.from_bytes(events[:4], sys.byteorder))
                    events = events[16 + int.from_bytes(events[12:16], sys.byteorder) :]
        return sorted(path for number, path in self.watches.items() if number in found)


def _known(number: int) -> int:
    """What inotify gave.

    Raises:
        OSError: it gave nothing: unseen reads must not pass for none.
    """
    if number < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"files cannot be watched (inotify): {os.strerror(error)}")
    return number


def _mounts() -> list[str]:
    path = Path("/proc/self/mountinfo")
    return path.read_text().splitlines() if path.exists() else []


def _left_over(before: set[psutil.Process]) -> list[str]:
    """Processes in a sandbox that were not there before, have nobody any more, or still belong to this process."""
    end = time.monotonic() + SETTLE
    while found := set(_sandboxed()) - before:
        if time.monotonic() > end:
            return [str(process) for process in found]
        time.sleep(0.1)
    return []


def _sandboxed() -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if not _elsewhere(process.pid) or process.status() == psutil.STATUS_ZOMBIE:
                continue
            # Another grader on this machine has sandboxes of its own: they have a living ancestor that is not ours.
            above = [parent.pid for parent in process.parents() if not _elsewhere(parent.pid)]
            if os.getpid() in above or not set(above) - {1}:
                found.append(process)
    return found


def _elsewhere(pid: int) -> bool:
    """Whether a process is known to have other process numbers than this one: to be in a sandbox."""
    with contextlib.suppress(OSError):  # not every process may be asked, the machine's first one for example
        return os.readlink(f"/proc/{pid}/ns/pid") != os.readlink("/proc/self/ns/pid")
    return False
