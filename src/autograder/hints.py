"""How good the diagnosing checks' hints are: the family of known wrong answers, made and measured.

`covered` says which cause a mistake has, `family` makes an exercise's entry of ``variants.json`` from what was seen,
and `Hint` says whether the hint for one wrong answer is right.
"""

import ast
import collections
import dataclasses
import difflib
import functools
import json
import re
from collections.abc import Iterable
from importlib import resources

import tomllib

from autograder.hinting import Answer
from autograder.mutants.mutant import Mutant
from gcnn.diagnosis.course import ASKED
from gcnn.diagnosis.family import Family, causes, difference, packed, read
from gcnn.diagnosis.findings import Finding, judged
from gcnn.diagnosis.outcomes import Outcome

Seen = dict[str, list[Outcome] | str | None]
"""What `autograder.hinting.observed` gives."""

RIGHT, WRONG, UNNAMED, UNSEEN, NOT_RUN = "right", "wrong", "unnamed", "unseen", "not_run"
"""The mistake or the changed line is named; another mistake is; none is; it seems right; its cell does not run."""

_PLACE = re.compile(r", (in \w+(, place \d+)?|place \d+)$")
_BASE = " (written by hand)"

PUBLIC = {
    "c4": ("C4.product(1, 2)", "C4.product(0, 2)", "C4.product(3, 1)", "C4.inverse(1)", "C4.inverse(0)"),
    "d4": (
        "D4.product((0, 1), (0, 2))",
        "D4.product((0, 1), (1, 0))",
        "D4.product((1, 0), (0, 1))",
        "D4.inverse((0, 1))",
        "D4.inverse((1, 0))",
    ),
}
"""The notebook's public examples."""

TOLD = ("kind", "made", "names", "shape", "classes", "count", "steps", "parameters", "dtype", "reaches", "norms")
"""Groups of looks at what the notebook says aloud: shapes, names, channels; and at what reaches layers, as hashes. Of
these and of the public examples the package holds the right values, and of the few arrays that its pictures show
(`autograder.hinting.arrays`)."""


