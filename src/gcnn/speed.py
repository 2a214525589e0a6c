"""How long training will take here, told before it starts: from a few steps of a network that is as much work."""

import itertools
import time

import torch
import torch.nn.functional as F
from torch import nn

from gcnn.budgets import BUDGETS, Budget
from gcnn.environment import default_device
from gcnn.fast import kernels, rounds
from gcnn.optimizers import Adam

_TRAINING_DIGITS = 10_000
# With a convolution's four orientations written as channels, this is as much work as C4CNN.
_CHANNELS = (1, 32, 64, 128, 256, 512)
# Beyond these steps: filter banks, and looking at the validation digits.
_REST = 1.25
# As much longer does D4CNN take: it is 4 times as much work, of which a Fourier basis (`gcnn.fourier`) saves more on a
# CPU, and less where the others' convolutions are of rounded numbers.
_ON_GPU, _ON_CPU, _ON_ROUNDING_CPU = 3.7, 2.0, 2.5


def expected_seconds(budget: str | Budget = "standard") -> float:
    """About how many seconds ``train_model(C4CNN())`` takes here, measured in about one second.

    Args:
        budget: how much training, as `gcnn.training.train_model` takes it.
    """
    budget = BUDGETS[budget] if isinstance(budget, str) else budget
    device = default_device()
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []), kernels("auto"):
        torch.manual_seed(0)
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise(_CHANNELS):
            pool = nn.MaxPool2d(3) if after == _CHANNELS[-1] else nn.MaxPool2d(3, stride=2, padding=1)
            layers += [nn.Conv2d(before, after, 3, padding=1), pool, nn.ReLU()]
        model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(_CHANNELS[-1], 10)).to(device)
        optimizer = Adam(model.parameters(), lr=1e-3)
        x = torch.rand(budget.batch_size, 1, 33, 33, device=device)
        t = torch.zeros(budget.batch_size, dtype=torch.long, device=device)
        taken = []
        for _ in range(5):
            start = time.perf_counter()
            model.zero_grad()
            loss = F.cross_entropy(model(x), t)
            loss.backward()
            optimizer.step()
            loss.item()  # waits for the device
            taken.append(time.perf_counter() - start)
    steps = budget.epochs * (_TRAINING_DIGITS // budget.batch_size)
    return _REST * steps * min(taken[2:])


def in_words(seconds: float) -> str:
    """A duration, as one says it: "20 seconds", "3 minutes"."""
    if seconds < 90:
        rounded = max(1, round(seconds)) if seconds < 10 else 5 * round(seconds / 5)
        return f"{rounded} second{'' if rounded == 1 else 's'}"
    return f"{round(seconds / 60)} minutes"


def announce() -> str:
    """What the set-up cell says about the time that training takes here."""
    c4cnn = expected_seconds()
    times = _ON_GPU
    if default_device().type == "cpu":
        times = _ON_ROUNDING_CPU if rounds("auto") else _ON_CPU
    d4cnn = in_words(times * c4cnn)
    return f"Training C4CNN in part 3 will take about {in_words(c4cnn)} here, D4CNN in part 4 {d4cnn}."
