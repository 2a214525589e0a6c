"""Reads a download and puts each hand-in that it holds into a folder of its own: who, when, what, and what was wrong.

Nothing here touches ``submitted/``. `autograder.collect` decides what of it counts.
"""

import hashlib
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from autograder import durable
from autograder.archives import Member, Refused, TooLarge, has_suffix, is_junk, members, plain
from autograder.collected import Problem, shown
from autograder.errors import CourseError, is_full
from autograder.lms import Lms, Named, detect, utc, zone
from autograder.shelf import Shelf

MAX_NOTES = 20  # of one hand-in
_NOTEBOOK = re.compile(r"(?is)[^.].*\.ipynb(\.txt|\.json)?")  # some browsers add a suffix
T = TypeVar("T")
Progress = Callable[[Iterable[T], str, int], Iterable[T]]
"""Passes an iterable on, and shows how far it is: what is done, and of how many."""


@dataclass
class Attempt:
    """One hand-in in a download."""

    source: str
    """The download."""
    named: Named
    """What its first file's name says."""
    file: str
    """That name, fit to be shown."""
    shelf: Shelf
    """Its files."""
    dates: list[datetime] = field(default_factory=list)
    """Its files' dates, in UTC."""
    upload: int | None = None
    """The largest number of an upload."""
    late: bool = False
    """Whether the LMS says that it was late."""
    error: str = ""
    """Why it cannot be collected at all, or an empty string."""
    readable: bool = True
    """Whether there is a notebook in it."""
    handed_in: datetime | None = None
    """When, in UTC, as far as the download says it."""
    digest: str = ""
    """Of its files."""

    @property
    def downloaded(self) -> str:
        """The latest date in it, in ISO's form; an empty string for none."""
        return max(self.dates).isoformat() if self.dates else ""


@dataclass(frozen=True)
class Source:
    """A download: an archive, a folder, or some of a folder's files."""

    name: str
    """Its name, for messages."""
    read: Callable[[], Iterator[Member]]
    """Its files."""


@dataclass
class Gathered:
    """A download's hand-ins."""

    attempts: list[Attempt]
    """In the download's order."""
    problems: list[Problem]
    """Files that fit no pattern or cannot be read."""
    names: set[str]
    """All files' names, fit to be shown."""
    left_out: int
    """How many files were an operating system's or the LMS's own."""


def sources(path: Path, candidates: Sequence[Lms]) -> list[Source]:
    """The downloads in a file or folder.

    An archive whose own name fits a pattern is a student's; any other is a download, alone or in a folder of downloads.

    Raises:
        CourseError: there is nothing there.
    """
    if not path.exists():
        raise CourseError(f"{path} is not there: name the file that you downloaded, or the folder that it lies in")
    if not path.is_dir():
        if has_suffix(path.name) and not _fits(path.name, candidates):
            return [Source(path.name, lambda: members(path))]
        return [Source(path.name, lambda: iter([plain(path, path.name)]))]
    packed = [
        inner
        for inner in sorted(path.iterdir())
        if has_suffix(inner.name) and inner.is_file() and not inner.is_symlink() and not _fits(inner.name, candidates)
    ]
    names = {inner.name for inner in packed}
    result = [Source(inner.name, lambda inner=inner: members(inner)) for inner in packed]
    return [Source(path.name, lambda: (m for m in members(path) if m.name not in names)), *result]


def _fits(name: str, candidates: Sequence[Lms]) -> bool:
    return any(candidate.named(name) for candidate in candidates)


def choose(found: Sequence[Source], candidates: Sequence[Lms]) -> tuple[Lms, int]:
    """The LMS that a download is from, and how many files it has.

    Raises:
        CourseError: the download cannot be read, or no LMS names files so.
    """
    names = []
    for source in found:
        try:
            names += [member.name for member in source.read()]
        except Refused as error:
            raise CourseError(f"{source.name} {error}: download it again. Nothing was collected.") from error
    if not names:
        raise CourseError(f"{', '.join(source.name for source in found)} holds no files")
    lms, _ = detect(candidates, names)
    if lms is None:
        known = " or ".join(candidate.title for candidate in candidates)
        raise CourseError(
            f"no file in it is named as by {known}; the first one is {shown(names[0])[:200]!r}. "
            "Say with --pattern how they are named"
        )
    return lms, len(names)


