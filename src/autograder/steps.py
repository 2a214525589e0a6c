"""The steps of nbgrader's that the course replaces; `nbgrader_config.py` puts them in their places.

`PourAnswers` makes the notebook that is graded, `Run` runs it, `HideTests` keeps hidden tests out of the feedback.
They work in every way that nbgrader is used: its commands, the formgrader's buttons and ``autograder``.
"""

from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.converters.base import NbGraderException
from nbgrader.preprocessors import Execute, NbGraderPreprocessor
from nbgrader.utils import is_grade

from autograder.notebooks import regions, role
from autograder.submissions import pour

SECONDS = {"training": 300, "tests": 300}  # a test of accuracy may train once more
OTHER_SECONDS = 60


def _differs(source: NotebookNode, assignment: str, notebook: str, db_url: str) -> bool:
    """Whether the gradebook's tests or points are not those of the source."""
    wanted = {cell.id: cell for cell in source.cells if is_grade(cell)}
    with Gradebook(db_url) as gradebook:
        known = gradebook.find_notebook(notebook, assignment)
        texts = {cell.name: cell.source for cell in known.source_cells}
        points = {cell.name: cell.max_score for cell in known.grade_cells}
    same_points = points == {name: cell.metadata.nbgrader.points for name, cell in wanted.items()}
    return not same_points or any(texts[n] != c.source for n, c in wanted.items() if role(c) == "tests")


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
        if _differs(source, assignment, notebook, names["db_url"]):
            raise NbGraderException(
                f"The gradebook's tests differ from {folder / notebook}.ipynb: it was made from another version. "
                f"Run `make release` (or `nbgrader generate_assignment {assignment} --force`), then grade again."
            )
        poured = pour(nb, source)
        for repair in poured.repairs:
            self.log.warning("%s: %s", names["student"], repair)
        poured.notebook.metadata["course"] = {"repairs": list(poured.repairs)}
        return poured.notebook, resources


class Run(Execute):
    """Runs the notebook; each cell may take as long as its role needs.

    A test cell that never ran has failed, and what a test cell writes to stderr costs nothing: nbgrader would count the
    one as full marks and the other as none.
    """

    def __init__(self, **kwargs: Any) -> None:
        """As nbgrader's, with a limit for each cell."""
        super().__init__(**kwargs)
        self.timeout_func = lambda cell: SECONDS.get(role(cell), OTHER_SECONDS)

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        """Run all cells."""
        nb, resources = super().preprocess(nb, resources)
        for cell in nb.cells:
            if role(cell) == "tests":
                cell.outputs = [o for o in cell.outputs if o.output_type != "stream" or o.name != "stderr"]
                if cell.execution_count is None:
                    cell.outputs = [nbformat.v4.new_output("error", ename="NotRun", evalue="this cell never ran")]
        return nb, resources


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
