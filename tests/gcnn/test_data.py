"""Tests of gcnn.data: the digits are what they are said to be, and no split sees another's originals."""

import math
import struct
import subprocess
import sys
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader
from torchvision.transforms import v2

from gcnn import data
from gcnn.data import MODES, MnistRotDataset, deform, pad_digits, turn
from gcnn.equivariance import rotate

ROOT = Path(__file__).resolve().parents[2]
SIZES = {"train": 10_000, "valid": 2_000, "test": 5_000}
ORIGINALS = {"train": 7_000, "valid": 600, "test": 1_200}
HIDDEN = 1_200


def stored(mode: str) -> dict[str, np.ndarray]:
    """The arrays of a bundled file."""
    with np.load(resources.files("gcnn") / "digits" / f"{mode}.npz") as file:
        return dict(file)


def hidden() -> dict[str, np.ndarray]:
    """The upright hidden digits."""
    with np.load(ROOT / "src" / "autograder" / "digits" / "hidden.npz") as file:
        return dict(file)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    """Random pixels in [0, 1)."""
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("mode", MODES)
def test_the_bundled_digits(mode):
    """Are shapes, types, range and labels as the docstring says, and is each digit about a tenth?"""
    dataset = MnistRotDataset(mode)
    count = SIZES[mode]
    assert (dataset.images.shape, dataset.images.dtype) == ((count, 1, 33, 33), torch.float32)
    assert (dataset.labels.shape, dataset.labels.dtype) == ((count,), torch.int64)
    assert dataset.images.min() == 0 and dataset.images.max() == 1
    share = torch.bincount(dataset.labels, minlength=10) / count
    assert len(share) == 10 and share.min() > 0.08 and share.max() < 0.12
    assert dataset.angles.shape == (count,)
    assert dataset.angles.min() >= 0 and dataset.angles.max() < 360
    quarter = torch.histc(dataset.angles, 4, 0, 360) / count
    assert (quarter - 0.25).abs().max() < 4 * math.sqrt(0.25 * 0.75 / count)  # uniform


def test_pairs():
    """Does an index give an image and a number, as a loader wants them?"""
    dataset = MnistRotDataset("valid")
    assert len(dataset) == 2_000
    image, label = dataset[7]
    assert torch.equal(image, dataset.images[7]) and image.shape == (1, 33, 33)
    assert type(label) is int and label == dataset.labels[7]
    images, labels = next(iter(DataLoader(dataset, batch_size=5)))
    assert torch.equal(images, dataset.images[:5]) and torch.equal(labels, dataset.labels[:5])


def test_pixels_are_the_stored_ones():
    """Are images what the file holds, divided by 255 and padded, and nothing else?"""
    images = MnistRotDataset("valid").images
    assert np.array_equal((images[:, 0, 2:30, 2:30] * 255).round().byte().numpy(), stored("valid")["images"])


def test_bundled_digits_need_no_cache(tmp_path):
    """Is nothing written for the digits that come with the package?"""
    MnistRotDataset("valid", cache=tmp_path / "cache")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mode", ["hidden", "Train", "", None])
def test_an_unknown_mode_is_named(mode):
    """Are the wrong mode and the right ones in the message?"""
    with pytest.raises(ValueError, match=f"mode must be one of train, valid, test; got {mode!r}"):
        MnistRotDataset(mode)


def test_an_unknown_source_is_named():
    """Are the wrong source and the right ones in the message?"""
    with pytest.raises(ValueError, match="source must be one of bundled, official, torchvision; got 'web'"):
        MnistRotDataset("train", source="web")


