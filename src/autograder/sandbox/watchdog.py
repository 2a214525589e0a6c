"""The thread that starts a sandbox's processes, watches them, and kills all of them when a limit is exceeded.

The kernel's own limits (cgroups, resource limits, sized file systems) hold at every moment, where there are any. The
watchdog holds everywhere, a few times a second, and it is what says why a submission was stopped.
"""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable

import psutil

from autograder.sandbox.cgroups import Cgroup
from autograder.sandbox.limits import Evidence, Limits

INTERVAL = 0.2  # seconds between two looks
SHARE = 0.05  # of the time may go into looking: on a machine with thousands of processes the interval grows
RESERVE = 0.03  # of the machine's memory must stay available where there is no cgroup
REST_WINDOW = 0.4  # seconds of one look at whether the program rests
RESTING = 0.1  # seconds of a processor per second that a program at rest may use


class Watchdog:
    """Starts one program and watches it until it ends.

    It starts the program itself since ``--die-with-parent`` means the *thread* that did: started from a thread of the
    caller's, a kernel would die with that thread. So if this thread ends, however it ends, the sandbox ends with it.
    """

    def __init__(self, start: Callable[[], subprocess.Popen], limits: Limits, evidence: Evidence, cgroup: Cgroup):
        """Start the program.

        Args:
            start: starts it, called in the new thread.
            limits: what it may use.
            evidence: what to write down into.
            cgroup: the program's.

        Raises:
            OSError: it did not start.
        """
        self._start_program, self._limits, self._evidence, self._cgroup = start, limits, evidence, cgroup
        self._spawned, self._wake, self._over = threading.Event(), threading.Event(), threading.Event()
        self._error: Exception | None = None
        self._before = evidence.wall_seconds, evidence.cpu_seconds
        self._refused = cgroup.refused_processes()
        self._killed = cgroup.memory_kills()
        self.process: subprocess.Popen | None = None
        self._thread = threading.Thread(target=self._run, name="sandbox-watchdog", daemon=True)
        self._thread.start()
        self._spawned.wait()
        if self._error:
            raise self._error

    def _run(self) -> None:
        try:
            self.process = self._start_program()
            self._first = psutil.Process(self.process.pid)
        except Exception as error:
            self._error = error
            return
        finally:
            self._spawned.set()
        self._began = time.monotonic()
        self._own = _memory(psutil.Process())
        pause = 0.0
        try:
            while self.process.poll() is None:
                self._wake.wait(pause)
                before = time.thread_time()
                self._look()
                pause = max(INTERVAL, (time.thread_time() - before) / SHARE)
        except Exception as error:  # what is not watched must not run
            self._evidence.hit(f"the watchdog failed: {type(error).__name__}: {error}")
        finally:
            self.kill()  # also whatever the program left behind
            self._account()

    def join(self) -> None:
        """Wait until the program has ended and the evidence is complete."""
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def rests(self, within: float) -> bool:
        """Whether the program comes to rest: hardly uses a processor any more.

        Args:
            within: seconds that it may take.
        """
        until = time.monotonic() + within
        while True:
            start, before = time.monotonic(), sum(map(_cpu_seconds, _tree(self._first)))
            self._over.wait(REST_WINDOW)
            used = sum(map(_cpu_seconds, _tree(self._first))) - before
            if self._over.is_set() or used <= RESTING * (time.monotonic() - start):
                return True
            if time.monotonic() > until:
                return False

    def kill(self, reason: str | None = None) -> None:
        """Kill all processes, and note why, if that is a limit's doing. It is done when this returns. Twice is fine."""
        if self._over.is_set():
            return
        if reason:
            self._evidence.hit(reason)
        # Under bubblewrap the first process takes all others with it. Without it, this is all there is to find them by.
        tree = _tree(self._first)
        for process in tree:
            with contextlib.suppress(psutil.Error):
                process.kill()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=10)
        deadline = time.monotonic() + 10
        while any(map(_alive, tree)) and time.monotonic() < deadline:
            time.sleep(0.002)
        self._over.set()
        self._wake.set()

    def _look(self) -> None:
        limits = self._limits
        tasks, memory, cpu = 0, 0, 0.0
        tree = _tree(self._first)
        for process in tree:
            with contextlib.suppress(psutil.Error), process.oneshot():
                tasks += process.num_threads()
                memory += _memory(process)
                cpu += _cpu_seconds(process)
        evidence = self._evidence
        evidence.cpu_seconds = max(evidence.cpu_seconds, self._before[1] + cpu)
        self._account(memory)
        if evidence.wall_seconds > limits.submission_seconds:
            self.kill(f"time limit of {limits.submission_seconds:,.0f} s exceeded")
        elif tasks > limits.processes or self._cgroup.refused_processes() > self._refused:
            self.kill(f"limit of {limits.processes:,} processes and threads exceeded")
        elif self._cgroup.memory_kills() > self._killed or (
            memory > limits.memory_mb * 1e6 and sum(map(_share, tree)) > limits.memory_mb * 1e6
        ):
            self.kill(f"memory limit of {limits.memory_mb:,.0f} MB exceeded")
        elif _memory(psutil.Process()) - self._own > limits.grader_mb * 1e6:
            self.kill(f"sent more than the grader may hold: {limits.grader_mb:,.0f} MB")
        elif "memory" not in self._cgroup.directories:
            # Memory that belongs to no process (files in memory) is not seen above, only that the machine has less.
            machine = psutil.virtual_memory()
            if machine.available < RESERVE * machine.total:
                self.kill("the machine ran out of memory")

    def _account(self, memory: int = 0) -> None:
        evidence, limits = self._evidence, self._limits
        evidence.wall_seconds = self._before[0] + time.monotonic() - self._began
        peak = self._cgroup.peak_memory() or memory
        evidence.peak_memory_mb = max(evidence.peak_memory_mb, round(peak / 1e6, 1))
        if self._cgroup.memory_kills() > self._killed:
            evidence.hit(f"memory limit of {limits.memory_mb:,.0f} MB exceeded")
        if self._cgroup.refused_processes() > self._refused:
            evidence.hit(f"limit of {limits.processes:,} processes and threads exceeded")


def _tree(first: psutil.Process) -> list[psutil.Process]:
    """A process and all below it. Inside a sandbox no process can leave the tree: its first one adopts all others."""
    with contextlib.suppress(psutil.Error):
        return [first, *first.children(recursive=True)]
    return []


def _alive(process: psutil.Process) -> bool:
    # What is dead and only waits for the machine's first process to take notice is dead enough.
    with contextlib.suppress(psutil.Error):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def _cpu_seconds(process: psutil.Process) -> float:
    """What a process, and those of its children that have ended, have used of processors until now."""
    with contextlib.suppress(psutil.Error):
        return sum(process.cpu_times()[:4])
    return 0.0


def _memory(process: psutil.Process) -> int:
    """Bytes of a process that are in memory and not in a file: an upper bound, as forks share."""
    memory = process.memory_info()
    return memory.rss - getattr(memory, "shared", 0)


def _share(process: psutil.Process) -> int:
    """The same, with what it shares with others counted by parts: exact, and slow."""
    with contextlib.suppress(psutil.Error, AttributeError):
        return process.memory_full_info().pss
    with contextlib.suppress(psutil.Error):
        return _memory(process)
    return 0
