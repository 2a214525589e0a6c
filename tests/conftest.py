"""What several tests start from."""

from pathlib import Path

import pytest

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
