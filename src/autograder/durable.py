"""Files that are there whole or not at all, also after a kill, a full disk or a power cut.

A file is written under another name beside its place, brought to the disk, and renamed. Without the second step a
file system may carry out the renaming and lose what was written: after a power cut the file is there, and empty.
"""

import contextlib
import errno
import glob
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

PART = ".part"
_STALE = 3600.0  # seconds after which a part is nobody's


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path beside a file, which takes its place, whole, when the block is done; otherwise the file stays as it was.

    Raises:
        OSError: it cannot be written.
    """
    _clear(path)
    part = path.with_name(f".{path.name[:200]}.{secrets.token_hex(4)}{PART}")
    try:
        yield part
        sync(part)
        os.replace(part, path)
        sync(path.parent)
    finally:
        part.unlink(missing_ok=True)


def write(path: Path, content: str | bytes) -> None:
    """Write a file, in place of one that may be there.

    Args:
        path: the file.
        content: texts are written as UTF-8.

    Raises:
        OSError: it cannot be written; one that was there is as it was.
    """
    with replacing(path) as part:
        part.write_bytes(content.encode() if isinstance(content, str) else content)


def sync(path: Path) -> None:
    """Bring a file's content, or a folder's names, to the disk. Where a file system cannot do that, it is left to it.

    Raises:
        OSError: the disk is full or damaged.
    """
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        os.fsync(file)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EBADF, errno.EROFS):
            raise
    finally:
        os.close(file)


def sync_all(folder: Path) -> None:
    """Bring a folder with all plain files and folders in it to the disk; links are left alone.

    Raises:
        OSError: the disk is full or damaged.
    """
    for parent, _, files in os.walk(folder):
        for name in files:
            path = Path(parent, name)
            if path.is_file() and not path.is_symlink():
                sync(path)
        sync(Path(parent))


def _clear(path: Path) -> None:
    """Remove what killed processes left of earlier attempts."""
    for left in path.parent.glob(f".{glob.escape(path.name[:200])}.*{PART}"):
        with contextlib.suppress(OSError):
            if time.time() - left.lstat().st_mtime > _STALE:
                left.unlink()
