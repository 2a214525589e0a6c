"""The pictures of docs/, taken from the running program: JupyterLab with a student's notebook, and a graded class.

python benchmarks/screenshots.py                # writes docs/pictures/*.png; needs Chromium and bubblewrap
python benchmarks/screenshots.py --course FOLDER    # keeps the second class there, or takes it from there
python benchmarks/screenshots.py --lab          # only those of the notebook; needs no bubblewrap

The notebook's networks train as long as a grader's, so that the slider turns a digit that they know.

Two classes are graded, whose students have numbers for names: one of `autograder.rehearsal`, small and quick, for what
terminal and formgrader show; and one that hands in the samples of tests/submissions, with networks and figures, for
report and feedback.
"""

import argparse
import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import nbformat
from lab import FEW_DIGITS, WRONG, Lab, laboratory
from PIL import Image
from pipeline import course_in, source
from playwright.sync_api import Browser, Locator, Page, sync_playwright
from ptyprocess import PtyProcessUnicode
from results import ROOT
from rich.console import Console
from rich.text import Text

from autograder import rehearsal
from autograder.bundle import make_bundle
from autograder.course import Course
from autograder.exercises import EXERCISES
from autograder.formgrader import served
from autograder.handins import HANDINS, honest
from autograder.notebooks import ASSIGNMENT, as_released
from autograder.report import exercise_of
from autograder.submissions import model_answer, read_sample

PICTURES = ROOT / "docs" / "pictures"
BIN = Path(sys.executable).parent
MOST_BYTES = 200_000  # of a picture
COLUMNS = 100
WIDTH, HEIGHT = 390, 844  # of a phone
STUDENTS = 24
ODD = ("tests_deleted", "ids_repeated", "notebook_of_another_name", "noise", "outputs_forged")  # of autograder.handins
MISSING = 2  # are enrolled and hand nothing in
MARKED = "student-0004"
BEFORE = f"""{FEW_DIGITS}
from gcnn.budgets import BUDGETS

BUDGETS["standard"] = BUDGETS["grading"]
"""
TALL = 1150  # a window in which a hint with its picture can be seen at once
ANGLE = 60  # by how much the slider is moved
COMMENT = "Right, but which axiom gives $(hg)k = ek$? One step has no name."
_FRAME = re.compile(r"(?:\r?\x1b\[(?:1A|2K))+|\x1b\[\?25[lh]")  # what rich writes before each frame of a live view


def save(name: str, png: bytes) -> None:
    """Write a picture with as many colours as its size permits.

    Raises:
        RuntimeError: it is too large all the same.
    """
    path = PICTURES / f"{name}.png"
    path.write_bytes(png)
    picture = Image.open(path).convert("RGB")
    for colours in (256, 128, 64, 32):
        picture.quantize(colours, dither=Image.Dither.NONE).save(path, optimize=True)
        if path.stat().st_size <= MOST_BYTES:
            print(f"{path.relative_to(ROOT)}: {path.stat().st_size // 1000} kB")
            return
    raise RuntimeError(f"{path} has more than {MOST_BYTES} bytes")


