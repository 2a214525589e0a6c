"""Reads one notebook's file as students really hand it in: repaired where that is safe, else with the reason why not.

`read` takes any bytes. It runs nothing, raises nothing for what the bytes are, and is bounded in memory and time. What
is read of a notebook are its cells' texts, kinds and ids, and pictures in texts: grading makes new outputs.
"""

import dataclasses
import mmap
import os
import re
import warnings
from collections import Counter
from itertools import count
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from autograder.salvage import MAX_CONTENT, NoNotebook, numbered, parse, read_document

MAX_FILE = 500_000_000  # bytes, outputs and all
MAX_CELLS = 5_000
MAX_DEPTH = 60  # of what is left as it is: other programs walk down the JSON with the stack that they have left

_NOTHING = "could not be read at all"
_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")


@dataclasses.dataclass(frozen=True)
class Reading:
    """What was found in a notebook's file."""

    notebook: NotebookNode | None = None
    """The notebook in nbformat 4.5, without outputs; of metadata, the cells' nbgrader ids only."""
    repairs: tuple[str, ...] = ()
    """What had to be repaired, one sentence each. Where nothing had, other programs can read the file as it is."""
    unreadable: str = ""
    """Why there is no notebook."""
    incomplete: str = ""
    """Why some of its cells may be missing."""


def read_file(path: Path) -> Reading:
    """Read a notebook's file, which must be a plain one.

    Raises:
        OSError: it cannot be opened.
    """
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > MAX_FILE:
            return Reading(unreadable=f"the notebook is too large ({size / 1e6:,.0f} MB)")
        if size <= MAX_CONTENT:
            return read(file.read())
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            return read(mapped)


def read(data: bytes | mmap.mmap) -> Reading:
    """Read a notebook from its file's bytes."""
    repairs: list[str] = []
    losses: list[str] = []
    try:
        document, text = read_document(data, repairs, losses)
        notebook = _notebook(document, repairs, losses)
    except NoNotebook as reason:
        return Reading(unreadable=str(reason))
    if not repairs and not _sound(text):
        repairs.append(
            "parts of the notebook that are no answers (outputs, settings) were malformed: they were left out"
        )
    return Reading(notebook, tuple(repairs), "", "; ".join(losses))


def _sound(text: str) -> bool:
    """Whether other programs read the notebook as it is."""
    try:
        notebook = nbformat.reader.parse_json(text)
        level, depth = [notebook], 0
        while level and depth <= MAX_DEPTH:
            level = [child for node in level for child in _children(node)]
            depth += 1
        if level:
            return False
        notebook = nbformat.from_dict(notebook)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of repeated ids, which do not matter here
            nbformat.validate(nbformat.convert(notebook, 4))
    except Exception:  # whatever a malformed notebook makes a library raise
        return False
    return True


def _children(node: Any) -> list[Any]:
    values = node.values() if isinstance(node, dict) else node
    return [value for value in values if isinstance(value, (dict, list))]


def _notebook(document: Any, repairs: list[str], losses: list[str]) -> NotebookNode:
    """A well-formed notebook of what is to be found in a document."""
    document = _unwrapped(document, repairs)
    cells, form = document.get("cells"), document.get("nbformat", 4)
    if isinstance(document.get("worksheets"), list) and not isinstance(cells, list):
        cells = [
            cell for sheet in document["worksheets"] if isinstance(sheet, dict) for cell in _list(sheet.get("cells"))
        ]
        form = form if form in (2, 3) else 3
    if not isinstance(cells, list):
        raise NoNotebook("the file is JSON, but no notebook: it has no cells")
    if len(cells) > MAX_CELLS:
        raise NoNotebook(f"the notebook has {len(cells):,} cells: no more than {MAX_CELLS:,} can be graded")
    old = any(isinstance(cell, dict) and "input" in cell and "source" not in cell for cell in cells)
    if old or form in (2, 3):
        form = form if form in (2, 3) else 3
        repairs.append(f"the notebook was written in an old format, {form}: it was converted to format 4")
        cells = _upgraded(cells)
    elif type(form) is not int or form != 4:
        repairs.append("the notebook claims a format that does not exist: it was read as format 4")
    minor = document.get("nbformat_minor")
    has_ids = type(minor) is int and minor >= 5 and not old
    faults: Counter[str] = Counter()
    taken: set[str] = set()
    result = [_cell(cell, faults, taken, has_ids) for cell in cells]
    for fault, number in faults.items():
        repairs.append(f"{numbered(number, 'cell')} {fault}")
        if fault == _NOTHING:
            losses.append(repairs[-1])
    notebook = nbformat.v4.new_notebook(cells=[cell for cell in result if cell is not None])
    notebook.nbformat_minor = 5
    return notebook


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _unwrapped(document: Any, repairs: list[str]) -> dict[str, Any]:
    """The notebook in a document, which may be its only element, its content, or text in it."""
    whole = document
    for _ in range(3):
        if isinstance(document, list) and len(document) == 1:
            document = document[0]
        elif isinstance(document, dict) and not {"cells", "worksheets"} & document.keys() and "content" in document:
            document = document["content"]
        elif isinstance(document, str) and document.lstrip().startswith("{"):
            try:
                document = parse(document)
            except (ValueError, RecursionError):
                break
    if not isinstance(document, dict):
        raise NoNotebook("the file is JSON, but no notebook")
    if document is not whole:
        repairs.append("the notebook was wrapped in something else: it was taken out")
    return document


