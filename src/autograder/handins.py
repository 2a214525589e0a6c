"""Hostile hand-ins that no sample's text can express: what lies in the folder, and the notebook's own file.

Each starts from an honest notebook that answers two exercises rightly, and must earn exactly these points, or, where no
notebook can be read, none. `autograder.attacks` grades them.
"""

import contextlib
import dataclasses
import json
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from autograder.notebooks import ASSIGNMENT, role
from autograder.submissions import Sample, solved

ANSWERED = frozenset({"c4", "rotate-p4"})
MARK = "hostile-sample-was-here"


def honest(source: NotebookNode, answered: frozenset[str] = ANSWERED, name: str = "honest") -> Sample:
    """The release with the model's answers to some exercises, and nothing else."""
    return Sample(name, solved(source, answered), answered, frozenset())


@dataclasses.dataclass(frozen=True)
class HandIn:
    """One hostile hand-in."""

    name: str
    """The student's name."""
    what: str
    """What it tries, in a sentence."""
    build: Callable[[Path, NotebookNode], None]
    """Fills the hand-in's folder, which is there and empty, from an honest notebook."""
    readable: bool = True
    """Whether the honest answers are still to be found in it."""

    def sample(self, source: NotebookNode) -> Sample:
        """The honest notebook, and what the hand-in must earn."""
        start = honest(source, name=self.name)
        return start if self.readable else dataclasses.replace(start, attempted=frozenset())


HANDINS: list[HandIn] = []


def _hand_in(what: str, readable: bool = True) -> Callable:
    def register(build: Callable[[Path, NotebookNode], None]) -> Callable[[Path, NotebookNode], None]:
        HANDINS.append(HandIn(f"handin__{build.__name__.strip('_')}", what, build, readable))
        return build

    return register


def _write(folder: Path, notebook: object) -> None:
    # Not nbformat's: it would refuse what is malformed.
    (folder / f"{ASSIGNMENT}.ipynb").write_text(json.dumps(notebook), encoding="utf-8")


def _tests(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if role(cell) == "tests"]


@_hand_in("Holds links: to the gradebook, to the machine's users, to another student's folder, to itself, to nothing.")
def links(folder: Path, notebook: NotebookNode) -> None:
    """Symbolic and hard links beside an honest notebook."""
    _write(folder, notebook)
    course = folder.parents[2]
    for name, target in {
        "gradebook.txt": course / "gradebook.db",
        "users": Path("/etc/passwd"),
        "neighbour": folder.parents[1] / "bystander",
        "everything": Path("/"),
        "itself": folder / "itself",
        "above": folder,
        "nothing": Path("/nothing/there"),
    }.items():
        (folder / name).symlink_to(target)
    for canary in folder.parents[1].glob("bystander/*/hostile-canary*"):
        (folder / "canary.txt").symlink_to(canary)
        os.link(canary, folder / "hard.txt")


@_hand_in("Holds a link whose name is as long as names may be: whoever moves it under a longer one fails.")
def link_of_a_long_name(folder: Path, notebook: NotebookNode) -> None:
    """A link that cannot be given a longer name, before other links."""
    _write(folder, notebook)
    for canary in folder.parents[1].glob("bystander/*/hostile-canary*"):
        for name in ("0" * 255, "1.txt"):
            (folder / name).symlink_to(canary)


