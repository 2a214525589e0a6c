"""The command ``autograder``: what instructors run. Each command's ``--help`` says what it does.

Commands import what they need when they run: nbgrader and torch take seconds, and ``--help`` should not.
"""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import track

from autograder.errors import CourseError

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)
console = Console()
if not console.is_terminal:
    console = Console(width=120)  # a log has no width of its own, and the table needs this much
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


@app.command()
def release(root: Root = Path(".")) -> None:
    """Build source/ from the notebook's text, and from it the release and the gradebook's entry."""
    from autograder.course import Course

    course = Course(root)
    course.build()
    course.release()
    console.print(f"{course.folder('release')} is ready. No solution, hidden test or rubric was found in it.")


@app.command()
def student(
    root: Root = Path("."), out: Annotated[Path, typer.Option(help="where to put it")] = Path("dist/student")
) -> None:
    """Put together what students get: the released notebook and the wheel that its set-up cell installs."""
    from autograder.course import ASSIGNMENT, Course

    course = Course(root)
    notebook = course.folder("release") / f"{ASSIGNMENT}.ipynb"
    if not notebook.is_file():
        raise CourseError(f"{notebook} is missing: build it with `make release`")
    out.mkdir(parents=True, exist_ok=True)
    for old in out.glob("gcnn-*.whl"):
        old.unlink()
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--wheel-dir",
        str(out),
        str(course.project),
    ]
    if subprocess.run(command, check=False).returncode:
        raise CourseError("pip could not build the student package; its message is above")
    shutil.copy(notebook, out)
    console.print(f"{out}: {', '.join(sorted(path.name for path in out.iterdir()))}")


@app.command()
def grade(
    assignment: Assignment = "gcnn",
    root: Root = Path("."),
    students: Annotated[
        list[str] | None, typer.Option("--student", help="whom to grade; by default all who handed in")
    ] = None,
    sandbox: Kind = None,
) -> None:
    """Grade what lies in submitted/, write feedback and grades.csv, and show the table."""
    from autograder.report import read_grades, table, write_csv

    course = _course(root, assignment, sandbox)
    there = course.handed_in()
    if unknown := sorted(set(students or ()) - set(there)):
        raise CourseError(f"nothing was handed in by {', '.join(unknown)}; there is {', '.join(there) or 'nobody'}")
    if not there:
        raise CourseError(f"nothing was handed in: {course.folder('submitted', 'STUDENT')} is where a notebook belongs")
    failed = []
    for name in track(students or there, "grading", console=console):
        try:
            course.autograde(name)
            course.feedback(name)
        except CourseError as error:
            failed.append(name)
            console.print(f"[red]{escape(name)}[/]: {escape(str(error))}")
    with course.gradebook() as gradebook:
        rows = [read_grades(gradebook, name) for name in students or there if name not in failed]
    write_csv(rows, course.root / "grades.csv")
    console.print(table(rows))
    console.print(f"Points are in {course.root / 'grades.csv'}.")
    if failed:
        raise CourseError(f"not graded: {', '.join(failed)}")


@app.command()
def demo(
    root: Root = Path("."),
    out: Annotated[Path, typer.Option(help="the folder for it; emptied first")] = Path("demo"),
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
    from autograder.secret import SECRET_NAME, create_secret

    path = root / SECRET_NAME
    try:
        create_secret(path)
    except FileExistsError as error:
        raise CourseError(f"{path} is there already; another one would change what later gradings draw") from error
    console.print(f"{path} is made. Back it up; never commit it.")


@app.command()
def doctor() -> None:
    """Say what this machine really enforces: sandbox, limits, network, and what grading needs besides."""
    from rich.table import Table

    from autograder.course import alembic_on_path
    from autograder.sandbox.doctor import doctor as examine

    table = Table("", "what", "found", "to do", box=None, pad_edge=False)
    with alembic_on_path():  # as every command here has it
        rows = examine()
    for row in rows:
        table.add_row("[green]✓[/]" if row.ok else "[red]✗[/]", *map(escape, (row.what, row.detail, row.todo)))
    console.print(table)
    if not all(row.ok for row in rows):
        raise CourseError("not everything is as it should be; the last column says what to do")


def main() -> None:
    """Run a command; what went wrong is said in words, without a traceback."""
    try:
        app()
    except CourseError as error:
        Console(stderr=True).print(f"[red]error:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
