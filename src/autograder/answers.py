"""Finds the answers in a hand-in: which of its cells hold the answer to which exercise, whatever happened to them.

An answer is found by its cell's id, else by what it defines, or for words by its heading or its place. Code that a
student split is joined where only the whole is Python that defines what was asked for. `autograder.submissions` pours
what is found here into the source notebook.
"""

import contextlib
import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence

from nbformat import NotebookNode

from autograder.notebooks import bound_names, role

MAX_CODE = 200_000  # characters of a cell in which definitions are looked for
MAX_ALL_CODE = 1_000_000  # and of all that is looked at in one hand-in
MAX_JOINED = 8  # cells that one answer may have been split into, on either side of the one that has its id
_WORD = re.compile(r"\w+")
_HEADING = re.compile(r"^[ \t]*#+[ \t]*(\S.*)$", re.MULTILINE)


@dataclasses.dataclass
class Found:
    """Where the answers are."""

    places: dict[str, list[int]] = dataclasses.field(default_factory=dict)
    """For each answer that was found, the cells that hold it, in order."""
    given: dict[int, str] = dataclasses.field(default_factory=dict)
    """The cells that are the course's own, though perhaps changed, and which ones they are."""
    copies: set[int] = dataclasses.field(default_factory=set)
    """Cells that are copies of a stub or of an answer, and are to be left out."""
    moved: set[str] = dataclasses.field(default_factory=set)
    """Answers that were found far from their own place."""
    missing: list[str] = dataclasses.field(default_factory=list)
    """Answers that were not found."""
    repairs: list[str] = dataclasses.field(default_factory=list)
    """What had to be put right, one sentence each."""


def find_answers(cells: Sequence[NotebookNode], released: Mapping[str, NotebookNode]) -> Found:
    """Find the answers.

    Args:
        cells: a hand-in's.
        released: the release's cells by their ids.
    """
    return _Finder(cells, released).find()


def _claimed_name(cell: NotebookNode) -> str:
    """The id that a handed-in cell claims: nbgrader's, else its own, else ""."""
    claimed = cell.metadata.get("nbgrader")
    grade_id = claimed.get("grade_id") if isinstance(claimed, dict) else None
    return grade_id if isinstance(grade_id, str) else str(cell.get("id", ""))


def _heading(text: str) -> str:
    found = _HEADING.search(text[:5000])
    return " ".join(found[1].split()) if found else ""


def _seems_to_define(code: str, wanted: frozenset[str]) -> bool:
    """Whether code that may not be Python as a whole has the lines with which the definitions begin."""
    begins = (rf"^(?:(?:def|class)[ \t]+{re.escape(name)}\b|{re.escape(name)}[ \t]*=)" for name in wanted)
    return bool(wanted) and all(re.search(line, code[:MAX_CODE], re.MULTILINE) for line in begins)


