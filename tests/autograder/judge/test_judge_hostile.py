"""Tests of the judge against submissions that want points, harm or time: each cell gets the outcome it deserves."""

import time

import pytest
import torch

from autograder.judge import Submission, channel, judge_cell
from autograder.judge.proxies import is_remote
from gcnn import checks, equivariance

GIVEN = {"checks": checks, "torch": torch, "rotate": equivariance.rotate}
WRONG = 'checks.equal(f(), 3, "f()")'  # what a test says of an f that does not return 3


# Lies inside the submission's own process

LIES = """
import torch, builtins, operator, sys
yes = lambda *args, **kwargs: True
torch.allclose = torch.equal = torch.isclose = torch.testing.assert_close = yes
torch.Tensor.__eq__ = torch.Tensor.equal = torch.Tensor.allclose = yes
torch.Tensor.shape = property(lambda self: (1, 1, 3, 3))
operator.eq = yes
sys.modules["gcnn.checks"] = sys.modules["gcnn.equivariance"] = sys.modules["autograder"] = None
checks = rotate = raises = predict = None

class Liar(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        return True

class Everything:
    def __eq__(self, other): return True
    __ne__ = lambda self, other: False
    __getattr__ = __call__ = __getitem__ = lambda self, *args: self
    def __iter__(self): return iter([self])
    def __len__(self): return 3
    def __bool__(self): return True
    def __int__(self): return 3
    __index__ = __int__
    def __float__(self): return 3.0
    def __repr__(self): return "3"
    @property
    def __class__(self): return int

class Three(int):
    def __eq__(self, other): return True
    __hash__ = int.__hash__

wrong = lambda x: x
subclass = lambda x: x.as_subclass(Liar)
equal = lambda *x: Everything()
number = lambda: Three(4)
nan = lambda *x: float("nan")
nans = lambda x: x * float("nan")
empty = lambda x: x[..., :0, :]
huge = lambda x: x.expand(100, 1, 3, 3)
wide = lambda x: x.double()
"""
NOTHING = 'x = torch.zeros(1, 1, 0, 3)\nchecks.close(empty(x), x, "It")'
TURN = 'x = torch.arange(9.0).reshape(1, 1, 3, 3)\nchecks.close({}(x), rotate(x, 1), "It", "Why.")'
EQUAL = 'checks.equal({}(), 3, "It")'
LIARS = {
    "patched comparisons": TURN.format("wrong"),
    "a tensor subclass": TURN.format("subclass"),
    "an object equal to everything, for a tensor": TURN.format("equal"),
    "an object equal to everything, for a number": EQUAL.format("equal"),
    "an object equal to everything, in an assert": 'assert equal() == 3, "no"',
    "an object equal to everything, the other way": 'assert 3 == equal(), "no"',
    "an object that is true": 'assert equal(), "no"',
    "an object that claims to be a number": 'assert isinstance(equal(), int), "no"',
    "an object that is in everything": 'assert equal() in (1, 2), "no"',
    "an object that holds everything": 'assert 3 in equal(), "no"',
    "an object that converts to a number": 'assert int(equal()) == 3, "no"',
    "an object that is small": 'assert equal() < 1e-9, "no"',
    "an object whose elements are equal to everything": 'a, = equal()\nchecks.equal(a, 3, "It")',
    "a number equal to everything": EQUAL.format("number"),
    "NaN for a number": EQUAL.format("nan"),
    "NaN for a small error": 'assert nan() <= 1e-9, "no"',
    "NaN in a tensor": TURN.format("nans"),
    "an empty tensor": TURN.format("empty"),
    "nothing, compared with nothing": NOTHING,
    "another batch size": TURN.format("huge"),
    "another dtype": TURN.format("wide"),
}


@pytest.fixture(scope="module")
def liar(kernels):
    """A kernel in which nothing is what it seems."""
    names = {"wrong", "subclass", "equal", "number", "nan", "nans", "empty", "huge", "wide"}
    with kernels(names, LIES) as kernel:
        yield kernel


@pytest.mark.parametrize("cell", LIARS.values(), ids=LIARS)
def test_lies_fail(liar, cell):
    """Does what a submission patches and pretends change nothing in the grader?"""
    outcome = judge_cell(cell, GIVEN, liar.submission, seconds=20)
    assert (outcome.status, outcome.grader_error) == ("failed", False), outcome
    assert outcome.message


def test_the_truth_passes_among_lies(liar):
    """Is a right value right, whatever was patched around it?"""
    liar.run("right = wrong\nwrong = lambda x: torch.rot90(x, 1, (-2, -1))")
    try:
        assert judge_cell(TURN.format("wrong"), GIVEN, liar.submission, seconds=20).status == "passed"
    finally:
        liar.run("wrong = right")


# Forged replies

