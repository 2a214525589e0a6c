"""Tests of gcnn.fourier: group convolutions in their Fourier basis are the same, and others are left alone."""

import pytest
import torch
import torch.nn.functional as F
from convolved import BFLOAT16, ROUNDING, numbers, results, ways

from gcnn import fourier
from gcnn.fast import kernels

MOVES = [(f, r) for f in (0, 1) for r in range(4)]  # mirror first, then turn


def moved(square, f, r):
    """A filter's last two axes mirrored f times, then turned r times."""
    return torch.rot90(square.flip(-1) if f else square, r, (-2, -1))


def after(g, h):
    """Which of `MOVES` is h followed by g, seen on a square without symmetry."""
    square = torch.arange(9).view(3, 3)
    wanted = moved(moved(square, *h), *g)
    return next(move for move in MOVES if torch.equal(moved(square, *move), wanted))


def bank_of(psi, group):
    """The filter bank ``(D * n, C * n, k, k)`` of filters ``(D, C, n, k, k)`` over a group, by its definition."""
    rows = []
    for g in group:
        tiles = [None] * len(group)
        for u, h in enumerate(group):
            tiles[group.index(after(g, h))] = moved(psi[:, :, u], *g)
        rows.append(torch.stack(tiles, 2))
    return torch.stack(rows, 1).flatten(2, 3).flatten(0, 1)


C4, D4, KLEIN = MOVES[:4], MOVES, [(0, 0), (0, 2), (1, 0), (1, 2)]
GROUPS = {"C4": C4, "D4": D4, "Klein": KLEIN}


@pytest.fixture(autouse=True)
def from_few_channels(monkeypatch):
    """Small banks will do."""
    monkeypatch.setattr(fourier, "worth_it", lambda dtype: 8)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False, raising=False)


@pytest.fixture
def seen(monkeypatch):
    """The symmetries by which convolutions were computed."""
    return ways(fourier, monkeypatch)


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize(("k", "padding", "size"), [(3, 1, (5, 5)), (3, 0, (4, 6)), (5, 2, (7, 3)), (2, 1, (3, 4))])
@pytest.mark.parametrize("with_bias", [True, False])
def test_it_is_the_same_convolution(group, k, padding, size, with_bias, seen):
    """Are result and gradients those of the plain convolution, for each group, filter size and padding?"""
    elements = GROUPS[group]
    psi, x = numbers(4, 3, len(elements), k, k), numbers(2, 3 * len(elements), *size, seed=1)
    bias = numbers(4 * len(elements), seed=2) if with_bias else None
    arguments = (lambda p: bank_of(p, elements)), psi, x, bias, padding
    got, expected = (
        results(*arguments, fast=True),
        results(*(a.double() if isinstance(a, torch.Tensor) else a for a in arguments), fast=False),
    )
    assert len(seen) == 1 and seen[0].n == len(elements)
    for a, b in zip(got, expected, strict=True):
        assert a.shape == b.shape and (a - b).abs().max() <= ROUNDING * b.abs().max()


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("factor", [1, 2], ids=["the parameter", "twice the parameter"])
def test_rounded_factors_give_the_same_up_to_rounding(group, factor, seen, monkeypatch):
    """Where the processor multiplies bfloat16 numbers, are result and gradients as near as their eight bits allow?"""
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True, raising=False)
    elements = GROUPS[group]
    psi, x = numbers(4, 3, len(elements), 3, 3), numbers(2, 3 * len(elements), 5, 5, seed=1)
    arguments = (lambda p: factor * bank_of(p, elements)), psi, x, numbers(4 * len(elements), seed=2), 1
    got, expected = results(*arguments, fast=True, precision="auto"), results(*arguments, fast=False)
    assert len(seen) == 1 and seen[0].n == len(elements)
    for a, b in zip(got, expected, strict=True):
        assert a.dtype == b.dtype and 0 < (a - b).abs().max() <= BFLOAT16 * b.abs().max()


def test_products_are_as_small_as_they_can_be():
    """Does C4 fall into two parts of size 1 and one of size 2, D4 into four and two, Klein's group into four?"""
    parts = {}
    for name, elements in GROUPS.items():
        symmetry = fourier.symmetry_of(bank_of(numbers(4, 3, len(elements), 3, 3), elements))
        parts[name] = symmetry.ones, symmetry.twos
    assert parts == {"C4": (2, 1), "D4": (4, 2), "Klein": (4, 0)}


def test_the_order_of_the_elements_does_not_matter(seen):
    """Is the symmetry found, and the result right, where the group axis counts the elements in another order?"""
    order = torch.tensor([5, 2, 7, 0, 3, 6, 1, 4])
    elements = [D4[i] for i in order]
    arguments = (lambda p: bank_of(p, elements)), numbers(4, 3, 8, 3, 3), numbers(2, 24, 5, 5, seed=1), None, 1
    for a, b in zip(results(*arguments, fast=True), results(*arguments, fast=False), strict=True):
        assert (a - b).abs().max() <= ROUNDING * b.abs().max()
    assert len(seen) == 1


def bank(psi):
    """The filter bank of the quarter turns."""
    return bank_of(psi, C4)


def _random(psi):
    return numbers(16, 12, 3, 3, seed=3) + psi.sum()


def _one_filter_changed(psi):
    whole = bank(psi).clone()
    whole[5, 3] = whole[5, 3] * 1.01
    return whole


