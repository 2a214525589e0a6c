"""mutmut's operators on a model solution: numbers, names, operators, arguments and assignments, one change at a time.

mutmut is a tool that changes a project's files and runs its tests; here only its operators are used, each a function
from a node of LibCST's tree to the nodes that may stand in its place. Strings are left out: in this course they are
messages, docstrings and names of buffers.
"""

from collections.abc import Iterator

import libcst as cst
from libcst.metadata import MetadataWrapper, ParentNodeProvider, PositionProvider
from mutmut.mutation.mutators import mutation_operators

from autograder.mutants.mutant import LIBRARY, Mutant

_LEFT_OUT = {"operator_string", "operator_symmetric_string_methods_swap", "operator_unsymmetrical_string_methods_swap"}
_CONTEXT = 48  # characters of code that a mistake's name shows, if the expression around it is no longer
_LONGEST = 80  # characters of code in a mistake's name
_OPERATORS = (cst.In, cst.NotIn, cst.BaseBinaryOp, cst.BaseUnaryOp, cst.BaseBooleanOp, cst.BaseCompOp, cst.BaseAugOp)


def _short(code: str) -> str:
    """Code in one line, cut in the middle if it is long."""
    code = " ".join(code.split()).strip(" ,;")
    return code if len(code) <= _LONGEST else f"{code[: _LONGEST // 2]}…{code[-_LONGEST // 2 :]}"


def _in_words(module: cst.Module, node: cst.CSTNode, new: cst.CSTNode, parents: dict) -> str:
    """What was changed."""

    def code(node: cst.CSTNode) -> str:
        return _short(module.code_for_node(node))

    if isinstance(node, cst.Call):
        name, before, after = code(node.func), list(node.args), list(new.args)
        at = next(i for i, arg in enumerate(before) if i == len(after) or not arg.deep_equals(after[i]))
        if len(after) < len(before):
            return f"leaves `{code(before[at])}` out of `{name}(…)`"
        return f"gives None in place of `{code(before[at])}` to `{name}(…)`"
    if isinstance(node, cst.IfExp):
        taken, when = (node.orelse, "also if") if isinstance(new.test.operator, cst.And) else (node.body, "also unless")
        return f"has `{code(taken)}` {when} `{code(node.test)}`"
    if isinstance(node, (cst.Assign, cst.AnnAssign)) and isinstance(new, type(node)):
        return f"sets `{code(new)}`"
    # As much around a small change as makes it plain.
    shown = node
    while (parent := parents.get(shown)) is not None and not isinstance(parent, (cst.Module, cst.BaseSuite)):
        operator = isinstance(shown, _OPERATORS)
        if isinstance(shown, cst.BaseSmallStatement):
            break
        if not operator and len(module.code_for_node(parent).strip()) > _CONTEXT:
            break
        shown = parent
    changed = new if shown is node else shown.deep_replace(node, new)
    return f"has `{code(changed)}` in place of `{code(shown)}`"


def library_mutants(exercise: str, source: str, lines: frozenset[int], operator: str) -> Iterator[Mutant]:
    """All that mutmut makes of some lines of an answer.

    Args:
        exercise: whose answer it is.
        source: the answer cell's code.
        lines: numbers of the lines that are changed.
        operator: what the mutants' operators are called, before the name of mutmut's.
    """
    wrapper = MetadataWrapper(cst.parse_module(source))
    positions, parents = wrapper.resolve(PositionProvider), wrapper.resolve(ParentNodeProvider)
    module, rows = wrapper.module, source.split("\n")

    def put(node: cst.CSTNode, new: cst.CSTNode) -> str:
        place, code = positions[node], module.code_for_node(new).strip()
        before = [*rows[: place.start.line - 1], rows[place.start.line - 1][: place.start.column]]
        after = [rows[place.end.line - 1][place.end.column :], *rows[place.end.line :]]
        return "\n".join(before) + code + "\n".join(after)

    def walk(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
        if isinstance(node, (cst.Annotation, cst.FormattedString)):
            return
        yield node
        for child in node.children:
            yield from walk(child)

    for node in walk(module):
        if node not in positions or positions[node].start.line not in lines:
            continue
        for kind, change in mutation_operators:
            if not isinstance(node, kind) or change.__name__ in _LEFT_OUT:
                continue
            for new in change(node):
                words, name = _in_words(module, node, new, parents), change.__name__.removeprefix("operator_")
                yield Mutant(exercise, words, LIBRARY, f"{operator} {name}", put(node, new))
