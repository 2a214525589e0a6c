"""Submissions: what a student handed in is a hint; what is graded is the source notebook with the answers poured in.

`autograder.answers` finds the answers; cells that the student added or changed freely are kept where they stood, and so
are imports that a student wrote into one of the course's cells. Everything else (tests, given cells, metadata, points,
tags, kernel name) is the source's, whatever the hand-in says. The same function makes the sample submissions of
tests/submissions from the answers that they change.
"""

import ast
import bisect
import copy
import dataclasses
import re
from collections.abc import Collection
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode

from autograder.answers import MAX_CODE, Found, find_answers
from autograder.exercises import EXERCISES, dependants
from autograder.notebooks import as_released, regions, role
from autograder.salvage import numbered
from gcnn.released import fingerprint

_SAMPLE = re.compile(r'# %% \[markdown\] start="(model|release)"(?: without="([^"]*)")?(?: loses="([^"]*)")?')


@dataclasses.dataclass(frozen=True)
class Poured:
    """A submission in the form that is graded."""

    notebook: NotebookNode
    """The source notebook with the submission's answers and added cells."""
    repairs: tuple[str, ...]
    """What had to be put right, one sentence each."""
    unreadable: str = ""
    """Why nothing in it can be graded."""
    lost: dict[str, str] = dataclasses.field(default_factory=dict)
    """The exercises that cannot be graded, since their answers or what they need may have been lost, and why."""


def _poured(
    cell: NotebookNode, stub: NotebookNode, given: NotebookNode | None, known: Collection[str], repairs: list[str]
) -> NotebookNode:
    """One cell of the graded notebook.

    Args:
        cell: the source's, or the release's where a sample is made.
        stub: the release's.
        given: the handed-in one, if there is one.
        known: fingerprints of cells that are no change of the student's.
        repairs: a sentence is added for what is put right.
    """
    result = copy.deepcopy(cell)
    result.metadata = copy.deepcopy(stub.metadata)
    kind = role(stub)
    if kind in ("answer", "playground"):
        result.source = stub.source if given is None else given.source
        if kind == "answer" and given is not None and given.cell_type != stub.cell_type:
            repairs.append(f"the answer {stub.id!r} had become a {given.cell_type} cell: it is {stub.cell_type} again")
        if stub.cell_type == "markdown" and given is not None and given.get("attachments"):
            result.attachments = copy.deepcopy(given.attachments)
    elif kind != "text" and _is_changed(stub, given, known):
        repairs.append(f"the cell {stub.id!r} was changed: the course's own is used")
    return result


def _imports(code: str) -> dict[str, str]:
    """The imports at a cell's top level, by the name that each binds; none where it is too long, or no Python."""
    code = re.sub(r"^[%!].*$", "", code, flags=re.MULTILINE)  # Jupyter's own commands
    try:
        body = ast.parse(code).body if len(code) <= MAX_CODE else []
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    found = {}
    for line in body:
        if isinstance(line, (ast.Import, ast.ImportFrom)):
            for alias in line.names:
                one = copy.copy(line)
                one.names = [alias]
                found[alias.asname or alias.name] = ast.unparse(one)
    return found


def _is_changed(stub: NotebookNode, given: NotebookNode | None, known: Collection[str]) -> bool:
    """Whether a student changed one of the course's cells. That an instructor did, and set a URL, say, is no change."""
    if given is None or given.source == stub.source:
        return False
    own = fingerprint(given.source)
    return own != fingerprint(stub.source) and own not in known


def _own_imports(stub: NotebookNode, given: NotebookNode | None, known: Collection[str]) -> list[NotebookNode]:
    """A cell for each import that a student added to one of the course's cells: answers may rest on them."""
    if role(stub) != "given" or not _is_changed(stub, given, known):
        return []
    courses = _imports(stub.source)
    added = {name: line for name, line in _imports(given.source).items() if name not in courses}
    return [nbformat.v4.new_code_cell(line) for line in added.values()]


def _rubric(cell: NotebookNode) -> NotebookNode:
    """What a marker sees below a written answer. `autograder.steps.HideTests` leaves it out of what students get."""
    _, inside = regions(cell.source)
    parts = ["\n".join(inside["MARK SCHEME"]).strip(), "**Model answer**", "\n".join(inside["SOLUTION"]).strip()]
    metadata = {"course": {"role": "rubric", "exercise": cell.metadata.course.exercise}}
    return nbformat.v4.new_markdown_cell("\n\n".join(parts), id=f"rubric-{cell.id}", metadata=metadata)


