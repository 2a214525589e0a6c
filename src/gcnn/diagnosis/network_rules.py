"""What the layers of a network tell of its mistake: which ran, on inputs of which shapes, and what they hold.

The notebook says all of it: kinds, channels, kernel sizes, and the picture's side after each layer. So these rules need
no known variant. A rule that could mean two mistakes says nothing.
"""

import dataclasses
import re

_STEP = re.compile(r"(\w+) \(([\d, ]*)\) (signed|positive)( again)?( mixed)?")


@dataclasses.dataclass(frozen=True)
class Step:
    """A layer that ran."""

    kind: str
    """Its class."""
    shape: tuple[int, ...]
    """Its input's, without the batch."""
    signed: bool
    """Whether its input had negative values."""
    again: bool
    """Whether it had run before."""
    mixed: bool = False
    """Whether its input has values, other than zero, that the layer before it did not give."""

    @property
    def is_norm(self) -> bool:
        """Whether it is a normalisation of any kind."""
        return "Norm" in self.kind

    @property
    def is_linear(self) -> bool:
        """Whether it is a linear layer."""
        return self.kind == "Linear"


def steps(text: str) -> list[Step]:
    """The layers that ran, from the text that the look at them gives."""
    found = []
    for kind, numbers, sign, again, mixed in _STEP.findall(text):
        shape = tuple(int(n) for n in re.findall(r"\d+", numbers))
        found.append(Step(kind, shape, sign == "signed", bool(again), bool(mixed)))
    return found


def first_difference(got: list[Step], right: list[Step], reached: int | None = None) -> tuple[str, ...]:
    """The first layer that is another, or that something else reaches than should, in a sentence; nothing if none is.

    Args:
        got: the layers that ran.
        right: those that should have.
        reached: the first layer whose input has wrong values, see `first_wrong`.
    """
    for number, (mine, its) in enumerate(zip(got, right, strict=False), start=1):
        if _is_unasked_norm(mine, right):  # the student's own layers before it may not have been seen to run
            return (f"one of the layers that run is {_a(mine)}; no normalisation is expected",)
        if mine.kind not in {step.kind for step in right}:  # nor may they here
            return (f"one of the layers that run is {_a(mine)}, which this network does not have",)
        if mine.kind != its.kind:
            return (f"layer {number} that runs is {_a(mine)}; {_a(its)} is expected there",)
        if mine.shape != its.shape:
            return (f"layer {number}, {_a(mine)}, gets {mine.shape} for each image; {its.shape} is expected",)
    if reached is not None and 0 < reached < len(got):
        layer = f"layer {reached + 1}, {_a(got[reached])}"
        return (f"up to layer {reached} all is right; what reaches {layer}, has the right shape and wrong values",)
    return ()


def _a(step: Step) -> str:
    return f"{'an' if step.kind[0] in 'AEIO' else 'a'} {step.kind}"


def _is_unasked_norm(step: Step, right: list[Step]) -> bool:
    return step.is_norm and not any(one.is_norm for one in right)


def cause(got: list[Step], right: list[Step], held: str, right_held: str, ended: bool) -> str:
    """The cause that the layers tell, or an empty string.

    Args:
        got: the layers that ran.
        right: those that should have.
        held: the shapes of what they hold.
        right_held: the right ones.
        ended: whether the network ran to its end.
    """
    kinds = {step.kind for step in right}
    for step in got:
        if _is_unasked_norm(step, right):
            return "norm-unasked"
        if step.kind in ("LiftingConv2d", "GroupConv2d") and "D4GroupConv2d" in kinds:
            return "group-of-c4"
        if step.kind not in kinds and step.is_norm:
            return "norm-place" if step.shape == right[0].shape else "other-norm"  # no norm of ours fits images
        if step.kind not in kinds:
            return "other-convolution"
        if step.again:
            return "too-many-norms" if step.is_norm else "layers-left-out"
    found = _numbers(got, right) if ended else ""
    found = found or (_held(held, right_held) if ended else "")
    return found or _shapes(got, right) or (_signs(got, right) if ended else "")


