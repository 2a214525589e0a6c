"""How learning management systems name the files of a download, and what such a name says: who, when, which file.

Each system is a collector plugin of nbgrader's, so that ``nbgrader zip_collect --collector=autograder.lms.Moodle``
understands the same names. Where each convention is written down:

- Moodle: ``mod/assign/classes/downloader.php``. The number is a participant's in one assignment, not a user's id.
- Canvas: ``lib/content_zipper.rb``. Uploads are numbered as they come.
- Brightspace: seen in downloads. Its names alone say when something was handed in.

The dates *inside* the zips of Moodle and Canvas are those of the download: both write their zips while you wait.
"""

import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone, tzinfo
from zoneinfo import ZoneInfo

from dateutil import parser as dates
from nbgrader.plugins.zipcollect import FileNameCollectorPlugin
from traitlets import Bool, Unicode
from traitlets.config import Config

from autograder.archives import MAX_NAME
from autograder.errors import CourseError

_ANYWHERE = r"(?:[^/]*/)*?"  # the first folder that fits: folders below it are the student's, and may imitate one
_WORDS = r"(?:(?! - )[^/])*?"
_DATE = rf"{_WORDS}\b\d{{4}}\b{_WORDS}\b\d{{1,2}}:?\d{{2}}(?: ?[AaPp]\.?[Mm]\.?)?"
_quiet = logging.getLogger(f"{__name__}.quiet")  # nbgrader's plugin warns of each name that does not fit
_quiet.setLevel(logging.CRITICAL)


@dataclass(frozen=True)
class Named:
    """What a file's name in a download says."""

    lms_id: str
    """The student's number or id, as the LMS has it."""
    full_name: str
    """The student's name, as far as the LMS writes it; Canvas leaves out spaces and capitals."""
    file: str
    """The file's own path, as the student named it."""
    handed_in: str
    """When, in the LMS's words, or an empty string."""
    upload: int | None
    """A number that is larger for what was uploaded later, where the LMS has one."""
    late: bool
    """Whether the LMS says that it was late."""
    also: str = ""
    """A second date in the name, which may be the student's invention."""

    @property
    def attempt(self) -> tuple[str, str, str]:
        """What all files of one hand-in have in common."""
        return self.lms_id, self.full_name, self.handed_in


class Lms(FileNameCollectorPlugin):
    """A learning management system. ``c.Lms.…`` in nbgrader_config.py is a setting for all of them."""

    title = ""

    date_format = Unicode(
        help="how dates are written, as for datetime.strptime; by default it is guessed, if it is clear which number "
        "is the month"
    ).tag(config=True)
    timezone = Unicode(help="the time zone of its dates, such as Europe/Amsterdam; by default this machine's").tag(
        config=True
    )
    archive_dates = Bool(
        False, help="whether the dates inside the download are those of handing in, which is true of few LMSs"
    ).tag(config=True)

    def collect(self, submitted_file: str) -> dict | None:
        """What nbgrader's plugins return: the name's groups, of a file of any kind."""
        return self._match(submitted_file) if len(submitted_file) <= MAX_NAME else None

    def named(self, path: str) -> Named | None:
        """What a path in the download says; ``None`` where it does not fit.

        Raises:
            CourseError: the pattern is no regular expression, or has not the groups that it must have.
        """
        try:
            groups = self.collect(path)
        except re.error as error:
            raise CourseError(f"the pattern {self.named_regexp!r} is no regular expression: {error}") from error
        if groups is None:
            return None
        if not {"student_id", "file_id"} <= groups.keys():
            raise CourseError(
                f"the pattern {self.named_regexp!r} must have the groups (?P<student_id>…) and (?P<file_id>…)"
            )
        text = {key: value or "" for key, value in groups.items()}
        parts = (text.get("full_name", ""), text.get("first_name", ""), text.get("last_name", ""))
        upload = text.get("upload", "")
        return Named(
            lms_id=text["student_id"].strip(),
            full_name=" ".join(filter(None, parts)).strip(),
            file=text["file_id"],
            handed_in=text.get("timestamp", "").strip(),
            upload=int(upload) if upload.isascii() and upload.isdecimal() and len(upload) < 20 else None,
            late=bool(text.get("late")),
        )

    def is_its_own(self, path: str) -> bool:
        """Whether a file that does not fit is the LMS's own, such as a table of contents."""
        return False

    def date(self, text: str) -> datetime | None:
        """A date in the LMS's words, in UTC; ``None`` where it is not understood.

        Raises:
            CourseError: there is no such time zone.
        """
        try:
            if self.date_format:
                found = datetime.strptime(text, self.date_format)
            else:
                readings = self._readings(text)
                if len(set(readings)) != 1:
                    return None
                found = readings[0]
            return utc(found, zone(self.timezone))
        except (ValueError, OverflowError, TypeError):
            return None

    def doubt(self, text: str) -> str:
        """What to do about a date that is not understood because it can be read in two ways, or an empty string."""
        if self.date_format:
            return ""
        try:
            one, again, *others = self._readings(text)
        except (ValueError, OverflowError, TypeError):
            return ""
        return ": day or month first? set c.Lms.date_format" if others and one == again else ""

    def _readings(self, text: str) -> list[datetime]:
        """A date as dateutil understands it, in each way that the text leaves open."""
        text = re.sub(r"\b(\d{1,2})(\d{2})(?=(?: ?[AaPp]\.?[Mm]\.?)?$)", r"\1:\2", text)
        # What the text does not say, dateutil takes from the default.
        defaults = datetime(2000, 1, 1), datetime(2001, 2, 2)
        readings = [dates.parse(text, default=default) for default in defaults]
        if re.search(r"^\s*\d{4}|\b\d{4}[-/.]\d", text):  # as ISO has it: what follows a year is the month
            return readings
        other = dates.parse(text, default=defaults[0], dayfirst=True)
        return readings if other == readings[0] else [*readings, other]


