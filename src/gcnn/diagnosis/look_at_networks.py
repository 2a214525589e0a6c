"""What is looked at in networks: exercises 3.2, 3.3, 3.5c and 4c.

A network is looked at on the course's stand-ins for its layers, so that a wrong layer is not taken for a wrong network.
Its numbers are set by the order in which its layers run, whatever they are called and in whatever order they were made.
"""

import contextlib
from collections.abc import Callable, Iterator

import torch
from torch import nn

from gcnn.diagnosis.outcomes import Watch, digest, whole_numbers
from gcnn.probes import (
    gradients,
    in_dtype,
    layer_order,
    on_stand_ins,
    parameter_count,
    predict,
    state,
    train_mode,
    with_state,
)
from gcnn.stand_ins import LAYERS

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_NORMS = (
    nn.BatchNorm1d,
    nn.BatchNorm2d,
    nn.BatchNorm3d,
    nn.InstanceNorm2d,
    nn.InstanceNorm3d,
    nn.GroupNorm,
    nn.LayerNorm,
)
_KINDS = (*LAYERS.values(), nn.Linear, *_CONVOLUTIONS, *_NORMS)
_MOST = 24  # layers whose inputs are looked at


def _numbers(*shape: int, start: int = 0) -> torch.Tensor:
    """Numbers from -1 to 1, of many values: of few, some sums are equal, and rounding says which one a pool takes."""
    return whole_numbers(*shape, start=start, size=9973) / 9973


def _set(net: nn.Module, x: torch.Tensor) -> nn.Module:
    """A copy in double precision with numbers by the order in which its layers run."""
    precise = in_dtype(net, torch.float64)
    values, tensors = {}, state(precise)
    for place, layer in enumerate(layer_order(precise, x)):
        own = [name for name in tensors if name.rpartition(".")[0] == layer]
        for name in own:
            shape, last = tensors[name].shape, name.rpartition(".")[2]
            numbers = _numbers(*shape, start=31 * place + len(last))
            if last == "running_var":
                values[name] = 1 + numbers.abs()
            elif last in ("weight", "bias", "running_mean"):
                fan_in = max(1, shape[1:].numel()) if last == "weight" else 4
                values[name] = numbers * (3 / fan_in) ** 0.5
    return with_state(precise, values)


def _parameters(net: nn.Module, x: torch.Tensor) -> str:
    """The shapes of what each layer holds, in the order in which the layers run."""
    tensors = state(net)
    held = []
    for layer in layer_order(net, x):
        own = {n.rpartition(".")[2]: tuple(t.shape) for n, t in tensors.items() if n.rpartition(".")[0] == layer}
        held.append(", ".join(f"{name} {own[name]}" for name in sorted(own)))
    return "; ".join(held)


@contextlib.contextmanager
def _traced(net: nn.Module, steps: list[str]) -> Iterator[None]:
    """Note which of its convolutions, norms and linear layers get an input of which shape, with negative values or not.

    A layer that runs for the second time is marked by "again"; one whose input has values that the layer before did not
    give, as those that a largest value is taken of do not, by "mixed".
    """
    ran: set[int] = set()
    last: list[torch.Tensor] = []

    def note(module: nn.Module, args: tuple) -> None:
        if len(steps) < _MOST and args and isinstance(args[0], torch.Tensor):
            kind = next(k for k in _KINDS if isinstance(module, k))
            sign = "signed" if bool((args[0] < 0).any()) else "positive"
            again = " again" if id(module) in ran else ""
            mixed = " mixed" if last and not bool(torch.isin(args[0][args[0] != 0], last[0]).all()) else ""
            steps.append(f"{kind.__name__} {tuple(args[0].shape)[1:]} {sign}{again}{mixed}")
            ran.add(id(module))

    def keep(module: nn.Module, args: tuple, result: object) -> None:
        last[:] = [result] if isinstance(result, torch.Tensor) else []

    with _hooked(net, note, keep):
        yield


@contextlib.contextmanager
def _hooked(net: nn.Module, before: Callable, after: Callable | None = None) -> Iterator[None]:
    """Call something before, and something after, each convolution, norm and linear layer that runs."""
    watched = [m for m in net.modules() if isinstance(m, _KINDS)]
    hooks = [m.register_forward_pre_hook(before) for m in watched]
    hooks += [m.register_forward_hook(after) for m in watched] if after else []
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _reaches(net: nn.Module, x: torch.Tensor) -> str:
    """A hash of each layer's input, in the order in which they run."""
    found: list[str] = []

    def note(module: nn.Module, args: tuple) -> None:
        if len(found) < _MOST and args and isinstance(args[0], torch.Tensor):
            found.append(digest(args[0]).rpartition(":")[2])

    with _hooked(net, note):
        predict(net, x)
    return " ".join(found)


