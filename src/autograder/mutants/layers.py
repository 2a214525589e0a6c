"""Mistakes in equivariant layers, their filter banks and their convolutions: exercises 2.1, 2.3, 2.4 and 4b."""

from autograder.mutants.groups import TURN, Table

# The given forward of every layer, as somebody may have changed it.
_CONVOLUTION: Table = {
    "F.conv2d(_x, _w, _b, padding=_p)": {
        "leaves the bias out": "F.conv2d(_x, _w, None, padding=_p)",
        "adds the bias twice": "F.conv2d(_x, _w, None if _b is None else 2 * _b, padding=_p)",
        "does not pad": "F.conv2d(_x, _w, _b)",
        "pads by one too many": "F.conv2d(_x, _w, _b, padding=_p + 1)",
        "always pads by 1": "F.conv2d(_x, _w, _b, padding=1)",
        "pads by repeating the border": 'F.conv2d(F.pad(_x, (_p,) * 4, mode="replicate"), _w, _b)',
        "pads with the opposite border": 'F.conv2d(F.pad(_x, (_p,) * 4, mode="circular"), _w, _b)',
        "pads on two sides only": "F.conv2d(F.pad(_x, (2 * _p, 0, 2 * _p, 0)), _w, _b)",
        "turns its filters by 180° when it convolves": "F.conv2d(_x, _w.flip(-1, -2), _b, padding=_p)",
        "transposes its filters when it convolves": "F.conv2d(_x, _w.mT, _b, padding=_p)",
        "mirrors its filters when it convolves": "F.conv2d(_x, _w.flip(-1), _b, padding=_p)",
        "cuts its input off from the gradient": "F.conv2d(_x.detach(), _w, _b, padding=_p)",
        "cuts its weights off from the gradient": "F.conv2d(_x, _w.detach(), _b, padding=_p)",
        "subtracts in place of adding up": "-F.conv2d(_x, _w, _b, padding=_p)",
        "ends with a ReLU": "F.conv2d(_x, _w, _b, padding=_p).relu()",
        "takes every second pixel": "F.conv2d(_x, _w, _b, padding=_p, stride=2)",
        "leaves gaps between its filters' values": "F.conv2d(_x, _w, _b, padding=2 * _p, dilation=2)",
        "computes in single precision": (
            "F.conv2d(_x.float(), _w.float(), None if _b is None else _b.float(), padding=_p).to(_x.dtype)"
        ),
        "takes the mean over its input channels": "F.conv2d(_x, _w, _b, padding=_p) / _x.shape[1]",
        "drops values at random": "F.dropout(F.conv2d(_x, _w, _b, padding=_p), 0.1)",
        "looks at its first input channel only": "F.conv2d(_x[:, :1], _w[:, :1], _b, padding=_p)",
        "normalises its output": "F.normalize(F.conv2d(_x, _w, _b, padding=_p), dim=1)",
    },
}

_RING = "torch.stack([ring, ring, ring, ring, centre, ring, ring, ring, ring], dim=-1)"


def _ring(*names: str) -> str:
    return f"torch.stack([{', '.join(names)}], dim=-1)"


