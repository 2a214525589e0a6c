"""What does grading a class cost beyond running it, how many go into an hour, and does damage ever crash it?

Runs the command line as an instructor does, on generated classes, and writes ``benchmarks/results/pipeline.json``.

    python benchmarks/pipeline.py                         # about an hour on two cores
    python benchmarks/pipeline.py --small 50 --full 0 --damaged 50 --out x.json    # a part

``overhead.seconds_per_submission`` is the wall time times the number of jobs, divided by the number of submissions,
less what the submissions' kernels took to start and their cells and tests to run; with small submissions (real kernels,
no training). ``overhead.dask_…`` is the same on a Dask cluster of two workers on this machine. ``main.peak_mb`` is the
most memory that the command's own process had. ``throughput.full_per_hour`` is of model answers that train all four
networks.
"""

import argparse
import contextlib
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat
import psutil
import results
from rich.console import Console
from rich.progress import track

from autograder import rehearsal
from autograder.course import Course
from autograder.notebooks import ASSIGNMENT
from autograder.submissions import read_sample

JOBS = 2
BIN = Path(sys.executable).parent


def course_in(folder: Path, *settings: str) -> Course:
    """A course folder with the project's settings and some more."""
    folder.mkdir(parents=True)
    text = (results.ROOT / "nbgrader_config.py").read_text(encoding="utf-8")
    (folder / "nbgrader_config.py").write_text("\n".join([text, *settings, ""]), encoding="utf-8")
    return Course(folder)


def source() -> nbformat.NotebookNode:
    """The project's source notebook."""
    return nbformat.read(results.ROOT / "source" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb", as_version=4)


def grade(course: Course, *options: str) -> tuple[float, float]:
    """Run ``autograder grade``; seconds of wall time, and the most MB that its own process had.

    Raises:
        RuntimeError: it failed, with its output.
    """
    start, peak = time.perf_counter(), 0.0
    with tempfile.TemporaryFile("w+") as output:
        command = [str(BIN / "autograder"), "grade", "--root", str(course.root), *options]
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        while process.poll() is None:
            with contextlib.suppress(psutil.Error):
                peak = max(peak, psutil.Process(process.pid).memory_info().rss / 1e6)
            time.sleep(0.1)
        if process.returncode:
            output.seek(0)
            raise RuntimeError(output.read()[-3000:])
    return time.perf_counter() - start, peak


def inside(course: Course) -> list[float]:
    """Seconds that each graded submission spent on starting its kernel and on its cells and tests."""
    found = []
    for student in course.handed_in():
        seconds = course.graded(student).metadata.course.evidence.get("seconds", {})
        found.append(sum(value for name, value in seconds.items() if name != "all"))
    return found


def measure_small(folder: Path, name: str, students: int, *options: str) -> list[dict[str, object]]:
    """Grade a class of small submissions; the rows of overhead, throughput and memory."""
    course = course_in(folder, "c.JudgedExecute.cell_seconds = 3")
    small = rehearsal.open_course(course, source())
    for handed in rehearsal.hand_ins(small, students):
        rehearsal.hand_in(course, handed)
    seconds, peak = grade(course, *options)
    spent = inside(course)
    overhead = (seconds * JOBS - sum(spent)) / students
    return [
        {"name": f"overhead.{name}seconds_per_submission", "value": round(overhead, 3), "unit": "seconds"},
        {"name": f"throughput.{name}small_per_hour", "value": round(3600 * students / seconds), "unit": "submissions"},
        {"name": f"main.{name}peak_mb", "value": round(peak), "unit": "MB"},
    ]


@contextlib.contextmanager
def cluster() -> Iterator[str]:
    """A Dask scheduler and two workers on this machine; the scheduler's address."""
    dask = [sys.executable, "-m"]
    scheduler = subprocess.Popen(
        [*dask, "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    started = [scheduler]
    try:
        address = next(m[1] for line in scheduler.stderr if (m := re.search(r"Scheduler at:\s+(tcp://\S+)", line)))
        options = ["--nthreads", "1", "--nworkers", "1", "--no-dashboard"]
        started += [
            subprocess.Popen(
                [*dask, "distributed.cli.dask_worker", address, *options],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            for _ in range(JOBS)
        ]
        yield address
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait()


def measure_full(folder: Path, students: int) -> list[dict[str, object]]:
    """Grade model answers, all networks and the bonus included."""
    course = course_in(folder)
    course.folder("source").mkdir(parents=True)
    full = source()
    nbformat.write(full, course.folder("source") / f"{ASSIGNMENT}.ipynb")
    course.release()
    sample = read_sample(results.ROOT / "tests" / "submissions" / "passes_all.py", full)
    for number in range(students):
        course.hand_in(f"student-{number}", sample.notebook)
    seconds, peak = grade(course, "--jobs", str(JOBS))
    return [
        {"name": "throughput.full_per_hour", "value": round(3600 * students / seconds, 1), "unit": "submissions"},
        {"name": "main.full_peak_mb", "value": round(peak), "unit": "MB"},
    ]


def measure_damaged(folder: Path, count: int, console: Console) -> list[dict[str, object]]:
    """Damage notebooks at random, and see whether each has an outcome."""
    from autograder.damage import outcome

    full, crashes, kinds = source(), [], dict[str, int]()
    for seed in track(range(count), "damaging", console=console):
        try:
            kind = outcome(full, seed, folder / str(seed))
            kinds[kind] = kinds.get(kind, 0) + 1
        except Exception as error:
            crashes.append(f"{seed}: {type(error).__name__}: {error}")
    for crash in crashes:
        console.print(crash)
    return [
        {"name": "damaged.total", "value": count, "unit": "notebooks", "spread": kinds},
        {"name": "damaged.crashes", "value": len(crashes), "unit": "notebooks"},
    ]


def main() -> None:
    """Measure everything and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", type=int, default=1000, help="how many small submissions, each way; 0: not")
    parser.add_argument("--full", type=int, default=6, help="how many full submissions; 0: not")
    parser.add_argument("--damaged", type=int, default=1000, help="how many damaged notebooks; 0: not")
    parser.add_argument("--out", type=Path, default=results.FOLDER / "pipeline.json")
    arguments = parser.parse_args()
    console, rows = Console(width=120), []
    with tempfile.TemporaryDirectory(prefix="pipeline-") as name:
        folder = Path(name)

        def add(new: list[dict[str, object]]) -> None:
            for row in new:
                console.print(f"{row['name']}: {row['value']} {row['unit']}")
            rows.extend(new)

        if arguments.small:
            add(measure_small(folder / "local", "", arguments.small, "--jobs", str(JOBS)))
            with cluster() as address:
                add(measure_small(folder / "dask", "dask_", arguments.small, "--scheduler", address))
        if arguments.full:
            add(measure_full(folder / "full", arguments.full))
        if arguments.damaged:
            add(measure_damaged(folder / "damaged", arguments.damaged, console))
    results.write(arguments.out, "benchmarks/pipeline.py", rows)


if __name__ == "__main__":
    main()
