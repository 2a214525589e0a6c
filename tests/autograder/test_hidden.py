"""Tests of autograder.hidden: the course's secret, what is drawn from it, and the hidden digits."""

import errno
import os
import stat
import subprocess
import sys

import numpy as np
import pytest
import torch

from autograder import hidden, secret
from gcnn.data import MnistRotDataset


@pytest.fixture(autouse=True)
def no_secret(tmp_path, monkeypatch):
    """Every test starts in a folder below which, and above which, there is no secret."""
    monkeypatch.delenv("GCNN_COURSE_SECRET", raising=False)
    folder = tmp_path / "course" / "deep" / "down"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    found = secret.secret_file()
    assert found is None, f"these tests cannot run below {found.parent}"


@pytest.fixture
def forget():
    """Digits that were drawn are remembered; what a test draws is not to stay, nor to come from another test."""
    hidden.digits_turned.cache_clear()
    yield
    hidden.digits_turned.cache_clear()


def numbers(name="layer"):
    """The first numbers that are drawn for a name."""
    return torch.rand(5, generator=hidden.generator(name)).tolist()


def test_without_a_file_the_secret_is_a_fixed_public_one(tmp_path, monkeypatch):
    """Do tests and the demonstration draw the same everywhere?"""
    first = numbers()
    monkeypatch.chdir(tmp_path)
    assert numbers() == first
    path = tmp_path / "same"
    path.write_text(f"{secret.PUBLIC_SECRET}\n")
    monkeypatch.setenv("GCNN_COURSE_SECRET", str(path))
    assert numbers() == first


def test_the_secret_is_found_in_a_folder_above(tmp_path, monkeypatch):
    """Is the nearest secret used, from wherever below it the grader is started?"""
    before = numbers()
    far, near = tmp_path / ".course-secret", tmp_path / "course" / ".course-secret"
    far.write_text("far")
    assert secret.secret_file() == far
    drawn_from_far = numbers()
    near.write_text("near")
    assert secret.secret_file() == near
    monkeypatch.chdir(tmp_path / "course")
    assert secret.secret_file() == near
    assert len({tuple(before), tuple(drawn_from_far), tuple(numbers())}) == 3


def test_a_folder_of_that_name_is_not_a_secret(tmp_path):
    """Is only a file taken for a secret?"""
    (tmp_path / "course" / ".course-secret").mkdir()
    assert secret.secret_file() is None


def test_the_environment_comes_first(tmp_path, monkeypatch):
    """Does $GCNN_COURSE_SECRET win over a file in the folder, and is a name without a file an error?"""
    (tmp_path / ".course-secret").write_text("here")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("there")
    monkeypatch.setenv("GCNN_COURSE_SECRET", str(elsewhere))
    assert secret.secret_file() == elsewhere
    there = numbers()
    monkeypatch.setenv("GCNN_COURSE_SECRET", "")
    assert secret.secret_file() == tmp_path / ".course-secret"
    assert numbers() != there
    monkeypatch.setenv("GCNN_COURSE_SECRET", str(tmp_path / "missing"))
    with pytest.raises(FileNotFoundError, match="missing"):
        hidden.generator("layer")


def test_creating_a_secret(tmp_path):
    """Is a new secret long, different each time, readable by its owner only, and never overwritten?"""
    path, other = tmp_path / ".course-secret", tmp_path / "other"
    secret.create_secret(path)
    secret.create_secret(other)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text()
    assert len(text.strip()) == 64 and text != other.read_text()
    with pytest.raises(FileExistsError):
        secret.create_secret(path)
    assert path.read_text() == text
    assert secret.secret_file() == path


