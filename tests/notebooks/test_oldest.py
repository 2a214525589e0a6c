"""The notebook with the oldest versions that the course supports, in an environment of its own (`make oldest`).

The newest that are tested are those of constraints.txt: test_student.py and test_newcomer.py run with them.
"""

import re

import nbformat
import pytest
import tomllib
from packaging.requirements import Requirement
from packaging.version import Version
from students_machine import errors, make_environment, on_stderr, printed, run

from autograder.notebooks import role
from autograder.submissions import read_sample

PINS = "tests/oldest/requirements.txt"
TRIAL = 0.02  # epochs of a training: four steps


@pytest.fixture
def environment(project, tmp_path):
    """An environment with the oldest versions and without the course's packages; its Python."""
    oldest = project / "build" / "oldest"
    if not (oldest / ".ready").exists():
        pytest.skip("the oldest supported versions are not installed in build/oldest; `make oldest` does that")
    (packages,) = oldest.glob("lib/python3*/site-packages")
    return make_environment(tmp_path / "clean", packages)


def ranges(lines):
    """What is needed, by name."""
    needs = [Requirement(line) for line in (line.partition("#")[0].strip() for line in lines) if line]
    return {need.name: need.specifier for need in needs}


def test_the_oldest_are_the_lower_ends_of_the_ranges(project):
    """Is each version of `make oldest` the oldest that the packages promise to work with, and is none left out?"""
    pins = ranges((project / PINS).read_text().splitlines())
    needed = ranges((project / "requirements.txt").read_text().splitlines())
    package = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    students = ranges(package["dependencies"])
    assert students.items() <= needed.items()
    assert students.keys() <= pins.keys()
    for name in pins.keys() & needed.keys():
        (pin,), (lowest,) = pins[name], needed[name]
        assert (pin.operator, lowest.operator) == ("==", ">=")
        assert Version(pin.version) == Version(lowest.version), f"{name}: {pin} is not the lower end of {lowest}"


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_solved_notebook_runs_with_the_oldest_versions(bundle, environment, project, source, tmp_path):
    """Does all of it run on an old machine, with nothing on stderr, and does the set-up cell install only the course?

    Trainings take a few steps, so the tests of accuracy are left out, as the check before handing in does.
    """
    notebook = read_sample(project / "tests" / "submissions" / "passes_all.py", source).notebook
    notebook.cells = [cell for cell in notebook.cells if role(cell) != "tests" or "retrained(" not in cell.source]
    versions = "import torch, torchvision, numpy, matplotlib\nprint(torch.__file__)\n"
    versions += "print(*(package.__version__ for package in (torch, torchvision, numpy, matplotlib)))"
    notebook.cells.append(nbformat.v4.new_code_cell(versions, id="versions"))
    (installed,) = (tmp_path / "clean").glob("lib/python3*/site-packages")
    before = {path.name for path in installed.iterdir()}

    cells = run(environment, bundle / "gcnn.ipynb", notebook, timeout=1700, epochs=TRIAL).cells
    assert errors(cells) == {}
    assert on_stderr(cells) == {}
    tests = [cell for cell in cells if role(cell) == "tests"]
    assert len(tests) == 26
    assert [cell.id for cell in tests if "All public checks of" not in printed(cell)] == []
    free = [cell for cell in cells if role(cell) == "playground" and cell.source.strip()]
    assert sum("image/png" in output.get("data", {}) for cell in free for output in cell.outputs) >= 16

    new = {path.name for path in installed.iterdir()} - before
    assert {re.sub(r"-.*\.", ".", name) for name in new} == {"gcnn", "gcnn.dist-info"}, new
    torch, _, found = printed(cells[-1]).strip().partition("\n")
    assert torch.startswith(str(tmp_path / "clean"))
    pins = ranges((project / PINS).read_text().splitlines())
    wanted = [f"{next(iter(pins[name])).version}" for name in ("torch", "torchvision", "numpy", "matplotlib")]
    assert [version.partition("+")[0] for version in found.split()] == wanted
    assert f"torch {found.split()[0]}, Python" in printed(next(cell for cell in cells if cell.id == "given-2"))
