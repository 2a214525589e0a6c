"""Runs one submission: its own cells in a sandboxed kernel, the tests here, on proxies of what the kernel holds.

It knows no gradebook: a notebook and the files beside it go in, the executed notebook, an outcome for every test and
the evidence come out. Nothing that a submission does ends a run: what cannot be graded has *not graded* as its outcome,
with the reason.
"""

import ast
import contextlib
import dataclasses
import functools
import hashlib
import io
import itertools
import platform
import re
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode

from autograder import forecast
from autograder.answers import MAX_CODE
from autograder.exercises import EXERCISES, dependants, needed
from autograder.judge import Outcome, Stopped, judge_cell
from autograder.judge.cells import clean, gpu_was_full
from autograder.kernel import TOO_LONG, Kernel, Settings, error_output
from autograder.notebooks import bound_names, role
from autograder.sandbox import Sandbox

MAX_RESTARTS = 2


@dataclasses.dataclass
class Run:
    """What became of a submission."""

    notebook: NotebookNode
    """The notebook with its outputs, fit to be shown."""
    outcomes: dict[str, Outcome]
    """By the test cell's id."""
    evidence: dict[str, Any]
    """Plain data, enough to know how this run was made and to make it again."""


@functools.lru_cache(maxsize=4)
def given_names(cells: tuple[str, ...]) -> dict[str, Any]:
    """What the given cells define, run once in this process: the grader's own copies."""
    namespace: dict[str, Any] = {"__name__": "__given__"}
    with contextlib.redirect_stdout(io.StringIO()):
        for code in cells:
            exec(compile(code, "<given cell>", "exec"), namespace)
    return namespace


