"""Requests to a submission's kernel, and its replies, over a comm: frames out, frames in, nothing is understood here.

The process at the other end is hostile: it holds the key that signs messages, can write anything to its sockets, or
nothing. So a reply counts only if it carries the request's unguessable id while that request is waiting; everything
else is dropped unread. How long a request waits, and how much may be dropped meanwhile, is bounded.

A channel works on the sockets of a `jupyter_client` client directly and blocks, so that it can be used between the
cells that an asyncio client runs (nbclient's) as well as with a blocking one. Nothing else may read from the client
meanwhile.
"""

import contextlib
import json
import secrets
import time
from collections.abc import Callable, Iterator
from typing import Any

import zmq
from jupyter_client.client import KernelClient

from autograder.judge import wire

REQUEST_SECONDS = 120.0  # a request waits this long by default; the cell's limit may come earlier
GRACE_SECONDS = 5.0  # after an interrupt, a kernel that is well answers within this time
POLL_SECONDS = 0.2  # between two looks at whether the kernel is alive
MAX_CONTENT = 2**16  # bytes of a reply's content: an id and nothing else
MAX_FRAMES = wire.MAX_ELEMENTS + 16  # of a message
MAX_DROPPED_BYTES = 2**30  # while one request waits
MAX_DROPPED = 1_000_000  # messages while one request waits


class Stopped(BaseException):
    """What ends a test cell from outside. No `Exception`, so that no test can take it for a submission's.

    Attributes:
        reason: one sentence for the record.
    """

    def __init__(self, reason: str = "the test was stopped"):
        super().__init__(reason)
        self.reason = reason


class KernelGone(Stopped):
    """The submission's kernel is dead, or does not react any more."""


class NotAnswered(Stopped):
    """The submission's kernel did not answer in time."""


class Unreadable(Stopped):
    """The kernel answered with something that is not a value."""


