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


def _in_words(module: cst.Module, node: cst.CSTNode, new: cst.CSTNode, parents: dict) -> str:
    """What was changed, shown with as much around it as makes it plain."""
    shown = node
    while (parent := parents.get(shown)) is not None and not isinstance(parent, (cst.Module, cst.BaseSuite)):
        if isinstance(shown, cst.BaseSmallStatement) or len(module.code_for_node(parent).strip()) > _CONTEXT:
            break
        shown = parent
    if isinstance(shown, (cst.In, cst.NotIn, cst.BaseBinaryOp, cst.BaseUnaryOp, cst.BaseBooleanOp, cst.BaseCompOp)):
        shown = parents[shown]
    changed = new if shown is node else shown.deep_replace(node, new)
    before, after = (" ".join(module.code_for_node(n).split()).strip(" ,;") for n in (shown, changed))
    return f"has `{after}` in place of `{before}`"


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
