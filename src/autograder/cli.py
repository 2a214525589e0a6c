"""The command ``autograder``: what instructors run. Each command's ``--help`` says what it does.

Commands import what they need when they run: nbgrader and torch take seconds, and ``--help`` should not.
"""

import logging
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from autograder.errors import CourseError, in_words

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)
console = Console()
if not console.is_terminal:
    console = Console(width=120)  # a log has no width of its own, and the table needs this much
NO_SECRET = (
    "this course has no secret of its own, so anybody can compute what hidden tests draw. Make one with `autograder "
    "secret`; it changes what they draw, so everybody is graded again"
)
MOST_SHOWN = 60  # students in the table that a terminal shows
Kind = Annotated[str | None, typer.Option("--sandbox", help='"none" grades without a sandbox: no protection at all')]
Assignment = Annotated[str, typer.Argument(help="the assignment's name")]
Root = Annotated[Path, typer.Option(help="the course's folder, with nbgrader_config.py in it")]


def _course(root: Path, assignment: str, sandbox: str | None = None):
    """The course in a folder.

    Raises:
        CourseError: it has no such assignment.
    """
    from autograder.course import ASSIGNMENT as OWN
    from autograder.course import Course

    course = Course(root, sandbox=sandbox)
    if assignment != OWN:
        raise CourseError(f"there is no assignment {assignment!r} in this course; there is {OWN}")
    return course


def _renew_penalties(course) -> None:
    """Work out what being late costs now, and say what that changes."""
    from autograder.lateness import renew, sentence

    with course.gradebook() as gradebook:
        changes = renew(gradebook, course.config)
    if said := sentence(changes):
        console.print(escape(said), soft_wrap=True, highlight=False)


def _note(sentences: Iterable[str]) -> None:
    """Say what is not as it should be, and stops nothing."""
    for sentence in sentences:
        console.print(f"[yellow]note:[/] {escape(sentence)}", soft_wrap=True)


@app.command()
def release(root: Root = Path(".")) -> None:
    """Build source/ from the notebook's text, and from it the release and the gradebook's entry."""
    from autograder.card import write_card
    from autograder.course import Course

    course = Course(root)
    source = course.build()
    course.release()
    write_card(course.project, source)
    console.print(f"{course.folder('release')} is ready. No solution, hidden test or rubric was found in it.")


@app.command()
def student(
    root: Root = Path("."),
    out: Annotated[Path, typer.Option(help="where to put it")] = Path("dist/student"),
    url: Annotated[
        str,
        typer.Option(
            help="address of the folder, ending in /, where students' machines find the wheel if it is not beside the "
            "notebook"
        ),
    ] = "",
) -> None:
    """Put together what students get: the released notebook, the wheel that it installs, a README, requirements."""
    import nbformat

    from autograder.bundle import make_bundle
    from autograder.course import ASSIGNMENT, Course

    course = Course(root)
    notebook = course.folder("release") / f"{ASSIGNMENT}.ipynb"
    if not notebook.is_file():
        raise CourseError(f"{notebook} is missing: build it with `make release`")
    course.check_release()
    files = make_bundle(course.project, nbformat.read(notebook, as_version=4), notebook.name, out, url)
    console.print(f"{out}: {', '.join(file.name for file in files)}")


@app.command()
def enrol(
    roster: Annotated[
        Path,
        typer.Argument(
            help="a CSV with a column id, and as far as known first_name, last_name or name, email, lms_user_id; what "
            "Excel writes, and tables from Canvas, Moodle and Brightspace, will do",
            metavar="ROSTER",
            show_default=False,
        ),
    ],
    root: Root = Path("."),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say what would happen")] = False,
) -> None:
    """Enter a roster's students in the gradebook, and complete what it knows of those who are there.

    May be repeated. A row of somebody who is there is known by id, e-mail, number in the LMS or, if it has no id, by
    name; it changes only what it tells. Nobody is removed.
    """
    from autograder.collected import counted, shown
    from autograder.enrolment import enrol as run
    from autograder.words import listed

    done = run(_course(root, "gcnn"), roster, dry_run)
    for student, what in done.changed.items():
        console.print(escape(f"{shown(student)}: {shown(what)}"), soft_wrap=True, highlight=False)
    if done.new:
        console.print(escape(f"New: {listed(map(shown, done.new))}"), soft_wrap=True, highlight=False)
    if done.others:
        console.print(escape(f"Not in {roster.name}, and kept: {listed(map(shown, done.others))}"), soft_wrap=True)
    console.print(f"{counted(len(done.new), 'new student')}, {len(done.changed)} changed, {done.same} as before.")
    if dry_run:
        console.print("Nothing was changed: this was --dry-run.")


