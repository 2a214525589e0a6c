"""Tests of autograder.submissions: whatever happened to a hand-in, the answers in it and nothing else are poured."""

import copy
import time

import nbformat
import pytest

from autograder.exercises import EXERCISES
from autograder.notebooks import as_released, regions, role
from autograder.submissions import model_answer, pour, read_sample
from gcnn.released import fingerprint

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


def test_what_an_instructor_changed_is_no_change_of_the_students(handed_in, source):
    """Do a URL that an instructor set, blanks at lines' ends and a test of an earlier release need no repair?"""
    cell = next(cell for cell in handed_in.cells if 'GCNN_URL = ""' in cell.source)
    cell.source = cell.source.replace('GCNN_URL = ""', 'GCNN_URL = "https://example.org/gcnn.whl"') + "  \n"
    earlier = find(handed_in, "test-c4-product")
    earlier.source = "assert C4"
    assert len(pour(handed_in, source).repairs) == 1
    poured = pour(handed_in, source, known={fingerprint(earlier.source)})
    assert poured.repairs == ()
    assert find(poured.notebook, "test-c4-product").source == find(source, "test-c4-product").source


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


def test_imports_in_a_courses_cell_are_kept(handed_in, source):
    """Are imports that were added to a course's cell kept behind it, and nothing else that was changed there?"""
    given = find(handed_in, "given-2")
    assert "import torch\n" in given.source
    given.source = f"%matplotlib inline\nimport numpy as np\n{given.source}\nfrom torch import nn, optim\ntorch = None"
    poured = pour(handed_in, source)
    cells = poured.notebook.cells
    place = next(i for i, cell in enumerate(cells) if cell.id == "given-2")
    assert cells[place].source == find(source, "given-2").source
    assert [cell.source for cell in cells[place + 1 : place + 3]] == ["import numpy as np", "from torch import optim"]
    assert cells[place + 1].metadata == {"course": {"role": "added"}}
    assert poured.repairs == ("the cell 'given-2' was changed: the course's own is used",)
    for broken in ("import numpy as np\nx = (", "import numpy\n" * 20_000):
        given.source = broken
        assert len(pour(handed_in, source).notebook.cells) == len(cells) - 2


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


def place(notebook, name):
    """The index of the cell with this id."""
    return next(i for i, cell in enumerate(notebook.cells) if cell.id == name)


def code(text, **more):
    """A cell of code."""
    return nbformat.v4.new_code_cell(text, **more)


def words(text, **more):
    """A cell of text."""
    return nbformat.v4.new_markdown_cell(text, **more)


WHOLE = "class C4:\n    def product(r, s):\n        return (r + s) % 4\n\n    def inverse(r):\n        return -r % 4"
FIRST, SECOND = WHOLE.split("\n\n")


@pytest.mark.parametrize("ids", ["first", "second", "both"])
def test_an_answer_that_was_split_is_joined(handed_in, source, ids):
    """Is a class whole again that was split in the middle, whichever part has the id, and is it said?"""
    at = place(handed_in, "c4")
    metadata = handed_in.cells[at].metadata
    first = code(FIRST, id="c4" if ids != "second" else "x1", metadata=metadata if ids != "second" else {})
    second = code(SECOND, id="c4" if ids == "second" else "x2", metadata=metadata if ids != "first" else {})
    handed_in.cells[at : at + 1] = [first, second]
    poured = pour(handed_in, source)
    assert find(poured.notebook, "c4").source.replace("\n\n", "\n") == WHOLE.replace("\n\n", "\n")
    assert not any(cell.source == SECOND for cell in poured.notebook.cells)
    assert poured.repairs == ("the answer 'c4' was split over 2 cells: they were joined",)


def test_an_answer_in_three_cells_is_joined_where_the_first_says_nothing(handed_in, source):
    """Is the definition found that stands in cells below the one with the id?"""
    at = place(handed_in, "c4")
    handed_in.cells[at].source = "# my answer:"
    handed_in.cells[at + 1 : at + 1] = [code(FIRST), code(SECOND), code("C4.inverse(1)")]
    poured = pour(handed_in, source)
    assert find(poured.notebook, "c4").source == f"# my answer:\n{FIRST}\n{SECOND}"
    assert poured.notebook.cells[place(poured.notebook, "c4") + 1].source == "C4.inverse(1)"


def test_parts_that_stand_for_themselves_stay_apart(handed_in, source):
    """Are a helper before an answer, and an own cell after it, left as cells of their own?"""
    at = place(handed_in, "c4")
    handed_in.cells[at].source = WHOLE
    handed_in.cells.insert(at + 1, code("%timeit C4.inverse(1)\nprint(C4)"))
    handed_in.cells.insert(at, code("four = 4"))
    poured = pour(handed_in, source)
    assert find(poured.notebook, "c4").source == WHOLE and poured.repairs == ()


