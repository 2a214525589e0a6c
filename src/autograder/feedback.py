"""What a student gets back: one page that needs nothing else, made by `nbgrader generate_feedback` itself.

`TellStudent` reads the graded notebook and the gradebook and writes down what the page says; `FeedbackExporter` has the
template (``templates/feedback``). `nbgrader_config.py` names both, so that nbgrader's command, the formgrader's button
and ``autograder feedback`` give the same page. It has the points, what was tested in words, what went wrong as the
tests say it, the student's own cells with their figures, and what a person wrote; not the course's own text, a line of
a hidden test, a model answer or a rubric.
"""

import ast
import dataclasses
import functools
import hashlib
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nbformat
from markupsafe import Markup
from nbconvert.exporters import TemplateExporter
from nbformat import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.converters.base import NbGraderException
from nbgrader.preprocessors import NbGraderPreprocessor
from nbgrader.utils import compute_checksum
from traitlets import default

from autograder import excerpts, lateness, remarks
from autograder.excerpts import Album, Output, scrub
from autograder.exercises import EXERCISES, Exercise
from autograder.intake import UNREADABLE
from autograder.marks import Mark, Marks, read_marks
from autograder.notebooks import regions, role
from autograder.versions import hash_of

TEMPLATES = Path(__file__).parent / "templates"
MAX_CHECKS = 12  # of one test that are named
MAX_ADDED = 60  # cells of the student's own
_HEADING = re.compile(r"^### Exercise (\S+) — (.+?)\s*$", re.MULTILINE)
_POINTS = re.compile(r"\s*\(\d+ points?\b[^)]*\)")
# Which argument of a check says in words what is compared.
_WORDED = {"equal": 2, "close": 2, "shape": 2, "parameters": 2, "varies": 1}

PASSED, PARTLY, FAILED = "passed", "passed in part", "failed"
NOT_GRADED, WAITING, MARKED, EMPTY = "not graded", "waiting for marking", "marked", "not answered"


@dataclasses.dataclass(frozen=True)
class Test:
    """One test of an exercise."""

    what: str
    """What it tests."""
    mark: Mark
    """Its points."""
    status: str
    """"passed", "failed", "not graded" or "marked"."""
    message: str
    """What went wrong, as the test says it."""
    checks: list[str]
    """What its public checks look at."""


@dataclasses.dataclass(frozen=True)
class Shown:
    """One cell."""

    title: str
    """What it is."""
    source: Markup | None
    """Its code in colours, or its text as HTML; ``None`` where it is the course's."""
    is_code: bool
    """Which of them it is."""
    outputs: list[Output]
    """What it printed and drew."""


@dataclasses.dataclass
class Section:
    """One exercise."""

    exercise: Exercise
    """Which."""
    title: Markup
    """Its heading."""
    tests: list[Test] = dataclasses.field(default_factory=list)
    """Its tests."""
    mark: Mark | None = None
    """The points of a written answer."""
    untouched: bool = False
    """Whether the answer is what was handed out."""
    lost: str = ""
    """Why the answer was not found in the hand-in, or an empty string."""
    comment: Markup | None = None
    """What a person wrote about it."""
    about_another: bool = False
    """Whether that was written about another answer than the one that is shown."""
    cells: list[Shown] = dataclasses.field(default_factory=list)
    """The student's cells and figures."""

    @property
    def marks(self) -> list[Mark]:
        """The marks of all its cells."""
        return [test.mark for test in self.tests] if self.mark is None else [self.mark]

    @property
    def points(self) -> float:
        """Its points so far."""
        return sum(mark.points for mark in self.marks)

    @property
    def status(self) -> str:
        """What became of it, in words."""
        if self.mark is not None:
            return WAITING if self.mark.waiting else EMPTY if self.untouched and not self.mark.points else MARKED
        statuses = {test.status for test in self.tests}
        for status in (NOT_GRADED, WAITING, MARKED):
            if status in statuses:
                return status
        if statuses == {FAILED} and self.untouched:
            return EMPTY
        return statuses.pop() if len(statuses) == 1 else PARTLY


