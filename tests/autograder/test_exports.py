"""Tests of exports: what stands in the files is what the gradebook says, and what is undecided is nowhere a number."""

import copy
import csv
import datetime
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbgrader.api import Gradebook

from autograder.course import Course, alembic_on_path
from autograder.errors import CourseError
from autograder.exercises import EXERCISES
from autograder.exports import CanvasExport, exporter
from autograder.marks import read_marks
from autograder.notebooks import ASSIGNMENT
from autograder.report import read_class
from autograder.spreadsheet import cell, write_tables

BIN = Path(sys.executable).parent
PLACE = ASSIGNMENT, ASSIGNMENT
HEBREW = "נועה"
HOSTILE = {
    "anna": {"first_name": "Anna", "last_name": "Zeta", "email": "anna@x.org", "lms_user_id": "1001"},
    "bert": {"first_name": '=HYPERLINK("http://x","y")', "last_name": '@SUM(A1;A2)"', "lms_user_id": "=1+1"},
    "-cara": {"first_name": "Ca\nra,\r\n", "last_name": "ab;=1+1", "lms_user_id": "12; drop"},
    "noa": {"first_name": HEBREW, "last_name": "\u202e001\u2066", "lms_user_id": "1004"},
    "dirk": {"first_name": "Points Possible", "last_name": "", "lms_user_id": "1005"},
    "emil": {"first_name": "{student}", "last_name": "+49123", "lms_user_id": "1006"},
    "late": {"first_name": "Lu", "last_name": "Late", "lms_user_id": "1007"},
    "wait": {"first_name": "Wa", "last_name": "Its", "lms_user_id": "1008"},
    "open": {"first_name": "Op", "last_name": "En", "lms_user_id": "1009"},
    "gone": {"first_name": "Go", "last_name": "Ne", "lms_user_id": "1010"},
}
RULE = 'c.AssignLatePenalties.plugin_class = "rule_of_test_exports.TwoAndAHalf"'
RULES = """
from nbgrader.plugins import LateSubmissionPlugin

class TwoAndAHalf(LateSubmissionPlugin):
    def late_submission_penalty(self, student_id, score, total_seconds_late):
        return 2.5
"""
GRADED = [name for name in HOSTILE if name != "gone"]


@pytest.fixture(scope="module")
def course(project, tmp_path_factory):
    """A course whose gradebook nbgrader's own interface filled, with an assignment that was due on a first of May."""
    root = tmp_path_factory.mktemp("exports")
    settings = (project / "nbgrader_config.py").read_text()
    (root / "nbgrader_config.py").write_text(f"{settings}\n{RULE}\n")
    (root / "rule_of_test_exports.py").write_text(RULES)
    course = Course(root)
    with course.gradebook() as gradebook:
        gradebook.add_assignment(ASSIGNMENT, duedate=datetime.datetime(2026, 5, 1))
        gradebook.add_notebook(ASSIGNMENT, ASSIGNMENT)
        for key, exercise in EXERCISES.items():
            kind = "markdown" if exercise.by_hand else "code"
            name = key if exercise.by_hand else f"test-{key}"
            gradebook.add_grade_cell(name, *PLACE, max_score=exercise.points, cell_type=kind)
        for name, person in HOSTILE.items():
            gradebook.add_student(name, **person)
        for number, name in enumerate(GRADED):
            day = datetime.datetime(2026, 5, 2, 12) if name == "late" else datetime.datetime(2026, 4, 30)
            gradebook.add_submission(ASSIGNMENT, name, timestamp=day)
            notebook = gradebook.find_submission_notebook(*PLACE, name)
            for grade in notebook.grades:
                grade.auto_score = None if grade.cell_type == "markdown" else grade.max_score / (number + 1)
                grade.needs_manual_grade = grade.cell_type == "markdown" and name == "wait"
                if grade.cell_type == "markdown" and name != "wait":
                    grade.manual_score = 1.0
        bonus = gradebook.find_grade("test-c4", *PLACE, "anna")
        bonus.extra_credit = 0.25
        undecided = gradebook.find_grade("test-d4", *PLACE, "open")
        undecided.auto_score, undecided.needs_manual_grade = None, True
        gradebook.db.commit()
    (root / "submitted" / "new" / ASSIGNMENT).mkdir(parents=True)  # handed in, and nobody graded it
    return course


