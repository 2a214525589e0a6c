"""The independent reference that hidden tests compare with: slow, obvious, written from the definitions.

Group elements are 2x2 integer matrices that act on (row, column) positions about the centre of the picture. Products,
inverses, actions and filter banks all follow from the matrices and coordinate look-ups; no rot90, flip or roll is used,
so that a mistake in the model solution is not repeated here. Everything is differentiable and keeps the dtype.

Conventions (course.md): a turn is counter-clockwise as displayed; the element (f, r) of D4 is R^r F^f with index
4 f + r; a feature map over the group is (..., |G|, H, W); [g.y](p, h) = y(g^-1 p, g^-1 h).
"""

from collections.abc import Callable
from functools import lru_cache

import torch
import torch.nn.functional as F

from gcnn.stand_ins import LAYERS as STAND_INS

Matrix = tuple[tuple[int, int], tuple[int, int]]
TURN: Matrix = ((0, -1), (1, 0))  # (row, column) -> (-column, row): the right edge's middle goes to the top
MIRROR: Matrix = ((1, 0), (0, -1))  # (row, column) -> (row, -column): left and right change places


def _times(a: Matrix, b: Matrix) -> Matrix:
    return tuple(tuple(sum(a[i][k] * b[k][j] for k in range(2)) for j in range(2)) for i in range(2))


def _power(matrix: Matrix, exponent: int) -> Matrix:
    result: Matrix = ((1, 0), (0, 1))
    for _ in range(exponent):
        result = _times(result, matrix)
    return result


class Group:
    """A finite group of matrices, its elements numbered as on a group axis.

    Attributes:
        name: "C4" or "D4".
        order: the number of elements.
        matrices: one for each element.
    """

    def __init__(self, name: str, matrices: list[Matrix]):
        self.name, self.order, self.matrices = name, len(matrices), matrices

    def index(self, matrix: Matrix) -> int:
        """The number of the element with this matrix."""
        return self.matrices.index(matrix)

    def product(self, g: int, h: int) -> int:
        """The number of the element "first h, then g"."""
        return self.index(_times(self.matrices[self.check(g)], self.matrices[self.check(h)]))

    def inverse(self, g: int) -> int:
        """The number of the element that undoes g."""
        return next(h for h in range(self.order) if self.product(g, h) == 0)

    def check(self, g: int) -> int:
        """Return g.

        Raises:
            ValueError: no element has this number.
        """
        if g not in range(self.order):
            raise ValueError(f"{g} is not the number of an element of {self.name}: 0 to {self.order - 1}")
        return g

    def __repr__(self) -> str:
        """The name."""
        return self.name


C4 = Group("C4", [_power(TURN, r) for r in range(4)])
D4 = Group("D4", [_times(_power(TURN, r), _power(MIRROR, f)) for f in range(2) for r in range(4)])


def c4_product(r: int, s: int) -> int:
    """The product of two elements of C4, numbers of quarter turns."""
    return C4.product(r, s)


def c4_inverse(r: int) -> int:
    """The inverse of an element of C4."""
    return C4.inverse(r)


