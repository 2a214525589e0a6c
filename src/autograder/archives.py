"""Reads zips, tars and folders that strangers filled, and unpacks them into a folder without harm.

Names, headers, sizes and kinds of what an archive holds are its maker's claims. Nothing here follows a link, makes
anything but plain files and folders, writes outside of the folder it was given, or believes a size: bytes are counted
as they come. What is not taken is said, in a sentence that begins with its name.
"""

import bz2
import gzip
import io
import lzma
import os
import re
import stat
import tarfile
import unicodedata
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import IO

SUFFIXES = (".zip", ".tar", ".tgz", ".tar.gz", ".tbz2", ".tar.bz2", ".txz", ".tar.xz")
OTHER_SUFFIXES = (".7z", ".rar", ".gz", ".bz2", ".xz", ".zst", ".lz4", ".ace", ".arj", ".cab", ".iso", ".dmg")
DEPTH = 3  # archives in archives that are unpacked
MAX_NAME = 1000  # characters
SPARE = 100  # notebooks that are taken of a hand-in with too many files, as of one with a whole environment in it
_BLOCK = 2**16
_DIRECTORY = 2**26  # bytes of a zip's directory, or of a tar's header
_PART = 120  # bytes of a file's or folder's name; file systems take 255, and something may be put before or after it
_WINDOWS = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d|conin\$|conout\$)(\..*)?")
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


def has_suffix(name: str, suffixes: tuple[str, ...] = SUFFIXES) -> bool:
    """Whether a file is named as an archive is."""
    return name.casefold().endswith(suffixes)


def is_junk(name: str) -> bool:
    """Whether a path is of an operating system's or an editor's own files, which nobody hands in on purpose."""
    return any(_JUNK.fullmatch(part) for part in name.replace("\\", "/").split("/"))


def members(path: Path, most: int = _DIRECTORY) -> Iterator[Member]:
    """The files in an archive or a folder; a file that is no archive is its own only member.

    Args:
        path: the archive or folder.
        most: how many bytes a zip's directory or a tar's header may have.

    Raises:
        Refused: the archive cannot be read, now or from here on.
    """
    if path.is_dir():
        yield from _in_folder(path)
    elif not has_suffix(path.name):
        yield plain(path, path.name)
    else:
        with _reading(), path.open("rb") as file:
            start = file.read(512)
            file.seek(0)
            if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
                yield from _in_zip(file, most)
            elif opened := _decompressed(file, start):
                yield from _in_tar(opened, most)
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


def _in_zip(file: IO[bytes], most: int) -> Iterator[Member]:
    with zipfile.ZipFile(_Bounded(file, most)) as archive:
        for info in archive.infolist():
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
            try:
                date = datetime(*info.date_time)
            except ValueError:
                date = None
            # Not info.filename, which ends at a null character.
            yield Member(info.orig_filename, date, refusal, lambda info=info: archive.open(info))


def _decompressed(file: IO[bytes], start: bytes) -> IO[bytes] | None:
    if start[257:262] == b"ustar":
        return file
    for magic, library in ((b"\x1f\x8b", gzip), (b"BZh", bz2), (b"\xfd7zXZ", lzma)):
        if start.startswith(magic):
            return library.open(file)
    return None


def _in_tar(file: IO[bytes], most: int) -> Iterator[Member]:
    with tarfile.open(fileobj=_Bounded(file, most), mode="r:") as archive:
        while (info := archive.next()) is not None:
            archive.members = []  # it would remember them all
            if info.isdir():
                continue
            kind = "is a link" if info.islnk() or info.issym() else "is a device or no plain file"
            try:
                date = datetime.fromtimestamp(info.mtime, timezone.utc)
            except (ValueError, OverflowError, OSError):
                date = None
            yield Member(info.name, date, "" if info.isreg() else kind, lambda info=info: archive.extractfile(info))


def safe_path(name: str) -> str:
    """A path to a file below some folder that every system takes, as near to the one that was given as can be.

    Raises:
        Refused: it leads out of the folder, or nowhere.
    """
    if len(name) > MAX_NAME:
        raise Refused("has a name of more than 1000 characters")
    name = unicodedata.normalize("NFC", name).replace("\\", "/")
    if name.startswith("/") or re.match(r"[A-Za-z]:", name):
        raise Refused("has a path that begins at a disk's root")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise Refused("has a path that leads out of its folder")
    if not parts or len(parts) > 20:
        raise Refused("has no name" if not parts else "lies more than 20 folders deep")
    return "/".join(_safe_part(part) for part in parts)


def _safe_part(part: str) -> str:
    """A name without what a terminal, a pattern or a file system could misread."""
    part = "".join(c if c.isprintable() and c not in '<>:"|?*[]' else "_" for c in part).strip(" ")
    part = re.sub(r"[. ]+$", "_", part) or "_"
    if _WINDOWS.fullmatch(part):
        part = f"_{part}"
    if len(part.encode()) > _PART:
        stem, dot, suffix = part.rpartition(".")
        suffix = f"{dot}{suffix}" if dot and len(suffix.encode()) <= 20 else ""
        room = _PART - len(suffix.encode())
        part = (stem if suffix else part).encode()[:room].decode("utf-8", "ignore") + suffix
    return part


