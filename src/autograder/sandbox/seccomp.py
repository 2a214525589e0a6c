"""System calls that a notebook does not need and a sandbox must not have, as a filter for the Linux kernel.

The other walls (namespaces, no capabilities, no mounts) stand without it; where the processor is not in the table there
is none. A forbidden call fails as in a Linux that was built without it, so that libraries do without as well.
"""

import errno
import platform
import struct

# Names for the reader; numbers from the kernel's tables, arch/x86/entry/syscalls/syscall_64.tbl and unistd.h.
_FORBIDDEN = {
    "x86_64": {
        # Keys belong to the user, not to a namespace: the grader's Kerberos ticket or disk key could be among them.
        "add_key": 248,
        "request_key": 249,
        "keyctl": 250,
        # Memory that outlives the process and that no process is charged with.
        "shmget": 29,
        "msgget": 68,
        # Large and young parts of the kernel, where most ways out of sandboxes were found.
        "bpf": 321,
        "perf_event_open": 298,
        "userfaultfd": 323,
        "io_uring_setup": 425,
        "io_uring_enter": 426,
        "io_uring_register": 427,
    },
    "aarch64": {
        "add_key": 217,
        "request_key": 218,
        "keyctl": 219,
        "shmget": 194,
        "msgget": 186,
        "bpf": 280,
        "perf_event_open": 241,
        "userfaultfd": 282,
        "io_uring_setup": 425,
        "io_uring_enter": 426,
        "io_uring_register": 427,
    },
}
_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}  # linux/audit.h

# linux/bpf_common.h and linux/seccomp.h
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_NUMBER, _ARCH = 0, 4  # offsets in struct seccomp_data


def program(machine: str | None = None) -> bytes | None:
    """The filter as bubblewrap's ``--seccomp`` reads it, or ``None`` for a processor that is not in the table."""
    machine = machine or platform.machine()
    if machine not in _FORBIDDEN:
        return None
    numbers = sorted(_FORBIDDEN[machine].values())
    filters = [
        (_LOAD, 0, 0, _ARCH),
        (_EQUAL, 1, 0, _AUDIT_ARCH[machine]),
        # The same kernel's 32-bit calls have other numbers.
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        # And so have the calls of the x32 ABI: all from 0x40000000 on.
        (_AT_LEAST, len(numbers) + 1, 0, 0x40000000),
        *((_EQUAL, len(numbers) - position, 0, number) for position, number in enumerate(numbers)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _ERRNO | errno.ENOSYS),
    ]
    return b"".join(struct.pack("=HBBI", *one) for one in filters)
