"""Tests of the notebook's test cells: each passes right answers, however they are written, and rejects wrong ones.

Most wrong answers are small changes of the model's, which fail when they no longer fit. conftest.py runs the cells.
"""

import ast
import functools
import importlib
import re
import symtable
import sys
import types
from pathlib import Path

import pytest
import torch
from torch import nn

from autograder import hidden
from autograder.exercises import EXERCISES
from autograder.notebooks import as_released, bound_names
from gcnn.probes import predict
from gcnn.training import train_model

SUBMISSIONS = Path(__file__).parents[1] / "submissions"
ACCURACY = {  # the network that each test of accuracy looks at
    "test-c4cnn-accuracy": "c4cnn",
    "test-isotropic-cnn-accuracy": "isotropic_cnn",
    "test-c4cnn-bn-accuracy": "c4cnn_bn",
    "test-d4cnn-accuracy": "d4cnn",
}

# Wrong answers by test cell: the mistake, what the message must hold, and the changes to the model's answer of the
# cell's exercise, each (old, new) or code that follows the answer.
Change = str | tuple[str, str]
Mistakes = dict[str, list[tuple]]

GROUPS: Mistakes = {
    "test-c4-product": [
        ("forgets to wrap around", "C4.product(3, 1) is 4, expected 0", ("(r + s) % 4", "r + s")),
        ("subtracts", "C4.product(1, 2) is 1, expected 3", ("(r + s) % 4", "(s - r) % 4")),
        ("is right for r = 1 only", "0 is the identity", ("(r + s) % 4", "(1 + s) % 4")),
        ("gives a float", "is a float, 3.0, where int 3 is expected", ("(r + s) % 4", "float((r + s) % 4)")),
        ("forgets to return", "is a NoneType", ("return (r + s) % 4", "(r + s) % 4")),
        ("wraps elements outside silently", "There is no element", ("in (r, s):", "in ():")),
        ("lets negative elements pass", "-1 is not an element of C4", ("element not in (0, 1, 2, 3)", "element > 3")),
        ("checks its first argument only", "nothing was raised", ("in (r, s):", "in (r,):")),
        ("does not name the element", "does not name", ("{element} is not an element of C4", "outside C4")),
        ("raises another error", "expected ValueError, got IndexError", ("ValueError", "IndexError")),
    ],
    "test-c4-inverse": [
        ("does not wrap around", "C4.inverse(1) is -1, expected 3", ("-r % 4", "-r")),
        ("gives 4 for 0", "4 is not an element", ("-r % 4", "4 - r")),
        ("gives the element itself", "A quarter turn is undone by three more", ("return -r % 4", "return r")),
        ("accepts everything", "There is no element -1 in C4", ("if r not in (0, 1, 2, 3)", "if False")),
        ("lets large elements pass", "4 is not an element of C4", ("r not in (0, 1, 2, 3)", "r < 0")),
    ],
    "test-d4-product": [
        (
            "turns first, then mirrors: the opposite convention",
            "First mirror, then turn",
            ("(r1 + (-r2 if f1 else r2)) % 4", "((-r1 if f2 else r1) + r2) % 4"),
        ),
        ("ignores the mirror image", "F R = R^-1 F", ("(-r2 if f1 else r2)", "r2")),
        ("does a first, then b", "D4.product((0, 1), (1, 0)) is (1, 3), expected (1, 1)", ("= a, b", "= b, a")),
        ("adds mirror images up", "is (2, 0), expected (0, 0)", ("(f1 + f2) % 2", "f1 + f2")),
        (
            "gives a list",
            "is a list",
            ("% 2, (r1 + (-r2 if f1 else r2)) % 4", "% 2, (r1 + (-r2 if f1 else r2)) % 4]"),
            ("return (f1", "return [(f1"),
        ),
        ("accepts everything", "There is no element (0, 4) in D4", ("in (a, b):", "in ():")),
        ("does not check f", "(2, 0) is not an element of D4", ("in (a, b):", "in ((0, a[1]), (0, b[1])):")),
        ("checks its first argument only", "nothing was raised", ("in (a, b):", "in (a,):")),
        ("does not name the element", "does not name (0, 4)", ("{(f, r)} is not", "{r} is not")),
    ],
    "test-d4-inverse": [
        (
            "inverts reflections like turns",
            "D4.inverse((1, 1)) is (1, 3), expected (1, 1)",
            ("(1, r) if f else (0, -r % 4)", "(f, -r % 4)"),
        ),
        ("gives the element itself", "A turn is undone by turning back", ("(1, r) if f else (0, -r % 4)", "(f, r)")),
        ("loses the mirror image", "Two mirror images are none", ("(1, r) if f", "(0, r) if f")),
        ("accepts everything", "There is no element (2, 0) in D4", ('raise ValueError(f"{g}', 'return (f"{g}')),
        ("does not check r", "(0, 4) is not an element of D4", ("or r not in (0, 1, 2, 3)", "")),
    ],
}

RING = "[ring, ring, ring, ring, centre, ring, ring, ring, ring]"
BANK_OF_RINGS = ".unflatten(-1, (3, 3))"
# Looks more closely at the middle of a picture: a turn of the picture does not show it, a move does.
VIGNETTE = """
class {name}({name}):
    def forward(self, x):
        rows, columns = (torch.hann_window(n, False, dtype=x.dtype) for n in x.shape[-2:])
        return super().forward(x * rows[:, None] * columns)
"""
CONSTANT = """
class {name}({name}):
    def forward(self, x):
        return 0 * super().forward(x)
"""