_R, _C, _0 = "ring", "centre", "0 * ring"
ISOTROPIC: list[Table] = [
    _CONVOLUTION,
    {
        "self.weight[..., 0], self.weight[..., 1]": {
            "takes the ring for the centre": "self.weight[..., 1], self.weight[..., 0]",
            "has one value for the whole filter": "self.weight[..., 0], self.weight[..., 0]",
            "has the ring's value in the centre too": "self.weight[..., 1], self.weight[..., 1]",
            "shares out the ring's value among eight pixels": "self.weight[..., 0], self.weight[..., 1] / 8",
            "cuts its weights off by .data": "self.weight.data[..., 0], self.weight.data[..., 1]",
            "cuts the ring off from the gradient": "self.weight[..., 0], self.weight[..., 1].detach()",
            "cuts the centre off from the gradient": "self.weight[..., 0].detach(), self.weight[..., 1]",
            "makes its filters in single precision": "self.weight[..., 0].float(), self.weight[..., 1].float()",
            "shares one filter between its output channels": (
                "self.weight[:1, :, 0].expand(len(self.weight), -1), self.weight[:1, :, 1].expand(len(self.weight), -1)"
            ),
            "takes sizes for values": "self.weight[..., 0].abs(), self.weight[..., 1].abs()",
        },
        _RING: {
            "gives the corners a zero": _ring(_0, _R, _0, _R, _C, _R, _0, _R, _0),
            "gives the edges a zero": _ring(_R, _0, _R, _0, _C, _0, _R, _0, _R),
            "splits the ring: corners have the centre's value": _ring(_C, _R, _C, _R, _C, _R, _C, _R, _C),
            "splits the ring: edges have the centre's value": _ring(_R, _C, _R, _C, _C, _C, _R, _C, _R),
            "weakens corners by their distance": _ring(*("ring / 2**0.5", _R) * 2, _C, *(_R, "ring / 2**0.5") * 2),
            "has the centre in a corner": _ring(_C, *[_R] * 8),
            "has the centre one too far right": _ring(*[_R] * 5, _C, *[_R] * 3),
            "has no centre": _ring(*[_R] * 9),
            "has a centre only": _ring(*[_0] * 4, _C, *[_0] * 4),
            "misses one corner": _ring(*[_R] * 4, _C, *[_R] * 3, _0),
            "counts one corner twice": _ring("2 * ring", *[_R] * 3, _C, *[_R] * 4),
            "adds the ring to the centre": _ring(*[_R] * 4, "centre + ring", *[_R] * 4),
            "has a ring of rows, not of neighbours": _ring(*[_R] * 3, *[_C] * 3, *[_R] * 3),
            "copies its values into a new tensor": f"torch.tensor({_RING}.tolist())",
            "makes a parameter of its filters each time": f"nn.Parameter({_RING})",
        },
        "_x.unflatten(-1, (3, 3))": {
            "leaves its filters flat": "_x",
            "swaps input and output channels": "_x.unflatten(-1, (3, 3)).transpose(0, 1)",
            "puts the filter's axes first": "_x.unflatten(-1, (3, 3)).movedim((-2, -1), (0, 1))",
            "divides its filters by 9": "_x.unflatten(-1, (3, 3)) / 9",
            "takes off the filter's mean": "_x.unflatten(-1, (3, 3)) - _x.mean(-1)[..., None, None]",
        },
    },
]


def _bank(order: int, element: str, elements: str, others: dict[str, str]) -> Table:
    """Mistakes in how a filter bank is put together.

    Args:
        order: how many elements the group has.
        element: what an element is called in the comprehension, as a pattern.
        elements: what follows, its ``for`` included.
        others: other elements in place of these, by the mistake.
    """
    stack = f"torch.stack([_e {elements}], dim=1)"
    each = ", *[-1] * self.weight.dim()"
    table = {
        "stacks its filters before the output channels": f"torch.stack([_e {elements}], dim=0)",
        "stacks its filters after the input channels": f"torch.stack([_e {elements}], dim=2)",
        "stacks its filters along the last axis": f"torch.stack([_e {elements}], dim=-1)",
        "joins its filters in place of stacking them": f"torch.cat([_e {elements}], dim=1)",
        "cuts its filters off from the gradient": f"{stack}.detach()",
        "makes its filters in single precision": f"{stack}.float()",
        f"divides its filters by {order}": f"{stack} / {order}",
        "makes a parameter of its filters each time": f"nn.Parameter({stack})",
        "copies its filters into a new tensor": f"torch.tensor({stack}.tolist())",
        "has its filters in reverse order": f"{stack}.flip(1)",
        "has its filters moved on by one": f"{stack}.roll(1, 1)",
        "adds all its filters up": f"{stack}.sum(1, keepdim=True).expand(-1, {order}, *[-1] * (self.weight.dim() - 1))",
        "has one filter for all elements": f"{stack}[:, :1].expand(-1, {order}, *[-1] * (self.weight.dim() - 1))",
        "shares one filter between its output channels": f"{stack}[:1].expand(self.out_channels{each})",
        "swaps input and output channels": f"{stack}.transpose(0, 2)",
    }
    return {stack: table | {mistake: f"torch.stack([_e {other}], dim=1)" for mistake, other in others.items()}}


