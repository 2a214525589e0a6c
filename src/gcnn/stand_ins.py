"""Stand-ins for the layers that students write: right shapes, other numbers. A network is examined on them by itself.

A network that is built rightly on a wrong layer gives wrong answers. On stand-ins it gives the right ones for *them*,
whatever the student's own layers do: if it does not, the mistake is the network's. Stand-ins have the names, the
constructors, the parameters and the shapes of the course's layers. What they compute solves no exercise: each
orientation has a filter of its own, the weight times fixed numbers, so no layer is equivariant, and every value and
every axis matters to what comes after.
"""

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn


@functools.lru_cache(maxsize=64)
def _numbers(*shape: int) -> torch.Tensor:
    """Fixed numbers that look random, in double precision on the CPU: the same ones in every process."""
    generator = torch.Generator().manual_seed(len(shape))
    return 0.75 * torch.randn(shape, generator=generator, dtype=torch.float64, device="cpu")


def _factors(*shape: int) -> torch.Tensor:
    """Fixed numbers around 1.5, for what is added: so that a ReLU shows, also after the largest of many was taken."""
    return 1.5 + _numbers(*shape) / 2


class _Convolution(nn.Module):
    """A convolution with several filters for each weight, which no symmetry turns into one another."""

    order: int
    """How many filters: the size of the group axis of the output."""
    lifts: bool
    """Whether the input has no group axis yet."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, padding: int = 0, bias: bool = True):
        super().__init__()
        self.out_channels, self.padding = out_channels, padding
        axes = (kernel_size, kernel_size) if self.lifts else (self.order, kernel_size, kernel_size)
        scale = (2 / (in_channels * torch.Size(axes).numel())) ** 0.5
        self.weight = nn.Parameter(scale * torch.randn(out_channels, in_channels, *axes))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, in_channels, H, W), or (B, in_channels, order, H, W), to (B, out_channels, order, H', W')."""
        filters = self.weight[:, None] * _numbers(self.order, *self.weight.shape[2:]).to(self.weight)[:, None]
        filters = filters.flatten(0, 1).flatten(1, -3)
        y = F.conv2d(x.flatten(1, -3), filters, padding=self.padding).unflatten(1, (self.out_channels, self.order))
        if self.bias is None:
            return y
        return y + (self.bias[:, None] * _factors(self.order).to(self.bias))[..., None, None]


class LiftingConv2d(_Convolution):
    """In place of exercise 2.3's layer."""

    order, lifts = 4, True


class GroupConv2d(_Convolution):
    """In place of exercise 2.4's layer."""

    order, lifts = 4, False


class D4LiftingConv2d(_Convolution):
    """In place of exercise 4b's first layer."""

    order, lifts = 8, True


class D4GroupConv2d(_Convolution):
    """In place of exercise 4b's second layer."""

    order, lifts = 8, False