@dataclasses.dataclass
class Page:
    """What a page says."""

    marks: Marks
    """Who, and the points."""
    title: str
    """The notebook's own."""
    graded: datetime
    """When."""
    fingerprint: str
    """Of all that the page depends on."""
    sections: list[Section]
    """The exercises, in the notebook's order."""
    before: list[Shown]
    """Cells before the first exercise."""
    repairs: list[str]
    """What had to be put right."""
    unreadable: str
    """Why the hand-in could not be read, or an empty string."""

    @property
    def total(self) -> float:
        """All points so far."""
        return self.marks.total

    @property
    def penalty(self) -> float:
        """What is taken off for being late."""
        return self.marks.late_penalty

    @property
    def maximum(self) -> float:
        """All points but the bonus."""
        return sum(m.maximum for s in self.sections for m in s.marks if not s.exercise.bonus)

    @property
    def bonus(self) -> float:
        """What can be earned on top."""
        return sum(m.maximum for s in self.sections for m in s.marks if s.exercise.bonus)

    def shaky(self, section: Section) -> list[Section]:
        """The exercises that this one needs and that are not right, where it is not right itself."""
        if section.status in (PASSED, EMPTY) or section.mark is not None:
            return []
        return [s for s in self.sections if s.exercise.key in section.exercise.needs and s.status != PASSED]

    @property
    def open(self) -> float:
        """The points that a person has yet to decide about."""
        return sum(m.maximum for s in self.sections for m in s.marks if m.waiting)


def what_is_tested(public: str, grade_id: str) -> tuple[str, list[str]]:
    """What a test cell tests, in words, and what its public checks look at.

    Args:
        public: the cell's public lines.
        grade_id: its id, for a cell that does not say.
    """
    told = re.search(r"All public checks of (.+?) passed\.", public)
    what = told[1] if told else grade_id.removeprefix("test-").replace("-", " ")
    checks: dict[str, None] = {}
    nodes = [node for node in ast.walk(ast.parse(public)) if isinstance(node, ast.Call | ast.Assert)]
    for node in sorted(nodes, key=lambda node: (node.lineno, node.col_offset)):
        if isinstance(node, ast.Assert):
            words = node.msg
        else:
            name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            place = _WORDED.get(name, len(node.args))
            named = {keyword.arg: keyword.value for keyword in node.keywords}
            words = node.args[place] if place < len(node.args) else named.get("otherwise")
        if words is not None and re.search(r"\w", text := _constant(words)):
            checks[text] = None
    return what, list(checks)[:MAX_CHECKS]


def _constant(node: ast.AST) -> str:
    """A string in the code; what it fills in at run time is "…"."""
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    return "".join(str(p.value) if isinstance(p, ast.Constant) and isinstance(p.value, str) else "…" for p in parts)


@functools.cache
def _maker() -> str:
    """A hash of what makes pages: when it changes, they do."""
    names = ("feedback", "excerpts", "marks", "remarks", "safe", "mathml", "steps", "exercises", "notebooks")
    own = [Path(__file__).with_name(f"{name}.py") for name in names]
    return hash_of([*own, *sorted((TEMPLATES / "feedback").iterdir())])


def fingerprint(notebook: Path, source: Path, marks: Marks) -> str:
    """A hash of all that a page depends on.

    Args:
        notebook: the graded notebook.
        source: the source notebook.
        marks: what the gradebook says.
    """
    marked = json.dumps(dataclasses.asdict(marks), sort_keys=True, default=str)
    parts = [_maker(), hash_of([notebook, source]), _graded(notebook).isoformat(), marked]
    return hashlib.sha256("".join(parts).encode()).hexdigest()[:32]


def _graded(notebook: Path) -> datetime:
    return datetime.fromtimestamp(int(notebook.stat().st_mtime), UTC)


