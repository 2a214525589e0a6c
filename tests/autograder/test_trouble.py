"""Tests of what trouble leaves of a class that is graded and marked: a locked gradebook, a kill, a full disk.

And of how soon it is known what was finished, which trouble then cannot take.
"""

import os
import shutil
import signal
import sqlite3
import tempfile
import time
from concurrent import futures
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from test_held import TEST, change_source, fails, five_more, hand_in_again
from test_pipeline import small_course
from test_unchanged import Hands, earned, grade, is_failed, is_lost, never, passes

from autograder import rehearsal, remarks
from autograder.course import Course
from autograder.errors import CourseError
from autograder.jobs import Job, work
from autograder.kernel import Settings
from autograder.notebooks import ASSIGNMENT
from autograder.pending import Pending
from autograder.pipeline import FAILED, HELD, LANDED, SKIPPED, Grading
from autograder.workers import Cluster, Processes, workers

ADA, BOB = "student-0000", "student-0001"


@pytest.fixture(scope="module")
def made(project, tmp_path_factory):
    """A small course with two students, whose written answers are marked and commented on; not to be changed."""
    course = small_course(project, tmp_path_factory.mktemp("made") / "course", students=2)
    grade(course, passes)
    with course.gradebook() as gradebook:
        for student in (ADA, BOB):
            notebook = gradebook.find_submission_notebook(ASSIGNMENT, ASSIGNMENT, student)
            for each in notebook.grades:
                if not each.name.startswith("test-"):
                    each.manual_score, each.needs_manual_grade = 3.0, False
            for comment in notebook.comments:
                comment.manual_comment = "well done"
        gradebook.db.commit()
    return course.root


@pytest.fixture
def course(made, tmp_path):
    """A copy of that course, whose gradebook waits for half a second if another program writes it."""
    course = Course(Path(shutil.copytree(made, tmp_path / "course")))
    course.directory.db_url = f"sqlite:///file:{course.root / 'gradebook.db'}?timeout=0.5&uri=true"
    return course


@contextmanager
def locked(course):
    """Another program writes the gradebook, and does not come to an end."""
    with closing(sqlite3.connect(course.root / "gradebook.db", isolation_level=None)) as holder:
        holder.execute("begin immediate")
        yield
        holder.execute("rollback")


def another_date(course, *students):
    """Let hand-ins have another date: they are entered again, and not run."""
    for student in students:
        (course.folder("submitted", student) / "timestamp.txt").write_text("2026-11-12 08:00:00 UTC\n")


def marks(course):
    """By student, the marks of the written answers, and whether they must be looked at again."""
    found = {}
    for student, fields in rehearsal.snapshot(course).items():
        grades = {key: value for key, value in fields.items() if key.startswith("grade ")}
        found[student] = {key: value[1:] for key, value in grades.items() if "grade test-" not in key}
    return found


def kept(course):
    """The files of what was graded, with their bytes."""
    root = course.root / "autograded"
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_locked_gradebook_ends_the_run_and_takes_nothing_away(course):
    """Is every graded notebook and mark still there, and nothing run again, after a class met a locked gradebook?"""
    before, marked = kept(course), marks(course)
    another_date(course, ADA, BOB)
    with locked(course), pytest.raises(CourseError, match=r"another program is writing it.*is kept"):
        grade(course, never)
    assert kept(course) == before
    assert grade(course, never)[1] == {ADA: LANDED, BOB: LANDED}
    assert marks(course) == marked and earned(course) == {ADA: 13.0, BOB: 13.0}
    assert grade(course, never)[1] == {ADA: SKIPPED, BOB: SKIPPED}


def test_what_a_locked_gradebook_kept_out_is_entered_by_the_next_run(course):
    """Is the result of a forced run entered later, without another run, with marks and what comments are about?"""
    marked = marks(course)
    with locked(course), pytest.raises(CourseError, match="another program is writing it"):
        list(Grading(course, Hands(fails), [BOB], force=True).events())
    assert Pending(course.root).place(BOB).is_file()
    assert grade(course, never)[1] == {ADA: SKIPPED, BOB: LANDED}
    assert marks(course) == marked and course.graded(BOB).metadata.course[remarks.KEY]
    assert earned(course) == {ADA: 13.0, BOB: 0.0}
    assert not Pending(course.root).place(BOB).exists()


