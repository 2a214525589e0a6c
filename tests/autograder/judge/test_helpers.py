"""Tests of autograder.judge.helpers: a judged helper gives what gcnn.probes gives on the object itself."""

import inspect
import subprocess
import sys

import pytest
import torch
from torch import nn

from autograder.judge.cells import HELPER_NAMES
from autograder.judge.channel import NotAnswered, Unreadable
from autograder.judge.helpers import HELPERS
from autograder.judge.proxies import Misuse, is_remote
from gcnn import probes

NET = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, n=3):
        super().__init__()
        self.head = nn.Linear(4, n)
        self.norm = nn.BatchNorm2d(2)
        self.conv = nn.Conv2d(1, 2, 3)
        self.unused = nn.Linear(1, 1)
        self.drop = nn.Dropout(0.9)
        self.scale = nn.Parameter(torch.tensor(2.0))

    def forward(self, x):
        x = self.drop(self.norm(self.conv(x)))
        return self.scale * self.head(nn.functional.adaptive_max_pool2d(x, (1, 2)).flatten(1))
"""


@pytest.fixture(scope="module")
def kernel(kernels):
    """A kernel that holds a network."""
    with kernels({"Net", "net", "f"}, NET + "torch.manual_seed(0)\nnet = Net()\nf = lambda: None") as kernel:
        yield kernel


@pytest.fixture
def pair(kernel):
    """The network in the kernel, and one with the same values here."""
    namespace = {}
    exec(NET, namespace)
    remote = kernel.submission.bound({"net"})["net"]
    return remote, probes.with_state(namespace["Net"](), HELPERS["state"](remote))


def equal(a, b):
    """Whether two dictionaries of tensors are the same, order, names and bits."""
    return list(a) == list(b) and all(a[name].dtype == b[name].dtype and torch.equal(a[name], b[name]) for name in a)


def test_the_names_and_signatures_are_the_probes():
    """Has each probe that the notebook imports a judged version with the same parameters?"""
    for name, helper in HELPERS.items():
        theirs, ours = (inspect.signature(f).parameters for f in (getattr(probes, name), helper))
        assert [(p.name, p.kind, p.default) for p in theirs.values()] == [
            (p.name, p.kind, p.default) for p in ours.values()
        ]
    public = {name for name, f in inspect.getmembers(probes, inspect.isfunction) if f.__module__ == "gcnn.probes"}
    assert {name for name in public if not name.startswith("_")} - HELPERS.keys() == {"drawn_values"}
    assert HELPERS.keys() == HELPER_NAMES


def test_torch_comes_with_the_first_test_that_needs_it():
    """Does the grader do without torch, its seconds and its memory, until a test uses it?"""
    code = "import sys, autograder.steps, autograder.course, autograder.run; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_state_is_the_modules(pair):
    """Are names, order, shapes and values those of the module?"""
    remote, local = pair
    assert equal(HELPERS["state"](remote), probes.state(local))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_random_states_are_drawn_as_in_a_students_kernel(pair, dtype):
    """Do the same generator and module give the same numbers, here and there, and is the module's copy set to them?"""
    remote, local = pair
    twin, values = HELPERS["with_random_state"](remote, torch.Generator().manual_seed(5), dtype)
    _, expected = probes.with_random_state(local, torch.Generator().manual_seed(5), dtype)
    assert equal(values, expected)
    drawn = {name: value for name, value in HELPERS["state"](twin).items() if name in values}
    assert is_remote(twin) and equal(drawn, values)
    assert equal(HELPERS["state"](remote), probes.state(local))


def test_computing_beside_the_object(pair):
    """Do predict, gradients, parameter_count and layer_order give what they give on the object itself?"""
    remote, local = pair
    x, cotangent = torch.randn(5, 1, 6, 6), torch.randn(5, 3)
    assert torch.allclose(HELPERS["predict"](remote, x, batch_size=2), probes.predict(local, x))
    assert HELPERS["parameter_count"](remote) == probes.parameter_count(local)
    assert HELPERS["layer_order"](remote, x) == probes.layer_order(local, x) == ["", "conv", "norm", "head"]
    ours, theirs = (
        f(HELPERS["train_mode"](m, False), x, cotangent)
        for f, m in ((HELPERS["gradients"], remote), (probes.gradients, local))
    )
    assert list(ours) == list(theirs) and all(torch.allclose(ours[name], theirs[name]) for name in theirs)


def test_modes_and_dtypes(pair):
    """Does train_mode set the object's mode, and in_dtype give a copy?"""
    remote, _ = pair
    assert HELPERS["train_mode"](remote, True) == remote and remote.training is True
    assert HELPERS["train_mode"](remote, False).training is False
    wide = HELPERS["in_dtype"](remote, torch.float64)
    assert wide != remote and HELPERS["state"](wide)["conv.weight"].dtype is torch.float64


