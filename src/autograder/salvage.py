"""Gets the JSON out of a notebook's file, whatever happened to the bytes, or says what the file seems to be instead.

Programs that read JSON give up a file at its first mistake. Here the cells that stand complete before it are kept, and
nothing after it is guessed. Memory and time are bounded: of a large file the outputs are stepped over.
"""

import ast
import json
import mmap
import re
from itertools import count
from typing import Any

MAX_CONTENT = 20_000_000  # bytes without outputs
MAX_VALUES = 500_000  # JSON values, about
MAX_SOUND = 200_000  # JSON values in a file that is left as it is: other programs need more memory for them
MAX_EDGES = 20_000_000  # quotes and brackets that are stepped over

_BLANK = "\ufeff\0 \t\r\n"
_OUTPUTS = re.compile(rb'(?<!\\)"outputs"\s*:\s*\[')
_EDGE = re.compile(rb'["\[\]{}]')
_START = re.compile(r'\{\s*"(?:cells|metadata|nbformat|nbformat_minor|worksheets)"\s*:')
_CELLS = re.compile(r'"cells"\s*:\s*\[')
_BETWEEN = re.compile(r"[\s,]*")
_MERGE = re.compile(r"([<>|=])\1{6}(?!\1)")
_MAGIC = {
    b"PK\x03\x04": "a zip archive or an office document",
    b"%PDF": "a PDF document",
    b"\x1f\x8b": "a compressed archive",
    b"7z\xbc\xaf": "a compressed archive",
    b"Rar!": "a compressed archive",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"GIF8": "a picture",
    b"\x00\x05\x16\x07": "a companion file that macOS makes, not the notebook itself",
    b"bplist": "a web archive",
    b"{\\rtf": "a word processor's document",
    b"version https://git-lfs": "a pointer of Git LFS, not the file that it stands for",
}


class NoNotebook(Exception):
    """The bytes are no notebook; the message says why, in a sentence."""


def read_document(data: bytes | mmap.mmap, repairs: list[str], losses: list[str]) -> tuple[Any, str]:
    """The JSON document in a notebook's file, and the text that it was read from.

    Args:
        data: the file's bytes.
        repairs: a sentence is added for what had to be repaired.
        losses: a sentence is added for what may have cost cells.

    Raises:
        NoNotebook: there is none.
    """
    text = _text(data, repairs, losses)
    return _document(text, repairs, losses), text


def parse(text: str) -> Any:
    """Read JSON that may hold integers without end and control characters.

    Raises:
        ValueError: it is no JSON.
        RecursionError: it is nested too deep.
    """
    return json.loads(text, parse_int=_int, strict=False)


def numbered(number: int, thing: str) -> str:
    """A number of things, in words that fit it."""
    return f"{number:,} {thing if number == 1 else thing + 's'}"


def count_values(data: bytes) -> int:
    """About how many JSON values there are, and never fewer."""
    return sum(data.count(mark) for mark in (b",", b"[", b"{"))


def _text(data: bytes | mmap.mmap, repairs: list[str], losses: list[str]) -> str:
    """The file's text, bounded in size."""
    head = data[:4096]
    if not head.strip(b"\0 \t\r\n") and not (len(data) > MAX_CONTENT or data[:].strip(b"\0 \t\r\n")):
        raise NoNotebook("the notebook's file is empty" + (": it holds nothing but blanks" if len(data) else ""))
    for magic, kind in _MAGIC.items():
        if head.startswith(magic):
            raise NoNotebook(f"the file is no notebook: it seems to be {kind}")
    encoding = json.detect_encoding(head)
    if encoding.startswith("utf-8"):
        before = len(data)
        data, values = _without_outputs(data) if before > MAX_CONTENT else (data, count_values(data))
        if before <= MAX_CONTENT and values > MAX_SOUND:
            data, values = _without_outputs(data)
        if values > MAX_VALUES:
            raise NoNotebook("the notebook's file holds too many values, also without its outputs")
        if len(data) < before or values > MAX_SOUND:
            repairs.append(f"the notebook's file is large ({before / 1e6:,.1f} MB): its outputs were left out")
    elif len(data) > MAX_CONTENT:
        raise NoNotebook(f"the notebook is too large ({len(data) / 1e6:,.0f} MB)")
    return _decoded(bytes(data), encoding, repairs, losses)


