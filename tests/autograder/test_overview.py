"""Tests of autograder.overview: the page says what the gradebook says, and what strangers wrote is only text in it."""

import base64
import dataclasses
import datetime
import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from typer.testing import CliRunner

from autograder import classroom as room
from autograder.classroom import FINAL, MISSING, NOT_GRADED, NOT_RUN, WAITING, Classroom, Student, read_classroom
from autograder.cli import app
from autograder.collected import Collected, HandIn, Problem
from autograder.errors import CourseError
from autograder.exercises import EXERCISES
from autograder.overview import duration, render, shown, write_report
from autograder.report import Grades, Score, read_grades

NASTY = "</title></script><script>alert(1)</script>\"'><img src=x onerror=alert(1)>\u202e\x1b[2J\udcff{{ 7*7 }}&lt;"


def page_of(classroom, folder=Path("/somewhere")):
    """The page about a class, parsed."""
    return BeautifulSoup(render(classroom, folder), "html.parser")


def words(element):
    """An element's text with single spaces."""
    return " ".join(element.get_text(" ").split())


def tiles(page):
    """The numbers at the top, by what they count."""
    return {words(tile.dt): words(tile.dd) for tile in page.select(".tiles > div")}


def rows(page):
    """The table of students: each one's cells by column, in the page's order."""
    heads = [words(head) for head in page.select("#table thead th")]
    return {
        words(row.th.bdi): dict(zip(heads[1:], (words(cell) for cell in row.select("td")), strict=True))
        for row in page.select("#table tbody tr")
    }


def a_student(name, state=WAITING, **more):
    """A student whose tests all passed; written answers are full where the state is final, and wait elsewhere."""
    scores = {
        key: Score(0, e.points, waiting=True) if e.by_hand and state != FINAL else Score(e.points, e.points)
        for key, e in EXERCISES.items()
    }
    return Student(name, state, grades=Grades(name, scores), **more)


def a_class(*students):
    """A class of these."""
    return Classroom("gcnn", None, students, 6000, 3600)


@pytest.fixture(scope="module")
def whole(fabricated_class):
    """The fabricated class: the course, what is known, and the page."""
    course, _ = fabricated_class
    classroom = read_classroom(course)
    return course, classroom, page_of(classroom, course.root)


def test_every_number_of_the_table_is_the_gradebooks(whole):
    """Has each student a row with the gradebook's points for every exercise, and no number for what is not final?"""
    course, classroom, page = whole
    table = rows(page)
    assert len(table) == len(classroom.students)
    columns = [f"{e.number} /{e.points}" for e in EXERCISES.values()]
    assert len(set(columns)) == len(columns) - 1  # two exercises share the number 4b
    with course.gradebook() as gradebook:
        for student in classroom:
            [row] = [row for row in page.select("#table tbody tr") if row.th.bdi.get_text() == shown(student.name)]
            cells = [words(cell) for cell in row.select("td.points")]
            if student.grades is None:
                assert not any(cells) and not any(words(cell) for cell in row.select("td")[1:3])
                continue
            grades = read_grades(gradebook, student.name)
            for text, score in zip(cells, grades.scores.values(), strict=True):
                assert text == "?" if score.waiting else float(text) == score.points
            tested, total = (words(cell) for cell in row.select("td")[1:3])
            assert tested == "?" if grades.waiting(by_hand=False) else float(tested) == grades.total(by_hand=False)
            assert total == "?" if grades.final is None else float(total) == grades.final


def test_the_tiles_add_up(whole):
    """Do the numbers at the top agree with the class, and is who handed in either graded or not?"""
    _, classroom, page = whole
    states = [student.state for student in classroom]
    assert tiles(page) == {
        "handed in": f"{len(states) - states.count(MISSING)} of {len(states)}",
        "graded": str(len(states) - states.count(MISSING) - states.count(NOT_RUN)),
        "not decided": str(states.count(NOT_GRADED)),
        "wait for marking": str(states.count(WAITING)),
        "final": str(states.count(FINAL)),
        "late": str(sum(bool(student.late) for student in classroom)),
        "missing": str(states.count(MISSING)),
    }
    assert all(states.count(state) for state in (FINAL, WAITING, NOT_GRADED, NOT_RUN, MISSING))


