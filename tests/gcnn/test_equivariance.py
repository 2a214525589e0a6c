"""Tests of gcnn.equivariance: the checker must find what is right right, and what is wrong wrong."""

import pytest
import torch
from torch import nn

from gcnn.equivariance import TOLERANCES, assert_equivariant, equivariance_error, reflect, relative_error, rotate


def test_rotate_turns_counter_clockwise():
    """Does a one at the top right come to the top left?"""
    x = torch.zeros(3, 3)
    x[0, 2] = 1
    assert rotate(x, 1)[0, 0] == 1
    assert torch.equal(rotate(x, 4), x)
    assert torch.equal(rotate(rotate(x, 1), 3), x)


def test_reflect_swaps_left_and_right():
    """Does the mirror image act on the last axis alone?"""
    x = torch.arange(6.0).reshape(2, 3)
    assert reflect(x).tolist() == [[2, 1, 0], [5, 4, 3]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_equivariant_map_passes(dtype):
    """Is a convolution with a constant filter found equivariant under every turn?"""
    layer = nn.Conv2d(1, 1, 3, padding=1, dtype=dtype)
    nn.init.constant_(layer.weight, 0.3)
    x = torch.randn(2, 1, 8, 8, dtype=dtype, generator=torch.Generator().manual_seed(0))
    for r in range(4):
        assert_equivariant(layer, x, lambda x, r=r: rotate(x, r), lambda y, r=r: rotate(y, r))


def test_a_wrong_map_fails_with_its_error():
    """Is a convolution with a direction found not equivariant, with the figure in the message?"""
    layer = nn.Conv2d(1, 1, 3, padding=1)
    with torch.no_grad():
        layer.weight.copy_(torch.arange(9.0).reshape(1, 1, 3, 3))
    x = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))

    def turn(x):
        return rotate(x, 1)

    assert equivariance_error(layer, x, turn, turn) > 0.1
    with pytest.raises(AssertionError, match="relative error"):
        assert_equivariant(layer, x, turn, turn)


def test_nan_is_never_equivariant():
    """Does a map that gives NaN fail?"""
    with pytest.raises(AssertionError):
        assert_equivariant(lambda x: x * float("nan"), torch.ones(1, 1, 3, 3), reflect, reflect)


def test_relative_error_needs_equal_shapes():
    """Is a silent broadcast refused?"""
    with pytest.raises(ValueError, match=r"\(2,\) and \(2, 1\)"):
        relative_error(torch.ones(2), torch.ones(2, 1))
    assert relative_error(torch.ones(0), torch.ones(0)) == 0
    assert relative_error(torch.full((2,), 0.5), torch.zeros(2)) == 0.5


def test_tolerances_shrink_with_precision():
    """Is double precision held to more than single, and single to more than half?"""
    assert TOLERANCES[torch.float64] < TOLERANCES[torch.float32] < TOLERANCES[torch.float16]
