"""The notebook's three forms: the text that people edit, the nbgrader source built from it, and what students get.

The text is a percent-format Python file. A cell's header says what the cell is for:

    # %% [markdown]                               text
    # %%                                          given code, locked
    # %% playground=true                          given code that students may change; it earns nothing
    # %% answer="KEY"                             an answer in code; its solution between ### BEGIN/END SOLUTION
    # %% tests="KEY" part="PART" points=N         tests of that answer; hidden ones between ### BEGIN/END HIDDEN TESTS
    # %% training="KEY"                           given code that trains what the answer defines, locked
    # %% [markdown] answer="KEY" points=N         an answer in words, marked by hand; its rubric between
                                                  ### BEGIN/END MARK SCHEME

The keys are those of `autograder.exercises`. Building checks all of it, gives every cell an id that depends on the text
only, and writes the same bytes every time. nbgrader makes the release; `leaks` reads what it made.
"""

import ast
import copy
import re
from collections import Counter
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode
from nbgrader import preprocessors as nbgrader_steps

from autograder.errors import CourseError
from autograder.exercises import EXERCISES

ASSIGNMENT = "gcnn"
KINDS = ("SOLUTION", "HIDDEN TESTS", "MARK SCHEME")
_HEADER = re.compile(r'# %%( \[markdown\])?((?: [a-z]+=(?:"[^"]*"|\d+|true))*)')
_OPTIONS = (
    {"answer"},
    {"answer", "points"},
    {"tests", "points"},
    {"tests", "part", "points"},
    {"training"},
    {"playground"},
    set(),
)
_PUBLIC_METADATA = {"nbgrader", "course", "deletable", "editable"}


class NotebookError(CourseError):
    """The notebook's text is malformed; the message says in which cell and line."""


def regions(source: str) -> tuple[list[str], dict[str, list[str]]]:
    """Split a cell's lines into those outside all marked regions, and those inside each kind of region.

    Returns:
        The public lines, and the marked ones by "SOLUTION", "HIDDEN TESTS" and "MARK SCHEME". Markers are in neither.

    Raises:
        ValueError: a marker that is nested, left open or never opened.
    """
    public, inside, kind = [], {name: [] for name in KINDS}, None
    for line in source.split("\n"):
        marker = next(((edge, name) for name in KINDS for edge in ("BEGIN", "END") if f"{edge} {name}" in line), None)
        if marker is None:
            (public if kind is None else inside[kind]).append(line)
        elif marker[0] == "BEGIN":
            if kind is not None:
                raise ValueError(f"BEGIN {marker[1]} stands inside an open BEGIN {kind}")
            kind = marker[1]
        elif kind != marker[1]:
            raise ValueError(f"END {marker[1]} without its BEGIN")
        else:
            kind = None
    if kind is not None:
        raise ValueError(f"BEGIN {kind} is never closed by END {kind}")
    return public, inside


