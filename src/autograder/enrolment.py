"""Enters a roster's students in the gradebook, and completes what it knows of those who are there; removes nobody."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from autograder.course import Course
from autograder.errors import CourseError
from autograder.roster import Student, gradebook_roster, read_roster
from autograder.words import listed

_FIELDS = ("first_name", "last_name", "email", "lms_user_id")  # nbgrader's


@dataclasses.dataclass(frozen=True)
class Enrolled:
    """What became of a roster."""

    new: tuple[str, ...]
    """The ids of those who were not in the gradebook."""
    changed: dict[str, str]
    """By id of those who were: what is other than before, in a sentence."""
    same: int
    """How many are as they were."""
    others: tuple[str, ...]
    """The ids in the gradebook of whom the roster says nothing."""


def enrol(course: Course, path: Path, dry_run: bool = False) -> Enrolled:
    """Enter a roster's students.

    Args:
        course: the course.
        path: a CSV as `autograder.roster.read_roster` takes it. A row of a student who is in the gradebook is known by
            id, e-mail, number in the LMS or, if it has no id, name; what the row leaves out stays as it is.
        dry_run: change nothing.

    Raises:
        CourseError: the roster cannot be read, or somebody new in it has no usable id.
    """
    known = gradebook_roster(course).students
    roster = read_roster(path, known=tuple(known.values()), ids_count=True)
    if roster.without_id:
        raise CourseError(
            f"nobody was entered: who is new needs an id that a folder can have: {listed(roster.without_id)}"
        )
    students = roster.students
    new, changed, same = [], {}, 0
    with course.gradebook() as gradebook:
        for student in students.values():
            row = known.get(student.id)
            before = {} if row is None else _fields(row)
            fields = _told(student, before)
            others = {name: was for name, was in before.items() if fields.get(name, was) != was}
            if row is None:
                new.append(student.id)
            elif others:
                changed[student.id] = ", ".join(
                    f"{name} {was!r} is now {fields[name]!r}" for name, was in others.items()
                )
            else:
                same += 1
                continue
            if not dry_run:
                gradebook.update_or_create_student(student.id, **fields)
    return Enrolled(tuple(new), changed, same, tuple(sorted(known.keys() - students.keys())))


def _fields(student: Student) -> dict[str, str]:
    """What is known of a student, as nbgrader calls it."""
    names = student.first_name, student.last_name
    return dict(zip(_FIELDS, (*names, student.email, student.lms_id), strict=True))


def _told(student: Student, before: Mapping[str, str]) -> dict[str, str]:
    """What a row tells of a student, as far as it does.

    A name that is the same in all is left as it was cut in two before: a table with one column for it does not say how.
    """
    fields = _fields(student)
    first, last = student.first_name, student.last_name
    if not first and not last:
        family, comma, given = student.name.partition(",")
        first, last = (given, family) if comma else student.name.rpartition(" ")[::2]
        fields |= {"first_name": first, "last_name": last}
    if " ".join((first, last)).split() == " ".join((before.get("first_name", ""), before.get("last_name", ""))).split():
        fields |= {"first_name": "", "last_name": ""}
    return {name: value.strip() for name, value in fields.items() if value.strip()}