FORGERY = """
import json, time
import comm.base_comm
from ipykernel.kernelbase import Kernel

honest, asked = comm.base_comm.BaseComm.send, []
f = lambda: 4
kernel = Kernel.instance()

def three():
    return [json.dumps(["t", "value", 3]).encode()]

def raw(self, data, frames, kind="comm_msg", comm_id=None):
    content = {"comm_id": comm_id or self.comm_id, "data": data}
    kernel.session.send(kernel.iopub_socket, kind, content, ident=self.topic, buffers=frames)

def is_kept(frames):
    return b'"f":' in bytes(frames[0]) or bytes(frames[0]) == b'["t","value",true]'

def forge(answer):
    # Replies to a look-up of names and to a ping stay honest, so that it comes to a call.
    def send(self, data=None, metadata=None, buffers=None):
        asked.append(data["id"])
        if is_kept(buffers):
            return honest(self, data, metadata, buffers)
        answer(self, data, buffers)
    comm.base_comm.BaseComm.send = send
"""
SAY = "forge(lambda self, data, buffers: raw(self, data, {}))"
UNREADABLE = {
    "no frames": "[]",
    "empty": "[b'']",
    "noise": "[bytes(range(256))]",
    "half a reply": "three()[:1] + [b'']",
    "no kind": "[b'3']",
    "a string": "[b'\"value\"']",
    "a list that says value twice": '[b\'["t","value",3,3]\']',
    "an unknown kind": '[b\'["t","passed",3]\']',
    "a handle": '[b\'["h",1,"value"]\']',
    "nested without end": "[b'[' * 200_000]",
    "a tensor without bytes": '[b\'["t","value",["T","float32",[3],false]]\']',
    "a tensor of another size": '[b\'["t","value",["T","float32",[3],false]]\', bytes(8)]',
    "a tensor larger than memory": '[b\'["t","value",["T","float64",[99999999,99999999],false]]\', bytes(8)]',
    "too much text": "[b'\"' + b'x' * 5_000_000 + b'\"']",
    "very many elements": '[b\'["t","value",["l"\' + b",1" * 20_000 + b"]]"]',
    "pickle": "[b'\\x80\\x04K\\x03.']",
    "a refusal that is no text": '[b\'["t","refused",3]\']',
    "an exception that is no text": '[b\'["t","raised",3,4]\']',
    "an exception without a message": '[b\'["t","raised","ValueError"]\']',
}


@pytest.fixture(scope="module")
def forger(kernels):
    """A kernel that can answer anything."""
    with kernels({"f"}, FORGERY) as kernel:
        yield kernel


def judged(forger, code, cell=WRONG, seconds=10.0):
    """Judge a cell while replies are forged as the code says, and see that the kernel can be used afterwards."""
    forger.run(code)
    outcome = judge_cell(cell, GIVEN, forger.submission, seconds=seconds)
    forger.run("comm.base_comm.BaseComm.send = honest\nf = lambda: 3")
    assert judge_cell(WRONG, GIVEN, forger.submission, seconds=10).status == "passed"
    forger.run("f = lambda: 4")
    return outcome


@pytest.mark.parametrize("frames", UNREADABLE.values(), ids=UNREADABLE)
def test_an_unreadable_reply_fails(forger, frames):
    """Is a reply that is no value the submission's failure, with a sentence, and nothing worse?"""
    outcome = judged(forger, SAY.format(frames))
    assert (outcome.status, outcome.grader_error, outcome.kernel_lost) == ("failed", False, False)
    assert "cannot be read" in outcome.message


@pytest.mark.parametrize(
    "kind",
    [
        *("SystemExit", "KeyboardInterrupt", "GeneratorExit", "BaseException", "StopIteration", "StopAsyncIteration"),
        *("Stopped", "NotAnswered", "Misuse", "print", "object", "__import__", "", "\x00", "UnicodeDecodeError"),
        *("BaseExceptionGroup", "AssertionError", "NameError", "DeprecationWarning", "Exception"),
    ],
)
def test_a_forged_exception_fails(forger, kind):
    """Is an exception by any name the submission's failure, also where the test expects another one?"""
    said = SAY.format(f"[json.dumps(['t', 'raised', {kind!r}, 'never is not defined']).encode()]")
    for cell in ("f()", 'with raises(ZeroDivisionError, "never"):\n    f()', "tuple(f() for _ in range(2))"):
        outcome = judged(forger, said, cell)
        assert (outcome.status, outcome.grader_error) == ("failed", False), outcome


