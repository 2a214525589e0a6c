"""Tests of `autograder enrol`: a roster's students stand in the gradebook, whatever wrote it, and nobody is lost."""

import shutil

import pytest
from typer.testing import CliRunner

from autograder import cli
from autograder.course import Course
from autograder.errors import CourseError

HEADER = "id,first_name,last_name,email,lms_user_id"


@pytest.fixture
def course(project, tmp_path):
    """A course with a gradebook and nobody in it."""
    shutil.copy(project / "nbgrader_config.py", tmp_path)
    course = Course(tmp_path)
    with course.gradebook():
        pass
    return course


@pytest.fixture
def enrol(course):
    """Enters a table, given as text or bytes; returns what is printed, or the error."""

    def run(table, *arguments):
        path = course.root / "table.csv"
        path.write_bytes(table if isinstance(table, bytes) else table.encode())
        done = CliRunner().invoke(cli.app, ["enrol", str(path), "--root", str(course.root), *arguments])
        if done.exception is not None and not isinstance(done.exception, CourseError):
            raise done.exception
        return done.output if done.exception is None else str(done.exception)

    return run


def students(course):
    """The gradebook's, by id."""
    with course.gradebook() as gradebook:
        return {s.id: (s.first_name, s.last_name, s.email, s.lms_user_id) for s in gradebook.students}


ADA = {"ada": ("Ada", "Lovelace", "ada@x.org", "17")}
TEXT = f"{HEADER}\nada,Ada,Lovelace,ada@x.org,17\n"


@pytest.mark.parametrize(
    "table",
    [
        TEXT,
        "\ufeff" + TEXT,
        TEXT.replace(",", ";"),
        TEXT.replace(",", "\t").replace("\n", "\r\n"),
        "id,name,email,lms_id\nada,Ada Lovelace,ada@x.org,17\n",
        'id,name,email,lms_id\nada,"Lovelace, Ada",ada@x.org,17\n',
    ],
    ids=["plain", "byte-order mark", "semicolons", "tabs", "one name", "last name first"],
)
def test_a_table_is_entered_whatever_wrote_it(enrol, course, table):
    """Are plain tables, Excel's kinds and names in one column all understood?"""
    assert "1 new student, 0 changed" in enrol(table)
    assert students(course) == ADA


def test_letters_of_an_old_excel(enrol, course):
    """Is a table in Windows's own letters read as it was meant?"""
    enrol(f"{HEADER}\njose,José,Muñoz,,\n".encode("cp1252"))
    assert students(course) == {"jose": ("José", "Muñoz", None, None)}


def test_who_is_there_is_completed_and_nobody_is_lost(enrol, course):
    """Does a second table complete and correct, under the id that is there, and keep what it does not mention?"""
    enrol(f"{HEADER}\nada,Ada,Lovelace,ada@x.org,\nbob,Bob,Brown,,5\n")
    moodle = "Identifier,Full name,Email address\nParticipant 17,Ada Lovelace,ada@x.org\n"
    dry = enrol(moodle, "--dry-run")
    assert "ada: lms_user_id '' is now '17'" in dry and "Nothing was changed" in dry
    assert students(course)["ada"] == ("Ada", "Lovelace", "ada@x.org", None)
    said = enrol(moodle)
    assert "0 new students, 1 changed, 0 as before" in said and "Not in table.csv, and kept: bob" in said
    assert students(course) == ADA | {"bob": ("Bob", "Brown", None, "5")}
    assert "0 new students, 0 changed, 1 as before" in enrol(moodle)
    enrol("id,first_name,last_name\nbob,Bob van,der Berg\n")
    assert "0 changed, 1 as before" in enrol("id,name\nbob,Bob van der Berg\n")
    assert students(course)["bob"] == ("Bob van", "der Berg", None, "5")


def test_two_people_of_one_name_stay_two(enrol, course):
    """Is somebody with a name that is there already, and an id of their own, entered beside them?"""
    enrol("id,name,email\njdv1,Jan de Vries,jdv1@x.org\n")
    assert "1 new student" in enrol("id,name,email\njdv2,Jan de Vries,jdv2@x.org\n")
    assert "1 new student" in enrol("id,name\njdv3,Jan de Vries\n")
    assert {name: row[2] for name, row in students(course).items()} == {
        "jdv1": "jdv1@x.org",
        "jdv2": "jdv2@x.org",
        "jdv3": None,
    }


def test_who_is_new_needs_an_id(enrol, course):
    """Is a table refused in which somebody new has no id, also if others in it are known, and nothing entered?"""
    enrol(TEXT)
    said = enrol("id,name,email\nada,Ada Lovelace,new@x.org\n,Bob New,bob@x.org\nx/1,Cy New,\n")
    assert "nobody was entered" in said and "Bob New (line 3" in said and "Cy New (line 4" in said
    assert students(course) == ADA


def test_a_table_that_cannot_be_used_changes_nothing(enrol, course):
    """Is a table without ids, or with an id that no folder can have, refused with the reason?"""
    assert "no column called id" in enrol("name\nAda\n")
    assert "line 3: the id '../x'" in enrol(f"{HEADER}\nada,,,,\n../x,,,,\n")
    assert students(course) == {}
