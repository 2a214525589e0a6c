"""The release's card: what the student package knows of the release, so that students can check before they hand in.

The card is `src/gcnn/release.json`. For each cell of the release it has the id, what the cell is for, its exercise and
a fingerprint of its text; nothing in it is a solution or a hidden test. `gcnn.released` reads it.
"""

import json
import re
import symtable
from pathlib import Path

from nbformat import NotebookNode

from autograder.exercises import EXERCISES, needed
from autograder.notebooks import ASSIGNMENT, as_released, bound_names, role
from gcnn.released import bare, fingerprint

CARD = Path("src/gcnn/release.json")
_NAMED = ("given", "training", "playground")  # roles of cells that may be named to whoever lacks what they define


def _name(key: str, cell: NotebookNode) -> str:
    """What an exercise is called: the name that its answer defines, or for words what its heading says."""
    if EXERCISES[key].answer:
        return EXERCISES[key].answer
    heading = next(line for line in cell.source.split("\n") if line.startswith("#"))
    return re.sub(r"^#+ (Exercise \S+ — )?|\s*\([^()]*points?\b[^()]*\)$", "", heading)


def _cell(cell: NotebookNode) -> dict[str, object]:
    """What the card says of one released cell."""
    kind = role(cell)
    said: dict[str, object] = {"id": cell.id, "type": cell.cell_type, "role": kind}
    if key := cell.metadata.course.get("exercise"):
        said["exercise"] = key
    said["hash"] = fingerprint(cell.source)
    if kind == "answer":
        said["bare"] = fingerprint(bare(cell.source))
    if kind == "answer" and cell.cell_type == "code":
        said["defines"] = sorted(bound_names(cell.source))
    if kind in ("given", "tests", "playground"):
        lines = [line.strip() for line in cell.source.strip().split("\n")]
        said["begins"] = lines["not GRADING:" in lines[0]][:50]
    if kind == "tests" and "retrained(" in cell.source:
        said["accuracy"] = True
    return said


def _names(code: str) -> tuple[set[str], set[str]]:
    """The names that a cell's code binds at its top level, and those that it takes from elsewhere, in functions too."""
    top = symtable.symtable(code, "cell", "exec")
    bound = {s.get_name() for s in top.get_symbols() if s.is_assigned() or s.is_imported()}
    taken = {s.get_name() for s in top.get_symbols() if s.is_referenced()}
    inner = top.get_children()
    for table in inner:
        inner += table.get_children()
        taken |= {s.get_name() for s in table.get_symbols() if s.is_global()}
    return bound, taken - bound


def _needed_elsewhere(cells: list[NotebookNode]) -> dict[str, list[str]]:
    """By the ids of given, training and free cells in code: the names that each defines and that other cells need."""
    names = {cell.id: _names(cell.source) for cell in cells}
    needed = set().union(*(taken for _, taken in names.values()))  # no cell takes what it binds
    return {cell.id: sorted(names[cell.id][0] & needed) for cell in cells if role(cell) in _NAMED}


def card(source: NotebookNode) -> str:
    """The card's text, JSON with a line for each exercise and each cell.

    Args:
        source: the source notebook of `autograder.notebooks.read_text`.
    """
    cells = as_released(source).cells
    answers = {cell.metadata.course.exercise: cell for cell in cells if role(cell) == "answer"}
    exercises = {
        key: {"number": EXERCISES[key].number, "name": _name(key, cell), "needs": needed(key)}
        for key, cell in answers.items()
    }
    listed = ",\n".join(f"  {json.dumps(key)}: {json.dumps(e, ensure_ascii=False)}" for key, e in exercises.items())
    defined = _needed_elsewhere([cell for cell in cells if cell.cell_type == "code"])
    said = [_cell(cell) | ({"defines": names} if (names := defined.get(cell.id)) else {}) for cell in cells]
    cell_lines = ",\n".join(f"  {json.dumps(one, ensure_ascii=False)}" for one in said)
    file = json.dumps(f"{ASSIGNMENT}.ipynb")
    return f'{{\n "file": {file},\n "exercises": {{\n{listed}\n }},\n "cells": [\n{cell_lines}\n ]\n}}\n'


def write_card(project: Path, source: NotebookNode) -> Path | None:
    """Write the card into the student package, if the project has its sources.

    Args:
        project: the project's root.
        source: the source notebook.

    Returns:
        The file, or ``None`` where the package's sources are elsewhere.
    """
    path = project / CARD
    if not path.parent.is_dir():
        return None
    path.write_text(card(source), encoding="utf-8")
    return path
