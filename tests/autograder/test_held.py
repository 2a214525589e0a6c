"""Tests of what waits until somebody has seen it: held results, marks of a person, and hand-ins that came since."""

import json
import re
import shutil
from pathlib import Path

import filelock
import nbformat
import pytest
from bs4 import BeautifulSoup
from test_pipeline import autograder, small_course
from test_unchanged import Hands, dies, earned, grade, is_failed, judged, mark, never, passes

from autograder import versions
from autograder.classroom import NOT_RUN, read_classroom
from autograder.course import Course
from autograder.errors import CourseError
from autograder.judge import Outcome
from autograder.notebooks import ASSIGNMENT
from autograder.pending import Pending
from autograder.pipeline import FAILED, HELD, LANDED, OVERTAKEN, SKIPPED, Change, Grading
from autograder.sending import read_class
from autograder.standing import HAND_IN, TESTS, behind
from autograder.standing import HELD as HELD_REASON

ADA, BOB = "student-0000", "student-0001"
TEST = "test-c4-inverse"


def fails(job):
    """Every test fails."""
    return judged(job, Outcome("failed", "wrong"))


def change_source(course, cell_id, change):
    """Change a cell of the source, and make the release again."""
    path = course.folder("source") / f"{ASSIGNMENT}.ipynb"
    source = nbformat.read(path, as_version=4)
    change(next(cell for cell in source.cells if cell.id == cell_id))
    nbformat.write(source, path)
    course.release()


def five_more(cell):
    """Let a test have five more points."""
    cell.metadata.nbgrader.points += 5


def hand_in_again(course, student, old="return (r + s) % 4", new="return r + s"):
    """Let a student hand in another notebook."""
    path = course.folder("submitted", student) / f"{ASSIGNMENT}.ipynb"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def flags(course, student):
    """By test, whether it waits for a person."""
    with course.gradebook() as gradebook:
        grades = gradebook.find_submission_notebook(ASSIGNMENT, ASSIGNMENT, student).grades
        return {each.name: bool(each.needs_manual_grade) for each in grades if each.name.startswith("test-")}


@pytest.fixture(scope="module")
def passed(project, tmp_path_factory):
    """A small course with two students, whose tests all passed; not to be changed."""
    course = small_course(project, tmp_path_factory.mktemp("passed") / "course", students=2)
    assert grade(course, passes)[1] == {ADA: LANDED, BOB: LANDED}
    return course.root


@pytest.fixture(scope="module")
def changed(passed, tmp_path_factory):
    """The same, after a test got five more points; not to be changed."""
    root = tmp_path_factory.mktemp("changed") / "course"
    change_source(Course(Path(shutil.copytree(passed, root))), TEST, five_more)
    return root


@pytest.fixture
def course(passed, tmp_path):
    """A small course with two students, whose tests all passed."""
    return Course(Path(shutil.copytree(passed, tmp_path / "course")))


@pytest.fixture
def held(changed, tmp_path):
    """The same, after a test got five more points: both have been graded again, and both results are held."""
    course = Course(Path(shutil.copytree(changed, tmp_path / "course")))
    course.grading, kinds = grade(course, passes)
    assert kinds == {ADA: HELD, BOB: HELD}
    return course


@pytest.mark.parametrize("answer", ["--keep", "--discard"])
def test_the_answer_is_about_the_students_of_this_run(answer, held):
    """Does `grade --student ada` enter or forget her held result only, which is all that it has shown?"""
    done = autograder(held, "grade", "--student", ADA, answer)
    assert done.returncode == 0, done.stdout + done.stderr
    shown = done.stdout.partition("The tests, or what")[2].partition("have the same sum")[0]
    assert ADA in shown and BOB not in shown
    assert earned(held) == {ADA: 18.0 if answer == "--keep" else 13.0, BOB: 13.0}
    if answer == "--keep":
        assert "The new points of 1 submissions are entered" in done.stdout
    assert grade(held, passes if answer == "--discard" else never)[1][BOB] == HELD, "his was neither shown nor decided"


