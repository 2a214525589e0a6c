"""Classes whose submissions never ran: real notebooks, outcomes and evidence, entered by the course's own steps.

For tests of what is made of grades: reports, feedback, exports. Nothing is trained: thirty students take seconds.
"""

import datetime
import random
from collections.abc import Mapping

import nbformat

from autograder.course import Course
from autograder.exercises import EXERCISES
from autograder.judge import Outcome
from autograder.notebooks import ASSIGNMENT, role
from autograder.report import exercise_of
from autograder.run import Run, not_run
from autograder.steps import prepared
from autograder.submissions import solved

DUE = datetime.datetime(2026, 11, 20, 22)
MISTAKES = {
    "test-c4-product": "C4.product({}, {}) is {}, expected {}. Has the result wrapped around?",
    "test-d4-inverse": "D4.inverse(({}, {})) is ({}, {}), expected another. A reflection is its own inverse.",
    "test-isotropic-conv-filter": "The filter is wrong: at index ({}, {}) it is 0.{}, expected 0.{}5.",
    "test-lifting-conv-convolution": "LiftingConv2d's output is wrong: at index ({}, {}) it is {}.{}, expected 1.5.",
    "test-group-conv-filter": "GroupConv2d's filter has shape ({}, {}, {}, {}), expected another.",
    "test-d4-action": "transform_p4m gives {}.{} at index ({}, {}): are reflections inverted like turns?",
}
NETWORKS = {"c4cnn": 91.3, "isotropic-cnn": 29.6, "c4cnn-bn": 93.6, "d4cnn": 88.6}
HOSTILE = (
    '"><img src=x onerror=alert(1)>',
    "<script>alert(document.title)<",
    "javascript:alert(1)",
    "\u202egnp.exe",
    '=HYPERLINK("http:evil")',
    "{{ 7 * 7 }}{% raw %}",
    "a" * 90,
)


def cells(source: nbformat.NotebookNode, kind: str) -> list[nbformat.NotebookNode]:
    """The source's cells of one role."""
    return [cell for cell in source.cells if role(cell) == kind]


def answered(source, *, words=True, untouched=(), added=()):
    """A hand-in with the model's answers, but for those that stay untouched, and with cells of its own."""
    chosen = {cell.id for cell in cells(source, "answer") if words or cell.cell_type == "code"}
    notebook = solved(source, chosen - set(untouched))
    notebook.cells[3:3] = [nbformat.v4.new_code_cell(code) for code in added]
    return notebook


def landed(
    course,
    student: str,
    notebook: nbformat.NotebookNode,
    outcomes: Mapping[str, Outcome] | None = None,
    *,
    seconds: float = 60.0,
    memory_mb: float = 900.0,
    limits: tuple[str, ...] = (),
    deaths: tuple[str, ...] = (),
    left_out: tuple[str, ...] = (),
    repairs: tuple[str, ...] = (),
    unreadable: str = "",
    late: datetime.timedelta | None = None,
) -> None:
    """Hand a notebook in and enter these outcomes; tests that are not among them passed."""
    course.hand_in(student, notebook)
    if late is not None:
        with course.gradebook() as gradebook:
            due = gradebook.find_assignment(ASSIGNMENT).duedate
        (course.folder("submitted", student) / "timestamp.txt").write_text(f"{due + late} UTC")
    poured = prepared(notebook, course.source())
    poured.metadata.course.repairs += list(repairs)
    if unreadable:
        course.land(student, not_run(poured, unreadable))
        return
    judged = {cell.id: Outcome("passed") for cell in cells(poured, "tests")} | dict(outcomes or {})
    for cell in cells(poured, "tests"):
        cell.outputs = [nbformat.from_dict(output) for output in judged[cell.id].outputs]
    evidence = {
        "notebook": "0" * 64,
        "sandbox": {
            "kind": "bubblewrap",
            "limits_hit": list(limits),
            "left_out": list(left_out),
            "peak_memory_mb": memory_mb,
        },
        "kernel deaths": list(deaths),
        "seconds": {"all": seconds},
        "outcomes": {
            name: {key: getattr(outcome, key) for key in ("status", "message", "grader_error", "measured")}
            for name, outcome in judged.items()
        },
    }
    course.land(student, Run(poured, judged, evidence))


def failed(message: str, **more) -> Outcome:
    """A failed test."""
    error = {"output_type": "error", "ename": "AssertionError", "evalue": message, "traceback": [message]}
    return Outcome("failed", message, outputs=[error], **more)