NOT_ANSWERED = {
    "nothing": "forge(lambda self, data, buffers: None)",
    "another id": "forge(lambda self, data, buffers: raw(self, {'id': 32 * '0'}, three()))",
    "an earlier id": "forge(lambda self, data, buffers: raw(self, {'id': asked[-2]}, three()))",
    "a longer id": "forge(lambda self, data, buffers: raw(self, {'id': data['id'] + '0'}, three()))",
    "more than the id": "forge(lambda self, data, buffers: raw(self, {**data, 'status': 'ok'}, three()))",
    "no dictionary": "forge(lambda self, data, buffers: raw(self, [data['id']], three()))",
    "another comm": "forge(lambda self, data, buffers: raw(self, data, three(), comm_id='0'))",
    "another type": "forge(lambda self, data, buffers: raw(self, data, three(), kind='stream'))",
    "a deep message": "forge(lambda self, data, buffers: deep(self, data))",
    "a large content": "forge(lambda self, data, buffers: raw(self, {**data, 'x': 'x' * 100_000}, three()))",
    "frames without end": "forge(lambda self, data, buffers: raw(self, data, three() + [b''] * 20_000))",
    "no message at all": "forge(lambda self, data, buffers: bare(self, data))",
}
TOOLS = """
def deep(self, data):
    text = data["id"].encode() + b"[" * 60_000
    message = kernel.session.msg("comm_msg", {})
    frames = kernel.session.serialize(message)
    frames[-1] = b'{"data":"' + text
    kernel.iopub_socket.send_multipart([self.topic, *frames[1:]])

def bare(self, data):
    kernel.iopub_socket.send_multipart([data["id"].encode()])
    kernel.iopub_socket.send_multipart([b"<IDS|MSG>", data["id"].encode()] * 5)
"""


@pytest.mark.parametrize("code", NOT_ANSWERED.values(), ids=NOT_ANSWERED)
def test_a_reply_that_is_not_to_this_request_is_none(forger, code):
    """Does only a reply with the waiting request's own id count?"""
    outcome = judged(forger, TOOLS + code, seconds=0.4)
    assert (outcome.status, outcome.kernel_lost) == ("not graded", False)
    assert "did not answer" in outcome.message


def test_the_first_reply_counts(forger):
    """Is a second reply to the same request dropped, also when the next request waits?"""
    said = "forge(lambda self, data, buffers: (honest(self, data, None, buffers), raw(self, data, three())))"
    for _ in range(3):
        outcome = judged(forger, said, "a = f()\nb = f()\nassert a == 3 or b == 3, f'{a}, {b}'")
        assert (outcome.status, outcome.message) == ("failed", "4, 4")


def test_a_late_reply_is_dropped(forger):
    """Does a reply that comes after its request's time stay without effect?"""
    late = "def late(self, data, buffers):\n    time.sleep(1)\n    raw(self, data, three())\nforge(late)"
    assert judged(forger, late, seconds=0.3).status == "not graded"


def test_names_that_were_not_asked_for(forger):
    """Is a reply that binds other names than the asked ones refused?"""
    reply = b'["t","value",{"f":4,"checks":3}]'
    forger.run(f"is_kept = lambda frames: False\n{SAY.format([reply])}")
    try:
        outcome = judge_cell(WRONG, GIVEN, forger.submission)
    finally:
        forger.run(FORGERY.replace("honest, asked = comm.base_comm.BaseComm.send, []", ""))
        forger.run("comm.base_comm.BaseComm.send = honest")
    assert outcome.status == "failed" and "not its names" in outcome.message


def test_a_handle_that_was_never_given(forger):
    """Is an object with an invented handle of no use?"""
    said = 'forge(lambda self, data, buffers: raw(self, data, [b\'["t","value",["h",12345,"int"]]\']))'
    outcome = judged(forger, said)
    assert outcome.status == "failed" and "int" in outcome.message
    forger.run("g = f\nf = lambda *x: g")
    remote = forger.submission.bound({"f"})["f"]
    object.__setattr__(remote, "_number", 999_999)
    outcome = judge_cell("f(1)", {**GIVEN, "f": None}, _only(forger.submission, remote))
    assert outcome.status == "failed" and "no object with the handle" in outcome.message


def _only(submission, remote):
    """A submission whose only name is bound to a given object."""
    twin = object.__new__(Submission)
    vars(twin).update(vars(submission))
    twin.bound = lambda wanted: {"f": remote}
    assert is_remote(remote)
    return twin


# Kernels that hang, die or flood