def terminal(browser: Browser, name: str, title: str, text: str) -> None:
    """Draw what a terminal shows."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    console.print(Text.from_ansi(text.rstrip()))
    page = browser.new_context(device_scale_factor=1.2).new_page()
    # Its letters would come from a server elsewhere.
    svg = re.sub(r"@font-face \{.*?\}", "", console.export_svg(title=title), flags=re.DOTALL)
    page.set_content(f"<style>body {{ margin: 0 }} svg {{ width: 1100px }}</style>{svg}")
    save(name, page.locator("svg").first.screenshot())
    page.context.close()


def watched(course: Course, command: list[str], until: Callable[[str], bool], answer: str | None = None) -> str:
    """Run a command in a terminal, and return what it shows as soon as that is what was waited for.

    Args:
        course: where.
        command: to be run.
        until: whether what is shown is it.
        answer: what to type then; by default, the command goes on to its end alone.
    """
    process = PtyProcessUnicode.spawn([str(BIN / command[0]), *command[1:]], str(course.root), dimensions=(40, COLUMNS))
    said, shown = "", None
    while True:
        try:
            said += process.read(10_000)
        except EOFError:
            break
        *frames, last = _FRAME.split(said)
        # The last frame may not be there to its end, unless it asks something.
        found = [frame for frame in (*frames[-3:], last if last.endswith(": ") else "") if until(frame)]
        if shown is None and found:
            shown = found[0]
            if answer is not None:
                time.sleep(0.2)
                process.write(answer)
    if process.wait() or shown is None:
        raise RuntimeError(said[-3000:])
    return shown.replace("\r\n", "\n")


def change_tests(course: Course, changes: dict[str, tuple[str, str]]) -> None:
    """Put other text into tests of the source, and make the release."""
    path = course.folder("source") / f"{ASSIGNMENT}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.id in changes:
            assert changes[cell.id][0] in cell.source
            cell.source = cell.source.replace(*changes[cell.id])
    nbformat.write(notebook, path)
    course.release()


def graded_class(browser: Browser, folder: Path) -> Course:
    """A class that is graded, and then graded again with two tests corrected: one too strict, one too lenient."""
    course = course_in(folder, "c.JudgedExecute.cell_seconds = 3")
    small = rehearsal.open_course(course, source())
    strict = "assert C4.product(r, C4.inverse(r)) == 0", "assert C4.product(r, C4.inverse(r) % 4) == 0"
    text = next(cell for cell in small.cells if cell.id == "test-d4-inverse").source
    forgotten = text[text.index("### BEGIN HIDDEN") :]
    visible = text.removesuffix(forgotten)
    change_tests(course, {"test-d4-inverse": (text, visible)})
    class_ = list(rehearsal.hand_ins(small, STUDENTS))
    for handed in class_:
        rehearsal.hand_in(course, handed)
    enrol(course, [handed.student for handed in class_])

    def half_way(frame: str) -> bool:
        return f"{STUDENTS * 2 // 3}/{STUDENTS}" in frame

    command = ["autograder", "grade", "--jobs", "2"]
    terminal(browser, "grade", " ".join(command), watched(course, command, half_way))
    change_tests(course, {"test-d4-inverse": (visible, text), "test-c4-inverse": strict})
    asked = watched(course, command, lambda frame: "Enter the new points?" in frame, "y\n")
    terminal(browser, "regrade", " ".join(command), asked)
    return course


def open_page(browser: Browser, address: str, width: int, height: int, scale: float = 1) -> Page:
    """A page of its own."""
    page = browser.new_context(viewport={"width": width, "height": height}, device_scale_factor=scale).new_page()
    page.goto(address, wait_until="networkidle")
    return page


def marked(browser: Browser, course: Course) -> None:
    """Some who have not been graded in the list, and an answer that is being marked."""
    more = list(rehearsal.hand_ins(course.source(), STUDENTS + 3))[-3:]
    for handed in more:
        rehearsal.hand_in(course, handed)
    enrol(course, [handed.student for handed in more])
    with course.gradebook() as gradebook:
        submission = gradebook.find_submission_notebook(ASSIGNMENT, ASSIGNMENT, MARKED).id
    with served(course) as address:
        page, where = open_page(browser, address, 1180, 640), address.partition("?")[0]
        page.goto(f"{where}/manage_submissions/{ASSIGNMENT}", wait_until="networkidle")
        page.get_by_role("columnheader", name="Status").click()
        page.wait_for_timeout(500)
        save("formgrader_submissions", page.screenshot())
        page.goto(f"{where}/submissions/{submission}/", wait_until="networkidle")
        page.locator("#unique-inverse").fill("4")
        page.locator("#unique-inverse-comment").fill(COMMENT)
        page.locator("#unique-inverse").focus()
        page.wait_for_timeout(1500)
        page.evaluate("window.scrollTo(0, 0)")
        page.wait_for_timeout(500)
        save("formgrader_marking", page.screenshot())
        page.context.close()


def enrol(course: Course, students: Iterable[str]) -> None:
    """Give students names that are nobody's."""
    with course.gradebook() as gradebook:
        gradebook.update_or_create_assignment(ASSIGNMENT, duedate="2026-11-15 22:00:00 UTC")
        for student in students:
            gradebook.update_or_create_student(student, first_name="Student", last_name=student.rpartition("-")[2])


def full_class(folder: Path) -> Course:
    """A class that hands in samples, graded, all but a few of its answers marked, and sent back."""
    if (folder / "report.html").is_file():
        return Course(folder)
    course, full = course_in(folder, "c.JudgedExecute.training_seconds = 1800"), source()  # this machine may be busy
    place = course.folder("source")
    place.mkdir(parents=True)
    nbformat.write(full, place / f"{ASSIGNMENT}.ipynb")
    course.release()
    samples = sorted((ROOT / "tests" / "submissions").glob("[fp]*.py"))
    names = [f"student-{number:02}" for number in range(1, len(samples) + len(ODD) + MISSING + 1)]
    enrol(course, names)
    for number, (name, path) in enumerate(zip(names, samples, strict=False)):
        course.hand_in(name, read_sample(path, full).notebook)
        late = number % 5 == 3
        (course.folder("submitted", name) / "timestamp.txt").write_text(f"2026-11-{16 if late else 14} 09:30:00 UTC\n")
    odd = {hand.name.partition("__")[2]: hand for hand in HANDINS}
    for name, kind in zip(names[len(samples) :], ODD, strict=False):
        place = course.folder("submitted", name)
        place.mkdir(parents=True)
        odd[kind].build(place, honest(full).notebook)
    subprocess.run([BIN / "autograder", "grade", "--jobs", "2"], cwd=folder, check=True)
    with course.gradebook() as gradebook:
        for number, submission in enumerate(gradebook.notebook_submissions(ASSIGNMENT, ASSIGNMENT)):
            for grade in submission.grades:
                if EXERCISES[exercise_of(grade.name)].by_hand and grade.needs_manual_grade and number % 4:
                    grade.manual_score = round(grade.max_score * (0.5, 0.8, 1.0)[number % 3])
                    grade.needs_manual_grade = False
        gradebook.db.commit()
    for command in ("feedback", "report"):
        subprocess.run([BIN / "autograder", command], cwd=folder, check=True)
    return course


