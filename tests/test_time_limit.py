"""Tests of the limit of time that CI gives to the slow tests."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(("seconds", "said"), [("0", "1 skipped"), ("600", "1 passed")])
def test_what_there_is_no_time_for_is_skipped_by_name(project, seconds, said):
    """Is a test run while there is time, and else skipped with the reason?"""
    one = "tests/test_docs.py::test_pictures_are_small"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-rs", one]
    done = subprocess.run(
        [*command, "--seconds", seconds], cwd=project, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0 and said in done.stdout, done.stdout + done.stderr
    assert ("the 0 seconds that there were are over" in done.stdout) == (seconds == "0")
