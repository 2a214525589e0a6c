"""Reads zips, tars and folders that strangers filled.

Names, headers, sizes and kinds of what an archive holds are its maker's claims. Nothing here follows a link or believes
a size: bytes are counted as they come, and what reading them costs is spent from a `Budget`.
"""

import bz2
import gzip
import io
import lzma
import os
import re
import stat
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import IO

SUFFIXES = (".zip", ".tar", ".tgz", ".tar.gz", ".tbz2", ".tar.bz2", ".txz", ".tar.xz")
MAX_NAME = 1000  # characters
SPARE = 100  # notebooks that are taken of a hand-in with too many files, as of one with a whole environment in it
_BLOCK = 2**16
_DIRECTORY = 2**26  # bytes of a zip's directory
_HEADER = 2**20  # bytes of all that a tar says of one file
_MEMORY = 2**28  # bytes that unpacking an xz may take; xz's own presets take 65 MB
_PASSED = 10  # bytes of a tar that are passed over cost as much as one that is kept
_RECORD = re.compile(rb"(\d+) [^=]+=")  # the start of what pax adds to a tar's header: its length and its keyword
_JUNK = re.compile(r"(?i)(__macosx|\.ds_store|\._.*|thumbs\.db|desktop\.ini|\.ipynb_checkpoints|__pycache__|\.git)")


class Refused(Exception):
    """Something in an archive is not taken; the message says why and goes on from its name: "is a link"."""


class Damaged(Refused):
    """It cannot be read."""


class TooLarge(Refused):
    """It holds more than a hand-in may."""


@dataclass
class Budget:
    """What one hand-in may hold. It is spent while reading."""

    room: int = 300_000_000
    """Bytes that are left."""
    files: int = 2000
    """Files that are left."""
    members: int = 200_000
    """Entries of archives that are left to be looked at, whatever comes of them."""

    def take(self, size: int) -> None:
        """Spend bytes.

        Raises:
            TooLarge: there are not so many left.
        """
        self.room -= size
        if self.room < 0:
            raise TooLarge("holds more bytes than a hand-in may (300 MB)")

    def take_file(self) -> None:
        """Spend a file.

        Raises:
            TooLarge: there is none left, and none of those for notebooks.
        """
        self.files -= 1
        if self.files < -SPARE:
            raise TooLarge("holds more files than a hand-in may (2000)")

    def take_member(self) -> None:
        """Spend an archive's entry.

        Raises:
            TooLarge: there is none left.
        """
        self.members -= 1
        if self.members < 0:
            raise TooLarge("holds archives of more files and folders than are looked at (200,000)")


@dataclass(frozen=True)
class Member:
    """A file in an archive or a folder. Read it before you ask for the next one."""

    name: str
    """Its path, as the archive claims it."""
    date: datetime | None
    """When it was changed, as the archive claims it; without a time zone in a zip, which has none."""
    refusal: str
    """Why it cannot be taken ("is a link"), or an empty string."""
    open: Callable[[], IO[bytes]]
    """Opens it."""

    def blocks(self) -> Iterator[bytes]:
        """Its content.

        Raises:
            Damaged: it cannot be read.
        """
        with _reading():
            stream = self.open()
        with stream:
            while True:
                with _reading():
                    block = stream.read(_BLOCK)
                if not block:
                    return
                yield block


@contextmanager
def _reading() -> Iterator[None]:
    """Whatever a damaged archive makes a library raise becomes `Damaged`."""
    try:
        yield
    except Refused:
        raise
    except Exception as error:
        if isinstance(error, RuntimeError) and "password" in str(error):
            raise Damaged("is encrypted") from error
        reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        raise Damaged(f"cannot be read ({reason})") from error


class _Bounded(io.RawIOBase):
    """A file of which nobody reads much at once: libraries read a whole directory because its size is claimed."""

    def __init__(self, file: IO[bytes], most: int):
        self.file, self.most = file, most

    def read(self, size: int = -1) -> bytes:
        """Some bytes.

        Raises:
            Damaged: too many were asked for.
        """
        data = self.file.read(min(size, self.most + 1) if size >= 0 else self.most + 1)
        if len(data) > self.most:
            raise Damaged("has a directory that is far too large")
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a position."""
        return self.file.seek(offset, whence)

    def tell(self) -> int:
        """The position."""
        return self.file.tell()

    def seekable(self) -> bool:
        """Yes."""
        return True

    def readable(self) -> bool:
        """Yes."""
        return True


class _Forward(_Bounded):
    """A tar, which is read from its beginning to its end; what is no file's content is spent here."""

    def __init__(self, file: IO[bytes], budget: Budget):
        super().__init__(file, _HEADER)
        self.budget = budget
        self.at = 0
        self.in_header = True
        self.extension = False
        """Whether the next that is read is what pax adds to a header."""

    def read(self, size: int = -1) -> bytes:
        """Some bytes.

        Raises:
            Damaged: too many were asked for, or tarfile should not see them.
            TooLarge: nothing is left to be spent.
        """
        data = super().read(size)
        self.at += len(data)
        if self.in_header:
            self.most -= len(data)
            self.budget.take(len(data))
        if self.extension:
            self.extension = False
            _check_extension(data)
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        """Pass over what lies before a position, which may have to be unpacked for that.

        Raises:
            Damaged: it lies behind, as after a file of a negative size, and would be read for ever.
            TooLarge: nothing is left to be spent.
        """
        if offset < self.at:
            raise Damaged("has a header that makes no sense")
        while self.at < offset and (block := self.file.read(min(_BLOCK, offset - self.at))):
            self.at += len(block)
            self.budget.take(len(block) // _PASSED)
        return self.at

    def tell(self) -> int:
        """The position."""
        return self.at

    def next_header(self, archive: tarfile.TarFile) -> tarfile.TarInfo | None:
        """The next file's header; ``None`` at the end."""
        self.in_header, self.most = True, _HEADER
        info = archive.next()
        self.in_header, self.most = False, _DIRECTORY
        archive.members, archive.pax_headers = [], {}  # it would remember them all
        return info


class _Header(tarfile.TarInfo):
    """A tar's header, which says of what comes next whether it is pax's."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        archive.fileobj.extension = self.type in (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE)
        return super()._proc_member(archive)


def _check_extension(data: bytes) -> None:
    """Look for what takes tarfile hours or all memory, before Python 3.11.10 and 3.12.6 (CVE-2024-6232).

    Raises:
        Damaged: there is a record that ends before its keyword does, or a number of a hundred digits.
    """
    end, sound = 0, not re.search(rb"\d{100}", data)
    while sound and (record := _RECORD.match(data, end)):
        end += int(record[1])
        sound = end >= record.end()
    if not sound:
        raise Damaged("has a header that makes no sense")


class _Xz(io.RawIOBase):
    """What an xz holds; `lzma.open` takes as much memory as the xz says, up to 4 GB."""

    def __init__(self, file: IO[bytes]):
        self.file = file
        self._start(b"")

    def _start(self, rest: bytes) -> None:
        self.stream, self.rest = lzma.LZMADecompressor(lzma.FORMAT_XZ, _MEMORY), rest

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, target: memoryview) -> int:
        """Fill a part of a buffer; 0 is the end.

        Raises:
            EOFError: the xz has no end.
            lzma.LZMAError: it is damaged, or takes too much memory.
        """
        while True:
            if self.stream.eof:
                rest = (self.stream.unused_data or self.file.read(_BLOCK)).lstrip(b"\0")
                if not rest:
                    return 0
                self._start(rest)
            block = self.rest
            if self.stream.needs_input and not block and not (block := self.file.read(_BLOCK)):
                raise EOFError
            self.rest = b""
            if data := self.stream.decompress(block, len(target)):
                target[: len(data)] = data
                return len(data)


def has_suffix(name: str, suffixes: tuple[str, ...] = SUFFIXES) -> bool:
    """Whether a file is named as an archive is."""
    return name.casefold().endswith(suffixes)


def is_junk(name: str) -> bool:
    """Whether a path is of an operating system's or an editor's own files, which nobody hands in on purpose."""
    return len(name) <= MAX_NAME and any(_JUNK.fullmatch(part) for part in name.replace("\\", "/").split("/"))


def members(path: Path, most: int = _DIRECTORY, budget: Budget | None = None) -> Iterator[Member]:
    """The files in an archive or a folder; a file that is no archive is its own only member.

    Args:
        path: the archive or folder.
        most: how many bytes a zip's directory may have.
        budget: what reading it spends besides what is read of the files; by default it may take what it takes.

    Raises:
        Refused: the archive cannot be read, now or from here on.
    """
    budget = budget or Budget(room=sys.maxsize, members=sys.maxsize)
    if path.is_dir():
        yield from _in_folder(path)
    elif not has_suffix(path.name):
        yield plain(path, path.name)
    else:
        with _reading(), path.open("rb") as file:
            start = file.read(512)
            file.seek(0)
            if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
                yield from _in_zip(file, most, budget)
            elif opened := _decompressed(file, start):
                yield from _in_tar(opened, budget)
            else:
                raise Damaged("is no zip and no tar, or is damaged")


def plain(path: Path, name: str) -> Member:
    """A file of the disk's, under a name."""
    status = path.lstat()
    refusal = "" if stat.S_ISREG(status.st_mode) else "is a link or no plain file"

    def opened() -> IO[bytes]:
        return os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")

    return Member(name, datetime.fromtimestamp(status.st_mtime, timezone.utc), refusal, opened)


def _in_folder(folder: Path) -> Iterator[Member]:
    for parent, folders, files in os.walk(folder):
        folders.sort()
        links = [name for name in folders if Path(parent, name).is_symlink()]
        for name in sorted([*files, *links]):
            path = Path(parent, name)
            yield plain(path, path.relative_to(folder).as_posix())


def _in_zip(file: IO[bytes], most: int, budget: Budget) -> Iterator[Member]:
    with zipfile.ZipFile(_Bounded(file, most)) as archive:
        for info in archive.infolist():
            budget.take_member()
            kind = stat.S_IFMT(info.external_attr >> 16)
            refusal = ""
            if kind == stat.S_IFLNK:
                refusal = "is a link"
            elif kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                refusal = "is no plain file"
            elif info.is_dir():
                continue
            elif info.flag_bits & 1:
                refusal = "is encrypted"
            elif info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                # Of other kinds zipfile unpacks 64 kB at once, whatever comes of them.
                refusal = "is compressed in a way that is not unpacked: ask for an ordinary zip"
            try:
                date = datetime(*info.date_time)
            except ValueError:
                date = None
            # Not info.filename, which ends at a null character.
            yield Member(info.orig_filename, date, refusal, lambda info=info: archive.open(info))


def _decompressed(file: IO[bytes], start: bytes) -> IO[bytes] | None:
    if start[257:262] == b"ustar":
        return file
    if start.startswith(b"\x1f\x8b"):
        return gzip.open(file)
    if start.startswith(b"BZh"):
        return bz2.open(file)
    if start.startswith(b"\xfd7zXZ"):
        return io.BufferedReader(_Xz(file), _BLOCK)
    return None


def _in_tar(file: IO[bytes], budget: Budget) -> Iterator[Member]:
    stream = _Forward(file, budget)
    with tarfile.open(fileobj=stream, mode="r:", tarinfo=_Header) as archive:
        while (info := stream.next_header(archive)) is not None:
            budget.take_member()
            if info.isdir():
                continue
            refusal = ""
            if info.islnk() or info.issym():
                refusal = "is a link"
            elif not info.isreg():
                refusal = "is a device or no plain file"
            elif info.issparse():  # a file of many holes takes hours
                refusal = "is a file with holes, which is not unpacked"
            try:
                date = datetime.fromtimestamp(info.mtime, timezone.utc)
            except (ValueError, OverflowError, OSError):
                date = None
            yield Member(info.name, date, refusal, lambda info=info: archive.extractfile(info))
