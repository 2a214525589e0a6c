"""Tests of autograder.thresholds: that the bounds stand where the measurements allow, and how sure they are."""

import math
import statistics
from pathlib import Path

import fairness
import networks
import pytest
import torch
import torch.nn.functional as F
from mistakes import MISTAKES

from autograder.thresholds import GRADING, Threshold
from gcnn.data import MnistRotDataset

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results" / "calibrate.json"
CHANCE = 12.5  # percent of the hidden digits that the commonest digit makes up, rounded up


@pytest.fixture(scope="module")
def accuracies():
    """The measured accuracies by figure."""
    return fairness.measured(RESULTS)


def log_odds(percent):
    """The logarithm of the odds."""
    return math.log(percent / (100 - percent))


def percent(odds):
    """Its inverse."""
    return 100 / (1 + math.exp(-odds))


@pytest.mark.parametrize("name", GRADING)
def test_a_right_network_hardly_ever_fails(name, accuracies):
    """From 30 seeds: is it as improbable as it must be that a right network misses its bounds, once and twice?"""
    right = accuracies[f"accuracy.{name}.grading"]
    once = fairness.probability_outside(right, GRADING[name])
    assert len(right) >= 30 and len(set(right)) > 20
    assert once <= fairness.ONCE == 1 / 100 and once**2 <= fairness.TWICE == 1 / 10_000
    assert all(map(GRADING[name].passes, right))


@pytest.mark.parametrize("name", GRADING)
def test_a_processor_without_bfloat16_makes_no_difference(name, accuracies):
    """Are right networks that were trained in float32 throughout within the bounds just as well?"""
    plain = accuracies[f"accuracy.{name}.grading.float32"]
    bar = GRADING[name]
    assert len(plain) >= 5 and all(map(bar.passes, plain))
    assert abs(statistics.mean(plain) - bar.mean) < 4 * bar.sd


@pytest.mark.parametrize("name", GRADING)
def test_the_table_quotes_the_measurements(name, accuracies):
    """Do mean, sd and n stand in the benchmark's result as they do in the table?"""
    measured, bar = accuracies[f"accuracy.{name}.grading"], GRADING[name]
    assert bar.n == len(measured)
    assert bar.mean == pytest.approx(statistics.mean(measured), abs=0.06)
    assert bar.sd == pytest.approx(statistics.stdev(measured), abs=0.006)


@pytest.mark.parametrize(("network", "wrong"), [(name, wrong) for name in GRADING for wrong in fairness.WRONG[name]])
def test_a_wrong_network_is_outside_the_bounds(network, wrong, accuracies):
    """Did every measured run of a network that is not the right one miss the bounds?"""
    runs = accuracies[f"accuracy.{wrong}.grading"]
    assert len(runs) >= 5 and not any(map(GRADING[network].passes, runs))


@pytest.mark.parametrize("name", GRADING)
def test_an_untrained_network_fails(name, accuracies):
    """Is every measured network below the bound before its training, and every bound above chance?"""
    assert max(accuracies[f"accuracy.{name}.none"]) < GRADING[name].at_least > CHANCE


def test_the_probability_is_that_of_students_distribution():
    """Is it Student's t on log odds, at its tabulated quantiles?"""
    five = [percent(x) for x in (-1, 0, 0, 0, 1)]  # mean 0, variance 1/2, 4 degrees of freedom
    spread = math.sqrt(1 / 2 * (1 + 1 / 5))
    for t, beyond in ((2.776445, 0.025), (4.604095, 0.005)):
        low = percent(-t * spread)
        assert fairness.probability_outside(five, Threshold(low, 0, 0, 0)) == pytest.approx(beyond, rel=1e-3)
    assert fairness.probability_outside(five, Threshold(50, 0, 0, 0)) == pytest.approx(0.5)
    with pytest.raises(ValueError, match="at least 2"):
        fairness.probability_outside([90.0], GRADING["c4cnn"])


def test_the_fit_is_tested():
    """Are log odds from a normal distribution accepted as such, and those of two clusters not?"""
    even = [percent(2 + 0.1 * statistics.NormalDist().inv_cdf((i + 0.5) / 30)) for i in range(30)]
    assert fairness.normality(even) > 0.5
    assert fairness.normality([80.0 + i / 100 for i in range(15)] + [95.0 + i / 100 for i in range(15)]) < 0.01
    assert fairness.normality([90.0, 91.0]) is None


def test_bounds_that_are_not_fair_are_named():
    """Does a bound that a right network may miss, or that a wrong one reached, become a sentence?"""
    right = [91.0 + i / 100 for i in range(30)]
    fair = {"accuracy.c4cnn.grading": right, "accuracy.wrong.no_roll.grading": [75.0, 75.2, 75.4]}

    def problems(**more):
        (one,) = fairness.judged(
            fair | {f"accuracy.{name.replace('__', '.')}": values for name, values in more.items()}
        )
        return one.problems

    rows = {row["name"]: row["value"] for row in fairness.rows(fairness.judged(fair))}
    assert problems() == [] and rows["thresholds.false_fail_probability"] < 1e-10
    assert rows["thresholds.c4cnn.false_pass_probability"] < 0.01
    for more, said in (
        ({"c4cnn.grading": [80.0, 90.0, 95.0] * 10}, "a right c4cnn misses its bounds"),
        ({"c4cnn.grading": [91.0, 91.1]}, "was measured 2 times, not 30"),
        ({"wrong.no_turn.grading": [80.0, 86.0]}, "wrong.no_turn passed as c4cnn with 86 %"),
        ({"c4cnn.grading.float32": [91.0, 84.0]}, "accuracy.c4cnn.grading.float32 missed the bounds"),
    ):
        assert any(said in problem for problem in problems(**more)), more
    assert "| `wrong.no_roll` | 75.40 |" in fairness.section(fairness.judged(fair))


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistaken_network_is_one_that_can_be_trained(name):
    """Has each wrong network one number per class, and does a gradient reach what its mistake leaves trainable?"""
    torch.manual_seed(0)
    model = MISTAKES[name][1]()
    y = model(torch.rand(2, 1, 33, 33))
    y.sum().backward()
    assert y.shape == (2, 10)
    reached = [p.grad is not None and bool(p.grad.any()) for p in model.parameters()]
    assert all(reached) == (name != "wrong.no_gradient") and any(reached)


@pytest.mark.parametrize("name", networks.CLASSES)
def test_every_network_begins_where_guessing_is(name):
    """Do fresh weights keep values in their range, so that no training begins with a loss that throws it off?"""
    digits = MnistRotDataset("valid")
    torch.manual_seed(0)
    with torch.no_grad():
        fresh = [networks.network("ours", name) for _ in range(2)]
        losses = [F.cross_entropy(one(digits.images[:200]), digits.labels[:200]) for one in fresh]
    assert all(math.log(10) - 0.1 < loss < 4.5 for loss in losses), losses
