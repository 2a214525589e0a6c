"""Damages hand-ins at random, and tells what becomes of them: each must have an outcome, and none may stop the grading.

`damaged` makes one from a notebook, the same one for the same random numbers: what editors, merges, uploads and disks
do to a file, and what no program does at all. `examine` takes it through the doors that a submission takes before it is
run. Tests draw from here with hypothesis; ``benchmarks/pipeline.py`` counts a thousand.
"""

import contextlib
import copy
import dataclasses
import json
import logging
import random
import shutil
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from autograder import intake
from autograder.intake import UNREADABLE
from autograder.notebooks import as_released, role
from autograder.submissions import solved

NAMES = ("gcnn (1).ipynb", "Gcnn.ipynb", "my_solution.ipynb", "gcnn.ipynb.txt", "deeper/gcnn.ipynb", "GCNN final.IPYNB")
_JUNK: tuple[Any, ...] = (
    *(None, True, 0, -1, 2**70, 1e308, float("nan"), "", "x", "\ud800", "\x00\x1b[2J", "a" * 5000),
    *([], {}, [[]], [None, 3, "x"], {"grade_id": 3}, {"nbgrader": []}, {"source": "x"}, [{"cell_type": "code"}]),
)


@dataclasses.dataclass(frozen=True)
class Damaged:
    """A hand-in that something happened to."""

    files: dict[str, bytes]
    """Its files by their names."""
    what: tuple[str, ...]
    """What happened to it, in the order in which it happened."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a hand-in."""

    kind: str
    """"as it was", "repaired", "not graded", "in part not graded", or "crash"."""
    why: tuple[str, ...]
    """The repairs, or the reason; of a crash, where it happened."""


def complete(source: NotebookNode) -> NotebookNode:
    """All answers, outputs and all: what a good student hands in."""
    notebook = solved(source)
    for number, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type == "code":
            cell.execution_count = number
            cell.outputs = [nbformat.v4.new_output("stream", text="All public checks passed.\n")]
    return notebook


def _cells(document: Any) -> list[Any]:
    """A document's cells, as far as it still has some."""
    cells = document.get("cells") if isinstance(document, dict) else None
    return cells if isinstance(cells, list) else []


def _places(node: Any) -> list[tuple[Any, Any]]:
    """Every place in a document: what holds it, and its key or index there."""
    places, waiting = [], [node]
    while waiting:
        node = waiting.pop()
        keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
        for key in keys:
            places.append((node, key))
            waiting.append(node[key])
    return places


# What happens to a notebook as a document. Each changes it in place, or gives another one.


def _shuffle_cells(document: Any, draw: random.Random) -> None:
    draw.shuffle(_cells(document))


def _move_cells(document: Any, draw: random.Random) -> None:
    if cells := _cells(document):
        for _ in range(draw.randint(1, 4)):
            cells.insert(draw.randrange(len(cells)), cells.pop(draw.randrange(len(cells))))


def _delete_cells(document: Any, draw: random.Random) -> None:
    cells = _cells(document)
    for _ in range(draw.randint(1, 10)):
        if cells:
            cells.pop(draw.randrange(len(cells)))


def _copy_cells(document: Any, draw: random.Random) -> None:
    if cells := _cells(document):
        for _ in range(draw.randint(1, 5)):
            cells.insert(draw.randrange(len(cells)), copy.deepcopy(draw.choice(cells)))


def _split_cells(document: Any, draw: random.Random) -> None:
    cells = _cells(document)
    for cell in draw.sample(cells, min(len(cells), draw.randint(1, 10))):
        if isinstance(cell, dict) and isinstance(cell.get("source"), str) and "\n" in cell["source"]:
            lines = cell["source"].split("\n")
            at = draw.randrange(1, len(lines))
            rest = copy.deepcopy(cell) | {"source": "\n".join(lines[at:])}
            if draw.random() < 0.5:
                rest |= {"metadata": {}, "id": f"new{draw.randrange(10**6)}"}
            cell["source"] = "\n".join(lines[:at])
            cells.insert(next(i for i, each in enumerate(cells) if each is cell) + 1, rest)


def _change_types(document: Any, draw: random.Random) -> None:
    cells = [cell for cell in _cells(document) if isinstance(cell, dict)]
    for cell in draw.sample(cells, min(len(cells), draw.randint(1, 20))):
        cell["cell_type"] = draw.choice(["code", "markdown", "raw", "heading", "magic"])


def _strip_metadata(document: Any, draw: random.Random) -> None:
    ids = draw.random() < 0.6
    for cell in _cells(document):
        if isinstance(cell, dict):
            cell["metadata"] = {}
            if ids:
                cell.pop("id", None)


def _junk_metadata(document: Any, draw: random.Random) -> None:
    for cell in _cells(document):
        if isinstance(cell, dict) and draw.random() < 0.3:
            metadata = cell.get("metadata")
            if isinstance(metadata, dict) and draw.random() < 0.7:
                metadata[draw.choice(["nbgrader", "course", "tags", "collapsed", "name"])] = draw.choice(_JUNK)
            else:
                cell["metadata"] = draw.choice(_JUNK)


