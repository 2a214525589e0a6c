"""Runs one graded submission again, from what was kept of it, and compares: for a student who asks, or a doubt."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import nbformat

from autograder.course import Course
from autograder.errors import CourseError
from autograder.jobs import Job, pack, work
from autograder.kernel import Settings
from autograder.sandbox import Limits
from autograder.secret import read_secret


@dataclasses.dataclass(frozen=True)
class Replay:
    """A run beside the one that was graded."""

    tests: dict[str, tuple[str, str]]
    """By test, what became of it then and now, with the message."""
    differences: tuple[str, ...]
    """What is not as it was then, one sentence each: versions, the secret, the machine."""

    @property
    def same(self) -> bool:
        """Whether every test ended as it did then; the messages may differ."""
        return all(then.partition(":")[0] == now.partition(":")[0] for then, now in self.tests.values())


def replay(course: Course, student: str) -> Replay:
    """Run a student's graded notebook again, with the settings that it was graded with.

    Raises:
        CourseError: it has not been graded, or there is no sandbox.
    """
    notebook = course.graded(student)
    if notebook is None or "settings" not in notebook.metadata.course.evidence:
        raise CourseError(f"{student} has not been graded: run `autograder grade --student {student}`")
    then = notebook.metadata.course.evidence
    known = {field.name for field in dataclasses.fields(Limits)}  # an earlier version may have had others
    limits = Limits(**{name: value for name, value in then.settings.limits.items() if name in known})
    settings = Settings(**{**then.settings, "limits": limits})
    if settings.sandbox != course.settings().sandbox:
        settings = dataclasses.replace(settings, sandbox=course.settings().sandbox)
    course.check_sandbox()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    files = pack(course.folder("autograded", student))
    job = Job(student, nbformat.writes(notebook), files, settings, read_secret(course.root))
    now = work(job).evidence
    tests = {name: (_words(then, name), _words(now, name)) for name in now["outcomes"]}
    return Replay(tests, tuple(_differences(then, now)))


def _words(evidence: dict[str, Any], test: str) -> str:
    outcome = evidence["outcomes"].get(test, {"status": "not there", "message": ""})
    return f"{outcome['status']}: {outcome['message']}".removesuffix(": ")


def _differences(then: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    for key, what in (("key", "what was run"), ("secret", "the course's secret"), ("code", "the grader's code")):
        if then[key] != now[key]:
            yield f"{what} is not the same as it was then"
    for name in then["versions"].keys() | now["versions"].keys():
        old, new = then["versions"].get(name, "none"), now["versions"].get(name, "none")
        if old != new:
            yield f"{name} was {old}, and is {new}"
    if then["grader"] != now["grader"]:
        yield f"it ran on {then['grader']}, and now on {now['grader']}"
