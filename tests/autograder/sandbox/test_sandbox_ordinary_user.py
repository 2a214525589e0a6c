"""The walls, the limits and the end once more, as an ordinary user: what root can do is not what makes them hold."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from autograder.sandbox.bubblewrap import folders_above

HERE = Path(__file__).parent
USER = 54321
SELECTED = (
    "no_network or file_system or imported or no_privileges or writable or hand_in or masked or a_memory_bomb_is "
    "or fork_bomb or full_disk or larger or die_with_the_sandbox or killed_grader or this_machine_well"
)


def _opened(needed):
    """Words for bubblewrap that make folders reachable which only root can reach, and nothing beside them."""
    closed = {parent for path in needed for parent in path.parents if not parent.stat().st_mode & 0o001}
    words = []
    for folder in sorted(closed):
        words += ["--perms", "0755", "--tmpfs", str(folder)]
    for path in sorted(needed):
        if closed & set(path.parents):
            words += [*folders_above(str(path)), "--ro-bind", str(path), str(path)]
    return words


@pytest.mark.skipif(os.geteuid() != 0, reason="all tests run as an ordinary user already")
@pytest.mark.skipif(
    any(Path("/tmp") in path.parents for path in (HERE, Path(sys.prefix))),
    reason="the ordinary user gets an empty /tmp, and the project lies in it",
)
@pytest.mark.parametrize(
    "selected", [pytest.param(SELECTED, id="most"), pytest.param("test_", marks=pytest.mark.slow, id="all")]
)
def test_it_holds_for_an_ordinary_user(selected, bubblewrap, tmp_path_factory):
    """Do the tests that matter most, and in a slow run all, pass as a user without any rights on this machine?"""
    needed = [*map(Path, {sys.prefix, sys.base_prefix}), *(HERE.parents[2] / name for name in ("src", "tests"))]
    folder = tmp_path_factory.mktemp("ordinary")
    command = [
        *("bwrap", "--dev-bind", "/", "/", *_opened(needed), "--perms", "1777", "--tmpfs", "/tmp", "--die-with-parent"),
        *("--cap-add", "ALL", "setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--bounding-set=-all"),
        *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--confcutdir", str(HERE), "-k", selected),
        *(str(path) for path in sorted(HERE.glob("test_sandbox_*.py")) if path != Path(__file__)),
    ]
    environment = {"PATH": os.environ["PATH"], "HOME": "/tmp", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd="/", timeout=300)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "skipped" not in done.stdout.splitlines()[-1] or "1 skipped" in done.stdout  # a test that needs root
    assert not any(folder.iterdir())
