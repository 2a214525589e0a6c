"""What a filter bank tells of itself: of which parameters it is computed, and whether its numbers repeat each other.

A bank whose numbers repeat can be convolved with fewer multiplications (`gcnn.fourier`, `gcnn.rings`). Nothing is known
here of the layer that made it: values are looked at each time, and once how its parameters learn.
"""

import functools
from typing import NamedTuple, Protocol

import torch
from torch.utils.weak import WeakTensorKeyDictionary

SAME = 1e-4
"""Of the largest value: what is nearer is equal but for rounding."""

_LARGEST_GRAPH = 1000  # steps from parameters to a filter bank


class Repetition(Protocol):
    """How the numbers of a bank ``(D, C, k, k)`` repeat each other."""

    def first(self, bank: torch.Tensor) -> torch.Tensor:
        """The numbers of a bank that do not repeat each other."""

    def gathered(self, gradient: torch.Tensor) -> torch.Tensor:
        """A bank's gradient, summed onto the numbers that do not repeat each other."""

    def shared(self, gradient: torch.Tensor) -> torch.Tensor:
        """A bank's gradient, the same for all numbers that repeat each other, with the same sum over them."""


class _Learning(NamedTuple):
    """What was found out about a parameter."""

    repetition: Repetition
    """How its bank repeats itself."""
    alike: bool
    """Does the bank's gradient matter only by what `Repetition.gathered` makes of it?"""
    itself: bool
    """Is that sum the parameter's own gradient, number by number?"""


_checked = WeakTensorKeyDictionary()  # for parameters: a `_Learning`


@functools.lru_cache(maxsize=256)
def drawn(n: int, seed: int) -> torch.Tensor:
    """Fixed random numbers, ``(n,)``: filters mixed by them repeat only what all of the filters do.

    Two axes of a bank need two seeds: mixed by the same numbers, what differs with opposite signs would cancel.
    """
    return torch.randn(n, generator=torch.Generator().manual_seed(seed))


def is_parameter(bank: torch.Tensor) -> bool:
    """Whether a bank is a parameter itself, as it stands or in another shape: training would not keep its symmetry."""
    return bank.requires_grad and (bank.is_leaf or (bank._base is not None and bank._base.is_leaf))


def learnt(bank: torch.Tensor, repetition: Repetition) -> torch.Tensor | None:
    """The numbers of a bank that a convolution may compute with, and learn, in place of all of it.

    What parameters learn must depend only on the sums of the bank's gradient over what repeats itself; it is looked at
    once for all of them. Where one parameter is these numbers itself, it learns at once, and not by way of how the bank
    was computed from it.

    Returns:
        As `Repetition.first`, or None if the parameters learn otherwise.
    """
    first = repetition.first(bank)
    if not bank.requires_grad:
        return first
    parameters = _parameters(bank)
    found = _learning(bank, parameters, repetition)
    if not found or not all(one.alike for one in found):
        return None
    if len(found) == 1 and found[0].itself:
        itself = parameters[0].reshape(first.shape)
        return itself if torch.equal(itself, first) else first
    return first


def _parameters(bank: torch.Tensor) -> list[torch.Tensor]:
    """The parameters from which a bank is computed; none if that takes too many steps to find out."""
    todo, seen, found = [bank.grad_fn], set(), []
    while todo and len(seen) < _LARGEST_GRAPH:
        step = todo.pop()
        if step is None or step in seen:
            continue
        seen.add(step)
        if hasattr(step, "variable"):
            found.append(step.variable)
        todo += [before for before, _ in step.next_functions]
    return [] if todo else found


def _learning(bank: torch.Tensor, parameters: list[torch.Tensor], repetition: Repetition) -> list[_Learning]:
    before = [_checked.get(p) for p in parameters]
    if all(one is not None and one.repetition is repetition for one in before):
        return before
    some = torch.randn(bank.shape, generator=torch.Generator().manual_seed(0))
    with torch.enable_grad():  # sums, since a gradient for the bank would import PyTorch's compiler, a second of work
        got, expected = (
            torch.autograd.grad((bank * gradient).sum(), parameters, retain_graph=True, allow_unused=True)
            for gradient in (repetition.shared(some), some)
        )
    alike = all(a is not None and b is not None and _same(a, b) for a, b in zip(got, expected, strict=True))
    sums = repetition.gathered(some)
    itself = alike and len(parameters) == 1 and parameters[0].numel() == sums.numel()
    itself = itself and _same(expected[0].reshape(-1), sums.reshape(-1))
    for p in parameters:
        _checked[p] = _Learning(repetition, alike, itself)
    return [_checked[p] for p in parameters]


def _same(a: torch.Tensor, b: torch.Tensor) -> bool:
    return bool((a - b).abs().max() <= SAME * b.abs().max())
