"""The demonstration: a small class of sample submissions, from the notebook's text to feedback and grades.

Each sample's name is its promise: ``passes_…`` earns every point of what it attempts, ``fails_EXERCISE__why`` loses
points in that exercise and at most in those that need it, there only those that no test on stand-ins gives;
``fails_everything__…`` earns none.
"""

import shutil
from pathlib import Path

from rich.console import Console

from autograder import live, sending
from autograder.course import Course
from autograder.errors import CourseError
from autograder.exercises import EXERCISES, dependants
from autograder.exports import write_csv
from autograder.overview import write_report
from autograder.pipeline import Grading
from autograder.report import Grades, read_grades, table
from autograder.submissions import Sample, read_sample
from autograder.workers import workers

MARK = ".demonstration"  # the folder is one that may be emptied


def broken_promises(sample: Sample, grades: Grades) -> list[str]:
    """Where a sample's points are not what it promises, one sentence each."""
    wrong = []
    touched = dependants(sample.loses)
    for key, score in grades.scores.items():
        exercise = EXERCISES[key]
        if exercise.by_hand:
            continue
        got = f"{sample.name}: {exercise.number} {key} has {score.points:g} of {score.maximum:g} points"
        if key not in sample.attempted:
            if score.points != 0:
                wrong.append(f"{got}, but it is not answered")
        elif key in sample.loses:
            if score.points >= score.maximum:
                wrong.append(f"{got}, but its answer has a mistake")
        elif key not in touched and (score.points != score.maximum or score.waiting):
            wrong.append(f"{got}, but its answer is right")
        elif score.points < exercise.apart:
            wrong.append(f"{got}, but its answer is right, and {exercise.apart} of them need no other")
    return wrong


def _emptied(folder: Path) -> None:
    """Make the demonstration's folder, without what an earlier one left there.

    Raises:
        CourseError: it holds something that no demonstration has put there.
    """
    if folder.exists() and not (folder.is_dir() and ((folder / MARK).is_file() or not any(folder.iterdir()))):
        raise CourseError(f"{folder} holds what no demonstration has put there: name another folder with --out")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / MARK).touch()


def run(project: Path, folder: Path, console: Console, only: str, sandbox: str | None = None) -> list[str]:
    """Grade the sample submissions in a folder of their own, and show the table.

    Args:
        project: the project's root.
        folder: for it alone; what an earlier demonstration left there is removed first.
        console: where to show progress and the table.
        only: a pattern of the samples' names.
        sandbox: "none" for no sandbox.

    Returns:
        The broken promises.

    Raises:
        CourseError: a step failed, no sample has such a name, or the folder holds something else.
    """
    texts = sorted((project / "tests" / "submissions").glob(f"{only}.py"))
    if not texts:
        raise CourseError(f"no sample in tests/submissions is called {only!r}")
    _emptied(folder)
    course = Course(folder, project, sandbox)
    source = course.build()
    course.release()
    console.print(f"The release is in {course.folder('release')}.")
    samples = [read_sample(path, source) for path in texts]
    for sample in samples:
        course.hand_in(sample.name, sample.notebook)
    names = sorted(sample.name for sample in samples)
    with workers() as hands:
        grading = Grading(course, hands, names)
        live.watch(grading, console)
    if grading.failed:
        raise CourseError(f"these could not be entered: {grading.failed}")
    failed = sending.write_pages(course, names, None, lambda *_: None)
    if failed:
        raise CourseError(f"no feedback could be written: {failed}")
    pages = sending.pack(course, names, folder / "feedback.zip")
    write_report(course, folder / "report.html")
    with course.gradebook() as gradebook:
        rows = [read_grades(gradebook, sample.name) for sample in samples]
    write_csv(rows, folder / "grades.csv")
    console.print(table(rows, "Sample submissions"))
    console.print(f"Points: {folder / 'grades.csv'}", f"Report: {folder / 'report.html'}", sep="\n")
    console.print(f"Feedback: {folder / 'feedback'}/NAME/gcnn/gcnn.html; {pages} pages in {folder / 'feedback.zip'}")
    return [broken for sample, row in zip(samples, rows, strict=True) for broken in broken_promises(sample, row)]
