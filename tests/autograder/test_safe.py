"""Tests of autograder.safe: nothing of a submission may run in the browser of whoever reads it."""

import base64

import nbformat
import pytest
from nbconvert import HTMLExporter

from autograder.safe import safe_attachments, safe_markdown, safe_outputs

PNG = base64.b64encode(b"\x89PNG").decode()


def page(source, attachments=None):
    """A written answer as the formgrader and the feedback show it."""
    cell = nbformat.v4.new_markdown_cell(source)
    if attachments:
        cell.attachments = attachments
    exporter = HTMLExporter(template_name="basic", filters={"markdown2html": safe_markdown})
    return exporter.from_notebook_node(nbformat.v4.new_notebook(cells=[cell]))[0]


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


def test_ordinary_text_looks_as_ever():
    """Do formulas, code, lists, links and pasted pictures stay?"""
    source = "**So** $a < b$ and\n\n- `x`\n- [link](https://arxiv.org/abs/1602.07576)\n\n![p](attachment:p.png)"
    html = page(source, {"p.png": {"image/png": PNG}})
    assert "<strong>So</strong>" in html and "$a &lt; b$" in html and "<li><code>x</code></li>" in html
    assert 'href="https://arxiv.org/abs/1602.07576"' in html
    assert f"data:image/png;base64,{PNG}" in html


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