def gather(found: Sequence[Source], lms: Lms, folder: Path, total: int, progress: Progress) -> Gathered:
    """Put every hand-in of the downloads into a folder of its own.

    Args:
        found: the downloads.
        lms: what their files' names follow.
        folder: where to put them.
        total: how many files there are.
        progress: shows how far it is.

    Raises:
        CourseError: a download is damaged.
        OSError: the disk is full, or the folder cannot be written to.
    """
    attempts: dict[tuple[str, ...], Attempt] = {}
    result = Gathered([], [], set(), 0)

    def all_members() -> Iterator[tuple[Source, Member]]:
        for source in found:
            try:
                for member in source.read():
                    yield source, member
            except Refused as error:
                raise CourseError(f"{source.name} {error}: download it again. Nothing was collected.") from error

    for source, member in progress(all_members(), "reading", total):
        name = shown(member.name)
        result.names.add(name)
        named = lms.named(member.name)
        if is_junk(member.name) or (named is None and lms.is_its_own(member.name)):
            result.left_out += 1
        elif named is None:
            result.problems.append(Problem(name[:500], f"is not named as by {lms.title}", source.name))
        else:
            key = (source.name, *named.attempt)
            if key not in attempts:
                place = folder / str(len(attempts)) / "files"
                place.mkdir(parents=True)
                attempts[key] = Attempt(source.name, named, name[:500], Shelf(place))
            _add(attempts[key], named, member, zone(lms.timezone))
    result.attempts = list(attempts.values())
    result.left_out += sum(attempt.shelf.junk for attempt in result.attempts)
    return result


def _add(attempt: Attempt, named: Named, member: Member, where: object) -> None:
    """Put one file to its hand-in."""
    if member.date is not None:
        attempt.dates.append(utc(member.date, where))
    attempt.late = attempt.late or named.late
    if named.upload is not None:
        attempt.upload = max(named.upload, attempt.upload or 0)
    if attempt.error:
        return
    with _alone(attempt):
        attempt.shelf.put(named.file, member)


@contextmanager
def _alone(attempt: Attempt) -> Iterator[None]:
    """What goes wrong with a hand-in's files is an error of that hand-in only; a full disk is everybody's."""
    try:
        yield
    except TooLarge as error:
        attempt.error = str(error)
    except OSError as error:
        if is_full(error):
            raise
        attempt.error = f"cannot be put in place ({error.strerror or type(error).__name__})"
    if attempt.error:
        shutil.rmtree(attempt.shelf.folder, ignore_errors=True)


def complete(attempt: Attempt, lms: Lms, assignment: str, told: str) -> None:
    """Find a hand-in's date and its notebook, which gets the assignment's name, or the hand-in's error.

    Args:
        attempt: the hand-in.
        lms: what its names follow.
        assignment: the assignment's name.
        told: when the roster says that it was handed in, in the LMS's words.

    Raises:
        OSError: the disk is full.
    """
    notes = attempt.shelf.notes
    texts = [text for text in (attempt.named.handed_in, attempt.named.also) if text] or ([told] if told else [])
    dates = [date for date in map(lms.date, texts) if date is not None]
    if texts and not dates:
        notes.append(f"its date {shown(texts[0])[:60]!r} is not understood{lms.doubt(texts[0])}")
    if len(dates) > 1:
        notes.append("its name has two dates, of which the student may have written one: the later one counts")
    if lms.archive_dates and not texts:
        dates = attempt.dates
    attempt.handed_in = max(dates, default=None)
    with _alone(attempt):
        attempt.readable = _name_notebook(attempt.shelf.folder, assignment, notes)
        attempt.digest = digest(attempt.shelf.folder)
        if attempt.handed_in is not None:
            write_timestamp(attempt.shelf.folder, attempt.handed_in)
    left = len(notes) + attempt.shelf.more_notes - MAX_NOTES
    more = [f"there are {left} more notes like these"] if left > 0 else []
    attempt.shelf.notes = [shown(note)[:500] for note in notes[:MAX_NOTES]] + more


def write_timestamp(folder: Path, date: datetime) -> None:
    """Write when something was handed in, as nbgrader reads it."""
    durable.write(folder / "timestamp.txt", f"{date:%Y-%m-%d %H:%M:%S} UTC\n")


def digest(folder: Path) -> str:
    """A number for the names and contents of a folder's files, without timestamp.txt, which is not the student's."""
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder).as_posix()
        if relative != "timestamp.txt" and path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            total.update(f"{content} {relative}\0".encode("utf-8", "surrogateescape"))
    return total.hexdigest()


def _name_notebook(folder: Path, assignment: str, notes: list[str]) -> bool:
    """Give the notebook of a hand-in the assignment's name; whether there is one.

    Where it is not clear which one that is, `autograder.intake` looks into them before grading. nbgrader sees a hand-in
    only by a notebook at its top: an empty file stands in, which intake knows as unreadable.
    """
    wanted = folder / f"{assignment}.ipynb"
    if wanted.is_file():
        return True
    found = [path for path in sorted(folder.rglob("*")) if _NOTEBOOK.fullmatch(path.name) and path.is_file()]
    called = [path for path in found if path.name.casefold() == wanted.name]
    whole = [path for path in found if path.suffix.lower() == ".ipynb"]
    for group in (called, whole if len(found) == 1 else []):
        if len(group) == 1:
            _move(group[0], wanted)
            return True
    wanted.touch()
    if found:
        notes.append(f"which of its {len(found)} notebooks counts is decided before grading, by what is in them")
        return True
    notes.append("no notebook was handed in, or none that can be read: nothing will be graded")
    return False


def _move(path: Path, to: Path) -> None:
    """Move a file up, and remove the folders that this leaves empty."""
    path.rename(to)
    for above in path.parents:
        if above == to.parent or any(above.iterdir()):
            return
        above.rmdir()
