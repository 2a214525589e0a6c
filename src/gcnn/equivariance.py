"""The action of quarter turns and mirror images on pictures, and how far a map is from commuting with it.

Measuring and judging are kept apart: `equivariance_error` returns a number, `assert_equivariant` judges it
with the one table of tolerances, `TOLERANCES`.
"""

from collections.abc import Callable

import torch

TOLERANCES: dict[torch.dtype, float] = {
    torch.float64: 1e-9,
    torch.float32: 1e-4,
    torch.bfloat16: 3e-2,
    torch.float16: 5e-3,
}
"""Largest relative error that rounding explains, by dtype: about 800 units in the last place for single precision,
since sums over channels, group elements and pixels are taken in another order after a turn."""


def rotate(x: torch.Tensor, r: int) -> torch.Tensor:
    """Turn the last two axes by ``r`` quarter turns, counter-clockwise as displayed.

    Args:
        x: images or feature maps, ``(..., height, width)``.
        r: number of quarter turns, any integer.

    Returns:
        A tensor of the same shape (height and width swapped if ``r`` is odd).
    """
    return torch.rot90(x, r, (-2, -1))


def reflect(x: torch.Tensor) -> torch.Tensor:
    """Mirror the last axis of ``(..., height, width)``: left becomes right."""
    return x.flip(-1)


def relative_error(got: torch.Tensor, expected: torch.Tensor) -> float:
    """The largest difference between two tensors of one shape, relative to the largest expected value.

    Returns:
        ``max|got - expected| / max|expected|``; the plain difference where ``expected`` is zero everywhere,
        0 for empty tensors, and ``nan`` where ``got`` holds one.

    Raises:
        ValueError: the shapes differ.
    """
    if got.shape != expected.shape:
        raise ValueError(f"cannot compare shapes {tuple(got.shape)} and {tuple(expected.shape)}: they must be equal")
    if got.numel() == 0:
        return 0.0
    wide = torch.complex128 if got.is_complex() or expected.is_complex() else torch.float64
    got, expected = got.detach().to("cpu", wide), expected.detach().to("cpu", wide)
    scale = float(expected.abs().max())
    difference = float((got - expected).abs().max())
    return difference / scale if scale > 0 else difference


def equivariance_error(
    f: Callable[[torch.Tensor], torch.Tensor],
    x: torch.Tensor,
    act_in: Callable[[torch.Tensor], torch.Tensor],
    act_out: Callable[[torch.Tensor], torch.Tensor] = lambda y: y,
) -> float:
    """How far ``f`` is from ``f(g.x) = g.f(x)``, relative to the largest value of ``g.f(x)``.

    Args:
        f: the map under test.
        x: an input of ``f``.
        act_in: the action of one group element g on inputs.
        act_out: its action on outputs; the identity by default, which measures *invariance*.

    Returns:
        ``max|f(g.x) - g.f(x)| / max|g.f(x)|``, a number without a unit.
    """
    with torch.no_grad():
        return relative_error(f(act_in(x)), act_out(f(x)))


def assert_equivariant(
    f: Callable[[torch.Tensor], torch.Tensor],
    x: torch.Tensor,
    act_in: Callable[[torch.Tensor], torch.Tensor],
    act_out: Callable[[torch.Tensor], torch.Tensor] = lambda y: y,
    message: str = "the map is not equivariant",
) -> None:
    """Judge `equivariance_error` with the tolerance of ``x``'s dtype.

    Raises:
        AssertionError: the error is above the tolerance, or is not a number.
    """
    error, tolerance = equivariance_error(f, x, act_in, act_out), TOLERANCES[x.dtype]
    if not error <= tolerance:
        raise AssertionError(f"{message}: relative error {error:.2g}, rounding explains at most {tolerance:.0e}")
