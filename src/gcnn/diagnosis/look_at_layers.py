"""What is looked at in layers: exercises 2.1, 2.3, 2.4, 3.5b and 4b.

Weights, biases and images are whole numbers in double precision, so that every right way to compute gives the same
numbers to the last digit.
"""

from collections.abc import Callable

import torch
from torch import nn

from gcnn.diagnosis import readings
from gcnn.diagnosis.outcomes import READ, Watch, whole_numbers
from gcnn.probes import gradients, in_dtype, state, train_mode, with_state

_CONFIGURATIONS = ((3, 1, True), (3, 0, False), (1, 0, True), (2, 1, True), (5, 2, False))


def _with_whole_numbers(layer: nn.Module, start: int) -> nn.Module:
    """A copy in double precision whose parameters are whole numbers."""
    precise = in_dtype(layer, torch.float64)
    starts = {"weight": start, "bias": start + 1}  # what else it holds, a table say, stays as it is
    shapes = {name: t.shape for name, t in state(precise).items() if name in starts}
    return with_state(precise, {name: whole_numbers(*shape, start=starts[name]) for name, shape in shapes.items()})


def _shapes(layer: nn.Module) -> list[tuple[str, str]]:
    return sorted((name, f"{tuple(value.shape)} {value.requires_grad}") for name, value in layer.named_parameters())


def _is_module(made: object) -> nn.Module:
    if not isinstance(made, nn.Module):
        raise TypeError(f"it is a {type(made).__name__}, not an nn.Module")
    return made


def _convolution(watch: Watch, make: Callable[..., nn.Module], name: str, x: torch.Tensor, banks: bool) -> None:
    """Look at one layer: its parameters, filter bank, output and gradients.

    Args:
        watch: keeps the outcomes.
        make: makes the layer.
        name: what a student would write to make it.
        x: an input.
        banks: whether ``build_filter`` gives a bank and a bias.
    """
    spare = "" if "bias=False" not in name else ", without a bias"
    ready: list[nn.Module] = []

    def build() -> list[tuple[str, str]]:
        made = _is_module(make())
        ready.append(_with_whole_numbers(make(), 1))  # fails for a buffer that is still tied to its computation
        return _shapes(made)

    watch.look(name, f"made{spare}", build)
    if not ready:
        return
    layer = ready[0]
    built = _filters(watch, layer, name, spare, banks)
    before = [[*layer.parameters()], torch.random.get_rng_state()]

    def twice() -> bool:
        return torch.equal(layer(x), layer(x))

    watch.look(f"two calls of {name} with the same input", "twice", twice)
    torch.random.set_rng_state(before[1])
    y = watch.look(f"the output of {name} for an input of shape {tuple(x.shape)}", f"output{spare}", lambda: layer(x))
    if not isinstance(y, torch.Tensor) or not isinstance(built, (tuple, list, torch.Tensor)):
        return

    def again() -> torch.Tensor:
        layer(x)
        return _with_whole_numbers(layer, 5)(x)

    watch.look(f"the output of {name} after its weights were changed", f"new weights{spare}", again)

    def again_in_evaluation() -> torch.Tensor:
        trained = train_mode(_with_whole_numbers(layer, 1), True)
        trained(x)
        return train_mode(_with_whole_numbers(trained, 5), False)(x)

    label = f"the output of {name} in evaluation mode after its weights were changed in training mode"
    watch.look(label, f"new weights{spare}", again_in_evaluation)

    def precise() -> torch.Tensor:
        odd = 2 * x + 1  # no zeros: single precision loses what is added to any of these, in whatever order it sums
        return (layer(odd + 2.0**-30 * whole_numbers(*x.shape, start=4)) - layer(odd)) * 2.0**30

    watch.look(f"the last digits of the output of {name}", "precision", precise)
    cotangent = whole_numbers(*y.shape, start=3)
    for what in ["input", *(key for key, _ in layer.named_parameters())]:
        label = f"the gradient of {name} for its {what}"
        watch.look(label, f"gradient, {what}{spare}", lambda w=what: gradients(layer, x, cotangent)[w])