def autograder(*arguments):
    """Run the command line as an instructor would."""
    command = [BIN / "autograder", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def exported(course, kind, config=None, **traits):
    """Export with these settings, and read the file back."""
    plugin = exporter(kind, config or course.config)
    for name, value in traits.items():
        setattr(plugin, name, value)
    with course.gradebook() as gradebook:
        plugin.export(gradebook)
    return plugin, read(plugin.target)


def read(path):
    """A file's rows, each by its header."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def points(course):
    """The plain CSV, by student."""
    done = autograder("export", "--root", course.root)
    assert done.returncode == 0, done.stderr
    return {row["student"]: row for row in read(course.root / "grades.csv")}


def test_every_number_is_the_gradebooks(course, points):
    """Do points and totals agree with nbgrader's own, for every student and exercise?"""
    with course.gradebook() as gradebook:
        for name in GRADED:
            row = points[f"'{name}" if name == "-cara" else name]
            submission = gradebook.find_submission(ASSIGNMENT, name)
            for grade in submission.notebooks[0].grades:
                exercise = EXERCISES[grade.name.removeprefix("test-")]
                got = row[f"{exercise.number} {exercise.key} (of {exercise.points})"]
                if grade.needs_manual_grade:
                    assert got == ""
                else:
                    assert float(got) == pytest.approx(grade.score, abs=1e-4)
            if submission.needs_manual_grade:
                assert row["final"] == row["total"] == row["late penalty"] == ""
            else:
                assert float(row["total"]) == pytest.approx(submission.score, abs=1e-4)
                penalty = submission.late_submission_penalty
                assert float(row["final"]) == pytest.approx(submission.score - penalty, abs=1e-4)
                assert float(row["late penalty"]) == pytest.approx(penalty)


def test_the_status_says_where_the_grading_stands(points):
    """Has each student one status, and those without a grade no number where a total belongs?"""
    stands = {name: row["status"] for name, row in points.items()}
    undecided = {"wait": "waiting for marking", "open": "not graded", "gone": "missing", "new": "not graded"}
    assert undecided.items() <= stands.items()
    assert {status for name, status in stands.items() if name not in undecided} == {"final"}
    for name in undecided:
        row = points[name]
        assert row["final"] == row["total"] == ""
        assert not [v for v in (row["status"], row["not graded"], row["waiting for marking"]) if is_number(v)]
    assert points["open"]["not graded"] == "d4" and points["open"]["tests"] == ""
    assert float(points["open"]["by hand"]) == 4
    assert points["wait"]["waiting for marking"].split() == [k for k, e in EXERCISES.items() if e.by_hand]
    assert points["wait"]["by hand"] == "" and float(points["wait"]["tests"]) > 0
    assert points["late"]["hours late"] == "36" and points["anna"]["hours late"] == ""


def is_number(text):
    """Whether a spreadsheet or an import might take it for one."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def test_missing_students_have_no_number_at_all(points):
    """Is nothing in the lines of those who handed in nothing, or were not graded, a number?"""
    for name in ("gone", "new"):
        assert not [value for header, value in points[name].items() if is_number(value)]


def test_missing_can_be_zero(course, tmp_path):
    """With the setting: do those who handed in nothing have 0 points, and only they?"""
    config = copy.deepcopy(course.config)
    config.CourseExport.missing_as_zero = True
    _, rows = exported(course, "points", config, to=str(tmp_path / "x.csv"))
    rows = {row["student"]: row for row in rows}
    assert (rows["gone"]["final"], rows["gone"]["status"]) == ("0", "missing")
    assert rows["new"]["final"] == rows["open"]["final"] == ""


def test_no_cell_is_a_formula_and_no_name_moves_the_line(course, points):
    """Are hostile names text on one line, and honest ones as they were?"""
    with (course.root / "grades.csv").open(newline="", encoding="utf-8") as file:
        cells = [value for row in csv.reader(file) for value in row]
    text = (course.root / "grades.csv").read_bytes().decode()
    assert not [value for value in cells if value[:1] in tuple("=+-@\t\r\n") and not is_number(value)]
    assert not set("\u202e\u2066") & set(text)
    assert len(text.split("\r\n")) == len(points) + 2 and "\n" not in text.replace("\r\n", "")
    assert points["bert"]["first name"] == '\'=HYPERLINK("http://x","y")'
    assert points["'-cara"]["first name"] == "Ca ra," and points["'-cara"]["last name"] == "ab;'=1+1"
    assert points["noa"]["first name"] == HEBREW and points["noa"]["last name"] == "\\u202e001\\u2066"
    assert points["emil"]["last name"] == "+49123"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, ""),
        (0.0, "0"),
        (-0.5, "-0.5"),
        (100 / 3, "33.3333"),
        ("-5", "-5"),
        ("-5 or so", "'-5 or so"),
        ("=1", "'=1"),
        (" =1", "' =1"),
        ("＝1", "'＝1"),
        ("a|@b", "a|'@b"),
        ("\t=1", "\\t=1"),
        ("\ud800", "\\ud800"),
        ("👩‍🔬 O'Neil–Söderström", "👩‍🔬 O'Neil–Söderström"),
    ],
)
def test_a_cell_is_what_it_says(value, written):
    """Is each kind of value written as what it is?"""
    assert cell(value) == written


ANYTHING = st.one_of(st.sampled_from("=+-@＝;,|\"' \t\r\n1a"), st.characters(exclude_categories=[]))
TEXTS = st.lists(ANYTHING, max_size=8).map("".join)


@given(st.lists(st.lists(TEXTS, min_size=2, max_size=3), max_size=5))
def test_any_text_stays_in_its_cell_and_runs_nowhere(rows):
    """Whatever a name is: are there as many lines and cells as before, and is no part of a cell a formula?"""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.csv"
        write_tables({path: [["a", "b"], *rows]})
        text = path.read_bytes().decode()
    assert text.count("\r\n") == len(rows) + 1 and "\n" not in text.replace("\r\n", "")
    back = list(csv.reader(text.splitlines()))[1:]
    assert [len(row) for row in back] == [len(row) for row in rows]
    for value in (part.strip() for row in back for whole in row for part in re.split("[;,|]", whole)):
        assert value[:1] not in tuple("=+-@＝＋－＠") or is_number(value)
    for row, written in zip(rows, back, strict=True):
        assert all(value == wrote for value, wrote in zip(row, written, strict=True) if value.isalnum())


def test_the_order_is_that_of_names_every_time(course, tmp_path):
    """Are two files the same, sorted by name and then id?"""
    texts = []
    for name in ("one", "two"):
        plugin, rows = exported(course, "points", to=str(tmp_path / name))
        texts.append(plugin.target.read_bytes())
    assert texts[0] == texts[1]
    with course.gradebook() as gradebook:
        people = [(s.last_name or "", s.first_name or "", s.id) for s in gradebook.students]
    people.append(("", "", "new"))
    assert [row["student"].lstrip("'") for row in rows] == [
        name for *_, name in sorted(people, key=lambda p: (p[0].casefold(), p[1].casefold(), p[2]))
    ]


def test_a_byte_order_mark_on_request(course, tmp_path):
    """Does the file begin with the mark where it is set, and not else?"""
    config = copy.deepcopy(course.config)
    config.CourseExport.bom = True
    marked, _ = exported(course, "points", config, to=str(tmp_path / "marked.csv"))
    plain, _ = exported(course, "points", to=str(tmp_path / "plain.csv"))
    assert marked.target.read_bytes() == b"\xef\xbb\xbf" + plain.target.read_bytes()


def test_nbgraders_command_writes_the_same_file(course, points, tmp_path):
    """Does `nbgrader export` give what `autograder export` gives, and its mistakes in a sentence?"""
    command = [BIN / "nbgrader", "export", "--to"]
    more = {"cwd": course.root, "capture_output": True, "text": True, "timeout": 60}
    more["env"] = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run([*command, tmp_path / "x.csv"], **more)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "x.csv").read_bytes() == (course.root / "grades.csv").read_bytes()
    chosen = ["--exporter", "autograder.exports.CanvasExport", "--student=['nobody 100%']"]
    done = subprocess.run([*command, tmp_path / "z.csv", *chosen], **more)
    assert done.returncode == 1 and "knows no student nobody 100%" in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "z.csv").exists()


def test_canvas_finds_students_and_assignment(course, tmp_path):
    """Does Canvas's file have its columns, full points, and one line for each final grade?"""
    done = autograder("export", "--root", course.root, "--format", "canvas", "--to", tmp_path / "canvas.csv")
    assert done.returncode == 0, done.stderr
    with (tmp_path / "canvas.csv").open(newline="") as file:
        header, full, *lines = csv.reader(file)
    assert header == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "gcnn"]
    assert full == ["Points Possible", "", "", "", "", "100"]
    by_login = {line[3]: line for line in lines}
    assert set(by_login) == {"anna", "bert", "'-cara", "noa", "dirk", "emil", "late"}
    with course.gradebook() as gradebook:
        late = gradebook.find_submission(ASSIGNMENT, "late")
        assert float(by_login["late"][5]) == pytest.approx(late.score - 2.5, abs=1e-4)
    assert by_login["late"][:2] == ["Late, Lu", "1007"]
    # Canvas reads "12; drop" as the user 12, and a name with "Points Possible" as the assignment's points.
    assert by_login["'-cara"][1] == by_login["bert"][1] == ""
    assert not [line for line in lines if "Points Possible" in line[0]] and by_login["dirk"][0] == "dirk"
    assert all(is_number(line[5]) for line in lines)


