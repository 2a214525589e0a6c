"""Tests of autograder.classroom: what is read about a class is what the gradebook and the runs say."""

import datetime
import os
from collections import Counter

import nbformat
import pytest
from fabricated import DUE, accurate, answered, cells, failed, landed, mark, open_course

from autograder import classroom as room
from autograder.classroom import Observation, read_classroom
from autograder.collected import Collected, HandIn, write_collected
from autograder.course import Course
from autograder.errors import CourseError
from autograder.judge import Outcome
from autograder.kernel import Settings
from autograder.notebooks import ASSIGNMENT
from autograder.rebinding import REBOUND, REPLACED
from autograder.report import read_grades
from autograder.run import Run, run
from autograder.sandbox import Limits
from autograder.steps import prepared


@pytest.fixture(scope="module")
def course(project, tmp_path_factory):
    """A course of this module's own; each test has its own students."""
    return open_course(tmp_path_factory.mktemp("course"), project)


@pytest.fixture(scope="module")
def honest(course):
    """A hand-in that answers everything."""
    return answered(course.source())


def one(course, name):
    """A student's facts."""
    return next(student for student in read_classroom(course) if student.name == name)


def test_points_are_the_gradebooks(fabricated_class):
    """Has every student the points, and the standing, that the gradebook gives?"""
    course, names = fabricated_class
    whole = read_classroom(course)
    assert sorted(student.name for student in whole) == sorted(names)
    states = Counter({room.NOT_RUN: 2, room.MISSING: 2})  # as the class was made
    with course.gradebook() as gradebook:
        for student in whole.graded:
            assert student.grades == read_grades(gradebook, student.name)
            rows = gradebook.find_submission_notebook(ASSIGNMENT, ASSIGNMENT, student.name).grades
            waiting = {row.name.startswith("test-") for row in rows if row.needs_manual_grade}
            states[room.NOT_GRADED if True in waiting else room.WAITING if waiting else room.FINAL] += 1
            total = sum(row.score for row in rows)
            assert student.total == (None if waiting else total)
    assert states == Counter(student.state for student in whole) and set(states) == set(room.STATES)


def test_a_run_that_really_ran_is_understood(course, honest):
    """Are accuracies, time, memory and repairs read from the evidence that `autograder.run` writes?"""
    cell = nbformat.v4.new_code_cell
    code = "import torch\nfrom gcnn import checks\nlabels = torch.tensor([0, 1, 2, 1])\n"
    measuring = "checks.accuracy(torch.eye(3)[labels], labels)\nchecks.accuracy(torch.eye(3)[[0, 1, 2, 2]], labels)"
    small = [
        cell(code, id="given", metadata={"course": {"role": "given"}}),
        cell(measuring, id="test-c4cnn-accuracy", metadata={"course": {"role": "tests", "exercise": "c4cnn"}}),
    ]
    settings = Settings(limits=Limits(memory_mb=3000), cell_seconds=30, test_seconds=30)
    done = run(nbformat.v4.new_notebook(cells=small), frozenset({"C4"}), None, settings)
    course.hand_in("ran", honest)
    poured = prepared(honest, course.source())
    outcomes = {test.id: Outcome("passed") for test in cells(poured, "tests")} | done.outcomes
    course.land("ran", Run(poured, outcomes, done.evidence))
    student = one(course, "ran")
    test = student.tests["test-c4cnn-accuracy"]
    assert (test.status, test.accuracy, test.images) == ("passed", 75.0, 4)
    assert student.seconds == done.evidence["seconds"]["all"] > 0
    assert student.memory_mb == done.evidence["sandbox"]["peak_memory_mb"] > 10
    assert student.limits == student.repairs == student.observations == ()


def test_the_last_accuracy_on_the_most_digits_counts(course, honest):
    """Is it the hidden digits' accuracy, the last one if it was repeated, and the public one where that was all?"""
    repeated = accurate(60.0)
    repeated.measured.append({"what": "The network's output", "accuracy": 88.0, "images": 5000})
    public = accurate(49.0, 1000, passed=False, message="The trained d4cnn gets 50.0 % of 1,000 test digits right")
    landed(course, "trainer", honest, {"test-c4cnn-accuracy": repeated, "test-d4cnn-accuracy": public})
    tests = one(course, "trainer").tests
    assert (tests["test-c4cnn-accuracy"].accuracy, tests["test-c4cnn-accuracy"].images) == (88.0, 5000)
    assert (tests["test-d4cnn-accuracy"].accuracy, tests["test-d4cnn-accuracy"].images) == (50.0, 1000)
    assert tests["test-c4-product"].accuracy is None


