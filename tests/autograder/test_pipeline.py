"""Tests of grading a class, with real kernels and a small course: in parallel, through accidents, and a second time."""

import dataclasses
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import filelock
import nbformat
import psutil
import pytest
from rich.console import Console

from autograder import live, rehearsal
from autograder.course import Course
from autograder.errors import CourseError
from autograder.jobs import Result, work
from autograder.kernel import Settings
from autograder.notebooks import ASSIGNMENT
from autograder.pending import Pending
from autograder.pipeline import FAILED, LANDED, SKIPPED, Grading
from autograder.single import grade
from autograder.workers import default_jobs, parse_resources, workers

BIN = Path(sys.executable).parent
STUDENTS = 8
QUICK = "c.JudgedExecute.cell_seconds = 3"


def small_course(project, root, students=STUDENTS):
    """A small course in a folder of its own, settings and all, in which a class has handed in."""
    root.mkdir(parents=True)
    settings = (project / "nbgrader_config.py").read_text()
    (root / "nbgrader_config.py").write_text(f"{settings}\n{QUICK}\n")
    course = Course(root)
    small = rehearsal.open_course(course, nbformat.read(project / "source" / ASSIGNMENT / "gcnn.ipynb", as_version=4))
    for handed in rehearsal.hand_ins(small, students):
        rehearsal.hand_in(course, handed)
    return course


def graded(course, jobs=2, **options):
    """Grade the class, and what happened."""
    with workers(jobs) as hands:
        grading = Grading(course, hands, course.handed_in(), **options)
        events = [event for event in grading.events() if event.kind]
    return grading, events


def autograder(course, *arguments, **options):
    """Run the command line in a course's folder."""
    command = [BIN / "autograder", *arguments, "--root", course.root]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, timeout=300, **options)


class Here:
    """Workers in this process, which spoil one student's result."""

    here, slots = True, 1

    def __init__(self, spoilt):
        self.spoilt = spoilt

    def results(self, jobs):
        """Do jobs, one after the other."""
        for job in filter(None, jobs):
            result = work(job)
            yield dataclasses.replace(result, notebook="[") if job.student == self.spoilt else result


@pytest.fixture(scope="module")
def course(project, tmp_path_factory):
    """A small course whose class has been graded with two jobs."""
    course = small_course(project, tmp_path_factory.mktemp("small") / "course")
    course.first = graded(course)
    return course


def test_every_submission_is_graded_once(course):
    """Does each submission of a mixed class land, with the points that it deserves?"""
    grading, events = course.first
    assert sorted(event.student for event in events) == course.handed_in()
    assert {event.kind for event in events} == {LANDED} and not grading.failed
    points = {event.student: event.points for event in events}
    wanted = {h.student: h.points for h in rehearsal.hand_ins(course.source(), STUDENTS) if h.points is not None}
    assert len(wanted) >= 4 and {student: points[student] for student in wanted} == wanted
    assert not list(Pending(course.root).folder.glob("*.json"))


def test_it_is_what_nbgraders_own_command_gives(course, project, tmp_path):
    """Does the gradebook equal, field by field, one that `nbgrader autograde` made of the same class?"""
    other = small_course(project, tmp_path / "course")
    for student in other.handed_in():
        other.autograde(student)
    assert rehearsal.snapshot(course) == rehearsal.snapshot(other)
    assert len(rehearsal.snapshot(course)) == STUDENTS


def test_what_is_unchanged_is_skipped(course):
    """Is nothing run a second time, and only what changed when something did?"""
    _, events = graded(course)
    assert {event.kind for event in events} == {SKIPPED}
    name = course.handed_in()[0]
    path = course.folder("submitted", name) / "gcnn.ipynb"
    before = path.read_text()
    path.write_text(before.replace("return (r + s) % 4", "return r"))
    try:
        grading, events = graded(course)
        assert [event.student for event in events if event.kind == LANDED] == [name]
        assert {(change.student, change.before, change.after) for change in grading.changes} >= {(name, 3.0, 0.0)}
    finally:
        path.write_text(before)
        graded(course)


