"""The progress of a training: a bar and a growing curve where somebody watches, else a few plain lines.

Everything goes to stdout, because nbgrader counts anything on stderr as a failure.
"""

import sys
import time
from typing import Any

from torch import nn
from tqdm import tqdm

from gcnn.environment import grading, in_notebook
from gcnn.history import History

DRAWING = 0.05  # share of a training's time that its growing curve may take


class Progress:
    """A progress bar on stdout, in a notebook with the curves below it; a line for each epoch if nobody watches.

    Args:
        shown: whether to show anything.
        steps: of the whole training.
        first: how many of them are done already.
        model: the network that is trained.
    """

    def __init__(self, shown: bool, steps: int, first: int, model: nn.Module) -> None:
        live = shown and not grading() and (in_notebook() or sys.stdout.isatty())
        self.model, self.curves, self.display = model, live and in_notebook(), None
        self.lines = shown and not live
        bar = {"total": steps, "initial": first, "desc": type(model).__name__, "unit": "step", "ncols": 100}
        self.bar = tqdm(**bar, file=sys.stdout) if live else None
        self.valid = ""
        self.begin, self.drawing, self.behind = time.perf_counter(), 0.0, False

    def update(self, step: int, loss: float) -> None:
        """Show that so many steps are done, and the loss of the last."""
        if self.bar is not None:
            self.bar.set_postfix_str(f"loss {loss:.3f}{self.valid}", refresh=False)
            self.bar.update(step - self.bar.n)

    def epoch(self, history: History) -> None:
        """Show the last entry of the curves."""
        self.valid = f", validation {history.valid_accuracy[-1]:.1f} %"
        if self.bar is not None:
            self.update(self.bar.n, history.loss[-1])
            self.bar.refresh()
        if self.curves and history.budget.epochs > 1:
            self.behind = True
            if self.drawing <= DRAWING * (time.perf_counter() - self.begin):  # epochs of a few digits take no time
                self._draw()
        if self.lines:
            done, of = history.epochs[-1], history.budget.epochs
            text = f"epoch {done:.4g} of {of:.4g}: loss {history.loss[-1]:.3f}{self.valid}, {history.seconds[-1]:.0f} s"
            print(text, flush=True)

    def _draw(self) -> None:
        from IPython.display import display

        from gcnn import plots  # not above: what draws networks imports what trains them

        begin = time.perf_counter()
        picture: Any = plots.history({type(self.model).__name__: self.model})
        if self.display is None:
            self.display = display(picture, display_id=True)
        else:
            self.display.update(picture)
        self.behind = False
        self.drawing += time.perf_counter() - begin

    def close(self) -> None:
        """Leave the bar and the curves as they are, whole."""
        if self.behind:
            self._draw()
        if self.bar is not None:
            self.bar.close()
