"""One submission's grading as plain data: a `Job` goes to a worker, a `Result` comes back; neither knows a gradebook.

`work` is a pure function of its job, so it may run in this process, in another one, or on another machine.
"""

import contextlib
import dataclasses
import hashlib
import io
import json
import platform
import tarfile
import threading
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import nbformat

from autograder.current import EVIDENCE, other_files
from autograder.errors import is_full
from autograder.intake import UNREADABLE
from autograder.judge import Outcome
from autograder.kernel import Settings
from autograder.notebooks import role
from autograder.run import Run, not_run, run
from autograder.sandbox import SandboxUnavailable
from autograder.sandbox.workspace import Workspace
from autograder.secret import handed_over
from autograder.versions import code_version, tests_version

FORMAT = 1  # of what a run depends on and gives: another one grades everything again
_one_at_a_time = threading.Lock()  # the tests of two submissions must not run in one process at once


@dataclasses.dataclass(frozen=True)
class Job:
    """Everything that a worker needs to grade one submission."""

    student: str
    """Whose it is."""
    notebook: str
    """What `autograder.steps.prepared` gave, as JSON."""
    files: bytes | None
    """The other files that were handed in, as a tar archive of plain files."""
    settings: Settings
    """Sandbox, limits and seconds."""
    secret: str
    """The course's secret."""
    handed_in: str = ""
    """The version of the hand-in that it is made of, see `autograder.current`."""

    @property
    def key(self) -> str:
        """A hash of all that the points depend on, whoever handed it in: equal jobs need not be run twice.

        The course's own text and rubrics are not in it; the submission's is, also where only people read it.
        """
        notebook = nbformat.reads(self.notebook, as_version=4)
        course = notebook.metadata.course
        counting = (cell for cell in notebook.cells if role(cell) not in ("text", "rubric"))
        cells = [(cell.cell_type, cell.source, cell.get("attachments")) for cell in counting]
        files = hashlib.sha256(self.files).hexdigest() if self.files else None
        settings = dataclasses.asdict(self.settings)
        told = course["names"], course.get(UNREADABLE), course.get("lost")
        parts = [FORMAT, cells, *told, files, settings, digest(self.secret), tests_version(notebook)]
        return digest(json.dumps(parts, sort_keys=True))


@dataclasses.dataclass(frozen=True)
class Result:
    """What became of a job."""

    student: str
    """Whose it is."""
    key: str
    """The job's."""
    notebook: str
    """The notebook with its outputs, as JSON."""
    outcomes: dict[str, Outcome]
    """By the test cell's id."""
    evidence: dict[str, Any]
    """See `autograder.run.Run`; with the job's ``key``, ``settings`` and ``handed in``, the version of the ``tests``, a
    part of the ``secret``'s hash, the version of the grader's ``code``, and the ``host`` that ran it."""

    def run(self) -> Run:
        """The same as `autograder.run.run` gives it."""
        return Run(nbformat.reads(self.notebook, as_version=4), self.outcomes, self.evidence)

    def dumps(self) -> str:
        """Write it as JSON."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def loads(cls, text: str) -> "Result":
        """Read what `dumps` wrote.

        Raises:
            ValueError: it is something else, or cut off.
        """
        try:
            fields = json.loads(text)
            outcomes = {name: Outcome(**outcome) for name, outcome in fields.pop("outcomes").items()}
            return cls(**fields, outcomes=outcomes)
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError("this is no result") from error


def digest(text: str) -> str:
    """A text's SHA-256."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def pack(folder: Path) -> bytes | None:
    """The plain files of a hand-in other than its notebooks, as a tar archive that is the same for the same files.

    Links and whatever else is no plain file are left out; `autograder.intake.clear` has put them aside already.
    """
    paths = other_files(folder)
    if not paths:
        return None
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path in paths:
            member = tarfile.TarInfo(str(path.relative_to(folder)))
            member.size = path.stat().st_size
            with path.open("rb") as file:
                archive.addfile(member, file)
    return buffer.getvalue()


@contextlib.contextmanager
def _unpacked(files: bytes | None) -> Iterator[Path | None]:
    """A hand-in's other files in a folder, which is removed also after this process is killed, as its sandbox's is."""
    if not files:
        yield None
        return
    workspace = Workspace()
    try:
        folder = workspace.path / "hand-in"
        folder.mkdir()
        with tarfile.open(fileobj=io.BytesIO(files)) as archive:
            archive.extractall(folder, filter="data")
        yield folder
    finally:
        workspace.remove()


def work(job: Job) -> Result:
    """Run and judge one submission.

    Raises:
        SandboxUnavailable: this machine has no sandbox, and the job does not do without.
        OSError: this machine's disk is full: the next job would do no better.
    """
    notebook = nbformat.reads(job.notebook, as_version=4)
    course = notebook.metadata.course
    if course.get(UNREADABLE):
        return result_of(job, not_run(notebook, course[UNREADABLE]))
    try:
        with _one_at_a_time, _unpacked(job.files) as folder, handed_over(job.secret):
            done = run(notebook, frozenset(course.names), folder, job.settings)
        return result_of(job, done)
    except SandboxUnavailable:
        raise
    except Exception as error:  # a mistake of ours: this submission waits for a person, the others go on
        if is_full(error):
            raise
        return failed(job, error)


def result_of(job: Job, done: Run) -> Result:
    """A job's result, with the evidence of how it came about."""
    evidence = {
        **done.evidence,
        "key": job.key,
        EVIDENCE: job.handed_in,
        "settings": dataclasses.asdict(job.settings),
        "tests": tests_version(done.notebook),
        "secret": digest(job.secret)[:16],
        "code": code_version(),
        "host": platform.node(),
    }
    return Result(job.student, evidence["key"], nbformat.writes(done.notebook), done.outcomes, evidence)


def failed(job: Job, error: Exception) -> Result:
    """The result of a job that the grader cannot do: every test is *not graded*."""
    done = not_run(nbformat.reads(job.notebook, as_version=4), f"the grader itself failed ({type(error).__name__})")
    done.evidence["grader error"] = "".join(traceback.format_exception(error))[-5000:]
    return result_of(job, done)


def lost(job: Job, reason: str) -> Result:
    """The result of a job that no worker could finish: every test is *not graded*."""
    done = not_run(nbformat.reads(job.notebook, as_version=4), reason)
    done.evidence["lost"] = True
    return result_of(job, done)


def spoilt(evidence: Mapping[str, Any]) -> bool:
    """Whether a job has no outcomes for the grader's own reasons, so that it is worth another try."""
    return "lost" in evidence or "grader error" in evidence or bool(evidence.get("machine trouble"))


def trouble(evidence: Mapping[str, Any]) -> str:
    """Why a job is `spoilt`, in a line; empty if it is not."""
    if "grader error" in evidence:
        return f"{evidence['not run']}: {evidence['grader error'].strip().splitlines()[-1]}"
    if "lost" in evidence:
        return str(evidence["not run"])
    return "; ".join(evidence.get("machine trouble") or ())
