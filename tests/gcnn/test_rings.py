"""Tests of gcnn.rings: convolutions with isotropic filters are the same, and others are left alone."""

import pytest
import torch
from convolved import ROUNDING, numbers, results, ways

from gcnn import rings
from gcnn.fast import kernels

RINGS = {
    "3x3": [1, 1, 1, 1, 0, 1, 1, 1, 1],
    "corners": [0, 1, 0, 1, 2, 1, 0, 1, 0],
    "5x5": [5, 4, 3, 4, 5, 4, 2, 1, 2, 4, 3, 1, 0, 1, 3, 4, 2, 1, 2, 4, 5, 4, 3, 4, 5],
    "all one": [0, 0, 0, 0],
}


@pytest.fixture(autouse=True)
def from_few_channels(monkeypatch):
    """Small banks will do, on a machine that does not round."""
    monkeypatch.setattr(rings, "_WORTH_IT", 2)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False, raising=False)


@pytest.fixture
def seen(monkeypatch):
    """The rings by which convolutions were computed."""
    return ways(rings, monkeypatch)


def bank_of(label):
    """What makes a filter bank ``(D, C, k, k)`` of numbers ``(D, C, rings)``."""
    side = round(len(label) ** 0.5)
    return lambda psi: psi[..., torch.tensor(label)].unflatten(-1, (side, side))


@pytest.mark.parametrize("label", RINGS.values(), ids=RINGS)
@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize("with_bias", [True, False])
def test_it_is_the_same_convolution(label, padding, with_bias, seen):
    """Are result and gradients those of the plain convolution, for each arrangement of rings?"""
    psi, x = numbers(4, 3, max(label) + 1), numbers(2, 3, 5, 7, seed=1)
    arguments = bank_of(label), psi, x, numbers(4, seed=2) if with_bias else None, padding
    got, expected = (
        results(*arguments, fast=True),
        results(*(a.double() if isinstance(a, torch.Tensor) else a for a in arguments), fast=False),
    )
    assert len(seen) == 1 and len(seen[0].places) == max(label) + 1
    for a, b in zip(got, expected, strict=True):
        assert a.shape == b.shape and (a - b).abs().max() <= ROUNDING * b.abs().max()


isotropic = bank_of(RINGS["3x3"])


def _random(psi):
    return numbers(4, 3, 3, 3, seed=3) + psi.sum()


def _one_filter_changed(psi):
    whole = isotropic(psi).clone()
    whole[2, 1] = whole[2, 1] * (1 + torch.arange(9).view(3, 3) / 100)
    return whole


def _half_of_the_ring_does_not_learn(psi):
    whole = isotropic(psi)
    return torch.cat([whole[..., :1], whole[..., 1:].detach()], -1)


def _places_of_their_own(psi):
    more = psi.sum() * numbers(4, 3, 3, 3, seed=4)
    return isotropic(psi) + (more - more.detach())


OTHERS = [_random, _one_filter_changed, _half_of_the_ring_does_not_learn, _places_of_their_own]


@pytest.mark.parametrize("other", OTHERS)
def test_other_banks_are_left_alone(other, seen):
    """Is a bank without rings, in its values or in how it learns, convolved and learnt as ever?"""
    arguments = other, numbers(4, 3, 2), numbers(2, 3, 5, 5, seed=1), None, 1
    for a, b in zip(results(*arguments, fast=True), results(*arguments, fast=False), strict=True):
        assert (a - b).abs().max() <= ROUNDING * b.abs().max()
    assert seen == []


def test_a_parameter_may_lose_its_rings(seen):
    """Is a layer left alone whose bank is a parameter that starts out isotropic, except where nothing learns?"""
    layer = torch.nn.Conv2d(3, 4, 3, padding=1)
    layer.weight.data = isotropic(numbers(4, 3, 2))
    x = numbers(2, 3, 5, 5)
    with kernels("float32"):
        y = layer(x)
        assert seen == []
        layer.requires_grad_(False)
        assert (layer(x) - y).abs().max() <= ROUNDING * y.abs().max()
    assert len(seen) == 1
