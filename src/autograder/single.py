"""For those who script: one submission graded, without a course folder and without a gradebook."""

import dataclasses
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from autograder.intake import Notes
from autograder.jobs import Job, pack, work
from autograder.judge import Outcome
from autograder.kernel import Settings
from autograder.repair import read_file
from autograder.secret import read_secret
from autograder.steps import prepared


@dataclasses.dataclass(frozen=True)
class Graded:
    """A submission's points, and why."""

    points: float
    """Of all tests that passed."""
    maximum: float
    """Of all tests."""
    not_graded: tuple[str, ...]
    """Tests that could not be decided: a person must look at them."""
    outcomes: dict[str, Outcome]
    """By the test cell's id."""
    repairs: tuple[str, ...]
    """What had to be put right before grading, one sentence each."""
    notebook: NotebookNode
    """The notebook with its outputs."""
    evidence: dict[str, Any]
    """How it was run."""


def grade(
    source: Path | NotebookNode,
    submission: Path | NotebookNode,
    files: Path | None = None,
    settings: Settings | None = None,
) -> Graded:
    """Grade one submission, without a course folder and without a gradebook.

    Hidden tests draw from the course's secret, if there is one here (`autograder.secret`).

    Args:
        source: the source notebook, hidden tests included, or its file.
        submission: what was handed in, or its file, damaged perhaps: it is repaired as far as that is safe.
        files: a folder with further files that were handed in.
        settings: sandbox, limits and seconds.

    Raises:
        OSError: a file cannot be read.
        ValueError: the source is no notebook.
        SandboxUnavailable: this machine has no sandbox, and the settings do not do without.
    """
    if isinstance(source, Path):
        source = nbformat.read(source, as_version=4)
    found = Notes()
    if isinstance(submission, Path):
        reading = read_file(submission)
        found = Notes(reading.repairs, reading.unreadable, reading.incomplete)
        submission = reading.notebook or nbformat.v4.new_notebook()
    poured = prepared(submission, source, found)
    packed = pack(files) if files is not None else None
    result = work(Job("", nbformat.writes(poured), packed, settings or Settings(), read_secret()))
    points = {cell.id: float(cell.metadata.nbgrader.points) for cell in poured.cells if cell.id in result.outcomes}
    return Graded(
        sum(points[name] for name, outcome in result.outcomes.items() if outcome.status == "passed"),
        sum(points.values()),
        tuple(name for name, outcome in result.outcomes.items() if outcome.status == "not graded"),
        result.outcomes,
        tuple(poured.metadata.course.repairs),
        result.run().notebook,
        result.evidence,
    )
