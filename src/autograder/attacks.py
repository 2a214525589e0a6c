"""Hostile submissions, graded under watch: does any of them earn what it should not, or touch what is not its own?

The attacks are the samples ``cheats__…`` and ``breaks__…`` of tests/submissions and the hand-ins of
`autograder.handins`. Each is graded as any submission is. `Watch` looks at what must not change meanwhile: files that
are planted around the course, other students' grades, processes, sockets. It looks from outside, so it finds effects
whatever the grader believes.
"""

import contextlib
import ctypes
import dataclasses
import os
import secrets
import shutil
import socket
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import psutil
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Table

from autograder.demo import broken_promises
from autograder.errors import CourseError
from autograder.exercises import EXERCISES
from autograder.handins import HANDINS, honest
from autograder.notebooks import ASSIGNMENT
from autograder.pipeline import Course
from autograder.report import Grades, exercise_of, read_grades
from autograder.sandbox import clean_up_stale
from autograder.submissions import Sample, read_sample

BYSTANDER = "bystander"
MARK = "hostile-sample"  # what the samples call the files that they leave behind
LIMITS = {"memory_mb": 2500, "processes": 160, "disk_mb": 100, "output_bytes": 5_000_000, "submission_seconds": 240}
SECONDS = {"cell_seconds": 8, "training_seconds": 120, "test_seconds": 10}
TRAINING_TEST_SECONDS = 150  # where the attack is about training, so that it fails on its merits
MOST_MB = 300  # that a submission's results may take of the grader's disk, ten times what a large one needs
SETTLE = 3.0  # seconds that a process which has been killed may take to disappear

_IN_ACCESS, _IN_MODIFY, _IN_OPEN = 0x1, 0x2, 0x20  # linux/inotify.h


@dataclasses.dataclass(frozen=True)
class Attack:
    """One hostile submission."""

    sample: Sample
    """What it may earn."""
    what: str
    """What it tries, in a sentence."""
    hand_in: Callable[[Course], None]
    """Puts it where submissions are collected."""


@dataclasses.dataclass(frozen=True)
class Result:
    """What became of an attack."""

    name: str
    """The submission's."""
    what: str
    """What it tried."""
    points: float
    """What it earned in all."""
    undeserved: float
    """Points of exercises that it did not answer, or answered wrongly."""
    broken: tuple[str, ...]
    """Where its points are not what they should be, undeserved or withheld, one sentence each."""
    effects: tuple[str, ...]
    """What changed outside its sandbox, one sentence each."""
    stopped_by: str
    """What stopped it: a limit, or what the judge said."""
    seconds: float
    """How long the grading took."""

    @property
    def withstood(self) -> bool:
        """Whether the attack had no success of any kind."""
        return not self.undeserved and not self.broken and not self.effects


class Watch:
    """Plants canaries around a course, and says what an attack did to them and to the machine.

    A context manager: the canaries go when it ends.
    """

    def __init__(self, course: Course):
        """Plant nothing yet.

        Args:
            course: with its release made and the bystander graded.
        """
        self.course, self.token = course, secrets.token_hex(8)
        name = f"hostile-canary-{self.token}.txt"
        own = course.folder("submitted", BYSTANDER)
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
        effects += [f"the sandbox left {path}" for path in clean_up_stale()]
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
            self.descriptor = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
            mask = _IN_ACCESS | _IN_MODIFY | _IN_OPEN  # what has been removed is seen anyway
            for path in self.paths:
                self.watches[libc.inotify_add_watch(self.descriptor, os.fsencode(path), mask)] = path
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


def _of_sample(path: Path, source: nbformat.NotebookNode) -> Attack:
    sample = read_sample(path, source)
    what = path.read_text(encoding="utf-8").split("\n")[1].removeprefix("# ")
    return Attack(sample, what, lambda course: course.hand_in(sample.name, sample.notebook))


def attacks(project: Path, source: nbformat.NotebookNode, only: str = "*") -> list[Attack]:
    """The hostile samples and hand-ins whose names fit a pattern."""
    texts = sorted((project / "tests" / "submissions").glob(f"{only}.py"))
    found = [_of_sample(path, source) for path in texts if path.stem.startswith(("cheats__", "breaks__"))]
    for hostile in HANDINS:
        if Path(hostile.name).match(only):
            sample = hostile.sample(source)

            def hand_in(course: Course, hostile: Any = hostile, sample: Sample = sample) -> None:
                folder = course.folder("submitted", hostile.name)
                folder.mkdir(parents=True)
                hostile.build(folder, nbformat.from_dict(sample.notebook))

            found.append(Attack(sample, hostile.what, hand_in))
    return found