@app.command()
def collect(
    download: Annotated[
        Path,
        typer.Argument(
            help="the LMS's zip or tar, a file of it, or a folder of downloads",
            metavar="FILE_OR_FOLDER",
            show_default=False,
        ),
    ],
    assignment: Assignment = "gcnn",
    root: Root = Path("."),
    lms: Annotated[
        str, typer.Option(help="moodle, canvas, brightspace, other, or auto: the one whose names fit the most files")
    ] = "auto",
    pattern: Annotated[
        str,
        typer.Option(
            help="how any other LMS names files: a regular expression with the groups (?P<student_id>…) and "
            "(?P<file_id>…), and as far as the name has them full_name, timestamp, upload, late. "
            "In nbgrader_config.py it is c.Other.named_regexp"
        ),
    ] = "",
    roster: Annotated[
        Path | None,
        typer.Option(
            help="a CSV of the students: as far as known id, name, email, lms_id, handed_in; tables from Canvas, "
            "Moodle (grading worksheet) and Brightspace will do. Who is in the gradebook is found by id, e-mail, "
            "lms_id or name, and keeps the id there. By default the gradebook's students"
        ),
    ] = None,
    timezone: Annotated[
        str, typer.Option(help="the time zone of the LMS's dates, such as Europe/Amsterdam; by default this machine's")
    ] = "",
    count: Annotated[
        str,
        typer.Option(
            help="which of a student's hand-ins counts: latest, or in-time, the latest that is in time with the "
            "student's extension, else the latest. By default as the last time, at first the latest"
        ),
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say what would happen")] = False,
) -> None:
    """Put each hand-in of a download into submitted/STUDENT/, and say who is missing, late, or handed in twice.

    The latest hand-in counts, unless --count says otherwise. What it replaces goes into
    submitted/STUDENT/ASSIGNMENT.earlier, so that nothing is lost, and collecting a newer download changes only what is
    new. Archives that students handed in are unpacked. What could not be read or is of nobody is listed by name, and
    makes the exit code 1. collected.csv and collected.json hold the same.

    Dates: Brightspace writes them into its files' names. Moodle and Canvas do not (Canvas only marks what was late):
    give Moodle's grading worksheet as the roster, or a roster with a column handed_in. Late is what the due date in
    nbgrader's gradebook says, with each student's extension.
    """
    from rich.progress import track

    from autograder import collected as shown
    from autograder.collect import collect as run

    def progress(iterable, what, total):
        terminal = console.is_terminal
        return track(iterable, what, total, console=console, transient=True) if terminal else iterable

    done = run(_course(root, assignment), download, lms, pattern, roster, timezone, count, dry_run, progress)
    if console.is_terminal:
        console.print(shown.table(done))
    else:
        for line in shown.lines(done):
            console.print(escape(line), soft_wrap=True, highlight=False)
    for sentence in shown.summary(done, dry_run):
        console.print(escape(sentence), soft_wrap=True, highlight=False)
    if dry_run:
        console.print("Nothing was changed: this was --dry-run.")
    problems = sum(not problem.before for problem in done.problems)
    unreadable = sum(not hand.readable and hand.what != "before" for hand in done.hand_ins)
    if problems or unreadable:
        parts = [f"{shown.counted(problems, 'file')} not collected"] if problems else []
        parts += [f"{shown.counted(unreadable, 'hand-in')} without a notebook"] if unreadable else []
        raise CourseError(f"{', '.join(parts)}: see the list above, put right what can be, and collect again")


@app.command()
def extend(
    student: Annotated[str, typer.Argument(help="who gets more time")],
    assignment: Assignment = "gcnn",
    root: Root = Path("."),
    days: Annotated[int | None, typer.Option(min=0, max=3650, help="how many days after everybody's deadline")] = None,
    hours: Annotated[int | None, typer.Option(min=0, max=8760, help="how many hours, on top of the days")] = None,
) -> None:
    """Give a student an extension, or take it back with --days 0; without days and hours only say when it is due.

    It counts from the deadline, takes the place of the student's earlier one, and may be given before anything was
    handed in. What being late costs is worked out again at once; nothing is run.
    """
    from datetime import timedelta

    from autograder import lateness
    from autograder.collected import read_missing

    course = _course(root, assignment)
    length = None if days is None and hours is None else timedelta(days=days or 0, hours=hours or 0)
    others = {*course.handed_in(), *read_missing(course.root)}
    with course.gradebook() as gradebook:
        own = lateness.extend(gradebook, student, length, others)
        everybodys = lateness.deadline(gradebook)
    if own is None:
        said = f"{student} has no extension. There is no deadline."
    else:
        when, usual = (f"{date.astimezone():%a %d %b %Y %H:%M %Z}" for date in (own, everybodys))
        rest = "as everybody's" if own == everybodys else f"everybody else's {usual}"
        said = f"{student}'s deadline is {when}, {rest}."
    console.print(escape(said), soft_wrap=True, highlight=False)
    _renew_penalties(course)


@app.command()
def grade(
    assignment: Assignment = "gcnn",
    root: Root = Path("."),
    students: Annotated[
        list[str] | None, typer.Option("--student", help="whom to grade, may be repeated; by default all who handed in")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="how many at a time; by default what cores, memory and GPUs carry")
    ] = None,
    scheduler: Annotated[str | None, typer.Option(help="a Dask scheduler's address: grade on its workers")] = None,
    resources: Annotated[
        str | None, typer.Option(help="what a worker of the cluster must have free for a submission, as in GPU=1")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="grade also what is unchanged since it was graded")] = False,
    keep: Annotated[
        bool | None,
        typer.Option(
            "--keep/--discard", help="what becomes of new points after a test was changed; else you are asked"
        ),
    ] = None,
    sandbox: Kind = None,
) -> None:
    """Grade what lies in submitted/, and write grades.csv.

    It may be interrupted at any moment and goes on where it stopped; what is unchanged is skipped. Where a test was
    changed since a submission was graded, you see who gains or loses what before it is entered.
    """
    from autograder import live
    from autograder.collected import read_missing, shown
    from autograder.exports import write_csv
    from autograder.pipeline import Grading
    from autograder.report import read_class, table
    from autograder.secret import secret_file
    from autograder.standing import behind, sentences
    from autograder.workers import parse_resources, workers

    course = _course(root, assignment, sandbox)
    there = course.handed_in()
    misnamed = [
        f"the folder '{shown(name)}' in submitted/ is not graded: its name is no UTF-8. Rename it to the student's id"
        for name in course.misnamed()
    ]
    _note(misnamed)
    if unknown := sorted(set(students or ()) - set(there)):
        raise CourseError(f"nothing was handed in by {', '.join(unknown)}; there is {', '.join(there) or 'nobody'}")
    if not there:
        raise CourseError(f"nothing was handed in: {course.folder('submitted', 'STUDENT')} is where a notebook belongs")
    chosen = sorted(set(students)) if students else there
    with workers(jobs, scheduler, parse_resources(resources)) as hands:
        grading = Grading(course, hands, chosen, force=force)
        try:
            live.watch(grading, console)
        except KeyboardInterrupt:
            console.print("Interrupted. What was finished is kept: the same command goes on from here.")
            raise typer.Exit(130) from None
    if new := [change for change in grading.changes if change.student not in grading.held]:
        live.show_changes(new, console)
    if grading.held:
        live.decide(grading, console, keep)
    _renew_penalties(course)
    with course.gradebook() as gradebook:
        reasons = behind(course.directory, there)
        everybody = read_class(gradebook, there, read_missing(course.root), reasons)
    write_csv(everybody, course.root / "grades.csv")
    rows = [row for row in everybody if row.student not in grading.failed and course.graded(row.student)]
    if len(rows) <= MOST_SHOWN:
        console.print(table(rows))
    console.print(f"Points are in {course.root / 'grades.csv'}. Next: `autograder report`, `autograder feedback`.")
    _note(sentences({student: reason for student, reason in reasons.items() if student not in chosen}))
    if secret_file(course.root) is None:
        _note([NO_SECRET])
    if grading.failed:
        raise CourseError(f"could not be entered, try again: {', '.join(map(shown, grading.failed))}")
    if misnamed:
        raise CourseError("not everybody was graded: " + "; ".join(misnamed))


