"""Tests of autograder.report and of the promise that a sample's name makes."""

import nbformat
import pytest
from rich.console import Console

from autograder.demo import broken_promises
from autograder.exercises import EXERCISES
from autograder.report import Grades, Score, exercise_of, table
from autograder.submissions import Sample

IN_CODE = frozenset(key for key, e in EXERCISES.items() if not e.by_hand)


def grades(student="anna", **points):
    """Full points in every exercise in code, but those given here; written answers wait."""
    scores = {
        key: Score(0, e.points, waiting=True)
        if e.by_hand
        else Score(points.get(key.replace("-", "_"), e.points), e.points)
        for key, e in EXERCISES.items()
    }
    return Grades(student, scores)


@pytest.mark.parametrize(
    ("cell", "exercise"),
    [
        ("test-c4-product", "c4"),
        ("test-c4cnn-accuracy", "c4cnn"),
        ("test-c4cnn-bn-accuracy", "c4cnn-bn"),
        ("test-d4-inverse", "d4"),
        ("test-d4-action", "d4-action"),
        ("test-d4cnn-network", "d4cnn"),
        ("why-gap", "why-gap"),
        ("batch-norm-words", "batch-norm-words"),
        ("test-batch-norm-training-mode", "batch-norm"),
    ],
)
def test_each_graded_cell_has_its_exercise(cell, exercise):
    """Is a cell's exercise read from its id, also where one name begins with another?"""
    assert exercise_of(cell) == exercise


def test_every_graded_cell_of_the_notebook_has_the_exercise_of_its_metadata(source):
    """Do ids and metadata agree?"""
    for cell in source.cells:
        if cell.metadata.get("nbgrader", {}).get("grade"):
            assert exercise_of(cell.id) == cell.metadata.course.exercise


def test_unknown_cells_are_named():
    """Is a graded cell of no exercise an error?"""
    with pytest.raises(ValueError, match="'test-c5-product'"):
        exercise_of("test-c5-product")


def test_the_table_shows_every_exercise_and_total():
    """Is each student a row with points by exercise and the total, within 120 columns?"""
    text = Console(width=120).render_lines(table([grades("anna", c4=2), grades("[bold]bert")]))
    lines = ["".join(part.text for part in line) for line in text]
    anna = next(line for line in lines if "anna" in line).split()
    assert anna == ["anna", "2", "8", "12", "5", "15", "15", "10", "5", "4", "4", "3", "4", "4", "4", "95", "waits"]
    assert any("[bold]bert" in line for line in lines)


def sample(name, attempted=IN_CODE):
    """A sample of this name; its notebook does not matter here."""
    loses = {"fails_c4__x": {"c4"}, "fails_rotate_p4__x": {"rotate-p4"}}.get(name, set())
    return Sample(name, nbformat.v4.new_notebook(), frozenset(attempted), frozenset(loses))


@pytest.mark.parametrize(
    ("name", "attempted", "points", "broken"),
    [
        ("passes_all", IN_CODE, {}, []),
        ("passes_all", IN_CODE, {"c4": 3}, ["1.2 c4 has 3 of 5 points, but its answer is right"]),
        ("fails_c4__x", IN_CODE, {"c4": 3}, []),
        ("fails_c4__x", IN_CODE, {}, ["1.2 c4 has 5 of 5 points, but its answer has a mistake"]),
        ("fails_c4__x", IN_CODE, {"c4": 3, "d4": 3}, ["1.3 d4 has 3 of 8 points, but its answer is right"]),
        ("fails_rotate_p4__x", IN_CODE, {"rotate_p4": 0, "group_conv": 0, "c4cnn": 4, "c4cnn_bn": 2}, []),
        (
            "fails_rotate_p4__x",
            IN_CODE,
            {"rotate_p4": 0, "c4cnn": 3, "c4cnn_bn": 0},
            ["3.2 c4cnn has 3 of 10 points, but its answer is right, and 4 of them", "3.5c c4cnn-bn has 0 of 4 points"],
        ),
        ("fails_rotate_p4__x", IN_CODE, {"rotate_p4": 0, "lifting_conv": 0}, ["2.3 lifting-conv has 0 of 15"]),
        ("fails_c4__x", IN_CODE - {"d4cnn"}, {"c4": 3, "d4cnn": 0}, []),
        ("fails_c4__x", IN_CODE - {"d4cnn"}, {"c4": 3}, ["4c d4cnn has 4 of 4 points, but it is not answered"]),
    ],
)
def test_a_name_is_a_promise(name, attempted, points, broken):
    """Is each way to break a sample's promise noticed, and a kept one not?"""
    found = broken_promises(sample(name, attempted), grades(**points))
    assert len(found) == len(broken)
    assert all(part in sentence for part, sentence in zip(broken, found, strict=True))
