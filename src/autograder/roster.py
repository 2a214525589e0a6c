"""Who takes the course, and which of them a file in an LMS's download is from.

An id becomes a folder's name and part of patterns, so not every text can be one. An id that comes from a download is
plain ASCII; letters of other alphabets, among which two can look the same, count where the roster has them.
"""

import csv
import io
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from autograder.course import Course
from autograder.errors import CourseError
from autograder.lms import Named

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+ -]*")
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")
# Ours first, then how the LMSs' own tables call it: Canvas's gradebook, Brightspace's, Moodle's grading worksheet.
_COLUMNS = {
    "id": ("student_id", "sis login id", "sis user id", "id", "orgdefinedid", "id number", "username"),
    "name": ("name", "full name", "student"),
    "first_name": ("first_name", "first name", "firstname"),
    "last_name": ("last_name", "last name", "lastname", "surname"),
    "email": ("email", "email address", "e-mail"),
    "lms_id": ("lms_id", "lms_user_id", "identifier", "id"),
    "handed_in": ("handed_in", "last modified (submission)"),
}


class Unmatched(Exception):
    """A file is of nobody that is known; the message goes on from its name."""


@dataclass(frozen=True)
class Student:
    """Somebody who takes the course."""

    id: str
    """The course's id, which is the folder's name."""
    name: str = ""
    """The name."""
    email: str = ""
    """The mail's address."""
    lms_id: str = ""
    """The LMS's number or id."""
    handed_in: str = ""
    """When the LMS says that something was handed in, in its words."""


def normal(text: str) -> str:
    """An id's or address's one form: case and look-alike encodings make no difference."""
    return unicodedata.normalize("NFKC", text.strip()).casefold()


def wrong_id(text: str) -> str:
    """Why a text cannot be a student's id, or an empty string."""
    if not text:
        return "is empty"
    if len(text.encode("utf-8", "replace")) > 100:
        return "has more than 100 characters"
    if text != unicodedata.normalize("NFC", text).strip() or not text.isprintable():
        return "has characters that cannot be seen"
    if found := re.search(r"[/\\:*?\"<>|\[\]{}(),]", text):  # parts of paths, and of nbgrader's patterns and lists
        return f"has the character {found[0]}"
    if text[0] in ".-" or text[-1] == "." or _RESERVED.fullmatch(text):
        return "cannot be a folder's name"
    return ""


