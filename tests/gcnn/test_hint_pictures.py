"""Does a hint's picture show what came out beside what is expected, where that helps, and is it nowhere else?"""

import json
import re
from importlib import resources

import matplotlib.pyplot as plt
import pytest
import torch
from IPython.core.formatters import DisplayFormatter
from matplotlib.figure import Figure

from autograder.hinting import arrays
from gcnn.diagnosis import family, findings
from gcnn.diagnosis.course import ASKED
from gcnn.diagnosis.outcomes import digest
from gcnn.plots import mistakes

PICTURED = [key for key, asked in ASKED.items() if asked.pictured]


@pytest.fixture
def wrong(answers, report):
    """The report on a model's answer with one part replaced."""

    def check(key, old, new):
        assert old in answers[key]
        return report(key, answers[key].replace(old, new))

    return check


def expected_array(key, name):
    """What the package holds as expected."""
    kept = family.read("arrays.json")[key][name]
    return torch.tensor(kept["values"], dtype=torch.float64).reshape(kept["shape"])


def maps(picture):
    """The maps that a picture shows, in the order of its axes, colour bars left out."""
    shown = [torch.as_tensor(image.get_array().filled(torch.nan)) for ax in picture.axes for image in ax.images]
    return torch.stack(shown).double()


def folds(page):
    """What can be folded out, in this order."""
    return re.findall(r"<summary>(.*?)</summary>", page)


# What is replaced by what in which answer, how many maps stand side by side, and what the words must hold.
DIFFERENT = [
    ("rotate-p4", ".roll(r, -3)", ".roll(-r, -3)", 4, ("rotate_p4(y, 1)", "image 0, channel 0", "at s = 0")),
    (
        *("lifting-conv", "rotate(self.weight, s)", "rotate(self.weight, -s)", 4),
        ("the filter bank of LiftingConv2d", "output channel 0, input channel 0", "differ at s = 1 and s = 3"),
    ),
    (
        *("lifting-conv", "self.bias[:, None].expand(-1, 4)", "4 * self.bias[:, None].expand(-1, 4)", 4),
        ("the output of LiftingConv2d", "image 0, channel 0", "168 of 168 values"),
    ),
    (
        *("group-conv", "rotate_p4(self.weight, s)", "rotate(self.weight, s)", 4),
        ("the filter bank of GroupConv2d", "output s = 1", "at input t = 0"),
    ),
    (
        *("isotropic-conv", "self.weight[..., 0], self.weight[..., 1]", "self.weight[..., 1], self.weight[..., 0]"),
        *(1, ("build_filter() of IsotropicConv2d(2, 3)", "input channel 0", "at row 0, column 0")),
    ),
    ("batch-norm", "self.training, self.momentum", "True, self.momentum", 4, ("in evaluation mode", "at s = 0")),
    (
        *("d4-action", "[4, 7, 6, 5, 0, 3, 2, 1]", "[4, 5, 6, 7, 0, 1, 2, 3]", 8),
        ("transform_p4m(y, (1, 0))", "at (0, 1), (0, 3), (1, 1) and (1, 3)"),
    ),
    ("d4-lifting-conv", "rotate(starts[f], r)", "rotate(starts[f], -r if f else r)", 8, ("at (1, 1) and (1, 3)",)),
    (
        *("d4-group-conv", "transform_p4m(self.weight, (f, r))", "transform_p4m(self.weight, (f, -r % 4))", 8),
        ("the filter bank of D4GroupConv2d", "output (0, 1)"),
    ),
]


@pytest.mark.parametrize(
    ("key", "old", "new", "columns", "words"), DIFFERENT, ids=[f"{d[0]}: {d[2][:30]}" for d in DIFFERENT]
)
def test_a_wrong_answer_stands_beside_what_is_expected(key, old, new, columns, words, wrong):
    """Are there the answer's maps, the expected ones and their difference, with words that name the place?"""
    found = wrong(key, old, new)
    picture, shown = found.picture, found.finding.shown
    yours, expected, difference = maps(picture).chunk(3)
    assert len(yours) == columns
    assert torch.equal(yours, shown.got) and torch.equal(expected, shown.expected)
    assert torch.allclose(difference, yours - expected, atol=1e-3) and bool(difference.any())
    whole = expected_array(key, shown.what)
    assert any(torch.equal(expected[0], one) for one in whole.flatten(0, -3))
    for word in (*words, f"yours is {yours[shown.differs][0]:.6g}, {expected[shown.differs][0]:.6g} is expected"):
        assert word in picture.alt
    labels = " ".join(ax.get_title() + ax.get_ylabel() for ax in picture.axes)
    assert all(word in labels for word in ("yours", "expected", "difference"))
    assert picture.get_figwidth() <= 6.4