def test_each_exercise_shows_its_success_and_who_made_which_mistake(whole):
    """Do counts in the bars come from the gradebook, and does the commonest mistake name everyone who made it?"""
    course, classroom, page = whole
    names = [student.name for student in classroom.graded]
    with course.gradebook() as gradebook:
        scores = [read_grades(gradebook, name).scores["c4"] for name in names]
    decided = [score for score in scores if not score.waiting]
    full = sum(score.points == score.maximum for score in decided)
    [exercise] = [part for part in page.select(".exercise") if part.code.get_text() == "c4"]
    assert f"all points: {full}" in exercise.svg["aria-label"]
    assert words(exercise.select_one(".rate")) == f"{100 * full / len(decided):.0f} %"
    messages = {s.name: s.tests["test-c4-product"].message for s in classroom.graded}
    wrong = {name for name, message in messages.items() if "Has the result wrapped around" in message}
    group = exercise.select_one(".groups li")
    assert int(words(group.select_one(".count"))) == len(wrong) > 2
    assert {link.get_text() for link in group.select("a")} == {shown(name) for name in wrong}


def test_networks_show_each_accuracy_against_its_threshold(whole):
    """Is there a dot for each measured network, another mark for those that fail, and the threshold in words?"""
    _, classroom, page = whole
    accuracies = [s.tests["test-c4cnn-accuracy"].accuracy for s in classroom.graded]
    measured = [accuracy for accuracy in accuracies if accuracy is not None]
    [figure] = [part for part in page.select("#networks ~ .cards figure") if part.code.get_text() == "c4cnn"]
    titles = [title.get_text() for title in figure.select("circle title, .bad title")]
    assert sorted(float(title.rpartition(": ")[2].rstrip(" %")) for title in titles) == sorted(
        round(accuracy, 1) for accuracy in measured
    )
    assert len(figure.select("svg.bad")) == sum(accuracy < 85 for accuracy in measured) == 2
    assert "at least 85 %" in words(figure) and f"{len(accuracies) - len(measured)} not measured" in words(figure)


def test_what_is_worth_a_look_is_there(whole):
    """Are undecided tests, limits, repairs and observations shown, with who, and without an accusation?"""
    page = whole[2]
    cards = {words(card.h3).partition(" (")[0]: words(card) for card in page.select("#look ~ .columns .card")}
    for title, text in {
        "Tests that could not be decided": "all tests · student-11",
        "Limits that were hit, and kernels that died": "memory limit of 6,000 MB exceeded student-05",
        "Test cells that differed from the course's": "the cell 'test-c4-product' was changed",
        "Names of the course's with another meaning": "rotate student-07",
        "Assignments into modules": "torch.equal student-07",
        "Messages that could not be read": "it is no reply student-13",
        "Files that were left out": "data/link.txt: a symbolic link",
    }.items():
        assert text in cards[title], title
    everything = words(page).lower()
    assert not [word for word in ("cheat", "fraud", "plagiar", "guilty") if word in everything]


def test_written_answers_that_wait_are_counted_by_question(whole):
    """Does each question say how many of its answers wait, and the list of what is to do their sum?"""
    course, classroom, page = whole
    waiting = {key: 0 for key, exercise in EXERCISES.items() if exercise.by_hand}
    with course.gradebook() as gradebook:
        for student in classroom.graded:
            for key in waiting:
                waiting[key] += read_grades(gradebook, student.name).scores[key].waiting
    for key, count in waiting.items():
        [question] = [part for part in page.select("#written ~ .exercises .exercise") if part.code.get_text() == key]
        assert words(question.select_one(".rate")) == f"{count} wait"
    assert f"Mark {sum(waiting.values())} written answers" in words(page.select_one(".todo"))


