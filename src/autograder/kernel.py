"""One kernel of a submission: started in its sandbox, run cell by cell, with the judge's way to it.

What a cell shows is fit to be shown when it is over; how long it may take, `Settings` say.
"""

import contextlib
import dataclasses
import math
import sys
from typing import Any

import nbclient
import nbformat
from jupyter_core.utils import run_sync
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode

from autograder.judge import Channel, Submission
from autograder.notebooks import role
from autograder.safe import safe_outputs
from autograder.sandbox import Limits, Sandbox
from autograder.sandbox.provisioner import AsyncSandboxedKernelManager

TOO_LONG = "TooLong"  # the name of the error of a cell that was stopped


@dataclasses.dataclass(frozen=True)
class Settings:
    """How submissions are run."""

    sandbox: str = "bubblewrap"
    """"bubblewrap", or "none" for no sandbox at all."""
    limits: Limits = dataclasses.field(default_factory=Limits)
    """What one submission may use."""
    cell_seconds: float = 60
    """How long one cell may take."""
    training_seconds: float = 300
    """How long one training cell may take."""
    test_seconds: float = 600
    """How long one test may take; a test of accuracy may train twice more."""

    def __post_init__(self) -> None:
        """Refuse what is no time."""
        for name in ("cell_seconds", "training_seconds", "test_seconds"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be a positive number, got {getattr(self, name)!r}")


class Kernel:
    """One kernel of a submission, and the judge's way to it."""

    def __init__(self, sandbox: Sandbox, notebook: NotebookNode, names: frozenset[str], settings: Settings):
        self.sandbox, self.settings = sandbox, settings
        # A manager of its own: jupyter_client's close their sockets for good when a kernel has died.
        self.manager = manager = AsyncSandboxedKernelManager.around(sandbox, sys.executable)
        # A notebook of its own, too: a message may change what an earlier cell shows, and would after it was made safe.
        scratch = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell() for _ in notebook.cells])
        self.client = nbclient.NotebookClient(
            scratch,
            km=manager,
            allow_errors=True,
            timeout_func=self._seconds,
            interrupt_on_timeout=True,
            startup_timeout=60,
            error_on_timeout={"ename": TOO_LONG},
            record_timing=False,
            on_cell_executed=self._executed,
        )
        try:
            self.client.start_new_kernel()
            self.client.start_new_kernel_client()
            self.channel = Channel(self.client.kc, alive=self.alive, why=self.reason, rests=sandbox.rests)
            self.submission = Submission(self.channel, names)  # before anything of the submission runs
        except BaseException:
            self.end()
            raise

    def _executed(self, cell: NotebookNode, execute_reply: dict[str, Any], **_: Any) -> None:
        self._stopped = execute_reply["content"].get("ename") == TOO_LONG

    def _seconds(self, cell: NotebookNode) -> int:
        # To nbclient, zero is no limit.
        return math.ceil(self.settings.training_seconds if role(cell) == "training" else self.settings.cell_seconds)

    def alive(self) -> bool:
        """Whether the sandbox still runs."""
        process = self.manager.provisioner.process if self.manager.has_kernel else None
        return process is not None and process.poll() is None

    def reason(self) -> str:
        """Why the kernel is gone, if a limit ended it."""
        if not self.alive():
            self.sandbox.kill()  # it is dead, but the watchdog may not have written down of what
        hit = self.sandbox.evidence.limits_hit
        return hit[-1] if hit else ""

    def execute(self, cell: NotebookNode, index: int) -> str:
        """Run a cell of the submission; why the kernel is of no use any more, or an empty string.

        What the cell gets of what the kernel sent is fit to be shown.
        """
        self._stopped = False
        running = nbformat.v4.new_code_cell(cell.source, metadata=cell.metadata)
        self.client.nb.cells[index] = running  # where the client looks for what a message changes
        try:
            self.client.execute_cell(running, index)
            if self._stopped:
                running.outputs.append(error_output(TOO_LONG, f"this cell was stopped after {self._seconds(cell)} s"))
                if not self.submission.responds() or not self.sandbox.rests():
                    return self.reason() or "it did not let go of a cell that was stopped"
        except DeadKernelError:
            return self.reason() or "the kernel died"
        except Exception as error:  # a message that cannot be read: the kernel sent something that no kernel sends
            self.sandbox.kill("a message that no kernel sends")
            return f"the kernel sent what cannot be read ({type(error).__name__})"
        finally:
            cell.outputs, count = safe_outputs(running.outputs), running.execution_count
            cell.execution_count = count if type(count) is int and 0 <= count < 2**31 else None
        return ""

    def end(self) -> None:
        """Kill it."""
        self.sandbox.kill()
        for release in (lambda: self.client.kc.stop_channels(), run_sync(self.manager.cleanup_resources)):
            with contextlib.suppress(Exception):  # whatever state the sockets of a dead kernel are in
                release()


def error_output(name: str, message: str) -> NotebookNode:
    """What a cell shows of an error that no cell raised."""
    return nbformat.v4.new_output("error", ename=name, evalue=message, traceback=[f"{name}: {message}"])