class IsotropicConv2d(nn.Module):
    """In place of exercise 2.1's layer: two weights are mixed into the nine values of a filter."""

    def __init__(self, in_channels: int, out_channels: int, bias: bool = True):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 2) * (2 / (9 * in_channels)) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, in_channels, H, W) to (B, out_channels, H, W)."""
        filters = torch.tensordot(self.weight, _numbers(2, 3, 3).to(self.weight), dims=1)
        return F.conv2d(x, filters, self.bias, padding=1)


class GroupBatchNorm2d(nn.Module):
    """In place of exercise 3.5b's layer: it scales and shifts by all that it holds and is given, normalising nothing.

    As in a norm, the running statistics count in evaluation mode only.
    """

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1):
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.weight, self.bias = nn.Parameter(torch.ones(num_features)), nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))
        self.register_buffer("num_batches_tracked", torch.tensor(0))

    def forward(self, y: torch.Tensor) -> torch.Tensor:
        """Map (B, num_features, orientations, H, W) to the same shape."""
        count = 1 if self.training else 2
        scales, shifts = [self.weight, self.running_var][:count], [self.bias, self.running_mean][:count]
        scale = torch.stack(scales)[..., None] * _numbers(2, 1, y.shape[2])[:count].to(y)
        shift = torch.stack(shifts)[..., None] * _factors(2, 1, y.shape[2])[:count].to(y)
        given = 0.9 + self.eps + self.momentum
        return given * y * scale.sum(0)[..., None, None] + shift.sum(0)[..., None, None]


LAYERS: dict[str, type[nn.Module]] = {
    layer.__name__: layer
    for layer in (LiftingConv2d, GroupConv2d, IsotropicConv2d, GroupBatchNorm2d, D4LiftingConv2d, D4GroupConv2d)
}
"""The stand-ins by the names of the layers that they stand for."""


def namespaces(*things: object) -> list[dict[str, Any]]:
    """Where the code of classes and functions looks names up: the global names of all their functions.

    A class's bases count as well, but for PyTorch's; of a function in a decorator, its own.
    """
    found: dict[int, dict[str, Any]] = {}
    for thing in things:
        own = [base for base in getattr(thing, "__mro__", ()) if base.__module__.partition(".")[0] != "torch"]
        for function in (thing, *(attribute for base in own for attribute in vars(base).values())):
            function = inspect.unwrap(getattr(function, "__func__", function))
            if inspect.isfunction(function):
                found[id(function.__globals__)] = function.__globals__
    return list(found.values())


@contextlib.contextmanager
def _bound(spaces: list[dict[str, Any]]) -> Iterator[None]:
    """Bind the layers' names to the stand-ins in some namespaces, and to what they were, or to nothing, afterwards."""
    before = [{name: space[name] for name in LAYERS if name in space} for space in spaces]
    try:
        for space in spaces:
            space.update(LAYERS)
        yield
    finally:
        for space, names in zip(spaces, before, strict=True):
            for name in LAYERS.keys() - names.keys():
                space.pop(name, None)
            space.update(names)


def on_stand_ins(network: Callable[..., nn.Module], n_classes: int | None = None) -> tuple[nn.Module, bool]:
    """Build a network apart from its layers: on stand-ins in place of those that the student wrote.

    The layers' names mean the stand-ins while the network is built and whenever it runs, wherever its own functions
    look names up; so helper functions beside it use them too. A layer that the network does not take by its name (a
    subclass of one, a ``partial`` made earlier, PyTorch's ``BatchNorm3d``) cannot be exchanged, and the network then
    stays on its own layers, all of them. One of the probes: see `gcnn.probes`.

    Args:
        network: the class, or a function that builds one.
        n_classes: handed on, if given.

    Returns:
        A new network, and whether it stands on stand-ins: whether each of its modules with parameters of its own is
        one, linear layers and convolutions of one pixel aside.
    """

    def build() -> nn.Module:
        return network() if n_classes is None else network(n_classes=n_classes)

    spaces = namespaces(network)
    try:
        with _bound(spaces):
            made = build()
    except Exception as error:  # it may ask more of its layers than the course's can do
        with contextlib.suppress(Exception):
            return build(), False
        raise error
    if not isinstance(made, nn.Module) or not all(map(_is_known, made.modules())):
        return build(), False

    def run(self: nn.Module, *args: object, **kwargs: object) -> object:
        with _bound(spaces):  # it may ask what kind of layer comes next
            return super(kind, self).__call__(*args, **kwargs)

    made.__class__ = kind = type(type(made).__name__, (type(made),), {"__call__": run})
    return made, True


def _is_known(module: nn.Module) -> bool:
    """Whether a module is a stand-in, a linear layer, or holds no parameters of its own."""
    if isinstance(module, (*LAYERS.values(), nn.Linear)) or next(module.parameters(recurse=False), None) is None:
        return True
    return isinstance(module, (nn.Conv1d, nn.Conv2d, nn.Conv3d)) and set(module.kernel_size) == {1}
