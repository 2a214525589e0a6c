"""Tests of releases: a notebook of an earlier one is no changed one, and what a release that broke off leaves."""

import json
import os
import signal

import nbformat
import pytest
from nbgrader.api import Gradebook
from test_unchanged import Hands, never

from autograder import cli, releases
from autograder.course import Course
from autograder.errors import CourseError
from autograder.notebooks import ASSIGNMENT
from autograder.pipeline import Grading


def test_a_notebook_of_an_earlier_release_needs_no_repair(project, tmp_path):
    """Is a hand-in that was downloaded before a visible test was corrected graded by the new test, with no repair?"""
    course = Course(tmp_path, project)
    course.build()
    course.release()
    released = course.folder("release") / f"{ASSIGNMENT}.ipynb"
    course.hand_in("ada", nbformat.read(released, as_version=4))
    path = course.folder("source") / f"{ASSIGNMENT}.ipynb"
    source = path.read_text()
    path.write_text(source.replace("Two quarter turns and one more are three.", "Three quarter turns in all."))
    assert path.read_text() != source
    course.release()
    assert "Three quarter turns in all." in released.read_text()

    job = json.loads(Grading(course, None, ["ada"]).job("ada").notebook)
    assert job["metadata"]["course"]["repairs"] == []
    assert "Three quarter turns in all." in json.dumps(job)
    assert len((course.root / releases.FILE).read_text().splitlines()) == 2
    course.release()
    assert len((course.root / releases.FILE).read_text().splitlines()) == 2  # nothing new


@pytest.fixture
def course(project, tmp_path):
    """A course of its own, with its text; nothing is built."""
    for name in (f"notebooks/{ASSIGNMENT}.py", "nbgrader_config.py"):
        (tmp_path / "course" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "course" / name).write_text((project / name).read_text())
    return Course(tmp_path / "course")


def test_a_full_disk_leaves_the_source_whole(course, monkeypatch, capsys):
    """Is the notebook as it was that could not be built anew, and is the reason one sentence?"""
    course.build()
    path = course.folder("source") / f"{ASSIGNMENT}.ipynb"
    before = path.read_bytes()
    course.text.write_text(course.text.read_text() + "\n# %% [markdown]\n# More words.\n")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("autograder.durable.os.fsync", full)
    monkeypatch.setattr("sys.argv", ["autograder", "release", "--root", str(course.root)])
    with pytest.raises(SystemExit, match="1"):
        cli.main()
    said = capsys.readouterr().err
    assert said == "error: No space left on device. Put that right, and run the same command again\n"
    assert path.read_bytes() == before


@pytest.mark.parametrize("left", ["", "[]", '{"cells": [{"cell_type": "markdown", "metadata": {}, "sou'])
def test_a_damaged_source_is_said_to_be_one(left, course):
    """Is a source that is cut off, as an earlier version left it, a sentence that says how to renew it?"""
    path = course.folder("source") / f"{ASSIGNMENT}.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text(left)
    with pytest.raises(CourseError, match="no whole notebook: build it anew with `make release`"):
        Grading(course, Hands(never), [])


def test_a_release_that_was_killed_is_to_be_made_again(course, monkeypatch):
    """If the first release was killed while the gradebook got its cells: does grading say what to do?"""
    course.build()
    child = os.fork()
    if child == 0:
        monkeypatch.setattr(Gradebook, "update_or_create_source_cell", lambda *_, **__: os.kill(os.getpid(), 9))
        course.release()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    with pytest.raises(CourseError, match="run `make release`"):
        list(Grading(course, Hands(never), []).events())
    course.release()
    assert list(Grading(course, Hands(never), []).events()) == []
