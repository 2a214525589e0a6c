"""Asking real kernels in real sandboxes: what several tests need."""

import ast
import contextlib
import queue
import textwrap
import time

import psutil

from autograder.sandbox import Limits, sandboxed_kernel


class CellError(Exception):
    """What a cell raised: its traceback's last line."""


class Kernel:
    """A running kernel to ask things."""

    def __init__(self, manager):
        self.manager, self.sandbox = manager, manager.sandbox
        manager.start_kernel()
        self.client = manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=30)

    def run(self, code, timeout=30):
        """Run code and return what it prints; raises `CellError`, or `TimeoutError` if the kernel is silent."""
        return self.finish(self.start(code), timeout)

    def start(self, code):
        """Start a cell."""
        return self.client.execute(textwrap.dedent(code))

    def finish(self, request, timeout=30):
        """Wait for a cell that was started; raises as `run`."""
        printed, error, end = "", None, time.monotonic() + timeout
        while time.monotonic() < end:
            try:
                message = self.client.get_iopub_msg(timeout=0.2)
            except queue.Empty:
                if not self.manager.is_alive():
                    raise TimeoutError("the kernel is dead") from None
                continue
            content = message["content"]
            if message["parent_header"].get("msg_id") != request:
                continue
            if message["msg_type"] == "stream":
                printed += content["text"]
            elif message["msg_type"] == "error":
                error = f"{content['ename']}: {content['evalue']}"
            elif message["msg_type"] == "status" and content["execution_state"] == "idle":
                if error:
                    raise CellError(error)
                return printed
        raise TimeoutError("no answer")

    def value(self, code, timeout=30):
        """What the last line of some code, an expression, gives: plain data."""
        *before, last = ast.parse(textwrap.dedent(code)).body
        source = "\n".join([*map(ast.unparse, before), f"print(repr({ast.unparse(last)}))"])
        # The last line: IPython's own threads print too, where they can open no file, say.
        return ast.literal_eval(self.run(source, timeout).rstrip().rpartition("\n")[2])

    def dies(self, code, timeout=20):
        """Run code that ends the kernel; what limits were hit."""
        request = self.start(code)
        with contextlib.suppress(CellError, TimeoutError):
            self.finish(request, timeout)
        assert wait_until(lambda: not self.manager.is_alive(), 5), "the kernel is still alive"
        self.sandbox.kill()
        return self.sandbox.evidence.limits_hit


def wait_until(condition, seconds):
    """Whether something becomes true in time."""
    end = time.monotonic() + seconds
    while not (true := condition()) and time.monotonic() < end:
        time.sleep(0.02)
    return true


def alive(pid):
    """Whether a process runs, zombies not counted."""
    with contextlib.suppress(psutil.Error):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


@contextlib.contextmanager
def running(limits=None, **options):
    """A running kernel in a sandbox of its own."""
    with sandboxed_kernel(limits=limits or Limits(), blocking=True, **options) as manager:
        kernel = Kernel(manager)
        try:
            yield kernel
        finally:
            kernel.client.stop_channels()
