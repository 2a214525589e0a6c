"""Looks at a hand-in before nbgrader copies it: repairs its notebook, and puts aside what nbgrader would choke on.

Links, FIFOs, devices, too many or too large files and a timestamp that is none are moved to a folder beside the
hand-in, ``….left-out``, for whoever wants to look; so is a notebook that was repaired, as it was. The repaired one
takes its place, or a stand-in that of one that cannot be read: then nothing is graded, with the reason, and nobody is
dropped.

What was found stands in ``….left-out/notes.json``, where no hand-in can write. It holds for the notebook that it was
written for, by its hash: a later hand-in is looked at anew.

Nothing is moved or replaced before what takes its place is on the disk with its notes: whoever is interrupted, also by
a power cut, has lost nothing, and the next run ends as this one would have.
"""

import contextlib
import dataclasses
import fcntl
import hashlib
import itertools
import json
import logging
import os
import re
import shutil
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader.utils import parse_utc

from autograder import choice, durable
from autograder.errors import is_of_the_machine

log = logging.getLogger(__name__)

UNREADABLE = "unreadable"  # the key in a poured notebook's metadata under which the reason stands
NOTES = "notes.json"
MAX_FILES = 200e6  # bytes of all files but notebooks together
MAX_COUNT = 2000  # files
MAX_NAMED = 20  # files that the notes name
_NEW = "new-"  # how a notebook is called that has yet to take the assignment's place; its hash follows
_TRIES, _WAIT = 3, 0.1  # for a hand-in that another process changes meanwhile; seconds in between


class Overtaken(OSError):
    """A hand-in is another one than when it was looked at."""


@dataclasses.dataclass(frozen=True)
class Notes:
    """What `clear` found out about a hand-in."""

    repairs: tuple[str, ...] = ()
    """What was repaired or put aside, one sentence each."""
    unreadable: str = ""
    """Why there is nothing to grade."""
    incomplete: str = ""
    """Why cells of the notebook may be missing."""


def notes(folder: Path, assignment: str) -> Notes:
    """What `clear` wrote down about a hand-in; nothing if its notebook has changed since.

    Args:
        folder: the hand-in's.
        assignment: the assignment's name, which is its notebook's.

    Raises:
        OSError: the machine cannot read them just now.
    """
    noted_for, found = _noted(folder)
    return found if noted_for and noted_for == _hash_or_none(folder / f"{assignment}.ipynb") else Notes()


def _noted(folder: Path) -> tuple[str, Notes]:
    """The notes beside a hand-in, and the hash of the notebook that they are of; it is empty where there are none."""
    try:
        written = json.loads((_aside(folder) / NOTES).read_text(encoding="utf-8"))
        found = Notes(tuple(written["repairs"]), written["unreadable"], written["incomplete"])
        return str(written["sha256"]), found
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        if is_of_the_machine(error):
            raise
        return "", Notes()  # never cleared, or somebody wrote into them


def clear(assignment: str, student: str, notebooks: list[str]) -> None:
    """Clear one hand-in; nbgrader's hook before it converts a submission. Twice is the same as once.

    A hand-in that cannot be cleared is put aside as a whole: nbgrader would only log the error, and follow the rest.
    For what is the machine's trouble no hand-in pays: it stays as it is, and the next run tries again.

    Nobody is kept from collecting meanwhile, or from clearing the same hand-in. What is put into a place was made of
    what lies there; otherwise clearing starts again.

    Args:
        assignment: the assignment's name, which is its notebook's.
        student: for the log.
        notebooks: the notebooks that nbgrader found, at least one; it may be missing. Afterwards, the assignment's own;
            none after an error, so that nbgrader, which only logs it, grades nothing that is not cleared.

    Raises:
        OSError: the disk is full or damaged, or something else is wrong with the machine.
        Overtaken: the hand-in is replaced again and again.
    """
    folder = Path(notebooks[0]).parent
    wanted = folder / f"{assignment}.ipynb"
    notebooks.clear()
    try:
        found = _tried(folder, wanted)
    except Exception as error:
        if is_of_the_machine(error) or isinstance(error, Overtaken) or not folder.is_dir():
            raise
        reason = f"the hand-in could not be cleared of what must not be copied ({type(error).__name__})"
        found = _give_up(wanted, reason)
    notebooks[:] = [str(wanted)]
    for sentence in (*found.repairs, *([found.unreadable] if found.unreadable else [])):
        log.warning("%s: %s", student, sentence)


