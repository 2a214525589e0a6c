"""Which tests an answer can change: all that use a name that it binds, directly or through later answers and training.

Everything else runs the same code as with the model's answer, so its outcome is known beforehand.
"""

import ast
import contextlib
import dataclasses
import functools

from nbformat import NotebookNode

from autograder.mutants.made import model_answers
from autograder.notebooks import bound_names, role


def used_names(code: str) -> set[str]:
    """The names that a code reads somewhere.

    Raises:
        SyntaxError: it does not parse.
    """
    return {n.id for n in ast.walk(ast.parse(code)) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}


def only_defines(code: str) -> bool:
    """Whether a code's top level binds names and does nothing else, as far as one can see; it may not parse."""
    kinds = (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)
    names = (ast.Name, ast.Tuple, ast.List, ast.Starred, ast.Store)

    def defines(statement: ast.stmt) -> bool:
        if isinstance(statement, (ast.Assign, ast.AnnAssign)):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            return all(isinstance(node, names) for target in targets for node in ast.walk(target))
        docstring = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        return docstring or isinstance(statement, kinds)

    try:
        return all(map(defines, ast.parse(code).body))
    except (SyntaxError, ValueError):
        return True  # nothing of it runs


@dataclasses.dataclass(frozen=True)
class Affected:
    """What an answer can change, in the notebook's order."""

    tests: tuple[str, ...]
    """Test cells that use nothing trained."""
    training: tuple[str, ...]
    """Training cells."""
    trained: tuple[str, ...]
    """Test cells that use a trained network."""

    @property
    def cells(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.tests, *self.training, *self.trained)


class Uses:
    """Which cell of a notebook uses which.

    Attributes:
        cells: its code cells by id, in order.
        answers: the model's answers by exercise.
    """

    def __init__(self, source: NotebookNode):
        self.cells = {cell.id: cell for cell in source.cells if cell.cell_type == "code"}
        self.answers = model_answers(source)
        self._order = list(self.cells)
        self._reads = {name: used_names(cell.source) for name, cell in self.cells.items()}
        training = [cell.source for cell in self.cells.values() if role(cell) == "training"]
        self._networks = set().union(*map(bound_names, training))

    def exercise(self, cell: str) -> str:
        """The exercise to which a cell belongs."""
        return self.cells[cell].metadata.course.exercise

    @functools.cached_property
    def tests(self) -> tuple[str, ...]:
        """All test cells, in order."""
        return tuple(name for name, cell in self.cells.items() if role(cell) == "tests")

    def networks(self, test: str) -> set[str]:
        """The trained networks that a test uses."""
        return self._reads[test] & self._networks

    def affected(self, exercise: str, code: str) -> Affected:
        """What can come out differently with this code as the answer to an exercise."""
        changed, everything = bound_names(self.answers[exercise]), not only_defines(code)
        with contextlib.suppress(SyntaxError, ValueError):
            changed = changed | bound_names(code)
        found: dict[str, list[str]] = {"tests": [], "training": [], "trained": []}
        for name in self._order[self._order.index(exercise) + 1 :]:
            cell, kind = self.cells[name], role(self.cells[name])
            if not (everything or self._reads[name] & changed):
                continue
            if kind == "answer":
                changed = changed | bound_names(self.answers[name])
            elif kind == "training":
                changed = changed | bound_names(cell.source)
                found["training"].append(name)
            elif kind == "tests":
                found["trained" if self.networks(name) else "tests"].append(name)
        return Affected(*(tuple(names) for names in found.values()))