@functools.cache
def _table() -> dict:
    text = (resources.files("autograder.mutants") / "causes.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@functools.cache
def _patterns(exercise: str) -> list[tuple[re.Pattern, str]]:
    """Patterns of mistakes' names with their causes, those of the exercise first."""
    known = read("causes.json")
    families = known["exercises"][exercise]["families"]
    tables = [_table()["exercises"].get(exercise, {}), *(_table()["families"].get(name, {}) for name in families)]
    return [
        (re.compile(".*".join(map(re.escape, text.split("*"))), re.DOTALL), cause)
        for table in tables
        for cause, texts in table.items()
        for text in texts
    ]


def covered(exercise: str, mistake: str) -> str:
    """The cause of a mistake by its name, or an empty string if no pattern has it."""
    names = (mistake, mistake.removesuffix(_BASE), _PLACE.sub("", mistake.removesuffix(_BASE)))
    for pattern, cause in _patterns(exercise):
        if any(pattern.fullmatch(name) for name in names):
            return cause
    return ""


def unknown_causes() -> list[str]:
    """The causes in ``causes.toml`` that no exercise's texts have."""
    found = []
    for exercise in ASKED:
        known = causes(exercise)
        found += [f"{exercise}: {cause}" for _, cause in _patterns(exercise) if cause not in known]
    return sorted(set(found))


def model_looks(models: dict[str, str]) -> list[Answer]:
    """The looks at the model's answers that `family` needs: networks on their own layers as well."""
    looks = [Answer(f"model {key}", key, code) for key, code in models.items()]
    return looks + [Answer(f"own {key}", key, code, True) for key, code in models.items() if ASKED[key].network]


def family(exercise: str, seen: Seen, mutants: Iterable[Mutant]) -> Family:
    """An exercise's family.

    Args:
        exercise: which.
        seen: what the model's answer, ``model KEY`` and for a network ``own KEY``, and the mutants gave.
        mutants: the wrong answers that are to be known.
    """
    right = {o.name: o.digest for o in seen[f"model {exercise}"]}
    own = {o.name: o.digest for o in seen.get(f"own {exercise}", ())}
    public = PUBLIC.get(exercise, ())
    told = [o for o in seen[f"model {exercise}"] if o.name in public or o.group.partition(",")[0] in TOLD]
    expected = {o.name: o.text for o in told if o.text}
    bare = Family(right, own, expected, ())
    variants: dict[frozenset, collections.Counter] = {}
    for mutant in mutants:
        outcomes = seen.get(mutant.id)
        cause = covered(exercise, mutant.mistake)
        if mutant.exercise != exercise or mutant.equivalent or not isinstance(outcomes, list) or not cause:
            continue
        variants.setdefault(difference(bare.rights(outcomes), outcomes), collections.Counter())[cause] += 1
    kept = tuple(
        (wrong, tuple(name for name, _ in counts.most_common())) for wrong, counts in variants.items() if wrong
    )
    return Family(right, own, expected, kept)


def written(families: dict[str, Family]) -> str:
    """The text of ``variants.json``."""
    lines = []
    for exercise, one in families.items():
        kept = packed(one)
        variants = ",\n".join(json.dumps(v, separators=(",", ":")) for v in kept.pop("variants"))
        rest = json.dumps(kept, separators=(",", ":"), ensure_ascii=False)[1:-1]
        lines.append(f'"{exercise}":{{{rest},\n"variants":[\n{variants}\n]}}')
    return "{\n" + ",\n".join(lines) + "\n}\n"


@dataclasses.dataclass(frozen=True)
class Hint:
    """What the checks say about one wrong answer."""

    mutant: Mutant
    """Which."""
    status: str
    """`RIGHT`, `WRONG`, `UNNAMED`, `UNSEEN` or `NOT_RUN`."""
    finding: Finding | None = None
    """What was found, if it could be looked at."""

    @property
    def by_line(self) -> bool:
        """Whether the hint is right since it shows the line that was changed, and names no cause."""
        return self.status == RIGHT and self.finding is not None and not self.finding.causes


def _changed_lines(code: str, bases: Iterable[str]) -> set[int]:
    """The lines of a wrong answer that belong to a statement which the nearest right one does not have."""
    lines = code.splitlines()
    best: set[int] | None = None
    for base in bases:
        matcher = difflib.SequenceMatcher(None, base.splitlines(), lines, autojunk=False)
        changed = {
            n + 1 for tag, _, _, i, j in matcher.get_opcodes() if tag != "equal" for n in range(i, max(j, i + 1))
        }
        if best is None or len(changed) < len(best):
            best = changed
    found = set(best or ())
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.stmt) and not hasattr(node, "body"):
            own = set(range(node.lineno, node.end_lineno + 1))
            found |= own if own & (best or set()) else set()
    return found


def hint(
    mutant: Mutant,
    outcomes: list[Outcome] | str | None,
    known: Family,
    bases: Iterable[str],
    accepted: Iterable[str] | None = None,
) -> Hint:
    """Judge the hint that a wrong answer gets.

    Args:
        mutant: the wrong answer.
        outcomes: what was seen of it.
        known: the family that it is compared with.
        bases: the right answers that it may have been made from.
        accepted: the causes that count as right; by default the one that `covered` has.
    """
    if isinstance(outcomes, str):
        return Hint(mutant, NOT_RUN)
    if outcomes is None:
        return Hint(mutant, UNNAMED)
    finding = judged(ASKED[mutant.exercise], outcomes, None, known)
    if finding.right:
        return Hint(mutant, UNSEEN, finding)
    if finding.elsewhere:
        return Hint(mutant, RIGHT if mutant.mistake.startswith("defines ") else WRONG, finding)
    if finding.causes:
        right = {covered(mutant.exercise, mutant.mistake)} - {""} if accepted is None else set(accepted)
        status = RIGHT if right & {cause.key for cause in finding.causes} else WRONG
        return Hint(mutant, status, finding)
    if finding.error and finding.error.line and finding.error.number in _changed_lines(mutant.source, bases):
        return Hint(mutant, RIGHT, finding)
    if "forgets to return" in mutant.mistake and "is a return missing?" in finding.headline:
        return Hint(mutant, RIGHT, finding)
    return Hint(mutant, UNNAMED, finding)
