"""The check before handing in: what a student's notebook lacks, and the file to hand in.

`check` is the notebook's last cell. It looks and says; it changes neither the notebook nor the student's kernel, and it
knows nothing of grades.
"""

import contextlib
import datetime
import os
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

from tqdm import tqdm

from gcnn.clean_start import LIMIT
from gcnn.environment import grading, in_notebook
from gcnn.examine import Examination, unsaved
from gcnn.locate import HAND_IN, Notebook, NotebookProblem, find, session_names
from gcnn.released import Released, release
from gcnn.session import about_redefined

MOST = 8  # items of a list that are shown
_SAVE = "save the notebook (Ctrl+S, on a Mac ⌘S) and run this cell again"


def check(notebook: str | os.PathLike | None = None, *, clean_start: bool = True) -> None:
    """Say what is untouched, changed, lost or failing in the notebook, and make the file to hand in.

    The file is run from top to bottom in a fresh kernel, with trainings of a single step, in about 20 seconds. Your
    own kernel goes on as it is. What can go wrong is said in a sentence; nothing is raised.

    Args:
        notebook: its file; by default the notebook in which this is called.
        clean_start: whether to run it.
    """
    if grading():
        print("The check before handing in has nothing to do while a grader runs the notebook.")
        return
    try:
        found = find(notebook)
        seen = Examination(found.cells, release())
        _say_when_saved(found, seen)
        _say_answers(seen)
        _say_cells(seen)
        _say_names()
        if clean_start:
            _say_clean_start(seen)
        _say_file(found, seen)
    except NotebookProblem as problem:
        print(problem)
        return
    print("\nThis is not a grade: when your work is graded, hidden tests follow.")


def _listed(items: list[str]) -> str:
    """The first few items, a line each."""
    lines = [f"   - {item}" for item in items[:MOST]]
    return "\n".join([*lines, f"   - and {len(items) - MOST} more"] if len(items) > MOST else lines)


def _say_when_saved(notebook: Notebook, seen: Examination) -> None:
    """Say which file is looked at, and whether it may be older than what is on the screen."""
    if notebook.path is None:
        print("Checking the notebook as it is on the screen.")
        return
    saved = datetime.datetime.fromtimestamp(notebook.path.stat().st_mtime)
    minutes = max(0, int((datetime.datetime.now() - saved).total_seconds() // 60))
    ago = "less than a minute ago" if not minutes else f"{minutes} min ago" if minutes < 90 else f"{saved:%d %B}"
    print(f"Checking {notebook.path}, last saved at {saved:%H:%M:%S} ({ago}).")
    _say(f"Only what is saved counts: if you have changed anything since, {_SAVE}.", indent="")
    history = [str(code) for code in session_names().get("In", [])]
    if older := unsaved(seen, history):
        which = ", ".join(map(str, older))
        _say(f"Not saved, it seems, or not run since you changed it: {which}. So {_SAVE}.", indent="")


def _say_answers(seen: Examination) -> None:
    there, of = seen.exercises("begun", "written"), len(seen.states)
    print(f"\n1. Your answers: {len(there)} of {of} exercises have one.")
    for words, state in (
        ("Untouched", "untouched"),
        ("Begun, but `raise NotImplementedError()` or YOUR ANSWER HERE still stands in them", "begun"),
        (
            "Their cells cannot be found, so nothing is graded there; copy them from the notebook that you got",
            "missing",
        ),
    ):
        if exercises := seen.exercises(state):
            _say(f"{words}: {'; '.join(map(str, exercises))}.")
    if seen.repeated:
        several = "; ".join(map(str, seen.repeated))
        last = "Keep one of each: as a rule the last before its tests is graded."
        _say(f"Answered in several cells: {several}. {last}")


def _say(text: str, indent: str = "   ") -> None:
    """Print what stands under a point, in lines that fit a notebook: it would break long ones inside words."""
    indents = {"initial_indent": indent, "subsequent_indent": 6 * " "}
    print(textwrap.fill(text, 88, **indents, break_long_words=False, break_on_hyphens=False))


def _say_cells(seen: Examination) -> None:
    if not seen.changed and not seen.lost:
        print("\n2. The course's own cells: all are there, as they were given.")
        return
    print("\n2. The course's own cells: these are not as they were given.")

    def some(cells: list[Released], *roles: str) -> list[str]:
        return [seen.called(cell) for cell in cells if cell.role in roles]

    for word, cells in (("Changed", seen.changed), ("Lost", seen.lost)):
        if tests := some(cells, "tests"):
            _say(f"{word} test cells. They cost nothing, since the grader uses its own, but they tell you nothing:")
            print(_listed(tests))
        if others := some(cells, "given", "training"):
            _say(f"{word} cells. The grader uses the course's own, so your answers must work with those:")
            print(_listed(others))
    if len(seen.changed) + len(seen.lost) > len(seen.own) // 2:
        _say("These are many. Is the notebook of another year or version than the installed package gcnn?")
    else:
        _say("To mend this, copy these cells from the notebook that you got.")


def _say_names() -> None:
    """Say which of the course's names mean something else in this session."""
    if words := about_redefined():
        _say(words)


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """A bar on stdout where somebody watches."""
    watched = in_notebook() or sys.stdout.isatty()
    with tqdm(file=sys.stdout, disable=not watched, desc="   running", unit="cell", leave=False, ncols=80) as bar:

        def show(done: int, of: int) -> None:
            bar.total = of
            bar.update(done - bar.n)

        yield show


def _say_clean_start(seen: Examination) -> None:
    print("\n3. From a clean start: the saved file runs in a kernel of its own, with trainings of a single step.")
    try:
        with _progress() as show:
            failing = seen.from_a_clean_start(LIMIT, show)
    except RuntimeError as error:
        _say(f"This was left out: {error}.")
        return
    except KeyboardInterrupt:
        print("   You stopped this: nothing is known about a clean start.")
        return
    left_out = ", and those that need an exercise without an answer" if seen.waiting else ""
    ran = f"Tests of trained networks' accuracy{left_out} were left out."
    if not failing:
        _say(f"Every cell that was run works from top to bottom. {ran}")
        return
    _say(f"{'This cell fails' if len(failing) == 1 else 'These cells fail'}. {ran}")
    print(_listed(failing))


def _say_file(notebook: Notebook, seen: Examination) -> None:
    """Make the file to hand in, if there is an answer in it, and say where it is."""
    name = seen.release.file
    print(f"\n4. The file to hand in must be called {name}.")
    if not seen.exercises("begun", "written"):
        print("   There is no answer in the notebook yet, so no file was made.")
        return
    if notebook.path is not None and notebook.path.parent.name == HAND_IN and notebook.path.name == name:
        print(f"   This is such a file: hand in {notebook.path}")
        return
    folder = notebook.folder / HAND_IN
    target = folder / name
    try:
        folder.mkdir(exist_ok=True)
        _write(target, notebook.data)
    except OSError as error:
        what = "this notebook" if notebook.path is None else notebook.path.name
        _say(
            f"It could not be written to {folder} ({error.strerror or error}): download {what} yourself, call it "
            f"{name}, and hand it in."
        )
        return
    print(f"   Hand in this copy of what is saved: {target}")
    if notebook.path is None:
        _download(target)


def _write(target: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    part = target.with_name(f".{target.name}.part")
    part.write_bytes(data)
    part.replace(target)


def _download(target: Path) -> None:
    """Let Colab's browser download a file."""
    try:
        from google.colab import files

        files.download(str(target))
        print("   Your browser downloads it now.")
    except Exception:
        print("   To download it, open the file browser on the left, and choose Download in its menu.")