def _opposite_in_two_channels(psi):
    whole = bank(psi[:3]).unflatten(1, (3, 4)).unflatten(0, (3, 4)).clone()
    more = numbers(3, 3, seed=5)
    whole[0, 1, 1, 2] = whole[0, 1, 1, 2] + more
    whole[1, 1, 0, 2] = whole[1, 1, 0, 2] - more
    return whole.flatten(2, 3).flatten(0, 1)


def _turned_the_wrong_way_once(psi):
    whole = bank(psi).unflatten(0, (4, 4)).clone()
    whole[:, 1] = whole[:, 1].flip(-1)
    return whole.flatten(0, 1)


def _copies_that_do_not_learn(psi):
    whole = bank(psi).unflatten(0, (4, 4))
    return torch.cat([whole[:, :1], whole[:, 1:].detach()], 1).flatten(0, 1)


def _weights_of_its_own(psi):
    return bank(psi) + (
        psi.sum() * numbers(16, 12, 3, 3, seed=4) - (psi.sum() * numbers(16, 12, 3, 3, seed=4)).detach()
    )


def _zeros(psi):
    return 0 * bank(psi)


OTHERS = [
    _random,
    _one_filter_changed,
    _opposite_in_two_channels,
    _turned_the_wrong_way_once,
    _copies_that_do_not_learn,
    _weights_of_its_own,
    _zeros,
]


@pytest.mark.parametrize("other", OTHERS)
def test_other_banks_are_left_alone(other, seen):
    """Is a bank without the symmetry, in its values or in how it learns, convolved and learnt as ever?"""
    arguments = other, numbers(4, 3, 4, 3, 3), numbers(2, 12, 5, 5, seed=1), None, 1
    for a, b in zip(results(*arguments, fast=True), results(*arguments, fast=False), strict=True):
        assert (a - b).abs().max() <= ROUNDING * b.abs().max()
    assert seen == []


def test_a_parameter_may_lose_its_symmetry(seen):
    """Is a layer left alone whose bank is a parameter that starts out symmetric, except where nothing learns?"""
    layer = torch.nn.Conv2d(12, 16, 3, padding=1)
    layer.weight.data = bank(numbers(4, 3, 4, 3, 3))
    x = numbers(2, 12, 5, 5)
    with kernels("float32"):
        y = layer(x)
        assert seen == []
        layer.requires_grad_(False)
        assert (layer(x) - y).abs().max() <= ROUNDING * y.abs().max()
    assert len(seen) == 1


def test_what_a_parameter_learns_is_looked_at_once(seen, monkeypatch):
    """Is a bank's gradient checked the first time only?"""
    looked = []
    monkeypatch.setattr(
        torch.autograd, "grad", lambda *a, _grad=torch.autograd.grad, **k: looked.append(1) or _grad(*a, **k)
    )
    psi, x = numbers(4, 3, 4, 3, 3).requires_grad_(), numbers(2, 12, 5, 5, seed=1)
    with kernels("float32"):
        for _ in range(3):
            F.conv2d(x, bank(psi), padding=1)
    assert len(seen) == 3 and len(looked) == 2


def twice(psi):
    """A symmetric bank whose first row is no parameter's."""
    return 2 * bank(psi)


def other_order(psi):
    """A symmetric bank of a parameter that has its numbers in another order, ``(C, D, n, k, k)``."""
    return bank(psi.reshape(3, 4, 4, 3, 3).transpose(0, 1))


def straight_through(psi):
    """A symmetric bank with a parameter's values that teaches it twice as much."""
    return bank(psi) + (bank(psi) - bank(psi).detach())


@pytest.mark.parametrize(
    ("made", "itself"), [(bank, True), (twice, False), (other_order, False), (straight_through, False)]
)
def test_a_bank_of_a_parameter_itself_is_no_way_round(made, itself, seen):
    """Does a parameter learn the same at once, and by way of the bank if the bank has other numbers or gradients?"""
    passed = []

    def watched(psi):
        whole = made(psi)
        if whole.dtype == torch.float32:
            whole.register_hook(passed.append)
        return whole

    psi, x = numbers(4, 3, 4, 3, 3), numbers(2, 12, 5, 5, seed=1)
    got = results(watched, psi, x, None, 1, fast=True)
    expected = results(watched, psi.double(), x.double(), None, 1, fast=False)
    for a, b in zip(got, expected, strict=True):
        assert (a - b).abs().max() <= ROUNDING * b.abs().max()
    looks = 2  # the gradients by which it is found out
    assert len(seen) == 1 and len(passed) == looks + (not itself)


def test_a_parameter_learns_by_way_of_its_bank_once_the_bank_has_other_numbers():
    """Is a layer learnt rightly that first uses its parameter itself, then three times its numbers?"""
    psi, x = numbers(4, 3, 4, 3, 3).requires_grad_(), numbers(2, 12, 5, 5, seed=1)
    for factor in (1, 3):
        psi.grad = None
        with kernels("float32"):
            F.conv2d(x, bank(factor * psi), padding=1).square().sum().backward()
        got = psi.grad
        psi.grad = None
        F.conv2d(x, bank(factor * psi), padding=1).square().sum().backward()
        assert (got - psi.grad).abs().max() <= ROUNDING * psi.grad.abs().max()
