"""How accurate are right and wrong networks after each budget, and how long does the training take?

Trains the model solution's networks (answer cells of ``notebooks/gcnn.py``) and networks with typical mistakes, each
from several seeds, and writes ``benchmarks/results/accuracy.json``. ``autograder.thresholds`` rests on these figures.

    python benchmarks/accuracy.py                     # all of it: about 17 minutes on two idle cores
    python benchmarks/accuracy.py --seeds 1 --out x.json   # a quick look

Accuracies are percent: on the hidden digits in the grading budget (what a grader sees), on the public test digits in
the standard budget (what a student sees). The hidden digits are turned by fixed angles here, not by those of a course's
secret. A row's value is the mean over seeds; its spread has every seed's figure. ``none`` is no training at all.
"""

import argparse
import re
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import results
import torch
import torch.nn.functional as F
from torch import nn

from gcnn.data import MnistRotDataset, pad_digits, turn
from gcnn.equivariance import reflect, rotate
from gcnn.training import test_model, train_model

ROOT = Path(__file__).resolve().parent.parent
CLASSES = {
    "c4cnn": "C4CNN",
    "isotropic_cnn": "IsotropicCNN",
    "c4cnn_bn": "C4CNNWithBatchNorm",
    "d4cnn": "D4CNN",
    "plain_cnn": "PlainCNN",
}


def solutions() -> dict[str, object]:
    """The names that the model solution's answer cells define, and the given ordinary network."""
    names: dict[str, object] = {"torch": torch, "F": F, "nn": nn, "rotate": rotate, "reflect": reflect}
    for cell in re.split(r"(?m)^# %%", (ROOT / "notebooks" / "gcnn.py").read_text())[1:]:
        header, _, body = cell.partition("\n")
        if "[markdown]" not in header and ("answer=" in header or "class PlainCNN" in body):
            exec(body, names)
    return names


def no_roll(weight: torch.Tensor) -> torch.Tensor:
    """A mistake in GroupConv2d: the filters are turned, but not rolled along the group axis."""
    return torch.stack([rotate(weight, s) for s in range(4)], dim=1)


def no_turn(weight: torch.Tensor) -> torch.Tensor:
    """A mistake in both layers: four copies of each filter in place of its four orientations."""
    return torch.stack([weight] * 4, dim=1)


def no_gradient(weight: torch.Tensor) -> torch.Tensor:
    """A mistake in GroupConv2d: the right filters, cut off from the weight, so that it is never trained."""
    return torch.stack([rotate(weight.detach(), s).roll(s, dims=2) for s in range(4)], dim=1)


def wrong(lifting: object = None, group: object = None) -> type[nn.Module]:
    """C4CNN with other filter banks, each a function of the layer's weight."""
    names = solutions()
    for name, bank in (("LiftingConv2d", lifting), ("GroupConv2d", group)):
        if bank is not None:

            def build_filter(self: nn.Module, bank: object = bank) -> tuple[torch.Tensor, torch.Tensor]:
                return bank(self.weight), self.bias[:, None].expand(-1, 4)

            names[name].build_filter = build_filter
    return names["C4CNN"]


def hidden_digits() -> SimpleNamespace:
    """5,000 images of the hidden originals, (5000, 1, 33, 33), and their labels."""
    with np.load(ROOT / "src" / "autograder" / "digits" / "hidden.npz") as file:
        originals, labels = torch.from_numpy(file["images"]), torch.from_numpy(file["labels"]).long()
    which = torch.arange(5000) % len(originals)
    angles = 360 * torch.rand(5000, generator=torch.Generator().manual_seed(0))
    return SimpleNamespace(images=pad_digits(turn(originals[which, None] / 255, angles)), labels=labels[which])


def measure(make: type[nn.Module], budget: str | None, seed: int, digits: object) -> tuple[float, float]:
    """The accuracy of one training, in percent, and its seconds; a budget of ``None`` leaves the network untrained."""
    torch.manual_seed(seed)
    model = make()
    start = time.perf_counter()
    if budget is not None:
        train_model(model, budget, seed, progress=False)
    return test_model(model, digits), time.perf_counter() - start


def main() -> None:
    """Measure everything and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="runs of each network")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "accuracy.json")
    arguments = parser.parse_args()

    hidden, public = hidden_digits(), MnistRotDataset("test")
    right = {name: solutions()[cls] for name, cls in CLASSES.items()}
    mistakes = {
        "wrong.no_roll": wrong(group=no_roll),
        "wrong.no_turn": wrong(lifting=no_turn, group=no_turn),
        "wrong.no_gradient": wrong(group=no_gradient),
    }
    plan = [(name, make, None, hidden) for name, make in right.items()]
    plan += [(name, make, "grading", hidden) for name, make in {**right, **mistakes}.items()]
    plan += [(name, right[name], "standard", public) for name in ("c4cnn_bn", "c4cnn")]

    rows = []
    for name, make, budget, digits in plan:
        runs = [measure(make, budget, seed, digits) for seed in range(arguments.seeds)]
        accuracies, seconds = zip(*runs, strict=True)
        new = [results.over_seeds(f"accuracy.{name}.{budget or 'none'}", list(accuracies), "percent")]
        if budget is not None:
            new.append(results.over_seeds(f"seconds.{name}.{budget}", list(seconds), "seconds"))
        print(*(f"{r['name']}: {r['value']} {r['unit']}, {r['spread']['values']}" for r in new), sep="\n", flush=True)
        rows += new
        results.write(arguments.out, "benchmarks/accuracy.py", rows)  # an interruption loses one network's figures


if __name__ == "__main__":
    main()