ISOTROPIC: Mistakes = {
    "test-isotropic-conv-filter": [
        (
            "takes the ring for the centre",
            "weight[..., 0] is the centre",
            ("self.weight[..., 0], self.weight[..., 1]", "self.weight[..., 1], self.weight[..., 0]"),
        ),
        (
            "gives corners a zero",
            "at index (0, 0) it is 0, expected 7",
            (RING, "[0 * ring, ring, 0 * ring, ring, centre, ring, 0 * ring, ring, 0 * ring]"),
        ),
        ("stays flat", "has shape (3, 2, 9), expected (3, 2, 3, 3)", (BANK_OF_RINGS, "")),
        ("swaps out and in", "has shape (2, 3, 3, 3)", (BANK_OF_RINGS, f"{BANK_OF_RINGS}.transpose(0, 1)")),
        ("is always in single precision", "dtype torch.float32, expected", (BANK_OF_RINGS, f"{BANK_OF_RINGS}.float()")),
        (
            "has one filter for all channels",
            "The filter for the weights",
            (BANK_OF_RINGS, f"{BANK_OF_RINGS}[:1, :1].expand(*self.weight.shape[:2], 3, 3)"),
        ),
        ("forgets to return", "is a NoneType; a tensor is expected", ("return torch.stack", "torch.stack")),
        ("crashes with bias=False", "NoneType", ("return torch.stack", "self.bias.shape\n        return torch.stack")),
    ],
    "test-isotropic-conv-convolution": [
        ("leaves the bias out", "8·1 and the bias 0.5", ("self.bias, padding=1", "None, padding=1")),
        ("adds the bias twice", "it is 11, expected 10.5", ("self.bias, padding=1", "2 * self.bias, padding=1")),
        ("does not pad", "has shape (1, 1, 3, 3), expected (1, 1, 5, 5)", ("padding=1", "padding=0")),
        (
            "pads by repeating the border",
            "Are padding and bias as given?",
            ("F.conv2d(x,", 'F.conv2d(F.pad(x, (1, 1, 1, 1), mode="replicate"),'),
            ("padding=1", "padding=0"),
        ),
        (
            "makes its filters from detached weights",
            "The gradient of IsotropicConv2d(3, 4, bias=True) for its weight",
            ("self.weight[", "self.weight.detach()["),
        ),
        ("makes its filters from .data", "for its weight", (BANK_OF_RINGS, f"{BANK_OF_RINGS}.data")),
        (
            "cuts the bias off",
            "for its bias",
            ("self.bias, padding=1", "self.bias if self.bias is None else self.bias.data, padding=1"),
        ),
        ("cuts its input off", "for its input", ("F.conv2d(x,", "F.conv2d(x.detach(),")),
        ("crashes with bias=False", "NoneType", ("self.bias, padding=1", "self.bias.clone(), padding=1")),
    ],
    "test-isotropic-conv-equivariance": [
        ("leaves one corner out", "Are all eight neighbours equal?", (RING, RING.replace("[ring", "[0 * ring"))),
        (
            "has a direction",
            "Are all eight neighbours equal?",
            (RING, RING.replace("centre, ring", "centre, 2 * ring")),
        ),
        ("is a 1x1 convolution", "is it a 3x3 convolution?", ("centre, ring = self", "ring, centre = 0 * self")),
        ("is constant", "is the same for different inputs. Does it depend", CONSTANT.format(name="IsotropicConv2d")),
        ("looks at the middle more closely", "for an input moved by", VIGNETTE.format(name="IsotropicConv2d")),
    ],
}

ACTION = "rotate(y, r).roll(r, -3)"
ROTATE_P4: Mistakes = {
    "test-rotate-p4-quarter-turn": [
        ("rolls the other way", "In the formula, s - 1 = 0: which s is that?", (ACTION, "rotate(y, r).roll(-r, -3)")),
        ("does not roll", "The orientation of a feature that had orientation 0 is 0", (ACTION, "rotate(y, r)")),
        ("does not turn the pixels", "The (row, column) of a feature", (ACTION, "y.roll(r, -3)")),
        ("turns clockwise", "After a counter-clockwise turn it is top", (ACTION, "rotate(y, -r).roll(r, -3)")),
        ("counts axes from the front", "for y of shape (2, 4, 5, 5)", (ACTION, "rotate(y, r).roll(r, 2)")),
        ("adds up instead of moving", "Values may only move", (ACTION, f"y + {ACTION}")),
        ("flattens its axes", "(1, 4, 3, 3), expected (1, 1, 4, 3, 3)", (ACTION, f"{ACTION}.flatten(-4, -3)")),
    ],
    "test-rotate-p4-every-turn": [
        (
            "is right for r = 1 only",
            "Do pixels and group axis turn the same",
            (ACTION, "rotate(y, 1).roll(1, -3) if r else y"),
        ),
        ("always rolls by one", "No turn changes nothing", (ACTION, "rotate(y, r).roll(1, -3)")),
        ("is wrong for r = 2 only", "rotate_p4(y, 2) is wrong", (ACTION, "rotate(y, r).roll(r % 2 * r, -3)")),
        ("rolls the other way", "rotate_p4(y, 1) is wrong", (ACTION, "rotate(y, r).roll(-r, -3)")),
        ("does nothing", "is the same for different inputs", (ACTION, "y")),
    ],
}

# The bank is computed once, from the first weights.
ONCE = """
class {name}({name}):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.made = tuple(t if t is None else t.detach() for t in super().build_filter())

    def build_filter(self):
        return self.made
"""
# The bank is computed when it is needed first, and then kept.
KEPT = """
class {name}({name}):
    made = None

    def build_filter(self):
        self.made = self.made or super().build_filter()
        return self.made
"""


def filter_mistakes(order: int, shared: str, name: str) -> list[tuple]:
    """Mistakes in the filter bank that can be made with every group.

    Args:
        order: how many elements the group has.
        shared: the cause that the cell names for a bias that depends on the element.
        name: the layer's class.
    """
    bias = f"self.bias[:, None].expand(-1, {order})"
    stack = "for f in (0, 1) for r in range(4)], dim=1)" if order == 8 else "for s in range(4)], dim=1)"
    return [
        ("stacks along another axis", "The axes are (out", (stack, stack.replace("dim=1", "dim=0"))),
        ("is always in single precision", "dtype torch.float32, expected torch.float64", (stack, f"{stack}.float()")),
        (
            "has no bias",
            "The bias is a NoneType; a tensor is expected",
            (f"None if self.bias is None else {bias}", "None"),
        ),
        ("gives the bias to one element only", shared, (bias, f"{bias} * torch.eye({order})[0]")),
        ("has one bias per channel", f"The bias has shape (1,), expected (1, {order})", (bias, "self.bias")),
        (
            "has a bias parameter for each element",
            f"bias has shape (1, {order}), not (1,)",
            ("torch.zeros(out_channels)", f"torch.zeros(out_channels, {order})"),
            (bias, "self.bias"),
        ),
        ("crashes with bias=False", "NoneType", ("None if self.bias is None else ", "")),
        ("makes its bank once, at the start", "It is the weight itself", ONCE.format(name=name)),
    ]


def convolution_mistakes(order: int, name: str, what: str) -> list[tuple]:
    """Mistakes in the convolution that can be made with every group.

    Args:
        order: how many elements the group has.
        name: the layer's class.
        what: how the first layer is called of which the hidden part looks at the gradient.
    """
    x = "y.flatten(1, 2)" if "Group" in name else "x"
    bias = f"self.bias[:, None].expand(-1, {order})"
    return [
        ("leaves the bias out", "bias", ("bias, padding=", "None, padding=")),
        ("adds the bias twice", "bias", (" bias.flatten()", " 2 * bias.flatten()")),
        ("ignores padding", "has shape", ("padding=self.padding", "padding=0")),
        ("puts the group axis first", "has shape", (f"(self.out_channels, {order})", f"({order}, self.out_channels)")),
        (
            "mixes channels and elements",
            f"The output of {name}(2, 3, 1",
            ("bank.flatten(0, 1)", "bank.transpose(0, 1).flatten(0, 1)")
            if x == "x"
            else (".flatten(2, 3)", ".transpose(2, 3).flatten(2, 3)"),
        ),
        ("uses detached weights", f"The gradient of {what} for its weight", ("(self.weight", "(self.weight.detach()")),
        ("cuts the bias off", f"The gradient of {what} for its bias", (bias, bias.replace("bias", "bias.data"))),
        ("cuts its input off", f"The gradient of {what} for its input", (f"F.conv2d({x}", f"F.conv2d({x}.detach()")),
        (
            "crashes with bias=False when it runs",
            "NoneType",
            ("None if bias is None else bias.flatten()", "bias.flatten()"),
        ),
        ("keeps its first bank for ever", f"The output of {name}(2, 3, 1", KEPT.format(name=name)),
    ]


