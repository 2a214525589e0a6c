"""What has been collected: the record in the course's folder, ``collected.json``, and how it is shown.

``collected.csv`` says the same to people. `read_collected` is for whoever reports on the class.
"""

import dataclasses
import json
from datetime import datetime
from pathlib import Path
from typing import Any

from rich import box
from rich.markup import escape
from rich.table import Table

from autograder import durable
from autograder.course import Course
from autograder.errors import CourseError
from autograder.spreadsheet import write_tables

RECORD = "collected.json"
MOST_LISTED = 100  # files that were not collected, in the summary
WORDS = {
    "new": "collected",
    "replaced": "replaced an earlier one",
    "date changed": "unchanged, but for its date",
    "unchanged": "unchanged",
    "kept": "unchanged: what came is older",
    "in time": "unchanged: what came is late",
    "without": "unchanged: what came has no notebook",
    "before": "collected before",
}

COUNTS = {"latest": "the latest", "in-time": "the latest that is in time, else the latest"}


@dataclasses.dataclass(frozen=True)
class HandIn:
    """A student's hand-in, as it lies in ``submitted/``."""

    student: str
    """The course's id."""
    name: str = ""
    """The name, from the roster or the LMS."""
    what: str = "new"
    """What the last collecting did with it: a key of `WORDS`."""
    handed_in: str = ""
    """When, in ISO's form and UTC; empty where it is not known."""
    late: float | None = None
    """By how many seconds it was late: 0 is in time, ``None`` not known."""
    late_in_lms: bool = False
    """Whether the LMS marks it as late, whatever it says of the date."""
    times: int = 1
    """How many different hand-ins of this student are known."""
    why: str = ""
    """Why this one counts, where there is more than one."""
    file: str = ""
    """Its first file's name in the download."""
    source: str = ""
    """The download."""
    notes: tuple[str, ...] = ()
    """What was not taken of it, or not as it came; one sentence each."""
    readable: bool = True
    """Whether it holds a notebook; else a stand-in lies in its place, and it will not be graded."""
    digest: str = ""
    """Of its files, as they came."""
    earlier: tuple[str, ...] = ()
    """The digests of the others."""
    lms: str = ""
    """The LMS that it comes from."""
    lms_id: str = ""
    """The student's number there."""
    upload: int | None = None
    """Its number there, where it has one."""
    downloaded: str = ""
    """The latest date in the download, in ISO's form and UTC."""


@dataclasses.dataclass(frozen=True)
class Problem:
    """Something in a download that was not collected."""

    file: str
    """Its name there."""
    why: str
    """Why; goes on from the name."""
    source: str
    """The download."""
    before: bool = False
    """Whether an earlier collecting found it, and the last one's download has no such file."""

    def __str__(self) -> str:
        """A sentence."""
        return f"{self.file} {self.why}"


@dataclasses.dataclass(frozen=True)
class Collected:
    """Everything that is known of what was handed in."""

    made: str
    """When the last collecting was, in ISO's form and UTC."""
    lms: str
    """The LMS that it took the download to be from."""
    source: str
    """The download."""
    due: str = ""
    """When the assignment is due, in ISO's form and UTC; empty where the gradebook does not say."""
    count: str = "latest"
    """Which of a student's hand-ins counts: a key of `COUNTS`."""
    roster: str = ""
    """What says who should have handed in; empty where nothing does."""
    roster_notes: tuple[str, ...] = ()
    """What does not fit between roster, gradebook and hand-ins; one sentence each."""
    hand_ins: tuple[HandIn, ...] = ()
    """By student."""
    missing: tuple[tuple[str, str], ...] = ()
    """Id and name of those who have handed in nothing."""
    problems: tuple[Problem, ...] = ()
    """What was not collected."""
    zone: str = ""
    """This machine's time zone, where the LMS's dates were read in it because nobody named one."""
    left_out: int = 0
    """How many files of operating systems' and the LMS's own were left out of this download."""


def record_path(course: Course) -> Path:
    """Where the record is."""
    return course.root / RECORD


