"""One of those that are compared in `training.py`, in a process of its own, so that its peak memory is its own.

    python peer.py WHO DEVICE      # WHO: original, pairs, ours or escnn; DEVICE: cpu or cuda

Reads one request a line from stdin, a JSON object, and answers each with one line; ends when stdin does.

    {"do": "train", "network": "c4cnn", "width": 1, "batch": 50, "steps": 20, "dtype": "float32"}
        -> {"step_ms": mean of the steps, "loading_ms": mean of what the loader took before each, "dtype": what it was}
    {"do": "evaluate", "network": "c4cnn", "images": 1000, "exported": false}  -> {"seconds": for so many images}
    {"do": "peak"}                                                             -> {"mb": since the start}

An error is answered with {"error": its words}. ``bfloat16`` is torch's autocast, and for "ours" the ``precision`` that
`train_model` chooses. Forward passes, backward passes and Adam are timed; for "original" also the loading, by itself.
"""

import contextlib
import json
import os
import re
import resource
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

DIGITS = Path(__file__).resolve().parent.parent / "src" / "gcnn" / "digits" / "train.npz"
MB = 2**20


def digits() -> SimpleNamespace:
    """The training digits, ``images`` (10000, 1, 33, 33) in [0, 1] and ``labels`` (10000,)."""
    with np.load(DIGITS) as file:
        images, labels = torch.from_numpy(file["images"])[:, None] / 255, torch.from_numpy(file["labels"]).long()
    return SimpleNamespace(images=F.pad(images, (2, 3, 2, 3), mode="replicate"), labels=labels)


class OneByOne(torch.utils.data.Dataset):
    """Digits as the original hands them out: each through a PIL image and torchvision's transform."""

    def __init__(self, data: SimpleNamespace):
        from PIL import Image
        from torchvision.transforms import ToTensor

        self.pixels, self.labels = data.images[:, 0].numpy(), data.labels.numpy()
        self.picture, self.transform = Image.fromarray, ToTensor()

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        """One digit, (1, 33, 33), and its label."""
        return self.transform(self.picture(self.pixels[index])), self.labels[index]

    def __len__(self) -> int:
        """How many there are."""
        return len(self.labels)