def test_what_has_changed_meanwhile_is_not_entered(held):
    """Is a held result refused, by name, whose student hands in again before it is decided, and the other's entered?"""
    hand_in_again(held, BOB)
    assert [(event.student, event.kind) for event in held.grading.land_held()] == [(ADA, LANDED), (BOB, FAILED)]
    assert "hand-in" in held.grading.failed[BOB] and "grade again" in held.grading.failed[BOB]
    assert earned(held) == {ADA: 18.0, BOB: 13.0}


@pytest.mark.parametrize("damage", ["cut off", "gone", "no notebook"])
def test_a_held_result_that_cannot_be_used_stops_nobody_else(damage, held):
    """Is it that student's failure only, and the student graded by the next run?"""
    path = held.grading.pending.place(ADA)
    if damage == "gone":
        path.unlink()
    elif damage == "cut off":
        path.write_text(path.read_text()[:-100])
    else:
        path.write_text(json.dumps({**json.loads(path.read_text()), "notebook": "["}))
    assert [(event.student, event.kind) for event in held.grading.land_held()] == [(ADA, FAILED), (BOB, LANDED)]
    assert list(held.grading.failed) == [ADA]
    assert earned(held) == {ADA: 13.0, BOB: 18.0}


@pytest.mark.parametrize("entered", [True, False])
def test_what_another_run_has_put_there_is_neither_entered_nor_forgotten(entered, held):
    """Is a result left alone that somebody else's run has put in the place of the one that was shown?"""
    path = held.grading.pending.place(ADA)
    other = json.loads(path.read_text())
    other["evidence"]["host"] = "another"
    path.write_text(json.dumps(other))
    if entered:
        assert [(event.student, event.kind) for event in held.grading.land_held()] == [(ADA, FAILED), (BOB, LANDED)]
        assert held.grading.failed == {ADA: OVERTAKEN}
    else:
        held.grading.discard_held()
        assert not held.grading.pending.place(BOB).exists()
    assert json.loads(path.read_text()) == other


def test_a_bound_that_is_corrected_while_one_decides_is_noticed(held, monkeypatch):
    """Does an edit of what tests compare with, after the table was shown, keep the results from being entered?"""
    deciding = versions.deciding
    monkeypatch.setattr(versions, "deciding", lambda *cells: [*deciding(*cells), "autograder.mathml"])
    found = {event.kind for event in held.grading.land_held()}
    versions.look_again()
    assert found == {FAILED}
    assert set(held.grading.failed.values()) == {OVERTAKEN}


def test_without_its_graded_notebook_nobody_has_final_points(course):
    """Where a grading was cut off, or autograded/ is gone: is nothing final, and are other points shown first?"""
    shutil.rmtree(course.folder("autograded", ADA))
    shutil.rmtree(course.folder("autograded", BOB))
    assert status(course, BOB) == ("not graded", "")
    assert grade(course, passes)[1] == {ADA: LANDED, BOB: LANDED}
    shutil.rmtree(course.folder("autograded", ADA))
    assert grade(course, fails)[1] == {ADA: HELD, BOB: SKIPPED} and earned(course)[ADA] == 13.0


def test_what_a_file_browser_leaves_is_no_newer_hand_in(course):
    """Does a look into the folder, which leaves a file there, change nothing?"""
    (course.folder("submitted", ADA) / ".DS_Store").write_bytes(b"\0")
    assert behind(course.directory, [ADA, BOB]) == {}
    assert grade(course, never)[1] == {ADA: SKIPPED, BOB: SKIPPED}


def test_a_file_that_cannot_be_read_is_one_students_failure(course, monkeypatch):
    """Are the others graded, and is it said whose hand-in it is?"""

    def unreadable(folder):
        if BOB in str(folder):
            raise PermissionError(13, "Permission denied", str(folder / "notes.txt"))

    monkeypatch.setattr("autograder.pipeline.pack", unreadable)
    grading, kinds = grade(course, never)
    assert kinds == {ADA: SKIPPED, BOB: FAILED} and "notes.txt" in grading.failed[BOB]


