"""What of a submission may be shown in a browser: text, formulas and pictures, nothing that runs or that is fetched.

Feedback pages and the formgrader show a submission's Markdown and outputs. Raw HTML in either would run as the
instructor. So raw HTML is shown as the text it is, of outputs only plain text and pictures are kept, and a picture
that lies elsewhere stays there: fetching it would tell its owner who reads the page, and when. A link leads to other
sites only: Jupyter's server hands out the files of a hand-in as pages of its own, whose scripts could do what you can.
"""

import html
import ipaddress
import re
from collections.abc import Iterable, Mapping
from importlib import resources as packages
from typing import Any
from urllib.parse import urlsplit

import nbformat
from jinja2 import pass_context
from jinja2.runtime import Context
from nbconvert.filters.markdown_mistune import InvalidNotebook, IPythonRenderer, MarkdownWithMath
from nbconvert.preprocessors import Preprocessor
from nbformat import NotebookNode

from autograder.mathml import mathml

PICTURES = ("image/png", "image/jpeg")
MAX_TEXT = 100_000  # characters of one output
FORMGRADER = [
    str(packages.files("autograder") / "templates"),
    str(packages.files("nbgrader") / "server_extensions" / "formgrader" / "templates"),
]
"""Where the formgrader's page has its templates: ours before nbgrader's."""
MAX_MARKDOWN = 20_000  # characters of a cell that are read as Markdown: some texts take a parser ages
_BASE64 = re.compile(r"[A-Za-z0-9+/=\s]*")
_MATH_THAT_ACTS = re.compile(r"\\(href|cssId|class|style|data|require|unicode|includegraphics)\b")


class _Renderer(IPythonRenderer):
    """Markdown to HTML without a student's raw HTML, scripts, links that run something, or pictures from elsewhere."""

    HARMFUL = "#harmful-link"  # what mistune puts in the place of such an address

    def __init__(self, attachments: Mapping[str, Any], deeper: int | None):
        plain = deeper is not None
        super().__init__(True, False, exclude_anchor_links=plain, attachments=dict(attachments))
        self.deeper = deeper or 0

    def heading(self, text: str, level: int, **attrs: Any) -> str:
        """A heading below those of the page that it stands in."""
        return super().heading(text, min(level + self.deeper, 6), **attrs)

    def image(self, text: str, url: str, title: str | None = None) -> str:
        """A picture that the notebook holds; of others, where they are. Without one, nbconvert gives up the page."""
        try:
            url = self._embed_image_or_attachment(url)
        except InvalidNotebook:
            url = ""
        if re.match(r"data:image/(png|jpeg|gif|webp);", url):
            return super().image(text, url, title)
        if re.match("https?://", url):
            return self.link(f"[a picture elsewhere: {text or html.escape(url)}]", url)
        return f"<em>[a picture is missing: {html.escape(html.unescape(text))}]</em>"

    def link(self, text: str, url: str, title: str | None = None) -> str:
        """A link that does not say where it was clicked; the words alone where it would run something or lead here."""
        if self.safe_url(url) == self.HARMFUL or not _leads_away(url):
            return text
        return super().link(text, url, title).replace("<a ", '<a rel="noopener noreferrer" ', 1)

    def block_math(self, body: str) -> str:
        """A formula of its own line."""
        return mathml(body, block=True) or super().block_math(body)

    def inline_math(self, body: str) -> str:
        """A formula in the text."""
        return mathml(body) or super().inline_math(body)

    def latex_environment(self, name: str, body: str) -> str:
        """A formula such as ``align``."""
        tex = f"\\begin{{{name}}}{body}\\end{{{name}}}"
        return mathml(tex, block=True) or super().latex_environment(name, body)

    def block_mermaidjs(self, code: str) -> str:
        """As any other block of code: nbconvert would put the text into the page unescaped, and run a script on it."""
        return f"<pre><code>{html.escape(code)}</code></pre>"


def _leads_away(url: str) -> bool:
    """Whether an address is of another site, of a mailbox, or of a place of the same page."""
    url = html.unescape(url)
    if url.startswith("#"):
        return True
    try:  # a browser takes a backslash for a slash, and leaves out line ends and tabs
        parts = urlsplit(re.sub(r"[\x00-\x20]", "", url).replace("\\", "/"))
        host = (parts.hostname or "").rstrip(".")
    except ValueError:
        return False
    if parts.scheme == "mailto":
        return True
    if parts.scheme not in ("http", "https") or "." not in host:
        return False
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        last = host.rpartition(".")[2]  # a browser reads 127.1 and 0x7f.1 as addresses, too
        return last != "localhost" and not re.fullmatch("[0-9]+|0x[0-9a-f]*", last)


class NamesAsText(Preprocessor):
    """Makes names of students text in the formgrader's page, whose template would take them for HTML."""

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        """Escape what the page says of the student; names come from an LMS, where students may choose them."""
        for key in ("student", "first_name", "last_name", "notebook_path"):
            if isinstance(resources.get(key), str):
                resources[key] = html.escape(resources[key])
        return nb, resources


@pass_context
def safe_markdown(context: Context, source: str) -> str:
    """nbconvert's filter ``markdown2html`` for text that a stranger wrote."""
    return render(source, context.get("cell", {}).get("attachments", {}))


def render(source: str, attachments: Mapping[str, Any] | None = None, *, deeper: int | None = None) -> str:
    """A stranger's Markdown as HTML that a page may hold. Formulas are MathML, or their TeX where that does not exist.

    Args:
        source: the text; what is very long is shown as it is from some line on.
        attachments: the cell's.
        deeper: by how many levels headings move down, to stand below the page's own; by default they stay, with
            nbconvert's anchors.
    """
    cut = len(source) if len(source) <= MAX_MARKDOWN else max(source.rfind("\n", 0, MAX_MARKDOWN), 0)
    rest = f"<pre>{html.escape(source[cut:].strip())}</pre>" if source[cut:].strip() else ""
    # MathJax, which the formgrader has, can link and style: such commands are shown by name.
    source = _MATH_THAT_ACTS.sub(r"\\text{\1}", source[:cut])
    renderer = _Renderer(safe_attachments(attachments or {}), deeper)
    return MarkdownWithMath(renderer=renderer).render(source) + rest


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
