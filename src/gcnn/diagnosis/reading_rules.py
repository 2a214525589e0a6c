"""Which mistake explains what was read off: rules for products, filter banks, isotropic filters and actions.

The notebook says which transformed weight stands where in a filter bank and what an action does, so that these rules
need no known variant. A rule that could mean two mistakes says nothing.
"""

import itertools
import re
from collections.abc import Mapping, Sequence

from gcnn.diagnosis import readings
from gcnn.diagnosis.readings import Part, Parts

Plane = tuple[bool, int]
"""Mirrored or not, and quarter turns."""


def of_bank(parts: Parts, joined: bool = False) -> str:
    """The cause that a filter bank tells, or an empty string.

    Args:
        parts: of `gcnn.diagnosis.readings.bank`, by output and input element.
        joined: whether it is a bank only if elements come before output channels.
    """
    whole = [part for row in parts for part in row]
    if not whole or None in whole or len({len(row) for row in parts}) != 1:
        return ""
    if joined:
        return "stack-axis"
    if any(abs(part.factor - 1) > 1e-6 for part in whole):
        return "bank-scaled" if _planes(parts) == _right(len(parts)) else ""
    if len(parts[0]) == 1:
        return _of_planes(_planes(parts)) if len(parts) in (4, 8) else ""
    if len(parts) != len(parts[0]) or len(parts) not in (4, 8):
        return ""
    return _of_group_bank(parts)


def _right(order: int) -> list[Plane]:
    """What the notebook asks for: element 4f + r mirrors f times, then turns r times."""
    return [(i >= 4, i % 4) for i in range(order)]


def _planes(parts: Parts) -> list[Plane] | None:
    """What happens in the plane, by element; nothing if it differs between parts of one element."""
    found = [{(part.mirrored, part.turns) for part in row if part} for row in parts]
    return [planes.pop() for planes in found] if all(len(planes) == 1 for planes in found) else None


def _of_planes(planes: list[Plane] | None) -> str:
    """Does each element of C4, or of D4, transform the plane as it should?"""
    if planes is None or planes == _right(len(planes)):
        return ""
    mirrors, turns = [m for m, _ in planes], [r for _, r in planes]
    if not any(turns) and not any(mirrors):
        return "no-turn"
    if len(planes) == 4:
        return "mirrored" if any(mirrors) else _of_turns(turns)
    if not any(mirrors):
        return "no-mirror"
    if mirrors != [i >= 4 for i in range(8)]:
        return "halves" if len(set(planes)) == 8 else ""
    if first := _of_turns(turns[:4]):
        return first
    if turns[4:] == [0, 3, 2, 1]:
        return "turn-first"
    if turns[4:] == [2, 3, 0, 1]:
        return "wrong-mirror"  # up and down: left and right, and half a turn
    return "order" if len(set(planes)) == 8 else "angle"


def _of_turns(turns: Sequence[int]) -> str:
    if list(turns) == [0, 1, 2, 3]:
        return ""
    if list(turns) == [0, 3, 2, 1]:
        return "clockwise"
    if not any(turns):
        return "no-turn"
    return "order" if sorted(turns) == [0, 1, 2, 3] else "angle"


def _shift(row: Sequence[Part]) -> int | None:
    """By how many places a row's parts have moved on, all of them alike; nothing if they have not."""
    n = len(row)
    moved = {(at - part.source) % n for at, part in enumerate(row)}
    return moved.pop() if len(moved) == 1 else None