def _bias(order: int) -> Table:
    """Mistakes in the bias that all elements of a group of this order share."""
    bias = f"self.bias[:, None].expand(-1, {order})"
    return {
        bias: {
            "leaves the bias out": "None",
            "gives the bias to one element only": f"{bias} * torch.eye({order}, dtype=self.bias.dtype)[0]",
            "has another bias for each element": f"{bias} * torch.arange(1, {order + 1}, dtype=self.bias.dtype)",
            "doubles the bias": f"2 * {bias}",
            f"adds the bias {order} times": f"{order} * {bias}",
            f"shares the bias out among {order} elements": f"{bias} / {order}",
            "cuts the bias off from the gradient": f"{bias}.detach()",
            "gives one bias per channel, not per element": "self.bias",
            "has the bias's axes in the wrong order": f"self.bias[None].expand({order}, -1)",
            "has the same bias for all channels": f"self.bias.mean().expand(len(self.bias), {order})",
            "has zeros in place of the bias": f"torch.zeros_like({bias})",
            "changes the bias's sign from element to element": f"{bias} * torch.tensor([1, -1]).repeat({order // 2})",
        },
        "None if self.bias is None else _e": {
            "takes it for granted that there is a bias": "_e",
            "has a bias of zeros where there should be none": (
                f"torch.zeros(self.out_channels, {order}) if self.bias is None else _e"
            ),
        },
        "bias.flatten()": {"orders the bias by elements first": "bias.T.flatten()"},
    }


def _out(order: int) -> Table:
    """Mistakes in splitting the convolution's output into channels and elements."""
    split = f"_y.unflatten(1, (self.out_channels, {order}))"
    return {
        split: {
            "mixes channels and elements in its output": (
                f"_y.unflatten(1, ({order}, self.out_channels)).transpose(1, 2)"
            ),
            "has the group axis before the channels": f"{split}.transpose(1, 2)",
            "leaves its output's channels and elements together": "_y",
            "takes the mean over the group axis": f"{split}.mean(2, keepdim=True).expand(-1, -1, {order}, -1, -1)",
            "gives its elements backwards": f"{split}.flip(2)",
        },
    }


_LIFT_ORDER: Table = {
    "bank.flatten(0, 1)": {"mixes channels and elements of its filters": "bank.transpose(0, 1).flatten(0, 1)"},
}
_GROUP_ORDER: Table = {
    "bank.flatten(2, 3)": {"mixes input channels and input elements": "bank.transpose(2, 3).flatten(2, 3)"},
    "_x.flatten(0, 1)": {
        "mixes output channels and output elements": "_x.transpose(0, 1).flatten(0, 1)",
    },
    "y.flatten(1, 2)": {"mixes channels and elements of its input": "y.transpose(1, 2).flatten(1, 2)"},
}

_OTHER_TURNS = {
    "skips the last orientation": "for _s in range(3)",
    "has one orientation too many": "for _s in range(5)",
    "takes the half turn twice and leaves 270° out": "for _s in (0, 1, 2, 2)",
    "takes no turn twice and leaves 270° out": "for _s in (0, 0, 1, 2)",
    "goes round the other way": "for _s in (0, 3, 2, 1)",
    "begins with one turn": "for _s in (1, 2, 3, 0)",
    "swaps the turns by 90° and 180°": "for _s in (0, 2, 1, 3)",
    "has half turns only": "for _s in (0, 2, 0, 2)",
    "does not turn": "for _s in (0, 0, 0, 0)",
}
_C4_BANK = _bank(4, "_s", "for _s in range(4)", _OTHER_TURNS)
_P4 = "rotate_p4(self.weight, _s)"
_GROUP_FILTER: Table = {
    _P4: {
        "turns its filters in the plane and does not roll them": "rotate(self.weight, _s)",
        "rolls its filters and does not turn them": "self.weight.roll(_s, -3)",
        "turns its filters the right way and rolls them the other way": "rotate(self.weight, _s).roll(-_s, -3)",
        "turns its filters clockwise and rolls them the right way": "rotate(self.weight, -_s).roll(_s, -3)",
        "turns and rolls the other way": "rotate_p4(self.weight, -_s)",
        "turns and rolls once too often": "rotate_p4(self.weight, _s + 1)",
        "is right for one turn only": "rotate_p4(self.weight, min(_s, 1))",
        "turns and rolls twice as far": "rotate_p4(self.weight, 2 * _s)",
        "neither turns nor rolls": "self.weight",
        "rolls input channels in place of orientations": "rotate(self.weight, _s).roll(_s, -4)",
        "rolls output channels in place of orientations": "rotate(self.weight, _s).roll(_s, 0)",
        "rolls rows in place of orientations": "rotate(self.weight, _s).roll(_s, -2)",
        "reverses the group axis in place of rolling": "rotate(self.weight, _s).flip(-3) if _s else self.weight",
        "rolls twice": "rotate_p4(self.weight, _s).roll(_s, -3)",
        "turns twice": "rotate_p4(rotate(self.weight, _s), _s)",
        "turns filters by transposing": "(self.weight.mT if _s % 2 else self.weight).roll(_s, -3)",
        "uses its first input orientation only": "rotate_p4(self.weight * torch.eye(4)[0].reshape(4, 1, 1), _s)",
        "takes the mean over the filter's orientations": (
            "rotate(self.weight.mean(-3, keepdim=True).expand_as(self.weight), _s)"
        ),
    },
    f"torch.stack([{_P4} for _s in range(4)], dim=1)": {
        "swaps the two group axes": f"torch.stack([{_P4} for _s in range(4)], dim=1).transpose(1, 3)",
    },
}