def test_hostile_text_is_only_text(tmp_path):
    """Do an id, a name, messages, repairs and limits that look like HTML, scripts or templates stay what they are?"""
    tests = {
        "test-c4-product": room.Verdict("c4", "failed", NASTY),
        "test-c4-inverse": room.Verdict("c4", "not graded", NASTY),
    }
    more = {"tests": tests, "repairs": (NASTY,), "limits": (NASTY,), "person": NASTY, "unreadable": NASTY}
    seen = (room.Observation(room.TEST_CHANGED, NASTY),)
    feedback = tmp_path / NASTY.replace("/", "") / "gcnn.html"
    nasty = a_student(NASTY, NOT_GRADED, observations=seen, feedback=feedback, seconds=3.0, memory_mb=90.0, **more)
    text = render(a_class(nasty, a_student("b", MISSING)), tmp_path)
    text.encode("utf-8")
    page = BeautifulSoup(text, "html.parser")
    assert len(page.select("script")) == 1 and not page.select("img")
    assert not [c for c in text if not c.isprintable() and c != "\n"]
    assert "49" not in words(page.select_one("#table")) and "{{ 7*7 }}" in words(page)
    assert [name for element in page.find_all(True) for name in element.attrs if name.startswith("on")] == []
    for link in page.select("a"):
        assert link["href"].startswith(("#", "%3C"))


