"""What being late costs, and extensions: penalties follow points, dates and deadlines of now, and nothing is run."""

import csv
import re
import shutil
from datetime import timedelta, timezone

import nbformat
import pytest
from fabricated import DUE, answered, landed, mark, open_course
from nbgrader.api import MissingEntry
from typer.testing import CliRunner

from autograder import cli, rehearsal
from autograder.classroom import read_classroom
from autograder.course import Course
from autograder.errors import CourseError
from autograder.exports import exporter
from autograder.lateness import Change, sentence
from autograder.notebooks import ASSIGNMENT
from autograder.run import Run
from autograder.sending import page_of

TESTED, WRITTEN = 98, 17
LATE = timedelta(hours=30)
ZERO = 'c.LateSubmissionPlugin.penalty_method = "zero"'
BY_DAY = 'c.AssignLatePenalties.plugin_class = "rule_of_test_lateness.TenPercentADay"'
BROKEN = 'c.AssignLatePenalties.plugin_class = "rule_of_test_lateness.Broken"'
NOT_THERE = 'c.AssignLatePenalties.plugin_class = "rule_of_test_lateness.NotThere"'
RULES = """
from nbgrader.plugins import LateSubmissionPlugin

class TenPercentADay(LateSubmissionPlugin):
    def late_submission_penalty(self, student_id, score, total_seconds_late):
        return min(1.0, 0.1 * (1 + total_seconds_late // 86_400)) * score

class Broken(LateSubmissionPlugin):
    def late_submission_penalty(self, student_id, score, total_seconds_late):
        return score / (total_seconds_late - total_seconds_late)
"""


@pytest.fixture(scope="module")
def graded(project, tmp_path_factory):
    """A course in which nothing is taken off for being late: ada was late, bob in time, cleo handed in nothing."""
    root = tmp_path_factory.mktemp("lateness") / "course"
    (root / "notebooks").mkdir(parents=True)
    shutil.copy(project / "nbgrader_config.py", root)
    shutil.copy(project / "notebooks" / f"{ASSIGNMENT}.py", root / "notebooks")
    (root / "rule_of_test_lateness.py").write_text(RULES)
    course = open_course(root, root)
    full = answered(course.source())
    landed(course, "ada", full, late=LATE)
    landed(course, "bob", full, late=-LATE)
    with course.gradebook() as gradebook:
        gradebook.add_student("cleo")
    return root


@pytest.fixture
def course(graded, tmp_path):
    """A copy of that course."""
    root = tmp_path / "course"
    shutil.copytree(graded, root)
    return Course(root)


def ruled(course, rule):
    """Give a course a rule for late hand-ins."""
    with (course.root / "nbgrader_config.py").open("a") as file:
        file.write(f"\n{rule}\n")
    return Course(course.root)


def autograder(course, *arguments):
    """Run the command line in a course's folder: what is printed, or the error."""
    done = CliRunner().invoke(cli.app, [*map(str, arguments), "--root", str(course.root)])
    if done.exception is not None and not isinstance(done.exception, CourseError | SystemExit):
        raise done.exception
    return str(done.exception) if isinstance(done.exception, CourseError) else done.output


def entry(course, student):
    """A student's date, extension, points and penalty in the gradebook."""
    with course.gradebook() as gradebook:
        found = gradebook.find_submission(ASSIGNMENT, student)
        return found.timestamp, found.extension, found.score, found.late_submission_penalty


def penalty(course, student):
    """What is taken off a student's points in the gradebook."""
    return entry(course, student)[3]


def due(course, date):
    """Move the deadline."""
    with course.gradebook() as gradebook:
        gradebook.find_assignment(ASSIGNMENT).duedate = date
        gradebook.db.commit()


def exported(course):
    """Everybody's points as a file has them, by student, and what the command said."""
    said = autograder(course, "export")
    with (course.root / "grades.csv").open(newline="", encoding="utf-8") as file:
        return {row["student"]: row for row in csv.DictReader(file)}, said


@pytest.mark.parametrize(("rule", "share"), [(ZERO, 1.0), (BY_DAY, 0.2)])
def test_written_answers_are_reduced_too(course, rule, share):
    """Is a penalty taken of all points, those that were marked after the grading among them, and said?"""
    course = ruled(course, rule)
    mark(course, "ada")
    mark(course, "bob")
    rows, said = exported(course)
    whole = TESTED + WRITTEN
    assert float(rows["ada"]["late penalty"]) == pytest.approx(share * whole)
    assert float(rows["ada"]["final"]) == pytest.approx((1 - share) * whole)
    assert float(rows["bob"]["final"]) == whole
    assert f"Penalties for being late: 1 changed (ada 0 → {share * whole:g})." in said
    assert penalty(course, "ada") == pytest.approx(share * whole)
    assert "Penalties" not in exported(course)[1]