def d4_product(a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
    """The product of two elements (f, r) of D4: first b, then a."""
    return divmod(D4.product(4 * a[0] + a[1], 4 * b[0] + b[1]), 4)


def d4_inverse(g: tuple[int, int]) -> tuple[int, int]:
    """The inverse of an element (f, r) of D4."""
    return divmod(D4.inverse(4 * g[0] + g[1]), 4)


@lru_cache(maxsize=256)
def _sources(matrix: Matrix, size: int) -> list[int]:
    """For each pixel p of a square picture, in reading order, the flat index of the pixel at matrix^-1 p."""
    inverse = next(_power(matrix, k) for k in range(8) if _times(matrix, _power(matrix, k)) == ((1, 0), (0, 1)))
    sources = []
    for row in range(size):
        for column in range(size):
            # Twice the position about the centre: whole numbers for even sizes too.
            p = (2 * row - size + 1, 2 * column - size + 1)
            q = [inverse[i][0] * p[0] + inverse[i][1] * p[1] for i in range(2)]
            sources.append((q[0] + size - 1) // 2 * size + (q[1] + size - 1) // 2)
    return sources


def act_on_image(x: torch.Tensor, g: int, group: Group = C4) -> torch.Tensor:
    """[g.x](p) = x(g^-1 p) for square images ``(..., H, H)``.

    Raises:
        ValueError: not square, or no such element.
    """
    if x.dim() < 2 or x.shape[-1] != x.shape[-2]:
        raise ValueError(f"only square images (..., H, H) can be turned; got {tuple(x.shape)}")
    sources = torch.tensor(_sources(group.matrices[group.check(g)], x.shape[-1]), device=x.device)
    return x.flatten(-2).index_select(-1, sources).reshape(x.shape)


def act_on_features(y: torch.Tensor, g: int, group: Group = C4) -> torch.Tensor:
    """[g.y](p, h) = y(g^-1 p, g^-1 h) for functions on the group, ``(..., |G|, H, H)``.

    Raises:
        ValueError: another group axis, not square, or no such element.
    """
    if y.dim() < 3 or y.shape[-3] != group.order:
        raise ValueError(f"a function on {group} is (..., {group.order}, H, H); got {tuple(y.shape)}")
    inverse = group.inverse(g)
    moved = [act_on_image(y[..., group.product(inverse, h), :, :], g, group) for h in range(group.order)]
    return torch.stack(moved, dim=-3)


def isotropic_filter(weight: torch.Tensor) -> torch.Tensor:
    """``(out, in, 2)``, the centre's value and the ring's, to ``(out, in, 3, 3)``."""
    rows = [[weight[..., 0 if (i, j) == (1, 1) else 1] for j in range(3)] for i in range(3)]
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)


def lifting_filter(weight: torch.Tensor, group: Group = C4) -> torch.Tensor:
    """``(out, in, k, k)`` to ``(out, |G|, in, k, k)``: entry g is g.weight."""
    return torch.stack([act_on_image(weight, g, group) for g in range(group.order)], dim=1)


def group_filter(weight: torch.Tensor, group: Group = C4) -> torch.Tensor:
    """``(out, in, |G|, k, k)`` to ``(out, |G|, in, |G|, k, k)``: entry g is g.weight."""
    return torch.stack([act_on_features(weight, g, group) for g in range(group.order)], dim=1)


def bias_bank(bias: torch.Tensor | None, group: Group = C4) -> torch.Tensor | None:
    """``(out,)`` to ``(out, |G|)``: one bias per output channel, shared by all elements. ``None`` stays ``None``."""
    return None if bias is None else torch.stack([bias] * group.order, dim=1)


def isotropic_conv(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """``(B, in, H, W)`` to ``(B, out, H, W)``: the isotropic 3x3 convolution with padding 1."""
    return F.conv2d(x, isotropic_filter(weight), bias, padding=1)


def lifting_conv(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None, padding: int = 0, group: Group = C4
) -> torch.Tensor:
    """``(B, in, H, W)`` to ``(B, out, |G|, H', W')``: y(p, g) = sum over channels of (g.weight * x)(p) + bias."""
    filters = lifting_filter(weight, group)
    return torch.stack([F.conv2d(x, filters[:, g], bias, padding=padding) for g in range(group.order)], dim=2)


def group_conv(
    y: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None, padding: int = 0, group: Group = C4
) -> torch.Tensor:
    """``(B, in, |G|, H, W)`` to ``(B, out, |G|, H', W')``.

    z(p, g) = sum over channels and h of ([g.weight](h) * y(h))(p) + bias.
    """
    filters, outputs = group_filter(weight, group), []
    for g in range(group.order):
        parts = [F.conv2d(y[:, :, h], filters[:, g, :, h], padding=padding) for h in range(group.order)]
        total = sum(parts[1:], parts[0])
        outputs.append(total if bias is None else total + bias[:, None, None])
    return torch.stack(outputs, dim=2)


def gradients(
    function: Callable[..., torch.Tensor], tensors: dict[str, torch.Tensor], cotangent: torch.Tensor
) -> dict[str, torch.Tensor]:
    """Gradients of ``(function(**tensors) * cotangent).sum()`` by argument."""
    inputs = {name: tensor.detach().requires_grad_(True) for name, tensor in tensors.items()}
    total = (function(**inputs) * cotangent).sum()
    return dict(zip(inputs, torch.autograd.grad(total, list(inputs.values())), strict=True))


def batch_norm(
    y: torch.Tensor,
    weight: torch.Tensor | None,
    bias: torch.Tensor | None,
    running_mean: torch.Tensor,
    running_var: torch.Tensor,
    *,
    eps: float = 1e-5,
    momentum: float = 0.1,
    training: bool,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Batch normalisation with one mean and variance per channel, over batch, group and space.

    Args:
        y: ``(B, C, |G|, H, W)``.
        weight: ``(C,)``, or ``None`` for no scale.
        bias: ``(C,)``, or ``None`` for no shift.
        running_mean: ``(C,)``, not changed.
        running_var: ``(C,)``, not changed.
        eps: added to the variance.
        momentum: the batch's share of the new running statistics.
        training: whether the batch's statistics are used, or the running ones.

    Returns:
        The output, and the new running mean and variance.
    """
    outputs, means, variances = [], [], []
    for c in range(y.shape[1]):
        values = y[:, c]
        mean, var = running_mean[c], running_var[c]
        new_mean, new_var = mean, var
        if training:
            n = values.numel()
            mean = values.sum() / n
            var = ((values - mean) ** 2).sum() / n
            new_mean = (1 - momentum) * new_mean + momentum * mean
            new_var = (1 - momentum) * new_var + momentum * var * n / (n - 1)
        scaled = (values - mean) / (var + eps).sqrt()
        scaled = scaled if weight is None else scaled * weight[c]
        outputs.append(scaled if bias is None else scaled + bias[c])
        means.append(new_mean)
        variances.append(new_var)
    return torch.stack(outputs, dim=1), torch.stack(means), torch.stack(variances)


CHANNELS = (8, 16, 32, 64, 128)
ISOTROPIC_CHANNELS = (32, 64, 128, 256, 128)
GROUPS = {"c4cnn": C4, "c4cnn_bn": C4, "d4cnn": D4, "isotropic_cnn": None}


def network_shapes(name: str, n_classes: int = 10) -> list[dict[str, tuple[int, ...]]]:
    """The shapes of a network's layers in the order of execution: convolutions, each with its norm, then the head.

    Raises:
        ValueError: an unknown network.
    """
    if name not in GROUPS:
        raise ValueError(f"the course has no network {name!r}; there are {', '.join(GROUPS)}")
    group, layers, before = GROUPS[name], [], 1
    for i, out in enumerate(CHANNELS if group else ISOTROPIC_CHANNELS):
        kernel = (2,) if group is None else (3, 3) if i == 0 else (group.order, 3, 3)
        layers.append({"weight": (out, before, *kernel), "bias": (out,)})
        if name == "c4cnn_bn":
            layers.append({key: (out,) for key in ("weight", "bias", "running_mean", "running_var")})
        before = out
    return [*layers, {"weight": (n_classes, before), "bias": (n_classes,)}]


def parameter_count(name: str) -> int:
    """How many numbers training may change in a network of the course."""
    shapes = [shape for layer in network_shapes(name) for key, shape in layer.items() if not key.startswith("running")]
    return sum(int(torch.Size(shape).numel()) for shape in shapes)


def in_execution_order(values: dict[str, torch.Tensor], order: list[str]) -> list[dict[str, torch.Tensor]]:
    """A network's parameters and buffers, by layer, in the order in which the layers run.

    Args:
        values: by full name, as the probe ``state`` gives them.
        order: the layers' names, as the probe ``layer_order`` gives them.
    """
    layers: dict[str, dict[str, torch.Tensor]] = {prefix: {} for prefix in order}
    for key, value in values.items():
        prefix, _, name = key.rpartition(".")
        if prefix in layers and name in ("weight", "bias", "running_mean", "running_var"):
            layers[prefix][name] = value
    return list(layers.values())


def check_layers(name: str, layers: list[dict[str, torch.Tensor]]) -> None:
    """Judge that layers, in the order of execution, have the shapes of a network's of the course.

    Raises:
        AssertionError: they have not, with the place of the first that differs.
    """
    shapes = network_shapes(name, len(layers[-1].get("bias", ())) if layers else 10)
    if len(layers) != len(shapes):
        raise AssertionError(
            f"{len(layers)} layers with parameters ran, expected {len(shapes)}. "
            "(A layer runs by layer(x); a function that is given its weight, F.linear(x, layer.weight), goes unseen.)"
        )
    for i, (layer, expected) in enumerate(zip(layers, shapes, strict=True), start=1):
        got = {key: tuple(value.shape) for key, value in layer.items()}
        if i == len(shapes) and len(got.get("weight", ())) > 2 and set(got["weight"][2:]) == {1}:
            got["weight"] = got["weight"][:2]  # a convolution of one pixel is a linear layer
        if got != expected:
            raise AssertionError(f"layer {i} in the order of execution has {got}, expected {expected}")


def _stand_in(
    layer: str, x: torch.Tensor, values: dict[str, torch.Tensor], *, training: bool = False, **options: int
) -> torch.Tensor:
    """What the stand-in for a layer of the course gives, with these parameters and buffers."""
    sizes = values["weight"].shape[:2][::-1]
    with torch.random.fork_rng(devices=[]):  # the values that it draws for itself are not used
        module = STAND_INS[layer](*sizes, **options).train(training)
    return torch.func.functional_call(module, values, x)


def _convolve(name: str, first: bool, x: torch.Tensor, values: dict[str, torch.Tensor], apart: bool) -> torch.Tensor:
    """One convolution of a network, the first or a later one; ``apart`` as in `network`."""
    group = GROUPS[name]
    if group is None:
        return _stand_in("IsotropicConv2d", x, values) if apart else isotropic_conv(x, **values)
    if apart:
        layer = f"{'' if group is C4 else group.name}{'Lifting' if first else 'Group'}Conv2d"
        return _stand_in(layer, x, values, kernel_size=3, padding=1)
    return (lifting_conv if first else group_conv)(x, **values, padding=1, group=group)


def network(
    name: str,
    layers: list[dict[str, torch.Tensor]],
    images: torch.Tensor,
    stand_ins: bool = False,
    training: bool = False,
) -> torch.Tensor:
    """What a network of the course answers.

    Args:
        name: "c4cnn", "isotropic_cnn", "c4cnn_bn" or "d4cnn".
        layers: parameters and buffers of each layer, in the order of execution.
        images: ``(B, 1, 33, 33)``.
        stand_ins: whether its layers are those of `gcnn.stand_ins`, as the probe ``on_stand_ins`` builds it, and not
            the right ones. The pools, the ReLUs and the head are the same.
        training: whether it is in training mode, which only norms know of, and not in evaluation mode.

    Returns:
        ``(B, classes)``.

    Raises:
        AssertionError: the layers are not the network's, with the place of the first that differs.
    """
    check_layers(name, layers)
    x, rest = images, list(layers)
    for i in range(5):
        x = _convolve(name, i == 0, x, rest.pop(0), stand_ins)
        if name == "c4cnn_bn":
            statistics = {key: value for key, value in rest.pop(0).items() if key != "num_batches_tracked"}
            if stand_ins:
                x = _stand_in("GroupBatchNorm2d", x, statistics, training=training)
            else:
                x = batch_norm(x, **statistics, training=training)[0]
        if i < 4:
            pooled = F.max_pool2d(x.flatten(0, -3)[:, None], 3, stride=2, padding=1)
            x = pooled.reshape(*x.shape[:-2], *pooled.shape[-2:])
        else:
            x = x.flatten(2).amax(dim=2)
        x = x.clamp(min=0)
    return x @ rest[0]["weight"].flatten(1).T + rest[0]["bias"]


def check_classes(got: torch.Tensor, expected: torch.Tensor, what: str) -> None:
    """Check that a network's answers name the classes that they should.

    That its numbers are close says little where a submission chooses weights that make them huge: what is left free in
    their last digits could name any class.

    Args:
        got: the answers, ``(B, classes)``.
        expected: what `network` answers with the same weights.
        what: names the network, at the start of the message.

    Raises:
        AssertionError: they name another class for more than 2 % of the images.
    """
    other = int((got.argmax(dim=1) != expected.argmax(dim=1)).sum())
    assert 50 * other <= len(expected), (
        f"{what} names another class than the network described does with the same weights, for {other} of "
        f"{len(expected)} digits."
    )


def one_pixel(x: torch.Tensor) -> torch.Tensor:
    """Inputs ``(B, …, H, W)`` with all but the pixel in the middle dark."""
    middle, result = (..., x.shape[-2] // 2, x.shape[-1] // 2), torch.zeros_like(x)
    result[middle] = x[middle]
    return result


def check_local(pixel: torch.Tensor, dark: torch.Tensor, kernel_size: int) -> None:
    """Check that a convolution's pixels reach their neighbours and no further.

    Args:
        pixel: a layer's output for what `one_pixel` gives, ``(B, …, H, W)``.
        dark: its output for zeros.
        kernel_size: a filter's width and height.

    Raises:
        AssertionError: too few pixels of the output change, or too many.
    """
    seen = int(((pixel - dark)[0].flatten(0, -3).abs().amax(dim=0) > 1e-9).sum())
    assert 5 <= seen <= kernel_size**2, (
        f"A single bright pixel changes {seen} pixels of the output, expected itself and its neighbours: is it a "
        f"{kernel_size}x{kernel_size} convolution?"
    )