@app.command()
def replay(
    student: Annotated[str, typer.Argument(help="whose grading to repeat")],
    assignment: Assignment = "gcnn",
    root: Root = Path("."),
    sandbox: Kind = None,
) -> None:
    """Run one graded submission again, from its evidence, and compare. Nothing is written."""
    from rich.table import Table

    from autograder.replay import replay as again

    compared = again(_course(root, assignment, sandbox), student)
    shown = Table("test", "then", "now", box=None, pad_edge=False)
    for test, (then, now) in compared.tests.items():
        shown.add_row(*map(escape, (test, then, now)), style="" if then == now else "bold red")
    console.print(shown)
    _note(compared.differences)
    if not compared.same:
        raise CourseError("the run did not end as it did then")
    console.print("[green]Every test ended as it did then.[/]")


@app.command()
def feedback(
    assignment: Assignment = "gcnn",
    root: Root = Path("."),
    students: Annotated[
        list[str] | None, typer.Option("--student", help="whose, may be repeated; by default all who are graded")
    ] = None,
    archive: Annotated[
        Path | None, typer.Option("--zip", help="pack the pages into this file, named as the LMS asks for")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="how many processes; by default as many as it is worth")
    ] = None,
    final: Annotated[bool, typer.Option("--final", help="refuse while anything waits for a person")] = False,
    only_final: Annotated[
        bool, typer.Option("--only-final", help="leave out those of whom anything waits for a person, and name them")
    ] = False,
) -> None:
    """Write each student's feedback: one page that needs nothing else. Says who still waits for a person.

    A page that is still true is not written again; one whose points, marks or comments have changed is.
    """
    from rich.progress import Progress

    from autograder import sending

    course = _course(root, assignment)
    _renew_penalties(course)
    group = sending.read_class(course, students)
    open_ones = group.still_open()
    if final and open_ones:
        raise CourseError(
            "this is not final, and no page was written. "
            f"{'. '.join(open_ones)}. "
            "Decide in the formgrader, leave these students out with --only-final, or leave out --final"
        )
    if only_final:
        group = group.final()
        if not group.marks:
            raise CourseError(f"nobody's points are final. {'. '.join(open_ones)}")
    stale = sending.outdated(course, group.marks)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("writing feedback", total=len(stale))
        failed = sending.write_pages(course, stale, jobs, lambda *_: progress.advance(task))
    for name, why in failed.items():
        console.print(f"[red]{escape(sending.shown(name))}[/]: {escape(sending.shown(why))}")
    same = len(group.marks) - len(stale)
    console.print(f"{len(stale) - len(failed)} pages written, {same} unchanged: {course.folder('feedback', 'STUDENT')}")
    _note(open_ones)
    if archive is not None and len(failed) < len(group.marks):
        number = sending.pack(course, group.marks.keys() - failed.keys(), archive)
        console.print(f"{archive}: {number} pages")
    if failed:
        raise CourseError(f"no feedback for {', '.join(map(sending.shown, sorted(failed)))}")