def test_what_the_grader_cannot_do_can_be_entered(held):
    """Is a held result without outcomes, for the grader's own reasons, tried anew, and entered if it is no better?"""
    hand_in_again(held, ADA)
    grading, kinds = grade(held, is_failed)
    assert kinds == {ADA: HELD, BOB: HELD}
    assert {event.kind for event in grading.land_held()} == {LANDED}
    assert earned(held) == {ADA: None, BOB: 18.0}
    assert grade(held, passes)[1] == {ADA: LANDED, BOB: SKIPPED}


def test_nothing_is_entered_while_another_grading_runs(held):
    """Is deciding refused, in a sentence, while somebody else enters results?"""
    with filelock.FileLock(Pending(held.root).folder / "lock"):
        with pytest.raises(CourseError, match="being graded already"):
            list(held.grading.land_held())
        with pytest.raises(CourseError, match="being graded already"):
            held.grading.discard_held()
    assert list(held.grading.held) == [ADA, BOB] and earned(held) == {ADA: 13.0, BOB: 13.0}


@pytest.fixture
def bounds(monkeypatch, tmp_path):
    """A copy of the bounds that tests compare with; to be changed."""
    copy, found = tmp_path / "thresholds.py", versions._file
    copy.write_text(found("autograder.thresholds").read_text())
    monkeypatch.setattr(versions, "_file", lambda name: copy if name == "autograder.thresholds" else found(name))
    versions._contents.cache_clear()
    yield copy
    versions._contents.cache_clear()


@pytest.mark.parametrize("force", [False, True])
def test_a_corrected_bound_is_a_corrected_test(force, project, tmp_path, bounds):
    """Is everybody run again after a bound was moved, and held until somebody has seen it, also with --force?"""
    course = small_course(project, tmp_path / "course", students=1)

    def compare(cell):
        code = "from autograder.thresholds import GRADING as bounds\nassert bounds"
        cell.source = cell.source.replace("### END HIDDEN TESTS", f"{code}\n### END HIDDEN TESTS")

    change_source(course, TEST, compare)
    assert grade(course, passes)[1] == {ADA: LANDED} and grade(course, never)[1] == {ADA: SKIPPED}
    bounds.write_text(bounds.read_text() + "GRADING = {}\n")
    versions._contents.cache_clear()  # as another process begins
    grading = Grading(course, Hands(fails), [ADA], force=force)
    assert [event.kind for event in grading.events() if event.kind] == [HELD]
    assert earned(course) == {ADA: 13.0}


def test_an_overruled_test_is_looked_at_again_only_if_something_happened_to_it(course):
    """Does a mark in a test's place rest after another date, and ask again after another outcome or another answer?"""
    mark(course, ADA, 1.0)
    (course.folder("submitted", ADA) / "timestamp.txt").write_text("2026-11-12 08:00:00 UTC\n")
    assert grade(course, never)[1] == {ADA: LANDED, BOB: SKIPPED}
    assert set(flags(course, ADA).values()) == {False}
    hand_in_again(course, ADA)  # of c4: the others' answer is what it was
    assert grade(course, passes)[1] == {ADA: LANDED, BOB: SKIPPED}
    assert {name for name, waits in flags(course, ADA).items() if waits} == {"test-c4-product", TEST}
    mark(course, ADA, 1.0)
    grading = Grading(course, Hands(fails), [ADA], force=True)
    assert [event.kind for event in grading.events() if event.kind] == [LANDED]
    assert set(flags(course, ADA).values()) == {True}


def test_a_decision_about_what_died_rests(course):
    """Is a test that a person decided, since it could not be graded, left alone when only the date is another?"""
    hand_in_again(course, ADA)
    assert grade(course, dies)[1][ADA] == LANDED
    mark(course, ADA, 2.0)
    (course.folder("submitted", ADA) / "timestamp.txt").write_text("2026-11-12 08:00:00 UTC\n")
    assert grade(course, never)[1][ADA] == LANDED
    assert set(flags(course, ADA).values()) == {False}