def _of_group_bank(parts: Parts) -> str:
    order = len(parts)
    if all(len({part.source for part in row}) == 1 for row in parts):
        return "one-orientation"
    planes = _planes(parts)
    if planes is None:
        swapped = tuple(zip(*parts, strict=True))
        moved = order == 8 or [_shift(row) for row in swapped] == [0, 1, 2, 3]
        return "swapped-group-axes" if moved and _planes(swapped) == _right(order) else ""
    plane = _of_planes(planes)
    shifts = [_shift(row) for row in parts]
    still = shifts == [0] * order
    if order == 8:
        if not plane and None not in shifts[:4] and any(shifts[:4]):
            return "one-circle"
        if not plane:
            return "no-permutation" if still else ""
        return "" if still or plane in ("no-turn", "no-mirror", "clockwise") else plane
    back = [-s % 4 for s in range(4)]
    if not plane:
        if still:
            return "no-roll"
        return "other-roll" if shifts == back else "" if shifts == [0, 1, 2, 3] else "roll-amount"
    if plane == "no-turn":
        return "roll-only" if shifts == [0, 1, 2, 3] else ""
    if plane == "clockwise":
        return {(0, 1, 2, 3): "turn-clockwise-only", tuple(back): "both-other-way"}.get(tuple(shifts), "")
    return plane if shifts == [r for _, r in planes] else ""


def of_products(texts: Mapping[str, str], right: Mapping[str, bool]) -> str:
    """The cause that the products of D4 tell, or an empty string.

    Args:
        texts: each product's text, "(1, 3)", by what was looked at, "D4.product((0, 1), (1, 2))".
        right: the same, whether it is right.
    """
    found: dict[tuple[int, int], list[tuple[int, int, int]]] = {}
    for name, text in texts.items():
        numbers = _arguments(name)
        result = re.fullmatch(r"\((\d+), (\d+)\)", text)
        if len(numbers) != 4 or result is None or int(result[1]) != (numbers[0] + numbers[2]) % 2:
            return ""  # another mistake than one of signs
        found.setdefault((numbers[0], numbers[2]), []).append((numbers[1], numbers[3], int(result[2])))
    wrong = {tuple(_arguments(name)[::2]) for name in right if not right[name]}
    signs = {mirrors: _signs(found[mirrors]) for mirrors in wrong}
    if not wrong or None in signs.values():
        return ""
    if set(signs.values()) == {(1, 1)}:
        return "no-reversal"
    opposite = {(0, 1): (-1, 1), (1, 0): (1, 1), (1, 1): (-1, 1)}
    return "opposite" if signs == opposite else "wrong-reversal"


def of_refusals(wrong: Mapping[str, str], right: Mapping[str, bool]) -> str:
    """The cause that answers for what is no element tell, where all else is right.

    Args:
        wrong: what came in place of a ValueError that names the element, by what was looked at.
        right: by what was looked at, whether it is right.
    """
    if all(came == "ValueError that does not name it" for came in wrong.values()):
        return "not-named"
    if all(came.startswith("raises ") for came in wrong.values()):
        return "other-error"
    if any(came != "returned" for came in wrong.values()):
        return ""
    if not any(right.values()):
        return "not-refused"
    for place in (0, 1):
        there = {name for name in right if "product" in name and _is_outside(name, place)}
        if there and there == set(wrong):
            return "one-argument"
    return "some-accepted"


def _arguments(name: str) -> list[int]:
    """The numbers in "C4.product(5, 0)" or "D4.product((0, 4), (1, 1))"."""
    return [int(number) for number in re.findall(r"-?\d+", name.partition("product")[2])]


def _is_outside(name: str, place: int) -> bool:
    """Whether the first or second argument of a product is no element."""
    numbers = _arguments(name)
    if len(numbers) == 2:
        return not 0 <= numbers[place] <= 3
    f, r = numbers[2 * place : 2 * place + 2]
    return f not in (0, 1) or not 0 <= r <= 3


def _signs(products: Sequence[tuple[int, int, int]]) -> tuple[int, int] | None:
    """The signs with which two numbers of turns were added in all of some products, if there are such."""
    for a, b in itertools.product((1, -1), (1, -1)):
        if all((a * first + b * second - turns) % 4 == 0 for first, second, turns in products):
            return a, b
    return None


