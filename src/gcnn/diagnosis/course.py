"""Which exercises are diagnosed: what each asks for, and how its answer is looked at."""

import dataclasses
import inspect
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from gcnn.diagnosis import look_at_groups, look_at_layers, look_at_networks
from gcnn.diagnosis.compared import Keeping
from gcnn.diagnosis.outcomes import Outcome, Watch, quietly
from gcnn.equivariance import reflect, rotate
from gcnn.stand_ins import namespaces

CLASS, FUNCTION = "class", "function"


@dataclasses.dataclass(frozen=True)
class Asked:
    """What an exercise asks for."""

    key: str
    """The exercise."""
    check: str
    """The check's name in `gcnn.checks`."""
    name: str
    """The name that the student defines."""
    kind: str
    """`CLASS` or `FUNCTION`."""
    look: Callable[..., None]
    """Looks at an answer."""
    success: str
    """What was looked at, for the sentence that says that all is well."""
    network: bool = False
    """Whether it is a network, which may stand on stand-ins or on its own layers."""
    needs: tuple[tuple[str, str], ...] = ()
    """The functions of other exercises that the answer may call, each with its exercise."""
    pictured: tuple[str, ...] = ()
    """The looks whose arrays can be shown beside the expected ones, the most telling first."""


_BANK = (
    "parameters, filter bank, bias, output and gradients for several kernel sizes and paddings, with and without bias"
)
_NETWORK = (
    "the output's shape, n_classes, the number of parameters, and for given weights the answers and their gradients"
)


def _of_layer(name: str, *group_axis: int, bank: str = "the filter bank") -> tuple[str, ...]:
    """The looks at a layer that can be shown: its filters, and what comes out."""
    return f"{bank} of {name}", f"the output of {name} for an input of shape {(2, 2, *group_axis, 7, 6)}"


def _of_action(name: str, order: int, elements: list) -> tuple[str, ...]:
    """The looks at an action that can be shown: one for each element."""
    return tuple(f"{name}(y, {g}) for y of shape {(2, 3, order, 5, 5)}" for g in elements)


ASKED = {
    asked.key: asked
    for asked in (
        Asked("c4", "c4", "C4", CLASS, look_at_groups.c4, "every product, every inverse, and what is no element"),
        Asked("d4", "d4", "D4", CLASS, look_at_groups.d4, "every product, every inverse, and what is no element"),
        Asked(
            "isotropic-conv",
            "isotropic_conv",
            "IsotropicConv2d",
            CLASS,
            look_at_layers.isotropic,
            "parameters, filter bank, output and gradients, with and without bias",
            pictured=_of_layer("IsotropicConv2d(2, 3)", bank="build_filter()"),
        ),
        Asked(
            "rotate-p4",
            "rotate_p4",
            "rotate_p4",
            FUNCTION,
            look_at_groups.rotate_p4,
            "all four turns, and feature maps of several shapes",
            pictured=_of_action("rotate_p4", 4, [*range(4)]),
        ),
        Asked(
            "lifting-conv",
            "lifting_conv",
            "LiftingConv2d",
            CLASS,
            look_at_layers.convolution((), "LiftingConv2d"),
            _BANK,
            pictured=_of_layer("LiftingConv2d(2, 3, 3, padding=1)"),
        ),
        Asked(
            "group-conv",
            "group_conv",
            "GroupConv2d",
            CLASS,
            look_at_layers.convolution((4,), "GroupConv2d"),
            _BANK,
            needs=(("rotate_p4", "rotate-p4"),),
            pictured=_of_layer("GroupConv2d(2, 3, 3, padding=1)", 4),
        ),
        Asked("c4cnn", "c4cnn", "C4CNN", CLASS, look_at_networks.network("C4CNN"), _NETWORK, True),
        Asked(
            "isotropic-cnn",
            "isotropic_cnn",
            "IsotropicCNN",
            CLASS,
            look_at_networks.network("IsotropicCNN"),
            _NETWORK,
            True,
        ),
        Asked(
            "batch-norm",
            "batch_norm",
            "GroupBatchNorm2d",
            CLASS,
            look_at_layers.batch_norm,
            "parameters and buffers, output, gradients and running statistics in training and evaluation mode",
            pictured=tuple(
                f"the output of GroupBatchNorm2d(3, eps=1e-05, momentum=0.1) in {mode} mode"
                for mode in ("training", "evaluation")
            ),
        ),
        Asked(
            "c4cnn-bn",
            "c4cnn_bn",
            "C4CNNWithBatchNorm",
            CLASS,
            look_at_networks.network("C4CNNWithBatchNorm"),
            _NETWORK,
            True,
        ),
        Asked(
            "d4-action",
            "d4_action",
            "transform_p4m",
            FUNCTION,
            look_at_groups.transform_p4m,
            "all eight elements, and feature maps of several shapes",
            pictured=_of_action("transform_p4m", 8, [(f, r) for f in (0, 1) for r in range(4)]),
        ),
        Asked(
            "d4-lifting-conv",
            "d4_lifting_conv",
            "D4LiftingConv2d",
            CLASS,
            look_at_layers.convolution((), "D4LiftingConv2d"),
            _BANK,
            pictured=_of_layer("D4LiftingConv2d(2, 3, 3, padding=1)"),
        ),
        Asked(
            "d4-group-conv",
            "d4_group_conv",
            "D4GroupConv2d",
            CLASS,
            look_at_layers.convolution((8,), "D4GroupConv2d"),
            _BANK,
            needs=(("transform_p4m", "d4-action"),),
            pictured=_of_layer("D4GroupConv2d(2, 3, 3, padding=1)", 8),
        ),
        Asked("d4cnn", "d4cnn", "D4CNN", CLASS, look_at_networks.network("D4CNN"), _NETWORK, True),
    )
}
"""By exercise, in the notebook's order."""


REDEFINED = "the given names that mean something else"
_GIVEN = {"rotate": rotate, "reflect": reflect, "nn": nn, "torch": torch, "F": F}


def used_names(thing: object) -> set[str]:
    """The global names that the functions of an answer use."""
    functions = [thing, *(vars(thing).values() if inspect.isclass(thing) else ())]
    codes = [getattr(getattr(f, "__func__", f), "__code__", None) for f in functions]
    found: set[str] = set()
    while codes:
        code = codes.pop()
        if code is not None:
            found.update(code.co_names)
            codes += [constant for constant in code.co_consts if inspect.iscode(constant)]
    return found


def _redefined(thing: object, spaces: list[dict]) -> list[str]:
    used = used_names(thing)
    return [n for n, given in _GIVEN.items() for space in spaces if n in used and space.get(n, given) is not given]


def outcomes(
    key: str, thing: object, own_layers: bool = False, values: dict[str, torch.Tensor] | None = None
) -> list[Outcome]:
    """Look at an answer.

    Args:
        key: the exercise.
        thing: what the student defined.
        own_layers: for a network: leave its own layers in it.
        values: if given, the arrays of what is `pictured` are put here, by name.
    """
    asked, spaces = ASKED[key], namespaces(thing)
    watch = Watch(spaces) if values is None else Keeping(spaces, asked.pictured, values)
    watch.look(REDEFINED, "names", lambda: ", ".join(_redefined(thing, watch.spaces)), judges=False)
    with quietly():
        if own_layers:
            asked.look(watch, thing, own_layers=True)
        else:
            asked.look(watch, thing)
    return watch.outcomes
