"""Where jobs run: processes of this machine, or a Dask cluster. Both are a `concurrent.futures.Executor` underneath.

A worker's death is that worker's affair: `Processes` starts others, and tries the jobs that it took with it again, each
in a process of its own, so that the one job that kills processes is found and the others are none the worse.
"""

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent import futures
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Protocol

import psutil

from autograder.errors import CourseError, is_full
from autograder.jobs import Job, Result, failed, lost, work
from autograder.sandbox import SandboxUnavailable, clean_up_stale
from autograder.versions import code_version

MEMORY_MB = 4000  # that a job of this course takes, its kernel and its tests together
PATIENCE = 30  # seconds until a cluster has its first worker
LOOK = 0.5  # seconds from one look at what is finished to the next
JOBS_A_GPU = 4  # small networks: several share a GPU
_END = object()  # of the jobs


class Workers(Protocol):
    """Something that does jobs."""

    slots: int
    """How many are done at a time."""
    here: bool
    """Whether they are on this machine, whose sandbox then counts."""

    def results(self, jobs: Iterator[Job | None]) -> Iterator[Result | None]:
        """Do jobs, and give each result as it comes; ``None`` from time to time, while there is none.

        The jobs are asked for one by one, when there is room for one; a ``None`` among them took its time and is no
        job, so that what was finished meanwhile comes first. Whoever stops asking for results ends the work.
        """

    def at_work(self) -> dict[str, float]:
        """The students whose jobs are being done, and since when (`time.monotonic`)."""


def cores() -> int:
    """How many of this machine's cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_jobs(gpus: int | None = None) -> int:
    """How many submissions this machine's cores, memory and GPUs carry at once."""
    memory = int(psutil.virtual_memory().available / 1e6 / MEMORY_MB)
    jobs = min(cores(), memory)
    gpus = count_gpus() if gpus is None else gpus
    return max(1, min(jobs, gpus * JOBS_A_GPU) if gpus else jobs)


def count_gpus() -> int:
    """How many NVIDIA GPUs there are; asked of the system, since importing torch takes seconds."""
    with contextlib.suppress(OSError):
        return sum(name.startswith("nvidia") and name[6:].isdigit() for name in os.listdir("/dev"))
    return 0


