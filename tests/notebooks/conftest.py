"""A fast way to run one test cell of the notebook's text in this process, with chosen answers, and see how it ended."""

import ast
import contextlib
import dataclasses
import functools
import io
import shutil
import types
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from nbformat import NotebookNode
from torch import nn

from autograder.notebooks import as_released, bound_names, role
from autograder.submissions import model_answer, read_sample
from gcnn.budgets import Budget
from gcnn.training import train_model


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a test cell ended."""

    passed: bool
    """Whether it ran to its end."""
    kind: str
    """The exception's kind; "" if it passed."""
    message: str
    """What a failed assertion says; for another exception its kind, a colon and what it says; "" if it passed."""
    hidden: bool
    """Whether it was a hidden line that failed."""
    printed: str
    """What the cell wrote to stdout."""
    complaints: str
    """Warnings, and what the cell wrote to stderr: under plain nbgrader either costs all points."""


def names_read(code: str) -> set[str]:
    """The names that a cell's code reads somewhere."""
    return {n.id for n in ast.walk(ast.parse(code)) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}


def _execute(cell: NotebookNode, code: str, names: dict[str, object]) -> None:
    exec(compile(code, f"<{cell.id}>", "exec"), names)


class Notebook:
    """The notebook's text, ready to run its test cells one at a time.

    Attributes:
        cells: all code cells by id, in order, with solutions and hidden tests.
        tests: the ids of the test cells, in order.
        model: the model's answers in code, by exercise.
        given: what the given cells define.
    """

    def __init__(self, source: NotebookNode):
        self.cells = {cell.id: cell for cell in source.cells if cell.cell_type == "code"}
        self.tests = [name for name, cell in self.cells.items() if role(cell) == "tests"]
        self.model = {name: model_answer(cell) for name, cell in self.cells.items() if role(cell) == "answer"}
        self._visible = {cell.id: cell.source for cell in as_released(source).cells}
        self.given: dict[str, object] = {"__name__": "__main__"}
        with contextlib.redirect_stdout(io.StringIO()):
            for cell in self.cells.values():
                if role(cell) == "given":
                    _execute(cell, cell.source, self.given)
        few = {name: self._first(self.given[name], n) for name, n in (("train_set", 20), ("valid_set", 10))}
        self._brief = functools.partial(train_model, budget=Budget("brief", 1, batch_size=10), progress=False, **few)

    @staticmethod
    def _first(split: object, n: int) -> types.SimpleNamespace:
        return types.SimpleNamespace(images=split.images[:n], labels=split.labels[:n])

    def visible(self, test: str) -> str:
        """What students get of a test cell, by nbgrader's own steps."""
        return self._visible[test]

    def answers(self, *changes: tuple[str, ...]) -> dict[str, str]:
        """The model's answers with changes.

        Args:
            changes: ``(exercise, old, new)`` puts new in place of old, wherever it stands in the model's answer;
                ``(exercise, code)`` adds code after it, for example a class of the same name.

        Raises:
            ValueError: old stands nowhere in the answer, so the change is out of date.
        """
        answers = dict(self.model)
        for exercise, *change in changes:
            if len(change) == 1:
                answers[exercise] += f"\n\n{change[0]}\n"
            elif change[0] not in answers[exercise]:
                raise ValueError(f"{change[0]!r} stands nowhere in the model's answer {exercise!r}: update the change")
            else:
                answers[exercise] = answers[exercise].replace(*change)
        return answers

    def sample(self, path: Path, source: NotebookNode) -> dict[str, str]:
        """The answers in code of a sample submission."""
        cells = read_sample(path, source).notebook.cells
        return {cell.id: cell.source for cell in cells if cell.id in self.model}

    def _before(
        self, end: str, answers: Mapping[str, str], wanted: set[str], train: Callable[..., object]
    ) -> dict[str, object]:
        """What is defined just before a cell.

        Args:
            end: that cell's id.
            answers: code by exercise; each is executed where it stands.
            wanted: names of networks; the training cells that bind them are executed too.
            train: stands for `train_model` in them.
        """
        names = {**self.given, "train_model": lambda model, checkpoint: train(model)}  # nothing is kept
        torch.manual_seed(0)
        for name, cell in self.cells.items():
            if name == end:
                break
            if role(cell) == "answer":
                _execute(cell, answers[name], names)
            elif role(cell) == "training" and wanted & bound_names(cell.source):
                # As in a notebook: where training fails, the name stays undefined, and the test says so.
                with contextlib.suppress(Exception), contextlib.redirect_stdout(io.StringIO()):
                    _execute(cell, cell.source, names)
        return names

    def network(self, name: str, answers: Mapping[str, str], train: Callable[..., object]) -> nn.Module:
        """A network that the notebook's own cell trains.

        Args:
            name: what the cell calls it.
            answers: code by exercise.
            train: stands for `train_model`.
        """
        return self._before("", answers, {name}, train)[name]

    def run(
        self,
        test: str,
        answers: Mapping[str, str] | None = None,
        *,
        visible_only: bool = False,
        names: Mapping[str, object] | None = None,
    ) -> Outcome:
        """Run one test cell as a grader would, but without the other tests.

        Answers are executed up to the test cell, each in the notebook's order. A network that the test reads is trained
        by the notebook's own cell, in two steps on ten digits each.

        Args:
            test: the test cell's id.
            answers: code by exercise; the model's by default.
            visible_only: whether the hidden part is left out.
            names: what else is defined just before the test cell, a trained network for example.
        """
        names = {} if names is None else names
        code = self.visible(test) if visible_only else self.cells[test].source
        wanted = names_read(code) - names.keys()
        space = self._before(test, self.model if answers is None else answers, wanted, self._brief)
        space.update(names)
        out, err, error, line = io.StringIO(), io.StringIO(), None, 0
        with (
            warnings.catch_warnings(record=True) as caught,
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            warnings.simplefilter("always")
            try:
                _execute(self.cells[test], code, space)
            except Exception as e:
                error, trace = e, e.__traceback__
                while trace is not None and trace.tb_frame.f_code.co_filename != f"<{test}>":
                    trace = trace.tb_next
                line = trace.tb_lineno
        kind = "" if error is None else type(error).__name__
        return Outcome(
            passed=error is None,
            kind=kind,
            message="" if error is None else str(error) if kind == "AssertionError" else f"{kind}: {error}",
            hidden="BEGIN HIDDEN" in "\n".join(code.split("\n")[:line]),
            printed=out.getvalue(),
            complaints=err.getvalue() + "".join(str(w.message) for w in caught),
        )


@pytest.fixture(scope="session")
def notebook(source):
    """The notebook's text, ready to run its test cells."""
    return Notebook(source)


@pytest.fixture
def bundle(made_bundle, tmp_path):
    """The same, in a folder of a student's own."""
    return Path(shutil.copytree(made_bundle, tmp_path / "student"))
