"""Collecting what an LMS's download holds, through the command line: whose, which counts, what is late or wrong."""

import bz2
import csv
import errno
import fcntl
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import warnings
import zipfile
from datetime import datetime
from pathlib import Path

import nbformat
import pytest
from nbgrader.apps import NbGraderAPI
from rich.console import Console
from sqlalchemy.exc import SAWarning
from typer.testing import CliRunner

from autograder import cli, gathering, intake
from autograder import collect as module
from autograder.collected import read_collected
from autograder.course import Course
from autograder.errors import CourseError
from autograder.landing import workplace

BIN = Path(sys.executable).parent
MOODLE = "{name}_{number}_assignsubmission_file_/{file}"
CANVAS = "{name}_{number}_{upload}_{file}"
BRIGHTSPACE = "{number}-777 - {name} - {date}/{file}"


def notebook(text):
    """A small notebook."""
    return nbformat.writes(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text, id="c")])).encode()


def zipped(files, date=(2026, 11, 10, 12, 0, 0)):
    """A zip of contents by name, as an LMS writes it: with the download's date at each."""
    result = io.BytesIO()
    with zipfile.ZipFile(result, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo("-", date)
            info.filename = name
            archive.writestr(info, content, zipfile.ZIP_DEFLATED)
    return result.getvalue()


@pytest.fixture
def root(project, tmp_path):
    """A course's folder."""
    folder = tmp_path / "course"
    folder.mkdir()
    shutil.copy(project / "nbgrader_config.py", folder)
    return folder


@pytest.fixture
def collect(root, tmp_path):
    """Collects a download, given by path or as contents by name; returns the exit code, what is printed, the error."""

    def run(download, *arguments, date=(2026, 11, 10, 12, 0, 0), name="download.zip", zone="UTC"):
        if isinstance(download, dict):
            path = tmp_path / name
            path.write_bytes(zipped(download, date))
        else:
            path = download
        arguments = [*(["--timezone", zone] if zone else []), *map(str, arguments)]
        done = CliRunner().invoke(cli.app, ["collect", str(path), "--root", str(root), *arguments])
        if done.exception is not None and not isinstance(done.exception, CourseError | SystemExit):
            raise done.exception
        return done.exit_code, done.output, str(done.exception or "")

    return run


@pytest.fixture(scope="module")
def made_gradebook(project, tmp_path_factory):
    """A gradebook with three students and an assignment that is due, which takes seconds to make."""
    folder = tmp_path_factory.mktemp("gradebook")
    with Course(folder, project).gradebook() as gradebook:
        gradebook.add_assignment("gcnn", duedate="2026-11-03 12:00:00 UTC")
        for student in ("11", "12", "13"):
            gradebook.add_student(student, first_name="S", last_name=student)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SAWarning)  # nbgrader's own
            gradebook.add_submission("gcnn", "12")
        gradebook.grant_extension("gcnn", "12", days=3)
    return folder / "gradebook.db"


@pytest.fixture
def gradebook(made_gradebook, root):
    """Puts that gradebook into the course."""
    shutil.copy(made_gradebook, root)


@pytest.fixture
def roster(tmp_path):
    """Writes a roster."""

    def write(*lines):
        path = tmp_path / "roster.csv"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return write


def submitted(root):
    """What lies in submitted/: content by path, without the dates."""
    folder = root / "submitted"
    found = (path for path in folder.rglob("*") if path.is_file() and path.name != "timestamp.txt")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def stamp(root, student):
    """When nbgrader takes a student's hand-in to have been handed in."""
    course = Course(root)
    return course.directory.get_existing_timestamp(str(course.folder("submitted", student)))


def tree(folder):
    """Everything in a folder, with its content."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")
    }


def test_moodle_and_nbgrader_sees_it(collect, root, roster):
    """Are Moodle's folders collected by name, who is missing said, and are the hand-ins there for nbgrader?"""
    download = {
        MOODLE.format(name="Ann Lee", number=1234567, file="gcnn.ipynb"): notebook("ann"),
        MOODLE.format(name="Ann Lee", number=1234567, file="data/extra.txt"): b"extra",
        "Ann Lee_1234567_assignsubmission_onlinetext_/onlinetext.html": b"<p>hello</p>",
        MOODLE.format(name="Zoë Ångström", number=1234568, file="gcnn (1).ipynb"): notebook("zoe"),
        "Bob Ray_1234569_assignsubmission_file/my work.ipynb": notebook("bob"),
        "Cy Oh_1234570_assignsubmission_file_gcnn_final.ipynb": notebook("cy"),
    }
    who = roster("id,name", "alee,Ann Lee", 'zoe1,"Angstrom, Zoe"', "bray,Bob Ray", "cy,Cy Oh", "dee,Dee Gone")
    code, output, _ = collect(download, "--roster", who)
    assert code == 0, output
    assert submitted(root) == {
        "alee/gcnn/gcnn.ipynb": notebook("ann"),
        "alee/gcnn/data/extra.txt": b"extra",
        "alee/gcnn/onlinetext.html": b"<p>hello</p>",
        "zoe1/gcnn/gcnn.ipynb": notebook("zoe"),
        "bray/gcnn/gcnn.ipynb": notebook("bob"),
        "cy/gcnn/gcnn.ipynb": notebook("cy"),
    }
    assert "taken to be Moodle's" in output and "dee (Dee Gone): missing" in output
    course = Course(root)
    assert course.handed_in() == ["alee", "bray", "cy", "zoe1"]
    seen = NbGraderAPI(course.directory, config=course.config).get_submitted_students("gcnn")
    assert seen == {"alee", "bray", "cy", "zoe1"}
    assert stamp(root, "alee") is None and "Of 4 the date is not known" in output


@pytest.mark.usefixtures("gradebook")
def test_moodles_grading_worksheet_says_who_and_when(collect, root, roster):
    """Are Moodle's numbers and dates taken from the table that it exports, and does lateness follow from it?"""
    who = roster(
        'Identifier,"Full name","ID number","Email address",Status,"Last modified (submission)"',
        'Participant 1234567,"Ann Lee",u1,a@x.org,Submitted,"Tuesday, 3 November 2026, 11:30 AM"',
        'Participant 1234568,"Ann Lee",u2,b@x.org,Submitted,"Tuesday, 3 November 2026, 2:05 PM"',
        'Participant 1234569,"Cy Oh",u3,c@x.org,No submission,-',
    )
    download = {MOODLE.format(name="Ann Lee", number=1234567 + i, file="gcnn.ipynb"): notebook(f"{i}") for i in (0, 1)}
    code, output, _ = collect(download, "--roster", who)
    assert code == 0, output
    assert (stamp(root, "u1"), stamp(root, "u2")) == (datetime(2026, 11, 3, 11, 30), datetime(2026, 11, 3, 14, 5))
    hands = {hand.student: hand for hand in read_collected(Course(root)).hand_ins}
    assert (hands["u1"].late, hands["u2"].late) == (0, 125 * 60)
    assert "u2 (Ann Lee): collected" in output and "late by 2 h 5 min" in output and "u3 (Cy Oh): missing" in output


@pytest.fixture
def enrolled(root, gradebook):
    """Puts four students with names, and what else a gradebook may know of them, into that gradebook."""
    with Course(root).gradebook() as book:
        book.add_student("alee", first_name="Ann", last_name="Lee", email="ann@x.org")
        book.add_student("bray", first_name="Bob", last_name="Ray", lms_user_id="1234568")
        book.add_student("coh", first_name="Cy", last_name="Oh")
        book.add_student("zu", first_name="Zed", last_name="Zu", lms_user_id="11")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SAWarning)  # nbgrader's own
            book.add_submission("gcnn", "alee")
        book.grant_extension("gcnn", "alee", days=3)


WORKSHEET = 'Identifier,"Full name","Email address",Status,"Last modified (submission)"'
DATE = '"Tuesday, 3 November 2026, 2:05 PM"'


