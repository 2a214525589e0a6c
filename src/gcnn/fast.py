"""The same network, computed faster: what training and testing put in place of PyTorch's slower ways on a CPU.

Nothing here knows the course's layers. `kernels` watches which functions a network calls, and answers some of them
itself. A 2-D max pool, and a 3-D one that does not pool over its first axis, is computed in channels-last order. A
convolution with the filter bank of a group convolution is computed in the group's Fourier basis (`gcnn.fourier`), and
one with isotropic filters by their rings (`gcnn.rings`). Everything between such calls is float32, as without.

Where the processor multiplies bfloat16 numbers natively, 2-D convolutions round what they multiply, and their results,
to bfloat16, forward and backward; in a Fourier basis also what lies between. Only large banks are worth a change of
basis there, and rings are not. What a plain convolution or a pool gives lies in channels-last order then, and a batch
normalisation takes and gives it so.
"""

import contextlib
import ctypes
import functools
import os
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch.autograd.function import once_differentiable
from torch.overrides import TorchFunctionMode

from gcnn import fourier, rings

# Large tensors in large pages of memory, where the system has them. PyTorch asks once, before its first large tensor.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")

PRECISIONS = ("auto", "float32")
"""What convolutions of a training may multiply: what is fastest here, or float32."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of the GNU C library's malloc.h
_KEPT = 2**30, 2**25  # bytes; old versions of the library take no more than the second
_SMALL = 25  # pixels up to which the gradient of a filter bank is faster as one product of matrices
_ORDERED, _LAST = torch.contiguous_format, torch.channels_last


def rounds(precision: str) -> bool:
    """Whether convolutions on this machine's CPU round their factors to bfloat16.

    Raises:
        ValueError: there is no such precision.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be {' or '.join(map(repr, PRECISIONS))}; got {precision!r}")
    supported: Callable[[], bool] = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    return precision == "auto" and supported()


