"""Tests of the agent, the channel and the proxies together, on a real kernel without a sandbox."""

import collections
import copy
import gc
import pickle
import time

import pytest
import torch

from autograder.judge.channel import NotAnswered
from autograder.judge.proxies import Misuse, SubmissionError, arrived, is_remote

CODE = """
import sys, warnings
from collections import namedtuple

class Box:
    size = 3
    def __init__(self, *content, label=""):
        self.content, self.label = content, label
    def __len__(self):
        return len(self.content)
    def __getitem__(self, key):
        return self.content[key]
    def get(self):
        return self.content
    def me(self):
        return self
    def __eq__(self, other):
        return True
    __hash__ = None

Pair = namedtuple("Pair", "a b")

def echo(*args, **kwargs):
    return (args, kwargs) if kwargs else args[0] if len(args) == 1 else args

def types(x):
    return [type(element).__name__ for element in x]

class Odd(ValueError):
    pass

class Own(Exception):
    def __str__(self):
        raise RuntimeError("no text")

class Mean(BaseException):
    pass

def throw(kind, *args):
    raise {"Odd": Odd, "Own": Own, "Mean": Mean, "ValueError": ValueError, "KeyError": KeyError, "Exit": SystemExit,
           "Interrupt": KeyboardInterrupt, "Stop": StopIteration, "Exception": Exception, "Generator": GeneratorExit,
           "Unicode": lambda: UnicodeDecodeError("utf-8", b"x", 0, 1, "bad"),
           "Group": lambda: ExceptionGroup("g", [ValueError()]),
           }[kind](*args)

def noisy():
    print("hello")
    print("hello", file=sys.stderr)
    warnings.warn("careful")
    from IPython.display import display
    display({"text/plain": "x"}, raw=True)
    return 1

def many(n):
    return iter(range(n))

number, nothing, deleted = 7, None, 1
del deleted
secret = 5
held = {}
"""
NAMES = {"Box", "Pair", "echo", "types", "throw", "noisy", "many", "number", "nothing", "deleted", "undefined", "alive"}
ALIVE = "import weakref\nalive = lambda: len(registry)\nregistry = weakref.WeakSet()\n"


@pytest.fixture(scope="module")
def kernel(kernels):
    """One kernel for this module's honest requests."""
    with kernels(NAMES, CODE) as kernel:
        yield kernel


@pytest.fixture(scope="module")
def names(kernel):
    """The submission's names."""
    return kernel.submission.bound(NAMES)


def test_names(names, kernel):
    """Do plain values arrive as themselves, objects as proxies, and unbound names and others not at all?"""
    assert set(names) == NAMES - {"deleted", "undefined", "alive"}
    assert names["number"] == 7 and names["nothing"] is None
    assert is_remote(names["Box"]) and type(names["Box"]).__name__ == "type"
    assert kernel.submission.bound({"secret", "__builtins__", "get_ipython", "In"}) == {}


def test_values_go_over_and_come_back(names):
    """Do arguments arrive in the kernel with their types, by position and by keyword?"""
    values = (None, True, 3, 2.5, "text", (1, [2]), {"a": 1}, torch.arange(3))
    assert names["types"](values) == ["NoneType", "bool", "int", "float", "str", "tuple", "dict", "Tensor"]
    args, kwargs = names["echo"](1, (2,), x=[3])
    assert (args, kwargs) == ((1, (2,)), {"x": [3]}) and type(args) is tuple
    assert names["echo"](torch.float16) is torch.float16
    x = torch.randn(5, 4, dtype=torch.float64).T
    assert torch.equal(names["echo"](x), x)


def test_what_a_test_may_do_with_an_object(names):
    """Do constructing, attributes, methods, indexing, len and iteration happen beside the object?"""
    box = names["Box"](1, (2, 3), label="mine")
    assert type(box).__name__ == "Box" and repr(box) == str(box) == f"{box}" == "<a Box of the submission>"
    assert box.label == "mine" and box.size == 3 and names["Box"].size == 3
    assert box.get() == (1, (2, 3)) and len(box) == 2 and box[1] == (2, 3) and box[-1] == (2, 3)
    assert list(box) == [1, (2, 3)]
    a, b = names["Pair"](1, 2)
    assert (a, b) == (1, 2)
    assert names["echo"](box).label == "mine"
    assert names["echo"]([box, 1])[0].label == "mine"


def test_identity(names):
    """Is a proxy equal to one for the same object and to nothing else, whatever the object says?"""
    box, other = names["Box"](), names["Box"]()
    assert box == box.me() and hash(box) == hash(box.me())
    for thing in (other, 3, "text", None, 1.0, (), torch.tensor(1.0).item()):
        assert box != thing and thing != box
        assert (box == thing) is False and (thing == box) is False
    assert box not in [1, other, None]


def test_nothing_of_a_proxy_takes_part_in_a_decision(names):
    """Is a proxy without truth, class, arithmetic and order, and can it not be changed, copied or stored?"""
    box = names["Box"](1)
    assert not isinstance(box, torch.Tensor) and not isinstance(box, (int, tuple, dict, torch.nn.Module))
    refused = [
        lambda: bool(box),
        lambda: not box,
        lambda: 1 in box,
        lambda: box.__class__,
        lambda: box.__dict__,
        lambda: box.__eq__(3),
        lambda: setattr(box, "size", 1),
        lambda: delattr(box, "size"),
        lambda: box.__setitem__(0, 1),
        lambda: box[1:2],
        lambda: box[...],
        lambda: copy.copy(box),
        lambda: copy.deepcopy(box),
        lambda: pickle.dumps(box),
        lambda: isinstance(box, collections.abc.Sized),
    ]
    for operation in refused:
        with pytest.raises((Misuse, TypeError, copy.Error, pickle.PicklingError)):
            operation()
    for operation in (lambda: box + 1, lambda: 1 - box, lambda: box < 1, lambda: int(box), lambda: float(box)):
        with pytest.raises(TypeError, match="Box"):
            operation()
    with pytest.raises(TypeError):
        torch.zeros(2) + box
    with pytest.raises(Misuse):
        box[0] = 1


