"""Tests of files that are there whole or not at all."""

import errno
import os

import pytest

from autograder import durable


def test_a_file_is_replaced_or_stays(tmp_path):
    """Is the new content there, and the old one where writing fails, without a part of either?"""
    path = tmp_path / "a [1].txt"
    durable.write(path, "old")
    durable.write(path, "new ä")
    assert path.read_text(encoding="utf-8") == "new ä"

    with pytest.raises(KeyboardInterrupt), durable.replacing(path) as part:
        part.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text(encoding="utf-8") == "new ä" and os.listdir(tmp_path) == [path.name]


def test_a_file_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    """Is the content synced before the renaming, the folder after it, and a full disk no reason to rename?"""
    done, replace = [], os.replace

    def renamed(old, new):
        done.append(("renamed", os.fspath(new)))
        replace(old, new)

    monkeypatch.setattr(os, "replace", renamed)
    monkeypatch.setattr(os, "fsync", lambda file: done.append(("synced", os.readlink(f"/proc/self/fd/{file}"))))
    path = tmp_path / "grades.csv"
    durable.write(path, b"1")
    (first, part), second, third = done
    assert first == "synced" and part.startswith(f"{tmp_path}/.grades.csv.")
    assert (second, third) == (("renamed", f"{path}"), ("synced", f"{tmp_path}"))

    def full(file):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        durable.write(path, b"2")
    assert path.read_bytes() == b"1" and os.listdir(tmp_path) == [path.name]


def test_parts_that_a_killed_process_left_are_cleared(tmp_path):
    """Does an old part go with the next writing, and one that somebody may be writing just now stay?"""
    path = tmp_path / "grades.csv"
    old, new, other = (tmp_path / f".{name}.0.part" for name in ("grades.csv", "grades.csv.x", "groups.csv"))
    for part in (old, new, other):
        part.write_text("")
    os.utime(old, (1, 1))
    os.utime(other, (1, 1))
    durable.write(path, "")
    assert not old.exists() and new.exists() and other.exists()


def test_a_file_may_lie_in_a_folder_that_is_a_link(tmp_path):
    """Can a file be written where the instructor's own folder is a link?"""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    durable.write(tmp_path / "link" / "a.txt", "x")
    assert (tmp_path / "real" / "a.txt").read_text() == "x"


def test_a_whole_folder_is_synced_and_no_link_followed(tmp_path, monkeypatch):
    """Are all files and folders brought to the disk, and neither a link nor a FIFO opened?"""
    below = tmp_path / "folder" / "below"
    below.mkdir(parents=True)
    (below / "file").write_text("x")
    (below / "link").symlink_to(tmp_path / "nowhere")
    os.mkfifo(below / "fifo")
    done = []
    monkeypatch.setattr(os, "fsync", lambda file: done.append(os.readlink(f"/proc/self/fd/{file}")))
    durable.sync_all(tmp_path / "folder")
    assert sorted(done) == [f"{tmp_path}/folder", f"{below}", f"{below}/file"]
