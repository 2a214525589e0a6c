"""Control groups: the kernel's own limits on the memory and the number of processes of a tree of processes.

A group is also what processors are shared between: many busy processes in one get no more than one in another.

v2 where a group can be made below one that hands on its controllers, else v1, else none. Needs root, or a part of the
tree that systemd handed to the user (a session under ``user@….service``).
"""

import contextlib
import dataclasses
import os
import signal
import time
from pathlib import Path

from autograder.sandbox.limits import Limits

CONTROLLERS = ("memory", "pids")
SHARING = "cpu"  # a controller of its own in v1; in v2 every group has its share where the controller is handed on


@dataclasses.dataclass
class Cgroup:
    """The groups of one sandbox: a directory for each controller, the same one in v2."""

    directories: dict[str, Path] = dataclasses.field(default_factory=dict)
    """Controller -> directory; a controller that is not to be had here is missing."""
    version: int = 2
    """2 or 1."""

    @property
    def entrances(self) -> list[Path]:
        """Files into which a process writes 0 to enter."""
        return sorted({directory / "cgroup.procs" for directory in self.directories.values()})

    def peak_memory(self) -> int | None:
        """The most memory the group ever had, in bytes; None if that is not counted."""
        return _number(self._file("memory", "memory.peak" if self.version == 2 else "memory.max_usage_in_bytes"))

    def memory_kills(self) -> int:
        """How many processes the kernel has killed because of the memory limit."""
        return _entry(self._file("memory", "memory.events" if self.version == 2 else "memory.oom_control"), "oom_kill")

    def refused_processes(self) -> int:
        """How often a process or thread was not started because of the limit."""
        return _entry(self._file("pids", "pids.events"), "max")

    def _file(self, controller: str, name: str) -> Path | None:
        directory = self.directories.get(controller)
        return directory / name if directory else None

    def remove(self) -> None:
        """Kill what is still inside and remove the groups."""
        remove(self.directories.values())


def _number(file: Path | None) -> int | None:
    with contextlib.suppress(OSError, ValueError):
        return int(file.read_text()) if file else None
    return None


def _entry(file: Path | None, name: str) -> int:
    with contextlib.suppress(OSError, ValueError):
        lines = file.read_text().splitlines() if file else []
        return int(dict(line.split() for line in lines).get(name, 0))
    return 0


def remove(directories) -> None:
    """Kill every process in these groups and remove them; groups that are gone already are fine."""
    for directory in set(directories):
        for _ in range(100):
            try:
                directory.rmdir()
                break
            except FileNotFoundError:
                break
            except OSError:  # busy: somebody is inside, or was a moment ago
                with contextlib.suppress(OSError, ValueError):
                    for pid in map(int, (directory / "cgroup.procs").read_text().split()):
                        with contextlib.suppress(ProcessLookupError, PermissionError):
                            os.kill(pid, signal.SIGKILL)
                time.sleep(0.02)


def parents(
    own: str = "/proc/self/cgroup", mounts: str = "/proc/self/mountinfo"
) -> tuple[dict[str, Path], Path | None, Path | None]:
    """Where this process stands: its v1 directory for each controller, its v2 directory, and where v2 is mounted."""
    membership = {}
    for line in Path(own).read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        membership.update(dict.fromkeys(controllers.split(","), path))
    v1: dict[str, Path] = {}
    v2 = top = None
    for line in Path(mounts).read_text().splitlines():
        left, _, right = line.partition(" - ")
        root, point = left.split()[3:5]
        kind, _, options = right.split(" ", 2)
        if kind == "cgroup2" and "" in membership:
            v2, top = _below(point, root, membership[""]), Path(point)
        elif kind == "cgroup":
            there = set(options.split(","))
            # A new group of cpuset has no processors at all.
            wanted = CONTROLLERS if "cpuset" in there else (*CONTROLLERS, SHARING)
            for controller in set(wanted) & there & set(membership):
                v1[controller] = _below(point, root, membership[controller])
    return v1, v2, top


def _below(point: str, root: str, path: str) -> Path:
    # In a container the mount may show only a part of the tree, whose root is then not "/".
    inside = os.path.relpath(path, root) if path.startswith(root) else path.lstrip("/")
    return Path(point) / inside


def create(name: str, limits: Limits, note) -> Cgroup:
    """Make a group of this name with the limits on memory and processes, as far as this machine permits.

    Args:
        name: the new directories' name.
        limits: memory and processes are read.
        note: called with each path before it is made, so that the caller can remember what to remove after a crash.
    """
    memory, tasks = str(int(limits.memory_mb * 1e6)), str(limits.processes)
    try:
        v1, v2, top = parents()
    except (OSError, ValueError):
        return Cgroup()
    for parent in _with_parents(v2, top):
        # A v2 group that has processes of its own cannot hand on controllers: look above us for one that does.
        with contextlib.suppress(OSError):
            if set(CONTROLLERS) <= set((parent / "cgroup.subtree_control").read_text().split()):
                directory = _make(parent / name, note)
                _write(directory, {"memory.max": memory, "pids.max": tasks})
                # One process over the limit ends the submission as a whole; nothing is left half alive.
                _write(directory, {"memory.swap.max": "0", "memory.oom.group": "1"}, optional=True)
                return Cgroup(dict.fromkeys(CONTROLLERS, directory), version=2)
    group = Cgroup(version=1)
    for controller, parent in v1.items():
        with contextlib.suppress(OSError):
            directory = _make(parent / name, note)
            if controller == "memory":
                _write(directory, {"memory.limit_in_bytes": memory})
                # Else what does not fit into memory goes into the swap space.
                _write(directory, {"memory.memsw.limit_in_bytes": memory}, optional=True)
            elif controller == "pids":
                _write(directory, {"pids.max": tasks})
            group.directories[controller] = directory
    return group


def _with_parents(directory: Path | None, top: Path | None) -> list[Path]:
    return [d for d in (directory, *directory.parents) if d == top or top in d.parents] if directory else []


def _make(directory: Path, note) -> Path:
    note(directory)
    directory.mkdir()
    return directory


def _write(directory: Path, values: dict[str, str], optional: bool = False) -> None:
    for name, value in values.items():
        try:
            (directory / name).write_text(value)
        except OSError:
            if not optional:
                with contextlib.suppress(OSError):
                    directory.rmdir()
                raise
