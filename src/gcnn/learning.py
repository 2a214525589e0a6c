"""From how many digits, and at which angles, networks learn: measurements that come with the package, and their recipe.

``learning.json`` holds them; ``benchmarks/learning.py`` of the course's repository measured them. All networks in it
have about as many parameters as C4CNN; D4CNN has narrower layers for that.
"""

import dataclasses
import functools
import json
from importlib import resources
from types import SimpleNamespace

import torch
from torch import nn
from torch.utils.data import Dataset

from gcnn.budgets import BUDGETS, Budget
from gcnn.data import MnistRotDataset, turn
from gcnn.training import test_model, train_model

SIZES = (200, 500, 1_000, 2_000, 5_000, 10_000)
"""How many training digits the measurements have."""
EPOCHS = 3
"""How many epochs a network trains on all of them; half as many again as in the budget "standard"."""
GROUPS = 12
"""Groups of angles, 30 degrees each, in which the measurements count right answers."""


@functools.cache
def measurements() -> dict:
    """What was measured, as plain data.

    ``accuracy`` has, by network and number of training digits, the percent of public test digits that are right, one
    for each seed. ``by_angle`` has, by network and by how its training digits stood ("upright" or "turned"), the
    percent in each group of angles. ``parameters`` counts each network's. ``made`` is the day of the last
    run, and ``on`` has the machines.
    """
    text = resources.files("gcnn").joinpath("learning.json").read_text(encoding="utf-8")
    return json.loads(text)


def budget(digits: int) -> Budget:
    """How a network trains on so many digits: as in "standard", but for `EPOCHS` on all 10,000 and more on fewer.

    Raises:
        ValueError: a number of digits that the training set does not have.
    """
    if not isinstance(digits, int) or isinstance(digits, bool) or not 10 <= digits <= SIZES[-1]:
        raise ValueError(f"digits must be a whole number from 10 to {SIZES[-1]:,}; got {digits!r}")
    epochs = EPOCHS * (SIZES[-1] / digits) ** (2 / 3)
    return dataclasses.replace(BUDGETS["standard"], name=f"{digits:,} digits", epochs=epochs, parts=1)


def some(dataset: Dataset, digits: int, seed: int = 0) -> SimpleNamespace:
    """That many digits of a data set, drawn by the seed, as a data set that `gcnn.training.train_model` takes."""
    chosen = torch.randperm(len(dataset.labels), generator=torch.Generator().manual_seed(seed))[:digits]
    return SimpleNamespace(images=dataset.images[chosen], labels=dataset.labels[chosen])


def upright(dataset: MnistRotDataset) -> SimpleNamespace:
    """All digits of a data set turned back to where they were written, a little blurred by turning twice.

    Raises:
        ValueError: a data set that does not know its digits' angles.
    """
    if getattr(dataset, "angles", None) is None:
        raise ValueError(
            'these digits\' angles are not known, so they cannot be turned back; those of MnistRotDataset("train") are'
        )
    return SimpleNamespace(images=turn(dataset.images, -dataset.angles), labels=dataset.labels)


def accuracy_from(digits: int, model: nn.Module, seed: int = 0, *, progress: bool = True) -> float:
    """Train a network on so many digits, as the measurements were, and say how accurate it is.

    Args:
        digits: how many training digits, 10 to 10,000.
        model: a new network; it is trained in place.
        seed: draws the digits, and fixes their order.
        progress: whether to show progress.

    Returns:
        The percent of the public test digits that are right.
    """
    chosen = some(MnistRotDataset("train"), digits, seed)
    valid = MnistRotDataset("valid")
    few = some(valid, min(len(valid.labels), max(10, digits // 4)))  # a look follows every epoch, and those are short
    train_model(model, budget(digits), seed, train_set=chosen, valid_set=few, progress=progress)
    return test_model(model)
