"""Tests of the feedback that students get: what a page says and does not say, and a class's pages and zip."""

import dataclasses
import datetime
import glob
import html
import io
import itertools
import json
import re
import shutil
import subprocess
import sys
import zipfile
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest import mock

import nbformat
import pytest
import tomllib
from bs4 import BeautifulSoup
from fabricated import DUE, answered, cells, landed, open_course
from handed_back import GRADER, PNG, STUDENTS, comment, edit, handed_back
from hypothesis import given
from hypothesis import strategies as st
from nbgrader.utils import notebook_hash

from autograder.cli import main
from autograder.collected import Collected, HandIn, write_collected
from autograder.course import Course
from autograder.excerpts import MAX_PICTURES, MAX_TEXT, Album, outputs, scrub
from autograder.exercises import EXERCISES
from autograder.feedback import TEMPLATES, what_is_tested
from autograder.lateness import renew
from autograder.notebooks import ASSIGNMENT, regions, role
from autograder.sending import entry_names, outdated, page_of, read_class, write_pages

BIN = Path(sys.executable).parent


def autograder(course, *arguments):
    """Run the command line in a course's folder, in this process: starting another takes longer than a page."""
    out, error = io.StringIO(), io.StringIO()
    line = ["autograder", *map(str, arguments), "--root", str(course.root)]
    with mock.patch.object(sys, "argv", line), redirect_stdout(out), redirect_stderr(error):
        try:
            main()
            code = 0
        except SystemExit as stopped:
            code = stopped.code
    return subprocess.CompletedProcess(line, code, out.getvalue(), error.getvalue())


@pytest.fixture(scope="module")
def course(project, tmp_path_factory):
    """A course with one student of each kind, and their pages."""
    return handed_back(tmp_path_factory.mktemp("feedback") / "course", project)


def soup(course, student):
    """A page."""
    return BeautifulSoup(page_of(course, student).read_text(encoding="utf-8"), "html.parser")


def text(node):
    """What a reader sees."""
    return re.sub(r"\s+", " ", node.get_text(" ", strip=True))


def printing(*texts):
    """A cell that printed."""
    return nbformat.v4.new_code_cell(
        outputs=[nbformat.v4.new_output("stream", name="stdout", text=text) for text in texts]
    )


def section(course, student, key):
    """What a page says about one exercise."""
    return soup(course, student).find(id=f"exercise-{key}")


def test_the_table_has_the_points_and_the_result_of_each_exercise(course):
    """Is there a row for each exercise, with its number, points, maximum and result, and a link that leads to it?"""
    page = soup(course, "bert")
    rows = page.table.tbody.find_all("tr")
    assert len(rows) == len(EXERCISES)
    for row, exercise in zip(rows, EXERCISES.values(), strict=True):
        assert page.find(id=row.a["href"].removeprefix("#")).h2
        assert row.a.span.get_text() == exercise.number and f"of {exercise.points}" in text(row)
    said = {exercise: text(row) for exercise, row in zip(EXERCISES, rows, strict=True)}
    assert said["c4"].endswith("0 of 5 ✗ failed")
    assert said["d4"].endswith("– of 8 ? not graded")
    assert said["isotropic-conv"].endswith("12 of 12 ✓ passed")
    assert said["rotate-p4"].endswith("2 of 5 ◐ passed in part")
    assert said["unique-inverse"].endswith("– of 5 … waiting for marking")
    assert said["why-gap"].endswith("0 of 5 – not answered")
    assert said["d4cnn"].endswith("bonus 0 of 4 – not answered")
    assert text(page.table.tfoot).startswith("Total so far")


def test_the_points_are_the_gradebooks(course):
    """Are total, maximum and what is still open those of the gradebook?"""
    with course.gradebook() as gradebook:
        for student in STUDENTS:
            known = gradebook.find_submission(ASSIGNMENT, student)
            page = soup(course, student)
            assert text(page.find(class_="number")).startswith(f"{known.score:g} of 100")
            waits = sum(grade.max_score for n in known.notebooks for grade in n.grades if grade.needs_manual_grade)
            assert (f"{waits:g} points are still to be decided" in text(page)) == bool(waits)


