"""What has been released: fingerprints of the cells of every release that this course has made.

A course's own cell that a hand-in has in an earlier form, since a test was corrected after the student had downloaded
the notebook, is no change of the student's.
"""

import datetime
from pathlib import Path

from nbformat import NotebookNode

from autograder.kept import Kept
from gcnn.released import fingerprint

FILE = ".released"


def remember(root: Path, release: NotebookNode) -> None:
    """Write down the cells of a release, if it has new ones.

    Args:
        root: the course's folder.
        release: the notebook that students get.
    """
    new = {fingerprint(cell.source) for cell in release.cells if cell.cell_type == "code"} - known(root)
    if new:
        Kept(root / FILE)[datetime.datetime.now(datetime.timezone.utc).isoformat()] = sorted(new)


def known(root: Path) -> set[str]:
    """The fingerprints of all cells with code that this course has released."""
    return {one for cells in Kept(root / FILE).values() for one in cells}
