"""Tests of autograder.thresholds: that the bounds stand where the measurements allow."""

import json
from pathlib import Path

import pytest

from autograder.thresholds import GRADING

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results" / "accuracy.json"
CHANCE = 12.5  # percent of the hidden digits that the commonest digit makes up, rounded up


@pytest.fixture(scope="module")
def rows():
    """The measured figures by name."""
    return {row["name"]: row for row in json.loads(RESULTS.read_text())["rows"]}


@pytest.mark.parametrize("name", GRADING)
def test_a_right_network_is_far_inside_the_bounds(name):
    """Are both bounds at least five standard deviations from what right networks reach, and chance outside?"""
    bar = GRADING[name]
    assert CHANCE < bar.at_least <= bar.mean - 5 * bar.sd
    assert bar.at_most is None or bar.at_most >= bar.mean + 5 * bar.sd


@pytest.mark.parametrize("name", GRADING)
def test_the_table_quotes_the_measurements(name, rows):
    """Do mean, sd and n stand in the benchmark's result as they do in the table?"""
    measured, bar = rows[f"accuracy.{name}.grading"], GRADING[name]
    assert bar.n == measured["spread"]["n"]
    assert bar.mean == pytest.approx(measured["value"], abs=0.06)
    assert bar.sd == pytest.approx(measured["spread"]["sd"], abs=0.006)


@pytest.mark.parametrize(
    ("wrong", "network"),
    [
        ("wrong.no_roll", "c4cnn"),
        ("wrong.no_gradient", "c4cnn"),
        ("isotropic_cnn", "c4cnn"),
        ("c4cnn", "isotropic_cnn"),
    ],
)
def test_a_wrong_network_is_outside_the_bounds(wrong, network, rows):
    """Did every measured run of a network that is not the right one miss the bounds?"""
    bar = GRADING[network]
    values = rows[f"accuracy.{wrong}.grading"]["spread"]["values"]
    assert all(value < bar.at_least or value > (bar.at_most or 100) for value in values)


@pytest.mark.parametrize("name", GRADING)
def test_an_untrained_network_fails(name, rows):
    """Is every measured network below the bound before its training?"""
    assert rows[f"accuracy.{name}.none"]["spread"]["max"] < GRADING[name].at_least
