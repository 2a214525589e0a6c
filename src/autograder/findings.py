"""What a class has in common: who stands where, each exercise's success, and equal mistakes under one message.

Works on the plain data of `autograder.classroom`, and gives plain data.
"""

import dataclasses
import re
import statistics
from collections import Counter
from collections.abc import Iterable

from autograder.classroom import NOT_GRADED, Classroom
from autograder.exercises import EXERCISES, Exercise
from autograder.report import Score
from autograder.thresholds import GRADING, Threshold

_NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d[\d,]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?!\w)|(?<!\w)[-+]?(?:nan|inf)(?!\w)")
_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]+")
_SEVERAL = re.compile(r"#(?:(?:[\s,;]|\.{3})+#)+,?|[\[({]\s*#?,?\s*[\])}]")  # numbers in a row or in brackets


@dataclasses.dataclass(frozen=True)
class Group:
    """Equal mistakes, or equal observations."""

    example: str
    """The message as most of them have it."""
    students: tuple[str, ...]
    """Who, by name."""
    cases: int
    """How many; a student may have several."""


@dataclasses.dataclass(frozen=True)
class Success:
    """How a class did in one exercise."""

    exercise: Exercise
    """Which."""
    full: int
    """Students with all of its points."""
    part: int
    """Students with some of them."""
    none: int
    """Students without any."""
    waiting: int
    """Students whose points are not final: they are in none of the other counts."""
    failures: tuple[tuple[Group, tuple[str, ...]], ...] = ()
    """Equal messages of its tests, the commonest first, each with the test cells' ids."""

    @property
    def decided(self) -> int:
        """Students whose points are final."""
        return self.full + self.part + self.none

    @property
    def rate(self) -> float | None:
        """Percent of those whose points are final that have all of them."""
        return 100 * self.full / self.decided if self.decided else None


@dataclasses.dataclass(frozen=True)
class Measured:
    """One student's accuracy with one network."""

    student: str
    """Whose."""
    accuracy: float
    """Percent."""
    images: int
    """On how many digits."""
    enough: bool
    """Whether it is within the threshold's bounds."""


@dataclasses.dataclass(frozen=True)
class Network:
    """A trained network's accuracy across a class."""

    name: str
    """The network's."""
    exercise: Exercise
    """Where it is trained."""
    threshold: Threshold
    """What it must reach."""
    measured: tuple[Measured, ...]
    """Those whose network got as far as being measured."""
    unmeasured: int
    """Graded students whose network did not."""


def normalised(message: str) -> str:
    """A message without its numbers and tensors' values, so that equal mistakes have equal messages."""
    text, before = _NUMBER.sub("#", _ADDRESS.sub("#", message)), ""
    while before != text:  # once for each level of brackets
        text, before = _SEVERAL.sub("#", text), text
    return " ".join(text.split())


def grouped(cases: Iterable[tuple[str, str]]) -> list[Group]:
    """Group pairs of a student and a message whose normalised messages are equal; most students first."""
    examples: dict[str, Counter[str]] = {}
    students: dict[str, dict[str, None]] = {}
    for student, message in cases:
        key = normalised(message)
        examples.setdefault(key, Counter())[message] += 1
        students.setdefault(key, {})[student] = None
    groups = [
        Group(messages.most_common(1)[0][0], tuple(students[key]), messages.total())
        for key, messages in examples.items()
    ]
    return sorted(groups, key=lambda group: (-len(group.students), -group.cases, group.example))


def states(classroom: Classroom) -> Counter[str]:
    """How many students stand where."""
    return Counter(student.state for student in classroom)


def _kind(score: Score) -> str:
    if score.waiting:
        return "waiting"
    return "full" if score.points >= score.maximum else "part" if score.points > 0 else "none"


def successes(classroom: Classroom) -> list[Success]:
    """How the class did in each exercise, in the notebook's order."""
    graded = classroom.graded
    failed: dict[str, list[tuple[str, str, str]]] = {key: [] for key in EXERCISES}
    for student in graded:
        for cell, test in student.tests.items():
            if test.status == "failed":
                failed[test.exercise].append((student.name, cell, test.message))
    found = []
    for key, exercise in EXERCISES.items():
        counts = Counter(_kind(student.grades.scores[key]) for student in graded if student.grades)
        failures = tuple(_with_cells(failed[key]))
        found.append(Success(exercise, counts["full"], counts["part"], counts["none"], counts["waiting"], failures))
    return found


def _with_cells(cases: list[tuple[str, str, str]]) -> list[tuple[Group, tuple[str, ...]]]:
    """Group students, test cells and messages by equal messages, each group with its cells in the notebook's order."""
    cells: dict[str, dict[str, None]] = {}
    for _, cell, message in cases:
        cells.setdefault(normalised(message), {})[cell] = None
    groups = grouped((student, message) for student, _, message in cases)
    return [(group, tuple(cells[normalised(group.example)])) for group in groups]


def networks(classroom: Classroom) -> list[Network]:
    """Each network's accuracies, in the order of the thresholds."""
    found = []
    for name, threshold in GRADING.items():
        key = name.replace("_", "-")
        measured = []
        for student in classroom.graded:
            tests = [test for test in student.tests.values() if test.exercise == key and test.accuracy is not None]
            if tests:
                best = max(tests, key=lambda test: test.images)
                enough = threshold.passes(best.accuracy)
                measured.append(Measured(student.name, best.accuracy, best.images, enough))
        unmeasured = len(classroom.graded) - len(measured)
        found.append(Network(name, EXERCISES[key], threshold, tuple(measured), unmeasured))
    return found


def not_graded(classroom: Classroom) -> list[tuple[Group, tuple[str, ...]]]:
    """Reasons why tests were not graded where that still waits for a person, each with the tests that it holds for."""
    return _with_cells(
        [
            (student.name, cell, test.message)
            for student in classroom
            if student.state == NOT_GRADED
            for cell, test in student.tests.items()
            if test.status == "not graded" and student.grades.scores[test.exercise].waiting
        ]
    )


def median(values: Iterable[float]) -> float | None:
    """The median; ``None`` of nothing."""
    values = list(values)
    return statistics.median(values) if values else None
