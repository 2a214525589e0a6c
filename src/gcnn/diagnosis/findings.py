"""What is wrong with an answer: looks at it, compares, and finds the first difference and the mistake's name."""

import contextlib
import dataclasses
import inspect
import re
from collections.abc import Mapping

import torch
from torch import nn

from gcnn.diagnosis import family as families
from gcnn.diagnosis import network_rules, readings
from gcnn.diagnosis.compared import Maps, Table, compared
from gcnn.diagnosis.course import ASKED, CLASS, REDEFINED, Asked, outcomes, used_names
from gcnn.diagnosis.family import Cause
from gcnn.diagnosis.outcomes import READ, Outcome
from gcnn.stand_ins import namespaces

_CALLS = re.compile(r"^two calls of (.+) with the same input$")
_MANY = re.compile(r"(the (answers|names|last digits|trained parameters)|two|three)\b")
"""Names of looks that stand in the plural."""


@dataclasses.dataclass(frozen=True)
class Finding:
    """What the checks of an exercise found."""

    asked: Asked
    """The exercise."""
    right: bool
    """Whether all that was looked at is as it should be."""
    headline: str
    """The first thing that is wrong, or what was checked, in one sentence."""
    details: tuple[str, ...] = ()
    """Got and expected, and the student's own line where an exception was raised."""
    causes: tuple[Cause, ...] = ()
    """The mistake that gives exactly this; two if both do."""
    error: Outcome | None = None
    """The exception that was raised, if it is the first thing that is wrong."""
    elsewhere: bool = False
    """Whether the mistake lies outside of the answer, as the headline says."""
    shown: Maps | Table | None = None
    """What a picture can show of the difference."""


def _wrong_kind(asked: Asked, thing: object) -> str:
    """Why a thing cannot be an answer to an exercise, in a sentence; nothing if it can."""
    if thing is None:
        return f"{asked.name} is None: something has taken the name's place. Run the cell that defines it again."
    if asked.kind == CLASS and not inspect.isclass(thing):
        if inspect.isroutine(thing):
            return f"A class is expected, {asked.name}, and this is a function: {getattr(thing, '__name__', '')}."
        kind = type(thing).__name__
        return f"The class itself is expected, {asked.name}, and this is an object of type {kind}: leave the call out."
    if asked.kind != CLASS and (inspect.isclass(thing) or not callable(thing)):
        what = f"the class {thing.__name__}" if inspect.isclass(thing) else f"a {type(thing).__name__}"
        return f"The function itself is expected, {asked.name}, and this is {what}."
    is_module = inspect.isclass(thing) and issubclass(thing, nn.Module)
    if asked.kind == CLASS and asked.key not in ("c4", "d4") and not is_module:
        return f"{asked.name} must be an nn.Module: class {asked.name}(nn.Module)."
    return ""


def _needed(asked: Asked, thing: object) -> str:
    """A mistake that lies in another exercise's answer which this one uses, in a sentence."""
    used = used_names(thing)
    for space in namespaces(thing):
        for name, key in asked.needs:
            if name in used and name in space and not _is_right(key, space[name]):
                return (
                    f"{asked.name} uses {name}, which is not right yet itself: run checks.{ASKED[key].check}({name})."
                )
    return ""


def _redefined(found: list[Outcome]) -> str:
    """A given name that means something else, in a sentence."""
    names = next((o.text for o in found if o.name == REDEFINED), "")
    if not names:
        return ""
    return (
        f"The name {names} no longer means what the course gave you: some cell has defined it anew. "
        "Rename yours, then run the set-up cells and this exercise again."
    )


def _is_right(key: str, thing: object) -> bool:
    if _wrong_kind(ASKED[key], thing):
        return False
    return judged(ASKED[key], outcomes(key, thing)).right


def _stage(outcome: Outcome, right: str) -> int:
    """How early a difference is to be told: exists, type, shape, dtype, value."""
    if outcome.digest == "endless":
        return -1
    if _unwritten(outcome):
        return 4  # what is written comes first
    if outcome.error and not right.startswith("ValueError"):
        return 0 if outcome.line else 1  # an exception outside of the student's code follows from something else
    kind, expected = outcome.form.split("(")[0], right.partition(":")[0].split("(")[0]
    if kind != expected:
        return 1
    return 2 if outcome.form != right.partition(":")[0] else 3


def _first(bad: list[Outcome], right: dict[str, str]) -> Outcome:
    return min(bad, key=lambda o: _stage(o, right.get(o.name, "")))


