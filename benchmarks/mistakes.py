"""Networks with a mistake, as students make them: what the tests of a trained network's accuracy should find out.

`MISTAKES` has them by name. A mistake in a layer is another filter bank, a function of the layer's weight.
"""

from collections.abc import Callable

import networks
import torch
from torch import nn

from gcnn.equivariance import reflect, rotate

Bank = Callable[[torch.Tensor], torch.Tensor]


class GroupAveraged(nn.Module):
    """An ordinary network whose answers to an image in four orientations are averaged: invariant, without a filter."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map images (B, 1, 33, 33) to one number per class, (B, 10)."""
        return torch.stack([self.network(rotate(x, r)) for r in range(4)]).mean(0)


def mistaken(network: str, **banks: Bank) -> nn.Module:
    """A network of the solution, of which some layers build their filter banks in another way.

    Args:
        network: of `networks.CLASSES`.
        banks: by a layer's class, a function from its weight, (out, in, …, k, k), to (out, |G|, in, …, k, k).
    """
    names = networks.solutions()  # new classes each time: no other network is changed
    for layer, bank in banks.items():
        order = 8 if layer.startswith("D4") else 4

        def build_filter(self: nn.Module, bank: Bank = bank, order: int = order) -> tuple[torch.Tensor, torch.Tensor]:
            return bank(self.weight), self.bias[:, None].expand(-1, order)

        names[layer].build_filter = build_filter
    return names[networks.CLASSES[network]]()


def not_rolled(weight: torch.Tensor) -> torch.Tensor:
    """Filters that are turned, but not rolled along the group axis."""
    return torch.stack([rotate(weight, s) for s in range(4)], dim=1)


def not_turned(weight: torch.Tensor) -> torch.Tensor:
    """Four copies of each filter in place of its four orientations."""
    return torch.stack([weight] * 4, dim=1)


def not_trained(weight: torch.Tensor) -> torch.Tensor:
    """The right filters, cut off from the weight."""
    return torch.stack([rotate(weight.detach(), s).roll(s, dims=2) for s in range(4)], dim=1)


def not_permuted(weight: torch.Tensor) -> torch.Tensor:
    """Filters of D4 that are turned and mirrored, but not permuted along the group axis."""
    return torch.cat([not_rolled(weight), not_rolled(reflect(weight))], dim=1)


MISTAKES: dict[str, tuple[str, Callable[[], nn.Module]]] = {
    "wrong.no_roll": ("c4cnn", lambda: mistaken("c4cnn", GroupConv2d=not_rolled)),
    "wrong.no_turn": ("c4cnn", lambda: mistaken("c4cnn", LiftingConv2d=not_turned, GroupConv2d=not_turned)),
    "wrong.no_gradient": ("c4cnn", lambda: mistaken("c4cnn", GroupConv2d=not_trained)),
    "wrong.group_averaged": ("plain_cnn", lambda: GroupAveraged(networks.network("ours", "plain_cnn"))),
    "wrong.bn_no_roll": ("c4cnn_bn", lambda: mistaken("c4cnn_bn", GroupConv2d=not_rolled)),
    "wrong.bn_no_turn": ("c4cnn_bn", lambda: mistaken("c4cnn_bn", LiftingConv2d=not_turned, GroupConv2d=not_turned)),
    "wrong.d4_no_permutation": ("d4cnn", lambda: mistaken("d4cnn", D4GroupConv2d=not_permuted)),
}
"""By name: the network that it is made from, and how."""