def of_rings(text: str) -> str:
    """The cause that isotropic filters tell, or an empty string.

    Args:
        text: of `gcnn.diagnosis.readings.rings`.
    """
    if not (pixels := readings.pixels(text)):
        return ""
    (centre,), edges, corners = ([pixels[at] for at in places] for places in readings.PIXELS.values())
    rings = {*edges, *corners}
    if len(set(pixels)) == 1:
        return "one-value"
    if (0.0, 0.0) in pixels:
        return "part-missing"
    if len(rings) > 1:
        if pixels.count((1.0, 0.0)) == 1 and centre == (0.0, 1.0):
            return "centre-place"
        if len(set(corners)) == 1 == len(set(edges)):
            return "corners"
        return "rows" if all(len(set(pixels[at : at + 3])) == 1 for at in (0, 3, 6)) else "ring-scaled"
    (around,) = rings
    if (centre, around) == ((0.0, 1.0), (1.0, 0.0)):
        return "swapped"
    if around == (0.0, 1.0):
        return "centre-sum" if centre != (1.0, 0.0) else ""
    if centre == (1.0, 0.0):
        return "ring-scaled" if around[0] == 0 else ""
    same = centre[1] == around[0] == 0 and centre[0] == around[1]
    return "scaled" if same else ""


def of_action(parts: Parts, moved_rightly: Sequence[bool]) -> str:
    """The cause that an action on functions on a group tells, or two, separated by a blank, or an empty string.

    Args:
        parts: of `gcnn.diagnosis.readings.parts`, by the acting element and the result's element.
        moved_rightly: for each acting element, whether the group axis is as it should be.
    """
    order = len(parts)
    whole = [part for row in parts for part in row]
    if order not in (4, 8) or None in whole or any(len(row) != order for row in parts):
        return ""
    if any(abs(part.factor - 1) > 1e-6 for part in whole):
        return ""
    if any(len({part.source for part in row}) != order for row in parts):
        return "lost-values changes-input"
    planes = _planes(parts)
    if planes is None:
        return "angle" if not any(part.mirrored for row in parts[:4] for part in row) else ""
    if planes == _right(order):
        return _of_turned_axis(parts) if order == 4 else _of_mirrored_axis(parts, moved_rightly)
    if not all(moved_rightly):
        return ""
    plane = _of_planes(planes)
    return plane if plane not in ("order", "halves") else "angle"


def _of_turned_axis(parts: Parts) -> str:
    """How C4's turns move the group axis."""
    shifts = [_shift(row) for row in parts]
    if shifts[0] != 0:
        return "offset"
    if shifts == [0] * 4:
        return "no-roll"
    if None in shifts:
        return "not-a-roll"
    return {(0, 3, 2, 1): "other-roll", (0, 1, 2, 3): ""}.get(tuple(shifts), "roll-amount")


def _of_mirrored_axis(parts: Parts, moved_rightly: Sequence[bool]) -> str:
    """How D4's elements move the group axis."""
    sources = [[part.source for part in row] for row in parts]
    if sources[4] == [*range(8)]:
        return "no-permutation"
    if not all(moved_rightly[:4]):
        turned = [_shift(row) for row in parts[:4]]
        if None not in turned and any(turned):
            return "one-circle"
        halves = [[_shift_in_half(row[at : at + 4]) for row in sources[:4]] for at in (0, 4)]
        if halves[0] == halves[1] == [0, 3, 2, 1]:
            return "inverse other-roll"
        return "wrong-permutation" if halves[0] == [0, 1, 2, 3] else ""
    if moved_rightly[4]:
        other = [[sources[r][sources[4][h]] for h in range(8)] for r in range(4)]
        return "turn-first" if sources[4:] == other else ""
    if sorted(sources[4][:4]) == [0, 1, 2, 3]:
        return "halves-stay"
    return "not-reversed" if sources[4] == [4, 5, 6, 7, 0, 1, 2, 3] else "wrong-permutation"


def _shift_in_half(sources: Sequence[int]) -> int | None:
    moved = {(at - source) % 4 for at, source in enumerate(sources)}
    return moved.pop() if len(moved) == 1 else None
