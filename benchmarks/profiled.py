"""Where does a training step of C4CNN go, and so: what stands in the way of a faster one?

Runs some steps of `train_model` under PyTorch's profiler, on one thread so that times add up, and adds up by kind what
every operation took by itself. A backward pass counts where its forward pass does. `speed_page.py` shows it.

    python benchmarks/profiled.py    # half a minute; writes benchmarks/results/profiled.json
"""

import argparse
import collections
import contextlib
import functools
import io
from collections.abc import Iterator
from pathlib import Path

import networks
import results
import torch
from steps import trained_for
from torch.autograd.profiler_util import FunctionEvent
from torch.profiler import ProfilerActivity, profile, record_function

from gcnn.data import MnistRotDataset
from gcnn.optimizers import Adam, Muon

STEPS = 12
BANKS, OPTIMIZERS = "filter banks", "optimizers and clipping"
FOURIER, FOURIER_PRODUCTS = "changes of basis and of number format", "products of matrices in the Fourier basis"
PRODUCTS = {f"aten::{name}" for name in ("mm", "bmm", "addmm", "addmm_", "baddbmm", "baddbmm_", "matmul", "linear")}
# Which kind an operation is of: the first that names it, or anything that called it, in part.
KINDS = {
    OPTIMIZERS: (OPTIMIZERS, "linalg_vector_norm", "clip"),
    BANKS: (BANKS, "Rot90Backward", "RollBackward", "StackBackward", "FlipBackward", "SliceBackward"),
    "pools": ("_Pool", "max_pool", "MaxBackward", "aten::max", "AmaxBackward", "aten::amax"),
    "ReLU": ("aten::relu", "ReluBackward", "threshold_backward"),
    "convolutions": ("aten::conv2d", "aten::convolution", "ConvolutionBackward0"),
    FOURIER: ("Convolution",),
}
REST = "the rest"


def chain(event: FunctionEvent) -> Iterator[str]:
    """An operation's name and those of all that called it."""
    while event is not None:
        yield event.name
        event = event.cpu_parent


def kind(event: FunctionEvent) -> str:
    """Of which kind an operation is."""
    names = list(chain(event))
    matching = (one for one, marks in KINDS.items() if any(mark in name for mark in marks for name in names))
    found = next(matching, REST)
    return FOURIER_PRODUCTS if found == FOURIER and PRODUCTS.intersection(names) else found


@contextlib.contextmanager
def ranges(layers: list[type]) -> Iterator[None]:
    """Mark what the optimizers and the layers' filter banks do, so that the profile tells them apart."""
    marked = [(cls, "step", OPTIMIZERS) for cls in (Adam, Muon)] + [(cls, "build_filter", BANKS) for cls in layers]
    before = [(cls, name, getattr(cls, name)) for cls, name, _ in marked]
    for cls, name, label in marked:
        setattr(cls, name, _ranged(getattr(cls, name), label))
    try:
        yield
    finally:
        for cls, name, method in before:
            setattr(cls, name, method)


def _ranged(method: object, label: str) -> object:
    @functools.wraps(method)
    def inner(*args: object, **more: object) -> object:
        with record_function(label):
            return method(*args, **more)

    return inner


def measured(network: str, steps: int = STEPS) -> dict[str, float]:
    """Milliseconds a step, by kind, the longest first."""
    digits = MnistRotDataset("train")
    model = networks.network("ours", network)
    layers = list({type(module) for module in model.modules() if hasattr(module, "build_filter")})
    trained_for(steps, model, digits)  # finds the kernels
    with ranges(layers), profile(activities=[ProfilerActivity.CPU]) as seen:
        trained_for(steps, model, digits)
    taken: dict[str, float] = collections.defaultdict(float)
    for event in seen.events():
        taken[kind(event)] += event.self_cpu_time_total / 1e3 / steps
    return dict(sorted(taken.items(), key=lambda item: -item[1]))


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="c4cnn", choices=list(networks.CLASSES))
    parser.add_argument("--out", type=Path, default=results.FOLDER / "profiled.json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    dtype = results.machine()["numbers"]
    with contextlib.redirect_stdout(io.StringIO()):
        taken = measured(arguments.network)
    rows = [
        {"name": f"profile.{arguments.network}.{one}", "value": round(value, 2), "unit": "ms a step", "dtype": dtype}
        for one, value in taken.items()
    ]
    for row in rows:
        print(f"{row['name']}: {row['value']} {row['unit']}")
    results.write(arguments.out, "benchmarks/profiled.py", rows)


if __name__ == "__main__":
    main()
