"""Tests of autograder.submissions: whatever happened to a hand-in, the answers in it and nothing else are poured."""

import copy

import nbformat
import pytest

from autograder.exercises import EXERCISES
from autograder.notebooks import as_released, regions, role
from autograder.submissions import model_answer, pour, read_sample

ANSWER = "def rotate_p4(y, r):\n    return my_own(y, r)"


@pytest.fixture
def handed_in(source):
    """The release, as a student opens it."""
    return as_released(source)


def find(notebook, name):
    """The cell with this id."""
    return next(cell for cell in notebook.cells if cell.id == name)


def test_an_untouched_release_gives_the_source_with_stubs(handed_in, source):
    """Are tests and metadata the source's, hidden parts included, and answers the stubs, without a repair?"""
    poured = pour(handed_in, source)
    assert poured.repairs == ()
    for cell in source.cells:
        got = find(poured.notebook, cell.id)
        if role(cell) != "answer":
            assert got.source == cell.source
        else:
            assert got.source == find(handed_in, cell.id).source
            assert "SOLUTION" not in got.source


def test_an_answer_is_poured(handed_in, source):
    """Does what a student wrote come into the answer's place?"""
    find(handed_in, "rotate-p4").source = ANSWER
    find(handed_in, "why-gap").source = "Because."
    poured = pour(handed_in, source)
    assert find(poured.notebook, "rotate-p4").source == ANSWER
    assert find(poured.notebook, "why-gap").source == "Because."
    assert poured.repairs == ()


def test_markers_see_the_rubric_below_a_written_answer(handed_in, source):
    """Does a rubric with the model answer follow each written answer, and is it nowhere in a sample?"""
    notebook = pour(handed_in, source).notebook
    index = next(i for i, cell in enumerate(notebook.cells) if cell.id == "why-pool")
    rubric = notebook.cells[index + 1]
    assert role(rubric) == "rubric" and "**Rubric (5 points)**" in rubric.source and "**Model answer**" in rubric.source
    assert not any(role(cell) == "rubric" for cell in pour(handed_in, source, into=handed_in).notebook.cells)


@pytest.mark.parametrize("lost", ["metadata", "ids", "both"])
def test_answers_are_found_without_ids(handed_in, source, lost):
    """Is an answer found after an editor threw away cell ids, nbgrader's metadata, or both?"""
    find(handed_in, "rotate-p4").source = ANSWER
    for i, cell in enumerate(handed_in.cells):
        if lost != "ids":
            cell.metadata = {}
        if lost != "metadata":
            cell.id = f"x{i}"
    poured = pour(handed_in, source)
    assert find(poured.notebook, "rotate-p4").source == ANSWER
    assert any("'rotate-p4' was found by what it defines" in r for r in poured.repairs) == (lost == "both")


def test_changed_tests_points_and_tags_make_no_difference(handed_in, source):
    """Are weakened tests, raised points, flags, tags and a foreign kernel all put right, and the change noted?"""
    clean = pour(handed_in, source).notebook
    cell = find(handed_in, "test-c4-product")
    cell.source = "pass"
    cell.metadata.nbgrader.update(points=99, grade=False, schema_version=1)
    for each in handed_in.cells:
        each.metadata["tags"] = ["skip-execution", "raises-exception"]
    handed_in.metadata.kernelspec.name = "bash"
    poured = pour(handed_in, source)
    assert poured.notebook == clean
    assert poured.repairs == ("the cell 'test-c4-product' was changed: the course's own is used",)


def test_deleted_cells_come_back(handed_in, source):
    """Does a deleted test come back, and is a deleted answer untouched, each with a note?"""
    handed_in.cells = [cell for cell in handed_in.cells if cell.id not in ("test-c4-product", "c4")]
    poured = pour(handed_in, source)
    assert find(poured.notebook, "test-c4-product").source == find(source, "test-c4-product").source
    assert "NotImplementedError" in find(poured.notebook, "c4").source
    assert len(poured.repairs) == 2


def test_of_two_copies_of_an_answer_the_written_one_counts(handed_in, source):
    """Is a copied answer cell no trouble, whichever copy was filled in?"""
    for written in (0, 1):
        notebook = copy.deepcopy(handed_in)
        index = next(i for i, cell in enumerate(notebook.cells) if cell.id == "rotate-p4")
        notebook.cells.insert(index, copy.deepcopy(notebook.cells[index]))
        notebook.cells[index + written].source = ANSWER
        poured = pour(notebook, source)
        assert find(poured.notebook, "rotate-p4").source == ANSWER
        assert [cell.source for cell in poured.notebook.cells].count(ANSWER) == 1
        assert any("2 cells had the id of the answer 'rotate-p4'" in r for r in poured.repairs)


