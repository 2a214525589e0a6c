"""nbgrader's formgrader in a real browser, on a real server: its buttons, marking by hand, and strangers' words."""

import dataclasses
import subprocess
import sys

import nbformat
import pytest

from autograder import rehearsal
from autograder.course import Course
from autograder.formgrader import served
from autograder.notebooks import ASSIGNMENT, as_released

pytestmark = pytest.mark.slow

CHEAT = "mallory"
NAME = '"><img src=x onerror="document.title=\'ran\'">', "</a><script>document.title='ran'</script>"
ANSWER = """
[my figure](evil.html) [mine too](./evil.html?x#y) [all grades](/formgrader/api/grades) [you](http://127.0.0.1:8888/lab)
<script>document.title = "ran"</script> <img src=x onerror="document.title = 'ran'"> $\\href{javascript:alert(1)}{x}$
$h = he$ and $\\nocommand{x}$, as in [the paper](https://arxiv.org/abs/1602.07576).
"""
EQUAL_TO_ALL = """
import unittest.mock
from IPython.display import HTML, display
display(HTML("<script>document.title = 'ran'</script>"))
print("<script>document.title = 'ran'</script>")
class D4:
    product = inverse = staticmethod(lambda *a: unittest.mock.ANY)
int.real = None
"""


@pytest.fixture(scope="module")
def course(project, tmp_path_factory):
    """A small course in which one hand-in deserves all points, and one those of the first exercise."""
    root = tmp_path_factory.mktemp("formgrader") / "course"
    root.mkdir()
    (root / "nbgrader_config.py").write_text((project / "nbgrader_config.py").read_text())
    course = Course(root)
    source = nbformat.read(project / "source" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb", as_version=4)
    small = rehearsal.open_course(course, source)
    honest = next(iter(rehearsal.hand_ins(small, 1)))
    rehearsal.hand_in(course, honest)
    notebook, answers = as_released(small), nbformat.reads(honest.text, as_version=4)
    for cell, answer in zip(notebook.cells, answers.cells, strict=True):
        cell.source = {"c4": answer.source, "d4": EQUAL_TO_ALL}.get(cell.id, cell.source)
        cell.source += ANSWER if cell.id == "unique-inverse" else ""
    rehearsal.hand_in(course, dataclasses.replace(honest, student=CHEAT, text=nbformat.writes(notebook)))
    (course.folder("submitted", CHEAT) / "evil.html").write_text("<script>document.title = 'ran'</script>")
    with course.gradebook() as gradebook:
        gradebook.update_or_create_student(CHEAT, first_name=NAME[0], last_name=NAME[1])
    return course


@pytest.fixture(scope="module")
def server(course, chromium):
    """The formgrader's address, without the token, and a function that lets a page in."""
    with served(course) as address:
        where = address.partition("?")[0]
        yield where, lambda look: look(address)


@pytest.fixture
def formgrader(server, look):
    """Opens a page of the formgrader, as an instructor who has been let in."""
    where, let_in = server
    page = let_in(look)

    def turn_to(*parts):
        page.goto("/".join((where, *parts)), wait_until="networkidle")
        return page

    return turn_to


def press(page, student, button):
    """Press a button in a student's row, and return what the formgrader says when that is done."""
    page.locator("tr", has_text=student).locator(f".{button} a").click()
    says = page.locator(".modal.in .modal-body")
    says.wait_for(timeout=120_000)
    text = says.inner_text()
    page.locator(".modal.in .modal-footer button").first.click()
    page.locator(".modal").wait_for(state="detached")
    return text


@pytest.fixture(scope="module")
def judged(server, chromium):
    """Presses the autograde button of the one who cheats: what the row said before, what came of it, the row after."""
    where, _ = server
    page = chromium.new_context().new_page()
    server[1](page.goto)
    page.goto(f"{where}/manage_submissions/{ASSIGNMENT}")
    row = page.locator("tr", has_text=CHEAT)
    before = row.inner_text()
    says = press(page, CHEAT, "autograde")
    row.get_by_text("needs manual grading").wait_for()
    yield before, says, row.inner_text()
    page.context.close()


def scores(course, student):
    """What the gradebook has of each graded cell."""
    with course.gradebook() as gradebook:
        grades = gradebook.find_submission_notebook(ASSIGNMENT, ASSIGNMENT, student).grades
        return {grade.name: (grade.auto_score, grade.manual_score, grade.needs_manual_grade) for grade in grades}


def test_the_autograde_button_uses_the_judge(course, judged):
    """Does the button run the submission in the sandbox and judge it, so that what equals everything earns nothing?"""
    before, says, after = judged
    assert "needs autograding" in before and "Successfully autograded" in says
    assert "needs manual grading" in after and "5 / 18" in after
    evidence = course.graded(CHEAT).metadata.course.evidence
    assert evidence["sandbox"]["kind"] == "bubblewrap"
    assert {name: outcome["status"] for name, outcome in evidence["outcomes"].items()} == {
        "test-c4-product": "passed",
        "test-c4-inverse": "passed",
        "test-d4-product": "failed",
        "test-d4-inverse": "failed",
    }
    assert scores(course, CHEAT) == {
        "unique-inverse": (None, None, True),
        "test-c4-product": (3.0, None, False),
        "test-c4-inverse": (2.0, None, False),
        "test-d4-product": (0.0, None, False),
        "test-d4-inverse": (0.0, None, False),
    }


def test_an_answer_is_marked_and_sent_back(course, judged, formgrader, look):
    """Can an instructor read the rubric, type a mark and a comment, use the keys, and make the feedback?"""
    page = formgrader("gradebook", ASSIGNMENT, ASSIGNMENT)
    page.locator("tr", has_text="5 / 18").get_by_role("link", name="Submission").click()
    page.wait_for_load_state("networkidle")
    assert page.get_by_text("Rubric (5 points)").is_visible() and page.get_by_text("Model answer").is_visible()
    mark, comment = page.locator("#unique-inverse"), page.locator("#unique-inverse-comment")
    mark.click()
    with page.expect_response(lambda answer: "/api/grade/" in answer.url and answer.request.method == "PUT"):
        page.keyboard.type("3")
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "unique-inverse_extra_credit"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "unique-inverse-comment"
    with page.expect_response(lambda answer: "/api/comment/" in answer.url and answer.request.method == "PUT"):
        comment.fill("Which axiom gives $h = he$?")
        page.keyboard.press("Escape")
    assert scores(course, CHEAT)["unique-inverse"] == (None, 3.0, False)
    with course.gradebook() as gradebook:
        written = gradebook.find_comment("unique-inverse", ASSIGNMENT, ASSIGNMENT, CHEAT)
        assert written.manual_comment == "Which axiom gives $h = he$?"

    page = formgrader("manage_submissions", ASSIGNMENT)
    assert "8 / 18" in page.locator("tr", has_text=CHEAT).inner_text()
    assert "Successfully generated feedback" in press(page, CHEAT, "generate-feedback")
    sent = look(course.folder("feedback", CHEAT) / f"{ASSIGNMENT}.html", "phone")
    assert sent.get_by_text("Which axiom gives").is_visible()
    assert sent.title() != "ran"
    row = sent.get_by_role("table", name="Points by exercise").get_by_role("row").filter(has_text="1.1")
    assert "3 of 5" in " ".join(row.inner_text().replace("/", " of ").split())


def test_nothing_that_a_student_chose_runs(course, judged, formgrader):
    """Are name, answer, output and files of a hand-in only text in the formgrader, and does no link lead to here?"""
    page = formgrader("gradebook", ASSIGNMENT, ASSIGNMENT)
    page.locator("tr", has_text="/ 18").get_by_role("link", name="Submission").first.click()
    page.wait_for_load_state("networkidle")
    answer = page.locator(".nbgrader_cell", has=page.locator("#unique-inverse"))
    links = answer.locator("a:not(.anchor-link)")
    assert links.all_inner_texts() == ["the paper"] and "noreferrer" in links.first.get_attribute("rel")
    assert answer.locator("math").count() > 3 and "\\nocommand{x}" in answer.inner_text()
    page.locator(".glyphicon-eye-open.name-hidden").click()
    assert f"{NAME[1]}, {NAME[0]}" in page.locator(".breadcrumb").inner_text()
    assert page.locator("#notebook-container script, #notebook-container img, .breadcrumb img").count() == 0
    assert page.get_by_text("<script>document.title = 'ran'</script>").count() >= 1
    assert page.title() == ASSIGNMENT
    for parts in (
        ("manage_assignments",),
        ("manage_submissions", ASSIGNMENT),
        ("gradebook", ASSIGNMENT, ASSIGNMENT),
        ("manage_students",),
        ("manage_students", CHEAT),
        ("manage_students", CHEAT, ASSIGNMENT),
    ):
        assert formgrader(*parts).title() != "ran", parts


def test_the_commands_take_over_what_the_formgrader_did(course, judged):
    """Does `autograder grade` grade who is left, and keep what was graded and marked in the formgrader?"""
    before = scores(course, CHEAT)
    command = [sys.executable, "-m", "autograder.cli", "grade", "--root", course.root, "--jobs", "1"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert scores(course, CHEAT) == before
    assert scores(course, "student-0000")["test-d4-product"] == (5.0, None, False)
