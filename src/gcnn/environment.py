"""Where the notebook runs: which device, whether a grader runs it, and where downloads are kept."""

import os
import platform
import sys
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


def in_notebook() -> bool:
    """Whether what is printed goes to a notebook."""
    return type(sys.stdout).__module__.startswith(("ipykernel", "google.colab"))


def platform_name() -> str:
    """Which service runs the notebook: "Colab", "Kaggle", or "" for any other machine."""
    if "COLAB_RELEASE_TAG" in os.environ:
        return "Colab"
    return "Kaggle" if "KAGGLE_KERNEL_RUN_TYPE" in os.environ else ""


def gpu_advice() -> str:
    """How to get a GPU here, in one sentence; "" where there is one already, or where nobody can say."""
    if default_device().type == "cuda":
        return ""
    menus = {
        "Colab": "Runtime → Change runtime type → T4 GPU",
        "Kaggle": "Settings → Accelerator → GPU T4 x2",
    }
    menu = menus.get(platform_name())
    return f"For a GPU: {menu}, then run the notebook from its top. Everything works without one, too." if menu else ""


def checkpoint_dir() -> Path:
    """Where trainings are kept: on Google Drive where Colab has it mounted, else in a folder beside the notebook."""
    drive = Path("/content/drive/MyDrive")
    return drive / "gcnn-checkpoints" if drive.is_dir() else Path("checkpoints")


def cache_dir() -> Path:
    """Where downloaded data is kept: ``$GCNN_CACHE`` if set, else the user's cache folder."""
    return Path(os.environ.get("GCNN_CACHE") or pooch.os_cache("gcnn"))
