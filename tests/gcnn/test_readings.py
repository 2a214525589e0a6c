"""Is a mistake named by what an answer does, where no known wrong answer is like it?"""

import dataclasses
from pathlib import Path

import pytest
import torch

from autograder.mutants.made import written_mutants
from gcnn.diagnosis import family, readings
from gcnn.equivariance import reflect, rotate

TURNS = "rotate(self.weight, s) for s in range(4)"
ACTS = "torch.stack([rotate_p4(self.weight, s) for s in range(4)], dim=1)"
MISTAKES = [
    (
        "lifting-conv",
        TURNS,
        "rotate(self.weight, s) for s in (0, 1, 3, 2)",
        "order",
        "s = 2: the weight, turned by 270°",
    ),
    (
        "lifting-conv",
        TURNS,
        "rotate(self.weight, s) for s in (0, 1, 1, 3)",
        "angle",
        "s = 2: the weight, turned by 90°",
    ),
    ("lifting-conv", TURNS, "rotate(self.weight.mT, s) for s in range(4)", "mirrored", "s = 1: the weight, mirrored"),
    ("lifting-conv", TURNS, "(1 + s % 2) * rotate(self.weight, s) for s in range(4)", "bank-scaled", "times 2"),
    (
        "lifting-conv",
        "], dim=1)",
        "], dim=0).flatten(0, 1).unflatten(0, (-1, 4))",
        "stack-axis",
        readings.JOINED.strip(),
    ),
    (
        "group-conv",
        ACTS,
        f"{ACTS}.transpose(1, 3)",
        "swapped-group-axes",
        "along its group axis as it is, turned by 90°",
    ),
    (
        "group-conv",
        ACTS,
        "torch.stack([rotate(self.weight, s).flip(2).roll(s + 1, 2) for s in range(4)], dim=1)",
        "roll-amount",
        "s = 0: the weight, its group axis in the order 0 3 2 1",
    ),
    (
        "group-conv",
        ACTS,
        "torch.stack([rotate(self.weight[:, :, s:s + 1].expand_as(self.weight), s) for s in range(4)], dim=1)",
        "one-orientation",
        "its group axis in the order 2 2 2 2",
    ),
    (
        "rotate-p4",
        ".roll(r, -3)",
        "[..., [max(s - r, 0) for s in range(4)], :, :]",
        "lost-values changes-input",
        "in the order 0 0 1 2",
    ),
    ("rotate-p4", ".roll(r, -3)", "[..., [(r - s) % 4 for s in range(4)], :, :]", "offset", "r = 0: y, its group axis"),
    ("rotate-p4", "rotate(y, r)", "rotate(y, r if r < 3 else 1)", "angle", "r = 3: y, turned by 90°, its group axis"),
    ("d4", "r1 + (-r2 if f1 else r2)", "r1 + (-r2 if f2 else r2)", "wrong-reversal", ""),
    ("d4", "r1 + (-r2 if f1 else r2)", "(-r1 if f2 else r1) + r2", "opposite", ""),
    ("isotropic-conv", "ring, centre, ring", "ring, 4 * centre, ring", "centre-sum", "centre: 4 · weight[..., 0]"),
    ("isotropic-conv", "return torch", "ring = ring / 8; return torch", "ring-scaled", "edges: 0.125 · weight[..., 1]"),
]


@pytest.fixture
def unknown(monkeypatch):
    """Checks that know no wrong answer."""
    whole = family.family
    monkeypatch.setattr(family, "family", lambda exercise: dataclasses.replace(whole(exercise), variants=()))


@pytest.mark.parametrize(("key", "old", "new", "cause", "words"), MISTAKES, ids=[f"{m[0]}: {m[3]}" for m in MISTAKES])
def test_a_mistake_is_named_by_what_the_answer_does(key, old, new, cause, words, answers, report, unknown):
    """Does the check name the mistake, and say what the answer is made of, without a known variant?"""
    assert old in answers[key]
    found = report(key, answers[key].replace(old, new))
    assert [one.key for one in found.finding.causes] == cause.split(), found
    assert words in "\n".join(found.finding.details)


