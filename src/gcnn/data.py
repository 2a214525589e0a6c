"""The digits: rotated MNIST as whole tensors, from the bundled set, the official archive or torchvision.

Images are ``(N, 1, 33, 33)``, float32 in [0, 1]: 28x28 digits, padded so that a network with four strided pools stays
exactly equivariant under quarter turns (see the notebook, part 3).
"""

from importlib import resources
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.data import Dataset

from gcnn.environment import cache_dir

MODES = ("train", "valid", "test")
SOURCES = ("bundled", "official", "torchvision")


def turn(images: torch.Tensor, degrees: float | torch.Tensor) -> torch.Tensor:
    """Turn images counter-clockwise as displayed, with bilinear interpolation; what comes in from outside is 0.

    Args:
        images: ``(N, C, H, W)``, floating point.
        degrees: one angle for all, or one each, ``(N,)``.

    Raises:
        ValueError: another number of axes, an integer dtype, or a number of angles that is neither 1 nor N.
    """
    if images.dim() != 4 or not images.is_floating_point():
        raise ValueError(f"images must be floating point (N, C, H, W), got {images.dtype} {tuple(images.shape)}")
    angles = torch.as_tensor(degrees, dtype=images.dtype, device=images.device).flatten().deg2rad()
    if len(angles) not in (1, len(images)):
        raise ValueError(f"there must be 1 angle or {len(images)}, one for each image; got {len(angles)}")
    return _sampled(images, _rotations(angles.expand(len(images))), "bilinear")


def deform(images: torch.Tensor, stretch: float, generator: torch.Generator) -> torch.Tensor:
    """Turn each image by a random angle, stretch it along two axes at right angles, and slant it: in one interpolation.

    It is bicubic, since the images have been turned and blurred once before. Values stay as dark and as bright as in
    the images; what comes in from outside is 0.

    Args:
        images: ``(N, C, H, W)``, floating point.
        stretch: by up to which share lengths change.
        generator: of the random numbers, on the CPU, so that they are the same on any device.
    """
    count = len(images)
    angle, other = (2 * torch.pi * torch.rand(count, generator=generator) for _ in range(2))
    along, across, slant = stretch * (2 * torch.rand(3, count, generator=generator) - 1)
    stretched = torch.stack([along.exp(), 1.5 * slant, torch.zeros(count), across.exp()], 1).unflatten(1, (2, 2))
    axes = _rotations(other)
    matrices = axes @ stretched @ axes.mT @ _rotations(angle)
    return _sampled(images, matrices.to(images), "bicubic").clamp(images.min(), images.max())


def _sampled(images: torch.Tensor, matrices: torch.Tensor, mode: str) -> torch.Tensor:
    """Images whose pixels are looked up where a matrix each, ``(N, 2, 2)``, takes their places from the centre."""
    theta = torch.cat([matrices, torch.zeros_like(matrices[..., :1])], 2)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode=mode, padding_mode="zeros", align_corners=False)


def _rotations(angles: torch.Tensor) -> torch.Tensor:
    """Matrices for `_sampled` that turn images counter-clockwise by angles in radians, ``(N,)`` to ``(N, 2, 2)``.

    They map output to input positions (x right, y down): the inverse of a counter-clockwise turn.
    """
    cos, sin = angles.cos(), angles.sin()
    return torch.stack([cos, -sin, sin, cos], 1).unflatten(1, (2, 2))


def pad_digits(images: torch.Tensor) -> torch.Tensor:
    """Pad 28x28 digits, ``(N, 1, 28, 28)``, to 33x33 by repeating the border: 2 pixels before and 3 after.

    Raises:
        ValueError: another shape.
    """
    if images.dim() != 4 or images.shape[-2:] != (28, 28):
        raise ValueError(f"digits must be (N, 1, 28, 28), got {tuple(images.shape)}")
    return F.pad(images, (2, 3, 2, 3), mode="replicate")


