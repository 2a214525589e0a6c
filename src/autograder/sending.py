"""Feedback for a class: which pages are missing or no longer true, writing them, and the zip for the LMS.

A page holds a fingerprint of what it was made from (`autograder.feedback`): what has not changed since is not written
again, and what was marked or graded anew is. A page lands whole or not at all.
"""

import contextlib
import dataclasses
import functools
import logging
import re
import shutil
import zipfile
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from nbgrader.converters import GenerateFeedback
from nbgrader.converters.base import NbGraderException

from autograder import durable
from autograder.collected import Collected, HandIn, read_collected, shown
from autograder.course import Course, alembic_on_path
from autograder.errors import CourseError
from autograder.exercises import EXERCISES
from autograder.feedback import fingerprint
from autograder.lms import KINDS, collector
from autograder.marks import Marks, read_marks
from autograder.notebooks import ASSIGNMENT
from autograder.report import exercise_of
from autograder.standing import behind, sentences
from autograder.words import listed
from autograder.workers import cores

FEW = 60  # pages that one process writes in the time that others take to start
_FINGERPRINT = re.compile(rb'<meta name="fingerprint" content="([0-9a-f]+)">')
_EARLIEST = (1980, 1, 1, 0, 0, 0)  # every entry's date: the same pages give the same zip


@dataclasses.dataclass(frozen=True)
class Class:
    """The students whose feedback is asked for."""

    marks: dict[str, Marks]
    """Of those that are graded, by student."""
    ungraded: list[str]
    """Those that handed in and are not graded yet, or whose points are not those of now."""
    behind: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Of the latter, why."""

    def still_open(self) -> list[str]:
        """What keeps these points from being final: a line for each kind of thing, with the students."""
        kinds = {
            "Tests that could not be graded": self.waiting(by_hand=False),
            "Written answers that wait for marking": self.waiting(by_hand=True),
            "Not graded yet (run `autograder grade`)": {s: [] for s in self.ungraded if s not in self.behind},
        }
        lines = []
        for what, who in kinds.items():
            names = [f"{shown(student)} ({' '.join(numbers)})".removesuffix(" ()") for student, numbers in who.items()]
            if names:
                lines.append(f"{what}: {listed(names)}")
        return lines + sentences(self.behind)

    def final(self) -> "Class":
        """Those of whom nothing is open."""
        return Class({student: marks for student, marks in self.marks.items() if not marks.waiting}, [])

    def waiting(self, *, by_hand: bool) -> dict[str, list[str]]:
        """By student, the numbers of exercises that wait for a person: written answers, or tests not graded."""
        found = {}
        for student, marks in self.marks.items():
            keys = {exercise_of(cell) for cell in marks.waiting}
            numbers = [e.number for key, e in EXERCISES.items() if key in keys and e.by_hand == by_hand]
            if numbers:
                found[student] = list(dict.fromkeys(numbers))
        return found


class _Converter(GenerateFeedback):
    """nbgrader's own, for one student; but the page is all that it writes, and it replaces an earlier one at once."""

    def init_notebooks(self) -> None:
        """Nothing to look for: which notebook it is, is known."""

    def convert_notebooks(self) -> None:
        """Convert it; what goes wrong is raised, and an earlier page stays."""
        folder = self._format_source(ASSIGNMENT, self.coursedir.student_id)
        self.convert_single_notebook(str(Path(folder, f"{ASSIGNMENT}.ipynb")))

    def write_single_notebook(self, output: str, resources: Mapping[str, Any]) -> None:
        """Write the page beside its place, and move it there."""
        names = resources["nbgrader"]
        folder = Path(self._format_dest(names["assignment"], names["student"]))
        folder.mkdir(parents=True, exist_ok=True)
        with durable.replacing(folder / f"{names['notebook']}.html") as part:
            part.write_text(output, encoding="utf-8")
            part.chmod(int(str(self.permissions), 8))
        # By the first nbgrader knows, without --force, which pages are older than their submissions; by the second its
        # exchange finds whose a page is.
        for name in ("timestamp.txt", "submission_secret.txt"):
            file = Path(self._format_source(names["assignment"], names["student"]), name)
            if file.is_file():
                shutil.copyfile(file, folder / name)


def page_of(course: Course, student: str) -> Path:
    """Where a student's page is."""
    return course.folder("feedback", student) / f"{ASSIGNMENT}.html"


def read_class(course: Course, students: Collection[str] | None = None) -> Class:
    """The students whose feedback is asked for, as the gradebook has them now.

    Args:
        course: the course.
        students: whose; by default all who handed in.

    Raises:
        CourseError: nobody handed in, or one of these did not.
    """
    there = course.handed_in()
    if unknown := sorted(set(students or ()) - set(there)):
        raise CourseError(f"nothing was handed in by {', '.join(unknown)}; there is {', '.join(there) or 'nobody'}")
    if not there:
        raise CourseError(f"nothing was handed in: {course.folder('submitted', 'STUDENT')} is where a notebook belongs")
    chosen = sorted(set(students)) if students else there
    with course.gradebook() as gradebook:
        known = read_marks(gradebook, chosen)
    graded = {
        student: known[student] for student in chosen if student in known and _notebook(course, student).is_file()
    }
    reasons = behind(course.directory, graded, evident=True)
    graded = {student: marks for student, marks in graded.items() if student not in reasons}
    return Class(graded, [student for student in chosen if student not in graded], reasons)


def _notebook(course: Course, student: str) -> Path:
    return course.folder("autograded", student) / f"{ASSIGNMENT}.ipynb"