def returned(browser: Browser, course: Course) -> None:
    """A student's page on a phone: its beginning, and the exercise that failed, side by side."""
    student = next(
        name
        for name in course.handed_in()
        if course.graded(name).metadata.course.evidence["outcomes"]["test-lifting-conv-filter"]["status"] == "failed"
        and course.graded(name).metadata.course.evidence["outcomes"]["test-isotropic-conv-filter"]["status"] == "passed"
    )
    address = (course.folder("feedback", student) / f"{ASSIGNMENT}.html").as_uri()
    page = open_page(browser, address, WIDTH, HEIGHT, scale=1.5)
    exercise = page.locator("#exercise-lifting-conv").bounding_box()
    whole = Image.open(io.BytesIO(page.screenshot(full_page=True)))
    wide, high, gap = int(1.5 * WIDTH), int(1.5 * HEIGHT), 30
    both = Image.new("RGB", (2 * wide + gap, high), "white")
    for place, top in ((0, 0), (wide + gap, int(1.5 * exercise["y"]))):
        both.paste(whole.crop((0, top, wide, top + high)), (place, 0))
    buffer = io.BytesIO()
    both.save(buffer, "PNG")
    save("feedback", buffer.getvalue())


@contextlib.contextmanager
def own_folder(path: Path) -> Iterator[Path]:
    """A folder of this name that is there until the block ends.

    Raises:
        FileExistsError: there is one already.
    """
    path.mkdir()
    try:
        yield path
    finally:
        shutil.rmtree(path)


def in_lab(browser: Browser, folder: Path) -> None:
    """A student's notebook in JupyterLab: a hint, the praise, the slider, and the check before handing in.

    Args:
        browser: to look with.
        folder: where the student works; the check before handing in says its name.
    """
    full = source()
    answers = {cell.id: model_answer(cell) for cell in full.cells if cell.id in EXERCISES}
    make_bundle(ROOT, as_released(full), f"{ASSIGNMENT}.ipynb", folder)
    with laboratory(folder, BEFORE) as address:
        page = open_page(browser, address, 1050, TALL)
        lab = Lab(page, folder / f"{ASSIGNMENT}.ipynb")
        page.keyboard.press("ControlOrMeta+b")  # the file browser is in the way
        lab.set_up()

        def show(name: str, first: Locator, last: Locator) -> None:
            first.evaluate("cell => cell.scrollIntoView()")
            page.wait_for_timeout(1000)
            top, end = first.bounding_box()["y"], last.bounding_box()
            height = min(end["y"] + end["height"] + 5, TALL - 25) - top
            save(name, page.screenshot(clip={"x": 0, "y": top, "width": 1050, "height": height}))

        for name, text in (("lab_hint", WRONG), ("lab_success", answers["rotate-p4"])):
            lab.type("rotate-p4", text)
            lab.run("rotate-p4")
            says = lab.run("checks.rotate_p4(")
            for fold in says.locator("summary").all():
                fold.click()
            show(name, lab.cell("checks.rotate_p4("), says)  # and not the answer
        lab.before_the_slider(answers)
        shown = lab.run("plots.turning(")
        shown.get_by_role("slider").focus()
        for _ in range(ANGLE // 5):
            page.keyboard.press("ArrowRight")
        page.wait_for_timeout(5000)
        show("lab_slider", lab.cell("plots.turning("), shown)
        lab.save()
        show("lab_check", lab.cell("submission.check()"), lab.run("submission.check()", seconds=600))
        page.context.close()


def main() -> None:
    """Take every picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--course", type=Path, help="the folder of the class that hands in samples, made if need be")
    parser.add_argument("--lab", action="store_true", help="only the pictures of the notebook in JupyterLab")
    chosen = parser.parse_args()
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as tool, tempfile.TemporaryDirectory() as folder:
        browser = tool.chromium.launch(executable_path=program, args=arguments)
        with own_folder(Path(tempfile.gettempdir()) / "course") as student:
            in_lab(browser, student)
        if chosen.lab:
            return
        marked(browser, graded_class(browser, Path(folder) / "small"))
        course = full_class(chosen.course or Path(folder) / "full")
        save("report", open_page(browser, (course.root / "report.html").as_uri(), 1180, 900).screenshot())
        returned(browser, course)
        browser.close()


if __name__ == "__main__":
    main()