@_hand_in("Its notebook is a link to another student's.", readable=False)
def notebook_is_a_link(folder: Path, notebook: NotebookNode) -> None:
    """A link in the notebook's place."""
    (folder / f"{ASSIGNMENT}.ipynb").symlink_to(folder.parents[1] / "bystander" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb")


@_hand_in("Its folder is a link to another student's.", readable=False)
def folder_is_a_link(folder: Path, notebook: NotebookNode) -> None:
    """A link in the place of the hand-in."""
    folder.rmdir()
    folder.symlink_to(folder.parents[1] / "bystander" / ASSIGNMENT)


@_hand_in("Its notebook is a FIFO, at which whoever reads would wait for ever.", readable=False)
def notebook_is_a_fifo(folder: Path, notebook: NotebookNode) -> None:
    """A FIFO in the notebook's place."""
    os.mkfifo(folder / f"{ASSIGNMENT}.ipynb")


@_hand_in("Its notebook is a folder, with a notebook in it.", readable=False)
def notebook_is_a_folder(folder: Path, notebook: NotebookNode) -> None:
    """A folder in the notebook's place."""
    inner = folder / f"{ASSIGNMENT}.ipynb"
    inner.mkdir()
    _write(inner, notebook)


@_hand_in("Holds FIFOs, a socket and a device, at which whoever copies them would wait for ever.")
def fifos(folder: Path, notebook: NotebookNode) -> None:
    """What is no plain file beside an honest notebook."""
    _write(folder, notebook)
    os.mkfifo(folder / "fifo")
    (folder / "deeper").mkdir()
    os.mkfifo(folder / "deeper" / "timestamp.txt")
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as listener:  # a path has about 100 characters
        listener.bind(str(folder / "socket"))
    with contextlib.suppress(OSError):
        os.mknod(folder / "zero", stat.S_IFCHR | 0o666, os.makedev(1, 5))


@_hand_in("Raises the points of its tests, and gives points to its answers and to cells of its own.")
def points_raised(folder: Path, notebook: NotebookNode) -> None:
    """Changed points."""
    for cell in notebook.cells:
        if "nbgrader" in cell.metadata:
            cell.metadata.nbgrader.update(points=1000, grade=True, locked=False)
    own = nbformat.v4.new_code_cell("pass", id="mine")
    own.metadata = {"nbgrader": {**_tests(notebook)[0].metadata.nbgrader, "grade_id": "mine", "points": 1e9}}
    notebook.cells.insert(3, own)
    _write(folder, notebook)


@_hand_in("Tags its tests so that a runner skips them, takes their grade flags away, and names a kernel of its own.")
def tests_skipped(folder: Path, notebook: NotebookNode) -> None:
    """Changed tags, flags and kernel."""
    for number, cell in enumerate(_tests(notebook)):
        cell.metadata["tags"] = ["skip-execution", "raises-exception", "remove_cell", "remove_input"]
        cell.metadata.nbgrader["grade"] = False
        if number % 2:
            cell.cell_type, _ = "raw", cell.pop("outputs", None)
            cell.pop("execution_count", None)
    notebook.metadata["kernelspec"] = {"name": "bash", "display_name": "Bash", "language": "bash", "argv": ["/bin/sh"]}
    notebook.metadata["course"] = {"evidence": {"outcomes": {}}, "names": [], "repairs": []}
    notebook.metadata["jupytext"] = {"cell_markers": "region,endregion"}
    _write(folder, notebook)


@_hand_in("Holds every cell twice with the same id, tests that pass among them, and answers under other answers' ids.")
def ids_repeated(folder: Path, notebook: NotebookNode) -> None:
    """Duplicated ids."""
    twins = [nbformat.from_dict(cell) for cell in notebook.cells]
    for cell in twins:
        if role(cell) == "tests":
            cell.source = "pass"
        elif role(cell) == "answer" and cell.id not in ANSWERED:
            cell.metadata.nbgrader["grade_id"] = "c4"
            cell.source = "C4 = None"
    notebook.cells += twins
    _write(folder, notebook)


@_hand_in("Deletes some tests, empties others, and moves the rest before the answers.")
def tests_deleted(folder: Path, notebook: NotebookNode) -> None:
    """Deleted and moved test cells."""
    tests = _tests(notebook)
    rest = [cell for cell in notebook.cells if role(cell) != "tests"]
    for cell in tests[1::2]:
        cell.source = "pass"
    notebook.cells = [*tests[1::2], *reversed(rest)]
    _write(folder, notebook)


@_hand_in("Claims schema and format numbers that no program knows, and metadata of wrong types.")
def numbers_unknown(folder: Path, notebook: NotebookNode) -> None:
    """Changed schema numbers."""
    for number, cell in enumerate(notebook.cells):
        if "nbgrader" in cell.metadata:
            cell.metadata.nbgrader["schema_version"] = (99, -1, "3", None, 1)[number % 5]
            cell.metadata.nbgrader["checksum"] = ["no", "checksum"]
    notebook.nbformat_minor = 99
    notebook.metadata["language_info"] = {"name": ["python"], "version": 4}
    _write(folder, notebook)


@_hand_in("Is written in an old format, in which cells have neither ids nor sources.")
def format_of_old(folder: Path, notebook: NotebookNode) -> None:
    """The notebook in nbformat 3."""
    cells = [
        {"cell_type": "code", "input": cell.source, "outputs": [], "language": "python", "metadata": {}, "collapsed": 0}
        if cell.cell_type == "code"
        else {"cell_type": "markdown", "source": cell.source, "metadata": {}}
        for cell in notebook.cells
    ]
    _write(
        folder, {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": cells, "metadata": {}}]}
    )


@_hand_in("Holds outputs that claim success, scores and scripts for every test.")
def outputs_forged(folder: Path, notebook: NotebookNode) -> None:
    """Forged outputs."""
    for cell in _tests(notebook):
        cell.execution_count = 1
        cell.outputs = [
            {"output_type": "execute_result", "data": {"text/plain": "1000"}, "metadata": {}, "execution_count": 1},
            {"output_type": "stream", "name": "stdout", "text": "All public checks passed.\n"},
            {"output_type": "display_data", "data": {"text/html": "<script>alert(1)</script>"}, "metadata": {}},
        ]
    _write(folder, notebook)


@_hand_in("Holds lone surrogates, null characters and pictures that are none, in cells of its own and in answers.")
def text_that_is_none(folder: Path, notebook: NotebookNode) -> None:
    """Text that UTF-8 cannot hold."""
    nasty = "\ud800 \x00 \x1b[2J \u202e <script>alert(1)</script> ![x](attachment:x.png)"
    notebook.cells.insert(2, nbformat.v4.new_code_cell(f"x = {nasty!r}; y = '{nasty}'", id="nasty"))
    words = nbformat.v4.new_markdown_cell(nasty, id="nasty-words")
    words.attachments = {"x.png": {"image/png": "<svg onload=alert(1)>"}, "../../x": {"text/html": nasty}}
    notebook.cells.insert(3, words)
    for cell in notebook.cells:
        if cell.id == "why-pool":
            cell.source = nasty.replace("![x](attachment:x.png)", "")
    _write(folder, notebook)


@_hand_in("Shows a picture that it does not hold, at which the page for its feedback cannot be made.")
def picture_missing(folder: Path, notebook: NotebookNode) -> None:
    """An attachment that is none."""
    for cell in notebook.cells:
        if cell.id == "why-pool":
            cell.source = "![turned](attachment:nowhere.png)"
    _write(folder, notebook)


@_hand_in("Holds cells without sources, metadata or types, and things that are no cells.")
def cells_that_are_none(folder: Path, notebook: NotebookNode) -> None:
    """Malformed cells."""
    notebook.cells[5:5] = [None, 3, "cell", {}, {"cell_type": "code"}, {"cell_type": [], "source": {}, "metadata": 3}]
    _write(folder, notebook)


@_hand_in("Has a notebook of another name only.")
def notebook_of_another_name(folder: Path, notebook: NotebookNode) -> None:
    """The honest notebook, renamed."""
    _write(folder, notebook)
    (folder / f"{ASSIGNMENT}.ipynb").rename(folder / "other.ipynb")


@_hand_in("Is no notebook but noise.", readable=False)
def noise(folder: Path, notebook: NotebookNode) -> None:
    """Bytes without a meaning."""
    (folder / f"{ASSIGNMENT}.ipynb").write_bytes(bytes(range(256)) * 1000)


@_hand_in("Is JSON nested without end.", readable=False)
def nested(folder: Path, notebook: NotebookNode) -> None:
    """Arrays in arrays."""
    (folder / f"{ASSIGNMENT}.ipynb").write_text('{"cells": ' + "[" * 1_000_000)


@_hand_in("Its notebook is gigantic: a gigabyte of nothing.", readable=False)
def gigantic(folder: Path, notebook: NotebookNode) -> None:
    """A sparse file of a gigabyte in the notebook's place."""
    with (folder / f"{ASSIGNMENT}.ipynb").open("wb") as file:
        file.write(b'{"cells": [')
        file.truncate(2**30)


@_hand_in("Holds a file that claims to be huge and would fill the grader's disk, many small ones, and deep folders.")
def files_without_end(folder: Path, notebook: NotebookNode) -> None:
    """A sparse file of two gigabytes, 500 files, and 60 folders in one another."""
    _write(folder, notebook)
    with (folder / "huge.bin").open("wb") as file:
        file.truncate(2 * 2**30)
    for number in range(500):
        (folder / f"{number}.txt").write_text("x")
    deep = folder.joinpath(*["deep"] * 60)
    deep.mkdir(parents=True)
    (deep / "bottom.txt").write_text("x")


@_hand_in("Holds files with the names of what a grader reads or imports: settings, start-up code, modules, secrets.")
def settings_of_its_own(folder: Path, notebook: NotebookNode) -> None:
    """Programs and settings that nobody may run."""
    _write(folder, notebook)
    program = f"open('/tmp/{MARK}', 'w').write('x')\n"
    for name in (
        *("sitecustomize.py", "usercustomize.py", "nbgrader_config.py", "jupyter_config.py", "ipython_config.py"),
        *("autograder/__init__.py", "autograder/reference.py", "alembic/env.py", "conftest.py", "nbgrader.py"),
        *(".ipython/profile_default/startup/0.py", "gradebook.db", ".course-secret", "gcnn_files/x.py"),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(program)


@_hand_in("Says when it was handed in, in words that no program understands.")
def timestamp_of_its_own(folder: Path, notebook: NotebookNode) -> None:
    """A damaged timestamp."""
    _write(folder, notebook)
    (folder / "timestamp.txt").write_bytes(b"yesterday\xff\x00, in any case before the deadline")