def _start(parent: int, threads: int) -> None:
    """What each process does first: leave Ctrl-C to the main process, end when that one does, share the cores."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ["OMP_NUM_THREADS"] = str(threads)  # of the tests and of the kernels, whose environment has it, too

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)  # its sandboxes end with it

    threading.Thread(target=watch, daemon=True).start()


class Processes:
    """Jobs in processes of this machine."""

    here = True

    def __init__(self, jobs: int):
        """Start nothing yet.

        Args:
            jobs: how many at a time.
        """
        self.slots = jobs
        self._threads = max(1, cores() // jobs)
        self._running: dict[futures.Future, tuple[Job, futures.ProcessPoolExecutor]] = {}
        self._since: dict[str, float] = {}

    def at_work(self) -> dict[str, float]:
        """The students whose jobs are being done, and since when."""
        return dict(self._since)

    def _pool(self, processes: int) -> futures.ProcessPoolExecutor:
        # Not forked: this process has threads, and a database's connection.
        context = multiprocessing.get_context("spawn")
        return futures.ProcessPoolExecutor(processes, context, _start, (os.getpid(), self._threads))

    def _submit(self, job: Job, pool: futures.ProcessPoolExecutor) -> None:
        self._running[pool.submit(work, job)] = job, pool
        self._since[job.student] = time.monotonic()

    def results(self, jobs: Iterator[Job | None]) -> Iterator[Result | None]:
        """Do jobs; see `Workers`."""
        pool, broken = self._pool(self.slots), False
        suspects, pushed_back = list[Job](), list[Job]()
        try:
            while True:
                if broken and not any(own is pool for _, own in self._running.values()):
                    pool.shutdown(wait=False)
                    pool, broken = self._pool(self.slots), False
                seconds = LOOK
                while seconds and len(self._running) < self.slots:
                    if suspects:
                        self._submit(suspects.pop(), self._pool(1))
                        continue
                    if broken or (job := pushed_back.pop() if pushed_back else next(jobs, _END)) is _END:
                        break
                    if job is None:
                        seconds = 0
                        continue
                    try:
                        self._submit(job, pool)
                    except BrokenProcessPool:  # just now, by a job beside it
                        pushed_back.append(job)
                        broken = True
                if seconds and not self._running:
                    if broken:
                        continue
                    return
                done, _ = futures.wait(self._running, timeout=seconds, return_when=futures.FIRST_COMPLETED)
                for future in done:
                    job, own = self._running.pop(future)
                    del self._since[job.student]
                    try:
                        result = future.result()
                    except BrokenProcessPool:
                        if own is pool:  # it, or one beside it, ended the process
                            suspects.append(job)
                            broken = True
                            continue
                        result = lost(job, "the process that graded it was ended twice, the second time with it alone")
                    except SandboxUnavailable:
                        raise
                    except Exception as error:  # on the way here, for one: the others go on
                        if is_full(error):
                            raise
                        result = failed(job, error)
                    if own is not pool:
                        own.shutdown(wait=False)
                    yield result
                if not done:
                    yield None
        finally:
            for used in {pool, *(own for _, own in self._running.values())}:
                _end(used)
            if self._running:
                with contextlib.suppress(OSError, SandboxUnavailable):  # then the next grading does
                    clean_up_stale()
            self._running.clear()
            self._since.clear()


def _end(pool: futures.ProcessPoolExecutor) -> None:
    """End a pool's processes now; their sandboxes end with them."""
    processes = list((pool._processes or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.kill()
    for process in processes:
        process.join()


class Cluster:
    """Jobs on a Dask cluster that is running already.

    Its workers need this package and, for tests and training, what the course's requirements name; none of the course's
    files. One thread a worker: `autograder.jobs.work` does one job at a time in a process.
    """

    here = False

    def __init__(self, address: str, resources: dict[str, float] | None = None, timeout: float = 5):
        """Connect to a scheduler.

        Args:
            address: such as ``tcp://10.0.0.5:8786``.
            resources: what of its resources a worker must have free for a job: ``{"GPU": 1}``.
            timeout: seconds to wait for the scheduler.

        Raises:
            CourseError: Dask is not installed, nobody answers, there is no worker, or one lacks this package.
        """
        try:
            from distributed import Client
        except ImportError as error:
            raise CourseError("Dask is not installed: pip install 'gcnn-autograder[cluster]'") from error
        try:
            self._client = Client(address, timeout=timeout, set_as_default=False)
        except (OSError, ValueError, TimeoutError) as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise CourseError(
                f"no Dask scheduler answers at {address} ({reason}): start one with `dask scheduler`, and name the "
                "address that it prints"
            ) from error
        self._resources = resources
        self._since: dict[str, float] = {}
        self._check()

    @property
    def slots(self) -> int:
        """How many jobs the workers do at a time; workers may come and go."""
        return max(1, sum(self._client.nthreads().values()))

    def _check(self) -> None:
        from distributed import TimeoutError as NobodyCame

        try:
            self._client.wait_for_workers(1, timeout=PATIENCE)
        except (NobodyCame, TimeoutError) as error:
            self.close()
            raise CourseError("the Dask scheduler has no workers: start some with `dask worker ADDRESS`") from error
        found = self._client.run(code_version, on_error="return")  # an error where the package is not installed
        if other := sorted(address for address, version in found.items() if version != code_version()):
            self.close()
            raise CourseError(
                f"{len(other)} of {len(found)} workers have another version of this package than this machine, or none "
                f"({other[0]}): install the same version there, and restart them"
            )

    def at_work(self) -> dict[str, float]:
        """The students whose jobs were sent and have not come back, and since when."""
        return dict(self._since)

    def results(self, jobs: Iterator[Job | None]) -> Iterator[Result | None]:
        """Do jobs; see `Workers`. A job whose worker is lost is done elsewhere, three times at most.

        Raises:
            CourseError: the scheduler is gone.
            SandboxUnavailable: a worker has no sandbox.
        """
        from distributed.comm import CommClosedError

        try:
            yield from self._results(jobs)
        except (futures.CancelledError, CommClosedError) as error:
            raise CourseError(
                "the connection to the Dask scheduler is lost. What was finished is kept: start the scheduler again, "
                "and run the same command"
            ) from error

    def _results(self, jobs: Iterator[Job | None]) -> Iterator[Result | None]:
        options: dict[str, Any] = {"pure": False}
        if self._resources:
            options["resources"] = self._resources
        executor = self._client.get_executor(**options)
        running: dict[futures.Future, Job] = {}
        try:
            while True:
                # Some more than are done at a time, so that no worker waits for the way there and back.
                room, seconds = 2 * self.slots - len(running), LOOK
                while seconds and room > 0 and (job := next(jobs, _END)) is not _END:
                    if job is None:
                        seconds = 0
                        continue
                    running[executor.submit(work, job)] = job
                    self._since[job.student] = time.monotonic()
                    room -= 1
                if seconds and not running:
                    return
                done, _ = futures.wait(running, timeout=seconds, return_when=futures.FIRST_COMPLETED)
                for future in done:
                    job = running.pop(future)
                    del self._since[job.student]
                    yield self._result(future, job)
                if not done:
                    yield None
        finally:
            for future in running:
                future.cancel()
            executor.shutdown(wait=False)
            self._since.clear()

    def _result(self, future: futures.Future, job: Job) -> Result:
        from distributed import KilledWorker

        try:
            return future.result()
        except KilledWorker:
            return lost(job, "every worker that tried to grade it was lost")
        except (SandboxUnavailable, OSError, futures.CancelledError):  # the scheduler may be gone
            raise
        except Exception as error:
            return failed(job, error)

    def close(self) -> None:
        """Leave the cluster; it goes on running."""
        self._client.close()


def parse_resources(text: str | None) -> dict[str, float] | None:
    """Read ``GPU=1`` or ``GPU=1,MEMORY=4e9``.

    Raises:
        CourseError: it is something else.
    """
    if not text:
        return None
    try:
        return {name.strip(): float(number) for name, number in (part.split("=") for part in text.split(","))}
    except ValueError as error:
        raise CourseError(f"resources are written as in GPU=1 or GPU=1,MEMORY=4e9, not as {text!r}") from error


@contextlib.contextmanager
def workers(
    jobs: int | None = None, scheduler: str | None = None, resources: dict[str, float] | None = None
) -> Iterator[Workers]:
    """The workers that were asked for.

    Args:
        jobs: how many processes here; by default what this machine carries.
        scheduler: a Dask scheduler's address, in place of processes here.
        resources: what a worker of the cluster must have free for a job.

    Raises:
        CourseError: the cluster cannot be used.
    """
    if not scheduler:
        yield Processes(jobs or default_jobs())
        return
    with contextlib.closing(Cluster(scheduler, resources)) as cluster:
        yield cluster