def test_nothing_but_its_own_style_and_script_may_act(whole):
    """Does the page's policy forbid everything but the style and the script that it holds, byte by byte?"""
    page = whole[2]
    policy = page.select_one("meta[http-equiv=Content-Security-Policy]")["content"]
    assert policy.startswith("default-src 'none'; ") and "unsafe" not in policy
    for tag in ("style", "script"):
        [element] = page.select(tag)
        digest = base64.b64encode(hashlib.sha256(element.string.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert not page.select("[style], link, iframe, object, form")
    addresses = [element[name] for element in page.find_all(True) for name in ("src", "href") if name in element.attrs]
    assert not [address for address in addresses if re.match(r"\w+:|//", address)]


def test_links_are_relative_to_the_page(tmp_path):
    """Does a link lead from wherever the page lies to the feedback, with every part of the name quoted?"""
    feedback = tmp_path / "feedback" / "a b#c?d%" / "gcnn" / "gcnn.html"
    for folder, start in ((tmp_path, ""), (tmp_path / "deep" / "er", "../../")):
        [link] = page_of(a_class(a_student("a", feedback=feedback)), folder).select("#table a")
        assert link["href"] == f"{start}feedback/a%20b%23c%3Fd%25/gcnn/gcnn.html"


def test_an_empty_class():
    """Is there a page for nobody, which says so?"""
    page = page_of(a_class())
    assert tiles(page)["handed in"] == "0 of 0"
    assert "Nobody is enrolled" in words(page.select_one(".todo")) and rows(page) == {}


def test_a_class_of_one():
    """Is one student's page complete, in the singular?"""
    page = page_of(a_class(a_student("anna", FINAL, seconds=61.0, memory_mb=900.0)))
    assert words(page.select_one(".todo")).endswith("Nothing: all points are final.")
    assert rows(page)["anna"]["total /115"] == "115" and rows(page)["anna"]["time"] == "1:01"
    assert "1 submission, from 98 to 98, median 98." in words(page)
    assert "Nothing: every test of every submission was decided" in words(page)


def test_a_class_in_which_everything_waits():
    """Is nothing a number where nothing is decided?"""
    scores = {key: Score(0, e.points, waiting=True) for key, e in EXERCISES.items()}
    students = [Student(name, NOT_GRADED, grades=Grades(name, scores)) for name in ("a", "b")]
    page = page_of(a_class(*students, Student("c", NOT_RUN)))
    for row in rows(page).values():
        assert not [cell for cell in list(row.values())[1:] if re.search(r"\d", cell)]
    assert {words(rate) for rate in page.select("#exercises ~ .exercises .rate")} == {"–"}
    assert "No submission has been graded to its end yet." in words(page)
    for text in ("Grade 1 hand-in:", "Look at 2 submissions", "Mark 8 written answers"):
        assert text in words(page)


def test_a_large_class_has_a_page_that_a_browser_opens():
    """Is the page about 3,000 students bounded: no list of names without end, and few marks in each picture?"""
    students = [
        a_student(f"student-{i}", repairs=("the notebook had another name",), seconds=10.0 + i % 700, memory_mb=500.0)
        for i in range(3000)
    ]
    text = render(a_class(*students), Path("/somewhere"))
    assert text.count("<tr id=") == 3000 and len(text) < 8_000_000
    pictures = re.findall(r'<svg [^>]*role="img".*?</svg>', text, re.DOTALL)
    assert len(pictures) > 20 and max(len(re.findall("<rect|<circle", picture)) for picture in pictures) < 200
    look = text[text.index('id="look"') : text.index('id="usage"')]
    assert look.count("<a ") == 300 and "and 2700 more; the table" in look


def test_what_collecting_met_is_shown():
    """Are several hand-ins of one student, files of nobody's, notes and lateness in the LMS there, and only text?"""
    hands = (
        HandIn("anna", times=3, file=f"{NASTY}.ipynb", why="it is the latest", notes=("a.exe was not taken",)),
        HandIn("bert", notes=("b.exe was not taken",), late_in_lms=True),
    )
    problems = (Problem(NASTY, "is nobody's", "all.zip"),)
    record = Collected("2026-11-21T00:00:00+00:00", "canvas", "all.zip", hand_ins=hands, problems=problems)
    students = (a_student("anna"), a_student("bert", late_in_lms=True))
    page = page_of(dataclasses.replace(a_class(*students), collected=record))
    cards = {words(card.h3): words(card) for card in page.select("#look ~ .columns .card")}
    assert "3 anna" in cards["Handed in more than once"] and "it is the latest" in cards["Handed in more than once"]
    assert "is nobody's" in cards["Files that were not collected"]
    assert "a.exe was not taken" in cards["Notes of the collecting"]
    assert (tiles(page)["late"], rows(page)["bert"]["late"], rows(page)["anna"]["late"]) == ("1", "yes", "")
    assert len(page.select("script")) == 1 and not page.select("img")


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.04, "0.0 s"), (59.6, "1 min"), (61, "1 min 1 s"), (3600, "1 h"), (3725, "1 h 2 min"), (90000, "1 d 1 h")],
)
def test_times_are_said_as_people_say_them(value, text):
    """Is a time given in its two largest units, the same for seconds and differences of dates?"""
    assert duration(value) == duration(datetime.timedelta(seconds=value)) == text


def test_the_command_writes_the_page(fabricated_class, project, tmp_path):
    """Does `autograder report` write it where it is told to, and say in a sentence what it cannot do?"""
    course, names = fabricated_class
    settings = course.root / "nbgrader_config.py"
    settings.write_text((project / "nbgrader_config.py").read_text())
    try:
        program = [Path(sys.executable).parent / "autograder", "report", "--root", course.root]
        done = subprocess.run([*program, "--out", tmp_path / "page.html"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert f"{len(names)} students" in done.stdout
        assert len(rows(BeautifulSoup((tmp_path / "page.html").read_text(), "html.parser"))) == len(names)
        nowhere = ["report", "--root", str(course.root), "--out", str(tmp_path / "no" / "such" / "page.html")]
        failure = CliRunner().invoke(app, nowhere).exception
        assert isinstance(failure, CourseError) and "cannot be written" in str(failure)
    finally:
        settings.unlink()
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_a_page_that_cannot_be_finished_leaves_the_old_one(fabricated_class, tmp_path, monkeypatch):
    """Is the page that was there kept whole when writing the new one fails?"""
    path = tmp_path / "page.html"
    path.write_text("the old one")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_report(fabricated_class[0], path)
    assert path.read_text() == "the old one" and list(tmp_path.iterdir()) == [path]
