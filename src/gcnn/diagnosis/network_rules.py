"""What the layers of a network tell of its mistake: which ran, on inputs of which shapes, and what they hold.

The notebook says all of it: kinds, channels, kernel sizes, and the picture's side after each layer. So these rules need
no known variant. A rule that could mean two mistakes says nothing.
"""

import dataclasses
import re

_STEP = re.compile(r"(\w+) \(([\d, ]*)\) (signed|positive)( again)?")


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
    for kind, numbers, sign, again in _STEP.findall(text):
        shape = tuple(int(n) for n in re.findall(r"\d+", numbers))
        found.append(Step(kind, shape, sign == "signed", bool(again)))
    return found


def first_difference(got: list[Step], right: list[Step]) -> tuple[str, ...]:
    """The first layer whose input has another shape than it should, in a sentence; nothing if there is none."""
    for number, (mine, its) in enumerate(zip(got, right, strict=False), start=1):
        if mine.kind != its.kind:
            return (f"layer {number} that runs is a {mine.kind}; a {its.kind} is expected there",)
        if mine.shape != its.shape:
            return (f"layer {number}, a {mine.kind}, gets {mine.shape} for each image; {its.shape} is expected",)
    return ()


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
        if step.kind in ("LiftingConv2d", "GroupConv2d") and "D4GroupConv2d" in kinds:
            return "group-of-c4"
        if step.kind not in kinds:
            return "other-norm" if step.is_norm else "other-convolution"
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
    if [s.kind for s in mine] != [s.kind for s in its]:
        return "first-layer"
    return "norm-place" if [s.kind for s in got] != [s.kind for s in right] else ""


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
            return "group-pool-early"
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
