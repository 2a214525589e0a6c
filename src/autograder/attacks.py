"""Hostile submissions, graded under watch: does any of them earn what it should not, or touch what is not its own?

The attacks are the samples ``cheats__…`` and ``breaks__…`` of tests/submissions and the hand-ins of
`autograder.handins`. Each is graded as any submission is, while `autograder.watch` looks at what must not change.
"""

import dataclasses
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Table

from autograder.course import Course
from autograder.demo import broken_promises
from autograder.errors import CourseError
from autograder.exercises import EXERCISES
from autograder.handins import HANDINS, honest
from autograder.notebooks import ASSIGNMENT
from autograder.report import Grades, exercise_of, read_grades
from autograder.submissions import Sample, read_sample
from autograder.watch import Watch

BYSTANDER = "bystander"
LIMITS = {"memory_mb": 2500, "processes": 160, "disk_mb": 100, "output_bytes": 5_000_000, "submission_seconds": 240}
SECONDS = {"cell_seconds": 8, "training_seconds": 120, "test_seconds": 10}
TRAINING_TEST_SECONDS = 150  # where the attack is about training, so that it fails on its merits


@dataclasses.dataclass(frozen=True)
class Attack:
    """One hostile submission."""

    sample: Sample
    """What it may earn."""
    what: str
    """What it tries, in a sentence."""
    hand_in: Callable[[Course], None]
    """Puts it where submissions are collected."""


@dataclasses.dataclass(frozen=True)
class Result:
    """What became of an attack."""

    name: str
    """The submission's."""
    what: str
    """What it tried."""
    points: float
    """What it earned in all."""
    undeserved: float
    """Points of exercises that it did not answer, or answered wrongly."""
    broken: tuple[str, ...]
    """Where its points are not what they should be, undeserved or withheld, one sentence each."""
    effects: tuple[str, ...]
    """What changed outside its sandbox, one sentence each."""
    stopped_by: str
    """What stopped it: a limit, or what the judge said."""
    seconds: float
    """How long the grading took."""

    @property
    def withstood(self) -> bool:
        """Whether the attack had no success of any kind."""
        return not self.undeserved and not self.broken and not self.effects


def _of_sample(path: Path, source: nbformat.NotebookNode) -> Attack:
    sample = read_sample(path, source)
    what = path.read_text(encoding="utf-8").split("\n")[1].removeprefix("# ")
    return Attack(sample, what, lambda course: course.hand_in(sample.name, sample.notebook))


def attacks(project: Path, source: nbformat.NotebookNode, only: str = "*") -> list[Attack]:
    """The hostile samples and hand-ins whose names fit a pattern."""
    texts = sorted((project / "tests" / "submissions").glob(f"{only}.py"))
    found = [_of_sample(path, source) for path in texts if path.stem.startswith(("cheats__", "breaks__"))]
    for hostile in HANDINS:
        if Path(hostile.name).match(only):
            sample = hostile.sample(source)

            def hand_in(course: Course, hostile: Any = hostile, sample: Sample = sample) -> None:
                folder = course.folder("submitted", hostile.name)
                folder.mkdir(parents=True)
                hostile.build(folder, nbformat.from_dict(sample.notebook))

            found.append(Attack(sample, hostile.what, hand_in))
    return found