def _letters(name: str) -> list[str]:
    """A name's words, without accents, capitals and punctuation."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    return re.findall(r"[^\W_]+", plain.casefold())


def _spellings(name: str) -> set[str]:
    """A name in one word, whichever of its words comes first."""
    words = _letters(name)
    return {"".join(words[i:] + words[:i]) for i in range(len(words))}


class Roster:
    """All students who are known.

    Args:
        students: who takes the course.
        origin: where this was read, for messages.
        complete: whether nobody else can have handed in.
        taken: further ids that are in use.
    """

    def __init__(self, students: Iterable[Student], origin: str, complete: bool, taken: Iterable[str] = ()):
        self.students = {student.id: student for student in students}
        self.origin, self.complete = origin, complete
        self._ids = {normal(name): name for name in [*taken, *self.students]}
        self._lms = {normal(s.lms_id): s for s in self.students.values() if s.lms_id}
        self._emails = {normal(s.email): s for s in self.students.values() if s.email}
        self._names: dict[str, list[Student]] = {}
        for student in self.students.values():
            for spelling in _spellings(student.name):
                self._names.setdefault(spelling, []).append(student)

    def find(self, named: Named) -> str:
        """The id of the student that a file is from.

        Raises:
            Unmatched: nobody, or more than one.
        """
        found = self._find(named)
        if reason := wrong_id(found):  # a gradebook may hold whatever a folder was once called
            raise Unmatched(f"is of {found[:40]!r}, whose id {reason}: {self._ask()}")
        return found

    def _find(self, named: Named) -> str:
        key = normal(named.lms_id)
        if student := self._lms.get(key) or self._emails.get(key):
            return student.id
        spelling = "".join(_letters(named.full_name))
        own = self.students.get(self._ids.get(key, ""))
        # Another's id may happen to be the number that the LMS gave somebody.
        if own and not (spelling and own.name and spelling not in _spellings(own.name)):
            return own.id
        called = self._names.get(spelling, []) if spelling else []
        if len(called) > 1:
            raise Unmatched(f"may be of {' or '.join(s.id for s in called)}, who have the same name: {self._ask()}")
        if called and called[0].lms_id:
            raise Unmatched(f"is of somebody called as {called[0].id} is, whose number in the LMS is another")
        if called:
            return called[0].id
        if self.complete:
            raise Unmatched(f"is of nobody in {self.origin}: {self._ask()}")
        return self._new(named.lms_id)

    def _new(self, name: str) -> str:
        """An id that only the download has."""
        if reason := wrong_id(name):
            raise Unmatched(f"has no usable id: {name[:40]!r} {reason}")
        known = self._ids.setdefault(normal(name), name)
        if known == name and (_PLAIN.fullmatch(name) or name in self.students):
            return known
        if known != name:
            raise Unmatched(f"is of {name!r}, which differs from {known!r} only in how it is written: {self._ask()}")
        del self._ids[normal(name)]
        raise Unmatched(f"has the id {name!r}, of other letters than A to Z: {self._ask()}")

    def _ask(self) -> str:
        return "put the student with an lms_id into the roster, and collect again"


def read_roster(path: Path, taken: Iterable[str] = ()) -> Roster:
    """Read a roster: a CSV with a column ``id`` and, as far as known, ``name``, ``email``, ``lms_id``, ``handed_in``.

    The tables that Canvas, Moodle and Brightspace export are understood as they are.

    Raises:
        CourseError: it cannot be read, with the line.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CourseError(f"the roster {path} cannot be read: {error.strerror}") from error
    try:
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", "replace")  # what Excel writes
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise CourseError(f"the roster {path} is no CSV: {error}") from error
    header = [cell.strip().lower() for cell in (rows[0] if rows else [])]
    where: dict[str, int] = {}
    for field, names in _COLUMNS.items():
        found = next((name for name in names if name in header and header.index(name) not in where.values()), None)
        if found is not None:
            where[field] = header.index(found)
    if "id" not in where:
        raise CourseError(f"the roster {path} has no column called id in its first line")
    students: list[Student] = []
    seen: dict[str, int] = {}
    for number, row in enumerate(rows[1:], 2):
        cells = {field: row[i].strip() if i < len(row) else "" for field, i in where.items()}
        name = cells.get("name") or " ".join(filter(None, (cells.get("first_name"), cells.get("last_name"))))
        student_id = unicodedata.normalize(
            "NFC", cells["id"].removeprefix("#")
        )  # Brightspace's #, so that Excel sees text
        if not student_id and (not any(cells.values()) or name.startswith("Points Possible")):
            continue
        if reason := wrong_id(student_id):
            raise CourseError(f"the roster {path}, line {number}: the id {student_id!r} {reason}")
        if normal(student_id) in seen:
            first = seen[normal(student_id)]
            raise CourseError(f"the roster {path}, lines {first} and {number}: the id {student_id!r} is there twice")
        seen[normal(student_id)] = number
        lms_id = re.sub(r"^Participant ", "", cells.get("lms_id", ""))
        handed_in = cells.get("handed_in", "").strip("-")
        students.append(Student(student_id, name, cells.get("email", ""), lms_id, handed_in))
    return Roster(students, path.name, complete=True, taken=taken)


def gradebook_roster(course: Course, taken: Iterable[str] = ()) -> Roster:
    """The gradebook's students; more may have handed in than those."""
    students = []
    if has_gradebook(course):
        with course.gradebook() as gradebook:
            for row in gradebook.students:
                name = " ".join(filter(None, (row.first_name, row.last_name)))
                students.append(Student(row.id, name, row.email or "", row.lms_user_id or ""))
    return Roster(students, "the gradebook", complete=False, taken=taken)


def has_gradebook(course: Course) -> bool:
    """Whether there is a gradebook: one that is a file would be made by looking."""
    file = course.directory.db_url.removeprefix("sqlite:///")
    return file == course.directory.db_url or Path(file).is_file()