def test_an_overruled_test_neither_gains_nor_loses(course):
    """Does the table compare what counts, and say which points stay since a person gave them?"""
    mark(course, ADA, 1.0)
    change_source(course, TEST, five_more)
    grading, kinds = grade(course, passes)
    assert kinds == {ADA: HELD, BOB: HELD}
    assert grading.changes == [Change(ADA, TEST, 1.0, 1.0, True), Change(BOB, TEST, 2.0, 7.0)]
    done = autograder(course, "grade")
    assert "1 of them gain 5 points in all, 0 lose 0; 1 have the same sum." in done.stdout, done.stdout
    assert any(line.split() == [ADA, TEST, "1", "1", "stays:", "by", "hand"] for line in done.stdout.splitlines())


def status(course, student):
    """A student's status and total, as `autograder export` writes them."""
    import csv

    assert autograder(course, "export").returncode == 0
    rows = {row["student"]: row for row in csv.DictReader((course.root / "grades.csv").open(newline=""))}
    return rows[student]["status"], rows[student]["final"]


def settle(course):
    """Mark all written answers."""
    with course.gradebook() as gradebook:
        for submission in gradebook.notebook_submissions(ASSIGNMENT, ASSIGNMENT):
            for each in submission.grades:
                if each.needs_manual_grade:
                    each.manual_score, each.needs_manual_grade = 5.0, False
        gradebook.db.commit()


@pytest.mark.parametrize("matters", [True, False])
def test_the_points_of_an_earlier_hand_in_are_not_final(matters, course, project):
    """Is somebody *not graded*, with what to do, from when a newer hand-in lies there until it is graded?"""
    # The small course has two exercises; exports know them all, and wait for the others.
    settle(course)
    before = status(course, BOB)
    assert read_class(course).still_open() == [] and read_classroom(course).students[1].state != NOT_RUN
    hand_in_again(course, BOB, *([] if matters else ['"cells"', ' "cells"']))
    assert status(course, BOB) == ("not graded", "")
    assert autograder(course, "export", "--format", "canvas").returncode == 0
    left_out = (course.root / "canvas-left-out.csv").read_text()
    assert HAND_IN in left_out and left_out.count("newest") == 1
    done = autograder(course, "feedback", "--final")
    assert done.returncode == 1 and f"The newest hand-in is not graded (run `autograder grade`): {BOB}" in done.stderr
    assert [student.state == NOT_RUN for student in read_classroom(course)] == [False, True]
    assert grade(course, passes if matters else never)[1] == {ADA: SKIPPED, BOB: LANDED}
    settle(course)
    assert status(course, BOB) == before and read_class(course).still_open() == []
    assert grade(course, never)[1] == {ADA: SKIPPED, BOB: SKIPPED}


def reported(course):
    """What the report says is left to do."""
    assert autograder(course, "report").returncode == 0
    page = BeautifulSoup((course.root / "report.html").read_text(), "html.parser")
    return re.sub(r"\s+", " ", page.find(class_="todo").get_text(" ", strip=True))


def test_the_points_of_an_earlier_test_are_not_final(course):
    """After a corrected test: is who was not graded by it *not graded*, wherever somebody looks, and why?"""
    settle(course)
    before = status(course, BOB)
    change_source(course, TEST, five_more)
    grading = Grading(course, Hands(passes), [ADA])
    assert [event.kind for event in grading.events() if event.kind] == [HELD]
    assert behind(course.directory, [ADA, BOB]) == {ADA: HELD_REASON, BOB: TESTS}
    assert status(course, ADA) == status(course, BOB) == ("not graded", "")
    done = autograder(course, "export", "--format", "canvas")
    earlier = f"Graded by an earlier version of the tests (run `autograder grade`): {BOB}"
    held = f"A new result is held (run `autograder grade` and decide): {ADA}"
    assert f"note: {earlier}" in done.stdout and f"note: {held}" in done.stdout
    left_out = (course.root / "canvas-left-out.csv").read_text()
    assert TESTS in left_out and HELD_REASON in left_out
    done = autograder(course, "feedback", "--final")
    assert done.returncode == 1 and earlier in done.stderr and held in done.stderr
    todo = reported(course)
    for reason, student in ((TESTS, BOB), (HELD_REASON, ADA)):
        assert f"1 submission: {reason}: {student}".replace("`", "") in todo
    assert "hand-in:" not in todo
    done = autograder(course, "grade", "--student", ADA, "--keep")
    assert done.returncode == 0 and f"note: {earlier}" in done.stdout and "is held" not in done.stdout
    assert read_class(course).ungraded == [BOB]
    change_source(course, TEST, lambda cell: cell.metadata.nbgrader.update(points=cell.metadata.nbgrader.points - 5))
    assert status(course, BOB) == before and behind(course.directory, [ADA, BOB]) == {ADA: TESTS}


