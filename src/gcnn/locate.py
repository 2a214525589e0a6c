"""Finds the notebook that a student is working in, wherever that is, and reads it.

Colab is asked for what is on the screen. VS Code and Jupyter say which file it is. Elsewhere it is the only notebook of
the course in the working directory. A file is read as plain JSON, so that nothing but Python is needed.
"""

import dataclasses
import json
import os
import sys
from pathlib import Path
from typing import Any

from gcnn.environment import platform_name
from gcnn.released import Cell, Match, release

HAND_IN = "hand-in"
_NAME_IT = 'submission.check("{}")'.format  # as the notebook's last cell calls it


class NotebookProblem(Exception):
    """There is no notebook to check; the message says why and what to do."""


@dataclasses.dataclass(frozen=True)
class Notebook:
    """A student's notebook."""

    cells: tuple[Cell, ...]
    """Its cells."""
    data: bytes
    """What its file holds, or would hold."""
    path: Path | None
    """Its file; none where it came from Colab's screen."""

    @property
    def folder(self) -> Path:
        """The folder in which it lies."""
        return Path.cwd() if self.path is None else self.path.parent


def _shell() -> Any:
    """IPython's object for the student's session; ``None`` outside of one."""
    return sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None


def session_names() -> dict[str, Any]:
    """What is defined in the student's kernel; empty outside of one."""
    shell = _shell()
    return {} if shell is None else shell.user_ns


def find(path: str | os.PathLike | None = None) -> Notebook:
    """The notebook in which this is called, or another one.

    Args:
        path: its file; by default it is found.

    Raises:
        NotebookProblem: there is none, there are several, or what there is cannot be used.
    """
    if path is not None:
        return _ours(Path(path))
    if (shown := _from_colab()) is not None:
        return shown
    named = session_names().get("__vsc_ipynb_file__") or os.environ.get("JPY_SESSION_NAME", "")
    if str(named).endswith(".ipynb") and Path(named).is_file():
        return _ours(Path(named))
    return _only_one(Path.cwd())


def _only_one(folder: Path) -> Notebook:
    files = sorted(path for path in folder.glob("*.ipynb") if path.is_file())
    if not files:
        if platform_name() == "Kaggle":
            raise NotebookProblem(
                "Kaggle keeps your notebook where this cell cannot see it: choose File → Download Notebook, upload the "
                f"file with + Add Input, and run {_NAME_IT('/kaggle/input/…/gcnn.ipynb')}."
            )
        raise NotebookProblem(
            f"There is no notebook in {folder}: say where yours is, as in {_NAME_IT('folder/gcnn.ipynb')}."
        )
    ours, problems = [], []
    for file in files:
        try:
            ours.append(_ours(file))
        except NotebookProblem as problem:
            problems.append(problem)
    if len(ours) > 1:
        names = ", ".join(notebook.path.name for notebook in ours)
        raise NotebookProblem(
            f"There are several notebooks of this course here ({names}): name the one that you want to hand in, "
            f"as in {_NAME_IT(ours[0].path.name)}."
        )
    if ours:
        return ours[0]
    if len(problems) == 1:
        raise problems[0]
    names = ", ".join(file.name for file in files)
    raise NotebookProblem(f"None of the notebooks here ({names}) is this course's: name yours, {_NAME_IT('FILE')}.")


def _ours(path: Path) -> Notebook:
    """The course's notebook in a file.

    Raises:
        NotebookProblem: there is none.
    """
    path = path.expanduser().resolve()
    if path.is_dir():
        raise NotebookProblem(
            f"{path} is a folder: name the notebook in it, {_NAME_IT(f'{path.name}/{release().file}')}."
        )
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise NotebookProblem(f"There is no file {path}: check the name, and save the notebook first.") from None
    except OSError as error:
        raise NotebookProblem(f"{path} cannot be read ({error.strerror}): copy it to a folder of your own.") from error
    try:
        cells = _cells(json.loads(data))
    except (ValueError, RecursionError) as error:
        raise NotebookProblem(
            f"{path.name} is damaged or no notebook ({error}): save it once more in your browser, and if that does not "
            "help, go back to a version that opens (in JupyterLab: File → Revert Notebook to Checkpoint)."
        ) from error
    if not Match(cells, release()).of_the_course:
        raise NotebookProblem(
            f"{path.name} is another notebook, not this course's: name yours, as in {_NAME_IT(release().file)}."
        )
    return Notebook(cells, data, path)


def _cells(document: Any) -> tuple[Cell, ...]:
    """The cells of a notebook's JSON.

    Raises:
        ValueError: it is no notebook of format 4.
    """
    if not isinstance(document, dict) or not isinstance(document.get("cells"), list):
        raise ValueError("it has no cells")
    return tuple(Cell.read(cell) for cell in document["cells"])


def _from_colab() -> Notebook | None:
    """The notebook on Colab's screen; ``None`` elsewhere.

    Raises:
        NotebookProblem: Colab did not give it, or it is not the course's.
    """
    if not type(_shell()).__module__.startswith("google.colab"):  # the package google.colab is on Kaggle as well
        return None
    download = "choose File → Download → Download .ipynb, and hand in that file"
    try:
        from google.colab import _message

        document = _message.blocking_request("get_ipynb", timeout_sec=30)["ipynb"]
        cells = _cells(document)
    except Exception as error:
        raise NotebookProblem(
            f"Colab did not show its notebook to this cell ({type(error).__name__}): run it once more, or {download}."
        ) from error
    if not Match(cells, release()).of_the_course:
        raise NotebookProblem("The notebook on the screen is not this course's: open yours and run this cell there.")
    return Notebook(cells, json.dumps(document, ensure_ascii=False, indent=1).encode(), None)
