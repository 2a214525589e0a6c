"""What the grader knows and no student does: the course's secret, what is drawn from it, and the hidden digits."""

import hashlib
import os
import secrets
from functools import lru_cache
from importlib import resources
from pathlib import Path

import numpy as np
import torch

from gcnn.data import pad_digits, turn

SECRET_NAME = ".course-secret"
PUBLIC_SECRET = "a fixed secret for tests and the demo: a course that counts makes its own with `make secret`"


def secret_file() -> Path | None:
    """The course's secret: ``$GCNN_COURSE_SECRET``, or ``.course-secret`` here or in a folder above; else ``None``."""
    named = os.environ.get("GCNN_COURSE_SECRET")
    if named:
        return Path(named)
    here = Path.cwd()
    return next((folder / SECRET_NAME for folder in (here, *here.parents) if (folder / SECRET_NAME).is_file()), None)


def create_secret(path: Path) -> None:
    """Write a new secret, readable by its owner only.

    Raises:
        FileExistsError: there is one; another would change what every later grading draws.
    """
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_hex(32) + "\n")


def _seed(name: str) -> int:
    path = secret_file()
    secret = PUBLIC_SECRET if path is None else path.read_text().strip()
    return int.from_bytes(hashlib.sha256(f"{secret}\0{name}".encode()).digest()[:7], "big")


def generator(name: str) -> torch.Generator:
    """A random generator that depends on the course's secret and this name only."""
    return torch.Generator().manual_seed(_seed(name))


@lru_cache(maxsize=2)
def _digits(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
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
    return _digits(_seed("digits"))