def test_added_cells_are_kept_where_they_stood(handed_in, source):
    """Are a student's own cells kept, first, in the middle and last, without their metadata?"""
    helper = nbformat.v4.new_code_cell("def my_own(y, r): ...", metadata={"tags": ["skip-execution"]})
    index = next(i for i, cell in enumerate(handed_in.cells) if cell.id == "rotate-p4")
    handed_in.cells.insert(index, helper)
    handed_in.cells.insert(0, nbformat.v4.new_code_cell("first = 1"))
    handed_in.cells.append(nbformat.v4.new_markdown_cell("last"))
    notebook = pour(handed_in, source).notebook
    order = [cell.source for cell in notebook.cells]
    assert order[0] == "first = 1" and order[-1] == "last"
    assert order.index(helper.source) == order.index(find(notebook, "rotate-p4").source) - 1
    assert notebook.cells[order.index(helper.source)].metadata == {"course": {"role": "added"}}
    assert len(notebook.cells) == len(source.cells) + 4 + 3  # four rubrics


def test_a_changed_playground_cell_is_the_students(handed_in, source):
    """Does what a student tries out in a free cell stay?"""
    find(handed_in, "playground-1").source = "my_helper = 3"
    assert find(pour(handed_in, source).notebook, "playground-1").source == "my_helper = 3"


def test_a_cells_type_is_restored(handed_in, source):
    """Is an answer in code that became text still code?"""
    index = next(i for i, cell in enumerate(handed_in.cells) if cell.id == "rotate-p4")
    old = handed_in.cells[index]
    handed_in.cells[index] = nbformat.v4.new_markdown_cell(ANSWER, id=old.id, metadata=old.metadata)
    poured = pour(handed_in, source)
    assert find(poured.notebook, "rotate-p4").cell_type == "code"
    assert find(poured.notebook, "rotate-p4").source == ANSWER
    assert "had become a markdown cell" in poured.repairs[0]


def test_outputs_are_left_behind(handed_in, source):
    """Does no output of a hand-in reach the graded notebook?"""
    find(handed_in, "c4").outputs = [nbformat.v4.new_output("stream", text="forged")]
    assert all(not cell.get("outputs") for cell in pour(handed_in, source).notebook.cells)


def test_the_model_answer_has_the_solution_and_no_marker(source):
    """Is the model answer the whole cell with its solution, and without rubric?"""
    text = model_answer(find(source, "group-conv"))
    assert "rotate_p4(self.weight, s)" in text and "def forward" in text and "SOLUTION" not in text
    words = model_answer(find(source, "why-pool"))
    assert "Exercise 3.1" in words and "a_0 = a_1" in words and "Rubric" not in words


def test_every_sample_can_be_made(project, source):
    """Does each sample's text make a submission that passes as a release with answers, its name a known promise?"""
    paths = sorted((project / "tests" / "submissions").glob("*.py"))
    names = {path.stem for path in paths}
    assert {"passes_all", "passes_all__written_quite_differently", "fails_everything__untouched"} <= names
    for path in paths:
        sample = read_sample(path, source)
        nbformat.validate(sample.notebook)
        assert pour(sample.notebook, source).repairs == ()
        tests = [cell.source for cell in sample.notebook.cells if role(cell) == "tests"]
        assert len(tests) == 30 and not any(regions(test)[1]["HIDDEN TESTS"] for test in tests)
        if path.stem.startswith("passes"):
            assert not sample.loses and len(sample.attempted) == sum(not e.by_hand for e in EXERCISES.values())
        elif path.stem == "fails_everything__untouched":
            assert sample.attempted == frozenset()
        elif path.stem.startswith("fails"):
            assert len(sample.loses) == 1 and sample.loses <= sample.attempted
    assert len(set().union(*(read_sample(path, source).loses for path in paths))) >= 6


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# %%\n", "the first line must be"),
        ('# %% [markdown] start="model" without="c5"\n', "there is no exercise c5"),
        ('# %% [markdown] start="model"\n\n# %% answer="gruop-conv"\nx = 1\n', "no exercise gruop-conv"),
    ],
)
def test_a_malformed_sample_is_named(tmp_path, source, text, message):
    """Does a sample with a slip say which file and what?"""
    path = tmp_path / "fails_c4__x.py"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"fails_c4__x.py: .*{message}"):
        read_sample(path, source)
