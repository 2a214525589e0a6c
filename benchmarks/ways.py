"""What does each of `gcnn.fast`'s ways save: is a training step slower without it?

Steps of `train_model` as they are take turns, in one run, with steps from which one way is taken away, so that PyTorch
computes what it would have, and with steps of PyTorch's functions only. In float32, and in bfloat16 where the processor
multiplies such numbers itself. The memory that `gcnn.fast` lets a process keep is kept throughout. That the results are
the same is for the tests (tests/gcnn/test_fast.py, test_fourier.py, test_rings.py).

    python benchmarks/ways.py    # five minutes; writes benchmarks/results/ways.json; leave the machine alone
"""

import argparse
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import networks
import results
from rich.console import Console
from rich.progress import track
from steps import trained_for
from training import row

from gcnn import fast, fourier, rings, training
from gcnn.data import MnistRotDataset

STEPS, ROUNDS = 20, 5
ALL, NOTHING = "all", "pytorch"
NETWORKS = ("c4cnn", "c4cnn_bn", "isotropic_cnn", "d4cnn")
# What is put in the place of a way: a function that leaves the call to PyTorch.
WITHOUT = {
    "fourier": (fourier, "convolve"),
    "rings": (rings, "convolve"),
    "convolutions": (fast._Kernels, "_conv2d"),  # and with them both of the above
    "pools": (fast._Kernels, "_max_pool2d"),
    "batch_norm": (fast._Kernels, "_batch_norm"),
}


def _leave_it(*_: object, **__: object) -> None:
    """Compute nothing: PyTorch's own function is called then."""


@contextlib.contextmanager
def without(way: str) -> Iterator[None]:
    """Take a way away."""
    if way == ALL:
        yield
    elif way == NOTHING:
        with mock.patch.object(training, "kernels", lambda _: contextlib.nullcontext()):
            yield
    else:
        with mock.patch.object(*WITHOUT[way], _leave_it):
            yield


def step_ms(network: str, precision: str, way: str, steps: int) -> float:
    """Milliseconds a step of 50 images."""
    model, digits = networks.network("ours", network), MnistRotDataset("train")
    with without(way):
        return 1e3 * trained_for(steps, model, digits, precision=precision).seconds[-1] / steps


def at_work(network: str, rounded: bool) -> list[str]:
    """Those ways that have anything to do in a network; ``rounded``: in bfloat16."""
    idle = {"fourier"} if networks.ORDERS[networks.SHAPES[network][0]] == 1 else {"rings"}
    idle |= {"rings"} if rounded else {"batch_norm"}
    idle |= set() if networks.SHAPES[network][2] else {"batch_norm"}
    return [way for way in WITHOUT if way not in idle]


def measured(network: str, precision: str, steps: int, rounds: int) -> dict[str, list[float]]:
    """Each round's milliseconds a step, by the way that is missing."""
    ways = [ALL, *at_work(network, fast.rounds(precision)), NOTHING]
    for way in ways:  # kernels are found, memory is taken
        step_ms(network, precision, way, 2)
    taken: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way in ways:
            taken[way].append(step_ms(network, precision, way, steps))
    return taken


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often the ways take turns")
    parser.add_argument("--out", type=Path, default=results.FOLDER / "ways.json")
    arguments = parser.parse_args()
    console = Console() if sys.stdout.isatty() else Console(width=120)
    formats = {"float32": "float32", **({"bfloat16": "auto"} if fast.rounds("auto") else {})}
    rows = []
    for dtype, precision in formats.items():
        for network in track(NETWORKS, f"steps in {dtype}", console=console, disable=not console.is_terminal):
            taken = measured(network, precision, STEPS, arguments.rounds)
            for way, values in taken.items():
                name = f"{network}.{dtype}.{way}" if way in (ALL, NOTHING) else f"{network}.{dtype}.without_{way}"
                ratios = [one / base for one, base in zip(values, taken[ALL], strict=True)]
                rows.append(row(f"{name}.step_ms", values, "ms a step of 50 images"))
                rows.append(row(f"{name}.ratio", ratios, "times as long as with all, in the same round"))
                console.print(f"{name}: {rows[-2]['value']:.1f} ms a step, {rows[-1]['value']:.2f} times as long")
    results.write(arguments.out, "benchmarks/ways.py", rows)


if __name__ == "__main__":
    main()