WRITTEN = {
    "c4__message_names_first_element": "not-named",
    "c4cnn__dropout_in_evaluation_too": "random",
    "c4cnn__mean_over_orientations": "average-pool",
    "c4cnn__pools_orientations_every_layer": "group-pool-early",
    "c4cnn_bn__last_norm_after_pool": "norm-place",
    "c4cnn_bn__momentum_given_as_eps": "other-norm",
    "c4cnn_bn__momentum_of_another_library": "other-norm",
    "c4cnn_bn__normalises_before_convolutions": "norm-place",
    "d4_action__mirrored_clock_runs_backwards": "turn-first",
    "d4_action__multiplies_from_the_right": "wrong-permutation",
    "d4_group_conv__eight_in_one_circle": "one-circle",
    "d4_group_conv__joined_along_output_channels": "stack-axis",
    "isotropic_cnn__pool_windows_of_two": "pool-window",
    "lifting_conv__evaluation_keeps_old_filters": "cached",
}


@pytest.fixture(scope="module")
def written():
    """Wrong answers that people wrote, by name."""
    return {Path(one.operator).stem: one for one in written_mutants(Path(__file__).parents[1] / "mutants")}


@pytest.mark.parametrize("name", WRITTEN)
def test_a_whole_wrong_answer_is_understood(name, written, report, unknown):
    """Is the mistake named in an answer that is written in another way than any known one?"""
    found = report(written[name].exercise, written[name].source)
    assert [one.key for one in found.finding.causes] == [WRITTEN[name]], found


def test_a_network_says_up_to_where_it_is_right(written, report):
    """Is the layer named that something wrong reaches first, where all shapes are right?"""
    one = written["isotropic_cnn__pool_windows_of_two"]
    assert "up to layer 1 all is right" in str(report(one.exercise, one.source))


def test_axes_that_are_not_swapped_are_not_called_so(answers, report, unknown):
    """Is a bank whose pixels turn with the input's orientation named as swapped only if all of it is?"""
    old = "[rotate_p4(self.weight, s) for s in range(4)]"
    assert old in answers["group-conv"]
    row = "torch.stack([rotate(self.weight[:, :, {}], t) for t in range(4)], dim=2)"
    for source, swapped in (("(t - s) % 4", False), ("(s - t) % 4", True)):
        code = answers["group-conv"].replace(old, f"[{row.format(source)} for s in range(4)]")
        found = report("group-conv", code)
        assert not found.ok and ("swapped-group-axes" in [one.key for one in found.finding.causes]) == swapped, found


def test_what_cannot_be_read_is_not_named(answers, report, unknown):
    """Is nothing said of filters that are no turned weights, but that they are none?"""
    mixed = answers["lifting-conv"].replace(TURNS, "self.weight + rotate(self.weight, s) for s in range(4)")
    found = report("lifting-conv", mixed)
    assert not found.finding.causes
    assert "s = 1: something else than the weight turned or mirrored" in str(found)


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
def test_parts_are_read(mirrored, turns):
    """Is every part found again, with what was done to it?"""
    before = torch.randn(6, 4, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    moved = -2 * rotate(reflect(before) if mirrored else before, turns)[:, [2, 0, 0, 3]]
    (row,) = readings.told(readings.parts(before, [moved]))
    assert row == tuple(readings.Part(source, mirrored, turns, -2.0) for source in (2, 0, 0, 3))


def test_a_part_that_stands_twice_is_not_guessed():
    """Is nothing said where two parts of the input are the same?"""
    before = torch.ones(1, 2, 3, 3, dtype=torch.float64)
    assert readings.told(readings.parts(before, [before])) == ((None, None),)