def _upgraded(cells: list[Any]) -> list[Any]:
    """Cells of format 2 or 3 by nbformat's own converter, which needs well-formed ones."""
    clean = []
    for cell in (cell for cell in cells if isinstance(cell, dict)):
        kind, metadata = cell.get("cell_type"), cell.get("metadata")
        if kind not in ("code", "markdown", "heading", "raw", "html"):
            kind = "code" if "input" in cell else "markdown"
        text = _source(cell.get("input", cell.get("source"))) or ""
        own: dict[str, Any] = {"cell_type": kind, "metadata": metadata if isinstance(metadata, dict) else {}}
        if kind == "code":
            own |= {"input": text, "outputs": [], "language": "python", "collapsed": False}
        else:
            own["source"] = text
        if kind == "heading":
            own["level"] = level if type(level := cell.get("level")) is int and 1 <= level <= 6 else 1
        clean.append(own)
    old = {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": clean, "metadata": {}}]}
    upgraded = nbformat.convert(nbformat.from_dict(old), 4).cells
    for cell in upgraded:
        del cell["id"]  # a random one
    return [*upgraded, *[None] * (len(cells) - len(clean))]


def _source(value: Any) -> str | None:
    """A cell's text, which may stand in one string or in a list of lines; ``None`` where it is something else."""
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "".join(value)
    return value if isinstance(value, str) else None


def _plain(text: str) -> str:
    """A text without what UTF-8 cannot hold: halves of pairs of surrogates."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _cell(cell: Any, faults: Counter[str], taken: set[str], has_ids: bool) -> NotebookNode | None:
    """One well-formed cell of whatever stands in a cell's place; what was wrong is counted."""
    text = _source(cell.get("source")) if isinstance(cell, dict) else None
    if text is None:
        faults[_NOTHING] += 1
        return None
    if (plain := _plain(text)) != text:
        faults["held characters that do not exist: a ? stands for each"] += 1
    kind, metadata, own_id = cell.get("cell_type"), cell.get("metadata"), cell.get("id")
    if kind not in ("code", "markdown", "raw"):
        faults["had a kind that does not exist: code where it had outputs, else text"] += 1
        kind = "code" if {"outputs", "execution_count"} & cell.keys() else "markdown"
    if not isinstance(metadata, dict):
        faults["had no metadata, or malformed ones"] += 1
        metadata = {}
    sound_id = isinstance(own_id, str) and _ID.fullmatch(own_id) is not None
    if not sound_id and (has_ids or own_id is not None):
        faults["had no id, or a malformed one"] += 1
    claimed = metadata.get("nbgrader")
    grade_id = claimed.get("grade_id") if isinstance(claimed, dict) else None
    grade_id = _plain(grade_id)[:200] if isinstance(grade_id, str) else own_id if sound_id else None
    names = (f"cell-{number}" for number in count(len(taken)))
    name = own_id if sound_id and own_id not in taken else next(name for name in names if name not in taken)
    taken.add(name)
    make = getattr(nbformat.v4, f"new_{kind}_cell")
    result = make(plain, id=name, metadata={} if grade_id is None else {"nbgrader": {"grade_id": grade_id}})
    if kind == "markdown" and isinstance(cell.get("attachments"), dict):
        result["attachments"] = {
            _plain(name): {_plain(kind): _plain(data) for kind, data in bundle.items() if isinstance(data, str)}
            for name, bundle in cell["attachments"].items()
            if isinstance(bundle, dict)
        }
    return result