def test_without_evidence_nobody_is_behind_the_tests(course):
    """Does feedback still take what another grader has graded, also after a test was changed?"""
    path = course.folder("autograded", BOB) / f"{ASSIGNMENT}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    del notebook.metadata["course"]
    path.chmod(0o644)
    nbformat.write(notebook, path)
    change_source(course, TEST, five_more)
    assert behind(course.directory, [BOB], evident=True) == {} and BOB in read_class(course).marks
    assert behind(course.directory, [BOB]) == {BOB: HAND_IN}


def test_nbgraders_own_grading_remembers_the_hand_in(course):
    """Is a newer hand-in noticed also after nbgrader's own command, or its button, graded the last one?"""
    hand_in_again(course, BOB)
    course.autograde(BOB)
    assert read_class(course).ungraded == []
    hand_in_again(course, BOB, "return r + s", "return s + r")
    assert read_class(course).ungraded == [BOB]


def test_a_corrected_rubric_reaches_markers_and_runs_nothing(course):
    """Is a rubric that was corrected below the answers in the formgrader, without anybody being run again?"""

    def correct(cell):
        assert "Rubric" in cell.source
        cell.source = cell.source.replace("Rubric", "RUBRIC")

    change_source(course, "unique-inverse", correct)
    assert set(grade(course, never)[1].values()) == {LANDED}
    rubric = next(cell for cell in course.graded(ADA).cells if cell.id == "rubric-unique-inverse")
    assert "RUBRIC" in rubric.source and course.graded(ADA).metadata.course.evidence.outcomes[TEST].status == "passed"
    assert set(grade(course, never)[1].values()) == {SKIPPED}


@pytest.fixture
def edited(project, tmp_path):
    """A course of its own with the whole notebook's text, in which one hand-in is graded."""
    import fabricated

    root = tmp_path / "course"
    (root / "notebooks").mkdir(parents=True)
    for name in (f"notebooks/{ASSIGNMENT}.py", "nbgrader_config.py"):
        (root / name).write_text((project / name).read_text())
    course = fabricated.open_course(root, root)
    fabricated.landed(course, "ada", fabricated.answered(course.source()))
    return course


HEADER = '# %% tests="c4" part="inverse" points=2'
NEW = '# %% tests="c4" part="again" points=1\nassert C4.product(0, 0) == 0\n\n'


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (HEADER, NEW + HEADER.replace("2", "1"), "test-c4-again would be new"),
        (HEADER, HEADER.replace("inverse", "undo"), "test-c4-inverse would be gone"),
        ('# %% answer="c4"', '# %%\nx = 1\n\n# %% answer="c4"', "would be new"),
    ],
)
def test_a_test_that_comes_or_goes_after_grading_changes_nothing(old, new, said, edited):
    """Is a release refused in a sentence that nbgrader cannot make any more, and everything left as it was?"""
    files = [edited.folder(step) / f"{ASSIGNMENT}.ipynb" for step in ("source", "release")]
    before = [path.read_bytes() for path in files]
    text = edited.text.read_text()
    assert text.count(old) == 1
    edited.text.write_text(text.replace(old, new))
    done = autograder(edited, "release")
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    assert said in done.stderr and "1 submissions are graded" in done.stderr and "new gradebook" in done.stderr
    assert [path.read_bytes() for path in files] == before
    assert Course(edited.root).graded("ada") is not None


def test_text_and_free_code_come_and_go(edited):
    """May text and playgrounds be added after grading?"""
    old = '# %% answer="c4"'
    new = f'# %% [markdown]\nr"""\nMore.\n"""\n\n# %% playground=true\nx = 1\n\n{old}'
    edited.text.write_text(edited.text.read_text().replace(old, new))
    done = autograder(edited, "release")
    assert done.returncode == 0, done.stdout + done.stderr
