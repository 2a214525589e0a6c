"""Submissions: what a student handed in is a hint; what is graded is the source notebook with the answers poured in.

Answers are found by grade id, else by what they define; cells that the student added or changed freely are kept where
they stood. Everything else (tests, given cells, metadata, points, tags, kernel name) is the source's, whatever the
hand-in says. The same function makes the sample submissions of tests/submissions from the answers that they change.
"""

import copy
import dataclasses
import re
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode

from autograder.exercises import EXERCISES
from autograder.notebooks import as_released, bound_names, regions, role

_SAMPLE = re.compile(r'# %% \[markdown\] start="(model|release)"(?: without="([^"]*)")?(?: loses="([^"]*)")?')


@dataclasses.dataclass(frozen=True)
class Poured:
    """A submission in the form that is graded."""

    notebook: NotebookNode
    """The source notebook with the submission's answers and added cells."""
    repairs: tuple[str, ...]
    """What had to be put right, one sentence each."""


def _name(cell: NotebookNode) -> str:
    """The id that a handed-in cell claims: nbgrader's, else its own, else ""."""
    claimed = cell.metadata.get("nbgrader")
    grade_id = claimed.get("grade_id") if isinstance(claimed, dict) else None
    return grade_id if isinstance(grade_id, str) else str(cell.get("id", ""))


def _binds(code: str) -> set[str]:
    """The names that a cell binds; none where it does not parse."""
    try:
        return bound_names(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()


def _find_answers(cells: list[NotebookNode], released: dict[str, NotebookNode], repairs: list[str]) -> dict[str, int]:
    """For each answer's id, the index of the handed-in cell that holds it."""
    found: dict[str, int] = {}
    for name, stub in released.items():
        if role(stub) != "answer":
            continue
        same = [i for i, cell in enumerate(cells) if _name(cell) == name]
        if len(same) > 1:
            changed = [i for i in same if cells[i].source.strip() != stub.source.strip()]
            repairs.append(f"{len(same)} cells had the id of the answer {name!r}: the first that was written in counts")
            same = changed or same
        if not same and stub.cell_type == "code" and (wanted := _binds(stub.source)):
            unclaimed = [i for i, cell in enumerate(cells) if _name(cell) not in released and i not in found.values()]
            same = [i for i in unclaimed if wanted <= _binds(cells[i].source)][-1:]
            if same:
                repairs.append(f"the answer {name!r} was found by what it defines: its cell had lost its id")
        if same:
            found[name] = same[0]
        else:
            repairs.append(f"the answer {name!r} was missing: it counts as untouched")
    return found


def _poured(cell: NotebookNode, stub: NotebookNode, given: NotebookNode | None, repairs: list[str]) -> NotebookNode:
    """One cell of the graded notebook.

    Args:
        cell: the source's, or the release's where a sample is made.
        stub: the release's.
        given: the handed-in one, if there is one.
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
    elif given is not None and given.source.strip() != stub.source.strip() and kind != "text":
        repairs.append(f"the cell {stub.id!r} was changed: the course's own is used")
    return result


def _rubric(cell: NotebookNode) -> NotebookNode:
    """What a marker sees below a written answer. `autograder.steps.HideTests` leaves it out of what students get."""
    _, inside = regions(cell.source)
    parts = ["\n".join(inside["MARK SCHEME"]).strip(), "**Model answer**", "\n".join(inside["SOLUTION"]).strip()]
    metadata = {"course": {"role": "rubric", "exercise": cell.metadata.course.exercise}}
    return nbformat.v4.new_markdown_cell("\n\n".join(parts), id=f"rubric-{cell.id}", metadata=metadata)


def pour(submission: NotebookNode, source: NotebookNode, into: NotebookNode | None = None) -> Poured:
    """Pour a submission's answers into the source notebook.

    Args:
        submission: what was handed in, nbformat 4; nothing but its cells' text is used.
        source: the source notebook of `autograder.notebooks.read_text`.
        into: where the answers go; by default the source, with its hidden tests and a rubric after each written answer.
    """
    repairs: list[str] = []
    released = {cell.id: cell for cell in as_released(source).cells}
    cells = submission.cells
    found = _find_answers(cells, released, repairs)
    texts = {cell.source.strip(): name for name, cell in released.items() if role(cell) != "answer"}

    matched, added = dict(found), {}
    here = ""
    for i, cell in enumerate(cells):
        name = next((key for key, index in found.items() if index == i), None)
        if name is None:
            claimed = _name(cell)
            if claimed in released and role(released[claimed]) != "answer":
                name = claimed
            else:
                name = texts.get(cell.source.strip())
            if name is not None and name in matched:  # a copy: of a given cell it is dropped, of a playground kept
                name = None if role(released[name]) == "playground" else name
            elif name is not None:
                matched[name] = i
        if name is None and cell.source.strip() and cell.source.strip() not in texts:
            added.setdefault(here, []).append(cell)
        here = here if name is None else name
    for name, cell in released.items():
        if role(cell) in ("tests", "training", "given") and name not in matched:
            repairs.append(f"the cell {name!r} was missing: the course's own is used")

    result, number = [], 0
    target = source if into is None else into
    for position, cell in enumerate([None, *target.cells]):
        if cell is not None:
            given = cells[matched[cell.id]] if cell.id in matched else None
            result.append(_poured(cell, released[cell.id], given, repairs))
            if into is None and role(cell) == "answer" and cell.cell_type == "markdown":
                result.append(_rubric(cell))
        for extra in added.get("" if position == 0 else cell.id, []):
            number += 1
            make = nbformat.v4.new_code_cell if extra.cell_type == "code" else nbformat.v4.new_markdown_cell
            result.append(make(extra.source, id=f"added-{number}", metadata={"course": {"role": "added"}}))
    notebook = nbformat.v4.new_notebook(cells=result, metadata=copy.deepcopy(source.metadata))
    notebook.nbformat_minor = 5
    return Poured(notebook, tuple(repairs))


def model_answer(cell: NotebookNode) -> str:
    """An answer cell of the source with its solution, without the markers and the rubric."""
    lines, shown = [], True
    for line in cell.source.split("\n"):
        if "MARK SCHEME" in line:
            shown = "END" in line
        elif shown and not re.search(r"(BEGIN|END) SOLUTION", line):
            lines.append(line)
    return "\n".join(lines).rstrip()


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
