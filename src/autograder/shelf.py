"""Unpacks what strangers handed in into a folder, without harm.

Nothing here makes anything but plain files and folders, or writes outside of the folder it was given. What is not taken
is said, in a sentence that begins with its name.
"""

import itertools
import re
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

from autograder.archives import MAX_NAME, SUFFIXES, Budget, Member, Refused, TooLarge, has_suffix, is_junk, members

OTHER_SUFFIXES = (".7z", ".rar", ".gz", ".bz2", ".xz", ".zst", ".lz4", ".ace", ".arj", ".cab", ".iso", ".dmg")
DEPTH = 3  # archives in archives that are unpacked
_SHOWN = 200  # characters of a name in a note
_MOST_NOTES = 100
_PART = 120  # bytes of a file's or folder's name; file systems take 255, and something may be put before or after it
_WINDOWS = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d|conin\$|conout\$)(\..*)?")
_RESERVED = ("timestamp.txt",)  # how nbgrader is told when something was handed in


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


def _key(path: str) -> str:
    """What is the same for paths that are one path on some system."""
    return unicodedata.normalize("NFKC", path).casefold()


@dataclass
class Shelf:
    """A folder that is filled with files whose names and contents strangers chose."""

    folder: Path
    """Where it is; it is there, and empty."""
    budget: Budget = field(default_factory=Budget)
    """What may still be put on it."""
    notes: list[str] = field(default_factory=list)
    """What was not taken, or not as it came; one sentence each, which begins with the name."""
    more_notes: int = 0
    """How many notes there would be beyond the first hundred."""
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

    def _note(self, note: str) -> None:
        if len(self.notes) < _MOST_NOTES:
            self.notes.append(note)
        else:
            self.more_notes += 1

    def _put(self, name: str, member: Member, below: str, where: str, depth: int) -> None:
        if is_junk(name):
            self.junk += 1
            return
        shown = where + (name if len(name) <= _SHOWN else f"{name[:_SHOWN]}…")
        try:
            if member.refusal:
                raise Refused(member.refusal)
            relative = self._unreserved(below + safe_path(name), shown)
            if len(relative.encode()) > MAX_NAME:
                raise Refused("lies too deep")
            if self.budget.files <= 0 and not name.casefold().endswith(".ipynb"):
                if not self._full:
                    self._note("it holds more files than a hand-in may (2000): of the rest only notebooks are taken")
                self._full, self._lost = True, self._lost + 1
                return
            self.budget.take_file()
            path = self._place(relative, shown)
            self._write(path, member)
        except TooLarge:
            raise
        except Refused as error:
            self._note(f"{shown} {error}")
            self._lost += 1
            return
        if has_suffix(name):
            self._unpack(path, relative, depth, shown)
        elif has_suffix(name, OTHER_SUFFIXES):
            self._note(f"{shown} is an archive of a kind that is not unpacked: ask for a zip")

    def _unreserved(self, relative: str, shown: str) -> str:
        """A path that is neither the hand-in's date nor below a folder that is named as a notebook."""
        first, slash, rest = relative.partition("/")
        if _key(first) in _RESERVED:
            if not slash:
                self._note(f"{shown} is the student's own: the date of handing in comes from the LMS")
            first = "timestamp of the student.txt"
        elif slash and _key(first).endswith(".ipynb"):
            first += " folder"
        return f"{first}{slash}{rest}"

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
        key = _key(relative)
        above = [key[:i] for i, c in enumerate(key) if c == "/"]
        if key in self._folders or any(part in self._files for part in above):
            raise Refused("has the name of a folder, or a file for a folder")
        self._folders.update(above)
        if key in self._files:
            old = self._files[key]
            aside, aside_key = self._aside(old)
            old.rename(aside)
            self._files[aside_key] = aside
            self._note(f"{shown} is there more than once: the last one counts, the others lie beside it")
        self._files[key] = self.folder / relative
        return self._files[key]

    def _aside(self, old: Path) -> tuple[Path, str]:
        """A free path beside a file, and its key."""
        start = old.relative_to(self.folder).as_posix().removesuffix(old.name) + old.stem[:60]
        for number in itertools.count(1):
            relative = f"{start} (earlier {number}){old.suffix[:20]}"
            key = _key(relative)
            if key not in self._files and key not in self._folders:
                break
        return self.folder / relative, key

    def _unpack(self, path: Path, relative: str, depth: int, shown: str) -> None:
        """Unpack an archive that lies on the shelf into a folder beside it.

        It is removed if all that it holds could be taken, so that nothing is lost.
        """
        if depth == 0:
            self._note(f"{shown} lies in too many archives, one in another: it was left packed")
            return
        outer, lost = self.budget, self._lost
        # Nothing that people compress becomes smaller than a 200th, but for the smallest files.
        allowed = min(outer.room, max(20_000_000, 200 * path.stat().st_size))
        self.budget = Budget(allowed, outer.files, outer.members)
        below = f"{_without_suffix(relative)}/"
        try:
            # A hand-in of a few thousand files has a directory of less than this.
            for member in members(path, 4_000_000, self.budget):
                self._put(member.name, member, below, f"{shown}: ", depth - 1)
        except TooLarge as error:
            if allowed < outer.room and self.budget.room < 0:
                raise TooLarge(f"holds {shown}, which unpacks to more than 200 times its size") from error
            raise
        except Refused as error:
            self._note(f"{shown} {error}")
            return
        finally:
            outer.room -= allowed - self.budget.room
            outer.files, outer.members = self.budget.files, self.budget.members
            self.budget = outer
        if self._lost == lost:
            path.unlink()
            self._forget(path)
        self._lost = lost


def _without_suffix(path: str) -> str:
    """An archive's path without ".zip" and the like, which is fit to be a folder's: "...zip" leaves what leads out."""
    longest = max((suffix for suffix in SUFFIXES if has_suffix(path, (suffix,))), key=len, default="")
    above, slash, name = path[: len(path) - len(longest)].rpartition("/")
    return f"{above}{slash}{_safe_part(name) if name else 'unpacked'}"