def read_collected(course: Course) -> Collected | None:
    """What has been collected; ``None`` where nothing has.

    Raises:
        CourseError: the record is damaged.
    """
    return _read(record_path(course))


def read_missing(root: Path) -> dict[str, str]:
    """Those on the roster of whom nothing was collected: their names by id.

    Args:
        root: the course's folder.

    Raises:
        CourseError: the record is damaged.
    """
    found = _read(root / RECORD)
    return dict(found.missing) if found else {}


def _read(path: Path) -> Collected | None:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return Collected(
            **{
                **_fields(Collected, data),
                "hand_ins": tuple(_hand_in(row) for row in data["hand_ins"]),
                "missing": tuple((str(i), str(name)) for i, name in data["missing"]),
                "roster_notes": tuple(map(str, data.get("roster_notes", ()))),
                "problems": tuple(Problem(**_fields(Problem, row)) for row in data["problems"]),
            }
        )
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CourseError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CourseError(
            f"{path} is damaged: move it away and collect again; what lies in submitted/ is not touched by that"
        ) from error


def _fields(kind: type, row: dict[str, Any]) -> dict[str, Any]:
    names = {field.name for field in dataclasses.fields(kind)}
    return {key: value for key, value in row.items() if key in names}


def _hand_in(row: dict[str, Any]) -> HandIn:
    fields = _fields(HandIn, row)
    return HandIn(**{**fields, "notes": tuple(fields["notes"]), "earlier": tuple(fields["earlier"])})


def write_collected(course: Course, collected: Collected) -> None:
    """Write the record and its table, each whole or not at all.

    Raises:
        OSError: they cannot be written.
        CourseError: the table cannot.
    """
    path = record_path(course)
    durable.write(path, json.dumps(dataclasses.asdict(collected), indent=1) + "\n")
    header = ["student", "name", "status", "handed in (UTC)", "late", "hand-ins", "file", "why", "notes"]
    rows: list[list[str | float]] = [header]
    for hand in collected.hand_ins:
        late = lateness(hand)
        notes = " ".join(f"{note}." for note in hand.notes)
        what = WORDS[hand.what] if hand.readable else "no notebook in it that can be read"
        rows.append([hand.student, hand.name, what, hand.handed_in, late, hand.times, hand.file, hand.why, notes])
    rows += [[student, name, "missing", "", "", 0.0, "", "", ""] for student, name in collected.missing]
    rows += [["", "", "not collected", "", "", "", problem.file, problem.why, ""] for problem in collected.problems]
    write_tables({path.with_suffix(".csv"): rows})


def lateness(hand: HandIn) -> str:
    """How late a hand-in was, in words; an empty string where it was in time or nothing says so."""
    if not hand.late:
        return "late, the LMS says" if hand.late_in_lms else ""
    minutes = max(1, round(hand.late / 60))
    days, hours, minutes = minutes // 1440, minutes % 1440 // 60, minutes % 60
    return f"{days} d {hours} h" if days else f"{hours} h {minutes} min" if hours else f"{minutes} min"


