"""What students import: data, training, equivariance, checks and plots for the course on group equivariant networks.

No module here holds a solution, a hidden test or a hidden digit; nothing here imports ``autograder``.
"""

import importlib.metadata as _metadata
import platform as _platform
import sys as _sys

__version__ = "0.1.0"

_OLDEST = (2, 6)
try:
    _torch = _metadata.version("torch")  # without importing it, which takes a while
except _metadata.PackageNotFoundError:
    _torch = ""  # whoever imports it will say so
_parts = _torch.split(".")
if _parts[0].isdigit() and _parts[1].isdigit() and (int(_parts[0]), int(_parts[1])) < _OLDEST:
    if (_sys.platform, _platform.machine()) == ("darwin", "x86_64"):
        _advice = (
            "There is none for this Python, which is made for Intel processors: on a Mac with an M processor install "
            "Python for arm64, on another one use Colab or Kaggle"
        )
    else:
        _advice = (
            "On Colab, Kaggle or a JupyterHub choose a newer environment; on your own machine: "
            "pip install --upgrade torch torchvision"
        )
    raise ImportError(f"this course needs PyTorch {_OLDEST[0]}.{_OLDEST[1]} or newer, and here is {_torch}. {_advice}")
