"""One wrong answer after the other, judged in a kernel that stays warm; sandbox, proxies and tests are grading's own.

The kernel has run the given cells and the model's answers. For an answer to be judged, the model's is taken away, the
cell is run, the tests that it can affect are judged, and everything that the kernel had bound before is put back. A
kernel that dies, hangs or does not come back is replaced by a fresh one.

    with Arena(source) as arena:
        verdict = arena.judge("rotate-p4", code)
"""

import contextlib
import copy
import dataclasses
import time
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from autograder.exercises import dependants
from autograder.judge import Outcome, judge_cell
from autograder.kernel import Kernel, Settings
from autograder.mutants.uses import Affected, Uses
from autograder.notebooks import bound_names, role, submission_names
from autograder.run import given_names
from autograder.sandbox import Limits, Sandbox
from autograder.secret import PUBLIC_SECRET, handed_over

PASSED = "passed"
QUICK_SECONDS = 60.0  # for a test in which nothing is trained
SETTINGS = Settings(
    # One kernel serves for hundreds of answers, so what limits a submission's whole life is wide here.
    limits=Limits(memory_mb=3000, submission_seconds=1e6, output_bytes=500_000_000),
    cell_seconds=20,
    training_seconds=600,
    test_seconds=1200,
)
_KEEP = 'exec("shell.before = dict(shell.user_ns)", {"shell": get_ipython()})'
_PUT_BACK = """
import gc, torch
shell.user_ns.clear()
shell.user_ns.update(shell.before)
for name in names:
    shell.user_ns.pop(name, None)
gc.collect()
torch.manual_seed(0)
"""


@dataclasses.dataclass
class Verdict:
    """What became of an answer."""

    tests: dict[str, str]
    """By the test's id, its outcome's status: of all that were judged."""
    messages: dict[str, str]
    """Why those that did not pass did not."""
    undecided: list[str]
    """Tests of trained networks that were not judged, since the answer had lost points before."""
    seconds: float = 0.0
    """How long it took."""

    @property
    def lost(self) -> list[str]:
        """The tests that gave no points."""
        return [name for name, status in self.tests.items() if status != PASSED]


