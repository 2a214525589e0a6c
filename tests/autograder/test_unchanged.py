"""Tests of what autograder.pipeline takes for unchanged, on a small course whose submissions never run."""

import dataclasses

import nbformat
import pytest
from fabricated import cells
from test_pipeline import small_course

from autograder import rehearsal
from autograder.course import Course
from autograder.errors import CourseError
from autograder.jobs import Job, failed, lost, result_of, work
from autograder.judge import Outcome
from autograder.kernel import Settings
from autograder.notebooks import ASSIGNMENT
from autograder.pipeline import FAILED, HELD, LANDED, SKIPPED, Grading
from autograder.run import Run
from autograder.steps import prepared

TEST = "test-c4-inverse"


def judged(job, outcome):
    """The result of a job whose tests have all this outcome."""
    notebook = nbformat.reads(job.notebook, as_version=4)
    outcomes = {cell.id: outcome for cell in cells(notebook, "tests")}
    told = {name: {"status": o.status, "message": o.message, "grader_error": False} for name, o in outcomes.items()}
    return result_of(job, Run(notebook, outcomes, {"outcomes": told}))


def passes(job):
    """Every test passes."""
    return judged(job, Outcome("passed"))


def dies(job):
    """The submission ended its kernel."""
    return judged(job, Outcome.not_graded("the kernel died"))


def is_lost(job):
    """A worker's death."""
    return lost(job, "every worker that tried to grade it was lost")


def is_failed(job):
    """A mistake of the grader's."""
    return failed(job, OSError(24, "Too many open files"))


def never(job):
    """Nobody is to be run."""
    pytest.fail(f"{job.student} was run again")


class Hands:
    """Workers that do every job in one way."""

    here, slots = False, 1

    def __init__(self, way):
        self.way = way

    def results(self, jobs):
        """Do jobs, one after the other."""
        return (self.way(job) if job else None for job in jobs)


def grade(course, way):
    """Grade the class, and what became of each student."""
    grading = Grading(course, Hands(way), course.handed_in())
    return grading, {event.student: event.kind for event in grading.events() if event.kind}


def mark(course, student, points):
    """Give points to all of a student's tests by hand, as the formgrader does."""
    with course.gradebook() as gradebook:
        for each in gradebook.find_submission_notebook(ASSIGNMENT, ASSIGNMENT, student).grades:
            if each.name.startswith("test-"):
                each.manual_score, each.needs_manual_grade = points, False
        gradebook.db.commit()


def earned(course):
    """By student, the points of all tests together; ``None`` where one has no number."""
    found = {}
    for student, fields in rehearsal.snapshot(course).items():
        scores = [value[0] for key, value in fields.items() if key.startswith("grade test-")]
        found[student] = None if None in scores else sum(scores)
    return found


@pytest.fixture
def course(project, tmp_path):
    """A small course in which one student has handed in."""
    return small_course(project, tmp_path / "course", students=1)


def test_a_jobs_key_has_the_points(source):
    """Are two jobs different whose tests have other points, and the same that differ only in whose they are?"""
    small = rehearsal.small_source(source)
    job = Job("ada", nbformat.writes(prepared(small, small)), None, Settings(), "a secret")
    assert dataclasses.replace(job, student="bob").key == job.key
    next(cell for cell in small.cells if cell.id == TEST).metadata.nbgrader.points += 1
    assert dataclasses.replace(job, notebook=nbformat.writes(prepared(small, small))).key != job.key


def test_other_points_reach_everybody(project, tmp_path):
    """After a change of points: do those who were graded before get the new ones, once somebody has seen it?"""
    course = small_course(project, tmp_path / "course", students=2)
    late = course.folder("submitted", "student-0001").rename(tmp_path / "late")
    assert grade(course, passes)[1] == {"student-0000": LANDED}
    path = course.folder("source") / f"{ASSIGNMENT}.ipynb"
    changed = nbformat.read(path, as_version=4)
    next(cell for cell in changed.cells if cell.id == TEST).metadata.nbgrader.points += 5
    nbformat.write(changed, path)
    course.release()
    late.rename(course.folder("submitted", "student-0001"))
    grading, kinds = grade(course, passes)
    assert kinds == {"student-0000": HELD, "student-0001": LANDED}
    assert [(c.student, c.test, c.after - c.before) for c in grading.changes] == [("student-0000", TEST, 5.0)]
    assert earned(course) == {"student-0000": 13.0, "student-0001": 18.0}
    assert [event.kind for event in grading.land_held()] == [LANDED]
    assert earned(course) == {"student-0000": 18.0, "student-0001": 18.0}
    assert set(grade(course, never)[1].values()) == {SKIPPED}


@pytest.mark.parametrize("way", [is_lost, is_failed])
def test_what_the_grader_could_not_do_is_tried_again(way, course):
    """Is a submission that no worker could finish graded by the next run, until it is done, and then no more?"""
    assert grade(course, way)[1] == {"student-0000": LANDED}
    assert earned(course) == {"student-0000": None}
    for each in (way, passes):
        assert grade(course, each)[1] == {"student-0000": LANDED}
    assert earned(course) == {"student-0000": 13.0}
    assert grade(course, never)[1] == {"student-0000": SKIPPED}


def test_a_result_of_a_lost_worker_that_was_not_entered_is_not_kept_to(course, monkeypatch):
    """Is a submission run again whose last result is none and could not even be entered?"""

    def fails(self, student, done):
        raise CourseError("the gradebook cannot be reached")

    with monkeypatch.context() as patched:
        patched.setattr(Course, "land", fails)
        assert grade(course, is_lost)[1] == {"student-0000": FAILED}
    assert grade(course, passes)[1] == {"student-0000": LANDED}
    assert earned(course) == {"student-0000": 13.0}


def test_what_a_submission_did_to_itself_is_not_tried_again(course):
    """Is a submission left alone that ended its kernel?"""
    assert grade(course, dies)[1] == {"student-0000": LANDED}
    assert grade(course, never)[1] == {"student-0000": SKIPPED}


def test_a_notebook_that_cannot_be_read_is_not_tried_again(course):
    """Is it left alone, and another date for it entered without another run?"""
    folder = course.folder("submitted", "student-0000")
    (folder / f"{ASSIGNMENT}.ipynb").write_text("<html>")
    assert grade(course, work)[1] == {"student-0000": LANDED}
    assert grade(course, never)[1] == {"student-0000": SKIPPED}
    (folder / "timestamp.txt").write_text("2026-11-12 08:00:00 UTC\n")
    assert grade(course, never)[1] == {"student-0000": LANDED}
    assert earned(course) == {"student-0000": None}


@pytest.mark.parametrize("way", [is_lost, dies])
def test_what_a_person_has_decided_is_not_tried_again(way, course):
    """Does a decision about tests that were not graded end the trying, and stay?"""
    grade(course, way)
    mark(course, "student-0000", 1.0)
    before = rehearsal.snapshot(course)
    assert grade(course, never)[1] == {"student-0000": SKIPPED}
    assert rehearsal.snapshot(course) == before
