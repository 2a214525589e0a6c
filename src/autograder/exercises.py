"""The exercises: their numbers, their points in all, and which of them needs which. One table, read by all that scores.

The notebook says how an exercise's points are split over its cells; the build checks that they add up to this table's.

A network needs its layers, but its architecture is tested on stand-ins for them (`gcnn.stand_ins`): a wrong layer costs
the network's invariance and its accuracy, not its architecture (``apart``). This is what the samples ``fails_…`` lose
outside of the exercise that they have wrong, with right answers to all that need it, before there were stand-ins and
now. (tests/notebooks/test_apart.py measures it, with networks that are as accurate as they must be.)

    wrong answer                                  before   now
    lifting-conv: rotates the wrong way               14     8   3.2: 10, now 6; 3.5c: 4, now 2
    group-conv: forgets to roll                       14     8   3.2: 10, now 6; 3.5c: 4, now 2
    group-conv: cuts the gradient                      0     0
    rotate-p4: rolls the other way                    29    23   as group-conv, and all 15 points of 2.4
    isotropic-conv: gives corners a zero               4     3   3.3: 4, now 3
    batch-norm: keeps statistics per orientation       0     0
    d4-action: permutes without reversing              8     6   4c: 4, now 2; and 4 points of 4b
"""

import dataclasses
from collections.abc import Iterable


@dataclasses.dataclass(frozen=True)
class Exercise:
    """One exercise, or a part of one with an answer cell of its own."""

    key: str
    """The id of its answer cell, and the ``tests=`` of its test cells."""
    number: str
    """Where it stands in the notebook."""
    points: int
    """All its points, tests and marking by hand together."""
    answer: str = ""
    """The name that its answer defines; none for an answer in words."""
    needs: tuple[str, ...] = ()
    """The exercises whose answers this one's answer calls. A mistake in one of them may cost points here as well."""
    apart: int = 0
    """Those of its points that no mistake in another answer can cost: of tests that exchange layers for stand-ins."""
    by_hand: bool = False
    """Whether a person marks it."""
    bonus: bool = False
    """Whether its points come on top of 100."""


EXERCISES = {
    exercise.key: exercise
    for exercise in (
        Exercise("unique-inverse", "1.1", 5, by_hand=True),
        Exercise("c4", "1.2", 5, "C4"),
        Exercise("d4", "1.3", 8, "D4"),
        Exercise("isotropic-conv", "2.1", 12, "IsotropicConv2d"),
        Exercise("rotate-p4", "2.2", 5, "rotate_p4"),
        Exercise("lifting-conv", "2.3", 15, "LiftingConv2d"),
        Exercise("group-conv", "2.4", 15, "GroupConv2d", needs=("rotate-p4",)),
        Exercise("why-pool", "3.1", 5, by_hand=True),
        Exercise("c4cnn", "3.2", 10, "C4CNN", needs=("lifting-conv", "group-conv"), apart=4),
        Exercise("isotropic-cnn", "3.3", 5, "IsotropicCNN", needs=("isotropic-conv",), apart=2),
        Exercise("why-gap", "3.4", 5, by_hand=True),
        Exercise("batch-norm-words", "3.5a", 2, by_hand=True),
        Exercise("batch-norm", "3.5b", 4, "GroupBatchNorm2d"),
        Exercise(
            "c4cnn-bn",
            "3.5c",
            4,
            "C4CNNWithBatchNorm",
            needs=("lifting-conv", "group-conv", "batch-norm"),
            apart=2,
        ),
        Exercise("d4-action", "4a", 3, "transform_p4m", bonus=True),
        Exercise("d4-lifting-conv", "4b", 4, "D4LiftingConv2d", needs=("d4-action",), bonus=True),
        Exercise("d4-group-conv", "4b", 4, "D4GroupConv2d", needs=("d4-action",), bonus=True),
        Exercise("d4cnn", "4c", 4, "D4CNN", needs=("d4-lifting-conv", "d4-group-conv"), apart=2, bonus=True),
    )
}


def dependants(keys: Iterable[str]) -> set[str]:
    """These exercises and all that need them, directly or through others.

    Raises:
        ValueError: there is no such exercise.
    """
    reached = set(keys)
    if unknown := reached - EXERCISES.keys():
        raise ValueError(f"there is no exercise {', '.join(sorted(unknown))}; there are {', '.join(EXERCISES)}")
    while more := {e.key for e in EXERCISES.values() if reached & set(e.needs)} - reached:
        reached |= more
    return reached


def needed(key: str) -> list[str]:
    """The exercises that this one needs, directly or through others, in the notebook's order.

    Raises:
        ValueError: there is no such exercise.
    """
    dependants([key])
    return [other for other in EXERCISES if other != key and key in dependants([other])]
