"""Who takes the course, and which of them a file in an LMS's download is from.

An id becomes a folder's name and part of patterns, so not every text can be one. An id that comes from a download is
plain ASCII; letters of other alphabets, among which two can look the same, count where the roster has them.
"""

import csv
import io
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from autograder.course import Course
from autograder.errors import CourseError
from autograder.lms import Named

T = TypeVar("T")
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
    first_name: str = ""
    """The name's part, where a table has the two apart."""
    last_name: str = ""
    """The other."""


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


def share_a_word(one: str, other: str) -> bool:
    """Whether two names have a word in common; an LMS may write a name in one word."""
    joined = "".join(_letters(one))
    return any(word in joined for word in _letters(other) if len(word) > 2)


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
        strangers: those in it who are no students of the gradebook's, for messages.
        without_id: those of them without a usable id, who are not in it.
    """

    def __init__(
        self,
        students: Iterable[Student],
        origin: str,
        complete: bool,
        taken: Iterable[str] = (),
        strangers: Iterable[str] = (),
        without_id: Iterable[str] = (),
    ):
        self.students = {student.id: student for student in students}
        self.strangers, self.without_id = tuple(strangers), tuple(without_id)
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


@dataclass(frozen=True)
class _Row:
    """A line of a roster."""

    line: int
    """Its number."""
    ids: tuple[str, ...]
    """All that may be the course's id, the likeliest first."""
    student: Student
    """What it says; the id may be empty, or none that can be used."""


def read_roster(
    path: Path, taken: Iterable[str] = (), known: Sequence[Student] = (), *, ids_count: bool = False
) -> Roster:
    """Read a roster: a CSV with the columns ``id``, ``name``, ``email``, ``lms_id``, ``handed_in``, as far as known.

    The tables that Canvas, Moodle and Brightspace export are understood as they are. A row that is one of the
    gradebook's students, by id, e-mail, number in the LMS or name, adds to what is known of that student. Where no row
    is, the roster stands for itself, and must have ids.

    Args:
        path: the file.
        taken: further ids that are in use.
        known: the gradebook's students.
        ids_count: whether a row with another id is somebody else, though the name be the same.

    Raises:
        CourseError: it cannot be read, with the line.
    """
    rows, has_ids = _rows(path)
    found = _matched(rows, known, ids_count)
    if not found and not has_ids:
        nobody = (
            ", and nobody in it is a student of the gradebook's by e-mail, number in the LMS or name" if known else ""
        )
        raise CourseError(f"the roster {path} has no column called id in its first line{nobody}")
    students: list[Student] = []
    strangers: list[str] = []
    without_id: list[str] = []
    seen: dict[str, int] = {}
    for row in rows:
        own, listed = row.student, found.get(row.line)
        reason = wrong_id(own.id)
        if own.id and normal(own.id) in seen:
            first = seen[normal(own.id)]
            raise CourseError(f"the roster {path}, lines {first} and {row.line}: the id {own.id!r} is there twice")
        seen[normal(own.id)] = row.line
        if listed is not None:
            fields = {field: getattr(own, field) or getattr(listed, field) for field in ("name", "email", "lms_id")}
            students.append(replace(own, id=listed.id, **fields))
            continue
        if reason and not found:
            raise CourseError(f"the roster {path}, line {row.line}: the id {own.id!r} {reason}")
        who = own.name or own.email or own.id or own.lms_id
        strangers.append(f"{who} ({f'line {row.line}, without a usable id' if reason else f'as {own.id}'})")
        if reason:
            without_id.append(strangers[-1])
        else:
            students.append(own)
    strangers = strangers if known else []
    return Roster(students, path.name, complete=True, taken=taken, strangers=strangers, without_id=without_id)