@pytest.mark.usefixtures("enrolled")
def test_a_worksheet_adds_to_what_the_gradebook_knows(collect, root, roster):
    """Without ids: are the gradebook's students found by e-mail, number and name, and keep their ids and extensions?"""
    who = roster(
        WORKSHEET,
        f'Participant 1234567,"Annie Lee-Smith",ANN@x.org,Submitted,{DATE}',
        f"Participant 1234568,Bobby Ray,,Submitted,{DATE}",
        f'Participant 1234569,"OH, cy",cy@x.org,Submitted,{DATE}',
        f'Participant 1234570,"Eve Up",eve@x.org,Submitted,{DATE}',
    )
    names = ("Annie Lee-Smith", "Bobby Ray", "Oh Cy", "Eve Up")
    download = {
        MOODLE.format(name=name, number=1234567 + i, file="gcnn.ipynb"): notebook(name) for i, name in enumerate(names)
    }
    code, output, _ = collect(download, "--roster", who)
    assert code == 1 and output.count("is of nobody in roster.csv") == 1
    pairs = zip(("alee", "bray", "coh"), names, strict=False)
    assert submitted(root) == {f"{student}/gcnn/gcnn.ipynb": notebook(name) for student, name in pairs}
    assert "In roster.csv, and no student of the gradebook's" in output
    assert "or name: Eve Up (line 5, without a usable id). Who" in output
    hands = {hand.student: (hand.name, hand.late) for hand in read_collected(Course(root)).hand_ins}
    assert hands == {"alee": (names[0], 0), "bray": ("Bobby Ray", 7500), "coh": ("OH, cy", 7500)}


@pytest.mark.usefixtures("enrolled")
def test_a_worksheet_with_other_ids_makes_no_second_student(collect, root, roster):
    """Does one blank id stop nobody, and are those known whose ids are others, but not who could be two?"""
    who = roster(
        'Identifier,"Full name","ID number",Username,"Email address"',
        "Participant 1,Ann Lee,900001,x1,ann@x.org",
        "Participant 2,Robert R.,900002,bray,",
        "Participant 3,Cy Oh,,x3,",
        "Participant 11,Eve Up,900004,x4,",
        "Participant 5,S 13,,,",
        "Participant 6,13 S,900006,,",
    )
    names = {1: "Ann Lee", 2: "Robert R.", 3: "Cy Oh", 11: "Eve Up"}
    download = {MOODLE.format(name=n, number=i, file="gcnn.ipynb"): notebook(n) for i, n in names.items()}
    code, output, error = collect(download, "--roster", who)
    assert code == 0, output + error
    assert sorted(submitted(root)) == [f"{name}/gcnn/gcnn.ipynb" for name in ("900004", "alee", "bray", "coh")]
    assert "Eve Up (as 900004), S 13 (line 6, without a usable id), 13 S (as 900006). Who" in output


@pytest.mark.usefixtures("enrolled")
def test_a_roster_of_nobody_in_the_gradebook_stands_for_itself(collect, root, roster):
    """Where no row is one of the gradebook's students: are ids needed, and is it said that they are others?"""
    download = {MOODLE.format(name="Zoe", number=9, file="gcnn.ipynb"): notebook("zoe")}
    code, _, error = collect(download, "--roster", roster("name,email", "Zoe,z@x.org"))
    assert code == 1 and "no column called id in its first line, and nobody in it is a student of" in error
    code, output, _ = collect(download, "--roster", roster("id,name", "z1,Zoe"))
    assert code == 0 and list(submitted(root)) == ["z1/gcnn/gcnn.ipynb"] and "or name: Zoe (as z1). Who" in output


@pytest.mark.usefixtures("enrolled")
def test_who_is_on_no_roster_is_named(collect, root):
    """Are hand-ins under the LMS's number named each time, with who is missing and may be the same person?"""
    code, output, _ = collect({"leeanna_77_101_gcnn.ipynb": notebook("a"), "x_12_102_gcnn.ipynb": notebook("12")})
    assert code == 0 and {"77/gcnn/gcnn.ipynb", "12/gcnn/gcnn.ipynb"} >= submitted(root).keys()
    said = "On no roster, and collected under the LMS's number: leeanna (77)"
    assert f"{said}; missing and perhaps the same person: S 11 (11), S 13 (13), Ann Lee (alee)" in output
    with Course(root).gradebook() as book:
        for number in range(20):
            book.add_student(f"t{number}", first_name="Tess", last_name=f"T{number}")
    code, output, _ = collect({"x_12_102_gcnn.ipynb": notebook("12")})
    assert code == 0 and f"{said}; missing and perhaps the same person: Ann Lee (alee)." in output


def test_canvas_marks_what_is_late(collect, root, roster):
    """Are Canvas's flat files put together by student, with its ids, its mark of lateness, and its table as roster?"""
    who = roster(
        "Student,ID,SIS User ID,SIS Login ID,Section",
        "    Points Possible,,,,",
        '"Lee, Ann",11,900011,alee,A',
        '"Ray, Bob",12,900012,bray,A',
        '"Test, Student",13,,tst,A',
    )
    download = {
        "leeann_11_5001_gcnn-1.ipynb": notebook("ann"),
        "leeann_11_5002_notes.txt": b"notes",
        "raybob_LATE_12_5003_gcnn.ipynb": notebook("bob"),
    }
    code, output, _ = collect(download, "--roster", who)
    assert code == 0, output
    assert submitted(root) == {
        "alee/gcnn/gcnn.ipynb": notebook("ann"),
        "alee/gcnn/notes.txt": b"notes",
        "bray/gcnn/gcnn.ipynb": notebook("bob"),
    }
    assert "taken to be Canvas's" in output and "tst (Test, Student): missing" in output
    assert "bray (Ray, Bob): collected, no date, late, as the LMS says" in output


@pytest.mark.usefixtures("gradebook")
def test_brightspace_says_when_and_the_latest_counts(collect, root):
    """Does the latest of three hand-ins count, with its date, by due date and extension, and are others missing?"""
    dates = ["Nov 3, 2026 1130 AM", "Nov 3, 2026 105 PM", "Oct 30, 2026 1159 PM"]
    download = {BRIGHTSPACE.format(number=11, name="S 11", date=d, file="gcnn.ipynb"): notebook(d) for d in dates}
    download[BRIGHTSPACE.format(number=12, name="S 12", date="5 November 2026 1000", file="gcnn.ipynb")] = notebook(
        "12"
    )
    code, output, _ = collect({"index.html": b"<html>", **download})
    assert code == 0, output
    assert submitted(root)["11/gcnn/gcnn.ipynb"] == notebook(dates[1])
    assert (stamp(root, "11"), stamp(root, "12")) == (datetime(2026, 11, 3, 13, 5), datetime(2026, 11, 5, 10))
    record = read_collected(Course(root))
    assert [(hand.student, hand.times, hand.late) for hand in record.hand_ins] == [("11", 3, 3900), ("12", 1, 0)]
    assert "11 handed in 3 times" in output and "the latest by Brightspace's date" in output
    assert record.missing == (("13", "S 13"),) and record.left_out == 1


def test_a_date_in_a_students_own_file_name_does_not_help(collect, root):
    """Does the later of two dates count, where a student may have written one?"""
    flat = "11-777 - Ann - Nov 1, 2026 100 AM - Nov 9, 2026 100 AM - gcnn.ipynb"
    code, output, _ = collect({flat: notebook("x")})
    assert code == 0 and stamp(root, "11") == datetime(2026, 11, 9, 1)
    assert "two dates" in output


@pytest.fixture
def machine_zone(monkeypatch):
    """Puts this machine into a time zone."""

    def put(name):
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield put
    monkeypatch.undo()
    time.tzset()


def test_the_time_zone_of_dates_is_said(collect, root, machine_zone):
    """Is a date shown with its zone, and said where nobody named the LMS's, but not where there are no dates?"""
    machine_zone("America/Bogota")
    assumed = "The LMS's dates are read as -05, this machine's zone; --timezone names another"
    code, output, _ = collect(handed_in(11, LAST, "11"), zone="")
    assert code == 0 and assumed in output and stamp(root, "11") == datetime(2026, 11, 3, 14)
    assert "Tue 03 Nov 2026 09:00 -05" in output
    code, output, _ = collect(handed_in(12, LAST, "12"), zone="Europe/Amsterdam")
    assert stamp(root, "12") == datetime(2026, 11, 3, 8) and "this machine's zone" not in output
    code, output, _ = collect({"s_13_101_gcnn.ipynb": notebook("13")}, zone="")
    assert code == 0 and "this machine's zone" not in output


