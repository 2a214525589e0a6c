"""Tests of autograder.notebooks: what the build makes of the text, what it refuses, and that the leak gate closes."""

import copy
import re

import nbformat
import pytest

from autograder.exercises import EXERCISES
from autograder.notebooks import (
    NotebookError,
    as_released,
    bound_names,
    leaks,
    read_text,
    regions,
    role,
    submission_names,
)


@pytest.fixture
def text(project):
    """The notebook's text."""
    return (project / "notebooks" / "gcnn.py").read_text()


def test_building_twice_gives_the_same_bytes(project, source):
    """Does the text alone decide every byte of the source?"""
    again = read_text(project / "notebooks" / "gcnn.py")
    assert nbformat.writes(again) == nbformat.writes(source)
    nbformat.validate(source)


def test_points_are_the_tables(source):
    """Do the graded cells add up to each exercise's points, and all to 100 and 15 bonus?"""
    points = dict.fromkeys(EXERCISES, 0)
    for cell in source.cells:
        if cell.metadata.get("nbgrader", {}).get("grade"):
            points[cell.metadata.course.exercise] += cell.metadata.nbgrader.points
    assert points == {key: exercise.points for key, exercise in EXERCISES.items()}
    assert sum(points.values()) == 115


def test_cells_have_the_roles_that_nbgrader_knows(source):
    """Are tests locked and graded, answers open, training cells locked, and text free of nbgrader's metadata?"""
    cells = {cell.id: cell for cell in source.cells}
    flags = {"test-c4-product": (True, False, True), "c4": (False, True, False), "train-c4cnn": (False, False, True)}
    flags["why-pool"] = (True, True, False)
    for name, (grade, solution, locked) in flags.items():
        nbgrader = cells[name].metadata.nbgrader
        assert (nbgrader.grade, nbgrader.solution, nbgrader.locked) == (grade, solution, locked), name
        assert nbgrader.grade_id == name
    assert "nbgrader" not in cells["text-1"].metadata


def test_the_submissions_names_are_known(source):
    """Are exactly the names that answers and training cells bind the submission's?"""
    names = submission_names(source)
    assert {"C4", "rotate_p4", "GroupBatchNorm2d", "c4cnn", "d4cnn"} <= names
    assert not names & {"rotate", "train_model", "PlainCNN", "test_set", "checks"}
    assert len(names) == 18


def test_bound_names_are_those_of_the_top_level():
    """Are functions, classes and assignments found, and what is inside them left out?"""
    assert bound_names("a, b = 1, 2\ndef f():\n    c = 3\nclass G:\n    d = 4\n") == {"a", "b", "f", "G"}


def test_regions_are_split():
    """Does each line go to its region, and markers to none?"""
    public, inside = regions("a\n### BEGIN SOLUTION\nb\n### END SOLUTION\nc")
    assert public == ["a", "c"]
    assert inside["SOLUTION"] == ["b"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "        ### END SOLUTION\n\n    @staticmethod\n    def inverse(r",
            "\n    def inverse(r",
            r"'c4', line \d+.*inside an open",
        ),
        ("### END HIDDEN TESTS\n", "", r"'test-c4-product', line \d+: BEGIN HIDDEN TESTS is never closed"),
        ('# %% answer="d4"', '# %% answer="c4"', r"'c4', line \d+: the id stands already at cell 'c4', line \d+"),
        ('# %% tests="c4" part="inverse"', '# %% tests="c4" part="product"', r"'test-c4-product'.*stands already"),
        ('# %% answer="c4"', "# %%", r"a solution stands outside an answer cell"),
        ('# %% tests="c4" part="product" points=3', "# %%", r"hidden tests stand outside a test cell"),
        (
            "points=3\nchecks.equal(C4.product(1, 2)",
            "points=2\nchecks.equal(C4.product(1, 2)",
            r"4 points in all.*says 5",
        ),
        (
            "checks.equal(C4.inverse(1), 3",
            "on_stand_ins(C4)\nchecks.equal(C4.inverse(1), 3",
            r"'c4', line \d+: its tests on stand-ins have 2 points, autograder.exercises says 0",
        ),
        ("points=3\nchecks.equal(C4.product(1, 2)", "points=0\nchecks.equal(C4.product(1, 2)", r"above 0, got 0"),
        ('# %% answer="c4"', "# %% answer=c4", r"line \d+: cannot read the cell header '# %% answer=c4'"),
        ('# %% answer="c4"', '# %% answer="c4" playground=true', r"cannot have the options answer, playground"),
        ('# %% answer="c4"', '# %% answer="c5"', r"'c5', line \d+: there is no exercise 'c5'"),
        ("class C4:", "class C4", r"cell 'c4', line \d+: not Python"),
        (
            'checks.equal(C4.product(0, 2), 2, "C4',
            'C4.product(0, 2) == 2\nchecks.equal(C4.product(0, 2), 2, "C4',
            "an assert",
        ),
        (
            "### BEGIN MARK SCHEME\n**Rubric (5 points)**\n\n- 2 points: a",
            "**Rubric**\n\n- 2 points: a",
            "END MARK SCHEME without",
        ),
    ],
)
def test_a_malformed_cell_stops_the_build(text, tmp_path, old, new, message):
    """Does each mistake in the text stop the build, with the cell and its line?"""
    assert old in text
    path = tmp_path / "gcnn.py"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(NotebookError, match=f"(?s)gcnn.py.*{message}"):
        read_text(path)


