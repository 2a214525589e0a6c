"""Grades as files for others: nbgrader's exporter plugins for a plain CSV, Canvas, and any other system by a mapping.

    autograder export gcnn --format canvas --to canvas.csv
    nbgrader export --exporter autograder.exports.CanvasExport --to canvas.csv

What is not decided is never a number: in the plain CSV such a cell is empty and a column says why; the files for a
learning management system leave such students out, because an empty cell may erase a grade there, and a second file
lists who was left out and why.
"""

import dataclasses
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from string import Formatter

from nbgrader.api import Gradebook
from nbgrader.coursedir import CourseDirectory
from nbgrader.plugins import ExportPlugin
from traitlets import Bool, Dict, Enum, Float, TraitError, Unicode
from traitlets.config import Config

from autograder.collected import read_missing
from autograder.errors import CourseError
from autograder.exercises import EXERCISES
from autograder.lateness import renew
from autograder.notebooks import ASSIGNMENT
from autograder.report import Grades, Score, read_class
from autograder.spreadsheet import Cell, number, one_line, write_tables
from autograder.standing import behind, sentences

# Where Canvas's importer finds these words in a header, it takes the column for one of its own.
_CANVAS_OWN = re.compile(
    r"(Current|Final|Override) (Score|Points|Grade|Status)"
    r"|^(Student|LastName|FirstName|ID|SIS User ID|SIS Login ID|Section|Integration ID|Root Account)$"
)


def _total(row: Grades, *, by_hand: bool) -> float | None:
    return None if row.waiting(by_hand=by_hand) else row.total(by_hand=by_hand)


def _both(row: Grades) -> float | None:
    return None if row.final is None else row.total(by_hand=False) + row.total(by_hand=True)


# What a mapping may ask for, and how an export of ours finds it: texts, and numbers that may be undecided.
_TEXTS = {
    "student": lambda row: row.student,
    "first_name": lambda row: one_line(row.first_name),
    "last_name": lambda row: one_line(row.last_name),
    "name": lambda row: _name(row),
    "email": lambda row: row.email,
    "lms_id": lambda row: row.lms_id,
    "status": lambda row: row.status,
    "assignment": lambda row: ASSIGNMENT,
}
_NUMBERS = {
    "tests": lambda row: _total(row, by_hand=False),
    "by_hand": lambda row: _total(row, by_hand=True),
    "total": _both,
    "penalty": lambda row: None if row.final is None else row.penalty,
    "final": lambda row: row.final,
}


def _name(row: Grades) -> str:
    return one_line(f"{row.first_name} {row.last_name}")


def _open(row: Grades, *, by_hand: bool) -> str:
    """The exercises that are undecided. By their keys: "1.2 1.3" could pass as a number."""
    return " ".join(k for k, score in row.scores.items() if score.waiting and EXERCISES[k].by_hand == by_hand)


def _why(row: Grades) -> str:
    """Why a student has no grade yet."""
    if not row.handed_in:
        return "nothing was handed in"
    if row.behind:
        return row.behind
    reasons = {"not graded": _open(row, by_hand=False), "waiting for marking": _open(row, by_hand=True)}
    return "; ".join(f"{reason}: {keys}" for reason, keys in reasons.items() if keys)


def points_table(rows: Iterable[Grades]) -> Iterator[list[Cell]]:
    """The plain CSV: points by exercise, totals, and where the grading stands; one student a line."""
    exercises = [f"{e.number} {e.key} (of {e.points})" for e in EXERCISES.values()]
    totals = ["tests", "by hand", "total", "late penalty", "final", "status", "hours late"]
    yield ["student", "last name", "first name", *exercises, *totals, "not graded", "waiting for marking"]
    for row in rows:
        points = [None if s.waiting or not s.maximum else s.points for s in row.scores.values()]
        sums = [_NUMBERS[name](row) for name in ("tests", "by_hand", "total", "penalty", "final")]
        late = round(row.seconds_late / 3600, 2) or None
        waiting = [] if not row.handed_in else [_open(row, by_hand=by_hand) for by_hand in (False, True)]
        names = one_line(row.last_name), one_line(row.first_name)
        yield [row.student, *names, *points, *sums, row.status, late, *(waiting or ("", ""))]


def write_csv(rows: Iterable[Grades], path: Path) -> None:
    """Write the plain CSV.

    Raises:
        CourseError: it cannot be written.
    """
    write_tables({path: points_table(rows)})


