"""How tests look at a submission's modules: each probe runs beside the object and gives raw arrays or plain data back.

In a student's kernel the probes work on the object itself. When a submission is judged, the same names work on a
proxy and run in the submission's process; so no probe computes an error or an accuracy: that is the test's affair.
"""

import contextlib
import copy
import math
from collections.abc import Callable, Iterator

import torch
from torch import nn

from gcnn.environment import default_device
from gcnn.fast import kernels
from gcnn.stand_ins import on_stand_ins as on_stand_ins  # a probe of its own module
from gcnn.training import train_model


@contextlib.contextmanager
def _mode(module: nn.Module, training: bool) -> Iterator[None]:
    """Put a module and its children into a mode, and every one of them back into its own afterwards."""
    before = [(child, child.training) for child in module.modules()]
    module.train(training)
    try:
        yield
    finally:
        for child, was_training in before:
            child.training = was_training


def _device(module: nn.Module) -> torch.device:
    tensor = next((t for t in [*module.parameters(), *module.buffers()]), None)
    return torch.device("cpu") if tensor is None else tensor.device


def _twin(module: nn.Module) -> nn.Module:
    """A copy of a module. Results that it keeps of its last call, a filter bank say, are copied without their history.

    PyTorch refuses to copy a result that is still tied to what it was computed from; to keep one is no mistake. For
    parameters and buffers it is, and stays one.
    """
    copies: dict[int, object] = {}
    kept = [v for m in module.modules() for k, v in vars(m).items() if k not in ("_parameters", "_buffers", "_modules")]
    seen: set[int] = set()
    while kept:
        value = kept.pop()
        if isinstance(value, torch.Tensor) and not value.is_leaf:
            copies[id(value)] = value.detach().clone()
        elif isinstance(value, (list, tuple, dict)) and id(value) not in seen:
            seen.add(id(value))
            kept.extend(value.values() if isinstance(value, dict) else value)
    return copy.deepcopy(module, copies)


def predict(model: nn.Module, images: torch.Tensor, batch_size: int = 500) -> torch.Tensor:
    """A model's outputs in evaluation mode, without gradients.

    Args:
        model: maps ``(B, 1, H, W)`` to ``(B, classes)``.
        images: ``(N, 1, H, W)``, on any device.
        batch_size: images per forward pass.

    Returns:
        ``(N, classes)`` on the CPU, up to float32's rounding what PyTorch's own functions give (`gcnn.fast`).
    """
    device = _device(model)
    # In TF32, a GPU's convolutions are off by up to a thousandth: turned images would seem to be answered otherwise.
    exact = torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
    with _mode(model, False), torch.no_grad(), exact, kernels():
        return torch.cat([model(batch.to(device, copy=True)).cpu() for batch in images.split(batch_size)])


def gradients(layer: nn.Module, x: torch.Tensor, cotangent: torch.Tensor) -> dict[str, torch.Tensor]:
    """Gradients of ``(layer(x) * cotangent).sum()``.

    Returns:
        ``{"input": …}`` and one entry per parameter name. What the output does not depend on has a gradient of zeros.
    """
    device = _device(layer)
    x = x.detach().to(device).requires_grad_(True)
    names, parameters = zip(*layer.named_parameters(), strict=True) if list(layer.parameters()) else ((), ())
    total = (layer(x) * cotangent.to(device)).sum()
    values = torch.autograd.grad(total, [x, *parameters], allow_unused=True)
    tensors = zip(["input", *names], [x, *parameters], values, strict=True)
    return {name: (torch.zeros_like(t) if g is None else g).detach().cpu() for name, t, g in tensors}


def state(module: nn.Module) -> dict[str, torch.Tensor]:
    """A module's parameters and buffers by name, in definition order, copied to the CPU."""
    named = [*module.named_parameters(), *module.named_buffers()]
    return {name: tensor.detach().cpu().clone() for name, tensor in named}


def with_state(module: nn.Module, tensors: dict[str, torch.Tensor]) -> nn.Module:
    """A copy of a module with these values in place of its own; what is not named keeps its value.

    Args:
        module: left as it is.
        tensors: values by the names that `state` gives; shapes must be the module's.

    Raises:
        ValueError: a name the module does not have, or another shape.
    """
    twin = _twin(module)
    own = dict([*twin.named_parameters(), *twin.named_buffers()])
    with torch.no_grad():
        for name, value in tensors.items():
            if name not in own:
                raise ValueError(f"no parameter or buffer is called {name!r}; there are {', '.join(own) or 'none'}")
            if own[name].shape != value.shape:
                raise ValueError(f"{name} has shape {tuple(own[name].shape)}, not {tuple(value.shape)}")
            own[name].copy_(value)
    return twin