def _titles(cells: list[NotebookNode]) -> dict[str, Markup]:
    """Each exercise's heading, from the notebook."""
    found = dict(match for cell in cells if cell.cell_type == "markdown" for match in _HEADING.findall(cell.source))
    titles = {}
    for key, exercise in EXERCISES.items():
        title = _POINTS.sub("", found.get(exercise.number, key))
        same = [other for other, e in EXERCISES.items() if e.number == exercise.number]
        parts = title.split(" and ")
        if len(parts) == len(same):  # one heading for several answers
            title = parts[same.index(key)]
        titles[key] = Markup(re.sub(r"</?p>", "", excerpts.words(title)).strip())
    return titles


class _Reader:
    """Reads a graded notebook from top to bottom, and sorts what the page shows into exercises."""

    def __init__(self, nb: NotebookNode, marks: Marks, source: NotebookNode | None):
        self.nb, self.marks, self.course = nb, marks, nb.metadata.course
        self.given = {cell.id: cell.source for cell in source.cells} if source is not None else {}
        titles = _titles(nb.cells if source is None else source.cells)
        self.sections = {key: Section(exercise, titles[key]) for key, exercise in EXERCISES.items()}
        self.before: list[Shown] = []
        self.here: Section | None = None
        self.album, self.added = Album(), 0

    def read(self) -> None:
        """Go through the cells."""
        numbers = {exercise.number: self.sections[key] for key, exercise in reversed(EXERCISES.items())}
        for cell in self.nb.cells:
            kind, key = role(cell), cell.metadata.get("course", {}).get("exercise")
            if key in self.sections:
                self.here = self.sections[key]
            elif kind == "text" and (heading := _HEADING.search(cell.source)):
                self.here = numbers.get(heading[1], self.here)
            if kind == "answer":
                self._answer(cell, self.here)
            elif kind == "tests":
                self.here.tests.append(self._test(cell))
            elif kind == "training":
                self._show("What training printed", None, cell)
            elif kind == "playground":
                self._playground(cell)
            elif kind == "added":
                self._added(cell)

    def _show(self, title: str, source: Markup | None, cell: NotebookNode, *, errors: bool = True) -> None:
        is_code = cell.cell_type == "code"
        outputs = excerpts.outputs(cell, self.album, errors=errors) if is_code else []
        there = self.before if self.here is None else self.here.cells
        if source is None and there and there[-1].source is None and there[-1].title == title:
            there[-1].outputs.extend(outputs)
        elif source is not None or outputs:
            there.append(Shown(title, source, is_code, outputs))

    def _source(self, cell: NotebookNode, text: str | None = None) -> Markup:
        text = cell.source if text is None else text
        return excerpts.code(text) if cell.cell_type == "code" else excerpts.words(text, cell.get("attachments"))

    def _answer(self, cell: NotebookNode, section: Section) -> None:
        section.lost = scrub(self.course.get("lost", {}).get(section.exercise.key, ""))
        unreadable = section.lost or self.course.get(UNREADABLE)
        untouched = cell.metadata.nbgrader.get("checksum") == compute_checksum(cell)
        section.untouched = untouched and not unreadable
        if cell.cell_type == "markdown":
            section.mark = self.marks.cells.get(cell.id, Mark(0.0, section.exercise.points, True, False))
        if comment := self.marks.comments.get(cell.id):
            section.comment = excerpts.words(comment)
            # Whoever has marked this answer has seen the comment beside it.
            marked = section.mark is not None and section.mark.by_hand and not section.mark.waiting
            section.about_another = not marked and remarks.is_about_another(self.nb, cell, comment)
        if not untouched:
            self._show("Your answer", self._source(cell, self._without_question(cell)), cell)

    def _without_question(self, cell: NotebookNode) -> str:
        """A written answer without the question above it, which stands in the same cell."""
        if cell.cell_type == "code":
            return cell.source
        question = regions(self.given.get(cell.id, ""))[0]
        lines = cell.source.split("\n")
        pairs = enumerate(zip(lines, question, strict=False))
        same = next((i for i, (a, b) in pairs if a != b), min(len(lines), len(question)))
        return "\n".join(lines[same:])

    def _test(self, cell: NotebookNode) -> Test:
        mark = self.marks.cells.get(cell.id, Mark(0.0, cell.metadata.nbgrader.points, True, False))
        what, checks = what_is_tested(cell.source, cell.id)
        outcome = self.course.evidence.get("outcomes", {}).get(cell.id)
        if outcome is None:  # a hand-in that was not run
            error = next((o for o in cell.outputs if o.output_type == "error"), None)
            outcome = {"status": NOT_GRADED if error else PASSED, "message": error.evalue if error else ""}
        status, message = outcome["status"], scrub(outcome["message"])
        if outcome.get("grader_error"):
            # Its message may hold what the test computes with.
            message = "This test has a mistake of its own, which is not yours"
        if mark.waiting:  # graded anew since a person marked it, if it was graded
            status = NOT_GRADED if status == NOT_GRADED else WAITING
        elif mark.by_hand:
            status = MARKED
        return Test(what, mark, status, message, checks)

    def _playground(self, cell: NotebookNode) -> None:
        """A given cell: its figures where it uses an answer, and the cell where the student changed it."""
        given = self.given.get(cell.id, cell.source)
        if cell.source.strip() != given.strip():
            self._show("A cell of the course that you changed", self._source(cell), cell)
        elif any(re.search(rf"\b{re.escape(name)}\b", cell.source) for name in self.course.get("names", ())):
            self._show("What your answers draw", None, cell, errors=False)

    def _added(self, cell: NotebookNode) -> None:
        self.added += 1
        if self.added <= MAX_ADDED:
            self._show("A cell that you added", self._source(cell), cell)