class CourseExport(ExportPlugin):
    """What the exporters have in common: whom they export, and how."""

    bom = Bool(False, help="begin the file with a byte-order mark, by which Excel knows UTF-8").tag(config=True)
    missing_as_zero = Bool(False, help="whether nothing handed in is 0 points; else it is no grade").tag(config=True)

    name = "grades"
    """What the file is called if nobody says."""
    left_out: Sequence[str] = ()
    """Who was left out of the last file."""
    notes: Sequence[str] = ()
    """Whose points in the gradebook are not those of now, and why; a sentence for each reason."""

    def export(self, gradebook: Gradebook) -> None:
        """Write the file, with what being late costs now; nbgrader's command and ours call this.

        Raises:
            CourseError: it cannot be done. Under nbgrader's command that is logged, and the command fails.
        """
        try:
            renew(gradebook, self.config)
            self.write(gradebook)
        except CourseError as error:
            if self.parent is None:
                raise
            self.parent.fail("%s", error)

    def write(self, gradebook: Gradebook) -> None:
        """Write the file."""
        raise NotImplementedError

    @property
    def _course(self) -> CourseDirectory:
        return self.parent.coursedir if self.parent is not None else CourseDirectory(config=self.config)

    @property
    def target(self) -> Path:
        """The file that is written."""
        return Path(self.to) if self.to else Path(self._course.root) / f"{self.name}.csv"

    @property
    def beside(self) -> Path:
        """The file that lists who was left out and why."""
        return self.target.with_name(f"{self.target.stem}-left-out.csv")

    def rows(self, gradebook: Gradebook) -> list[Grades]:
        """The students that are asked for, by name.

        Raises:
            CourseError: there is no such student or assignment, or nobody at all.
        """
        if unknown := sorted({str(name) for name in self.assignment} - {ASSIGNMENT}):
            raise CourseError(f"there is no assignment {', '.join(unknown)} in this course; there is {ASSIGNMENT}")
        there = self._handed_in()
        missing = read_missing(Path(self._course.root))
        rows = read_class(gradebook, there, missing, behind(self._course, there))
        if not rows:
            raise CourseError("there is nobody to export: the gradebook knows no student, and nothing was handed in")
        wanted = {str(name) for name in self.student}
        if unknown := sorted(wanted - {row.student for row in rows}):
            raise CourseError(f"the gradebook knows no student {', '.join(unknown)}")
        rows = [row for row in rows if not wanted or row.student in wanted]
        self.notes = sentences({row.student: row.behind for row in rows})
        return [_as_zero(row) if self.missing_as_zero and not row.handed_in else row for row in rows]

    def _handed_in(self) -> set[str]:
        root = Path(self._course.root)
        folder = Path(self._course.format_path(self._course.submitted_directory, "*", ASSIGNMENT)).relative_to(root)
        place = folder.parts.index("*")
        return {path.relative_to(root).parts[place] for path in root.glob(str(folder)) if path.is_dir()}

    def _save(self, table: list[list[Cell]], left_out: list[Grades] | None = None) -> None:
        tables = {self.target: table}
        if left_out is not None:
            rows = ([row.student, _name(row), row.status, _why(row)] for row in left_out)
            tables[self.beside] = [["student", "name", "status", "why"], *rows]
            self.left_out = [row.student for row in left_out]
        write_tables(tables, bom=self.bom)
        self.log.info("Wrote %s", " and ".join(map(str, tables)))
        if self.parent is not None:
            for note in self.notes:
                self.log.warning("%s", note)
            if left_out:
                self.log.warning("%d without a final grade are left out, see %s", len(left_out), self.beside)


def _as_zero(row: Grades) -> Grades:
    return dataclasses.replace(row, scores={key: Score(0.0, s.maximum) for key, s in row.scores.items()})


class PointsExport(CourseExport):
    """A plain CSV with points by exercise, totals and a status."""

    def write(self, gradebook: Gradebook) -> None:
        """Write the file."""
        self._save(list(points_table(self.rows(gradebook))))


class CanvasExport(CourseExport):
    """The file that Canvas's gradebook imports.

    Canvas's importer (``lib/gradebook_importer.rb``) wants these columns in this order, finds a student by the first of
    the ids that it knows, and an assignment by the number in brackets at the end of its header or by its name. A blank
    cell erases a grade, so that students without a final one are left out.
    """

    column = Unicode(
        ASSIGNMENT, help="the assignment's header as in Canvas's own export, with its number: Equivariance (123456)"
    ).tag(config=True)
    student_is = Enum(
        ["ID", "SIS User ID", "SIS Login ID"], "SIS Login ID", help="which of Canvas's ids nbgrader's student ids are"
    ).tag(config=True)
    points_possible = Float(
        float(sum(e.points for e in EXERCISES.values() if not e.bonus)), help="full points, without bonus"
    ).tag(config=True)
    name = "canvas"

    def write(self, gradebook: Gradebook) -> None:
        """Write the file, and the list of those who are left out.

        Raises:
            CourseError: Canvas would not take the assignment's header for one.
        """
        if not self.column.strip() or _CANVAS_OWN.search(self.column):
            raise CourseError(
                f"Canvas takes the header {self.column!r} for a column of its own: set CanvasExport.column to the "
                "assignment's header in Canvas's own export"
            )
        rows = self.rows(gradebook)
        table: list[list[Cell]] = [["Student", "ID", "SIS User ID", "SIS Login ID", "Section", self.column]]
        table.append(["Points Possible", None, None, None, None, self.points_possible])
        for row in rows:
            if row.final is not None:
                ids = {"ID": row.lms_id if re.fullmatch(r"[0-9]+", row.lms_id) else "", self.student_is: row.student}
                three = [ids.get(name) for name in ("ID", "SIS User ID", "SIS Login ID")]
                table.append([_canvas_name(row), *three, None, row.final])
        self._save(table, [row for row in rows if row.final is None])


