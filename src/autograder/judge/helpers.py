"""The names of `gcnn.probes` as test cells see them when judged: the same signatures, run beside a submission's object.

For the grader's own objects they are those of `gcnn.probes`. What comes back from a submission is checked to be of the
kind that the probe promises, so that a test can rely on it.
"""

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from autograder.judge.channel import Unreadable
from autograder.judge.proxies import Misuse, Remote, arrived, is_remote, run_probe
from gcnn import probes

MAX_DRAWN = 2**25  # numbers to draw for one module: its own claim must not be able to take the grader's memory


def _run(
    probe: str, module: object, *args: object, expected: Callable[[Any], bool], seconds: float | None = None
) -> Any:
    """Run a probe where the module is.

    Raises:
        Misuse: there is no module: a submission gave plain data in its place.
        Unreadable: the result is not what the probe promises.
    """
    if not is_remote(module):
        if not isinstance(module, nn.Module):
            raise Misuse(f"a {type(module).__name__} came where a network or layer is expected")
        return getattr(probes, probe)(module, *args)
    result = run_probe(probe, module, *args, seconds=seconds)
    if not expected(result):
        raise Unreadable(f"{probe} gave a {type(result).__name__}")
    return result


def _is_tensor(result: object) -> bool:
    return type(result) is torch.Tensor


def _is_tensors(result: object) -> bool:
    return type(result) is dict and all(map(_is_tensor, result.values()))


def predict(model: nn.Module | Remote, images: torch.Tensor, batch_size: int = 500) -> torch.Tensor:
    """As `gcnn.probes.predict`."""
    return _run("predict", model, images, batch_size, expected=_is_tensor)


def gradients(layer: nn.Module | Remote, x: torch.Tensor, cotangent: torch.Tensor) -> dict[str, torch.Tensor]:
    """As `gcnn.probes.gradients`."""
    return _run("gradients", layer, x, cotangent, expected=_is_tensors)


def state(module: nn.Module | Remote) -> dict[str, torch.Tensor]:
    """As `gcnn.probes.state`."""
    return _run("state", module, expected=_is_tensors)


def with_state(module: nn.Module | Remote, tensors: dict[str, torch.Tensor]) -> nn.Module | Remote:
    """As `gcnn.probes.with_state`."""
    return _run("with_state", module, tensors, expected=is_remote)


def with_random_state(
    module: nn.Module | Remote, generator: torch.Generator, dtype: torch.dtype = torch.float64
) -> tuple[nn.Module | Remote, dict[str, torch.Tensor]]:
    """As `gcnn.probes.with_random_state`; the numbers are drawn here, by the grader's generator.

    Raises:
        Unreadable: the module claims to hold more numbers than can be drawn.
    """
    if not is_remote(module):
        return probes.with_random_state(module, generator, dtype)
    twin = in_dtype(module, dtype)
    tensors = state(twin)
    if sum(math.prod(tensor.shape) for tensor in tensors.values()) > MAX_DRAWN:
        raise Unreadable(f"a layer with more than {MAX_DRAWN:,} numbers")
    values = probes.drawn_values(tensors, generator, dtype)
    return with_state(twin, values), values


def parameter_count(module: nn.Module | Remote) -> int:
    """As `gcnn.probes.parameter_count`."""
    return _run("parameter_count", module, expected=lambda result: type(result) is int and result >= 0)


def train_mode(module: nn.Module | Remote, flag: bool) -> nn.Module | Remote:
    """As `gcnn.probes.train_mode`."""
    return _run("train_mode", module, flag, expected=is_remote)


def in_dtype(module: nn.Module | Remote, dtype: torch.dtype) -> nn.Module | Remote:
    """As `gcnn.probes.in_dtype`."""
    return _run("in_dtype", module, dtype, expected=is_remote)


def layer_order(model: nn.Module | Remote, x: torch.Tensor) -> list[str]:
    """As `gcnn.probes.layer_order`."""
    return _run(
        "layer_order",
        model,
        x,
        expected=lambda result: type(result) is list and all(type(name) is str for name in result),
    )


def on_stand_ins(network: Callable[..., nn.Module] | Remote, n_classes: int | None = None) -> tuple[Any, bool]:
    """As `gcnn.probes.on_stand_ins`.

    Whether a network stands on stand-ins is the submission's word, and may be a lie: it only chooses with which of two
    networks of the reference it is compared, on the same layers, and to equal either one is to be built rightly.
    """
    if not is_remote(network):
        if not callable(network):
            raise Misuse(f"a {type(network).__name__} came where a network's class is expected")
        return probes.on_stand_ins(network, n_classes)
    result = run_probe("on_stand_ins", network, n_classes)
    if type(result) is not tuple or len(result) != 2 or type(result[1]) is not bool:
        raise Unreadable(f"on_stand_ins gave a {type(result).__name__}")
    return result


def retrained(model: nn.Module | Remote, seed: int) -> nn.Module | Remote:
    """As `gcnn.probes.retrained`; the training is the submission's affair, its predictions are what counts."""
    if not is_remote(model):
        return probes.retrained(model, seed)
    return _run("retrained", model, seed, expected=is_remote, seconds=math.inf)  # the cell's limit ends it


@contextlib.contextmanager
def raises(kind: type[BaseException], mentions: object = "", *, otherwise: str = "") -> Iterator[None]:
    """As `gcnn.probes.raises`, for exceptions that a submission raised; the grader's own go through.

    Raises:
        AssertionError: nothing was raised, another kind was, or the message does not hold ``str(mentions)``.
    """
    caught = None
    try:
        yield
    except Exception as error:
        if not arrived(error):
            raise  # an error of the test or the judge is no answer of the submission, whatever its type and message
        caught = error
    with probes.raises(kind, mentions, otherwise=otherwise):
        if caught is not None:
            raise caught


HELPERS: dict[str, Callable[..., Any]] = {
    helper.__name__: helper
    for helper in (
        gradients,
        in_dtype,
        layer_order,
        on_stand_ins,
        parameter_count,
        predict,
        raises,
        retrained,
        state,
        train_mode,
        with_random_state,
        with_state,
    )
}
"""The helpers by the names under which test cells know them."""