FOUR, EIGHT = "All four orientations share one bias", "All eight elements share one bias"
LIFT, GROUP = "rotate(self.weight, s)", "rotate_p4(self.weight, s)"
C4_LAYERS: Mistakes = {
    "test-lifting-conv-filter": [
        ("turns clockwise", "brings the right edge's middle, 5, to the top", (LIFT, "rotate(self.weight, -s)")),
        ("does not turn its filters", "brings the right edge's middle, 5, to", (LIFT, "self.weight")),
        (
            "shares one filter between its output channels",
            "weight has shape (1, 3, 1, 1), expected (2, 3, 1, 1)",
            ("torch.randn(out_channels,", "torch.randn(1,"),
            (LIFT, "rotate(self.weight.expand(self.out_channels, -1, -1, -1), s)"),
        ),
        (
            "is right for s = 1 only",
            "The filter bank of LiftingConv2d(1, 1, 2)",
            (LIFT, "rotate(self.weight, min(s, 1))"),
        ),
        (
            "starts with the filter turned once",
            "It is the weight itself, not turned",
            (LIFT, "rotate(self.weight, s + 1)"),
        ),
        (
            "mirrors instead of turning",
            "to the top",
            (LIFT, "(self.weight, self.weight.mT, reflect(self.weight), reflect(self.weight.mT))[s]"),
        ),
        *filter_mistakes(4, FOUR, "LiftingConv2d"),
    ],
    "test-lifting-conv-convolution": convolution_mistakes(
        4, "LiftingConv2d", "LiftingConv2d(2, 3, 1, padding=0, bias=True)"
    ),
    "test-lifting-conv-equivariance": [
        ("does not turn its filters", "Is each filter turned by its own s?", (LIFT, "self.weight")),
        ("turns clockwise", "Pixels turn and channels roll", (LIFT, "rotate(self.weight, -s)")),
        ("is right for s = 1 only", "turned by its own s?", (LIFT, "rotate(self.weight, min(s, 1))")),
        (
            "has a bias for each orientation",
            "The largest of the four answers",
            ("expand(-1, 4)", "expand(-1, 4) * torch.arange(4)"),
        ),
        (
            "adds up all turns, so that no orientation is kept",
            "The answer of the four orientations is the same",
            (LIFT, "sum(rotate(self.weight, r) for r in range(4))"),
        ),
        ("is constant", "is the same for different inputs. Does it depend", CONSTANT.format(name="LiftingConv2d")),
        ("looks at the middle more closely", "for an input moved by", VIGNETTE.format(name="LiftingConv2d")),
    ],
    "test-group-conv-filter": [
        ("does not roll", "Turned in the plane AND rolled along the group", (GROUP, LIFT)),
        ("does not turn", "The right edge's middle turns to the top", (GROUP, "self.weight.roll(s, -3)")),
        ("rolls the other way", "AND rolled along the group", (GROUP, "rotate(self.weight, s).roll(-s, -3)")),
        ("turns and rolls the other way", "turns to the top", (GROUP, "rotate_p4(self.weight, -s)")),
        (
            "is right for s = 1 only",
            "The filter bank of GroupConv2d(1, 1, 1)",
            (GROUP, "rotate_p4(self.weight, min(s, 1))"),
        ),
        (
            "swaps the two group axes",
            "The filter bank of GroupConv2d(1, 1, 1)",
            ("range(4)], dim=1)", "range(4)], dim=1).transpose(1, 3)"),
        ),
        *filter_mistakes(4, FOUR, "GroupConv2d"),
    ],
    "test-group-conv-convolution": convolution_mistakes(4, "GroupConv2d", "GroupConv2d(2, 3, 1, padding=0, bias=True)"),
    "test-group-conv-equivariance": [
        ("does not roll", "Pixels turn and channels roll, in every filter too", (GROUP, LIFT)),
        ("does not turn", "Is each filter turned by its own s?", (GROUP, "self.weight.roll(s, -3)")),
        ("rolls the other way", "in every filter too", (GROUP, "rotate(self.weight, s).roll(-s, -3)")),
        ("is right for s = 1 only", "turned by its own s?", (GROUP, "rotate_p4(self.weight, min(s, 1))")),
        (
            "has a bias for each orientation",
            "The largest of the four answers",
            ("expand(-1, 4)", "expand(-1, 4) * torch.arange(4)"),
        ),
        (
            "adds up all turns, so that no orientation is kept",
            "The answer of the four orientations is the same",
            (GROUP, "sum(rotate_p4(self.weight, r) for r in range(4))"),
        ),
        ("is constant", "is the same for different inputs. Does it depend", CONSTANT.format(name="GroupConv2d")),
        ("looks at the middle more closely", "for an input moved by", VIGNETTE.format(name="GroupConv2d")),
    ],
}

