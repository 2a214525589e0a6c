"""The progress of a training: a bar where somebody watches it move, else a few plain lines.

Everything goes to stdout, because nbgrader counts anything on stderr as a failure.
"""

import sys

from tqdm import tqdm

from gcnn.environment import grading
from gcnn.history import History


class Progress:
    """A progress bar on stdout, or a line for each epoch where there is nobody to watch a bar move.

    Args:
        shown: whether to show anything.
        steps: of the whole training.
        first: how many of them are done already.
        label: what is trained.
    """

    def __init__(self, shown: bool, steps: int, first: int, label: str) -> None:
        notebook = type(sys.stdout).__module__.startswith(("ipykernel", "google.colab"))
        live = shown and not grading() and (notebook or sys.stdout.isatty())
        self.lines = shown and not live
        bar = {"total": steps, "initial": first, "desc": label, "unit": "step", "ncols": 100}
        self.bar = tqdm(**bar, file=sys.stdout) if live else None
        self.valid = ""

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
        if self.lines:
            done, of = history.epochs[-1], history.budget.epochs
            text = f"epoch {done:.4g} of {of:.4g}: loss {history.loss[-1]:.3f}{self.valid}, {history.seconds[-1]:.0f} s"
            print(text, flush=True)

    def close(self) -> None:
        """Leave the bar as it is."""
        if self.bar is not None:
            self.bar.close()