def _described(bad: Outcome, right: str, expected: str) -> tuple[str, tuple[str, ...]]:
    """The sentence about a difference, and its details."""
    name = _CALLS.sub(r"calling \1", bad.name) if bad.error else bad.name
    verbs = ("are", "have", "raise", "take") if _MANY.match(name) else ("is", "has", "raises", "takes")
    is_, has, raises, takes = verbs
    if name.split(" ")[0] in ("the", "two", "what", "whether", "three", "an", "calling"):
        name = name[:1].upper() + name[1:]
    if bad.digest == "endless":
        details = (f"It was at line {bad.number} of your cell: {bad.line}",) if bad.line else ()
        return f"{name} {takes} longer than a minute: is there a loop that never ends?", details
    if right.startswith("ValueError"):
        got = bad.error or f"{bad.text or bad.form} is returned and nothing raised"
        return f"{name} must raise a ValueError that names the wrong element.", (f"got: {got}",)
    if bad.error:
        details = (f"at line {bad.number} of your cell: {bad.line}",) if bad.line else ()
        return f"{name} {raises} {bad.error}", details
    form, wanted = bad.form, right.partition(":")[0]
    if form == "None" and wanted != "None":
        return f"{name} {is_} None: is a return missing?", (f"expected: {wanted}",)
    if form != wanted:
        what = "another type" if form.split("(")[0] != wanted.split("(")[0] else "another shape or dtype"
        return f"{name} {has} {what} than expected.", (f"got: {form}", f"expected: {wanted}")
    details = (f"got: {bad.text}", f"expected: {expected}") if bad.text and expected else ()
    return f"{name} {is_} not right.", details


def _made_of(found: list[Outcome], right: Mapping[str, str]) -> tuple[str, ...]:
    """What an answer does, line by line, if that is wrong and can be said in words."""
    for one in found:
        if one.group == READ and one.text and right.get(one.name) != one.digest:
            what, letter = ("y", "r") if one.name.endswith(" makes of y") else ("the weight", "s")
            lines = readings.rings_in_words(one.text) or readings.in_words(one.text, what, letter)
            lines += ["degrees are counter-clockwise"] if any("°" in line for line in lines) else []
            return (f"{one.name}:", *(f"  {line}" for line in lines)) if lines else ()
    return ()


def _unwritten(outcome: Outcome) -> bool:
    return outcome.digest.startswith("raises NotImplementedError")


def find(key: str, thing: object) -> Finding:
    """Look at an answer and say what is wrong with it.

    Args:
        key: the exercise.
        thing: what the student defined.
    """
    asked = ASKED[key]
    if sentence := _wrong_kind(asked, thing):
        return Finding(asked, False, sentence)
    values: dict[str, torch.Tensor] = {}
    return judged(asked, outcomes(key, thing, values=values), thing, values=values)


def judged(
    asked: Asked,
    found: list[Outcome],
    thing: object = None,
    known: families.Family | None = None,
    values: Mapping[str, torch.Tensor] | None = None,
) -> Finding:
    """What these outcomes say about an answer.

    Args:
        asked: the exercise.
        found: what came out.
        thing: the answer, to look for mistakes that lie outside of it.
        known: the family to compare with, by default the one that comes with the package.
        values: arrays of the answer, to be shown; without them nothing is.
    """
    known = known or families.family(asked.key)
    right = known.rights(found)
    bad = [o for o in found if (o.judges or o.digest == "endless") and right.get(o.name) != o.digest]
    if not bad and (missing := [name for name in right if name not in {o.name for o in found}]):
        return Finding(asked, False, f"Not all of {asked.name} could be looked at. What is missing: {missing[0]}.")
    if not bad:
        return Finding(asked, True, f"All public checks of {asked.name} passed: {asked.success}.")
    if _unwritten(bad[0]):
        return Finding(asked, False, f"{bad[0].name} is not written yet: it raises NotImplementedError.")
    if sentence := _redefined(found) or (_needed(asked, thing) if thing is not None else ""):
        return Finding(asked, False, sentence, elsewhere=True)
    first = _first(bad, right)
    headline, details = _described(first, right.get(first.name, ""), known.expected.get(first.name, ""))
    keys = families.named(asked.key, known, found, right)
    if families.LAYERS in known.expected:
        layers = next((o.text for o in found if o.name == families.LAYERS), "")
        reached = next((o.text for o in found if o.name == families.REACHES), "")
        wrong = network_rules.first_wrong(reached, known.expected.get(families.REACHES, ""))
        details += network_rules.first_difference(
            network_rules.steps(layers), network_rules.steps(known.expected[families.LAYERS]), wrong
        )
    details += _made_of(found, right)
    texts = families.causes(asked.key)
    if "None" in first.error and "bias=False" in first.name and "no-bias-case" in texts:
        keys = ["no-bias-case"]  # another mistake, even if there is one, would not explain this error
    error = first if first.error and not right.get(first.name, "").startswith("ValueError") else None
    shown = None
    if values is not None:
        with contextlib.suppress(Exception):  # what cannot be shown must not hide what can be said
            shown = compared(asked.key, first, found, right, values)
    causes = tuple(texts[k] for k in keys if k in texts)
    return Finding(asked, False, headline, details, causes, error, shown=shown)
