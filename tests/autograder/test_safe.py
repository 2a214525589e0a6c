"""Tests of autograder.safe and autograder.mathml: nothing of a submission may run in its reader's browser."""

import base64
import functools
import html
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from unittest import mock

import nbformat
import pytest
from bs4 import BeautifulSoup
from hypothesis import given
from hypothesis import strategies as st
from nbconvert import HTMLExporter
from pygments.lexer import RegexLexer

from autograder.course import Course
from autograder.mathml import mathml
from autograder.safe import coloured, render, safe_attachments, safe_code, safe_outputs

PNG = base64.b64encode(b"\x89PNG").decode()
FOR_EVER = 'Constant X "@' + "\\\n\n" * 40  # what the lexer of Inform 6 takes for ever


@functools.cache
def exporter():
    """What the formgrader makes its pages with."""
    return HTMLExporter(config=Course(Path(__file__).parents[2]).config, template_name="formgrade")


def formgraded(*cells, **metadata):
    """A notebook as the formgrader shows it."""
    resources = {"base_url": "", "notebook_id": "gcnn", "index": 0, "total": 1}
    notebook = nbformat.v4.new_notebook(cells=list(cells), metadata=metadata)
    return exporter().from_notebook_node(notebook, resources=resources)[0]


def page(source, attachments=None):
    """A written answer as the formgrader shows it."""
    cell = nbformat.v4.new_markdown_cell(source)
    if attachments:
        cell.attachments = attachments
    return formgraded(cell)


@pytest.fixture
def lexers():
    """The modules of the lexers that are run."""
    found, run = set(), RegexLexer.get_tokens_unprocessed

    def noted(self, *arguments, **options):
        found.add(type(self).__module__)
        return run(self, *arguments, **options)

    with mock.patch.object(RegexLexer, "get_tokens_unprocessed", noted):
        yield found


@pytest.mark.parametrize(
    ("source", "bad"),
    [
        ("<script>alert(1)</script>", "<script>alert(1)"),
        ("text <img src=x onerror=alert(1)> text", "<img src=x"),
        ("[a link](javascript:alert(1))", "javascript:"),
        ("![a picture](javascript:alert(1))", "javascript:"),
        ("<a href='javascript:alert(1)'>x</a>", "<a href='javascript"),
        ("```mermaid\n</pre><script>alert(1)</script>\n```", "<script>alert(1)"),
        ("```html\n<script>alert(1)</script>\n```", "<script>alert(1)"),
        (r"$\href{javascript:alert(1)}{x}$", r"\href"),
        (r"$$\style{background: url(x)}{x}$$", r"\style"),
        ("$<script>alert(1)</script>$", "<script>alert(1)"),
        ("<svg/onload=alert(1)>", "<svg"),
        ("<!-- <script>alert(1)</script> -->", "<script>alert(1)"),
        ("[x]: javascript:alert(1)\n\n[x]", "javascript:"),
    ],
)
def test_what_would_run_is_shown_as_text(source, bad):
    """Does neither HTML, nor a link, nor a formula of a student's text run?"""
    assert bad not in page(source)


@pytest.mark.parametrize(
    "address",
    [
        "evil.html",
        "./evil.html?x#y",
        "../../../files/evil.html",
        "/formgrader/manage_students/%3Cscript%3E",
        "//localhost:8888/evil.html",
        "http://localhost:8888/formgrader/x",
        "http://LOCALHOST./x",
        "http://grader.localhost/x",
        "http://127.0.0.1:8888/x",
        "http://127.1/x",
        "http://2130706433/x",
        "http://0x7f.1/x",
        "http://[::1]:8888/x",
        "http://0.0.0.0:8888/x",
        "http://192.168.0.7/x",
        "http:\\\\localhost/x",
        "http:/evil.html",
        "http:evil.html",
        "https&colon;evil.html",
        "ftp://example.org/x",
        "file:///etc/passwd",
    ],
)
def test_no_link_leads_to_the_graders_own_servers(address):
    """Are only the words left of a link to a file of the hand-in, to this machine, or to one beside it?"""
    html = render(f"[words]({address})")
    assert "words" in html and "href" not in html


@pytest.mark.parametrize(
    "address", ["https://arxiv.org/abs/1602.07576", "http://8.8.8.8/x", "https://xn--mnchen-3ya.de", "#Exercise-1.2"]
)
def test_links_to_other_sites_and_within_the_page_stay(address):
    """Can a student still cite what is elsewhere?"""
    assert f'href="{address}"' in render(f"[words]({address})")


def test_ordinary_text_looks_as_ever():
    """Do formulas, code, lists, links and pasted pictures stay?"""
    source = "**So** $a < b$ and\n\n- `x`\n- [link](https://arxiv.org/abs/1602.07576)\n\n![p](attachment:p.png)"
    html = page(source, {"p.png": {"image/png": PNG}})
    assert (
        "<strong>So</strong>" in html
        and "<mi>a</mi><mo>&lt;</mo><mi>b</mi>" in html
        and "<li><code>x</code></li>" in html
    )
    assert 'href="https://arxiv.org/abs/1602.07576"' in html
    assert f"data:image/png;base64,{PNG}" in html