@app.command()
def demo(
    root: Root = Path("."),
    out: Annotated[Path, typer.Option(help="a folder for it alone; an earlier demo's is emptied first")] = Path("demo"),
    only: Annotated[str, typer.Option(help="grade only the samples whose names fit this pattern")] = "[fp]*",
    sandbox: Kind = None,
) -> None:
    """Grade the sample submissions in a folder of their own and check that each gets what its name promises."""
    from autograder import demo as demonstration

    broken = demonstration.run(root, out, console, only, sandbox)
    if broken:
        raise CourseError("\n".join(["these points are not what the samples' names promise:", *broken]))
    console.print("[green]Every sample submission got what its name promises.[/]")


@app.command()
def secret(root: Root = Path(".")) -> None:
    """Create the course's secret, from which hidden tests draw their inputs. Once per course; keep it to yourself."""
    from autograder.secret import SECRET_NAME, create_secret, read_secret

    path = root / SECRET_NAME
    try:
        create_secret(path)
    except FileExistsError as error:
        read_secret(path.parent)  # says what to do if it is empty
        raise CourseError(f"{path} is there already; another one would change what later gradings draw") from error
    except OSError as error:
        raise CourseError(f"{path} could not be written: {error.strerror}") from error
    console.print(f"{path} is made. Back it up; never commit it.")


