"""Runs a notebook's cells from top to bottom in a fresh kernel, in a process of its own, and says which fail.

`run` is called in the student's kernel and starts this module as a program, which starts the kernel with nbclient: so
neither the student's kernel nor its event loop is touched. The fresh kernel works in an empty folder, since a grader
has the notebook alone; its trainings are one step long, and as far as the notebook asks, it is a grader's.
"""

import contextlib
import functools
import inspect
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import types
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

LIMIT = 60  # seconds for a cell
DIGITS = 20  # to train on: the question is whether a training runs at all
_START = 120  # seconds in which a kernel must start and import PyTorch
_GRACE = 5  # seconds in which an interrupted cell must stop
_PRELUDE = "__import__('gcnn.clean_start').clean_start.shorten_training()"


def shorten_training() -> None:
    """Make every training in this process one of the budget "trial" on a few digits, without a checkpoint."""
    from gcnn import training
    from gcnn.data import MnistRotDataset

    train = training.train_model
    signature = inspect.signature(train)

    @functools.cache
    def few(mode: str) -> types.SimpleNamespace:
        digits = MnistRotDataset(mode)
        return types.SimpleNamespace(images=digits.images[:DIGITS].clone(), labels=digits.labels[:DIGITS].clone())

    @functools.wraps(train)
    def brief(*args: Any, **kwargs: Any) -> Any:
        asked = signature.bind(*args, **kwargs)
        asked.arguments |= {"budget": "trial", "checkpoint": False, "progress": False}
        asked.arguments |= {"train_set": few("train"), "valid_set": few("valid")}
        return train(*asked.args, **asked.kwargs)

    training.train_model = brief


def run(sources: Sequence[str], limit: float = LIMIT, started: Callable[[int], None] | None = None) -> dict[int, str]:
    """Run cells in a fresh kernel, each whether or not those before it failed.

    Args:
        sources: the cells' code, in order.
        limit: seconds after which a cell is stopped.
        started: called with a cell's number when it starts.

    Returns:
        What went wrong, for each cell that failed, by its number. "NameError: name 'x' is not defined", or a sentence.

    Raises:
        RuntimeError: the cells could not be run; the message says why and what to do.
    """
    failed: dict[int, str] = {}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, _program(folder) as program:
        with contextlib.suppress(OSError):
            json.dump({"sources": list(sources), "limit": limit}, program.stdin)
            program.stdin.close()
        for line in program.stdout:
            said = json.loads(line)
            if "problem" in said:
                raise RuntimeError(said["problem"])
            if "error" in said:
                failed[said["cell"]] = said["error"]
            elif "cell" in said and started is not None:
                started(said["cell"])
            if "end" in said:
                return failed
    raise RuntimeError("the run from a clean start broke off; to try it yourself, restart the kernel and run all cells")


@contextlib.contextmanager
def _program(folder: str) -> Iterator[subprocess.Popen]:
    """This module as a program in an empty folder; it and its kernel end with the context."""
    variables = {**os.environ, "NBGRADER_EXECUTION": "validate", "MPLBACKEND": "agg", "PYTHONIOENCODING": "utf-8"}
    for name in ("JPY_PARENT_PID", "JPY_SESSION_NAME"):
        variables.pop(name, None)
    with subprocess.Popen(
        [sys.executable, "-m", "gcnn.clean_start"],
        cwd=folder,
        env=variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
        start_new_session=True,  # the interrupt of the student's kernel is for the student's kernel
    ) as program:
        try:
            yield program
        finally:
            program.terminate()
            try:
                program.wait(timeout=_GRACE)
            except subprocess.TimeoutExpired:
                program.kill()


def _brief(kind: str, message: str) -> str:
    """An error in one line."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", message).strip().split("\n")[0]
    return (f"{kind}: {text}" if text else kind)[:300]


def _main() -> None:
    """Read the cells from stdin, run them, and say on stdout what happens, a line of JSON each."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as out:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what a kernel writes there would stand between the lines

        def say(**what: Any) -> None:
            print(json.dumps(what), file=out, flush=True)

        asked = json.load(sys.stdin)
        try:
            _execute(asked["sources"], asked["limit"], say)
            say(end=True)
        except ImportError as error:
            missing = (error.name or "nbclient").partition(".")[0]
            missing = "nbclient" if missing == "nbformat" else missing  # nbclient brings it
            say(problem=f"the package {missing} is missing: run `%pip install {missing}`, then this cell again")
        except Exception as error:
            say(problem=f"no fresh kernel could be used here ({_brief(type(error).__name__, str(error))})")


def _execute(sources: list[str], limit: float, say: Callable[..., None]) -> None:
    """Run cells with nbclient in a kernel of this Python."""
    import nbformat
    from ipykernel.kernelspec import RESOURCES, get_kernel_dict
    from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    class ThisPython(KernelSpecManager):
        """Every kernel is this Python's, whatever is installed under that name."""

        def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
            return KernelSpec(resource_dir=RESOURCES, **get_kernel_dict())

    cells = [nbformat.v4.new_code_cell(source) for source in [_PRELUDE, *sources]]
    notebook = nbformat.v4.new_notebook(cells=cells)
    manager = AsyncKernelManager(kernel_spec_manager=ThisPython())

    def end(*_: Any) -> None:
        """End, and the kernel first: it would go on without us."""
        kernel = getattr(manager.provisioner, "process", None)
        if kernel is not None:
            kernel.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):  # before `_program` loses patience
                kernel.wait(timeout=_GRACE / 2)  # gone with its memory before the check says that it has stopped
        os._exit(1)

    signal.signal(signal.SIGTERM, end)
    client = NotebookClient(notebook, km=manager, timeout=_START, startup_timeout=_START, store_widget_state=False)
    with client.setup_kernel(cwd=str(Path.cwd()), env=dict(os.environ)):
        client.execute_cell(cells[0], 0)
        client.timeout = limit
        for number, cell in enumerate(cells[1:]):
            say(cell=number)
            try:
                client.execute_cell(cell, number + 1)
            except CellExecutionError as error:
                say(cell=number, error=_brief(error.ename, error.evalue))
            except CellTimeoutError:
                stopped = _stopped(client, nbformat.v4.new_code_cell("pass"))
                rest = "" if stopped else "; it could not be interrupted, so the cells after it were not run"
                say(cell=number, error=f"it ran for more than {limit:g} seconds and was stopped{rest}")
                if not stopped:
                    return
            except DeadKernelError:
                say(
                    cell=number,
                    error="the kernel died in it, perhaps for want of memory; the cells after it were not run",
                )
                return


def _stopped(client: Any, probe: Any) -> bool:
    """Whether a cell that took too long gives way when it is interrupted."""
    from jupyter_core.utils import run_sync
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    run_sync(client.km.interrupt_kernel)()
    limit, client.timeout = client.timeout, _GRACE
    client.nb.cells.append(probe)
    try:
        client.execute_cell(probe, len(client.nb.cells) - 1)
    except (CellTimeoutError, DeadKernelError):
        return False
    finally:
        client.timeout = limit
    return True


if __name__ == "__main__":
    _main()
