"""Tests of gcnn.fast: that a network computes the same, only faster."""

import contextlib
import platform
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
from convolved import BFLOAT16
from torch import nn

from gcnn.fast import kernels, rounds


@pytest.fixture
def rounded(monkeypatch):
    """A machine whose processor multiplies bfloat16 numbers, whatever this one does."""
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True, raising=False)


def results(function, *tensors, precision=None):
    """What a function of tensors gives, and the gradients of its squares' sum: in plain PyTorch without a precision."""
    tensors = [t.clone().requires_grad_() for t in tensors]
    if precision is None:
        y = function(*tensors)
    else:
        with kernels(precision):
            y = function(*tensors)
    (y**2).sum().backward()
    return [y.detach(), *(t.grad for t in tensors)]


def same(got, expected, tolerance=0.0):
    """Are all tensors of one list those of the other, up to a tolerance relative to the largest value?"""
    return all(
        a.shape == b.shape and a.dtype == b.dtype and (a - b).abs().max() <= tolerance * b.abs().max()
        for a, b in zip(got, expected, strict=True)
    )


@pytest.mark.parametrize("precision", ["auto", "float32"])
@pytest.mark.parametrize(
    ("pool", "shape"),
    [
        (nn.MaxPool2d(3, stride=2, padding=1), (2, 5, 9, 9)),
        (nn.MaxPool2d(3), (2, 5, 9, 8)),
        (nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1)), (2, 5, 4, 9, 9)),
        (nn.MaxPool3d((1, 2, 3)), (2, 5, 8, 8, 9)),
        (nn.MaxPool3d((4, 3, 3), stride=1), (2, 5, 4, 3, 3)),
        (nn.MaxPool3d(2, ceil_mode=True), (2, 5, 4, 5, 5)),
        (nn.MaxPool3d((1, 2, 2), ceil_mode=True), (2, 5, 4, 5, 5)),
        (nn.MaxPool2d(3, dilation=2), (2, 5, 9, 9)),
        (nn.MaxPool2d(3), (5, 9, 9)),
    ],
    ids=str,
)
def test_pools_are_the_same_to_the_bit(pool, shape, precision, rounded):
    """Do a max pool and its gradient have the very values that PyTorch's have?"""
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    assert same(results(pool, x, precision=precision), results(pool, x))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("size", [3, 5, 9])
@pytest.mark.parametrize("padding", [0, 1, (1, 0)])
def test_rounded_convolutions_differ_by_rounding_only(size, padding, layout, rounded):
    """Are a convolution and its three gradients PyTorch's up to rounding, for small and large images, in any order?"""
    g = torch.Generator().manual_seed(0)
    x = torch.randn(6, 8, size, size, generator=g).contiguous(memory_format=layout)
    weight, bias = torch.randn(4, 8, 3, 3, generator=g), torch.randn(4, generator=g)

    def convolution(x, weight, bias):
        return F.conv2d(x, weight, bias, padding=padding)

    got, expected = results(convolution, x, weight, bias, precision="auto"), results(convolution, x, weight, bias)
    assert same(got, expected, BFLOAT16)
    assert not same(got, expected), "nothing was rounded"
    assert same(results(convolution, x, weight, bias, precision="float32"), expected)


@pytest.mark.filterwarnings("ignore:Complex modules")
@pytest.mark.parametrize(
    ("layer", "dtype"),
    [
        (nn.Conv2d(4, 6, 3, stride=2), torch.float32),
        (nn.Conv2d(4, 6, 3, dilation=2), torch.float32),
        (nn.Conv2d(4, 6, 3, groups=2), torch.float32),
        (nn.Conv2d(4, 6, 3, padding="same"), torch.float32),
        (nn.Conv2d(4, 6, 3), torch.float64),
        (nn.Conv2d(4, 6, 3), torch.complex64),
    ],
    ids=str,
)
def test_other_convolutions_are_left_alone(layer, dtype, rounded):
    """Does whatever is not the plain case of float32 go to PyTorch as it is?"""
    layer = layer.to(dtype)
    x = torch.randn(2, 4, 9, 9, dtype=dtype, generator=torch.Generator().manual_seed(0))
    with kernels("auto"), torch.no_grad():
        got = layer(x)
    assert torch.equal(got, layer(x))