def _canvas_name(row: Grades) -> str:
    parts = (one_line(row.last_name), one_line(row.first_name))
    names = (", ".join(part for part in parts if part), row.student)
    # A line that begins with these words would set the assignment's points.
    return next((name for name in names if name and "Points Possible" not in name), "student")


class LmsExport(CourseExport):
    """A file for another learning management system, by a mapping in the settings: header to what stands below it.

    What stands below is text with names in braces: ``{student}``, ``{final}``, ``{exercise:lifting-conv}``.
    """

    formats = Dict(
        key_trait=Unicode(),
        value_trait=Dict(key_trait=Unicode(), value_trait=Unicode()),
        help="by a system's name, the columns of its file: header to text with "
        + ", ".join(f"{{{name}}}" for name in (*_TEXTS, *_NUMBERS, "exercise:KEY")),
    ).tag(config=True)
    lms = Unicode("", help="which of the formats; not needed if there is only one").tag(config=True)

    @property
    def name(self) -> str:
        """The file's name: the system's, as far as it can be one."""
        return re.sub(r"[^\w-]", "_", self._format()) or "lms"

    def write(self, gradebook: Gradebook) -> None:
        """Write the file, and the list of those who are left out.

        Raises:
            CourseError: there is no such format, or it asks for what there is not.
        """
        name = self._format()
        columns = {header: _parse(name, header, text) for header, text in self.formats[name].items()}
        if not any(field in _NUMBERS or field == "exercise" for parts in columns.values() for _, field, _ in parts):
            raise CourseError(f"LmsExport.formats[{name!r}] has no column with points, such as {{final}}")
        table: list[list[Cell]] = [list(columns)]
        left_out = []
        for row in self.rows(gradebook):
            cells = [_fill(row, parts) for parts in columns.values()]
            if None in cells:
                left_out.append(row)
            else:
                table.append(cells)
        self._save(table, left_out)

    def _format(self) -> str:
        known = ", ".join(self.formats) or "none"
        if not self.lms and len(self.formats) != 1:
            raise CourseError(f"which system is it for? LmsExport.formats in nbgrader_config.py has {known}")
        name = self.lms or next(iter(self.formats))
        if name not in self.formats:
            raise CourseError(f"there is no format {name!r}: LmsExport.formats in nbgrader_config.py has {known}")
        return name


_Part = tuple[str, str | None, str]  # a text, the name that follows, and what stands behind its colon


def _parse(name: str, header: str, text: str) -> list[_Part]:
    """A mapping's text, taken apart. Only names of our own lists, so that nothing else of Python can be reached.

    Raises:
        CourseError: it asks for what there is not.
    """
    place = f"LmsExport.formats[{name!r}][{header!r}]"
    try:
        found = list(Formatter().parse(text))
    except ValueError as error:
        raise CourseError(f"{place} is {text!r}: {error}; write a brace that is none twice") from error
    for _, field, key, conversion in found:
        if field == "exercise":
            if key not in EXERCISES:
                raise CourseError(f"{place} asks for the exercise {key!r}; there are {', '.join(EXERCISES)}")
        elif field is not None and (key or field not in {**_TEXTS, **_NUMBERS}):
            asked = f"{{{field}{f':{key}' if key else ''}}}"
            raise CourseError(f"{place} asks for {asked}; there are {', '.join((*_TEXTS, *_NUMBERS, 'exercise:KEY'))}")
        if conversion:
            raise CourseError(f"{place} has !{conversion} in braces, which means nothing here: leave it away")
    return [(before, field, key or "") for before, field, key, _ in found]


def _fill(row: Grades, parts: list[_Part]) -> Cell:
    """A cell of this student's; ``None`` if it should hold a number that is undecided."""
    texts = []
    for before, field, key in parts:
        texts.append(before)
        if field is None:
            continue
        if field in _TEXTS:
            texts.append(_TEXTS[field](row))
            continue
        score = row.scores[key] if field == "exercise" else None
        value = _NUMBERS[field](row) if score is None else None if score.waiting else score.points
        if value is None:
            return None
        if len(parts) == 1 and not before:
            return value
        texts.append(number(value))
    return "".join(texts)


def exporter(kind: str, config: Config) -> CourseExport:
    """The plugin for "points", "canvas", "lms" or one of the formats in the settings, with these settings.

    Raises:
        CourseError: there is no such format, or the settings are none.
    """
    try:
        if kind == "points":
            return PointsExport(config=config)
        if kind == "canvas":
            return CanvasExport(config=config)
        plugin = LmsExport(config=config)
        if kind != "lms":
            if kind not in plugin.formats:
                known = ", ".join(("points", "canvas", *plugin.formats))
                raise CourseError(f"there is no format {kind!r}: there are {known}; LmsExport.formats adds others")
            plugin.lms = kind
        return plugin
    except TraitError as error:
        raise CourseError(f"the settings of the export in nbgrader_config.py do not fit: {error}") from error
