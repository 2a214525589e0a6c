"""Different right answers: the texts of tests/alternatives, each of which must earn full marks wherever it counts.

An alternative is a sample of `autograder.submissions` that starts from the model and answers one exercise in another
way; its file's name begins with the exercise, as in ``lifting_conv__unfolds_the_image.py``. `judged` runs many of them
in one kernel, without training; `combined` makes one hand-in of several, to be graded like any other.
"""

import copy
import dataclasses
from collections.abc import Iterable
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode

from autograder.errors import CourseError
from autograder.exercises import EXERCISES, dependants
from autograder.judge import Outcome
from autograder.kernel import Settings
from autograder.notebooks import bound_names, role, submission_names
from autograder.run import run
from autograder.submissions import model_answer, pour, read_sample

FOLDER = Path("tests") / "alternatives"
PATIENT = Settings(cell_seconds=600, training_seconds=1800, test_seconds=3600)
"""No answer here runs away, so a busy machine may take its time."""
_UNTRAINED = "def train_model(model, *_, **__):\n    return model"


@dataclasses.dataclass(frozen=True)
class Alternative:
    """One different right answer."""

    name: str
    """The exercise and the style, as its file is called."""
    exercise: str
    """The exercise that it answers."""
    code: str
    """What stands in the answer's cell."""
    path: Path
    """Where it is written."""


def alternatives(folder: Path, source: NotebookNode) -> list[Alternative]:
    """Read all different right answers, by name.

    Args:
        folder: where their texts are, `FOLDER` in the project.
        source: the source notebook of `autograder.notebooks.read_text`.

    Raises:
        ValueError: a text is malformed, or answers another exercise than its name says.
    """
    found = []
    for path in sorted(folder.glob("*.py")):
        exercise = path.stem.partition("__")[0].replace("_", "-")
        read_sample(path, source)  # refuses a text that is malformed
        cells = jupytext.reads(path.read_text(encoding="utf-8"), fmt="py:percent").cells
        own = {cell.metadata["answer"]: cell.source for cell in cells if "answer" in cell.metadata}
        if own.keys() != {exercise} or cells[0].metadata.get("start") != "model":
            raise ValueError(f"{path.name}: it must start from the model and answer {exercise}, and nothing else")
        found.append(Alternative(path.stem, exercise, own[exercise], path))
    return found


def judged(
    chosen: Iterable[Alternative],
    source: NotebookNode,
    settings: Settings | None = None,
    *,
    own_tests_only: bool = False,
) -> dict[str, dict[str, Outcome]]:
    """Judge alternatives one after the other in one kernel, by the tests that need no training in earnest.

    Those are all of the exercise's and of the exercises' that need it, but for accuracy; where they look at a trained
    network, they get an untrained one. For all other exercises the model's answers hold.

    Args:
        chosen: the alternatives.
        source: the source notebook.
        settings: sandbox, limits and seconds.
        own_tests_only: leave the exercises out that need the alternative's.

    Returns:
        The outcomes by the alternative's name and the test cell's id.

    Raises:
        CourseError: one of the course's own cells failed, on a machine that is too busy for example.
    """
    answers = {c.id: c for c in source.cells if role(c) == "answer" and c.cell_type == "code"}
    cells = [copy.deepcopy(cell) for cell in source.cells if role(cell) == "given"]
    cells += [_answer(key, model_answer(cell), f"model-{i}") for i, (key, cell) in enumerate(answers.items())]
    own = {cell.id for cell in cells}
    cells.append(nbformat.v4.new_code_cell(_UNTRAINED, id="untrained", metadata={"course": {"role": "added"}}))
    where: dict[str, tuple[str, str]] = {}
    for number, alternative in enumerate(chosen):
        model = model_answer(answers[alternative.exercise])
        cells.append(_forgotten(bound_names(model), f"forgotten-{number}"))
        cells.append(_answer(alternative.exercise, alternative.code, f"alternative-{number}"))
        concerned = {alternative.exercise} if own_tests_only else dependants([alternative.exercise])
        for cell in source.cells:
            tests = role(cell) == "tests" and not cell.id.endswith("-accuracy")
            if (tests or role(cell) == "training") and cell.metadata.course.exercise in concerned:
                cells.append(copy.deepcopy(cell))
                cells[-1].id = f"copied-{len(cells)}"
                if tests:
                    where[cells[-1].id] = alternative.name, cell.id
        cells.append(_answer(alternative.exercise, model, f"model-again-{number}"))
    notebook, names = nbformat.v4.new_notebook(cells=cells), frozenset(submission_names(source))
    done = run(notebook, names, settings=settings or PATIENT)
    for cell in done.notebook.cells:
        if cell.id in own and (failed := [o for o in cell.get("outputs", ()) if o.output_type == "error"]):
            raise CourseError(f"the course's own cell {cell.id!r} failed ({failed[0].evalue}): no answer was judged")
    found: dict[str, dict[str, Outcome]] = {}
    for cell_id, (name, test) in where.items():
        found.setdefault(name, {})[test] = done.outcomes[cell_id]
    return found


def combined(chosen: Iterable[Alternative], source: NotebookNode) -> NotebookNode:
    """One hand-in that gives these alternatives and the model's answers to all other exercises, ready to be run.

    Raises:
        ValueError: two of them answer the same exercise.
    """
    answers = {c.id: model_answer(c) for c in source.cells if role(c) == "answer"}
    changed: set[str] = set()
    for alternative in chosen:
        if alternative.exercise in changed:
            raise ValueError(f"there are two answers to {EXERCISES[alternative.exercise].number}")
        changed.add(alternative.exercise)
        answers[alternative.exercise] = alternative.code
    notebook = copy.deepcopy(source)
    for cell in notebook.cells:
        cell.source = answers.get(cell.id, cell.source)
    return pour(notebook, source).notebook


def _answer(exercise: str, code: str, cell_id: str) -> NotebookNode:
    metadata = {"course": {"role": "answer", "exercise": exercise}}
    return nbformat.v4.new_code_cell(code, id=cell_id, metadata=metadata)


def _forgotten(names: Iterable[str], cell_id: str) -> NotebookNode:
    """A cell that unbinds names: should an answer not run to its end, no earlier one may stand for it."""
    code = f"for forgotten in {sorted(names)}:\n    globals().pop(forgotten, None)"
    return nbformat.v4.new_code_cell(code, id=cell_id, metadata={"course": {"role": "added"}})
