"""What this machine really enforces: each limit is exceeded once, by a small program in a sandbox of its own."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil

from autograder.sandbox import bubblewrap
from autograder.sandbox.available import check
from autograder.sandbox.limits import Limits, SandboxUnavailable
from autograder.sandbox.sandbox import Sandbox


@dataclasses.dataclass(frozen=True)
class Row:
    """One finding."""

    what: str
    """What was looked at."""
    ok: bool
    """Whether it is as it should be."""
    detail: str
    """What was found, and by which mechanism."""
    todo: str = ""
    """What to do about it; empty if there is nothing to do."""


PATIENCE = 20  # seconds that a limit has to take effect

_WALLS = """
import importlib.util, json, os, socket
def reachable():
    try:
        socket.create_connection(("192.0.2.1", 80), 1)
    except OSError as error:
        return type(error).__name__ == "TimeoutError"  # on its way
    return True
status = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
def importable(name):
    try:
        __import__(name)
    except ModuleNotFoundError:
        return False
    return True
print(json.dumps({
    "network": sorted(name for _, name in socket.if_nameindex() if name != "lo") or reachable(),
    "autograder": importable("autograder"),
    "gcnn": importlib.util.find_spec("gcnn") is not None,
    "kernel": importlib.util.find_spec("ipykernel") is not None,
    "powers": [name for name in ("CapPrm", "CapEff", "CapBnd") if int(status[name], 16)]
              + ["root"] * (os.getuid() == 0) + ["new privileges"] * (status["NoNewPrivs"].strip() != "1"),
    "writable": [path for path in ("/", "/dev", "/usr", "/etc", "/run") if os.access(path, os.W_OK)],
    "seen": len([name for name in os.listdir("/proc") if name.isdigit()]),
}))
"""
_MEMORY = "kept = bytearray(10**9); kept[::4096] = bytes(len(kept[::4096])); import time; time.sleep(5)"
_PROCESSES = """
import os, time
for _ in range(200):
    try:
        child = os.fork()
    except BlockingIOError:  # refused
        break
    if child == 0:
        time.sleep(9)
        os._exit(0)
time.sleep(5)
"""
_DISK = """
import errno
for folder in (".", "/tmp", "/dev/shm"):
    try:
        for part in range(20):
            with open(f"{folder}/{part}", "wb") as file:
                file.write(bytes(10**6))
        print("no limit in", folder)
    except OSError as error:
        assert error.errno == errno.ENOSPC, error
"""


def doctor(limits: Limits | None = None, python: str = sys.executable) -> list[Row]:
    """Try out what this machine enforces. Takes a few seconds.

    Args:
        limits: those that gradings use, compared with what the machine has.
        python: the interpreter that kernels run on.
    """
    limits = limits or Limits()
    rows = []
    try:
        check(python)
    except SandboxUnavailable as error:
        message, _, todo = str(error).partition(". ")
        rows.append(Row("bubblewrap", False, message, todo))
    else:
        version = subprocess.run(["bwrap", "--version"], capture_output=True, text=True).stdout.split()[-1]
        user = "root, the kernel as a user of its own" if os.geteuid() == 0 else "an ordinary user"
        rows.append(Row("bubblewrap", True, f"{version}, started as {user}"))
        rows += _walls(python)
        rows += _limits(python)
    return [*rows, *_machine(limits)]


def _walls(python: str) -> Iterator[Row]:
    with Sandbox(python=python) as sandbox:
        output = sandbox.run([python, "-c", _WALLS])[1]
    try:
        found = json.loads(output)
    except ValueError:
        yield Row("Python in the sandbox", False, output.strip()[-200:], "Use another Python, or make it readable.")
        return
    yield Row("network cut", not found["network"], "only itself" if not found["network"] else f"{found['network']}")
    yield Row("system read-only", not found["writable"], ", ".join(found["writable"]) or "all of it")
    yield Row("no privileges", not found["powers"], ", ".join(found["powers"]) or "no capabilities, none to be had")
    yield Row("other processes unseen", found["seen"] < 10, f"{found['seen']} processes in sight, its own")
    yield Row("autograder unseen", not found["autograder"], "importable" if found["autograder"] else "not importable")
    for name, package in (("gcnn", "gcnn"), ("ipykernel", "kernel")):
        todo = "" if found[package] else f"Install {name} into the environment of {python}."
        yield Row(f"{name} installed", found[package], "importable" if found[package] else "not importable", todo)


def _limits(python: str) -> Iterator[Row]:
    cgroup = "Start grading where there is a cgroup to write to: as root, or under `systemd-run --user --scope`."
    for what, limit, code, sentence, otherwise in (
        ("memory", Limits(memory_mb=200), _MEMORY, "memory limit", cgroup),
        ("processes", Limits(processes=20), _PROCESSES, "limit of 20 processes", cgroup),
        ("time", Limits(submission_seconds=1), "while True: pass", "time limit of 1 s", ""),
    ):
        with Sandbox(limit, python=python) as sandbox:
            sandbox.run([python, "-I", "-S", "-c", code], timeout=PATIENCE)
            hit = any(sentence in text for text in sandbox.evidence.limits_hit)
            by = sandbox.evidence.enforced_by[what]
            sampled = by == "watchdog" and what == "memory"
            detail = f"by {by}" + (": a few times a second, so it can be exceeded for a moment" if sampled else "")
            yield Row(f"{what} limit", hit, detail if hit else "exceeded, and nothing happened", otherwise * sampled)
    with Sandbox(Limits(disk_mb=5), python=python) as sandbox:
        status, output = sandbox.run([python, "-I", "-S", "-c", _DISK])
        hit = status == 0 and not output
        yield Row("disk limit", hit, f"by {sandbox.evidence.enforced_by['disk']}" if hit else output.strip()[-200:])


def _machine(limits: Limits) -> Iterator[Row]:
    cores, memory = len(psutil.Process().cpu_affinity()), psutil.virtual_memory().total / 1e6
    yield Row("cores", True, str(cores))
    enough = memory > limits.memory_mb
    todo = "" if enough else f"Set the memory limit, {limits.memory_mb:,.0f} MB, below what the machine has."
    yield Row("memory", enough, f"{memory:,.0f} MB", todo)
    gpus = [device for device in bubblewrap.gpu_devices() if device[-1].isdigit()]
    yield Row("GPU", True, ", ".join(gpus) or "none: networks train on the processor")
    alembic = shutil.which("alembic")
    beside = Path(sys.executable).parent / "alembic"
    todo = f"Put {beside.parent} on PATH." if beside.exists() else "Install it: it comes with nbgrader."
    yield Row("alembic on PATH", bool(alembic), alembic or "not found", "" if alembic else f"nbgrader needs it. {todo}")
