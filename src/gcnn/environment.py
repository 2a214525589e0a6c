"""Where the notebook runs: which device, whether a grader runs it, and where downloads are kept."""

import functools
import os
import platform
import sys
import warnings
from pathlib import Path

import torch
import torch.nn.functional as F


def grading() -> bool:
    """Whether a grader runs the notebook: nbgrader sets ``NBGRADER_EXECUTION`` while it grades or validates."""
    return bool(os.environ.get("NBGRADER_EXECUTION"))


@functools.cache
def _gpu_problem() -> str | None:
    """Why the GPU here cannot be used, in a sentence without its stop; "" if it can, ``None`` where there is none.

    It is tried out, once: PyTorch also counts a GPU that it has no code for, or whose memory is full.
    """
    if not torch.cuda.is_available():
        return None
    gpu = "The GPU"
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # PyTorch's own, at length, that it has no code for this GPU
            gpu = f"The GPU ({torch.cuda.get_device_name()})"
            square = torch.ones(1, 1, 3, 3, device="cuda")
            F.conv2d(square, square).item()  # waits for the device, and so for its errors
    except torch.OutOfMemoryError:
        return f"{gpu} has no memory left, so the CPU is used: close what else uses it, then restart the kernel"
    except Exception as error:  # CUDA's own are of many kinds
        reason = str(error).partition("\n")[0].partition(". ")[0]
        return f"{gpu} cannot be used by this PyTorch ({reason}), so the CPU is used"
    return ""


def default_device() -> torch.device:
    """The fastest device here: a CUDA GPU where there is one that this PyTorch can use, else the CPU."""
    return torch.device("cuda" if _gpu_problem() == "" else "cpu")


def describe() -> str:
    """What this notebook runs on, for the set-up cell: a line, and a sentence about a GPU that cannot be used."""
    device = default_device()
    if device.type == "cuda":
        hardware = f"GPU ({torch.cuda.get_device_name(device)})"
    else:
        hardware = f"CPU ({torch.get_num_threads()} threads)"
    line = f"{hardware}, torch {torch.__version__}, Python {platform.python_version()}"
    return ". ".join([line, *filter(None, [_gpu_problem()])])


def in_notebook() -> bool:
    """Whether what is printed goes to a notebook."""
    return type(sys.stdout).__module__.startswith(("ipykernel", "google.colab"))


def platform_name() -> str:
    """Which service runs the notebook: "Colab", "Kaggle", or "" for any other machine."""
    if "KAGGLE_KERNEL_RUN_TYPE" in os.environ:  # first: Kaggle's machines are made from Colab's, and have its variable
        return "Kaggle"
    return "Colab" if "COLAB_RELEASE_TAG" in os.environ else ""


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
    if chosen := os.environ.get("GCNN_CACHE"):
        return Path(chosen)
    import pooch  # here, because only downloads need it

    return Path(pooch.os_cache("gcnn"))
