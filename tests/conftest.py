"""What several tests start from."""

import os
import subprocess
import sys
import time
from pathlib import Path

if "PYTEST_XDIST_WORKER" in os.environ:  # one of several processes: a core each, in what it starts too; before torch
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from fabricated import a_class, open_course

from autograder.notebooks import read_text

PROJECT = Path(__file__).parents[1]
BEGIN = time.monotonic()


def pytest_addoption(parser):
    """Take a limit of time, for machines that are stopped after some time whatever they have found."""
    parser.addoption("--seconds", type=float, help="start no test later than this; those that are left are skipped")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Skip what there is no time left for, and say so."""
    limit = item.config.getoption("--seconds")
    if limit is not None and time.monotonic() - BEGIN > limit:
        pytest.skip(f"not run: the {limit:g} seconds that there were are over")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Start with the files whose tests may take longest, so that at the end no process waits for another."""
    longest = {}
    for item in items:
        marker = item.get_closest_marker("timeout")
        longest[item.path] = max(longest.get(item.path, 0), marker.args[0] if marker else 0)
    items.sort(key=lambda item: -longest[item.path])


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


@pytest.fixture(scope="session")
def made_bundle(project, tmp_path_factory):
    """What `make student` puts together; not to be changed."""
    folder = tmp_path_factory.mktemp("bundle")
    command = [Path(sys.executable).parent / "autograder", "student", "--root", project, "--out", folder]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder
