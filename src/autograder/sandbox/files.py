"""A submission's files on their way into the sandbox: plain files only, as one stream, without the notebooks.

The stream is, for each file, a line of JSON ``[name, size, executable]`` and then the file's bytes. It lies in a file
whose name is gone when it is handed out; `autograder.sandbox.launcher` unpacks it inside.
"""

import errno
import json
import os
import stat
import tempfile
from pathlib import Path

MOST_FILES = 10_000
DEEPEST = 20  # folders within folders
LONGEST = 1_000  # bytes of a name, folders included


def pack(folder: Path | None, budget: float, where: Path) -> tuple[int, list[str]]:
    """Pack a folder's files, in the order of their names. Folders without files are not kept.

    Args:
        folder: the submission's files; ``None`` gives an empty stream.
        budget: how many bytes may go in.
        where: a folder of ours for the stream.

    Returns:
        A read-only file descriptor of the stream, and what was left out, each with the reason.
    """
    count, left_out = 0, []
    with tempfile.NamedTemporaryFile(dir=where) as stream:
        for path, folders, names, here in os.fwalk(folder, follow_symlinks=False) if folder else ():
            inside = os.path.relpath(path, folder)
            folders[:] = sorted(set(folders) - {".ipynb_checkpoints"})
            if folders and inside.count("/") >= DEEPEST:
                left_out.append(f"{inside}: folders more than {DEEPEST} deep")
                folders.clear()
            for name in sorted([*names, *folders]):
                shown = os.path.normpath(os.path.join(inside, name))
                mode = os.stat(name, dir_fd=here, follow_symlinks=False).st_mode
                # The grader runs the cells that it chose: the hand-in's notebook is none of the kernel's business.
                if stat.S_ISDIR(mode) or name.lower().endswith(".ipynb"):
                    continue
                content = _read(name, here, budget)
                if count == MOST_FILES:
                    content = f"more than {MOST_FILES:,} files"
                elif len(os.fsencode(shown)) > LONGEST:
                    content = "too long a name"
                if isinstance(content, str):
                    left_out.append(f"{shown}: {content}")
                    continue
                stream.write(json.dumps([shown, len(content), bool(mode & stat.S_IXUSR)]).encode() + b"\n" + content)
                budget -= len(content)
                count += 1
        stream.flush()
        # Opened anew, for reading only: through a writable descriptor a submission could fill the host's disk.
        return os.open(stream.name, os.O_RDONLY | os.O_CLOEXEC), left_out


def _read(name: str, folder: int, budget: float) -> bytes | str:
    """A plain file's bytes, or why it is left out."""
    try:
        # A link in a hand-in leads to somebody else's file; a FIFO would block, and opening a device has effects.
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError as error:
        return "a symbolic link" if error.errno in (errno.ELOOP, errno.EMLINK) else str(error.strerror)
    with os.fdopen(file, "rb") as opened:
        info = os.fstat(file)
        if not stat.S_ISREG(info.st_mode):
            return "not a plain file"
        if info.st_nlink > 1:
            return "a hard link"
        if info.st_size > budget:
            return f"too large ({info.st_size / 1e6:,.1f} MB)"
        return opened.read(info.st_size)
