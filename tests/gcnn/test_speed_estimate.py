"""Tests of gcnn.speed: what students are told about the time that training takes."""

import pytest
import torch

from gcnn import speed
from gcnn.budgets import Budget


def test_the_estimate_grows_with_the_budget_and_changes_nothing():
    """Is there a time for any budget, in proportion to its epochs, and is the random state left alone?"""
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    short, long = (speed.expected_seconds(Budget("x", epochs, batch_size=10)) for epochs in (1, 50))
    assert torch.equal(torch.rand(2), expected)
    assert 0 < short < long


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "1 second"),
        (4.4, "4 seconds"),
        (33, "35 seconds"),
        (89, "90 seconds"),
        (100, "2 minutes"),
        (640, "11 minutes"),
    ],
)
def test_durations_are_said_as_people_say_them(seconds, words):
    """Are seconds rounded as far as an estimate deserves?"""
    assert speed.in_words(seconds) == words


@pytest.mark.parametrize(("bfloat16", "d4cnn"), [(True, "75 seconds"), (False, "60 seconds")])
def test_the_sentence_names_both_networks(monkeypatch, bfloat16, d4cnn):
    """Does the set-up cell's sentence give a time for each part, which depends on how convolutions are computed?"""
    monkeypatch.setattr(speed, "expected_seconds", lambda: 30.0)
    monkeypatch.setattr(speed, "default_device", lambda: torch.device("cpu"))
    monkeypatch.setattr(speed, "rounds", lambda precision: bfloat16)
    assert speed.announce() == f"Training C4CNN in part 3 will take about 30 seconds here, D4CNN in part 4 {d4cnn}."