def _jittered(net: nn.Module) -> nn.Module:
    """The network itself, its biases and shifts moved away from zero, so that a ReLU that is missing shows."""
    for name, parameter in net.named_parameters():
        if name.rpartition(".")[2] == "bias":
            parameter.copy_(whole_numbers(*parameter.shape, start=len(name)) / 9)
    return train_mode(net, False)


def network(name: str) -> Callable[..., None]:
    """How to look at a network.

    Args:
        name: of the class.
    """

    def look(watch: Watch, kind: type, own_layers: bool = False) -> None:
        x = _numbers(2, 1, 33, 33).abs()
        made: list[nn.Module] = []

        def build() -> str:
            net, apart = (kind(), False) if own_layers else on_stand_ins(kind)
            if not isinstance(net, nn.Module):
                raise TypeError(f"{name}() is a {type(net).__name__}, not an nn.Module")
            made.extend([net, apart])
            return "made"

        watch.look(f"{name}()", "made", build)
        if not made:
            return
        net, apart = made
        watch.look("whether its layers can be exchanged", "apart", lambda: bool(apart), judges=False)
        _shapes(watch, kind, name, net, own_layers)
        ready: list[nn.Module] = []

        def prepare() -> str:
            ready.append(_set(net, x))
            return "ready"

        steps: list[str] = []

        def run() -> str:
            with _traced(made[0], steps), torch.no_grad():
                _jittered(made[0])(x.float())
            return "ran"

        watch.look("what runs in it", "ran", run, judges=False)
        watch.look("the layers", "steps", lambda: "; ".join(steps), judges=False)
        watch.look(f"{name}() with other weights", "weights", prepare)
        if not ready:
            return
        watch.look("what reaches the layers", "reaches", lambda: _reaches(ready[0], x), judges=False)
        _answers(watch, ready[0], x)

    return look


def _shapes(watch: Watch, kind: type, name: str, net: nn.Module, own_layers: bool) -> None:
    """Look at what needs no particular weights."""
    x = whole_numbers(5, 1, 33, 33).abs().float() / 9
    watch.look(f"the output of {name}() for five images", "shape", lambda: _form(predict(net, x)))

    def three() -> str:
        other = kind(n_classes=3) if own_layers else on_stand_ins(kind, n_classes=3)[0]
        return _form(predict(other, x))

    watch.look(f"the output of {name}(n_classes=3) for five images", "classes", three)
    watch.look("the number of parameters", "count", lambda: parameter_count(net))
    watch.look("what the layers hold", "parameters", lambda: _parameters(net, x), judges=False)
    watch.look("the settings of its norms", "norms", lambda: _settings(net), judges=False)
    fixed = [n for n, p in net.named_parameters() if not p.requires_grad]
    watch.look("the number of parameters that are not trained", "count", lambda: len(fixed))


def _settings(net: nn.Module) -> str:
    norms = [m for m in net.modules() if isinstance(m, LAYERS["GroupBatchNorm2d"])]
    return "; ".join(sorted({f"eps {norm.eps}, momentum {norm.momentum}" for norm in norms}))


def _form(y: object) -> str:
    return f"tensor {tuple(y.shape)}" if isinstance(y, torch.Tensor) else type(y).__name__


def _answers(watch: Watch, net: nn.Module, x: torch.Tensor) -> None:
    """Look at what it answers for given weights."""
    first: list[torch.Tensor] = []

    def twice() -> bool:
        first.append(predict(net, x))
        return torch.equal(first[0], predict(net, x))

    watch.look("two calls with the same images", "twice", twice)
    given = x.clone()

    def untouched() -> bool:
        images = given.clone()
        train_mode(net, False)(images)
        return torch.equal(images, given)

    watch.look("whether the images are left as they were", "input", untouched, judges=False)
    y = watch.look("the answers for given weights", "answers", lambda: first[0] if first else predict(net, x))
    watch.look("an image's answer by itself", "alone", lambda: predict(net, x[:1]))
    if not isinstance(y, torch.Tensor):
        return
    cotangent = whole_numbers(*y.shape, start=3)
    train_mode(net, True)
    label = "the gradient for the images in training mode"
    watch.look(label, "gradient, training", lambda: gradients(net, x, cotangent)["input"])
