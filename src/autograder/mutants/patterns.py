"""Structural search and replace in Python code: the form in which the field's operators are written.

A pattern is an expression or a statement in which names like ``_x`` stand for any expression (the same name twice for
the same one) and ``*_rest`` for all further arguments of a call. It matches code of the same structure, whatever its
layout. The replacement is text in which they stand for what they matched; the code around it stays as it is.

    rewritten("return rotate(y, r).roll(r, -3)", "_x.roll(_r, -3)", "_x")  # -> ["return rotate(y, r)"]
"""

import ast
import functools
import re
from collections.abc import Iterator
from typing import Any

_ANY = re.compile(r"_[a-z][a-z0-9]*")
_PLACE = re.compile(r"(\*?)\b(_[a-z][a-z0-9]*)\b")
_LOOSE = (ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Lambda, ast.NamedExpr, ast.Await)
# Where a loose expression needs no brackets around it.
_ROOMY = (ast.Return, ast.Assign, ast.Call, ast.keyword, ast.Tuple, ast.List, ast.Expr, ast.comprehension, ast.If)

Bound = dict[str, list[ast.AST]]


def _is_any(node: object) -> bool:
    return isinstance(node, ast.Name) and _ANY.fullmatch(node.id) is not None


def _matches(pattern: Any, node: Any, bound: Bound) -> bool:
    if _is_any(pattern):
        if not isinstance(node, ast.expr):
            return False
        before = bound.setdefault(pattern.id, [node])
        return ast.unparse(before[0]) == ast.unparse(node)  # the same name may be read here and bound there
    if isinstance(pattern, list):
        return (
            isinstance(node, list)
            and len(pattern) == len(node)
            and all(_matches(p, n, bound) for p, n in zip(pattern, node, strict=True))
        )
    if type(pattern) is not type(node):
        return False
    if not isinstance(pattern, ast.AST):
        return pattern == node
    if isinstance(pattern, ast.Call) and pattern.args and isinstance(pattern.args[-1], ast.Starred):
        first = len(pattern.args) - 1
        bound[pattern.args[-1].value.id] = [*node.args[first:], *node.keywords]
        return _matches(pattern.func, node.func, bound) and _matches(pattern.args[:first], node.args[:first], bound)
    skipped = ("ctx", "kind", "type_comment", "type_params")
    return all(_matches(getattr(pattern, f), getattr(node, f), bound) for f in pattern._fields if f not in skipped)


def _parsed(pattern: str, replacement: str = "") -> ast.AST:
    """A pattern's tree: an expression, unless it is replaced by what only a statement can be."""
    statement = ast.parse(pattern).body[0]
    expression = isinstance(statement, ast.Expr) and (not replacement or _is_expression(replacement))
    return statement.value if expression else statement


def _is_expression(text: str) -> bool:
    try:
        ast.parse(_PLACE.sub("_", text), mode="eval")
    except SyntaxError:
        return False
    return True


class _Text:
    """A source text whose nodes' places are known in bytes."""

    def __init__(self, source: str):
        self.bytes = source.encode()
        self.starts = [0]
        for line in self.bytes.split(b"\n"):
            self.starts.append(self.starts[-1] + len(line) + 1)

    def span(self, node: Any) -> tuple[int, int]:
        return (
            self.starts[node.lineno - 1] + node.col_offset,
            self.starts[node.end_lineno - 1] + node.end_col_offset,
        )

    def of(self, node: ast.AST) -> str:
        begin, end = self.span(node)
        return self.bytes[begin:end].decode()

    def replaced(self, node: ast.AST, text: str) -> str:
        begin, end = self.span(node)
        return (self.bytes[:begin] + text.encode() + self.bytes[end:]).decode()


def _filled(replacement: str, bound: Bound, text: _Text) -> str:
    def put(place: re.Match) -> str:
        if place[2] not in bound:
            raise ValueError(f"{replacement!r} names {place[2]}, which its pattern does not")
        nodes = bound[place[2]]
        if place[1]:
            return ", ".join(text.of(node) for node in nodes)
        before, after = replacement[: place.start()].rstrip()[-1:], replacement[place.end() :].lstrip()[:1]
        alone = before in ("", "(", "[", ",", "=") and after in ("", ")", "]", ",")
        return f"({text.of(nodes[0])})" if isinstance(nodes[0], _LOOSE) and not alone else text.of(nodes[0])

    return _PLACE.sub(put, replacement)


@functools.lru_cache(maxsize=16)
def _nodes(source: str) -> list[ast.AST]:
    return list(ast.walk(ast.parse(source)))


def places(source: str, pattern: str, replacement: str = "") -> Iterator[tuple[ast.AST, Bound]]:
    """Where a pattern matches, with what its names stand for; a replacement may ask for a whole statement."""
    wanted = _parsed(pattern, replacement)
    for node in _nodes(source):
        bound: Bound = {}
        if isinstance(node, (ast.expr, ast.stmt)) and _matches(wanted, node, bound):
            yield node, bound


def rewritten(source: str, pattern: str, replacement: str) -> list[str]:
    """The source with one match replaced, for each match.

    Args:
        source: Python code.
        pattern: what is looked for.
        replacement: what takes its place; a statement's may have several lines, indented as if the first were not.

    Raises:
        SyntaxError: the source, the pattern or what comes out is no Python.
        ValueError: the replacement names what the pattern does not.
    """
    text, found = _Text(source), []
    parents = {child: node for node in _nodes(source) for child in ast.iter_child_nodes(node)}
    for node, bound in sorted(places(source, pattern, replacement), key=lambda place: text.span(place[0])):
        new = _filled(replacement, bound, text)
        if isinstance(node, ast.expr):
            loose = isinstance(ast.parse(new, mode="eval").body, _LOOSE)
            if loose and not isinstance(parents.get(node), _ROOMY):
                new = f"({new})"
        else:
            new = new.replace("\n", "\n" + " " * node.col_offset)
        result = text.replaced(node, new)
        ast.parse(result)
        found.append(result)
    return found
