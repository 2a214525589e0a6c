"""Where the notebook runs: which device, whether a grader runs it, and where downloads are kept."""

import os
import platform
from pathlib import Path

import pooch
import torch


def grading() -> bool:
    """Whether a grader runs the notebook: nbgrader sets ``NBGRADER_EXECUTION`` while it grades or validates."""
    return bool(os.environ.get("NBGRADER_EXECUTION"))


def default_device() -> torch.device:
    """The fastest device here: a CUDA GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def describe() -> str:
    """One line that says what this notebook runs on, for the set-up cell."""
    device = default_device()
    if device.type == "cuda":
        hardware = f"GPU ({torch.cuda.get_device_name(device)})"
    else:
        hardware = f"CPU ({torch.get_num_threads()} threads)"
    return f"{hardware}, torch {torch.__version__}, Python {platform.python_version()}"


def cache_dir() -> Path:
    """Where downloaded data is kept: ``$GCNN_CACHE`` if set, else the user's cache folder."""
    return Path(os.environ.get("GCNN_CACHE") or pooch.os_cache("gcnn"))
