"""Kernels in a sandbox, for everything that runs notebooks with jupyter_client."""

import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import zmq
from jupyter_client.channels import HBChannel
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager, KernelManager
from jupyter_client.provisioning import LocalProvisioner
from traitlets import Dict, Unicode, default

from autograder.sandbox.limits import Limits
from autograder.sandbox.sandbox import Sandbox

CHANNELS = ("shell", "iopub", "stdin", "hb", "control")
QUEUE = 16  # messages that one socket of the grader holds; zmq's own bound is 1,000, each of any size
PATIENCE = 10_000  # milliseconds until a socket gives up that the kernel has broken for good
_OUTPUTS = ("stream", "display_data", "update_display_data", "execute_result", "error")


class SandboxProvisioner(LocalProvisioner):
    """Starts ipykernel in a sandbox: jupyter_client's own extension point, registered as ``gcnn-sandbox``.

    A kernel specification may name it, with ``limits``, ``files`` and ``kind`` as its configuration. `sandboxed_kernel`
    does without a kernel specification, and also bounds what the grader accepts from the kernel.
    """

    limits = Dict(help="Limits by name, see autograder.sandbox.Limits").tag(config=True)
    files = Unicode("", help="The submission's folder").tag(config=True)
    kind = Unicode("bubblewrap", help='"bubblewrap" or "none"').tag(config=True)
    sandbox: Sandbox | None = None
    _own_sandbox = False

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Move the connection into the sandbox's directory on the host."""
        manager = self.parent
        if self.sandbox is None:
            python = manager.kernel_spec.argv[0]
            python = python if os.path.isabs(python) else sys.executable
            self.sandbox = Sandbox(Limits(**self.limits), files=self.files or None, python=python, kind=self.kind)
            self._own_sandbox = True
        # Sockets of the file system: the sandbox has no network, not even one with us.
        manager.transport = "ipc"
        manager.ip = str(self.sandbox.workspace.path / "k")
        manager.connection_file = str(self.sandbox.workspace.path / "kernel.json")
        # The caller's variables are his, passwords and all; and so is the folder that he starts the kernel in.
        return await super().pre_launch(**{**kwargs, "env": {}, "cwd": None})

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> dict[str, Any]:
        """Start the kernel.

        Raises:
            ValueError: the kernel is none of ipykernel's.
        """
        if "ipykernel_launcher" not in cmd:
            raise ValueError(f"only ipykernel runs in the sandbox, not {' '.join(cmd)}")
        arguments = [
            "{connection}" if word == os.path.realpath(self.parent.connection_file) else word
            for word in cmd[cmd.index("ipykernel_launcher") + 1 :]
        ]
        numbers = [str(self.connection_info[f"{channel}_port"]) for channel in CHANNELS]
        told = {**self.connection_info, "ip": "/run/sandbox/k", "key": self.connection_info["key"].decode()}
        self.process = self.sandbox.start(
            arguments,
            sockets={number: _listen(f"{self.connection_info['ip']}-{number}") for number in numbers},
            connection=json.dumps(told).encode(),
        )
        self.pid = self.process.pid
        return self.connection_info

    async def send_signal(self, signum: int) -> None:
        """Kill the sandbox; but an interrupt is a message (``interrupt_mode``): as a signal it would kill it, too."""
        if signum not in (0, signal.SIGINT):
            self.sandbox.kill()

    async def kill(self, restart: bool = False) -> None:
        """Kill everything inside."""
        self.sandbox.kill()

    async def terminate(self, restart: bool = False) -> None:
        """Kill everything inside: it has nothing that is worth a farewell."""
        self.sandbox.kill()

    async def shutdown_requested(self, restart: bool = False) -> None:
        """Kill everything inside."""
        self.sandbox.kill()

    async def cleanup(self, restart: bool = False) -> None:
        """Remove every trace, unless another kernel is to follow or `sandboxed_kernel` will."""
        if self._own_sandbox and not restart:
            self.sandbox.close()


def _listen(path: str) -> socket.socket:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen(64)
    return listening


class _NoHeartbeat(HBChannel):
    """None: whether the kernel lives is seen by its process, and a thread that waits for a hostile kernel may hang."""

    def run(self) -> None:
        """Do nothing."""


