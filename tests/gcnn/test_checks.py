"""Tests of gcnn.checks: each comparison rejects what is wrong, accepts what is right, and says what to look at."""

import pytest
import torch

from gcnn import checks
from gcnn.measurements import recorded


@pytest.mark.parametrize(
    ("got", "expected"),
    [(3, 3), ((1, 2), (1, 2)), (None, None), ("a", "a")],
)
def test_equal_accepts_equal_values(got, expected):
    """Is the right value accepted?"""
    checks.equal(got, expected, "it")


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        (4, 3),
        (True, 1),
        (3.0, 3),
        ((1, 2), (2, 1)),
        ((1, 2, 3), (1, 2)),
        ((1.0, 2), (1, 2)),
        ([1, 2], (1, 2)),
        (0, None),
    ],
)
def test_equal_rejects_another_value_or_type(got, expected):
    """Is another value, or an equal one of another type, rejected with both and the cause in the message?"""
    with pytest.raises(AssertionError, match=r"C4\.product") as caught:
        checks.equal(got, expected, "C4.product(1, 2)", "Look at the remainder.")
    assert repr(expected) in str(caught.value)


def test_equal_rejects_what_claims_to_equal_everything():
    """Is an object whose == always says yes rejected by its type?"""

    class Yes:
        def __eq__(self, other):
            return True

    with pytest.raises(AssertionError):
        checks.equal(Yes(), 3, "it")


def test_shape_names_got_and_expected():
    """Does the message name both shapes and the cause?"""
    with pytest.raises(AssertionError, match=r"\(2, 3\), expected \(3, 2\)\. Look at the axes\."):
        checks.shape(torch.ones(2, 3), (3, 2), "The bank", "Look at the axes.")
    with pytest.raises(AssertionError, match="a list; a tensor is expected"):
        checks.shape([1], (1,), "The bank")
    with pytest.raises(AssertionError, match="NaN"):
        checks.shape(torch.tensor([float("inf")]), (1,), "The bank")
    checks.shape(torch.ones(2, 3), (2, 3), "The bank")


def test_close_judges_shape_dtype_and_value():
    """Are rounding accepted, and another shape, dtype or value rejected, with the place of the largest difference?"""
    expected = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    checks.close(expected * (1 + 1e-6), expected, "y")
    with pytest.raises(AssertionError, match=r"float64, expected torch\.float32"):
        checks.close(expected.double(), expected, "y")
    with pytest.raises(AssertionError, match="shape"):
        checks.close(expected[0], expected, "y")
    wrong = expected.clone()
    wrong[1, 0] = 7
    with pytest.raises(AssertionError, match=r"\(1, 0\) it is 7, expected 3"):
        checks.close(wrong, expected, "y")


def test_varies_rejects_a_constant_answer():
    """Is a network that says the same to every image rejected?"""
    with pytest.raises(AssertionError, match="same for different inputs"):
        checks.varies(torch.ones(5, 10), "The answer")
    checks.varies(torch.eye(5), "The answer")


def test_parameters_judges_names_and_shapes():
    """Are missing, misshapen and unwanted parameters rejected by name, and others left alone?"""
    values = {"weight": torch.ones(2, 3), "table": torch.ones(1)}
    checks.parameters(values, {"weight": (2, 3), "bias": None}, "Layer")
    for expected in ({"weight": (3, 2)}, {"weight": None}, {"bias": (3,)}):
        with pytest.raises(AssertionError, match=f"Layer: {next(iter(expected))} has shape"):
            checks.parameters(values, expected, "Layer")


def test_accuracy_counts_and_rejects_malformed_outputs():
    """Is accuracy in percent, and is a wrong shape or NaN an error and not a score?"""
    labels = torch.tensor([0, 1, 2, 1])
    assert checks.accuracy(torch.eye(3)[torch.tensor([0, 1, 2, 2])], labels) == 75
    for bad in (torch.ones(3, 3), torch.ones(4), torch.full((4, 3), float("nan")), "10"):
        with pytest.raises(AssertionError):
            checks.accuracy(bad, labels)


def test_accuracies_are_recorded_where_somebody_asks():
    """Is what was measured within the block kept for its owner, and for nobody outside of it?"""
    labels = torch.tensor([0, 1])
    checks.accuracy(torch.eye(2), labels)
    with recorded() as outer:
        with recorded() as inner:
            checks.accuracy(torch.eye(2)[[0, 0]], labels, "It")
        checks.accuracy(torch.eye(2), labels)
    assert inner == [{"what": "It", "accuracy": 50.0, "images": 2}]
    assert [one["accuracy"] for one in outer] == [100.0]


def test_generator_depends_on_its_name_only():
    """Does the same name give the same numbers, and another name others?"""
    a, b, c = (torch.rand(3, generator=checks.generator(n)) for n in ("x", "x", "y"))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)