class Channel:
    """The way to one kernel.

    Attributes:
        lost: why the kernel is of no use any more, or an empty string.
        waiting: whether it waits for a request, and keeps the time itself.
    """

    def __init__(
        self,
        client: KernelClient,
        alive: Callable[[], bool] = lambda: True,
        why: Callable[[], str] = lambda: "",
        rests: Callable[[], bool] = lambda: True,
        request_seconds: float = REQUEST_SECONDS,
    ):
        """Use a client whose channels are started.

        Args:
            client: of any kind but a threaded one.
            alive: whether the kernel's process lives; called often, must not block.
            why: the reason for its death, where somebody knows it.
            rests: whether it comes to rest, asked after an interrupt: threads that were left would slow down all that
                follows.
            request_seconds: how long a request waits, unless its caller says otherwise.
        """
        self._session, self._request_seconds = client.session, request_seconds
        self._alive, self._why, self._rests = alive, why, rests
        # Shadows: the same sockets, without asyncio around them.
        self._shell, self._control, self._iopub = (
            zmq.Socket.shadow(channel.socket.underlying)
            for channel in (client.shell_channel, client.control_channel, client.iopub_channel)
        )
        self._poller = zmq.Poller()
        self._poller.register(self._iopub, zmq.POLLIN)
        # Unguessable, so that nothing prepared in advance can answer in the agent's place.
        self._comm, self.target = secrets.token_hex(16), f"judge-{secrets.token_hex(16)}"
        self._deadline = float("inf")
        self.lost, self.waiting = "", False

    @contextlib.contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Let all requests in the block end by a common deadline."""
        before, self._deadline = self._deadline, time.monotonic() + seconds
        try:
            yield
        finally:
            self._deadline = before

    def open(self, code: str, ping: list[bytes], seconds: float = 60.0) -> None:
        """Run the code that registers the comm target `target`, and wait for its first answer.

        Raises:
            KernelGone: the kernel died.
            NotAnswered: the agent did not answer.
        """
        content = {
            "code": code,
            "silent": True,  # no count, no history
            "store_history": False,
            "user_expressions": {},
            "allow_stdin": False,
            "stop_on_error": False,
        }
        self._session.send(self._shell, "execute_request", content)
        self._session.send(self._shell, "comm_open", {"comm_id": self._comm, "target_name": self.target, "data": {}})
        until, answered = time.monotonic() + seconds, False
        # A kernel sends to whoever listens at that moment; an answer from before the subscription is lost.
        while not answered:
            left = until - time.monotonic()
            if left <= 0:
                raise NotAnswered("the judge's agent did not start in the submission's kernel")
            answered = self._exchange(ping, min(left, 2.0)) is not None

    def ask(self, frames: list[bytes], seconds: float | None = None) -> list[Any]:
        """Send a request and wait for its reply's frames.

        Args:
            frames: what `wire.encode` gave.
            seconds: how long to wait; the cell's deadline may come earlier.

        Raises:
            KernelGone: the kernel is dead, or hangs also after an interrupt.
            NotAnswered: no reply in time; the kernel was interrupted and works again.
        """
        if self.lost:
            raise KernelGone(self.lost)
        seconds = min(self._request_seconds if seconds is None else seconds, self._deadline - time.monotonic())
        if seconds <= 0:
            raise NotAnswered("the test's time was over")
        self.waiting = True
        try:
            start = time.monotonic()
            reply = self._exchange(frames, seconds)
            if reply is None:
                waited = time.monotonic() - start
                flooded = "" if waited >= seconds - POLL_SECONDS else ", and printed without end"
                self._interrupt()
                raise NotAnswered(f"the submission did not answer within {max(waited, 0.1):.1f} s{flooded}")
            return reply
        finally:
            self.waiting = False

    def _exchange(self, frames: list[bytes], seconds: float) -> list[Any] | None:
        """Send a request; its reply's frames, or ``None`` where none came in time or too much else did."""
        token = secrets.token_hex(16)
        content = {"comm_id": self._comm, "data": {"id": token}}
        self._session.send(self._shell, "comm_msg", content, buffers=frames)
        return self._reply(token, time.monotonic() + seconds)

    def _reply(self, token: str, until: float) -> list[Any] | None:
        dropped = dropped_bytes = 0
        last_look = time.monotonic()
        while (now := time.monotonic()) < until:
            # Looked at also while messages pour in: another process may go on writing for a dead kernel.
            if now - last_look >= POLL_SECONDS:
                last_look = now
                if not self._alive():
                    self._mourn()
            if not self._poller.poll(1000 * min(POLL_SECONDS, until - now)):
                continue
            frames = self._receive(self._iopub)
            reply = self._match(frames, token)
            if reply is not None:
                return reply
            dropped, dropped_bytes = dropped + 1, dropped_bytes + sum(map(len, frames))
            if dropped > MAX_DROPPED or dropped_bytes > MAX_DROPPED_BYTES:
                return None
        return None

    def _receive(self, socket: zmq.Socket) -> list[zmq.Frame]:
        try:
            return socket.recv_multipart(zmq.NOBLOCK, copy=False)
        except zmq.Again:
            return []

    def _match(self, frames: list[zmq.Frame], token: str) -> list[Any] | None:
        """The buffers of the reply to a request, or ``None`` for any other message."""
        try:
            _, frames = self._session.feed_identities(frames, copy=False)
            # Before anything is parsed: is it small, and does it hold the id? Outputs do not, and are dropped unread.
            small = 5 <= len(frames) <= MAX_FRAMES and all(len(frame) <= MAX_CONTENT for frame in frames[:5])
            if not small or token.encode() not in bytes(frames[4]):
                return None
            content, head = json.loads(bytes(frames[4])), json.loads(bytes(frames[1]))
            if head["msg_type"] != "comm_msg" or content["comm_id"] != self._comm or content["data"] != {"id": token}:
                return None
        except (ValueError, KeyError, TypeError, RecursionError):
            return None
        # The signature is not looked at: whoever runs in the kernel has the key.
        return [frame.buffer for frame in frames[5:]]

    def _interrupt(self) -> None:
        """Interrupt the kernel, and find out whether it reacts and rests again."""
        until = time.monotonic() + GRACE_SECONDS
        self._session.send(self._control, "interrupt_request", {})
        # The kernel replies when the signal is sent. Whatever is asked before could be hit by it.
        self._control.poll(1000 * GRACE_SECONDS / 2)
        ping = wire.encode(("ping", []), None)
        while self._exchange(ping, GRACE_SECONDS / 4) is None:  # the first may be hit
            if time.monotonic() > until:
                self.lost = "the submission's kernel does not react any more, also not to an interrupt"
                break
        if not self.lost and not self._rests():
            self.lost = "the submission's kernel goes on working after an interrupt"
        for socket in (self._shell, self._control):  # replies that nobody waits for
            while self._receive(socket):
                pass

    def _mourn(self) -> None:
        self.lost = self._why() or "the submission's kernel died"
        raise KernelGone(self.lost)
