"""What an answer does, read off from what comes out: no known variant is needed for that.

A filter bank, or a function that was acted upon, is taken apart along its group axes. Each part is looked for among the
parts of what went in, mirrored or not and turned by quarter turns. `reading_rules` names mistakes from that.
"""

import dataclasses
import re
from collections.abc import Sequence

import torch

from gcnn.equivariance import reflect, rotate

_SAME = 1e-9  # of two lines of numbers of length 1: how far their product may be from 1


@dataclasses.dataclass(frozen=True)
class Part:
    """Where one part of a result comes from."""

    source: int
    """Which part of what went in, along its group axis."""
    mirrored: bool
    """Whether it was mirrored, before it was turned."""
    turns: int
    """By how many quarter turns, counter-clockwise."""
    factor: float
    """What it was multiplied by."""

    def __str__(self) -> str:
        """As short as it can be: ``2m3`` is part 2, mirrored and turned three times, ``2r3`` the same not mirrored."""
        factor = "" if abs(self.factor - 1) < 1e-6 else f"*{self.factor:.6g}"
        return f"{self.source}{'m' if self.mirrored else 'r'}{self.turns}{factor}"


Parts = tuple[tuple[Part | None, ...], ...]
"""By the result's group elements, and by its input's; None is what could not be read."""

JOINED = "elements before output channels: "
"""Begins the text about a bank whose filters stand in this order, although its shape says otherwise."""

_PART = re.compile(r"(\d+)([mr])(\d)(?:\*(\S+))?")


def told(text: str) -> Parts:
    """The parts from the text of a look, see `parts` and `bank`; empty if there is none."""
    text = text.removeprefix(JOINED)
    rows = text.split(" | ") if text else []
    return tuple(tuple(_part(word) for word in row.split()) for row in rows)


def _part(word: str) -> Part | None:
    match = _PART.fullmatch(word)
    return match and Part(int(match[1]), match[2] == "m", int(match[3]), float(match[4] or 1))


def parts(before: torch.Tensor, rows: Sequence[torch.Tensor]) -> str:
    """Where each part of some results comes from, as text; a part that could not be read is a question mark.

    Args:
        before: what went in, ``(N, n, k, k)``: n parts along its group axis.
        rows: the results, ``(N, n, k, k)`` each.
    """
    elements = [(mirrored, turns) for mirrored in (False, True) for turns in range(4)]
    found = [rotate(reflect(before) if mirrored else before, turns) for mirrored, turns in elements]
    known = torch.stack(found).movedim(2, 1).flatten(0, 1).flatten(1)  # (8 * n, N * k * k)
    sizes = known.norm(dim=1)
    lines = []
    for row in rows:
        wanted = row.detach().to("cpu", torch.float64).movedim(1, 0).flatten(1)  # (n, N * k * k)
        lengths = wanted.norm(dim=1)
        alike = wanted @ known.T / (lengths[:, None] * sizes)
        words = []
        for one, length in zip(alike, lengths, strict=True):
            matches = ((one.abs() - 1).abs() < _SAME).nonzero().flatten().tolist()
            if len(matches) != 1:
                words.append("?")
                continue
            element, source = divmod(matches[0], before.shape[1])
            factor = float(length / sizes[matches[0]] * one[matches[0]].sign())
            words.append(str(Part(source, *elements[element], factor)))
        lines.append(" ".join(words))
    return " | ".join(lines)


def bank(weight: torch.Tensor, filters: torch.Tensor) -> str:
    """Where the parts of a filter bank come from, as text; of one with its axes mixed up, see `JOINED`.

    Args:
        weight: the layer's, ``(out, in, k, k)`` or ``(out, in, n, k, k)``.
        filters: its bank, ``(out, m, in, k, k)`` or ``(out, m, in, n, k, k)``.

    Raises:
        ValueError: the bank has another shape.
    """
    weight = weight.detach().to("cpu", torch.float64)
    if filters.dim() != weight.dim() + 1 or filters.shape[:1] + filters.shape[2:] != weight.shape:
        raise ValueError("another shape")
    whole = weight.flatten(0, 1) if weight.dim() == 5 else weight.flatten(0, 1).unsqueeze(1)  # (N, n, k, k)

    def read(bank: torch.Tensor) -> str:
        return parts(whole, [row.flatten(0, 1).reshape(whole.shape) for row in bank.unbind(1)])

    text = read(filters)
    if "?" in text:
        other = filters.flatten(0, 1).unflatten(0, (filters.shape[1], filters.shape[0])).transpose(0, 1)
        if "?" not in (found := read(other)):
            return f"{JOINED}{found}"
    return text


