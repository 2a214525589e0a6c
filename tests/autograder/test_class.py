"""A whole class, from the LMS's download to what goes out: collected, graded through every accident, marked, sent.

However the grading was done (two jobs that were killed twice, a cluster that lost a worker, one submission after the
other by nbgrader's own command), the gradebook must be the same, field by field.
"""

import csv
import os
import re
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook
from test_cluster import _address, _start, _workers

from autograder import rehearsal
from autograder.course import Course
from autograder.lateness import renew
from autograder.notebooks import ASSIGNMENT
from autograder.pipeline import LANDED, Grading
from autograder.workers import workers

pytestmark = pytest.mark.slow

BIN = Path(sys.executable).parent
STUDENTS, MISSING = 30, ("never-came", "forgot")


def autograder(course, *arguments):
    """Run the command line in a course's folder."""
    command = [BIN / "autograder", *arguments, "--root", course.root]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, timeout=600)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def download(project, tmp_path_factory):
    """What the LMS gives: a zip of hand-ins, and the roster with the dates."""
    folder = tmp_path_factory.mktemp("download")
    small = rehearsal.small_source(nbformat.read(project / "source" / ASSIGNMENT / "gcnn.ipynb", as_version=4))
    roster = [("id", "name", "lms_id", "handed_in")]
    with zipfile.ZipFile(folder / "submissions.zip", "w") as archive:
        for number, handed in enumerate(rehearsal.hand_ins(small, STUDENTS)):
            mark = "LATE_" if handed.late else ""
            day = 20 if handed.late else 10
            archive.writestr(f"name{number}_{mark}{100 + number}_{5000 + number}_gcnn.ipynb", handed.text)
            roster.append((handed.student, f"Name {number}", str(100 + number), f"2026-11-{day} 12:00"))
    roster += [(name, f"Name of {name}", str(900 + i), "") for i, name in enumerate(MISSING)]
    with (folder / "roster.csv").open("w", newline="") as file:
        csv.writer(file).writerows(roster)
    return folder


@pytest.fixture(scope="module")
def make_course(project, download, tmp_path_factory):
    """Makes a course whose class has handed in through the LMS."""

    def make(name):
        root = tmp_path_factory.mktemp(name) / "course"
        root.mkdir()
        settings = (project / "nbgrader_config.py").read_text()
        late = "from autograder import rehearsal\nc.AssignLatePenalties.plugin_class = rehearsal.OnePointLate\n"
        (root / "nbgrader_config.py").write_text(f"{settings}\nc.JudgedExecute.cell_seconds = 3\n{late}")
        course = Course(root)
        source = nbformat.read(project / "source" / ASSIGNMENT / "gcnn.ipynb", as_version=4)
        rehearsal.open_course(course, source)
        with course.gradebook() as gradebook:
            gradebook.update_or_create_assignment(ASSIGNMENT, duedate="2026-11-15 12:00:00 UTC")
        where = (download / "submissions.zip", "--roster", download / "roster.csv", "--timezone", "UTC")
        code, said = autograder(course, "collect", *where)
        assert code == 0, said
        assert all(name in said for name in MISSING) and "missing" in said
        assert len(course.handed_in()) == STUDENTS
        return course

    return make


def mark(course):
    """Mark the written answers as the formgrader does, points and a comment; with what being late costs then."""
    with course.gradebook() as gradebook:
        for number, student in enumerate(course.handed_in()):
            grade = gradebook.find_grade("unique-inverse", ASSIGNMENT, ASSIGNMENT, student)
            comment = gradebook.find_comment("unique-inverse", ASSIGNMENT, ASSIGNMENT, student)
            if grade.needs_manual_grade:
                grade.manual_score, grade.needs_manual_grade = float(number % 6), False
                comment.manual_comment = f"Mark number {number}."
        gradebook.db.commit()
        renew(gradebook, course.config)


@pytest.fixture(scope="module")
def undisturbed(make_course):
    """The same class, one submission after the other by nbgrader's own steps, and marked; with its gradebook."""
    course = make_course("undisturbed")
    for student in course.handed_in():
        course.autograde(student)
    mark(course)
    return course, rehearsal.snapshot(course)