def test_a_date_that_may_be_of_two_months(collect, root, roster):
    """Is a date not guessed of which nothing says whether the day comes first, and said what to do?"""
    who = roster("id,name,handed_in", "ann,Ann Lee,02/12/2026 09:00", "bob,Bob Ray,13/12/2026 09:00")
    names = {"Ann Lee": 1, "Bob Ray": 2}
    download = {MOODLE.format(name=n, number=i, file="gcnn.ipynb"): notebook(n) for n, i in names.items()}
    code, output, _ = collect(download, "--roster", who)
    assert code == 0 and (stamp(root, "ann"), stamp(root, "bob")) == (None, datetime(2026, 12, 13, 9))
    assert "ann: its date '02/12/2026 09:00' is not understood: day or month first? set c.Lms.date_format." in output
    with (root / "nbgrader_config.py").open("a") as file:
        file.write('c.Lms.date_format = "%d/%m/%Y %H:%M"\n')
    assert collect(download, "--roster", who)[0] == 0 and stamp(root, "ann") == datetime(2026, 12, 2, 9)


@pytest.mark.parametrize("how", ["option", "settings"])
def test_any_other_lms_by_a_pattern(how, collect, root):
    """Are names of another kind understood by a pattern, with its dates, from option and settings?"""
    pattern = r"ps_(?P<student_id>\w+?)_attempt_(?P<timestamp>[\d-]+)_(?P<file_id>.+)"
    settings = 'c.Other.date_format = "%Y-%m-%d-%H-%M-%S"\n'
    if how == "settings":
        settings += f"c.Other.named_regexp = r'{pattern}'\n"
    with (root / "nbgrader_config.py").open("a") as file:
        file.write(settings)
    arguments = ["--pattern", pattern] if how == "option" else []
    code, output, _ = collect({"ps_bitdiddle_attempt_2016-01-30-15-00-00_gcnn.ipynb": notebook("x")}, *arguments)
    assert code == 0, output
    assert stamp(root, "bitdiddle") == datetime(2016, 1, 30, 15)


def test_files_that_came_by_mail(collect, root, tmp_path, project):
    """Are files that are named by their students' ids collected with the pattern that the manual gives?"""
    manual = (project / "docs" / "instructor.md").read_text(encoding="utf-8")
    pattern = re.search(r"collect ~/Downloads/mailed --pattern '(.+)'", manual)[1]
    mailed = tmp_path / "mailed"
    mailed.mkdir()
    for student in ("ada", "bob"):
        (mailed / f"{student}.ipynb").write_bytes(notebook(student))
    code, output, _ = collect(mailed, "--pattern", pattern)
    assert code == 0, output
    assert submitted(root) == {f"{student}/gcnn/gcnn.ipynb": notebook(student) for student in ("ada", "bob")}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--lms", "blackboard"], "there is no LMS 'blackboard'"),
        (["--lms", "other"], "--pattern"),
        (["--pattern", "(?P<student_id>x"], "is no regular expression"),
        (["--pattern", "(?P<student_id>.)"], "must have the groups"),
        (["--lms", "canvas"], "no file in it is named as by Canvas"),
        (["--roster", "nowhere.csv"], "the roster nowhere.csv cannot be read"),
        (["--count", "newest"], "which hand-in counts? Not 'newest'; there are latest, in-time"),
    ],
)
def test_wrong_options_are_said_and_nothing_is_done(arguments, sentence, collect, root):
    """Does a wrong option end in a sentence, and leave the course as it was?"""
    before = tree(root)
    code, _, error = collect({MOODLE.format(name="A", number=1, file="gcnn.ipynb"): notebook("x")}, *arguments)
    assert code == 1 and sentence in error and "\n" not in error
    assert tree(root) == before


def test_no_time_zone_of_that_name(collect):
    """Is an unknown time zone, or a path in its place, said?"""
    for name in ("Mars/Olympus", "../../etc/passwd", "/etc/passwd"):
        code, _, error = collect({"11-7 - A - Nov 3, 2026 1130 AM/gcnn.ipynb": b""}, "--timezone", name)
        assert code == 1 and "there is no time zone" in error


@pytest.mark.parametrize(
    "lines", [["name", "Ann"], ["id,name", "a/b,Ann"], ["id,name", "ann,A", "ANN,B"], ["id", ".."]]
)
def test_a_roster_that_cannot_be_used(lines, collect, roster, root):
    """Is a roster without ids, with an unusable or a repeated id refused with its place?"""
    code, _, error = collect({"leeann_1_2_gcnn.ipynb": notebook("x")}, "--roster", roster(*lines))
    assert code == 1 and "roster" in error and not (root / "submitted").exists()


def test_collecting_again_changes_only_what_is_new(collect, root):
    """Is the same left alone, a newer one put in place, and the old one kept with what was left out of it?"""
    first = {f"s{i}_{i}_{100 + i}_gcnn.ipynb": notebook(f"first {i}") for i in (1, 2, 3)}
    assert collect(first)[0] == 0
    for student in ("1", "2"):  # as intake leaves them
        aside = root / "submitted" / student / "gcnn.left-out"
        aside.mkdir()
        (aside / "0-link").write_text(f"left out of {student}'s first")
    untouched = root / "submitted" / "1" / "gcnn" / "gcnn.ipynb"
    number = untouched.stat().st_ino
    second = {"s1_1_101_gcnn.ipynb": notebook("first 1"), "s2_2_202_gcnn-1.ipynb": notebook("second 2")}
    code, output, _ = collect(second, date=(2026, 11, 11, 12, 0, 0))
    assert code == 0, output
    assert untouched.stat().st_ino == number
    assert submitted(root) == {
        "1/gcnn/gcnn.ipynb": notebook("first 1"),
        "1/gcnn.left-out/0-link": b"left out of 1's first",
        "2/gcnn/gcnn.ipynb": notebook("second 2"),
        "2/gcnn.earlier/1/gcnn/gcnn.ipynb": notebook("first 2"),
        "2/gcnn.earlier/1/gcnn.left-out/0-link": b"left out of 2's first",
        "3/gcnn/gcnn.ipynb": notebook("first 3"),
    }
    what = {hand.student: (hand.what, hand.times) for hand in read_collected(Course(root)).hand_ins}
    assert what == {"1": ("unchanged", 1), "2": ("replaced", 2), "3": ("before", 1)}
    assert "the latest by Canvas's numbers of uploads" in output
    before = submitted(root)
    # The old download once more, as if it were new.
    code, output, _ = collect(first, date=(2026, 11, 12, 12, 0, 0))
    assert code == 0 and submitted(root) == before
    assert "2: unchanged: what came is older" in output.replace(" (s2)", "")


def test_without_dates_the_newer_download_counts(collect, root):
    """Does a newer download count, also where it brings back what was there before, and an older one not?"""
    one, two = ({MOODLE.format(name="Ann", number=1, file="gcnn.ipynb"): notebook(text)} for text in ("one", "two"))
    lies = []
    for download, day in ((one, 10), (two, 11), (one, 10), (two, 11), (one, 12), (two, 12)):
        code, output, _ = collect(download, date=(2026, 11, day, 12, 0, 0))
        assert code == 0, output
        lies.append(submitted(root)["1/gcnn/gcnn.ipynb"])
    # In the end nothing says which is later, but that "one" took the place of "two".
    assert lies == [notebook(text) for text in ("one", "two", "two", "two", "one", "one")]
    assert "it took that one's place before" in output


def test_a_hand_in_that_intake_has_changed_is_still_the_same(collect, root):
    """Is what grading did to the files of a hand-in no reason to collect it again?"""
    download = {MOODLE.format(name="Ann", number=1, file=name): notebook(name) for name in ("gcnn.ipynb", "x.ipynb")}
    collect(download)
    (root / "submitted/1/gcnn/x.ipynb").unlink()
    (root / "submitted/1/gcnn/gcnn.ipynb").write_text("repaired")
    code, output, _ = collect(download)
    assert code == 0 and "0 hand-ins newly collected" in output
    assert (root / "submitted/1/gcnn/gcnn.ipynb").read_text() == "repaired"


@pytest.mark.parametrize("damage", ["emptied", "gone"])
@pytest.mark.parametrize("several", [False, True])
def test_a_hand_in_whose_notebook_is_lost_is_collected_again(damage, several, collect, root):
    """Is a notebook that a power cut emptied put in place again by the same download, and is that said?"""
    names = ("a.ipynb", "b.ipynb") if several else ("gcnn.ipynb",)
    first = {"ann_1_100_gcnn.ipynb": notebook("first")}
    download = {f"ann_1_101_{name}": notebook(f"ann's {name}") for name in names} | {
        "bob_2_102_gcnn.ipynb": notebook("bob")
    }
    assert collect(first)[0] == 0 and collect(download)[0] == 0
    before = submitted(root)
    code, output, _ = collect(download)
    assert code == 0 and "0 hand-ins newly collected" in output and submitted(root) == before
    place = root / "submitted/1/gcnn"
    if damage == "gone":
        shutil.rmtree(place)
        place.mkdir()
    else:
        for path in place.iterdir():
            path.write_bytes(b"")
    code, output, _ = collect(download)
    assert code == 0 and "1 hand-in newly collected" in output
    now = submitted(root)
    assert {name: now[name] for name in before} == before
    assert {hand.student: hand.times for hand in read_collected(Course(root)).hand_ins} == {"1": 2, "2": 1}