def bound_names(code: str) -> set[str]:
    """The names that a cell's code binds at its top level.

    Raises:
        SyntaxError: the code does not parse.
    """
    names: set[str] = set()
    for node in ast.parse(code).body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
        else:
            names |= {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return names


def role(cell: NotebookNode) -> str:
    """What a cell of the source is for: text, given, playground, answer, tests or training; "" for other cells."""
    return cell.metadata.get("course", {}).get("role", "")


def submission_names(source: NotebookNode) -> set[str]:
    """The names that answer cells and training cells bind: those that belong to a submission."""
    cells = [cell for cell in source.cells if role(cell) in ("answer", "training") and cell.cell_type == "code"]
    return set().union(*(bound_names(cell.source) for cell in cells))


def _headers(text: str) -> list[tuple[int, str, dict[str, object]]]:
    """Each cell's line, type and options, from its header."""
    found = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.startswith("# %%"):
            continue
        match = _HEADER.fullmatch(line)
        if match is None:
            raise NotebookError(
                f'line {number}: cannot read the cell header {line!r}; options are written as answer="key"'
            )
        pairs = re.findall(r'([a-z]+)=("[^"]*"|\S+)', match[2])
        options = {k: v[1:-1] if v[0] == '"' else True if v == "true" else int(v) for k, v in pairs}
        if set(options) not in _OPTIONS or len(pairs) != len(options):
            raise NotebookError(
                f"line {number}: a cell cannot have the options {', '.join(k for k, _ in pairs)} together"
            )
        found.append((number, "markdown" if match[1] else "code", options))
    return found


def _metadata(role: str, key: str, grade_id: str, *, points: object = None, locked: bool = False) -> dict[str, object]:
    """A cell's metadata: nbgrader's, schema 3, and the course's own."""
    nbgrader = {
        "grade": points is not None,
        "grade_id": grade_id,
        "locked": locked,
        "schema_version": 3,
        "solution": role == "answer",
        "task": False,
    }
    if points is not None:
        nbgrader["points"] = points
    course = {"role": role, "exercise": key} if key else {"role": role}
    return {"nbgrader": nbgrader, "course": course}


def _describe(cell_type: str, options: dict[str, object], count: Counter) -> tuple[str, dict[str, object]]:
    """A cell's id and metadata from its header; ``count`` numbers those that have no key."""
    if "answer" in options:
        key = str(options["answer"])
        return key, _metadata("answer", key, key, points=options.get("points"))
    if "tests" in options:
        key = str(options["tests"])
        name = "-".join(["test", key, *([str(options["part"])] if "part" in options else [])])
        return name, _metadata("tests", key, name, points=options["points"], locked=True)
    if "training" in options:
        key = str(options["training"])
        return f"train-{key}", _metadata("training", key, f"train-{key}", locked=True)
    kind = "text" if cell_type == "markdown" else "playground" if "playground" in options else "given"
    count[kind] += 1
    name = f"{kind}-{count[kind]}"
    return name, _metadata("given", "", name, locked=True) if kind == "given" else {"course": {"role": kind}}


def _check_cell(cell: NotebookNode, options: dict[str, object]) -> None:
    """Refuse a cell that would go wrong later.

    Raises:
        ValueError: with the reason.
    """
    _, inside = regions(cell.source)
    code, kind = cell.cell_type == "code", role(cell)
    if inside["SOLUTION"] and kind != "answer":
        raise ValueError("a solution stands outside an answer cell: it would go out to students")
    if inside["HIDDEN TESTS"] and kind != "tests":
        raise ValueError("hidden tests stand outside a test cell: they would go out to students")
    if inside["MARK SCHEME"] and (kind != "answer" or code):
        raise ValueError("a mark scheme stands outside a written answer: it would go out to students")
    if kind == "answer" and not inside["SOLUTION"]:
        raise ValueError("an answer cell needs ### BEGIN SOLUTION and ### END SOLUTION around a solution")
    if kind == "answer" and not code and not inside["MARK SCHEME"]:
        raise ValueError("a written answer needs a rubric between ### BEGIN MARK SCHEME and ### END MARK SCHEME")
    if "points" in options and (not isinstance(options["points"], int) or options["points"] < 1):
        raise ValueError(f"points must be a whole number above 0, got {options['points']!r}")
    if kind == "answer" and code != ("points" not in options):
        raise ValueError("a written answer needs points; an answer in code has none, its tests have")
    if not code:
        return
    tree = ast.parse(cell.source)
    compared = next((n for n in tree.body if isinstance(n, ast.Expr) and isinstance(n.value, ast.Compare)), None)
    if compared is not None:
        raise ValueError(f"line {compared.lineno} of the cell compares and does nothing with it: is an assert missing?")
    called = {
        n.func.value.id
        for n in ast.walk(tree)
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute) and isinstance(n.func.value, ast.Name)
    }
    if kind == "tests" and "checks" not in called and not any(isinstance(n, ast.Assert) for n in ast.walk(tree)):
        raise ValueError("a test cell must check something: no assert and no call of checks in it")


def _check_exercises(cells: list[NotebookNode], where: dict[str, str]) -> None:
    """Refuse answers without tests, tests without an answer before them, and points that differ from the table's."""
    answers, points, apart = {}, Counter(), Counter()
    for cell in cells:
        key, kind = cell.metadata["course"].get("exercise", ""), role(cell)
        if key and key not in EXERCISES:
            raise NotebookError(f"{where[cell.id]}: there is no exercise {key!r} in autograder.exercises")
        if kind == "answer":
            answers[key] = cell
        elif key and key not in answers:
            raise NotebookError(f"{where[cell.id]}: there is no answer {key!r} before it")
        points[key] += cell.metadata.get("nbgrader", {}).get("points", 0)
        if kind == "tests" and "on_stand_ins" in cell.source:
            apart[key] += cell.metadata.nbgrader.points
    for key, exercise in EXERCISES.items():
        if key not in answers:
            raise NotebookError(f"the exercise {exercise.number}, {key!r}, has no answer cell")
        if not points[key]:
            raise NotebookError(f"{where[key]}: the answer has no tests")
        if points[key] != exercise.points:
            place = f"{where[key]}: its cells have {points[key]} points in all"
            raise NotebookError(f"{place}, autograder.exercises says {exercise.points}")
        if apart[key] != exercise.apart:
            place = f"{where[key]}: its tests on stand-ins have {apart[key]} points"
            raise NotebookError(f"{place}, autograder.exercises says {exercise.apart}")