def test_who_is_left_out_of_canvas_is_listed_with_the_reason(course, tmp_path):
    """Is everybody either in the file or in the list beside it?"""
    plugin, rows = exported(course, "canvas", to=str(tmp_path / "c.csv"))
    left = {row["student"]: row for row in read(tmp_path / "c-left-out.csv")}
    assert {name: row["status"] for name, row in left.items()} == {
        "gone": "missing",
        "new": "not graded",
        "open": "not graded",
        "wait": "waiting for marking",
    }
    assert left["open"]["why"] == "not graded: d4" and left["gone"]["why"] == "nothing was handed in"
    assert left["wait"]["why"].startswith("waiting for marking: unique-inverse")
    assert set(plugin.left_out) == set(left)
    with course.gradebook() as gradebook:
        assert len(rows) - 1 + len(left) == len(read_class(gradebook, ["new"]))


def test_canvas_columns_can_be_set(course, tmp_path):
    """Are header, ids and full points what the settings say, and is a header that Canvas takes for its own refused?"""
    config = copy.deepcopy(course.config)
    config.CanvasExport.update(column="Equivariance (4711)", student_is="ID", points_possible=50.0)
    _, rows = exported(course, "canvas", config, to=str(tmp_path / "c.csv"), student=["anna"])
    assert rows[0]["Equivariance (4711)"] == "50"
    assert (rows[1]["ID"], rows[1]["SIS Login ID"]) == ("anna", "")
    for header in ("", "Final Score", "Unposted Current Points", "Section"):
        config.CanvasExport.column = header
        with pytest.raises(CourseError, match=r"set CanvasExport\.column to"):
            exported(course, "canvas", config, to=str(tmp_path / "none.csv"))
    assert not (tmp_path / "none.csv").exists()


