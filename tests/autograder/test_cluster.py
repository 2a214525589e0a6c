"""Tests of grading on a Dask cluster: a real scheduler and real workers on this machine, one of which is killed."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest
from test_pipeline import autograder, graded, small_course

from autograder import rehearsal
from autograder.errors import CourseError
from autograder.pipeline import LANDED, Grading
from autograder.workers import Cluster, workers

pytest.importorskip("distributed")


def _start(kind, *arguments, environment=None):
    command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", *map(str, arguments)]
    environment = {**os.environ, **(environment or {})}
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment)


def _address(process):
    for line in process.stderr:
        if found := re.search(r"Scheduler at:\s+(tcp://\S+)", line):
            return found[1]
    raise AssertionError("the scheduler did not start")


@pytest.fixture(scope="module")
def scheduler():
    """A scheduler's address."""
    process = _start("scheduler", "--host", "127.0.0.1", "--port", 0, "--no-dashboard")
    yield _address(process)
    process.kill()
    process.wait()


def _workers(scheduler, count, *arguments, environment=None):
    options = ("--nthreads", 1, "--nworkers", 1, "--no-dashboard", "--no-nanny", *arguments)
    return [_start("worker", scheduler, *options, environment=environment) for _ in range(count)]


@pytest.fixture
def two_workers(scheduler):
    """Two workers, each a process with one thread."""
    processes = _workers(scheduler, 2)
    yield processes
    for process in processes:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_a_lost_workers_submissions_run_again_elsewhere(scheduler, two_workers, project, tmp_path):
    """With a worker killed in the middle: is every submission graded, and the gradebook that of local processes?"""
    local = small_course(project, tmp_path / "local" / "course", students=16)
    graded(local)
    course = small_course(project, tmp_path / "cluster" / "course", students=16)
    landed = []
    with workers(scheduler=scheduler) as hands:
        deadline = time.monotonic() + 60
        while hands.slots < 2:
            assert time.monotonic() < deadline, "the workers did not come"
            time.sleep(0.1)
        grading = Grading(course, hands, course.handed_in())
        for event in grading.events():
            landed += [event.student] * (event.kind == LANDED)
            if len(landed) == 3 and two_workers[0].poll() is None:
                two_workers[0].send_signal(signal.SIGKILL)
                two_workers[0].wait()
    assert sorted(landed) == course.handed_in() and len(landed) == 16
    assert rehearsal.snapshot(course) == rehearsal.snapshot(local)
    assert not any("lost" in str(course.graded(name).metadata.course.evidence.get("not run")) for name in landed)


@pytest.mark.slow
def test_jobs_wait_for_workers_with_the_resource(scheduler, two_workers, project, tmp_path):
    """Are submissions that need a resource run only by the worker that has it, through the command line?"""
    course = small_course(project, tmp_path / "course", students=3)
    (special,) = _workers(scheduler, 1, "--resources", "GPU=1", "--name", "special")
    try:
        done = autograder(course, "grade", "--scheduler", scheduler, "--resources", "GPU=1")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "graded 3 · running 0 · waiting 0" in done.stdout
    finally:
        special.kill()
        special.wait()


def test_a_scheduler_without_workers(scheduler, monkeypatch):
    """Is a scheduler without workers refused, with a sentence that says what to start?"""
    monkeypatch.setattr("autograder.workers.PATIENCE", 1)
    with pytest.raises(CourseError, match="has no workers: start some"):
        Cluster(scheduler)


@pytest.mark.slow
def test_workers_of_another_version_are_refused(scheduler, project, tmp_path):
    """Is a cluster refused whose workers have other code than this machine?"""
    shutil.copytree(project / "src", tmp_path / "src")
    with (tmp_path / "src" / "autograder" / "run.py").open("a") as file:
        file.write("# another version\n")
    (other,) = _workers(scheduler, 1, environment={"PYTHONPATH": str(tmp_path / "src")})
    try:
        with pytest.raises(CourseError, match="1 of 1 workers have another version of this package"):
            Cluster(scheduler)
    finally:
        other.kill()
        other.wait()


@pytest.mark.slow
def test_a_scheduler_that_goes_away(project, tmp_path):
    """Is a lost scheduler one sentence, is what was finished kept, and can the grading go on without it?"""
    course = small_course(project, tmp_path / "course", students=8)
    scheduler = _start("scheduler", "--host", "127.0.0.1", "--port", 0, "--no-dashboard")
    address = _address(scheduler)
    (worker,) = _workers(address, 1)
    landed = []
    try:
        with pytest.raises(CourseError, match="scheduler is lost"), workers(scheduler=address) as hands:
            for event in Grading(course, hands, course.handed_in()).events():
                landed += [event.student] * (event.kind == LANDED)
                if len(landed) == 2:
                    scheduler.kill()
    finally:
        for process in (scheduler, worker):
            process.kill()
            process.wait()
    grading, events = graded(course)
    assert len(landed) >= 2 and not grading.failed
    assert {event.student for event in events if event.kind == LANDED} == {*course.handed_in()} - {*landed}