def test_a_mistake_is_not_repaired(handed_in, source):
    """Is an answer that is no Python poured as it is, and its neighbours not drawn into it?"""
    find(handed_in, "c4").source = "class C4:\n    def product(r, s)\n        return 0"
    handed_in.cells.insert(place(handed_in, "c4") + 1, code("x = 1"))
    poured = pour(handed_in, source)
    assert find(poured.notebook, "c4").source == "class C4:\n    def product(r, s)\n        return 0"
    assert poured.repairs == ()


@pytest.mark.parametrize("kind", ["untouched", "emptied", "deleted"])
def test_an_answer_pasted_at_the_end_is_found_with_its_helper(handed_in, source, kind):
    """Does an answer in a student's own cell count, with the own cell above it that it uses?"""
    if kind == "emptied":
        find(handed_in, "c4").source = " "
    elif kind == "deleted":
        del handed_in.cells[place(handed_in, "c4")]
    handed_in.cells += [code("unrelated = 1"), code("four = 4"), code(WHOLE.replace("4\n", "four\n")), code("print(1)")]
    poured = pour(handed_in, source)
    assert find(poured.notebook, "c4").source == "four = 4\n" + WHOLE.replace("4\n", "four\n")
    assert [cell.source for cell in poured.notebook.cells[-2:]] == ["unrelated = 1", "print(1)"]
    assert len(poured.repairs) == 1 and "'c4' was found by what it defines" in poured.repairs[0]


def test_a_cell_that_defines_no_name_of_an_answer_is_no_helper(handed_in, source):
    """Are names whole words: does a cell stay where it is whose names are only parts of those that an answer uses?"""
    del handed_in.cells[place(handed_in, "c4")]
    handed_in.cells += [code("fou = our = 4"), code("_four = 4"), code(WHOLE.replace("4\n", "_four\n"))]
    poured = pour(handed_in, source).notebook
    assert find(poured, "c4").source.startswith("_four = 4\nclass C4")
    assert poured.cells[-1].source == "fou = our = 4"


@pytest.mark.timeout(30)
def test_a_cell_with_many_names_holds_nobody_up(handed_in, source):
    """Is an answer found at once whose helper cell defines tens of thousands of names, none of which it uses?"""
    names = " = ".join(f"n{number}" for number in range(20_000))
    long = WHOLE + f"\n\n    text = '{'word ' * 38_000}'"
    del handed_in.cells[place(handed_in, "c4")]
    handed_in.cells += [code(f"{names} = 0"), code(long)]
    start = time.monotonic()
    assert find(pour(handed_in, source).notebook, "c4").source == long
    assert time.monotonic() - start < 5


def test_an_answer_in_a_free_cell_or_under_another_id_is_found(handed_in, source):
    """Is an answer found in a playground cell, and one in a copy of another answer's cell?"""
    find(handed_in, "playground-2").source = "class D4:\n    product = inverse = print"
    find(handed_in, "c4").source = WHOLE
    copied = copy.deepcopy(find(handed_in, "c4"))
    copied.source = ANSWER
    handed_in.cells.insert(place(handed_in, "rotate-p4"), copied)
    poured = pour(handed_in, source)
    assert find(poured.notebook, "d4").source.startswith("class D4:\n    product = inverse")
    assert find(poured.notebook, "rotate-p4").source == ANSWER and find(poured.notebook, "c4").source == WHOLE
    assert find(poured.notebook, "playground-2").source == find(source, "playground-2").source


def test_of_written_copies_the_one_that_the_tests_saw_counts(handed_in, source):
    """Does the last copy before the tests count, and is no stub left that would undo it?"""
    at = place(handed_in, "rotate-p4")
    copies = [copy.deepcopy(handed_in.cells[at]) for _ in range(4)]
    for cell, text in zip(copies, ["first", "second", None, "after the tests"], strict=True):
        cell.source = ANSWER.replace("my_own", text.replace(" ", "_")) if text else cell.source
    handed_in.cells[at : at + 1] = copies[:3]
    handed_in.cells.append(copies[3])
    poured = pour(handed_in, source)
    assert find(poured.notebook, "rotate-p4").source == copies[1].source
    assert copies[2].source not in [cell.source for cell in poured.notebook.cells]
    assert poured.notebook.cells[-1].source == copies[3].source
    assert poured.repairs[0].startswith("4 cells had the id of the answer 'rotate-p4'")


@pytest.mark.parametrize("lost", ["id and tests", "id, as raw text"])
def test_an_answer_without_id_is_found_whatever_its_cell_became(handed_in, source, lost):
    """Is code found by what it defines in a cell of another type, also where it is no Python as a whole?"""
    at = place(handed_in, "rotate-p4")
    text = ANSWER + ("\nreturn" if lost == "id and tests" else "")
    handed_in.cells[at] = nbformat.v4.new_raw_cell(text)
    if lost == "id and tests":
        del handed_in.cells[at + 1 : at + 3]
        text += "("  # no Python at all
        handed_in.cells[at].source = text
    poured = pour(handed_in, source)
    assert find(poured.notebook, "rotate-p4").source == text
    assert find(poured.notebook, "rotate-p4").cell_type == "code"
    assert any("had become a raw cell" in repair for repair in poured.repairs)


