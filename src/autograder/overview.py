"""The report about a whole class: one HTML page that needs no network, for the instructor's eyes.

`autograder.classroom` has the facts, `autograder.findings` what they have in common, `autograder.charts` where the
pictures' marks stand; here they become words, and ``templates/overview.html`` a page. Students' names, messages and
file names are text that strangers wrote: the template escapes all of it, and the page's policy lets nothing run or load
but its own style and script, which are known by their hashes.
"""

import base64
import datetime
import hashlib
import os
import urllib.parse
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from autograder import charts, durable, findings
from autograder.classroom import (
    FINAL,
    LEFT_OUT,
    MISSING,
    NOT_GRADED,
    NOT_RUN,
    TEST_CHANGED,
    UNREADABLE_REPLY,
    WAITING,
    Classroom,
    Student,
    read_classroom,
)
from autograder.collected import Collected
from autograder.course import Course
from autograder.exercises import EXERCISES
from autograder.rebinding import REBOUND, REPLACED
from autograder.standing import HELD, TESTS

NOT_SHOWN = "\N{REPLACEMENT CHARACTER}"
_STATES = {
    FINAL: ("full", "final"),
    WAITING: ("part", "waits for marking"),
    NOT_GRADED: ("none", "not decided"),
    NOT_RUN: ("waiting", "not graded yet"),
    MISSING: ("missing", "missing"),
}
_OBSERVATIONS = {
    TEST_CHANGED: (
        "Test cells that differed from the course's",
        "A test was edited, deleted, moved or copied, often to try something. The course's own was run, so that it "
        "changed no points.",
    ),
    REBOUND: (
        "Names of the course's with another meaning",
        "An answer or an added cell defines a name that the course had given out. Tests use the grader's own; the "
        "student's later cells may have used the new one, mostly by accident.",
    ),
    REPLACED: (
        "Assignments into modules",
        "Code changes something inside of a module. Many such changes are harmless settings. Tests run in another "
        "process, which none of them reaches.",
    ),
    UNREADABLE_REPLY: (
        "Messages that could not be read",
        "The submission's process sent what no kernel sends, or what no test could use. Threads that print and "
        "ordinary bugs can do this, too.",
    ),
    LEFT_OUT: (
        "Files that were left out",
        "What is no plain file, or too large, does not go into the sandbox.",
    ),
}
_SECONDS = [(1, "1 s"), (2, "2 s"), (5, "5 s"), (10, "10 s"), (30, "30 s"), (60, "1 min"), (120, "2 min")]
_SECONDS += [(300, "5 min"), (600, "10 min"), (1800, "30 min"), (3600, "1 h"), (7200, "2 h"), (18000, "5 h")]
_MEGABYTES = [(125, "125 MB"), (250, "250 MB"), (500, "500 MB"), (1000, "1 GB"), (2000, "2 GB"), (4000, "4 GB")]
_MEGABYTES += [(8000, "8 GB"), (16000, "16 GB"), (32000, "32 GB"), (64000, "64 GB")]


def write_report(course: Course, path: Path) -> Classroom:
    """Write the report about a course's class, and say what is known about it.

    Args:
        course: whose gradebook and graded notebooks are read.
        path: the page's file. Links to feedback pages are relative to it.

    Raises:
        CourseError: the gradebook does not know the assignment, or the record of what was collected is damaged.
        OSError: the file cannot be written; one that was there is kept.
    """
    classroom = read_classroom(course)
    page = render(classroom, path.parent)
    durable.write(path, page)
    return classroom