def test_the_filters_that_turn_the_wrong_way_are_the_expected_ones_in_another_order(wrong):
    """Are the maps in the picture the ones of the mistake: clockwise filters, where counter-clockwise is expected?"""
    shown = wrong("lifting-conv", "rotate(self.weight, s)", "rotate(self.weight, -s)").finding.shown
    assert torch.equal(shown.got, shown.expected[[0, 3, 2, 1]])
    assert torch.equal(shown.differs.flatten(1).any(1), torch.tensor([False, True, False, True]))


def test_only_the_channel_that_is_wrong_is_shown(report):
    """Is the first wrong channel shown, where others are right?"""
    code = "def rotate_p4(y, r):\n    z = rotate(y, r).roll(r, -3)\n    if y.dim() == 5 and len(y) == 2:\n"
    shown = report("rotate-p4", code + "        z[1, 2, 3] += 7 * (r == 2)\n    return z").finding.shown
    assert shown.what == "rotate_p4(y, 2) for y of shape (2, 3, 4, 5, 5)"
    assert shown.where == "image 1, channel 2"
    assert shown.differs.flatten(1).any(1).tolist() == [False, False, False, True]


TABLES = [
    ("c4", "(r + s) % 4", "r + s", "C4.product(a, b)", 4, 6, "a = 1, b = 3, where yours is 4"),
    ("c4", "-r % 4", "4 - r", "C4.inverse(a)", 1, 1, "a = 0, where yours is 4"),
    ("d4", "(r1 + (-r2 if f1 else r2)) % 4", "(r1 + r2) % 4", "D4.product(a, b)", 8, 16, "yours is (1, 1)"),
]


@pytest.mark.parametrize(("key", "old", "new", "what", "rows", "count", "words"), TABLES)
def test_a_table_shows_the_answers_own_values_and_which_are_wrong(key, old, new, what, rows, count, words, wrong):
    """Does a group's table mark the wrong places, without the right values, which are the answer?"""
    found = wrong(key, old, new)
    picture, shown = found.picture, found.finding.shown
    (ax,) = picture.axes
    own = [cell for row in shown.cells for cell in row]
    assert [text.get_text() for text in ax.texts] == own and len(shown.cells) == rows
    assert int(ax.images[0].get_array().sum()) == len(shown.wrong) == len(ax.patches) == count
    assert what in picture.alt and f"{count} of" in picture.alt and words in picture.alt


def test_the_picture_folds_out_between_the_hints(wrong):
    """Is the picture in the notebook a step of the hints, with words for those who cannot see it?"""
    found = wrong("rotate-p4", ".roll(r, -3)", ".roll(-r, -3)")
    page = found._repr_html_()
    assert folds(page) == ["A hint", "A picture of the difference", "A bigger hint"]
    assert page.count("<details>") == page.count("</details>") == 3
    (image,) = re.findall(r"<img [^>]*>", page)
    assert 'src="data:image/png;base64,' in image and 'width="640"' in image and "rotate_p4(y, 1)" in image
    assert "<img" not in str(found)


def test_where_no_mistake_is_known_the_picture_stands_by_itself(report):
    """Does a difference that has no name get a picture all the same?"""
    found = report("rotate-p4", "def rotate_p4(y, r):\n    return rotate(y, r).roll(r, -3) + 0.37 * y.flip(-1) * r * y")
    assert not found.mistake
    assert folds(found._repr_html_()) == ["A picture of the difference"]


def test_values_that_are_not_finite_are_left_empty(report):
    """Is a picture drawn of what holds NaN and infinity, and is it said where?"""
    code = "def rotate_p4(y, r):\n    z = rotate(y, r).roll(r, -3).clone()\n    z[..., 0, 0] = float('nan')\n"
    picture = report("rotate-p4", code + "    z[..., 1, 1] = float('inf')\n    return z").picture
    yours = maps(picture)[:4]
    assert bool(yours[:, 0, 0].isnan().all()) and bool(yours[:, 1, 1].isnan().all())
    assert int(yours.isnan().sum()) == 8 and "yours is nan" in picture.alt
    assert "gray: not a finite number" in picture.get_suptitle()


