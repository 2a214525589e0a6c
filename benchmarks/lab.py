"""The released notebook in a real JupyterLab, in a browser's page, driven as a student does: for tests and pictures.

`laboratory` serves what `autograder student` puts together; `Lab` types answers, runs cells and looks at what they say.
"""

import contextlib
import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import nbformat
from playwright.sync_api import Locator, Page, expect

from autograder.formgrader import jupyter
from autograder.notebooks import ASSIGNMENT

# What a kernel runs before the notebook where its pages are looked at and not its networks: fewer digits to test on,
FEW_DIGITS = """
from gcnn import data


class Few(data.MnistRotDataset):
    def __init__(self, mode, *args, **kwargs):
        super().__init__(mode, *args, **kwargs)
        if mode == "test":
            self.images, self.labels, self.angles = self.images[:200], self.labels[:200], self.angles[:200]


data.MnistRotDataset = Few
"""
# and trainings as short as those of the check before handing in.
BRIEF = f"""{FEW_DIGITS}
from gcnn import clean_start

clean_start.shorten_training()
"""
WRONG = "def rotate_p4(y, r):\n    return torch.roll(rotate(y, r), -r, dims=-3)\n"  # the wrong way
# The cells without which the slider has nothing to turn, in order; those that are answers must have been answered.
BEFORE_THE_SLIDER = (
    "isotropic-conv",
    "rotate-p4",
    "lifting-conv",
    "group-conv",
    "c4cnn",
    "train-c4cnn",
    'results, trained = {}, {"C4CNN": c4cnn}',
    "class PlainCNN",
    'trained["ordinary CNN"] = ',
    "isotropic-cnn",
    "train-isotropic-cnn",
    'trained["IsotropicCNN"] = ',
)
# What a student's JupyterLab has not: the grader's and the developer's extensions.
_OTHERS = ("nbgrader.server_extensions." + part for part in ("formgrader", "validate_assignment", "assignment_list"))
_OTHERS = (*_OTHERS, "nbgrader.server_extensions.course_list", "jupyterlab_jupytext", "notebook")
_EXTENSIONS = ("@jupyter/nbgrader", "@jupyter-notebook/lab-extension", "jupyterlab-jupytext")
_SETTINGS = {
    # All cells are in the page, not only those in sight.
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
}
_OPTIONS = (
    "--LabApp.news_url=None",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    "--LabApp.extension_manager=readonly",  # the other one asks PyPI
    "--LabApp.extensions_in_dev_mode=False",
)


@contextlib.contextmanager
def laboratory(folder: Path, before: str = "") -> Iterator[str]:
    """JupyterLab in a folder, until the block ends; nothing of it stays.

    Gives the address of the course's notebook in it, with the token.

    Args:
        folder: what `autograder student` has made.
        before: code that each kernel runs before the notebook's.

    Raises:
        CourseError: the server does not start; the message has its last lines.
    """
    with tempfile.TemporaryDirectory(prefix="lab-", ignore_cleanup_errors=True) as own:
        place = Path(own)
        texts = {
            "settings/overrides.json": json.dumps(_SETTINGS),
            "config/labconfig/page_config.json": json.dumps({"disabledExtensions": dict.fromkeys(_EXTENSIONS, True)}),
            "ipython/profile_default/startup/before.py": before,
        }
        for name, text in texts.items():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_text(text)
        options = [f"--ServerApp.jpserver_extensions={name}=False" for name in _OTHERS]
        options += [*_OPTIONS, f"--LabApp.app_settings_dir={place / 'settings'}"]
        variables = {
            "IPYTHONDIR": str(place / "ipython"),
            "JUPYTERLAB_SETTINGS_DIR": str(place / "user"),
            "JUPYTERLAB_WORKSPACES_DIR": str(place / "workspaces"),
        }
        with jupyter(folder, place, "jupyterlab", options, variables) as (url, token):
            yield f"{url}lab/tree/{ASSIGNMENT}.ipynb?token={token}"


class Lab:
    """The course's notebook in a page of JupyterLab.

    Cells are named by their id, or by a part of their code that no other code cell has.

    Args:
        page: where the notebook has been opened.
        path: the notebook's file.
    """

    def __init__(self, page: Page, path: Path):
        self.page, self.path = page, path
        self._cells = nbformat.read(path, as_version=4).cells
        expect(page.locator(".jp-Notebook .jp-Cell")).to_have_count(len(self._cells), timeout=120_000)
        # Before there is a kernel, running a cell does nothing.
        expect(page.locator("#jp-main-statusbar")).to_contain_text("| Idle", timeout=120_000)

    def cell(self, name: str) -> Locator:
        """A cell in the page.

        Raises:
            ValueError: there is no such cell, or several.
        """
        found = [n for n, cell in enumerate(self._cells) if cell.id == name] or [
            n for n, cell in enumerate(self._cells) if cell.cell_type == "code" and name in cell.source
        ]
        if len(found) != 1:
            raise ValueError(f"{len(found)} cells are or hold {name!r}")
        return self.page.locator(f'.jp-Notebook .jp-Cell[data-windowed-list-index="{found[0]}"]')

    def set_up(self) -> Locator:
        """Run the two cells with which each session starts, and return the output of the second."""
        self.run("GCNN_URL = ")
        return self.run("from gcnn import checks, plots")

    def type(self, name: str, text: str) -> None:
        """Put a text in the place of what stands in a cell."""
        self.cell(name).locator(".cm-content").click()
        self.page.keyboard.press("ControlOrMeta+a")
        self.page.keyboard.insert_text(text)

    def run(self, name: str, seconds: float = 120) -> Locator:
        """Run a cell with the keyboard, wait for its end, and return its output."""
        cell = self.cell(name)
        prompt = cell.locator(".jp-InputArea-prompt")
        before = prompt.inner_text()
        cell.locator(".cm-content").click()
        self.page.keyboard.press("Shift+Enter")
        expect(prompt).not_to_have_text(before, timeout=20_000)
        expect(prompt).to_have_text(re.compile(r"\[\d+\]:"), timeout=1000 * seconds)
        return cell.locator(".jp-OutputArea").first

    def before_the_slider(self, answers: Mapping[str, str]) -> None:
        """Run all that the slider's cell needs, with these answers by exercise."""
        for name in BEFORE_THE_SLIDER:
            if name in answers:
                self.type(name, answers[name])
            self.run(name, seconds=1800)

    def save(self) -> None:
        """Save the notebook with the keyboard, and wait until it is."""
        with self.page.expect_response(lambda answer: answer.request.method == "PUT" and self.path.name in answer.url):
            self.page.keyboard.press("ControlOrMeta+s")