def test_force_runs_everything_again(course):
    """Does --force grade also what is unchanged, with the same points?"""
    before = rehearsal.snapshot(course)
    done = autograder(
        course, "grade", "--force", "--jobs", "2", "--student", "student-0000", "--student", "student-0002"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "graded 2 · running 0 · waiting 0" in done.stdout
    assert rehearsal.snapshot(course) == before, done.stdout


def test_a_mark_stays_while_the_answer_is_what_was_marked(course):
    """Is a written answer, once marked, left alone when its submission is graded again, unless it was changed?"""
    name = "student-0000"
    where = "unique-inverse", ASSIGNMENT, ASSIGNMENT, name

    def mark(points):
        with course.gradebook() as gradebook:
            grade = gradebook.find_grade(*where)
            grade.manual_score, grade.needs_manual_grade = points, points is None
            gradebook.db.commit()

    def graded_again():
        assert autograder(course, "grade", "--force", "--student", name).returncode == 0
        with course.gradebook() as gradebook:
            grade = gradebook.find_grade(*where)
            return grade.manual_score, grade.needs_manual_grade

    path = course.folder("submitted", name) / "gcnn.ipynb"
    before = path.read_text()
    mark(3.0)
    try:
        assert graded_again() == (3.0, False)
        path.write_text(before.replace("Proof number", "Another proof, number"))
        assert graded_again() == (3.0, True)
    finally:
        path.write_text(before)
        mark(None)
        graded_again()


def test_another_date_is_entered_without_another_run(course, monkeypatch):
    """Does a date that comes after the grading count, without the submission being run again?"""
    name = "student-0000"
    path = course.folder("submitted", name) / "timestamp.txt"
    before, rows = path.read_text(), rehearsal.snapshot(course)
    path.write_text("2026-11-12 08:00:00 UTC\n")
    try:
        with workers(1) as hands:
            monkeypatch.setattr(hands, "_submit", lambda *_: pytest.fail("it was run again"))
            events = [event for event in Grading(course, hands, [name]).events() if event.kind]
        assert [(event.kind, event.points) for event in events] == [(LANDED, 13.0)]
        after = rehearsal.snapshot(course)
        assert after[name].pop("timestamp").day == 12 and rows[name]["timestamp"].day == 10
        assert after[name] == {key: value for key, value in rows[name].items() if key != "timestamp"}
        _, events = graded(course)
        assert {event.kind for event in events} == {SKIPPED}
    finally:
        path.write_text(before)
        graded(course)
    assert rehearsal.snapshot(course) == rows


def _wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "this took too long"
        time.sleep(0.02)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_grading_goes_on(how, course, project, tmp_path):
    """Is nothing lost, left behind or graded twice when the grading is interrupted, and is the end the same?"""
    other = small_course(project, tmp_path / "course")
    before = {child.pid for child in psutil.Process(1).children(recursive=True)}
    command = [BIN / "autograder", "grade", "--jobs", "2", "--root", other.root]
    process = subprocess.Popen(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    landed = []
    while len(landed) < 2:
        line = process.stdout.readline()
        assert line, "the grading ended before it could be interrupted"
        landed += re.findall(r"^(student-\d+) .*of 13", line)
    process.send_signal(how)
    rest = process.stdout.read()
    assert process.wait(60) == (130 if how == signal.SIGINT else -signal.SIGKILL), rest
    landed += re.findall(r"^(student-\d+) .*of 13", rest, re.MULTILINE)
    if how == signal.SIGINT:
        assert "Interrupted. What was finished is kept" in rest

    def nothing_is_left():
        now = [p for p in psutil.process_iter(["name"]) if p.pid not in before and p.status() != psutil.STATUS_ZOMBIE]
        return not [p for p in now if p.info["name"] in ("bwrap", "python") and str(BIN) in " ".join(_words(p))]

    _wait_for(nothing_is_left)
    _, events = graded(other)
    kinds = {event.student: event.kind for event in events}
    assert set(kinds) == set(other.handed_in())
    # What a line said is in the gradebook. (Between entering one and saying so, it may have been killed.)
    assert all(kinds[student] == SKIPPED for student in landed)
    assert list(kinds.values()).count(LANDED) >= STUDENTS - len(landed) - 2
    assert rehearsal.snapshot(other) == rehearsal.snapshot(course), (rest, events)


def _words(process):
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def test_a_result_that_was_not_entered_is_not_run_again(course, monkeypatch):
    """Is a result that could not be entered kept, and entered by the next run without a worker?"""
    name = course.handed_in()[0]
    land = Course.land

    def fails(self, student, done):
        raise CourseError("the gradebook cannot be reached")

    monkeypatch.setattr(Course, "land", fails)
    with workers(1) as hands:
        grading = Grading(course, hands, [name], force=True)
        assert [event.kind for event in grading.events() if event.kind] == [FAILED]
    assert grading.failed == {name: "the gradebook cannot be reached"}
    monkeypatch.setattr(Course, "land", land)
    (course.folder("autograded", name) / "gcnn.ipynb").unlink()
    with workers(1) as hands:
        monkeypatch.setattr(hands, "_submit", lambda *_: pytest.fail("it was run again"))
        assert [event.kind for event in Grading(course, hands, [name]).events() if event.kind] == [LANDED]
    assert course.graded(name) is not None


def test_a_submission_that_ends_its_worker_is_not_graded_and_the_others_are(project, tmp_path):
    """Where a submission kills the process that grades it: is it the only one to suffer, and is the reason given?

    In a sandbox it cannot; without one its kernel's parent is that process.
    """
    course = small_course(project, tmp_path / "course", students=3)
    course.config.JudgedExecute.sandbox = "none"
    path = course.folder("submitted", "student-0001") / "gcnn.ipynb"
    notebook = nbformat.read(path, as_version=4)
    answer = next(cell for cell in notebook.cells if cell.id == "c4")
    answer.source = "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)"
    nbformat.write(notebook, path)
    grading, events = graded(course, jobs=2)
    assert not grading.failed and sorted(event.student for event in events) == course.handed_in()
    points = {event.student: (event.points, event.not_graded) for event in events}
    assert points == {"student-0000": (13.0, 0), "student-0001": (0.0, 4), "student-0002": (13.0, 0)}
    assert (
        "the process that graded it was ended twice"
        in course.graded("student-0001").metadata.course.evidence["not run"]
    )


@pytest.mark.slow
def test_a_changed_test_shows_who_gains_and_loses_before_it_counts(project, tmp_path):
    """After a test was corrected: are new points held, shown, forgotten or entered as one says, and then settled?"""
    course = small_course(project, tmp_path / "course", students=3)
    assert autograder(course, "grade", "--jobs", "2").returncode == 0
    before = rehearsal.snapshot(course)
    path = course.folder("source") / "gcnn.ipynb"
    source = nbformat.read(path, as_version=4)
    test = next(cell for cell in source.cells if cell.id == "test-c4-inverse")
    test.source = test.source.replace("== 3,", "== 1,")
    nbformat.write(source, path)
    stale = autograder(course, "grade")
    assert stale.returncode == 1 and "run `make release`" in stale.stderr
    course.release()
    assert rehearsal.snapshot(course) == before, "making the release again keeps the grades"

    held = autograder(course, "grade", "--jobs", "2")
    assert held.returncode == 0, held.stdout + held.stderr
    assert "Nothing was entered" in held.stdout and "--keep" in held.stdout
    assert re.search(r"student-0000\s+test-c4-inverse\s+2\s+0\s+-2", held.stdout)
    assert "0 of them gain 0 points in all, 3 lose 6" in held.stdout
    assert rehearsal.snapshot(course) == before

    forgotten = autograder(course, "grade", "--discard")
    assert "3 new results were forgotten" in forgotten.stdout and rehearsal.snapshot(course) == before
    kept = autograder(course, "grade", "--jobs", "2", "--keep")
    assert "The new points of 3 submissions are entered" in kept.stdout
    after = rehearsal.snapshot(course)
    assert all(after[name]["score"] == before[name]["score"] - 2 for name in before)
    again = autograder(course, "grade").stdout
    assert "unchanged 3" in again and "no secret of its own" in again
    assert autograder(course, "secret").returncode == 0
    assert "graded 3" in (again := autograder(course, "grade").stdout) and "no secret" not in again


def test_only_one_grading_at_a_time(course):
    """Is a second grading of the same course refused, in a sentence?"""
    with filelock.FileLock(Pending(course.root).folder / "lock"):
        done = autograder(course, "grade")
    assert done.returncode == 1 and "being graded already" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("grade", "gccn"), "there is no assignment 'gccn' in this course; there is gcnn"),
        (("grade", "--student", "nobody"), "nothing was handed in by nobody; there is student-0000"),
        (("grade", "--scheduler", "tcp://127.0.0.1:9"), "no Dask scheduler answers at tcp://127.0.0.1:9"),
        (("grade", "--scheduler", "tcp://127.0.0.1:9", "--resources", "GPU"), "resources are written as in GPU=1"),
        (("replay", "nobody"), "nobody has not been graded"),
    ],
)
def test_bad_input_is_one_sentence(arguments, sentence, course):
    """Is bad input answered with one sentence that says what to do, and nothing changed?"""
    before = rehearsal.snapshot(course)
    done = autograder(course, *arguments)
    assert done.returncode == 1 and sentence in done.stderr and "Traceback" not in done.stderr
    assert rehearsal.snapshot(course) == before


