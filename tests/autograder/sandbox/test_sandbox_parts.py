"""Tests of the sandbox's parts that need no kernel: what is packed, where cgroups go, what a filter forbids."""

import json
import os
import struct
import subprocess
import sys

import pytest

from autograder.sandbox import cgroups, files, seccomp
from autograder.sandbox.launcher import unpack
from autograder.sandbox.limits import Evidence, Limits


def _content(descriptor):
    with os.fdopen(descriptor, "rb") as stream:
        found = {}
        while line := stream.readline():
            name, size, executable = json.loads(line)
            found[name] = (stream.read(size), executable)
        return found


@pytest.fixture
def elsewhere(tmp_path_factory):
    """A folder for streams."""
    return tmp_path_factory.mktemp("elsewhere")


def test_files_arrive_as_they_were(tmp_path, monkeypatch):
    """Does the launcher unpack what was packed: names with odd characters, empty files, folders, executables?"""
    source, target = tmp_path / "source", tmp_path / "target"
    content = {"a b.txt": b"x\ny", "deep/er/ü.bin": bytes(range(256)), "empty": b"", "run": b"#!/bin/sh\n"}
    for name, data in content.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(data)
    with open(os.fsencode(source) + b"/\xff", "wb") as file:
        file.write(b"not unicode")
    (source / "run").chmod(0o755)
    target.mkdir()
    monkeypatch.chdir(target)
    descriptor, left_out = files.pack(source, 1e6, target)
    unpack(descriptor)
    assert left_out == []
    assert set(os.listdir(os.fsencode(target))) == {b"a b.txt", b"deep", b"empty", b"run", b"\xff"}
    for name, data in content.items():
        assert (target / name).read_bytes() == data
    assert os.path.exists(os.fsencode(target) + b"/\xff")
    assert os.access(target / "run", os.X_OK) and not os.access(target / "empty", os.X_OK)