def test_the_line_is_the_headers(text, tmp_path):
    """Does the message name the line on which the cell begins?"""
    path = tmp_path / "gcnn.py"
    broken = text.replace("### END HIDDEN TESTS\n", "", 1)
    path.write_text(broken)
    line = broken[: broken.index('# %% tests="c4" part="product"')].count("\n") + 1
    with pytest.raises(NotebookError, match=f"line {line}:"):
        read_text(path)


def test_tests_need_an_answer_and_an_answer_tests(text, tmp_path):
    """Is an answer whose tests are gone refused, and are tests without their answer?"""
    path = tmp_path / "gcnn.py"
    cells = text.split("\n# %%")
    path.write_text("\n# %%".join(c for c in cells if not c.startswith(' tests="d4-action"')))
    with pytest.raises(NotebookError, match=r"'d4-action', line .*the answer has no tests"):
        read_text(path)
    path.write_text("\n# %%".join(c for c in cells if not c.startswith(' answer="d4-action"')))
    with pytest.raises(NotebookError, match=r"'test-d4-action', line .*no answer 'd4-action' before it"):
        read_text(path)


def test_the_release_has_stubs_and_the_visible_tests(source):
    """Does a student get a stub for each solution, each test's visible part, and no rubric?"""
    cells = {cell.id: cell.source for cell in as_released(source).cells}
    assert cells["rotate-p4"].rstrip().endswith("# YOUR CODE HERE\n    raise NotImplementedError()")
    assert "checks.equal" in cells["test-c4-product"] and "reference" not in cells["test-c4-product"]
    assert "YOUR ANSWER HERE" in cells["why-gap"] and "Rubric" not in cells["why-gap"]


@pytest.fixture
def released(source, tmp_path):
    """A folder with a clean release, and its notebook; ``save`` writes it."""
    folder = tmp_path / "release"
    folder.mkdir()
    notebook = as_released(source)
    nbformat.write(notebook, folder / "gcnn.ipynb")
    return folder, notebook


def test_a_clean_release_has_no_leaks(released, source):
    """Does the gate let nbgrader's own release through?"""
    assert leaks(released[0], source) == []


@pytest.mark.parametrize("what", ["solution", "hidden test", "rubric", "marker", "output", "file", "metadata"])
def test_each_leak_is_found(released, source, what):
    """Does a single leaked line, output, file or unknown metadata close the gate?"""
    folder, notebook = released
    cells = {cell.id: cell for cell in notebook.cells}
    expected = {
        "solution": "'group-conv'.*solution of 'group-conv'",
        "hidden test": "'text-1'.*hidden tests of 'test-c4-product'",
        "rubric": "'why-pool'.*mark scheme of 'why-pool'",
        "marker": "'c4'.*marker SOLUTION",
        "output": "'playground-1' holds an output",
        "file": "notes.txt is not on the list",
        "metadata": "'c4' has the metadata answer",
    }[what]
    if what == "solution":
        cells["group-conv"].source += "\n    bank = torch.stack([rotate_p4(self.weight, s) for s in range(4)], dim=1)"
    elif what == "hidden test":
        hidden = next(c for c in source.cells if c.id == "test-c4-product").source
        secret = next(line for line in regions(hidden)[1]["HIDDEN TESTS"] if "reference.c4_product" in line)
        cells["text-1"].source += "\n" + secret
    elif what == "rubric":
        full = next(c for c in source.cells if c.id == "why-pool").source
        cells["why-pool"].source += "\n" + regions(full)[1]["MARK SCHEME"][2]
    elif what == "marker":
        cells["c4"].source += "\n### BEGIN SOLUTION"
    elif what == "output":
        cells["playground-1"].outputs = [nbformat.v4.new_output("stream", text="95 %")]
    elif what == "metadata":
        cells["c4"].metadata["answer"] = "c4"
    else:
        (folder / "notes.txt").write_text("solutions")
    nbformat.write(notebook, folder / "gcnn.ipynb")
    found = leaks(folder, source)
    assert any(re.search(expected, leak) for leak in found), found


def test_roles_of_foreign_cells_are_empty(source):
    """Is a cell without the course's metadata nobody's?"""
    cell = copy.deepcopy(source.cells[0])
    cell.metadata = {}
    assert role(cell) == ""
