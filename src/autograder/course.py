"""A course folder, and what is done with it: make the release, hand in, grade, write feedback.

nbgrader does the work, with the settings of the `nbgrader_config.py` that stands in the project's root.
"""

import logging
import os
import re
import shutil
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.warnings import DuplicateCellId
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.apps import NbGraderAPI
from nbgrader.coursedir import CourseDirectory
from nbgrader.utils import is_grade, is_locked, is_solution
from sqlalchemy.exc import SAWarning
from traitlets import TraitError
from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

from autograder import database, durable, lateness, releases, remarks
from autograder.errors import CourseError
from autograder.kernel import Settings
from autograder.marks import read_marks
from autograder.notebooks import ASSIGNMENT, leaks, read_text, role
from autograder.run import Run
from autograder.sandbox import SandboxUnavailable
from autograder.sandbox.sandbox import check
from autograder.steps import JudgedExecute, landing

CONFIG = "nbgrader_config.py"


@contextmanager
def alembic_on_path() -> Iterator[None]:
    """nbgrader runs the program alembic by name; it lies beside Python, which need not be on the path."""
    before = os.environ.get("PATH", "")
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), before])
    try:
        yield
    finally:
        os.environ["PATH"] = before


class Course:
    """A folder with ``source/``, and whatever nbgrader makes beside it.

    Args:
        root: the folder.
        project: where ``notebooks/`` and ``nbgrader_config.py`` are; by default the root itself.
        sandbox: "bubblewrap" or "none", instead of what the settings say.

    Raises:
        CourseError: there is no ``nbgrader_config.py``.
    """

    def __init__(self, root: Path, project: Path | None = None, sandbox: str | None = None):
        self.root = root.resolve()
        self.project = self.root if project is None else project.resolve()
        if not (self.project / CONFIG).is_file():
            raise CourseError(
                f"there is no {CONFIG} in {self.project}: run this in the course's folder, or name it with --root"
            )
        if str(self.project) not in sys.path:
            # The settings may name a plugin that stands beside them, which nbgrader's own commands find; last, so that
            # no folder of the course is taken for a package.
            sys.path.append(str(self.project))
        loaded = PyFileConfigLoader(CONFIG, path=str(self.project)).load_config()
        config = Config(loaded)
        config.CourseDirectory.root = str(self.root)
        if self.project != self.root:
            # A demonstration keeps its students out of the course's gradebook, wherever the settings say that this is.
            config.CourseDirectory.db_url = f"sqlite:///{self.root / 'gradebook.db'}"
        config.NbGraderAPI.log_level = logging.WARNING
        if sandbox is not None:
            config.JudgedExecute.sandbox = sandbox
        self.config = config
        self.directory = CourseDirectory(config=config)
        self._gradebook_checked = False

    @property
    def text(self) -> Path:
        """The notebook's text."""
        return self.project / "notebooks" / f"{ASSIGNMENT}.py"

    def folder(self, step: str, student: str = ".") -> Path:
        """Where nbgrader keeps a step's files: "source", "release", "submitted", "autograded" or "feedback"."""
        return Path(self.directory.format_path(step, student, ASSIGNMENT))

    def source(self) -> NotebookNode:
        """The source notebook.

        Raises:
            CourseError: it has not been built, or is damaged.
        """
        path = self.folder("source") / f"{ASSIGNMENT}.ipynb"
        if not path.is_file():
            raise CourseError(f"{path} is missing: build it with `make release`")
        try:
            return nbformat.read(path, as_version=4)
        except (ValueError, AttributeError, nbformat.ValidationError) as error:
            raise CourseError(f"{path} is no whole notebook: build it anew with `make release`") from error

    def build(self) -> NotebookNode:
        """Build ``source/`` from the notebook's text.

        Raises:
            CourseError: the text is malformed, or it has other cells than those that the gradebook has grades for.
        """
        notebook = read_text(self.text)
        self._check_cells(notebook)
        path = self.folder("source") / f"{ASSIGNMENT}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        durable.write(path, nbformat.writes(notebook) + "\n")
        return notebook

    def _check_cells(self, notebook: NotebookNode) -> None:
        """Refuse a notebook that nbgrader would refuse: once a submission is graded, its gradebook's cells stay.

        Raises:
            CourseError: cells were added or removed.
        """
        cells = {cell.id: cell for cell in notebook.cells}
        with self.gradebook() as gradebook:
            try:
                known = gradebook.find_notebook(ASSIGNMENT, ASSIGNMENT)
            except MissingEntry:
                return
            pairs = [
                (known.grade_cells, is_grade),
                (known.solution_cells, is_solution),
                (known.source_cells, lambda cell: is_grade(cell) or is_solution(cell) or is_locked(cell)),
            ]
            changed = set[str]()
            for stored, kept in pairs:
                changed |= {cell.name for cell in stored} ^ {name for name, cell in cells.items() if kept(cell)}
            graded = len(known.submissions)
        if graded and changed:
            said = [f"{name} would be {'new' if name in cells else 'gone'}" for name in sorted(changed)]
            raise CourseError(
                f"{graded} submissions are graded, and from then on no test, answer or given code cell can be added or "
                f"removed: {', '.join(said)}. Nothing was changed. Put a new test into a cell that is there; let one "
                "that is to count no more always pass; put new code into a cell with playground=true. Or begin with a "
                "new gradebook: move the old one away, with its marks and comments, then make the release, and grade"
            )

    def _run(self, what: str, step: str, *arguments: str, config: Config | None = None) -> None:
        """Let nbgrader do one step, with the course's configuration or another.

        Raises:
            CourseError: it failed, with the end of its log.
            GradebookError: the gradebook or a full disk was the reason, in one sentence.
        """
        self.check_gradebook()
        before = self.directory.assignment_id, self.directory.student_id
        with alembic_on_path(), warnings.catch_warnings():
            # nbgrader's own: a new submission is not yet in the session when its notebooks are looked at.
            warnings.filterwarnings("ignore", "Object of type <Submitted", SAWarning)
            # A hand-in's repeated ids do not matter: its answers are poured into the source.
            warnings.simplefilter("ignore", DuplicateCellId)
            api = NbGraderAPI(self.directory, config=config or self.config)
            try:
                result = getattr(api, step)(*arguments, force=True)
            finally:
                self.directory.assignment_id, self.directory.student_id = before
        if not result["success"]:
            log = re.sub(r"\x1b\[[0-9;]*m", "", result.get("log") or result.get("error") or "no reason given")
            if reason := database.explain(log + result.get("error", ""), self.directory.db_url):
                raise database.error(f"{what} failed: {reason}")
            raise CourseError(f"{what} failed. nbgrader says:\n{log.strip()}")

    def release(self) -> None:
        """Make ``release/`` from ``source/`` with nbgrader, enter the assignment in the gradebook, and look for leaks.

        Raises:
            CourseError: nbgrader failed, or the release would hold what students must not see; then there is none.
        """
        self._check_cells(self.source())
        self._run("making the release", "generate_assignment", ASSIGNMENT)
        try:
            self.check_release()
        except CourseError:
            shutil.rmtree(self.folder("release"))
            raise
        releases.remember(self.root, nbformat.read(self.folder("release") / f"{ASSIGNMENT}.ipynb", as_version=4))

    def check_release(self) -> None:
        """Look for what students must not see in the release.

        Raises:
            CourseError: there is some; the message says what.
        """
        if found := leaks(self.folder("release"), self.source()):
            raise CourseError("the release must not go out:\n" + "\n".join(f"- {leak}" for leak in found))

    def hand_in(self, student: str, notebook: NotebookNode) -> None:
        """Put a notebook where a student's submission is collected."""
        path = self.folder("submitted", student) / f"{ASSIGNMENT}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, path)

    def handed_in(self) -> list[str]:
        """The students whose submission is there, sorted; without those that `misnamed` gives."""
        return [name for name in self._submitted() if not _is_no_text(name)]

    def misnamed(self) -> list[str]:
        """The folders with a submission whose names are no UTF-8, and so no student's id in any gradebook; sorted."""
        return [name for name in self._submitted() if _is_no_text(name)]

    def _submitted(self) -> list[str]:
        pattern = self.folder("submitted", "*").relative_to(self.root)
        return sorted(path.relative_to(self.root).parts[1] for path in self.root.glob(str(pattern)) if path.is_dir())

    def graded(self, student: str) -> NotebookNode | None:
        """A student's graded notebook; ``None`` where there is none, or where its grading was interrupted.

        Its ``metadata.course`` has ``repairs``, ``names`` and ``evidence``, which is what `autograder.run` wrote down.
        """
        path = self.folder("autograded", student) / f"{ASSIGNMENT}.ipynb"
        try:
            notebook = nbformat.read(path, as_version=4)
        except (OSError, ValueError):
            return None
        return notebook if "evidence" in notebook.metadata.get("course", {}) else None

    def settings(self) -> Settings:
        """How submissions are run.

        Raises:
            CourseError: the settings are not what they can be.
        """
        try:
            return JudgedExecute(config=self.config).settings()
        except (TypeError, ValueError, TraitError) as error:
            raise CourseError(f"c.JudgedExecute in {CONFIG} does not fit: {error}") from error

    def check_sandbox(self) -> None:
        """Make sure that submissions run in a sandbox, if they are to.

        Raises:
            CourseError: there is none here; the message says what to do.
        """
        if self.config.JudgedExecute.get("sandbox", "bubblewrap") != "none":
            try:
                check()
            except SandboxUnavailable as error:
                raise CourseError(str(error)) from error

    def autograde(self, student: str) -> None:
        """Grade one submission here and now, as nbgrader's own command does.

        Raises:
            CourseError: there is no sandbox, or nbgrader failed.
        """
        self.check_sandbox()
        self._run(f"grading {student}", "autograde", ASSIGNMENT, student)

    def land(self, student: str, done: Run) -> None:
        """Enter what became of a submission in the gradebook and in autograded/, with nbgrader's own steps.

        A mark that a person gave stays; it must be looked at again only where the answer is not what was marked.

        Raises:
            CourseError: nbgrader failed, or would. Then autograded/ is as it was, and all that a person gave; the same
                can be entered again.
            GradebookError: it failed in a way in which it would fail for everybody.
        """
        self.restore(student)
        earlier = self.graded(student)
        with self.gradebook() as gradebook:
            lateness.check(gradebook, student)
            found = {} if earlier is None else read_marks(gradebook, [student])
        if earlier is not None:
            remarks.remember(earlier, done.notebook, found[student].comments if student in found else {})
        config = landing(self.config, done, self._settled(student, done, earlier))
        with self._aside(student):
            self._run(f"entering {student}", "autograde", ASSIGNMENT, student, config=config)

    def _earlier(self, student: str) -> Path:
        """Where a student's graded files lie while others take their place; hidden, so that nbgrader sees no other."""
        place = self.folder("autograded", student)
        return place.with_name(f".{place.name}.earlier")

    @contextmanager
    def _aside(self, student: str) -> Iterator[None]:
        """Put a student's graded files aside, since nbgrader removes them first; and back, if the step fails."""
        place, earlier = self.folder("autograded", student), self._earlier(student)
        if place.exists():
            place.rename(earlier)
        try:
            yield
            durable.sync_all(place)
            durable.sync(place.parent)
        except BaseException:
            shutil.rmtree(place, ignore_errors=True)
            if earlier.exists():
                earlier.rename(place)
            raise
        shutil.rmtree(earlier, ignore_errors=True)

    def restore(self, student: str) -> None:
        """Put back the graded files that a `land` which was killed put aside; remove them where it had come to its end.

        Raises:
            OSError: they cannot be moved.
        """
        earlier = self._earlier(student)
        if not earlier.exists():
            return
        if self.graded(student) is None:
            place = self.folder("autograded", student)
            shutil.rmtree(place, ignore_errors=True)
            earlier.rename(place)
        else:
            shutil.rmtree(earlier, ignore_errors=True)

    def _settled(self, student: str, done: Run, earlier: NotebookNode | None) -> frozenset[str]:
        """The cells that a person has marked and that are still what was marked: written answers, overruled tests.

        A test is what it was if it ended as it did, and the answer that it tests is the same.

        Args:
            student: whose.
            done: what is entered.
            earlier: the graded notebook whose place it takes.
        """
        if earlier is None:
            return frozenset()
        before = {cell.id: cell.source for cell in earlier.cells}
        ended = earlier.metadata.course.evidence.get("outcomes", {})  # none where nothing could be run
        cells = done.notebook.cells
        same = {cell.id for cell in cells if role(cell) == "answer" and cell.source == before.get(cell.id)}
        tests = [cell.id for cell in cells if cell.id in done.outcomes and cell.metadata.course.exercise in same]
        for name in tests:
            if done.outcomes[name].status == ended.get(name, {}).get("status", "not graded"):
                same.add(name)
        with self.gradebook() as gradebook:
            try:
                grades = gradebook.find_submission_notebook(ASSIGNMENT, ASSIGNMENT, student).grades
            except MissingEntry:
                return frozenset()
            marked = {grade.name for grade in grades if grade.manual_score is not None and not grade.needs_manual_grade}
        return frozenset(same & marked)

    def feedback(self, student: str) -> Path:
        """Write one student's feedback, and return the page.

        Raises:
            CourseError: nbgrader failed.
        """
        self._run(f"the feedback for {student}", "generate_feedback", ASSIGNMENT, student)
        return self.folder("feedback", student) / f"{ASSIGNMENT}.html"

    def check_gradebook(self) -> None:
        """Make sure, once, that nbgrader can use the gradebook: it would begin to change one of an older version.

        Raises:
            CourseError: it cannot.
        """
        if not self._gradebook_checked:
            database.check(self.directory.db_url)
            self._gradebook_checked = True

    @contextmanager
    def gradebook(self) -> Iterator[Gradebook]:
        """nbgrader's gradebook of this course.

        Raises:
            CourseError: it cannot be used.
        """
        self.check_gradebook()
        url = self.directory.db_url
        with alembic_on_path(), database.in_words(url), Gradebook(url, self.directory.course_id) as gradebook:
            yield gradebook


def _is_no_text(name: str) -> bool:
    """Whether a file's name holds bytes that are no UTF-8."""
    return any("\udc80" <= c <= "\udcff" for c in name)