def test_who_and_when_and_how_late(course):
    """Do name, id, assignment and dates stand on the page, and a penalty for being late?"""
    head = text(soup(course, "anna").header)
    assert (
        "Anna <b>Müller</b> (anna)" in head and "Assignment gcnn" in head and re.search(r"Graded \d+ \w+ 20\d\d", head)
    )
    assert "late" not in text(soup(course, "anna").main.section)
    with course.gradebook() as gradebook:
        submission = gradebook.find_submission(ASSIGNMENT, "anna")
        submission.timestamp = DUE + datetime.timedelta(hours=1)
        score = submission.score
        gradebook.db.commit()
        renew(gradebook, course.config)
    assert outdated(course, read_class(course).marks) == ["anna"]
    assert not write_pages(course, ["anna"])
    told = text(soup(course, "anna").main.section)
    assert f"{score:g} points are taken off because the hand-in was late" in told and f"Late −{score:g}" in told
    assert "0 of 100" in told
    with course.gradebook() as gradebook:
        gradebook.find_submission(ASSIGNMENT, "anna").timestamp = None
        gradebook.db.commit()
    assert not write_pages(course, ["anna"])


def test_what_went_wrong_is_said_in_the_students_terms(course):
    """Does each test say what it tests, what went wrong, and that a person will look at what was not graded?"""
    c4, d4 = text(section(course, "bert", "c4")), text(section(course, "bert", "d4"))
    assert "C4.product 0 of 3 ✗ failed" in c4 and "C4.product(3, 1) is 4, expected 0. <script>alert(1)</script>" in c4
    assert "C4.product(1, 2)" in c4 and "There is no element 5 in C4." in c4  # what its public checks look at
    assert "Your code raised ValueError: no file …/cells.py" in c4
    assert "D4.inverse – of 3 ? not graded The kernel died. Your instructor will look at it." in d4
    assert "This test has a mistake of its own, which is not yours" in d4 and "secret_reference" not in d4
    assert "This exercise uses your answer to 2.3 LiftingConv2d . A mistake" in text(section(course, "bert", "c4cnn"))
    assert "uses your answer" not in text(section(course, "bert", "group-conv"))  # it passed


def test_marks_and_comments_are_shown(course):
    """Does a written answer have its mark, the student's words without the question, and the instructor's comment?"""
    found = section(course, "anna", "why-pool")
    assert "✎ marked 2.5 of 5 points" in text(found) and found.find(class_="comment").em.get_text() == "argued"
    assert "After pooling over all pixels" in text(found) and "Suppose that we pooled" not in text(found)
    assert "Your instructor has yet to mark this answer" in text(section(course, "bert", "why-pool"))
    assert "still as it was handed out" in text(section(course, "bert", "why-gap"))


def test_a_hand_in_that_could_not_be_read_says_so(course):
    """Is the reason told, nothing called unanswered, and every exercise not graded or waiting?"""
    page = soup(course, "carla")
    assert "could not be graded: the notebook cannot be read (NotJSONError). Your instructor will" in text(page)
    badges = {text(badge) for badge in page.table.find_all(class_="badge")}
    assert badges == {"? not graded", "… waiting for marking"}
    assert "as it was handed out" not in text(page)


def test_the_students_own_cells_are_shown(course):
    """Are code, text, changed and added cells, outputs and figures there, the course's own text and code not?"""
    page = soup(course, "bert")
    c4 = page.find(id="exercise-c4")
    assert "class C4: ..." in c4.find("pre", class_="code").get_text() and c4.find("span", class_="nc")
    titles = [heading.get_text() for heading in page.find_all("h3")]
    assert "A cell that you added" in titles and "A cell of the course that you changed" in titles
    assert "mine = '</code><script>alert(1)'" in text(page)
    assert text(page.find(id="exercise-c4cnn")).count("epoch 1 of 1: loss 0.1") == 1
    picture = page.find(id="exercise-lifting-conv").figure.img
    assert picture["src"] == f"data:image/png;base64,{PNG}" and picture["alt"] == 'Four "filters" <b>side by side</b>.'
    assert "slides one filter over the whole image" not in text(page) and "importlib" not in text(page)