def test_a_folder_whose_name_is_no_text_stops_nobody(course):
    """Is everybody else graded, and is it said what to rename?"""
    folder = Path(os.fsdecode(os.fsencode(course.root / "submitted") + b"/J\xf6rg"))
    shutil.copytree(course.folder("submitted", "student-0000"), folder / ASSIGNMENT)
    try:
        done = autograder(course, "grade")
    finally:
        shutil.rmtree(folder)
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    assert r"the folder 'J\udcf6rg' in submitted/ is not graded" in done.stderr and "Rename it" in done.stderr
    assert "student-0000 is unchanged" in done.stdout and "rg is" not in done.stdout


def test_a_full_disk_loses_nothing(course, monkeypatch):
    """Does a full disk stop the grading with a sentence, the gradebook whole?"""
    before = rehearsal.snapshot(course)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("autograder.durable.os.fsync", full)
    with pytest.raises(CourseError, match=r"No space left on device.*run the same command again"):
        graded(course, jobs=1, force=True)
    monkeypatch.undo()
    assert rehearsal.snapshot(course) == before
    assert {path.suffix for path in Pending(course.root).folder.iterdir()} <= {"", ".json"}


def test_replay_gives_the_same(course):
    """Does a student's run, repeated from its evidence, end as it did, and is nothing written?"""
    before = rehearsal.snapshot(course)
    done = autograder(course, "replay", "student-0001")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Every test ended as it did then." in done.stdout and "failed: " in done.stdout
    assert rehearsal.snapshot(course) == before


