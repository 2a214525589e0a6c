"""A student's machine: the bundle in an environment that has neither the course's package nor the autograder."""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import nbformat
import pytest
from students_machine import errors, make_environment, on_stderr, printed, run, told

from autograder.bundle import make_bundle
from autograder.errors import CourseError
from autograder.notebooks import role
from autograder.submissions import read_sample

NETWORKS = "c4cnn isotropic-cnn c4cnn-bn d4cnn"


@pytest.fixture
def environment(tmp_path):
    """An environment with everything installed but the project's own two packages; the path of its Python."""
    return make_environment(tmp_path / "clean", Path(sysconfig.get_path("purelib")))


def test_the_bundle_holds_the_notebook_and_the_wheel(bundle):
    """Are there the release, one wheel, a README that names them and what is needed, and in the wheel no secret?"""
    names = sorted(path.name for path in bundle.iterdir())
    (wheel,) = bundle.glob("gcnn-*.whl")
    assert names == sorted(["README.md", wheel.name, "gcnn.ipynb", "requirements.txt"])
    assert wheel.name in (bundle / "README.md").read_text() and "gcnn.ipynb" in (bundle / "README.md").read_text()
    needs = (bundle / "requirements.txt").read_text().split("\n")
    assert "torch>=2.6" in needs and not [need for need in needs if "nbgrader" in need]
    listed = subprocess.run([sys.executable, "-m", "zipfile", "-l", wheel], capture_output=True, text=True)
    for needed in ("digits/train.npz", "plots/curves.py", "release.json", "diagnosis/variants.json"):
        assert f"gcnn/{needed}" in listed.stdout
    assert "autograder" not in listed.stdout and "hidden" not in listed.stdout


def test_the_address_of_the_package_is_set_in_one_place(project, tmp_path):
    """Does an instructor's address get into the notebook's first code cell, and is nothing else changed?"""
    command = [Path(sys.executable).parent / "autograder", "student", "--root", project, "--out", tmp_path / "with"]
    address = "https://example.org/files/gcnn-0.1.0.whl"
    done = subprocess.run([*command, "--url", address], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    new = nbformat.read(tmp_path / "with" / "gcnn.ipynb", as_version=4)
    old = nbformat.read(project / "release" / "gcnn" / "gcnn.ipynb", as_version=4)
    changed = [(a.source, b.source) for a, b in zip(new.cells, old.cells, strict=True) if a.source != b.source]
    (wheel,) = (tmp_path / "with").glob("gcnn-*.whl")
    line = f'GCNN_URL = "https://example.org/files/{wheel.name}"'
    assert [a.replace(line, 'GCNN_URL = ""') for a, _ in changed] == [b for _, b in changed]
    assert len(changed) == 1
    done = subprocess.run([*command, "--url", "https://example.org/files"], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "the address of a folder, which ends in /" in done.stderr


@pytest.mark.parametrize("end", ["", "gcnn-0.1.0-py3-none-any.whl"])
def test_the_address_of_a_folder_gets_the_wheels_name(project, tmp_path, end):
    """Is the file's name, which tells its content, put behind a folder's address and in place of an earlier one?"""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell('GCNN_URL = ""')])
    make_bundle(project, notebook, "gcnn.ipynb", tmp_path, f"https://example.org/course/{end}")
    (wheel,) = tmp_path.glob("gcnn-*.whl")
    (cell,) = nbformat.read(tmp_path / "gcnn.ipynb", as_version=4).cells
    assert cell.source == f'GCNN_URL = "https://example.org/course/{wheel.name}"'


