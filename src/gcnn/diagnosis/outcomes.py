"""What came out of one look at an answer, in a form that can be compared with what other answers gave.

An `Outcome` has a digest: what kind of thing came out, its shape and dtype in plain text, and a short hash of its
values, rounded so that another machine's last digits do not matter. Nobody can read an answer off a digest.
"""

import contextlib
import dataclasses
import hashlib
import io
import linecache
import re
import signal
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator

import torch

from gcnn.environment import default_device

# What is computed in double precision is right to far more digits. The number is irrational in effect, so that no
# fraction that occurs lies between two roundings.
GRAIN = 7390.851332151607
READ = "reading"
"""The group of looks that say what something is made of, see `gcnn.diagnosis.readings`; they judge nothing."""
SECONDS = 60.0  # for all looks at one answer together; a right one needs a few at most


class TooLongError(BaseException):
    """The answer ran longer than any right one does. No ordinary ``except`` catches it."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What one look saw."""

    name: str
    """What was looked at, as a student would call it: "the filter bank of LiftingConv2d(2, 3, 3)"."""
    group: str
    """Which looks belong together: a mistake mostly shows in all of a group."""
    digest: str
    """Kind, shape, dtype and a hash of the values."""
    text: str = ""
    """The values for people, if they are few."""
    error: str = ""
    """An exception's type and message."""
    line: str = ""
    """The student's own line in which it was raised."""
    number: int = 0
    """That line's number in its cell."""
    judges: bool = True
    """Whether it must be as the right answer's; the others only help to tell mistakes apart."""

    @property
    def form(self) -> str:
        """The digest without the values."""
        return self.digest.partition(":")[0]


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()


def _rounded(values: torch.Tensor) -> str:
    values = values.detach().to("cpu", torch.float64).flatten()
    if not bool(torch.isfinite(values).all()):
        return "not finite"
    if float(values.abs().max() if len(values) else 0) > 1e12:
        return "huge"
    return " ".join(f"{v:.0f}" for v in (values * GRAIN).round().add(0.0).tolist())


def digest(value: object) -> str:
    """What kind of thing this is, and a hash of its values."""
    if isinstance(value, torch.Tensor):
        kind = f"tensor{tuple(value.shape)} {str(value.dtype).removeprefix('torch.')}"
        return f"{kind}:{_hash(_rounded(value))}"
    if value is None or isinstance(value, (bool, int, float, str)):
        return f"{type(value).__name__}:{_hash(repr(value))}" if value is not None else "None"
    if isinstance(value, (tuple, list)) and len(value) < 100:
        parts = [digest(part) for part in value]
        form = ", ".join(part.partition(":")[0] for part in parts)
        return f"{type(value).__name__}({form}):{_hash('|'.join(parts))}"
    return type(value).__name__


def shown(value: object) -> str:
    """A value for people, in one line if it is short; what is long is not shown."""
    if isinstance(value, torch.Tensor):
        if value.numel() > 18 or not value.numel():
            return ""
        value = value.detach().cpu().tolist()
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= (2000 if isinstance(value, str) else 120) else ""


def _numbers(message: str) -> str:
    return " ".join(re.findall(r"\d+", message)[:12])


def _own_line(error: BaseException, spaces: list[dict]) -> tuple[str, int]:
    """The student's innermost line in a traceback, and its number."""
    found = ("", 0)
    for frame, number in traceback.walk_tb(error.__traceback__):
        if any(frame.f_globals is space for space in spaces):
            linecache.checkcache(frame.f_code.co_filename)
            found = linecache.getline(frame.f_code.co_filename, number, frame.f_globals).strip(), number
    return found


class Watch:
    """Makes outcomes of calls of a student's code.

    Args:
        spaces: the global names of the student's code, to tell the student's own lines from all others.
    """

    def __init__(self, spaces: list[dict]):
        self.spaces = spaces
        self.outcomes: list[Outcome] = []
        self.stopped = False

    def look(
        self, name: str, group: str, call: Callable[[], object], *, names: object = None, judges: bool = True
    ) -> object:
        """Call something and keep what came of it.

        Args:
            name: what is looked at.
            group: which looks belong together.
            call: gives the value.
            names: for a call that must raise a ValueError: the element that its message must name.
            judges: whether the outcome must be as the right answer's.

        Returns:
            The value, or ``None`` if an exception was raised or an earlier look took too long.
        """
        if self.stopped:
            return None
        value = None
        try:
            value = call()
            # Where an error was due, it does not matter what came instead.
            told = "returned" if names is not None else digest(value)
            found = Outcome(name, group, told, shown(value), judges=judges)
        except TooLongError as error:
            self.stopped = True
            line, number = _own_line(error, self.spaces)
            found = Outcome(name, group, "endless", "", "it ran for over a minute", line, number, judges)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            found = self._raised(name, group, error, names, judges)
        self.outcomes.append(found)
        return value

    def _raised(self, name: str, group: str, error: BaseException, names: object, judges: bool) -> Outcome:
        kind, message = type(error).__name__, str(error)
        if names is not None and isinstance(error, ValueError):
            said = "names it" if str(names) in message else "does not name it"
            return Outcome(name, group, f"ValueError that {said}", judges=judges, error=f"a ValueError that {said}")
        line, number = _own_line(error, self.spaces)
        short = message if len(message) <= 300 else message[:300] + "…"
        text = f"{kind}: {short}" if short else kind
        marked = f"raises {kind}:{_numbers(message)}"
        return Outcome(name, group, marked, error=text, line=line, number=number, judges=judges)


@contextlib.contextmanager
def quietly(seconds: float = SECONDS) -> Iterator[None]:
    """Run a student's code without output and without a trace: random numbers go on afterwards as if nothing had been.

    Args:
        seconds: after which `TooLongError` is raised, where the system has a timer that can do it.
    """
    timed = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()

    def late(*_: object) -> None:
        raise TooLongError

    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
        stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        stack.enter_context(torch.random.fork_rng(devices=None if default_device().type == "cuda" else []))
        stack.enter_context(torch.enable_grad())
        torch.manual_seed(0)
        if timed:
            before = signal.signal(signal.SIGALRM, late)
            stack.callback(signal.signal, signal.SIGALRM, before)
            stack.callback(signal.setitimer, signal.ITIMER_REAL, 0)
            signal.setitimer(signal.ITIMER_REAL, seconds)
        yield


def whole_numbers(*shape: int, start: int = 0, size: int = 9) -> torch.Tensor:
    """Whole numbers from ``-size`` to ``size`` that look random and are the same everywhere, in double precision."""
    at = torch.arange(torch.Size(shape).numel(), dtype=torch.int64) + 977 * start + 1
    mixed = (at * 2654435761) % 4294967296
    mixed = ((mixed // 65536) * 40503 + at) % 65521
    return (mixed % (2 * size + 1) - size).to(torch.float64).reshape(shape)
