"""What of a student's cells a page shows: code in colours, text, and outputs of bounded length.

Nothing in it runs or is fetched (`autograder.safe`), and no path of the machine that graded is in it.
"""

import dataclasses
import re
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup
from nbconvert.filters import strip_ansi
from nbformat import NotebookNode

from autograder.safe import MAX_CODE, coloured, render, safe_outputs

MAX_TEXT = 3_000  # characters of one output
MAX_LINES = 40  # of a traceback
MAX_OUTPUTS = 12  # of one cell
MAX_PICTURES = 40  # on one page
MAX_PICTURE_BYTES = 12_000_000  # on one page, as base64

_PATH = re.compile(r"(?<![\w./~\\-])(?:file://)?~?/(?:[^\s/'\"<>|:;,()\[\]{}]+/)+[^\s/'\"<>|:;,()\[\]{}]*")
_LIBRARIES = re.compile(r".*/(?:site-packages|dist-packages|python3\.\d+)/")
_WORK = "/home/student/work/"  # where a submission's own files lie while it is graded, see autograder.sandbox
_DRAWN_OVER = re.compile(r"^[^\n]*\r(?!\n)", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Output:
    """One output of a cell."""

    kind: str
    """"text", "error" or "picture"."""
    text: str
    """What was printed; an error's message; what a picture shows, in words."""
    more: str = ""
    """An error's traceback; a picture's data, as a data URI."""


class Album:
    """How many pictures a page has room for yet."""

    def __init__(self) -> None:
        self._left, self._bytes = MAX_PICTURES, MAX_PICTURE_BYTES

    def takes(self, data: str) -> bool:
        """Whether there is room for this one."""
        if self._left < 1 or len(data) > self._bytes:
            return False
        self._left, self._bytes = self._left - 1, self._bytes - len(data)
        return True


def scrub(text: str) -> str:
    """A text without paths of the machine that graded: a library's file keeps its name in there, others their last."""
    own = {str(Path.cwd()), str(Path.home()), sys.prefix, tempfile.gettempdir(), str(Path(__file__).parents[2])}
    for root in sorted(own, key=len, reverse=True):
        if root.count("/") > 1 and " " in root:  # the pattern below ends at a space
            text = text.replace(root, "/…")
    return _PATH.sub(_shortened, text)


def _shortened(match: re.Match[str]) -> str:
    path = match[0].removeprefix("file://")
    if path.startswith(_WORK):
        return path.removeprefix(_WORK)
    if library := _LIBRARIES.match(path):
        return path[library.end() :]
    return f"…/{path.rstrip('/').rsplit('/', 1)[-1]}"


def code(source: str) -> Markup:
    """Code in colours."""
    shown = source if len(source) <= MAX_CODE else source[:MAX_CODE]
    result = Markup(coloured(shown.strip("\n")))
    return result + left_out(len(source) - len(shown))


def words(source: str, attachments: Mapping[str, Any] | None = None) -> Markup:
    """Markdown, its headings below those of an exercise's parts."""
    return Markup(render(source, attachments, deeper=3))


def left_out(characters: int) -> Markup:
    """Says that something is missing, if it is."""
    return Markup("\n[… {:,} more characters]").format(characters) if characters > 0 else Markup("")


def bounded(text: str, limit: int = MAX_TEXT) -> str:
    """A text's beginning and end."""
    if len(text) <= limit:
        return text
    return f"{text[: limit // 2]}\n[… {len(text) - limit // 2 * 2:,} characters …]\n{text[-(limit // 2) :]}"


def outputs(cell: NotebookNode, album: Album, *, errors: bool = True) -> list[Output]:
    """A code cell's outputs.

    Args:
        cell: the cell.
        album: the page's pictures.
        errors: whether errors are shown.
    """
    result: list[Output] = []
    safe = safe_outputs(cell.get("outputs", []))
    for number, output in enumerate(safe):
        if len(result) >= MAX_OUTPUTS:
            result.append(Output("text", f"[… {len(safe) - number} more outputs]"))
            break
        if output.output_type == "error":
            result += [_error(output)] if errors else []
            continue
        text = output.output_type == "stream"
        shown = Output("text", _printed(output.text)) if text else _displayed(output.data, album)
        if shown.kind == "text" and not shown.text.strip():
            continue
        if shown.kind == "text" and result and result[-1].kind == "text":
            result[-1] = Output("text", bounded(result[-1].text.rstrip("\n") + "\n" + shown.text))
        else:
            result.append(shown)
    return result


def _printed(text: str) -> str:
    """What a terminal shows in the end: a progress bar draws over itself."""
    return bounded(scrub(_DRAWN_OVER.sub("", strip_ansi(text))))


def _error(output: NotebookNode) -> Output:
    message = f"{output.ename}: {output.evalue}".removesuffix(": ")
    lines = scrub(strip_ansi("\n".join(output.traceback))).splitlines()
    more = [] if len(lines) <= MAX_LINES else [f"[… {len(lines) - MAX_LINES} more lines]"]
    return Output(
        "error", bounded(scrub(strip_ansi(message)), 1000), bounded("\n".join([*more, *lines[-MAX_LINES:]]), 8000)
    )


def _displayed(data: Mapping[str, str], album: Album) -> Output:
    text = data.get("text/plain", "")
    kind = next((kind for kind in data if kind.startswith("image/")), None)
    if kind is None:
        return Output("text", bounded(scrub(strip_ansi(text))))
    if not album.takes(data[kind]):
        return Output("text", "[a figure is left out: the page would be too large]")
    # Ours say what they show; matplotlib's say "<Figure size 640x480 with 1 Axes>".
    alt = "" if text.startswith("<") else bounded(scrub(text), 500)
    return Output("picture", alt, f"data:{kind};base64,{''.join(data[kind].split())}")


def first_line(source: str) -> str:
    """What a cell begins with, to call it by."""
    lines = (line.strip("# ") for line in source.splitlines())
    return next((line for line in lines if line), "")[:80]
