"""The set-up cell, run as a student's kernel runs it: with a Python of its own, without a network."""

import os
import re
import shutil
import subprocess
import sysconfig
import textwrap
from pathlib import Path

import nbformat
import pytest
from students_machine import make_environment, variables

from autograder.bundle import make_bundle

VERSION = "import importlib.metadata\nprint(importlib.metadata.version('gcnn'))"
DRIVE = "/content/drive/MyDrive"
# A pip that puts a wheel into the user's own folder, which the running Python has never seen.
USERS_PIP = """
import pathlib, site, sys, zipfile
target = pathlib.Path(site.getusersitepackages())
target.mkdir(parents=True)
zipfile.ZipFile(sys.argv[-1]).extractall(target)
"""


@pytest.fixture(scope="module")
def wheel(project, tmp_path_factory):
    """The package's wheel; not to be changed."""
    files = make_bundle(project, nbformat.v4.new_notebook(), "gcnn.ipynb", tmp_path_factory.mktemp("bundle"))
    return next(file for file in files if file.suffix == ".whl")


@pytest.fixture(scope="module")
def corrected(project, tmp_path_factory):
    """The wheel of a package in which one line was changed; not to be changed."""
    folder = tmp_path_factory.mktemp("corrected")
    shutil.copytree(project / "src" / "gcnn", folder / "src" / "gcnn", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(project / name, folder)
    with open(folder / "src" / "gcnn" / "rings.py", "a") as file:
        file.write("\nCORRECTED = True\n")
    files = make_bundle(folder, nbformat.v4.new_notebook(), "gcnn.ipynb", folder / "out")
    return next(file for file in files if file.suffix == ".whl")


@pytest.fixture(scope="module")
def made_environment(tmp_path_factory):
    """Everything but the course's packages; its Python."""
    return make_environment(tmp_path_factory.mktemp("environment") / "clean", Path(sysconfig.get_path("purelib")))


@pytest.fixture
def machine(made_environment, source, tmp_path):
    """A student's machine: `machine(…)` runs the set-up cell in ``machine.folder``, between other lines of code."""
    cell = next(cell.source for cell in source.cells if "GCNN_URL" in cell.source)
    (packages,) = made_environment.parents[1].glob("lib/python3*/site-packages")

    class Machine:
        folder = tmp_path / "work"
        drive = tmp_path / "drive"
        links = made_environment.parents[1] / "links"
        own = packages

        def __call__(
            self, before: str = "", after: str = VERSION, address: str = "", **more: str
        ) -> subprocess.CompletedProcess:
            own = cell.replace(DRIVE, str(self.drive)).replace('GCNN_URL = ""', f"GCNN_URL = {address!r}")
            code = "\n".join([before, own, after])
            environment = {**variables(tmp_path), "TMPDIR": str(tmp_path), **more}
            command = [made_environment, "-c", code]
            return subprocess.run(
                command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False, timeout=120
            )

        def version(self, *arguments: str, **more: str) -> str:
            done = self(*arguments, **more)
            assert done.returncode == 0, done.stderr
            assert done.stderr == ""
            return done.stdout.strip()

        def error(self, *arguments: str, **more: str) -> str:
            """The last line of the cell's error."""
            done = self(*arguments, **more)
            assert done.returncode == 1 and done.stdout == ""
            return done.stderr.strip().splitlines()[-1]

        def fake_pip(self, code: str) -> dict[str, str]:
            """The variables with which `python -m pip` runs this code instead."""
            (tmp_path / "fake" / "pip").mkdir(parents=True)
            (tmp_path / "fake" / "pip" / "__init__.py").write_text("")
            (tmp_path / "fake" / "pip" / "__main__.py").write_text(textwrap.dedent(code))
            return {"PYTHONPATH": str(tmp_path / "fake")}

    machine = Machine()
    machine.folder.mkdir()
    machine.drive.mkdir()
    yield machine
    for path in packages.glob("gcnn*"):
        shutil.rmtree(path)


def version_of(wheel):
    """The version in a wheel's name."""
    return wheel.name.split("-")[1]


def put(wheel, folder, name=None, time=1_700_000_000):
    """Put a wheel somewhere, perhaps under another name, as old as a time says."""
    path = folder / (name or wheel.name)
    shutil.copy(wheel, path)
    os.utime(path, (time, time))


def test_a_corrected_package_replaces_an_earlier_one(machine, wheel, corrected):
    """Is the newest wheel installed over another one, once, and not while a grader runs the notebook?"""
    put(wheel, machine.folder)
    assert machine.version() == version_of(wheel)
    put(corrected, machine.folder, time=1_600_000_000)  # older: an earlier version
    assert machine.version() == version_of(wheel)
    put(corrected, machine.folder, time=1_800_000_000)
    assert machine.version(NBGRADER_EXECUTION="validate") == version_of(wheel)
    assert "Restart the kernel, and run this cell again" in machine.error("import gcnn")
    assert machine.version("", "import gcnn.rings\nprint(gcnn.rings.CORRECTED)") == "True"
    assert machine.version("import subprocess; subprocess.run = None") == version_of(corrected)


def test_a_developers_own_package_stays(machine, wheel):
    """Is what was not installed from a student's wheel left alone, although one lies beside the notebook?"""
    (machine.own / "gcnn").mkdir()
    (machine.own / "gcnn" / "__init__.py").write_text("")
    (machine.own / "gcnn-0.1.0.dist-info").mkdir()
    (machine.own / "gcnn-0.1.0.dist-info" / "METADATA").write_text("Name: gcnn\nVersion: 0.1.0\n")
    put(wheel, machine.folder)
    assert machine.version() == "0.1.0"


@pytest.mark.parametrize("ending", [" (1).whl", "-2.whl", " - Copy.whl"])
def test_a_wheel_that_was_downloaded_twice_is_installed(machine, wheel, ending):
    """Is a name that pip would not take no obstacle?"""
    put(wheel, machine.folder, wheel.name.replace(".whl", ending))
    assert machine.version() == version_of(wheel)


def test_the_wheel_may_lie_elsewhere(machine, wheel):
    """Is it found beside VS Code's notebook and on Drive, and is it said where it was looked for?"""
    other = machine.folder.parent / "other"
    other.mkdir()
    named = f"__vsc_ipynb_file__ = {str(other / 'gcnn.ipynb')!r}"
    words = machine.error(named)
    assert f"missing, and not in {machine.folder} or {other} or {machine.drive}. Put the file gcnn-….whl" in words
    put(wheel, other)
    assert machine.version(named) == version_of(wheel)
    for path in machine.own.glob("gcnn*"):
        shutil.rmtree(path)
    put(wheel, machine.drive)
    assert machine.version() == version_of(wheel)


def test_a_file_that_hides_the_package_is_named(machine, wheel):
    """Is it said which file is in the way, and what to do?"""
    put(wheel, machine.folder)
    (machine.folder / "gcnn.py").write_text("")
    words = machine.error()
    assert re.search(r"The file \S*gcnn\.py hides the course's package.* Rename the file, restart the kernel", words)


def test_pip_itself_may_be_missing(machine, wheel):
    """Is pip fetched where Python has it in store, and is it else said that it is missing?"""
    put(wheel, machine.folder)
    for path in machine.own.glob("pip*"):
        shutil.rmtree(path)
    (machine.folder / "ensurepip.py").write_text("raise SystemExit('not here')")
    words = machine.error()
    assert "Install pip for " in words and "internet" not in words
    (machine.folder / "ensurepip.py").unlink()
    assert machine.version() == version_of(wheel)


def test_a_python_of_the_system_asks_for_an_environment(machine, wheel):
    """Where the system's Python must not be changed, is that said and the internet not suspected?"""
    put(wheel, machine.folder)
    words = machine.error(**machine.fake_pip("raise SystemExit('error: externally-managed-environment')"))
    assert "Make an environment for the course" in words and "internet" not in words


def test_what_was_installed_for_the_user_is_found(machine, wheel):
    """Is a package found that pip put into a folder that was not there when the kernel began?"""
    put(wheel, machine.folder)
    more = {**machine.fake_pip(USERS_PIP), "PYTHONUSERBASE": str(machine.folder.parent / "user")}
    assert machine.version("import site\nsite.ENABLE_USER_SITE = True", **more) == version_of(wheel)


def test_a_package_that_python_does_not_find_asks_for_a_restart(machine, wheel):
    """Is a restart asked for where pip succeeded and yet nothing is found?"""
    put(wheel, machine.folder)
    words = machine.error(**machine.fake_pip(""))
    assert "was installed just now. Restart the kernel, and run this cell again" in words


def test_a_copy_that_is_in_the_way_is_named(machine, wheel, corrected):
    """Is it said which package Python goes on finding, where it is not the one that was installed?"""
    elsewhere = machine.folder.parent / "elsewhere"
    shutil.unpack_archive(corrected, elsewhere, "zip")
    put(wheel, machine.folder)
    words = machine.error(PYTHONPATH=str(elsewhere))
    assert "Restart the kernel" in words and f"still finds another one, {elsewhere / 'gcnn' / '__init__.py'}" in words


def test_an_address_that_does_not_answer_keeps_nobody_from_working(machine, wheel, corrected):
    """Where the package is there and a newer one cannot be fetched: is that said, and the old one used?"""
    put(wheel, machine.folder)
    assert machine.version() == version_of(wheel)
    (machine.folder / wheel.name).unlink()
    address = (machine.folder / "gone" / corrected.name).as_uri()
    said = machine.version(address=address).splitlines()
    assert said[-1] == version_of(wheel) and "the one that is here is used. pip could not install" in said[0]


def test_a_drive_that_is_gone_is_left_out(machine, wheel):
    """Does a mount that fails stop nobody?"""
    put(wheel, machine.folder)
    fails = """
        import pathlib
        glob = pathlib.Path.glob
        def broken(self, pattern):
            if self.name == "drive":
                raise OSError(107, "Transport endpoint is not connected")
            return glob(self, pattern)
        pathlib.Path.glob = broken
    """
    assert machine.version(textwrap.dedent(fails)) == version_of(wheel)


def test_a_start_without_a_network_needs_no_pooch(machine, wheel):
    """Do the bundled digits work without what only downloads need, and is that asked for where it is needed?"""
    put(wheel, machine.folder)
    for name in ("pooch", "requests"):
        (machine.links / name).rename(machine.links / f"{name}-hidden")
    after = """
        from gcnn.data import MnistRotDataset
        from gcnn.environment import describe
        from gcnn.training import train_model
        print(len(MnistRotDataset("test")))
        for source in ("official", "torchvision"):
            try:
                MnistRotDataset("test", source=source)
            except RuntimeError as error:
                print(error)
    """
    try:
        said = machine.version("", textwrap.dedent(after)).splitlines()
    finally:
        for name in ("pooch", "requests"):
            (machine.links / f"{name}-hidden").rename(machine.links / name)
    assert said[0] == "5000" and len(said) == 3
    assert all("need the package pooch: run `%pip install pooch`, then this again" in line for line in said[1:])