@pytest.mark.parametrize(
    "argument",
    [lambda x: x, object(), len, int, {1, 2}, {1: 2}, b"x", 1j, range(3), torch.nn.ReLU(), torch, [lambda: 0]],
    ids=lambda argument: type(argument).__name__,
)
def test_no_object_of_the_grader_crosses(names, argument):
    """Is an argument that is not plain data refused, before anything is sent?"""
    with pytest.raises(TypeError, match=r"neither plain data .* nor an object of the submission"):
        names["echo"](argument)
    with pytest.raises(TypeError, match="neither plain data"):
        names["echo"](x=argument)


def test_an_object_of_another_submission_does_not_cross(names, kernels):
    """Is a proxy of one kernel refused by another?"""
    with kernels({"f"}, "f = lambda x: x") as other, pytest.raises(TypeError, match="nor an object of the submission"):
        names["echo"](other.submission.bound({"f"})["f"])


@pytest.mark.parametrize(
    ("args", "kind", "message"),
    [
        (("ValueError", "5 is wrong"), ValueError, "5 is wrong"),
        (("KeyError", "weight"), KeyError, "weight"),
        (("Odd", "5 is odd"), ValueError, "5 is odd"),
        (("Exception", "plain"), Exception, "plain"),
        (("Own",), SubmissionError, "Own"),
        (("Mean", "no Exception"), SubmissionError, "Mean: no Exception"),
        (("Exit", 3), SubmissionError, "SystemExit: 3"),
        (("Interrupt",), SubmissionError, "KeyboardInterrupt"),
        (("Generator",), SubmissionError, "GeneratorExit"),
        (("Stop",), SubmissionError, ""),
        (("Unicode",), SubmissionError, "UnicodeDecodeError"),
        (("Group",), SubmissionError, "ExceptionGroup"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_exceptions(names, args, kind, message):
    """Does an exception arrive as its nearest built-in type, with its message, and never as one that ends a process?"""
    with pytest.raises(Exception) as caught:
        names["throw"](*args)
    assert type(caught.value) is kind and message in str(caught.value) and arrived(caught.value)


def test_errors_of_the_object(names):
    """Do missing attributes, wrong calls and indices raise what they raise beside the object?"""
    box = names["Box"](1)
    for operation, kind in (
        (lambda: box.nothing, AttributeError),
        (lambda: box[5], IndexError),
        (lambda: box.size(), TypeError),
        (lambda: names["many"](), TypeError),
        (lambda: len(names["echo"]), TypeError),
        (lambda: list(names["echo"]), TypeError),
    ):
        with pytest.raises(kind) as caught:
            operation()
        assert type(caught.value) is kind


def test_a_long_message_is_cut(names):
    """Is an exception's message bounded?"""
    with pytest.raises(ValueError) as caught:
        names["throw"]("ValueError", "x" * 100_000)
    assert len(str(caught.value)) == 2000


def test_output_does_not_matter(names):
    """Does a call that prints, warns and displays just give its value?"""
    assert [names["noisy"]() for _ in range(5)] == [1] * 5


def test_iteration_is_bounded(names):
    """Do 10,000 elements come back, and one more not, so that an endless iterator ends?"""
    assert len(list(names["many"](10_000))) == 10_000
    with pytest.raises(BaseException, match="elements"):
        list(names["many"](10_001))


def test_objects_live_until_they_are_released(kernel, names):
    """Does an object live as long as its proxy, and no longer?"""
    kernel.run(ALIVE + "def tracked():\n    box = Track()\n    registry.add(box)\n    return box\nclass Track: pass")
    kernel.run("echo.track = tracked")
    track, alive = names["echo"].track, kernel.submission.bound({"alive"})["alive"]
    objects = [track() for _ in range(3)]
    same = names["echo"](objects[0])
    kernel.run("import gc; gc.collect();")
    assert alive() == 3
    del objects
    gc.collect()
    names["echo"](1)  # carries what was released
    assert alive() == 1 and same == same
    del same
    gc.collect()
    names["echo"](1)
    assert alive() == 0


def test_state_of_the_submission_goes_on_between_requests(kernel):
    """Are names looked up anew each time, in the kernel as it is then?"""
    kernel.run("number = 8")
    assert kernel.submission.bound({"number"}) == {"number": 8}
    kernel.run("number = 7")


def test_a_call_that_takes_too_long_is_interrupted(kernel):
    """Does a request end when its time is over, and the kernel work on?"""
    kernel.run("import time\ndef echo(x):\n    time.sleep(60) if x == 'slow' else None\n    return x")
    slow = kernel.submission.bound({"echo"})["echo"]
    start = time.monotonic()
    with pytest.raises(NotAnswered, match="did not answer within"), kernel.channel.within(0.5):
        slow("slow")
    assert time.monotonic() - start < 5
    assert slow("fast") == "fast" and not kernel.channel.lost
    with pytest.raises(NotAnswered, match="time was over"), kernel.channel.within(-1):
        slow("fast")
