"""What the diagnosing checks know, made from wrong answers, and how often they name the right mistake.

`observed` looks at answers, each in a process of its own with limits on time and memory, since a wrong one may run for
ever. `autograder.hints` makes ``variants.json`` of what it saw and counts the hints that are right. `arrays` is what
the checks' pictures show as expected, ``arrays.json``.
"""

import ast
import contextlib
import dataclasses
import hashlib
import json
import linecache
import os
import resource
import selectors
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from importlib import resources
from pathlib import Path

import torch
from nbformat import NotebookNode

from autograder.kept import Kept
from autograder.mutants.made import model_answers
from autograder.mutants.mutant import normalised
from autograder.notebooks import role
from gcnn.diagnosis.course import ASKED, outcomes
from gcnn.diagnosis.outcomes import Outcome

SECONDS, MEGABYTES = 90.0, 6000  # for one answer; what torch itself maps is more than half of it


def given_names(source: NotebookNode) -> dict[str, object]:
    """The names that the notebook has when an answer's cell runs: imports, given functions, the model's answers."""
    names: dict[str, object] = {"__name__": "__main__", "display": print}
    answers = model_answers(source)
    for cell in source.cells:
        if cell.id in answers:
            exec(compile(answers[cell.id], f"<model {cell.id}>", "exec"), names)
        elif role(cell) == "given" and cell.cell_type == "code":
            for statement in ast.parse(cell.source).body:
                if isinstance(statement, (ast.Import, ast.ImportFrom, ast.ClassDef, ast.FunctionDef)):
                    code = compile(ast.Module([statement], []), "<given>", "exec")
                    exec(code, names)
    return names


def defined(names: dict[str, object], answer: str, code: str, name: str) -> object:
    """What an answer's cell binds to a name, its other names standing beside it as in the notebook.

    Raises:
        BaseException: whatever the cell raises.
    """
    spaces = dict(names)
    del spaces[name]
    filename = f"<answer {answer}>"
    linecache.cache[filename] = (len(code), None, code.splitlines(keepends=True), filename)
    exec(compile(code, filename, "exec"), spaces)
    return spaces[name]


def _limited(work: Callable[[], object], pipe: int) -> None:
    """Do some work in this process, which ends with it, and write what came out into a pipe, as JSON."""
    status = 1
    with contextlib.suppress(BaseException):
        resource.setrlimit(resource.RLIMIT_DATA, (MEGABYTES << 20, MEGABYTES << 20))
        resource.setrlimit(resource.RLIMIT_CPU, (int(SECONDS) + 10, int(SECONDS) + 10))
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        data = json.dumps(work()).encode()
        while data:
            data = data[os.write(pipe, data) :]
        status = 0
    os._exit(status)


def in_processes(works: Iterable[tuple[str, Callable[[], object]]], processes: int = 2) -> Iterator[tuple[str, object]]:
    """Do pieces of work, each in a forked process, a few at a time.

    Yields:
        Each one's name and what it gave, as plain data; ``None`` for one that died or ran too long.
    """
    waiting, running = iter(works), {}
    selector = selectors.DefaultSelector()
    exhausted = False
    while running or not exhausted:
        while not exhausted and len(running) < processes:
            try:
                name, work = next(waiting)
            except StopIteration:
                exhausted = True
                break
            reads, writes = os.pipe()
            sys.stdout.flush()
            child = os.fork()
            if child == 0:
                os.close(reads)
                _limited(work, writes)
            os.close(writes)
            running[reads] = (name, child, time.monotonic(), bytearray())
            selector.register(reads, selectors.EVENT_READ)
        ended = []
        for event, _ in selector.select(timeout=1.0):
            some = os.read(event.fd, 1 << 16)
            running[event.fd][3].extend(some)
            if not some:
                ended.append(event.fd)
        for reads, (_, child, start, _) in list(running.items()):
            if time.monotonic() - start > SECONDS and reads not in ended:
                os.kill(child, signal.SIGKILL)
                ended.append(reads)
        for reads in ended:
            name, child, _, data = running.pop(reads)
            selector.unregister(reads)
            os.close(reads)
            os.waitpid(child, 0)
            try:
                yield name, json.loads(bytes(data))
            except ValueError:
                yield name, None