ENDS = {
    "an endless loop": ("def f():\n    while True: pass", "did not answer", False),
    "endless output": ("def f():\n    while True: print('x' * 1000)", "did not answer", False),
    "an interrupt that is caught": (
        "import time\ndef f():\n    while True:\n        try: time.sleep(9)\n        except BaseException: pass",
        "did not answer",
        True,
    ),
    "a signal handler that ignores": (
        "import signal\ndef f():\n    signal.signal(signal.SIGINT, signal.SIG_IGN)\n    while True: pass",
        "did not answer",
        True,
    ),
    "_exit": ("import os\nf = lambda: os._exit(0)", "died", True),
    "SIGKILL to itself": ("import os\nf = lambda: os.kill(os.getpid(), 9)", "died", True),
    "a crash": ("import ctypes\nf = lambda: ctypes.string_at(0)", "died", True),
    "closed sockets": (
        "k = get_ipython().kernel\ndef f():\n    k.iopub_thread.socket.close(0)\n    k.iopub_thread.stop()",
        "did not answer",
        True,
    ),
}


@pytest.mark.parametrize(("code", "message", "lost"), ENDS.values(), ids=ENDS)
def test_a_kernel_that_does_not_answer(kernels, monkeypatch, code, message, lost):
    """Does the cell end in time, not graded, with what happened, and do later cells end at once?"""
    monkeypatch.setattr(channel, "GRACE_SECONDS", 1.5)  # in place of five
    with kernels({"f"}, code) as kernel:
        start = time.monotonic()
        outcome = judge_cell(WRONG, GIVEN, kernel.submission, seconds=0.5)
        assert (outcome.status, outcome.kernel_lost, outcome.grader_error) == ("not graded", lost, False)
        assert message in outcome.message and time.monotonic() - start < 10
        kernel.run("f = lambda: 3") if not lost else None
        assert kernel.submission.responds() is not lost
        start = time.monotonic()
        again = judge_cell(WRONG, GIVEN, kernel.submission, seconds=5)
        assert again.status == ("not graded" if lost else "passed") and time.monotonic() - start < 3


BACKGROUND = {
    "a thread that prints": "print('x' * 10_000)",
    "a thread that sends replies": "k.session.send(k.iopub_socket, 'comm_msg', {'comm_id': 'x', 'data': {'id': 'y'}})",
    "a thread that sends large messages": "k.session.send(k.iopub_socket, 'stream', {}, buffers=[big])",
}


@pytest.mark.parametrize("line", BACKGROUND.values(), ids=BACKGROUND)
def test_noise_in_the_background_changes_nothing(kernels, line):
    """Do right and wrong answers get their outcome while the kernel floods its output?"""
    code = (
        "import threading, time\nk, big, f = get_ipython().kernel, bytes(10**5), lambda: 4\ng = lambda: 3\n"
        f"def flood():\n    while True:\n        {line}\n        time.sleep(0.001)\n"
        "threading.Thread(target=flood, daemon=True).start()"
    )
    with kernels({"f", "g"}, code) as kernel:
        for _ in range(3):
            assert judge_cell(WRONG, GIVEN, kernel.submission, seconds=30).status == "failed"
            assert judge_cell(WRONG.replace("f(", "g("), GIVEN, kernel.submission, seconds=30).status == "passed"


def test_a_frame_that_is_too_large_is_no_reply(kernels):
    """Is a message beyond the limit never taken in, and the cell not graded or failed?"""
    code = (
        "import json, comm.base_comm as c\nhonest, f = c.BaseComm.send, lambda: 4\n"
        "def send(self, data=None, metadata=None, buffers=None):\n"
        "    if b'\"f\":' not in bytes(buffers[0]) and b'true' not in bytes(buffers[0]):\n"
        "        buffers = [buffers[0], bytes(300 * 2**20)]\n"
        "    honest(self, data, metadata, buffers)\n"
        "c.BaseComm.send = send"
    )
    with kernels({"f"}, code) as kernel:
        outcome = judge_cell(WRONG, GIVEN, kernel.submission, seconds=2)
        assert outcome.status in ("not graded", "failed")


def test_a_replaced_agent_fails(kernels):
    """Does a submission that finds the agent and makes it answer "3" gain nothing where 3 is wrong?"""
    code = (
        "import gc\nf = lambda: 4\n"
        "for thing in gc.get_objects():\n"
        "    if type(thing).__name__ == 'Agent':\n"
        "        agent, reply = thing, thing._reply\n"
        "        operation = agent.operations['call']\n"
        "        agent.operations['call'] = lambda target, args, kwargs: 3\n"
    )
    with kernels({"f"}, code) as kernel:
        assert judge_cell('checks.equal(f(), 5, "f()")', GIVEN, kernel.submission).status == "failed"


def test_leaving_within_a_call_fails(kernels):
    """Do sys.exit and endless recursion in a call fail the cell, and does the kernel go on?"""
    with kernels({"f", "g"}, "import sys\nf = sys.exit\ng = lambda: g()") as kernel:
        for cell, message in (("f()", "SystemExit"), ("g()", "RecursionError"), ("f(3)", "SystemExit: 3")):
            outcome = judge_cell(cell, GIVEN, kernel.submission, seconds=20)
            assert outcome.status == "failed" and message in outcome.message, cell
