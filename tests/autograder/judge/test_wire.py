"""Tests of autograder.judge.wire: what crosses arrives as it was, and nothing else arrives at all."""

import json
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.judge import wire

NAMES = st.text(max_size=8)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-(10**300), 10**300), st.floats(), st.text(max_size=30))
PLAIN = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.lists(inner, max_size=4).map(tuple), st.dictionaries(NAMES, inner, max_size=4)
    ),
    max_leaves=20,
)


def no_handles(value):
    """Refuse everything that is not plain."""
    raise wire.WireError(f"{type(value).__name__} is not plain")


def there_and_back(value):
    """What arrives of a value; a handle arrives as the string "#" and its number."""
    return wire.decode(wire.encode(value, no_handles), lambda number, name: f"#{number}")


def same(a, b):
    """Whether two plain values are equal, types and NaN included."""
    if type(a) is not type(b):
        return False
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, float):
        return (math.isnan(a) and math.isnan(b)) or (a == b and math.copysign(1, a) == math.copysign(1, b))
    return a == b


@given(PLAIN)
@settings(max_examples=300, deadline=None)
def test_plain_data_arrives_as_it_was(value):
    """Does plain data arrive with its types, order, NaN, infinities and the sign of zero?"""
    try:
        arrived = there_and_back(value)
    except wire.WireError as error:
        assert "nested" in str(error)
    else:
        assert same(arrived, value)


@pytest.mark.parametrize("name", wire.DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 4), (2, 3, 4)])
def test_tensors_arrive_as_they_were(name, shape):
    """Does a tensor of each dtype and shape arrive with every bit?"""
    tensor = torch.randint(0, 2, shape).to(getattr(torch, name)) * 1
    tensor = tensor.to(getattr(torch, name))
    (arrived,) = there_and_back([tensor])
    assert type(arrived) is torch.Tensor and arrived.dtype is tensor.dtype and arrived.shape == tensor.shape
    assert torch.equal(arrived, tensor)
    assert arrived.device.type == "cpu" and arrived.is_contiguous() and not arrived.requires_grad


def test_special_numbers_in_tensors_arrive():
    """Do NaN, infinities and tiny numbers stay what they are?"""
    tensor = torch.tensor([math.nan, math.inf, -math.inf, 5e-324, -0.0], dtype=torch.float64)
    assert torch.equal(there_and_back(tensor).view(torch.int64), tensor.view(torch.int64))


def test_odd_tensors_arrive_plain():
    """Do views, transposes, parameters, subclasses and conjugates arrive as plain, own, contiguous tensors?"""

    class Mine(torch.Tensor):
        @classmethod
        def __torch_function__(cls, *args, **kwargs):
            raise AssertionError("a subclass's code ran")

    base = torch.arange(12.0).reshape(3, 4)
    for tensor in (base.T, base[:, ::2], base.expand(2, 3, 4), torch.randn(3, dtype=torch.complex64).conj()):
        assert torch.equal(there_and_back(tensor), tensor)
    parameter = there_and_back(torch.nn.Parameter(base))
    assert type(parameter) is torch.Tensor and parameter.requires_grad and parameter.is_leaf
    assert type(there_and_back(base.as_subclass(Mine))) is torch.Tensor
    arrived = there_and_back(base)
    arrived[0, 0] = 7.0
    assert base[0, 0] == 0


def test_dtypes_and_sizes_arrive():
    """Does a dtype arrive as itself, and a torch.Size as a tuple?"""
    assert there_and_back(torch.float64) is torch.float64
    assert same(there_and_back(torch.Size([2, 3])), (2, 3))


def test_subclasses_and_objects_do_not_cross_as_plain_data():
    """Is everything that is not exactly plain left to a handle?"""

    class Text(str):
        pass

    class Pair(tuple):
        pass

    for value in (Text("x"), Pair((1,)), {1: 2}, {1, 2}, b"bytes", 1j, object(), len, int, lambda: 0, range(3)):
        with pytest.raises(wire.WireError, match="not plain"):
            there_and_back(value)
    for value in (torch.zeros(2).to_sparse(), torch.empty(2, device="meta")):
        with pytest.raises(wire.WireError, match="not plain"):
            there_and_back(value)


