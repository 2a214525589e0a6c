"""What a person's comments are about: nbgrader keeps a comment through every new hand-in, and not what it was said of.

So each graded notebook keeps, in its ``metadata.course``, which text each comment was written about. A comment that is
not there was written since, about the answer that is.
"""

import hashlib
from collections.abc import Mapping

from nbformat import NotebookNode

from autograder.notebooks import role

KEY = "commented"


def remember(earlier: NotebookNode, notebook: NotebookNode, comments: Mapping[str, str]) -> None:
    """Write down in a notebook that is about to be entered what the comments on the one before it are about.

    Args:
        earlier: the graded notebook whose place it takes.
        notebook: the one that is entered.
        comments: what a person wrote, by the answer cell's id.
    """
    known = earlier.metadata.course.get(KEY, {})
    texts = {cell.id: cell.source for cell in earlier.cells if role(cell) == "answer"}
    notebook.metadata.course[KEY] = {
        cell: known[cell] if _is_of(known.get(cell), said) else [_digest(said), _digest(texts[cell])]
        for cell, said in comments.items()
        if cell in texts
    }


def is_about_another(notebook: NotebookNode, answer: NotebookNode, comment: str) -> bool:
    """Whether a comment was written about another text than the one that a graded notebook's answer has."""
    kept = notebook.metadata.course.get(KEY, {}).get(answer.id)
    return _is_of(kept, comment) and kept[1] != _digest(answer.source)


def _is_of(kept: list[str] | None, comment: str) -> bool:
    return kept is not None and kept[0] == _digest(comment)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
