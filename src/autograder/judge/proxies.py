"""What stands for a submission in the grader: `Submission` asks its kernel, a `Remote` stands for one of its objects.

Plain data and tensors arrive as themselves. Everything else arrives as a `Remote`, with which a test can do what the
contract allows, and nothing that would let the object take part in a decision of the grader: a `Remote` is not an
instance of anything, is equal to nothing but itself, and has no truth value.
"""

import builtins
import functools
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from autograder.judge import agent, wire
from autograder.judge.channel import Channel, Stopped, Unreadable

NESTING = wire.MAX_NESTING + wire.ENVELOPE
_inside = object.__getattribute__


class Misuse(AssertionError, TypeError, AttributeError):
    """A test did with a submission's object what cannot be done: most likely it is not what was expected."""


class SubmissionError(Exception):
    """An exception of a submission that is not one of Python's own."""


class Remote:
    """An object that stays in the submission's process."""

    __slots__ = ("__weakref__", "_number", "_submission")

    def __init__(self, submission: "Submission", number: int):
        object.__setattr__(self, "_submission", submission)
        object.__setattr__(self, "_number", number)

    def __del__(self) -> None:
        """Let the kernel know, with the next request, that this object is not needed here any more."""
        _inside(self, "_submission").released.append(_inside(self, "_number"))

    def __getattribute__(self, name: str) -> Any:
        """Look an attribute up beside the object. Names of Python's own machinery are refused."""
        if name.startswith("__"):
            # Nothing that asks an object for its class or its protocols may be answered by a submission.
            raise Misuse(f"{_what(self)} has no {name} in a test")
        return _inside(self, "_submission").request("getattr", self, name)

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse: a test changes a copy, by `with_state`."""
        raise Misuse(f"a test cannot set {name} of {_what(self)}")

    def __delattr__(self, name: str) -> None:
        """Refuse."""
        raise Misuse(f"a test cannot delete {name} of {_what(self)}")

    def __call__(self, *args: object, **kwargs: object) -> Any:
        """Call, or construct, beside the object."""
        return _inside(self, "_submission").request("call", self, args, kwargs)

    def __getitem__(self, key: object) -> Any:
        """Index beside the object."""
        if type(key) not in (int, str, tuple):
            raise Misuse(f"{_what(self)} cannot be indexed by {type(key).__name__}: it is not a tensor, list or tuple")
        return _inside(self, "_submission").request("getitem", self, key)

    def __setitem__(self, key: object, value: object) -> None:
        """Refuse: a test changes a copy, by `with_state`."""
        raise Misuse(f"a test cannot write into {_what(self)}")

    def __len__(self) -> int:
        """The object's length."""
        length = _inside(self, "_submission").request("len", self)
        if type(length) is not int or length < 0:
            raise Unreadable(f"the length of {_what(self)} is not a number")
        return length

    def __iter__(self) -> Iterator[Any]:
        """Go through the object's elements, of which there may be 10,000."""
        elements = _inside(self, "_submission").request("items", self)
        if type(elements) is not list:
            raise Unreadable(f"the elements of {_what(self)} are not a list")
        return iter(elements)

    def __contains__(self, value: object) -> bool:
        """Refuse: it would be the object's answer."""
        raise Misuse(f"a test cannot ask whether something is in {_what(self)}")

    def __bool__(self) -> bool:
        """Refuse: it would be the object's answer."""
        raise Misuse(f"{_what(self)} came where a value is expected")

    def __eq__(self, other: object) -> bool:
        """Whether both stand for the same object; the object is not asked, for it could say yes to everything."""
        return isinstance(other, Remote) and hash(self) == hash(other)

    def __hash__(self) -> int:
        """The object's identity."""
        return hash((id(_inside(self, "_submission")), _inside(self, "_number")))

    def __repr__(self) -> str:
        """Name the type; the object is not asked."""
        return f"<{_what(self)}>"

    __str__ = __repr__

    def __reduce_ex__(self, protocol: object) -> Any:
        """Refuse: it cannot be copied or stored."""
        raise Misuse(f"{_what(self)} cannot be copied; use with_state")


def _what(remote: Remote) -> str:
    return f"a {type(remote).__name__} of the submission"


@functools.lru_cache(maxsize=256)
def _remote_type(name: str) -> type[Remote]:
    """A subclass of `Remote` with a submission's type's name, so that messages of the kind "is a list" make sense."""
    return type(name if name.isidentifier() else "object", (Remote,), {"__slots__": ()})


def is_remote(value: object) -> bool:
    """Whether a value stands for a submission's object."""
    return issubclass(type(value), Remote)


def run_probe(name: str, remote: Remote, *args: object, seconds: float | None = None) -> Any:
    """Run one of `agent.PROBES` on an object, beside it."""
    return _inside(remote, "_submission").request("probe", name, (remote, *args), seconds=seconds)