def test_every_command_that_reads_points_works_penalties_out_again(course):
    """Do report and feedback, and nbgrader's own doors, have the penalty of now?"""
    course = ruled(course, ZERO)
    assert f"1 changed (ada 0 → {TESTED})" in autograder(course, "report")
    mark(course, "ada")
    assert f"1 changed (ada {TESTED} → {TESTED + WRITTEN})" in autograder(course, "feedback", "--student", "ada")
    assert f"{TESTED + WRITTEN} points are taken off" in page_of(course, "ada").read_text()
    due(course, DUE + 2 * LATE)
    course.feedback("ada")  # as nbgrader's command and the formgrader's button
    assert penalty(course, "ada") == 0 and "points are taken off" not in page_of(course, "ada").read_text()
    due(course, DUE)
    with course.gradebook() as gradebook:
        exporter("points", course.config).export(gradebook)  # as nbgrader export
    assert penalty(course, "ada") == TESTED + WRITTEN


def test_a_deadline_that_is_moved_counts_at_once(course):
    """Do penalties come and go with the deadline, and is no deadline no penalty, also with an extension?"""
    course = ruled(course, ZERO)
    assert exported(course)[0]["ada"]["late penalty"] == ""  # nothing is final yet
    assert penalty(course, "ada") == TESTED
    due(course, DUE + LATE)
    assert f"1 changed (ada {TESTED} → 0)" in exported(course)[1]
    due(course, DUE - 2 * LATE)
    assert "2 changed" in exported(course)[1] and penalty(course, "bob") == TESTED
    autograder(course, "extend", "ada", "--days", 1)
    due(course, None)
    assert exported(course)[0]["ada"]["hours late"] == "" and (penalty(course, "ada"), penalty(course, "bob")) == (0, 0)


def test_an_extension_of_no_deadline_is_said_and_can_be_taken_back(course):
    """Where the deadline is gone: is entering refused before anything is lost, and is there a way out?"""
    autograder(course, "extend", "ada", "--days", 1)
    due(course, None)
    notebook = course.graded("ada")
    done = Run(notebook, {}, notebook.metadata.course.evidence)
    with pytest.raises(CourseError, match=r"no deadline any more.*extend ada --days 0"):
        course.land("ada", done)
    assert course.graded("ada") == notebook
    assert "no deadline to extend" in autograder(course, "extend", "ada", "--days", 2)
    assert "ada has no extension. There is no deadline." in autograder(course, "extend", "ada", "--days", 0)
    course.land("ada", done)


@pytest.mark.parametrize(("rule", "why"), [(BROKEN, "Broken, fails for ada (ZeroDivisionError"), (NOT_THERE, "fit")])
def test_a_rule_that_cannot_be_used_is_said(course, rule, why):
    """Is it one sentence, and stays every penalty as it was?"""
    course = ruled(course, ZERO)
    exported(course)
    course = ruled(course, rule)
    said = autograder(course, "export")
    assert said.startswith("the rule for late hand-ins") and why in said and "nbgrader_config.py" in said
    assert penalty(course, "ada") == TESTED


def test_an_extension_counts_at_once_and_is_taken_back(course):
    """Does a penalty go with an extension and come back, is the deadline said, and is nothing graded?"""
    course = ruled(course, ZERO)
    exported(course)
    before = (course.folder("autograded", "ada") / "gcnn.ipynb").stat()
    said = autograder(course, "extend", "ada", "--days", 1, "--hours", 6)
    own, usual = (f"{date.replace(tzinfo=timezone.utc).astimezone():%a %d %b %Y %H:%M}" for date in (DUE + LATE, DUE))
    assert f"ada's deadline is {own}" in said and f"everybody else's {usual}" in said
    assert f"1 changed (ada {TESTED} → 0)" in said and penalty(course, "ada") == 0
    said = autograder(course, "extend", "ada")
    assert f"ada's deadline is {own}" in said and "changed" not in said
    assert f"1 changed (ada 0 → {TESTED})" in autograder(course, "extend", "ada", "--hours", 3)  # in its place
    said = autograder(course, "extend", "ada", "--days", 0)
    assert f"ada's deadline is {usual}" in said and "as everybody's" in said
    assert entry(course, "ada")[1] is None and (course.folder("autograded", "ada") / "gcnn.ipynb").stat() == before