def test_replay_notices_a_difference(course):
    """Is it said when a run does not end as it did, and what was not the same?"""
    path = course.folder("autograded", "student-0000") / "gcnn.ipynb"
    before = path.read_text()
    notebook = nbformat.reads(before, as_version=4)
    next(cell for cell in notebook.cells if cell.id == "c4").source = "class C4: pass"
    notebook.metadata.course.evidence.settings.limits["of an earlier version"] = 1
    path.chmod(0o644)
    nbformat.write(notebook, path)
    done = autograder(course, "replay", "student-0000")
    path.write_text(before)
    assert done.returncode == 1 and "did not end as it did then" in done.stderr
    assert "what was run is not the same" in done.stdout


def test_grade_is_a_plain_function(course):
    """Can one submission be graded from a script, without a course folder?"""
    small = course.source()
    right, wrong = list(rehearsal.hand_ins(small, 2))
    result = grade(small, nbformat.reads(right.text, as_version=4), settings=Settings(cell_seconds=5))
    assert (result.points, result.maximum, result.not_graded, result.repairs) == (13.0, 13.0, (), ())
    path = course.root / "one.ipynb"
    path.write_text(wrong.text)
    result = grade(course.folder("source") / "gcnn.ipynb", path)
    assert 0 < result.points < 13 and {outcome.status for outcome in result.outcomes.values()} == {"passed", "failed"}
    path.write_text("\ufeff" + right.text)
    result = grade(small, path)
    assert result.points == 13.0 and "byte-order mark" in " ".join(result.repairs)
    path.write_text("<html>")
    result = grade(small, path)
    assert result.points == 0.0 and len(result.not_graded) == len(result.outcomes) == 4


