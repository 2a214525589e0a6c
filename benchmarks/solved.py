"""How long does the whole solved notebook take from top to bottom, and is what it says about its times true?

Runs the student's notebook with the model's answers, in a folder and a kernel of its own, with the `standard` budget,
the check before handing in included. The times that it states (set-up: two trainings; the last text: the check) are
read from what it shows, and each is given beside what was taken.

    python benchmarks/solved.py    # eight minutes on two cores; writes benchmarks/results/solved.json
"""

import argparse
import re
import sys
import tempfile
import time
from pathlib import Path

import nbclient
import nbformat
import results
from nbformat import NotebookNode
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from autograder.notebooks import read_text
from autograder.submissions import solved

LONGEST = 15  # cells that are shown
# Which cell a stated time is about: what the cell's code has, and where the time is stated.
STATED = {
    "c4cnn": ("train_model(C4CNN(),", r"Training C4CNN in part 3 will take about (.+?) here"),
    "d4cnn": ("train_model(D4CNN(),", r"D4CNN in part 4 (.+?)\."),
    "check": ("submission.check()", r"with trainings of a single step, which takes about (.+?)\."),
}


def seconds(words: str) -> float:
    """A duration in words, as `gcnn.speed.in_words` or the notebook's text says it.

    Raises:
        ValueError: it is not one.
    """
    found = re.fullmatch(r"(a|\d+) (second|minute)s?", words)
    if not found:
        raise ValueError(f"{words!r} is no duration")
    return (1 if found[1] == "a" else int(found[1])) * (60 if found[2] == "minute" else 1)


def ran(notebook: NotebookNode, folder: Path, console: Console) -> list[float]:
    """Run all cells in a fresh kernel, in place, and say how many seconds each took; 0 where it is no code.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell fails.
    """
    taken, begun = [0.0] * len(notebook.cells), 0.0
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("cells", total=len(notebook.cells))

        def starts(cell: NotebookNode, cell_index: int) -> None:
            nonlocal begun
            begun = time.perf_counter()

        def ends(cell: NotebookNode, cell_index: int, execute_reply: object) -> None:
            taken[cell_index] = time.perf_counter() - begun
            progress.update(task, completed=cell_index + 1)

        nbclient.NotebookClient(
            notebook,
            timeout=None,
            kernel_name="python3",
            resources={"metadata": {"path": str(folder)}},
            on_cell_start=starts,
            on_cell_executed=ends,
        ).execute()
    return taken


def shown(notebook: NotebookNode) -> str:
    """All that a reader sees as text: what is written, and what was printed."""
    printed = [out.get("text", "") for cell in notebook.cells for out in cell.get("outputs", [])]
    return "\n".join([*(cell.source for cell in notebook.cells if cell.cell_type == "markdown"), *printed])


def rows(notebook: NotebookNode, taken: list[float]) -> list[dict[str, object]]:
    """The figures: of the whole, of all trainings, and of every time that is stated.

    Raises:
        ValueError: a stated time, or the cell that it is about, is not there.
    """
    trainings = [s for cell, s in zip(notebook.cells, taken, strict=True) if "= train_model(" in cell.source]
    figures = {"solved.seconds": sum(taken), "solved.training_seconds": sum(trainings)}
    text = shown(notebook)
    for name, (code, statement) in STATED.items():
        found = re.search(statement, text)
        about = [
            s for cell, s in zip(notebook.cells, taken, strict=True) if cell.cell_type == "code" and code in cell.source
        ]
        if not found or len(about) != 1:
            raise ValueError(f"the notebook states no time for {name}, or has {len(about)} cells with {code}")
        figures[f"solved.{name}.seconds"] = about[0]
        figures[f"solved.{name}.stated_seconds"] = seconds(found[1])
        figures[f"solved.{name}.taken_by_stated"] = about[0] / seconds(found[1])
    return [
        {"name": name, "value": round(value, 2), "unit": "ratio" if name.endswith("by_stated") else "seconds"}
        for name, value in figures.items()
    ]


def main() -> None:
    """Run the notebook and write what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=results.FOLDER / "solved.json")
    arguments = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory(prefix="notebook-") as folder:
        notebook, path = solved(read_text(results.ROOT / "notebooks" / "gcnn.py")), Path(folder, "gcnn.ipynb")
        nbformat.write(notebook, path)  # the check reads it
        try:
            taken = ran(notebook, path.parent, console)
            found = rows(notebook, taken)
        except (nbclient.exceptions.CellExecutionError, ValueError) as error:
            sys.exit(f"error: {error}")
    for place in sorted(range(len(taken)), key=lambda at: -taken[at])[:LONGEST]:
        code = " ".join(notebook.cells[place].source.split())
        console.print(f"{taken[place]:6.1f} s  {code}", markup=False, no_wrap=True, overflow="ellipsis")
    for row in found:
        console.print(f"{row['name']}: {row['value']} {row['unit']}")
    results.write(arguments.out, "benchmarks/solved.py", found)


if __name__ == "__main__":
    main()