class _Submission:
    """One run, cell by cell."""

    def __init__(
        self, notebook: NotebookNode, names: frozenset[str], sandbox: Sandbox, settings: Settings, has_modules: bool
    ):
        self.notebook, self.names, self.sandbox, self.settings = notebook, names, sandbox, settings
        self.has_modules = has_modules  # handed in, in whose way the course's own may be
        self.given = given_names(tuple(cell.source for cell in notebook.cells if role(cell) == "given"))
        self.outcomes: dict[str, Outcome] = {}
        self.wrong: set[str] = set()  # exercises with a test that failed
        self.deaths: list[str] = []
        self.trouble: list[str] = []  # what the machine is the reason of, so that another try is worth it
        # The course's own cells that run before anything of the submission: what becomes of them is not its doing.
        code = [i for i, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
        self.first = set(itertools.takewhile(lambda i: role(notebook.cells[i]) == "given", code))
        self.killers: set[int] = set()  # cells that are not run again
        # Exercises that are not tried, or not again, with the reason.
        self.given_up: dict[str, str] = dict(notebook.metadata.get("course", {}).get("lost", {}))
        self.missing: dict[str, str] = {}  # names that may be undefined, with the reason
        # Networks whose training the submission's own code made fail, and those that cannot be accurate, with why.
        self.untrained: dict[str, str] = {}
        self.inaccurate: dict[str, str] = {}
        self.seconds: dict[str, float] = {}
        self.kernel: Kernel | None = None

    def run(self) -> None:
        """Run every cell of the notebook, and give every test its outcome."""
        self._start(0)
        for index, cell in enumerate(self.notebook.cells):
            if cell.cell_type != "code":
                continue
            start = time.monotonic()
            if role(cell) == "tests":
                outcome = self._judge(cell)
                self.outcomes[cell.id] = outcome
                if outcome.machine_trouble:
                    self.trouble.append(outcome.message)
                if outcome.status == "failed":
                    self.wrong.add(cell.metadata.course.exercise)
                cell.outputs = [nbformat.from_dict(output) for output in outcome.outputs]
            else:
                self._execute(cell, index)
            self.seconds[cell.id] = round(time.monotonic() - start, 3)
        if self.kernel is not None:
            self.kernel.end()

    def _start(self, upto: int) -> None:
        """Start a kernel and run the cells before ``upto`` again, but for training cells and those that killed one."""
        while self.kernel is None and len(self.deaths) <= MAX_RESTARTS:
            began = time.monotonic()
            try:
                self.kernel = Kernel(self.sandbox, self.notebook, self.names, self.settings)
            except (RuntimeError, DeadKernelError, Stopped) as error:
                self.deaths.append(f"no kernel could be started: {getattr(error, 'reason', error)}")
                self.trouble.append(self.deaths[-1])
                continue
            finally:
                self.seconds["kernel"] = round(self.seconds.get("kernel", 0) + time.monotonic() - began, 3)
            for index, cell in enumerate(self.notebook.cells[:upto]):
                if cell.cell_type != "code" or role(cell) in ("tests", "training") or index in self.killers:
                    continue
                copy = nbformat.v4.new_code_cell(cell.source, metadata=cell.metadata)
                reason = self.kernel.execute(copy, index) or self._no_start(copy, index)
                if index in self.first:
                    cell.outputs = copy.outputs
                if reason:
                    self._died(reason, index)
                    break

    def _no_start(self, cell: NotebookNode, index: int) -> str:
        """Why a kernel is of no use in which the course's own first cells did not run to their end."""
        error = _error(cell) if index in self.first else None
        return f"the course's own cell did not run: {_told(error)}" if error is not None else ""

    def _died(self, reason: str, index: int | None = None) -> None:
        """Note a kernel's death, and the cell that it died of."""
        self.deaths.append(reason)
        if index in self.first:
            self.trouble += [] if self.has_modules else [reason]
        elif index is not None:
            self.killers.add(index)
            self._undefined(self.notebook.cells[index], f"its cell ended the kernel ({reason})")
        if self.kernel is not None:
            self.kernel.end()
            self.kernel = None

    def _undefined(self, cell: NotebookNode, reason: str) -> None:
        """Note why the names that a cell would have bound may be undefined; a cell that is not Python may name them."""
        try:
            names = bound_names(cell.source) if len(cell.source) <= MAX_CODE else self._mentioned(cell)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            names = self._mentioned(cell)
        self.missing |= dict.fromkeys(names, reason)

    def _mentioned(self, cell: NotebookNode) -> set[str]:
        return {name for name in self.names if re.search(rf"\b{name}\b", cell.source)}

    def _give_up(self, cell: NotebookNode, reason: str) -> None:
        """Try no exercise again whose code ended a kernel, nor those that need it: the others get their chance."""
        for key in dependants([cell.metadata.course.exercise]):
            self.given_up.setdefault(key, reason)

    def _execute(self, cell: NotebookNode, index: int) -> None:
        exercise = cell.metadata.get("course", {}).get("exercise", "")
        if role(cell) == "training" and exercise in self.given_up:
            self._undefined(cell, f"it was not trained: {self.given_up[exercise]}")
            return
        if self.kernel is None:
            cell.outputs = [error_output("NotRun", f"this cell was not run: {self._last()}")]
            self._undefined(cell, f"its cell was not run: {self._last()}")
            return
        reason = self._train(cell, index) if role(cell) == "training" else self.kernel.execute(cell, index)
        reason, failed = reason or self._no_start(cell, index), _error(cell)
        if reason:
            cell.outputs.append(error_output("KernelDied", reason))
            self._died(reason, index)
            if role(cell) == "training":
                self._give_up(cell, f"its training ended the kernel: {reason}")
            for earlier in self.notebook.cells[:index]:
                if role(earlier) == "training":
                    self._undefined(earlier, f"the kernel that it was trained in is gone: {reason}")
            self._start(index + (index in self.first))
        elif failed is not None:
            self._undefined(cell, f"its cell failed: {_told(failed)}")
            if role(cell) != "training" or failed.ename == TOO_LONG:  # a slow machine is no mistake of the answer
                return
            if gpu_was_full(failed.evalue):
                self.trouble.append(_told(failed))
            else:
                self.untrained |= dict.fromkeys(bound_names(cell.source), _told(failed))

    def _train(self, cell: NotebookNode, index: int) -> str:
        """Run a training cell, in full only if its network's accuracy is open; why the kernel is of no use any more."""
        outcome = forecast.forecast(cell, self.given, self.kernel.submission)
        if outcome.kernel_lost:
            return outcome.message
        if outcome.status != "failed":
            return self.kernel.execute(cell, index)
        self.inaccurate |= dict.fromkeys(bound_names(cell.source), outcome.message)
        source, cell.source = cell.source, forecast.on_trial(cell.source)
        try:
            return self.kernel.execute(cell, index)
        finally:
            cell.source = source

    def _judge(self, cell: NotebookNode) -> Outcome:
        exercise = cell.metadata.course.exercise
        if exercise in self.given_up:
            return Outcome.not_graded(self.given_up[exercise])
        if self.kernel is None:
            return Outcome.not_graded(f"this test was not reached: {self._last()}")
        if (known := self._known(cell)) is not None:
            return known
        outcome = judge_cell(
            cell.source,
            self.given,
            self.kernel.submission,
            seconds=self.settings.test_seconds,
            missing=self.missing,
            hint=self._hint(cell),
        )
        if outcome.kernel_lost:
            self._died(outcome.message)
            self._give_up(cell, f"a test of {exercise} ended the kernel: {outcome.message}")
            index = self.notebook.cells.index(cell)
            for earlier in self.notebook.cells[:index]:
                if role(earlier) == "training":
                    self._undefined(earlier, f"the kernel that it was trained in is gone: {outcome.message}")
            self._start(index)
        return outcome

    def _known(self, cell: NotebookNode) -> Outcome | None:
        """The outcome of a test whose network could not be trained or cannot be accurate: no person need look at it."""
        names = {node.id for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Name)}
        for name in sorted(names):
            if name in self.untrained:
                kind, message = "NotTrained", f"{name} could not be trained: {self.untrained[name]}"
            elif name in self.inaccurate and cell.id.endswith("-accuracy"):
                kind, message = "CannotPass", forecast.reason(name, self.inaccurate[name])
            else:
                continue
            message += f"{'' if message.endswith('.') else '.'} {hint}" if (hint := self._hint(cell)) else ""
            return Outcome("failed", message, outputs=[error_output(kind, message)])
        return None

    def _hint(self, cell: NotebookNode) -> str:
        """Which answers that a test needs are wrong themselves: a sentence for a student whose test fails of it.

        A test that exchanges the layers for stand-ins needs no other answer.
        """
        if "on_stand_ins" in cell.source:
            return ""
        key = cell.metadata.course.exercise
        wrong = [EXERCISES[other] for other in (needed(key) if key in EXERCISES else ()) if other in self.wrong]
        if not wrong:
            return ""
        *others, last = [f"{exercise.answer} (exercise {exercise.number})" for exercise in wrong]
        names = f"{', '.join(others)} and {last}" if others else last
        return f"This test needs {names}, whose own tests fail: begin there."

    def _last(self) -> str:
        return self.deaths[-1] if self.deaths else "there is no kernel"


