"""Tests of a gradebook file that cannot be used: one sentence with what to do, whoever asks, and nothing changed."""

import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
import pytest
from sqlalchemy import text

from autograder import database, rehearsal
from autograder.course import Course
from autograder.errors import CourseError
from autograder.notebooks import ASSIGNMENT

BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def made(project, tmp_path_factory):
    """A small course with its release made and a submission that nobody has graded; to be copied."""
    root = tmp_path_factory.mktemp("made")
    (root / "nbgrader_config.py").write_text((project / "nbgrader_config.py").read_text())
    course = Course(root)
    source = nbformat.read(project / "source" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb", as_version=4)
    for handed in rehearsal.hand_ins(rehearsal.open_course(course, source), 1):
        rehearsal.hand_in(course, handed)
    return root


@pytest.fixture
def course(made, tmp_path):
    """A copy of that course."""
    return Course(Path(shutil.copytree(made, tmp_path / "course")))


def again(course, query=""):
    """The same course, opened anew; its file with such a query."""
    if query:
        url = f"sqlite:///file:{course.root / 'gradebook.db'}?{query}&uri=true"
        with (course.root / "nbgrader_config.py").open("a") as file:
            file.write(f"\nc.CourseDirectory.db_url = {url!r}\n")
    return Course(course.root)


def state(course):
    """What must not change: the gradebook's bytes, and which files there are."""
    files = {str(path) for path in course.root.rglob("*") if ".jupyter" not in str(path)}
    return hashlib.sha256((course.root / "gradebook.db").read_bytes()).hexdigest(), files


def left(course):
    """What a step that failed left of grades."""
    graded = [path for path in (course.root / "autograded").rglob("*") if path.is_file()]
    return [*graded, *course.root.glob("*.csv")]


def said(step):
    """The one sentence that a step ends with."""
    with pytest.raises(CourseError) as caught:
        step()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def autograder(*arguments):
    """Run the command line as an instructor would."""
    command = [BIN / "autograder", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def steps(course):
    """What opens the gradebook: nbgrader's steps, and we ourselves."""
    return (
        lambda: course.autograde("student-0000"),
        lambda: course.feedback("student-0000"),
        lambda: course.gradebook().__enter__(),
    )


def test_a_gradebook_of_an_older_nbgrader_is_upgraded_as_the_sentence_says(course):
    """Is an old one refused by every step, untouched, and brought up to date by the command that is named?"""
    with sqlite3.connect(course.root / "gradebook.db") as base:
        base.executescript(
            "create table old (id varchar(32) primary key, name varchar(128) not null unique, duedate datetime);"
            "insert into old select id, name, duedate from assignment;"
            "drop table assignment; alter table old rename to assignment; drop table course;"
            "alter table student drop column lms_user_id;"
            "update alembic_version set version_num = '167914646830';"
        )
    before = state(course)
    for step in steps(again(course)):
        sentence = said(step)
        assert sentence.endswith("was made by an older nbgrader. " + database.UPGRADE)
    done = autograder("grade", "--root", course.root)
    assert done.returncode == 1 and "made by an older nbgrader" in done.stderr and "Traceback" not in done.stderr
    assert state(course)[0] == before[0] and not left(course)
    path = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    command = [BIN / "nbgrader", "db", "upgrade"]
    done = subprocess.run(command, cwd=course.root, capture_output=True, text=True, timeout=60, env=path)
    assert done.returncode == 0, done.stderr
    assert len(list(course.root.glob("gradebook.db.*"))) == 1  # the copy
    with again(course).gradebook() as gradebook:
        assert gradebook.find_assignment(ASSIGNMENT).max_score == 18


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("update alembic_version set version_num = 'f00'", "was made by a newer nbgrader. Install that one"),
        ("delete from alembic_version", "was made by an older nbgrader."),
        ("drop table submitted_assignment", "holds another program's tables"),
    ],
)
def test_a_gradebook_of_another_kind_is_left_alone(course, change, sentence):
    """Is a gradebook that this nbgrader would misread refused, and left as it was?"""
    with sqlite3.connect(course.root / "gradebook.db") as base:
        base.execute(change)
    before = state(course)
    for step in steps(again(course)):
        assert sentence in said(step)
    assert state(course) == before


def test_a_damaged_file_is_said_to_be_one(course):
    """Is a file that is no database, or one with a hole, a sentence for every step, and left as it was?"""
    path = course.root / "gradebook.db"
    whole = path.read_bytes()
    path.write_bytes(b"this was a gradebook " * 100)
    before = state(course)
    for step in steps(again(course)):
        assert "it is damaged. Put it aside" in said(step)
    assert state(course) == before
    path.write_bytes(whole[:8192] + os.urandom(len(whole) - 8192))
    for step in steps(again(course)):
        assert "it is damaged. Put it aside" in said(step)
    with pytest.raises(CourseError, match="it is damaged"):
        database.check(f"sqlite:///{path}", thorough=True)


