"""What a sandboxed submission may use, what it did use, and what is said when there is no sandbox to be had."""

import dataclasses


class SandboxUnavailable(RuntimeError):
    """There is no sandbox on this machine. The message says in a sentence or two what to do about it."""


@dataclasses.dataclass(frozen=True)
class Limits:
    """What one submission may use. 1 MB is 1,000,000 bytes.

    The defaults are for a submission that trains small torch networks on two CPU cores, and perhaps on a GPU (whose own
    memory is not limited).
    """

    memory_mb: float = 6000
    """Memory of all its processes together; where there is a memory cgroup, its scratch files count as well."""
    processes: int = 256
    """Processes and threads together. torch starts about one thread a core, for each of its thread pools."""
    disk_mb: float = 512
    """Size of each of its three scratch file systems: home with the working directory, /tmp and /dev/shm."""
    open_files: int = 1024
    """Files and sockets that one process may hold open."""
    output_bytes: int = 50_000_000
    """What it may print and display altogether: counted by every client of its kernel, in messages as they arrive."""
    message_bytes: int = 300_000_000
    """The largest frame that the grader accepts from its kernel; more closes the connection."""
    submission_seconds: float = 3600
    """Time that its kernels may run, all together."""
    grader_mb: float = 4000
    """By how much the grader's own process may grow meanwhile: what a kernel sends piles up there."""

    def __post_init__(self) -> None:
        """Refuse what is no limit."""
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < float("inf"):
                raise ValueError(f"the limit {field.name} must be a positive number, got {value!r}")


@dataclasses.dataclass
class Evidence:
    """What the sandbox saw of a submission, over all its kernels. It stays readable after the end."""

    limits_hit: list[str] = dataclasses.field(default_factory=list)
    """Sentences such as "memory limit of 6,000 MB exceeded", in the order in which it happened."""
    enforced_by: dict[str, str] = dataclasses.field(default_factory=dict)
    """By which mechanism each limit was kept here: "memory" -> "cgroup v2"."""
    left_out: list[str] = dataclasses.field(default_factory=list)
    """Files of the submission that did not get into the sandbox, with the reason."""
    peak_memory_mb: float = 0.0
    """The most memory seen: by the cgroup, file cache and scratch files included, or else by the watchdog's samples."""
    cpu_seconds: float = 0.0
    """Processor time of all processes, as last sampled."""
    wall_seconds: float = 0.0
    """Time that its kernels ran, all together."""
    output_bytes: int = 0
    """Printed and displayed so far."""
    stderr: str = ""
    """The beginning of what was written past the kernel, for instance why it did not start."""

    def hit(self, sentence: str) -> None:
        """Note a limit that was hit, once."""
        if sentence not in self.limits_hit:
            self.limits_hit.append(sentence)
