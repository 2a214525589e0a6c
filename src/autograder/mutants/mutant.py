"""A mutant: a model solution with one mistake in it, the mistake's name, and an id that stays while the code does."""

import ast
import dataclasses
import functools
import hashlib

LIBRARY, FIELD, STUDENT = "library", "field", "student"
"""Where mutants come from: a mutation library's operators, the field's own, or a person who writes as students do."""

_NO_MATTER = ("ctx", "kind", "type_comment", "type_ignores", "type_params")


@dataclasses.dataclass(frozen=True)
class Mutant:
    """A wrong answer to one exercise, or one that looks wrong and is not."""

    exercise: str
    """Whose answer it is."""
    mistake: str
    """Its mistake in words, as what it does: "turns clockwise"."""
    origin: str
    """`LIBRARY`, `FIELD` or `STUDENT`."""
    operator: str
    """What made it: the operator's name, or what it was made from."""
    source: str
    """The answer cell's code."""
    equivalent: str = ""
    """Why it is right all the same, where it is: a sentence."""

    @functools.cached_property
    def id(self) -> str:
        """The exercise and a hash of the code, whatever its layout, comments and docstrings."""
        return f"{self.exercise}-{hashlib.sha256(normalised(self.source).encode()).hexdigest()[:10]}"

    @property
    def parses(self) -> bool:
        """Whether it is Python."""
        try:
            ast.parse(self.source)
        except (SyntaxError, ValueError):
            return False
        return True


@functools.lru_cache(maxsize=10_000)
def normalised(source: str) -> str:
    """A code's structure without what does not count: layout, comments and docstrings.

    It is the same in all versions of Python, unlike what `ast.dump` and `ast.unparse` give. What is no Python stays as
    it is, but for white space at the ends of lines.
    """
    try:
        return _structure(ast.parse(source))
    except (SyntaxError, ValueError):
        return "\n".join(line.rstrip() for line in source.strip().split("\n"))


def _structure(node: object) -> str:
    if isinstance(node, list):
        return "[" + " ".join(_structure(one) for one in node if not _is_text(one)) + "]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = {name: value for name, value in ast.iter_fields(node) if name not in _NO_MATTER}
    parts = [f"{name}={_structure(value)}" for name, value in fields.items() if value not in (None, [])]
    return f"{type(node).__name__}({' '.join(parts)})"


def _is_text(node: object) -> bool:
    """Whether a statement is a text and nothing else, as docstrings are."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