D4_LIFT, D4_GROUP = "rotate(starts[f], r)", "transform_p4m(self.weight, (f, r))"
PERMUTED = "[..., [4, 7, 6, 5, 0, 3, 2, 1], :, :]"
D4_LAYERS: Mistakes = {
    "test-d4-action": [
        (
            "turns first, then mirrors",
            "transform_p4m(y, (1, 1))",
            "def transform_p4m(y, g, act=transform_p4m):\n    return act(act(y, (0, g[1])), (g[0], 0))",
        ),
        ("swaps the halves without reversing them", "transform_p4m(y, (1, 0))", (PERMUTED, ".roll(4, -3)")),
        (
            "reverses the halves without swapping them",
            "It goes to the top left, F e = F",
            (PERMUTED, "[..., [0, 3, 2, 1, 4, 7, 6, 5], :, :]"),
        ),
        ("does not mirror the pixels", "It goes to the top left", ("reflect(y)[", "y[")),
        ("mirrors up and down", "It goes to the top left", ("reflect(y)[", "y.flip(-2)[")),
        (
            "rolls all eight as one circle",
            "transform_p4m(y, (0, 1))",
            ("torch.cat([turns.roll(r, -3), mirrored.roll(r, -3)], dim=-3)", "rotate(y, r).roll(r, -3)"),
        ),
        ("rolls the mirrored half the other way", "transform_p4m(y, (0, 1))", ("mirrored.roll(r", "mirrored.roll(-r")),
        ("turns clockwise", "It turns to the top left, R e = R", ("rotate(y, r)", "rotate(y, -r)")),
        ("takes g for (r, f)", "after a quarter turn is (4, 0, 0), expected (1, 0, 0)", ("f, r = g", "r, f = g")),
        (
            "counts axes from the front",
            "for y of shape (8, 4, 4)",
            ("turns.roll(r, -3)", "turns.roll(r, y.dim() % 2 + 1)"),
        ),
    ],
    "test-d4-lifting-conv": [
        (
            "turns first, then mirrors",
            "Mirror first, then turn",
            (D4_LIFT, "(reflect(rotate(self.weight, r)) if f else rotate(self.weight, r))"),
        ),
        ("does not mirror", "F swaps left and right", ("reflect(self.weight)", "self.weight")),
        ("mirrors up and down", "F swaps left and right", ("reflect(self.weight)", "self.weight.flip(-2)")),
        ("does not turn", "Mirror first, then turn", (D4_LIFT, "starts[f]")),
        ("turns clockwise", "Mirror first, then turn", (D4_LIFT, "rotate(starts[f], -r)")),
        (
            "is ordered by turns, then mirror images",
            "F swaps left and right",
            ("for f in (0, 1) for r in range(4)", "for r in range(4) for f in (0, 1)"),
        ),
        *filter_mistakes(8, EIGHT, "D4LiftingConv2d"),
        *convolution_mistakes(8, "D4LiftingConv2d", "D4LiftingConv2d(2, 3, 1, padding=0, bias=True)"),
    ],
    "test-d4-group-conv": [
        (
            "does not permute",
            "F e = F, and right becomes left",
            (D4_GROUP, "rotate(reflect(self.weight) if f else self.weight, r)"),
        ),
        ("does not mirror", "F e = F", (D4_GROUP, "transform_p4m(self.weight, (0, r))")),
        ("does not turn", "The filter bank of D4GroupConv2d(2, 3, 1", (D4_GROUP, "transform_p4m(self.weight, (f, 0))")),
        (
            "turns the other way",
            "The filter bank of D4GroupConv2d(2, 3, 1",
            (D4_GROUP, "transform_p4m(self.weight, (f, -r))"),
        ),
        (
            "uses inverse elements",
            "The filter bank of D4GroupConv2d(2, 3, 1",
            (D4_GROUP, "transform_p4m(self.weight, D4.inverse((f, r)))"),
        ),
        (
            "swaps the two group axes",
            "The filter bank of D4GroupConv2d(2, 3, 1",
            ("range(4)], dim=1)", "range(4)], dim=1).transpose(1, 3)"),
        ),
        *filter_mistakes(8, EIGHT, "D4GroupConv2d"),
        *convolution_mistakes(8, "D4GroupConv2d", "D4GroupConv2d(2, 3, 1, padding=0, bias=True)"),
    ],
}

BY_HAND = """
class GroupBatchNorm2d(GroupBatchNorm2d):
    def forward(self, y):
        axes = (0, 2, 3, 4)
        if self.training:
            mean, var = y.mean(axes, keepdim=True), y.var(axes, unbiased=False, keepdim=True)
            n = y.numel() / y.shape[1]
            with torch.no_grad():
                self.num_batches_tracked += 1
                self.running_mean.lerp_(mean.mean((0, 2, 3, 4)), self.momentum)
                self.running_var.lerp_(var.mean((0, 2, 3, 4)) * n / (n - 1), self.momentum)
        else:
            mean, var = (t.reshape(1, -1, 1, 1, 1) for t in (self.running_mean, self.running_var))
        weight, bias = (t.reshape(1, -1, 1, 1, 1) for t in (self.weight, self.bias))
        return (y - mean) / (var + self.eps).sqrt() * weight + bias
"""


def by_hand(*changes: tuple[str, str]) -> str:
    """A batch normalisation written by hand, with changes ``(old, new)``."""
    code = BY_HAND
    for old, new in changes:
        assert old in code, old
        code = code.replace(old, new)
    return code