@pytest.mark.parametrize(
    ("tex", "shown"),
    [
        (r"h = he = h(gk)", "h=he=h(gk)"),
        (r"\frac{y - \mu_c}{\sqrt{\sigma_c^2 + \varepsilon}}", "y−μcσc2+ε"),
        (r"\mathbb{Z}/4\mathbb{Z}, \mathcal{F}, \mathbf{x}, \mathfrak{C}", "ℤ/4ℤ,ℱ,𝐱,ℭ"),
        (r"\begin{pmatrix} w_1 & w_1\\ w_1 & w_0\end{pmatrix}", "(w1w1w1w0)"),
        (r"(B, \texttt{n\_classes})", "(B,𝚗_𝚌𝚕𝚊𝚜𝚜𝚎𝚜)"),
        (r"\text{<script>alert(1)</script>}", "<script>alert(1)</script>"),
    ],
)
def test_a_formula_is_mathml(tex, shown):
    """Is a formula well-formed MathML that shows what TeX would?"""
    assert "".join(ET.fromstring(mathml(tex)).itertext()) == shown


@pytest.mark.parametrize(
    "tex",
    [r"\foo{x}", r"\frac", "{" * 3000, "x" * 5000, r"\href{javascript:alert(1)}{x}", r"\newcommand{\a}{\b\b}\a", " "],
)
def test_what_is_no_formula_stays_what_it_was(tex):
    """Is a formula that cannot be translated as a whole, or that would act, left to be shown as its text?"""
    assert mathml(tex) is None
    assert "href=" not in render(f"${tex}$")


@pytest.mark.parametrize(
    "tex", [r"\hspace{-500em} x", r"\color{red;background:url(//a)}{x}", r"\rule{99em}{99em}", r"\raise 80em x"]
)
def test_a_formula_stays_in_its_place(tex):
    """Can a formula neither cover other text nor bring styles of its own?"""
    for value in re.findall(r'="([^"]*)"', mathml(tex) or ""):
        assert re.fullmatch(r"[a-z#0-9]*|[-+]?\d?\d?(\.\d+)?(em|px)?", value)


def test_headings_and_long_texts_find_their_place():
    """Do headings stand below the page's, and is a text too long for the parser still shown to its end?"""
    html = render("# One\n\n###### Six\n\n" + "a *word*\n" * 4000 + "the <end>", deeper=3)
    assert "<h4>One</h4>" in html and "<h6>Six</h6>" in html and "id=" not in html
    assert "<em>word</em>" in html and "the &lt;end&gt;" in html


