"""The steps of nbgrader's that the course replaces; `nbgrader_config.py` puts them in their places.

`PourAnswers` makes the notebook that is graded, `JudgedExecute` runs and judges it, `SaveJudgedGrades` enters the
outcomes in the gradebook, and `HideTests` keeps hidden tests out of the feedback. They work in every way that nbgrader
is used: its commands, the formgrader's buttons and ``autograder``.
"""

import copy
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.converters.base import NbGraderException
from nbgrader.preprocessors import NbGraderPreprocessor
from nbgrader.utils import compute_checksum, is_grade, is_solution
from traitlets import Dict, Enum, Float
from traitlets.config import Config

from autograder import current, releases
from autograder.intake import UNREADABLE, Notes, notes
from autograder.jobs import Job, pack, work
from autograder.judge import Outcome
from autograder.kernel import Settings
from autograder.notebooks import regions, role, submission_names
from autograder.run import Run, summary
from autograder.safe import safe_attachments
from autograder.sandbox import Limits
from autograder.secret import read_secret
from autograder.submissions import pour


def differs(source: NotebookNode, assignment: str, notebook: str, gradebook: Gradebook) -> bool:
    """Whether the gradebook's tests or points are not those of the source, or not all there.

    Raises:
        MissingEntry: it has no such notebook.
    """
    wanted = {cell.id: cell for cell in source.cells if is_grade(cell)}
    known = gradebook.find_notebook(notebook, assignment)
    texts = {cell.name: cell.source for cell in known.source_cells}
    points = {cell.name: cell.max_score for cell in known.grade_cells}
    same_points = points == {name: cell.metadata.nbgrader.points for name, cell in wanted.items()}
    return not same_points or any(texts.get(n) != c.source for n, c in wanted.items() if role(c) == "tests")


def prepared(
    nb: NotebookNode, source: NotebookNode, found: Notes | None = None, known: Collection[str] = ()
) -> NotebookNode:
    """A hand-in in the form that is run and graded: the source with its answers.

    For the steps that follow, ``metadata.course`` has the ``repairs``, the ``names`` that are the submission's, under
    `UNREADABLE` why there is nothing to grade, and as ``lost`` the exercises that cannot be graded, with the reasons.

    Args:
        nb: what was handed in.
        source: the source notebook.
        found: what `autograder.intake` noted about it. What the hand-in's own metadata say counts for nothing.
        known: fingerprints of the course's cells in earlier forms.
    """
    found = Notes() if found is None else found
    # A text may hold what UTF-8 cannot: half of a pair of surrogates.
    text = json.dumps(nb, ensure_ascii=False).encode("utf-8", "replace").decode("utf-8")
    poured = pour(nbformat.from_dict(json.loads(text)), source, incomplete=found.incomplete, known=known)
    for cell in poured.notebook.cells:
        if "attachments" in cell:
            cell.attachments = safe_attachments(cell.attachments)
    unreadable = found.unreadable or poured.unreadable
    repairs = found.repairs if found.unreadable else (*found.repairs, *poured.repairs)
    course = {"repairs": list(repairs), "names": sorted(submission_names(source))}
    if unreadable:
        course[UNREADABLE] = unreadable[:500]
    elif poured.lost:
        course["lost"] = poured.lost
    poured.notebook.metadata["course"] = course
    return poured.notebook


class PourAnswers(NbGraderPreprocessor):
    """Replaces what was handed in by the source notebook with its answers poured in.

    Stands where nbgrader overwrites test cells one by one: a cell that was deleted, copied, tagged or renamed makes no
    difference here.
    """

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        """Pour, and log every repair.

        Raises:
            NbGraderException: the gradebook's tests are not the source's.
        """
        names, coursedir = resources["nbgrader"], self.parent.parent.coursedir
        assignment, notebook = names["assignment"], names["notebook"]
        folder = Path(coursedir.format_path(coursedir.source_directory, ".", assignment))
        source = nbformat.read(folder / f"{notebook}.ipynb", as_version=4)
        with Gradebook(names["db_url"]) as gradebook:
            stale = differs(source, assignment, notebook, gradebook)
        if stale:
            raise NbGraderException(
                f"The gradebook's tests differ from {folder / notebook}.ipynb: it was made from another version. "
                f"Run `make release` (or `nbgrader generate_assignment {assignment} --force`), then grade again."
            )
        handed_in = Path(coursedir.format_path(coursedir.submitted_directory, names["student"], assignment))
        poured = prepared(nb, source, notes(handed_in, notebook), releases.known(Path(coursedir.root)))
        for repair in poured.metadata.course.repairs:
            self.log.warning("%s: %s", names["student"], repair)
        return poured, resources