class Submission:
    """One submission's kernel, with the judge's agent in it.

    Attributes:
        names: what the submission may bind: the only names that are looked up in its kernel.
        channel: the way to the kernel.
        released: numbers of objects that are not needed any more.
    """

    def __init__(self, channel: Channel, names: frozenset[str] | set[str] | list[str], seconds: float = 60.0):
        """Install the agent in the kernel, best before any of the submission's code has run.

        Raises:
            KernelGone: the kernel died.
            NotAnswered: the agent did not start.
        """
        self.channel, self.names, self.released = channel, frozenset(names), deque()
        channel.open(_program(channel.target, self.names), wire.encode(("ping", []), None), seconds)

    def request(self, operation: str, *operands: object, seconds: float | None = None) -> Any:
        """Ask the agent for something.

        Raises:
            Exception: what the submission raised; `arrived` knows it.
            TypeError: an operand that cannot cross.
            NotAnswered: in time.
            KernelGone: the kernel died or hangs.
            Unreadable: the answer is not a value.
        """
        released = [self.released.popleft() for _ in range(min(len(self.released), wire.MAX_ELEMENTS))]
        try:
            frames = wire.encode((operation, released, *operands), self._to_handle, NESTING)
        except wire.WireError as error:
            self.released.extend(released)
            raise TypeError(f"this cannot be given to a submission: {error}") from None
        reply = self.channel.ask(frames, seconds)
        try:
            answer = wire.decode(reply, self._to_remote, NESTING)
        except wire.WireError as error:
            raise Unreadable(f"what the submission gave back cannot be read: {error}") from None
        match answer:
            case ("value", value):
                return value
            case ("raised", str(kind), str(message)):
                raise _exception(kind, message)
            case ("refused", str(message)):
                raise Unreadable(f"what the submission gave back cannot be read: {message[: agent.MAX_MESSAGE]}")
        raise Unreadable("what the submission gave back cannot be read: it is no reply")

    def responds(self, seconds: float = 5.0) -> bool:
        """Whether the kernel answers now; asked after a cell was stopped. Raises nothing."""
        try:
            return self.request("ping", seconds=seconds) is True
        except (Exception, Stopped):
            return False

    def bound(self, wanted: set[str]) -> dict[str, Any]:
        """Those of the submission's names that are bound in its kernel, with what they stand for."""
        answer = self.request("names", tuple(sorted(wanted & self.names)))
        if type(answer) is not dict or not answer.keys() <= wanted:
            raise Unreadable("what the submission gave back cannot be read: these are not its names")
        return answer

    def _to_handle(self, value: object) -> tuple[int, str]:
        if is_remote(value) and _inside(value, "_submission") is self:
            return _inside(value, "_number"), ""
        # Code and the grader's objects never cross.
        raise wire.WireError(
            f"{type(value).__name__} is neither plain data (None, bool, int, float, str, list, tuple, dict with string "
            "keys, tensor) nor an object of the submission"
        )

    def _to_remote(self, number: int, name: str) -> Remote:
        return _remote_type(name)(self, number)


def _program(target: str, names: frozenset[str]) -> str:
    """The code that starts the agent in a kernel; it binds no name in the user's namespace."""
    sources = [Path(module.__file__).read_text(encoding="utf-8") for module in (wire, agent)]
    program = f"""
import types

def load(name, source):
    module = types.ModuleType(name)
    exec(compile(source, "<" + name + ">", "exec"), vars(module))
    return module

load("judge_agent", {sources[1]!r}).install(load("judge_wire", {sources[0]!r}), {sorted(names)!r}, {target!r})
"""
    return f"exec({program!r}, {{}})"


_ARRIVED = "_raised_by_a_submission"
_NEVER = (StopIteration, StopAsyncIteration)  # Python itself would take them for the end of a loop


def _exception(kind: str, message: str) -> Exception:
    """The exception that a submission raised: of a built-in type with exactly one string, or a `SubmissionError`."""
    message = message[: agent.MAX_MESSAGE]
    error: Exception = SubmissionError(message)
    candidate = getattr(builtins, kind, None)
    # No SystemExit or KeyboardInterrupt: they would end the grader.
    if isinstance(candidate, type) and issubclass(candidate, Exception) and not issubclass(candidate, _NEVER):
        try:
            error = candidate(message)
        except TypeError:  # UnicodeDecodeError and the like want more than a message
            error = SubmissionError(f"{candidate.__name__}: {message}")
    setattr(error, _ARRIVED, True)
    return error


def arrived(error: BaseException) -> bool:
    """Whether an exception is one that a submission raised, not one of the grader's own."""
    return vars(error).get(_ARRIVED, False) is True
