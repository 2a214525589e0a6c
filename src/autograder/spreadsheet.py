"""Tables as CSV files that a spreadsheet may open: no cell runs as a formula, and each file is whole or not there.

Names and ids are a stranger's text. A number is written as one only where the caller gives a number.
"""

import contextlib
import csv
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from autograder import durable
from autograder.errors import CourseError

Cell = str | float | None
"""A text, a number, or nothing."""

_NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)?")
# Spreadsheets run what begins like this, and in countries of the decimal comma they split lines at semicolons, too.
_FORMULA = re.compile(r"(^|[;,|])(?=\s*[=+\-@＝＋－＠])")
# What moves the text around it (bidirectional controls), is no text (surrogates), or cannot be seen. Letters of
# languages that are written from right to left are none of these.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")


def number(value: float) -> str:
    """A number with at most four decimals, as nbgrader's points need, and none too many."""
    return f"{value:.4f}".rstrip("0").rstrip(".")


def one_line(text: str) -> str:
    """A name on one line."""
    return " ".join(text.split())


def cell(value: Cell) -> str:
    """What stands in the file for a value. A formula becomes text, what cannot be seen its number in Unicode."""
    if value is None:
        return ""
    if not isinstance(value, str):
        return number(value)
    text = _UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), value)
    return text if _NUMBER.fullmatch(text) else _FORMULA.sub(r"\1'", text)


def write_tables(tables: Mapping[Path, Iterable[Sequence[Cell]]], *, bom: bool = False) -> None:
    """Write each table to its file: all files, or none where one cannot be written.

    Args:
        tables: by file; a table's first row is its header, which is written as it is.
        bom: begin with a byte-order mark, by which Excel knows UTF-8.

    Raises:
        CourseError: a file cannot be written; what was there before is unchanged.
    """
    target = Path()
    try:
        with contextlib.ExitStack() as parts:  # at its end all take their places
            for target, rows in tables.items():
                real = target.resolve()
                if real.exists() and not real.is_file():
                    raise CourseError(f"{target} is no file that could be replaced: name another one with --to")
                _write(parts.enter_context(durable.replacing(real)), rows, "utf-8-sig" if bom else "utf-8")
    except OSError as error:
        raise CourseError(
            f"{target} could not be written ({error.strerror}): make room or name another file with --to; "
            "what was there before is unchanged"
        ) from error


def _write(path: Path, rows: Iterable[Sequence[Cell]], encoding: str) -> None:
    with path.open("x", newline="", encoding=encoding) as file:
        writer = csv.writer(file)
        for index, row in enumerate(rows):
            writer.writerow(row if index == 0 else [cell(value) for value in row])
        file.flush()
        os.fsync(file.fileno())  # a full disk may show only now, and no file is to be replaced if one cannot be written