def _decoded(data: bytes, encoding: str, repairs: list[str], losses: list[str]) -> str:
    marked = {"utf-8-sig": "UTF-8 with a byte-order mark", "utf-8": ""}
    if name := marked.get(encoding, f"{encoding[:6].upper()}, not UTF-8"):
        repairs.append(f"the notebook's file was written as {name}: it was read all the same")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        text = data.decode(encoding, "replace")
        if encoding == "utf-8" and text.replace("\ufffd", "").isascii():
            text = data.decode("cp1252", "replace")
            repairs.append("the notebook's file was not written as UTF-8: it was read in Windows' encoding")
        else:
            losses.append(f"the notebook's file is damaged in {numbered(text.count(chr(0xFFFD)), 'place')}")
            repairs.append(f"{losses[-1]}: a � stands for each")
    if encoding not in ("utf-8", "utf-8-sig") and count_values(text.encode("utf-8", "replace")) > MAX_VALUES:
        raise NoNotebook("the notebook's file holds too many values")
    return text


def _without_outputs(data: bytes | mmap.mmap) -> tuple[bytes, int]:
    """The bytes with every list of outputs emptied, and how many values are left.

    A quote that is not escaped stands for itself nowhere inside a JSON text, so ``"outputs": [`` is always a key.
    """
    kept, size, at, steps = [], 0, 0, count()
    while at < len(data):
        found = _OUTPUTS.search(data, at)
        end = found.end() if found else len(data)
        size += end - at
        if size > MAX_CONTENT:
            raise NoNotebook(f"the notebook is too large ({len(data) / 1e6:,.0f} MB), also without its outputs")
        kept.append(data[at:end])
        at = end
        if found:
            at = _closing(data, end, steps)
    result = b"".join(kept)
    return result, count_values(result)


def _closing(data: bytes | mmap.mmap, at: int, steps: count) -> int:
    """Where the list that is open at ``at`` closes; the end of the data if it does not."""
    depth = 1
    while edge := _EDGE.search(data, at):
        _step(data, steps)
        at = edge.end()
        mark = data[edge.start()]
        if mark == ord('"'):
            at = _end_of_string(data, at, steps)
        elif mark in b"[{":
            depth += 1
        else:
            depth -= 1
            if depth == 0:
                return edge.start()
    return len(data)


def _step(data: bytes | mmap.mmap, steps: count) -> None:
    if next(steps) > MAX_EDGES:
        raise NoNotebook(f"the notebook is too large ({len(data) / 1e6:,.0f} MB) and its outputs too intricate")


def _end_of_string(data: bytes | mmap.mmap, at: int, steps: count) -> int:
    """The place after the quote that closes a string; ``at`` is its first character's."""
    while (quote := data.find(b'"', at)) >= 0:
        _step(data, steps)
        first = quote
        while first > at and data[first - 1] == ord("\\"):
            first -= 1
        at = quote + 1
        if (quote - first) % 2 == 0:
            return at
    return len(data)


def _int(digits: str) -> int:
    """An integer. Python refuses to read one of thousands of digits; in a notebook none has a meaning."""
    return int(digits) if len(digits) < 100 else 0


_decoder = json.JSONDecoder(parse_int=_int, strict=False)


