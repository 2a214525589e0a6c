"""Serves nbgrader's formgrader for a course, on this machine alone: for tests and pictures of it.

Instructors start JupyterLab in the course's folder, which has the formgrader in its menu; this is the same server with
the same settings, without the laboratory and whatever else a person has installed.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from autograder.course import Course, alembic_on_path
from autograder.errors import CourseError

WAIT = 120.0  # seconds that a server may take to start
_OTHERS = ("jupyterlab", "notebook", "jupyter_lsp", "jupyter_server_terminals", "jupyterlab_jupytext")


@contextlib.contextmanager
def served(course: Course) -> Iterator[str]:
    """A Jupyter server in the course's folder, until the block ends.

    Gives the address of the formgrader, with the token that lets its first visitor in.

    Raises:
        CourseError: it does not start; the message has its last lines.
    """
    options = [f"--ServerApp.jpserver_extensions={name}=False" for name in _OTHERS]
    with (
        tempfile.TemporaryDirectory(prefix="formgrader-") as own,
        alembic_on_path(),
        jupyter(course.root, Path(own), "jupyter_server", options) as (url, token),
    ):
        yield f"{url}formgrader?token={token}"


@contextlib.contextmanager
def jupyter(
    root: Path, own: Path, program: str, options: Sequence[str] = (), variables: Mapping[str, str] | None = None
) -> Iterator[tuple[str, str]]:
    """A Jupyter server for this machine alone, until the block ends, with its kernels.

    Args:
        root: the folder that it shows.
        own: a folder for its settings and for what it writes. A person's own, and other servers', stay out of it.
        program: the module that is run.
        options: further ones of its command line.
        variables: further ones of its environment.

    Returns:
        Its address, and the token that lets its first visitor in.

    Raises:
        CourseError: it does not start; the message has its last lines.
    """
    environment = {**os.environ, "JUPYTER_PREFER_ENV_PATH": "1", **(variables or {})}
    environment |= {f"JUPYTER_{kind}_DIR": str(own / kind.lower()) for kind in ("CONFIG", "DATA", "RUNTIME")}
    command = [sys.executable, "-m", program, "--no-browser", "--ip=127.0.0.1", "--port=0", *options]
    if os.geteuid() == 0:
        command.append("--allow-root")
    with (own / "log").open("wb") as log:
        server = subprocess.Popen(command, cwd=root, env=environment, stdout=log, stderr=log)
        try:
            yield _address(server, own)
        finally:
            server.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(20)
            server.kill()
            server.wait()


def _address(server: subprocess.Popen, own: Path) -> tuple[str, str]:
    """Where the server is to be reached, once it is, and its token."""
    end = time.monotonic() + WAIT
    while server.poll() is None and time.monotonic() < end:
        for path in (own / "runtime").glob("jpserver-*.json"):
            with contextlib.suppress(ValueError):  # not written to its end yet
                found = json.loads(path.read_text())
                return found["url"], found["token"]
        time.sleep(0.1)
    last = "\n".join((own / "log").read_text(errors="replace").splitlines()[-10:])
    raise CourseError(f"the Jupyter server did not start; its last words:\n{last}")
