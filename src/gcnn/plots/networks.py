"""What figures ask of networks: that they come by name, what they answer, and what their layers compute on the way."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import nn

from gcnn.plots.picture import describe
from gcnn.probes import predict


@dataclass
class Maps:
    """The feature maps that one layer computed."""

    layer: str  # the layer's class, such as LiftingConv2d
    values: torch.Tensor  # (N, C, H, W), or with orientations (N, C, S, H, W)

    @property
    def side(self) -> int:
        """The shorter side of a map, in pixels."""
        return min(self.values.shape[-2:])


def by_name(models: object) -> dict[str, nn.Module]:
    """Networks by name, checked.

    Raises:
        ValueError: no dictionary, an empty one, or a value that is no network.
    """
    if not isinstance(models, Mapping) or not models:
        got = "an empty one" if isinstance(models, Mapping) else describe(models)
        raise ValueError(f'networks are given in a dictionary by name, such as {{"C4CNN": c4cnn}}; got {got}')
    for name, model in models.items():
        if not isinstance(model, nn.Module):
            raise ValueError(f"{name} must be a network, an instance of torch.nn.Module; got {describe(model)}")
    return {str(name): model for name, model in models.items()}


def in_own_dtype(model: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """Images in the dtype in which a network computes."""
    return images.to(next((p.dtype for p in model.parameters() if p.is_floating_point()), images.dtype))


def answers(name: str, model: nn.Module, images: torch.Tensor, classes: int) -> torch.Tensor:
    """A network's outputs for ``(N, 1, H, W)``, computed in its own dtype: ``(N, classes or more)``, on the CPU.

    Raises:
        ValueError: outputs of another shape.
    """
    y = predict(model, in_own_dtype(model, images))
    if y.dim() != 2 or len(y) != len(images) or y.shape[1] < classes:
        raise ValueError(f"{name} must return ({len(images)}, {classes} or more) for these images; got {describe(y)}")
    return y.double()


def answers_and_maps(name: str, model: nn.Module, images: torch.Tensor) -> tuple[torch.Tensor, list[Maps]]:
    """A network's outputs, and the feature maps of its layers in the order in which they ran.

    Every module counts as a layer whose output has four or five axes and more than one pixel. A module that hands on
    its last child's output does not count again. What ``forward`` computes without a module is not seen.

    Args:
        name: for messages.
        model: any module, from ``(N, 1, H, W)`` to ``(N, classes)``; it is left as it was.
        images: ``(N, 1, H, W)``, N up to 500.

    Raises:
        ValueError: as in `answers`.
    """
    seen: list[Maps] = []
    with _watched(model, len(images), seen):
        y = answers(name, model, images, 1)
    return y, seen


@contextlib.contextmanager
def _watched(model: nn.Module, n: int, seen: list[Maps]) -> Iterator[None]:
    """Note the feature maps of every module that runs meanwhile."""
    last: list[object] = []  # the very object, which a container hands on

    def note(module: nn.Module, _: object, output: object) -> None:
        if not isinstance(output, torch.Tensor) or any(output is other for other in last):
            return
        last[:] = [output]
        if output.dim() in (4, 5) and len(output) == n and min(output.shape[-2:]) > 1 and output.is_floating_point():
            # A copy: a later layer may work in place.
            seen.append(Maps(type(module).__name__, output.detach().to("cpu", torch.float32, copy=True)))

    handles = [module.register_forward_hook(note) for module in model.modules()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