# Running statistics for each orientation, (channels * 4).
ORIENTED = """    def __init__(self, num_features):
        super().__init__(num_features)
        self.register_buffer("running_mean", torch.zeros(4 * num_features))
        self.register_buffer("running_var", torch.ones(4 * num_features))
"""
LEARNS_IN_EVALUATION = """
class GroupBatchNorm2d(GroupBatchNorm2d):
    def forward(self, y):
        z = super().forward(y)
        if not self.training:
            self.running_mean.lerp_(y.mean((0, 2, 3, 4)), self.momentum)
        return z
"""
INSTANCE_NORM = """
class GroupBatchNorm2d(nn.InstanceNorm3d):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__(num_features, eps, momentum, affine=True, track_running_stats=True)
"""
BATCH_NORM: Mistakes = {
    "test-batch-norm-training-mode": [
        ("is an InstanceNorm", "Statistics per channel, over batch, group and space", INSTANCE_NORM),
        ("has statistics per image", "Statistics per channel, over batch", by_hand(("axes = (0, 2", "axes = (2"))),
        (
            "has statistics per orientation",
            "Statistics per channel",
            by_hand(("axes = (0, 2, 3, 4)", "axes = (0, 3, 4)")),
        ),
        (
            "has statistics per pixel",
            "Statistics per channel, over batch",
            by_hand(("axes = (0, 2, 3, 4)", "axes = (0, 2)")),
        ),
        (
            "has one mean for all channels",
            "Is the mean taken per channel?",
            by_hand(("axes = (0, 2", "axes = (0, 1, 2")),
        ),
        ("divides the variance by n - 1", "divided by n, as 3.5 says", by_hand(("unbiased=False", "unbiased=True"))),
        (
            "divides both variances by n - 1",
            "divided by n, as 3.5 says",
            by_hand(("unbiased=False, ", ""), (" * n / (n - 1)", "")),
        ),
        ("divides by the variance", "The variance of a normalised channel", by_hand((".sqrt()", ""))),
        (
            "adds eps outside the root",
            "The output in training mode",
            by_hand(("(var + self.eps).sqrt()", "(var.sqrt() + self.eps)")),
        ),
        ("has a fixed eps", "eps=0.5", ("self.momentum, self.eps", "self.momentum, 1e-5")),
        (
            "has no scale and shift",
            "The output in training mode",
            ("self.weight, self.bias, self.t", "None, None, self.t"),
        ),
        ("uses running statistics", "Is the mean taken per channel?", ("self.training, self.mom", "False, self.mom")),
        (
            "takes its statistics for constants",
            "Are mean and variance part of it?",
            by_hand(("unbiased=False, keepdim=True)", "unbiased=False, keepdim=True).detach()")),
        ),
        (
            "flattens its output",
            "has shape (4, 12, 5, 5)",
            ("self.momentum, self.eps\n        )", "self.momentum, self.eps\n        ).flatten(1, 2)"),
        ),
        ("keeps the computation of every batch", "torch.no_grad()", by_hand(("with torch.no_grad()", "if True"))),
    ],
    "test-batch-norm-evaluation-mode": [
        (
            "uses the batch's statistics",
            "The output of a fresh layer in evaluation mode",
            ("self.training, self.mom", "True, self.mom"),
        ),
        (
            "updates no running statistics",
            "running_mean after one batch",
            ("self.running_mean, self.running_var,", "self.running_mean.clone(), self.running_var.clone(),"),
        ),
        ("has a biased running variance", "running_var after three batches", by_hand((" * n / (n - 1)", ""))),
        (
            "takes momentum for the old value's share",
            "Momentum 0.1",
            ("self.momentum, self.eps", "1 - self.momentum, self.eps"),
        ),
        (
            "has a fixed momentum",
            "running_mean after three batches, momentum 0.3",
            ("self.momentum, self.eps", "0.1, self.eps"),
        ),
        (
            "keeps the last batch's mean only",
            "running_mean after one batch",
            by_hand(
                (
                    "self.running_mean.lerp_(mean.mean((0, 2, 3, 4)), self.momentum)",
                    "self.running_mean.copy_(mean.flatten())",
                )
            ),
        ),
        ("learns in evaluation mode", "Nothing is learned in evaluation mode", LEARNS_IN_EVALUATION),
        ("counts no batches", "num_batches_tracked after three batches is 0, expected 3", ("+= 1", "+= 0")),
        (
            "counts batches in evaluation mode",
            "num_batches_tracked after a batch in evaluation mode",
            ("if self.training:", "if True:"),
        ),
        (
            "starts with a variance of zero",
            "The running mean is 0 and the variance 1",
            ('"running_var", torch.ones', '"running_var", torch.zeros'),
        ),
        (
            "starts with a scale of a half",
            "The output of a fresh layer",
            ("nn.Parameter(torch.ones(num_features))", "nn.Parameter(torch.ones(num_features) / 2)"),
        ),
        (
            "calls its statistics by other names",
            "The list of missing parameters and buffers is",
            ("running_mean", "average"),
        ),
        (
            "has no num_batches_tracked",
            "The list of missing parameters and buffers is",
            ('self.register_buffer("num_batches_tracked", torch.tensor(0))', "self.count = 0"),
            ("self.num_batches_tracked", "self.count"),
        ),
        (
            "trains its running statistics",
            "running_mean and running_var are buffers",
            (
                'self.register_buffer("running_mean", torch.zeros(num_features))',
                "self.running_mean = nn.Parameter(torch.zeros(num_features))",
            ),
            ("self.running_mean, self", "self.running_mean.data, self"),
        ),
        ("uses an InstanceNorm", "running_var after three batches", INSTANCE_NORM),
        (
            "has no scale and shift",
            "The output in evaluation mode",
            (
                "self.weight, self.bias, self.t",
                "*((None, None) if not self.training else (self.weight, self.bias)), self.t",
            ),
        ),
    ],
}

LAST_POOL = "nn.MaxPool3d((4, 3, 3), stride=(1, 1, 1))"
ONE_ORIENTATION = (
    (LAST_POOL, "nn.MaxPool3d((1, 3, 3), stride=(1, 1, 1))"),
    ("self.features(x).flatten(1)", "self.features(x)[:, :, 0].flatten(1)"),
)
# An ordinary network, averaged over the four turned images, with the right number of parameters.
AVERAGED = """
class C4CNN(nn.Module):
    def __init__(self, n_classes=10):
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.MaxPool2d(3), nn.Flatten(), nn.Linear(800, n_classes))
        self.unused = nn.Linear(393_290 - parameter_count(self.net), 1, bias=False)

    def forward(self, x):
        return sum(self.net(rotate(x, r)) for r in range(4)) / 4
"""
# The caller's images are another network's input the next time.
IN_PLACE = """
class C4CNN(C4CNN):
    def forward(self, x):
        x -= 0.5
        return super().forward(x)
"""
# Invariant until it is trained: what is added to each pixel is zero at first.
POSITIONS = """
class {name}({name}):
    def __init__(self, n_classes=10):
        super().__init__(n_classes)
        self.position = nn.Parameter(torch.zeros(33, 33))

    def forward(self, x):
        return super().forward(x + self.position)
"""


def network_mistakes(name: str) -> list[tuple]:
    """Mistakes that can be made in every network.

    Args:
        name: the network's class.
    """
    given = "The network's output for given weights"
    return [
        (
            "has no ReLU after the first convolution",
            given,
            ("layers.append(nn.ReLU())", "layers.append(nn.ReLU() if i else nn.Identity())"),
        ),
        (
            "has no ReLU after the last convolution",
            given,
            ("layers.append(nn.ReLU())", "layers.append(nn.ReLU() if i < 4 else nn.Identity())"),
        ),
        (
            "has one channel too few",
            "The number of parameters",
            ("128]", "127]") if name != "IsotropicCNN" else ("256, 128]", "255, 128]"),
        ),
        (
            "ends with a softmax",
            given,
            ("self.classifier(self.features(x).flatten(1))", "self.classifier(self.features(x).flatten(1)).softmax(1)"),
        ),
        ("ignores n_classes", "(n_classes=3)", (", n_classes)", ", 10)")),
        (
            "gives one row for all images",
            "has shape (1, 10), expected (5, 10)",
            ("self.features(x).flatten(1))", "self.features(x).flatten(1))[:1]"),
        ),
    ]


