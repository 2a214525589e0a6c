"""Collects a download of an LMS's into ``submitted/``: ``autograder collect``.

`autograder.gathering` has read it; here it is decided whose each hand-in is, which of several counts, and what is to be
done with the one that lies there. The latest counts: by the LMS's date, else by the LMS's numbers of uploads, else by
the date of the download. A course may decide that one that is in time counts before one that is late. A hand-in without
a notebook never takes the place of one that has a notebook.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

from nbgrader.utils import parse_utc

from autograder.collected import (
    COUNTS,
    MOST_LISTED,
    Collected,
    HandIn,
    Problem,
    read_collected,
    shown,
    write_collected,
)
from autograder.course import Course
from autograder.errors import CourseError, is_full
from autograder.gathering import Attempt, Progress, choose, complete, digest, gather, sources, write_timestamp
from autograder.intake import notes
from autograder.landing import land, workplace
from autograder.lateness import deadline, extensions, seconds_late
from autograder.lms import KINDS, Lms, collector
from autograder.notebooks import ASSIGNMENT
from autograder.roster import Roster, Unmatched, gradebook_roster, has_gradebook, normal, read_roster, share_a_word
from autograder.words import MOST_NAMED, listed


def _silent(iterable: Iterable, _what: str, _total: int) -> Iterable:
    return iterable


def collect(
    course: Course,
    path: Path,
    lms: str = "auto",
    pattern: str = "",
    roster: Path | None = None,
    zone_name: str = "",
    count: str = "",
    dry_run: bool = False,
    progress: Progress = _silent,
) -> Collected:
    """Put each student's hand-in into its place.

    Args:
        course: the course.
        path: an LMS's zip or tar, a file of it, or a folder of them.
        lms: a key of `autograder.lms.KINDS`, or "auto": the one that fits the most files.
        pattern: how files are named, for any other LMS.
        roster: a CSV of the students, or of what there is to say about the gradebook's; by default the gradebook's.
        zone_name: the time zone of the LMS's dates.
        count: which of a student's hand-ins counts, a key of `COUNTS`; by default as the last time.
        dry_run: change nothing.
        progress: shows how far it is.

    Returns:
        What has been collected, which is in the course's record too.

    Raises:
        CourseError: the download, the roster or the course cannot be used, or the disk is full.
    """
    submitted = course.folder("submitted", "-").parent.parent
    candidates = _candidates(course, lms, pattern, zone_name)
    if count not in ("", *COUNTS):
        raise CourseError(f"which hand-in counts? Not {count!r}; there are {', '.join(COUNTS)}")
    try:
        found = sources(path, candidates)
        system, total = choose(found, candidates)
        with workplace(submitted, ASSIGNMENT) as folder:
            before = read_collected(course)  # and who has a folder: in here, since both are another collecting's, too
            count = count or (before.count if before else "latest")
            taken = course.handed_in()
            enrolled = gradebook_roster(course, taken)
            everybody = enrolled if roster is None else read_roster(roster, taken, tuple(enrolled.students.values()))
            collecting = _Collecting(course, system, everybody, enrolled, before, count, dry_run, progress)
            return collecting.run(path, found, folder, total)
    except OSError as error:
        if is_full(error):
            raise CourseError(
                "the disk is full. What was collected so far is whole, and nothing else was changed: "
                "make room, and collect again"
            ) from error
        where = error.filename or path
        raise CourseError(f"{where}: {error.strerror}. Put that right, and collect again") from error


def _candidates(course: Course, lms: str, pattern: str, zone_name: str) -> list[Lms]:
    """The LMSs that a download may be from.

    Raises:
        CourseError: there is no such LMS, or no pattern for it.
    """
    if lms not in ("auto", *KINDS):
        raise CourseError(f"there is no LMS {lms!r}; there are auto, {', '.join(KINDS)}")
    if pattern and lms in ("auto", "other"):
        return [collector("other", course.config, pattern, zone_name)]
    if lms != "auto":
        chosen = collector(lms, course.config, pattern, zone_name)
        if not chosen.named_regexp:
            raise CourseError("how are files named? Say with --pattern, or c.Other.named_regexp in nbgrader_config.py")
        return [chosen]
    every = [collector(kind, course.config, "", zone_name) for kind in KINDS]
    # The course's own pattern first: of two that fit alike it is the one that somebody chose.
    return [one for one in [every[-1], *every[:-1]] if one.named_regexp]


class _Collecting:
    """One run of collecting."""

    def __init__(
        self,
        course: Course,
        lms: Lms,
        roster: Roster,
        enrolled: Roster,
        before: Collected | None,
        count: str,
        dry_run: bool,
        progress: Progress,
    ):
        self.course, self.lms, self.roster, self.count = course, lms, roster, count
        self.known = roster.students.keys() | enrolled.students.keys()
        self.dry_run, self.progress = dry_run, progress
        self.due, self.extensions = _due(course)
        self.before = {} if before is None else {hand.student: hand for hand in before.hand_ins}
        self.old_problems = () if before is None else before.problems
        self.problems: list[Problem] = []

    def run(self, path: Path, found: list, folder: Path, total: int) -> Collected:
        """Read, decide, land, and write it down."""
        gathered = gather(found, self.lms, folder, total, self.progress)
        self.problems += gathered.problems
        by_student = self._by_student(gathered.attempts)
        hands: dict[str, HandIn] = {}
        for student in self.progress(sorted(by_student), "collecting", len(by_student)):
            if whole := self._whole(student, by_student[student]):
                hands[student] = self._student(student, whole)
        there = set(self.course.handed_in()) | hands.keys()
        for student in self.before.keys() - hands.keys():
            if student in there:
                hands[student] = replace(self._recorded(self.before[student]), what="before")
        complete_hands = tuple(self._judged(hands[student]) for student in sorted(hands))
        still = (old for old in self.old_problems if old.file not in gathered.names)
        self.problems += [replace(old, before=True) for old in still]
        students = self.roster.students
        missing = tuple((name, students[name].name) for name in sorted(students.keys() - there))
        dated = any(attempt.handed_in for attempts in by_student.values() for attempt in attempts)
        result = Collected(
            made=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            lms=self.lms.title,
            source=path.name or str(path),
            due=self.due.isoformat() if self.due else "",
            count=self.count,
            roster=self.roster.origin if students else "",
            hand_ins=complete_hands,
            roster_notes=tuple(self._roster_notes(complete_hands, missing)),
            missing=missing,
            problems=tuple(self.problems),
            zone=f"{datetime.now().astimezone():%Z}" if dated and not self.lms.timezone else "",
            left_out=gathered.left_out,
        )
        if not self.dry_run:
            write_collected(self.course, result)
        return result

    def _roster_notes(self, hands: Sequence[HandIn], missing: Sequence[tuple[str, str]]) -> Iterator[str]:
        """Who of the roster is not in the gradebook, and whose hand-ins are of nobody on a roster."""
        if self.roster.strangers:
            yield (
                f"In {self.roster.origin}, and no student of the gradebook's by id, e-mail, number in the LMS or name: "
                f"{listed(map(shown, self.roster.strangers))}. Who should be one needs an entry there, or the right id"
            )
        unknown = [hand for hand in hands if hand.student not in self.known]
        if not unknown or not self.known:
            return
        perhaps = missing
        if len(missing) > MOST_NAMED:
            perhaps = [pair for pair in missing if any(share_a_word(hand.name, pair[1]) for hand in unknown)]
        who = listed((_called(hand.student, hand.name) for hand in unknown), MOST_LISTED)
        same = listed(_called(*map(shown, pair)) for pair in perhaps)
        also = f"; missing and perhaps the same person: {same}" if same else ""
        yield f"On no roster, and collected under the LMS's number: {who}{also}"

    def _by_student(self, attempts: list[Attempt]) -> dict[str, list[Attempt]]:
        """Whose each hand-in is. What nobody can have handed in, or two can, becomes a problem."""
        result: dict[str, list[Attempt]] = {}
        for attempt in attempts:
            if attempt.error:
                self._problem(attempt, attempt.error)
                continue
            try:
                student = self.roster.find(attempt.named)
            except Unmatched as error:
                self._problem(attempt, str(error))
                continue
            result.setdefault(student, []).append(attempt)
        for student, own in list(result.items()):
            if reason := self._doubt(student, own):
                for attempt in result.pop(student):
                    self._problem(attempt, reason)
        return result

    def _doubt(self, student: str, attempts: list[Attempt]) -> str:
        """Why hand-ins that seem to be of one student may be of two, or an empty string."""
        ask = "put the right lms_id into the roster, and collect again"
        names = {normal(attempt.named.full_name) for attempt in attempts}
        numbers = {normal(attempt.named.lms_id) for attempt in attempts}
        if len(names) > 1 or len(numbers) > 1:
            return f"seems to be of {student}, and so does another under another name or number in the LMS: {ask}"
        known = self.before.get(student)
        entry = self.roster.students.get(student)
        if known and known.lms == self.lms.title and normal(known.lms_id) not in numbers:
            if entry and normal(entry.lms_id) in numbers:
                return ""
            return f"seems to be of {student}, whose number in the LMS was {known.lms_id} before: {ask}"
        return ""

    def _problem(self, attempt: Attempt, why: str) -> None:
        self.problems.append(Problem(attempt.file, shown(why)[:500], attempt.source))

    def _judged(self, hand: HandIn) -> HandIn:
        """A hand-in with how late it was, by the due date and the extension that hold now."""
        if not hand.handed_in or self.due is None:
            return replace(hand, late=None)
        handed_in = datetime.fromisoformat(hand.handed_in)
        return replace(hand, late=seconds_late(handed_in, self.due, self.extensions.get(hand.student)))

    def _is_late(self, hand: HandIn) -> bool:
        """Whether a hand-in is known to be late: by its date, else by the LMS's mark."""
        late = self._judged(hand).late
        return hand.late_in_lms if late is None else late > 0

    def _only_in_time(self, hand: HandIn, late: HandIn) -> bool:
        """Whether one of two counts because the other is late, and the course has decided so."""
        return self.count == "in-time" and self._is_late(late) and not self._is_late(hand)

    def _whole(self, student: str, attempts: list[Attempt]) -> list[Attempt]:
        """Complete a student's hand-ins. Those that cannot be become problems; the others are returned."""
        entry = self.roster.students.get(student)
        for attempt in attempts:
            complete(attempt, self.lms, ASSIGNMENT, entry.handed_in if entry else "")
            if attempt.error:
                self._problem(attempt, attempt.error)
        return [attempt for attempt in attempts if not attempt.error]

    def _student(self, student: str, attempts: list[Attempt]) -> HandIn:
        """Decide which of a student's hand-ins counts, and put it in its place."""
        best, why = self._hand_in(student, attempts[0]), ""
        chosen = attempts[0]
        for attempt in attempts[1:]:
            hand = self._hand_in(student, attempt)
            better, reason = self._counts(hand, best)
            if hand.digest != best.digest:
                why = reason
            if better:
                best, chosen = hand, attempt
        others = {attempt.digest for attempt in attempts}
        target = self.course.folder("submitted", student)
        there = self._there(student, target, best)
        if there is None:
            what, final = "new", best
        elif there.digest == best.digest:
            moved = best.handed_in and best.handed_in != there.handed_in
            if there.handed_in and self._only_in_time(there, best):
                moved = False  # the same once more, too late: that makes the first one no later
            what, final = ("date changed" if moved else "unchanged"), best
            if not moved:
                final, why = replace(best, handed_in=there.handed_in), why or there.why
        else:
            better, why = self._counts(best, there)
            kept = "in time" if self._only_in_time(there, best) else "kept" if best.readable else "without"
            what, final = ("replaced", best) if better else (kept, there)
        if there is not None:
            others |= {there.digest, *there.earlier}
        elif student in self.before and target.is_dir():  # damaged; those that it took the place of are known
            others |= {*self.before[student].earlier}
        others.discard(final.digest)
        if not self.dry_run:
            self._land(what, chosen, target, final)
        return replace(final, what=what, why=why, times=1 + len(others), earlier=tuple(sorted(others)))

    def _land(self, what: str, attempt: Attempt, target: Path, hand: HandIn) -> None:
        if what in ("new", "replaced"):
            staged = attempt.shelf.folder.parent / "landing" / target.name
            staged.parent.mkdir()
            attempt.shelf.folder.rename(staged)
            land(staged, target)
        elif what == "date changed":
            write_timestamp(target, datetime.fromisoformat(hand.handed_in))

    def _hand_in(self, student: str, attempt: Attempt) -> HandIn:
        entry = self.roster.students.get(student)
        return HandIn(
            student=student,
            name=shown((entry.name if entry else "") or attempt.named.full_name)[:200],
            handed_in=attempt.handed_in.isoformat() if attempt.handed_in else "",
            late_in_lms=attempt.late,
            file=attempt.file,
            source=shown(attempt.source),
            notes=tuple(attempt.shelf.notes),
            readable=attempt.readable,
            digest=attempt.digest,
            lms=self.lms.title,
            lms_id=shown(attempt.named.lms_id),
            upload=attempt.upload,
            downloaded=attempt.downloaded,
        )

    def _there(self, student: str, target: Path, new: HandIn) -> HandIn | None:
        """What lies in a student's place; somebody may have put it there by hand."""
        if not target.is_dir() or target.is_symlink():
            return None
        if known := self.before.get(student):
            known = self._recorded(known)
            if self._is_damaged(known, target):
                return None
            if known.digest == new.digest or digest(target) != new.digest:
                return known
            # It landed, and whoever collected it was interrupted before writing that down.
            return replace(new, earlier=(known.digest, *known.earlier))
        return self._by_hand(student, target)

    def _recorded(self, known: HandIn) -> HandIn:
        """What is known of a hand-in; of a notebook that somebody has put into the place of one without, if so."""
        target = self.course.folder("submitted", known.student)
        if known.readable or target.is_symlink() or notes(target, ASSIGNMENT).unreadable:
            return known
        # A stand-in is empty until grading leaves one that says so, which is noted.
        if not any(path.is_file() and path.stat().st_size for path in target.glob("*.ipynb")):
            return known
        own = self._by_hand(known.student, target)
        earlier = tuple(dict.fromkeys((known.digest, *known.earlier)))
        told = {"name": known.name, "lms": known.lms, "lms_id": known.lms_id}
        return replace(own, **told, times=1 + len(earlier), earlier=earlier)

    def _is_damaged(self, known: HandIn, target: Path) -> bool:
        """Whether the notebook of a hand-in is gone or empty that was not collected so; a power cut may do that."""
        wanted = target / f"{ASSIGNMENT}.ipynb"
        if not known.readable or (wanted.is_file() and wanted.stat().st_size):
            return False
        return digest(target) != known.digest  # of several notebooks none has that name until they are looked into

    def _by_hand(self, student: str, target: Path) -> HandIn:
        """What somebody has put into a student's place."""
        try:
            date = parse_utc((target / "timestamp.txt").read_text(encoding="utf-8").strip())
            handed_in = date.replace(tzinfo=timezone.utc).isoformat()
        except Exception:  # whatever a damaged text makes the parser raise
            handed_in = ""
        return HandIn(student=student, handed_in=handed_in, digest=digest(target), file="what lay there", source="")

    def _counts(self, hand: HandIn, other: HandIn) -> tuple[bool, str]:
        """Whether a hand-in counts and not the other, and why."""
        if hand.readable != other.readable:
            return hand.readable, "the other has no notebook that can be read"
        if self._only_in_time(hand, other) or self._only_in_time(other, hand):
            return self._is_late(other), "it is in time, and a later one is not"
        if hand.handed_in and other.handed_in and hand.handed_in != other.handed_in:
            later = datetime.fromisoformat(hand.handed_in) > datetime.fromisoformat(other.handed_in)
            return later, f"the latest by {self.lms.title}'s date"
        if hand.upload is not None and other.upload is not None and hand.upload != other.upload:
            return hand.upload > other.upload, f"the latest by {self.lms.title}'s numbers of uploads"
        if hand.downloaded and other.downloaded and hand.downloaded != other.downloaded:
            later = datetime.fromisoformat(hand.downloaded) > datetime.fromisoformat(other.downloaded)
            return later, "it is in the newer download; nothing else says which is later"
        if hand.digest in other.earlier:
            return False, "it took that one's place before"
        return True, "it was collected last; nothing says which is later"


def _called(student: str, name: str) -> str:
    return f"{name} ({student})" if name else student


def _due(course: Course) -> tuple[datetime | None, dict[str, timedelta]]:
    """When the assignment is due, and by how much later for those who have an extension."""
    if not has_gradebook(course):
        return None, {}
    with course.gradebook() as gradebook:
        return deadline(gradebook), extensions(gradebook)