def read_text(path: Path) -> NotebookNode:
    """Read the notebook's text and expand it into the nbgrader source notebook.

    Raises:
        NotebookError: with the file, the cell's id and its line.
    """
    text = path.read_text(encoding="utf-8")
    try:
        headers = _headers(text)
        raw = jupytext.reads(text, fmt="py:percent")
        if len(raw.cells) != len(headers):
            raise NotebookError(
                f"{len(headers)} cell headers, but {len(raw.cells)} cells: is there text before the first?"
            )
        cells, count, where = [], Counter(), {}
        for raw_cell, (line, cell_type, options) in zip(raw.cells, headers, strict=True):
            name, metadata = _describe(cell_type, options, count)
            make = nbformat.v4.new_markdown_cell if cell_type == "markdown" else nbformat.v4.new_code_cell
            cell = make(raw_cell.source, id=name, metadata=metadata)
            place = f"cell {name!r}, line {line}"
            if name in where:
                raise NotebookError(f"{place}: the id stands already at {where[name]}")
            where[name] = place
            try:
                _check_cell(cell, options)
            except SyntaxError as error:
                raise NotebookError(f"{place}: not Python: {error.msg} (line {line + (error.lineno or 0)})") from error
            except ValueError as error:
                raise NotebookError(f"{place}: {error}") from error
            cells.append(cell)
        _check_exercises(cells, where)
    except NotebookError as error:
        raise NotebookError(f"{path.name}: {error}") from error.__cause__
    kernelspec = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = nbformat.v4.new_notebook(
        cells=cells, metadata={"kernelspec": kernelspec, "language_info": {"name": "python"}}
    )
    notebook.nbformat_minor = 5
    nbformat.validate(notebook)
    return notebook


def as_released(source: NotebookNode) -> NotebookNode:
    """What a student gets, by nbgrader's own steps: no solutions, hidden tests or rubrics; with its checksums."""
    notebook = copy.deepcopy(source)
    for step in (
        nbgrader_steps.LockCells(),
        nbgrader_steps.ClearSolutions(),
        nbgrader_steps.ClearOutput(),
        nbgrader_steps.ClearHiddenTests(),
        nbgrader_steps.ClearMarkScheme(enforce_metadata=False),
        nbgrader_steps.ComputeChecksums(),
    ):
        notebook, _ = step.preprocess(notebook, {})
    return notebook


def leaks(folder: Path, source: NotebookNode) -> list[str]:
    """What a release holds that students must not get: one sentence each, none if all is well.

    Looked for: files that are not on the list (the notebook alone), markers, lines of solutions, hidden tests and
    rubrics that stand nowhere in the notebook's public parts, outputs, and metadata of unknown kinds.
    """
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.relative_to(folder).as_posix() != f"{ASSIGNMENT}.ipynb":
            found.append(f"the file {path.relative_to(folder)} is not on the list")
    notebook = nbformat.read(folder / f"{ASSIGNMENT}.ipynb", as_version=4)
    public: set[str] = set()
    secret: dict[str, str] = {}
    for cell in source.cells:
        outside, inside = regions(cell.source)
        public |= {line.strip() for line in outside}
        secret |= {line.strip(): f"{kind.lower()} of {cell.id!r}" for kind, lines in inside.items() for line in lines}
    for cell in notebook.cells:
        found += [
            f"cell {cell.id!r} holds the marker {name}"
            for name in KINDS
            if re.search(f"(BEGIN|END) {name}", cell.source)
        ]
        for line in {line.strip() for line in cell.source.split("\n")} - public:
            if line in secret:
                found.append(f"cell {cell.id!r} holds a line of the {secret[line]}: {line!r}")
        if cell.get("outputs") or cell.get("execution_count"):
            found.append(f"cell {cell.id!r} holds an output")
        if unknown := set(cell.metadata) - _PUBLIC_METADATA:
            found.append(f"cell {cell.id!r} has the metadata {', '.join(sorted(unknown))}")
    return found
