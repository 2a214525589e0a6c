"""All mutants of a source notebook: made by operators from the model solutions, or written by hand in tests/mutants.

Making them is deterministic, and each one's id depends on its code only. ``equivalents.toml`` says which of them are
right all the same, and why.
"""

import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import jupytext
import tomllib
from nbformat import NotebookNode

from autograder.errors import CourseError
from autograder.exercises import EXERCISES
from autograder.mutants import groups, layers, networks
from autograder.mutants.groups import Table
from autograder.mutants.library import library_mutants
from autograder.mutants.mutant import FIELD, STUDENT, Mutant, normalised
from autograder.mutants.patterns import rewritten
from autograder.notebooks import role
from autograder.submissions import model_answer

TABLES: dict[str, list[Table]] = {
    "c4": groups.C4,
    "d4": groups.D4,
    "isotropic-conv": layers.ISOTROPIC,
    "rotate-p4": groups.ROTATE_P4,
    "lifting-conv": layers.LIFTING,
    "group-conv": layers.GROUP,
    "c4cnn": networks.C4CNN,
    "isotropic-cnn": networks.ISOTROPIC_CNN,
    "batch-norm": networks.NORM,
    "c4cnn-bn": networks.C4CNN_BN,
    "d4-action": groups.D4_ACTION,
    "d4-lifting-conv": layers.D4_LIFTING,
    "d4-group-conv": layers.D4_GROUP,
    "d4cnn": networks.D4CNN,
}
"""The field's own mistakes, by exercise."""

_HEADER = re.compile(r'# %% \[markdown\] mistake="([^"]+)"')
_MARKER = re.compile(r"### (BEGIN|END) SOLUTION")


def model_answers(source: NotebookNode) -> dict[str, str]:
    """The model's answers in code, by exercise."""
    answers = [cell for cell in source.cells if role(cell) == "answer" and cell.cell_type == "code"]
    return {cell.id: model_answer(cell) for cell in answers}


def _solution_lines(cell: NotebookNode) -> frozenset[int]:
    """The lines of a model answer, as `model_answer` gives it, that are the solution or a given ``forward``."""
    numbers, number, inside, forward = set(), 0, False, False
    for line in cell.source.split("\n"):
        if marker := _MARKER.search(line):
            inside = marker[1] == "BEGIN"
            continue
        number += 1
        if re.match(r"    (@|def )|\S", line):
            forward = line.startswith("    def forward")
        if inside or (forward and not line.startswith("    def ")):
            numbers.add(number)
    return frozenset(numbers)


def _function_at(source: str, changed: str) -> str:
    """The name of the function in which two texts first differ."""
    name = ""
    for old, new in zip(source.split("\n"), changed.split("\n"), strict=False):
        if match := re.match(r"\s*def (\w+)", old):
            name = match[1]
        if old != new:
            break
    return name


def field_mutants(exercise: str, source: str, tables: list[Table], base: str = "") -> Iterator[Mutant]:
    """What the tables of mistakes make of an answer.

    Args:
        exercise: whose answer it is.
        source: the answer cell's code.
        tables: of mistakes.
        base: what this answer is, if it is not the model's.
    """
    for table in tables:
        for pattern, mistakes in table.items():
            for mistake, replacement in mistakes.items():
                found = rewritten(source, pattern, replacement)
                for place, changed in enumerate(found, start=1):
                    where = ""
                    if len(found) > 1:
                        same = [_function_at(source, other) == _function_at(source, changed) for other in found]
                        where = f", in {_function_at(source, changed)}" + (f", place {place}" if sum(same) > 1 else "")
                    yield Mutant(exercise, f"{mistake}{where}{base}", FIELD, f"`{pattern}`", changed)


def _slips(exercise: str, source: str) -> Iterator[Mutant]:
    """Answers that are no Python."""
    for what, pattern, replacement in (
        ("forgets a closing bracket", r"\)(?=[^)]*\Z)", ""),
        ("forgets the colon after its function's first line", r"(def [^\n]*):\n", r"\1\n"),
    ):
        yield Mutant(exercise, what, FIELD, "a slip", re.sub(pattern, replacement, source, count=1))


def written_mutants(folder: Path) -> Iterator[Mutant]:
    """The mutants that were written by hand, each a text file.

    Its first cell's header names the mistake, ``# %% [markdown] mistake="…"``; its second is the answer,
    ``# %% answer="KEY"``.

    Raises:
        ValueError: a file has another form, with its name.
    """
    for path in sorted(folder.glob("*.py")):
        text = path.read_text(encoding="utf-8")
        header = _HEADER.match(text)
        cells = jupytext.reads(text, fmt="py:percent").cells
        if header is None or len(cells) != 2 or cells[1].metadata.get("answer") not in TABLES:
            raise ValueError(
                f'{path.name}: a header # %% [markdown] mistake="…" and one cell # %% answer="KEY" are wanted'
            )
        yield Mutant(cells[1].metadata["answer"], header[1], STUDENT, f"tests/mutants/{path.name}", cells[1].source)


def equivalents(text: str | None = None) -> dict[str, str]:
    """By a mutant's id, why it is right all the same.

    Args:
        text: of a table; by default ``equivalents.toml``'s.

    Raises:
        CourseError: an entry has no reason.
    """
    if text is None:
        text = (resources.files("autograder.mutants") / "equivalents.toml").read_text(encoding="utf-8")
    reasons = {name: entry.get("reason", "").strip() for name, entry in tomllib.loads(text).items()}
    if without := [name for name, reason in reasons.items() if not reason]:
        raise CourseError(f"equivalents.toml gives no reason why {', '.join(without)} is right: write one")
    return reasons


def all_mutants(source: NotebookNode, folder: Path) -> list[Mutant]:
    """Every mutant, each code once, ordered by exercise.

    Args:
        source: the source notebook.
        folder: with the mutants that were written by hand.
    """
    made: list[Mutant] = []
    for cell in source.cells:
        if cell.id not in TABLES:
            continue
        answer = model_answer(cell)
        made += field_mutants(cell.id, answer, TABLES[cell.id])
        if cell.id == "batch-norm":
            made += field_mutants(cell.id, networks.NORM_BY_HAND, networks.NORM_HAND, " (written by hand)")
        made += library_mutants(cell.id, answer, _solution_lines(cell), "mutmut")
        made += _slips(cell.id, answer)
    made += written_mutants(folder)
    right, reasons = model_answers(source), equivalents()
    bases = {key: {normalised(answer)} for key, answer in right.items()}
    bases["batch-norm"].add(normalised(networks.NORM_BY_HAND))
    kept: dict[str, Mutant] = {}
    for mutant in made:
        if normalised(mutant.source) not in bases[mutant.exercise]:
            kept.setdefault(mutant.id, mutant)
    order = list(EXERCISES)
    return [
        Mutant(m.exercise, m.mistake, m.origin, m.operator, m.source, reasons.get(m.id, ""))
        for m in sorted(kept.values(), key=lambda m: order.index(m.exercise))
    ]
