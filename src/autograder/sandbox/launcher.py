"""Starts a kernel inside the sandbox: sets limits, unpacks the submission's files, hands over the sockets.

Runs as a script, before anything of the submission runs, with nothing of `autograder` in reach: it uses the standard
library, pyzmq and ipykernel only. What to do comes as JSON in the variable ``SANDBOX_LAUNCH``; the arguments are
ipykernel's own, or, where there are no sockets to hand over, those of a program to become.
"""

import json
import os
import resource
import sys


def unpack(descriptor: int) -> None:
    """Write the stream of `autograder.sandbox.files.pack` into the working directory."""
    with os.fdopen(descriptor, "rb") as stream:
        while line := stream.readline():
            name, size, executable = json.loads(line)
            os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
            with open(name, "wb") as file:
                file.write(stream.read(size))
            os.chmod(name, 0o755 if executable else 0o644)


def limit(limits: dict[str, int]) -> None:
    """Set limits that the process cannot raise again."""
    for name, value in limits.items():
        number = getattr(resource, name)
        hard = resource.getrlimit(number)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(number, (value, value))


def hand_over(sockets: dict[str, int]) -> None:
    """Let the kernel's sockets listen where the grader does, on descriptors that came with us.

    So no directory of the host is writable in here, and the grader's connection waits for us, not the other way round.
    """
    import zmq

    bind = zmq.Socket.bind

    def bind_given(socket, address):
        descriptor = sockets.pop(address.rpartition("-")[2], None) if address.startswith("ipc://") else None
        if descriptor is not None:
            socket.setsockopt(zmq.USE_FD, descriptor)
        return bind(socket, address)

    zmq.Socket.bind = bind_given


def main() -> None:
    """Do what ``SANDBOX_LAUNCH`` says and become the kernel, or the program."""
    task = json.loads(os.environ.pop("SANDBOX_LAUNCH"))
    del sys.path[0]  # this script's folder, as python -m ipykernel_launcher does
    limit(task["limits"])
    unpack(task["files"])
    if not task["sockets"]:
        os.execv(sys.argv[1], sys.argv[1:])
    if os.getpgrp() != os.getpid():
        os.setsid()  # ipykernel interrupts a cell's children, too, if it leads the group
    hand_over(task["sockets"])
    from ipykernel import kernelapp

    kernelapp.launch_new_instance()


if __name__ == "__main__":
    main()
