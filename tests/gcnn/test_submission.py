"""Tests of gcnn.submission: what a student is told before handing in, and the file that is made."""

import copy
import json
import os
import re
import sys
import types
from pathlib import Path

import nbformat
import psutil
import pytest
import tomllib
from nbclient import NotebookClient

from autograder.card import CARD, card
from autograder.notebooks import as_released, regions
from autograder.submissions import pour, read_sample
from gcnn import clean_start, released, submission

LAST = "This is not a grade: when your work is graded, hidden tests follow."


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    """Each test works in a folder of its own, and nothing says where a notebook is."""
    monkeypatch.chdir(tmp_path)
    for name in ("JPY_SESSION_NAME", "NBGRADER_EXECUTION", "KAGGLE_KERNEL_RUN_TYPE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def untouched(source):
    """The release, as a student opens it."""
    return as_released(source)


@pytest.fixture(scope="module")
def all_solved(project, source):
    """A notebook with every exercise answered; not to be changed."""
    return read_sample(project / "tests" / "submissions" / "passes_all.py", source).notebook


@pytest.fixture
def solved(all_solved):
    """The same, to be changed."""
    return copy.deepcopy(all_solved)


@pytest.fixture
def said(capsys):
    """A function that writes a notebook, checks it, and returns what was said; by default without a clean start.

    Sentences that were broken into lines are whole again.
    """

    def write_and_check(notebook=None, name="gcnn.ipynb", path=None, clean=False):
        if notebook is not None:
            nbformat.write(notebook, name)
        capsys.readouterr()
        submission.check(path, clean_start=clean)
        printed = capsys.readouterr()
        assert printed.err == ""
        assert all(len(line) <= 88 for line in printed.out.splitlines() if line.startswith("      "))
        return re.sub(r"\n {6}(?=\S)", " ", printed.out)

    return write_and_check


def find(notebook, name):
    """The cell with this id."""
    return next(cell for cell in notebook.cells if cell.id == name)


def drop(notebook, name):
    """Delete a cell."""
    notebook.cells.remove(find(notebook, name))


def line(text, start):
    """The one line of a text that starts so, blanks apart."""
    (found,) = [line.strip() for line in text.split("\n") if line.strip().startswith(start)]
    return found


# What the package knows of the release


def test_the_card_is_current(project, source):
    """Does the committed release.json say what `make release` would write now?"""
    assert (project / CARD).read_text(encoding="utf-8") == card(source), "run: make release"


def test_the_card_holds_nothing_that_students_must_not_see(source):
    """Is everything but fingerprints in it a part of the release?"""
    public = {cell.source for cell in as_released(source).cells}
    text = card(source)
    for cell in json.loads(text)["cells"]:
        assert set(cell) <= {"id", "type", "role", "exercise", "hash", "bare", "defines", "begins", "accuracy"}
        assert any(cell.get("begins", "") in one for one in public)
    secret = {line.strip() for cell in source.cells for lines in regions(cell.source)[1].values() for line in lines}
    assert not [line for line in secret if len(line) > 20 and line in text]


def test_the_wheel_has_the_card(project):
    """Does the student package's list of data files have it?"""
    settings = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
    assert "release.json" in settings["tool"]["setuptools"]["package-data"]["gcnn"]


def test_exercises_have_numbers_and_names():
    """Are exercises called as in the notebook?"""
    names = {str(exercise) for exercise in released.release().exercises.values()}
    assert {"1.1 The inverse is unique", "2.3 LiftingConv2d", "3.1 Why pool over the four rotations?"} <= names


# The answers and the course's own cells


def test_an_untouched_release(said, untouched, tmp_path):
    """Is every exercise untouched, every cell as it was, and no file made?"""
    text = said(untouched)
    assert "1. Your answers: 0 of 18 exercises have one." in text
    assert line(text, "Untouched:").count(";") == 17
    assert "all are there, as they were given" in text
    assert "no file was made" in text and not (tmp_path / "hand-in").exists()
    assert text.rstrip().endswith(LAST)


def test_a_solved_notebook(said, solved, source, tmp_path):
    """Is nothing amiss in it, and is what is graded of the file to hand in the same as of the notebook?"""
    text = said(solved, "my work (1).ipynb")
    assert "1. Your answers: 18 of 18 exercises have one." in text and "Untouched" not in text
    assert "all are there, as they were given" in text
    made = tmp_path / "hand-in" / "gcnn.ipynb"
    assert str(made) in text and "must be called gcnn.ipynb" in text
    assert made.read_bytes() == (tmp_path / "my work (1).ipynb").read_bytes()
    graded, before = (pour(notebook, source) for notebook in (nbformat.read(made, as_version=4), solved))
    assert nbformat.writes(graded.notebook) == nbformat.writes(before.notebook)
    assert graded.repairs == before.repairs == () and not graded.unreadable
    assert [path.name for path in made.parent.iterdir()] == ["gcnn.ipynb"]
    assert text.rstrip().endswith(LAST)


def test_the_instructors_url_is_no_change(said, untouched):
    """May an instructor set the one place in the set-up cell that is to be set?"""
    cell = find(untouched, "given-1")
    assert 'GCNN_URL = ""' in cell.source
    cell.source = cell.source.replace('GCNN_URL = ""', 'GCNN_URL = "https://example.org/gcnn.whl"')
    assert "all are there, as they were given" in said(untouched)


def test_answers_that_are_begun_or_empty(said, untouched):
    """Is a stub that is left in an answer seen, and an answer from which only the stub was deleted?"""
    for name, old, new in (
        ("c4", "# YOUR CODE HERE\n        raise NotImplementedError()", "return (r + s) % 4"),
        ("why-pool", "YOUR ANSWER HERE", "Since they move.\n\nYOUR ANSWER HERE"),
        ("why-gap", "YOUR ANSWER HERE", ""),
        ("unique-inverse", "YOUR ANSWER HERE", "$h = he$."),
        ("d4", "raise NotImplementedError()\n", "raise  NotImplementedError()   \n"),
    ):
        cell = find(untouched, name)
        assert old in cell.source
        cell.source = cell.source.replace(old, new, 1)
    text = said(untouched)
    assert "1. Your answers: 3 of 18 exercises have one." in text
    assert line(text, "Begun").endswith(": 1.2 C4; 3.1 Why pool over the four rotations?.")
    assert "1.3 D4" in line(text, "Untouched") and "3.4 Why the gap?" in line(text, "Untouched")


def test_changed_and_lost_cells(said, solved):
    """Is each kind of cell named, and is it said that changed tests cost nothing?"""
    find(solved, "given-3").source += "\nx = 1"
    find(solved, "given-2").source += "   \n"
    find(solved, "train-c4cnn").source = 'c4cnn = train_model(C4CNN(), "full")'
    find(solved, "test-c4-product").source = "pass"
    drop(solved, "test-c4-inverse")
    drop(solved, "train-d4cnn")
    drop(solved, "d4")
    text = said(solved)
    assert text.count("They cost nothing, since the grader uses its own") == 2
    assert (
        "Changed test cells" in text and "the test cell of 1.2 C4 that begins with “checks.equal(C4.product(1" in text
    )
    assert "Lost test cells" in text and "the test cell of 1.2 C4 that begins with “checks.equal(C4.inverse(1" in text
    assert "the given cell that begins with “class PlainCNN(nn.Module):”" in text and "import torch" not in text
    assert "the training cell of 3.2 C4CNN" in text and "the training cell of 4c D4CNN" in text
    assert line(text, "Their cells cannot be found").endswith("1.3 D4.")
    assert "another year" not in text


@pytest.mark.parametrize("keeps", ["nothing", "grade ids", "Colab's ids"])
def test_lost_ids(said, solved, tmp_path, keeps):
    """Is everything found all the same, when a tool has dropped the cells' ids?"""
    find(solved, "test-c4-product").source = "pass"
    raw = json.loads(nbformat.writes(solved))
    for number, cell in enumerate(raw["cells"]):
        name = cell.pop("id")
        metadata = {"nothing": {}, "grade ids": cell["metadata"], "Colab's ids": {"id": name}}
        cell["metadata"] = metadata[keeps]
        if keeps == "nothing":
            cell["id"] = f"new-{number}"
    (tmp_path / "gcnn.ipynb").write_text(json.dumps(raw))
    text = said()
    assert "18 of 18" in text and "Untouched" not in text and "cannot be found" not in text
    assert ("Lost test cells" in text) == (keeps == "nothing")
    assert ("Changed test cells" in text) == (keeps != "nothing")
    assert text.count("   - ") == 1


def test_an_answer_twice(said, solved):
    """Is it said that an answer stands in two cells?"""
    again = copy.deepcopy(find(solved, "c4"))
    again.id = "again"
    again.source += "\n# second thoughts"
    solved.cells.insert(solved.cells.index(find(solved, "c4")) + 1, again)
    assert "1.2 C4" in line(said(solved), "Answered in several cells")


def test_an_answer_in_a_cell_below_its_own(said, solved):
    """Is an answer found in another cell, while its own was emptied?"""
    cell = find(solved, "c4")
    solved.cells.insert(solved.cells.index(cell) + 1, nbformat.v4.new_code_cell(cell.source))
    cell.source = "# see below"
    assert "18 of 18" in said(solved)


def test_many_changed_cells(said, untouched):
    """Is another version of the notebook suspected, if much differs?"""
    for cell in untouched.cells:
        if cell.id.startswith(("test-", "given-", "train-")):
            cell.source += "\nanother = 1"
    text = said(untouched)
    assert "Is the notebook of another year or version" in text and "   - and 22 more" in text


# Finding the notebook


def test_bad_input_is_said_in_a_sentence(said, untouched, tmp_path):
    """Does each mistake get a sentence that says what to do, without a traceback or a promise?"""
    assert said() == (
        f'There is no notebook in {tmp_path}: say where yours is, as in submission.check("folder/gcnn.ipynb").\n'
    )
    assert "There is no file" in said(path="nothing.ipynb")
    assert "is a folder: name the notebook in it" in said(path=tmp_path)
    whole = nbformat.writes(untouched)
    for text in ("", whole[: len(whole) // 2], "[]", '{"cells": [3]}', '{"worksheets": []}', "[" * 100_000):
        (tmp_path / "gcnn.ipynb").write_text(text)
        sentence = said()
        assert sentence.startswith("gcnn.ipynb is damaged or no notebook") and "Checkpoint" in sentence
        assert sentence.count("\n") == 1
    (tmp_path / "gcnn.ipynb").unlink()
    other = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("import torch", id=f"text-{i}") for i in range(9)]
    )
    assert said(other, "other.ipynb").startswith("other.ipynb is another notebook, not this course's")
    nbformat.write(other, "third.ipynb")
    assert "None of the notebooks here (other.ipynb, third.ipynb)" in said()
    assert "Checking" in said(untouched, "gcnn.ipynb")
    text = said(untouched, "copy.ipynb")
    assert "several notebooks of this course here (copy.ipynb, gcnn.ipynb)" in text and LAST not in text
    assert "copy.ipynb, last saved at" in said(path="copy.ipynb")


def test_kaggle_hides_the_notebook(said, monkeypatch):
    """Is it said how to get at it?"""
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Interactive")
    assert said().startswith("Kaggle keeps your notebook where this cell cannot see it: choose File")


@pytest.mark.parametrize("how", ["JPY_SESSION_NAME", "__vsc_ipynb_file__"])
def test_the_session_says_which_notebook(said, untouched, solved, tmp_path, monkeypatch, how):
    """Is the notebook found that Jupyter or VS Code names, although there are others?"""
    nbformat.write(untouched, "a.ipynb")
    (tmp_path / "deep").mkdir()
    nbformat.write(solved, tmp_path / "deep" / "b.ipynb")
    where = str(tmp_path / "deep" / "b.ipynb")
    monkeypatch.setenv("JPY_SESSION_NAME", where if how == "JPY_SESSION_NAME" else "console-1")
    monkeypatch.setattr("gcnn.locate.session_names", lambda: {how: where} if how.startswith("__") else {})
    assert f"Checking {where}, last saved" in said()
    assert (tmp_path / "deep" / "hand-in" / "gcnn.ipynb").is_file()


@pytest.fixture
def colab(monkeypatch):
    """Colab: its own package, with what it answers and was asked to download, and its own kind of IPython."""
    seen = types.SimpleNamespace(answer=None, downloads=[])

    def blocking_request(what, timeout_sec):
        assert what == "get_ipynb"
        return seen.answer

    package = types.ModuleType("google.colab")
    package._message = types.SimpleNamespace(blocking_request=blocking_request)
    package.files = types.SimpleNamespace(download=seen.downloads.append)
    monkeypatch.setitem(sys.modules, "google.colab", package)
    shell = type("Shell", (), {"__module__": "google.colab._shell", "user_ns": {}})()
    monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    return seen


def test_colab(said, solved, source, colab, tmp_path):
    """Is what is on Colab's screen checked and offered to the browser, and graded like the original?"""
    raw = json.loads(nbformat.writes(solved))
    for cell in raw["cells"]:
        cell["metadata"]["id"] = cell.pop("id")
        cell["source"] = cell["source"].splitlines(keepends=True) if isinstance(cell["source"], str) else cell["source"]
    raw["nbformat_minor"] = 0
    colab.answer = {"ipynb": raw}
    text = said()
    assert "as it is on the screen" in text and "last saved" not in text and "18 of 18" in text
    made = tmp_path / "hand-in" / "gcnn.ipynb"
    assert colab.downloads == [str(made)] and "Your browser downloads it now." in text
    graded = pour(nbformat.read(made, as_version=4), source)
    assert nbformat.writes(graded.notebook) == nbformat.writes(pour(solved, source).notebook)


def test_colab_is_silent(said, colab):
    """Is it said what to do when Colab does not answer, or shows another notebook?"""
    assert "Colab did not show its notebook" in said() and "File → Download" in said()
    colab.answer = {"ipynb": {"cells": []}}
    assert said().startswith("The notebook on the screen is not this course's")


def test_colabs_package_elsewhere_is_not_colab(said, untouched, colab, monkeypatch):
    """On Kaggle, which has Colab's package and variable: is it not asked, and is Kaggle's way said?"""
    monkeypatch.setattr("IPython.get_ipython", lambda: None)
    monkeypatch.setenv("COLAB_RELEASE_TAG", "release-colab_20260101")
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Interactive")
    assert said().startswith("Kaggle keeps your notebook where this cell cannot see it: choose File")
    assert "Checking" in said(untouched)


def test_a_colab_that_has_changed_is_said(said, colab, monkeypatch):
    """Is it said what to do when Colab's package is not what it was, whatever its import raises?"""
    monkeypatch.delattr(sys.modules["google.colab"], "_message")
    assert "Colab did not show its notebook to this cell (ImportError)" in said()


def test_what_was_run_last_but_is_not_saved(said, solved, monkeypatch):
    """Is it seen that an answer's last run is not what is in the file?"""
    answer = find(solved, "c4").source
    monkeypatch.setattr("gcnn.submission.session_names", lambda: {"In": ["", "x = C4", answer, answer + " "]})
    assert "Not saved" not in said(solved)
    changed = answer.replace("% 4", "% 5")
    monkeypatch.setattr("gcnn.submission.session_names", lambda: {"In": ["", answer, changed, "C4"]})
    assert "1.2 C4. So save the notebook (Ctrl+S" in line(said(), "Not saved")


def test_no_permission_to_write(said, solved, tmp_path):
    """Is it said what to do when the file cannot be made?"""
    (tmp_path / "hand-in").write_text("a file stands in the folder's place")
    text = said(solved)
    assert f"It could not be written to {tmp_path / 'hand-in'} (" in text and "call it gcnn.ipynb" in text
    assert text.rstrip().endswith(LAST)


def test_the_hand_in_itself_can_be_checked(said, solved, tmp_path):
    """Is no second copy made of the copy?"""
    said(solved)
    text = said(path="hand-in/gcnn.ipynb")
    assert "This is such a file" in text and not (tmp_path / "hand-in" / "hand-in").exists()


def test_a_grader_skips_it(said, solved, monkeypatch, tmp_path):
    """Does the notebook's last cell do nothing while it is graded?"""
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    assert "nothing to do while a grader runs" in said(solved)
    assert not (tmp_path / "hand-in").exists()


# From a clean start


def test_cells_run_in_a_kernel_of_their_own():
    """Do cells run in order in an empty folder, does a slow one stop, and do those after a failure run?"""
    started = []
    cells = [
        "import os\nassert os.listdir() == []\nassert os.environ['NBGRADER_EXECUTION']\nx = 1",
        "import sys, time\nprint('out')\nprint('err', file=sys.stderr)\nos.write(1, b'raw')\ntime.sleep(60)",
        "x += 1",
        "raise ValueError('first line\\nsecond line')",
        "assert x == 2 and 'gcnn' not in dir()\nundefined",
    ]
    failed = clean_start.run(cells, limit=3, started=started.append)
    assert started == [0, 1, 2, 3, 4]
    assert failed == {
        1: "it ran for more than 3 seconds and was stopped",
        3: "ValueError: first line",
        4: "NameError: name 'undefined' is not defined",
    }


def test_a_dead_kernel_is_said():
    """Is the cell named in which the kernel died?"""
    failed = clean_start.run(["x = 1", "import os\nos._exit(1)", "x"], limit=30)
    assert list(failed) == [1] and "the kernel died" in failed[1]


def test_without_nbclient_the_rest_is_done(said, solved, tmp_path, monkeypatch):
    """Is it said which package is missing, and is the file made all the same?"""
    fake = tmp_path / "fake"
    fake.mkdir()
    for name in ("nbformat", "nbclient"):  # VS Code brings neither; the second brings the first
        (fake / f"{name}.py").write_text(f"raise ModuleNotFoundError('gone', name='{name}')")
    monkeypatch.setenv("PYTHONPATH", str(fake), prepend=os.pathsep)
    text = said(solved, clean=True)
    assert "This was left out: the package nbclient is missing: run `%pip install nbclient`" in text
    assert (tmp_path / "hand-in" / "gcnn.ipynb").is_file() and text.rstrip().endswith(LAST)


def test_a_run_that_is_interrupted_leaves_nothing(monkeypatch):
    """Does the fresh kernel end when the student stops the check?"""

    def stop(number):
        raise KeyboardInterrupt

    monkeypatch.setenv("GCNN_TEST_OF_INTERRUPTS", "1")
    with pytest.raises(KeyboardInterrupt):
        clean_start.run(["import time\ntime.sleep(60)"], started=stop)
    marked = [p for p in psutil.process_iter(["environ"]) if "GCNN_TEST_OF_INTERRUPTS" in (p.info["environ"] or {})]
    assert [p for p in marked if p.pid != os.getpid()] == []


def test_trainings_are_short():
    """Is any training one step long, whatever is asked for, and without a checkpoint?"""
    cells = [
        "import torch\nfrom torch import nn\nfrom gcnn.training import train_model",
        "net = nn.Sequential(nn.Flatten(), nn.Linear(33 * 33, 10))",
        "net = train_model(net, 'full', checkpoint='kept.pt')",
        "import os\nassert len(net.history.step_loss) == 1, net.history\nassert not os.path.exists('kept.pt')",
        "train_model(net, budget='record', seed=3)",
        "train_model(3)",
    ]
    failed = clean_start.run(cells, limit=200)
    assert list(failed) == [5] and failed[5].startswith("ValueError")


def test_what_works_only_here_fails_from_a_clean_start(said, untouched, solved, tmp_path):
    """Is it said which answers need a cell that was deleted or stands further down, and nothing else?"""
    notebook = untouched
    for name in ("c4", "d4", "rotate-p4", "group-conv"):
        find(notebook, name).source = find(solved, name).source
    find(notebook, "c4").source = find(notebook, "c4").source.replace("(r + s) % 4", "gone(r + s)").replace("-r", "r")
    find(notebook, "rotate-p4").source = "later(1)\n" + find(notebook, "rotate-p4").source
    where = notebook.cells.index(find(notebook, "group-conv"))
    notebook.cells.insert(where, nbformat.v4.new_code_cell("def later(x):\n    return x"))
    notebook.cells.append(nbformat.v4.new_code_cell("from gcnn import submission\n\nsubmission.check()"))
    nbformat.write(notebook, "gcnn.ipynb")
    path = tmp_path / "gcnn.ipynb"
    before = path.read_bytes(), path.stat().st_mtime_ns, set(sys.modules)
    text = said(clean=True)
    assert (path.read_bytes(), path.stat().st_mtime_ns, set(sys.modules)) == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["gcnn.ipynb", "hand-in"]
    failing = [part.strip() for part in text.split("\n") if part.startswith("   - ")]
    assert len(failing) == 3
    assert failing[0].startswith("- The test cell of 1.2 C4 that begins with “checks.equal(C4.product(1")
    assert "NameError: name 'gone' is not defined. No cell defines gone: was its cell deleted?" in failing[0]
    assert failing[0].endswith("(and 1 more of this exercise's cells)")
    assert failing[1].startswith("- The answer to 2.2 rotate_p4: NameError: name 'later' is not defined.")
    assert "further down only, in your own cell that begins with “def later(x):”: move that cell up" in failing[1]
    assert failing[2] == "- Perhaps only since they need one of these: 2.4 GroupConv2d"
    assert "and those that need an exercise without an answer were left out" in text


@pytest.mark.slow
def test_a_solved_notebook_is_checked_in_jupyter(solved, tmp_path, monkeypatch):
    """Does the whole solved notebook run, when a student's own kernel checks it, and does that kernel go on?"""
    path = tmp_path / "gcnn.ipynb"
    nbformat.write(solved, path)
    monkeypatch.setenv("JPY_SESSION_NAME", str(path))
    code = ["before = 1", "from gcnn import submission\n\nsubmission.check()", "assert before == 1"]
    session = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in code])
    NotebookClient(session, timeout=500, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = session.cells[1].outputs
    assert {output.get("name") for output in outputs} == {"stdout"}
    text = "".join(output.text for output in outputs)
    assert "Every cell that was run works from top to bottom." in text and "running" in text
    assert str(tmp_path / "hand-in" / "gcnn.ipynb") in text and text.rstrip().endswith(LAST)


def test_nothing_is_hard_to_have():
    """Does the check do without notebook libraries in the student's kernel?"""
    folder = Path(submission.__file__).parent
    for name in ("submission", "locate", "released", "examine"):
        text = (folder / f"{name}.py").read_text(encoding="utf-8")
        assert not any(f"import {package}" in text for package in ("nbformat", "nbclient", "jupyter_client"))
