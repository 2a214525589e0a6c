"""What of a submission may be shown in a browser: text, formulas and pictures, nothing that runs or that is fetched.

Feedback pages and the formgrader show a submission's Markdown and outputs. Raw HTML in either would run as the
instructor. So raw HTML is shown as the text it is, of outputs only plain text and pictures are kept, and a picture
that lies elsewhere stays there: fetching it would tell its owner who reads the page, and when. A link leads to other
sites only: Jupyter's server hands out the files of a hand-in as pages of its own, whose scripts could do what you can.

Nor may a text keep its reader waiting: code is coloured as Python or not at all. Of pygments' lexers, any of which a
block of code or a cell's first line could name, some take 150 characters for ever.
"""

import builtins
import html
import ipaddress
import keyword
import re
from collections.abc import Iterable, Mapping
from importlib import resources as packages
from typing import Any, ClassVar
from urllib.parse import urlsplit

import nbformat
from jinja2 import pass_context
from jinja2.runtime import Context
from nbconvert.filters import ansi2html, strip_ansi
from nbconvert.filters.markdown_mistune import InvalidNotebook, IPythonRenderer, MarkdownWithMath
from nbconvert.preprocessors import Preprocessor
from nbformat import NotebookNode
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexer import RegexLexer, bygroups, words
from pygments.token import Comment, Keyword, Name, Number, String, Text

from autograder.mathml import mathml

PICTURES = ("image/png", "image/jpeg")
MAX_TEXT = 100_000  # characters of one output
FORMGRADER = [
    str(packages.files("autograder") / "templates"),
    str(packages.files("nbgrader") / "server_extensions" / "formgrader" / "templates"),
]
"""Where the formgrader's page has its templates: ours before nbgrader's."""
MAX_MARKDOWN = 10_000  # characters of a cell that are read as Markdown: some texts take a parser ages
MAX_CODE = 20_000  # characters of a cell that are coloured
MAX_COLOURS = 1000  # changes of colour in a text that was printed
_PYTHON = ("python", "python3", "py", "py3", "ipython", "ipython3")  # what a block of code in Python says it is
_BASE64 = re.compile(r"[A-Za-z0-9+/=\s]*")
_MATH_THAT_ACTS = re.compile(r"\\(href|cssId|class|style|data|require|unicode|includegraphics)\b")


class _Lexer(RegexLexer):
    """Python, in a time that grows as the text's length: no expression reads on, finds nothing, and is tried again."""

    tokens: ClassVar = {
        "root": [
            (r"\s+", Text),
            (r"#[^\n]*", Comment.Single),
            (r'[A-Za-z]{,2}"""(?:[^\\]|\\[\s\S])*?(?:"""|\Z)', String.Double),
            (r"[A-Za-z]{,2}'''(?:[^\\]|\\[\s\S])*?(?:'''|\Z)", String.Single),
            (r'[A-Za-z]{,2}"(?:[^"\\\n]|\\[\s\S])*"?', String.Double),
            (r"[A-Za-z]{,2}'(?:[^'\\\n]|\\[\s\S])*'?", String.Single),
            (r"(def)([ \t]+)(\w+)", bygroups(Keyword, Text, Name.Function)),
            (r"(class)([ \t]+)(\w+)", bygroups(Keyword, Text, Name.Class)),
            (words(keyword.kwlist, suffix=r"\b"), Keyword),
            (words(dir(builtins), prefix=r"(?<!\.)", suffix=r"\b"), Name.Builtin),
            (r"@\w[\w.]*", Name.Decorator),
            (r"\d\w*(?:\.\d\w*)?", Number.Integer),
            (r"\w+|[^\w\s]", Text),
        ]
    }


_LEXER, _FORMATTER = _Lexer(), HtmlFormatter(nowrap=True)


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

    def block_code(self, code: str, info: str | None = None) -> str:
        """Python in colours, else the text: nbconvert would run the lexer, or the script, of whatever is named."""
        named = (info or "").lower().split(maxsplit=1)
        if named and named[0] in _PYTHON:
            return safe_code(code)
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


def safe_code(source: str, metadata: Mapping[str, Any] | None = None) -> str:
    """nbconvert's filter ``highlight_code`` for code that a stranger wrote, whatever language it says it is."""
    cut = _cut(source, MAX_CODE)
    rest = html.escape(source[cut:].removeprefix("\n"))
    return f'<div class="highlight"><pre>{coloured(source[:cut])}{rest}</pre></div>'


def coloured(source: str) -> str:
    """Python in colours, as HTML for a ``<pre>``."""
    return highlight(source, _LEXER, _FORMATTER)


def safe_colours(text: str) -> str:
    """nbconvert's filter ``ansi2html``, which copies all that follows at each change of colour: not for too many."""
    return ansi2html(text if text.count("\x1b[") <= MAX_COLOURS else strip_ansi(text))


def unchanged(text: str) -> str:
    """In the place of nbconvert's filter ``strip_files_prefix``, which takes long lines ages: no link here needs it."""
    return text


FILTERS = {
    "markdown2html": safe_markdown,
    "highlight_code": safe_code,
    "ansi2html": safe_colours,
    "strip_files_prefix": unchanged,
}
"""nbconvert's filters that the formgrader's page has in the place of its own."""


def _cut(source: str, limit: int) -> int:
    """How much of a text there is in whole lines of so many characters."""
    return len(source) if len(source) <= limit else max(source.rfind("\n", 0, limit), 0)


def render(source: str, attachments: Mapping[str, Any] | None = None, *, deeper: int | None = None) -> str:
    """A stranger's Markdown as HTML that a page may hold. Formulas are MathML, or their TeX where that does not exist.

    Args:
        source: the text; what is very long is shown as it is from some line on.
        attachments: the cell's.
        deeper: by how many levels headings move down, to stand below the page's own; by default they stay, with
            nbconvert's anchors.
    """
    cut = _cut(source, MAX_MARKDOWN)
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


def _text(value: object) -> str:
    """A text that a file can hold, of bounded length; empty where it is none."""
    return value[:MAX_TEXT].encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def safe_outputs(outputs: Iterable[NotebookNode]) -> list[NotebookNode]:
    """A code cell's outputs, reduced to text and pictures, each of bounded length."""
    kept = []
    for output in outputs:
        if output.output_type == "stream":
            name = "stderr" if output.name == "stderr" else "stdout"
            kept.append(nbformat.v4.new_output("stream", name=name, text=_text(output.text)))
        elif output.output_type == "error":
            lines = [_text(line) for line in output.traceback[:200]] if isinstance(output.traceback, list) else []
            fields = {"ename": _text(output.ename)[:200], "evalue": _text(output.evalue), "traceback": lines}
            kept.append(nbformat.v4.new_output("error", **fields))
        elif output.output_type in ("display_data", "execute_result"):
            data: dict[str, str] = _pictures(output.data)
            text = output.data.get("text/plain") if isinstance(output.data, Mapping) else None
            if isinstance(text, str):
                data["text/plain"] = _text(text)
            if data:
                sizes = output.metadata if isinstance(output.metadata, Mapping) else {}
                metadata = {kind: _size(sizes.get(kind)) for kind in data if kind in PICTURES}
                kept.append(nbformat.v4.new_output("display_data", data=data, metadata=metadata))
    return kept
