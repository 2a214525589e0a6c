"""The README's pictures, made as the notebook makes them: from the model solution's networks, trained as students do.

python benchmarks/pictures.py        # writes docs/pictures: about two minutes on two cores
"""

import base64

import torch
from accuracy import solutions
from results import ROOT

from gcnn import plots
from gcnn.data import MnistRotDataset
from gcnn.equivariance import rotate
from gcnn.training import train_model

FOLDER = ROOT / "docs" / "pictures"


def save(name: str, picture: plots.Picture) -> None:
    """Write a picture as Jupyter shows it."""
    data, _ = picture._repr_mimebundle_()
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{name}.png").write_bytes(base64.b64decode(data["image/png"]))


def main() -> None:
    """Train, draw, write."""
    names, digits = solutions(), MnistRotDataset("test")
    torch.manual_seed(1)
    lift, digit = names["LiftingConv2d"](1, 1, 5, padding=2), digits.images[5:6]
    with torch.no_grad():
        save("feature_maps", plots.feature_maps(lift(digit)[0, 0], lift(rotate(digit, 1))[0, 0]))
    trained = {}
    for name, network in {"C4CNN": "C4CNN", "ordinary CNN": "PlainCNN"}.items():
        torch.manual_seed(0)
        trained[name] = train_model(names[network]())
    save("prediction_under_rotation", plots.prediction_under_rotation(trained, digits.images[7], int(digits.labels[7])))


if __name__ == "__main__":
    main()