def test_with_state_refuses_what_does_not_fit(pair):
    """Does a wrong name or shape arrive as the ValueError of the probe?"""
    remote, _ = pair
    with HELPERS["raises"](ValueError, mentions="nothing"):
        HELPERS["with_state"](remote, {"nothing": torch.zeros(1)})


def test_the_graders_own_objects_are_used_directly(pair):
    """Do the helpers work on a module of the grader without the kernel?"""
    _, local = pair
    x = torch.randn(2, 1, 6, 6)
    assert torch.equal(HELPERS["predict"](local, x), probes.predict(local, x))
    twin, values = HELPERS["with_random_state"](local, torch.Generator().manual_seed(1))
    assert isinstance(twin, nn.Module)
    assert equal(values, {name: value for name, value in probes.state(twin).items() if name in values})


@pytest.mark.parametrize("value", [None, 3, "text", torch.zeros(2), [1]], ids=lambda value: type(value).__name__)
def test_plain_data_in_place_of_a_module(value):
    """Is it an assertion's failure, with a clear message, when a submission gives plain data for a network?"""
    for name in ("predict", "state", "parameter_count", "on_stand_ins"):
        with pytest.raises(Misuse, match=r"where a network(| or layer|'s class) is expected"):
            HELPERS[name](value, *([torch.zeros(1)] if name == "predict" else []))


LIES = {
    "predict": ["None", "[1]", "'text'", "Net()", "{'a': x}"],
    "state": ["None", "x", "{'a': 1}", "{'a': Net()}", "[('a', x)]"],
    "gradients": ["x", "{'input': None}"],
    "parameter_count": ["-1", "True", "3.0", "'3'", "None"],
    "with_state": ["x", "None", "3"],
    "in_dtype": ["x", "{}"],
    "train_mode": ["None"],
    "layer_order": ["None", "'conv'", "('conv',)", "[1]", "[Net()]"],
    "on_stand_ins": ["None", "Net()", "[Net(), True]", "(Net(),)", "(Net(), 1)", "(Net(), True, x)"],
}


@pytest.mark.parametrize(("probe", "lie"), [(probe, lie) for probe, lies in LIES.items() for lie in lies])
def test_what_a_probe_gives_is_of_its_kind(kernel, pair, probe, lie):
    """Is a replaced probe's answer of another kind refused before a test sees it?"""
    kernel.run(f"from gcnn import probes\nkept = probes.{probe}\nx = torch.zeros(2)\nprobes.{probe} = lambda *a: {lie}")
    arguments = {"predict": 1, "gradients": 2, "with_state": 1, "in_dtype": 1, "train_mode": 1, "layer_order": 1}
    try:
        with pytest.raises(Unreadable, match=f"{probe} gave a"):
            HELPERS[probe](pair[0], *[torch.zeros(1)] * arguments.get(probe, 0))
    finally:
        kernel.run(f"probes.{probe} = kept")


def test_a_module_that_claims_to_be_huge(kernel, pair):
    """Are no numbers drawn for a state that would fill the grader's memory?"""
    kernel.run("kept = probes.state\nprobes.state = lambda m: {'a': torch.zeros(2**25 + 1, dtype=torch.uint8).half()}")
    try:
        with pytest.raises(Unreadable, match="more than"):
            HELPERS["with_random_state"](pair[0], torch.Generator())
    finally:
        kernel.run("probes.state = kept")


def test_raises_takes_a_submissions_exceptions_only(kernel):
    """Does raises judge what the submission raised, and let the grader's own errors through?"""
    raises = HELPERS["raises"]
    kernel.run("def f(kind): raise kind('7 is wrong') if isinstance(kind, type) else ValueError('7 is wrong')")
    f = kernel.submission.bound({"f"})["f"]
    with raises(ValueError, mentions=7):
        f(None)
    with pytest.raises(AssertionError, match="does not name 8"), raises(ValueError, mentions=8):
        f(None)
    with pytest.raises(AssertionError, match="expected TypeError, got ValueError"), raises(TypeError):
        f(None)
    with pytest.raises(AssertionError, match=r"nothing was raised\. Why"), raises(ValueError, otherwise="Why"):
        pass
    for own in (ValueError("7"), NameError("7"), NotAnswered("7"), Unreadable("7")):
        with pytest.raises(type(own)) as caught, raises(type(own) if isinstance(own, Exception) else ValueError, "7"):
            raise own
        assert caught.value is own
    with pytest.raises(TypeError, match="neither plain data"), raises(TypeError):
        f(ValueError)
