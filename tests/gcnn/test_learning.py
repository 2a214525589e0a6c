"""Tests of gcnn.learning: the measurements that come with the package, their recipe, and their pictures."""

import pytest
import torch
from torch import nn

from gcnn import plots
from gcnn.data import MnistRotDataset, turn
from gcnn.learning import EPOCHS, GROUPS, SIZES, accuracy_from, budget, measurements, some, upright

NETWORKS = ["ordinary CNN", "C4CNN", "D4CNN"]


def test_the_measurements_are_whole_and_fair():
    """Is there a figure for every network and number of digits, in percent, of networks of one size?"""
    found = measurements()
    assert list(found["accuracy"]) == list(found["parameters"]) == NETWORKS
    for by_digits in found["accuracy"].values():
        assert [int(digits) for digits in by_digits] == list(SIZES)
        assert all(values and all(10 < value <= 100 for value in values) for values in by_digits.values())
    counts = found["parameters"].values()
    assert max(counts) < 1.03 * min(counts)
    for by_standing in found["by_angle"].values():
        assert sorted(by_standing) == ["turned", "upright"]
        assert all(len(shares) == GROUPS for shares in by_standing.values())


def test_fewer_digits_are_seen_more_often():
    """Do all digits get few epochs, fewer digits more but less work, and what is no number a sentence?"""
    assert budget(SIZES[-1]).epochs == EPOCHS
    epochs = [budget(digits).epochs for digits in SIZES]
    assert epochs == sorted(epochs, reverse=True)
    work = [digits * n for digits, n in zip(SIZES, epochs, strict=True)]
    assert work == sorted(work)
    for wrong in (9, 10_001, 500.0, True, "500"):
        with pytest.raises(ValueError, match="from 10 to 10,000"):
            budget(wrong)


def test_some_digits_are_drawn_by_the_seed():
    """Are so many drawn, each with its label, the same for the same seed and others for another?"""
    train = MnistRotDataset("train")
    few, same, others = some(train, 50), some(train, 50), some(train, 50, seed=1)
    assert few.images.shape == (50, 1, 33, 33) and torch.equal(few.images, same.images)
    assert not torch.equal(few.images, others.images)
    where = [int((train.images == image).all((1, 2, 3)).nonzero()[0]) for image in few.images[:5]]
    assert torch.equal(train.labels[where], few.labels[:5]) and len(set(where)) == 5


def test_upright_digits_are_the_turned_ones_turned_back():
    """Are upright digits, turned by the angles that are known, the digits again, but for their blur?"""
    test = MnistRotDataset("test")
    back = upright(test)
    assert torch.equal(back.labels, test.labels)
    again = turn(back.images[:100], test.angles[:100])
    off = turn(back.images[:100], test.angles[:100] + 90)
    assert (again - test.images[:100]).abs().mean() < 0.02 < (off - test.images[:100]).abs().mean()
    test.angles = None
    with pytest.raises(ValueError, match="angles are not known"):
        upright(test)


def test_a_point_is_measured_again():
    """Is a network trained on so many digits, and its accuracy that of the test digits?"""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(33 * 33, 10))
    accuracy = accuracy_from(100, model, progress=False)
    assert 20 < accuracy < 60
    assert model.history.budget == budget(100)


def test_the_curves_show_the_measurements_and_own_runs():
    """Do the words name each network's accuracies, and does a run of one's own get a ring?"""
    figure = plots.accuracy_by_digits({"C4CNN": {500: 77.7}})
    lines = figure.axes[0].get_lines()
    assert len(lines) == len(NETWORKS) + 1
    assert list(lines[-1].get_xdata()) == [500] and list(lines[-1].get_ydata()) == [77.7]
    assert "Your C4CNN: 500: 77.7 %." in figure.alt
    for name, by_digits in measurements()["accuracy"].items():
        mean = sum(by_digits["200"]) / len(by_digits["200"])
        assert f"{name}: 200: {mean:.1f} %" in figure.alt
    assert len(plots.accuracy_by_digits().axes[0].get_lines()) == len(NETWORKS)
    assert figure.axes[0].get_ylim()[0] <= 77.7


@pytest.mark.parametrize("own", [[], {"C4CNN": 77.7}, {"C4CNN": {}}, {"C4CNN": {500: 101}}, {"C4CNN": {0.5: 50}}])
def test_runs_of_another_form_get_a_sentence(own):
    """Is it said what own runs must look like?"""
    with pytest.raises(ValueError, match="your own runs must look like"):
        plots.accuracy_by_digits(own)


def test_the_upbringing_shows_by_angle():
    """Is there a line for each network and upbringing, which upright test digits tell apart least?"""
    figure = plots.accuracy_by_upbringing()
    assert len([line for line in figure.axes[0].get_lines() if len(line.get_xdata()) == GROUPS]) == 4
    for name in ("ordinary CNN", "C4CNN"):
        assert f"{name} from upright digits:" in figure.alt and f"{name} from turned digits:" in figure.alt
