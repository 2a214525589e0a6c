"""Tests of autograder.releases: who downloaded the notebook before a test was corrected has changed nothing."""

import json

import nbformat

from autograder import releases
from autograder.course import Course
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