def _filters(watch: Watch, layer: nn.Module, name: str, spare: str, banks: bool) -> object:
    """Look at what ``build_filter`` gives."""
    label = f"build_filter() of {name}"

    def follows() -> bool:
        built, other = layer.build_filter(), _with_whole_numbers(layer, 5).build_filter()
        return not torch.equal(built[0], other[0]) if banks else not torch.equal(built, other)

    watch.look(f"whether {label} follows the weights", "follows", follows, judges=False)
    if not banks:
        bank = watch.look(label, "filter", lambda: layer.build_filter())
        if isinstance(bank, torch.Tensor):

            def ordered() -> torch.Tensor:
                return bank.detach().flatten(2).sort(-1).values

            watch.look(f"the values in {label}", "~values", ordered, judges=False)
            watch.look(f"what {label} is made of", READ, lambda: readings.rings(layer.weight, bank), judges=False)
        return bank
    kept = []

    def build() -> str:
        kept.append(layer.build_filter())
        several = isinstance(kept[0], (tuple, list))
        return f"{len(kept[0])} things" if several else f"one thing, of type {type(kept[0]).__name__}"

    watch.look(label, f"kind{spare}", build)
    if not kept:
        return None
    if isinstance(kept[0], (tuple, list)) and len(kept[0]) == 2:
        watch.look(f"the filter bank of {name}", "filter", lambda: kept[0][0])
        watch.look(f"the bias bank of {name}", f"bias{spare}", lambda: kept[0][1])
        _parts(watch, name, layer, *kept[0])
    return kept[0]


def _parts(watch: Watch, name: str, layer: nn.Module, bank: object, bias: object) -> None:
    """Look at parts of a bank: its places in the plane, and on the group axis, apart from each other."""
    if isinstance(bank, torch.Tensor) and bank.shape[-1:] == (3,):
        label = f"what the filter bank of {name} is made of"
        watch.look(label, READ, lambda: readings.bank(layer.weight, bank), judges=False)
    if isinstance(bank, torch.Tensor) and bank.dim() == 6:
        watch.look(f"the plane in the filter bank of {name}", "~plane", lambda: bank.sum(-3), judges=False)
        watch.look(f"the group axes in the filter bank of {name}", "~axes", lambda: bank.sum((-2, -1)), judges=False)
    if isinstance(bank, torch.Tensor) and bank.dim() > 4:
        ordered = bank.detach().movedim(1, -1).flatten(1).sort(-1).values
        watch.look(f"the values in the filter bank of {name}", "~values", lambda: ordered, judges=False)
    if isinstance(bias, torch.Tensor):
        ordered = bias.detach().flatten().sort().values
        watch.look(f"the values in the bias bank of {name}", "~bias", lambda: ordered, judges=False)


def convolution(group_axis: tuple[int, ...], name: str) -> Callable[[Watch, type], None]:
    """How to look at a layer of the group.

    Args:
        group_axis: the input's, ``()`` for an image.
        name: of the class.
    """

    def look(watch: Watch, kind: type) -> None:
        for size, padding, bias in _CONFIGURATIONS:
            text = (
                f"{name}(2, 3, {size}" + (f", padding={padding}" if padding else "") + ("" if bias else ", bias=False")
            )
            x = whole_numbers(2, 2, *group_axis, 7, 6, start=9)

            def make(size: int = size, padding: int = padding, bias: bool = bias) -> nn.Module:
                return kind(2, 3, size, padding=padding, bias=bias)

            _convolution(watch, make, f"{text})", x, True)
        _in_single_precision(watch, lambda: kind(2, 3, 3), name, whole_numbers(1, 2, *group_axis, 5, 5))

    return look


def isotropic(watch: Watch, kind: type) -> None:
    """Look at the isotropic convolution."""
    x = whole_numbers(2, 2, 7, 6, start=9)
    _convolution(watch, lambda: kind(2, 3), "IsotropicConv2d(2, 3)", x, False)
    _convolution(watch, lambda: kind(2, 3, bias=False), "IsotropicConv2d(2, 3, bias=False)", x, False)
    _in_single_precision(watch, lambda: kind(2, 3), "IsotropicConv2d", x)


def _in_single_precision(watch: Watch, make: Callable[[], nn.Module], name: str, x: torch.Tensor) -> None:
    watch.look(f"the dtype of the output of {name}", "dtype", lambda: str(make()(x.float()).dtype))


_NORM = ("weight", "bias", "running_mean", "running_var")