def test_the_doctor_reads_all_of_the_file(course):
    """Does the doctor find damage that no table's head shows, and is a whole gradebook well?"""
    path = course.root / "gradebook.db"
    assert database.check(f"sqlite:///{path}", thorough=True) == f"SQLite, {path}"
    with sqlite3.connect(path) as base:
        base.execute("create table filling (text)")
        base.executemany("insert into filling values (?)", [("x" * 3000,)] * 50)
    whole = path.read_bytes()
    path.write_bytes(whole[:-4096] + os.urandom(4096))
    assert database.check(f"sqlite:///{path}") == f"SQLite, {path}"
    assert "it is damaged" in said(lambda: database.check(f"sqlite:///{path}", thorough=True))


def test_a_locked_file_is_said_to_be_locked(course):
    """If another program holds the file, wholly or for writing: a sentence, and does the next try succeed?"""
    opened = again(course, "timeout=0.5")
    holder = sqlite3.connect(course.root / "gradebook.db", isolation_level=None)
    try:
        holder.execute("begin immediate")
        with opened.gradebook() as gradebook:
            assert gradebook.students == []  # it may be read
        sentence = said(lambda: opened.autograde("student-0000"))
        assert sentence.startswith("grading student-0000 failed: the gradebook")
        assert sentence.endswith("another program is writing it. Wait until it is done, or end it, and run this again.")
        assert not left(course)
        done = autograder("grade", "--root", course.root, "--jobs", "1")
        assert done.returncode == 1 and "Traceback" not in done.stdout + done.stderr
        assert "another program is writing it" in " ".join(done.stderr.split())
        holder.execute("rollback")
        holder.execute("begin exclusive")
        assert "another program is writing it" in said(again(course).gradebook().__enter__)
    finally:
        holder.close()
    with opened.gradebook() as gradebook:
        gradebook.add_student("anna")


def test_a_file_that_cannot_be_written_is_said_to_be_one(course):
    """Is a gradebook that may only be read a sentence, and is nothing half-graded left?"""
    opened = again(course, "mode=ro")
    before = state(course)
    assert "it cannot be written. Give yourself permission" in said(lambda: opened.autograde("student-0000"))
    with pytest.raises(CourseError, match="it cannot be written"), opened.gradebook() as gradebook:
        gradebook.add_student("anna")
    assert state(course)[0] == before[0] and not left(course)


def as_nobody(step):
    """What a step prints that is run by a user to whom nothing here belongs; root may write everything."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            os.write(writing, str(step()).encode())
        except BaseException as error:
            os.write(writing, f"{type(error).__name__}: {error}".encode())
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as pipe:
        return pipe.read()


def test_permissions_are_seen_before_anything_is_begun(made):
    """Is a file, or its folder, without the permission to write refused at once?"""
    with tempfile.TemporaryDirectory() as folder:  # pytest's own are closed to others
        path = Path(shutil.copy(made / "gradebook.db", folder))
        for file_mode, folder_mode in ((0o444, 0o777), (0o666, 0o555)):
            path.chmod(file_mode)
            Path(folder).chmod(folder_mode)
            said = as_nobody(lambda: database.check(f"sqlite:///{path}"))
            assert said.startswith(f"CourseError: the gradebook {path}: it cannot be written. Give yourself permission")
            assert "cannot be made" in as_nobody(lambda: database.check("sqlite:////proc/new.db"))
        path.chmod(0o666)
        Path(folder).chmod(0o777)
        assert as_nobody(lambda: database.check(f"sqlite:///{path}")) == f"SQLite, {path}"


def test_a_full_disk_is_said_to_be_full(course):
    """If the gradebook cannot grow: a sentence, and is what was there before still there?"""

    def fill():
        with course.gradebook() as gradebook:
            pages = gradebook.db.execute(text("pragma page_count")).scalar()
            gradebook.db.execute(text(f"pragma max_page_count = {pages}"))
            for number in range(2000):
                gradebook.add_student(f"student-{number}", first_name="x" * 100)

    assert said(fill).endswith("the disk is full. Free some space and run this again.")
    with again(course).gradebook() as gradebook:
        assert gradebook.find_assignment(ASSIGNMENT).name == ASSIGNMENT


def test_a_place_where_no_file_can_be_is_said_to_be_one(tmp_path):
    """Are a missing folder and a folder in the file's place a sentence, and a file that will be made none?"""
    assert "cannot be made" in said(lambda: database.check(f"sqlite:///{tmp_path}/no/such/folder.db"))
    assert "is no file: move away what is there" in said(lambda: database.check(f"sqlite:///{tmp_path}"))
    assert "is no address: write postgresql://" in said(lambda: database.check("gradebook.db"))
    assert database.check(f"sqlite:///{tmp_path}/new.db").endswith("not made yet, `make release` makes it")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "log", ["ValueError: the database is locked, says a student", "(sqlite3.IntegrityError) UNIQUE"]
)
def test_what_is_no_fault_of_the_database_is_not_called_one(log):
    """Does a log that only speaks of databases keep its own words?"""
    assert database.explain(log, "sqlite:///x.db") is None


def test_a_full_disk_in_a_log_is_found():
    """Is a step of nbgrader's that could not write its files said to have met a full disk?"""
    log = "Traceback …\nOSError: [Errno 28] No space left on device: '/course/autograded/anna/gcnn/gcnn.ipynb'\n"
    assert "the disk is full" in database.explain(log, "sqlite:///x.db")