@pytest.mark.parametrize("times", [1, 2])
def test_a_hand_in_is_on_the_disk_before_it_lands(times, collect, root, monkeypatch):
    """Are its files synced before it gets its name, the folder after it, and the record before it gets its own?"""
    if times == 2:
        collect({"ann_1_100_gcnn.ipynb": notebook("first")})
    done, rename, replace = [], os.rename, os.replace

    def moved(old, new, call):
        done.append(("moved", Path(new)))
        call(old, new)

    monkeypatch.setattr(os, "rename", lambda old, new: moved(old, new, rename))
    monkeypatch.setattr(os, "replace", lambda old, new: moved(old, new, replace))
    monkeypatch.setattr(os, "fsync", lambda file: done.append(("synced", Path(os.readlink(f"/proc/self/fd/{file}")))))
    assert collect({"ann_1_101_gcnn.ipynb": notebook("ann"), "ann_1_101_b.txt": b"b"})[0] == 0
    monkeypatch.undo()
    student = root / "submitted" / "1"
    landed = done.index(("moved", student if times == 1 else student / "gcnn"))
    assert {"gcnn.ipynb", "b.txt", "gcnn"} <= {path.name for what, path in done[:landed] if what == "synced"}
    recorded = done.index(("moved", root / "collected.json"))
    assert ("synced", student.parent if times == 1 else student) in done[landed:recorded]
    what, part = done[recorded - 1]
    assert what == "synced" and part.name.startswith(".collected.json.")


def test_what_lay_there_by_hand_is_not_lost(collect, root):
    """Does a hand-in that somebody put there stay where it is newer, and lie aside where it is older?"""
    for student, date in {"11": "2026-11-05 00:00:00 UTC", "12": "2026-11-01 00:00:00 UTC"}.items():
        folder = root / "submitted" / student / "gcnn"
        folder.mkdir(parents=True)
        (folder / "gcnn.ipynb").write_text("by hand")
        (folder / "timestamp.txt").write_text(date)
    names = [BRIGHTSPACE.format(number=n, name="S", date="Nov 3, 2026 1130 AM", file="gcnn.ipynb") for n in (11, 12)]
    assert collect({name: notebook("lms") for name in names})[0] == 0
    assert submitted(root) == {
        "11/gcnn/gcnn.ipynb": b"by hand",
        "12/gcnn/gcnn.ipynb": notebook("lms"),
        "12/gcnn.earlier/1/gcnn/gcnn.ipynb": b"by hand",
    }


@pytest.mark.parametrize("graded", [False, True])
def test_a_notebook_put_in_place_by_hand_stays(graded, collect, root):
    """Is it kept where a file without a notebook comes, the same again or a newer one, and replaced by a notebook?"""
    wanted = root / "submitted/1/gcnn/gcnn.ipynb"
    assert collect({"ann_1_101_work.docx": b"words"})[0] == 1
    if graded:  # intake leaves a stand-in that says so
        intake.clear("gcnn", "1", [str(wanted)])
        assert wanted.stat().st_size
    assert collect({"bob_2_102_gcnn.ipynb": notebook("bob")})[0] == 0
    assert not read_collected(Course(root)).hand_ins[0].readable
    wanted.write_bytes(notebook("by hand"))
    for download in ({"ann_1_101_work.docx": b"words"}, {"ann_1_103_work.docx": b"more words"}):
        code, output, error = collect(download)
        assert code == 0, output + error
        assert wanted.read_bytes() == notebook("by hand")
        assert "1 (ann): unchanged: what came has no notebook" in output
        assert "no notebook that can be read, " not in output and "nothing will be graded" not in output
    assert collect({"bob_2_104_gcnn.ipynb": notebook("bob")})[0] == 0
    assert read_collected(Course(root)).hand_ins[0].readable
    code, output, _ = collect({"ann_1_105_gcnn.ipynb": notebook("ann")})
    assert code == 0 and wanted.read_bytes() == notebook("ann") and "replaced an earlier one" in output
    assert submitted(root)["1/gcnn.earlier/1/gcnn/gcnn.ipynb"] == notebook("by hand")


def test_a_dry_run_changes_nothing(collect, root):
    """Does --dry-run say the same, and leave every byte as it was?"""
    first = {"s1_1_101_gcnn.ipynb": notebook("1")}
    code, output, _ = collect(first, "--dry-run")
    assert code == 0 and "1 (s1): collected" in output and not (root / "submitted").exists()
    collect(first)
    before = tree(root)
    code, output, _ = collect({"s1_1_102_gcnn.ipynb": notebook("2"), "s9_9_109_g.ipynb": notebook("9")}, "--dry-run")
    assert code == 0 and "1 (s1): replaced" in output and "9 (s9): collected" in output
    assert tree(root) == before


def test_a_folder_of_downloads(collect, root, tmp_path):
    """Are zips, unpacked folders and single files of a folder collected together, links left alone, and none lost?"""
    folder = tmp_path / "downloads"
    (folder / "unpacked").mkdir(parents=True)
    (folder / "submissions.zip").write_bytes(zipped({"s1_1_101_gcnn.ipynb": notebook("old")}, (2026, 11, 1, 0, 0, 0)))
    (folder / "submissions (1).zip").write_bytes(zipped({"s1_1_201_gcnn.ipynb": notebook("new")}))
    (folder / "unpacked" / "s2_2_102_gcnn.ipynb").write_bytes(notebook("two"))
    (folder / "s3_3_103_work.zip").write_bytes(zipped({"work/gcnn.ipynb": notebook("three")}))
    (folder / "s4_4_104_gcnn.ipynb").symlink_to("/etc/passwd")
    (folder / ".DS_Store").write_text("junk")
    code, output, error = collect(folder)
    assert code == 1 and "1 hand-in without a notebook" in error
    found = submitted(root)
    assert found.pop("4/gcnn/gcnn.ipynb") == b""
    assert found == {
        "1/gcnn/gcnn.ipynb": notebook("new"),
        "2/gcnn/gcnn.ipynb": notebook("two"),
        "3/gcnn/gcnn.ipynb": notebook("three"),
    }
    assert "1 handed in 2 times" in output and "4: gcnn.ipynb is a link" in output


def test_which_of_several_notebooks_counts_is_left_to_intake(collect, root):
    """Is a hand-in of several notebooks collected whole, and does intake find the one that counts?"""
    files = {"draft.ipynb": notebook("draft"), "work/gcnn v2.ipynb": notebook("# Exercise 1.2"), "GCNN/x.txt": b"x"}
    code, output, _ = collect({MOODLE.format(name="Ann", number=1, file=file): files[file] for file in files})
    assert code == 0 and "which of its 2 notebooks counts" in output
    assert {f"1/gcnn/{file}": content for file, content in files.items()}.items() <= submitted(root).items()
    seen = Course(root)
    assert seen.handed_in() == ["1"] and list(seen.folder("submitted", "1").glob("*.ipynb"))
    wanted = root / "submitted/1/gcnn/gcnn.ipynb"
    intake.clear("gcnn", "1", [str(wanted)])
    assert not intake.notes(wanted.parent, "gcnn").unreadable and wanted.stat().st_size > 0


def test_a_single_file_and_a_tar(collect, root, tmp_path):
    """Are one student's file, and a tar of many, collected as they are?"""
    path = tmp_path / "s1_1_101_gcnn.ipynb"
    path.write_bytes(notebook("one"))
    assert collect(path)[0] == 0
    many = tmp_path / "many.tar.gz"
    with tarfile.open(many, "w:gz") as archive:
        info = tarfile.TarInfo("s2_2_102_gcnn.ipynb")
        info.size = len(notebook("two"))
        archive.addfile(info, io.BytesIO(notebook("two")))
    assert collect(many)[0] == 0
    assert submitted(root) == {"1/gcnn/gcnn.ipynb": notebook("one"), "2/gcnn/gcnn.ipynb": notebook("two")}