def batch_norm(watch: Watch, kind: type) -> None:
    """Look at the batch normalisation, fresh, in training and in evaluation mode."""
    name = "GroupBatchNorm2d(3)"
    if watch.look(name, "made", lambda: type(_is_module(kind(3))).__name__ and "made") is None:
        return
    fresh = kind(3)
    watch.look(f"the names in the state_dict() of {name}", "names", lambda: str(sorted(fresh.state_dict())))
    watch.look(f"the trained parameters of {name}", "names", lambda: str(_shapes(fresh)))
    for key in (*_NORM, "num_batches_tracked"):
        watch.look(f"{key} of a fresh {name}", "fresh", lambda k=key: getattr(fresh, k).detach())
    y = whole_numbers(4, 3, 4, 3, 5, size=3) * torch.tensor([1.0, 2.0, 4.0]).reshape(1, 3, 1, 1, 1).double()
    y += whole_numbers(4, 3, 4, 1, 1, start=7, size=3)
    axes = {"channel": (0, 2, 3, 4), "orientation": (0, 3, 4), "image": (1, 2, 3, 4), "image and channel": (2, 3, 4)}
    axes |= {
        "pixel": (0, 1, 2),
        "pixel of each channel": (0, 2),
        "image and orientation": (1, 3, 4),
        "batch": (0, 1, 2, 3, 4),
    }

    def centred() -> str:
        z = train_mode(in_dtype(kind(3), torch.float64), True)(y)
        return ", ".join(what for what, some in axes.items() if bool(z.mean(some).abs().max() < 1e-6))

    watch.look("what has a mean of zero in training mode", "~centred", centred, judges=False)

    def modes() -> bool:
        layer = in_dtype(kind(3), torch.float64)
        z = train_mode(layer, True)(y)
        return torch.allclose(z, train_mode(layer, False)(y))

    watch.look("whether evaluation mode does what training mode does", "~modes", modes, judges=False)
    for eps, momentum in ((1e-5, 0.1), (0.5, 0.3)):
        _normalised(watch, kind, eps, momentum)
    watch.look(f"the dtype of the output of {name}", "dtype", lambda: str(kind(3)(torch.ones(2, 3, 4, 2, 2)).dtype))


def _normalised(watch: Watch, kind: type, eps: float, momentum: float) -> None:
    """Look at one layer in both modes."""
    name = f"GroupBatchNorm2d(3, eps={eps}, momentum={momentum})"
    spare = "" if eps < 0.1 else ", other eps and momentum"

    def begin() -> nn.Module:
        layer = in_dtype(kind(3, eps=eps, momentum=momentum), torch.float64)
        starts = {"weight": [2.0, -1.0, 3.0], "bias": [1.0, 0.0, -2.0]}
        starts |= {"running_mean": [0.5, -1.0, 2.0], "running_var": [1.0, 4.0, 0.25]}
        return with_state(layer, {key: torch.tensor(values, dtype=torch.float64) for key, values in starts.items()})

    scale = torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64).reshape(1, 3, 1, 1, 1)
    orientation = torch.tensor([0.0, 3.0, 1.0, -2.0], dtype=torch.float64).reshape(1, 1, 4, 1, 1)
    y = whole_numbers(4, 3, 4, 3, 5, size=3) * scale + orientation
    watch.look(f"the output of {name} in training mode", f"training{spare}", lambda: train_mode(begin(), True)(y))
    watch.look(f"the output of {name} in evaluation mode", f"evaluation{spare}", lambda: train_mode(begin(), False)(y))
    cotangent = whole_numbers(*y.shape, start=3)
    for mode in (True, False):
        for what in ("input", "weight", "bias"):
            label = f"the gradient of {name} for {what} in {'training' if mode else 'evaluation'} mode"
            group = f"gradient, {'training' if mode else 'evaluation'}{spare}"
            watch.look(label, group, lambda m=mode, w=what: gradients(train_mode(begin(), m), y, cotangent)[w])
    trained = []

    def train() -> str:
        layer = train_mode(begin(), True)
        for count in (4, 2, 3):
            layer(y[:count].clone().requires_grad_())
        trained.append(layer)
        in_dtype(layer, torch.float64)  # fails for statistics that are still tied to their computation
        return "trained"

    watch.look(f"three batches in training mode through {name}", f"copied{spare}", train)
    for key in ("running_mean", "running_var", "num_batches_tracked"):
        label = f"{key} of {name} after three batches"
        watch.look(label, f"{key}{spare}", lambda k=key: state(trained[0])[k])
    for key in ("running_mean", "running_var", "num_batches_tracked"):
        label = f"{key} of {name} after a batch in evaluation mode"

        def after(key: str = key) -> torch.Tensor:
            layer = train_mode(begin(), False)
            layer(y)
            return state(layer)[key]

        watch.look(label, f"{key}, evaluation{spare}", after)
