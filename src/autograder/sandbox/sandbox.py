"""One submission's sandbox: starts programs in it one after the other, kills them, and leaves nothing behind."""

import atexit
import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import psutil

from autograder.sandbox import bubblewrap, cgroups, files
from autograder.sandbox.available import check
from autograder.sandbox.interpreter import interpreter
from autograder.sandbox.limits import Evidence, Limits
from autograder.sandbox.watchdog import Watchdog
from autograder.sandbox.workspace import Workspace

KINDS = ("bubblewrap", "none")

# A shell's script, with the cgroups' entrances, "--" and a program as arguments. Should the machine run out of memory,
# Linux is to kill this program and what it starts, not the grader.
_ENTER = """
{ echo 1000 >/proc/self/oom_score_adj; } 2>/dev/null
while [ "$1" != -- ]; do echo 0 >"$1" || exit 125; shift; done
shift
exec "$@"
"""
_PASSED_ON = (
    *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TZ"),
    *("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "CUBLAS_WORKSPACE_CONFIG"),
)


class Sandbox:
    """A sandbox for one submission: one program at a time, the same limits for all of them together.

    A context manager; `close` is what its end calls. ``evidence`` stays.
    """

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        files: str | Path | None = None,
        python: str = sys.executable,
        env: Mapping[str, str] | None = None,
        hide: Iterable[str | Path] = (),
        kind: str = "bubblewrap",
    ):
        """Prepare a sandbox; nothing runs yet.

        Args:
            limits: what the submission may use.
            files: its folder. Each program gets a fresh copy of the plain files in it, without the notebooks.
            python: the interpreter that runs inside.
            env: variables for inside, in addition to the few that are always there. Nothing else gets in.
            hide: folders to keep out of sight even if the Python environment or the system's folders hold them; the
                current folder and ``files`` always are.
            kind: "bubblewrap", or "none" for none at all, which warns.

        Raises:
            SandboxUnavailable: bubblewrap is missing or not permitted here. The message says what to do.
        """
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}; got {kind!r}")
        if kind == "none":
            warnings.warn("Grading without a sandbox: a submission can read and change whatever you can.", stacklevel=2)
        else:
            check(python)
        self.limits, self.kind, self.evidence = limits or Limits(), kind, Evidence()
        self._files = Path(files) if files else None
        self._python, self._env = interpreter(python), dict(env or {})
        self._hide = [Path.cwd(), *map(Path, hide), *([self._files] if self._files else [])]
        self._watchdog: Watchdog | None = None
        self._closing = threading.Lock()
        self._cgroup = cgroups.Cgroup()
        self.workspace = Workspace()
        atexit.register(self.close)
        self._cgroup = cgroups.create(f"gcnn-sandbox-{self.workspace.uid}", self.limits, self.workspace.note_cgroup)
        version = f"cgroup v{self._cgroup.version}"
        inside = kind == "bubblewrap"
        self.evidence.enforced_by.update(
            memory=version if "memory" in self._cgroup.directories else "watchdog",
            processes=version if "pids" in self._cgroup.directories else "RLIMIT_NPROC" if inside else "watchdog",
            disk="sized tmpfs" if inside else "nothing",
            time="watchdog",
        )

    def start(
        self,
        arguments: Sequence[str],
        *,
        sockets: Mapping[str, socket.socket] | None = None,
        connection: bytes = b"",
    ) -> subprocess.Popen:
        """Start ipykernel, or another program. What ran before is killed.

        Args:
            arguments: a program's path inside, and its arguments. With ``sockets``: ipykernel's arguments, in which
                ``{connection}`` stands for the connection file.
            sockets: the kernel's listening sockets by the number at the end of their address. They are closed here.
            connection: the connection file's content.

        Returns:
            The process, for `poll`, `wait` and its number. To end it, call `kill`: it is the whole sandbox.
        """
        self.kill()
        given = dict(sockets or {})
        stream, self.evidence.left_out = files.pack(self._files, self.limits.disk_mb * 1e6 / 2, self.workspace.path)
        task = {
            "files": stream,
            "sockets": {number: one.fileno() for number, one in given.items()},
            "limits": self._resource_limits(),
        }
        launcher = Path(__file__).with_name("launcher.py")
        if self.kind == "bubblewrap":
            file, script, folder = f"{bubblewrap.RUN}/connection.json", f"{bubblewrap.RUN}/launcher.py", Path("/")
            data = {script: launcher.read_bytes(), file: connection}
            words, descriptors = bubblewrap.command(
                self._python, self.limits, uid=self.workspace.uid, hide=self._hide, data=data
            )
        else:
            file, script, folder = str(self.workspace.path / "connection.json"), str(launcher), self._work_folder()
            Path(file).write_bytes(connection)
            words, descriptors = [], []
        program = [self._python.executable, script, *(word.replace("{connection}", file) for word in arguments)]
        # The shell enters the cgroups before anything else runs, so that nothing starts outside of them.
        enter = ["/bin/sh", "-c", _ENTER, "sh", *map(str, self._cgroup.entrances), "--"]
        reading, writing = os.pipe()
        self._reader = threading.Thread(target=self._read, args=(reading,), name="sandbox-output", daemon=True)
        self._reader.start()

        def start_program() -> subprocess.Popen:
            return subprocess.Popen(
                [*enter, *words, *program],
                # All that is inside can read this, of the first process there: it must not be our own environment.
                env={**self._environment(), "SANDBOX_LAUNCH": json.dumps(task)},
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
                pass_fds=[stream, *task["sockets"].values(), *descriptors],
                start_new_session=True,
            )

        try:
            self._watchdog = Watchdog(start_program, self.limits, self.evidence, self._cgroup)
        finally:
            for descriptor in (stream, writing, *descriptors):
                os.close(descriptor)
            for one in given.values():
                one.close()
        return self._watchdog.process

    def run(self, program: Sequence[str], timeout: float = 60) -> tuple[int, str]:
        """Run a program inside to its end.

        Returns:
            Its exit status, and the beginning of what it wrote.
        """
        self.evidence.stderr = ""
        process = self.start(program)
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill(f"time limit of {timeout:,.0f} s exceeded")
        self._reader.join()
        self._watchdog.join()
        return process.wait(), self.evidence.stderr

    def kill(self, reason: str | None = None) -> None:
        """Kill everything inside. When this returns, it is dead.

        Args:
            reason: a sentence for ``evidence.limits_hit``, such as "cell limit of 600 s exceeded".
        """
        if self._watchdog:
            self._watchdog.kill(reason)
            self._watchdog.join()

    def rests(self, within: float = 3.0) -> bool:
        """Whether what is inside comes to rest within some seconds; also if there is nothing inside."""
        return self._watchdog is None or self._watchdog.rests(within)

    def count_output(self, size: int) -> None:
        """Count bytes that were printed or displayed; too many end the submission."""
        self.evidence.output_bytes += size
        if self.evidence.output_bytes > self.limits.output_bytes:
            self.kill(f"output limit of {self.limits.output_bytes:,} bytes exceeded")

    def close(self) -> None:
        """Kill everything inside and remove every trace. Twice is fine."""
        with self._closing:
            self.kill()
            self._cgroup.remove()
            self.workspace.remove()
            atexit.unregister(self.close)

    def __enter__(self) -> "Sandbox":
        """The sandbox itself."""
        return self

    def __exit__(self, *exception) -> None:
        """Leave nothing behind."""
        self.close()

    def _read(self, descriptor: int) -> None:
        # Past the kernel, to the bare file descriptor: never to the grader's terminal, which would obey its codes.
        with os.fdopen(descriptor, "rb", buffering=0) as pipe:
            while block := pipe.read(1 << 16):
                room = 10_000 - len(self.evidence.stderr)
                self.evidence.stderr += block[: max(room, 0)].decode(errors="replace")

    def _resource_limits(self) -> dict[str, int]:
        limits = self.limits
        values = {
            "RLIMIT_NOFILE": limits.open_files,
            "RLIMIT_FSIZE": int(limits.disk_mb * 1e6),
            "RLIMIT_CORE": 0,
        }
        if self.kind == "bubblewrap":
            # Somewhat more than the limit, so that the cgroup or the watchdog sees that it is exceeded.
            values["RLIMIT_NPROC"] = limits.processes + 8 + _processes_elsewhere()
        return values

    def _environment(self) -> dict[str, str]:
        own = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        if self.kind == "none":
            # Without bubblewrap's --die-with-parent, ipykernel itself looks whether we live.
            return {**os.environ, "JPY_PARENT_PID": str(os.getpid()), "NBGRADER_EXECUTION": "autograde", **self._env}
        if bubblewrap.gpu_devices() and "LD_LIBRARY_PATH" in os.environ:
            own["LD_LIBRARY_PATH"] = os.environ["LD_LIBRARY_PATH"]
        if self._python.user_base:
            own["PYTHONUSERBASE"] = self._python.user_base
        return {
            **own,
            "PATH": f"{Path(self._python.executable).parent}:/usr/local/bin:/usr/bin:/bin",
            "HOME": bubblewrap.HOME,
            "USER": "student",
            "LOGNAME": "student",
            "LANG": "C.UTF-8",
            "TMPDIR": "/tmp",
            "IPYTHONDIR": f"{bubblewrap.HOME}/.ipython",
            "GCNN_CACHE": f"{bubblewrap.HOME}/.cache/gcnn",
            "PYTHONDONTWRITEBYTECODE": "1",
            "NBGRADER_EXECUTION": "autograde",
            **self._env,
        }

    def _work_folder(self) -> Path:
        folder = self.workspace.path / "work"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return folder


def _processes_elsewhere() -> int:
    """How many processes outside the sandbox count for its limit: before Linux 5.14, all of an ordinary user's."""
    release = tuple(int(part) for part in re.findall(r"\d+", os.uname().release)[:2])
    if os.geteuid() == 0 or release >= (5, 14):
        return 0
    count = 0
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            count += process.num_threads() if process.uids().real == os.getuid() else 0
    return count
