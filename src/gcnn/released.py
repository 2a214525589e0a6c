"""What the release was like, cell by cell, and which cell of a student's notebook is which of the release's.

The knowledge is in `release.json`, which the course's build writes: ids, roles, exercises and fingerprints of the
released text. A cell is known by its id, else by its text, and an answer also by what it defines or by its heading,
since some tools drop ids.
"""

import dataclasses
import functools
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from importlib import resources
from typing import Any

_STUBS = ("#YOURCODEHERE", "raiseNotImplementedError()", "YOURANSWERHERE")
_URL = re.compile(r'^GCNN_URL = ".*"$', re.MULTILINE)


def fingerprint(text: str) -> str:
    """A hash of a cell's text, whatever blanks are at the ends of its lines and whatever URL an instructor has set."""
    plain = "\n".join(line.rstrip() for line in text.strip().splitlines())
    plain = _URL.sub('GCNN_URL = ""', plain)
    return hashlib.sha256(plain.encode()).hexdigest()[:16]


def bare(text: str) -> str:
    """An answer's text without what stands for the answer, and without blanks."""
    text = "".join(text.split())
    for stub in _STUBS:
        text = text.replace(stub, "")
    return text


@dataclasses.dataclass(frozen=True)
class Exercise:
    """An exercise, or a part of one with an answer of its own."""

    key: str
    """The id of its answer's cell."""
    number: str
    """Where it stands in the notebook."""
    name: str
    """What its answer defines, or its heading."""
    needs: tuple[str, ...]
    """The exercises whose answers this one's calls, directly or through others."""

    def __str__(self) -> str:
        """Its number and name."""
        return f"{self.number} {self.name}"


@dataclasses.dataclass(frozen=True)
class Released:
    """One cell of the release."""

    id: str
    """Its id."""
    type: str
    """"code" or "markdown"."""
    role: str
    """What it is for: text, given, playground, answer, tests or training."""
    hash: str
    """The fingerprint of its text."""
    exercise: str = ""
    """The exercise that it belongs to."""
    bare: str = ""
    """Of an answer: the fingerprint of what is left without the stub."""
    defines: tuple[str, ...] = ()
    """Of an answer in code: the names that it must define. Of others, but for tests: those that other cells need."""
    begins: str = ""
    """The beginning of its first line, or of the next if that says only that a grader leaves it out."""
    accuracy: bool = False
    """Whether it tests how good a trained network is."""


@dataclasses.dataclass(frozen=True)
class Release:
    """The release: its file's name, its exercises and its cells, by their ids and in order."""

    file: str
    """What the file to hand in is called."""
    exercises: dict[str, Exercise]
    """By key."""
    cells: dict[str, Released]
    """By id."""

    @functools.cached_property
    def answers(self) -> dict[str, Released]:
        """The answers' cells, by exercise."""
        return {cell.exercise: cell for cell in self.cells.values() if cell.role == "answer"}


@functools.cache
def release() -> Release:
    """The release that this version of the package belongs to."""
    said = json.loads((resources.files("gcnn") / "release.json").read_text(encoding="utf-8"))
    exercises = {key: Exercise(key, e["number"], e["name"], tuple(e["needs"])) for key, e in said["exercises"].items()}
    cells = {c["id"]: Released(**{**c, "defines": tuple(c.get("defines", ()))}) for c in said["cells"]}
    return Release(said["file"], exercises, cells)


@dataclasses.dataclass(frozen=True)
class Cell:
    """One cell of a student's notebook."""

    type: str
    """"code", "markdown" or "raw"."""
    source: str
    """Its text."""
    ids: tuple[str, ...] = ()
    """The ids that it claims, the surest first: nbgrader's, its own, Colab's."""

    @classmethod
    def read(cls, raw: dict[str, Any]) -> "Cell":
        """A cell from a notebook's JSON.

        Raises:
            ValueError: it is none.
        """
        if not isinstance(raw, dict) or not isinstance(raw.get("source", ""), (str, list)):
            raise ValueError("a cell of the notebook has no text")
        metadata = raw.get("metadata") if isinstance(raw.get("metadata"), dict) else {}
        nbgrader = metadata.get("nbgrader") if isinstance(metadata.get("nbgrader"), dict) else {}
        ids = (nbgrader.get("grade_id"), raw.get("id"), metadata.get("id"))
        source = raw.get("source", "")
        text = source if isinstance(source, str) else "".join(map(str, source))
        return cls(str(raw.get("cell_type", "")), text, tuple(i for i in ids if isinstance(i, str) and i))


