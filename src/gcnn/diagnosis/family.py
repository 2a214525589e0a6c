"""Which known mistake gives what came out: the comparison with a family of known wrong answers.

``variants.json`` holds fingerprints only: the right answer's digests, and a hash of each digest that a wrong answer
changes, with the causes of those wrong answers. It is built by the autograder; no answer can be read off it.
``causes.json`` says what each cause is, in words, with a nudge and a bigger hint.
"""

import dataclasses
import fnmatch
import functools
import hashlib
import json
from collections.abc import Iterable
from importlib import resources

from gcnn.diagnosis import network_rules, reading_rules, readings
from gcnn.diagnosis.outcomes import READ, Outcome, digest

APART = "whether its layers can be exchanged"
LAYERS, HELD, COUNT = "the layers", "what the layers hold", "the number of parameters"
REACHES, NORMS = "what reaches the layers", "the settings of its norms"
"""Looks at a network whose right outcomes the notebook gives away."""

MOST = 2  # causes that fit equally well, to be named at all


@dataclasses.dataclass(frozen=True)
class Cause:
    """A mistake, in a student's words."""

    key: str
    """Its name in ``causes.json``."""
    says: str
    """What the answer does, as the end of "this is what comes out when …"."""
    nudge: str
    """Where to look."""
    hint: str
    """More of it."""


@dataclasses.dataclass(frozen=True)
class Family:
    """An exercise's right answer and its wrong variants, as fingerprints."""

    right: dict[str, str]
    """The right answer's digests, by what was looked at."""
    own: dict[str, str]
    """The same for a network on its own layers; empty for all others."""
    expected: dict[str, str]
    """What the notebook itself gives away: values of its public examples, for people."""
    variants: tuple[tuple[frozenset[tuple[str, str]], tuple[str, ...]], ...]
    """For each variant: what it gives where it differs, and its causes."""

    def rights(self, outcomes: Iterable[Outcome]) -> dict[str, str]:
        """The right digests for an answer: a network whose layers could not be exchanged stands on its own."""
        apart = next((o.digest for o in outcomes if o.name == APART), digest(True)) == digest(True)
        return self.right if apart or not self.own else self.own


def short(text: str) -> str:
    """A digest's own short hash."""
    return hashlib.blake2b(text.encode(), digest_size=3).hexdigest()


def difference(right: dict[str, str], outcomes: Iterable[Outcome]) -> frozenset[tuple[str, str]]:
    """What differs from the right answer: by name, a short hash, which is empty for what could not be looked at."""
    got = {outcome.name: outcome.digest for outcome in outcomes}
    wrong = {(name, short(found)) for name, found in got.items() if right.get(name) != found}
    return frozenset(wrong | {(name, "") for name in right.keys() - got.keys()})


@functools.cache
def read(name: str) -> dict:
    """One of the package's files, ``variants.json``, ``causes.json`` or ``arrays.json``; not to be changed."""
    return json.loads((resources.files("gcnn.diagnosis") / name).read_text(encoding="utf-8"))


@functools.lru_cache(maxsize=32)
def causes(exercise: str) -> dict[str, Cause]:
    """All causes of an exercise's mistakes by name; its own come before those of its families."""
    everything = read("causes.json")
    own = everything["exercises"][exercise]
    texts = dict(own["causes"])
    for name in own["families"]:
        texts = everything["families"][name] | texts
    return {key: Cause(key, *text) for key, text in texts.items()}


@functools.lru_cache(maxsize=32)
def patterns(exercise: str) -> list[tuple[str, list[str], str]]:
    """Which cause is named by which groups of looks are wrong, whatever came out.

    ``"only"`` these groups, ``"any"`` of them, ``"part"``: only these of those that look at parts, or ``"few"``
    looks of the first group that is wrong, which is one of them.
    """
    everything = read("causes.json")
    known = causes(exercise)
    return [(how, groups, cause) for how, groups, cause in everything["patterns"] if cause in known]


