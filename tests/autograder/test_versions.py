"""Tests of autograder.versions: is everything that tests compare with in their version, and nothing else?"""

import ast
import copy
import dataclasses

import nbformat
import pytest

from autograder import versions
from autograder.jobs import Job
from autograder.kernel import Settings
from autograder.notebooks import role
from autograder.steps import prepared


@pytest.fixture(scope="module")
def deciding(source):
    """The modules that decide what the notebook's tests compare with."""
    code = {kind: tuple(cell.source for cell in source.cells if role(cell) == kind) for kind in ("tests", "given")}
    return versions.deciding(code["tests"], code["given"])


@pytest.fixture
def written(monkeypatch, tmp_path):
    """A way to write another text or other bytes in a module's or its data's place."""

    def write(name, content):
        package, _, rest = name.partition("/")
        path = tmp_path / "other"
        path.write_bytes(content)
        if rest:
            folder = tmp_path / package
            (folder / rest).parent.mkdir(parents=True)
            (folder / rest).write_bytes(content)
            found = versions._package
            monkeypatch.setattr(versions, "_package", lambda name: folder if name == package else found(name))
        found_file = versions._file
        files = {module: found_file(module) for module in MODULES}
        monkeypatch.setattr(versions, "_file", lambda module: path if module == name else files.get(module))
        versions._contents.cache_clear()

    yield write
    versions._contents.cache_clear()


MODULES = [
    *("autograder.hidden", "autograder.reference", "autograder.secret", "autograder.thresholds"),
    *("gcnn.checks", "gcnn.data", "gcnn.equivariance", "gcnn.stand_ins"),
]


def test_what_tests_import_decides(deciding):
    """Are these the modules that decide, as docs/instructor.md lists them? A new one belongs there, too."""
    assert deciding == MODULES


@pytest.mark.parametrize("name", [*MODULES, "autograder/digits/hidden.npz"])
def test_another_module_is_another_version(name, source, written):
    """Does a change of a bound, of the reference, of a tolerance or of the hidden digits change the tests' version?"""
    before = versions.tests_version(source)
    written(name, b"import gcnn.stand_ins, gcnn.data, autograder.secret\n")
    assert versions.tests_version(source) != before


def test_files_that_modules_read_are_known(deciding):
    """Is each file that a deciding module reads from its package among the data that are looked at?"""
    for module in deciding:
        text = versions._file(module).read_text()
        reads = any(isinstance(node, ast.Attribute) and node.attr == "files" for node in ast.walk(ast.parse(text)))
        assert reads == (module in versions.DATA), module
        for name in versions.DATA.get(module, ()):
            assert (versions._package(module.split(".")[0]) / name).is_file(), name


@pytest.mark.parametrize(
    ("kind", "counts"), [("text", False), ("rubric", False), ("answer", True), ("given", True), ("tests", True)]
)
def test_what_cannot_change_points_runs_nothing_again(kind, counts, source):
    """Is a job another one after a change of an answer, in words too, but not after one of the course's text?"""
    submission = copy.deepcopy(source)
    submission.cells.insert(3, nbformat.v4.new_markdown_cell("The student's own words.", id="own"))
    poured = prepared(submission, source)
    job = Job("ada", nbformat.writes(poured), None, Settings(), "a secret")
    cells = [cell for cell in poured.cells if role(cell) == kind]
    for cell in (cells[0], next((cell for cell in cells if cell.cell_type == "markdown"), cells[-1])):
        cell.source += "\n# more"
        assert (dataclasses.replace(job, notebook=nbformat.writes(poured)).key != job.key) == counts
    next(cell for cell in poured.cells if role(cell) == "added").source += " And more."
    assert dataclasses.replace(job, notebook=nbformat.writes(poured)).key != job.key