class Moodle(Lms):
    """Moodle's "download all submissions", as folders or flat."""

    title = "Moodle"
    named_regexp = Unicode(
        _ANYWHERE + r"(?P<full_name>[^/]*?)_(?P<student_id>\d+)_assignsubmission_[a-z]+(?:_?/|_)(?P<file_id>.+)"
    ).tag(config=True)


class Brightspace(Lms):
    """Brightspace's (D2L's) download of an assignment's submissions, as folders or flat."""

    title = "Brightspace"
    named_regexp = Unicode(
        _ANYWHERE
        + r"(?P<student_id>\d+)-\d+ - (?P<full_name>[^/]+?) - "
        + rf"(?P<timestamp>{_DATE})(?:/| - )(?P<file_id>.+)"
    ).tag(config=True)

    def named(self, path: str) -> Named | None:
        """Of two dates in a name one is the student's: the later one will count."""
        found = super().named(path)
        second = re.match(rf"({_DATE})(?:/| - )", found.file) if found else None
        if second is None or self.date(second[1]) is None:
            return found
        return Named(**{**vars(found), "also": second[1]})

    def is_its_own(self, path: str) -> bool:
        """Its table of contents."""
        return path.rpartition("/")[2] == "index.html"


class Canvas(Lms):
    """Canvas's "download submissions"."""

    title = "Canvas"
    named_regexp = Unicode(
        _ANYWHERE
        + r"(?:(?P<full_name>\w+?)_)??(?:(?P<late>LATE)_)?(?P<student_id>\d+|anon_[A-Za-z0-9]+)_"
        + r"(?:(?P<upload>\d+)_|(?=(?:text|link)\.html$))(?P<file_id>[^/]+)$"
    ).tag(config=True)


class Other(Lms):
    """A learning management system that is none of those above, by the pattern that the course gives.

    ``c.Other.named_regexp = r"..."`` in nbgrader_config.py, or ``--pattern``. The pattern has the named groups of
    nbgrader's own collector: ``student_id`` and ``file_id``, and where the name has them ``first_name``, ``last_name``,
    ``full_name`` and ``timestamp``; ``upload`` is a number that grows with each upload, ``late`` a mark of lateness.
    """

    title = "the course's own pattern"


KINDS: dict[str, type[Lms]] = {"moodle": Moodle, "brightspace": Brightspace, "canvas": Canvas, "other": Other}


def collector(kind: str, config: Config, pattern: str = "", zone_name: str = "") -> Lms:
    """One LMS's collector, with the course's settings.

    Args:
        kind: one of `KINDS`.
        config: the course's settings.
        pattern: instead of the LMS's own.
        zone_name: instead of the settings' time zone.
    """
    given = {"named_regexp": pattern, "timezone": zone_name}
    found = KINDS[kind](config=config, log=_quiet, **{key: value for key, value in given.items() if value})
    zone(found.timezone)
    return found


def detect(candidates: Iterable[Lms], names: Sequence[str]) -> tuple[Lms | None, int]:
    """The collector that fits the most names, the first of equals, and how many it fits."""
    best, most = None, 0
    for candidate in candidates:
        fits = sum(candidate.named(name) is not None for name in names)
        if fits > most:
            best, most = candidate, fits
    return best, most


def zone(name: str) -> tzinfo | None:
    """A time zone by its name; ``None``, which is this machine's, for no name.

    Raises:
        CourseError: there is none.
    """
    try:
        return ZoneInfo(name) if name else None
    except Exception as error:  # ValueError, KeyError and OSError, as the name leads to no file or to a strange one
        raise CourseError(f"there is no time zone {name!r}; one is called Europe/Amsterdam, another UTC") from error


def utc(date: datetime, where: tzinfo | None) -> datetime:
    """A date in UTC; without a zone of its own it is in the one that is given, or this machine's."""
    if date.tzinfo is None and where is not None:
        date = date.replace(tzinfo=where)
    return date.astimezone(timezone.utc)