def _bundled(mode: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    name = f"{mode}.npz"
    with resources.as_file(resources.files("gcnn") / "digits" / name) as path:
        try:
            with np.load(path, allow_pickle=False) as file:
                return file["images"], file["labels"], file["angles"]
        except Exception as error:
            raise RuntimeError(
                f"the bundled digits in {Path('gcnn/digits') / name} are missing or damaged ({type(error).__name__}). "
                "Install the course package again (pip install --force-reinstall --no-deps gcnn-….whl); "
                "in a checkout of the course: python data/build_digits.py"
            ) from error


def _torchvision(mode: str, cache: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    from torchvision.datasets import MNIST

    digits = MNIST(str(cache), train=mode != "test", download=True)
    # Not MNIST's first 10,000: those are the bundled digits' originals, the grader's hidden ones among them.
    first, last = {"train": (20_000, 30_000), "valid": (30_000, 32_000), "test": (0, 10_000)}[mode]
    angles = 360 * torch.rand(last - first, generator=torch.Generator().manual_seed(MODES.index(mode)))
    images = turn(digits.data[first:last, None] / 255, angles)
    return (images[:, 0] * 255).round().byte().numpy(), digits.targets[first:last].numpy(), angles.numpy()


def _downloaded(
    mode: str, source: str, cache: str | Path | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray | torch.Tensor | None]:
    try:
        folder = cache_dir() if cache is None else Path(cache)
        if source == "torchvision":
            return _torchvision(mode, folder)
        from gcnn.download import official
    except ModuleNotFoundError as missing:
        package = "pooch" if missing.name in ("pooch", "requests") else missing.name  # pooch brings requests
        raise RuntimeError(
            f"The digits of source={source!r} need the package {package}: run `%pip install {package}`, then this "
            "again, or use the digits that come with the course: MnistRotDataset(mode)."
        ) from missing
    return *official(mode, folder), None


class MnistRotDataset(Dataset):
    """Rotated MNIST: ``(image, label)`` pairs, and the whole split as tensors.

    Args:
        mode: "train", "valid" or "test"; their digits come from different originals.
        source: "bundled" (10,000 / 2,000 / 5,000 images that come with the package), "official" (the benchmark of
            Larochelle et al. 2007, 10,000 / 2,000 / 50,000, downloaded once: 58 MB) or "torchvision" (MNIST downloaded
            by torchvision and turned here by random angles: 10,000 / 2,000 / 10,000).
        cache: folder for downloads; by default `gcnn.environment.cache_dir`.

    Attributes:
        images: ``(N, 1, 33, 33)``, float32 in [0, 1].
        labels: ``(N,)``, int64.
        angles: by how many degrees each digit was turned, ``(N,)``, or ``None`` where that is not known.

    Raises:
        ValueError: an unknown mode or source.
        RuntimeError: data that is missing, damaged or out of reach, with what to do about it.
    """

    def __init__(self, mode: str, source: str = "bundled", cache: str | Path | None = None):
        if mode not in MODES:
            raise ValueError(f"mode must be one of {', '.join(MODES)}; got {mode!r}")
        if source not in SOURCES:
            raise ValueError(f"source must be one of {', '.join(SOURCES)}; got {source!r}")
        images, labels, angles = _bundled(mode) if source == "bundled" else _downloaded(mode, source, cache)
        self.mode, self.source = mode, source
        pixels = torch.from_numpy(images)[:, None]  # uint8, or already float32 in [0, 1] (official)
        self.images = pad_digits(pixels if pixels.is_floating_point() else pixels.float() / 255)
        self.labels = torch.from_numpy(labels).long()
        self.angles = None if angles is None else torch.from_numpy(angles)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        """One image, ``(1, 33, 33)``, and its label."""
        return self.images[index], int(self.labels[index])

    def __len__(self) -> int:
        """How many digits the split holds."""
        return len(self.labels)
