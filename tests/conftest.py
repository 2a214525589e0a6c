"""What several tests start from."""

from pathlib import Path

import pytest
from fabricated import a_class, open_course

from autograder.notebooks import read_text

PROJECT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def project():
    """The project's root."""
    return PROJECT


@pytest.fixture(scope="session")
def source():
    """The source notebook, built from the text; not to be changed."""
    return read_text(PROJECT / "notebooks" / "gcnn.py")


@pytest.fixture(scope="session")
def fabricated_class(project, tmp_path_factory):
    """A course with thirty students of all kinds, whose submissions never ran, and their names; not to be changed."""
    course = open_course(tmp_path_factory.mktemp("class"), project)
    return course, a_class(course)
