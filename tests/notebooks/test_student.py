"""A student's machine: the bundle in an environment that has neither the course's package nor the autograder."""

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import nbformat
import pytest

from autograder.notebooks import role
from autograder.submissions import read_sample

NETWORKS = "c4cnn isotropic-cnn c4cnn-bn d4cnn"


@pytest.fixture(scope="module")
def bundle(project, tmp_path_factory):
    """What `make student` puts together."""
    folder = tmp_path_factory.mktemp("bundle")
    command = [Path(sys.executable).parent / "autograder", "student", "--root", project, "--out", folder]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture
def environment(tmp_path):
    """An environment with everything installed but the project's own two packages; the path of its Python.

    The others' packages are links, since installing torch anew for each test would take minutes.
    """
    folder, site = tmp_path / "venv", tmp_path / "site"
    venv.create(folder, with_pip=True)
    site.mkdir()
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if not path.name.startswith(
            ("gcnn", "autograder", "__editable__", "pip", "_distutils", "distutils", "__pycache__")
        ):
            (site / path.name).symlink_to(path)
    python = folder / "bin" / "python"
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    own = subprocess.run([python, "-c", where], capture_output=True, text=True, check=True).stdout.strip()
    (Path(own) / "others.pth").write_text(f"{site}\n")
    return python


def run(python, folder, notebook, timeout):
    """Run a notebook from top to bottom as Jupyter would, and return it with its outputs."""
    path = folder / "gcnn.ipynb"
    nbformat.write(notebook, path)
    variables = {key: value for key, value in os.environ.items() if key not in ("NBGRADER_EXECUTION", "PYTHONPATH")}
    variables |= {"PIP_NO_INDEX": "1", "HOME": str(folder), "IPYTHONDIR": str(folder / ".ipython")}
    execute = "from nbclient.cli import main; main()"  # what the command `jupyter execute` runs
    command = [python, "-c", execute, "--inplace", "--allow-errors", "--timeout=-1", path]
    done = subprocess.run(
        command, cwd=folder, env=variables, capture_output=True, text=True, check=False, timeout=timeout
    )
    assert done.returncode == 0, done.stderr
    return nbformat.read(path, as_version=4)


def errors(cells):
    """Each cell that failed, with its error."""
    return {
        cell.get("id"): f"{output.ename}: {output.evalue}"
        for cell in cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.output_type == "error"
    }


def test_the_bundle_holds_the_notebook_and_the_wheel(bundle):
    """Is there the release and one wheel, and in the wheel no solution, hidden digit or grader?"""
    names = sorted(path.name for path in bundle.iterdir())
    assert names[0].startswith("gcnn-") and names[0].endswith(".whl") and names[1:] == ["gcnn.ipynb"]
    listed = subprocess.run([sys.executable, "-m", "zipfile", "-l", bundle / names[0]], capture_output=True, text=True)
    assert "gcnn/digits/train.npz" in listed.stdout and "gcnn/plots/curves.py" in listed.stdout
    assert "autograder" not in listed.stdout and "hidden" not in listed.stdout


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
    cells = run(environment, bundle, notebook, timeout=500).cells
    assert errors(cells) == {}
    found = printed(cells[-1]).split()
    assert found[0] == "None" and found[1].startswith(str(environment.parents[1]))
    assert not [cell.id for cell in cells if any(o.get("name") == "stderr" for o in cell.get("outputs", []))]
    pictures = [cell for cell in cells if any("image/png" in o.get("data", {}) for o in cell.get("outputs", []))]
    assert len(pictures) == 7


def printed(cell):
    """What a cell printed; a kernel may send it in any number of pieces."""
    return "".join(output.get("text", "") for output in cell.outputs)


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_the_solved_notebook_runs_from_top_to_bottom(bundle, environment, project, source):
    """Does the whole solved notebook run in a student's budget without an error, with every public check passed?"""
    notebook = read_sample(project / "tests" / "submissions" / "passes_all.py", source).notebook
    cells = run(environment, bundle, notebook, timeout=2300).cells
    assert errors(cells) == {}
    tests = [cell for cell in cells if role(cell) == "tests"]
    assert len(tests) == 30
    assert [cell.id for cell in tests if "All public checks of" not in printed(cell)] == []
    pictures = sum("image/png" in o.get("data", {}) for cell in cells for o in cell.get("outputs", []))
    assert pictures >= 16