@pytest.mark.parametrize("system", ["moodle", "brightspace"])
def test_the_settings_examples_work(course, system, tmp_path):
    """Do the mappings in nbgrader_config.py give a line for each final grade, with that grade in it?"""
    columns = course.config.LmsExport.formats[system]
    _, rows = exported(course, system, to=str(tmp_path / "x.csv"))
    assert list(rows[0]) == list(columns)
    grade, who = (next(h for h, text in columns.items() if text == wanted) for wanted in ("{final}", "{student}"))
    assert {row[who] for row in rows} == {"anna", "bert", "'-cara", "noa", "dirk", "emil", "late"}
    with course.gradebook() as gradebook:
        finals = {row.student: row.final for row in read_class(gradebook)}
    for row in rows:
        assert float(row[grade]) == pytest.approx(finals[row[who].lstrip("'")], abs=1e-4)
    assert {row["student"] for row in read(tmp_path / "x-left-out.csv")} == {"gone", "new", "open", "wait"}


def mapped(course, tmp_path, columns):
    """Export by a mapping of its own."""
    config = copy.deepcopy(course.config)
    config.LmsExport.formats = {"ours": columns}
    return exported(course, "lms", config, to=str(tmp_path / "ours.csv"))[1]


def test_a_mapping_fills_in_texts_and_numbers(course, tmp_path):
    """Are names, texts around them, single exercises and braces what they say, and a hostile name no template?"""
    columns = {
        "Who": "{last_name}/{first_name} <{email}>",
        "Lifting": "{exercise:lifting-conv}",
        "Tests": "{tests} of 98 {{sic}}",
        "State": "{status}",
    }
    rows = {row["Who"]: row for row in mapped(course, tmp_path, columns)}
    assert rows["Zeta/Anna <anna@x.org>"]["Lifting"] == "15"
    assert rows["Zeta/Anna <anna@x.org>"]["Tests"] == "98.25 of 98 {sic}"
    assert any("{student}" in who for who in rows)
    # The tests of "wait" are decided, its marks are not, and nothing here asks for them.
    assert rows["Its/Wa <>"]["State"] == "waiting for marking"
    assert not [who for who in rows if who.startswith(("En/", "Ne/"))]


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"x": "{final.real}"}, r"asks for \{final.real\}; there are student"),
        ({"x": "{final[0]}"}, r"asks for \{final\[0\]\}"),
        ({"x": "{0}"}, r"asks for \{0\}"),
        ({"x": "{final:.2f}"}, r"asks for \{final:.2f\}"),
        ({"x": "{final!r}"}, "has !r in braces"),
        ({"x": "{final"}, "write a brace that is none twice"),
        ({"x": "{exercise:c5}"}, "asks for the exercise 'c5'; there are unique-inverse, c4"),
        ({"x": "{exercise}"}, "asks for the exercise ''"),
        ({"x": "{exercise:{student}}"}, r"asks for the exercise '\{student\}'"),
        ({"x": "{student}"}, "has no column with points"),
        ({"x": 5}, "do not fit"),
        ("x", "do not fit"),
    ],
)
def test_a_mapping_that_cannot_work_is_said_in_a_sentence(course, tmp_path, columns, sentence):
    """Is each mistake in a mapping named with its place, and no file written?"""
    with pytest.raises(CourseError, match=sentence):
        mapped(course, tmp_path, columns)
    assert not list(tmp_path.iterdir())