def test_repairs_are_told(course):
    """Does the page say what had to be put right, without the grader's paths, and only where something had?"""
    told = text(soup(course, "bert").find(id="repairs").parent)
    assert "needed these repairs" in told and "'test-c4-product'" in told and "The file …/cells.py was renamed." in told
    assert soup(course, "anna").find(id="repairs") is None


def test_outputs_are_bounded(course):
    """Are long outputs cut in the middle, progress bars shown as they end, and pictures limited in number?"""
    found = section(course, "bert", "c4")
    printed = found.find("pre", class_="output").get_text()
    assert printed.startswith("100 %\n") and printed.endswith("the end\n") and len(printed) < MAX_TEXT + 100
    assert len(soup(course, "bert").find_all("img")) <= MAX_PICTURES
    assert page_of(course, "bert").stat().st_size < 1_000_000


@given(st.text(st.sampled_from("ab\r\n"), max_size=30))
def test_a_line_is_what_a_terminal_shows_in_the_end(printed):
    """Is of each line left what was drawn last, as a slow search finds it?"""
    last = re.sub(r"[^\n]*\r(?!\n)", "", printed)
    assert [output.text for output in outputs(printing(printed), Album())] == ([last] if last.strip() else [])


@pytest.mark.parametrize("part", ["x", "\r\n", "/a", "/x/site-packages/", "~/+", "\x1b[", "\x1b[0m"])
@pytest.mark.timeout(60)
def test_long_outputs_take_no_time(part):
    """Are a hundred outputs, as long as an output may be, shown all the same?"""
    printed = "/x/site-packages/" + part * (100_000 // len(part))
    assert outputs(printing(*[printed] * 100), Album())


@pytest.mark.timeout(180)
def test_no_cell_keeps_a_page_from_being_written(project, tmp_path):
    """Are cells shown whose text the lexer that they name would take for ever, and outputs of long lines?"""
    for_ever = 'Constant X "@' + "\\\n\n" * 40
    course = open_course(tmp_path, project)
    notebook = answered(course.source(), added=(f"%%html\n<b>{for_ever}</b>",))
    next(cell for cell in notebook.cells if cell.get("id") == "why-pool").source += f"\n\n```inform6\n{for_ever}\n```"
    notebook.cells.insert(3, nbformat.v4.new_markdown_cell(f"```inform6\n{for_ever}\n```"))
    landed(course, "mallory", notebook)
    many = printing(*["x" * 100_000] * 50).outputs
    edit(course, "mallory", lambda graded: [c.update(outputs=many) for c in graded.cells if c.id.startswith("train-")])
    assert not write_pages(course, ["mallory"])
    page = soup(course, "mallory")
    assert page.get_text().count(for_ever.strip()) == 3 and not page.find_all("span", class_="nt")


@pytest.mark.parametrize("student", STUDENTS)
def test_nothing_that_is_not_the_students_is_told(course, source, student):
    """Is no line of a hidden test, of a model answer or of a rubric on the page, and no path of the grader?"""
    page = soup(course, student)
    seen = page.get_text()
    handed_in = nbformat.read(course.folder("submitted", student) / f"{ASSIGNMENT}.ipynb", as_version=4)
    own = {line.strip() for cell in handed_in.cells for line in cell.source.split("\n")}
    public = {line.strip() for cell in source.cells for line in regions(cell.source)[0]}
    secret = [
        line.strip()
        for cell in source.cells
        for lines in regions(cell.source)[1].values()
        for line in lines
        if len(line.strip()) > 12
    ]
    assert len(secret) > 300
    assert not [line for line in secret if line not in own and line not in public and line in seen]
    assert "from autograder" not in seen and "Rubric" not in seen and "BEGIN " not in seen
    assert GRADER not in seen and str(course.root) not in seen and "/site-packages" not in seen


@pytest.mark.parametrize("student", STUDENTS)
def test_nothing_on_a_page_runs_or_is_fetched(course, student):
    """Is whatever a student wrote inert, and does the page need nothing but itself?"""
    raw = page_of(course, student).read_text(encoding="utf-8")
    page = BeautifulSoup(raw, "html.parser")
    policy = page.find("meta", attrs={"http-equiv": "Content-Security-Policy"})
    assert policy["content"] == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    for name in ("script", "iframe", "object", "embed", "link", "base", "form", "svg", "video", "audio", "template"):
        assert page.find(name) is None, name
    assert len(page.find_all("style")) == 1 and page.style.parent.name == "head"
    assert len(page.find_all("meta", attrs={"http-equiv": True})) == 1
    assert not re.search(r"url\(|@import", page.style.get_text())
    for tag in page.find_all(True):
        for name, value in tag.attrs.items():
            assert not name.startswith("on") and name not in (
                "srcset",
                "style",
                "background",
                "formaction",
                "xlink:href",
            )
            if name == "href":
                assert tag.name == "a" and re.match(r"#|https?://", value)
            if name == "src":
                assert tag.name == "img" and re.match(r"data:image/(png|jpeg|gif|webp);base64,", value)
    assert "49" not in raw.split("{{ 7 * 7 }}")[0][-200:]


def test_hostile_words_are_shown_as_words(course):
    """Can the student read what looked like HTML, and are formulas MathML, in answers and in comments?"""
    for found in (section(course, "bert", "why-pool"), section(course, "anna", "why-pool").find(class_="comment")):
        seen = text(found)
        assert "<img src=x onerror=alert(1)>" in seen and "<style>body { display: none }</style>" in seen
        assert "a picture elsewhere: spy" in seen and "{{ 7 * 7 }} {% raw %}" in seen
        assert found.find("math", attrs={"display": "block"}).mfrac and "ℤ" in found.get_text()
    assert "$" not in text(section(course, "anna", "unique-inverse"))


@pytest.mark.parametrize("student", STUDENTS)
def test_a_page_is_in_order(course, student):
    """Are language, title, headings, table headers, labels and texts for pictures as a screen reader needs them?"""
    page = soup(course, student)
    assert page.html["lang"] == "en" and student in page.title.get_text()
    levels = [int(heading.name[1]) for heading in page.find_all(re.compile("^h[1-6]$"))]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert all(image.get("alt", "").strip() for image in page.find_all("img"))
    assert {th["scope"] for th in page.table.find_all("th")} == {"col", "row"} and page.table.caption
    ids = [tag["id"] for tag in page.find_all(id=True)]
    assert len(ids) == len(set(ids))
    assert {a["href"][1:] for a in page.find_all("a") if a["href"].startswith("#")} <= set(ids)
    assert {tag["aria-labelledby"] for tag in page.find_all(attrs={"aria-labelledby": True})} <= set(ids)


def _luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_colours_can_be_read():
    """Has every text on its background a contrast of 4.5 at least (WCAG AA), by day and by night?"""
    style = (TEMPLATES / "feedback" / "page.css").read_text()
    light, dark = (
        dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", block)) for block in re.findall(r":root \{([^}]*)\}", style)[:2]
    )
    pairs = [(name, back) for name in ("text", "quiet", "link") for back in ("page", "card")]
    pairs += [(name, "code") for name in ("text", "keyword", "string", "number", "name", "remark")]
    pairs += [(name, f"{name}-back") for name in ("passed", "failed", "open", "marked", "none")]
    pairs += [("failed", "card"), ("text", "marked-back")]
    for colours in (light, {**light, **dark}):
        assert light.keys() == colours.keys()
        for front, back in pairs:
            one, other = sorted((_luminance(colours[front]), _luminance(colours[back])))
            assert (other + 0.05) / (one + 0.05) >= 4.5, (front, back, colours[front], colours[back])


