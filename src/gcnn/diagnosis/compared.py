"""What can be shown of a difference: maps of an answer beside the expected ones, or a table with its wrong places.

The expected maps stand in ``arrays.json``: numbers that come out for a small case, with no way to any other. A group's
products are all that its exercise asks for, so none of them stand there: a table shows the answer's own, and which are
not right.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Mapping

import torch

from gcnn.diagnosis.family import read
from gcnn.diagnosis.outcomes import Outcome, Watch
from gcnn.diagnosis.readings import element

ALONG = "along"  # in a list of axes: the one whose maps stand side by side
_BANKS = {
    4: ("output channel", "input channel"),
    5: ("output channel", ALONG, "input channel"),
    6: ("output channel", "output", "input channel", ALONG),
}
_MAPS = {4: ("image", "channel"), 5: ("image", "channel", ALONG)}
_VISIBLE = 1e-3  # what differs by less was rounded
_MOST = 100_000  # numbers that are worth keeping


@dataclasses.dataclass(frozen=True)
class Maps:
    """The first maps of an answer that differ from the expected ones."""

    what: str
    """What was looked at: "the filter bank of LiftingConv2d(2, 3, 3)"."""
    where: str
    """Which of its maps these are: "output channel 0, input channel 1"."""
    tiles: tuple[str, ...]
    """What each map is called: "s = 0", …; one empty name where there is no group axis."""
    got: torch.Tensor
    """The answer's, ``(len(tiles), H, W)`` in double precision."""
    expected: torch.Tensor
    """What should have come out, of the same shape."""
    differs: torch.Tensor
    """Where they differ, of the same shape, boolean."""


@dataclasses.dataclass(frozen=True)
class Table:
    """An answer's products or inverses, and which are not right."""

    what: str
    """What was looked at: "C4.product(a, b)"."""
    rows: tuple[str, ...]
    """The elements a; one empty name for inverses."""
    columns: tuple[str, ...]
    """The elements b."""
    cells: tuple[tuple[str, ...], ...]
    """What the answer gives."""
    wrong: frozenset[tuple[int, int]]
    """The places, row and column, that are not right."""


class Keeping(Watch):
    """A `Watch` that keeps a copy of some arrays.

    Args:
        spaces: as for `Watch`.
        wanted: the names of the looks whose arrays are kept.
        values: where they are put, by name.
    """

    def __init__(self, spaces: list[dict], wanted: Iterable[str], values: dict[str, torch.Tensor]):
        super().__init__(spaces)
        self._wanted, self._values = frozenset(wanted), values

    def look(
        self, name: str, group: str, call: Callable[[], object], *, names: object = None, judges: bool = True
    ) -> object:
        """As `Watch.look`."""
        if name not in self._wanted:
            return super().look(name, group, call, names=names, judges=judges)

        def kept() -> object:
            value = call()
            if isinstance(value, torch.Tensor) and value.numel() <= _MOST:
                with contextlib.suppress(Exception):  # a picture is no reason to fail
                    self._values[name] = value.detach().to("cpu", torch.float64, copy=True)
            return value

        return super().look(name, group, kept, names=names, judges=judges)


def compared(
    exercise: str,
    first: Outcome,
    found: list[Outcome],
    right: Mapping[str, str],
    values: Mapping[str, torch.Tensor],
) -> Maps | Table | None:
    """What can be shown of a wrong answer; nothing where its first difference is one of type, shape or dtype.

    Args:
        exercise: whose answer it is.
        first: the first difference.
        found: all that was seen.
        right: the right digests by what was looked at.
        values: the answer's own arrays, as `Keeping` keeps them.
    """
    if first.error or first.form != right.get(first.name, "").partition(":")[0]:
        return None
    if first.group in ("product", "inverse"):
        return _table(first, found, right)
    wrong = {o.name for o in found if right.get(o.name) != o.digest}
    for name, kept in read("arrays.json").get(exercise, {}).items():
        if name in wrong and name in values:
            expected = torch.tensor(kept["values"], dtype=torch.float64).reshape(kept["shape"])
            if values[name].shape == expected.shape and (maps := _maps(name, values[name], expected)):
                return maps
    return None


def _maps(name: str, got: torch.Tensor, expected: torch.Tensor) -> Maps | None:
    """The first maps that differ, with their names; nothing if no difference is to be seen."""
    axes = list((_BANKS if "filter" in name else _MAPS)[got.dim()])
    letter = "input t" if "output" in axes else "s"
    if ALONG in axes:
        at = axes.index(ALONG)
        axes.pop(at)
        got, expected = got.movedim(at, -3), expected.movedim(at, -3)
    else:
        got, expected = got.unsqueeze(-3), expected.unsqueeze(-3)
    differs = ~((got - expected).abs() <= _VISIBLE)  # so that NaN differs
    places = differs.any(-1).any(-1).any(-1).nonzero()
    if not len(places):
        return None
    first, order = tuple(places[0].tolist()), got.shape[-3]
    where = ", ".join(
        f"{axis} {element(i, order) if axis == 'output' else i}" for axis, i in zip(axes, first, strict=True)
    )
    tiles = tuple(element(i, order, letter) for i in range(order)) if order > 1 else ("",)
    return Maps(name, where, tiles, got[first], expected[first], differs[first])


def _table(first: Outcome, found: list[Outcome], right: Mapping[str, str]) -> Table | None:
    """The products, or the inverses; nothing if some are missing."""
    looks = [o for o in found if o.group == first.group]
    elements = tuple(o.name.partition(".inverse")[2][1:-1] for o in found if o.group == "inverse")
    rows = elements if first.group == "product" else ("",)
    if not elements or len(looks) != len(rows) * len(elements):
        return None
    n = len(elements)
    places = [(i // n, i % n) for i, o in enumerate(looks) if right.get(o.name) != o.digest]
    cells = tuple(tuple(o.text or "…" for o in looks[i * n : (i + 1) * n]) for i in range(len(rows)))
    name = first.name.partition("(")[0]
    return Table(f"{name}(a, b)" if rows != ("",) else f"{name}(a)", rows, elements, cells, frozenset(places))