def _numbers(got: list[Step], right: list[Step]) -> str:
    """Are there as many layers of each kind, and in the right order?"""
    mine, its = ([s for s in some if not s.is_norm and not s.is_linear] for some in (got, right))
    norms, its_norms = ([s for s in some if s.is_norm] for some in (got, right))
    if not mine:
        return "plain-list"
    if len(mine) != len(its):
        return "depth"
    if len(norms) != len(its_norms):
        return "no-norm" if len(norms) < len(its_norms) else "too-many-norms"
    if sum(s.is_linear for s in got) > 1:
        return "extra-layer"
    for number, (own, should) in enumerate(zip(mine, its, strict=True)):
        if own.kind != should.kind:
            lost = len(own.shape) < len(should.shape)  # the layer got no group axis, so it could be no other
            return "first-layer" if not number else "group-pool-early" if lost else ""
    return "norm-place" if [s.kind for s in got] != [s.kind for s in right] else ""


def first_wrong(text: str, right: str) -> int | None:
    """Which layer is the first that something wrong reaches, counted from 0; None if there is none.

    Args:
        text: what reaches the layers, a word for each.
        right: what should.
    """
    pairs = enumerate(zip(text.split(), right.split(), strict=False))
    return next((number for number, (mine, its) in pairs if mine != its), None)


def by_elimination(got: list[Step], right: list[Step], reached: int) -> str:
    """The cause that is left where all layers are as they should be, and so is the shape and sign of what they get.

    Args:
        got: the layers that ran.
        right: those that should have.
        reached: the first layer that something wrong reaches.
    """
    alike = [(s.kind, s.shape, s.signed) for s in got] == [(s.kind, s.shape, s.signed) for s in right]
    if not alike or not 0 < reached < len(got):
        return ""
    step, only = got[reached], [s for s in got if s.mixed]
    if step.is_linear:
        return "average-pool" if only == [step] else ""
    return "" if only or step.is_norm else "pool-window"


def _held(text: str, right_text: str) -> str:
    """Do the layers hold what they should?"""
    mine, its = ([dict(re.findall(r"(\w+) (\([\d, ]*\))", part)) for part in t.split("; ")] for t in (text, right_text))
    if len(mine) != len(its):
        return ""
    for number, (own, should) in enumerate(zip(mine, its, strict=True)):
        last = number == len(its) - 1
        if "bias" in should and "bias" not in own:
            return "linear-bias" if last else "conv-bias"
        weight, its_weight = own.get("weight", ""), should.get("weight", "")
        if weight != its_weight and weight:
            numbers, its_numbers = re.findall(r"\d+", weight), re.findall(r"\d+", its_weight)
            if numbers[:2] != its_numbers[:2]:
                return "" if last else "channels"
            return "kernel-size" if len(numbers) == len(its_numbers) and not last else ""
    return ""


def _shapes(got: list[Step], right: list[Step]) -> str:
    """Has each layer's input the right shape?"""
    for number, (mine, its) in enumerate(zip(got, right, strict=False)):
        if mine.kind != its.kind:
            return ""
        if mine.shape == its.shape:
            continue
        if its.is_linear:
            several = mine.shape[-1] / its.shape[-1] if len(mine.shape) == 1 else 0
            orders = {step.shape[1] for step in right if len(step.shape) == 4}
            if any(several > 1 and order % several == 0 for order in orders):
                return "last-pool-group"
            return "last-pool-plane" if several in (4, 9) else ""
        if number == 0:
            return "crop" if mine.shape[1:] != its.shape[1:] else ""
        if mine.shape[0] != its.shape[0] or len(mine.shape) != len(its.shape):
            return ""
        if len(its.shape) == 4 and mine.shape[1] != its.shape[1]:
            return "norm-place" if its.is_norm else "group-pool-early"  # a convolution keeps the group axis as it is
        return "pool-stride" if mine.shape[-1] == got[number - 1].shape[-1] and not mine.is_norm else ""
    return ""


def _signs(got: list[Step], right: list[Step]) -> str:
    """Has a ReLU run before each layer that needs one, and none before a norm?"""
    if [s.kind for s in got] != [s.kind for s in right]:
        return ""
    norms = [mine for mine in got if mine.is_norm]
    if norms and not any(mine.signed for mine in norms):
        return "norm-place"
    signed = [mine.signed for mine in got if not mine.is_norm]
    if signed[0]:
        return "changes-input"
    without = [number for number, is_signed in enumerate(signed) if is_signed]
    if not without:
        return ""
    if len(without) == len(signed) - 1:
        return "no-relu"
    return {(1,): "relu-first", (len(signed) - 1,): "relu-last"}.get(tuple(without), "relu-some")