NO_PICTURE = [
    ("rotate-p4", "def rotate_p4(y, r):\n    raise NotImplementedError"),
    ("rotate-p4", "def rotate_p4(y, r):\n    return z"),
    ("rotate-p4", "def rotate_p4(y, r):\n    rotate(y, r)"),
    ("rotate-p4", "def rotate_p4(y, r):\n    return rotate(y, r)[..., 1:]"),
    ("rotate-p4", "def rotate_p4(y, r):\n    return rotate(y, r).float()"),
    ("rotate-p4", "def rotate_p4(y, r):\n    return 3"),
    ("c4", "class C4:\n    @staticmethod\n    def product(r, s):\n        return 1.0\n    inverse = None"),
]


@pytest.mark.parametrize(("key", "code"), NO_PICTURE)
def test_where_nothing_can_be_compared_there_is_no_picture(key, code, report):
    """Do exceptions and wrong types, shapes and dtypes get their sentence only?"""
    found = report(key, code)
    assert not found.ok and found.picture is None and "<img" not in found._repr_html_()


def test_a_gradient_that_is_lost_is_nothing_to_look_at(wrong):
    """Is there no picture where the values are right and something else is wrong?"""
    found = wrong("isotropic-conv", "centre, ring = self.weight", "centre, ring = self.weight.data")
    assert not found.ok and found.picture is None


@pytest.mark.parametrize("key", [*PICTURED, "c4", "d4"])
def test_a_right_answer_is_not_compared(key, answers, report, monkeypatch):
    """Is nothing read or drawn for a right answer?"""
    monkeypatch.setattr(findings, "compared", lambda *_: pytest.fail("it was compared"))
    read = []
    monkeypatch.setattr("gcnn.diagnosis.compared.read", read.append)
    found = report(key, answers[key])
    assert found.ok and found.picture is None and "<img" not in found._repr_html_() and not read


def test_a_terminal_draws_nothing_and_a_notebook_leaves_no_figure_open(wrong, monkeypatch, capfd):
    """Is the picture made only where HTML is asked for, quietly, without pyplot?"""
    found = wrong("lifting-conv", "rotate(self.weight, s)", "rotate(self.weight, -s)")
    page = DisplayFormatter().format(found)[0]["text/html"]
    assert "data:image/png" in page and plt.get_fignums() == [] and capfd.readouterr() == ("", "")
    monkeypatch.setattr(Figure, "__init__", lambda *_, **__: pytest.fail("a figure was made"))
    assert "This is what comes out" in str(found) and "This is what comes out" in repr(found)


@pytest.mark.parametrize("where", [(mistakes, "drawn"), (findings, "compared")])
def test_a_picture_that_fails_does_not_hide_the_hint(where, wrong, monkeypatch):
    """Does everything but the picture stay where drawing or comparing goes wrong?"""

    def fail(*_):
        raise RuntimeError("no picture today")

    monkeypatch.setattr(*where, fail)
    found = wrong("rotate-p4", ".roll(r, -3)", ".roll(-r, -3)")
    page = found._repr_html_()
    assert folds(page) == ["A hint", "A bigger hint"] and found.hint in str(found) and "no picture today" not in page


def test_the_expected_arrays_are_current(source):
    """Are the stored arrays what the model's answers give now, and what the fingerprints stand for?"""
    now, kept = arrays(source), family.read("arrays.json")
    assert {key: [*looks] for key, looks in now.items()} == {key: [*looks] for key, looks in kept.items()}
    for key, looks in now.items():
        for name, array in looks.items():
            assert torch.allclose(expected_array(key, name), array, rtol=0, atol=1e-4), name
            assert digest(array) == family.family(key).right[name]


def test_the_stored_arrays_hold_numbers_and_no_groups_table():
    """Is there nothing in the package's arrays but names of looks, shapes and numbers, and is the file small?"""
    text = (resources.files("gcnn.diagnosis") / "arrays.json").read_text(encoding="utf-8")
    kept = json.loads(text)
    assert set(kept) == set(PICTURED) and not {"c4", "d4"} & set(kept) and len(text) < 150_000
    for looks in kept.values():
        for one in looks.values():
            assert set(one) == {"shape", "values"}
            assert all(type(v) in (int, float) for v in (*one["shape"], *one["values"]))