NETWORKS: Mistakes = {
    "test-c4cnn-architecture": [
        *network_mistakes("C4CNN"),
        ("is constant", "The network's output for given weights", CONSTANT.format(name="C4CNN")),
        ("takes one orientation instead of pooling", "The network's output for given weights", *ONE_ORIENTATION),
        (
            "pools by averaging",
            "Does a pool and a ReLU follow each convolution",
            ("nn.MaxPool3d((1, 3, 3)", "nn.AvgPool3d((1, 3, 3)"),
        ),
        (
            "pools over smaller windows",
            "Does a pool and a ReLU follow each convolution",
            (
                "nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1))",
                "nn.MaxPool3d((1, 1, 1), stride=(1, 2, 2))",
            ),
        ),
        (
            "has no biases",
            "Are channels, kernel size and biases as described?",
            ("padding=1)", "padding=1, bias=False)"),
        ),
        ("changes its input in place", "The network's output for given weights", IN_PLACE),
        ("is an ordinary network, averaged over turns", "2 layers with parameters ran, expected 6", AVERAGED),
    ],
    "test-c4cnn-invariance": [
        ("takes one orientation instead of pooling", "does the last pool take in all 4?", *ONE_ORIENTATION),
        ("is constant", "A constant answer is invariant and useless", CONSTANT.format(name="C4CNN")),
        (
            "pools without padding",
            "digits turned 1 times",
            ("(1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1)", "(1, 2, 2)"),
            ("(4, 3, 3), stride=(1, 1, 1)", "(4, 2, 2)"),
        ),
        ("is invariant until it is trained", "The trained c4cnn's answer", POSITIONS.format(name="C4CNN")),
    ],
    "test-isotropic-cnn-architecture": [
        *network_mistakes("IsotropicCNN"),
        ("is constant", "The network's output for given weights", CONSTANT.format(name="IsotropicCNN")),
        ("has C4CNN's channels", "The number of parameters", ("[32, 64, 128, 256, 128]", "[8, 16, 32, 64, 128]")),
        (
            "has no biases",
            "The number of parameters",
            ("IsotropicConv2d(before, out_channels)", "IsotropicConv2d(before, out_channels, False)"),
        ),
        (
            "pools by averaging",
            "Does a pool and a ReLU follow each convolution",
            ("nn.MaxPool2d(3, stride=2", "nn.AvgPool2d(3, stride=2"),
        ),
    ],
    "test-isotropic-cnn-invariance": [
        ("is constant", "A constant answer is invariant and useless", CONSTANT.format(name="IsotropicCNN")),
        (
            "pools without padding",
            "are the pools as described?",
            ("3, stride=2, padding=1", "2"),
            ("nn.MaxPool2d(3, stride=1)", "nn.MaxPool2d(2)"),
        ),
        (
            "is invariant until it is trained",
            "The trained isotropic_cnn's answer",
            POSITIONS.format(name="IsotropicCNN"),
        ),
        (
            "has ordinary convolutions",
            "digits turned 1 times",
            ("IsotropicConv2d(before, out_channels)", "nn.Conv2d(before, out_channels, 3, padding=1)"),
        ),
    ],
    "test-c4cnn-bn-network": [
        *network_mistakes("C4CNNWithBatchNorm"),
        ("is constant", "A constant answer is invariant and useless", CONSTANT.format(name="C4CNNWithBatchNorm")),
        (
            "has no norm after the first convolution",
            "A norm after each convolution",
            ("GroupBatchNorm2d(out_channels)", "GroupBatchNorm2d(out_channels) if i else nn.Identity()"),
        ),
        ("has no biases in its convolutions", "whose biases stay?", ("padding=1)", "padding=1, bias=False)")),
        (
            "normalises after the ReLU",
            "Does each convolution have its norm, then a pool, then a ReLU?",
            ("layers.append(GroupBatchNorm2d(out_channels))", ""),
            ("layers.append(nn.ReLU())", "layers.extend([nn.ReLU(), GroupBatchNorm2d(out_channels)])"),
        ),
        ("takes one orientation instead of pooling", "Does the last pool take in all 4?", *ONE_ORIENTATION),
    ],
    "test-d4cnn-network": [
        *network_mistakes("D4CNN"),
        ("is constant", "A constant answer is invariant and useless", CONSTANT.format(name="D4CNN")),
        (
            "pools over the four turns only",
            "Does the last pool take in all 8?",
            ("(8, 3, 3), stride=(1, 1, 1)", "(4, 3, 3), stride=(4, 1, 1)"),
            ("self.features(x).flatten(1)", "self.features(x)[:, :, 0].flatten(1)"),
        ),
        (
            "has C4CNN's layers",
            "The number of parameters",
            ("D4LiftingConv2d(", "LiftingConv2d("),
            ("D4GroupConv2d(", "GroupConv2d("),
            ("(8, 3, 3)", "(4, 3, 3)"),
        ),
    ],
}

MISTAKES = GROUPS | ISOTROPIC | ROTATE_P4 | C4_LAYERS | D4_LAYERS | BATCH_NORM | NETWORKS
TESTS = list(MISTAKES)
WRONG = {f"{test}: {what}": (test, says, changes) for test in TESTS for what, says, *changes in MISTAKES[test]}

# More right answers: the test cells that must pass, and the changes.
RIGHT = {
    "a norm that is PyTorch's, by another name": (
        ("test-batch-norm-training-mode", "test-batch-norm-evaluation-mode", "test-c4cnn-bn-network"),
        ["class GroupBatchNorm2d(nn.BatchNorm3d):\n    pass"],
    ),
    "a norm by hand": (("test-batch-norm-training-mode", "test-batch-norm-evaluation-mode"), [BY_HAND]),
    "a lifting convolution that is a Conv2d": (
        ("test-lifting-conv-filter", "test-lifting-conv-convolution", "test-lifting-conv-equivariance"),
        [
            """
class LiftingConv2d(nn.Conv2d):
    def build_filter(self):
        return torch.stack([rotate(self.weight, s) for s in range(4)], 1), (
            self.bias if self.bias is None else self.bias.repeat(4, 1).T
        )

    def forward(self, x):
        bank, bias = self.build_filter()
        y = [self._conv_forward(x, bank[:, s], bias if bias is None else bias[:, s]) for s in range(4)]
        return torch.stack(y, 2)
"""
        ],
    ),
    "an isotropic filter from a fixed pattern": (
        ("test-isotropic-conv-filter", "test-isotropic-conv-convolution", "test-isotropic-cnn-architecture"),
        [
            """
class IsotropicConv2d(IsotropicConv2d):
    def __init__(self, in_channels, out_channels, bias=True):
        super().__init__(in_channels, out_channels, bias)
        self.register_buffer("middle", torch.zeros(3, 3))
        self.middle[1, 1] = 1

    def build_filter(self):
        centre, ring = self.weight[..., None, None].unbind(2)
        return centre * self.middle + ring * (1 - self.middle)
"""
        ],
    ),
    "a group convolution with a table of indices": (
        ("test-group-conv-filter", "test-group-conv-convolution", "test-c4cnn-architecture"),
        [
            """
class GroupConv2d(GroupConv2d):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.register_buffer("table", (torch.arange(4) - torch.arange(4)[:, None]) % 4)

    def build_filter(self):
        bank = torch.stack([rotate(self.weight[:, :, self.table[s]], s) for s in range(4)], 1)
        return bank, None if self.bias is None else self.bias[:, None].expand(-1, 4)
"""
        ],
    ),
    "a network with norms that is made from another": (
        ("test-c4cnn-bn-network",),
        [
            """
class C4CNNWithBatchNorm(C4CNN):
    def __init__(self, n_classes=10):
        super().__init__(n_classes)
        for i, channels in enumerate((8, 16, 32, 64, 128)):
            self.features.insert(4 * i + 1, nn.BatchNorm3d(channels))
"""
        ],
    ),
    "layers that are defined in another order than they run": (
        ("test-c4cnn-architecture", "test-c4cnn-invariance"),
        [
            """
class C4CNN(nn.Module):
    def __init__(self, n_classes=10):
        super().__init__()
        self.linear = nn.Linear(128, n_classes)
        sizes = [(64, 128), (32, 64), (16, 32), (8, 16)]
        self.late_first = nn.ModuleList(GroupConv2d(a, b, 3, padding=1) for a, b in sizes)
        self.start = LiftingConv2d(1, 8, 3, padding=1)

    def forward(self, x):
        x = self.start(x)
        for layer in reversed(self.late_first):
            x = layer(F.max_pool3d(x, (1, 3, 3), (1, 2, 2), (0, 1, 1)).relu())
        return self.linear(x.amax((-1, -2)).amax(-1).relu())
"""
        ],
    ),
}


