"""What is looked at in answers about groups and their actions: exercises 1.2, 1.3, 2.2 and 4a."""

import itertools
from collections.abc import Callable

import torch

from gcnn.diagnosis import readings
from gcnn.diagnosis.outcomes import READ, Watch, whole_numbers

_TURNS = range(4)
_PAIRS = [(f, r) for f in (0, 1) for r in _TURNS]


def c4(watch: Watch, group: type) -> None:
    """Look at every product and inverse, and at what is no element."""
    for r, s in itertools.product(_TURNS, _TURNS):
        watch.look(f"C4.product({r}, {s})", "product", lambda r=r, s=s: group.product(r, s))
    for outside, inside in ((5, 0), (-1, 1), (4, 1), (7, 1), (4, 0)):
        for pair in ((outside, inside), (inside, outside)):
            name = "C4.product({}, {})".format(*pair)
            watch.look(name, "product, outside", lambda pair=pair: group.product(*pair), names=outside)
    for r in _TURNS:
        watch.look(f"C4.inverse({r})", "inverse", lambda r=r: group.inverse(r))
    for outside in (-1, 4, 5, 7):
        watch.look(f"C4.inverse({outside})", "inverse, outside", lambda e=outside: group.inverse(e), names=outside)


def d4(watch: Watch, group: type) -> None:
    """Look at every product and inverse, and at what is no element."""
    for a, b in itertools.product(_PAIRS, _PAIRS):
        watch.look(f"D4.product({a}, {b})", "product", lambda a=a, b=b: group.product(a, b))
    outsides = ((0, 4), (2, 0), (-1, 1), (1, -1))
    for outside in outsides:
        for pair in ((outside, (0, 0)), (outside, (1, 1)), ((1, 1), outside)):
            name = "D4.product({}, {})".format(*pair)
            watch.look(name, "product, outside", lambda pair=pair: group.product(*pair), names=outside)
    for g in _PAIRS:
        watch.look(f"D4.inverse({g})", "inverse", lambda g=g: group.inverse(g))
    for outside in outsides:
        watch.look(f"D4.inverse({outside})", "inverse, outside", lambda e=outside: group.inverse(e), names=outside)


def _action(watch: Watch, name: str, act: Callable, order: int, elements: list) -> None:
    """Look at an action on functions on a group of so many elements."""
    y = whole_numbers(2, 3, order, 5, 5)
    kept = y.clone()
    shape = tuple(y.shape)
    # What happens to the pixels, whatever happens to the group axis, and the other way round.
    for part, axes in (("pixels", (-3,)), ("group axis", (-2, -1))):
        for g in elements:
            label = f"the {part} of {name}(y, {g})"
            watch.look(label, f"~{part}", lambda g=g, a=axes: _like(act(y.clone(), g), shape).sum(a), judges=False)

    def made_of() -> str:
        results = [_like(act(y.clone(), g), shape).flatten(0, 1) for g in elements]
        return readings.parts(y.flatten(0, 1), results)

    watch.look(f"what {name} makes of y", READ, made_of, judges=False)
    for g in elements:
        watch.look(f"{name}(y, {g}) for y of shape {shape}", _part(g), lambda g=g: act(y.clone(), g))
    first = elements[1]
    for leading in ((1, 5), (2,), ()):
        shape = (*leading, order, 4, 4)
        z = whole_numbers(*shape, start=1)
        watch.look(f"{name}(y, {first}) for y of shape {shape}", "other shapes", lambda z=z: act(z.clone(), first))
    small = y.float()[:1, :1]
    watch.look(f"{name}(y, {first}) in single precision", "dtype", lambda: act(small.clone(), first))

    def precise() -> torch.Tensor:
        step = 2.0**-30 * whole_numbers(*y.shape, start=2)
        return (act(y + step, first) - act(y.clone(), first)) * 2.0**30

    watch.look(f"{name}(y, {first}) to the last digit", "precision", precise)

    def untouched() -> torch.Tensor:
        act(y, elements[-1])
        return y - kept

    watch.look(f"what {name}(y, {elements[-1]}) changes in y itself", "input", untouched)


def _like(result: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    if tuple(result.shape) != shape:
        raise ValueError("another shape")
    return result


def _part(g: int | tuple[int, int]) -> str:
    """Which looks at an action belong together."""
    if isinstance(g, int) or not g[0]:
        return "turns"
    return "turned mirror images" if g[1] else "the mirror image"


def rotate_p4(watch: Watch, act: Callable) -> None:
    """Look at the action of the quarter turns."""
    _action(watch, "rotate_p4", act, 4, [0, 1, 2, 3])


def transform_p4m(watch: Watch, act: Callable) -> None:
    """Look at the action of turns and mirror images."""
    _action(watch, "transform_p4m", act, 8, _PAIRS)
