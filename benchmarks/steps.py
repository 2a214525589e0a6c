"""Some steps of a training in the budget `standard`, for those who look at a step and not at what it leads to."""

import dataclasses
from types import SimpleNamespace

from torch import nn

from gcnn.budgets import BUDGETS
from gcnn.history import History
from gcnn.training import train_model


def trained_for(
    steps: int, model: nn.Module, data: object, batch: int = 50, adam: bool = False, **how: object
) -> History:
    """Train a network for some steps, after which it names two digits.

    Args:
        steps: how many.
        model: trained in place.
        data: a data set as `train_model` takes it, with at least that many batches.
        batch: images of a step.
        adam: whether Adam trains all of it, as it trains others' networks.
        how: more of what `train_model` takes.

    Returns:
        The network's history; its last "seconds" are those of all steps, without what comes before the first.
    """
    few = SimpleNamespace(images=data.images[:2], labels=data.labels[:2])
    epochs = steps / (len(data.labels) // batch)
    muon = 0.0 if adam else BUDGETS["standard"].muon
    budget = dataclasses.replace(BUDGETS["standard"], name="steps", epochs=epochs, batch_size=batch, muon=muon, parts=1)
    return train_model(model, budget, train_set=data, valid_set=few, progress=False, **how).history