def test_words_without_id_are_found_by_heading_or_place(handed_in, source):
    """Is a written answer found by its heading wherever it stands, and without one by its place?"""
    for name, text in {"why-pool": "It is invariant.", "why-gap": "no heading here", "unique-inverse": "h = k"}.items():
        cell = find(handed_in, name)
        kept = cell.source.replace("YOUR ANSWER HERE", text)
        handed_in.cells[place(handed_in, name)] = words(text if name == "why-gap" else kept)
    moved = handed_in.cells.pop(7)
    handed_in.cells.append(moved)
    poured = pour(handed_in, source)
    assert find(poured.notebook, "why-pool").source.endswith("It is invariant.\n")
    assert find(poured.notebook, "why-gap").source == "no heading here"
    assert find(poured.notebook, "unique-inverse").source.endswith("h = k\n")
    assert sum("found by its heading" in repair for repair in poured.repairs) == 2
    assert sum("found by its place" in repair for repair in poured.repairs) == 1


@pytest.mark.parametrize("make", [words, code, nbformat.v4.new_raw_cell])
def test_words_below_their_cell_are_joined_with_it(handed_in, source, make):
    """Is an answer that stands in a new cell below the untouched one no silent zero?"""
    stub = find(handed_in, "why-pool").source
    handed_in.cells.insert(place(handed_in, "why-pool") + 1, make("Because it's invariant: $a = b$."))
    poured = pour(handed_in, source)
    assert find(poured.notebook, "why-pool").source == f"{stub}\n\nBecause it's invariant: $a = b$."
    assert poured.repairs == ("the answer 'why-pool' stood in a cell below its own: the two were joined",)


def test_words_that_were_split_are_joined(handed_in, source):
    """Are the parts of a written answer that all have its id one again, with their pictures, and copies only once?"""
    at = place(handed_in, "why-pool")
    parts = [copy.deepcopy(handed_in.cells[at]) for _ in range(3)]
    parts[0].source, parts[1].source, parts[2].source = "One ![a](attachment:a.png)", "two", "two"
    parts[0].attachments = {"a.png": {"image/png": "AAAA"}}
    handed_in.cells[at : at + 1] = parts
    poured = pour(handed_in, source)
    answer = find(poured.notebook, "why-pool")
    assert answer.source == "One ![a](attachment:a.png)\n\ntwo" and answer.attachments == parts[0].attachments
    assert poured.repairs == ("the answer 'why-pool' was split over 2 cells: they were joined",)


def test_cells_in_another_order_are_put_back(handed_in, source):
    """Are moved tests and answers where the course has them, and is it said how many were moved?"""
    clean = pour(handed_in, source).notebook
    for name in ("test-c4-product", "d4"):
        handed_in.cells.append(handed_in.cells.pop(place(handed_in, name)))
    poured = pour(handed_in, source)
    assert poured.notebook == clean
    assert poured.repairs == ("2 cells stood elsewhere: the course's order is used",)


def test_a_hand_in_without_any_answer_is_not_graded(handed_in, source):
    """Is another notebook, an empty one, or one without answer cells no zero but not graded, each with its reason?"""
    other = nbformat.v4.new_notebook(cells=[code("import numpy\nx = 1"), words("# Chemistry")])
    assert "seems to be another one" in pour(other, source).unreadable
    assert pour(nbformat.v4.new_notebook(), source).unreadable == "the notebook is empty"
    assert pour(handed_in, source).unreadable == ""
    handed_in.cells = [cell for cell in handed_in.cells if role(cell) != "answer"]
    assert "its answer cells seem to have been deleted" in pour(handed_in, source).unreadable
    handed_in.cells.insert(4, code(ANSWER))
    assert pour(handed_in, source).unreadable == ""


def test_what_may_be_lost_is_not_graded(handed_in, source):
    """Of a damaged notebook, are the answers that are missing or damaged open, with those that need them?"""
    at = place(handed_in, "why-pool")
    find(handed_in, "rotate-p4").source = ANSWER + "  # \ufffd"
    handed_in.cells = handed_in.cells[:at]
    assert pour(handed_in, source).lost == {}
    poured = pour(handed_in, source, incomplete="the file breaks off")
    kept = {"unique-inverse", "c4", "d4", "isotropic-conv", "lifting-conv"}
    assert poured.lost.keys() == EXERCISES.keys() - kept
    assert poured.lost["why-pool"] == "this answer may have been lost: the file breaks off"
    assert poured.lost["group-conv"] == "an answer that it needs may have been lost: the file breaks off"
    assert "the answer 'why-pool' was missing: it is not graded" in poured.repairs
    assert (
        "no answer could be read: the file"
        in pour(nbformat.v4.new_notebook(), source, incomplete="the file").unreadable
    )


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
    lost: set[str] = set()
    for path in paths:
        sample = read_sample(path, source)
        lost |= sample.loses
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
    assert len(lost) >= 6


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