def _rows(path: Path) -> tuple[list[_Row], bool]:
    """A roster's lines, and whether there is a column with ids.

    Raises:
        CourseError: it cannot be read.
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
        lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise CourseError(f"the roster {path} is no CSV: {error}") from error
    header = [cell.strip().lower() for cell in (lines[0] if lines else [])]
    where: dict[str, int] = {}
    for field, names in _COLUMNS.items():
        found = next((name for name in names if name in header and header.index(name) not in where.values()), None)
        if found is not None:
            where[field] = header.index(found)
    ids = [header.index(name) for name in _COLUMNS["id"] if name in header]
    ids = [place for place in ids if place == where["id"] or place not in where.values()]
    rows = []
    for number, line in enumerate(lines[1:], 2):
        cells = {field: line[i].strip() if i < len(line) else "" for field, i in where.items()}
        name = cells.get("name") or " ".join(filter(None, (cells.get("first_name"), cells.get("last_name"))))
        told = tuple(_id(line[i]) for i in ids if i < len(line) and _id(line[i]))
        student_id = _id(cells.get("id", ""))
        if not student_id and (not any(cells.values()) or name.startswith("Points Possible")):
            continue
        lms_id = re.sub(r"^Participant ", "", cells.get("lms_id", ""))
        handed_in = cells.get("handed_in", "").strip("-")
        apart = cells.get("first_name", ""), cells.get("last_name", "")
        own = Student(student_id, name, cells.get("email", ""), lms_id, handed_in, *apart)
        rows.append(_Row(number, told, own))
    return rows, "id" in where


def _id(cell: str) -> str:
    """An id as a table has it: Brightspace writes a # before it, so that Excel sees text."""
    return unicodedata.normalize("NFC", cell.strip().removeprefix("#"))


def _matched(rows: Sequence[_Row], known: Sequence[Student], ids_count: bool) -> dict[int, Student]:
    """By line, the student whom a row is about: the surest way first, and no way that leads to two rows or students."""
    ways: dict[str, tuple[Callable[[_Row], Iterable[str]], Callable[[Student], Iterable[str]]]] = {
        "id": (lambda row: [row.student.id], lambda student: [student.id]),
        "another id": (lambda row: row.ids, lambda student: [student.id]),
        "e-mail": (lambda row: [row.student.email], lambda student: [student.email, *_address(student.id)]),
        "number": (lambda row: [row.student.lms_id], lambda student: [student.lms_id]),
        "name": (lambda row: _spellings(row.student.name), lambda student: _spellings(student.name)),
    }
    found: dict[int, Student] = {}
    for way, (of_row, of_student) in ways.items():
        lines, students = _by_key(rows, of_row), _by_key(known, of_student)
        for key, fitting in lines.items():
            if len(fitting) > 1 or len(students.get(key, ())) != 1:
                continue
            (row,), (student,) = fitting, students[key]
            # Moodle's numbers of participants may be others' numbers elsewhere, and two people may have one name.
            doubtful = way == "number" and _have_other_names(row.student, student)
            if way == "name":
                has_id = ids_count and not wrong_id(row.student.id)
                doubtful = has_id or _have_other_addresses(row.student, student)
            if row.line not in found and student not in found.values() and not doubtful:
                found[row.line] = student
    return found


def _address(student_id: str) -> list[str]:
    return [student_id] if "@" in student_id else []


def _by_key(items: Iterable[T], keys: Callable[[T], Iterable[str]]) -> dict[str, list[T]]:
    """What has a key, by the key."""
    result: dict[str, list[T]] = {}
    for item in items:
        for key in dict.fromkeys(map(normal, keys(item))):
            if key:
                result.setdefault(key, []).append(item)
    return result


def _have_other_addresses(one: Student, other: Student) -> bool:
    return bool(one.email and other.email and normal(one.email) != normal(other.email))


def _have_other_names(one: Student, other: Student) -> bool:
    if not one.name or not other.name or _spellings(one.name) & _spellings(other.name):
        return False
    return not share_a_word(one.name, other.name)


def gradebook_roster(course: Course, taken: Iterable[str] = ()) -> Roster:
    """The gradebook's students; more may have handed in than those."""
    students = []
    if has_gradebook(course):
        with course.gradebook() as gradebook:
            for row in gradebook.students:
                first, last = row.first_name or "", row.last_name or ""
                name = " ".join(filter(None, (first, last)))
                known = row.email or "", row.lms_user_id or ""
                students.append(Student(row.id, name, *known, first_name=first, last_name=last))
    return Roster(students, "the gradebook", complete=False, taken=taken)


def has_gradebook(course: Course) -> bool:
    """Whether there is a gradebook: one that is a file would be made by looking."""
    file = course.directory.db_url.removeprefix("sqlite:///")
    return file == course.directory.db_url or Path(file).is_file()