class _Bounded:
    """What both managers have in common: a sandbox, and bounds on what its kernel may send."""

    sandbox: Sandbox

    @default("context")
    def _context_default(self) -> zmq.Context:
        context = super()._context_default()
        # A kernel can send faster than the grader reads. What is beyond these waits in the kernel's own memory.
        context.setsockopt(zmq.MAXMSGSIZE, self.sandbox.limits.message_bytes)
        context.setsockopt(zmq.RCVHWM, QUEUE)
        # A kernel that violates zmq's protocol ends its connection for good; then sending would wait for ever.
        # Receiving has no such limit: zmq.asyncio applies it to polling, too, and so would end every silent cell.
        context.setsockopt(zmq.SNDTIMEO, PATIENCE)
        return context

    def client(self, **kwargs: Any):
        """A client with the same bounds, which counts what is printed and displayed."""
        client = super().client(**{"context": self.context, **kwargs})
        client.hb_channel_class = _NoHeartbeat
        deserialize = client.session.deserialize

        def counted(parts, *args, **kwargs):
            try:
                message = deserialize(parts, *args, **kwargs)
            except Exception:
                self.sandbox.kill("a message that no kernel sends")
                raise
            if message["msg_type"] in _OUTPUTS:
                self.sandbox.count_output(sum(map(len, parts)))
            return message

        client.session.deserialize = counted
        return client

    @classmethod
    def around(cls, sandbox: Sandbox, python: str):
        """A manager of kernels in this sandbox."""
        manager = cls()
        manager.sandbox = sandbox
        manager._kernel_spec = KernelSpec(
            argv=[python, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            display_name="Python 3 (sandbox)",
            language="python",
            # A signal would reach bubblewrap, not the kernel, and end the sandbox.
            interrupt_mode="message",
        )
        manager.provisioner = SandboxProvisioner(parent=manager, kernel_spec=manager._kernel_spec)
        manager.provisioner.sandbox = sandbox
        return manager


class SandboxedKernelManager(_Bounded, KernelManager):
    """A kernel manager whose kernels run in ``sandbox``. Made by `sandboxed_kernel`."""


class AsyncSandboxedKernelManager(_Bounded, AsyncKernelManager):
    """The same, asynchronous, as nbclient likes it. Made by `sandboxed_kernel`."""


@contextlib.contextmanager
def sandboxed_kernel(
    files: str | Path | None = None,
    limits: Limits | None = None,
    *,
    python: str = sys.executable,
    env: Mapping[str, str] | None = None,
    hide: Iterable[str | Path] = (),
    kind: str = "bubblewrap",
    blocking: bool = False,
) -> Iterator[AsyncSandboxedKernelManager | SandboxedKernelManager]:
    """A manager for the kernels of one submission; when the block ends, nothing of them is left.

    Start, restart and shut down kernels as with any manager; ``manager.sandbox`` has `Sandbox.kill` and the evidence::

        with sandboxed_kernel(folder, Limits(memory_mb=4000)) as manager:
            NotebookClient(notebook, km=manager).execute()
        print(manager.sandbox.evidence.limits_hit)

    Args:
        files: the submission's folder. Each kernel gets a fresh copy of its plain files, without the notebooks.
        limits: what the submission may use; how many seconds a cell may take is for whoever runs the cells.
        python: the interpreter that runs the kernel; its environment must have ipykernel.
        env: variables for the kernel, in addition to the few that it always has.
        hide: folders to keep out of sight even if the Python environment or the system's folders hold them.
        kind: "bubblewrap", or "none" for no sandbox at all, which warns.
        blocking: whether the manager and its clients are jupyter_client's blocking ones instead of the asynchronous.

    Raises:
        SandboxUnavailable: bubblewrap is missing or not permitted here. The message says what to do.
    """
    with Sandbox(limits, files=files, python=python, env=env, hide=hide, kind=kind) as sandbox:
        manager = (SandboxedKernelManager if blocking else AsyncSandboxedKernelManager).around(sandbox, python)
        try:
            yield manager
        finally:
            manager._close_control_socket()
            with contextlib.suppress(Exception):  # whatever state the sockets of a dead kernel are in
                manager.context.destroy(linger=0)
