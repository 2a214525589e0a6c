"""Tests of autograder.exercises: the table is the course's, and what depends on what."""

import pytest

from autograder.exercises import EXERCISES, dependants, needed
from autograder.notebooks import bound_names, role

# What course.md says: an exercise, its points, and what its answer may call.
COURSE = {
    "unique-inverse": (5, ()),
    "c4": (5, ()),
    "d4": (8, ()),
    "isotropic-conv": (12, ()),
    "rotate-p4": (5, ()),
    "lifting-conv": (15, ()),
    "group-conv": (15, ("rotate-p4",)),
    "why-pool": (5, ()),
    "c4cnn": (10, ("lifting-conv", "group-conv")),
    "isotropic-cnn": (5, ("isotropic-conv",)),
    "why-gap": (5, ()),
    "batch-norm-words": (2, ()),
    "batch-norm": (4, ()),
    "c4cnn-bn": (4, ("lifting-conv", "group-conv", "batch-norm")),
    "d4-action": (3, ()),
    "d4-lifting-conv": (4, ("d4-action",)),
    "d4-group-conv": (4, ("d4-action",)),
    "d4cnn": (4, ("d4-lifting-conv", "d4-group-conv")),
}


def total(**flags):
    """The points of all exercises with these flags."""
    return sum(e.points for e in EXERCISES.values() if all(getattr(e, name) == value for name, value in flags.items()))


def test_points_and_needs_are_the_courses():
    """Has each exercise the points and the dependencies that the course settles?"""
    assert {key: (e.points, e.needs) for key, e in EXERCISES.items()} == COURSE


def test_points_add_up():
    """Are there 100 points and 15 bonus, of which tests grade 83 and 15?"""
    assert (total(bonus=False), total(bonus=True)) == (100, 15)
    assert (total(by_hand=False, bonus=False), total(by_hand=False, bonus=True)) == (83, 15)
    assert {key for key, e in EXERCISES.items() if e.by_hand} == {
        "unique-inverse",
        "why-pool",
        "why-gap",
        "batch-norm-words",
    }


def test_exercises_stand_in_order_and_under_their_keys():
    """Is each key its exercise's own, are numbers in the notebook's order, and is what is needed earlier?"""
    assert all(key == e.key for key, e in EXERCISES.items())
    numbers = [e.number for e in EXERCISES.values()]
    assert numbers == sorted(numbers)
    keys = list(EXERCISES)
    assert all(keys.index(need) < keys.index(key) for key, e in EXERCISES.items() for need in e.needs)


@pytest.mark.parametrize(
    ("keys", "reached"),
    [
        ((), set()),
        (("c4",), {"c4"}),
        (("c4cnn",), {"c4cnn"}),
        (("rotate-p4",), {"rotate-p4", "group-conv", "c4cnn", "c4cnn-bn"}),
        (("batch-norm",), {"batch-norm", "c4cnn-bn"}),
        (("isotropic-conv", "d4"), {"isotropic-conv", "isotropic-cnn", "d4"}),
        (("d4-action",), {"d4-action", "d4-lifting-conv", "d4-group-conv", "d4cnn"}),
    ],
)
def test_dependants_are_followed_to_the_end(keys, reached):
    """Is what needs an exercise through others found, and nothing else?"""
    assert dependants(keys) == reached
    assert dependants(iter(keys)) == reached
    assert dependants(reached) == reached


@pytest.mark.parametrize(
    ("key", "others"),
    [
        ("c4", []),
        ("group-conv", ["rotate-p4"]),
        ("c4cnn", ["rotate-p4", "lifting-conv", "group-conv"]),
        ("d4cnn", ["d4-action", "d4-lifting-conv", "d4-group-conv"]),
    ],
)
def test_what_is_needed_is_followed_to_the_end(key, others):
    """Is what an exercise needs through others found, in order, and nothing else?"""
    assert needed(key) == others


def test_names_and_points_on_stand_ins_are_the_notebooks(source):
    """Does each answer define the table's name, and have the networks alone points that no other answer can cost?"""
    answers = {cell.id: cell.source for cell in source.cells if role(cell) == "answer" and cell.cell_type == "code"}
    assert {key: {e.answer} for key, e in EXERCISES.items() if e.answer} == {
        key: bound_names(code) for key, code in answers.items()
    }
    assert {key: e.apart for key, e in EXERCISES.items() if e.apart} == {
        "c4cnn": 4,
        "isotropic-cnn": 2,
        "c4cnn-bn": 2,
        "d4cnn": 2,
    }


def test_an_unknown_exercise_is_named():
    """Does a misspelt key stop with its name and the keys that there are?"""
    with pytest.raises(ValueError, match="there is no exercise c5, d5; there are unique-inverse, c4, d4"):
        dependants(["d5", "c4", "c5"])
    with pytest.raises(ValueError, match="there is no exercise c5"):
        needed("c5")