class Peer:
    """Answers the requests.

    Args:
        who: "original", "pairs", "ours" or "escnn".
        device: "cpu" or "cuda".
    """

    def __init__(self, who: str, device: str):
        self.who, self.device, self.data = who, torch.device(device), digits()
        self.models: dict[tuple[str, float], nn.Module] = {}
        self.optimizers: dict[int, torch.optim.Optimizer] = {}
        self.batches: dict[int, Iterator] = {}

    def model(self, name: str, width: float = 1) -> nn.Module:
        """A network, made when it is first asked for."""
        if (name, width) not in self.models:
            torch.manual_seed(0)
            if self.who == "escnn":
                from escnn_network import Network

                made = Network(name, width)
            else:
                from networks import network

                made = network(self.who, name, width)
            self.models[name, width] = made.to(self.device)
        return self.models[name, width]

    def wait(self) -> None:
        """Wait until the device has done everything."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def loader(self, batch: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Batches without an end, (B, 1, 33, 33) and (B,), as this peer loads them; the original's are on the CPU."""
        if self.who == "original":
            items = torch.utils.data.DataLoader(OneByOne(self.data), batch_size=batch)
            while True:
                yield from items
        images, labels = self.data.images.to(self.device), self.data.labels.to(self.device)
        while True:
            order = torch.randperm(len(labels)).to(self.device)
            for some in order[: len(labels) // batch * batch].split(batch):
                yield images[some], labels[some]

    def adam(self, model: nn.Module) -> torch.optim.Optimizer:
        """The network's optimiser: the original's own, or a fused one."""
        if id(model) not in self.optimizers:
            ways = {"lr": 5e-5} if self.who == "original" else {"lr": 1e-3, "fused": True}
            self.optimizers[id(model)] = torch.optim.Adam(model.parameters(), weight_decay=1e-5, **ways)
        return self.optimizers[id(model)]

    def train(self, network: str, width: float, batch: int, steps: int, dtype: str) -> dict[str, object]:
        """Train for some steps."""
        model = self.model(network, width)
        if self.who == "ours":
            return self.train_ours(model, batch, steps, dtype)
        optimizer = self.adam(model)
        batches = self.batches.setdefault(batch, self.loader(batch))
        rounded = torch.autocast(self.device.type, torch.bfloat16) if dtype == "bfloat16" else contextlib.nullcontext()
        model.train()
        loading, start = 0.0, self.now()
        for _ in range(steps):
            before = time.perf_counter()
            x, t = next(batches)
            loading += time.perf_counter() - before
            x, t = x.to(self.device), t.to(self.device)
            optimizer.zero_grad()
            with rounded:
                loss = F.cross_entropy(model(x), t)
            loss.backward()
            optimizer.step()
        whole = self.now() - start
        if self.who != "original":
            loading = 0.0  # an index into a tensor: a part of the step, as it is for ours
        return {"step_ms": 1e3 * (whole - loading) / steps, "loading_ms": 1e3 * loading / steps, "dtype": dtype}

    def train_ours(self, model: nn.Module, batch: int, steps: int, dtype: str) -> dict[str, object]:
        """Some steps of `train_model` with Adam, by its own clock: from the first to the end of a tiny validation."""
        from steps import trained_for

        precision = "float32" if dtype == "float32" else "auto"
        history = trained_for(steps, model, self.data, batch, adam=True, device=self.device, precision=precision)
        return {"step_ms": 1e3 * history.seconds[-1] / steps, "loading_ms": 0.0, "dtype": history.precision}

    def evaluate(self, network: str, images: int, exported: bool = False) -> dict[str, float]:
        """Name some digits, in float32."""
        model = self.model(network)
        some = SimpleNamespace(images=self.data.images[:images], labels=self.data.labels[:images])
        if self.who == "ours":
            from gcnn.training import test_model

            test_model(model, some)  # the first time finds the kernels
            start = self.now()
            test_model(model, some)
            return {"seconds": self.now() - start}
        model = model.exported() if exported else model.eval()
        if self.who == "original":
            parts = torch.utils.data.DataLoader(OneByOne(some), batch_size=64)
        else:
            parts = list(zip(some.images.split(500), some.labels.split(500), strict=True))
        with torch.no_grad():
            model(some.images[:500].to(self.device))
            start = self.now()
            right = sum((model(x.to(self.device)).argmax(1) == t.to(self.device)).sum() for x, t in parts)
            int(right)
        return {"seconds": self.now() - start}

    def now(self) -> float:
        """Seconds on a clock, after the device has done everything."""
        self.wait()
        return time.perf_counter()

    def peak(self) -> dict[str, float]:
        """The most memory so far: of the whole process, or of the GPU's tensors; MiB."""
        if self.device.type == "cuda":
            return {"mb": torch.cuda.max_memory_allocated() / MB}
        status = Path("/proc/self/status")
        if status.exists():  # Linux counts what the process that started this one held as well, but not here
            (most,) = re.findall(r"^VmHWM:\s*(\d+) kB", status.read_text(), re.MULTILINE)
            return {"mb": int(most) * 1024 / MB}
        return {"mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MB}  # macOS: bytes


def main() -> None:
    """Answer until nobody asks."""
    answers = os.fdopen(os.dup(1), "w")
    sys.stdout = sys.stderr  # what a library prints must not get among the answers
    peer = Peer(*sys.argv[1:])
    doors: dict[str, Callable] = {"train": peer.train, "evaluate": peer.evaluate, "peak": peer.peak}
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = doors[request.pop("do")](**request)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
