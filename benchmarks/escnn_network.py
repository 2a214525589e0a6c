"""The course's networks in escnn, the library of the field; imported by `peer.py` under the Python of build/escnn.

The same channels, pools and ReLUs. The filters are escnn's own: combinations of its circular harmonics, with fewer
parameters than our free 3x3 filters (see docs/conventions.md). Features are regular representations, or trivial ones
for the isotropic network, whose symmetry is that of all rotations.
"""

import torch
from escnn import gspaces, nn
from networks import SHAPES, widened


def space(symmetry: str) -> gspaces.GSpace:
    """The symmetry of a network: "C4", "D4", "isotropic" or "none"."""
    makers = {
        "C4": lambda: gspaces.rot2dOnR2(4),
        "D4": lambda: gspaces.flipRot2dOnR2(4),
        "isotropic": lambda: gspaces.rot2dOnR2(-1),
        "none": gspaces.trivialOnR2,
    }
    return makers[symmetry]()


class Network(torch.nn.Module):
    """One of the networks, (B, 1, 33, 33) to (B, 10).

    Args:
        name: of `networks.SHAPES`.
        width: by what the channels are multiplied.
    """

    def __init__(self, name: str, width: float = 1):
        super().__init__()
        symmetry, channels, normalised = SHAPES[name]
        channels, acts = widened(channels, width), space(symmetry)
        feature = acts.trivial_repr if symmetry in ("isotropic", "none") else acts.regular_repr
        self.input = before = nn.FieldType(acts, [acts.trivial_repr])
        layers: list[nn.EquivariantModule] = []
        for i, fields in enumerate(channels):
            after = nn.FieldType(acts, fields * [feature])
            layers.append(nn.R2Conv(before, after, kernel_size=3, padding=1, bias=True))
            layers += [nn.InnerBatchNorm(after)] if normalised else []
            last = i == len(channels) - 1
            pool = {"stride": 1} if last else {"stride": 2, "padding": 1}
            layers += [nn.PointwiseMaxPool2D(after, kernel_size=3, **pool), nn.ReLU(after)]
            before = after
        if feature is not acts.trivial_repr:
            layers.append(nn.GroupPooling(before))
        self.features, self.classifier = nn.SequentialModule(*layers), torch.nn.Linear(channels[-1], 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map images (B, 1, 33, 33) to one number per class, (B, 10)."""
        return self.classifier(self.features(self.input(x)).tensor.flatten(1))

    def exported(self) -> torch.nn.Module:
        """The same function in evaluation mode as ordinary PyTorch layers, by escnn's ``export``."""
        self.eval()
        return torch.nn.Sequential(self.features.export(), torch.nn.Flatten(), self.classifier).eval()