BAD_IDS = [
    "..",
    ".",
    "con",
    "NUL.txt",
    "a" * 300,
    "a\nb",
    "*",
    "?x",
    "[a]",
    "a/../b",
    "-rf",
    "a,b",
    ".hidden",
    "x.",
    " ",
]
BAD_IDS += ["al\u0456ce", "ann\u200b", "a\u202ebc", "jose\u0301", "\uff41nn"]


@pytest.mark.parametrize("bad", BAD_IDS)
def test_an_id_that_is_none_is_reported_and_harms_nothing(bad, collect, root):
    """Is a hand-in under an id that could be misread left out by name, and the rest collected?"""
    pattern = r"(?s)U(?P<student_id>.*?)U(?P<file_id>gcnn.*)"
    code, output, error = collect(
        {f"U{bad}Ugcnn.ipynb": notebook("bad"), "UgoodUgcnn.ipynb": notebook("good")}, "--pattern", pattern
    )
    assert code == 1 and "1 file not collected" in error
    assert submitted(root) == {"good/gcnn/gcnn.ipynb": notebook("good")}
    assert [path.name for path in (root / "submitted").iterdir()] == ["good"]
    (problem,) = read_collected(Course(root)).problems
    assert problem.file.endswith("Ugcnn.ipynb") and "Not collected: U" in output
    assert all(line.isprintable() for line in output.splitlines())


def test_letters_of_other_alphabets_count_where_the_roster_has_them(collect, root, roster):
    """Is an id in another alphabet collected for whom the roster lists it, in whichever form Unicode writes it?"""
    pattern = r"(?P<student_id>[^_]+)_(?P<file_id>.*)"
    who = roster("id,name", "josé,José", "мария,Мария")
    download = {
        "jose\u0301_gcnn.ipynb": notebook("j"),
        "мария_gcnn.ipynb": notebook("m"),
        "m\u0430rio_gcnn.ipynb": b"x",
    }
    code, output, _ = collect(download, "--pattern", pattern, "--roster", who)
    assert code == 1 and "is of nobody in roster.csv" in output
    assert submitted(root) == {"josé/gcnn/gcnn.ipynb": notebook("j"), "мария/gcnn/gcnn.ipynb": notebook("m")}


def test_ids_that_differ_in_case_are_not_two_students(collect, root):
    """Is an id that is another's in capitals reported, and neither hand-in put over the other?"""
    pattern = r"(?P<student_id>\w+)-(?P<file_id>.*)"
    code, output, _ = collect({"ann-gcnn.ipynb": notebook("1"), "ANN-gcnn.ipynb": notebook("2")}, "--pattern", pattern)
    assert code == 1 and "'ANN', which differs from 'ann' only in how it is written" in output
    assert submitted(root) == {"ann/gcnn/gcnn.ipynb": notebook("1")}


@pytest.mark.usefixtures("gradebook")
def test_an_id_of_the_gradebooks_that_is_none(collect, root):
    """Is a hand-in not collected for a student whose id in the gradebook leads out of submitted/?"""
    with Course(root).gradebook() as gradebook:
        gradebook.add_student("../..", first_name="Eve", last_name="Up", lms_user_id="66")
    code, output, _ = collect({"upeve_66_101_gcnn.ipynb": notebook("x"), "ok_67_102_gcnn.ipynb": notebook("ok")})
    assert code == 1 and "is of '../..', whose id has the character /" in output
    assert submitted(root) == {"67/gcnn/gcnn.ipynb": notebook("ok")}


def test_two_accounts_are_not_one_student(collect, root, roster):
    """Is somebody who calls himself as another does found out, at once and in a later download?"""
    who = roster("id,name", "alee,Ann Lee", "bray,Bob Ray")
    twice = {MOODLE.format(name="Ann Lee", number=n, file="gcnn.ipynb"): notebook(str(n)) for n in (1, 2)}
    code, output, _ = collect(twice, "--roster", who)
    assert code == 1 and output.count("another under another name or number") == 2 and submitted(root) == {}
    first, second = ({name: content} for name, content in twice.items())
    assert collect(first, "--roster", who)[0] == 0
    code, output, _ = collect(second, "--roster", who)
    assert code == 1 and "whose number in the LMS was 1 before" in output
    assert submitted(root) == {"alee/gcnn/gcnn.ipynb": notebook("1")}
    who = roster("id,name,lms_id", "alee,Ann Lee,2", "bray,Bob Ray,3")
    assert collect(second, "--roster", who)[0] == 0
    assert submitted(root)["alee/gcnn/gcnn.ipynb"] == notebook("2")


def test_a_number_of_the_lms_that_is_another_students_id(collect, root, roster):
    """Is a student found by name where the LMS's number happens to be another's id, and nobody where two fit?"""
    who = roster("id,name", "7,Ann Lee", "8,Bob Ray", "9,Cy Oh", "10,Oh Cy")
    code, output, _ = collect(
        {
            MOODLE.format(name="Bob Ray", number=7, file="gcnn.ipynb"): notebook("bob"),
            MOODLE.format(name="Cy Oh", number=77, file="gcnn.ipynb"): notebook("cy"),
        },
        *("--roster", who),
    )
    assert code == 1 and "may be of 9 or 10" in output
    assert submitted(root) == {"8/gcnn/gcnn.ipynb": notebook("bob")}


def test_a_folder_in_a_hand_in_that_imitates_another_students(collect, root):
    """Does a folder that a student named as the LMS names another's stay in the student's own hand-in?"""
    name = MOODLE.format(name="Eve", number=6, file=MOODLE.format(name="Bob", number=7, file="gcnn.ipynb"))
    assert collect({name: notebook("eve")})[0] == 0
    assert list(submitted(root)) == ["6/gcnn/gcnn.ipynb"]


def test_hostile_paths_in_a_download(collect, root, tmp_path):
    """Does nothing land outside of a student's own folder, whatever a download's paths say?"""
    start = "11-777 - Eve - Nov 3, 2026 1130 AM/"
    download = {
        f"{start}../../../../escaped": b"x",
        f"{start}..\\..\\escaped": b"x",
        f"{start}/etc/escaped": b"x",
        f"{start}gcnn.ipynb": notebook("eve"),
        f"{start}timestamp.txt": b"2000-01-01 00:00:00 UTC",
        "../12-777 - Up - Nov 3, 2026 1130 AM/gcnn.ipynb": notebook("up"),
    }
    code, output, _ = collect(download)
    assert code == 0, output
    own = {"gcnn.ipynb", "timestamp of the student.txt"}
    assert set(submitted(root)) == {"12/gcnn/gcnn.ipynb", *(f"11/gcnn/{name}" for name in own)}
    assert output.count("has a path that leads out of its folder") == 2
    assert output.count("has a path that begins at a disk's root") == 1
    assert not [path for path in tmp_path.rglob("*escaped*") if root / "submitted" not in path.parents]
    assert stamp(root, "11") == datetime(2026, 11, 3, 11, 30)


def test_an_exploding_hand_in_is_one_students_trouble(collect, root):
    """Is a bomb reported by name, its remains removed, and everybody else collected?"""
    bomb = zipped({"zeros": bytes(60_000_000)})
    download = {
        "eve_6_101_bomb.zip": bomb,
        "eve_6_102_gcnn.ipynb": notebook("eve"),
        "bob_7_103_gcnn.ipynb": notebook("b"),
    }
    code, output, _ = collect(download)
    assert code == 1 and "eve_6_101_bomb.zip holds bomb.zip, which unpacks to more than 200 times its size" in output
    assert list(submitted(root)) == ["7/gcnn/gcnn.ipynb"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    "file",
    [
        ("gcnn.ipynb.zip", zipped({"gcnn.ipynb": notebook("ann")})),
        ("GCNN.ipynb.zip", zipped({"GCNN.ipynb": notebook("ann")})),
        ("gcnn.ipynb.zip", zipped({"gcnn.ipynb/gcnn.ipynb": notebook("ann")})),
        ("gcnn.ipynb/gcnn.ipynb", notebook("ann")),
    ],
    ids=lambda file: file[0],
)
def test_a_notebook_in_a_folder_of_its_name(file, collect, root):
    """Is a notebook collected as any other from what macOS' "Compress" makes, and from a folder in its place?"""
    date = "Nov 3, 2026 1130 AM"
    download = {
        BRIGHTSPACE.format(number=11, name="Ann", date=date, file=file[0]): file[1],
        BRIGHTSPACE.format(number=12, name="Bob", date=date, file="gcnn.ipynb"): notebook("bob"),
    }
    for _ in range(2):
        code, output, error = collect(download)
        assert code == 0, output + error
        assert submitted(root) == {"11/gcnn/gcnn.ipynb": notebook("ann"), "12/gcnn/gcnn.ipynb": notebook("bob")}
        assert stamp(root, "11") == datetime(2026, 11, 3, 11, 30)
        assert not read_collected(Course(root)).hand_ins[0].notes