def _tried(folder: Path, wanted: Path) -> Notes:
    """Clear a folder, anew after an error that another process may have caused: files come and go under one's hands."""
    for _ in range(_TRIES - 1):
        try:
            return _clear(folder, wanted)
        except OSError as error:
            if is_of_the_machine(error):
                raise
            time.sleep(_WAIT)
    return _clear(folder, wanted)


def _clear(folder: Path, wanted: Path) -> Notes:
    """Clear a folder that may hold anything."""
    put_aside = []
    for path in (folder.parent, folder):
        if path.is_symlink():  # the whole hand-in would be somebody else's
            path.unlink()
            folder.mkdir(parents=True)
            put_aside.append(
                f"the folder {choice.shown(path, path.parent)!r} was a link, and was replaced by an empty one"
            )
    _complete(wanted)
    before = notes(folder, wanted.stem)
    if wanted.is_dir():
        put_aside.append(_put_aside(wanted, folder, "was a folder"))
    seen = _seen(wanted)
    files = list(_files(folder))
    put_aside += files[:MAX_NAMED]
    if len(files) > MAX_NAMED:
        put_aside.append(f"{len(files) - MAX_NAMED} more files were put aside")
    put_aside += _timestamp(folder)
    if before != Notes():
        found = dataclasses.replace(before, repairs=(*before.repairs, *put_aside))
        return _note_seen(wanted, seen, found) if put_aside else _stays(wanted, seen, before)
    chosen, reading, why = choice.choose(folder, wanted)
    unreadable = reading.unreadable or ("" if reading.notebook else f"there is no notebook {wanted.name}")
    found = Notes((*put_aside, *why, *reading.repairs), unreadable, reading.incomplete)
    if unreadable:
        return _leave(wanted, seen, None, found, _stand_in(unreadable))
    if chosen != wanted or reading.repairs:
        return _leave(wanted, seen, chosen, found, reading.notebook if reading.repairs else None)
    return _stays(wanted, seen, found) if found == Notes() else _note_seen(wanted, seen, found)


@dataclasses.dataclass(frozen=True)
class _Seen:
    """What tells a hand-in from another: a newer one is landed as another folder, or put there as another notebook."""

    folder: tuple[int, int]
    """Its folder's number, and its disk's."""
    notebook: str
    """The hash of the assignment's notebook; empty where there is none that can be read."""


def _seen(wanted: Path) -> _Seen:
    status = wanted.parent.lstat()
    return _Seen((status.st_ino, status.st_dev), _hash_or_none(wanted))


def _stays(wanted: Path, seen: _Seen, found: Notes) -> Notes:
    """The notes, if the hand-in is still the one that was seen.

    Raises:
        Overtaken: it is another one.
    """
    if _seen(wanted) != seen:
        raise Overtaken("another hand-in came while this one was looked at")
    return found


def _give_up(wanted: Path, reason: str) -> Notes:
    """Put a hand-in aside as a whole, with a stand-in and the reason in its place; all of that, or nothing."""
    folder = wanted.parent
    places = (folder.with_name(f"{folder.name}.left-out-{number}") for number in itertools.count())
    whole = next(place for place in places if not os.path.lexists(place))
    instead = _make_aside(folder) / "instead"
    shutil.rmtree(instead, ignore_errors=True)
    instead.mkdir()
    (instead / wanted.name).write_text(nbformat.writes(_stand_in(reason)), encoding="utf-8")
    durable.sync_all(instead)
    found = _note(folder, _hash(instead / wanted.name), Notes(unreadable=reason))
    folder.rename(whole)
    try:
        instead.rename(folder)
    except BaseException:
        whole.rename(folder)
        raise
    durable.sync(folder.parent)
    return found


def _files(folder: Path) -> Iterator[str]:
    """Put aside what must not be copied; say what it was."""
    room, count = MAX_FILES, 0
    for parent, folders, files in choice.walk(folder):
        for path in (Path(parent, name) for name in sorted([*folders, *files])):
            status = path.lstat()
            if stat.S_ISDIR(status.st_mode):
                continue
            if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
                # Following it would bring what it leads to into the submission: another's work, a password.
                yield _put_aside(path, folder, "was a link or no plain file")
            elif path.suffix != ".ipynb":  # notebooks are copied nowhere, except for the one that is graded
                room, count = room - status.st_size, count + 1
                if room < 0 or count > MAX_COUNT:
                    yield _put_aside(path, folder, "was too large, or one of too many")
                    room, count = room + status.st_size, count - 1


def _timestamp(folder: Path) -> Iterator[str]:
    """Put a timestamp aside that nbgrader could not read."""
    path = folder / "timestamp.txt"
    if path.is_file():
        try:
            parse_utc(path.read_text(encoding="utf-8").strip())
        except Exception as error:  # whatever a damaged text makes the parser raise
            if is_of_the_machine(error):
                raise
            yield _put_aside(path, folder, "was no date")


