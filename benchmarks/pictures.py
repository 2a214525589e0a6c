"""The README's picture, made as the notebook makes it, from the model solution's lifting convolution.

python benchmarks/pictures.py        # writes docs/pictures/feature_maps.png
"""

import base64

import torch
from networks import solutions
from results import ROOT

from gcnn import plots
from gcnn.data import MnistRotDataset
from gcnn.equivariance import rotate


def main() -> None:
    """Draw and write."""
    digit = MnistRotDataset("test").images[5:6]
    torch.manual_seed(1)
    lift = solutions()["LiftingConv2d"](1, 1, 5, padding=2)
    with torch.no_grad():
        picture = plots.feature_maps(lift(digit)[0, 0], lift(rotate(digit, 1))[0, 0])
    data, _ = picture._repr_mimebundle_()
    path = ROOT / "docs" / "pictures" / "feature_maps.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(base64.b64decode(data["image/png"]))


if __name__ == "__main__":
    main()