@pytest.mark.parametrize("where", ["steps.SaveJudgedGrades.preprocess", "durable.sync_all"])
def test_a_kill_while_results_are_entered_takes_nothing_away(where, course, monkeypatch):
    """Is what was graded and marked there for the next run, wherever the entering was killed, and nothing left over?"""
    before, marked = kept(course), marks(course)
    another_date(course, ADA)
    child = os.fork()
    if child == 0:
        monkeypatch.setattr(f"autograder.{where}", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        grade(course, never)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    assert grade(course, never)[1] == {ADA: LANDED, BOB: SKIPPED}
    assert marks(course) == marked and kept(course).keys() == before.keys()
    assert grade(course, never)[1] == {ADA: SKIPPED, BOB: SKIPPED}


def test_a_student_whose_result_does_not_fit_keeps_the_earlier_one(course, monkeypatch):
    """Where nbgrader fails for a reason of one student's: is the earlier notebook kept, and are the others entered?"""
    before, run = kept(course), Course._run

    def fails_for_ada(self, what, step, *arguments, **options):
        run(self, what, step, *arguments, **options)
        if ADA in arguments:
            raise CourseError("nbgrader failed")

    another_date(course, ADA, BOB)
    with monkeypatch.context() as patched:
        patched.setattr(Course, "_run", fails_for_ada)
        assert grade(course, never)[0].failed == {ADA: "nbgrader failed"}
    after = kept(course)
    assert {name for name in before if before[name] != after.get(name)} == {
        f"{BOB}/{ASSIGNMENT}/{name}" for name in ("gcnn.ipynb", "timestamp.txt")
    }
    assert grade(course, never)[1] == {ADA: LANDED, BOB: SKIPPED}


def test_a_locked_gradebook_leaves_what_is_held(course):
    """Where somebody has decided, and the results cannot be entered: is it said once, and are all still held?"""
    change_source(course, TEST, five_more)
    grading, kinds = grade(course, passes)
    assert kinds == {ADA: HELD, BOB: HELD}
    with locked(course), pytest.raises(CourseError, match="another program is writing it"):
        list(grading.land_held())
    assert list(grading.held) == [ADA, BOB] and not grading.failed and grading.counts[HELD] == 2
    assert {event.kind for event in grading.land_held()} == {LANDED}
    assert earned(course) == {ADA: 18.0, BOB: 18.0} and grading.counts[HELD] == 0


def other_settings(course):
    """Let everything be run again, by the same tests."""
    with (course.root / "nbgrader_config.py").open("a") as file:
        file.write("\nc.JudgedExecute.limits = {'memory_mb': 7000}\n")
    return Course(course.root)


@pytest.mark.parametrize("way", [is_lost, is_failed])
def test_trouble_of_the_machine_replaces_no_grade(way, course):
    """Do entered grades stay where the same cannot be graded again, with the reason, until a run can?"""
    before, marked = kept(course), marks(course)
    course = other_settings(course)
    grading, kinds = grade(course, way)
    assert kinds == {ADA: FAILED, BOB: FAILED} and not grading.changes
    assert grading.failed[ADA].endswith("the earlier result of the same hand-in stays")
    assert ("every worker" in grading.failed[ADA]) == (way is is_lost)
    assert ("[Errno 24] Too many open files" in grading.failed[ADA]) == (way is is_failed)
    assert kept(course) == before and earned(course) == {ADA: 13.0, BOB: 13.0}
    assert grade(course, passes)[1] == {ADA: LANDED, BOB: LANDED}
    assert marks(course) == marked and grade(course, never)[1] == {ADA: SKIPPED, BOB: SKIPPED}


def test_another_hand_in_that_cannot_be_graded_does_not_keep_the_points_of_the_first(course):
    """Does a new hand-in, of which the grader can make nothing, wait for a person?"""
    hand_in_again(course, ADA)
    assert grade(course, is_failed)[1] == {ADA: LANDED, BOB: SKIPPED}
    assert earned(course) == {ADA: None, BOB: 13.0}


def full(job):
    """A worker's disk is full."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("autograder.jobs.run", lambda *_: os.write(os.open("/dev/full", os.O_WRONLY), b"x"))
        return work(job)


def test_a_workers_full_disk_ends_the_run(course):
    """Does it end with a sentence, and is nothing entered?"""
    before = kept(course)
    with pytest.raises(CourseError, match=r"No space left on device.*run the same command again"):
        grade(other_settings(course), full)
    assert kept(course) == before and not list(Pending(course.root).folder.glob("*.json"))


def test_a_full_disk_comes_back_from_a_process_as_what_it_is(course, monkeypatch):
    """Does a full disk in a process of this machine reach the main process, which ends?"""
    monkeypatch.setattr("autograder.workers.work", full)
    with workers(1) as hands, pytest.raises(OSError, match="No space left on device"):
        list(hands.results(iter([Grading(course, hands, []).job(ADA)])))


def test_each_student_is_told_of_before_the_next_is_looked_at(course, monkeypatch):
    """While students of whom nothing is to be run are looked through: is it said how far it is?"""
    looked, told, job = [], [], Grading.job
    monkeypatch.setattr(Grading, "job", lambda self, student: looked.append(student) or job(self, student))
    another_date(course, ADA)
    for event in Grading(course, Hands(never), [ADA, BOB]).events():
        if event.kind:
            told.append((event.student, event.kind, len(looked)))
    assert told == [(ADA, LANDED, 1), (BOB, SKIPPED, 2)]


def name(job):
    """A job that is done at once."""
    return job.student


class Client:
    """Of a Dask cluster, what jobs need; they run here."""

    def nthreads(self):
        """By worker, how many jobs it does at once."""
        return {"tcp://127.0.0.1:1": 1}

    def get_executor(self, **_):
        """What runs them."""
        return futures.ThreadPoolExecutor(1)


def cluster(jobs):
    """A cluster's workers, without a network."""
    pytest.importorskip("distributed")
    found = Cluster.__new__(Cluster)
    found._client, found._resources, found._since = Client(), None, {}
    return found


@pytest.mark.parametrize("kind", [Processes, cluster])
def test_what_is_finished_is_given_while_others_are_looked_through(kind, monkeypatch):
    """Is a result there before the last of those is looked at of whom nothing is run, and is nobody left out?"""
    monkeypatch.setattr("autograder.workers.work", name)
    given, in_time = [], []

    def jobs():
        end = time.monotonic() + 120
        yield None
        yield Job("ada", "", None, Settings(), "")
        while not given and time.monotonic() < end:
            time.sleep(0.05)
            yield None
        in_time.extend(given)
        yield Job("bob", "", None, Settings(), "")

    for result in kind(2).results(jobs()):
        given += [result] if result else []
    assert in_time == ["ada"] and given == ["ada", "bob"]


def waits(job):
    """A job that is not done before its process is killed."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("autograder.jobs.run", lambda *_: time.sleep(600))
        return work(job)


def private(folder):
    """The files with this name in a folder that changes meanwhile."""
    return [path for path, _, names in os.walk(folder) if "private.txt" in names]


def test_no_files_of_students_stay_when_a_grading_is_interrupted(course, monkeypatch):
    """Is what a student handed in beside the notebook gone from the temporary folder after Ctrl-C?"""
    with tempfile.TemporaryDirectory() as folder, workers(1) as hands:
        monkeypatch.setenv("TMPDIR", folder)  # of the worker
        monkeypatch.setattr(tempfile, "tempdir", folder)
        monkeypatch.setattr("autograder.workers.work", waits)
        (course.folder("submitted", ADA) / "private.txt").write_text("about me")
        going = hands.results(iter([Grading(course, hands, []).job(ADA)]))
        end = time.monotonic() + 120
        while not private(folder):
            assert time.monotonic() < end
            next(going)
        going.close()  # as Ctrl-C does
        assert not private(folder)
