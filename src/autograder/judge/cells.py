"""Judge one test cell: run it in the grader's own process, where the submission's names stand for remote objects.

The cell's outcome is decided by what the grader's process computes, and by nothing that is printed or sent:

- *passed*: the cell ran to its end;
- *failed*: an assertion did not hold, the submission's code raised an exception, or what came back could not be used;
- *not graded*: the cell could not be decided: the kernel died or did not answer, a name was never defined, the time was
  over, or the test itself has a mistake. It counts nothing until a person has looked at it.
"""

import ast
import builtins
import ctypes
import dataclasses
import io
import re
import threading
import time
import traceback
import types
import warnings
from collections.abc import Mapping
from typing import Any

from autograder.judge.channel import Stopped, Unreadable
from autograder.judge.proxies import Submission, arrived
from autograder.sandbox.bubblewrap import gpu_devices
from gcnn.measurements import recorded

CELL_SECONDS = 600.0  # a test cell may take this long, training anew included
MAX_OUTPUT = 100_000  # characters that a test cell may print
MAX_MESSAGE = 2000  # characters of a message
MAX_WARNINGS = 20
MAX_MEASURED = 100  # measurements that are kept of one test
FILE_NAME = "<test cell>"
MODULE_NAME = "__test_cell__"

# The names of `autograder.judge.helpers`, which is imported when a cell uses one of them: it brings torch.
HELPER_NAMES = frozenset(
    (
        *("gradients", "in_dtype", "layer_order", "on_stand_ins", "parameter_count", "predict", "raises", "retrained"),
        *("state", "train_mode", "with_random_state", "with_state"),
    )
)

PASSED, FAILED, NOT_GRADED = "passed", "failed", "not graded"

# What Python or torch raises when a value is not of the kind or shape that is expected of it.
_UNUSABLE = (TypeError, ValueError, LookupError, AttributeError, RuntimeError, OverflowError)
# Where such an error is about the value that a submission gave: the cell itself, and what computes for it.
_COMPUTES = (MODULE_NAME, "torch", "gcnn", "autograder.reference")


# What PyTorch says when a GPU is full. Others use it, too, so that this is no mistake of an answer.
_GPU_FULL = re.compile(r"(CUDA|HIP|MPS backend)( error:)? out of memory|CU\w+_STATUS_(NOT_INITIALIZED|ALLOC_FAILED)")


class TimeUp(Stopped):
    """The time of a test cell is over."""

    def __init__(self, reason: str = "the test took too long"):
        super().__init__(reason)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of one test cell."""

    status: str
    """``"passed"``, ``"failed"`` or ``"not graded"``."""
    message: str = ""
    """Why it did not pass: no source line, no hidden line, bounded, without control characters."""
    seconds: float = 0.0
    """How long it took."""
    outputs: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    """The cell's outputs in the notebook: what it printed, and an error that holds just the message."""
    warnings: list[str] = dataclasses.field(default_factory=list)
    """Warnings of the grader's process: for the record, they cost nothing."""
    grader_error: bool = False
    """Whether the test itself failed, so that the instructor must look at it."""
    machine_trouble: bool = False
    """Whether the machine may be the reason, and another try is worth it."""
    kernel_lost: bool = False
    """Whether the submission's kernel is dead or hangs: a fresh one is needed for the cells that follow."""
    measured: list[dict[str, str | float]] = dataclasses.field(default_factory=list)
    """What the cell's checks measured, in their order: see `gcnn.measurements`."""

    @classmethod
    def not_graded(cls, reason: str, **fields: Any) -> "Outcome":
        """The outcome of a cell that was not reached."""
        reason = clean(reason)
        return cls(NOT_GRADED, reason, outputs=[_error("NotGraded", reason)], **fields)


def clean(text: str, limit: int = MAX_MESSAGE) -> str:
    """A submission's text, fit for a notebook: bounded, printable, and what UTF-8 can hold."""
    text = text[: limit + 1].encode("utf-8", "replace").decode("utf-8")
    # No escape sequences: a terminal or a browser would act on them.
    text = "".join(c if c.isprintable() or c == "\n" else " " for c in text)
    return text if len(text) <= limit else text[:limit] + "…"


def gpu_was_full(message: str) -> bool:
    """Whether an error's message says that, where submissions have a GPU: then it may say nothing about their code."""
    return bool(gpu_devices()) and _GPU_FULL.search(message[:300]) is not None


def judge_cell(
    source: str,
    given: Mapping[str, Any],
    submission: Submission,
    *,
    seconds: float = CELL_SECONDS,
    missing: Mapping[str, str] | None = None,
    hint: str = "",
) -> Outcome:
    """Run one test cell of the source notebook on a submission.

    Args:
        source: the cell's code, hidden part included; never from the submission.
        given: what the source notebook's given cells define, the grader's own copy.
        submission: the submission's kernel.
        seconds: how long the cell may take.
        missing: by name, why a submission's name may be undefined, in a sentence.
        hint: a sentence for the end of the message of a cell that fails, on what lies outside of it.
    """
    start = time.monotonic()
    printed = io.StringIO()
    cell = _Cell(source, given, submission, printed, missing or {})
    with warnings.catch_warnings(record=True) as caught, recorded() as measured:
        warnings.simplefilter("default")
        fields = cell.run(seconds)
    if fields["status"] == FAILED and hint:
        fields["message"] += f" {hint}"
    outputs = [{"output_type": "stream", "name": "stdout", "text": printed.getvalue()}] if printed.getvalue() else []
    if fields["status"] != PASSED:
        outputs.append(_error(fields.pop("name"), fields["message"]))
    return Outcome(
        **fields,
        seconds=time.monotonic() - start,
        outputs=outputs,
        warnings=[clean(f"{w.category.__name__}: {w.message}") for w in caught[:MAX_WARNINGS]],
        kernel_lost=bool(submission.channel.lost),
        measured=measured[:MAX_MEASURED],
    )