def render(classroom: Classroom, folder: Path, made: datetime.datetime | None = None) -> str:
    """The page.

    Args:
        classroom: the facts.
        folder: where the page will lie.
        made: the time that it shows; by default now.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("autograder", "templates"),
        autoescape=True,
        finalize=_readable,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        number=_number, duration=duration, clock=_clock, memory=_memory, address=lambda path: _address(path, folder)
    )
    style, script = _asset("overview.css"), _asset("overview.js")
    # Nothing is fetched and nothing runs but these two texts: an id that slipped through unescaped would do nothing.
    policy = f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; base-uri 'none'"
    return environment.get_template("overview.html").render(
        _context(classroom),
        style=Markup(style),
        script=Markup(script),
        policy=f"{policy}; form-action 'none'",
        made=made or datetime.datetime.now(datetime.timezone.utc),
    )


def _context(classroom: Classroom) -> dict[str, Any]:
    """All that the template shows."""
    successes = findings.successes(classroom)
    students = sorted(classroom, key=lambda student: student.name.casefold())
    tested = [student.tested for student in students if student.tested is not None]
    totals = [student.total for student in students if student.total is not None]
    test_points = sum(e.points for e in EXERCISES.values() if not e.by_hand)
    all_points = sum(e.points for e in EXERCISES.values())
    return {
        "classroom": classroom,
        "students": students,
        "places": {student.name: f"s{number}" for number, student in enumerate(students)},
        "states": _STATES,
        "counts": findings.states(classroom),
        "state_bars": charts.stacked(
            (kind, count, f"{words}: {count}")
            for (kind, words), count in ((look, findings.states(classroom)[state]) for state, look in _STATES.items())
        ),
        "late": [student for student in students if student.late or student.late_in_lms],
        "tested": tested,
        "totals": totals,
        "test_points": test_points,
        "all_points": all_points,
        "median": findings.median,
        "tested_plot": _points(tested, test_points, "points"),
        "totals_plot": _points(totals, all_points, "points"),
        "successes": [(one, _success_bars(one)) for one in successes if not one.exercise.by_hand],
        "written": [(one, _success_bars(one)) for one in successes if one.exercise.by_hand],
        "networks": [(network, _network_plot(network)) for network in findings.networks(classroom)],
        "seconds": _usage(students, "seconds", _SECONDS, classroom.seconds_limit, duration),
        "memory": _usage(students, "memory_mb", _MEGABYTES, classroom.memory_limit_mb, _memory),
        "not_graded": findings.not_graded(classroom),
        "behind": [(why, names) for why in (HELD, TESTS) if (names := [s.name for s in students if s.behind == why])],
        "repairs": findings.grouped((s.name, repair) for s in students for repair in _repairs(s)),
        "limits": findings.grouped((s.name, limit) for s in students for limit in s.limits),
        "observations": _observations(students),
        **_collected(classroom.collected),
        "tests": max((len(student.tests) for student in students), default=0),
        "exercises": list(EXERCISES.values()),
        "FINAL": FINAL,
        "WAITING": WAITING,
        "NOT_GRADED": NOT_GRADED,
        "NOT_RUN": NOT_RUN,
        "MISSING": MISSING,
    }


def _points(values: list[float], top: float, what: str) -> charts.Plot:
    middle = findings.median(values)
    lines = [] if middle is None else [(middle, f"median {_number(middle)}")]
    return charts.columns(values, top, 10, what=what, lines=lines)


def _success_bars(success: findings.Success) -> list[charts.Bar]:
    waits = "waiting for marking" if success.exercise.by_hand else "not decided"
    parts = (
        ("full", success.full, "all points"),
        ("part", success.part, "some points"),
        ("none", success.none, "no points"),
        ("waiting", success.waiting, waits),
    )
    return charts.stacked((kind, count, f"{words}: {count}") for kind, count, words in parts)


def _network_plot(network: findings.Network) -> charts.Plot:
    threshold = network.threshold
    low = max(0.0, 5 * (threshold.at_least // 5) - 10)
    high = 100.0
    marks = [
        charts.Mark(one.accuracy, f"{shown(one.student)}: {one.accuracy:.1f} %", "good" if one.enough else "bad")
        for one in network.measured
    ]
    step = 5 if high - low <= 40 else 10
    ticks = [(x, f"{x:g}") for x in range(int(low), int(high) + 1, step)]
    lines = [(threshold.at_least, f"at least {threshold.at_least:g} %")]
    return charts.strip(marks, low, high, ticks=ticks, lines=lines, bands=[(threshold.at_least, high)])


def _usage(
    students: list[Student], field: str, ticks: list[tuple[float, str]], limit: float, words: Any
) -> dict[str, Any]:
    """The picture of what submissions took, the middle one, and those that took most."""
    values = [(getattr(student, field), student.name) for student in students if getattr(student, field)]
    if not values:
        return {"plot": None}
    values.sort(reverse=True)
    low, high = values[-1][0] / 1.3, values[0][0] * 1.3
    inside = [tick for tick in ticks if low <= tick[0] <= high]
    marks = [charts.Mark(value, f"{shown(name)}: {words(value)}") for value, name in values]
    lines = [(limit, f"limit {words(limit)}")] if values[0][0] >= limit / 2 else []
    if lines:
        high = max(high, limit * 1.1)
    return {
        "plot": charts.strip(marks, low, high, ticks=inside, lines=lines, logarithmic=True),
        "median": findings.median(value for value, _ in values),
        "sum": sum(value for value, _ in values),
        "most": [(name, value) for value, name in values[:3]],
    }


def _collected(collected: Collected | None) -> dict[str, Any]:
    """What collecting met: who handed in several times, what of a hand-in was not taken, and what was nobody's."""
    hands = collected.hand_ins if collected else ()
    return {
        "repeated": [hand for hand in hands if hand.times > 1],
        "notes": findings.grouped((hand.student, note) for hand in hands for note in hand.notes),
        "problems": collected.problems if collected else (),
    }


