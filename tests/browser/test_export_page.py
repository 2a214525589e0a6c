"""The solved notebook as the page that *File → Save and Export Notebook As → HTML* makes of it, looked at by axe-core.

Its figures are drawn from networks that have hardly been trained, and its last cell has a wrong answer, so that hints
show. Formulas are left to nbconvert's own scripts, which come from a server elsewhere; the page goes without them here.
"""

import nbformat
import pytest
from lab import BRIEF, WRONG
from nbclient import NotebookClient
from nbconvert import HTMLExporter

from autograder.notebooks import role
from autograder.submissions import read_sample

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

NOTHING = "data:text/javascript,"
# What nbconvert's template does on any notebook's page: axe's rule, where, and why it is not ours to mend.
THEIRS = (
    ("color-contrast", ".jp-InputPrompt, .jp-OutputPrompt", "the numbers of cells are light grey"),
    ("color-contrast", ".highlight", "comments, numbers and words such as `is` have JupyterLab's colours of code"),
    ("link-in-text-block", ".jp-RenderedMarkdown", "a link in a text is blue and not underlined, as in JupyterLab"),
)


@pytest.fixture(scope="module")
def solved(project, source):
    """The solved notebook without its tests, run from top to bottom, with a wrong answer and its hints at the end."""
    notebook = read_sample(project / "tests" / "submissions" / "passes_all.py", source).notebook
    code = nbformat.v4.new_code_cell
    notebook.cells = [
        code(BRIEF, id="brief"),
        *(cell for cell in notebook.cells if role(cell) != "tests" and "submission.check()" not in cell.source),
        code(f"{WRONG}\nchecks.rotate_p4(rotate_p4)", id="wrong"),
    ]
    client = NotebookClient(notebook, timeout=900, kernel_name="python3", allow_errors=False, store_widget_state=False)
    client.execute()
    del notebook.cells[0]
    return notebook


@pytest.fixture(scope="module")
def exported(solved, tmp_path_factory):
    """The page."""
    exporter = HTMLExporter(require_js_url=NOTHING, mathjax_url=NOTHING, mermaid_js_url=NOTHING)
    page = tmp_path_factory.mktemp("export") / "gcnn.html"
    page.write_text(exporter.from_notebook_node(solved, {"metadata": {"name": "gcnn"}})[0], encoding="utf-8")
    return page


def figures(solved):
    """How many figures the notebook's outputs hold."""
    return sum("image/png" in output.get("data", {}) for cell in solved.cells for output in cell.get("outputs", []))


@pytest.mark.parametrize("size", ["desk", "phone"])
def test_every_figure_is_there_with_its_words(exported, solved, look, size):
    """Does each figure show, fit into the window and say what it shows, also the one that a slider moves elsewhere?"""
    page = look(exported, size)
    for fold in page.locator("summary").all():
        fold.click()
    pictures = page.locator(".jp-OutputArea img")
    about = pictures.evaluate_all(
        "all => all.map(i => [i.alt, i.naturalWidth, i.getBoundingClientRect().right - innerWidth])"
    )
    hints = page.locator("details img").count()
    assert len(about) == figures(solved) + hints >= 20
    for words, width, sticks_out in about:
        assert len(words) > 25 and "No description" not in words and width > 300 and sticks_out <= 0, words
    assert [words for words, *_ in about if words.startswith("A digit turned by 0, 30, 45, 90, 180 degrees")]


def test_axe_finds_nothing_grave(exported, look, grave):
    """Is there nothing that keeps people out, by axe-core's rules, in the page with all hints folded out?"""
    page = look(exported)
    for fold in page.locator("summary").all():
        fold.click()
    assert grave(page, forgiven=THEIRS) == {}


def test_axe_sees_what_it_must(look, grave, tmp_path):
    """Is a picture without words found, in the part that is looked at, unless that very place is forgiven?"""
    page = tmp_path / "page.html"
    page.write_text('<!doctype html><html lang="en"><title>x</title><main><p><img src="data:,"></p><b>b</b></main>')
    page = look(page)
    (found,) = grave(page)
    assert found.startswith("image-alt: <img")
    assert grave(page, "b") == {} and grave(page, forgiven=[("image-alt", "p", "why")]) == {}
    assert grave(page, forgiven=[("image-alt", "b", "why"), ("color-contrast", "p", "why")]) != {}
