"""Convolutions whose filters hold the same number at several places: the same results from fewer multiplications.

An isotropic filter has one number in its centre and one on the ring around it. Pixels that meet the same number are
added up first, and multiplied once: two multiplications instead of nine a pair of channels. `convolve` reads off a bank
which places share a number; it serves every network with such banks, however it is written, and leaves others alone.
"""

import functools
from typing import Any

import torch
import torch.nn.functional as F
from torch.autograd.function import once_differentiable

from gcnn.banks import SAME, drawn, is_parameter, learnt

_WORTH_IT = 16  # input channels from which fewer multiplications outweigh the adding up


class Rings:
    """Which places of a bank's filters hold the same number.

    Args:
        label: the number of its ring for each of a filter's k * k places.
    """

    def __init__(self, label: tuple[int, ...]):
        self.label, self.k = torch.tensor(label), round(len(label) ** 0.5)
        self.places = [[divmod(q, self.k) for q, ring in enumerate(label) if ring == one] for one in sorted(set(label))]
        self._first = torch.tensor([label.index(ring) for ring in sorted(set(label))])

    def first(self, bank: torch.Tensor) -> torch.Tensor:
        """One number a ring, ``(D, C, rings)``, of a bank ``(D, C, k, k)``."""
        return bank.flatten(2).index_select(2, self._first)

    def gathered(self, gradient: torch.Tensor) -> torch.Tensor:
        """A bank's gradient, summed over each ring: ``(D, C, rings)``."""
        gradient = gradient.flatten(2)
        return gradient.new_zeros(*gradient.shape[:2], len(self.places)).index_add_(2, self.label, gradient)

    def shared(self, gradient: torch.Tensor) -> torch.Tensor:
        """A bank's gradient, the same for all places of a ring, with the same sum over them."""
        return (self.gathered(gradient) / self.label.bincount())[..., self.label].view(gradient.shape)

    def sums(self, x: torch.Tensor, padding: int) -> torch.Tensor:
        """What each filter place meets, added up over each ring.

        Args:
            x: ``(B, C, H, W)``.
            padding: rows and columns of zeros on each side.

        Returns:
            ``(rings, B, H', W', C)``.
        """
        whole = F.pad(x.permute(0, 2, 3, 1), (0, 0, *[padding] * 4))
        height, width = (side - self.k + 1 for side in whole.shape[1:3])
        result = whole.new_empty(len(self.places), len(x), height, width, x.shape[1])
        for total, places in zip(result, self.places, strict=True):
            seen = [whole[:, i : i + height, j : j + width] for i, j in places]
            if len(seen) == 1:
                total.copy_(seen[0])
                continue
            torch.add(seen[0], seen[1], out=total)
            for one in seen[2:]:
                total.add_(one)
        return result

    def sums_back(self, gradient: torch.Tensor, size: torch.Size, padding: int) -> torch.Tensor:
        """The gradient of `sums` for its input, of this size: ``(B, C, H, W)``."""
        (b, c, h, w), (height, width) = size, gradient.shape[2:4]
        whole = gradient.new_zeros(b, h + 2 * padding, w + 2 * padding, c)
        for one, places in zip(gradient, self.places, strict=True):
            for i, j in places:
                whole[:, i : i + height, j : j + width] += one
        inside = whole[:, padding : padding + h, padding : padding + w]
        return inside.permute(0, 3, 1, 2).contiguous()


_rings = functools.lru_cache(maxsize=64)(Rings)


def rings_of(weight: torch.Tensor) -> Rings | None:
    """Which places of a bank's filters hold the same number, if so many do that it makes the convolution faster.

    A bank that is a parameter itself has none: training would not keep it.

    Args:
        weight: ``(D, C, k, k)`` in float32.
    """
    rows, columns, k, width = weight.shape
    if k != width or columns < _WORTH_IT or is_parameter(weight):
        return None
    mixed = drawn(rows * columns, 0) @ weight.detach().flatten(0, 1).flatten(1)
    same = (mixed[:, None] - mixed).abs() <= SAME * mixed.abs().max()
    label = same.int().argmax(1).tolist()  # the first place with the same number
    names = sorted(set(label))
    if 2 * len(names) > k * k:
        return None
    return _rings(tuple(names.index(one) for one in label))


def convolve(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, padding: int) -> torch.Tensor | None:
    """A 2-D convolution of stride 1 by rings of its filters, or None if that is of no use.

    Args:
        x: ``(B, C, H, W)``.
        weight: ``(D, C, k, k)``.
        bias: ``(D,)`` or None.
        padding: rows and columns of zeros on each side.
    """
    rings = rings_of(weight)
    first = None if rings is None else learnt(weight, rings)
    return None if first is None else Convolution.apply(x, first, bias, padding, rings)


class Convolution(torch.autograd.Function):
    """A 2-D convolution of stride 1 by rings of its filters.

    ``x`` is ``(B, C, H, W)``, ``first`` ``(D, C, rings)``, ``bias`` ``(D,)`` or None, all float32.
    """

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, first: torch.Tensor, bias: torch.Tensor | None, padding: int, rings: Rings
    ) -> torch.Tensor:
        """Convolve: ``(B, D, H', W')``."""
        sums = rings.sums(x, padding)
        y = _products(sums.flatten(1, 3), first.permute(2, 1, 0)).view(*sums.shape[1:4], -1)
        y = y.permute(0, 3, 1, 2).clone(memory_format=torch.contiguous_format)
        if bias is not None:
            y += bias[:, None, None]
        ctx.rings, ctx.padding, ctx.size = rings, padding, x.shape
        ctx.save_for_backward(first, sums)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """The gradients of input, numbers of the rings and bias."""
        (first, sums), (of_x, of_first, of_bias, *_) = ctx.saved_tensors, ctx.needs_input_grad
        rows = gradient.permute(0, 2, 3, 1).reshape(-1, gradient.shape[1])  # (B * H' * W', D)
        grad_x = grad_first = None
        if of_x:
            parts = torch.matmul(rows, first.permute(2, 0, 1)).view(sums.shape)
            grad_x = ctx.rings.sums_back(parts, ctx.size, ctx.padding)
        if of_first:
            grad_first = torch.matmul(rows.t(), sums.flatten(1, 3)).permute(1, 2, 0)
        return grad_x, grad_first, gradient.sum((0, 2, 3)) if of_bias else None, None, None


def _products(sums: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """The sum over rings of ``(rings, M, C)`` times ``(rings, C, D)``: ``(M, D)``."""
    result = sums[0] @ weights[0]
    for one, weight in zip(sums[1:], weights[1:], strict=True):
        result.addmm_(one, weight)
    return result