def unpacked(kept: dict) -> Family:
    """A family from what stands in ``variants.json`` for an exercise."""
    names = kept["looks"]
    variants = []
    for wrong, found in kept["variants"]:
        parts = (part.partition("=") for part in wrong.split())
        variants.append((frozenset((names[int(at)], value) for at, _, value in parts), tuple(found)))
    return Family(kept["right"], kept.get("own", {}), kept.get("expected", {}), tuple(variants))


def packed(family: Family) -> dict:
    """What stands in ``variants.json`` for a family: a variant is a line of numbers of looks with what they gave."""
    names = list(family.right)
    for wrong, _ in family.variants:
        names += sorted({name for name, _ in wrong} - set(names))
    at = {name: number for number, name in enumerate(names)}
    variants = []
    for wrong, found in family.variants:
        parts = sorted((at[name], value) for name, value in wrong)
        variants.append([" ".join(f"{number}={value}" for number, value in parts), list(found)])
    kept = {"right": family.right, "own": family.own, "expected": family.expected, "looks": names}
    return kept | {"variants": sorted(variants)}


@functools.lru_cache(maxsize=32)
def family(exercise: str) -> Family:
    """The fingerprints of an exercise."""
    return unpacked(read("variants.json")[exercise])


def named(exercise: str, found: Family, outcomes: list[Outcome], right: dict[str, str]) -> list[str]:
    """The causes of what came out, if they can be told: one, or two that fit equally well, or none.

    A known variant that is the same in everything comes first. Then looks that say all by themselves, what the layers
    of a network say, or what a filter bank or an action is made of, then which groups of looks are wrong, then variants
    that are the same in some part: where the pixels go, say.

    Args:
        exercise: whose answer it is.
        found: the exercise's family.
        outcomes: what came out.
        right: what should have, `Family.right` or `Family.own`.
    """
    wrong = difference(right, outcomes)
    if same := _united(kept for variant, kept in found.variants if variant == wrong):
        return same if len(same) <= MOST else []
    if any("alloc" in o.error or "emory" in o.error or o.digest == "endless" for o in outcomes):
        return []
    groups: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault(outcome.group, []).append(outcome)
    bad = {g: [o for o in some if right.get(o.name) != o.digest] for g, some in groups.items()}
    judged = [g for g, some in bad.items() if any(o.judges for o in some)]
    everywhere = [g for g, some in bad.items() if any(not o.digest.startswith("raises") for o in some)]
    complete = not any(name for name, value in wrong if not value)
    if "no-bias-case" in causes(exercise) and _only_without_bias(bad):
        return ["no-bias-case"]
    for how, globs, cause in patterns(exercise):
        if how == "any" and any(_fits(g, globs) for g in everywhere):
            return [cause]
    if told := _from_layers(found, outcomes) or _from_reading(exercise, outcomes, right):
        return told.split()
    for how, globs, cause in patterns(exercise):
        if how == "few" and judged and _fits(judged[0], globs) and 16 * len(bad[judged[0]]) <= len(groups[judged[0]]):
            return [cause]
        if how == "part" and [g for g in everywhere if g.startswith("~")] == globs:
            return [cause]
        if how == "only" and complete and all(_fits(g, globs) for g in judged):
            return [cause]
    forms = all(o.form == right.get(o.name, "").partition(":")[0] for o in bad.get("bias", ()))
    if "bias" in judged and forms and not bad.get("~bias") and groups.get("~bias") and "bias-mixed" in causes(exercise):
        return ["bias-mixed"]  # the right values stand in the wrong places
    if judged and "not-static" in causes(exercise):
        first = bad[judged[0]][0]
        if first.error.startswith("TypeError") and not first.line:  # the call itself failed
            return ["not-static"]
    parts = [o for g, some in groups.items() if g.startswith("~") for o in some]
    return _alike(found, right, wrong, parts) or _alike(found, right, wrong, groups[judged[0]] if judged else [])


def _only_without_bias(bad: dict[str, list[Outcome]]) -> bool:
    """Whether all that is wrong is about layers without a bias, and is not their filters."""
    names = [o.name for some in bad.values() for o in some if o.judges]
    return bool(names) and all("bias=False" in name for name in names) and not bad.get("filter")