def _leave(
    wanted: Path, seen: _Seen, original: Path | None, found: Notes, repaired: NotebookNode | None = None
) -> Notes:
    """Leave another notebook in the assignment's place, with the notes; what lay there, and the original, go aside.

    Args:
        wanted: the assignment's notebook.
        seen: the hand-in that was looked at.
        original: the notebook that counts, if any does.
        found: the notes.
        repaired: what stands in the original's place; the same bytes if there is nothing to repair.

    Raises:
        Overtaken: another hand-in lies there by now, and is as it was.
    """
    aside = _make_aside(wanted.parent)
    data = None if repaired is None else nbformat.writes(repaired).encode()
    number = _hash(original) if data is None else hashlib.sha256(data).hexdigest()
    new = aside / f"{_NEW}{number}"
    if data is None:
        with durable.replacing(new) as part:
            shutil.copyfile(original, part)
    else:
        durable.write(new, data)
    with _alone_in(wanted.parent) as place:
        try:
            # In this order, so that whoever is interrupted finds the notes of a notebook that is there, or that
            # `_complete` is about to put there, or none.
            _note_seen(wanted, seen, found, number)
            if not new.is_file():
                raise Overtaken("somebody else has looked at this hand-in meanwhile")
        except Overtaken:
            new.unlink(missing_ok=True)
            raise
        with contextlib.suppress(FileNotFoundError):
            os.rename(wanted.name, _free(aside, wanted.name), src_dir_fd=place)
        os.rename(new, wanted.name, dst_dir_fd=place)
        durable.sync(wanted.parent)
        if original is not None and original != wanted:
            os.rename(original.relative_to(wanted.parent), _free(aside, original.name), src_dir_fd=place)
        durable.sync(aside)
    return _stays(wanted, dataclasses.replace(seen, notebook=number), found)


@contextlib.contextmanager
def _alone_in(folder: Path) -> Iterator[int]:
    """A folder itself, and not what has its name by now: what lands replaces it. Of two who clear it, one waits."""
    place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):  # a file system may have no locks
            fcntl.flock(place, fcntl.LOCK_EX)
        yield place
    finally:
        os.close(place)


def _complete(wanted: Path) -> None:
    """Put the notebook into its place that somebody was about to put there, after the one before it had gone aside."""
    number, _ = _noted(wanted.parent)
    new = _aside(wanted.parent) / f"{_NEW}{number}"
    if not os.path.lexists(wanted) and new.is_file() and _hash(new) == number:
        new.rename(wanted)


def _note_seen(wanted: Path, seen: _Seen, found: Notes, number: str = "") -> Notes:
    """Write the notes down, unless they would take the place of another hand-in's; of the notebook that was seen."""
    _stays(wanted, seen, found)
    _note(wanted.parent, number or seen.notebook, found)
    return _stays(wanted, seen, found)


def _note(folder: Path, number: str, found: Notes) -> Notes:
    """Write the notes down, for the notebook of a hash."""
    text = json.dumps({"sha256": number, **dataclasses.asdict(found)}, indent=1)
    durable.write(_make_aside(folder) / NOTES, text)
    durable.sync(folder.parent)
    return found


def _stand_in(reason: str) -> NotebookNode:
    """A notebook in the place of one that cannot be read."""
    cell = nbformat.v4.new_markdown_cell(f"Nothing could be read here: {reason}", id="unreadable")
    return nbformat.v4.new_notebook(cells=[cell])


def _put_aside(path: Path, folder: Path, why: str) -> str:
    shown = choice.shown(path, folder)
    path.rename(_free(_make_aside(folder), path.name))
    return f"the file {shown!r} {why}, and was put aside"


def _aside(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.left-out")


def _make_aside(folder: Path) -> Path:
    aside = _aside(folder)
    if aside.is_symlink():
        aside.unlink()
    aside.mkdir(exist_ok=True)
    return aside


def _free(aside: Path, name: str) -> Path:
    """A name that nothing has; the original's may be as long as names can be."""
    numbers = [int(path.name.partition("-")[0]) for path in aside.iterdir() if re.match(r"\d{1,9}-", path.name)]
    return aside / f"{max(numbers, default=-1) + 1}-{name[-60:]}"


def _hash(path: Path) -> str:
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _hash_or_none(path: Path) -> str:
    """A file's hash; an empty text where there is no plain file that can be read."""
    try:
        return _hash(path)
    except OSError as error:
        if is_of_the_machine(error):
            raise
        return ""