class Arena:
    """A place where answers are judged. A context manager; what it starts ends with it."""

    def __init__(self, source: NotebookNode, settings: Settings = SETTINGS):
        self.source, self.settings, self.uses = source, settings, Uses(source)
        self._names = submission_names(source)
        given = tuple(cell.source for cell in source.cells if role(cell) == "given")
        with handed_over(PUBLIC_SECRET):
            self._given = given_names(given)
        self._index = {cell.id: index for index, cell in enumerate(source.cells)}
        self._stack = contextlib.ExitStack()
        self._kernel: Kernel | None = None

    def __enter__(self) -> "Arena":
        """Itself; the kernel starts when it is needed."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the kernel."""
        self._end()

    def judge(self, exercise: str, code: str, *, trained: bool | None = None) -> Verdict:
        """Judge one answer, with the model's answers to all other exercises.

        Args:
            exercise: whose answer it is.
            code: the answer cell's code.
            trained: whether networks are trained and their tests judged: always, never, or (``None``) only where the
                answer passed all other tests.
        """
        start = time.monotonic()
        affected, verdict = self.uses.affected(exercise, code), Verdict({}, {}, [])
        with handed_over(PUBLIC_SECRET):
            self._judge(exercise, code, affected, trained, verdict)
        verdict.seconds = round(time.monotonic() - start, 2)
        return verdict

    def _judge(self, exercise: str, code: str, affected: Affected, trained: bool | None, verdict: Verdict) -> None:
        missing: dict[str, str] = {}
        self._clear(exercise)
        reason = self._run(exercise, code)
        if reason:
            missing = dict.fromkeys(bound_names(self.uses.answers[exercise]), reason)
            if self._kernel is None:
                self._clear(exercise)
        given_up: dict[str, str] = {}
        for test in affected.tests:
            self._test(test, missing, given_up, verdict)
        if trained is False or (trained is None and verdict.lost):
            verdict.undecided = list(affected.trained)
        else:
            self._train(affected, missing, given_up, verdict)
        if self.uses.affected(exercise, "") != affected:
            self._end()  # it did or bound something of its own: nobody knows what is left of it

    def _train(self, affected: Affected, missing: dict[str, str], given_up: dict[str, str], verdict: Verdict) -> None:
        """Train what must be trained, a network at a time, and judge its tests, until one does not pass."""
        for cell in affected.training:
            code = self.uses.cells[cell].source
            tests = [test for test in affected.trained if self.uses.networks(test) & bound_names(code)]
            if verdict.lost or not tests:
                verdict.undecided += tests
                continue
            reason = self._run(cell, code)
            for test in tests:
                if reason:
                    self._note(test, Outcome("failed", f"the network could not be trained: {reason}"), verdict)
                else:
                    self._test(test, missing, given_up, verdict)

    def _test(self, test: str, missing: dict[str, str], given_up: dict[str, str], verdict: Verdict) -> None:
        """Judge one test."""
        key = self.uses.exercise(test)
        if key in given_up:
            self._note(test, Outcome.not_graded(given_up[key]), verdict)
            return
        assert self._kernel is not None
        outcome = judge_cell(
            self.uses.cells[test].source,
            self._given,
            self._kernel.submission,
            seconds=self.settings.test_seconds if self.uses.networks(test) else QUICK_SECONDS,
            missing=missing,
        )
        if outcome.grader_error:
            outcome = dataclasses.replace(outcome, message=f"grader error: {outcome.message}")
        self._note(test, outcome, verdict)
        if outcome.kernel_lost:
            # As in grading: an exercise that ended a kernel is not tried again, nor are those that need it.
            for other in dependants([key]):
                given_up.setdefault(other, f"a test of {key} ended the kernel: {outcome.message}")
            self._end()
            self._start()

    @staticmethod
    def _note(test: str, outcome: Outcome, verdict: Verdict) -> None:
        verdict.tests[test] = outcome.status
        if outcome.status != PASSED:
            verdict.messages[test] = outcome.message[:500]

    def _run(self, name: str, code: str) -> str:
        """Run a cell of the submission; why it did not run to its end, or an empty string."""
        original = self.uses.cells[name]
        cell = nbformat.v4.new_code_cell(code, metadata=copy.deepcopy(original.metadata))
        if reason := self._kernel.execute(cell, self._index[name]):
            self._end()
            return f"its cell ended the kernel ({reason})"
        failed = next((output for output in cell.outputs if output.output_type == "error"), None)
        return f"its cell failed: {failed.ename}: {failed.evalue[:300]}" if failed is not None else ""

    def _clear(self, exercise: str) -> None:
        """Put everything back, but for the model's answer to an exercise; in a fresh kernel if there is none."""
        if self._kernel is None:
            self._start()
        names = sorted(bound_names(self.uses.answers[exercise]))
        code = f"exec({_PUT_BACK!r}, {{'shell': get_ipython(), 'names': {names!r}}})"
        if self._run(exercise, code):
            self._end()
            self._start()
            if reason := self._run(exercise, code):
                raise RuntimeError(f"the kernel cannot be put back: {reason}")

    def _start(self) -> None:
        """Start a kernel and let it run the given cells and the model's answers."""
        hidden = [Path(__file__).parents[3]] if Path(__file__).parents[2].name == "src" else []
        sandbox = self._stack.enter_context(Sandbox(self.settings.limits, hide=hidden, kind=self.settings.sandbox))
        self._kernel = Kernel(sandbox, copy.deepcopy(self.source), self._names, self.settings)
        for name, cell in self.uses.cells.items():
            if role(cell) in ("given", "answer"):
                reason = self._run(name, self.uses.answers.get(name, cell.source))
                if reason:
                    raise RuntimeError(f"the model's own notebook does not run: {name}: {reason}")
        if reason := self._run(next(iter(self.uses.cells)), _KEEP):
            raise RuntimeError(f"the kernel's names cannot be kept: {reason}")

    def _end(self) -> None:
        """End the kernel, whatever state it is in."""
        if self._kernel is not None:
            self._kernel.end()
            self._kernel = None
        self._stack.close()