def test_notebooks_and_checkpoints_stay_outside(tmp_path, elsewhere):
    """Is no notebook packed, at any depth, and no folder of Jupyter's checkpoints?"""
    for name in ("gcnn.ipynb", "deep/other.ipynb", ".ipynb_checkpoints/x.txt", "data.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    descriptor, left_out = files.pack(tmp_path, 1e6, elsewhere)
    assert (set(_content(descriptor)), left_out) == ({"data.csv"}, [])


def test_what_is_too_large_is_left_out_and_the_rest_goes_in(tmp_path, elsewhere, monkeypatch):
    """Is a file beyond the budget, a hole of a terabyte as well, left out with the reason, and a file too many?"""
    (tmp_path / "a.bin").write_bytes(bytes(600))
    (tmp_path / "b.bin").write_bytes(bytes(600))
    (tmp_path / "c.bin").write_bytes(bytes(100))
    with open(tmp_path / "hole", "wb") as file:
        file.truncate(10**12)
    descriptor, left_out = files.pack(tmp_path, 1000, elsewhere)
    assert set(_content(descriptor)) == {"a.bin", "c.bin"}
    assert left_out == ["b.bin: too large (0.0 MB)", "hole: too large (1,000,000.0 MB)"]
    monkeypatch.setattr(files, "MOST_FILES", 1)
    descriptor, left_out = files.pack(tmp_path, 1e6, elsewhere)
    assert (len(_content(descriptor)), left_out[0]) == (1, "b.bin: more than 1 files")


def test_the_stream_cannot_be_written_to(tmp_path):
    """Is the descriptor that goes into the sandbox for reading only?"""
    descriptor, _ = files.pack(None, 1e6, tmp_path)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.write(descriptor, b"x")
    os.close(descriptor)


def test_folders_without_end_are_left_out(tmp_path, elsewhere):
    """Are folders within folders without end, and names too long, left out, and what is above them kept?"""
    (tmp_path / "kept.txt").write_text("x")
    descriptor = os.open(tmp_path, os.O_RDONLY)
    for _ in range(300):
        os.mkdir("deeper", dir_fd=descriptor)
        inner = os.open("deeper", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = inner
    os.close(os.open("hidden.txt", os.O_CREAT | os.O_WRONLY, dir_fd=descriptor))
    os.close(descriptor)
    long = tmp_path.joinpath(*["x" * 200] * 6)
    long.mkdir(parents=True)
    (long / "y").write_text("x")
    descriptor, left_out = files.pack(tmp_path, 1e6, elsewhere)
    assert set(_content(descriptor)) == {"kept.txt"}
    assert [line.rpartition(": ")[2] for line in left_out] == ["folders more than 20 deep", "too long a name"]


def test_a_folder_that_is_a_device_or_a_link_is_not_opened(tmp_path, elsewhere):
    """Are a link to a FIFO, a dangling link and a socket left out without being opened?"""
    import socket

    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("fifo")
    (tmp_path / "dangling").symlink_to("/nowhere")
    here = os.getcwd()
    os.chdir(tmp_path)  # a socket's path has room for few characters
    try:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind("socket")
            _, left_out = files.pack(tmp_path, 1e6, elsewhere)
    finally:
        os.chdir(here)
    assert [line.split(":")[0] for line in left_out] == ["dangling", "fifo", "link", "socket"]


def test_cgroup_v2_goes_below_the_nearest_group_that_hands_on(tmp_path, monkeypatch):
    """Is the group made beside the grader's own, where controllers are handed on, with its limits?"""
    own = tmp_path / "user.slice" / "user@1000.service" / "app.slice" / "run-1.scope"
    own.mkdir(parents=True)
    for folder, controllers in ((own, ""), (own.parent, "memory pids"), (own.parents[1], "cpu memory pids")):
        (folder / "cgroup.subtree_control").write_text(controllers)
    monkeypatch.setattr(cgroups, "parents", lambda: ({}, own, tmp_path))
    noted = []
    group = cgroups.create("box", Limits(memory_mb=100, processes=7), noted.append)
    directory = own.parent / "box"
    assert group.version == 2 and set(group.directories.values()) == {directory} and noted == [directory]
    assert group.entrances == [directory / "cgroup.procs"]
    written = {path.name: path.read_text() for path in directory.iterdir()}
    expected = {"memory.max": "100000000", "pids.max": "7", "memory.swap.max": "0", "memory.oom.group": "1"}
    assert written == expected
    (directory / "memory.events").write_text("low 0\noom 3\noom_kill 2\n")
    (directory / "pids.events").write_text("max 5\n")
    (directory / "memory.peak").write_text("12345\n")
    assert (group.memory_kills(), group.refused_processes(), group.peak_memory()) == (2, 5, 12345)


def test_no_cgroup_is_made_where_none_can_be(tmp_path, monkeypatch):
    """Where the tree hands nothing on, or cannot be read: is there no group, and no error?"""
    (tmp_path / "own").mkdir()
    monkeypatch.setattr(cgroups, "parents", lambda: ({}, tmp_path / "own", tmp_path))
    assert cgroups.create("box", Limits(), print).directories == {}
    monkeypatch.setattr(cgroups, "parents", lambda: ({"memory": tmp_path / "missing"}, None, None))
    group = cgroups.create("box", Limits(), lambda path: None)
    assert (group.directories, group.peak_memory(), group.memory_kills()) == ({}, None, 0)


def test_in_v1_processors_are_shared_by_a_group_of_their_own(tmp_path, monkeypatch):
    """Is there a group for the controller that shares processors out, entered like the others, without a limit?"""
    places = {name: tmp_path / name for name in ("memory", "pids", "cpu")}
    for place in places.values():
        place.mkdir()
    monkeypatch.setattr(cgroups, "parents", lambda: (places, None, None))
    group = cgroups.create("box", Limits(memory_mb=100, processes=7), lambda path: None)
    assert group.directories == {name: place / "box" for name, place in places.items()}
    assert group.entrances == sorted(place / "box" / "cgroup.procs" for place in places.values())
    written = {file.name: file.read_text() for place in places.values() for file in (place / "box").iterdir()}
    assert written["pids.max"] == "7" and written["memory.limit_in_bytes"] == "100000000"
    assert list((places["cpu"] / "box").iterdir()) == []


def test_this_process_is_found_in_the_tree(tmp_path):
    """Are v1 and v2 places read from the kernel's tables, also in a container that shows a part of the tree?"""
    own, mounts = tmp_path / "cgroup", tmp_path / "mountinfo"
    own.write_text("5:memory:/docker/abc/jobs\n4:cpu,cpuacct:/\n3:pids:/\n0::/docker/abc\n")
    mounts.write_text(
        "30 1 0:1 /docker/abc /sys/fs/cgroup/memory rw,relatime shared:1 - cgroup cgroup rw,memory\n"
        "31 1 0:2 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n"
        "32 1 0:3 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
        "33 1 0:4 /docker/abc /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
        "34 1 0:5 / / rw - ext4 /dev/sda rw\n"
    )
    v1, v2, top = cgroups.parents(str(own), str(mounts))
    assert {name: str(path) for name, path in v1.items()} == {
        "memory": "/sys/fs/cgroup/memory/jobs",
        "pids": "/sys/fs/cgroup/pids",
        "cpu": "/sys/fs/cgroup/cpu",
    }
    assert str(v2) == str(top) == "/sys/fs/cgroup/unified"


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter_forbids_what_it_names_and_nothing_else(machine):
    """Run by hand: does the filter forbid each number in the table and x32's, allow others, and kill 32-bit calls?"""
    program = list(struct.iter_unpack("=HBBI", seccomp.program(machine)))

    def run(arch, number):
        value, position = None, 0
        while True:
            code, yes, no, k = program[position]
            position += 1
            if code == 0x20:
                value = {0: number, 4: arch}[k]
            elif code == 0x06:
                return k
            else:
                position += yes if (value == k if code == 0x15 else value >= k) else no

    arch, forbidden = seccomp._AUDIT_ARCH[machine], set(seccomp._FORBIDDEN[machine].values())
    assert {number for number in range(600) if run(arch, number) == 0x00050000 | 38} == forbidden
    assert {run(arch, number) for number in set(range(600)) - forbidden} == {0x7FFF0000}
    assert run(arch, 0x40000000 + 1) == 0x00050000 | 38
    assert run(0x40000003, 1) == 0x80000000


def test_there_is_no_filter_for_an_unknown_processor():
    """Is there none rather than a wrong one?"""
    assert seccomp.program("riscv64") is None


def test_a_limit_is_noted_once():
    """Does the record hold each sentence once, in order?"""
    evidence = Evidence()
    for sentence in ("b", "a", "b"):
        evidence.hit(sentence)
    assert evidence.limits_hit == ["b", "a"]


_MANY = """
from autograder.sandbox.workspace import Workspace
for _ in range(300):
    Workspace().remove()
"""


def test_graders_do_not_take_each_others_directory_away():
    """Can graders begin and end sandboxes at once, although each removes the common directory when it is empty?"""
    graders = [subprocess.Popen([sys.executable, "-c", _MANY], stderr=subprocess.PIPE, text=True) for _ in range(4)]
    said = [grader.communicate(timeout=120)[1] for grader in graders]
    assert [grader.returncode for grader in graders] == [0, 0, 0, 0], said