def shown(text: str) -> str:
    """A text that a terminal may show: what cannot be seen, or moves what stands around it, as its number."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


def _local(date: str) -> str:
    return f"{datetime.fromisoformat(date).astimezone():%a %d %b %Y %H:%M %Z}" if date else "no date"


def table(collected: Collected, most: int = 60) -> Table:
    """Who has handed in and who has not, for a terminal.

    Args:
        collected: what is known.
        most: how many students are shown. Of more, those of whom there is nothing to say are left to collected.csv.
    """
    result = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for column in ("student", "name", "hand-in", "handed in", "late", "from"):
        result.add_column(column, overflow="fold")
    hands, missing = collected.hand_ins, collected.missing
    if len(hands) + len(missing) > most:
        hands = tuple(hand for hand in hands if hand.late or hand.late_in_lms or hand.times > 1 or not hand.readable)
        hands, missing = hands[:most], missing[: max(0, most - len(hands))]
        left = len(collected.hand_ins) + len(collected.missing) - len(hands) - len(missing)
        result.caption = f"and {counted(left, 'student')} more: collected.csv lists everybody"
    for hand in hands:
        style = "red" if not hand.readable else "green" if hand.what in ("new", "replaced") else ""
        what = WORDS[hand.what] if hand.readable else "no notebook that can be read"
        cells = [hand.student, hand.name, what, _local(hand.handed_in), lateness(hand), hand.file]
        result.add_row(*map(escape, cells), style=style)
    for student, name in missing:
        result.add_row(escape(student), escape(name), "missing", style="yellow")
    return result


def lines(collected: Collected) -> list[str]:
    """The table's rows, for a log."""
    result = []
    for hand in collected.hand_ins:
        what = WORDS[hand.what] if hand.readable else "no notebook that can be read"
        late = f", late by {lateness(hand)}" if hand.late else ", late, as the LMS says" if hand.late_in_lms else ""
        name = f" ({hand.name})" if hand.name else ""
        result.append(f"{hand.student}{name}: {what}, {_local(hand.handed_in)}{late}, from {hand.file}")
    return result + [f"{student}{f' ({name})' if name else ''}: missing" for student, name in collected.missing]


def counted(number: int, what: str) -> str:
    """A number of things."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def summary(collected: Collected, dry_run: bool = False) -> list[str]:
    """What an instructor should know, one sentence each."""
    hands = collected.hand_ins
    count = {what: sum(hand.what == what for hand in hands) for what in WORDS}
    result = [f"The download is taken to be {collected.lms}'s."]
    for hand in hands:
        if hand.times > 1 and hand.what != "before":
            result.append(f"{hand.student} handed in {hand.times} times: {hand.file} counts, {hand.why}.")
        result += [f"{hand.student}: {note}." for note in hand.notes if hand.what != "before"]
    for problem in collected.problems[:MOST_LISTED]:
        result.append(f"Not collected{f' from {problem.source} before' if problem.before else ''}: {problem}.")
    if (more := len(collected.problems) - MOST_LISTED) > 0:
        result.append(f"Not collected: {counted(more, 'more file')}, which collected.csv lists.")
    fresh = count["new"] + count["replaced"]
    did = "to be collected" if dry_run else "newly collected"
    kept = "; what was replaced lies in submitted/STUDENT/….earlier" if count["replaced"] and not dry_run else ""
    same = len(hands) - fresh
    result.append(
        f"{counted(fresh, 'hand-in')} {did}, {count['replaced']} in the place of an earlier one{kept}; "
        f"{same} there before."
    )
    if collected.count != "latest":
        result.append(f"Of several hand-ins {COUNTS[collected.count]} counts, until you say `--count latest`.")
    if not collected.roster:
        result.append("Who is missing is not known: the gradebook has no students. Name a roster with --roster.")
    else:
        result.append(f"Missing, of those in {collected.roster}: {len(collected.missing)}.")
    result += [f"{note}." for note in collected.roster_notes]
    late = sum(bool(hand.late) or hand.late_in_lms for hand in hands)
    undated = sum(not hand.handed_in for hand in hands)
    if not collected.due:
        result.append("The gradebook has no due date, so that nothing is late but what the LMS marks as late.")
    by = f", by the due date {_local(collected.due)} and extensions" if collected.due else ""
    result.append(f"Late: {late}{by}.")
    if collected.zone:
        zone = f"{collected.zone}, this machine's zone"
        result.append(f"The LMS's dates are read as {zone}; --timezone names another, c.Lms.timezone for good.")
    if undated:
        result.append(
            f"Of {undated} the date is not known, so that nbgrader takes nothing off for being late: {collected.lms} "
            "does not write it into the download. A roster with a column handed_in says it, "
            "and so does Moodle's grading worksheet as a roster."
        )
    if collected.left_out:
        result.append(f"Left out: {counted(collected.left_out, 'file')} of operating systems' or the LMS's own.")
    return result
