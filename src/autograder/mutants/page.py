"""What the mutants say about the tests, as a page for people, a table for programs, and figures."""

import collections
import csv
import io
from collections.abc import Iterable, Sequence

from autograder.exercises import EXERCISES
from autograder.mutants.mutant import LIBRARY
from autograder.mutants.proof import CONTRADICTED, EQUIVALENT, KILLED, SURVIVED, Proof, counted

_INTRO = """\
# How good the tests are

Made by `make prove`. A *mutant* is a model solution with one mistake in it, made by the field's own operators, by those
of a mutation library, or written by hand as students write them (`tests/mutants/`). Each is graded by the judge, in the
sandbox. *Killed* mutants lost points. *Equivalent* ones are right all the same, for the reason given below. *Localised*
says which share of the killed lost points only in their own exercise and in those that need it; *alone*, only in their
own exercise. A network is trained only where nothing else cost points. `benchmarks/results/mutants.csv` has all
mutants, with the tests that killed each.
"""


def share(proofs: Iterable[Proof], what: str) -> float:
    """The share of the killed mutants that are ``"localised"`` or ``"alone"``; 1 where none was killed."""
    killed = [proof for proof in proofs if proof.status == KILLED]
    return sum(getattr(proof, what) for proof in killed) / len(killed) if killed else 1.0


def _by_exercise(proofs: Sequence[Proof]) -> dict[str, list[Proof]]:
    found = collections.defaultdict(list)
    for proof in proofs:
        found[proof.mutant.exercise].append(proof)
    return {key: found[key] for key in EXERCISES if key in found}


def rows(proofs: Sequence[Proof]) -> list[dict[str, object]]:
    """The figures, for all exercises together and for each."""
    made: list[dict[str, object]] = []
    parts = {"": list(proofs), **{f".{key}": some for key, some in _by_exercise(proofs).items()}}
    for name, some in parts.items():
        counts = counted(some)
        made.append({"name": f"mutants{name}.total", "value": len(some), "unit": "mutants"})
        for status in (KILLED, EQUIVALENT, SURVIVED, CONTRADICTED):
            if status != CONTRADICTED or counts[status]:
                made.append({"name": f"mutants{name}.{status}", "value": counts[status], "unit": "mutants"})
        for what in ("localised", "alone"):
            value = round(share(some, what), 4)
            made.append({"name": f"mutants{name}.{what}_share", "value": value, "unit": "of the killed mutants"})
    for origin, number in sorted(collections.Counter(proof.mutant.origin for proof in proofs).items()):
        made.append({"name": f"mutants.from_{origin}", "value": number, "unit": "mutants"})
    seconds = round(sum(proof.verdict.seconds for proof in proofs))
    return [*made, {"name": "mutants.seconds", "value": seconds, "unit": "seconds, of all processes together"}]


def table(proofs: Sequence[Proof]) -> str:
    """Every mutant in a line, as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["id", "exercise", "origin", "operator", "mistake", "outcome", "tests that gave no points"])
    for proof in proofs:
        m = proof.mutant
        writer.writerow([m.id, m.exercise, m.origin, m.operator, m.mistake, proof.status, " ".join(proof.verdict.lost)])
    return text.getvalue()


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _line(name: str, some: Sequence[Proof]) -> str:
    counts = counted(some)
    numbers = [len(some), counts[KILLED], counts[EQUIVALENT], counts[SURVIVED] + counts[CONTRADICTED]]
    shares = [_percent(share(some, what)) for what in ("localised", "alone")]
    return f"| {name} | {' | '.join(map(str, [*numbers, *shares]))} |"


def _heading(key: str) -> str:
    return f"{EXERCISES[key].number} `{key}`"


def page(
    proofs: Sequence[Proof],
    alternatives: Sequence[tuple[str, int, int]] = (),
    thresholds: str = "",
) -> str:
    """The page.

    Args:
        proofs: of all mutants.
        alternatives: by exercise, how many different right answers there are, and how many of them lost points.
        thresholds: a section about how sure the accuracies' bounds are.
    """
    groups = _by_exercise(proofs)
    lines = [_INTRO, "| exercise | mutants | killed | equivalent | survived | localised | alone |"]
    lines += ["|---|---|---|---|---|---|---|"]
    lines += [_line(_heading(key), some) for key, some in groups.items()]
    lines += [_line("**all**", proofs), ""]
    lines += ["## Which tests kill", "", "| test | mutants that it kills | that it alone kills |", "|---|---|---|"]
    kills, alone = collections.Counter(), collections.Counter()
    for proof in proofs:
        if proof.status == KILLED:
            kills.update(proof.verdict.lost)
            alone.update(proof.verdict.lost if len(proof.verdict.lost) == 1 else [])
    lines += [f"| `{test}` | {number} | {alone[test]} |" for test, number in sorted(kills.items())]
    if alternatives:
        lines += ["", "## Different right answers", "", "| exercise | answers | that lost points |", "|---|---|---|"]
        lines += [f"| {_heading(key)} | {total} | {failed} |" for key, total, failed in alternatives]
    if thresholds:
        lines += ["", thresholds.rstrip()]
    lines += ["", "## Mutants that lose points elsewhere", ""]
    elsewhere = [proof for proof in proofs if proof.status == KILLED and not proof.localised]
    for proof in elsewhere:
        places = ", ".join(sorted(proof.lost_in - {proof.mutant.exercise}))
        lines.append(f"- {_heading(proof.mutant.exercise)} {proof.mutant.mistake}: in {places}")
    lines += [] if elsewhere else ["None."]
    lines += ["", "## Right all the same", ""]
    equivalent = [proof for proof in proofs if proof.status == EQUIVALENT]
    for key, some in _by_exercise(equivalent).items():
        lines += [f"**{_heading(key)}**", ""]
        lines += [f"- {p.mutant.mistake} (`{p.mutant.id}`): {p.mutant.equivalent}" for p in some] + [""]
    lines += [] if equivalent else ["None.", ""]
    lines += ["## The mistakes by name", "", "Those of the library's operators are in the table only."]
    for key, some in groups.items():
        lines += ["", f"**{_heading(key)}**", ""]
        named: dict[str, set[str]] = collections.defaultdict(set)
        for proof in some:
            if proof.mutant.origin != LIBRARY and proof.status == KILLED:
                named[proof.mutant.mistake].update(proof.verdict.lost)
        for mistake, tests in named.items():
            lines.append(f"- {mistake}: {', '.join(f'`{test}`' for test in sorted(tests))}")
    return "\n".join(lines) + "\n"
