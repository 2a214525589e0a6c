"""Group convolutions in their group's Fourier basis: the same results from fewer multiplications.

The blocks of a group convolution's filter bank ``(D * n, C * n, k, k)`` repeat each other, turned or mirrored, as a
group of n elements permutes them: it holds only ``D * C * n * k * k`` different numbers. The convolution is a sum of
``k * k`` correlations over the group, and each falls apart into small products in the basis of the group's irreducible
representations: 6 multiplications instead of 16 for the four quarter turns, 12 instead of 64 with mirror images too.
(On these bases: Serre, "Linear Representations of Finite Groups", chapters 2 and 6.)

No group is written down here. `symmetry_of` reads off a bank whether its blocks repeat each other, and how: `convolve`
serves every network with such banks, however it is written, and leaves all others alone.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch.autograd.function import once_differentiable

from gcnn.banks import SAME, drawn, is_parameter, learnt

ORDERS = (8, 4)
"""Numbers of elements of the groups that are looked for."""

_WORTH_IT = {torch.float32: 128, torch.bfloat16: 256}  # see `worth_it`
_WORTH_IT_IN_TILES = 512  # where the processor multiplies tiles of bfloat16 numbers
_LARGEST = 2**24  # numbers in the features of as many images as are computed at a time


class Symmetry:
    """How the blocks of a filter bank repeat each other, and the basis in which its convolution falls apart.

    Of a bank as ``(D, n, C, n, k * k)`` holds ``bank[:, s, :, t, q] == bank[:, 0, :, label[s, t], place[s, q]]``.
    """

    def __init__(self, label: torch.Tensor, place: torch.Tensor):
        """Find the basis.

        Args:
            label: ``(n, n)``: each row and column holds each number once, the first row in order.
            place: ``(n, k * k)``: for each row of blocks a permutation of a filter's numbers.

        Raises:
            ValueError: the labels are no group's, or one with irreducible representations of other sizes than 1 and 2.
        """
        self.label, self.place, self.n, self.k = label, place, len(label), round(place.shape[1] ** 0.5)
        # The pairs (t, q) fall into k * k orbits, each with one pair for every t: (t, taps[t, f]) in the orbit f.
        self.taps = torch.empty_like(place)
        self.taps[(label == 0).int().argmax(1)] = place.argsort(1)
        if any((place[s][self.taps] != self.taps[label[s]]).any() for s in range(self.n)):
            raise ValueError("these blocks repeat each other as no group's do")
        permutations = torch.stack([(label == u).double() for u in range(self.n)])
        ones, twos = _irreducible(permutations)
        self.ones, self.twos = len(ones), len(twos)
        columns = [*(u[:, 0] for u in ones), *(u[:, i] for i in range(2) for u in twos)]
        self._from = torch.stack(columns, 1).float().contiguous()  # (n, n), orthogonal: from the Fourier basis
        self._to = self._from.t().contiguous()
        self._ones = torch.stack([torch.einsum("s,ust,t->u", u[:, 0], permutations, u[:, 0]) for u in ones]).float()
        two = twos[0] if twos else torch.zeros(self.n, 2, dtype=torch.float64)
        self._twos = torch.einsum("si,ust,tj->jiu", two, permutations, two).reshape(4, self.n).float()

    def holds(self, bank: torch.Tensor) -> bool:
        """Whether blocks ``(n, n, k * k)`` repeat each other in this way, up to rounding."""
        if bank.shape != (self.n, self.n, self.k**2):
            return False
        repeated = torch.stack([bank[0, self.label[s]][:, self.place[s]] for s in range(1, self.n)])
        return bool((bank[1:] - repeated).abs().max() <= SAME * bank.abs().max())

    def first(self, bank: torch.Tensor) -> torch.Tensor:
        """The first row of blocks, ``(D, C, n, k * k)``, of a bank ``(D * n, C * n, k, k)``."""
        return bank.unflatten(0, (-1, self.n))[:, 0].unflatten(1, (-1, self.n)).flatten(3)

    def gathered(self, gradient: torch.Tensor) -> torch.Tensor:
        """A bank's gradient, summed onto its first row of blocks: ``(D, C, n, k * k)``."""
        rows = gradient.unflatten(0, (-1, self.n)).unflatten(2, (-1, self.n)).flatten(4).unbind(1)
        turns = zip(rows, self.label.argsort(1), self.place.argsort(1), strict=True)
        return sum(row[:, :, label][..., place] for row, label, place in turns)

    def shared(self, gradient: torch.Tensor) -> torch.Tensor:
        """A bank's gradient, the same for all numbers that repeat each other, with the same sum over them."""
        first = self.gathered(gradient) / self.n
        rows = [first[:, :, self.label[s]][..., self.place[s]] for s in range(self.n)]
        return torch.stack(rows, 1).view(gradient.shape)

    def features(self, x: torch.Tensor, padding: int, dtype: torch.dtype) -> torch.Tensor:
        """What the filters look at, sorted into orbits, in the Fourier basis.

        Args:
            x: ``(B, C, n, H, W)``.
            padding: rows and columns of zeros on each side.
            dtype: of the result.

        Returns:
            ``(n, B * H' * W', k * k * C)``.
        """
        (b, c, n, h, w), table = x.shape, _table(self, len(x), *x.shape[3:], padding)
        values = x.new_zeros(b * n * h * w + 1, c, dtype=dtype)  # the last row is what lies outside
        values[:-1].view(n, b, h, w, c).copy_(x.permute(2, 0, 3, 4, 1))
        seen = values.index_select(0, table.seen).view(n, -1)
        return (self._to.to(dtype) @ seen).view(n, -1, self.k**2 * c)

    def features_back(self, gradient: torch.Tensor, size: torch.Size, padding: int) -> torch.Tensor:
        """The gradient of `features` for its input, of this size: ``(B, C, n, H, W)``."""
        (b, c, n, h, w), table = size, _table(self, size[0], *size[3:], padding)
        seen = (self._from.to(gradient.dtype) @ gradient.view(n, -1)).view(-1, c)
        values = torch.embedding_bag(seen, table.order, table.starts)[0]  # sums over all places that see a value
        return _float(values.view(n, b, h, w, c).permute(1, 4, 0, 2, 3))

    def weights(self, first: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """A bank's first row ``(D, C, n, k * k)`` in the Fourier basis.

        Returns:
            ``(ones, k * k * C, D)``, a matrix for each representation of size 1, and ``(2, 2, k * k * C, D)``, from and
            to each component of the one of size 2.
        """
        d, c = first.shape[:2]
        orbits = first.gather(3, self.taps.expand(d, c, -1, -1)).permute(2, 3, 1, 0).reshape(self.n, -1)
        return (self._ones @ orbits).view(self.ones, -1, d), (self._twos @ orbits).view(2, 2, -1, d)

    def weights_back(self, ones: torch.Tensor, twos: torch.Tensor) -> torch.Tensor:
        """The gradient of `weights` for the bank's first row: ``(D, C, n, k * k)``."""
        d, kk = ones.shape[2], self.k**2
        orbits = self._ones.t() @ ones.flatten(1) + self._twos.t() @ twos.flatten(0, 1).flatten(1)
        orbits = orbits.view(self.n, kk, -1, d).permute(3, 2, 0, 1)
        return torch.empty_like(orbits).scatter_(3, self.taps.expand(*orbits.shape[:2], -1, -1), orbits)

    def product(self, features: torch.Tensor, ones: torch.Tensor, twos: torch.Tensor) -> torch.Tensor:
        """Features ``(n, M, k * k * C)`` times `weights`, all in the Fourier basis: ``(n, M, D)``."""
        result = features.new_empty(*features.shape[:2], ones.shape[2])
        torch.bmm(features[: self.ones], ones, out=result[: self.ones])
        (x0, x1), (y0, y1) = self._components(features), self._components(result)
        for y, (w0, w1) in zip((y0, y1), twos.transpose(0, 1), strict=True):
            torch.mm(x0, w0, out=y).addmm_(x1, w1)
        return result

    def product_back(self, gradient: torch.Tensor, ones: torch.Tensor, twos: torch.Tensor) -> torch.Tensor:
        """The gradient of `product`, whose own is ``(n, M, D)``, for its features."""
        result = gradient.new_empty(*gradient.shape[:2], ones.shape[1])
        torch.bmm(gradient[: self.ones], ones.transpose(1, 2), out=result[: self.ones])
        (y0, y1), (x0, x1) = self._components(gradient), self._components(result)
        for x, (w0, w1) in zip((x0, x1), twos, strict=True):
            torch.mm(y0, w0.t(), out=x).addmm_(y1, w1.t())
        return result

    def add_weights(
        self, gradient: torch.Tensor, features: torch.Tensor, ones: torch.Tensor, twos: torch.Tensor
    ) -> None:
        """Add the gradients of `product`, whose own is ``(n, M, D)``, for its weights to ``ones`` and ``twos``."""
        ones += torch.bmm(features[: self.ones].transpose(1, 2), gradient[: self.ones])
        for x, row in zip(self._components(features), twos, strict=True):
            for y, to in zip(self._components(gradient), row, strict=True):
                to += x.t() @ y

    def _components(self, x: torch.Tensor) -> torch.Tensor:
        """Of ``(n, M, …)`` the parts of size 2, ``(2, twos * M, …)``: a row for each of their components."""
        return x[self.ones :].view(2, self.twos * x.shape[1], x.shape[2])

    def to_basis(self, y: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        """A map ``(B, D, n, H, W)`` in the Fourier basis, ``(n, B * H * W, D)``, of some dtype."""
        rows = y.permute(2, 0, 3, 4, 1).to(dtype, memory_format=torch.contiguous_format).reshape(self.n, -1)
        return (self._to.to(dtype) @ rows).view(self.n, -1, y.shape[1])

    def from_basis(self, y: torch.Tensor, size: torch.Size) -> torch.Tensor:
        """The map of size ``(B, D, n, H, W)`` of which ``(n, B * H * W, D)`` is the form in the Fourier basis."""
        b, d, n, h, w = size
        return _float((self._from.to(y.dtype) @ y.view(n, -1)).view(n, b, h, w, d).permute(1, 4, 0, 2, 3))


def _float(x: torch.Tensor) -> torch.Tensor:
    """A copy in float32 and in PyTorch's usual order."""
    return torch.empty(x.shape, device=x.device).copy_(x)


class _Table(NamedTuple):
    """Which of a map's values the filters look at, the map's rows being counted in the order n, B, H, W."""

    seen: torch.Tensor
    """Rows, ``(n * B * H' * W' * k * k,)``; where a filter looks outside, the one after the last."""
    order: torch.Tensor
    """The places in ``seen`` that name a row of the map, row by row."""
    starts: torch.Tensor
    """Where each row's places begin in ``order``, ``(n * B * H * W,)``."""


@functools.lru_cache(maxsize=64)
def _table(symmetry: Symmetry, images: int, height: int, width: int, padding: int) -> _Table:
    n, k = symmetry.n, symmetry.k
    rows = torch.arange(n * images * height * width).view(n, images, height, width)
    windows = F.pad(rows, [padding] * 4, value=rows.numel()).unfold(2, k, 1).unfold(3, k, 1).flatten(4)
    seen = torch.stack([windows[t][..., symmetry.taps[t]] for t in range(n)]).flatten()
    counts = seen.bincount(minlength=rows.numel() + 1)[:-1]
    ends = counts.cumsum(0)
    return _Table(seen.int(), seen.argsort(stable=True)[: int(ends[-1])].int(), (ends - counts).int())


def _irreducible(permutations: torch.Tensor) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Orthonormal bases ``(n, size)`` of the smallest parts that a regular representation leaves alone.

    Args:
        permutations: ``(n, n, n)``, the group's elements as matrices.

    Returns:
        The parts of size 1 and those of size 2; in all of the latter the elements act by the same matrices.

    Raises:
        ValueError: the matrices are no group's, or it has other parts.
    """
    n, generator = len(permutations), torch.Generator().manual_seed(0)

    def commuting() -> torch.Tensor:
        """A symmetric matrix that commutes with all of the group's; its eigenspaces are such parts."""
        a = torch.randn(n, n, generator=generator, dtype=torch.float64)
        return (permutations @ (a + a.t()) @ permutations.transpose(1, 2)).mean(0)

    values, vectors = torch.linalg.eigh(commuting())
    ends = [i for i in range(1, n) if values[i] - values[i - 1] > 1e-8]
    parts = vectors.tensor_split(ends, dim=1)
    ones, twos = ([part for part in parts if part.shape[1] == size] for size in (1, 2))
    for i in range(1, len(twos)):
        moved = twos[i] @ twos[i].t() @ commuting() @ twos[0]  # turned into the first one's basis
        twos[i] = moved / moved[:, 0].norm()
    alike = [torch.stack([part.t() @ p @ part for p in permutations]) for part in twos]
    basis = torch.cat([*ones, *twos], 1)
    if basis.shape[1] != n or any(not torch.allclose(one, alike[0], atol=1e-8) for one in alike):
        raise ValueError("these blocks do not fall apart into parts of size 1 and 2")
    for part in (*ones, *twos):
        moved = permutations @ part
        if not torch.allclose(part @ (part.t() @ moved), moved, atol=1e-8):
            raise ValueError("these blocks repeat each other as no group's do")
    return ones, twos


@functools.cache
def _turns(k: int) -> torch.Tensor:
    """The eight symmetries of a square of k by k numbers, ``(8, k * k)``."""
    square = torch.arange(k * k).view(k, k)
    return torch.stack([torch.rot90(x, r, (0, 1)).reshape(-1) for x in (square, square.t()) for r in range(4)])


_found: list[Symmetry] = []


def _read_off(blocks: torch.Tensor) -> Symmetry | None:
    """How blocks ``(n, n, k * k)`` repeat each other, if they do."""
    n, largest = len(blocks), blocks.abs().max()
    if largest == 0:
        return None
    for known in _found:
        if known.holds(blocks):
            return known
    sums = blocks.sum(2)
    apart = sums[0].sort().values.diff()
    if apart.min() <= 10 * SAME * largest:
        return None
    distance = (sums[:, :, None] - sums[0]).abs()  # a block's sum tells which one of the first row it is
    label = distance.argmin(2)
    if distance.amin(2).max() > SAME * blocks.shape[2] * largest:
        return None
    if any((label.sort(dim).values != torch.arange(n).unsqueeze(1 - dim)).any() for dim in (0, 1)):
        return None
    turns = _turns(round(blocks.shape[2] ** 0.5))
    turned = blocks[0][label][..., turns]  # (n, n, 8, k * k)
    fits = (turned - blocks[:, :, None]).abs().amax((1, 3)) <= SAME * largest  # (n, 8)
    if not fits.any(1).all():
        return None
    try:
        symmetry = Symmetry(label, turns[fits.int().argmax(1)])
    except ValueError:
        return None
    _found.append(symmetry)
    return symmetry


@functools.cache
def worth_it(dtype: torch.dtype) -> int:
    """Output channels, orientations and all, from which fewer multiplications outweigh the sorting on this machine."""
    tiles: Callable[[], bool] = getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    return _WORTH_IT_IN_TILES if dtype == torch.bfloat16 and tiles() else _WORTH_IT[dtype]


def symmetry_of(weight: torch.Tensor, dtype: torch.dtype = torch.float32) -> Symmetry | None:
    """How the blocks of a filter bank repeat each other, if they do and a Fourier basis makes its convolution faster.

    A bank that is a parameter itself has none: training would not keep it.

    Args:
        weight: ``(D * n, C * n, k, k)`` in float32.
        dtype: of what would be multiplied.
    """
    rows, columns, k, width = weight.shape
    if k != width or k < 2 or rows < worth_it(dtype) or is_parameter(weight):
        return None
    for n in ORDERS:
        if rows % n == 0 and columns % n == 0:
            bank = weight.detach().reshape(rows // n, n, columns // n, n, k * k)
            symmetry = _read_off(_mixed(bank))
            if symmetry is not None:
                return symmetry
    return None


def convolve(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, padding: int, dtype: torch.dtype
) -> torch.Tensor | None:
    """A 2-D convolution of stride 1 in the Fourier basis of its bank's symmetry, or None if that is of no use.

    Args:
        x: ``(B, C * n, H, W)``.
        weight: ``(D * n, C * n, k, k)``.
        bias: ``(D * n,)`` or None.
        padding: rows and columns of zeros on each side.
        dtype: of what is multiplied; the result is float32.
    """
    symmetry = symmetry_of(weight, dtype)
    first = None if symmetry is None else learnt(weight, symmetry)
    if first is None:
        return None
    x = x.unflatten(1, (-1, symmetry.n))
    return Convolution.apply(x, first, bias, padding, dtype, symmetry).flatten(1, 2)  # a view, made where it may be


def _mixed(bank: torch.Tensor) -> torch.Tensor:
    """A random mixture of a bank's channels, ``(n, n, k * k)``: it repeats only what all of them do."""
    d, n, c, _, kk = bank.shape
    mixed = (drawn(d, 0) @ bank.reshape(d, -1)).view(n, c, -1)
    return (drawn(c, 1) @ mixed).view(n, n, kk)


class Convolution(torch.autograd.Function):
    """A 2-D convolution of stride 1 in the Fourier basis of its bank's symmetry.

    ``x`` is ``(B, C, n, H, W)``, ``first`` the bank's first row of blocks, ``(D, C, n, k * k)``, ``bias`` ``(D * n,)``
    or None, all float32, as is the result; ``dtype`` is that of the numbers that are multiplied.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        first: torch.Tensor,
        bias: torch.Tensor | None,
        padding: int,
        dtype: torch.dtype,
        symmetry: Symmetry,
    ) -> torch.Tensor:
        """Convolve: ``(B, D, n, H', W')``."""
        n, k = symmetry.n, symmetry.k
        ones, twos = (weights.to(dtype) for weights in symmetry.weights(first))
        sides = [side + 2 * padding - k + 1 for side in x.shape[3:]]
        images = max(1, _LARGEST // (sides[0] * sides[1] * k * k * x.shape[1] * n))
        parts, seen = [], []
        for part in x.split(images):
            features = symmetry.features(part, padding, dtype)
            size = torch.Size([len(part), len(first), n, *sides])
            parts.append(symmetry.from_basis(symmetry.product(features, ones, twos), size))
            seen += [features] if ctx.needs_input_grad[1] else []
        y = parts[0] if len(parts) == 1 else torch.cat(parts)
        if bias is not None:
            y += bias.view(-1, n)[:, :, None, None]
        ctx.symmetry, ctx.padding, ctx.images, ctx.size = symmetry, padding, images, x.shape
        ctx.save_for_backward(ones, twos, *seen)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """The gradients of input, first row of blocks and bias."""
        (ones, twos, *seen), symmetry, size = ctx.saved_tensors, ctx.symmetry, ctx.size
        of_x, of_first, of_bias, *_ = ctx.needs_input_grad
        of_inputs: list[torch.Tensor] = []
        of_ones, of_twos = (torch.zeros_like(weights, dtype=torch.float32) for weights in (ones, twos))
        for i, part in enumerate(gradient.split(ctx.images)):
            part_ = symmetry.to_basis(part, ones.dtype)
            if of_x:
                features = symmetry.product_back(part_, ones, twos)
                of_inputs.append(symmetry.features_back(features, torch.Size([len(part), *size[1:]]), ctx.padding))
            if of_first:
                symmetry.add_weights(part_, seen[i], of_ones, of_twos)
        grad_first = symmetry.weights_back(of_ones, of_twos) if of_first else None
        grad_bias = gradient.sum((0, 3, 4)).flatten() if of_bias else None
        return torch.cat(of_inputs) if of_x else None, grad_first, grad_bias, None, None, None