def exercise(test: str) -> str:
    """The exercise that a test cell tests."""
    return next(key for key in sorted(EXERCISES, key=len, reverse=True) if test.startswith(f"test-{key}"))


def changed(notebook, test: str, changes: list[Change]) -> dict[str, str]:
    """The model's answers with changes as in the tables above."""
    key = exercise(test)
    return notebook.answers(*((key, change) if isinstance(change, str) else (key, *change) for change in changes))


@pytest.fixture(autouse=True)
def one_thread(request):
    """Small tensors are several times faster on one thread; training, which takes long, has all of them."""
    before = torch.get_num_threads()
    if request.node.get_closest_marker("slow") is None:
        torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def different(notebook, project, source):
    """Right answers that are written quite differently from the model's."""
    return notebook.sample(project / "tests" / "submissions" / "passes_all__written_quite_differently.py", source)


@pytest.fixture(scope="session")
def untouched(notebook, source):
    """What stands in the answer cells before anything is written."""
    return {cell.id: cell.source for cell in as_released(source).cells if cell.id in notebook.model}


@pytest.fixture
def without_autograder(monkeypatch):
    """An environment in which nothing of the autograder can be imported."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "autograder"]:
        monkeypatch.setitem(sys.modules, name, None)


def test_every_test_cell_is_tested_here(notebook):
    """Is there a wrong answer for each test cell, none for a cell that is gone, and has each a name of its own?"""
    assert {*TESTS, *ACCURACY} == set(notebook.tests)
    assert len(WRONG) == sum(map(len, MISTAKES.values()))


@pytest.mark.parametrize("test", TESTS)
def test_the_model_answer_passes(notebook, test):
    """Do the model's answers pass, with the promised sentence and without a word on stderr?"""
    outcome = notebook.run(test)
    assert outcome.passed, outcome.message
    assert re.fullmatch(r"All public checks of .* passed\.\n", outcome.printed)
    assert outcome.complaints == ""


@pytest.mark.parametrize("test", TESTS)
def test_answers_written_quite_differently_pass(notebook, different, test):
    """Do right answers by other means pass, without a word on stderr?"""
    outcome = notebook.run(test, different)
    assert outcome.passed, outcome.message
    assert outcome.complaints == ""


@pytest.mark.parametrize(("tests", "changes"), RIGHT.values(), ids=RIGHT)
def test_another_right_answer_passes(notebook, tests, changes):
    """Is how a result is computed really up to the student?"""
    for test in tests:
        outcome = notebook.run(test, changed(notebook, tests[0], changes))
        assert outcome.passed, f"{test}: {outcome.message}"


@pytest.mark.parametrize(("test", "says", "changes"), WRONG.values(), ids=WRONG)
def test_a_wrong_answer_is_rejected(notebook, test, says, changes):
    """Is the mistake found, and does the message say what was got, what was expected, and what to look at?"""
    outcome = notebook.run(test, changed(notebook, test, changes))
    assert not outcome.passed, "the wrong answer survives"
    assert says in outcome.message
    if outcome.kind == "AssertionError":
        assert re.search("expected|is the same for different inputs|does not name", outcome.message), outcome.message


@pytest.mark.parametrize("path", sorted(SUBMISSIONS.glob("fails_*.py")), ids=lambda path: path.stem)
def test_a_failing_sample_is_rejected(notebook, source, path):
    """Does a test cell of the exercise that a sample's name gives reject it?"""
    answers, key = notebook.sample(path, source), path.stem.split("__")[0].removeprefix("fails_").replace("_", "-")
    tests = [test for test in TESTS if key in (exercise(test), "everything")]
    assert not all(notebook.run(test, answers).passed for test in tests)


@pytest.mark.parametrize("test", [*TESTS, *ACCURACY])
def test_an_untouched_answer_earns_nothing(notebook, untouched, test):
    """Does every test cell reject what was never written?"""
    assert not notebook.run(test, untouched).passed


@pytest.mark.parametrize("test", TESTS)
def test_the_visible_part_needs_no_autograder(notebook, without_autograder, test):
    """Does what students get pass the model's answers on a machine that has no autograder?"""
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("autograder.reference")
    outcome = notebook.run(test, visible_only=True)
    assert outcome.passed, outcome.message
    assert "hidden" not in notebook.visible(test).lower() and "autograder" not in notebook.visible(test)


@pytest.mark.parametrize("test", [*TESTS, *ACCURACY])
def test_visible_checks_name_the_likely_cause(notebook, test):
    """Has every visible check of a value a sentence on what may be wrong, where a shape or None speaks for itself?"""
    place = {"close": 3, "equal": 3, "varies": 2}
    for call in ast.walk(ast.parse(notebook.visible(test))):
        match call:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="checks"), attr=kind)) if kind in place:
                named = [*call.args[place[kind] :], *(k for k in call.keywords if k.arg == "cause")]
                assert named or ast.unparse(call.args[1]) == "None", ast.unparse(call)
            case ast.Call(func=ast.Name(id="raises")):
                assert any(k.arg == "otherwise" for k in call.keywords), ast.unparse(call)


def free_names(code: str) -> set[str]:
    """The names that a cell's code takes from earlier cells."""
    top = symtable.symtable(code, "cell", "exec")
    tables, read = [top], set()
    for table in tables:
        tables += table.get_children()
        read |= {s.get_name() for s in table.get_symbols() if s.is_referenced() and (table is top or s.is_global())}
    return read - {s.get_name() for s in top.get_symbols() if s.is_assigned() or s.is_imported()}


def test_test_cells_leave_other_cells_names_alone(notebook):
    """Does no test cell bind a name that a later cell takes from elsewhere?"""
    earlier = {}
    for name, cell in notebook.cells.items():
        if name in notebook.tests:
            earlier |= dict.fromkeys(bound_names(cell.source), name)
        else:
            code = notebook.model.get(name, cell.source)
            clashes = {other: earlier[other] for other in free_names(code) & earlier.keys()}
            assert not clashes, f"{name} would read what another cell has bound: {clashes}"
            for own in bound_names(code):
                earlier.pop(own, None)