@pytest.mark.parametrize("packed", [False, True])
def test_a_folder_in_the_dates_place(packed, collect, root):
    """Is a hand-in dated where it holds a folder, packed or not, of the name that the date is written to?"""
    start = BRIGHTSPACE.format(number=11, name="Ann", date="Nov 3, 2026 1130 AM", file="")
    name = f"{start}timestamp.txt"
    download = {f"{name}.zip": zipped({"a.txt": b"a"})} if packed else {f"{name}/a.txt": b"a"}
    code, output, _ = collect({f"{start}gcnn.ipynb": notebook("ann"), **download})
    assert code == 0, output
    kept = "11/gcnn/timestamp of the student.txt/a.txt"
    assert submitted(root) == {"11/gcnn/gcnn.ipynb": notebook("ann"), kept: b"a"}
    assert stamp(root, "11") == datetime(2026, 11, 3, 11, 30)


def test_a_packed_notebook_beside_its_own_name(collect, root):
    """Does the notebook at the top count, in either order, where another lies packed beside it?"""
    packed, plain = ("gcnn.ipynb.zip", zipped({"gcnn.ipynb": notebook("packed")})), ("gcnn.ipynb", notebook("plain"))
    download = {}
    for number, files in enumerate([(packed, plain), (plain, packed)], 1):
        download |= {MOODLE.format(name="Ann", number=number, file=name): content for name, content in files}
    code, output, _ = collect(download)
    assert code == 0, output
    for student in ("1", "2"):
        assert submitted(root)[f"{student}/gcnn/gcnn.ipynb"] == notebook("plain")
        assert submitted(root)[f"{student}/gcnn/gcnn.ipynb folder/gcnn.ipynb"] == notebook("packed")


def test_names_that_are_one_name_stop_nobody(collect, root):
    """Are files that are one by Unicode, and one that is named as what was put aside, collected with the rest?"""
    names = ("①.txt", "①.txt ", "① (earlier 1).txt", "gcnn.ipynb")
    eve = zipped({name: name.encode() for name in names})
    code, output, _ = collect({"eve_6_101_work.zip": eve, "bob_7_102_gcnn.ipynb": notebook("bob")})
    assert code == 0, output
    found = submitted(root)
    assert found["7/gcnn/gcnn.ipynb"] == notebook("bob") and len(found) == 5


def test_an_archive_named_after_the_folder_above(collect, root):
    """Does "...zip", whose name without its suffix is "..", put nothing into another student's place?"""
    inner = zipped({"7/gcnn/gcnn.ipynb": notebook("forged"), "gcnn.ipynb": notebook("eve")})
    for _ in range(2):
        inner = zipped({"...zip": inner})
    code, output, _ = collect({MOODLE.format(name="Eve", number=6, file="...zip"): inner})
    assert code == 0, output
    assert [path.name for path in (root / "submitted").iterdir()] == ["6"]


