"""A student's machine: Python with everything but the course's own two packages, in which a notebook runs offline."""

import os
import subprocess
import venv
from pathlib import Path

import nbformat

# No part of these packages is what a student's machine has; pip is each environment's own.
_NOT_THERE = ("gcnn", "autograder", "__editable__", "pip", "_distutils", "distutils", "__pycache__")
_SHORTER = """\
def _shorter(*_):
    import dataclasses
    import sys

    if "gcnn.budgets" in sys.modules:
        budgets = sys.modules["gcnn.budgets"].BUDGETS
        budgets["standard"] = dataclasses.replace(budgets["standard"], epochs={epochs})
        get_ipython().events.unregister("post_run_cell", _shorter)


get_ipython().events.register("post_run_cell", _shorter)
"""


def make_environment(folder: Path, packages: Path) -> Path:
    """Make an environment with what is installed in another one, but for the course's own packages.

    The packages are links, since installing torch anew for each test would take minutes.

    Args:
        folder: where to; it must not be there yet.
        packages: the other one's ``site-packages``.

    Returns:
        The environment's Python.
    """
    venv.create(folder, with_pip=True)
    links = folder / "links"
    links.mkdir()
    for path in packages.iterdir():
        if not path.name.startswith(_NOT_THERE):
            (links / path.name).symlink_to(path)
    (own,) = folder.glob("lib/python3*/site-packages")
    (own / "others.pth").write_text(f"{links}\n")
    return folder / "bin" / "python"


def variables(home: Path) -> dict[str, str]:
    """The environment variables of somebody who has a home of their own and no index of packages."""
    kept = {key: value for key, value in os.environ.items() if key not in ("NBGRADER_EXECUTION", "PYTHONPATH")}
    return {**kept, "PIP_NO_INDEX": "1", "HOME": str(home), "IPYTHONDIR": str(home / ".ipython")}


def offline(*command: str | Path) -> list[str]:
    """A command that runs without a network, as bubblewrap's child."""
    return ["bwrap", "--dev-bind", "/", "/", "--unshare-net", "--die-with-parent", "--", *map(str, command)]


def run(
    python: Path, path: Path, notebook: nbformat.NotebookNode, timeout: float, epochs: float | None = None
) -> nbformat.NotebookNode:
    """Write a notebook, run it from top to bottom as Jupyter would, without a network, and return it with its outputs.

    Args:
        python: the environment's.
        path: the notebook's file; its folder is where the kernel works, and the student's home.
        notebook: what to write.
        timeout: seconds for all of it.
        epochs: how long a training of the budget "standard" is; by default what it says. The student's own IPython sees
            to that, so that the notebook stays what it is.
    """
    nbformat.write(notebook, path)
    startup = path.parent / ".ipython" / "profile_default" / "startup"
    if epochs is not None:
        startup.mkdir(parents=True, exist_ok=True)
        (startup / "shorter.py").write_text(_SHORTER.format(epochs=epochs))
    execute = "from nbclient.cli import main; main()"  # what the command `jupyter execute` runs
    command = offline(python, "-c", execute, "--inplace", "--allow-errors", "--timeout=-1", path)
    done = subprocess.run(
        command,
        cwd=path.parent,
        env=variables(path.parent),
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )
    assert done.returncode == 0, done.stderr
    return nbformat.read(path, as_version=4)


def errors(cells: list[nbformat.NotebookNode]) -> dict[str, str]:
    """Each cell that failed, with its error."""
    return {
        cell.get("id"): f"{output.ename}: {output.evalue}"
        for cell in cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.output_type == "error"
    }


def on_stderr(cells: list[nbformat.NotebookNode]) -> dict[str, str]:
    """Each cell that wrote to stderr, with what it wrote."""
    return {
        cell.id: output.text for cell in cells for output in cell.get("outputs", []) if output.get("name") == "stderr"
    }


def told(cell: nbformat.NotebookNode) -> str:
    """What a cell showed as plain text."""
    return "".join(str(output.get("data", {}).get("text/plain", "")) for output in cell.outputs)


def printed(cell: nbformat.NotebookNode) -> str:
    """What a cell printed; a kernel may send it in any number of pieces."""
    return "".join(output.get("text", "") for output in cell.outputs if output.get("name") == "stdout")
