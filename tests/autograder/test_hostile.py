"""Tests of grading against hostile submissions: no undeserved point, no effect outside the sandbox, none dropped.

The attacks are those of `autograder.attacks`, watched by `autograder.watch`. Here is checked that each of
them ends as it must, and that the watch would notice if it did not.
"""

import json
import os
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from autograder import attacks, watch
from autograder.handins import HANDINS
from autograder.notebooks import ASSIGNMENT
from autograder.sandbox import SandboxUnavailable, clean_up_stale, workspace
from autograder.sandbox.sandbox import check
from autograder.sandbox.workspace import Workspace
from autograder.watch import Watch

PROJECT = Path(__file__).parents[2]
SAMPLES = sorted(path.stem for path in (PROJECT / "tests" / "submissions").glob("*.py"))
HOSTILE = [name for name in SAMPLES if name.startswith(("cheats__", "breaks__"))] + [h.name for h in HANDINS]
QUICK = ["cheats__patches_every_comparison", "breaks__os_exit", "handin__points_raised", "handin__noise"]


@pytest.fixture(scope="module")
def course(project, tmp_path_factory):
    """A course with its bystander, in a folder of its own."""
    try:
        check()
    except SandboxUnavailable as error:
        pytest.skip(str(error))
    return attacks.prepare(project, tmp_path_factory.mktemp("hostile") / "course")


@pytest.fixture(scope="module")
def watching(course):
    """The watch over it."""
    with Watch(course, attacks.BYSTANDER) as watching:
        yield watching


def test_there_are_enough_attacks_of_each_kind():
    """Are there at least thirty hostile samples, beside the hostile hand-ins, and no two of a name?"""
    assert len([name for name in HOSTILE if not name.startswith("handin__")]) >= 34
    assert len([name for name in HOSTILE if name.startswith("handin__")]) >= 10
    assert len(set(HOSTILE)) == len(HOSTILE)


def _graded(name, course, watching):
    (attack,) = attacks.attacks(course.project, course.source(), name)
    return attacks.grade(course, attack, watching)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow]) for name in HOSTILE]
)
def test_an_attack_has_no_success(name, course, watching):
    """Is it graded, with exactly the points that it deserves, and with no effect outside its sandbox?"""
    result = _graded(name, course, watching)
    assert result.effects == ()
    assert result.broken == ()
    assert result.undeserved == 0
    assert result.stopped_by not in ("", "nothing")


def _on_disk(course, watching):
    (course.root / "hostile-sample-was-here").touch()


def _in_a_planted_file(course, watching):
    watching.canaries[-1].write_text("changed")


def _read(course, watching):
    watching.canaries[0].read_text()


def _in_anothers_hand_in(course, watching):
    path = course.folder("submitted", attacks.BYSTANDER) / f"{ASSIGNMENT}.ipynb"
    path.write_text(path.read_text() + " ")


def _in_the_gradebook(course, watching):
    with sqlite3.connect(course.root / "gradebook.db") as base:
        base.execute("update grade set auto_score = auto_score + 1 where auto_score is not null")
    base.close()


def _in_the_environment(course, watching):
    os.environ["HOSTILE_SAMPLE"] = "was here"


def _in_the_sandboxes_folder(course, watching):
    os.close(Workspace()._lock)  # as if its grader had died: the next one cleans up after it


@pytest.mark.parametrize(
    "effect",
    [
        _on_disk,
        _in_a_planted_file,
        _read,
        _in_anothers_hand_in,
        _in_the_gradebook,
        _in_the_environment,
        _in_the_sandboxes_folder,
    ],
)
def test_the_watch_notices(effect, course, monkeypatch):
    """Would an effect be noticed: a new, changed or opened file, another's hand-in or grade, the environment?"""
    monkeypatch.setattr(Workspace, "there", set())
    monkeypatch.setenv("HOSTILE_SAMPLE", "")
    with Watch(course, attacks.BYSTANDER) as watching:
        with watching.over("nobody") as effects:
            pass
        assert effects == []
        with watching.over("nobody") as effects:
            effect(course, watching)
        assert effects
    (course.root / "hostile-sample-was-here").unlink(missing_ok=True)
    clean_up_stale()


def test_the_watch_blames_nobody_for_anothers_sandbox(course):
    """Is a directory that another grader left while a submission was graded no effect of that submission?"""
    with Watch(course, attacks.BYSTANDER) as watching, watching.over("nobody") as effects, workspace._alone() as base:
        left = base / "1"
        left.mkdir()
    assert effects == []
    clean_up_stale()
    assert not left.exists()


def test_a_watch_that_cannot_see_says_so(tmp_path):
    """Does a file that cannot be watched stop the watch, rather than pass for one that nobody opened?"""
    with pytest.raises(OSError, match="cannot be watched"), watch._Reads([tmp_path / "nowhere"]):
        pass


def test_the_watch_notices_a_connection(course):
    """Would it be noticed that a submission reached a server on this machine?"""
    with Watch(course, attacks.BYSTANDER) as watching, watching.over("nobody") as effects:
        socket.create_connection(watching.network.getsockname()).close()
    assert "a connection came to" in effects[0]


def test_the_watch_notices_a_process_that_is_left_over(course, monkeypatch):
    """Would a process in a sandbox be noticed that is still there after the grading?"""
    monkeypatch.setattr(watch, "SETTLE", 0.3)
    words = ["bwrap", "--die-with-parent", "--unshare-pid", "--ro-bind", "/", "/", "--proc", "/proc", "sleep", "60"]
    with Watch(course, attacks.BYSTANDER) as watching:
        with watching.over("nobody") as effects:
            process = subprocess.Popen(words)
            end = time.monotonic() + 10
            while not any(p.name() == "sleep" for p in watch._sandboxed()) and time.monotonic() < end:
                time.sleep(0.05)
        process.kill()
        process.wait()
    assert any("left over" in effect and "sleep" in effect for effect in effects)


@pytest.mark.slow
def test_the_benchmark_writes_the_rows(tmp_path):
    """Does the command grade the attacks, show the table, and write the figures that every version must have?"""
    arguments = ["--only", QUICK[1], "--runs", "0", "--out", tmp_path / "x.json"]
    command = [sys.executable, PROJECT / "benchmarks" / "judge.py", *arguments]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "breaks: os exit" in done.stdout and "No attack had any success." in done.stdout
    result = json.loads((tmp_path / "x.json").read_text())
    rows = {row["name"]: row["value"] for row in result["rows"]}
    assert rows["attacks.total"] == 1
    assert rows["attacks.undeserved_points"] == rows["attacks.effects_outside"] == rows["attacks.not_as_promised"] == 0
    assert {"made", "commit", "machine", "versions", "command"} <= result.keys()