class _Finder:
    """One hand-in, whose cells are given to the answers one by one."""

    def __init__(self, cells: Sequence[NotebookNode], released: Mapping[str, NotebookNode]):
        self.cells, self.released = cells, released
        self.texts = [cell.source.strip() for cell in cells]
        self.found = Found()
        self.taken: set[int] = set()
        self.known_binds: dict[int, frozenset[str] | None] = {}
        self.code_left = MAX_ALL_CODE
        self.order = {name: number for number, name in enumerate(released)}
        self.answers = {name: cell for name, cell in released.items() if role(cell) == "answer"}
        self.stubs = {name: cell.source.strip() for name, cell in self.answers.items()}
        self.wanted = {name: self._read(cell.source) or frozenset() for name, cell in self.answers.items()}
        self.claims: dict[str, list[int]] = {name: [] for name in self.answers}
        self.claimed: dict[int, str] = {}
        self.first_test: dict[str, int] = {}  # of each exercise
        known = {cell.source.strip(): name for name, cell in released.items() if name not in self.answers}
        for i, cell in enumerate(cells):
            name = _claimed_name(cell)
            if name in self.answers:
                self.claims[name].append(i)
                self.claimed[i] = name
                continue
            name = name if name in released else known.get(self.texts[i])
            if name is not None:
                self.found.given[i] = name
                if role(released[name]) == "tests":
                    self.first_test.setdefault(released[name].metadata.course.exercise, i)

    def find(self) -> Found:
        """Find all answers, the surest ways first."""
        for way in (self._by_id, self._by_content, self._below, self._by_heading, self._as_it_is):
            for name in self.answers:
                if name not in self.found.places:
                    way(name)
        for name, stub in self.stubs.items():
            if name not in self.found.places:
                self.found.missing.append(name)
                continue
            if any(self.texts[i] == stub for i in self.found.places[name]):
                self._below(name)
            chosen = self._joined(self.found.places[name]).strip()
            spare = {i for i, text in enumerate(self.texts) if text in (stub, chosen) and i not in self.found.given}
            self.found.copies |= spare - self.taken
        return self.found

    def _read(self, code: str) -> frozenset[str] | None:
        """The names that code binds; ``None`` where it is not Python, or too long to look at."""
        if len(code) > min(MAX_CODE, self.code_left):
            return None
        self.code_left -= len(code)
        # Jupyter's own lines, %magic and !shell, are no Python.
        for text in (code, re.sub(r"^([ \t]*)[%!].*$", r"\1pass", code, flags=re.MULTILINE)):
            with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError):
                return frozenset(bound_names(text))
        return None

    def _binds(self, i: int) -> frozenset[str] | None:
        if i not in self.known_binds:
            self.known_binds[i] = self._read(self.cells[i].source)
        return self.known_binds[i]

    def _defines(self, i: int, name: str) -> bool:
        """Whether a cell defines what an answer in code must."""
        return bool(self.wanted[name]) and self.wanted[name] <= (self._binds(i) or frozenset())

    def _is_code(self, name: str) -> bool:
        return self.answers[name].cell_type == "code"

    def _own(self, i: int) -> bool:
        """Whether a cell is the student's own: not empty, not the course's, and no answer's."""
        return bool(self.texts[i]) and i not in self.found.given and i not in self.claimed and i not in self.taken

    def _words(self, i: int) -> bool:
        """Whether a cell is the student's own words; many are written into cells that are code by default."""
        return self._own(i) and (self.cells[i].cell_type != "code" or self._binds(i) is None)

    def _in_playground(self, i: int) -> bool:
        name = self.found.given.get(i)
        return name is not None and role(self.released[name]) == "playground" and i not in self.taken

    def _written(self, name: str) -> list[int]:
        """The cells with an answer's id in which something else stands than in the release."""
        return [i for i in self.claims[name] if self.texts[i] not in ("", self.stubs[name]) and i not in self.taken]

    def _joined(self, places: Sequence[int]) -> str:
        return "\n".join(self.cells[i].source for i in places)

    def _effective(self, name: str, places: Sequence[int]) -> int:
        """Of several cells with an answer, the one that its tests saw when the notebook ran."""
        first_test = self.first_test.get(name, len(self.cells))
        return max((i for i in places if i < first_test), default=places[-1])

    def _take(self, name: str, places: list[int], sentence: str = "") -> None:
        self.found.places[name] = places
        self.taken.update(places)
        for i in places:
            self.found.given.pop(i, None)  # a playground: the course's own takes its place
        if sentence:
            self.found.repairs.append(f"the answer {name!r} {sentence}")

    def _by_id(self, name: str) -> None:
        """Find an answer in the cells that have its id, and in those that it was split into."""
        written = self._written(name)
        if not written:
            return
        if not self._is_code(name):  # a person reads it: nothing is left out but copies
            block = list({self.texts[i]: i for i in reversed(written)}.values())[::-1]
        elif good := [i for i in written if self._defines(i, name)]:
            block = self._with_rest(name, [self._effective(name, good)])
        else:
            block = next((block for i in written if (block := self._around(name, i))), [])
            block = block and self._with_rest(name, block)
        if len(block) > 1:
            self._take(name, block, f"was split over {len(block)} cells: they were joined")
        elif block:
            self._take(name, block)
            if (copies := len(self.claims[name])) > 1:
                counts = "the last one that was written before its tests counts"
                self.found.repairs.append(f"{copies} cells had the id of the answer {name!r}: {counts}")

    def _may_be_part(self, name: str, i: int) -> bool:
        """Whether a cell may be a part of an answer in code whose other parts are beside it."""
        if not 0 <= i < len(self.cells) or i in self.taken or i in self.found.given:
            return False
        return self.claimed.get(i) == name or (self._own(i) and self.cells[i].cell_type == "code")

    def _around(self, name: str, i: int) -> list[int]:
        """The fewest cells in a row around one that are together Python which defines what was asked for."""
        first = last = i
        while i - first < MAX_JOINED and self._may_be_part(name, first - 1):
            first -= 1
        while last - i < MAX_JOINED and self._may_be_part(name, last + 1):
            last += 1
        rows = [range(start, end + 1) for start in range(first, i + 1) for end in range(i, last + 1)]
        for row in sorted(rows, key=lambda row: (len(row), -row.start)):
            block = [k for k in row if self.texts[k] not in ("", self.stubs[name])]
            if i in block and len(block) > 1 and self.wanted[name] <= (self._read(self._joined(block)) or frozenset()):
                return block
        return []

    def _with_rest(self, name: str, block: list[int]) -> list[int]:
        """Cells that define what was asked for, and those below them that are Python only as their continuation."""
        whole, trial = block, list(block)
        while len(trial) <= MAX_JOINED and self._may_be_part(name, k := trial[-1] + 1) and self._continues(k):
            trial.append(k)
            if self.wanted[name] <= (self._read(self._joined(trial)) or frozenset()):
                whole = list(trial)
        return whole

    def _continues(self, i: int) -> bool:
        """Whether a cell begins inside of something: indented, and no Python on its own."""
        return self.cells[i].source.lstrip("\r\n")[:1] in (" ", "\t") and self._binds(i) is None

    def _by_content(self, name: str) -> None:
        """Find an answer in code by what it defines."""
        if not self._is_code(name):
            return
        pool = [i for i in range(len(self.cells)) if self._own(i) or self._in_playground(i)]
        pool += [i for i, other in self.claimed.items() if i not in self.taken and not self._defines(i, other)]
        places = sorted(i for i in pool if self._defines(i, name))
        if written := [i for i in places if self.texts[i] != self.stubs[name]]:
            block = self._with_rest(name, [self._effective(name, written)])
        elif self.claims[name] and self._written(name):
            return
        elif seems := [i for i in pool if _seems_to_define(self.cells[i].source, self.wanted[name])]:
            i = self._effective(name, [i for i in seems if self.texts[i] != self.stubs[name]] or seems)
            block = self._with_rest(name, self._around(name, i) or [i])
        else:
            return
        if self.claims[name] and self.texts[block[0]] == self.stubs[name]:
            return
        how = "its own cell does not hold it" if self.claims[name] else "its cell had lost its id"
        before = max((k for k in self.found.given if k < block[0]), default=None)
        if before is not None and self.order[self.found.given[before]] > self.order[name]:
            self.found.moved.add(name)
            block = [*self._helpers(block), *block]
        self._take(name, block, f"was found by what it defines: {how}")

    def _helpers(self, block: list[int]) -> Iterator[int]:
        """The student's own cells directly before a moved answer that define what it uses."""
        first, words = block[0], set(_WORD.findall(self._joined(block)[:MAX_CODE]))
        while first > 0 and self._may_be_part("", first - 1) and not words.isdisjoint(self._binds(first - 1) or ()):
            first -= 1
            words.update(_WORD.findall(self.cells[first].source))
        return iter(range(first, block[0]))

    def _below(self, name: str) -> None:
        """Join an untouched written answer with the words that stand in the student's own cells below it."""
        if self._is_code(name):
            return
        places = self.found.places.get(name) or [i for i in self.claims[name] if i not in self.taken]
        block = places[-1:]
        while block and block[-1] + 1 < len(self.cells) and self._words(block[-1] + 1):
            block.append(block[-1] + 1)
        if len(block) > 1:
            self._take(name, block, "stood in a cell below its own: the two were joined")

    def _by_heading(self, name: str) -> None:
        """Find a written answer whose cell lost its id by its heading, or by its place between the course's cells."""
        if self._is_code(name) or self.claims[name]:
            return
        pool, wanted = [i for i in range(len(self.cells)) if self._words(i)], _heading(self.stubs[name])
        places, how = [i for i in pool if wanted and _heading(self.texts[i]) == wanted], "its heading"
        places = [i for i in places if self.texts[i] != self.stubs[name]] or places
        if not places:
            between = self._between(name)
            places, how = [i for i in pool if i in between], "its place"
        if len(places) == 1 or (how == "its heading" and places):
            self._take(name, places[-1:], f"was found by {how}: its cell had lost its id")

    def _between(self, name: str) -> range:
        """The cells between those of the course's that stand before and after an answer in the release."""
        names = list(self.released)
        at = {given: i for i, given in reversed(self.found.given.items())}
        at |= {answer: block[0] for answer, block in self.found.places.items()}
        first, last = self.order[name] - 1, self.order[name] + 1
        if first < 0 or last >= len(names) or names[first] not in at or names[last] not in at:
            return range(0)
        return range(at[names[first]] + 1, at[names[last]])

    def _as_it_is(self, name: str) -> None:
        """Take the cell with the answer's id, whatever is in it."""
        if free := [i for i in self.claims[name] if i not in self.taken]:
            self._take(name, [self._effective(name, self._written(name) or free)])
            if (copies := len(self.claims[name])) > 1:
                self.found.repairs.append(f"{copies} cells had the id of the answer {name!r}: one of them counts")