def test_convolutions_without_all_gradients(rounded):
    """Can a convolution have no bias, a first input without a gradient, and fixed filters?"""
    x, weight = torch.randn(2, 3, 6, 6), torch.randn(4, 3, 3, 3, requires_grad=True)
    with kernels("auto"):
        F.conv2d(x, weight).sum().backward()
        fixed = F.conv2d(x.requires_grad_(), weight.detach())
    fixed.sum().backward()
    assert weight.grad.shape == weight.shape and x.grad.shape == x.shape


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("ways", [{}, {"affine": False}, {"track_running_stats": False}, {"momentum": None}], ids=str)
@pytest.mark.parametrize("size", [5, 1])
def test_a_normalisation_after_a_rounded_convolution_is_the_same(size, ways, training, rounded):
    """Does a batch normalisation over a group axis give, learn and keep the same in channels-last order?"""
    g = torch.Generator().manual_seed(0)
    x = (3 + 2 * torch.randn(4, 12, size, size, generator=g)).contiguous(memory_format=torch.channels_last)
    mixed = torch.randn(4, 3, 4, size, size, generator=g)

    def normalised(precision, x):
        torch.manual_seed(1)
        norm = nn.BatchNorm3d(3, **ways).train(training)
        for p in norm.parameters():
            nn.init.normal_(p)
        x = x.clone().requires_grad_()
        with kernels(precision) if precision else contextlib.nullcontext():
            for _ in range(2):
                y = norm(x.unflatten(1, (3, 4)))
        (y * mixed).sum().backward()
        kept = [t for t in norm.buffers() if t.is_floating_point()]
        return [y.detach(), x.grad, *(p.grad for p in norm.parameters()), *kept]

    assert same(normalised("auto", x), normalised(None, x.contiguous()), 1e-5)


@pytest.mark.parametrize("precision", ["auto", "float32"])
@pytest.mark.parametrize("n", [0, 4], ids=["plain", "group"])
def test_what_comes_next_may_work_in_place(n, precision, rounded):
    """May an answer go on in place, as nn.ReLU(inplace=True) does, whatever computed what it works on?"""
    layer = nn.Conv2d(8, 512, 3, padding=1, bias=False)
    if n:  # blocks that a cyclic group permutes, so that it is computed in a Fourier basis
        first = torch.randn(128, 2, n, 3, 3, generator=torch.Generator().manual_seed(0))
        bank = torch.stack([torch.rot90(first, s, (-2, -1)).roll(s, 2) for s in range(n)], 1)
        layer.weight.data = bank.view(512, 8, 3, 3)
        layer.requires_grad_(False)
    norm, pool = nn.BatchNorm3d(128), nn.MaxPool2d(2)
    x = torch.randn(2, 8, 6, 6, generator=torch.Generator().manual_seed(1))

    def function(x):
        y = layer(x).relu_()
        y = pool(y).mul_(2)
        return norm(y.unflatten(1, (128, 4))).relu_()

    got, expected = results(function, x, precision=precision), results(function, x)
    assert same(got[:1], expected[:1], 2 * BFLOAT16)
    assert (got[1] - expected[1]).norm() <= 0.1 * expected[1].norm()


def test_indices_are_still_given(rounded):
    """Does a pool that is asked for indices return them?"""
    x = torch.randn(2, 3, 4, 6, 6)
    with kernels("auto"):
        got = F.max_pool3d(x, (1, 2, 2), return_indices=True)
    assert all(torch.equal(a, b) for a, b in zip(got, F.max_pool3d(x, (1, 2, 2), return_indices=True), strict=True))


def test_a_vectorised_convolution_works(rounded):
    """Does an answer that maps a convolution over its filters with torch.vmap keep working?"""
    x, weights = torch.randn(2, 3, 6, 6), torch.randn(4, 5, 3, 3, 3)
    with kernels("auto"):
        got = torch.vmap(lambda weight: F.conv2d(x, weight))(weights)
    assert torch.equal(got, torch.stack([F.conv2d(x, weight) for weight in weights]))


def test_mistakes_get_pytorchs_own_message(rounded):
    """Is an input that does not fit refused with the message that it gets without us?"""
    x, weight = torch.randn(2, 3, 6, 6), torch.randn(4, 5, 3, 3)
    with pytest.raises(RuntimeError) as expected:
        F.conv2d(x, weight)
    with pytest.raises(RuntimeError) as got, kernels("auto"):
        F.conv2d(x, weight)
    assert str(got.value) == str(expected.value)


def test_precisions(monkeypatch):
    """Is rounding never done where the processor cannot do it fast, and an unknown precision refused?"""
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False, raising=False)
    assert not rounds("auto") and not rounds("float32")
    with pytest.raises(ValueError, match="'auto' or 'float32'"), kernels("float16"):
        pass


FAULTS = """
import resource

import torch

from gcnn.fast import kernels


def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(8):
        torch.ones(2**23)  # 32 MiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


with kernels():
    print(min(faults() for _ in range(6)))  # a round may still find its place taken by something small, not every one
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only the GNU C library is told to keep memory")
@pytest.mark.parametrize("pages", ["0", "1"], ids=["small pages", "large pages"])
def test_memory_is_kept_for_the_next_tensors(pages, monkeypatch):
    """Does a process that trains keep what large tensors leave, instead of fetching it page by page again?"""
    monkeypatch.setenv("THP_MEM_ALLOC_ENABLE", pages)
    done = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, timeout=120, check=True)
    assert int(done.stdout) < 8  # else each tensor is thousands of small pages, or a dozen large ones
