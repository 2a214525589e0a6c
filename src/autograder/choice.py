"""Which of a hand-in's notebooks is meant: by its name, by the course's cells in it, and by how many it answers."""

import dataclasses
import difflib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from nbformat import NotebookNode

from autograder.errors import is_of_the_machine
from autograder.exercises import EXERCISES
from autograder.repair import Reading, read_file

MAX_CANDIDATES = 20  # notebooks that are looked at where the assignment's own is missing
_STUB = re.compile(r"YOUR (CODE|ANSWER) HERE")
_HEADING = re.compile(r"^#+ *Exercise (\d[\w.]*)", re.MULTILINE)


def choose(folder: Path, wanted: Path) -> tuple[Path, Reading, tuple[str, ...]]:
    """The notebook that counts, what is in it, and why it is that one.

    It is the one of the assignment's name. Where that is missing, cannot be read or is as it was released, another one
    may be what the student means: the only one that there is, or the one that answers most.
    """
    own = read_file(wanted) if wanted.is_file() else Reading()
    others = sorted(_candidates(folder, wanted), key=lambda path: (-_likeness(path, wanted), path.as_posix()))
    names = ", ".join(repr(shown(path, folder)) for path in others[:5]) + (", …" if len(others) > 5 else "")
    also = (f"{wanted.name} counts, which has the assignment's name; also handed in: {names}",) if others else ()
    if own.notebook and (not others or _answered(own.notebook) > 0 or not _claims(own.notebook)):
        return wanted, own, also
    ranks: dict[Path, tuple[int, int]] = {}
    reasons: dict[Path, str] = {}
    for path in others[:MAX_CANDIDATES]:  # each may be large: none is kept
        reading = read_file(path)
        if reading.notebook is None:
            reasons[path] = reading.unreadable
        elif own.notebook is None or _answered(reading.notebook) > 0:
            ranks[path] = _recognised(reading.notebook), _answered(reading.notebook)
    if not ranks and own.notebook:
        return wanted, own, also
    if not ranks:
        reason = own.unreadable or f"there is no notebook {wanted.name}"
        for path in list(reasons)[:1]:
            reason += f", and {shown(path, folder)!r} cannot be read either: {reasons[path]}"
        return wanted, dataclasses.replace(own, unreadable=reason), ()
    best = max(ranks, key=lambda path: ranks[path])  # of equals, the first: the one whose name is most alike
    why = f"there is no notebook {wanted.name}"
    if own.unreadable:
        why = f"{wanted.name} cannot be read ({own.unreadable})"
    elif own.notebook:
        why = f"{wanted.name} is as it was released"
    why += f": {shown(best, folder)!r} counts in its place"
    if len(ranks) > 1:
        (recognised, answered), rivals = ranks[best], list(ranks.values()).count(ranks[best])
        most = "its name is most like the assignment's" if rivals > 1 else "most of the assignment is in it"
        why += f", of {len(ranks)} notebooks, since {most} ({recognised} exercises, {answered} of them answered)"
    return best, read_file(best), (why,)


def _candidates(folder: Path, wanted: Path) -> Iterator[Path]:
    """The other notebooks in a hand-in, by their names."""
    for parent, folders, files in walk(folder):
        folders[:] = [name for name in folders if not name.startswith((".", "__MACOSX"))]
        for path in (Path(parent, name) for name in files):
            if re.fullmatch(r"[^.].*\.ipynb(\.txt|\.json)?", path.name, re.IGNORECASE | re.DOTALL) and path != wanted:
                yield path


def _likeness(path: Path, wanted: Path) -> float:
    return difflib.SequenceMatcher(None, path.name[:100].lower(), wanted.name.lower()).ratio()


def _recognised(notebook: NotebookNode) -> int:
    """How many exercises of the course a notebook has, by their ids or their headings."""
    numbers = {number for cell in notebook.cells for number in _HEADING.findall(cell.source[:2000])}
    claims = _claims(notebook)
    return sum(exercise.number in numbers or key in claims for key, exercise in EXERCISES.items())


def _answered(notebook: NotebookNode) -> int:
    """How many of the answers that can be told by their ids are no stubs any more."""
    return sum(any(not _STUB.search(text) for text in texts) for texts in _claims(notebook).values())


def _claims(notebook: NotebookNode) -> dict[str, list[str]]:
    """The texts of the cells that have an answer's id, by the exercise."""
    claims: dict[str, list[str]] = {}
    for cell in notebook.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        if name in EXERCISES:
            claims.setdefault(name, []).append(cell.source)
    return claims


def walk(folder: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """All folders, as `os.walk` gives them, which would pass over what the machine cannot read just now."""

    def raise_the_machines(error: OSError) -> None:
        if is_of_the_machine(error):
            raise error

    return os.walk(folder, onerror=raise_the_machines)


def shown(path: Path, folder: Path) -> str:
    """A file's name as it may be shown: one line of printable characters."""
    name = path.relative_to(folder).as_posix()
    return "".join(c if c.isprintable() else "\ufffd" for c in name)[-80:]