LIFTING: list[Table] = [TURN, _C4_BANK, _bias(4), _CONVOLUTION, _out(4), _LIFT_ORDER]
GROUP: list[Table] = [_GROUP_FILTER, _C4_BANK, _bias(4), _CONVOLUTION, _out(4), _GROUP_ORDER]

_D4_BANK = _bank(
    8,
    "_f, _r",
    "for _f in (0, 1) for _r in range(4)",
    {
        "is ordered by turns first, then mirror images": "for _r in range(4) for _f in (0, 1)",
        "has the mirrored half first": "for _f in (1, 0) for _r in range(4)",
        "has no mirror images": "for _f in (0, 0) for _r in range(4)",
        "has mirror images only": "for _f in (1, 1) for _r in range(4)",
        "goes round the other way": "for _f in (0, 1) for _r in (0, 3, 2, 1)",
        "goes round the other way where it mirrors": "for _f in (0, 1) for _r in ((0, 3, 2, 1) if _f else range(4))",
        "goes round the other way where it does not mirror": (
            "for _f in (0, 1) for _r in (range(4) if _f else (0, 3, 2, 1))"
        ),
        "begins with one turn": "for _f in (0, 1) for _r in (1, 2, 3, 0)",
        "does not turn": "for _f in (0, 1) for _r in (0, 0, 0, 0)",
        "takes the half turn twice and leaves 270° out": "for _f in (0, 1) for _r in (0, 1, 2, 2)",
        "has four elements only": "for _f in (0,) for _r in range(4)",
    },
)
_D4_LIFT: Table = {
    "reflect(self.weight)": {
        "does not mirror": "self.weight",
        "mirrors up and down": "self.weight.flip(-2)",
        "transposes in place of mirroring": "self.weight.mT",
        "turns by 180° in place of mirroring": "self.weight.flip(-1, -2)",
    },
    "rotate(starts[_f], _r)": {
        "turns first, then mirrors": "(reflect(rotate(self.weight, _r)) if _f else rotate(self.weight, _r))",
        "turns clockwise where it mirrors": "rotate(starts[_f], -_r if _f else _r)",
        "mirrors where it should not, and the other way round": "rotate(starts[1 - _f], _r)",
    },
}
_D4_FILTER: Table = {
    "transform_p4m(self.weight, _g)": {
        "turns and mirrors in the plane and does not permute": "rotate(reflect(self.weight) if f else self.weight, r)",
        "permutes as one circle and moves no pixels": "self.weight.roll(4 * f + r, -3)",
        "does not mirror": "transform_p4m(self.weight, (0, r))",
        "does not turn": "transform_p4m(self.weight, (f, 0))",
        "turns the other way": "transform_p4m(self.weight, (f, -r % 4))",
        "acts by the inverse element": "transform_p4m(self.weight, D4.inverse((f, r)))",
        "turns first, then mirrors": "transform_p4m(transform_p4m(self.weight, (0, r)), (f, 0))",
        "acts twice": "transform_p4m(transform_p4m(self.weight, _g), _g)",
        "does nothing": "self.weight",
        "always mirrors": "transform_p4m(self.weight, (1, r))",
        "takes C4's action on each half": (
            "torch.cat([rotate_p4(half, r) for half in self.weight.split(4, dim=-3)], dim=-3)"
        ),
        "rolls all eight as one circle": "rotate(reflect(self.weight) if f else self.weight, r).roll(4 * f + r, -3)",
    },
    "torch.stack([_e for f in (0, 1) for r in range(4)], dim=1)": {
        "swaps the two group axes": "torch.stack([_e for f in (0, 1) for r in range(4)], dim=1).transpose(1, 3)",
    },
}
D4_LIFTING: list[Table] = [TURN, _D4_LIFT, _D4_BANK, _bias(8), _CONVOLUTION, _out(8), _LIFT_ORDER]
D4_GROUP: list[Table] = [_D4_FILTER, _D4_BANK, _bias(8), _CONVOLUTION, _out(8), _GROUP_ORDER]