@pytest.mark.parametrize("part", [r"\begin{a}$$", "$a", "[", "![](", "> ", "*a ", "|a", "`", "a:\n: "])
@pytest.mark.timeout(60)  # it takes a second; without a bound, minutes
def test_a_text_that_takes_a_parser_ages_does_not(part):
    """Is a hostile text of a megabyte rendered all the same?"""
    assert render(part * (1_000_000 // len(part)))


@pytest.mark.parametrize("info", ["inform6", "INFORM6 x", "i6", "ipython3 inform6", "mermaid", ""])
@pytest.mark.timeout(60)
def test_no_lexer_that_a_text_names_is_run(info, lexers):
    """Is a block of code shown at once, in the formgrader and in the feedback, whatever language it says it is?"""
    source = f"```{info}\n{FOR_EVER}\n```"
    for shown in (page(source), render(source, deeper=3)):
        assert FOR_EVER.strip() in html.unescape(re.sub("<[^>]*>", "", shown))
    assert lexers <= {"autograder.safe"}


@pytest.mark.parametrize(
    "first",
    ["%%html", "%%javascript", "%%js", "%%latex", "%%perl", "%%ruby", "%%bash", "%%R", "%%sql", "%%python2", "!x"],
)
def test_no_lexer_that_a_cell_names_is_run(first, lexers):
    """Is a cell of code shown as Python, whatever language its first line names?"""
    source = f"{first}\n<b>x</b>\n"
    shown = BeautifulSoup(formgraded(nbformat.v4.new_code_cell(source)), "html.parser").find(class_="highlight")
    assert shown.get_text() == source and lexers == {"autograder.safe"}


@pytest.mark.timeout(60)
def test_no_lexer_that_a_notebook_names_is_run(lexers):
    """Is a cell of code shown at once, whatever language its metadata and the notebook's name?"""
    cell = nbformat.v4.new_code_cell(FOR_EVER, metadata={"magics_language": "inform6"})
    for name in ("inform6", "ipython3"):
        kernel = {"name": name, "display_name": name, "language": name}
        assert "Constant" in formgraded(cell, language_info={"name": name, "pygments_lexer": name}, kernelspec=kernel)
    assert lexers == {"autograder.safe"}


@pytest.mark.parametrize("info", ["python", "Python", "py title=x", "ipython3"])
def test_python_is_coloured(info):
    """Is a block of code in colours where it says that it is Python, and plain where it does not?"""
    assert '<span class="k">def</span> <span class="nf">f</span>' in page(f"```{info}\ndef f(): ...\n```")
    assert "<pre><code>def f(): ...\n</code></pre>" in page("```java\ndef f(): ...\n```")


def test_code_has_its_colours():
    """Has each kind of word the class that the pages' styles know?"""
    source = "class A: pass\n@x.y\ndef f(a):  # why\n    return len(r\"\\\"\", '''b\"\n''', 1.5) + a.len\n"
    found = re.findall(r'<span class="(\w+)">(.*?)</span>', coloured(source), re.DOTALL)
    assert [(kind, html.unescape(word)) for kind, word in found] == [
        ("k", "class"),
        ("nc", "A"),
        ("k", "pass"),
        ("nd", "@x.y"),
        ("k", "def"),
        ("nf", "f"),
        ("c1", "# why"),
        ("k", "return"),
        ("nb", "len"),
        ("s2", 'r"\\""'),
        ("s1", "'''b\""),
        ("s1", "'''"),
        ("mi", "1.5"),
    ]


@given(st.text(st.sampled_from("abr def0.1_@#'\"\\\n\t<>&é½!")))
def test_coloured_code_is_what_was_written(source):
    """Is coloured code, without its colours, the code?"""
    assert html.unescape(re.sub(r"</?span[^>]*>", "", coloured(source))) == source.strip("\n") + "\n"


@pytest.mark.parametrize(
    "part", ['"', "'''", '"\\', '"""\\', "'{a[", "'%0", "f'{", " \n", "\t", "\\\n", "def ", "class\t", "@.", "1_", "é"]
)
@pytest.mark.timeout(60)
def test_hostile_code_takes_no_time(part):
    """Is code of a megabyte coloured all the same, and shown to its end?"""
    for source in (part * (1_000_000 // len(part)) + "end", f"{part * 6000}\nend"):
        assert "end" in safe_code(source) and coloured(source[:20_000])


@pytest.mark.parametrize("part", ["[", "![", "[x](", "[a](files/x) "])
@pytest.mark.timeout(60)
def test_a_long_line_takes_the_formgrader_no_time(part):
    """Is a line of a megabyte shown all the same?"""
    assert part.strip() in page(part * (1_000_000 // len(part)))


@pytest.mark.timeout(60)
def test_colours_of_outputs_take_the_formgrader_no_time():
    """Is a traceback in its colours, and one that changes them a million times shown all the same?"""
    errors = [
        nbformat.v4.new_output("error", ename="E", evalue="e", traceback=[line] * 100)
        for line in ("\x1b[31m<red>\x1b[0m", *["\x1b[31m" * 19_000 + "<end>"] * 5)
    ]
    shown = formgraded(nbformat.v4.new_code_cell("1", outputs=safe_outputs(errors)))
    assert shown.count('<span class="ansi-red-fg">&lt;red&gt;</span>') == 100 and shown.count("&lt;end&gt;") == 500


def test_no_picture_is_fetched():
    """Is a picture that lies elsewhere a link that says so, and no address that a browser would call?"""
    html = render(
        "![my *plot*](https://example.org/p.png?student=anna) ![x](//example.org/x.png) ![y](file:///etc/y.png)"
    )
    assert "<img" not in html and "a picture elsewhere: my <em>plot</em>" in html
    assert html.count("a picture is missing") == 2


def test_a_missing_picture_costs_nothing_else():
    """Is a page written although a picture in it is missing?"""
    html = page("before ![my <b>plot</b>](attachment:lost.png) after")
    assert "before" in html and "a picture is missing" in html and "after" in html and "<b>" not in html


def test_only_pictures_are_attachments():
    """Are attachments of other kinds, with other names or broken data left out?"""
    kept = safe_attachments(
        {
            "a.png": {"image/png": PNG, "text/html": "<script>"},
            "b.svg": {"image/svg+xml": "<svg onload=alert(1)>"},
            'c.png" onerror="alert(1)': {"image/png": PNG},
            "d.png": {"image/png": '"><script>'},
            "e.png": "no bundle",
        }
    )
    assert kept == {"a.png": {"image/png": PNG}}


def test_only_text_and_pictures_are_outputs():
    """Are HTML, JavaScript, SVG and widgets left out of outputs, metadata cut down, and text bounded?"""
    out = nbformat.v4.new_output
    html = {"text/html": "<script>", "text/plain": "a table", "application/javascript": "alert(1)"}
    metadata = {"image/png": {"width": 5, "height": '"', "alt": '"><script>'}, "text/html": {"x": 1}}
    kept = safe_outputs(
        [
            out("display_data", data=html),
            out("execute_result", data={"image/png": PNG, "image/svg+xml": "<svg>"}, metadata=metadata),
            out("display_data", data={"image/png": '"><script>'}),
            out("stream", name="stdout", text="x" * 1_000_000),
            out("error", ename="E", evalue="e", traceback=["line"] * 1000),
        ]
    )
    assert kept[0].data == {"text/plain": "a table"}
    assert kept[1].data == {"image/png": PNG} and kept[1].metadata == {"image/png": {"width": 5}}
    assert len(kept) == 4 and len(kept[2].text) == 100_000 and len(kept[3].traceback) == 200