def _joined(cells: list[NotebookNode], stub: NotebookNode) -> NotebookNode:
    """The cells that hold an answer, as one."""
    if len(cells) == 1:
        return cells[0]
    # Of cells that were not all of the answer's type, those that were say it.
    kinds = {cell.cell_type for cell in cells}
    between = "\n" if stub.cell_type == "code" else "\n\n"
    joined = nbformat.from_dict({"cell_type": stub.cell_type if stub.cell_type in kinds else cells[0].cell_type})
    joined.source = between.join(cell.source for cell in cells)
    joined.attachments = {}
    for cell in cells:
        joined.attachments |= cell.get("attachments", {})
    return joined


def _out_of_order(places: list[int]) -> int:
    """How many numbers must be moved at least so that all are in order."""
    ends: list[int] = []  # the smallest last number of an ordered selection of each length
    for place in places:
        at = bisect.bisect_left(ends, place)
        ends[at : at + 1] = [place]
    return len(places) - len(ends)


def _nothing_to_grade(submission: NotebookNode, found: Found, incomplete: str) -> str:
    """Why nothing can be graded in a hand-in without any answer."""
    if found.places:
        return ""
    if incomplete:
        return f"no answer could be read: {incomplete}"
    if not any(cell.source.strip() for cell in submission.cells):
        return "the notebook is empty"
    if not found.given:
        return "this notebook seems to be another one: nothing in it is this assignment's"
    return "no answer was found in the notebook: its answer cells seem to have been deleted"


def _lost(found: Found, cells: list[NotebookNode], incomplete: str) -> dict[str, str]:
    """The exercises that a damage to the file may have cost, with the reasons."""
    if not incomplete:
        return {}
    damaged = [name for name, places in found.places.items() if any("\ufffd" in cells[i].source for i in places)]
    lost = {name: f"this answer may have been lost: {incomplete}" for name in (*found.missing, *damaged)}
    for name in sorted(dependants(lost.keys() & EXERCISES.keys()) - lost.keys()):
        lost[name] = f"an answer that it needs may have been lost: {incomplete}"
    return lost


def pour(
    submission: NotebookNode,
    source: NotebookNode,
    into: NotebookNode | None = None,
    incomplete: str = "",
    known: Collection[str] = (),
) -> Poured:
    """Pour a submission's answers into the source notebook.

    Args:
        submission: what was handed in, nbformat 4; nothing but its cells' text is used.
        source: the source notebook of `autograder.notebooks.read_text`.
        into: where the answers go; by default the source, with its hidden tests and a rubric after each written answer.
        incomplete: why cells of the submission may be missing, if its file was damaged.
        known: fingerprints of the course's cells in earlier forms, `autograder.releases.known`.
    """
    released = {cell.id: cell for cell in as_released(source).cells}
    cells = submission.cells
    found = find_answers(cells, released)
    lost, repairs = _lost(found, cells, incomplete), list(found.repairs)
    for name in found.missing:
        so = "it is not graded" if name in lost else "it counts as untouched"
        repairs.append(f"the answer {name!r} was missing: {so}")

    place_of = {i: name for name, places in found.places.items() for i in places}
    texts = {cell.source.strip() for cell in released.values() if role(cell) != "answer"}
    matched: dict[str, int] = {}
    added: dict[str, list[NotebookNode]] = {}
    here = ""
    for i, cell in enumerate(cells):
        name = place_of.get(i, found.given.get(i))
        if i in found.copies or name in found.moved:
            continue
        if i not in place_of:
            if name in matched and role(released[name]) == "playground":
                name = None  # a copy of a given cell is dropped, of a playground kept
            elif name is not None:
                matched.setdefault(name, i)
        if name is None and cell.source.strip() and cell.source.strip() not in texts:
            added.setdefault(here, []).append(cell)
        here = here if name is None else name
    for name, cell in released.items():
        if role(cell) in ("tests", "training", "given") and name not in matched:
            repairs.append(f"the cell {name!r} was missing: the course's own is used")
    firsts = matched | {name: places[0] for name, places in found.places.items() if name not in found.moved}
    if out := _out_of_order([firsts[name] for name in released if name in firsts]):
        repairs.append(f"{numbered(out, 'cell')} stood elsewhere: the course's order is used")

    handed_in = {name: cells[i] for name, i in matched.items()}
    handed_in |= {name: _joined([cells[i] for i in places], released[name]) for name, places in found.places.items()}
    result, number = [], 0
    target = source if into is None else into
    for position, cell in enumerate([None, *target.cells]):
        if cell is not None:
            result.append(_poured(cell, released[cell.id], handed_in.get(cell.id), known, repairs))
            if into is None and role(cell) == "answer" and cell.cell_type == "markdown":
                result.append(_rubric(cell))
        extras = added.get("" if position == 0 else cell.id, [])
        if cell is not None:
            extras = _own_imports(released[cell.id], handed_in.get(cell.id), known) + extras
        for extra in extras:
            number += 1
            make = nbformat.v4.new_code_cell if extra.cell_type == "code" else nbformat.v4.new_markdown_cell
            result.append(make(extra.source, id=f"added-{number}", metadata={"course": {"role": "added"}}))
    notebook = nbformat.v4.new_notebook(cells=result, metadata=copy.deepcopy(source.metadata))
    notebook.nbformat_minor = 5
    return Poured(notebook, tuple(repairs), _nothing_to_grade(submission, found, incomplete), lost)