def outdated(course: Course, marks: Mapping[str, Marks]) -> list[str]:
    """The students whose page is missing, or was made from something else than what there is now."""
    source = course.folder("source") / f"{ASSIGNMENT}.ipynb"
    found = []
    for student, own in marks.items():
        try:
            with page_of(course, student).open("rb") as page:
                has = _FINGERPRINT.search(page.read(4096))
        except OSError:
            has = None
        if has is None or has[1].decode() != fingerprint(_notebook(course, student), source, own):
            found.append(student)
    return found


def write_pages(
    course: Course, students: Collection[str], jobs: int | None = None, done: Callable[[str, str], None] | None = None
) -> dict[str, str]:
    """Write these students' pages.

    Args:
        course: the course.
        students: whose.
        jobs: how many processes; by default one for a few pages, else one per core.
        done: called after each page, with the student and why it could not be written.

    Returns:
        By student, why the page could not be written.
    """
    jobs = min(jobs or (1 if len(students) < FEW else cores()), max(len(students), 1))
    folders = course.root, course.project
    failed = {}
    with contextlib.ExitStack() as stack:
        if jobs == 1:
            results: Any = ((student, write_page(*folders, student)) for student in students)
        else:
            pool = ProcessPoolExecutor(jobs, mp_context=get_context("spawn"))
            stack.callback(pool.shutdown, cancel_futures=True)
            tasks = {pool.submit(write_page, *folders, student): student for student in students}
            results = ((tasks[task], _result(task, *folders, tasks[task])) for task in as_completed(tasks))
        for student, why in results:
            if why:
                failed[student] = why
            if done is not None:
                done(student, why)
    return failed


def _result(task: Future[str], root: Path, project: Path, student: str) -> str:
    """What a process said; where it died, the page is written here."""
    try:
        return task.result()
    except BrokenProcessPool:
        return write_page(root, project, student)


@functools.lru_cache(maxsize=1)
def _course(root: Path, project: Path) -> Course:
    logging.getLogger("traitlets").setLevel(logging.ERROR)  # what goes wrong is said once, by who asked for the page
    return Course(root, project)


def write_page(root: Path, project: Path, student: str) -> str:
    """Write one page, in this process.

    Args:
        root: the course's folder.
        project: the folder of its settings.
        student: whose.

    Returns:
        Why it could not be written, or an empty string.
    """
    course = _course(root, project)
    before = course.directory.assignment_id, course.directory.student_id
    course.directory.assignment_id, course.directory.student_id = ASSIGNMENT, student
    try:
        with alembic_on_path():
            _Converter(coursedir=course.directory, config=course.config).start()
    except (NbGraderException, CourseError) as error:
        return str(error)
    except OSError as error:
        return f"the page could not be written: {error.strerror or error}"
    except Exception as error:  # whatever a submission makes a library raise: it is this one's trouble only
        return f"the page could not be made ({type(error).__name__}: {str(error)[:300]})"
    finally:
        course.directory.assignment_id, course.directory.student_id = before
    return ""


def pack(course: Course, students: Collection[str], path: Path) -> int:
    """Pack these students' pages into a zip, under the names by which the LMS knows them.

    A page is named as the hand-in was in the LMS's download, which is what Moodle and Brightspace ask for; where that
    is not known, ``STUDENT_gcnn.html``.

    Args:
        course: the course.
        students: whose; those without a page are left out.
        path: the zip; one that is there is replaced.

    Returns:
        How many pages are in it.

    Raises:
        CourseError: it cannot be written, or there is no page.
    """
    pages = {student: page_of(course, student) for student in sorted(students)}
    pages = {student: page for student, page in pages.items() if page.is_file()}
    if not pages:
        raise CourseError("there is no page to pack: grade first, then write feedback")
    names = entry_names(course, pages)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with durable.replacing(path) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
            for student, page in pages.items():
                entry = zipfile.ZipInfo(names[student], _EARLIEST)
                entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
                archive.writestr(entry, page.read_bytes())
    except OSError as error:
        raise CourseError(f"{path} cannot be written: {error.strerror or error}") from error
    return len(pages)


def entry_names(course: Course, students: Collection[str]) -> dict[str, str]:
    """Each student's name in the zip, no two of them alike on any system."""
    collected = read_collected(course) or Collected("", "", "")
    hand_ins = {hand.student: hand for hand in collected.hand_ins}
    names: dict[str, str] = {}
    taken: set[str] = set()
    for student in students:
        name = _as_in_lms(course, hand_ins[student]) if student in hand_ins else ""
        stem = re.sub(r"[^\w.@+ -]", "_", student).strip(". ")[:120] or "student"
        name, number = name or f"{stem}_{ASSIGNMENT}.html", 1
        while name.casefold() in taken:
            number += 1
            name = f"{stem}_{number}_{ASSIGNMENT}.html"
        taken.add(name.casefold())
        names[student] = name
    return names


def _as_in_lms(course: Course, hand_in: HandIn) -> str:
    """How the LMS named a hand-in, with a page in the place of the file; an empty string where that is not known."""
    kind = next((key for key, value in KINDS.items() if hand_in.lms in (key, value.title)), "")
    if not kind:
        return ""
    try:
        named = collector(kind, course.config).named(hand_in.file)
    except CourseError:
        return ""
    if named is None or not hand_in.file.endswith(named.file):
        return ""
    prefix = hand_in.file.removesuffix(named.file)
    folder = prefix.endswith("/")
    own = prefix.rstrip("/").rpartition("/")[2] + ("/" if folder else "")
    # The name is a student's and an archive's: it must be one plain name on every system.
    if not own.strip("./ ") or len(own) > 200 or not own.isprintable() or re.search(r'[\\:*?"<>|]', own):
        return ""
    return f"{own}{ASSIGNMENT}.html"