def _confuse_types(document: Any, draw: random.Random) -> None:
    places = _places(document)
    for holder, key in draw.sample(places, min(len(places), draw.choice([1, 1, 3, 30]))):
        holder[key] = copy.deepcopy(draw.choice(_JUNK))


def _delete_keys(document: Any, draw: random.Random) -> None:
    places = [(holder, key) for holder, key in _places(document) if isinstance(holder, dict)]
    for holder, key in draw.sample(places, min(len(places), draw.choice([1, 5, 50]))):
        holder.pop(key, None)


def _old_format(document: Any, draw: random.Random) -> Any:
    cells = []
    for cell in _cells(document):
        old = copy.deepcopy(cell)
        if isinstance(old, dict) and old.get("cell_type") == "code":
            old |= {"input": old.pop("source", ""), "language": "python", "outputs": []}
        cells.append(old)
    number = draw.choice([2, 3])
    return {"nbformat": number, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": cells, "metadata": {}}]}


def _other_format(document: Any, draw: random.Random) -> None:
    if isinstance(document, dict):
        document["nbformat"] = draw.choice([0, 1, 3, 5, "4", None, 4.0, [4]])
        document["nbformat_minor"] = draw.choice([0, 4, 5, 99, -1, "5", None])


def _wrap(document: Any, draw: random.Random) -> Any:
    return draw.choice([[document], {"type": "notebook", "content": document}, json.dumps(document), {"a": document}])


def _large_outputs(document: Any, draw: random.Random) -> None:
    for cell in _cells(document)[:3]:
        if isinstance(cell, dict):
            cell["outputs"] = [{"output_type": "display_data", "data": {"x": list(range(100_000))}, "metadata": {}}]


def _other_notebook(document: Any, draw: random.Random) -> Any:
    cells = [
        nbformat.v4.new_code_cell("print('hello')", id="one"),
        nbformat.v4.new_markdown_cell("# Another course", id="two"),
    ]
    return nbformat.v4.new_notebook(cells=cells[: draw.randint(0, 2)])


# What happens to a file's bytes.


def _flip(data: bytes, draw: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(draw.choice([1, 1, 3, 20, 200])):
        if changed:
            changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def _truncate(data: bytes, draw: random.Random) -> bytes:
    return data[: draw.randrange(len(data) + 1)]


def _cut_out(data: bytes, draw: random.Random) -> bytes:
    start = draw.randrange(len(data) + 1)
    return data[:start] + data[start + draw.choice([1, 10, 1000, 50_000]) :]


def _zeros(data: bytes, draw: random.Random) -> bytes:
    start, length = draw.randrange(len(data) + 1), draw.choice([1, 512, 4096])
    return data[:start] + bytes(length) + data[start + length :]


def _append(data: bytes, draw: random.Random) -> bytes:
    return data + draw.choice([b"}", b"\0\0", b"garbage \xff", data, data[: len(data) // 2]])


def _prepend(data: bytes, draw: random.Random) -> bytes:
    return draw.choice([b"\n\n", b"$ cat gcnn.ipynb\n", b"\xef\xbb\xbf", b"\xff", b"{", b"<html>"]) + data


def _encode(data: bytes, draw: random.Random) -> bytes:
    encoding = draw.choice(["utf-8-sig", "utf-16", "utf-16-be", "utf-32", "cp1252", "ascii"])
    return data.decode("utf-8", "replace").encode(encoding, "replace")


def _conflict(data: bytes, draw: random.Random) -> bytes:
    lines = data.split(b"\n")
    start = draw.randrange(len(lines))
    end = draw.randint(start, min(start + 20, len(lines)))
    theirs = [line.replace(b"e", b"E", 1) if draw.random() < 0.1 else line for line in lines[start:end]]
    inside = [b"<<<<<<< HEAD", *lines[start:end], b"=======", *theirs, b">>>>>>> theirs"]
    if draw.random() < 0.2:
        inside.pop(draw.randrange(len(inside)))
    return b"\n".join([*lines[:start], *inside, *lines[end:]])


def _nest(data: bytes, draw: random.Random) -> bytes:
    depth = draw.choice([50, 500, 5000, 200_000])
    return data.replace(b'"metadata": {', b'"metadata": {"deep": ' + b"[" * depth + b"]" * depth + b", ", 1)


def _odd_numbers(data: bytes, draw: random.Random) -> bytes:
    number = draw.choice([b"4" * 5000, b"NaN", b"-Infinity", b"1e999", b"0x4", b"04"])
    return data.replace(draw.choice([b": 4", b": 5", b": false", b": 3"]), b": " + number, draw.choice([1, 3]))


def _surrogates(data: bytes, draw: random.Random) -> bytes:
    return data.replace(draw.choice([b"the", b"return", b"c4", b"Exercise"]), rb"\ud83d", draw.choice([1, 20]))


def _line_ends(data: bytes, draw: random.Random) -> bytes:
    return data.replace(b"\n", draw.choice([b"\r\n", b"\r", b"", b"\n\n"]))


def _something_else(data: bytes, draw: random.Random) -> bytes:
    page = b"<!DOCTYPE html><html><script>" + data[:5000] + b"</script></html>"
    return draw.choice([b"", b"\0" * 5000, page, b"import torch\nx = 1\n", b"PK\x03\x04" + data[:99], b"null", b"[]"])


_Change = Callable[[Any, random.Random], Any]
_ON_DOCUMENTS: tuple[_Change, ...] = (
    *(_shuffle_cells, _move_cells, _delete_cells, _copy_cells, _split_cells, _change_types, _strip_metadata),
    *(_junk_metadata, _confuse_types, _delete_keys, _old_format, _other_format, _wrap, _large_outputs, _other_notebook),
)
_ON_BYTES: tuple[_Change, ...] = (
    *(_flip, _truncate, _cut_out, _zeros, _append, _prepend, _encode, _conflict, _nest, _odd_numbers, _surrogates),
    *(_line_ends, _something_else),
)


def damaged(notebook: NotebookNode, draw: random.Random, name: str = "gcnn.ipynb") -> Damaged:
    """Damage a hand-in.

    Args:
        notebook: what was handed in before anything happened to it; it is not changed.
        draw: where the random numbers come from.
        name: the name under which it should be found.
    """
    document, what = json.loads(json.dumps(notebook)), []
    for change in draw.choices(_ON_DOCUMENTS, k=draw.choice([0, 1, 1, 2, 3])):
        result = change(document, draw)
        document = document if result is None else result
        what.append(change.__name__.strip("_"))
    indent = draw.choice([None, 1])
    data = json.dumps(document, indent=indent, ensure_ascii=draw.random() < 0.3).encode("utf-8", "surrogatepass")
    for change in draw.choices(_ON_BYTES, k=draw.choice([0, 0, 1, 1, 2]) if what else draw.randint(1, 2)):
        data = change(data, draw)
        what.append(change.__name__.strip("_"))
    files = {name: data}
    if draw.random() < 0.15:
        files = {draw.choice(NAMES): data}
        what.append("renamed")
        if draw.random() < 0.5:
            files[draw.choice([name, *NAMES])] = draw.choice([data, b"", json.dumps(notebook).encode()])
            what.append("with another one")
    return Damaged(files, tuple(what))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Neither log the repairs nor warn of repeated ids."""
    before = intake.log.level
    intake.log.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        intake.log.setLevel(before)


def examine(hand_in: Damaged, source: NotebookNode, folder: Path, assignment: str = "gcnn") -> Outcome:
    """Take a hand-in through intake and pouring, as grading does, and look at what comes out.

    Args:
        hand_in: the hand-in.
        source: the source notebook.
        folder: an empty folder for it.
        assignment: what its notebook should be called.
    """
    from autograder.steps import prepared

    place = folder / "student" / assignment
    for name, data in hand_in.files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(data)
    wanted = place / f"{assignment}.ipynb"
    try:
        with _quiet():
            intake.clear(assignment, "student", [str(wanted)])
        notes, left = intake.notes(place, assignment), wanted.read_bytes()
        if "could not be cleared" in notes.unreadable:
            raise AssertionError(notes.unreadable)
        with _quiet():
            intake.clear(assignment, "student", [str(wanted)])
        if (intake.notes(place, assignment), wanted.read_bytes()) != (notes, left):
            raise AssertionError("clearing it twice is not the same as once")
        with _quiet():
            poured = prepared(nbformat.read(wanted, as_version=4), source, notes)
        nbformat.validate(json.loads(nbformat.writes(poured)))
        tests = {cell.id: cell.source for cell in source.cells if role(cell) == "tests"}
        if {cell.id: cell.source for cell in poured.cells if role(cell) == "tests"} != tests:
            raise AssertionError("the tests are not the course's")
    except Exception as error:  # what must not happen is what is looked for
        last = traceback.extract_tb(error.__traceback__)[-1]
        return Outcome("crash", (f"{type(error).__name__}: {error}"[:300], f"{Path(last.filename).name}:{last.lineno}"))
    course = poured.metadata.course
    if UNREADABLE in course:
        return Outcome("not graded", (course[UNREADABLE],))
    if "lost" in course:
        return Outcome("in part not graded", tuple(course.repairs))
    return Outcome("repaired" if course.repairs else "as it was", tuple(course.repairs))


def outcome(source: NotebookNode, seed: int, folder: Path) -> str:
    """The kind of outcome of the damaged hand-in that a seed stands for; every other one was answered before.

    Args:
        source: the source notebook.
        seed: the seed.
        folder: a folder that is made for it, and removed.

    Raises:
        RuntimeError: it had none: what happened to it, and where the program stopped.
    """
    hand_in = damaged(as_released(source) if seed % 2 else complete(source), random.Random(seed))
    try:
        became = examine(hand_in, source, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if became.kind == "crash":
        raise RuntimeError(f"{', '.join(hand_in.what)}: {'; '.join(became.why)}")
    return became.kind
