"""What decides points besides a submission, as hashes: the grader's code; and the tests, with what they compare with.

A test cell compares with bounds, references and hidden digits that lie outside of it. A correction there changes points
as one of the cell itself does, so it belongs to the tests' version.
"""

import ast
import functools
import hashlib
import json
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path

from nbformat import NotebookNode

from autograder.judge.cells import HELPER_NAMES
from autograder.notebooks import role

OWN, STUDENTS = "autograder", "gcnn"
DATA: Mapping[str, tuple[str, ...]] = {
    "autograder.hidden": ("digits/hidden.npz",),
    "gcnn.data": ("digits/train.npz", "digits/valid.npz", "digits/test.npz"),
}
"""The files of its package that a module reads."""


def _package(name: str) -> Path:
    return Path(str(resources.files(name)))


def _file(module: str) -> Path | None:
    """A module's file; ``None`` if there is no such module in the two packages."""
    package, *parts = module.split(".")
    if package not in (OWN, STUDENTS):
        return None
    path = _package(package).joinpath(*parts)
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def hash_of(paths: Iterable[Path]) -> str:
    """One hash of files' contents, in this order. That a file is missing counts as its content."""
    sums = hashlib.sha256()
    for path in paths:
        sums.update(hashlib.sha256(path.read_bytes()).digest() if path.is_file() else b"missing")
    return sums.hexdigest()


@functools.cache
def code_version() -> str:
    """A hash of the grader's own code and digits, the student package's with it: two machines with one grade alike."""
    files = (path for package in (OWN, STUDENTS) for path in sorted(_package(package).rglob("*")))
    return hash_of(path for path in files if path.suffix in (".py", ".npz"))[:16]


def tests_version(notebook: NotebookNode) -> str:
    """A hash of a notebook's tests, their points, and the `deciding` modules."""
    tests = [cell for cell in notebook.cells if role(cell) == "tests"]
    given = tuple(cell.source for cell in notebook.cells if role(cell) == "given")
    told = [(cell.id, cell.source, cell.metadata.nbgrader.points) for cell in tests]
    parts = [told, _contents(tuple(cell.source for cell in tests), given)]
    return hashlib.sha256(json.dumps(parts).encode("utf-8", "replace")).hexdigest()[:16]


def look_again() -> None:
    """Read the modules anew when they are next asked for: somebody may have edited them."""
    _contents.cache_clear()


@functools.lru_cache(maxsize=4)
def _contents(tests: tuple[str, ...], given: tuple[str, ...]) -> str:
    paths = []
    for module in deciding(tests, given):
        package = _package(module.split(".")[0])
        paths += [_file(module) or package / "missing", *(package / name for name in DATA.get(module, ()))]
    return hash_of(paths)


def deciding(tests: tuple[str, ...], given: tuple[str, ...]) -> list[str]:
    """The modules whose contents decide what tests compare with.

    They are those of this package that test cells import, and what these import in turn; and those of the student
    package that either of them names. What the student package's own modules import (networks' training, hints) is not
    followed, and the judge's helpers are how tests are run.

    Args:
        tests: the test cells' code.
        given: the given cells' code, whose names test cells use.
    """
    names = {name: module for code in given for name, module in _imports(code).items()}
    found: set[str] = set()
    for code in tests:
        used = {node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)} - HELPER_NAMES
        found |= {names[name] for name in used & names.keys()} | set(_imports(code).values())
    todo = {module for module in found if module.startswith(OWN)}
    while todo:
        file = _file(todo.pop())
        new = set(_imports(file.read_text(encoding="utf-8")).values()) - found if file else set()
        found |= new
        todo |= {module for module in new if module.startswith(OWN)}
    return sorted(found)


def _imports(code: str) -> dict[str, str]:
    """The names that code imports from the two packages, and from which module."""
    found = {}
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found |= {alias.asname or alias.name: alias.name for alias in node.names if _file(alias.name)}
        elif isinstance(node, ast.ImportFrom) and node.module and _file(node.module):
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found[alias.asname or alias.name] = inner if _file(inner) else node.module
    return found