@pytest.mark.parametrize("place", ["put", "digest"])
def test_what_the_disk_refuses_is_one_students_trouble(place, collect, root, monkeypatch):
    """Is any trouble with one hand-in's files said with that file's name, and everybody else collected?"""
    download = {f"s{i}_{i}_{100 + i}_gcnn.ipynb": notebook(str(i)) for i in (1, 2, 3)}
    owner = gathering.Shelf if place == "put" else gathering
    real, calls = getattr(owner, place), []

    def troubled(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise OSError(errno.EIO, "Input/output error", "/tmp/secret")
        return real(*arguments)

    monkeypatch.setattr(owner, place, troubled)
    code, output, error = collect(download)
    assert code == 1 and "1 file not collected" in error
    assert "Not collected: s2_2_102_gcnn.ipynb cannot be put in place (Input/output error)." in output
    assert "/tmp/secret" not in output + error
    assert set(submitted(root)) == {"1/gcnn/gcnn.ipynb", "3/gcnn/gcnn.ipynb"}
    assert [hand.student for hand in read_collected(Course(root)).hand_ins] == ["1", "3"]
    monkeypatch.undo()
    assert collect(download)[0] == 0 and len(submitted(root)) == 3


@pytest.mark.parametrize("place", ["put", "digest"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_everybodys(place, number, collect, root, monkeypatch):
    """Is a full disk one sentence, wherever it is found, and nothing collected?"""
    owner = gathering.Shelf if place == "put" else gathering

    def full(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(owner, place, full)
    code, _, error = collect({"s1_1_101_gcnn.ipynb": notebook("1")})
    assert code == 1 and "the disk is full" in error and not (root / "submitted").exists()


def test_a_tar_of_links_with_long_names(collect, root):
    """Are links of a megabyte's name each, packed into nothing, noted in short, and everybody collected?"""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for number in range(130):
            info = tarfile.TarInfo(str(number) + "n" * (1_000_000 if number < 10 else 150))
            info.type = tarfile.SYMTYPE
            archive.addfile(info)
        info = tarfile.TarInfo("gcnn.ipynb")
        info.size = len(notebook("eve"))
        archive.addfile(info, io.BytesIO(notebook("eve")))
    eve = bz2.compress(data.getvalue())
    assert len(eve) < 5000
    code, output, _ = collect({"eve_6_101_work.tar.bz2": eve, "bob_7_102_gcnn.ipynb": notebook("bob")})
    assert code == 0 and len(output) < 20_000
    assert "6: there are 110 more notes like these." in output
    assert submitted(root)["6/gcnn/gcnn.ipynb"] == notebook("eve")
    assert submitted(root)["7/gcnn/gcnn.ipynb"] == notebook("bob")


@pytest.mark.parametrize(
    ("size", "why"),
    [
        (0, "holds work.tar.bz2, which unpacks to more than 200 times its size"),
        (600_000, "holds archives of more files and folders than are looked at (200,000)"),
    ],
)
def test_a_tar_without_end(size, why, collect, root):
    """Is a small tar of more than 200,000 empty folders one student's trouble, and also where it is not that small?"""
    noise, folder = tarfile.TarInfo("noise"), tarfile.TarInfo("folder")
    noise.size, folder.type = size, tarfile.DIRTYPE
    eve = bz2.compress(noise.tobuf() + os.urandom(size) + bytes(-size % 512) + folder.tobuf() * 200_001)
    code, output, _ = collect({"eve_6_101_work.tar.bz2": eve, "bob_7_102_gcnn.ipynb": notebook("bob")})
    assert code == 1 and f"eve_6_101_work.tar.bz2 {why}" in output
    assert submitted(root) == {"7/gcnn/gcnn.ipynb": notebook("bob")}


def test_an_unreadable_hand_in_gets_a_stand_in_and_replaces_nothing(collect, root):
    """Is a damaged notebook a hand-in that will not be graded, and does it leave a readable one in its place?"""
    good = zipped({"a_1_101_gcnn.ipynb": notebook("good")})
    data = bytearray(zipped({"a_1_102_gcnn.ipynb": notebook("bad"), "b_2_103_gcnn.ipynb": notebook("bad")}))
    for name in (b"a_1_102_gcnn.ipynb", b"b_2_103_gcnn.ipynb"):
        at = data.index(name) + len(name)
        data[at : at + 20] = b"\xff" * 20
    folder = root.parent / "downloads"
    folder.mkdir()
    (folder / "good.zip").write_bytes(good)
    assert collect(folder / "good.zip")[0] == 0
    (folder / "bad.zip").write_bytes(data)
    code, output, error = collect(folder / "bad.zip")
    assert code == 1 and "without a notebook" in error
    assert "2: gcnn.ipynb cannot be read" in output
    found = submitted(root)
    assert found["1/gcnn/gcnn.ipynb"] == notebook("good")
    assert found["2/gcnn/gcnn.ipynb"] == b"" and "nothing will be graded" in output
    intake.clear("gcnn", "2", [str(root / "submitted/2/gcnn/gcnn.ipynb")])
    assert intake.notes(root / "submitted/2/gcnn", "gcnn").unreadable


@pytest.mark.parametrize("damage", ["cut", "noise", "empty", "missing", "encrypted", "nothing fits"])
def test_a_download_that_cannot_be_used_changes_nothing(damage, collect, root, tmp_path):
    """Does a download that is no download end in one sentence, with everything as it was?"""
    collect({"a_1_101_gcnn.ipynb": notebook("good")})
    before = tree(root)
    path = tmp_path / "bad.zip"
    data = zipped({"a_1_102_gcnn.ipynb": notebook("new"), "b_2_103_gcnn.ipynb": notebook("b")})
    path.write_bytes({"cut": data[:-40], "noise": b"\0" * 999, "empty": zipped({})}.get(damage, data))
    if damage == "missing":
        path.unlink()
    if damage == "nothing fits":
        path.write_bytes(zipped({"a\u202e\x1b[2J.ipynb": notebook("x")}))
    if damage == "encrypted":
        path = tmp_path / "bad.7z"
        path.write_bytes(data)
    code, _, error = collect(path)
    assert code == 1 and "\n" not in error and error.isprintable()
    assert tree(root) == before


def test_what_is_in_the_download_and_fits_nothing_is_named(collect, root):
    """Is each file that is nobody's listed with its name, in the output, the record and the table?"""
    strange = "=cmd|' /C calc'!A0\u202e\x1b]0;x\x07.txt"
    code, output, error = collect({"a_1_101_gcnn.ipynb": notebook("a"), strange: b"x"})
    assert code == 1 and "1 file not collected" in error
    assert "\x1b" not in output and "\u202e" not in output and "=cmd|' /C calc'!A0\\u202e\\x1b" in output
    rows = list(csv.DictReader((root / "collected.csv").open(encoding="utf-8", newline="")))
    assert rows[-1]["status"] == "not collected" and not rows[-1]["file"].startswith("=")
    assert [problem.file for problem in read_collected(Course(root)).problems] == [
        "=cmd|' /C calc'!A0\\u202e\\x1b]0;x\\x07.txt"
    ]
    # It is still there to be looked at after another download, until it is there no more or fits.
    code, output, _ = collect({"b_2_101_gcnn.ipynb": notebook("b")})
    assert code == 0 and "Not collected from download.zip before: =cmd" in output
    assert [problem.before for problem in read_collected(Course(root)).problems] == [True]


def test_the_record_and_the_table_say_the_same(collect, root, roster):
    """Do collected.json and collected.csv hold everybody, and is a damaged record said?"""
    who = roster("id,name", "1,Ann", "2,Bob")
    collect({"ann_1_101_gcnn.ipynb": notebook("a")}, "--roster", who)
    record = read_collected(Course(root))
    assert (record.lms, record.source, record.roster) == ("Canvas", "download.zip", "roster.csv")
    assert [(h.student, h.name, h.what, h.file) for h in record.hand_ins] == [
        ("1", "Ann", "new", "ann_1_101_gcnn.ipynb")
    ]
    rows = list(csv.DictReader((root / "collected.csv").open(encoding="utf-8", newline="")))
    assert [(row["student"], row["status"]) for row in rows] == [("1", "collected"), ("2", "missing")]
    (root / "collected.json").write_text('{"hand_ins": 3}')
    code, _, error = collect({"ann_1_101_gcnn.ipynb": notebook("a")})
    assert code == 1 and "collected.json is damaged" in error


def test_a_terminal_gets_a_table(collect, monkeypatch, roster):
    """Does a terminal show a table, with names that look like its own markup as they are?"""
    screen = Console(force_terminal=True, width=140, file=io.StringIO())
    monkeypatch.setattr(cli, "console", screen)
    who = roster("id,name,lms_id", "1,[red]Ann[/red],1", "2,Bob,2")
    assert collect({"ann_1_101_gcnn.ipynb": notebook("a")}, "--roster", who)[0] == 0
    output = screen.file.getvalue()
    assert "[red]Ann[/red]" in output and "missing" in output and "handed in" in output


def test_nobody_else_is_collecting(collect, root):
    """Is a second collecting at the same time refused?"""
    download = {"a_1_101_gcnn.ipynb": notebook("a")}
    with workplace(root / "submitted", "gcnn"):
        # NFS tells other machines of a lock on a plain file that is open for writing, and of no other.
        lock = root / "submitted" / ".collecting.lock"
        assert lock.is_file() and not Course(root).handed_in()
        code, _, error = collect(download)
    assert code == 1 and "somebody is collecting" in error
    assert not (root / "submitted").exists()
    lock.parent.mkdir()
    lock.touch()  # of one that was killed
    assert collect(download)[0] == 0 and os.listdir(lock.parent) == ["1"]


def test_a_lock_that_is_gone_is_none(root, monkeypatch):
    """Is a lock's file that its holder removes, while somebody else has just opened it, not taken for a lock?"""
    submitted, flock, held = root / "submitted", fcntl.flock, []

    def late(file, how):
        if not held:
            held.append(os.fstat(file).st_ino)
            (submitted / ".collecting.lock").unlink()
        flock(file, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with workplace(submitted, "gcnn"), pytest.raises(CourseError, match="somebody"), workplace(submitted, "gcnn"):
        pass
    assert held and not submitted.exists()


def test_a_collecting_between_two_steps_of_another_stays_recorded(collect, root, tmp_path, monkeypatch):
    """Does the record have everybody where a colleague's collecting begins and ends while one reads its download?"""
    choose, others = module.choose, []

    def meanwhile(found, candidates):
        if not others:
            others.append(tmp_path / "other.zip")
            others[0].write_bytes(zipped({"ann_1_101_gcnn.ipynb": notebook("ann")}))
            module.collect(Course(root), others[0])
        return choose(found, candidates)

    monkeypatch.setattr(module, "choose", meanwhile)
    code, output, _ = collect({"bob_2_102_gcnn.ipynb": notebook("bob")})
    assert code == 0, output
    assert [(hand.student, hand.what) for hand in read_collected(Course(root)).hand_ins] == [
        ("1", "before"),
        ("2", "new"),
    ]


@pytest.mark.parametrize("landed", [False, True])
def test_a_replacement_that_was_killed_half_way(landed, collect, root):
    """Is it undone where the new hand-in had not landed, and completed where it had?"""
    collect({"a_1_101_gcnn.ipynb": notebook("old")})
    student = root / "submitted" / "1"
    moving = student / "gcnn.earlier" / ".moving-1"
    moving.mkdir(parents=True)
    (student / "gcnn").rename(moving / "gcnn")
    (moving / "gcnn.left-out").mkdir()
    (root / "submitted" / ".collecting-xyz" / "0").mkdir(parents=True)
    if landed:
        (student / "gcnn").mkdir()
        (student / "gcnn" / "gcnn.ipynb").write_bytes(notebook("new"))
    assert collect({"b_2_102_gcnn.ipynb": notebook("b")})[0] == 0
    assert not (root / "submitted" / ".collecting-xyz").exists() and not moving.exists()
    expected = {"1/gcnn/gcnn.ipynb": notebook("new" if landed else "old"), "2/gcnn/gcnn.ipynb": notebook("b")}
    if landed:
        expected["1/gcnn.earlier/1/gcnn/gcnn.ipynb"] = notebook("old")
    assert submitted(root) == expected
    assert (student / "gcnn.left-out").exists() != landed
    if landed:  # and what had landed is known again when it comes again
        code, output, _ = collect({"a_1_201_gcnn.ipynb": notebook("new")})
        assert code == 0 and "0 hand-ins newly collected" in output


def test_an_interrupted_collecting_leaves_whole_hand_ins(collect, root, tmp_path):
    """Is each hand-in whole or not there after SIGKILL at several moments, and does the next one complete the rest?"""
    files = {f"s{i}_{i}_{100 + i}_{name}": notebook(f"{i}") for i in range(150) for name in ("gcnn.ipynb", "b.txt")}
    download = tmp_path / "download.zip"
    download.write_bytes(zipped(files))
    command = [BIN / "autograder", "collect", download, "--root", root]
    folder = root / "submitted"
    codes = []
    # While it reads, and while hand-ins land.
    for moment in (lambda: any(folder.glob(".collecting-*/*")), lambda: any(folder.glob("*/gcnn"))):
        running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        limit = time.monotonic() + 60
        while not moment() and running.poll() is None and time.monotonic() < limit:
            time.sleep(0.001)
        running.send_signal(signal.SIGKILL)
        codes.append(running.wait())
        for place in folder.glob("[!.]*/gcnn"):
            assert {path.name for path in place.iterdir()} == {"gcnn.ipynb", "b.txt"}
    assert codes[0] == -signal.SIGKILL
    code, output, _ = collect(download)
    assert code == 0, output
    assert len(submitted(root)) == 300 and not list(folder.glob(".*"))
    assert ", 0 in the place of an earlier one" in output


def test_a_full_disk(root, tmp_path):
    """Is a full disk one sentence, with nothing half-written?"""
    (root / "submitted").mkdir()
    download = tmp_path / "download.zip"
    noise = os.urandom(3_000_000)
    download.write_bytes(zipped({"a_1_101_gcnn.ipynb": notebook("a"), "b_2_102_noise.bin": noise}))
    small = ["--size", "2000000", "--tmpfs", root / "submitted"]
    look = (
        f"{BIN / 'autograder'} collect {download} --root {root}; echo code $?; find {root}/submitted {root}/collected*"
    )
    sandbox = ["bwrap", "--bind", "/", "/", "--dev", "/dev", *small, "sh", "-c", look]
    probe = subprocess.run(["bwrap", "--bind", "/", "/", "true"], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip("bubblewrap is not permitted here")
    done = subprocess.run(sandbox, capture_output=True, text=True, check=False)
    assert "the disk is full" in done.stderr and "Traceback" not in done.stderr
    assert done.stdout.split()[:2] == ["code", "1"]
    assert done.stdout.split()[2:] == [str(root / "submitted")]


@pytest.mark.usefixtures("gradebook")
@pytest.mark.filterwarnings("ignore:Object of type <SubmittedAssignment>")
def test_the_date_makes_a_submission_late_for_nbgrader(collect, root):
    """Is a hand-in late by nbgrader's own reckoning, by which it takes points off?"""
    assert (
        collect({BRIGHTSPACE.format(number=11, name="S 11", date="Nov 3, 2026 1230 PM", file="gcnn.ipynb"): b"{}"})[0]
        == 0
    )
    with Course(root).gradebook() as gradebook:
        submission = gradebook.add_submission("gcnn", "11", timestamp=stamp(root, "11"))
        assert submission.total_seconds_late == 30 * 60


def handed_in(number, date, text):
    """A hand-in in a download of Brightspace's, which writes dates."""
    return {BRIGHTSPACE.format(number=number, name=f"S {number}", date=date, file="gcnn.ipynb"): notebook(text)}


EARLY, LAST, LATE, LATER = (
    f"Nov {day} {hour}00 AM" for day, hour in (("2, 2026", 9), ("3, 2026", 9), ("4, 2026", 9), ("7, 2026", 9))
)


@pytest.mark.usefixtures("gradebook")
def test_one_in_time_may_count_before_a_later_one(collect, root):
    """With --count in-time: does the latest count that is in time with one's extension, of the late ones the latest?"""
    download = {
        **handed_in(11, EARLY, "early"),
        **handed_in(11, LAST, "last"),
        **handed_in(11, LATE, "late"),
        **handed_in(12, LATE, "in time for 12"),
        **handed_in(12, LATER, "late"),
        **handed_in(13, LATE, "late"),
        **handed_in(13, LATER, "later"),
    }
    code, output, _ = collect(download, "--count", "in-time")
    assert code == 0, output
    assert submitted(root) == {
        "11/gcnn/gcnn.ipynb": notebook("last"),
        "12/gcnn/gcnn.ipynb": notebook("in time for 12"),
        "13/gcnn/gcnn.ipynb": notebook("later"),
    }
    assert (stamp(root, "11"), stamp(root, "12")) == (datetime(2026, 11, 3, 9), datetime(2026, 11, 4, 9))
    assert "it is in time, and a later one is not" in output and "the latest that is in time, else" in output
    assert {hand.student: bool(hand.late) for hand in read_collected(Course(root)).hand_ins} == {
        "11": False,
        "12": False,
        "13": True,
    }


@pytest.mark.usefixtures("gradebook")
@pytest.mark.parametrize("again", ["another text", "in time"])
def test_what_was_chosen_stays_with_its_date(again, collect, root):
    """Does a later collecting leave the one in time and its date alone, also where the same was handed in once more?"""
    collect(handed_in(11, LAST, "in time"), "--count", "in-time")
    for _ in range(2):
        code, output, _ = collect(handed_in(11, LATE, again))  # decided once, for all times
        assert code == 0, output
        assert submitted(root)["11/gcnn/gcnn.ipynb"] == notebook("in time")
        assert stamp(root, "11") == datetime(2026, 11, 3, 9)
    assert ("what came is late" in output) == (again == "another text")
    code, output, _ = collect(handed_in(11, LATE, again), "--count", "latest")
    assert submitted(root)["11/gcnn/gcnn.ipynb"] == notebook(again) and stamp(root, "11") == datetime(2026, 11, 4, 9)
    code, output, _ = collect(handed_in(11, LAST, "in time") | handed_in(11, LATE, again), "--count", "in-time")
    assert submitted(root)["11/gcnn/gcnn.ipynb"] == notebook("in time")
    # The same file was the student's both times: its date is the one that the LMS says now, the better one.
    assert stamp(root, "11") == datetime(2026, 11, 3, 9)


@pytest.mark.usefixtures("gradebook")
def test_an_extension_makes_nobody_late(collect, root):
    """Is a student who was given time before anything came neither late nor passed over?"""
    given = CliRunner().invoke(cli.app, ["extend", "13", "--hours", "24", "--root", str(root)])
    assert given.exit_code == 0, given.output
    download = handed_in(13, LATE, "13") | handed_in(11, LATE, "11")
    code, output, _ = collect(download, "--count", "in-time")
    assert code == 0 and {hand.student: hand.late for hand in read_collected(Course(root)).hand_ins} == {
        "11": 21 * 3600,
        "13": 0,
    }
    assert "Late: 1, by the due date" in output and "and extensions" in output


def test_canvas_marks_decide_where_there_are_no_dates(collect, root):
    """Does a hand-in that Canvas does not mark as late count before a later one that it does?"""
    assert collect({"s_1_101_gcnn.ipynb": notebook("in time")}, "--count", "in-time")[0] == 0
    assert collect({"s_LATE_1_102_gcnn.ipynb": notebook("late")})[0] == 0
    assert submitted(root) == {"1/gcnn/gcnn.ipynb": notebook("in time")}


def test_nbgraders_own_command_understands_the_same_names(root):
    """Does nbgrader zip_collect work with one of the collectors, which are plugins of its?"""
    downloaded = root / "downloaded" / "gcnn" / "archive"
    downloaded.mkdir(parents=True)
    name = MOODLE.format(name="Ann Lee", number=12, file="gcnn.ipynb")
    (downloaded / "download.zip").write_bytes(zipped({name: notebook("ann")}))
    command = [BIN / "nbgrader", "zip_collect", "gcnn", "--collector=autograder.lms.Moodle"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert submitted(root) == {"12/gcnn/gcnn.ipynb": notebook("ann")}


def test_help_says_everything():
    """Does --help name every LMS and option?"""
    done = subprocess.run([BIN / "autograder", "collect", "--help"], capture_output=True, text=True, check=False)
    for word in (
        "moodle",
        "canvas",
        "brightspace",
        "--pattern",
        "--roster",
        "--timezone",
        "--dry-run",
        "--count",
        "FILE_OR_FOLDER",
    ):
        assert word in done.stdout


def test_a_terminal_shows_what_matters_of_a_large_class(collect, monkeypatch, root):
    """Of more students than fit, are those shown of whom there is something to say, and the others counted?"""
    screen = Console(force_terminal=True, width=140, file=io.StringIO())
    monkeypatch.setattr(cli, "console", screen)
    download = {f"s{i}_{i}_{100 + i}_gcnn.ipynb": notebook(f"{i}") for i in range(100, 180)}
    download["late_LATE_999_5_gcnn.ipynb"] = notebook("late")
    download |= {f"stray {i}": b"x" for i in range(150)}
    assert collect(download)[0] == 1
    output = screen.file.getvalue()
    assert "999" in output and "and 80 students more" in output and "50 more files, which collected.csv lists" in output
    assert len(list(csv.reader((root / "collected.csv").open(encoding="utf-8", newline="")))) == 1 + 81 + 150