def _document(text: str, repairs: list[str], losses: list[str]) -> Any:
    """The JSON in a text."""
    start = len(text) - len(text.lstrip(_BLANK))
    merge = all(re.search(rf"^{mark}{{7}}(?!{mark})", text, re.MULTILINE) for mark in "<>")
    if text[start : start + 1] != "{" and not merge:
        if kind := _kind(text[start:]):
            raise NoNotebook(f"the file is no notebook: it seems to be {kind}")
        if text[start : start + 1] not in ("[", '"'):
            found = _START.search(text)
            if found is None:
                raise NoNotebook("the file is no notebook: there is neither the beginning of one in it nor a cell")
            start = found.start()
            repairs.append(f"{numbered(start, 'character')} before the notebook's beginning: left out")
    try:
        document, end = _decoder.raw_decode(text, start)
    except (ValueError, RecursionError) as error:
        if merge:
            return _ours(text, repairs)
        return _complete_cells(text, isinstance(error, RecursionError), repairs, losses)
    if rest := text[end:].strip():
        another = " (another notebook begins there)" if _START.search(rest) else ""
        repairs.append(f"{numbered(len(rest), 'character')} after the notebook's end{another}: left out")
    return document


def _ours(text: str, repairs: list[str]) -> Any:
    """Our side of a merge that was never finished, if both sides are notebooks."""
    sides: dict[str, list[str]] = {"<": [], ">": []}
    where, merges = "both", 0
    steps = {("both", "<"): "<", ("<", "|"): "base", ("<", "="): ">", ("base", "="): ">", (">", ">"): "both"}
    for line in text.split("\n"):
        mark = line[0] if _MERGE.match(line) else ""
        if mark:
            if (where, mark) not in steps:
                raise NoNotebook("the notebook holds marks of a merge conflict that do not belong together")
            where = steps[where, mark]
            merges += where == "both"
        else:
            for side in "<>" if where == "both" else where if where in sides else "":
                sides[side].append(line)
    try:
        documents = [parse("\n".join(lines)) for lines in sides.values()]
    except (ValueError, RecursionError):
        documents = [None]
    if not all(isinstance(each, dict) and {"cells", "worksheets"} & each.keys() for each in documents):
        raise NoNotebook("the notebook holds a merge that was never finished, and its sides are not both notebooks")
    repairs.append(f"the notebook held {numbered(merges, 'merge conflict')}: our side counts, which stands first")
    return documents[0]


def _complete_cells(text: str, nested: bool, repairs: list[str], losses: list[str]) -> Any:
    """The cells before the place at which a text stops being JSON."""
    found, cells, complete = _CELLS.search(text), [], False
    at = found.end() if found else len(text)
    while at < len(text):
        at = _BETWEEN.match(text, at).end()
        if complete := text[at : at + 1] == "]":
            break
        try:
            cell, at = _decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            break
        cells.append(cell)
    if not any(isinstance(cell, dict) for cell in cells):
        what = (
            "its JSON is nested too deep" if nested else "the file is damaged or breaks off before its first cell ends"
        )
        raise NoNotebook(f"the notebook cannot be read: {what}")
    if complete:
        repairs.append(f"the notebook's file is damaged or breaks off after its last cell: all {len(cells)} were read")
    else:
        losses.append(f"the notebook's file is damaged or breaks off after {numbered(len(cells), 'complete cell')}")
        repairs.append(f"{losses[-1]}: what stands before was read, and nothing after it")
    return {"cells": cells}


def _kind(text: str) -> str:
    """What a text that is no notebook seems to be."""
    low = text[:4096].lower()
    if re.match(r"<!doctype html|<html|<head|<!--", low):
        return "a web page (perhaps the page that shows the notebook was saved, and not the notebook)"
    if low.startswith("<?xml"):
        return "an XML document"
    if re.fullmatch(r"https?://\S+\s*", text[:4096]):
        return "a link"
    if re.search(r"^# (?:%%|In\[)", text, re.MULTILINE):
        return "a Python script made from a notebook"
    try:
        statements = ast.parse(text).body if len(text) < 300_000 else []
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""
    known = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)
    return "a Python script" if any(isinstance(statement, known) for statement in statements) else ""