class JudgedExecute(NbGraderPreprocessor):
    """Runs the submission in a sandbox and judges it; stands in the place of nbgrader's ``Execute``."""

    sandbox = Enum(["bubblewrap", "none"], "bubblewrap", help="where submissions run; none is no protection").tag(
        config=True
    )
    limits = Dict(help="limits by name, see autograder.sandbox.Limits").tag(config=True)
    cell_seconds = Float(Settings.cell_seconds, help="how long one cell may take").tag(config=True)
    training_seconds = Float(Settings.training_seconds, help="how long one training cell may take").tag(config=True)
    test_seconds = Float(Settings.test_seconds, help="how long one test may take").tag(config=True)

    def settings(self) -> Settings:
        """How submissions are run, as the configuration has it."""
        limits = Limits(**self.limits)
        return Settings(self.sandbox, limits, self.cell_seconds, self.training_seconds, self.test_seconds)

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        """Run all cells; the outcomes go to ``resources["judged"]``, the evidence into the notebook's metadata."""
        names, coursedir = resources["nbgrader"], self.parent.parent.coursedir
        files = Path(coursedir.format_path(coursedir.submitted_directory, names["student"], names["assignment"]))
        packed = pack(files) if files.is_dir() else None
        seen = current.version(files)
        job = Job(names["student"], nbformat.writes(nb), packed, self.settings(), read_secret(), seen)
        done = work(job).run()
        self.log.info("%s: %s", names["student"], summary(done.outcomes))
        for name, outcome in done.outcomes.items():
            if outcome.status == "not graded":
                self.log.warning("%s: %s was not graded: %s", names["student"], name, outcome.message)
        return _judged(nb.metadata.course, done, resources)


def _judged(course: dict[str, Any], done: Run, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
    done.notebook.metadata["course"] = {**course, "evidence": done.evidence}
    resources["judged"] = done.outcomes
    return done.notebook, resources


def landing(config: Config, done: Run, settled: frozenset[str] = frozenset()) -> Config:
    """nbgrader's configuration in which a run that is over stands for pouring and running; other steps are the same.

    Args:
        config: the course's.
        done: what became of the submission.
        settled: cells that a person has marked as they are: they need not be looked at again.
    """

    def poured(nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        return nbformat.from_dict(done.notebook), resources

    def judged(nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        resources["settled"] = settled
        return _judged(nb.metadata.course, done, resources)

    config, stands_for = copy.deepcopy(config), {PourAnswers: poured, JudgedExecute: judged}
    for steps in ("sanitize_preprocessors", "autograde_preprocessors"):
        config.Autograde[steps] = [stands_for.get(step, step) for step in config.Autograde[steps]]
    return config


class SaveJudgedGrades(NbGraderPreprocessor):
    """Enters the outcomes in the gradebook, all or none; stands in the place of nbgrader's ``SaveAutoGrades``.

    *Not graded* is no number there: it waits for a person, as a written answer does.
    """

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        """Write every grade and comment in one transaction."""
        names, outcomes = resources["nbgrader"], resources["judged"]
        place = names["notebook"], names["assignment"], names["student"]
        course = nb.metadata.get("course", {})
        with Gradebook(names["db_url"]) as gradebook:
            try:
                for cell in nb.cells:
                    not_found = UNREADABLE in course or cell.id in course.get("lost", {})
                    if is_grade(cell):
                        grade = gradebook.find_grade(cell.metadata.nbgrader.grade_id, *place)
                        grade.auto_score = None if not_found else _score(cell, outcomes, grade.max_score)
                        waits = grade.auto_score is None or grade.manual_score is not None
                        grade.needs_manual_grade = waits and cell.id not in resources.get("settled", ())
                    if is_solution(cell):
                        comment = gradebook.find_comment(cell.metadata.nbgrader.grade_id, *place)
                        comment.auto_comment = "No response." if _untouched(cell) and not not_found else None
                gradebook.db.commit()
            except BaseException:
                gradebook.db.rollback()
                raise
        return nb, resources


def _untouched(cell: NotebookNode) -> bool:
    return cell.metadata.nbgrader.get("checksum") == compute_checksum(cell)


def _score(cell: NotebookNode, outcomes: dict[str, Outcome], points: float) -> float | None:
    """A graded cell's points; ``None`` where a person must decide."""
    if is_solution(cell):  # a written answer
        return 0.0 if _untouched(cell) else None
    outcome = outcomes.get(cell.id)
    if outcome is None or outcome.status not in ("passed", "failed"):
        return None
    return float(points) if outcome.status == "passed" else 0.0


class HideTests(NbGraderPreprocessor):
    """Takes out of the feedback what students must not see: hidden tests, tracebacks with their lines, and rubrics."""

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        """Leave the public lines and each error's message."""
        nb.cells = [cell for cell in nb.cells if role(cell) != "rubric"]
        for cell in nb.cells:
            if role(cell) == "tests":
                cell.source = "\n".join(regions(cell.source)[0])
                for output in cell.outputs:
                    if output.output_type == "error":
                        output.traceback = [f"{output.ename}: {output.evalue}"]
        return nb, resources
