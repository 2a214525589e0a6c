"""What an instructor watches while a class is graded: a live view in a terminal, plain lines elsewhere."""

import time
from collections import deque
from collections.abc import Iterable, Sequence

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    track,
)
from rich.prompt import Confirm
from rich.table import Table
from rich.text import Text

from autograder.collected import shown
from autograder.pipeline import FAILED, HELD, LANDED, NOTHING, SKIPPED, Change, Event, Grading

SHOWN = 8  # lines of what was graded last
QUIET_SECONDS = 60  # without a terminal, a sign of life after this time without news


def _sentence(event: Event, maximum: float) -> Text:
    """An event in a line; a student's id is text, whatever it holds."""
    line = Text(shown(event.student)[:60])
    if event.kind == SKIPPED:
        return line.append(" is unchanged", "dim")
    if event.kind == FAILED:
        return line.append(f": the result could not be entered: {event.reason.splitlines()[-1]}", "red")
    line.append(f" {event.points:g} of {maximum:g}", "bold")
    if event.not_graded:
        line.append(f", {event.not_graded} not graded", "yellow")
    if event.repairs:
        line.append(f", repaired ({event.repairs})", "dim")
    if event.kind == HELD:
        line.append(", held until you have seen what changed", "cyan")
    return line


class _View:
    """The numbers and lines of the live view."""

    def __init__(self, grading: Grading, console: Console):
        self.grading, self.maximum = grading, grading.maximum
        columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("· left:"), TimeRemainingColumn())
        self.progress = Progress(TextColumn("grading"), *columns, console=console, speed_estimate_period=600)
        self.task = self.progress.add_task("", total=len(grading.students))
        self.last: deque[Text] = deque(maxlen=SHOWN)
        self.points: list[float] = []

    def take(self, event: Event) -> None:
        if event.kind == NOTHING:
            return
        self.progress.advance(self.task)
        self.last.append(_sentence(event, self.maximum))
        if event.kind in (LANDED, HELD):
            self.points.append(event.points)

    def numbers(self) -> str:
        """How far it is, in a line."""
        counts, at_work = self.grading.counts, len(self.grading.workers.at_work())
        done = sum(counts.values())
        parts = [f"graded {counts[LANDED]}", f"running {at_work}"]
        parts += [f"waiting {max(0, len(self.grading.students) - done - at_work)}"]
        parts += [f"{kind} {counts[kind]}" for kind in (SKIPPED, HELD, FAILED) if counts[kind]]
        if self.points:
            parts.append(f"mean {sum(self.points) / len(self.points):.1f} of {self.maximum:g} points")
        return " · ".join(parts)

    def __rich__(self) -> RenderableType:
        running = Table.grid(padding=(0, 2))
        now = time.monotonic()
        for student, since in list(self.grading.workers.at_work().items())[:SHOWN]:
            running.add_row(Text("▸ " + shown(student)[:60], "cyan"), Text(f"{now - since:.0f} s", "dim"))
        return Group(self.progress, Text(self.numbers()), running, *self.last)


def watch(grading: Grading, console: Console) -> None:
    """Run a grading, and show how it goes.

    Raises:
        CourseError: it cannot go on.
        KeyboardInterrupt: somebody pressed Ctrl-C. What was finished is kept.
    """
    view = _View(grading, console)
    events = grading.events()
    try:
        if console.is_terminal:
            with Live(view, console=console, refresh_per_second=4, transient=True):
                for event in events:
                    view.take(event)
        else:
            _print_lines(events, view, console)
    finally:
        events.close()  # ends the workers also where it was interrupted
    console.print(Text(view.numbers()))


def _print_lines(events: Iterable[Event], view: _View, console: Console) -> None:
    said = time.monotonic()
    for event in events:
        view.take(event)
        left = view.progress.tasks[0].time_remaining
        how_far = f"({sum(view.grading.counts.values())} of {len(view.grading.students)}"
        how_far += f", about {left / 60:.0f} min left)" if left else ")"
        if event.kind != NOTHING:
            console.print(_sentence(event, view.maximum).append(f"  {how_far}", "dim"), soft_wrap=True)
            said = time.monotonic()
        elif time.monotonic() - said > QUIET_SECONDS:
            console.print(Text(f"… {view.numbers()} {how_far}", "dim"), soft_wrap=True)
            said = time.monotonic()


def show_changes(changes: Sequence[Change], console: Console) -> None:
    """Show who gained or lost what."""
    rows = Table("student", "test", "before", "now", "change", box=None, pad_edge=False, header_style="bold")
    by_student: dict[str, float] = {}
    for change in changes:
        before, after = ("not graded" if points is None else f"{points:g}" for points in (change.before, change.after))
        difference = (change.after or 0.0) - (change.before or 0.0)
        by_student[change.student] = by_student.get(change.student, 0.0) + difference
        colour = "green" if difference > 0 else "red" if difference < 0 else "yellow"
        row = (shown(change.student)[:40], change.test, before, after)
        what = "stays: by hand" if change.overruled else f"[{colour}]{difference:+g}[/]"
        rows.add_row(*(escape(cell) for cell in row), what)
    if not changes:
        console.print("No student's points are others than before.")
        return
    console.print(rows)
    gained = [difference for difference in by_student.values() if difference > 0]
    lost = [difference for difference in by_student.values() if difference < 0]
    console.print(
        f"{len(gained)} of them gain {sum(gained):g} points in all, {len(lost)} lose {-sum(lost):g}; "
        f"{len(by_student) - len(gained) - len(lost)} have the same sum."
    )


def decide(grading: Grading, console: Console, keep: bool | None) -> None:
    """Show what a changed test does to the points, and enter the new ones, forget them, or leave them held.

    Args:
        grading: with results that are held.
        console: where to show and ask.
        keep: the answer, where it was given beforehand.
    """
    held = list(grading.held)
    console.print(
        f"The tests, or what they compare with, were changed since {len(held)} submissions were graded; their new "
        "points are not entered yet."
    )
    show_changes([change for change in grading.changes if change.student in held], console)
    if keep is None and console.is_terminal:
        keep = Confirm.ask("Enter the new points?", console=console, default=False)
    if keep is None:
        console.print("Nothing was entered. Run the same command with --keep to enter them, or with --discard.")
    elif keep:
        entered = 0
        for event in track(grading.land_held(), "entering", total=len(held), console=console):
            entered += event.kind == LANDED
            if event.kind == FAILED:
                console.print(_sentence(event, 0))
        console.print(f"The new points of {entered} submissions are entered.")
    else:
        console.print(f"{grading.discard_held()} new results were forgotten; the gradebook is as it was.")
