"""Errors whose message is for the person at the keyboard: what happened and what to do, in words."""

import errno

FULL = (errno.ENOSPC, errno.EDQUOT)
"""Numbers of the errors that no other hand-in escapes: the disk is full, or what may be on it."""

OF_THE_MACHINE = frozenset(
    {
        *FULL,
        *(errno.EIO, errno.ESTALE, errno.EROFS, errno.ENOMEM, errno.EMFILE, errno.ENFILE),
        *(errno.ENOLCK, errno.ENOTCONN, errno.ETIMEDOUT, errno.EHOSTDOWN),
    }
)
"""Numbers of the errors that nothing handed in causes, and that may be over the next time."""


def is_full(error: BaseException) -> bool:
    """Whether an error is that of a full disk."""
    return getattr(error, "errno", None) in FULL


def is_of_the_machine(error: BaseException) -> bool:
    """Whether an error is the machine's trouble, and no hand-in's fault."""
    return isinstance(error, OSError) and error.errno in OF_THE_MACHINE


def in_words(error: OSError) -> str:
    """What the system said, and of which file: ``No space left on device: /tmp/x``."""
    return f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}"


class CourseError(RuntimeError):
    """Something about the course folder, its notebook or a step of nbgrader's went wrong."""


class GradebookError(CourseError):
    """The gradebook cannot be used, or the disk is full: the next student's step would fail as this one did."""
