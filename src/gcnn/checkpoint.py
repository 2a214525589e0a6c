"""The file that an interrupted training goes on from: tensors, numbers and text, nothing that runs when loaded.

And what makes a training the same one, so that it may go on from a file.
"""

import contextlib
import dataclasses
import hashlib
import inspect
import io
import json
import os
import time
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import torch
from torch import nn

from gcnn.environment import checkpoint_dir
from gcnn.history import History

PAUSES = (0.1, 0.3, 1.0)  # seconds between tries: a virus scanner or a cloud's client may hold the file for a moment


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A training's state at the end of an epoch, in one file.

    A file that is there and is not the same training's checkpoint is refused, never overwritten.
    """

    path: Path
    """The file; missing folders are made."""
    run: dict[str, Any]
    """What must be equal for a training to go on from the file, by name: plain data."""

    def load(self) -> dict[str, Any] | None:
        """What `save` stored last, on the CPU, or ``None`` if there is no file.

        Raises:
            ValueError: the file is damaged, of another kind, or another training's.
        """
        if not self.path.exists():
            return None
        advice = "Delete the file to start anew, or give another path."
        try:
            # weights_only: a file from elsewhere must not run code.
            stored = torch.load(self.path, map_location="cpu", weights_only=True)
            run, state = stored["run"], stored["state"]
            differing = [name for name, value in self.run.items() if run[name] != value]
        except Exception as error:
            kind = type(error).__name__
            raise ValueError(f"{self.path} is damaged or no checkpoint of train_model ({kind}). {advice}") from error
        if differing:
            raise ValueError(f"{self.path} holds another training: different {' and '.join(differing)}. {advice}")
        return state

    def save(self, state: dict[str, Any]) -> None:
        """Store a state. An interruption meanwhile leaves the file as it was.

        Raises:
            OSError: it cannot be stored; the file is as it was.
        """
        content = io.BytesIO()  # given a path, PyTorch would say of a full disk only that something is unexpected
        torch.save({"run": self.run, "state": state}, content)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self.path.with_name(self.path.name + ".part")
        try:
            unfinished.write_bytes(content.getbuffer())
            self._put_in_place(unfinished)
        except OSError:
            with contextlib.suppress(OSError):
                unfinished.unlink()
            raise

    def _put_in_place(self, unfinished: Path) -> None:
        for pause in PAUSES:
            try:
                os.replace(unfinished, self.path)
                return
            except PermissionError:
                time.sleep(pause)
        os.replace(unfinished, self.path)


def identity(model: nn.Module, labels: torch.Tensor, history: History) -> dict[str, Any]:
    """What makes a training the same one, so that a checkpoint may be used: plain data by name."""
    named = [*model.named_parameters(), *model.named_buffers()]
    weighted = labels.cpu() * torch.arange(1, len(labels) + 1)
    return {
        "network": repr(model),
        "shapes of weights": {name: list(tensor.shape) for name, tensor in named},
        "budget": dataclasses.asdict(history.budget),
        "seed": history.seed,
        "trained": [name for name, p in model.named_parameters() if p.requires_grad],
        "training digits": {"images": len(labels), "labels": int(weighted.sum())},
    }


def own_file(model: nn.Module, images: torch.Tensor, run: dict[str, Any]) -> Path:
    """A checkpoint's file for this training and no other.

    Its name tells what the network's code is and what it answers before the training: a mistake may show in one of them
    only, in the code if it is about training alone.

    Args:
        model: put into evaluation mode.
        images: of which it is shown a few.
        run: its `identity`.
    """
    with torch.no_grad():
        answers = model.eval()(images[:8]).cpu().double()  # in this order: Apple's GPUs have no float64
    start = (answers / answers.abs().max().clamp(min=1e-30)).mul(1000).round().long().tolist()
    digest = hashlib.sha256(json.dumps([run, start, _code(model)], sort_keys=True).encode()).hexdigest()
    return checkpoint_dir() / f"{type(model).__name__}-{digest[:10]}.pt"


def _code(model: nn.Module) -> list[str]:
    """What a network's own classes do, and the functions that they call, whatever their comments and docstrings."""
    kinds = {kind for module in model.modules() for kind in type(module).__mro__ if _is_own(kind)}
    members = [member for kind in kinds for member in vars(kind).values()]
    functions = [getattr(member, "__func__", getattr(member, "fget", member)) for member in members]
    todo, seen, lines = [one for one in functions if inspect.isfunction(one)], set(), []
    while todo:
        function = todo.pop()
        if function in seen:
            continue
        seen.add(function)
        for code in _codes(function.__code__):
            constants = [
                one for one in code.co_consts if one not in (None, function.__doc__) and not inspect.iscode(one)
            ]
            lines.append(" ".join([code.co_code.hex(), *code.co_names, *map(_constant, constants)]))
            called = [function.__globals__.get(name) for name in code.co_names]
            todo += [one for one in called if isinstance(one, FunctionType) and _is_own(one)]
    return sorted(lines)


def _codes(code: CodeType) -> list[CodeType]:
    """A function's code, and that of what is defined inside of it."""
    return [code, *(inner for one in code.co_consts if inspect.iscode(one) for inner in _codes(one))]


def _constant(value: object) -> str:
    # A set's order is another one in every process.
    return repr(sorted(map(repr, value)) if isinstance(value, frozenset) else value)


def _is_own(thing: type | FunctionType) -> bool:
    """Whether a class or function is neither PyTorch's nor Python's own."""
    return str(thing.__module__).partition(".")[0] not in ("torch", "builtins")
