"""Grading through the doors that instructors use, with real kernels: command line, nbgrader's commands, feedback."""

import csv
import datetime
import subprocess
import sys
from pathlib import Path

import fabricated
import nbformat
import pytest

from autograder.course import Course
from autograder.errors import CourseError
from autograder.notebooks import ASSIGNMENT, regions, role
from autograder.report import read_grades
from autograder.submissions import read_sample

BIN = Path(sys.executable).parent
MISTAKE, UNTOUCHED = "fails_c4__forgets_to_wrap_around", "fails_everything__untouched"


def autograder(*arguments, **more):
    """Run the command line as an instructor would."""
    command = [BIN / "autograder", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **{"timeout": 500, **more})


@pytest.fixture(scope="module")
def demo(project, tmp_path_factory):
    """A demonstration with two submissions: its folder and what was printed."""
    folder = tmp_path_factory.mktemp("demo")
    done = autograder("demo", "--root", project, "--out", folder, "--only", "fails_[ce]*")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done.stdout


def test_the_demo_shows_a_table_with_totals(demo):
    """Does the table have a row for each submission, with the points of each exercise and the total?"""
    lines = demo[1].splitlines()
    mistake = next(line for line in lines if line.strip().startswith("fails c4")).split()
    assert mistake == [
        "fails",
        "c4",
        "2",
        "8",
        "12",
        "5",
        "15",
        "15",
        "0",
        "0",
        "4",
        "0",
        "3",
        "4",
        "4",
        "0",
        "72",
        "waits",
    ]
    untouched = next(line for line in lines if line.strip().startswith("fails everything")).split()
    assert set(untouched[2:]) == {"0"}
    assert "Every sample submission got what its name promises." in lines


def test_the_demo_writes_grades(demo):
    """Does grades.csv hold each student's points by exercise?"""
    rows = {row["student"]: row for row in csv.DictReader((demo[0] / "grades.csv").open(newline=""))}
    assert set(rows) == {MISTAKE, UNTOUCHED}
    assert rows[MISTAKE]["1.2 c4 (of 5)"] == "2"
    assert rows[UNTOUCHED]["total"] == "0"


def test_feedback_says_what_is_wrong_and_hides_the_hidden(demo, source):
    """Does the page show the message, and no line of a hidden test, a traceback or a rubric?"""
    page = (demo[0] / "feedback" / MISTAKE / ASSIGNMENT / f"{ASSIGNMENT}.html").read_text()
    assert "has the result wrapped around?" in page
    assert "from autograder" not in page and "Rubric" not in page
    secret = {line for c in source.cells for line in regions(c.source)[1]["HIDDEN TESTS"] if len(line.strip()) > 20}
    public = {line for c in source.cells for line in regions(c.source)[0]}
    assert not [line for line in secret - public if line.strip() in page]


def test_markers_see_the_rubric(demo):
    """Does the notebook that the formgrader shows have the rubric, and the answer above it?"""
    path = demo[0] / "autograded" / MISTAKE / ASSIGNMENT / f"{ASSIGNMENT}.ipynb"
    cells = nbformat.read(path, as_version=4).cells
    index = next(i for i, cell in enumerate(cells) if cell.get("id") == "why-gap")
    assert role(cells[index + 1]) == "rubric"