def _kill_after(course, landed):
    command = [BIN / "autograder", "grade", "--jobs", "2", "--root", course.root]
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True)
    seen = 0
    for line in process.stdout:
        seen += bool(re.match(r"student-\d+ [\d.]+ of ", line))
        if seen == landed:
            os.kill(process.pid, signal.SIGKILL)
            break
    assert process.wait(60) == -signal.SIGKILL


def test_a_class_through_every_accident(make_course, undisturbed, tmp_path):
    """Killed twice, resumed, marked, reported and exported: is the gradebook that of an undisturbed run?"""
    course = make_course("killed")
    _kill_after(course, 5)
    _kill_after(course, 8)
    code, said = autograder(course, "grade", "--jobs", "2")
    assert code == 0, said
    already = int(re.search(r"unchanged (\d+)", said)[1])
    assert 13 <= already < STUDENTS and f"graded {STUDENTS - already}" in said
    mark(course)
    assert rehearsal.snapshot(course) == undisturbed[1]

    code, said = autograder(course, "report")
    assert code == 0 and (course.root / "report.html").stat().st_size > 10_000, said
    page = (course.root / "report.html").read_text()
    assert all(name in page for name in (*MISSING, "student-0000", f"student-00{STUDENTS - 1}"))
    code, said = autograder(course, "feedback", "--zip", tmp_path / "feedback.zip")
    assert code == 0, said
    with zipfile.ZipFile(tmp_path / "feedback.zip") as archive:
        assert len(archive.namelist()) == STUDENTS
        pages = [archive.read(name).decode() for name in archive.namelist()]
    assert sum("Mark number" in page for page in pages) >= STUDENTS / 2
    code, said = autograder(course, "export", "--to", tmp_path / "points.csv")
    assert code == 0, said
    with (tmp_path / "points.csv").open(newline="", encoding="utf-8-sig") as file:
        rows = {row["student"]: row for row in csv.DictReader(file)}
    assert rows.keys() == {*course.handed_in(), *MISSING}
    assert all("missing" in rows[name]["status"] for name in MISSING)
    whole = [name for name, row in rows.items() if row["status"].startswith("final")]
    assert len(whole) >= STUDENTS / 2
    for name in whole:
        fields = undisturbed[1][name]
        assert float(rows[name]["final"]) == pytest.approx(max(0.0, fields["score"] - fields["late penalty"]))


def test_the_same_class_on_a_cluster_that_loses_a_worker(make_course, undisturbed):
    """With Dask and a worker killed in the middle: is the gradebook the same?"""
    course, landed = make_course("cluster"), []
    scheduler = _start("scheduler", "--host", "127.0.0.1", "--port", 0, "--no-dashboard")
    address = _address(scheduler)
    processes = _workers(address, 2)
    try:
        with workers(scheduler=address) as hands:
            for event in Grading(course, hands, course.handed_in()).events():
                landed += [event.student] * (event.kind == LANDED)
                if len(landed) == 6 and hands.slots == 2:
                    processes[0].kill()
                    processes[0].wait()
    finally:
        for process in (*processes, scheduler):
            process.kill()
            process.wait()
    assert sorted(landed) == course.handed_in() and processes[0].returncode == -signal.SIGKILL
    mark(course)
    assert rehearsal.snapshot(course) == undisturbed[1]


def test_the_undisturbed_run_is_no_empty_one(undisturbed):
    """Does the class that everything is compared with have full marks, none, late ones, and not graded ones?"""
    course, rows = undisturbed
    assert len(rows) == STUDENTS
    scores = [row["score"] for row in rows.values()]
    assert max(scores) > 13 and min(scores) == 0 and len(set(scores)) > 5
    assert any(row["late penalty"] for row in rows.values())
    tests = [value for row in rows.values() for key, value in row.items() if key.startswith("grade test-")]
    assert any(auto is None and waits for auto, _, _, waits, *_ in tests), "something could not be graded"
    with Gradebook(course.directory.db_url) as gradebook:
        assert gradebook.find_assignment(ASSIGNMENT).num_submissions == STUDENTS