@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "flipped"])
def test_a_damaged_bundled_file_is_named(monkeypatch, tmp_path, damage):
    """Does the message name the file, how to install it again, and the command that builds it?"""
    content = bytearray((resources.files("gcnn") / "digits" / "valid.npz").read_bytes())
    if damage == "flipped":
        content[len(content) // 2] ^= 1
    else:
        del content[{"missing": 0, "empty": 0, "cut": len(content) // 2}[damage] :]
    if damage != "missing":
        (tmp_path / "digits").mkdir()
        (tmp_path / "digits" / "valid.npz").write_bytes(content)
    monkeypatch.setattr(data.resources, "files", lambda package: tmp_path)
    with pytest.raises(RuntimeError) as caught:
        MnistRotDataset("valid")
    message = str(caught.value)
    assert str(Path("gcnn/digits/valid.npz")) in message
    assert "pip install --force-reinstall" in message and "python data/build_digits.py" in message


def test_the_files_are_as_built():
    """Do the checksums match, and does the script say so?"""
    run = subprocess.run([sys.executable, ROOT / "data" / "build_digits.py", "--check"], capture_output=True, text=True)
    assert (run.returncode, run.stdout, run.stderr) == (0, "all digits are as built\n", "")


def test_splits_have_different_originals():
    """Is no original in two splits, and are exactly as many left over as are hidden, with the hidden ones' labels?"""
    splits = {mode: stored(mode) for mode in MODES}
    used = {mode: set(arrays["originals"].tolist()) for mode, arrays in splits.items()}
    assert {mode: len(indices) for mode, indices in used.items()} == ORIGINALS
    assert not used["train"] & used["valid"] and not used["train"] & used["test"] and not used["valid"] & used["test"]
    left = sorted(set(range(10_000)) - set.union(*used.values()))
    assert len(left) == HIDDEN == len(hidden()["labels"])
    # The originals are sorted by label, and stay so with the hidden labels in the places that are left over.
    indices = np.concatenate([*(splits[mode]["originals"] for mode in MODES), left])
    labels = np.concatenate([*(splits[mode]["labels"] for mode in MODES), hidden()["labels"]])
    assert (np.diff(labels[indices.argsort()].astype(int)) >= 0).all()


def copies(images: torch.Tensor, angles: torch.Tensor, originals: torch.Tensor) -> torch.Tensor:
    """Which of these turned digits are one of the originals, turned by the digit's angle: ``(N,)``, bool.

    Each digit is turned back and compared with every original, and the likeliest three are turned and compared
    pixel by pixel: an original and its turned copy then differ by rounding only.
    """
    upright = torch.nn.functional.normalize(turn(images, -angles).flatten(1))
    likely = (upright @ torch.nn.functional.normalize(originals.flatten(1)).T).topk(3).indices
    differences = [(turn(originals[k], angles) - images).abs().amax((1, 2, 3)) for k in likely.T]
    return torch.stack(differences).amin(0) < 1.5 / 255


def test_no_hidden_digit_is_among_the_bundled():
    """Is no bundled digit a hidden one, turned? And would such a digit be found?"""
    originals = torch.from_numpy(hidden()["images"])[:, None] / 255
    angles = 360 * noise(len(originals))
    planted = (255 * turn(originals, angles)).round() / 255
    assert copies(planted, angles, originals).all()
    for mode in MODES:
        arrays = stored(mode)
        images = torch.from_numpy(arrays["images"])[:, None] / 255
        assert not copies(images, torch.from_numpy(arrays["angles"]), originals).any(), mode


def test_a_digit_that_was_used_twice_has_one_label():
    """Do the turned copies of one original agree on what it is?"""
    for mode in MODES:
        arrays = stored(mode)
        label = {}
        for original, found in zip(arrays["originals"].tolist(), arrays["labels"].tolist(), strict=True):
            assert label.setdefault(original, found) == found


def test_turn_is_counter_clockwise():
    """Does what is at the right come to the top, and then to the left?"""
    x = torch.zeros(1, 1, 5, 5)
    x[..., 2, 4] = 1
    assert turn(x, 90)[0, 0, 0, 2] == pytest.approx(1, abs=1e-5)
    assert turn(x, 180)[0, 0, 2, 0] == pytest.approx(1, abs=1e-5)
    assert turn(x, 45)[0, 0, :2, 3:].sum() > 0.3  # on the way, at the upper right


@pytest.mark.parametrize("side", [5, 28, 33])
@pytest.mark.parametrize("r", [-1, 0, 1, 2, 3, 4])
def test_turn_agrees_with_rotate(side, r):
    """Is a turn by a multiple of 90° the rotation that the notebook uses, for odd and even sides?"""
    x = noise(3, 2, side, side)
    assert torch.allclose(turn(x, 90 * r), rotate(x, r), atol=1e-4)
    assert torch.allclose(turn(x.double(), 90 * r), rotate(x.double(), r), atol=1e-9)


@pytest.mark.parametrize("degrees", [17.0, 123.4, 300.0])
def test_turn_agrees_with_torchvision(degrees):
    """Is a turn by any angle that of another implementation?"""
    x = noise(2, 1, 28, 28)
    expected = v2.functional.rotate(x, degrees, v2.InterpolationMode.BILINEAR)
    inside = (slice(None), slice(None), slice(7, 21), slice(7, 21))  # at the border the two fill in differently
    assert torch.allclose(turn(x, degrees)[inside], expected[inside], atol=1e-4)


def test_turn_takes_an_angle_for_each_image():
    """Is each image turned by its own angle, and the type kept?"""
    x = noise(3, 1, 9, 9).double()
    degrees = torch.tensor([0, 30, 200])
    turned = turn(x, degrees)
    assert turned.dtype == torch.float64
    for i, angle in enumerate(degrees.tolist()):
        assert torch.allclose(turned[i : i + 1], turn(x[i : i + 1], angle))


def test_turn_fills_with_black():
    """Is what comes in from outside 0, and the middle untouched?"""
    turned = turn(torch.ones(1, 1, 28, 28), 45)
    assert turned[0, 0, 0, 0] == 0
    assert turned[0, 0, 14, 14] == pytest.approx(1)


@pytest.mark.parametrize(
    ("images", "degrees", "says"),
    [
        (torch.ones(3, 3), 90, r"got torch.float32 \(3, 3\)"),
        (torch.ones(1, 1, 3, 3, dtype=torch.uint8), 90, "got torch.uint8"),
        (torch.ones(3, 1, 3, 3), torch.ones(2), "1 angle or 3, one for each image; got 2"),
    ],
)
def test_turn_refuses_what_it_cannot_turn(images, degrees, says):
    """Is a wrong shape, type or number of angles named?"""
    with pytest.raises(ValueError, match=says):
        turn(images, degrees)


def test_pad_digits_repeats_the_border():
    """Are there 2 more pixels before and 3 after, equal to the border?"""
    x = noise(2, 1, 28, 28)
    padded = pad_digits(x)
    assert padded.shape == (2, 1, 33, 33)
    assert torch.equal(padded[..., 2:30, 2:30], x)
    assert torch.equal(padded[..., 0, 2:30], x[..., 0, :]) and torch.equal(padded[..., 32, 2:30], x[..., 27, :])
    assert torch.equal(padded[..., 2:30, 1], x[..., 0]) and torch.equal(padded[..., 2:30, 30], x[..., 27])


@pytest.mark.parametrize("shape", [(28, 28), (1, 28, 28), (2, 1, 33, 33)])
def test_pad_digits_refuses_another_shape(shape):
    """Is the shape that was given in the message?"""
    with pytest.raises(ValueError, match=r"digits must be \(N, 1, 28, 28\), got \(" + str(shape[0])):
        pad_digits(torch.ones(shape))


@pytest.fixture
def mnist(tmp_path, monkeypatch):
    """A folder with a made-up MNIST in torchvision's files, and no way to download another: images and labels."""
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    made = {}
    for name, count in (("train", 32_100), ("t10k", 10_000)):
        rng = np.random.default_rng(count)
        images = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        labels = rng.integers(0, 10, count, dtype=np.uint8)
        (folder / f"{name}-images-idx3-ubyte").write_bytes(struct.pack(">4i", 0x803, *images.shape) + images.tobytes())
        (folder / f"{name}-labels-idx1-ubyte").write_bytes(struct.pack(">2i", 0x801, count) + labels.tobytes())
        made[name] = torch.from_numpy(images), torch.from_numpy(labels)

    def no_network(*args, **kwargs):
        raise AssertionError("there is no network in this test")

    monkeypatch.setattr("torchvision.datasets.mnist.download_and_extract_archive", no_network)
    return made


def test_torchvision_as_a_source(mnist, tmp_path):
    """Are torchvision's digits turned by the angles that are given, in three splits without a common original?"""
    rows = {"train": ("train", 20_000, 30_000), "valid": ("train", 30_000, 32_000), "test": ("t10k", 0, 10_000)}
    angles = {}
    for mode, (name, first, last) in rows.items():
        dataset = MnistRotDataset(mode, source="torchvision", cache=tmp_path)
        images, labels = (part[first:last] for part in mnist[name])
        assert len(dataset) == last - first
        assert dataset.labels.dtype == torch.int64 and torch.equal(dataset.labels, labels.long())
        expected = pad_digits(turn(images[:, None] / 255, dataset.angles))
        assert (dataset.images - expected).abs().max() <= 0.51 / 255
        assert dataset.angles.min() >= 0 and dataset.angles.max() < 360 and dataset.angles.std() > 90
        angles[mode] = dataset.angles
    assert not torch.equal(angles["valid"], angles["train"][:2_000])
    again = MnistRotDataset("valid", source="torchvision", cache=tmp_path)
    assert torch.equal(again.angles, angles["valid"])


def test_deformed_images_stay_digits():
    """Are images turned and stretched, each in another way, the same again from a seed, and within their range?"""
    images = MnistRotDataset("valid").images[:200]
    moved = deform(images, 0.15, torch.Generator().manual_seed(0))
    assert moved.shape == images.shape and moved.dtype == images.dtype
    assert torch.equal(moved, deform(images, 0.15, torch.Generator().manual_seed(0)))
    assert images.min() <= moved.min() and moved.max() <= images.max()
    ink = moved.sum((1, 2, 3)) / images.sum((1, 2, 3))
    assert ink.std() > 0.05 and ink.mean() == pytest.approx(1, abs=0.1) and ink.min() > 0.6 and ink.max() < 1.5
    turned = deform(images, 0.0, torch.Generator().manual_seed(0)).sum((1, 2, 3)) / images.sum((1, 2, 3))
    assert (turned - 1).abs().max() < 0.05  # without stretching the ink stays