def test_nbgraders_own_command_gives_the_same_points(demo, project):
    """Does `nbgrader autograde` grade as `autograder` does?"""
    course = Course(demo[0], project)
    with course.gradebook() as gradebook:
        before = read_grades(gradebook, MISTAKE)
    command = ["nbgrader", "autograde", ASSIGNMENT, "--force", f"--student={MISTAKE}", f"--course-dir={demo[0]}"]
    done = subprocess.run(
        [BIN / command[0], *command[1:]], cwd=project, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    with course.gradebook() as gradebook:
        assert read_grades(gradebook, MISTAKE) == before


def test_warnings_and_progress_bars_cost_nothing(demo, project, source):
    """Does an answer that warns and writes to stderr at every call keep its points?"""
    course = Course(demo[0], project)
    notebook = read_sample(project / "tests" / "submissions" / f"{UNTOUCHED}.py", source).notebook
    cell = next(cell for cell in notebook.cells if cell.id == "rotate-p4")
    cell.source = (
        "import sys, warnings\ndef rotate_p4(y, r):\n    warnings.warn('careful')\n    print('50%', file=sys.stderr)\n"
        "    return rotate(y, r).roll(r, -3)"
    )
    course.hand_in("warns", notebook)
    course.autograde("warns")
    with course.gradebook() as gradebook:
        assert read_grades(gradebook, "warns").scores["rotate-p4"].points == 5


def test_a_gradebook_of_other_tests_stops_the_grading(demo, project):
    """Does grading stop, with the command that helps, where source/ has changed since the release?"""
    course = Course(demo[0], project)
    path = course.folder("source") / f"{ASSIGNMENT}.ipynb"
    before = path.read_text()
    path.write_text(before.replace("Four quarter turns are none", "Four quarter turns are some"))
    try:
        with pytest.raises(CourseError, match=r"(?s)gradebook's tests differ.*make release"):
            course.autograde(MISTAKE)
    finally:
        path.write_text(before)


def test_what_is_missing_is_said_in_a_sentence(tmp_path, project):
    """Do a wrong folder, an unknown student and an empty course give one clear sentence and no traceback?"""
    for arguments, message in [
        (("grade", "--root", tmp_path), "there is no nbgrader_config.py"),
        (("demo", "--root", project, "--out", tmp_path / "x", "--only", "nothing*"), "no sample in tests/submissions"),
    ]:
        done = autograder(*arguments)
        assert done.returncode == 1
        assert message in done.stderr and "Traceback" not in done.stderr
    (tmp_path / "nbgrader_config.py").write_text((project / "nbgrader_config.py").read_text())
    done = autograder("grade", "--root", tmp_path)
    assert done.returncode == 1 and "nothing was handed in" in done.stderr
    done = autograder("grade", "--root", tmp_path, "--student", "bert")
    assert done.returncode == 1 and "nothing was handed in by bert" in done.stderr


def test_the_secret_is_made_once(tmp_path, project):
    """Is a second `autograder secret` refused, and the first one kept?"""
    assert autograder("secret", "--root", tmp_path).returncode == 0
    before = (tmp_path / ".course-secret").read_bytes()
    done = autograder("secret", "--root", tmp_path)
    assert done.returncode == 1 and "is there already" in done.stderr
    assert (tmp_path / ".course-secret").read_bytes() == before


@pytest.mark.parametrize("command", ["release", "grade", "demo", "secret", "student"])
def test_every_command_explains_itself(command):
    """Does --help say what the command does?"""
    done = autograder(command, "--help")
    assert done.returncode == 0 and "Usage" in done.stdout


def test_the_demonstration_empties_no_folder_of_somebody_elses(project, tmp_path):
    """Is a folder refused that holds other things, and does everything in it stay?"""
    (tmp_path / "submitted").mkdir()
    (tmp_path / "submitted" / "work.txt").write_text("a year of it")
    done = autograder("demo", "--root", project, "--out", tmp_path)
    assert done.returncode == 1 and "name another folder" in done.stderr
    assert (tmp_path / "submitted" / "work.txt").read_text() == "a year of it"


def test_a_release_that_gives_something_away_does_not_stay(project, tmp_path, monkeypatch):
    """Is a release with a leak removed, and does nothing make a student's bundle of one that has a leak?"""
    made = fabricated.open_course(tmp_path, project)
    folder = made.folder("release")
    notebook = (folder / f"{ASSIGNMENT}.ipynb").read_text()
    (folder / f"{ASSIGNMENT}.ipynb").write_text(notebook.replace("# YOUR CODE HERE", "### BEGIN SOLUTION", 1))
    with pytest.raises(CourseError, match="must not go out"):
        made.check_release()
    monkeypatch.setattr("autograder.course.leaks", lambda *_: ["a solution"])
    with pytest.raises(CourseError, match="must not go out"):
        made.release()
    assert not folder.exists()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_every_sample_gets_what_its_name_promises(project, tmp_path):
    """Does the whole demonstration end green?"""
    done = autograder("demo", "--root", project, "--out", tmp_path / "demo", timeout=1700)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_rule_for_late_hand_ins_may_stand_beside_the_settings(tmp_path, project):
    """Is a plugin found that is a file in the course's folder, wherever the command is run?"""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / f"{ASSIGNMENT}.py").write_text((project / "notebooks" / f"{ASSIGNMENT}.py").read_text())
    settings = (project / "nbgrader_config.py").read_text()
    (tmp_path / "nbgrader_config.py").write_text(
        f'{settings}\nc.AssignLatePenalties.plugin_class = "rule_of_this_test.TwoPointsAnHour"\n'
    )
    (tmp_path / "rule_of_this_test.py").write_text(
        "from nbgrader.plugins import LateSubmissionPlugin\n"
        "class TwoPointsAnHour(LateSubmissionPlugin):\n"
        "    def late_submission_penalty(self, student_id, score, total_seconds_late):\n"
        "        return 2.0 * (total_seconds_late // 3600)\n"
    )
    course = fabricated.open_course(tmp_path, tmp_path)
    fabricated.landed(course, "ada", fabricated.answered(course.source()), late=datetime.timedelta(hours=3))
    with course.gradebook() as gradebook:
        assert gradebook.find_submission(ASSIGNMENT, "ada").late_submission_penalty == 6