def test_unknown_formats_and_students_are_said_in_a_sentence(course, tmp_path):
    """Do mistakes end with what there is, and nothing written?"""
    for kind, whom, sentence in [
        ("sakai", [], "there is no format 'sakai': there are points, canvas, moodle, brightspace"),
        ("lms", [], "which system is it for? LmsExport.formats in nbgrader_config.py has moodle, brightspace"),
        ("points", ["zoe"], "the gradebook knows no student zoe"),
    ]:
        with pytest.raises(CourseError, match=re.escape(sentence)):
            exported(course, kind, to=str(tmp_path / "x.csv"), student=whom)
    done = autograder("export", "other", "--root", course.root, "--to", tmp_path / "x.csv")
    assert done.returncode == 1 and done.stderr.startswith("error: there is no assignment 'other'")
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_the_earlier_file(course, tmp_path):
    """On a disk that is full: one sentence, the earlier file as it was, and no part of a new one?"""
    bubblewrap = shutil.which("bwrap")
    if bubblewrap is None:
        pytest.skip("a small disk is made with bubblewrap, which is not installed")
    disk = tmp_path / "disk"
    disk.mkdir()
    script = f"""
        set -e
        echo earlier > {disk}/grades.csv
        head -c 100000 /dev/zero > {disk}/filler 2>/dev/null || true
        {BIN}/autograder export --root {course.root} --to {disk}/grades.csv || echo "status $?"
        ls -A {disk}; cat {disk}/grades.csv
    """
    small = [bubblewrap, "--dev-bind", "/", "/", "--size", "16384", "--tmpfs", disk, "bash", "-c", script]
    done = subprocess.run(small, capture_output=True, text=True, timeout=60)
    assert "could not be written (No space left on device): make room or name another file" in done.stderr
    assert done.stdout.split() == ["status", "1", "filler", "grades.csv", "earlier"]


