"""Finds where a hand-in's code gives a name of the course's another meaning, or changes a module: by reading it.

It makes no difference to a grade, since tests run on the grader's own copies. Often it is an accident: a name that was
free to a student's eye. A person may want to know of it.
"""

import ast
from collections.abc import Iterable, Iterator

from nbformat import NotebookNode

from autograder.notebooks import role

REBOUND, REPLACED = "name bound anew", "module changed"

_LONGEST = 200_000  # characters of a cell that is looked into
_UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)


class Given:
    """What the course's given cells define and import; a class shares them, so they are read once."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, ...], tuple[frozenset[str], frozenset[str]]] = {}

    def touched(self, notebook: NotebookNode) -> Iterator[tuple[str, str]]:
        """What a graded notebook's answers and added cells do to the given cells' names, each once.

        Yields:
            `REBOUND` and a name that is defined or assigned anew, or `REPLACED` and what is changed in a module.
        """
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        names, modules = self._names(tuple(cell.source for cell in code if role(cell) == "given"))
        own = (cell.source for cell in code if role(cell) in ("answer", "added"))
        found = {}
        for source in own:
            found |= dict.fromkeys(_touched(source, names, modules))
        yield from found

    def _names(self, cells: tuple[str, ...]) -> tuple[frozenset[str], frozenset[str]]:
        """The functions and classes that cells define or import, and the modules that they import."""
        if cells not in self._known:
            defined, imported = set(), set()
            for source in cells:
                tree = ast.parse(source)
                imported |= _imported(tree)
                defined |= set(_bound(tree.body, functions_only=True))
            self._known[cells] = frozenset(defined | imported), frozenset(imported)
        return self._known[cells]


def _touched(source: str, names: frozenset[str], modules: frozenset[str]) -> Iterator[tuple[str, str]]:
    if len(source) > _LONGEST:
        return
    try:
        tree = ast.parse(source)
    except _UNREADABLE:
        return
    yield from ((REBOUND, name) for name in _bound(tree.body) if name in names)
    modules |= _imported(tree)
    for node in ast.walk(tree):
        for target in _targets(node):
            path = _path(target)
            if len(path) > 1 and path[0] in modules:
                yield REPLACED, ".".join(path)


def _imported(tree: ast.AST) -> set[str]:
    """The names that imports bind, wherever they stand."""
    imports = (node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom)))
    return {(alias.asname or alias.name).split(".")[0] for node in imports for alias in node.names}


def _bound(statements: Iterable[ast.stmt], functions_only: bool = False) -> Iterator[str]:
    """The names that statements at a cell's top level define or assign; an import gives a name its own meaning."""
    for statement in statements:
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield statement.name
        elif not functions_only:
            yield from (target.id for target in _targets(statement) if isinstance(target, ast.Name))


def _targets(node: ast.AST) -> Iterator[ast.expr]:
    """What a statement assigns to, or what a call of ``setattr`` with a constant name does."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            yield from target.elts if isinstance(target, (ast.Tuple, ast.List)) else [target]
    elif isinstance(node, (ast.AugAssign, ast.AnnAssign)):
        yield node.target
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "setattr":
        match node.args:
            case [owner, ast.Constant(value=str(name)), _]:
                yield ast.Attribute(owner, name, ast.Store())


def _path(node: ast.expr) -> list[str]:
    """``torch.nn.Module.forward`` as its parts, ``sys.modules[…]`` without its key; nothing for other expressions."""
    parts = []
    if isinstance(node, ast.Subscript) and _path(node.value) == ["sys", "modules"]:
        return ["sys", "modules"]
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return [node.id, *reversed(parts)] if isinstance(node, ast.Name) else []
