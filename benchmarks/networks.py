"""The networks that are measured: the model solution's, and the same functions computed in other ways.

``solutions`` runs the answer cells of ``notebooks/gcnn.py``. ``network`` makes one network as a peer would. All peers
but escnn (see `escnn_network.py`) have the same parameters under the same names and compute the same function.
"""

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

ROOT = Path(__file__).resolve().parent.parent
CLASSES = {
    "c4cnn": "C4CNN",
    "isotropic_cnn": "IsotropicCNN",
    "c4cnn_bn": "C4CNNWithBatchNorm",
    "d4cnn": "D4CNN",
    "plain_cnn": "PlainCNN",
}
CHANNELS = (8, 16, 32, 64, 128)
# Symmetry, channels, and whether a normalisation follows each convolution. c1cnn is the chain of C4CNN and D4CNN with
# the trivial group, to see how the time grows with the order of the group.
SHAPES = {
    "c4cnn": ("C4", CHANNELS, False),
    "c4cnn_bn": ("C4", CHANNELS, True),
    "isotropic_cnn": ("isotropic", (32, 64, 128, 256, 128), False),
    "d4cnn": ("D4", CHANNELS, False),
    "plain_cnn": ("none", (16, 32, 64, 128, 256), False),
    "c1cnn": ("none", CHANNELS, False),
}
ORDERS = {"C4": 4, "D4": 8, "isotropic": 1, "none": 1}


def widened(channels: Sequence[int], width: float) -> list[int]:
    """Channels multiplied by a width, at least 1 each."""
    return [max(1, round(width * c)) for c in channels]


def solutions() -> dict[str, object]:
    """The names that the model solution's answer cells define, and the given ordinary network."""
    from gcnn.equivariance import reflect, rotate  # here, because escnn's environment has no gcnn

    names: dict[str, object] = {"torch": torch, "F": F, "nn": nn, "rotate": rotate, "reflect": reflect}
    exec(solution_code(), names)
    return names


def solution_code(name: str | None = None) -> str:
    """The text of the answer cells and of the given ordinary network.

    Args:
        name: of `CLASSES`; only what this network needs.
    """
    from autograder.exercises import needed

    exercise = None if name is None else name.replace("_", "-")
    wanted = None if name is None else {exercise, *needed(exercise)} if exercise != "plain-cnn" else set()
    found = []
    for cell in re.split(r"(?m)^# %%", (ROOT / "notebooks" / "gcnn.py").read_text(encoding="utf-8"))[1:]:
        header, _, body = cell.partition("\n")
        answer = re.search(r'answer="([^"]*)"', header)
        own = answer and (wanted is None or answer[1] in wanted)
        given = "class PlainCNN" in body and name in (None, "plain_cnn")
        if "[markdown]" not in header and (own or given):
            found.append(body)
    return "\n".join(found)


def in_pairs(lifting: type[nn.Module], group: type[nn.Module]) -> tuple[type[nn.Module], type[nn.Module]]:
    """The same two layers, computed by one small convolution for each element, or for each pair of elements."""

    class Lifting(lifting):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            """Map (B, in, H, W) to (B, out, |G|, H', W')."""
            bank, _ = self.build_filter()  # (out, |G|, in, k, k)
            parts = [F.conv2d(x, filters, self.bias, padding=self.padding) for filters in bank.unbind(1)]
            return torch.stack(parts, dim=2)

    class Group(group):
        def forward(self, y: torch.Tensor) -> torch.Tensor:
            """Map (B, in, |G|, H, W) to (B, out, |G|, H', W')."""
            bank, _ = self.build_filter()  # (out, |G|, in, |G|, k, k)
            inputs, parts = y.unbind(2), []
            for row in bank.unbind(1):
                pairs = zip(inputs, row.unbind(2), strict=True)
                total = sum(F.conv2d(x, filters, padding=self.padding) for x, filters in pairs)
                parts.append(total if self.bias is None else total + self.bias[:, None, None])
            return torch.stack(parts, dim=2)

    return Lifting, Group


class Chain(nn.Module):
    """Convolutions, each followed by a pool and a ReLU, then a linear layer: (B, 1, 33, 33) to (B, 10).

    Its parameters have the names of the model solution's.

    Args:
        first: makes the first convolution from its numbers of input and output channels.
        other: makes the other convolutions.
        channels: of the convolutions' outputs.
        order: of the group; with more than one element feature maps are (B, C, order, H, W).
        norm: makes a normalisation from its number of channels, where there is one.
    """

    def __init__(self, first: object, other: object, channels: Sequence[int], order: int, norm: object = None):
        super().__init__()
        layers: list[nn.Module] = []
        before = 1
        for i, after in enumerate(channels):
            last = i == len(channels) - 1
            layers.append((other if i else first)(before, after))
            layers += [] if norm is None else [norm(after)]
            if order == 1:
                layers.append(nn.MaxPool2d(3, stride=1) if last else nn.MaxPool2d(3, stride=2, padding=1))
            else:
                whole, half = {"stride": (1, 1, 1)}, {"stride": (1, 2, 2), "padding": (0, 1, 1)}
                layers.append(nn.MaxPool3d((order, 3, 3), **whole) if last else nn.MaxPool3d((1, 3, 3), **half))
            layers.append(nn.ReLU())
            before = after
        self.features, self.classifier = nn.Sequential(*layers), nn.Linear(before, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map images (B, 1, 33, 33) to one number per class, (B, 10)."""
        return self.classifier(self.features(x).flatten(1))


def network(who: str, name: str, width: float = 1) -> nn.Module:
    """One network with random weights, as a peer computes it.

    Args:
        who: "ours" (the model solution's own class, at width 1), "original" (each layer is one convolution with the
            expanded filter bank; torch's batch normalisation), or "pairs" (see `in_pairs`).
        name: of `SHAPES`.
        width: by what the channels are multiplied.

    Raises:
        ValueError: there are no pairs in this network.
    """
    names = solutions()
    symmetry, channels, normalised = SHAPES[name]
    if who == "pairs" and ORDERS[symmetry] == 1:
        raise ValueError(f"{name} has no pairs of group elements")
    if who == "ours" and width == 1 and name in CLASSES:
        return names[CLASSES[name]]()
    channels = widened(channels, width)
    norm = (names["GroupBatchNorm2d"] if who == "ours" else nn.BatchNorm3d) if normalised else None
    if symmetry == "isotropic":
        first = other = names["IsotropicConv2d"]
    elif symmetry == "none":
        first = other = partial(nn.Conv2d, kernel_size=3, padding=1)
    else:
        prefix = "D4" if symmetry == "D4" else ""
        layers = names[f"{prefix}LiftingConv2d"], names[f"{prefix}GroupConv2d"]
        lifting, group = in_pairs(*layers) if who == "pairs" else layers
        first, other = partial(lifting, kernel_size=3, padding=1), partial(group, kernel_size=3, padding=1)
    return Chain(first, other, channels, ORDERS[symmetry], norm)


def flops(name: str) -> int:
    """Floating point operations, additions and multiplications, forward and backward for one image."""
    model = network("original", name)
    with FlopCounterMode(display=False) as counter:
        model(torch.rand(2, 1, 33, 33)).sum().backward()
    return counter.get_total_flops() // 2
