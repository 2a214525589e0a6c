"""All mutants judged, in a few processes, and what it proves of the tests.

What was judged once is kept in a file of lines, one a mutant, under a hash of all that its outcome depends on: an
interrupted run goes on where it stopped, and a second one judges only what changed.
"""

import collections
import concurrent.futures
import dataclasses
import functools
import hashlib
import json
import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from importlib import resources
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from autograder.exercises import dependants
from autograder.kept import Kept
from autograder.mutants.arena import Arena, Verdict
from autograder.mutants.mutant import STUDENT, Mutant
from autograder.mutants.uses import Uses
from autograder.notebooks import role
from autograder.versions import hash_of

KILLED, SURVIVED, EQUIVALENT, CONTRADICTED = "killed", "survived", "equivalent", "contradicted"
"""Lost points; kept all; kept all, with a reason; lost points although it is said to be right."""

FORMAT = 1  # of what a verdict says and how it comes about: another one judges everything again
# What a verdict depends on beside the notebook: modules and packages of the grader and the students.
_CODE = {
    "autograder": (
        "judge",
        "sandbox",
        "kernel.py",
        "run.py",
        "reference.py",
        "hidden.py",
        "thresholds.py",
        "mutants/arena.py",
    ),
    "gcnn": ("",),
}
MAX_RESTARTS = 3


@dataclasses.dataclass(frozen=True)
class Proof:
    """What became of a mutant."""

    mutant: Mutant
    """Which one."""
    verdict: Verdict
    """How its tests ended."""
    lost_in: frozenset[str]
    """The exercises in which it lost points."""

    @property
    def status(self) -> str:
        """`KILLED`, `SURVIVED`, `EQUIVALENT` or `CONTRADICTED`."""
        if self.mutant.equivalent:
            return CONTRADICTED if self.verdict.lost else EQUIVALENT
        return KILLED if self.verdict.lost else SURVIVED

    @property
    def localised(self) -> bool:
        """Whether it lost points only in its own exercise and in those that need it."""
        return self.lost_in <= dependants([self.mutant.exercise])

    @property
    def alone(self) -> bool:
        """Whether it lost points only in its own exercise."""
        return self.lost_in <= {self.mutant.exercise}


@functools.cache
def code_version() -> str:
    """A hash of the code that judges, without the notebook."""
    paths: list[Path] = []
    for package, parts in _CODE.items():
        root = Path(str(resources.files(package)))
        for part in parts:
            paths += [root / part] if part.endswith(".py") else sorted((root / part).rglob("*.py"))
    return hash_of(paths)


def key(mutant: Mutant, uses: Uses, given: str) -> str:
    """A hash of all that a mutant's verdict depends on.

    Args:
        mutant: which one.
        uses: of the source notebook.
        given: the given cells' code.
    """
    affected = uses.affected(mutant.exercise, mutant.source).cells
    cells = {name: uses.cells[name].source for name in affected}
    parts = [
        FORMAT,
        code_version(),
        mutant.exercise,
        mutant.source,
        bool(mutant.equivalent),
        given,
        uses.answers,
        cells,
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


_arena: Arena | None = None  # a worker's own


def _begin(source: str) -> None:
    """Make a worker ready."""
    global _arena
    import torch

    torch.set_num_threads(1)
    _arena = Arena(nbformat.reads(source, as_version=4))


def _work(mutant: Mutant) -> Verdict:
    assert _arena is not None
    # Nothing is trained for one that is known to be right: its architecture is the model's.
    return _arena.judge(mutant.exercise, mutant.source, trained=False if mutant.equivalent else None)


def _judged(source: NotebookNode, mutants: Iterable[Mutant], processes: int) -> Iterator[tuple[Mutant, Verdict]]:
    """Mutants with their verdicts, as they are ready; what a worker could not judge is tried again, a few times."""
    waiting = list(mutants)
    context, text = multiprocessing.get_context("spawn"), nbformat.writes(source)
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"  # a core each, in the kernels too
    try:
        for attempt in range(MAX_RESTARTS + 1):
            done: set[str] = set()
            pool = concurrent.futures.ProcessPoolExecutor(processes, context, _begin, (text,))
            try:
                futures = {pool.submit(_work, mutant): mutant for mutant in waiting}
                for future in concurrent.futures.as_completed(futures):
                    if (error := future.exception()) is None:
                        done.add(futures[future].id)
                        yield futures[future], future.result()
                    elif attempt == MAX_RESTARTS:
                        raise error
            finally:
                pool.shutdown(wait=False, cancel_futures=True)
            waiting = [mutant for mutant in waiting if mutant.id not in done]
            if not waiting:
                return
    finally:
        if before is None:
            os.environ.pop("OMP_NUM_THREADS")
        else:
            os.environ["OMP_NUM_THREADS"] = before


def prove(
    source: NotebookNode,
    mutants: list[Mutant],
    kept: Kept,
    *,
    processes: int = 2,
    told: Callable[[Proof], None] = lambda proof: None,
) -> list[Proof]:
    """Judge all mutants.

    Args:
        source: the source notebook.
        mutants: which.
        kept: the verdicts' fields, of what was judged before; new ones are added.
        processes: how many work at a time.
        told: is called with each proof, as it is ready.

    Raises:
        Exception: why a mutant could not be judged, tried again and again; what was judged is kept.
    """
    uses, proofs = Uses(source), {}
    given = "\0".join(cell.source for cell in source.cells if role(cell) == "given")
    keys = {mutant.id: key(mutant, uses, given) for mutant in mutants}

    def take(mutant: Mutant, verdict: Verdict) -> None:
        lost_in = frozenset(uses.exercise(test) for test in verdict.lost)
        proofs[mutant.id] = Proof(mutant, verdict, lost_in)
        told(proofs[mutant.id])

    missing = []
    for mutant in mutants:
        if keys[mutant.id] in kept:
            take(mutant, Verdict(**kept[keys[mutant.id]]))
        else:
            missing.append(mutant)
    missing.sort(key=lambda mutant: mutant.origin != STUDENT)  # what people wrote first: it is the likeliest to survive
    for mutant, verdict in _judged(source, missing, processes) if missing else ():
        kept[keys[mutant.id]] = dataclasses.asdict(verdict)
        take(mutant, verdict)
    return [proofs[mutant.id] for mutant in mutants]


def counted(proofs: Iterable[Proof]) -> collections.Counter:
    """How many proofs have which status."""
    return collections.Counter(proof.status for proof in proofs)


def problems(proofs: Iterable[Proof], stale: Iterable[str] = ()) -> list[str]:
    """Why the tests are not proved to be good, a sentence each.

    Args:
        proofs: of all mutants.
        stale: ids in the table of equivalents that no mutant has.
    """
    found = []
    for proof in proofs:
        what = f"{proof.mutant.id} ({proof.mutant.mistake})"
        if proof.status == SURVIVED:
            found.append(f"{what} earns full marks: write a test that it fails, or the reason why it is right.")
        elif proof.status == CONTRADICTED:
            lost = ", ".join(proof.verdict.lost)
            found.append(f"{what} is said to be right, but loses points: {lost}.")
        wrong = [m for m in proof.verdict.messages.values() if m.startswith("grader error")]
        found += [f"{what} makes a test fail by the test's own mistake: {message}" for message in wrong]
    found += [f"equivalents.toml speaks of {name}, which is no mutant any more: remove the entry." for name in stale]
    return found


__all__ = [
    "CONTRADICTED",
    "EQUIVALENT",
    "KILLED",
    "SURVIVED",
    "Proof",
    "counted",
    "key",
    "problems",
    "prove",
]