def test_every_test_is_told_in_words(source):
    """Does each test of the notebook say what it tests, and which public checks it makes?"""
    for cell in cells(source, "tests"):
        what, checks = what_is_tested("\n".join(regions(cell.source)[0]), cell.id)
        assert what != cell.id.removeprefix("test-").replace("-", " ")
        assert checks and all(re.search(r"[A-Za-z]{3}", check) for check in checks)


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        (
            'File "/usr/lib/python3.11/site-packages/torch/nn/modules/module.py", line 3',
            'File "torch/nn/modules/module.py", line 3',
        ),
        ("no file /home/student/work/data/x.csv", "no file data/x.csv"),
        ("File /tmp/ipykernel_23/345.py:3", "File …/345.py:3"),
        ("file:///srv/course/gradebook.db and ~/secrets/key (/root/a/b)", "…/gradebook.db and …/key (…/b)"),
        (
            "and/or 1/2/3, 4 /5, https://arxiv.org/abs/1602.07576",
            "and/or 1/2/3, 4 /5, https://arxiv.org/abs/1602.07576",
        ),
    ],
)
def test_paths_of_the_grader_are_no_ones_business(message, shown):
    """Is of a path left what helps the student, and are things that look like one left alone?"""
    assert scrub(message) == shown


def test_nbgraders_command_and_the_formgraders_button_give_the_same_page(course):
    """Are the pages of `nbgrader generate_feedback`, of the button's call and of `autograder feedback` equal?"""
    ours = {student: page_of(course, student).read_bytes() for student in ("anna", "bert")}
    course.feedback("anna")  # what the button calls
    command = [BIN / "nbgrader", "generate_feedback", ASSIGNMENT, "--force", "--student=bert"]
    done = subprocess.run(command, cwd=course.root, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert {student: page_of(course, student).read_bytes() for student in ours} == ours


def test_only_pages_that_are_no_longer_true_are_written(course):
    """Is an unchanged page left alone, and one written whose mark, comment or notebook changed, or that is missing?"""
    everyone = read_class(course).marks
    assert not outdated(course, everyone)
    comment(course, "bert", "c4", "See me.")
    assert outdated(course, read_class(course).marks) == ["bert"]
    edit(course, "dora", lambda notebook: notebook.metadata.update(x=1))
    page_of(course, "carla").unlink()
    with course.gradebook() as gradebook:
        gradebook.find_grade("why-gap", ASSIGNMENT, ASSIGNMENT, "anna").manual_score = 4
        gradebook.db.commit()
    before = {student: page_of(course, student).stat().st_mtime_ns for student in ("anna", "bert", "dora")}
    done = autograder(course, "feedback", "--student", "anna", "--student", "bert", "--student", "carla")
    assert done.returncode == 0 and "3 pages written, 0 unchanged" in done.stdout
    assert page_of(course, "dora").stat().st_mtime_ns == before["dora"]
    assert "See me." in text(section(course, "bert", "c4")) and "4 of 5" in text(section(course, "anna", "why-gap"))
    assert "1 pages written, 3 unchanged" in autograder(course, "feedback").stdout
    assert not list(course.folder("feedback", "anna").glob(".*"))


def test_the_zip_is_what_the_lms_takes(course, tmp_path):
    """Does the zip hold one page per graded student under a name of its own, and is it the same each time?"""
    packed = tmp_path / "new" / "feedback.zip"
    done = autograder(course, "feedback", "--zip", packed)
    assert done.returncode == 0 and "4 pages" in done.stdout, done.stderr
    assert "Not graded yet (run `autograder grade`): emil" in done.stdout
    with zipfile.ZipFile(packed) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [f"{student}_gcnn.html" for student in STUDENTS]
        assert archive.read("bert_gcnn.html") == page_of(course, "bert").read_bytes()
    before = packed.read_bytes()
    autograder(course, "feedback", "--zip", packed)
    assert packed.read_bytes() == before and [path.name for path in packed.parent.iterdir()] == [packed.name]


@pytest.mark.parametrize(
    ("lms", "file", "name"),
    [
        (
            "Moodle",
            "Anna Müller_4711_assignsubmission_file_/gcnn.ipynb",
            "Anna Müller_4711_assignsubmission_file_/gcnn.html",
        ),
        ("Moodle", "all/Anna_4711_assignsubmission_file/work/my.ipynb", "Anna_4711_assignsubmission_file/gcnn.html"),
        ("Moodle", "Anna_4711_assignsubmission_file_gcnn.ipynb", "Anna_4711_assignsubmission_file_gcnn.html"),
        (
            "Brightspace",
            "12-34 - Anna M - Nov 3, 2026 1110 PM/a.ipynb",
            "12-34 - Anna M - Nov 3, 2026 1110 PM/gcnn.html",
        ),
        ("Canvas", "mulleranna_LATE_4711_99_gcnn.ipynb", "mulleranna_LATE_4711_99_gcnn.html"),
        ("Moodle", "..\\..\\x_4711_assignsubmission_file_/gcnn.ipynb", "anna_gcnn.html"),
        ("Moodle", "a\u202eb\x1b_4711_assignsubmission_file_/gcnn.ipynb", "anna_gcnn.html"),
        ("Moodle", "x" * 300 + "_4711_assignsubmission_file_/gcnn.ipynb", "anna_gcnn.html"),
        ("Moodle", "gcnn.ipynb", "anna_gcnn.html"),
        ("the course's own pattern", "anna.ipynb", "anna_gcnn.html"),
    ],
)
def test_a_page_is_named_as_the_hand_in_was(course, project, tmp_path, lms, file, name):
    """Has a page the name by which the LMS knows the student, where it is a plain name, else the student's id?"""
    other = Course(tmp_path, project)
    write_collected(other, Collected("", lms, "", hand_ins=(HandIn("anna", file=file, lms=lms),)))
    assert entry_names(other, ["anna", "bert"]) == {"anna": name, "bert": "bert_gcnn.html"}


def test_names_in_the_zip_are_names_everywhere(course, project, tmp_path):
    """Are ids that no file may be called, and ids that differ in case only, told apart by plain names?"""
    students = ["../../etc/x", "a:b?", "A:b?", "a_b_", "ü.", "\x00", ""]
    names = list(entry_names(Course(tmp_path, project), students).values())
    assert len({name.casefold() for name in names}) == len(students)
    assert all(re.fullmatch(r"[\w.@+ -]+_gcnn\.html", name) and not name.startswith(".") for name in names)


def test_final_feedback_waits_for_nobody(course, tmp_path):
    """Does --final write nothing while something waits, say what, and go through once nothing does?"""
    packed = tmp_path / "feedback.zip"
    page_of(course, "bert").unlink()
    done = autograder(course, "feedback", "--final", "--zip", packed)
    assert done.returncode == 1 and not packed.exists() and not page_of(course, "bert").exists()
    assert "Tests that could not be graded: bert (1.3), carla" in done.stderr.replace("\n", " ")
    assert "bert (1.1 3.1 3.5a)" in done.stderr and "emil" in done.stderr and "Traceback" not in done.stderr
    done = autograder(course, "feedback", "--final", "--student", "anna", "--zip", packed)
    assert done.returncode == 0 and packed.is_file()
    assert autograder(course, "feedback", "--student", "bert").returncode == 0


def test_those_who_are_final_need_not_wait_for_the_others(course, tmp_path):
    """Does --only-final write and pack the pages of those of whom nothing is open, and name the others?"""
    packed = tmp_path / "feedback.zip"
    for student in STUDENTS:
        page_of(course, student).unlink(missing_ok=True)
    done = autograder(course, "feedback", "--only-final", "--zip", packed)
    assert done.returncode == 0, done.stderr
    final = {student for student in STUDENTS if page_of(course, student).exists()}
    assert "anna" in final and not final & {"bert", "carla", "emil"}
    assert len(zipfile.ZipFile(packed).namelist()) == len(final)
    assert "Tests that could not be graded: bert (1.3), carla" in done.stdout.replace("\n", " ")
    done = autograder(course, "feedback", "--only-final", "--student", "bert")
    assert done.returncode == 1 and "nobody's points are final" in done.stderr
    assert autograder(course, "feedback").returncode == 0


def test_a_class_is_written_by_several_processes(course):
    """Do two processes write the same pages as one?"""
    before = {student: page_of(course, student).read_bytes() for student in STUDENTS}
    for student in STUDENTS:
        page_of(course, student).unlink()
    told = []
    assert write_pages(course, STUDENTS, jobs=2, done=lambda student, why: told.append((student, why))) == {}
    assert {student: page_of(course, student).read_bytes() for student in STUDENTS} == before
    assert sorted(told) == [(student, "") for student in STUDENTS]


def test_a_process_that_dies_costs_no_page(course):
    """Are pages written all the same when every other process is killed, as by a machine that is out of memory?"""

    class Dying:
        def __init__(self, *_, **__):
            self.shutdown = mock.Mock()

        def submit(self, *_):
            task = Future()
            task.set_exception(BrokenProcessPool("killed"))
            return task

    page_of(course, "anna").unlink()
    with mock.patch("autograder.sending.ProcessPoolExecutor", Dying):
        assert write_pages(course, ["anna", "bert"], jobs=2) == {}
    assert page_of(course, "anna").is_file()


def test_what_is_missing_is_said_in_a_sentence(course, tmp_path, project):
    """Do an unknown student, an unknown assignment and an empty course give one sentence each?"""
    (tmp_path / "nbgrader_config.py").write_text((project / "nbgrader_config.py").read_text())
    for where, arguments, message in [
        (course, ("--student", "bertha"), "nothing was handed in by bertha; there is anna, bert"),
        (course, ("other",), "there is no assignment 'other'"),
        (Course(tmp_path), (), "nothing was handed in"),
    ]:
        done = autograder(where, "feedback", *arguments)
        assert done.returncode == 1 and "Traceback" not in done.stderr
        assert message in done.stderr


def test_one_students_trouble_is_one_students(course):
    """Does a page that cannot be made keep its earlier form, and are the others written, with one line about it?"""
    path = course.folder("autograded", "dora") / f"{ASSIGNMENT}.ipynb"
    notebook, page = path.read_text(), page_of(course, "dora").read_bytes()
    path.chmod(0o644)
    page_of(course, "bert").unlink()
    for broken in (notebook[:1000], notebook.replace('"evidence"', '"eviction"'), json.dumps({"cells": 3})):
        path.write_text(broken)
        done = autograder(course, "feedback")
        assert done.returncode == 1 and "no feedback for dora" in done.stderr and "Traceback" not in done.stderr
        assert page_of(course, "dora").read_bytes() == page and page_of(course, "bert").is_file()
    path.write_text(notebook)
    taken = page_of(course, "bert")
    shutil.rmtree(taken.parent)
    taken.parent.write_text("a file in the folder's place")
    done = autograder(course, "feedback")
    assert done.returncode == 1 and "bert: the page could not be written" in done.stdout.replace("\n", " ")
    taken.parent.unlink()
    assert autograder(course, "feedback").returncode == 0


def test_nbgraders_exchange_releases_the_page(course, tmp_path):
    """Does `nbgrader release_feedback` hand out the page of somebody who handed in through nbgrader's exchange?"""
    shutil.copytree(course.root, tmp_path / "course")
    own, exchange = Course(tmp_path / "course"), tmp_path / "exchange"
    exchange.mkdir(mode=0o777)
    exchange.chmod(0o777)
    for name, text in (("timestamp.txt", "2026-11-12 08:00:00 UTC"), ("submission_secret.txt", "5ec12e7")):
        own.folder("submitted", "fay").mkdir(parents=True, exist_ok=True)
        (own.folder("submitted", "fay") / name).write_text(text)
    landed(own, "fay", answered(own.source()))
    assert write_pages(own, ["fay"]) == {}
    command = [BIN / "nbgrader", "release_feedback", ASSIGNMENT, "--student=fay", f"--Exchange.root={exchange}"]
    done = subprocess.run(command, cwd=own.root, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    released = exchange / "gcnn" / "feedback" / f"{notebook_hash(secret='5ec12e7', notebook_id=ASSIGNMENT)}.html"
    assert released.read_bytes() == page_of(own, "fay").read_bytes()


def test_the_package_ships_the_template(project):
    """Does the built package hold every file of the template?"""
    settings = tomllib.loads((project / "src" / "autograder" / "pyproject.toml").read_text())
    patterns = settings["tool"]["setuptools"]["package-data"]["autograder"]
    shipped = {name for pattern in patterns for name in glob.glob(pattern, root_dir=TEMPLATES.parent, recursive=True)}
    assert {str(path.relative_to(TEMPLATES.parent)) for path in TEMPLATES.rglob("*") if path.is_file()} <= shipped
    assert (TEMPLATES / "feedback" / "index.html.j2").is_file()


def test_marks_are_plain_data(course):
    """Are the marks of one student those of the whole class's?"""
    one, everyone = read_class(course, ["bert"]).marks, read_class(course).marks
    assert dataclasses.asdict(one["bert"]) == dataclasses.asdict(everyone["bert"])
    assert one["bert"].total == sum(mark.points for mark in one["bert"].cells.values())
    assert html.escape("<") not in one["bert"].name and role(nbformat.v4.new_code_cell()) == ""