def rings(weight: torch.Tensor, filters: torch.Tensor) -> str:
    """What each pixel of isotropic filters holds of the two weights, as nine pairs of numbers, or a question mark.

    Args:
        weight: the layer's, ``(out, in, 2)``.
        filters: ``(out, in, 3, 3)``.

    Raises:
        ValueError: the filters have another shape.
    """
    if filters.shape != (*weight.shape[:2], 3, 3):
        raise ValueError("another shape")
    weights = weight.detach().to("cpu", torch.float64).flatten(0, 1)  # (N, 2)
    values = filters.detach().to("cpu", torch.float64).flatten(0, 1).flatten(1)  # (N, 9)
    found = torch.linalg.lstsq(weights, values).solution  # (2, 9)
    if not torch.allclose(weights @ found, values, atol=1e-6):
        return "?"
    return " ".join(f"{a:.4f},{b:.4f}" for a, b in found.add(0.0).T.round(decimals=4).add(0.0).tolist())


PIXELS = {"centre": (4,), "edges": (1, 3, 5, 7), "corners": (0, 2, 6, 8)}
"""The pixels of a filter of size 3, counted by rows, by how far they are from its centre."""


def pixels(text: str) -> list[tuple[float, float]]:
    """The nine pairs of numbers from the text of `rings`; empty for any other text."""
    pairs = [word.split(",") for word in text.split()]
    if any(len(pair) != 2 for pair in pairs):
        return []
    return [(float(first), float(second)) for first, second in pairs]


def rings_in_words(text: str) -> list[str]:
    """What `rings` read, for people; nothing if the filters are not the same all around."""
    if not (found := pixels(text)):
        return []
    lines = []
    for name, places in PIXELS.items():
        values = {found[at] for at in places}
        if len(values) != 1:
            return []
        terms = [f"{factor:g} · weight[..., {i}]" for i, factor in enumerate(values.pop()) if factor]
        lines.append(f"{name}: {' + '.join(terms) or 0}")
    return lines


def in_words(text: str, what: str, letter: str) -> list[str]:
    """What was read, for people: a line for each element of C4 or D4; nothing if nothing could be read.

    Args:
        text: of `parts` or `bank`.
        what: what went in, as a student would call it.
        letter: what an element of C4 is called.
    """
    rows = told(text)
    if not any(part for row in rows for part in row):
        return []
    note = [JOINED.strip()] if text.startswith(JOINED) else []
    return [*note, *(f"{element(i, len(rows), letter)}: {_row(row, what)}" for i, row in enumerate(rows))]


def element(number: int, order: int, letter: str = "s") -> str:
    """What an index on a group axis is called: "s = 1", and for mirror images and turns "(0, 1)"."""
    return f"{letter} = {number}" if order == 4 else str(divmod(number, 4))


def _row(row: Sequence[Part | None], what: str) -> str:
    planes = [_plane(part, what) for part in row]
    plane = planes[0] if len(set(planes)) == 1 else "along its group axis " + ", ".join(p or "as it is" for p in planes)
    if not any(row):
        return planes[0]
    said = [what, plane]
    sources = [part.source if part else "?" for part in row]
    if sources != [*range(len(sources))]:
        said.append(f"its group axis in the order {' '.join(map(str, sources))}")
    return ", ".join(word for word in said if word)


def _plane(part: Part | None, what: str) -> str:
    """What happened in the plane, in words; nothing if nothing did."""
    if part is None:
        return f"something else than {what} turned or mirrored"
    said = ["mirrored"] if part.mirrored else []
    said += [f"turned by {90 * part.turns}°"] if part.turns else []
    said += [f"times {part.factor:.3g}"] if abs(part.factor - 1) > 1e-6 else []
    return " and ".join(said)
