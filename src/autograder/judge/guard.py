"""Keeps a kernel from filling the grader's memory with messages.

ZeroMQ holds a message until all of its frames have come, and bounds the size of a frame and the number of messages, but
not the number of frames: one message that repeats a large frame a thousand times takes all memory of the process that
listens, while it listens to anything. Once the connection ends, an unfinished message is dropped.
"""

import threading
from collections.abc import Callable

import psutil

MAX_GROWTH = 3 * 2**30  # bytes; the grader's own work (digits, references, 64 messages in a queue) takes less than half
EVERY = 0.1  # seconds between two looks: at two gigabytes a second, little is missed


class MemoryGuard:
    """Kills a kernel when this process has grown too much since the guard began.

    It guards as long as the ``with`` block runs: from before the kernel's start until its end.

    Attributes:
        reason: why the kernel was killed, or an empty string.
    """

    def __init__(self, kill: Callable[[], None], max_growth: int = MAX_GROWTH):
        """Set what to do.

        Args:
            kill: ends the kernel at once; called from another thread.
            max_growth: bytes by which the process may grow.
        """
        self.reason = ""
        self._kill, self._max_growth, self._over = kill, max_growth, threading.Event()

    def __enter__(self) -> "MemoryGuard":
        """Begin."""
        process = psutil.Process()
        start = process.memory_info().rss
        self._thread = threading.Thread(target=self._watch, args=(process, start), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._over.set()
        self._thread.join()

    def _watch(self, process: psutil.Process, start: int) -> None:
        while not self._over.wait(EVERY):
            if process.memory_info().rss - start > self._max_growth:
                self.reason = "the submission's kernel was stopped: it flooded the grader with messages"
                self._kill()
                return