def _error(name: str, message: str) -> dict[str, Any]:
    return {"output_type": "error", "ename": name, "evalue": message, "traceback": [f"{name}: {message}"]}


class _Cell:
    """One run of one test cell."""

    def __init__(
        self,
        source: str,
        given: Mapping[str, Any],
        submission: Submission,
        printed: io.StringIO,
        missing: Mapping[str, str],
    ):
        self.source, self.given, self.submission, self.missing = source, given, submission, missing
        self.printed = printed

    def run(self, seconds: float) -> dict[str, Any]:
        """Run the cell; the fields of its outcome."""
        clock = _Clock(seconds, self.submission.channel)
        try:
            try:
                with self.submission.channel.within(seconds), clock:
                    exec(compile(self.source, FILE_NAME, "exec"), self._namespace())
            finally:
                clock.stop()
        except KeyboardInterrupt:
            raise  # the instructor's: no submission can raise it here
        except BaseException as error:
            return self._verdict(error)
        return {"status": PASSED}

    def _namespace(self) -> dict[str, Any]:
        """The names that the cell sees: the given ones, the helpers, and the submission's, as far as it uses them."""
        used = {node.id for node in ast.walk(ast.parse(self.source)) if isinstance(node, ast.Name)}
        names = {name: value for name, value in self.given.items() if name not in self.submission.names}
        wanted = used & self.submission.names
        bound = self.submission.bound(wanted) if wanted else {}
        own_builtins = {**vars(builtins), "print": self._print}
        return {**names, **_helpers(used), **bound, "__builtins__": own_builtins, "__name__": MODULE_NAME}

    def _print(self, *values: object, sep: str = " ", end: str = "\n", file: object = None, **_: object) -> None:
        """Python's own, into the cell's output and no further than that may grow."""
        text = io.StringIO()
        print(*values, sep=sep, end=end, file=text)
        room = MAX_OUTPUT - self.printed.tell()
        if file is None and room > 0:
            self.printed.write(clean(text.getvalue(), room))

    def _verdict(self, error: BaseException) -> dict[str, Any]:
        name, message, inner = type(error).__name__, _message(error), _innermost(error)
        failed = {"status": FAILED, "name": name, "message": message}
        not_graded = {"status": NOT_GRADED, "name": "NotGraded", "message": message}
        if isinstance(error, Unreadable):
            return failed
        if isinstance(error, Stopped):
            return not_graded
        if arrived(error) and gpu_was_full(message):
            return {**not_graded, "message": clean(f"the GPU was full: {message}"), "machine_trouble": True}
        if arrived(error):
            return {**failed, "message": f"Your code raised {name}" + (f": {message}" if message else "")}
        if isinstance(error, AssertionError):
            return {**failed, "message": message or "A check did not hold."}
        if isinstance(error, NameError) and inner == MODULE_NAME and error.name in self.submission.names:
            reason = self.missing.get(error.name, "no cell of the hand-in that ran to its end defines it")
            return {**not_graded, "message": clean(f"{error.name} is not defined: {reason}")}
        about_a_module = isinstance(getattr(error, "obj", None), types.ModuleType)  # a name that the test has wrong
        if isinstance(error, _UNUSABLE) and inner.startswith(_COMPUTES) and not about_a_module:
            return {**failed, "message": clean(f"The test could not use what your code gave: {name}: {message}")}
        return {**not_graded, "message": clean(f"the test itself failed: {name}: {message}"), "grader_error": True}


def _helpers(used: set[str]) -> dict[str, Any]:
    if not used & HELPER_NAMES:
        return {}
    from autograder.judge.helpers import HELPERS

    return HELPERS


def _message(error: BaseException) -> str:
    try:
        return clean(error.reason if isinstance(error, Stopped) else str(error))
    except Exception:
        return ""


def _innermost(error: BaseException) -> str:
    """The name of the module in which an exception was raised."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return str(frames[-1].f_globals.get("__name__", "")) if frames else ""


class _Clock:
    """Raises `TimeUp` in the thread that runs a cell when its time is over, whatever Python code it is in."""

    def __init__(self, seconds: float, channel: Any):
        self._seconds, self._channel = seconds, channel
        self._thread, self._lock, self._over = threading.get_ident(), threading.Lock(), threading.Event()

    def __enter__(self) -> None:
        threading.Thread(target=self._watch, daemon=True).start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Let the time run no further."""
        with self._lock:
            self._over.set()
            # An exception that was asked for and has not come yet must not come later, in other code.
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self._thread), None)

    def _watch(self) -> None:
        left = self._seconds
        while not self._over.wait(left):
            left = 1.0  # again, should the exception have been lost
            with self._lock:
                # A request keeps the time itself, and interrupts the kernel before it gives up.
                if not self._over.is_set() and not self._channel.waiting:
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self._thread), ctypes.py_object(TimeUp))