def test_an_extension_before_anything_is_handed_in(course):
    """Does it count once something comes, is the student missing until then, and may the notebook still change?"""
    course = ruled(course, ZERO)
    for student in ("dan", "eve"):
        course.hand_in(student, answered(course.source()))  # and on no roster
        stamp = course.folder("submitted", student) / "timestamp.txt"
        stamp.write_text(f"{DUE + LATE} UTC")
    for student in ("cleo", "dan"):
        assert f"{student}'s deadline is" in autograder(course, "extend", student, "--days", 2)
    rows, _ = exported(course)
    assert {rows[student]["status"] for student in ("cleo", "dan")} == {"missing", "not graded"}
    hours = {student.name: student.late.total_seconds() / 3600 for student in read_classroom(course)}
    assert (hours["cleo"], hours["dan"], hours["eve"]) == (0, 0, 30)
    landed(course, "cleo", answered(course.source()), late=LATE)
    assert entry(course, "cleo") == (DUE + LATE, timedelta(days=2), TESTED, 0)
    mark(course, "cleo")
    rows, _ = exported(course)
    assert (rows["cleo"]["status"], float(rows["cleo"]["final"])) == ("final", TESTED + WRITTEN)
    with course.gradebook() as gradebook:
        kinds = [
            [sorted(row.name for row in rows) for rows in (notebook.grades, notebook.comments)]
            for notebook in (gradebook.find_submission_notebook(*(ASSIGNMENT,) * 2, name) for name in ("cleo", "bob"))
        ]
    assert kinds[0] == kinds[1]


def test_an_extension_keeps_no_test_from_being_added(project, tmp_path):
    """May a test be taken out and released after an extension, as long as nothing was handed in?"""
    shutil.copy(project / "nbgrader_config.py", tmp_path)
    course = Course(tmp_path)
    small = rehearsal.open_course(course, nbformat.read(project / "source" / ASSIGNMENT / "gcnn.ipynb", as_version=4))
    with course.gradebook() as gradebook:
        gradebook.update_or_create_assignment(ASSIGNMENT, duedate=str(DUE))
        gradebook.add_student("cleo")
    assert "cleo's deadline is" in autograder(course, "extend", "cleo", "--days", 2)
    small.cells = [cell for cell in small.cells if cell.id != "test-d4-inverse"]
    nbformat.write(small, course.folder("source") / "gcnn.ipynb")
    course.release()
    landed(course, "cleo", answered(small), late=LATE)
    _, extension, score, late = entry(course, "cleo")
    assert (extension, late) == (timedelta(days=2), 0) and score > 0


@pytest.mark.parametrize(
    ("who", "date", "sentence"),
    [
        ("adda", DUE, "there is no student adda: .* `nbgrader db student list`"),
        ("ada", None, "there is no deadline to extend: set one with `nbgrader db assignment add gcnn"),
    ],
)
def test_an_extension_that_cannot_be_given(course, who, date, sentence):
    """Is it one sentence with what to do, and is nothing entered?"""
    due(course, date)
    assert re.match(sentence, autograder(course, "extend", who, "--days", 1))
    with course.gradebook() as gradebook, pytest.raises(MissingEntry):
        gradebook.find_student("adda")


@pytest.mark.parametrize("late", [LATE, -LATE])
def test_no_hand_in_has_anothers_date(course, late):
    """Has a hand-in without a date none in the gradebook, whatever the one before it had, and no penalty?"""
    course = ruled(course, ZERO)
    landed(course, "ada", answered(course.source()), late=late)
    assert entry(course, "ada")[0] == DUE + late
    (course.folder("submitted", "ada") / "timestamp.txt").unlink()
    landed(course, "ada", answered(course.source(), untouched=("c4",)))
    assert (entry(course, "ada")[0], penalty(course, "ada")) == (None, 0)


def test_a_long_list_is_cut():
    """Is the line one that can be read, however many changed?"""
    said = sentence([Change(f"student-{number}", 0.0, 12.345678) for number in range(300)])
    assert "300 changed" in said and "student-0 0 → 12.35" in said and "and 288 more" in said and len(said) < 500


def test_grading_works_penalties_out_again(project, tmp_path):
    """Does `grade` renew penalties of what is unchanged, and take a date away that is gone, without a run?"""
    (tmp_path / "nbgrader_config.py").write_text(f"{(project / 'nbgrader_config.py').read_text()}\n{ZERO}\n")
    course = Course(tmp_path)
    small = rehearsal.open_course(course, nbformat.read(project / "source" / ASSIGNMENT / "gcnn.ipynb", as_version=4))
    rehearsal.hand_in(course, next(rehearsal.hand_ins(small, 1)))
    said = autograder(course, "grade", "--jobs", 1)
    assert "graded 1" in said and "Penalties" not in said
    with course.gradebook() as gradebook:
        gradebook.update_or_create_assignment(ASSIGNMENT, duedate="2026-11-09 12:00:00 UTC")
        grade = gradebook.find_grade("unique-inverse", ASSIGNMENT, ASSIGNMENT, "student-0000")
        grade.manual_score, grade.needs_manual_grade = 4.5, False
        gradebook.db.commit()
    said = autograder(course, "grade", "--jobs", 1)
    assert "unchanged 1" in said and "Penalties for being late: 1 changed (student-0000 0 → 17.5)." in said
    (course.folder("submitted", "student-0000") / "timestamp.txt").unlink()
    autograder(course, "grade", "--jobs", 1)
    assert entry(course, "student-0000") == (None, None, 17.5, 0)
