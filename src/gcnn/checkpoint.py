"""The file that an interrupted training goes on from: tensors, numbers and text, nothing that runs when loaded."""

import contextlib
import dataclasses
import io
import os
import time
from pathlib import Path
from typing import Any

import torch

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