@dataclass
class Shelf:
    """A folder that is filled with files whose names and contents strangers chose."""

    folder: Path
    """Where it is; it is there, and empty."""
    budget: Budget = field(default_factory=Budget)
    """What may still be put on it."""
    notes: list[str] = field(default_factory=list)
    """What was not taken, or not as it came; one sentence each, which begins with the name."""
    junk: int = 0
    """How many files of an operating system's own were left out."""
    _files: dict[str, Path] = field(default_factory=dict)
    _folders: set[str] = field(default_factory=set)
    _lost: int = 0
    _full: bool = False

    def put(self, name: str, member: Member) -> None:
        """Put a file on the shelf; an archive is unpacked. What cannot be taken is noted.

        Args:
            name: its path on the shelf, as a stranger named it.
            member: the file.

        Raises:
            TooLarge: the hand-in is too large.
            OSError: the shelf cannot be written to.
        """
        self._put(name, member, "", "", DEPTH)

    def _put(self, name: str, member: Member, below: str, where: str, depth: int) -> None:
        if is_junk(name):
            self.junk += 1
            return
        shown = f"{where}{name}"
        try:
            if member.refusal:
                raise Refused(member.refusal)
            relative = below + safe_path(name)
            if len(relative.encode()) > MAX_NAME:
                raise Refused("lies too deep")
            if relative.casefold() == "timestamp.txt":  # nbgrader would believe it
                self.notes.append(f"{shown} is the student's own: the date of handing in comes from the LMS")
                relative = "timestamp of the student.txt"
            if self.budget.files <= 0 and not name.casefold().endswith(".ipynb"):
                if not self._full:
                    self.notes.append(
                        "it holds more files than a hand-in may (2000): of the rest only notebooks are taken"
                    )
                self._full, self._lost = True, self._lost + 1
                return
            self.budget.take_file()
            path = self._place(relative, shown)
            self._write(path, member)
        except TooLarge:
            raise
        except Refused as error:
            self.notes.append(f"{shown} {error}")
            self._lost += 1
            return
        if has_suffix(name):
            self._unpack(path, relative, depth, shown)
        elif has_suffix(name, OTHER_SUFFIXES):
            self.notes.append(f"{shown} is an archive of a kind that is not unpacked: ask for a zip")

    def _write(self, path: Path, member: Member) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with path.open("xb") as file:
                for block in member.blocks():
                    self.budget.take(len(block))
                    file.write(block)
        except Refused:  # half of a file is worse than none
            path.unlink()
            self._forget(path)
            raise

    def _forget(self, path: Path) -> None:
        self._files = {key: place for key, place in self._files.items() if place != path}

    def _place(self, relative: str, shown: str) -> Path:
        """A path that is free. Names that differ only in case are one on other systems.

        Of two files of one name the later counts, as it does for every program that unpacks; the other is kept.
        """
        key = unicodedata.normalize("NFKC", relative).casefold()
        above = [key[:i] for i, c in enumerate(key) if c == "/"]
        if key in self._folders or any(part in self._files for part in above):
            raise Refused("has the name of a folder, or a file for a folder")
        self._folders.update(above)
        if key in self._files:
            old = self._files[key]
            number = 1
            while (aside := old.with_name(f"{old.stem[:60]} (earlier {number}){old.suffix[:20]}")).exists():
                number += 1
            old.rename(aside)
            self._files[aside.relative_to(self.folder).as_posix().casefold()] = aside
            self.notes.append(f"{shown} is there more than once: the last one counts, the others lie beside it")
        self._files[key] = self.folder / relative
        return self._files[key]

    def _unpack(self, path: Path, relative: str, depth: int, shown: str) -> None:
        """Unpack an archive that lies on the shelf into a folder beside it.

        It is removed if all that it holds could be taken, so that nothing is lost.
        """
        if depth == 0:
            self.notes.append(f"{shown} lies in too many archives, one in another: it was left packed")
            return
        outer, lost = self.budget, self._lost
        # Nothing that people compress becomes smaller than a 200th, but for the smallest files.
        allowed = min(outer.room, max(20_000_000, 200 * path.stat().st_size))
        self.budget = Budget(allowed, outer.files)
        below = f"{_without_suffix(relative)}/"
        try:
            # A hand-in of a few thousand files has a directory of less than this.
            for member in members(path, most=4_000_000):
                self._put(member.name, member, below, f"{shown}: ", depth - 1)
        except TooLarge as error:
            if allowed < outer.room and self.budget.room < 0:
                raise TooLarge(f"holds {shown}, which unpacks to more than 200 times its size") from error
            raise
        except Refused as error:
            self.notes.append(f"{shown} {error}")
            return
        finally:
            outer.room -= allowed - self.budget.room
            outer.files = self.budget.files
            self.budget = outer
        if self._lost == lost:
            path.unlink()
            self._forget(path)
        self._lost = lost


def _without_suffix(name: str) -> str:
    """An archive's path without ".zip" and the like."""
    longest = max((suffix for suffix in SUFFIXES if has_suffix(name, (suffix,))), key=len, default="")
    stem = name[: len(name) - len(longest)]
    return f"{stem}unpacked" if stem.endswith("/") or not stem else stem
