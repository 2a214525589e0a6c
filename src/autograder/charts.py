"""Where the marks of a report's pictures stand: plain geometry, which templates/charts.html draws as SVG.

Across, positions are percent of the picture's width, so that a picture fills a phone as well as a desk's screen while
its letters keep their size; down, they are pixels from the top.
"""

import dataclasses
import math
from collections.abc import Callable, Iterable, Sequence

DOT = 7.0  # pixels that a dot takes; smaller ones would be bars


@dataclasses.dataclass(frozen=True)
class Mark:
    """One student's value."""

    value: float
    """Where it stands."""
    title: str
    """What a reader sees who points at it."""
    kind: str = "good"
    """Its look: "good" or "bad"."""


@dataclasses.dataclass(frozen=True)
class Dot:
    """One student."""

    x: float
    """Percent from the left."""
    y: float
    """Pixels from the top."""
    kind: str
    """Its look."""
    title: str
    """What a reader sees who points at it."""


@dataclasses.dataclass(frozen=True)
class Bar:
    """Several students."""

    x: float
    """Percent from the left."""
    width: float
    """Percent."""
    y: float
    """Pixels from the top."""
    height: float
    """Pixels."""
    kind: str
    """Its look."""
    title: str
    """What a reader sees who points at it."""
    label: str = ""
    """What stands above it."""


@dataclasses.dataclass(frozen=True)
class Line:
    """A place on the axis: a tick, or a line across the picture."""

    x: float
    """Percent from the left."""
    label: str
    """What stands beside it."""

    @property
    def anchor(self) -> str:
        """How its label is aligned, so that it stays within the picture."""
        return "start" if self.x < 8 else "end" if self.x > 92 else "middle"


@dataclasses.dataclass(frozen=True)
class Plot:
    """A picture."""

    height: float
    """Pixels from the top to the axis."""
    ticks: tuple[Line, ...]
    """Along the axis."""
    bars: tuple[Bar, ...] = ()
    """In no order that matters."""
    dots: tuple[Dot, ...] = ()
    """In no order that matters."""
    lines: tuple[Line, ...] = ()
    """Across the picture."""
    bands: tuple[tuple[float, float], ...] = ()
    """Shaded parts: from and to, percent."""
    outside: int = 0
    """How many values lie beyond the axis; they stand at its ends."""


def stacked(parts: Iterable[tuple[str, int, str]]) -> list[Bar]:
    """Parts of a whole beside one another, from a kind, a count and a title each; empty ones are left out."""
    parts = [part for part in parts if part[1]]
    whole = sum(count for _, count, _ in parts)
    bars, x = [], 0.0
    for kind, count, title in parts:
        width = 100 * count / whole
        bars.append(Bar(x, width, 0, 0, kind, title, str(count) if width >= 1 + 2.2 * len(str(count)) else ""))
        x += width
    return bars


def columns(
    values: Sequence[float], top: float, step: float, *, what: str, lines: Iterable[tuple[float, str]] = ()
) -> Plot:
    """How many values lie in each step from 0 to ``top``; ``top`` itself belongs to the last.

    Args:
        values: within 0 and ``top``.
        top: the end of the axis.
        step: how wide a column is.
        what: what a value is, in the plural, for the titles.
        lines: places to mark across the picture, each with a label.
    """
    height, count = 120.0, max(1, math.ceil(top / step))
    filled = [0] * count
    for value in values:
        filled[min(int(value // step), count - 1)] += 1
    highest, end = max([1, *filled]), count * step
    bars = []
    for i, n in enumerate(filled):
        if n:
            tall = (height - 18) * n / highest  # the rest is for the number above it
            upper = top if i == count - 1 else (i + 1) * step
            title = f"{i * step:g} to {'' if i == count - 1 else 'below '}{upper:g} {what}: {n}"
            bars.append(Bar(100 * i / count, 100 / count, height - tall, tall, "good", title, str(n)))
    ticks = tuple(Line(100 * i / count, f"{i * step:g}") for i in range(0, count + 1, 2 if count > 6 else 1))
    return Plot(height, ticks, tuple(bars), lines=tuple(Line(100 * x / end, label) for x, label in lines))


def strip(
    marks: Sequence[Mark],
    low: float,
    high: float,
    *,
    ticks: Iterable[tuple[float, str]],
    lines: Iterable[tuple[float, str]] = (),
    bands: Iterable[tuple[float, float]] = (),
    logarithmic: bool = False,
    places: int = 44,
) -> Plot:
    """Values along an axis, equal ones piled up: a dot a student, or bars where the class is too large for dots.

    Values outside of the axis stand at its end.

    Args:
        marks: the values.
        low: where the axis begins.
        high: where it ends.
        ticks: places on the axis, each with its label; those outside of it are left out.
        lines: places to mark across the picture, likewise.
        bands: parts of the axis to shade, each from and to.
        logarithmic: whether equal distances are equal ratios.
        places: how many piles there may be.
    """
    scale: Callable[[float], float] = math.log if logarithmic else float
    start, end = scale(low), scale(high)

    def at(value: float) -> float:
        return 100 * (scale(min(max(value, low), high)) - start) / (end - start)

    piles: dict[int, list[Mark]] = {}
    for mark in sorted(marks, key=lambda mark: (mark.kind, mark.value)):
        piles.setdefault(min(int(at(mark.value) / 100 * places), places - 1), []).append(mark)
    tallest, height = max([1, *map(len, piles.values())]), 84.0
    dots, bars = [], []
    for place, pile in piles.items():
        if tallest * DOT <= height:
            x = 100 * (place + 0.5) / places
            dots += [Dot(x, height - (i + 0.5) * DOT, mark.kind, mark.title) for i, mark in enumerate(pile)]
            continue
        y = height
        for kind in dict.fromkeys(mark.kind for mark in pile):
            same = [mark for mark in pile if mark.kind == kind]
            tall = height * len(same) / tallest
            y -= tall
            first, last = (mark.title.rpartition(": ")[2] for mark in (same[0], same[-1]))
            title = f"{len(same)} students, {first} to {last}" if len(same) > 1 else same[0].title
            bars.append(Bar(100 * place / places, 100 / places, y, tall, kind, title))
    return Plot(
        height,
        tuple(Line(at(x), label) for x, label in ticks if low <= x <= high),
        tuple(bars),
        tuple(dots),
        tuple(Line(at(x), label) for x, label in lines if low <= x <= high),
        tuple((at(a), at(b)) for a, b in bands),
        sum(not low <= mark.value <= high for mark in marks),
    )