@dataclasses.dataclass(frozen=True)
class Answer:
    """An answer to look at."""

    id: str
    """Its own."""
    exercise: str
    """Whose it is."""
    code: str
    """The answer's cell."""
    own_layers: bool = False
    """For a network: whether it is looked at on its own layers."""


def _look(answer: Answer, names: dict[str, object]) -> Callable[[], object]:
    def work() -> object:
        try:
            thing = defined(names, answer.id, answer.code, ASKED[answer.exercise].name)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        return [dataclasses.asdict(outcome) for outcome in outcomes(answer.exercise, thing, answer.own_layers)]

    return work


def arrays(source: NotebookNode) -> dict[str, dict[str, torch.Tensor]]:
    """What the model's answers give where the checks show a picture: by exercise and look, in double precision."""
    names, models = given_names(source), model_answers(source)
    found = {}
    for key, asked in ASKED.items():
        if asked.pictured:
            values: dict[str, torch.Tensor] = {}
            outcomes(key, defined(names, f"model {key}", models[key], asked.name), values=values)
            found[key] = {name: values[name] for name in asked.pictured}
    return found


def arrays_text(found: dict[str, dict[str, torch.Tensor]]) -> str:
    """The text of ``arrays.json``: a line for each look, its values rounded to four digits after the point."""
    blocks = []
    for key, looks in found.items():
        lines = []
        for name, array in looks.items():
            rounded = [round(v, 4) for v in array.flatten().tolist()]
            values = [int(v) if v.is_integer() else v for v in rounded]
            kept = {"shape": list(array.shape), "values": values}
            lines.append(f"{json.dumps(name)}:{json.dumps(kept, separators=(',', ':'))}")
        blocks.append(f"{json.dumps(key)}:{{\n" + ",\n".join(lines) + "\n}")
    return "{\n" + ",\n".join(blocks) + "\n}\n"


_LOOKING = "diagnosis/outcomes diagnosis/readings probes stand_ins equivariance fast fourier rings banks"
"""Of gcnn: the modules that every look runs."""


def _version(answer: Answer, around: str) -> str:
    """A hash of what an answer's outcomes depend on: the answer, what stands around it, and the code that looks at it.

    Args:
        answer: which one.
        around: the code of the given cells and of the model's answers, which it may use.
    """
    sums = hashlib.sha256(repr(answer).encode() + around.encode())
    look = ASKED[answer.exercise].look.__module__.rpartition(".")[2]
    for name in (*_LOOKING.split(), f"diagnosis/{look}"):
        text = (resources.files("gcnn") / f"{name}.py").read_text(encoding="utf-8")
        sums.update(normalised(text).encode())
    return sums.hexdigest()[:16]


def observed(
    source: NotebookNode, answers: Iterable[Answer], cache: Path | None = None, processes: int = 2
) -> dict[str, list[Outcome] | str | None]:
    """Look at answers, each in a process of its own.

    Args:
        source: the source notebook.
        answers: which.
        cache: a file of lines in which what was seen is kept.
        processes: how many work at a time.

    Returns:
        By id, the outcomes; the exception that the cell itself ended with; or ``None`` for an answer that took too much
        time or memory.
    """
    kept = Kept(cache)
    given = [cell.source for cell in source.cells if role(cell) == "given" and cell.cell_type == "code"]
    around = json.dumps([given, model_answers(source)])
    versions = {answer.id: _version(answer, around) for answer in answers}
    missing = [answer for answer in answers if versions[answer.id] not in kept]
    if missing:
        torch.set_num_threads(1)  # a forked process cannot use threads that its parent began
        names = given_names(source)
        works = ((answer.id, _look(answer, names)) for answer in missing)
        for name, what in in_processes(works, processes):
            kept[versions[name]] = what
    found = {name: kept[version] for name, version in versions.items()}
    return {n: [Outcome(**o) for o in w] if isinstance(w, list) else w for n, w in found.items()}