def model_answer(cell: NotebookNode) -> str:
    """An answer cell of the source with its solution, without the markers and the rubric."""
    lines, shown = [], True
    for line in cell.source.split("\n"):
        if "MARK SCHEME" in line:
            shown = "END" in line
        elif shown and not re.search(r"(BEGIN|END) SOLUTION", line):
            lines.append(line)
    return "\n".join(lines).rstrip()


def solved(source: NotebookNode, exercises: Collection[str] | None = None) -> NotebookNode:
    """The release with the model's answers, as a student would have written them.

    Args:
        source: the source notebook.
        exercises: which are answered; by default all.
    """
    notebook, full = as_released(source), {cell.id: cell for cell in source.cells}
    for cell in notebook.cells:
        if role(cell) == "answer" and (exercises is None or cell.id in exercises):
            cell.source = model_answer(full[cell.id])
    return notebook


@dataclasses.dataclass(frozen=True)
class Sample:
    """A sample submission, and what it must earn."""

    name: str
    """What it is called; tests and the demo hand it in under this name."""
    notebook: NotebookNode
    """What a student would hand in."""
    attempted: frozenset[str]
    """The exercises in code that it answers."""
    loses: frozenset[str]
    """Those of them in which it must lose points; it may lose some in exercises that need these."""


def _loses(name: str, header: re.Match) -> set[str]:
    """The exercises that the header names, or that ``fails_EXERCISE__why`` does."""
    if header[3] is not None:
        return set(header[3].split())
    kind, _, rest = name.partition("_")
    key = rest.partition("__")[0].replace("_", "-")
    return {key} if kind == "fails" and key in EXERCISES else set()


def read_sample(path: Path, source: NotebookNode) -> Sample:
    """Make a sample submission from a text that holds only what it changes.

    The text's first cell says where it starts: ``start="release"``, the untouched release, or ``start="model"``, the
    model answer to all exercises but those of ``without="KEY KEY"``; and, unless its name does, in which exercises it
    must lose points: ``loses="KEY KEY"``. Further cells are its own: ``answer="KEY"`` in the place of that answer,
    ``added="KEY"`` a new code cell before that answer.

    Raises:
        ValueError: the text is malformed, with its name.
    """
    text = path.read_text(encoding="utf-8")
    first = _SAMPLE.match(text)
    if first is None:
        raise ValueError(f'{path.name}: the first line must be # %% [markdown] start="model" or start="release"')
    without, loses = set((first[2] or "").split()), _loses(path.stem, first)
    own = jupytext.reads(text, fmt="py:percent").cells[1:]
    changed = {c.metadata.get("answer"): c.source for c in own if "added" not in c.metadata}
    added = [(c.metadata["added"], c.source) for c in own if "added" in c.metadata]
    if unknown := (without | loses | set(changed) | {key for key, _ in added}) - EXERCISES.keys():
        raise ValueError(f"{path.name}: there is no exercise {', '.join(map(str, sorted(unknown, key=str)))}")
    released = as_released(source)
    submission = copy.deepcopy(released)
    attempted, cells = set(), []
    for cell, full in zip(submission.cells, source.cells, strict=True):
        cells += [nbformat.v4.new_code_cell(code) for key, code in added if key == cell.id]
        cells.append(cell)
        if role(cell) != "answer":
            continue
        if cell.id in changed:
            cell.source = changed[cell.id]
        elif first[1] == "release" or cell.id in without:
            continue
        else:
            cell.source = model_answer(full)
        if cell.cell_type == "code":
            attempted.add(cell.id)
    submission.cells = cells
    notebook = pour(submission, source, into=released).notebook
    return Sample(path.stem, notebook, frozenset(attempted), frozenset(loses))
