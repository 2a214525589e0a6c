"""A gradebook on a PostgreSQL server: a real one, started here in a folder of its own, reached over a Unix socket."""

import contextlib
import csv
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

import nbformat
import pytest
from fabricated import DUE, answered, landed
from nbgrader.api import Gradebook
from nbgrader.dbutil import upgrade
from sqlalchemy import create_engine, make_url, text
from typer.testing import CliRunner

from autograder import database, rehearsal
from autograder.cli import app
from autograder.course import Course, alembic_on_path
from autograder.errors import CourseError
from autograder.exports import exporter
from autograder.notebooks import ASSIGNMENT
from autograder.report import read_class
from autograder.sandbox import Sandbox
from autograder.secret import create_secret

BIN = Path(sys.executable).parent
STUDENTS = 2  # right and wrong


class Server:
    """PostgreSQL in a temporary folder, with passwords, and no port."""

    def __init__(self, programs: Path, folder: Path):
        self.programs, self.folder = programs, folder
        # It refuses to run as root.
        names = [entry.pw_name for entry in pwd.getpwall()]
        self.user = None if os.geteuid() else "postgres" if "postgres" in names else "nobody"

    def run(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs, as a user who may."""
        own = {} if self.user is None else {"user": self.user, "group": pwd.getpwnam(self.user).pw_gid}
        command = [self.programs / program, *arguments]
        done = subprocess.run(
            command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **own
        )
        assert done.returncode == 0, done.stdout.decode(errors="replace")

    def make(self) -> None:
        """Make the server's files, with the superuser's password."""
        (self.folder / "password").write_text("super\n")
        if self.user is not None:
            for path in (self.folder, self.folder / "password"):
                shutil.chown(path, self.user)
        options = ("--username=super", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync")
        self.run("initdb", "-D", "data", "--pwfile=password", *options)

    def start(self) -> None:
        """Start it."""
        options = f"-k {self.folder} -c listen_addresses='' -c fsync=off"
        self.run("pg_ctl", "-D", "data", "-w", "-l", "log", "-o", options, "start")

    def stop(self) -> None:
        """Stop it."""
        self.run("pg_ctl", "-D", "data", "-m", "immediate", "stop")

    def address(self, name: str, user: str = "teacher", password: str = "chalk") -> str:
        """A database's address."""
        return f"postgresql://{user}:{password}@/{name}?host={self.folder}"

    def create(self, name: str) -> str:
        """Make a database as docs/postgresql.md says, and return its address."""
        engine = create_engine(self.address("postgres", "super", "super"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            if not connection.execute(text("select 1 from pg_roles where rolname = 'teacher'")).scalar():
                connection.execute(text("create role teacher login password 'chalk'"))
            connection.execute(text(f"create database {name} owner teacher"))
        engine.dispose()
        return self.address(name)


@pytest.fixture(scope="module")
def server():
    """A running server."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    programs = found[-1] if found else shutil.which("initdb")
    if programs is None:
        pytest.skip("PostgreSQL's server is not installed: `make postgresql` installs it where it may")
    folder = Path(tempfile.mkdtemp(prefix="pg-"))  # a socket's path must be short
    made = Server(Path(programs).parent, folder)
    try:
        made.make()
        made.start()
        yield made
    finally:
        with contextlib.suppress(AssertionError):
            made.stop()
        shutil.rmtree(folder, ignore_errors=True)


def a_course(root, project, db_url=""):
    """A small course in a folder of its own, whose settings name a database, and what its class hands in."""
    root.mkdir()
    settings = (project / "nbgrader_config.py").read_text()
    if db_url:
        settings += f"\nc.CourseDirectory.db_url = {db_url!r}\n"
    (root / "nbgrader_config.py").write_text(settings)
    course = Course(root)
    source = nbformat.read(project / "source" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb", as_version=4)
    for handed in rehearsal.hand_ins(rehearsal.open_course(course, source), STUDENTS):
        rehearsal.hand_in(course, handed)
    return course


def autograder(*arguments):
    """Run the command line as an instructor would."""
    return subprocess.run([BIN / "autograder", *map(str, arguments)], capture_output=True, text=True, timeout=300)


def mark(course):
    """Mark a written answer by hand, as the formgrader does, and say something of it."""
    with course.gradebook() as gradebook:
        grade = gradebook.find_grade("unique-inverse", ASSIGNMENT, ASSIGNMENT, "student-0000")
        grade.manual_score, grade.needs_manual_grade = 4.5, False
        comment = gradebook.find_comment("unique-inverse", ASSIGNMENT, ASSIGNMENT, "student-0000")
        comment.manual_comment = "Schön — “quod erat demonstrandum” ✓"
        gradebook.db.commit()


@pytest.fixture(scope="module")
def both(server, project, tmp_path_factory):
    """The same class on a server, graded by our command, and in a file, by nbgrader's step; and marked."""
    folder = tmp_path_factory.mktemp("both")
    courses = a_course(folder / "server", project, server.create("gradebook")), a_course(folder / "file", project)
    done = autograder("grade", "--root", courses[0].root)
    assert done.returncode == 0, done.stdout + done.stderr
    for student in courses[1].handed_in():
        courses[1].autograde(student)
    for course in courses:
        mark(course)
    return courses


def test_grades_on_a_server_are_those_in_a_file(both):
    """Do release, hand-in, grading and marking leave the same gradebook, field by field, and no file?"""
    on_server, in_file = map(rehearsal.snapshot, both)
    assert len(on_server) == STUDENTS and on_server == in_file
    marked = on_server["student-0000"]["grade unique-inverse"]
    assert marked[1] == 4.5 and "✓" in on_server["student-0000"]["comment unique-inverse"][1]
    assert not list(both[0].root.glob("gradebook.db*"))


def test_exports_from_a_server_are_those_from_a_file(both):
    """Are the exported files the same, and do they hold the marked student's points?"""
    for course in both:
        for kind in ("points", "canvas"):
            plugin = exporter(kind, course.config)
            with course.gradebook() as gradebook:
                plugin.export(gradebook)
    for name in ("grades.csv", "canvas.csv", "canvas-left-out.csv"):
        assert (both[0].root / name).read_bytes() == (both[1].root / name).read_bytes()
    rows = {row["student"]: row for row in csv.DictReader((both[0].root / "grades.csv").open(newline=""))}
    assert (rows["student-0000"]["final"], rows["student-0000"]["status"]) == ("17.5", "final")
    assert (rows["student-0001"]["final"], rows["student-0001"]["status"]) == ("", "waiting for marking")


def test_an_extension_on_a_server(server, project, tmp_path):
    """Can it be given before anything is handed in, and do penalties follow it and the points?"""
    course = a_course(tmp_path / "course", project, server.create("lateness"))
    with (course.root / "nbgrader_config.py").open("a") as file:
        file.write('c.LateSubmissionPlugin.penalty_method = "zero"\n')
    course = Course(course.root)
    with course.gradebook() as gradebook:
        gradebook.update_or_create_assignment(ASSIGNMENT, duedate=str(DUE))

    def extend(*arguments):
        done = CliRunner().invoke(app, ["extend", "student-0000", *arguments, "--root", str(course.root)])
        assert done.exit_code == 0 and "student-0000's deadline is" in done.output
        return done.output

    extend("--days", "2")
    landed(course, "student-0000", answered(course.source()), late=timedelta(hours=30))
    assert "Penalties" not in extend()
    assert "1 changed (student-0000 0 → 13)" in extend("--days", "0")
    mark(course)
    assert "1 changed (student-0000 13 → 17.5)" in extend()


def test_the_environment_names_the_database(both, project, tmp_path, monkeypatch):
    """Is AUTOGRADER_DB_URL enough for us and for nbgrader, and does a demonstration keep its students out of there?"""
    url = both[0].directory.db_url
    monkeypatch.setenv("AUTOGRADER_DB_URL", url)
    (tmp_path / "nbgrader_config.py").write_text((project / "nbgrader_config.py").read_text())
    assert rehearsal.snapshot(Course(tmp_path)) == rehearsal.snapshot(both[0])
    listed = [BIN / "nbgrader", "db", "student", "list"]
    done = subprocess.run(listed, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "student-0001" in done.stdout + done.stderr
    assert not (tmp_path / "gradebook.db").exists()
    demonstration = Course(tmp_path / "demo", tmp_path)
    assert demonstration.directory.db_url == f"sqlite:///{tmp_path / 'demo' / 'gradebook.db'}"


def tables(url):
    """The tables of a database."""
    engine = create_engine(url)
    with engine.connect() as connection:
        found = connection.execute(text("select tablename from pg_tables where schemaname = 'public'")).scalars().all()
    engine.dispose()
    return set(found)


def test_the_doctor_names_the_server_and_no_password(both, project, tmp_path, monkeypatch):
    """Does `autograder doctor` say which gradebook it is, without its password, and what to do if it is none?"""
    monkeypatch.setattr("autograder.sandbox.doctor.doctor", list)  # the sandbox is not the question
    monkeypatch.delenv("GCNN_COURSE_SECRET", raising=False)
    found = CliRunner().invoke(app, ["doctor", "--root", str(both[0].root)])
    assert found.exit_code == 1 and "no secret of its own" in " ".join(found.output.split())
    secret = tmp_path / "secret"
    create_secret(secret)
    monkeypatch.setenv("GCNN_COURSE_SECRET", str(secret))
    found = CliRunner().invoke(app, ["doctor", "--root", str(both[0].root)])
    (line,) = [line for line in found.output.splitlines() if "gradebook" in line]
    assert found.exit_code == 0 and "✓" in line and "postgresql 1" in line and "chalk" not in found.output
    monkeypatch.setenv("AUTOGRADER_DB_URL", "postgresql://teacher:chalk@/gradebook?host=/tmp/no-such-folder")
    (tmp_path / "nbgrader_config.py").write_text((project / "nbgrader_config.py").read_text())
    found = CliRunner().invoke(app, ["doctor", "--root", str(tmp_path)])
    assert found.exit_code == 1 and "✗" in found.output and "chalk" not in found.output
    assert "Start it, or correct its address" in " ".join(found.output.split())


def test_a_submission_reaches_neither_socket_nor_address(server):
    """In the sandbox: is the server's socket out of sight, and the environment without the address?"""
    code = (
        "import os, socket\n"
        f"try:\n    socket.socket(socket.AF_UNIX).connect({str(server.folder / '.s.PGSQL.5432')!r})\n"
        "except OSError as error:\n    print(type(error).__name__)\n"
        "print('chalk' in str(os.environ))\n"
    )
    os.environ["AUTOGRADER_DB_URL"] = server.address("gradebook")
    try:
        with Sandbox() as sandbox:
            output = sandbox.run([sys.executable, "-I", "-S", "-c", code])[1]
    finally:
        del os.environ["AUTOGRADER_DB_URL"]
    assert output.split() == ["FileNotFoundError", "False"]


@pytest.mark.parametrize(
    ("part", "sentence"),
    [
        ({"password": "cheese"}, "refuses the user (.*password authentication failed.*). Correct user and password"),
        ({"username": "nobody-here"}, "refuses the user"),
        ({"database": "nowhere"}, "nowhere on .* has no such database. Make it with `createdb`"),
        (
            {"query": {"host": "/tmp/no-such-folder"}},
            "its server cannot be reached .* Start it, or",
        ),
        ({"drivername": "postgres"}, "begins with 'postgres', which nothing here understands: write postgresql://"),
        ({"drivername": "mongo"}, "begins with 'mongo'"),
        ({"drivername": "postgresql+pg8000"}, "driver pg8000 is not installed. Run `pip install 'pg8000'`"),
    ],
)
def test_what_is_wrong_with_a_server_is_one_sentence(server, both, project, tmp_path, part, sentence):
    """Is each mistake in the address one sentence with what to do, without the password, for every command?"""
    url = make_url(both[0].directory.db_url).set(**part).render_as_string(hide_password=False)
    settings = (project / "nbgrader_config.py").read_text()
    (tmp_path / "nbgrader_config.py").write_text(f"{settings}\nc.CourseDirectory.db_url = {url!r}\n")
    course = Course(tmp_path)
    for step in (course.gradebook().__enter__, lambda: course.feedback("student-0000")):
        with pytest.raises(CourseError, match=f"^the gradebook.*{sentence}") as caught:
            step()
        assert not {"chalk", "cheese"} & set(str(caught.value).replace("'", " ").split())
        assert "\n" not in str(caught.value)


def test_a_database_of_another_program_is_left_alone(server):
    """Is a database with other tables refused, and left as it was?"""
    url = server.create("foreign_tables")
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("create table orders (id int)"))
    engine.dispose()
    with pytest.raises(CourseError, match=r"holds another program's tables .orders, ….: give the gradebook a database"):
        database.check(url)
    assert tables(url) == {"orders"}


def test_a_user_who_may_not_make_tables_is_told_so(server):
    """Is a database that belongs to somebody else explained?"""
    engine = create_engine(server.address("postgres", "super", "super"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("create database theirs"))
    engine.dispose()
    theirs = create_engine(server.address("theirs", "super", "super"), isolation_level="AUTOCOMMIT")
    with theirs.connect() as connection:
        connection.execute(text("revoke create on schema public from public"))
    theirs.dispose()
    url = server.address("theirs")
    wanted = r"theirs on .*: its user may not do that there .*Make the user the database's owner"
    with pytest.raises(CourseError, match=wanted), database.in_words(url), Gradebook(url):
        pass


def test_a_gradebook_of_an_older_nbgrader_is_upgraded_as_the_sentence_says(server):
    """On a server: is an old gradebook refused untouched, and brought up to date by what the named command does?"""
    url = server.create("old")
    with alembic_on_path(), Gradebook(url) as gradebook:
        gradebook.add_student("anna")
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("alter table student drop column lms_user_id"))
        connection.execute(text("alter table assignment drop column course_id"))
        connection.execute(text("drop table course"))
        connection.execute(text("update alembic_version set version_num = '167914646830'"))
    before = tables(url)
    with pytest.raises(CourseError, match=r"made by an older nbgrader.*`nbgrader db upgrade`"):
        database.check(url)
    assert tables(url) == before
    with alembic_on_path():
        upgrade(url)  # what the command does
    engine.dispose()
    database.check(url)
    with alembic_on_path(), Gradebook(url) as gradebook:
        assert [row.student for row in read_class(gradebook)] == ["anna"]


def test_a_server_that_stops_is_said_in_a_sentence(server, both):
    """If the server goes away between two steps: one sentence, and does everything go on once it is back?"""
    course = both[0]
    before = rehearsal.snapshot(course)
    server.stop()
    try:
        with pytest.raises(CourseError, match="server cannot be reached"):
            course.feedback("student-0000")
        with pytest.raises(CourseError, match="server cannot be reached"), course.gradebook():
            pass
        done = autograder("grade", "--root", course.root, "--force")
        assert done.returncode == 1 and "Traceback" not in done.stderr
        assert "server cannot be reached" in " ".join(done.stderr.split())
    finally:
        server.start()
    assert rehearsal.snapshot(course) == before
    assert course.feedback("student-0000").is_file()
