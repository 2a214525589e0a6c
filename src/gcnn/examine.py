"""What there is to say about a student's notebook: its answers, the course's own cells in it, and how it runs."""

import ast
import functools
import re
from collections.abc import Callable, Sequence

from gcnn.clean_start import run
from gcnn.released import Cell, Exercise, Match, Release, Released, fingerprint, where_defined
from gcnn.released import bare as without_stub

OWN_ROLES = ("given", "training", "tests")  # what students are not to change
_STUBS = {
    "code": re.compile(r"^\s*raise\s+NotImplementedError\b", re.MULTILINE),
    "markdown": re.compile(r"^\s*YOUR ANSWER HERE\s*$", re.MULTILINE),
}


class Examination:
    """A notebook, compared with the release that it was.

    Args:
        cells: the notebook's.
        of: the release.
    """

    def __init__(self, cells: Sequence[Cell], of: Release):
        self.cells, self.release, self.match = cells, of, Match(cells, of)

    @functools.cached_property
    def states(self) -> dict[str, str]:
        """How far each exercise is: "missing", "untouched", "begun" (a stub is left in it) or "written"."""
        return {key: self._state(cell) for key, cell in self.release.answers.items()}

    def _state(self, cell: Released) -> str:
        if cell.id not in self.match.place:
            return "missing"
        text = self.cells[self.match.place[cell.id]].source
        if not text.strip() or self.match.same(cell.id) or fingerprint(without_stub(text)) == cell.bare:
            return "untouched"
        return "begun" if _STUBS[cell.type].search(text) else "written"

    def exercises(self, *states: str) -> list[Exercise]:
        """The exercises that are so far, in order."""
        return [self.release.exercises[key] for key, state in self.states.items() if state in states]

    @functools.cached_property
    def repeated(self) -> list[Exercise]:
        """The exercises whose answers stand in several cells."""
        return [self.release.exercises[self.release.cells[name].exercise] for name in self.match.copies]

    @functools.cached_property
    def changed(self) -> list[Released]:
        """The course's own cells that are not as they were given."""
        return [c for c in self.own if c.id in self.match.place and not self.match.same(c.id)]

    @functools.cached_property
    def lost(self) -> list[Released]:
        """The course's own cells that are not there."""
        return [cell for cell in self.own if cell.id not in self.match.place]

    @functools.cached_property
    def own(self) -> list[Released]:
        """The course's own cells, which must stay as they were given."""
        return [cell for cell in self.release.cells.values() if cell.role in OWN_ROLES]

    def called(self, cell: Released) -> str:
        """What a released cell is called in a sentence."""
        begins = f" that begins with “{cell.begins}”"
        if not cell.exercise:
            return f"the {'free' if cell.role == 'playground' else cell.role} cell{begins}"
        exercise = self.release.exercises[cell.exercise]
        return {
            "answer": f"the answer to {exercise}",
            "training": f"the training cell of {exercise}",
            "tests": f"the test cell of {exercise}{begins}",
        }[cell.role]

    def called_here(self, i: int) -> str:
        """What one of the notebook's cells is called in a sentence."""
        name = self.match.name(i)
        if name is not None:
            return self.called(self.release.cells[name])
        first = next(iter(self.cells[i].source.strip().splitlines()), "")[:50]
        return f"your own cell that begins with “{first}”"

    def _ready(self, exercise: Exercise, *states: str) -> bool:
        """Whether an exercise and all that it needs are so far."""
        return all(self.states[key] in states for key in (exercise.key, *exercise.needs))

    def _runs(self, i: int) -> bool:
        """Whether a cell is run: not the tests of accuracy, and nothing of an exercise that there is nothing of."""
        if self.cells[i].type != "code" or not self.cells[i].source.strip():
            return False
        name = self.match.name(i) or next((n for n in self.cells[i].ids if n in self.release.cells), None)
        if name is None or self.release.cells[name].role not in ("tests", "training"):
            return True
        cell = self.release.cells[name]
        ready = self._ready(self.release.exercises[cell.exercise], "begun", "written")
        return ready and not cell.accuracy and self.match.name(i) is not None

    @property
    def waiting(self) -> bool:
        """Whether tests are left out since an exercise, or one that it needs, has no answer in code."""
        return any(self.states[key] in ("untouched", "missing") for key, a in self.release.answers.items() if a.defines)

    def from_a_clean_start(self, limit: float, progress: Callable[[int, int], None]) -> list[str]:
        """Run the notebook in a fresh kernel, and say what fails: a sentence for each exercise or other cell.

        Args:
            limit: seconds after which a cell is stopped.
            progress: called with how many cells are done, and of how many.

        Raises:
            RuntimeError: it could not be run; the message says why.
        """
        todo = [i for i in range(len(self.cells)) if self._runs(i)]
        failed = run([self.cells[i].source for i in todo], limit, lambda number: progress(number, len(todo)))
        progress(len(todo), len(todo))
        errors = {todo[number]: error for number, error in failed.items()}
        return self._sentences({i: error for i, error in errors.items() if not self._expected(i, error, errors)})

    def _exercise(self, i: int) -> Exercise | None:
        """The exercise that a cell belongs to."""
        name = self.match.name(i)
        return self.release.exercises.get(self.release.cells[name].exercise) if name is not None else None

    def _expected(self, i: int, error: str, errors: dict[int, str]) -> bool:
        """Whether a failure follows from what is said elsewhere."""
        name = self.match.name(i)
        if name is None or " and was stopped" in error or error.startswith("the kernel died"):
            return False
        if self.match.role(i) == "playground":
            others = any(self.match.role(k) != "playground" for k in errors)
            return self.match.same(name) and (others or bool(self.exercises("missing", "untouched", "begun")))
        exercise = self._exercise(i)
        return error.startswith("NotImplementedError") and exercise is not None and not self._ready(exercise, "written")

    def _sentences(self, errors: dict[int, str]) -> list[str]:
        """What to say of the cells that failed: of an exercise's cells the first, and what may follow from it."""
        groups: dict[object, list[int]] = {}
        for i in errors:
            groups.setdefault(self._exercise(i) or i, []).append(i)
        failing = {group.key for group in groups if isinstance(group, Exercise)}
        sentences, follow = [], []
        for group, cells in groups.items():
            if isinstance(group, Exercise) and failing & set(group.needs):
                follow.append(str(group))
                continue
            more = f" (and {len(cells) - 1} more of this exercise's cells)" if len(cells) > 1 else ""
            sentences.append(self._sentence(cells[0], errors[cells[0]]) + more)
        if follow:
            sentences.append(f"Perhaps only since they need one of these: {'; '.join(follow)}")
        return sentences

    def _sentence(self, i: int, error: str) -> str:
        called = self.called_here(i)
        free = " (it earns nothing, so this costs nothing)" if self.match.role(i) == "playground" else ""
        return f"{called[0].upper()}{called[1:]}{free}: {error}{self._about_a_name(i, error)}"

    def _about_a_name(self, i: int, error: str) -> str:
        """Where the name is defined that a cell did not find."""
        if not (missing := re.match(r"NameError: name '(\w+)' is not defined", error)):
            return ""
        places = [k for k, cell in enumerate(self.cells) if cell.type == "code" and missing[1] in _bound(cell.source)]
        if not places:
            return f". No cell defines {missing[1]}: was its cell deleted?"
        if min(places) > i:
            return f". It is defined further down only, in {self.called_here(min(places))}: move that cell up"
        return ""


def _bound(code: str) -> set[str]:
    """The names that code binds anywhere; none if it is not Python."""
    try:
        nodes = list(ast.walk(ast.parse(re.sub(r"^([ \t]*)[%!].*$", r"\1pass", code, flags=re.MULTILINE))))
    except (SyntaxError, ValueError, RecursionError):
        return set()
    names = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    names |= {node.name for node in nodes if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))}
    return names | {(node.asname or node.name).partition(".")[0] for node in nodes if isinstance(node, ast.alias)}


def unsaved(examination: Examination, history: Sequence[str]) -> list[Exercise]:
    """The exercises whose answers were run last in another version than the file has.

    Args:
        examination: of what the file has.
        history: the code that was run in this session, in order.
    """
    found, texts = [], {fingerprint(cell.source) for cell in examination.cells}
    for key, cell in examination.release.answers.items():
        for code in reversed(history):
            ran = Cell("code", code)
            if cell.defines and all(where_defined([ran], name) for name in cell.defines):
                if fingerprint(code) not in texts:
                    found.append(examination.release.exercises[key])
                break
    return found
