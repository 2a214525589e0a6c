"""What of a submission may be shown in an instructor's browser: text and pictures, nothing that runs.

Feedback pages and the formgrader show a submission's Markdown and outputs. Raw HTML in either would run as the
instructor. So raw HTML is shown as the text it is, and of outputs only plain text and pictures are kept.
"""

import html
import re
from collections.abc import Iterable, Mapping
from typing import Any

import nbformat
from jinja2 import pass_context
from jinja2.runtime import Context
from nbconvert.filters.markdown_mistune import InvalidNotebook, IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode

PICTURES = ("image/png", "image/jpeg")
MAX_TEXT = 100_000  # characters of one output
_BASE64 = re.compile(r"[A-Za-z0-9+/=\s]*")
_MATH_THAT_ACTS = re.compile(r"\\(href|cssId|class|style|data|require|unicode|includegraphics)\b")


class _Renderer(IPythonRenderer):
    """Markdown to HTML without a student's raw HTML, scripts, or links that run something."""

    def __init__(self, attachments: Mapping[str, Any]):
        super().__init__(escape=True, allow_harmful_protocols=False, attachments=dict(attachments))

    def image(self, text: str, url: str, title: str | None = None) -> str:
        """A picture; where a pasted one is missing, nbconvert would give up the whole page."""
        try:
            return super().image(text, url, title)
        except InvalidNotebook:
            return f"<em>[a picture is missing: {html.escape(text)}]</em>"

    def block_mermaidjs(self, code: str) -> str:
        """As any other block of code: nbconvert would put the text into the page unescaped, and run a script on it."""
        return f"<pre><code>{html.escape(code)}</code></pre>"


@pass_context
def safe_markdown(context: Context, source: str) -> str:
    """nbconvert's filter ``markdown2html`` for text that a stranger wrote."""
    attachments = safe_attachments(context.get("cell", {}).get("attachments", {}))
    # MathJax can link and style: such commands are shown by name.
    source = _MATH_THAT_ACTS.sub(r"\\text{\1}", source)
    return MarkdownWithMath(renderer=_Renderer(attachments)).render(source)


def safe_attachments(attachments: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Those attachments of a Markdown cell that are pictures."""
    kept = {}
    for name, bundle in attachments.items():
        pictures = _pictures(bundle)
        if pictures and re.fullmatch(r"[\w. -]{1,100}", str(name)):
            kept[str(name)] = pictures
    return kept


def _pictures(bundle: object) -> dict[str, str]:
    if not isinstance(bundle, Mapping):
        return {}
    kinds = {kind: bundle[kind] for kind in PICTURES if isinstance(bundle.get(kind), str)}
    return {kind: data for kind, data in kinds.items() if _BASE64.fullmatch(data)}


def _size(metadata: object) -> dict[str, int]:
    """A picture's width and height, where they are numbers."""
    sizes = metadata if isinstance(metadata, Mapping) else {}
    return {key: sizes[key] for key in ("width", "height") if type(sizes.get(key)) is int and 0 < sizes[key] < 10_000}


def safe_outputs(outputs: Iterable[NotebookNode]) -> list[NotebookNode]:
    """A code cell's outputs, reduced to text and pictures, each of bounded length."""
    kept = []
    for output in outputs:
        if output.output_type == "stream":
            name = "stderr" if output.name == "stderr" else "stdout"
            kept.append(nbformat.v4.new_output("stream", name=name, text=str(output.text)[:MAX_TEXT]))
        elif output.output_type == "error":
            lines = [str(line)[:MAX_TEXT] for line in output.traceback][:200]
            fields = {"ename": str(output.ename)[:200], "evalue": str(output.evalue)[:MAX_TEXT], "traceback": lines}
            kept.append(nbformat.v4.new_output("error", **fields))
        elif output.output_type in ("display_data", "execute_result"):
            data: dict[str, str] = _pictures(output.data)
            text = output.data.get("text/plain")
            if isinstance(text, str):
                data["text/plain"] = text[:MAX_TEXT]
            if data:
                metadata = {kind: _size(output.metadata.get(kind)) for kind in data if kind in PICTURES}
                kept.append(nbformat.v4.new_output("display_data", data=data, metadata=metadata))
    return kept