def _defined(cell: Cell, name: str) -> bool:
    """Whether a cell has the line with which the definition of a name begins; it may not be Python yet."""
    line = rf"^(?:(?:async +)?(?:def|class) +{re.escape(name)}\b|{re.escape(name)} *=[^=])"
    return cell.type == "code" and bool(re.search(line, cell.source, re.MULTILINE))


def where_defined(cells: Sequence[Cell], name: str) -> list[int]:
    """The cells that define a name at their top level."""
    return [i for i, cell in enumerate(cells) if _defined(cell, name)]


class Match:
    """Which cells of a notebook are which of the release's.

    Args:
        cells: the notebook's.
        of: the release.

    Attributes:
        place: the cell that holds each released one, by its id; those that are not there are missing.
        copies: for answers that stand in several cells, all of them, by id.
    """

    def __init__(self, cells: Sequence[Cell], of: Release):
        self.cells, self.release = cells, of
        self.hashes = [fingerprint(cell.source) for cell in cells]
        self.place: dict[str, int] = {}
        self.copies: dict[str, list[int]] = {}
        claims: dict[str, list[int]] = {}
        for i, cell in enumerate(cells):
            if known := next((name for name in cell.ids if name in of.cells), None):
                claims.setdefault(known, []).append(i)
        for name, places in claims.items():
            self._by_id(of.cells[name], places)
        for way in (self._same_text, self._looks_like):
            for name, cell in of.cells.items():
                if name not in self.place and (i := way(cell)) is not None:
                    self.place[name] = i

    @property
    def of_the_course(self) -> bool:
        """Whether this is a notebook of the course at all: a few cells by chance do not make one."""
        return sum(self.release.cells[name].role != "text" for name in self.place) >= 3

    def role(self, i: int) -> str:
        """What a cell of the notebook is for; "own" for the student's own."""
        name = self.name(i)
        return "own" if name is None else self.release.cells[name].role

    def name(self, i: int) -> str | None:
        """The id of the released cell that a cell of the notebook is."""
        return self._names.get(i)

    @functools.cached_property
    def _names(self) -> dict[int, str]:
        return {i: name for name, i in self.place.items()}

    def same(self, name: str) -> bool:
        """Whether a released cell is there as it was given."""
        return self.hashes[self.place[name]] == self.release.cells[name].hash

    def _by_id(self, cell: Released, places: list[int]) -> None:
        if cell.role == "answer":
            places = [i for i in places if self._may_answer(cell, i)]
            written = [i for i in places if self.hashes[i] != cell.hash]
            if len(written) > 1:
                self.copies[cell.id] = written
            places = (written or places)[-1:]
        if places:
            self.place[cell.id] = next((i for i in places if self.hashes[i] == cell.hash), places[0])

    def _may_answer(self, cell: Released, i: int) -> bool:
        """Whether a cell with an answer's id may hold it: another one might define what was asked for."""
        names = cell.defines
        return all(_defined(self.cells[i], n) for n in names) or not any(where_defined(self.cells, n) for n in names)

    def _free(self) -> Iterator[int]:
        taken = set(self.place.values())
        return (i for i in range(len(self.cells)) if i not in taken)

    def _same_text(self, cell: Released) -> int | None:
        return next((i for i in self._free() if self.hashes[i] == cell.hash), None)

    def _looks_like(self, cell: Released) -> int | None:
        """An answer by what it defines, or by its heading; of several, the last that was written."""
        if cell.role != "answer":
            return None
        number = re.escape(self.release.exercises[cell.exercise].number)
        heading = re.compile(rf"^#+ *Exercise {number}\b", re.MULTILINE)
        free = list(self._free())
        free += [i for name, i in self.place.items() if self.release.cells[name].role == "playground"]
        if cell.type == "code":
            found = [i for i in free if all(_defined(self.cells[i], name) for name in cell.defines)]
        else:
            found = [i for i in free if self.cells[i].type != "code" and heading.search(self.cells[i].source)]
        return next(reversed(found), None)