def _repairs(student: Student) -> list[str]:
    """A student's repairs, but for changed tests, which stand among the observations."""
    changed = {seen.detail for seen in student.observations if seen.kind == TEST_CHANGED}
    return [repair for repair in student.repairs if repair not in changed]


def _observations(students: list[Student]) -> list[tuple[str, str, int, list[findings.Group]]]:
    """By kind: its title, what it means, how many students, and what was seen."""
    found = []
    for kind, (title, words) in _OBSERVATIONS.items():
        cases = [(s.name, seen.detail) for s in students for seen in s.observations if seen.kind == kind]
        if cases:
            found.append((title, words, len({name for name, _ in cases}), findings.grouped(cases)))
    return found


def shown(text: object) -> str:
    """A stranger's text without what a reader cannot see: control characters, and those that turn text around."""
    return "".join(c if c.isprintable() or c == "\n" else NOT_SHOWN for c in str(text))


def _readable(value: object) -> object:
    """What the template shows of a value: text that is not the page's own is made readable, and escaped afterwards."""
    return shown(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _number(value: float) -> str:
    text = f"{value:,.1f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def duration(value: float | datetime.timedelta) -> str:
    """A time as people say it, of its two largest units."""
    seconds = value.total_seconds() if isinstance(value, datetime.timedelta) else value
    if seconds < 10:
        return f"{seconds:.1f} s"
    seconds = round(seconds)
    units = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
    first = next(i for i, (size, _) in enumerate(units) if seconds >= size)
    parts, left = [], seconds
    for size, unit in units[first : first + 2]:
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts)


def _clock(seconds: float) -> str:
    """A time in a table's narrow column: minutes and seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def _memory(megabytes: float) -> str:
    return f"{megabytes / 1000:.1f} GB" if megabytes >= 1000 else f"{megabytes:.0f} MB"


def _address(path: Path, folder: Path) -> str:
    """A relative link; each part of it is quoted, so that no id can name another place."""
    parts = Path(os.path.relpath(path, folder.resolve())).parts
    return "/".join(urllib.parse.quote(os.fsencode(part), safe="") for part in parts)


def _asset(name: str) -> str:
    return (resources.files("autograder") / "templates" / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