@pytest.mark.parametrize(
    "value",
    [
        10**310,
        -(10**400),
        "x" * (wire.MAX_TEXT + 1),
        ["\u4e00" * (wire.MAX_TEXT // 4)],
        list(range(wire.MAX_ELEMENTS + 1)),
        torch.empty(wire.MAX_BYTES + 1, dtype=torch.uint8),
        torch.empty(wire.MAX_VALUES + 1, dtype=torch.uint8),
        torch.empty(1, dtype=torch.uint8).expand(2**40),
        torch.zeros((1,) * 17),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_too_large_is_not_sent(value):
    """Are numbers, strings, containers and tensors beyond their limits refused at once?"""
    with pytest.raises(wire.WireError):
        there_and_back(value)


def test_containers_nest_eight_deep():
    """Do eight containers in one another cross, and nine, or a list that holds itself, not?"""
    value = 1
    for _ in range(8):
        value = [value]
    assert same(there_and_back(value), value)
    endless = []
    endless.append(endless)
    for too_deep in ([value], endless):
        with pytest.raises(wire.WireError, match="nested"):
            there_and_back(too_deep)


def tensor_frames(dtype="float32", shape=(2,), grad=False, data=bytes(8)):
    """A tensor's message, made by hand."""
    return [json.dumps(["T", dtype, shape, grad]).encode(), data]


HOSTILE = {
    "nothing": [],
    "empty": [b""],
    "no JSON": [b"\xff\xfe"],
    "half of it": [b"[1,"],
    "a bare number with a point": [b"1.5"],
    "NaN as JSON's": [b"NaN"],
    "infinity": [b"[-Infinity]"],
    "a very long number": [b"1" * 5000],
    "nested without end": [b"[" * 100_000 + b"]" * 100_000],
    "lists nested nine deep": [b'["l",' * 9 + b"1" + b"]" * 9],
    "objects nested nine deep": [b'{"a":' * 9 + b"1" + b"}" * 9],
    "too many elements": [b'["l"' + b",1" * 10_001 + b"]"],
    "too much text": [b'"' + b"x" * wire.MAX_TEXT + b'"'],
    "an array without a kind": [b"[1,2]"],
    "an empty array": [b"[]"],
    "an unknown kind": [b'["pickle","gASVAAAA"]'],
    "a float that is none": [b'["f","1e5x"]'],
    "a float too large": [b'["f","0x1p99999"]'],
    "a float too long": [b'["f","0x' + b"0" * 100 + b'"]'],
    "a float with two parts": [b'["f","0x1","0x1"]'],
    "a handle below zero": [b'["h",-1,"x"]'],
    "a handle beyond all numbers": [b'["h",9007199254740992,"x"]'],
    "a handle that is true": [b'["h",true,"x"]'],
    "a handle with a long name": [b'["h",1,"' + b"x" * 101 + b'"]'],
    "a tensor without bytes": tensor_frames()[:1],
    "a tensor with too few bytes": tensor_frames(data=bytes(7)),
    "a tensor with too many bytes": tensor_frames(data=bytes(12)),
    "a frame too many": [*tensor_frames(), b""],
    "a frame for nothing": [b"1", b"2"],
    "an unknown dtype": tensor_frames("nn"),
    "a dtype that is code": [b'["D","load"]'],
    "a quantized dtype": tensor_frames("qint8"),
    "a shape below zero": tensor_frames(shape=(-2,)),
    "two negative sizes": tensor_frames(shape=(-2, -1)),
    "a shape that is true": tensor_frames(shape=(True, 2)),
    "a shape of words": tensor_frames(shape=("2",)),
    "a shape of lists": tensor_frames(shape=([2],)),
    "a shape too large": tensor_frames(shape=(2**62, 4)),
    "a shape whose product overflows": tensor_frames(shape=(2**32, 2**32)),
    "a shape with a zero that hides its size": tensor_frames(shape=(0, 2**39, 2**39), data=b""),
    "a shape of too many axes": tensor_frames(shape=(1,) * 17, data=bytes(4)),
    "requires_grad that is a number": tensor_frames(grad=1),
}


@pytest.mark.parametrize("frames", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_frames_are_refused(frames):
    """Does everything that is not a message end in a WireError, and in nothing else?"""
    with pytest.raises(wire.WireError):
        wire.decode(frames, lambda number, name: pytest.fail("a handle was made"))


@given(st.lists(st.binary(max_size=60), max_size=3))
@settings(max_examples=300, deadline=None)
def test_noise_is_refused_or_plain(frames):
    """Does noise end in a WireError or in plain data, whatever it holds?"""
    try:
        value = wire.decode(frames, lambda number, name: None)
    except wire.WireError:
        return
    assert type(value) in (type(None), bool, int, float, str, list, tuple, dict, torch.Tensor, torch.dtype)


@given(st.recursive(st.one_of(SCALARS, st.sampled_from(["t", "l", "T", "D", "h", "f", "float32"])), st.lists))
@settings(max_examples=300, deadline=None)
def test_trees_that_nearly_fit_are_refused_or_plain(tree):
    """Does JSON with the right words in the wrong places end in a WireError or in plain data?"""
    try:
        value = wire.decode([json.dumps(tree).encode(), bytes(8)], lambda number, name: None)
    except (wire.WireError, UnicodeEncodeError):
        return
    assert type(value) in (list, tuple, torch.Tensor)


def test_a_bool_is_true_or_false():
    """Is a bool tensor whose bytes are neither 0 nor 1 made into one that holds True and False?"""
    tensor = wire.decode(tensor_frames("bool", (3,), data=bytes([0, 1, 255])), None)
    assert tensor.view(torch.uint8).tolist() == [0, 1, 1]


def test_decoding_keeps_no_frame():
    """Does a tensor own its memory, so that the frame may change afterwards?"""
    frame = bytearray(8)
    tensor = wire.decode(tensor_frames(data=frame), None)
    frame[:] = b"\xff" * 8
    assert tensor.tolist() == [0.0, 0.0]


def test_integers_for_which_python_would_take_long():
    """Is the largest integer that crosses one that arrives too?"""
    value = 10**309 - 1
    assert same(there_and_back(value), value)
