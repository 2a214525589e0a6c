"""The course's secret: the seed of what hidden tests draw, in a file that the instructor creates once."""

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path

SECRET_NAME = ".course-secret"
PUBLIC_SECRET = "a fixed secret for tests and the demo: a course that counts makes its own with `make secret`"
EMPTY = (
    "the course's secret is empty, and anybody can compute what hidden tests draw. Put your copy of it back; if there "
    "never was one, remove the file and run `autograder secret`"
)

_handed_over: ContextVar[str | None] = ContextVar("_handed_over", default=None)


def secret_file(here: Path | None = None) -> Path | None:
    """The course's secret: ``$GCNN_COURSE_SECRET``, or ``.course-secret`` here or in a folder above; else ``None``."""
    named = os.environ.get("GCNN_COURSE_SECRET")
    if named:
        return Path(named)
    here = Path.cwd() if here is None else here
    return next((folder / SECRET_NAME for folder in (here, *here.parents) if (folder / SECRET_NAME).is_file()), None)


def create_secret(path: Path) -> None:
    """Write a new secret, readable by its owner only.

    Raises:
        FileExistsError: there is one; another would change what every later grading draws.
        OSError: it cannot be written; then none is there.
    """
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        try:
            file.write(secrets.token_hex(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        except BaseException:
            path.unlink()
            raise


def read_secret(here: Path | None = None) -> str:
    """The secret that holds here: one that was handed over, else that of `secret_file`, else a public one.

    Raises:
        OSError: the file is empty, so that anybody knows what is drawn, or ``$GCNN_COURSE_SECRET`` names none.
    """
    if (text := _handed_over.get()) is not None:
        return text
    path = secret_file(here)
    if path is None:
        return PUBLIC_SECRET
    if not (text := path.read_text().strip()):
        raise OSError(errno.ENODATA, EMPTY, str(path))
    return text


@contextlib.contextmanager
def handed_over(secret: str) -> Iterator[None]:
    """Let this secret hold inside the block, whatever files there are: a worker has none of the course's."""
    token = _handed_over.set(secret)
    try:
        yield
    finally:
        _handed_over.reset(token)