def prepare(project: Path, folder: Path) -> Course:
    """Make a course with a bystander, an honest student who is graded already, and limits that attacks reach soon.

    Args:
        project: the project's root.
        folder: emptied first.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    course = Course(folder, project)
    course.config.JudgedExecute.limits = LIMITS
    for name, seconds in SECONDS.items():
        setattr(course.config.JudgedExecute, name, seconds)
    source = course.build()
    course.release()
    course.hand_in(BYSTANDER, honest(source).notebook)
    course.autograde(BYSTANDER)
    with course.gradebook() as gradebook:
        for key in ("unique-inverse", "why-pool"):
            grade = gradebook.find_grade(key, ASSIGNMENT, ASSIGNMENT, BYSTANDER)
            grade.manual_score, grade.needs_manual_grade = 3.0, False
        gradebook.db.commit()
    return course


def grade(course: Course, attack: Attack, watch: Watch) -> Result:
    """Hand in an attack, grade it, write its feedback, and see what it got and did."""
    name = attack.sample.name
    trains = any(key.endswith(("cnn", "cnn-bn")) for key in attack.sample.attempted)
    course.config.JudgedExecute.test_seconds = TRAINING_TEST_SECONDS if trains else SECONDS["test_seconds"]
    start = time.monotonic()
    attack.hand_in(course)
    broken: list[str] = []
    with watch.over(name) as effects:
        try:
            course.autograde(name)
            course.feedback(name)
        except CourseError as error:
            broken.append(f"{name} was dropped: {error}")
    seconds = time.monotonic() - start
    if broken:
        return Result(name, attack.what, 0, 0, tuple(broken), tuple(effects), "nothing", seconds)
    with course.gradebook() as gradebook:
        grades = read_grades(gradebook, name)
    stopped_by = _stopped_by(course, attack.sample)
    points, undeserved = grades.total(by_hand=False), _undeserved(attack.sample, grades)
    broken = broken_promises(attack.sample, grades)
    return Result(name, attack.what, points, undeserved, tuple(broken), tuple(effects), stopped_by, seconds)


def _undeserved(sample: Sample, grades: Grades) -> float:
    """Points in exercises that a sample did not answer or must lose: a hostile one loses all of their points."""
    undeserved = 0.0
    for key, score in grades.scores.items():
        deserved = score.maximum if key in sample.attempted - sample.loses or EXERCISES[key].by_hand else 0.0
        undeserved += max(score.points - deserved, 0.0)
    return undeserved


def _stopped_by(course: Course, sample: Sample) -> str:
    """A limit that was hit, a kernel's death, or what the judge said in the first exercise that the attack aims at."""
    course_data = _graded(course, sample.name).metadata.get("course", {})
    evidence, repairs = course_data.get("evidence", {}), course_data.get("repairs", [])
    if "not run" in evidence:
        return f"not run: {evidence['not run']}"
    left_out = evidence["sandbox"]["left_out"]
    for reasons in (evidence["sandbox"]["limits_hit"], evidence["kernel deaths"]):
        if reasons:
            return f"the sandbox: {reasons[0]}"
    for name, outcome in evidence["outcomes"].items():
        if exercise_of(name) in sample.loses and outcome["status"] != "passed":
            return f"the judge: {outcome['message']}"
    if left_out:
        return f"left out: {left_out[0]}"
    return f"poured: {repairs[0]}" if repairs else "the judge"


def _graded(course: Course, student: str) -> nbformat.NotebookNode:
    return nbformat.read(course.folder("autograded", student) / f"{ASSIGNMENT}.ipynb", as_version=4)


def table(results: list[Result]) -> Table:
    """Attack, what stopped it, score."""
    shown = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    shown.add_column("attack", max_width=42, overflow="fold")
    shown.add_column("what stopped it", max_width=56, overflow="fold")
    shown.add_column("score", justify="right")
    shown.add_column("undeserved", justify="right")
    shown.add_column("seconds", justify="right")
    for result in results:
        stopped_by = escape(" ".join(result.stopped_by.split())[:150])
        if not result.withstood:
            stopped_by = "[red]" + escape("; ".join((*result.broken, *result.effects))[:1000] or "nothing") + "[/]"
        undeserved = f"[red]{result.undeserved:g}[/]" if result.undeserved else "0"
        name = escape(result.name).replace("__", ": ", 1).replace("_", " ")
        shown.add_row(name, stopped_by, f"{result.points:g}", undeserved, f"{result.seconds:.1f}")
    return shown


def run(project: Path, folder: Path, console: Console, only: str = "*") -> list[Result]:
    """Grade every attack in a course of its own, and show the table.

    Args:
        project: the project's root.
        folder: emptied first.
        console: where to show progress and the table.
        only: a pattern of the attacks' names.

    Raises:
        CourseError: there is no such attack, or the course could not be prepared.
    """
    course = prepare(project, folder)
    chosen = attacks(project, course.source(), only)
    if not chosen:
        raise CourseError(f"there is no attack called {only!r}")
    with Watch(course) as watch:
        results = [grade(course, attack, watch) for attack in track(chosen, "attacking", console=console)]
    console.print(table(results))
    return results