def prepare(project: Path, folder: Path) -> Course:
    """Make a course with a bystander, an honest student who is graded already, and limits that attacks reach soon.

    Args:
        project: the project's root.
        folder: emptied first.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    course = Course(folder, project)
    course.config.JudgedExecute.limits = LIMITS
    for name, seconds in SECONDS.items():
        setattr(course.config.JudgedExecute, name, seconds)
    source = course.build()
    course.release()
    course.hand_in(BYSTANDER, honest(source).notebook)
    course.autograde(BYSTANDER)
    with course.gradebook() as gradebook:
        for key in ("unique-inverse", "why-pool"):
            grade = gradebook.find_grade(key, ASSIGNMENT, ASSIGNMENT, BYSTANDER)
            grade.manual_score, grade.needs_manual_grade = 3.0, False
        gradebook.db.commit()
    return course


def grade(course: Course, attack: Attack, watch: Watch) -> Result:
    """Hand in an attack, grade it, write its feedback, and see what it got and did."""
    name = attack.sample.name
    trains = any(key.endswith(("cnn", "cnn-bn")) for key in attack.sample.attempted)
    course.config.JudgedExecute.test_seconds = TRAINING_TEST_SECONDS if trains else SECONDS["test_seconds"]
    start = time.monotonic()
    attack.hand_in(course)
    broken: list[str] = []
    with watch.over(name) as effects:
        try:
            course.autograde(name)
            course.feedback(name)
        except CourseError as error:
            broken.append(f"{name} was dropped: {error}")
    seconds = time.monotonic() - start
    if broken:
        return Result(name, attack.what, 0, 0, tuple(broken), tuple(effects), "nothing", seconds)
    with course.gradebook() as gradebook:
        grades = read_grades(gradebook, name)
    stopped_by = _stopped_by(course, attack.sample)
    points, undeserved = grades.total(by_hand=False), _undeserved(attack.sample, grades)
    broken = broken_promises(attack.sample, grades)
    return Result(name, attack.what, points, undeserved, tuple(broken), tuple(effects), stopped_by, seconds)


def _undeserved(sample: Sample, grades: Grades) -> float:
    """Points in exercises that a sample did not answer or must lose: a hostile one loses all of their points."""
    undeserved = 0.0
    for key, score in grades.scores.items():
        deserved = score.maximum if key in sample.attempted - sample.loses or EXERCISES[key].by_hand else 0.0
        undeserved += max(score.points - deserved, 0.0)
    return undeserved


def _stopped_by(course: Course, sample: Sample) -> str:
    """A limit that was hit, a kernel's death, or what the judge said in the first exercise that the attack aims at."""
    course_data = _graded(course, sample.name).metadata.get("course", {})
    evidence, repairs = course_data.get("evidence", {}), course_data.get("repairs", [])
    if "not run" in evidence:
        return f"not run: {evidence['not run']}"
    left_out = evidence["sandbox"]["left_out"]
    for reasons in (evidence["sandbox"]["limits_hit"], evidence["kernel deaths"]):
        if reasons:
            return f"the sandbox: {reasons[0]}"
    for name, outcome in evidence["outcomes"].items():
        if exercise_of(name) in sample.loses and outcome["status"] != "passed":
            return f"the judge: {outcome['message']}"
    if left_out:
        return f"left out: {left_out[0]}"
    return f"poured: {repairs[0]}" if repairs else "the judge"


def _graded(course: Course, student: str) -> nbformat.NotebookNode:
    return nbformat.read(course.folder("autograded", student) / f"{ASSIGNMENT}.ipynb", as_version=4)


def table(results: list[Result]) -> Table:
    """Attack, what stopped it, score."""
    shown = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    shown.add_column("attack", max_width=42, overflow="fold")
    shown.add_column("what stopped it", max_width=56, overflow="fold")
    shown.add_column("score", justify="right")
    shown.add_column("undeserved", justify="right")
    shown.add_column("seconds", justify="right")
    for result in results:
        stopped_by = escape(" ".join(result.stopped_by.split())[:150])
        if not result.withstood:
            stopped_by = "[red]" + escape("; ".join((*result.broken, *result.effects))[:1000] or "nothing") + "[/]"
        undeserved = f"[red]{result.undeserved:g}[/]" if result.undeserved else "0"
        name = escape(result.name).replace("__", ": ", 1).replace("_", " ")
        shown.add_row(name, stopped_by, f"{result.points:g}", undeserved, f"{result.seconds:.1f}")
    return shown


def run(project: Path, folder: Path, console: Console, only: str = "*") -> list[Result]:
    """Grade every attack in a course of its own, and show the table.

    Args:
        project: the project's root.
        folder: emptied first.
        console: where to show progress and the table.
        only: a pattern of the attacks' names.

    Raises:
        CourseError: there is no such attack, or the course could not be prepared.
    """
    course = prepare(project, folder)
    chosen = attacks(project, course.source(), only)
    if not chosen:
        raise CourseError(f"there is no attack called {only!r}")
    with Watch(course, BYSTANDER) as watch:
        results = [grade(course, attack, watch) for attack in track(chosen, "attacking", console=console)]
    console.print(table(results))
    return results
