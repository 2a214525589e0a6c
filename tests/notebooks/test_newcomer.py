"""A newcomer's path: the bundle, a clean machine, the notebook solved, the file handed in, its grade, the feedback.

Everything is as it is for a student, but that the networks are trained for a fifth of the time.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from students_machine import errors, make_environment, offline, on_stderr, printed, run, variables

from autograder.course import Course
from autograder.exercises import EXERCISES
from autograder.notebooks import role
from autograder.report import read_grades
from autograder.submissions import read_sample

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3300)]

BIN = Path(sys.executable).parent
EPOCHS = 0.4  # enough for what the public tests demand
MOODLE = "Ada Lovelace_1234567_assignsubmission_file_"


def make_course(project, folder):
    """A clone of the project, as an instructor has one before the course."""
    for name in ("notebooks", "src"):
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(project / name, folder / name, ignore=ignored)
    for name in ("README.md", "nbgrader_config.py", "pyproject.toml"):
        shutil.copy(project / name, folder)
    return folder


def command(folder, *words):
    """What an instructor types in the course folder; what it says."""
    active = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "PIP_NO_INDEX": "1"}
    words = [BIN / words[0], *words[1:]]
    done = subprocess.run(
        list(map(str, words)), cwd=folder, env=active, capture_output=True, text=True, check=False, timeout=900
    )
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout


def imports(python, module, folder):
    """What an environment's Python says when it imports a module there, without a network."""
    done = subprocess.run(
        offline(python, "-c", f"import {module}; print({module}.__file__)"),
        cwd=folder,
        env=variables(folder),
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def test_from_the_bundle_to_the_feedback(project, source, tmp_path):
    """Does what an instructor makes, a student solves and hands in, and is graded come back with the right points?"""
    # The instructor makes the course.
    course = make_course(project, tmp_path / "course")
    command(course, "autograder", "secret")
    command(course, "autograder", "release")
    home, sample = tmp_path / "ada", project / "tests" / "submissions" / "passes_all.py"
    command(course, "autograder", "student", "--out", str(home))
    (course / "roster.csv").write_text("id,first_name,last_name\nada,Ada,Lovelace\nbert,Bert,Brown\n")
    command(course, "nbgrader", "db", "student", "import", "roster.csv")

    # Ada opens the notebook where nothing of the course is installed, and there is no network.
    python = make_environment(tmp_path / "clean", Path(sysconfig.get_path("purelib")))
    assert "No module named 'gcnn'" in imports(python, "gcnn", home)
    assert "No module named 'autograder'" in imports(python, "autograder", home)
    others = "import socket; print([name for _, name in socket.if_nameindex()])"
    assert subprocess.run(offline(python, "-c", others), capture_output=True, text=True).stdout == "['lo']\n"
    notebook = nbformat.read(home / "gcnn.ipynb", as_version=4)
    answers = {cell.id: cell.source for cell in read_sample(sample, source).notebook.cells if role(cell) == "answer"}
    for cell in notebook.cells:
        cell.source = answers.get(cell.id, cell.source)
    handed_in = nbformat.writes(notebook)
    cells = run(python, home / "gcnn.ipynb", notebook, timeout=2000, epochs=EPOCHS).cells
    assert str(tmp_path / "clean") in imports(python, "gcnn", home)
    assert "No module named 'autograder'" in imports(python, "autograder", home)

    # Every public check passes, and the pictures are there.
    assert errors(cells) == {}
    assert on_stderr(cells) == {}
    tests = [cell for cell in cells if role(cell) == "tests"]
    assert len(tests) == 30
    assert [cell.id for cell in tests if "All public checks of" not in printed(cell)] == []
    assert sum("image/png" in out.get("data", {}) for cell in cells for out in cell.get("outputs", [])) >= 16

    # The check before handing in finds as much, and makes the file.
    check = printed(next(cell for cell in cells if cell.source.endswith("submission.check()")))
    assert "1. Your answers: 18 of 18 exercises have one." in check, check
    assert "all are there, as they were given" in check
    assert "Every cell that was run works from top to bottom." in check, check
    file = home / "hand-in" / "gcnn.ipynb"
    assert f"Hand in this copy of what is saved: {file}" in check
    assert nbformat.reads(file.read_text(), as_version=4) == nbformat.reads(handed_in, as_version=4)

    # It comes back as Moodle's download, and is collected and graded.
    with zipfile.ZipFile(course / "submissions.zip", "w") as download:
        download.write(file, f"{MOODLE}/gcnn.ipynb")
    collected = command(course, "autograder", "collect", "submissions.zip")
    assert "ada (Ada Lovelace): collected" in collected and "bert (Bert Brown): missing" in collected, collected
    command(course, "autograder", "grade")
    with Course(course).gradebook() as gradebook:
        grades = read_grades(gradebook, "ada")
    got = {key: score.points for key, score in grades.scores.items()}
    marked_by_tests = {key: exercise.points for key, exercise in EXERCISES.items() if not exercise.by_hand}
    assert got == {**dict.fromkeys(EXERCISES, 0), **marked_by_tests}
    assert grades.waiting(by_hand=False) == [] and grades.waiting(by_hand=True) == ["1.1", "3.1", "3.4", "3.5a"]

    # Her feedback, in the zip that Moodle takes, says the same.
    command(course, "autograder", "feedback", "--zip", "feedback.zip")
    with zipfile.ZipFile(course / "feedback.zip") as pages:
        assert pages.namelist() == [f"{MOODLE}/gcnn.html"]
        page = BeautifulSoup(pages.read(pages.namelist()[0]), "html.parser")
    total = sum(marked_by_tests.values())
    assert total == 98 and page.select_one("p.number").get_text() == "98 of 100 so far"
    assert "17 points are still to be decided by a person" in page.get_text()
    assert page.dd.get_text() == "Ada Lovelace (ada)"
    for row, exercise in zip(page.table.tbody.find_all("tr"), EXERCISES.values(), strict=True):
        points, status = (cell.get_text(" ", strip=True) for cell in row.find_all("td"))
        wanted = "–" if exercise.by_hand else f"{marked_by_tests[exercise.key]}"
        assert (row.a.span.get_text(), points) == (exercise.number, f"{wanted} of {exercise.points}")
        assert status.partition(" ")[2] == ("waiting for marking" if exercise.by_hand else "passed")