def _error(cell: NotebookNode) -> NotebookNode | None:
    """The error that a cell ended with, if it did."""
    errors = [output for output in cell.outputs if output.output_type == "error"]
    # The one that says that it was stopped comes after that of the interrupt.
    return next((error for error in errors if error.ename == TOO_LONG), errors[0] if errors else None)


def _told(error: NotebookNode) -> str:
    return clean(f"{error.ename}: {error.evalue[:300]}".removesuffix(": "))


def _has_modules(files: Path) -> bool:
    """Whether a folder holds what Python would import from it."""
    return any(path.suffix in (".py", ".so") or path.is_dir() for path in files.iterdir())


def run(
    notebook: NotebookNode, names: frozenset[str], files: Path | None = None, settings: Settings | None = None
) -> Run:
    """Run one poured notebook and judge it.

    Args:
        notebook: what `autograder.submissions.pour` gave; a copy is run.
        names: the names that belong to the submission, `autograder.notebooks.submission_names`.
        files: the folder with the other files that were handed in; the notebook in it is never seen by the kernel.
        settings: sandbox, limits and seconds.

    Raises:
        SandboxUnavailable: this machine has no sandbox, and none was asked for.
    """
    settings = settings or Settings()
    notebook = nbformat.from_dict(notebook)
    start = time.monotonic()
    hidden_from_it = [Path(__file__).parents[2]] if Path(__file__).parents[1].name == "src" else []
    with Sandbox(settings.limits, files=files, hide=hidden_from_it, kind=settings.sandbox) as sandbox:
        submission = _Submission(notebook, names, sandbox, settings, files is not None and _has_modules(files))
        submission.run()
    evidence = {
        "notebook": hashlib.sha256("\0".join(cell.source for cell in notebook.cells).encode()).hexdigest(),
        **_machine(),
        "sandbox": {"kind": settings.sandbox, **dataclasses.asdict(sandbox.evidence)},
        "kernel deaths": submission.deaths,
        "machine trouble": submission.trouble,
        "seconds": {"all": round(time.monotonic() - start, 3), **submission.seconds},
        "outcomes": {
            name: {
                "status": outcome.status,
                "message": outcome.message,
                "grader_error": outcome.grader_error,
                "measured": outcome.measured,
            }
            for name, outcome in submission.outcomes.items()
        },
    }
    return Run(notebook, submission.outcomes, evidence)


def _machine() -> dict[str, Any]:
    """What the tests ran on; torch is named where they used it, and not imported for this."""
    versions = {"python": platform.python_version()}
    if (torch := sys.modules.get("torch")) is None:
        return {"grader": platform.machine(), "versions": versions}
    from gcnn.environment import describe

    # torch's version is no plain string: where it is sent, torch would be imported to read it.
    return {"grader": describe(), "versions": {**versions, "torch": str(torch.__version__)}}


def not_run(notebook: NotebookNode, reason: str) -> Run:
    """The outcome of a hand-in that could not be read: every test is *not graded*."""
    notebook = nbformat.from_dict(notebook)
    outcomes = {cell.id: Outcome.not_graded(reason) for cell in notebook.cells if role(cell) == "tests"}
    for cell in notebook.cells:
        if cell.id in outcomes:
            cell.outputs = [nbformat.from_dict(output) for output in outcomes[cell.id].outputs]
    return Run(notebook, outcomes, {"not run": reason})


def summary(outcomes: Mapping[str, Outcome]) -> dict[str, int]:
    """How many tests passed, failed and were not graded."""
    counts = dict.fromkeys(("passed", "failed", "not graded"), 0)
    for outcome in outcomes.values():
        counts[outcome.status] += 1
    return counts