def test_what_a_run_met_is_told(course):
    """Are repairs, limits, deaths and what may be tampering there, each as an observation of its kind?"""
    source = course.source()
    notebook = answered(source, added=("def rotate(x, r):\n    return x", "import torch\ntorch.equal = None"))
    next(cell for cell in notebook.cells if cell.get("id") == "test-c4-product").source = "pass"
    unreadable = failed("what the submission gave back cannot be read: it is no reply")
    landed(
        course,
        "meddler",
        notebook,
        {"test-d4-product": unreadable},
        limits=("memory limit of 6,000 MB exceeded",),
        deaths=("memory limit of 6,000 MB exceeded", "the kernel sent what cannot be read (KeyError)"),
        left_out=("x.txt: a symbolic link",),
        repairs=("the notebook had another name",),
    )
    student = one(course, "meddler")
    changed = "the cell 'test-c4-product' was changed: the course's own is used"
    assert set(student.repairs) == {changed, "the notebook had another name"}
    assert student.limits == ("memory limit of 6,000 MB exceeded", "the kernel sent what cannot be read (KeyError)")
    assert set(student.observations) == {
        Observation(room.TEST_CHANGED, changed),
        Observation(REBOUND, "rotate"),
        Observation(REPLACED, "torch.equal"),
        Observation(room.UNREADABLE_REPLY, f"test-d4-product: {unreadable.message}"),
        Observation(room.UNREADABLE_REPLY, "the kernel sent what cannot be read (KeyError)"),
        Observation(room.LEFT_OUT, "x.txt: a symbolic link"),
    }


def test_a_hand_in_that_could_not_be_read_has_no_points_and_a_reason(course, honest):
    """Is every test undecided with the reason, and nothing a number?"""
    reason = "the notebook cannot be read (NotJSONError)"
    landed(course, "noise", honest, unreadable=reason)
    student = one(course, "noise")
    assert student.state == room.NOT_GRADED and student.tested is student.total is None
    assert {test.status for test in student.tests.values()} == {"not graded"}
    assert student.unreadable == student.tests["test-c4-product"].message == reason


def test_marking_by_hand_makes_points_final(course, honest):
    """Do points become final when the last answer is marked, and are the marks in the total?"""
    landed(course, "marked", honest)
    before = one(course, "marked")
    assert (before.state, before.tested, before.total) == (room.WAITING, 98, None)
    mark(course, "marked", 0.5)
    after = one(course, "marked")
    assert (after.state, after.tested, after.total) == (room.FINAL, 98, 98 + 8.5)


def test_late_is_after_ones_own_deadline(course, honest):
    """Does an extension count, and a timestamp of what is not graded yet, unless it is a link or no date?"""
    landed(course, "late", honest, late=datetime.timedelta(hours=3))
    landed(course, "extended", honest, late=datetime.timedelta(hours=3))
    with course.gradebook() as gradebook:
        gradebook.grant_extension(ASSIGNMENT, "extended", hours=2)
    day = datetime.timedelta(days=1)
    times = {"early": DUE - day, "tardy": DUE + 2 * day, "odd": "\x00 no date"}
    for name, time in times.items():
        course.hand_in(name, honest)
        (course.folder("submitted", name) / "timestamp.txt").write_text(f"{time} UTC")
    for name in ("linked", "piped"):
        course.hand_in(name, honest)
    (course.folder("submitted", "linked") / "timestamp.txt").symlink_to(
        course.folder("submitted", "tardy") / "timestamp.txt"
    )
    os.mkfifo(course.folder("submitted", "piped") / "timestamp.txt")
    late = {student.name: student.late.total_seconds() / 3600 for student in read_classroom(course)}
    assert {name: late[name] for name in ("late", "extended", "early", "tardy", "odd", "linked", "piped")} == {
        "late": 3,
        "extended": 1,
        "early": 0,
        "tardy": 48,
        "odd": 0,
        "linked": 0,
        "piped": 0,
    }


def test_a_grading_that_was_interrupted_is_not_done(course, honest):
    """Is a student with half a graded notebook, or none, waiting to be graded?"""
    for name, rest in (("half", 0.5), ("nothing", 0)):
        landed(course, name, honest)
        path = course.folder("autograded", name) / f"{ASSIGNMENT}.ipynb"
        path.chmod(0o644)
        text = path.read_text()
        path.write_text(text[: int(len(text) * rest)])
        student = one(course, name)
        assert (student.state, student.grades, student.tests) == (room.NOT_RUN, None, {})


def test_who_handed_nothing_in_is_missing(course):
    """Is everyone there who is enrolled or expected, and is an id that names a path no way out of the course?"""
    with course.gradebook() as gradebook:
        gradebook.update_or_create_student("../../outside", first_name="Ada", last_name="Byron")
    outside = course.root.parent / "outside" / ASSIGNMENT
    outside.mkdir(parents=True)
    (outside / f"{ASSIGNMENT}.ipynb").write_text("{}")
    hands = (HandIn("marked", "Mary", times=2, why="it is the latest", late_in_lms=True), HandIn("nobody", "No Body"))
    missing = (("expected", "Ex Pected"), ("noise", "No Ise"))
    write_collected(
        course, Collected("2026-11-21T00:00:00+00:00", "canvas", "all.zip", hand_ins=hands, missing=missing)
    )
    whole = {student.name: student for student in read_classroom(course)}
    assert whole["../../outside"].state == whole["expected"].state == room.MISSING
    assert whole["../../outside"].person == "Ada Byron" and whole["../../outside"].feedback is None
    assert whole["expected"].person == "Ex Pected" and whole["marked"].person == "Mary"
    assert whole["marked"].late_in_lms and not whole["early"].late_in_lms
    assert whole["noise"].state == room.NOT_GRADED  # it came since


def test_a_gradebook_without_the_assignment_is_named(project, tmp_path):
    """Does a course whose release was never made say what to do?"""
    with pytest.raises(CourseError, match="make release"):
        read_classroom(Course(tmp_path, project))
