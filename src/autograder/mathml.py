"""TeX formulas that a stranger wrote, as MathML: a browser shows it without a script and without a network.

latex2mathml translates. Its result is not put into a page as it comes: it lets text through unescaped and turns
commands into links, classes and styles. So its tree is written anew here, from a list of elements and attributes.
"""

import html
import re
import unicodedata
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from latex2mathml.converter import convert_to_element

MAX_LENGTH = 4000  # characters of one formula
MAX_NESTING = 60
MAX_EM = 12.0  # no space and no line is longer: a formula could lay itself over other text

_ELEMENT = re.compile(
    "math|merror|mfrac|mi|mn|mo|mover|mpadded|mphantom|mroot|mrow|mspace|msqrt|mstyle|msub|msubsup|msup|mtable|mtd|mtext"
    "|mtr|munder|munderover"
)
_ATTRIBUTE = re.compile(
    "accent|accentunder|columnalign|columnlines|display|displaystyle|fence|form|largeop|linebreak|mathbackground"
    "|mathcolor|movablelimits|rowlines|scriptlevel|separator|stretchy|symmetric"
)
_WORDS = re.compile(r"[A-Za-z0-9#, -]{1,40}")  # what such an attribute may hold
_LENGTH_ATTRIBUTE = re.compile("columnspacing|depth|height|linethickness|lspace|maxsize|minsize|rspace|voffset|width")
_LENGTH = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(em|ex|px|pt|mu|cm|mm|in|)")
_IN_EM = {"em": 1, "ex": 0.5, "px": 0.06, "pt": 0.09, "mu": 0.06, "cm": 2.4, "mm": 0.24, "in": 6, "": 1}
_NOT_TRANSLATED = re.compile(r"\\(?:(?:re)?newcommand|def|let|unicode|href|class|style)\b")  # they multiply, or act
_ESCAPED = re.compile(r"\\([_%#&${} ])")
_ALPHABETS = {
    "bold": ("BOLD",),
    "italic": ("ITALIC",),
    "bold-italic": ("BOLD ITALIC",),
    "double-struck": ("DOUBLE-STRUCK",),
    "script": ("SCRIPT",),
    "bold-script": ("BOLD SCRIPT",),
    "fraktur": ("FRAKTUR", "BLACK-LETTER"),
    "bold-fraktur": ("BOLD FRAKTUR",),
    "sans-serif": ("SANS-SERIF",),
    "monospace": ("MONOSPACE",),
}


class _UntranslatableError(ValueError):
    """The formula holds what MathML cannot show, or what must not be shown."""


def mathml(tex: str, *, block: bool = False) -> str | None:
    """Translate one formula, without its dollar signs.

    Returns:
        A ``<math>`` element; ``None`` where the formula cannot be translated as a whole.
    """
    if not tex.strip() or len(tex) > MAX_LENGTH or _NOT_TRANSLATED.search(tex):
        return None
    try:
        element = convert_to_element(tex, display="block" if block else "inline")
        return "".join(_written(element, 0))
    except Exception:  # whatever a formula that is none makes the translator raise
        return None


def _written(element: Element, depth: int) -> Iterator[str]:
    """The element as HTML.

    Raises:
        _UntranslatableError: it may not be shown, or is no translation.
    """
    if not _ELEMENT.fullmatch(element.tag) or depth > MAX_NESTING:
        raise _UntranslatableError(element.tag)
    text = html.unescape(element.text or "")  # the translator writes "&#x2212;" for a minus
    if element.tag == "mtext":
        text = _ESCAPED.sub(r"\1", text)
    elif re.match(r"\\[A-Za-z]", text):
        raise _UntranslatableError(text)  # a command that the translator does not know
    variant = element.attrib.get("mathvariant", "")
    yield f"<{element.tag}"
    for name, value in element.attrib.items():
        allowed = _ATTRIBUTE.fullmatch(name) and _WORDS.fullmatch(value)
        if allowed or (_LENGTH_ATTRIBUTE.fullmatch(name) and _bounded(value)):
            yield f' {name}="{html.escape(value)}"'
    if element.tag == "mi" and variant == "normal":
        yield ' mathvariant="normal"'
    yield f">{html.escape(_in_alphabet(text, variant))}"
    for child in element:
        yield from _written(child, depth + 1)
    yield f"</{element.tag}>"


def _bounded(value: str) -> bool:
    """Whether all of an attribute's words are lengths, and none is so long that it would reach out of its formula."""
    matches = [_LENGTH.fullmatch(word) for word in value.split()]
    return bool(matches) and all(m is not None and abs(float(m[1])) * _IN_EM[m[2]] <= MAX_EM for m in matches)


def _in_alphabet(text: str, variant: str) -> str:
    """Letters of another alphabet, such as ℝ: browsers know no other way to write them."""
    return "".join(_letter(c, _ALPHABETS.get(variant, ())) for c in text)


def _letter(letter: str, alphabets: tuple[str, ...]) -> str:
    name = re.sub("LATIN |LETTER |GREEK ", "", unicodedata.name(letter, ""))
    for alphabet in alphabets:
        for prefix in ("MATHEMATICAL ", ""):  # some letters had a place before mathematics got one of its own
            try:
                return unicodedata.lookup(f"{prefix}{alphabet} {name}")
            except KeyError:
                continue
    return letter
