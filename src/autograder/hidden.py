"""What the grader knows and no student does: what is drawn from the course's secret, and the hidden digits."""

import hashlib
from functools import lru_cache
from importlib import resources

import numpy as np
import torch

from autograder.secret import read_secret
from gcnn.data import pad_digits, turn


def _seed(name: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{read_secret()}\0{name}".encode()).digest()[:7], "big")


def generator(name: str) -> torch.Generator:
    """A random generator that depends on the course's secret and this name only."""
    return torch.Generator().manual_seed(_seed(name))


@lru_cache(maxsize=2)
def digits_turned(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The hidden digits, turned by angles of this seed: images ``(5000, 1, 33, 33)``, labels ``(5000,)``."""
    with resources.as_file(resources.files("autograder") / "digits" / "hidden.npz") as path:
        try:
            with np.load(path, allow_pickle=False) as file:
                originals, labels = torch.from_numpy(file["images"]), torch.from_numpy(file["labels"]).long()
        except Exception as error:
            raise RuntimeError(
                f"the hidden digits are missing or damaged ({type(error).__name__}). "
                "Restore them with: python data/build_digits.py"
            ) from error
    which = torch.arange(5000) % len(originals)
    angles = 360 * torch.rand(5000, generator=torch.Generator().manual_seed(seed))
    return pad_digits(turn(originals[which, None] / 255, angles)), labels[which]


def digits() -> tuple[torch.Tensor, torch.Tensor]:
    """5,000 digits from originals that no student has, turned by angles drawn from the course's secret.

    Returns:
        Images ``(5000, 1, 33, 33)``, float32 in [0, 1], and labels ``(5000,)``.
    """
    return digits_turned(_seed("digits"))
