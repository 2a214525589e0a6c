"""Answers the judge's requests beside a submission's objects, in the submission's kernel.

This module's source text is sent into the kernel (`autograder` cannot be imported there) and `install` is called with
the module `autograder.judge.wire`, loaded the same way. Everything in that process may be under the submission's
control, this code included, so nothing here protects the grade: the grader checks each reply, and believes only what it
computes itself. What this code owes is to work for honest submissions, whatever they print, rename or raise.

A request is ``(operation, released handles, *operands)``, a reply one of

- ``("value", value)``;
- ``("raised", type's name, message)``: the name of a built-in exception, or ``"SubmissionError"``;
- ``("refused", message)``: the request cannot be answered, or its answer cannot cross.
"""

import builtins
import itertools

PROBES = (
    *("predict", "gradients", "state", "with_state", "parameter_count", "train_mode", "in_dtype", "layer_order"),
    *("on_stand_ins", "retrained"),
)
MAX_MESSAGE = 2000  # characters of an exception's message


class Refused(Exception):
    """A request that cannot be answered."""


class Agent:
    """What the judge may do in this kernel.

    Attributes:
        wire: the module that encodes and decodes.
        namespace: where the submission's names are bound.
        names: the only names that may be looked up.
        objects: the objects behind the handles, each with the number of times that its handle was sent.
    """

    def __init__(self, wire, namespace, names):
        self.wire, self.namespace, self.names = wire, namespace, frozenset(names)
        self.objects, self.numbers, self.next_number = {}, {}, itertools.count(1)
        self.operations = {
            "ping": lambda: True,
            "names": self._names,
            "call": lambda target, args, kwargs: target(*args, **kwargs),
            "getattr": getattr,
            "getitem": lambda target, key: target[key],
            "len": len,
            "items": lambda target: list(itertools.islice(target, wire.MAX_ELEMENTS + 1)),
            "probe": self._probe,
        }

    def answer(self, frames):
        """Answer one request: frames in, frames out, whatever happens."""
        sent = []
        try:
            reply = self._reply(frames, sent)
        except BaseException as error:  # SystemExit and KeyboardInterrupt too: the judge waits for an answer
            self._release(sent)
            reply = self.wire.encode(("refused", _text(error)), None)
        return reply

    def _reply(self, frames, sent):
        def to_handle(value):
            number = self._number(value)
            sent.append(number)
            return number, type(value).__name__

        operation, released, *operands = self.wire.decode(frames, self._object, self._nesting)
        self._release(released)
        try:
            value = self.operations[operation](*operands)
        except Refused:
            raise
        except BaseException as error:
            return self.wire.encode(("raised", _kind(error), _described(error)), None)
        return self.wire.encode(("value", value), to_handle, self._nesting)

    @property
    def _nesting(self):
        return self.wire.MAX_NESTING + self.wire.ENVELOPE

    def _names(self, wanted):
        return {name: self.namespace[name] for name in wanted if name in self.names and name in self.namespace}

    def _probe(self, name, args):
        from gcnn import probes

        if name not in PROBES:
            raise Refused(f"there is no probe {name!r}")
        return getattr(probes, name)(*args)

    def _number(self, value):
        """The handle of an object, the same one each time."""
        number = self.numbers.get(id(value))
        if number is None:
            number = self.numbers[id(value)] = next(self.next_number)
            self.objects[number] = [value, 0]
        self.objects[number][1] += 1
        return number

    def _object(self, number, name):
        if number not in self.objects:
            raise Refused(f"there is no object with the handle {number}")
        return self.objects[number][0]

    def _release(self, numbers):
        """Let go of objects whose handles the judge has dropped as often as they were sent."""
        for number in numbers:
            entry = self.objects.get(number)
            if entry is not None:
                entry[1] -= 1
                if entry[1] <= 0:
                    del self.objects[number]
                    del self.numbers[id(entry[0])]


def _kind(error):
    """The nearest of an exception's types that is a built-in one and says more than `Exception`."""
    for kind in type(error).__mro__:
        name = kind.__name__
        if kind.__module__ == "builtins" and getattr(builtins, name, None) is kind and issubclass(kind, Exception):
            return name if kind is not Exception or type(error) is Exception else "SubmissionError"
    return "SubmissionError"


def _described(error):
    text = _text(error)
    if _kind(error) != "SubmissionError":
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _text(error):
    """An exception's message, whatever its ``__str__`` does."""
    try:
        alone = error.args[0] if len(error.args) == 1 and isinstance(error, KeyError) else error
        return str(alone)[:MAX_MESSAGE]
    except BaseException:
        return ""


def install(wire, names, target, shell=None):
    """Answer on the comm target with this name from now on.

    Args:
        wire: the module that encodes and decodes.
        names: the submission's names.
        target: the comm target's name.
        shell: IPython's; by default the running one.
    """
    if shell is None:
        from IPython import get_ipython

        shell = get_ipython()
    agent = Agent(wire, shell.user_ns, names)

    def opened(comm, message):
        def asked(message):
            reply = agent.answer(message["buffers"])
            comm.send({"id": message["content"]["data"]["id"]}, buffers=reply)

        comm.on_msg(asked)

    shell.kernel.comm_manager.register_target(target, opened)
