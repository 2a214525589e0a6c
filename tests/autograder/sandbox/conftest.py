"""Where there is no sandbox to be had, its tests are skipped, with the reason."""

import sys
import venv

import pytest

from autograder.sandbox import SandboxUnavailable
from autograder.sandbox.available import check


@pytest.fixture(scope="session")
def bubblewrap():
    """Skips where there is no sandbox to be had."""
    try:
        check()
    except SandboxUnavailable as error:
        pytest.skip(str(error))


@pytest.fixture
def environment():
    """Makes a virtual environment with nothing in it; gives its interpreter and its folder for packages."""

    def make(folder):
        venv.create(folder, symlinks=True)
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        return str(folder / "bin" / "python"), folder / "lib" / version / "site-packages"

    return make
