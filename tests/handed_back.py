"""A small course whose students get feedback: one who did well, one who is hostile, one unreadable, one untouched."""

import base64
import io
import shutil

import nbformat
from fabricated import answered, cells, failed, landed, mark, open_course
from PIL import Image

from autograder.course import Course
from autograder.exercises import EXERCISES
from autograder.judge import Outcome
from autograder.notebooks import ASSIGNMENT
from autograder.sending import write_pages


def picture() -> str:
    """A real one, as a notebook holds it."""
    file = io.BytesIO()
    Image.new("RGB", (800, 300), (0, 114, 178)).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


STUDENTS = ("anna", "bert", "carla", "dora")  # emil handed in and is not graded
PNG = picture()
HOSTILE = r"""# A heading <script>alert(1)</script>

<img src=x onerror=alert(1)> <svg/onload=alert(1)> <iframe src="https://example.org"></iframe>
[a link](javascript:alert(1)) <a href="javascript:alert(1)" onclick="alert(1)">x</a> [ok](https://arxiv.org)
![spy](https://example.org/spy.png) ![x](data:text/html;base64,PHNjcmlwdD4=) <style>body { display: none }</style>

```mermaid
</pre><script>alert(1)</script>
```

$\href{javascript:alert(1)}{x}$ $\text{<script>alert(1)</script>}$ {{ 7 * 7 }} {% raw %} <meta http-equiv="refresh">
and $$\frac{a}{b} \in \mathbb{Z}$$ </div></section></main><base href="https://example.org"> <!-- {# -->
"""
UNREAD = "the notebook cannot be read (NotJSONError)"
GRADER = "/opt/grader/src/autograder/judge/cells.py"


def edit(course, student, change):
    """Change a graded notebook, as if its run had ended otherwise."""
    path = course.folder("autograded", student) / f"{ASSIGNMENT}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    change(notebook)
    path.chmod(0o644)
    nbformat.write(notebook, path)


def comment(course, student, cell, text):
    """Comment on an answer, as the formgrader does."""
    with course.gradebook() as gradebook:
        gradebook.find_comment(cell, ASSIGNMENT, ASSIGNMENT, student).manual_comment = text
        gradebook.db.commit()


def add_outputs(notebook):
    """Let bert's cells print, draw and fail."""
    found = {cell.id: cell for cell in notebook.cells}
    out = nbformat.v4.new_output
    lines = [
        f'File "{GRADER}", line 3',
        'File "/usr/lib/python3.11/site-packages/torch/nn/x.py", line 1',
        "<b>bold</b>",
    ]
    found["c4"].outputs = [
        out("stream", name="stdout", text="12 %\r100 %\n" + "x" * 50_000 + "the end\n"),
        out("error", ename="ValueError", evalue=f"in {GRADER}", traceback=[f"\x1b[31m{line}\x1b[0m" for line in lines]),
    ]
    next(cell for cell in found.values() if "plots.filters(lift" in cell.source).outputs = [
        out("display_data", data={"image/png": PNG, "text/plain": 'Four "filters" <b>side by side</b>.'})
    ]
    found["added-1"].outputs = [out("display_data", data={"image/png": PNG, "text/plain": "<Figure size 1x1>"})] * 99
    found["train-c4cnn"].outputs = [out("stream", name="stdout", text="epoch 1 of 1: loss 0.1\n")]


def berts(source):
    """A hand-in with a mistake, words that would run if they could, and cells of its own."""
    notebook = answered(
        source, untouched=("d4cnn", "d4-action", "why-gap"), added=("mine = '</code><script>alert(1)'",)
    )
    by_id = {cell.get("id"): cell for cell in notebook.cells}
    by_id["why-pool"].source += f"\n\n{HOSTILE}"
    by_id["playground-2"].source += "\n# changed <script>alert(1)</script>"
    by_id["c4"].source = f"# {HOSTILE}".replace("\n", "\n# ") + "\nclass C4: ..."
    words = nbformat.v4.new_markdown_cell(HOSTILE)
    notebook.cells.insert(notebook.cells.index(by_id["d4"]), words)
    notebook.cells = [cell for cell in notebook.cells if cell.get("id") != "test-c4-product"]
    return notebook


def handed_back(root, project) -> Course:
    """Make the course in a folder, settings and all, grade it, and write its feedback."""
    (root / "notebooks").mkdir(parents=True)
    settings = (project / "nbgrader_config.py").read_text()
    (root / "nbgrader_config.py").write_text(f'{settings}\nc.LateSubmissionPlugin.penalty_method = "zero"\n')
    shutil.copy(project / "notebooks" / f"{ASSIGNMENT}.py", root / "notebooks")
    course = open_course(root, root)
    source = course.source()
    full = answered(source)
    with course.gradebook() as gradebook:
        gradebook.update_or_create_student("anna", first_name="Anna", last_name="<b>Müller</b>")
    landed(course, "anna", full)
    mark(course, "anna", 0.5)
    comment(course, "anna", "why-pool", f"Well *argued*: $v_{{s-r}}$. {HOSTILE}")
    outcomes = {
        "test-c4-product": failed(
            "C4.product(3, 1) is 4, expected 0. <script>alert(1)</script> Has it wrapped around?"
        ),
        "test-c4-inverse": failed(f"Your code raised ValueError: no file {GRADER}"),
        "test-d4-product": Outcome.not_graded("the test itself failed: secret_reference", grader_error=True),
        "test-d4-inverse": Outcome.not_graded("the kernel died"),
        "test-rotate-p4-quarter-turn": failed("the orientation is 0, expected 1"),
        "test-lifting-conv-filter": failed("The filter for orientation 0 is turned"),
        "test-c4cnn-architecture": failed("The number of parameters is 5"),
        **{f"test-{name}": failed("NotImplementedError") for name in ("d4-action", "d4cnn-network", "d4cnn-accuracy")},
    }
    landed(course, "bert", berts(source), outcomes, repairs=(f"the file {GRADER} was renamed",))
    edit(course, "bert", add_outputs)
    landed(course, "carla", nbformat.v4.new_notebook(), unreadable=UNREAD)
    edit(course, "carla", lambda notebook: notebook.metadata.course.update(unreadable=UNREAD))
    tests = [cell.id for cell in cells(source, "tests")]
    everything = tuple(EXERCISES)
    landed(course, "dora", answered(source, untouched=everything), {test: failed("no") for test in tests})
    course.hand_in("emil", full)
    assert not write_pages(course, STUDENTS)
    return course
