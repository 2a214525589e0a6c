"""The file that an interrupted training goes on from: tensors, numbers and text, nothing that runs when loaded.

And what makes a training the same one, so that it may go on from a file.
"""

import contextlib
import dataclasses
import dis
import functools
import hashlib
import inspect
import io
import json
import os
import time
from collections.abc import Mapping
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
    """What a network's own classes do, with the functions, classes and plain values of theirs that they use.

    Comments, docstrings and layout make no difference; nor does what other packages do.
    """
    todo: list[Any] = [type(module) for module in model.modules()]
    own = {_package(kind) for kind in todo} - {"torch", "builtins"}
    seen: list[Any] = []
    lines: set[str] = set()
    while todo:
        thing = todo.pop()
        if any(thing is one for one in seen):
            continue
        seen.append(thing)
        if isinstance(thing, type) and _package(thing) in own:
            todo += [*thing.__bases__, *vars(thing).values()]
            lines |= _plain({name: value for name, value in vars(thing).items() if not name.startswith("__")})
        elif isinstance(thing, FunctionType) and _package(thing) in own:
            used = _used(thing)
            todo += used.values()
            lines |= (
                _plain(used) | _plain(dict(enumerate(thing.__defaults__ or ()))) | _plain(thing.__kwdefaults__ or {})
            )
            lines |= {"; ".join(map(_step, dis.get_instructions(code))) for code in _codes(thing.__code__)}
        elif isinstance(thing, (staticmethod, classmethod)):
            todo.append(thing.__func__)
        elif isinstance(thing, property):
            todo.append(thing.fget)
        elif isinstance(thing, functools.partial):
            todo.append(thing.func)
            lines |= _plain(dict(enumerate(thing.args))) | _plain(thing.keywords)
    return sorted(lines)


def _used(function: FunctionType) -> dict[str, Any]:
    """What a function finds by name outside of itself."""
    try:
        variables = inspect.getclosurevars(function)
    except ValueError:  # a name that is bound later
        return {}
    return {**variables.globals, **variables.nonlocals}


def _package(thing: type | FunctionType) -> str:
    return str(thing.__module__).partition(".")[0]


def _codes(code: CodeType) -> list[CodeType]:
    """A function's code, and that of what is defined inside of it."""
    return [code, *(inner for one in code.co_consts if inspect.iscode(one) for inner in _codes(one))]


def _step(instruction: dis.Instruction) -> str:
    value = instruction.argval
    if inspect.iscode(value):
        value = value.co_name
    elif isinstance(value, frozenset):  # in another order in every process
        value = sorted(map(repr, value))
    return f"{instruction.opname} {value!r}"


def _plain(values: Mapping[Any, object]) -> set[str]:
    """Numbers and texts by name: whatever else there is may be written otherwise in every process."""
    return {f"{name} = {one!r}" for name, one in values.items() if isinstance(one, (bool, int, float, str))}