class ByHeart(nn.Module):
    """A network that knows some digits by heart, in whatever way they are turned, and takes all others for zeros."""

    def __init__(self, images: torch.Tensor, labels: torch.Tensor):
        super().__init__()
        self.register_buffer("ink", images.sum((1, 2, 3), dtype=torch.float64))
        self.labels = labels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Answer with certainty, `(B, 10)`."""
        difference, which = (x.sum((1, 2, 3), dtype=torch.float64)[:, None] - self.ink).abs().min(1)
        digit = torch.where(difference < 1e-4, self.labels[which], 0)
        return nn.functional.one_hot(digit, 10).to(x.dtype)


@pytest.mark.parametrize("test", ACCURACY)
def test_a_network_that_names_every_digit_alike_is_not_accurate(notebook, test):
    """Is a network rejected that has learned nothing, also in the second run?"""
    name, public = ACCURACY[test], notebook.given["test_set"]
    network, runs = ByHeart(public.images[:1], public.labels[:1]), []
    outcome = notebook.run(test, names={name: network, "retrained": lambda model, seed: runs.append(seed) or model})
    assert not outcome.passed and not outcome.hidden
    assert len(runs) == 1
    assert f"The trained {name} gets" in outcome.message and "a right" in outcome.message


@pytest.mark.parametrize("test", ACCURACY)
def test_knowing_the_public_digits_by_heart_is_not_enough(notebook, test):
    """Does the hidden part reject what only knows the digits that students have?"""
    name, public = ACCURACY[test], notebook.given["test_set"]
    network = ByHeart(public.images[:1000], public.labels[:1000])
    outcome = notebook.run(test, names={name: network, "retrained": lambda model, seed: model})
    assert not outcome.passed and outcome.hidden


@pytest.mark.parametrize("test", ACCURACY)
def test_accuracy_on_public_digits_is_not_enough(notebook, monkeypatch, test):
    """Is a network of the right kind rejected that is right about public digits only?"""
    name, images = ACCURACY[test], notebook.given["test_set"].images[:100]
    network = notebook.network(name, notebook.model, lambda model: model)
    labels = predict(network, images).argmax(1)
    few, right = hidden.digits()
    monkeypatch.setattr(hidden, "digits", lambda: (few[:100], right[:100]))
    runs, public = [], types.SimpleNamespace(images=images, labels=labels)
    names = {"test_set": public, "retrained": lambda model, seed: runs.append(seed) or model}
    outcome = notebook.run(test, names={name: network, **names})
    assert not outcome.passed and outcome.hidden
    assert len(runs) == 1
    assert re.search(f"The trained {name} gets .* of digits it has never seen right, twice tried", outcome.message)


def test_statistics_per_orientation_show_after_training(notebook):
    """Is a trained network rejected whose norm treats the orientations apart?"""
    apart = by_hand(
        ("axes = (0, 2, 3, 4)", "axes = (0, 3, 4)"),
        ("mean.mean((0, 2, 3, 4))", "mean.flatten()"),
        ("var.mean((0, 2, 3, 4))", "var.flatten()"),
        ("t.reshape(1, -1, 1, 1, 1) for t in (self.running", "t.reshape(1, -1, 4, 1, 1) for t in (self.running"),
        ("    def forward", ORIENTED + "\n    def forward"),
    )
    outcome = notebook.run("test-c4cnn-bn-accuracy", notebook.answers(("batch-norm", apart)))
    assert not outcome.passed
    assert "3.5b: are the statistics shared?" in outcome.message


@pytest.fixture(scope="session")
def trained(notebook):
    """A function from a network's name to the model's network, trained once in a grader's budget."""

    @functools.cache
    def train(name: str) -> nn.Module:
        return notebook.network(name, notebook.model, functools.partial(train_model, budget="grading", progress=False))

    return train


@pytest.mark.slow
@pytest.mark.parametrize("test", ACCURACY)
def test_right_networks_are_accurate(notebook, trained, test):
    """Does a right network pass at the first try, after training in the budget of a grader's run?

    Networks in other styles: tests/autograder/test_alternatives.py, and passes_all__written_quite_differently.
    """
    name = ACCURACY[test]
    retrainings = []
    names = {name: trained(name), "retrained": lambda model, seed: retrainings.append(seed) or model}
    outcome = notebook.run(test, names=names)
    assert outcome.passed, outcome.message
    assert outcome.complaints == ""
    assert retrainings == []


@pytest.mark.slow
@pytest.mark.parametrize("test", ACCURACY)
def test_the_visible_part_of_accuracy_needs_no_autograder(notebook, trained, without_autograder, test):
    """Does what students get of the tests of accuracy pass on a machine that has no autograder?"""
    name = ACCURACY[test]
    outcome = notebook.run(test, visible_only=True, names={name: trained(name)})
    assert outcome.passed, outcome.message


@pytest.mark.slow
@pytest.mark.parametrize("test", ["test-c4cnn-invariance", "test-isotropic-cnn-invariance"])
def test_trained_networks_are_invariant(notebook, trained, test):
    """Do the tests of invariance accept right networks that were trained in earnest?"""
    name = exercise(test).replace("-", "_")
    outcome = notebook.run(test, names={name: trained(name)})
    assert outcome.passed, outcome.message


@pytest.mark.slow
@pytest.mark.parametrize("test", ACCURACY)
def test_an_untrained_network_is_not_accurate(notebook, test):
    """Is a network rejected whose training did nothing, twice?"""
    name = ACCURACY[test]
    network = notebook.network(name, notebook.model, lambda model: model)
    outcome = notebook.run(test, names={name: network, "retrained": lambda model, seed: model})
    assert not outcome.passed
    assert f"The trained {name} gets" in outcome.message


@pytest.mark.slow
def test_a_network_that_keeps_orientations_is_not_isotropic(notebook, trained):
    """Is another network rejected in the isotropic one's place, however accurate it is?"""
    outcome = notebook.run("test-isotropic-cnn-accuracy", names={"isotropic_cnn": trained("c4cnn")})
    assert not outcome.passed and outcome.hidden
    assert "expected {'weight': (32, 1, 2), 'bias': (32,)}" in outcome.message


@pytest.mark.slow
def test_a_network_that_cannot_learn_is_not_accurate(notebook):
    """Is a network rejected whose filters are cut off from its weights, although it is trained twice in earnest?"""
    answers = notebook.answers(
        ("lifting-conv", "(self.weight", "(self.weight.detach()"),
        ("group-conv", "(self.weight", "(self.weight.detach()"),
    )
    network = notebook.network("c4cnn", answers, functools.partial(train_model, budget="grading", progress=False))
    outcome = notebook.run("test-c4cnn-accuracy", answers, names={"c4cnn": network})
    assert not outcome.passed
    assert "twice tried" in outcome.message