def test_a_result_survives_being_written(course):
    """Is a result the same after it was written and read, and is something else refused?"""
    with workers(1) as hands:
        grading = Grading(course, hands, [])
        (result,) = [found for found in hands.results(iter([grading.job("student-0000")])) if found]
    assert Result.loads(result.dumps()) == result
    for text in ("", "{}", "[]", result.dumps()[:-9], '{"outcomes": {"a": {"b": 1}}}'):
        with pytest.raises(ValueError):
            Result.loads(text)


def test_the_live_view_shows_everything(course):
    """Does a terminal show done, running, waiting, points and time left?"""
    console = Console(force_terminal=True, width=100, record=True)
    with workers(2) as hands:
        grading = Grading(course, hands, course.handed_in()[:2], force=True)
        view = live._View(grading, console)
        shown = []
        for event in grading.events():
            view.take(event)
            with console.capture() as capture:
                console.print(view)
            shown.append(capture.get())
    text = "\n".join(shown)
    for words in ("running 2", "waiting 0", "▸ student-0000", "left:", "2/2", "mean ", "13 of 13"):
        assert words in text


def test_defaults():
    """Is the default number of jobs at least one and no more than the cores, and are resources read?"""
    assert 1 <= default_jobs(gpus=0) <= (os.cpu_count() or 1)
    assert default_jobs(gpus=1) <= 4
    assert parse_resources("GPU=1, MEMORY=4e9") == {"GPU": 1.0, "MEMORY": 4e9}
    assert parse_resources(None) is None


@pytest.mark.parametrize("spoilt", ["hand-in", "result"])
def test_one_that_cannot_be_used_stops_nobody_else(spoilt, project, tmp_path, monkeypatch):
    """Is a student of whose hand-in or result nothing can be made told of by name, and are the others graded?"""
    course = small_course(project, tmp_path / "course", students=3)
    one, *others = course.handed_in()
    if spoilt == "hand-in":
        unspoilt = Grading.job

        def job(self, student):
            if student == one:
                raise RecursionError("too deep")
            return unspoilt(self, student)

        monkeypatch.setattr(Grading, "job", job)
    grading = Grading(course, Here(one if spoilt == "result" else None), course.handed_in())
    kinds = {event.student: event.kind for event in grading.events() if event.kind}
    assert kinds == {one: FAILED, **dict.fromkeys(others, LANDED)}
    assert ("could not be read" if spoilt == "hand-in" else "cannot be used") in grading.failed[one]
    monkeypatch.undo()
    again, events = graded(course)
    assert {event.student: event.kind for event in events} == {one: LANDED, **dict.fromkeys(others, SKIPPED)}
    assert again.failed == {}