class TellStudent(NbGraderPreprocessor):
    """Writes down what the page says; nbgrader's ``GetGrades`` is not needed beside it."""

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        """Fill ``resources["feedback"]``.

        Raises:
            NbGraderException: the notebook was not graded by this course's steps, or the gradebook does not know it.
        """
        names, coursedir = resources["nbgrader"], self.parent.parent.coursedir
        if "evidence" not in nb.metadata.get("course", {}):
            raise NbGraderException(
                f"The submission of {names['student']} was not graded to its end: grade it again, then write feedback."
            )
        with Gradebook(names["db_url"]) as gradebook:
            lateness.renew(gradebook, self.config, names["student"])
            marks = read_marks(gradebook, [names["student"]]).get(names["student"])
        if marks is None:
            raise NbGraderException(f"The gradebook knows no submission of {names['student']}: grade it first.")
        path = Path(resources["metadata"]["path"], f"{resources['metadata']['name']}.ipynb")
        source = Path(coursedir.format_path(coursedir.source_directory, ".", names["assignment"]), path.name)
        reader = _Reader(nb, marks, nbformat.read(source, as_version=4) if source.is_file() else None)
        reader.read()
        course = nb.metadata.course
        resources["feedback"] = Page(
            marks,
            excerpts.first_line(nb.cells[0].source) if nb.cells else "",
            _graded(path),
            fingerprint(path, source, marks),
            [found for found in reader.sections.values() if found.marks],
            reader.before,
            [scrub(repair) for repair in course.get("repairs", ())],
            scrub(course.get(UNREADABLE, "")),
        )
        return nb, resources


class FeedbackExporter(TemplateExporter):
    """HTML by the template of our own, whatever nbgrader or the formgrader set for their own pages."""

    output_mimetype = "text/html"

    @default("file_extension")
    def _html(self) -> str:
        return ".html"

    @default("template_name")
    def _own_template(self) -> str:
        return "feedback"

    @default("extra_template_basedirs")
    def _own_templates(self) -> list[str]:
        return [str(TEMPLATES)]