def drawn_values(
    tensors: dict[str, torch.Tensor], generator: torch.Generator, dtype: torch.dtype
) -> dict[str, torch.Tensor]:
    """New numbers for what `state` gave, in its order; the part of `with_random_state` that needs no module.

    Only names, shapes and which tensors are floating-point are read from ``tensors``, and the values of those that are
    not: a judge draws here, in its own process.

    Returns:
        Weights and biases from a normal distribution whose scale keeps outputs near 1, variances uniformly from 0.5 to
        1.5. What has another name, or is not floating-point, is left out: it keeps its value.
    """
    values = {}
    for name, tensor in tensors.items():
        last = name.rpartition(".")[2]
        if last not in ("weight", "bias", "running_mean", "running_var") or not tensor.is_floating_point():
            continue  # a layer's own table or pattern, say, which must stay as it is
        if last == "running_var":
            values[name] = 0.5 + torch.rand(tensor.shape, generator=generator, dtype=dtype)
        else:
            fan_in = max(1, math.prod(tensor.shape[1:]))
            values[name] = torch.randn(tensor.shape, generator=generator, dtype=dtype) / fan_in**0.5
    return values


def with_random_state(
    module: nn.Module, generator: torch.Generator, dtype: torch.dtype = torch.float64
) -> tuple[nn.Module, dict[str, torch.Tensor]]:
    """A copy of a module in another dtype, every number in it drawn anew, so that no start value can hide a mistake.

    Returns:
        The copy, and its values by name, as `drawn_values` draws them.
    """
    values = drawn_values(state(in_dtype(module, dtype)), generator, dtype)
    return with_state(in_dtype(module, dtype), values), values


def parameter_count(module: nn.Module) -> int:
    """How many numbers training may change."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


def train_mode(module: nn.Module, flag: bool) -> nn.Module:
    """Put a module into training (``True``) or evaluation mode, and return it."""
    return module.train(flag)


def in_dtype(module: nn.Module, dtype: torch.dtype) -> nn.Module:
    """A copy of a module whose floating-point parameters and buffers have another dtype.

    It is on the module's device, but on the CPU where that device has no such numbers: Apple's GPUs have no float64.
    """
    twin = _twin(module)
    return (twin.cpu() if dtype == torch.float64 and _device(module).type == "mps" else twin).to(dtype)


def layer_order(model: nn.Module, x: torch.Tensor) -> list[str]:
    """The modules that hold parameters of their own, by name, in the order in which they first run on ``x``.

    The names are prefixes of those that `state` gives. Modules that never run are left out. ``layer.forward(x)`` counts
    as ``layer(x)`` does; a function of PyTorch that is given a layer's weight does not.
    """
    order: list[str] = []

    def noting(name: str, forward: Callable[..., object]) -> Callable[..., object]:
        def noted(*args: object, **kwargs: object) -> object:
            if name not in order:
                order.append(name)
            return forward(*args, **kwargs)

        return noted

    with contextlib.ExitStack() as undo:
        for name, module in model.named_modules():
            if next(module.parameters(recurse=False), None) is not None:
                before = vars(module).copy()
                module.forward = noting(name, module.forward)
                undo.callback(_put_back, module, before)
        predict(model, x)
    return order


def _put_back(module: nn.Module, before: dict[str, object]) -> None:
    """Undo a change of a module's ``forward``."""
    del module.forward
    if "forward" in before:
        module.forward = before["forward"]


def retrained(model: nn.Module, seed: int) -> nn.Module:
    """A fresh network of the same class, trained once more from another seed, in the same budget as a grader's.

    A network that learns nothing in one run may have been unlucky; tests repeat a failed accuracy once.
    """
    with torch.random.fork_rng(devices=None if default_device().type == "cuda" else []):
        torch.manual_seed(seed)
        fresh = type(model)()
    return train_model(fresh, budget="grading", seed=seed)


@contextlib.contextmanager
def raises(kind: type[BaseException], mentions: object = "", *, otherwise: str = "") -> Iterator[None]:
    """Judge that the block raises an exception of this kind whose message names ``mentions``.

    Raises:
        AssertionError: nothing was raised, another kind was, or the message does not hold ``str(mentions)``.
    """
    try:
        yield
    except kind as error:
        if str(mentions) not in str(error):
            message = f"{kind.__name__} was raised, but its message {str(error)!r} does not name {mentions}"
            raise AssertionError(message) from None
    except Exception as error:
        raise AssertionError(f"expected {kind.__name__}, got {type(error).__name__}: {error}. {otherwise}") from None
    else:
        raise AssertionError(f"expected {kind.__name__}, but nothing was raised. {otherwise}")