@app.command()
def export(
    assignment: Assignment = "gcnn",
    root: Root = Path("."),
    kind: Annotated[
        str, typer.Option("--format", help="points, canvas, or a system of LmsExport.formats in nbgrader_config.py")
    ] = "points",
    to: Annotated[Path | None, typer.Option(help="the file; by default one in the course's folder")] = None,
    students: Annotated[
        list[str] | None, typer.Option("--student", help="whose points, may be repeated; by default everybody's")
    ] = None,
) -> None:
    """Write everybody's points to a file: a plain CSV, or one that Canvas, Moodle, Brightspace … imports."""
    from autograder.exports import exporter

    course = _course(root, assignment)
    plugin = exporter(kind, course.config)
    plugin.to, plugin.student = str(to or ""), students or []
    _renew_penalties(course)
    with course.gradebook() as gradebook:
        plugin.export(gradebook)
    console.print(f"{escape(str(plugin.target))} is written.", soft_wrap=True)
    if plugin.left_out:
        whom = f"{len(plugin.left_out)} without a final grade are left out: {escape(str(plugin.beside))}"
        console.print(whom, soft_wrap=True)
    _note(plugin.notes)


@app.command()
def report(
    assignment: Assignment = "gcnn",
    root: Root = Path("."),
    out: Annotated[Path | None, typer.Option(help="the page; by default report.html in the course's folder")] = None,
) -> None:
    """Write a page about the whole class: points, commonest mistakes, what waits, and what is worth a look."""
    from autograder.overview import write_report

    course = _course(root, assignment)
    _renew_penalties(course)
    page = out or course.root / "report.html"
    try:
        classroom = write_report(course, page)
    except OSError as error:
        raise CourseError(f"{page} cannot be written ({error.strerror}): name another file with --out") from error
    console.print(f"{escape(str(page))} is written: {len(classroom.students)} students.", soft_wrap=True)


@app.command()
def doctor(root: Root = Path(".")) -> None:
    """Say what this machine really enforces: sandbox, limits, network, and what grading needs besides."""
    from rich.table import Table

    from autograder import database
    from autograder.course import CONFIG, Course, alembic_on_path
    from autograder.sandbox.doctor import Row
    from autograder.sandbox.doctor import doctor as examine
    from autograder.secret import read_secret, secret_file

    table = Table("", "what", "found", "to do", box=None, pad_edge=False)
    with alembic_on_path():  # as every command here has it
        rows = examine()
    if (root / CONFIG).is_file():
        course = Course(root)
        found = secret_file(course.root)
        if found is not None:
            try:
                read_secret(course.root)
                rows.append(Row("secret", True, str(found)))
            except OSError as error:
                what, _, todo = str(error.strerror).partition(". ")
                rows.append(Row("secret", False, what, todo))
        elif course.handed_in():
            rows.append(Row("secret", False, "there is none", NO_SECRET))
        try:
            rows.append(Row("gradebook", True, database.check(course.directory.db_url, thorough=True)))
        except CourseError as error:
            what, _, todo = str(error).partition(". ")
            rows.append(Row("gradebook", False, what, todo))
    for row in rows:
        table.add_row("[green]✓[/]" if row.ok else "[red]✗[/]", *map(escape, (row.what, row.detail, row.todo)))
    console.print(table)
    if not all(row.ok for row in rows):
        raise CourseError("not everything is as it should be; the last column says what to do")


def main() -> None:
    """Run a command; what went wrong is said in words, without a traceback."""
    # What is noted of a hand-in is in its evidence, and on the report; a log would say it twice, amid the progress.
    logging.getLogger("autograder").addHandler(logging.NullHandler())
    try:
        app()
    except CourseError as error:
        said = str(error)
    except OSError as error:
        if error.errno is None:
            raise
        said = f"{in_words(error)}. Put that right, and run the same command again"
    else:
        return
    Console(stderr=True).print(f"[red]error:[/] {escape(said)}", highlight=False, soft_wrap=True)
    sys.exit(1)


if __name__ == "__main__":
    main()