def test_no_empty_secret_is_left_or_used(tmp_path, monkeypatch):
    """Does a full disk leave no file, and does an empty one stop whatever would draw from it, with what to do?"""
    path = tmp_path / ".course-secret"

    def full(file):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            secret.create_secret(path)
    assert not path.exists()
    path.write_text("\n")
    with pytest.raises(OSError, match=r"is empty.*autograder secret"):
        hidden.generator("layer")
    command = [sys.executable, "-m", "autograder.cli", "secret", "--root", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "is empty" in done.stderr and str(path) in done.stderr and path.read_text() == "\n"


def test_a_secret_is_not_written_through_a_link(tmp_path):
    """Is a link in the secret's place refused, so that it is not written elsewhere?"""
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with pytest.raises(FileExistsError):
        secret.create_secret(tmp_path / "link")
    assert not (tmp_path / "target").exists()


def test_a_generator_depends_on_secret_and_name_only(tmp_path):
    """Do the same secret and name give the same numbers, whatever was drawn before, and any others do not?"""
    first = numbers("a")
    torch.manual_seed(3)
    numbers("b")
    assert numbers("a") == first != numbers("b")
    file = tmp_path / ".course-secret"
    file.write_text("one")
    one = numbers("a")
    file.write_text("  one \n")
    assert numbers("a") == one, "white space around a secret does not count"
    file.write_text("two")
    assert len({tuple(first), tuple(one), tuple(numbers("a"))}) == 3


def test_secret_and_name_cannot_be_confused(tmp_path):
    """Does a character that moves from the name to the secret change what is drawn?"""
    file = tmp_path / ".course-secret"
    file.write_text("a")
    first = numbers("bc")
    file.write_text("ab")
    assert numbers("c") != first


def test_numbers_are_not_the_public_ones():
    """Are the grader's inputs others than those of the visible checks with the same name?"""
    from gcnn import checks

    public = torch.rand(5, generator=checks.generator("lifting-conv")).tolist()
    assert numbers("lifting-conv") != public


def test_digits_are_what_a_network_takes(forget):
    """Are there 5,000 pictures with their labels, in the shape, range and type of the public ones?"""
    images, labels = hidden.digits()
    public = MnistRotDataset("valid")
    assert images.shape == (5000, 1, 33, 33) and images.dtype == public.images.dtype == torch.float32
    assert labels.shape == (5000,) and labels.dtype == public.labels.dtype == torch.int64
    assert images.min() >= 0 and images.max() <= 1
    shares = labels.bincount(minlength=10) / 5000
    assert len(shares) == 10 and shares.min() > 0.08 and shares.max() < 0.13, "each digit is about a tenth"
    assert float(images.mean()) == pytest.approx(float(public.images.mean()), rel=0.1)
    assert images.flatten(1).sum(1).min() > 0


def test_digits_depend_on_the_secret_only(tmp_path, forget):
    """Are the angles another course's with another secret, and the same with the same one?"""
    images, labels = hidden.digits()
    hidden.digits_turned.cache_clear()
    again, _ = hidden.digits()
    assert torch.equal(images, again) and again is not images
    assert hidden.digits()[0] is again, "the second call is for nothing"
    (tmp_path / ".course-secret").write_text("another")
    others, other_labels = hidden.digits()
    assert torch.equal(labels, other_labels)
    different = (images != others).flatten(1).any(1)
    assert different.double().mean() > 0.99


def test_originals_stand_upright_and_are_all_different():
    """Are there over a thousand different originals, so that 5,000 pictures show more than a few digits?"""
    with np.load(hidden.resources.files("autograder") / "digits" / "hidden.npz") as file:
        originals, labels = file["images"], file["labels"]
    assert originals.shape == (len(labels), 28, 28) and len(originals) > 1000
    assert len(np.unique(originals.reshape(len(originals), -1), axis=0)) == len(originals)
    ones = originals[labels == 1] > 127
    heights, widths = ones.any(2).sum(1), ones.any(1).sum(1)
    assert np.median(heights) > 1.5 * np.median(widths)


@pytest.mark.parametrize("damage", ["missing", "cut short", "another array"])
def test_damaged_digits_say_what_to_do(tmp_path, monkeypatch, forget, damage):
    """Does a missing or damaged file stop the grading with the command that restores it?"""
    path = tmp_path / "digits" / "hidden.npz"
    path.parent.mkdir()
    if damage == "cut short":
        path.write_bytes((hidden.resources.files("autograder") / "digits" / "hidden.npz").read_bytes()[:1000])
    elif damage == "another array":
        np.savez(path, pictures=np.zeros(3))
    monkeypatch.setattr(hidden.resources, "files", lambda package: tmp_path)
    with pytest.raises(
        RuntimeError, match=r"missing or damaged \(.+\)\. Restore them with: python data/build_digits\.py"
    ):
        hidden.digits()


def test_a_secret_that_is_handed_over_holds(tmp_path, monkeypatch):
    """Does a worker draw with the secret that came with its job, and with its own again afterwards?"""
    (tmp_path / ".course-secret").write_text("the course's")
    own = numbers("a")
    monkeypatch.chdir("/")
    with secret.handed_over("the course's"):
        assert numbers("a") == own
    assert numbers("a") != own