def accurate(percent: float, images: int = 5000, *, passed: bool = True, message: str = "") -> Outcome:
    """A test that measured these accuracies: on the public digits, then on the hidden ones."""
    what = "The network's output"
    measured = [{"what": what, "accuracy": percent + 1, "images": 1000}]
    if images != 1000:
        measured.append({"what": what, "accuracy": percent, "images": images})
    return Outcome("passed", measured=measured) if passed else failed(message, measured=measured)


def open_course(root, project):
    """A course with its release made and a deadline."""
    course = Course(root, project)
    course.build()
    course.release()
    with course.gradebook() as gradebook:
        gradebook.find_assignment(ASSIGNMENT).duedate = DUE
        gradebook.db.commit()
    return course


def mark(course, student: str, share: float = 1.0) -> None:
    """Mark a student's written answers by hand."""
    with course.gradebook() as gradebook:
        for grade in gradebook.find_submission_notebook(ASSIGNMENT, ASSIGNMENT, student).grades:
            if EXERCISES[exercise_of(grade.name)].by_hand and grade.needs_manual_grade:
                grade.manual_score, grade.needs_manual_grade = share * grade.max_score, False
        gradebook.db.commit()


def a_class(course, size: int = 30, seed: int = 0) -> list[str]:
    """Fill a course with all kinds of students: right and wrong, late, damaged, odd, hostile, missing; their names."""
    draw, source = random.Random(seed), course.source()
    tests = [cell.id for cell in cells(source, "tests")]
    names = [f"student-{number:02}" for number in range(size - len(HOSTILE))] + list(HOSTILE)
    full = answered(source)
    for number, name in enumerate(names):
        kind, more = number % 15, {}
        mistaken = draw.sample(sorted(MISTAKES), k=draw.choice((0, 0, 1, 2)))
        outcomes = {test: failed(MISTAKES[test].format(*(draw.randrange(10) for _ in range(4)))) for test in mistaken}
        for network, mean in NETWORKS.items():
            outcomes[f"test-{network}-accuracy"] = accurate(draw.gauss(mean, 1.2))
        notebook = full
        if kind == 3:
            notebook = answered(source, words=False, untouched=("d4cnn", "d4-action"))
            outcomes |= {test: failed("NotImplementedError") for test in tests if "d4" in test}
            outcomes["test-d4cnn-accuracy"] = failed("d4cnn could not be trained: NotImplementedError")
        elif kind == 5:
            outcomes |= {test: Outcome.not_graded("the kernel died") for test in tests if "group-conv" in test}
            more = {"deaths": ("memory limit of 6,000 MB exceeded",), "limits": ("memory limit of 6,000 MB exceeded",)}
            more |= {"memory_mb": 6004.0}
        elif kind == 7:
            low = f"The trained c4cnn gets {40 + number}.0 % of digits it has never seen right, twice tried."
            outcomes["test-c4cnn-accuracy"] = accurate(40.0 + number, passed=False, message=low)
            notebook = answered(source, added=("def rotate(x, r):\n    return x", "import torch\ntorch.equal = None"))
        elif kind == 9:
            notebook = answered(source)
            next(cell for cell in notebook.cells if cell.get("id") == "test-c4-product").source = "pass"
            more = {"left_out": ("data/link.txt: a symbolic link",)}
        elif kind == 11:
            more = {"unreadable": "the notebook cannot be read (NotJSONError)"}
        elif kind == 13:
            outcomes["test-d4-product"] = failed("what the submission gave back cannot be read: it is no reply")
            more = {"deaths": ("the kernel sent what cannot be read (KeyError)",)}
        if kind == 1:  # handed in, and not graded
            course.hand_in(name, full)
            continue
        if kind == 8:  # enrolled, and nothing handed in
            with course.gradebook() as gradebook:
                gradebook.update_or_create_student(name, first_name="Ada", last_name="<b>Byron</b>")
            continue
        late = datetime.timedelta(hours=draw.randrange(1, 60)) if kind in (4, 7) else datetime.timedelta(hours=-3)
        seconds, memory = draw.lognormvariate(4.6, 0.5), draw.lognormvariate(6.9, 0.25)
        landed(course, name, notebook, outcomes, late=late, **{"seconds": seconds, "memory_mb": memory, **more})
        if kind in (2, 6, 10):
            mark(course, name, draw.choice((1.0, 0.5)))
    return names