def _alike(found: Family, right: dict[str, str], wrong: frozenset, some: list[Outcome]) -> list[str]:
    """The one cause of the known variants that are the same in some looks.

    None counts that is wrong where this answer is right, and those come first that explain a part of it to the last
    digit: it may have another mistake as well.
    """
    if any(o.digest.startswith("raises") or o.form == "None" for o in some):
        return []
    here = {(o.name, short(o.digest)) for o in some if right.get(o.name) != o.digest}
    names, broken = {o.name for o in some}, {name for name, _ in wrong}
    same = [one for one in found.variants if here and {w for w in one[0] if w[0] in names} == here]
    alike = _united(kept for variant, kept in same if variant <= wrong)
    if alike:
        return alike if len(alike) <= MOST else []
    alike = _united(kept for variant, kept in same if {name for name, _ in variant} <= broken)
    return alike if len(alike) == 1 else []


def _fits(group: str, globs: list[str]) -> bool:
    return any(fnmatch.fnmatchcase(group, glob) for glob in globs)


def _from_layers(found: Family, outcomes: list[Outcome]) -> str:
    """The cause that a network's layers tell; nothing for anything else."""
    texts = {o.name: o.text for o in outcomes if o.name in (LAYERS, HELD, REACHES, NORMS)}
    if LAYERS not in texts or LAYERS not in found.expected:
        return ""
    ended = not any(o.digest.startswith("raises") for o in outcomes if o.group in ("ran", "shape"))
    got, right = network_rules.steps(texts[LAYERS]), network_rules.steps(found.expected[LAYERS])
    count = next((o.digest for o in outcomes if o.name == COUNT), "")
    if not any(step.kind == right[0].kind for step in got) and count == found.right.get(COUNT):
        return ""  # its layers do not run as layers, which is no mistake: nothing is known of them
    settings = found.expected.get(NORMS)  # of a network that has norms
    if settings and texts.get(NORMS) and texts[NORMS] != settings:
        return "other-norm"
    told = network_rules.cause(got, right, texts.get(HELD, ""), found.expected.get(HELD, ""), ended)
    reached = network_rules.first_wrong(texts.get(REACHES, ""), found.expected.get(REACHES, ""))
    return told or (network_rules.by_elimination(got, right, reached) if ended and reached is not None else "")


def _from_reading(exercise: str, outcomes: list[Outcome], right: dict[str, str]) -> str:
    """What products, a filter bank or an action tell by what they are made of: causes that the exercise has."""
    if refusals := [o for o in outcomes if o.group.endswith(", outside")]:
        judged = [o for o in outcomes if o.judges and right.get(o.name) != o.digest]
        if judged and all(o in refusals for o in judged):
            same = {o.name: right.get(o.name) == o.digest for o in refusals}
            return reading_rules.of_refusals({o.name: o.digest for o in judged}, same)
    if exercise == "d4":
        products = [o for o in outcomes if o.group == "product"]
        same = {o.name: right.get(o.name) == o.digest for o in products}
        return reading_rules.of_products({o.name: o.text for o in products}, same)
    wrong = [o for o in outcomes if o.group == READ and o.text and right.get(o.name) != o.digest]
    if not wrong:
        return ""
    moved = [right.get(o.name) == o.digest for o in outcomes if o.group == "~group axis"]
    if exercise == "isotropic-conv":
        cause = reading_rules.of_rings(wrong[0].text)
    elif moved:
        cause = reading_rules.of_action(readings.told(wrong[0].text), moved)
    else:
        text = wrong[0].text
        cause = reading_rules.of_bank(readings.told(text), text.startswith(readings.JOINED))
    return " ".join(key for key in cause.split() if key in causes(exercise))


def _united(lists: Iterable[Iterable[str]]) -> list[str]:
    united: dict[str, None] = {}
    for some in lists:
        united |= dict.fromkeys(some)
    return list(united)
