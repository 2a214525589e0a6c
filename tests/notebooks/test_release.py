"""The committed source/ and release/ are what the text gives, and hold nothing that students must not see."""

import pytest

from autograder.course import Course
from autograder.notebooks import ASSIGNMENT, leaks


@pytest.fixture(scope="module")
def rebuilt(project, tmp_path_factory):
    """Everything built anew from the text, into a fresh gradebook."""
    course = Course(tmp_path_factory.mktemp("course"), project)
    course.build()
    course.release()
    return course


@pytest.mark.parametrize("step", ["source", "release"])
def test_the_committed_notebooks_are_up_to_date(project, rebuilt, step):
    """Are the committed bytes those that `make release` would write now?"""
    committed = (project / step / ASSIGNMENT / f"{ASSIGNMENT}.ipynb").read_bytes()
    assert committed == (rebuilt.folder(step) / f"{ASSIGNMENT}.ipynb").read_bytes(), "run: make release"


def test_the_committed_release_leaks_nothing(project, source):
    """Is there no marker, solution, hidden test, rubric, output or other file in what students get?"""
    assert leaks(project / "release" / ASSIGNMENT, source) == []


def test_making_the_release_again_changes_no_byte(rebuilt):
    """Is a second release from the same source, into the same gradebook, identical?"""
    path = rebuilt.folder("release") / f"{ASSIGNMENT}.ipynb"
    before = path.read_bytes()
    rebuilt.release()
    assert path.read_bytes() == before


def test_the_gradebook_knows_the_points(rebuilt, source):
    """Does the gradebook have each graded cell with its points?"""
    with rebuilt.gradebook() as gradebook:
        known = {cell.name: cell.max_score for cell in gradebook.find_notebook(ASSIGNMENT, ASSIGNMENT).grade_cells}
    graded = [cell for cell in source.cells if cell.metadata.get("nbgrader", {}).get("grade")]
    assert known == {cell.id: cell.metadata.nbgrader.points for cell in graded}