def test_two_files_are_written_together_or_not_at_all(tmp_path):
    """If the second of two files cannot be written, is the first as it was, and nothing left over?"""
    (tmp_path / "one.csv").write_text("earlier")
    (tmp_path / "two.csv").mkdir()
    with pytest.raises(CourseError, match=r"two\.csv is no file that could be replaced"):
        write_tables({tmp_path / "one.csv": [["a"], [1.0]], tmp_path / "two.csv": [["a"]]})
    with pytest.raises(CourseError, match=r"nowhere/x\.csv could not be written \(No such file or directory\)"):
        write_tables({tmp_path / "one.csv": [["a"], [1.0]], tmp_path / "nowhere" / "x.csv": [["a"]]})
    assert (tmp_path / "one.csv").read_text() == "earlier"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.csv", "two.csv"]


def test_cells_that_were_added_later_are_not_graded(course, tmp_path):
    """If the notebook got a test after a submission was graded, does its exercise wait instead of having too little?"""
    path = tmp_path / "gradebook.db"
    shutil.copy(course.root / "gradebook.db", path)
    with alembic_on_path(), Gradebook(f"sqlite:///{path}", "gcnn") as gradebook:
        gradebook.add_grade_cell("test-c4-order", *PLACE, max_score=1, cell_type="code")
        anna = next(row for row in read_class(gradebook) if row.student == "anna")
        assert anna.scores["c4"].waiting and anna.status == "not graded" and anna.final is None
        gradebook.add_grade_cell("test-c5", *PLACE, max_score=1, cell_type="code")
        with pytest.raises(CourseError, match=r"'test-c5' belongs to no exercise.*make release"):
            read_class(gradebook)


def test_a_score_that_is_no_number_is_not_graded(course, tmp_path):
    """Does a score of infinity count as undecided, for points and for the feedback's pages?"""
    path = tmp_path / "gradebook.db"
    shutil.copy(course.root / "gradebook.db", path)
    with sqlite3.connect(path) as base:
        base.execute("update grade set auto_score = 9e999 where auto_score is not null and manual_score is null")
    with alembic_on_path(), Gradebook(f"sqlite:///{path}", "gcnn") as gradebook:
        rows, marks = read_class(gradebook), read_marks(gradebook)
    assert marks and all("test-c4" in one.waiting and one.cells["test-c4"].points == 0 for one in marks.values())
    assert {row.status for row in rows} == {"not graded", "missing"}
    assert all(row.total(by_hand=False) == 0 for row in rows)


def test_the_plugins_defaults_are_the_courses():
    """Are Canvas's full points those of the exercises, without bonus?"""
    assert CanvasExport().points_possible == sum(e.points for e in EXERCISES.values() if not e.bonus) == 100