def test_the_version_tells_the_content(project, tmp_path):
    """Does the same content give the same file at another time, and a changed line another version?"""
    folder, made = tmp_path / "project", []
    shutil.copytree(project / "src" / "gcnn", folder / "src" / "gcnn", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        if (project / name).exists():
            shutil.copy(project / name, folder)
    for age, line in enumerate(("", "", "CORRECTED = True\n")):
        with open(folder / "src" / "gcnn" / "rings.py", "a") as file:
            file.write(line)
        for path in folder.rglob("*.py"):
            os.utime(path, (1_700_000_000 + 1000 * age,) * 2)
        make_bundle(folder, nbformat.v4.new_notebook(), "gcnn.ipynb", tmp_path / f"{age}")
        (wheel,) = (tmp_path / f"{age}").glob("gcnn-*.whl")
        assert re.fullmatch(r"gcnn-0\.1\.0\.post\d+-py3-none-any\.whl", wheel.name)
        made.append((wheel.name, wheel.read_bytes()))
    assert made[0] == made[1] and made[0][0] != made[2][0]


def test_the_readmes_commands_can_be_typed(bundle):
    """Has each system a block of its own, without what its shell does not understand?"""
    windows, others = re.findall(r"```\n(.*?)```", (bundle / "README.md").read_text(), re.DOTALL)
    assert "gcnn-course\\Scripts\\pip install" in windows and "/bin/" not in windows
    assert "gcnn-course/bin/pip install" in others and "Scripts" not in others
    assert "#" not in windows + others


def test_a_package_with_a_secret_is_not_made(project, tmp_path):
    """Is a package refused, and not left behind, that holds what no student may see?"""
    package = tmp_path / "leaky" / "src" / "gcnn"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "hidden_digits.py").write_text("secret = 1\n")
    (tmp_path / "leaky" / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "gcnn"\nversion = "9"\n[tool.setuptools.packages.find]\nwhere = ["src"]\n'
    )
    notebook = nbformat.v4.new_notebook(cells=[])
    with pytest.raises(CourseError, match=r"would hold gcnn/hidden_digits\.py, which no student may see"):
        make_bundle(tmp_path / "leaky", notebook, "gcnn.ipynb", tmp_path / "out")
    assert list((tmp_path / "out").glob("*.whl")) == []


def test_parts_1_and_2_run_where_the_grader_is_not(bundle, environment, project, source, tmp_path):
    """Does the set-up cell install the wheel without a network, and does everything up to the networks run?"""
    text = tmp_path / "passes_parts_1_and_2.py"
    text.write_text(f'# %% [markdown] start="model" without="{NETWORKS}"\n')
    notebook = read_sample(text, source).notebook
    first = next(i for i, cell in enumerate(notebook.cells) if cell.id == "c4cnn")
    probe = (
        "import importlib.util\nprint(importlib.util.find_spec('autograder'), importlib.util.find_spec('gcnn').origin)"
    )
    notebook.cells[first:] = [nbformat.v4.new_code_cell(probe, id="probe")]
    cells = run(environment, bundle / "gcnn.ipynb", notebook, timeout=500).cells
    assert errors(cells) == {}
    found = printed(cells[-1]).split()
    assert found[0] == "None" and found[1].startswith(str(environment.parents[1]))
    assert on_stderr(cells) == {}
    free = [cell for cell in cells if role(cell) == "playground"]
    assert [cell.id for cell in free if not cell.outputs] == []
    assert sum("image/png" in o.get("data", {}) for cell in free for o in cell.outputs) >= 8
    checked = {name: told(cell) for cell in free if (name := cell.source.partition("(")[0]).startswith("checks.")}
    assert len(checked) == 6
    assert [name for name, text in checked.items() if "All public checks of" not in text] == []


def test_what_cannot_be_installed_is_said_each_time(bundle, environment, project):
    """With a package missing and no network, does the set-up cell say so, also when the wheel is installed already?"""
    link = environment.parents[1] / "links" / "torchvision"
    kept = link.readlink()
    link.unlink()
    notebook = nbformat.read(project / "release" / "gcnn" / "gcnn.ipynb", as_version=4)
    set_up = next(cell for cell in notebook.cells if "GCNN_URL" in cell.source)
    again = nbformat.v4.new_code_cell(set_up.source, id="again")
    back = nbformat.v4.new_code_cell(f"Path({str(link)!r}).symlink_to({str(kept)!r})\n{set_up.source}", id="back")
    notebook.cells = [set_up, again, back, nbformat.v4.new_code_cell("import gcnn.environment", id="use")]
    failed = errors(run(environment, bundle / "gcnn.ipynb", notebook, timeout=300).cells)
    assert list(failed) == [set_up.id, "again"]
    for words in failed.values():
        assert "pip could not install torchvision>=" in words and "connected to the internet" in words
        assert f" torch=={importlib.metadata.version('torch')}. " in words  # what is here must stay