@functools.cache
def keep_memory() -> None:
    """Let this process keep up to 1 GiB of the memory that it frees, for its next tensors.

    By default the GNU C library gives what large tensors leave back to the system, which then hands it out again page
    by page: in virtual machines a tenth of a training's time or more. Other C libraries are left as they are.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):  # no such library: Windows, macOS, musl
        adjust = ctypes.CDLL(None).mallopt
        adjust(_M_TRIM_THRESHOLD, _KEPT[0])
        any(adjust(_M_MMAP_THRESHOLD, size) for size in _KEPT)


@contextlib.contextmanager
def kernels(precision: str = "float32") -> Iterator[None]:
    """Compute what a network on the CPU calls inside this context in the faster ways; backward passes go with it.

    The process keeps freed memory from then on, see `keep_memory`.

    Raises:
        ValueError: there is no such precision.
    """
    rounded = rounds(precision)
    keep_memory()
    with _Kernels(rounded):
        yield


class _Kernels(TorchFunctionMode):
    """Answers calls of functions, or passes them on."""

    def __init__(self, rounded: bool):
        super().__init__()
        self.rounded = rounded
        self._own = {
            F.batch_norm: self._batch_norm,
            F.conv2d: self._conv2d,
            F.max_pool2d: self._max_pool2d,
            F.max_pool3d: self._max_pool3d,
        }

    def __torch_function__(self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        own = self._own.get(func)
        if own is not None:
            try:
                result = own(*args, **kwargs)
            except (RuntimeError, TypeError, ValueError):  # arguments that do not fit, or a transform such as vmap:
                result = None  # PyTorch's own function takes them, or says what is wrong with them
            if result is not None:
                return result
        return func(*args, **kwargs)

    def _batch_norm(
        self,
        x: torch.Tensor,
        running_mean: torch.Tensor | None,
        running_var: torch.Tensor | None,
        weight: torch.Tensor | None = None,
        bias: torch.Tensor | None = None,
        training: bool = False,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> torch.Tensor | None:
        """PyTorch's own is several times as slow on maps ``(B, C, n, H, W)`` that lie in channels-last order."""
        last = self.rounded and _on_cpu(x, 5) and x.permute(0, 3, 4, 1, 2).is_contiguous()
        if not last or x.is_contiguous():
            return None
        if not training or weight is None or bias is None or x[:, 0].numel() < 2:
            return F.batch_norm(x.contiguous(), running_mean, running_var, weight, bias, training, momentum, eps)
        y, mean, var = _Norm.apply(x, weight, bias, eps)
        n = x[:, 0].numel()
        for running, new in ((running_mean, mean), (running_var, var * (n / (n - 1)))):
            if running is not None:
                running.lerp_(new, momentum)
        return _maps(y, x.shape)

    def _conv2d(
        self,
        x: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> torch.Tensor | None:
        plain = all(_sizes(size, 2) == [1, 1] for size in (stride, dilation)) and groups == 1
        if not (plain and _on_cpu(x, 4) and _on_cpu(weight, 4) and not isinstance(padding, str)):
            return None
        padding = _sizes(padding, 2)
        y = None
        if padding[0] == padding[1] < weight.shape[2]:
            y = fourier.convolve(x, weight, bias, padding[0], torch.bfloat16 if self.rounded else torch.float32)
            y = rings.convolve(x, weight, bias, padding[0]) if y is None and not self.rounded else y
        return _Convolution.apply(x, weight, bias, padding) if y is None and self.rounded else y

    def _max_pool2d(
        self,
        x: torch.Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> torch.Tensor | None:
        if return_indices or ceil_mode or _sizes(dilation, 2) != [1, 1] or not _on_cpu(x, 4):
            return None
        stride = stride or kernel_size
        # Convolutions of rounded factors want channels-last next; those of float32 are faster without.
        return _Pool.apply(x, _sizes(kernel_size, 2), _sizes(stride, 2), _sizes(padding, 2), self.rounded)

    def _max_pool3d(
        self,
        x: torch.Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> torch.Tensor | None:
        kernel, step, sides = _sizes(kernel_size, 3), _sizes(stride or kernel_size, 3), _sizes(padding, 3)
        if (kernel[0], step[0], sides[0]) != (1, 1, 0) or not _on_cpu(x, 5):
            return None
        y = x.flatten(1, 2)  # (B, C, 4, H, W) as (B, C * 4, H, W)
        dilation = _sizes(dilation, 3)[1:]
        y = self._max_pool2d(y, kernel[1:], step[1:], sides[1:], dilation, ceil_mode, return_indices)
        return None if y is None else y.unflatten(1, x.shape[1:3])


def _sizes(value: Any, n: int) -> list[int]:
    """An argument that is one number for all axes, or a number for each."""
    return [value] * n if isinstance(value, int) else [int(number) for number in value]


def _on_cpu(x: object, axes: int) -> bool:
    return isinstance(x, torch.Tensor) and x.is_cpu and x.dtype == torch.float32 and x.dim() == axes


class _Convolution(torch.autograd.Function):
    """A 2-D convolution of stride 1 whose factors are rounded to bfloat16, forward and backward.

    ``x`` is ``(B, C, H, W)``, ``weight`` ``(D, C, k, l)``, ``bias`` ``(D,)`` or None, all float32, as is the result.
    """

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, padding: list[int]
    ) -> torch.Tensor:
        """Convolve; the result is in channels-last order, in which a pool comes next."""
        ctx.order = _ORDERED if x.is_contiguous() else _LAST
        ctx.padding = padding
        x, weight = x.to(torch.bfloat16, memory_format=_LAST), weight.to(torch.bfloat16)
        ctx.save_for_backward(x, weight)
        y = F.conv2d(x, weight, None if bias is None else bias.to(torch.bfloat16), padding=padding)
        return y.to(torch.float32, memory_format=_LAST)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """The gradients of input, weight and bias; that of the input is in the input's order."""
        x, weight = ctx.saved_tensors
        of_x, of_weight, of_bias, _ = ctx.needs_input_grad
        bias = gradient.sum((0, 2, 3)) if of_bias else None
        gradient = gradient.to(torch.bfloat16, memory_format=_LAST)
        small = of_weight and gradient.shape[2] * gradient.shape[3] <= _SMALL
        rest, one = [of_x, of_weight and not small, False], [1, 1]
        grad_x, grad_weight = None, None
        if any(rest):
            grad_x, grad_weight, _ = torch.ops.aten.convolution_backward(
                gradient, x, weight, None, one, ctx.padding, one, False, [0, 0], 1, rest
            )
        if small:
            grad_weight = _as_product(gradient, x, weight.shape, ctx.padding)
        grad_x = None if grad_x is None else grad_x.to(torch.float32, memory_format=ctx.order)
        return grad_x, None if grad_weight is None else grad_weight.to(torch.float32), bias, None


def _as_product(gradient: torch.Tensor, x: torch.Tensor, shape: torch.Size, padding: list[int]) -> torch.Tensor:
    """The gradient of a filter bank as one product of matrices.

    Args:
        gradient: of the result, ``(B, D, H', W')``.
        x: the input, ``(B, C, H, W)``.
        shape: of the bank, ``(D, C, k, l)``.
        padding: rows above and below, columns left and right.

    Returns:
        ``(D, C, k, l)``.
    """
    out, channels, height, width = shape
    x = F.pad(x, (padding[1], padding[1], padding[0], padding[0])).permute(0, 2, 3, 1)
    patches = x.unfold(1, height, 1).unfold(2, width, 1).permute(0, 1, 2, 4, 5, 3)  # (B, H', W', k, l, C)
    patches = patches.reshape(-1, height * width * channels)
    rows = gradient.permute(0, 2, 3, 1).reshape(-1, out)  # (B * H' * W', D)
    return (rows.t() @ patches).view(out, height, width, channels).permute(0, 3, 1, 2)


class _Pool(torch.autograd.Function):
    """A 2-D max pool of ``(B, C, H, W)``, float32, computed in channels-last order."""

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, kernel: list[int], stride: list[int], padding: list[int], last: bool
    ) -> torch.Tensor:
        """Pool; the result stays in channels-last order only if that is wanted."""
        ctx.order, ctx.sizes = _ORDERED if x.is_contiguous() else _LAST, (kernel, stride, padding)
        x = x.contiguous(memory_format=_LAST)
        y, indices = torch.ops.aten.max_pool2d_with_indices(x, kernel, stride, padding)
        ctx.save_for_backward(x, indices)
        return y if last else y.contiguous()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """The gradient of the input, in the input's order."""
        x, indices = ctx.saved_tensors
        gradient = gradient.contiguous(memory_format=_LAST)
        gradient = torch.ops.aten.max_pool2d_with_indices_backward(gradient, x, *ctx.sizes, [1, 1], False, indices)
        return gradient.contiguous(memory_format=ctx.order), None, None, None, None


class _Norm(torch.autograd.Function):
    """Batch normalisation of ``(B, C, n, H, W)`` per channel, over all other axes, in channels-last order.

    Gives the normalised maps as a matrix, see `_rows`, and each channel's mean and variance in this batch, ``(C,)``.
    """

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, eps: float
    ) -> tuple[torch.Tensor, ...]:
        """Normalise: two passes for the statistics of each column of a matrix, one for the result."""
        ctx.n, rows = x.shape[2], _rows(x)
        of_columns = [t.view(-1, ctx.n) for t in torch.ops.aten.batch_norm_update_stats(x.flatten(1, 2), None, None, 0)]
        mean = of_columns[0].mean(1)
        var = (of_columns[1] + (of_columns[0] - mean[:, None]) ** 2).mean(1)
        steepness = (var + eps).rsqrt()
        scale = weight * steepness
        y = torch.addcmul(_columns(bias - mean * scale, ctx.n), rows, _columns(scale, ctx.n))
        ctx.save_for_backward(x, mean, steepness, scale)
        ctx.mark_non_differentiable(mean, var)
        return y, mean, var

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor, *_: Any) -> tuple[torch.Tensor | None, ...]:
        """The gradients of input, weight and bias."""
        x, mean, steepness, scale = ctx.saved_tensors
        rows, of_rows = _rows(x), gradient.contiguous()
        count = rows.numel() / len(mean)
        of_bias = of_rows.sum(0).view(-1, ctx.n).sum(1)
        of_weight = steepness * ((of_rows * rows).sum(0).view(-1, ctx.n).sum(1) - mean * of_bias)
        slope = -scale * steepness * of_weight / count
        shift = -scale * of_bias / count - slope * mean
        of_x = torch.addcmul(_columns(shift, ctx.n), of_rows, _columns(scale, ctx.n))
        return _maps(of_x.addcmul_(rows, _columns(slope, ctx.n)), x.shape), of_weight, of_bias, None


def _rows(x: torch.Tensor) -> torch.Tensor:
    """Maps ``(B, C, n, H, W)`` as a matrix, ``(B * H * W, C * n)``; without copying if they lie in this order."""
    return x.permute(0, 3, 4, 1, 2).reshape(-1, x.shape[1] * x.shape[2])


def _maps(rows: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """The maps of this shape of which a matrix is made, see `_rows`."""
    b, c, n, h, w = shape
    return rows.view(b, h, w, c, n).permute(0, 3, 4, 1, 2)


def _columns(values: torch.Tensor, n: int) -> torch.Tensor:
    """A channel's value for each of its n columns."""
    return values.repeat_interleave(n)
