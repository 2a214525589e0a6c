"""Tests of autograder.reference against escnn, the library of the field, to the accuracy of double precision.

escnn runs in an environment of its own (`make escnn`); arrays go there and back in files. tests/escnn/layers.py is what
runs there.
"""

import itertools
import json
import subprocess

import numpy as np
import pytest
import torch

from autograder import reference
from autograder.reference import C4, D4

pytestmark = pytest.mark.slow

TOLERANCE = 1e-12  # of the largest value; escnn's own filters are this exact when it is made to use double precision
GROUPS = {"C4": C4, "D4": D4}
BOTH = pytest.mark.parametrize("group", GROUPS.values(), ids=repr)
FIELDS_IN, FIELDS_OUT = 2, 3
CASES = [
    {"group": group, "layer": layer, "kernel_size": k, "padding": padding, "bias": bias}
    for group, layer in itertools.product(GROUPS, ("lifting", "group"))
    for k, padding, bias in ((1, 0, True), (2, 1, True), (3, 0, False), (3, 1, True), (4, 2, False), (5, 2, True))
    if (group, layer, k) not in {("D4", "group", 4), ("D4", "group", 5)}  # minutes, to make escnn's basis
]
EVERY_CASE = pytest.mark.parametrize(
    "i", range(len(CASES)), ids=["-".join(f"{key}={value}" for key, value in case.items()) for case in CASES]
)


def normal(seed, *shape):
    """Numbers in double precision."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def to_escnn(features):
    """``(B, C, |G|, H, W)`` as escnn lays a sum of C regular fields out: ``(B, C * |G|, H, W)``, element by element."""
    return features.flatten(1, 2)


def from_escnn(features, order):
    """The other way round."""
    return features.unflatten(1, (-1, order))


def bank_to_escnn(bank):
    """``(out, |G|, in, k, k)`` or ``(out, |G|, in, |G|, k, k)`` as the weight of escnn's ordinary convolution."""
    return (bank if bank.dim() == 5 else bank.flatten(2, 3)).flatten(0, 1)


def question(i):
    """A layer of ours with random weights, and an input; the numbers are the case's own."""
    case = CASES[i]
    group, k = GROUPS[case["group"]], case["kernel_size"]
    axis = () if case["layer"] == "lifting" else (group.order,)
    weight = normal(10 * i, FIELDS_OUT, FIELDS_IN, *axis, k, k)
    bias = normal(10 * i + 1, FIELDS_OUT) if case["bias"] else None
    return weight, bias, normal(10 * i + 2, 2, FIELDS_IN, *axis, 7, 6)


def layer_and_bank(i):
    """The reference's layer and filter bank for a case."""
    case = CASES[i]
    lifting, group = case["layer"] == "lifting", GROUPS[case["group"]]
    layer = reference.lifting_conv if lifting else reference.group_conv
    bank = reference.lifting_filter if lifting else reference.group_filter
    return lambda x, w, b: layer(x, w, b, case["padding"], group), lambda w: bank(w, group)


@pytest.fixture(scope="module")
def escnn(project, tmp_path_factory):
    """What escnn answers, by name."""
    python = project / "build" / "escnn" / "bin" / "python"
    if not (project / "build" / "escnn" / ".ready").exists():
        pytest.skip("escnn is not installed in build/escnn; `make escnn` does that where it can")
    asked = {"image": normal(1, 2, 2, 5, 5)}
    asked |= {f"{name}.features": to_escnn(normal(2, 3, 2, group.order, 5, 5)) for name, group in GROUPS.items()}
    for i in range(len(CASES)):
        weight, bias, x = question(i)
        asked[f"{i}.filter"] = bank_to_escnn(layer_and_bank(i)[1](weight))
        asked[f"{i}.input"] = x if CASES[i]["layer"] == "lifting" else to_escnn(x)
        if bias is not None:
            asked[f"{i}.bias"] = reference.bias_bank(bias, GROUPS[CASES[i]["group"]]).flatten()
    folder = tmp_path_factory.mktemp("escnn")
    arrays = {name: value.numpy() for name, value in asked.items()}
    np.savez(folder / "questions.npz", cases=np.array(json.dumps(CASES)), **arrays)
    script = project / "tests" / "escnn" / "layers.py"
    done = subprocess.run(
        [python, "-W", "ignore", script, folder / "questions.npz", folder / "answers.npz"],
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    with np.load(folder / "answers.npz", allow_pickle=False) as answers:
        return {name: torch.from_numpy(answers[name]) for name in answers.files}


def error(got, expected):
    """The largest difference, as a share of the largest value."""
    assert got.shape == expected.shape and got.dtype == expected.dtype
    return float((got - expected).abs().max() / expected.abs().max())


def test_the_tolerance_would_find_a_difference():
    """Are two banks that differ in one pixel, by a billionth, told apart?"""
    bank = reference.group_filter(normal(0, 3, 2, 4, 3, 3))
    other = bank.clone()
    other[0, 1, 0, 2, 0, 0] += 1e-9
    assert error(bank, bank) == 0 and error(other, bank) > TOLERANCE


@BOTH
def test_elements_are_numbered_alike(escnn, group):
    """Has escnn the same table of products, the same inverses, and so the same elements under the same numbers?"""
    everything = range(group.order)
    assert escnn[f"{group}.products"].tolist() == [[group.product(a, b) for b in everything] for a in everything]
    assert escnn[f"{group}.inverses"].tolist() == [group.inverse(g) for g in everything]


@BOTH
def test_regular_representations_are_the_same(escnn, group):
    """Does the matrix of g move what is at h to g h, as our action on the group axis does?"""
    for g in range(group.order):
        columns = reference.act_on_features(torch.eye(group.order)[:, :, None, None].double(), g, group)[..., 0, 0]
        assert error(escnn[f"{group}.regular"][g], columns.T) < TOLERANCE


@BOTH
def test_actions_are_the_same(escnn, group):
    """Do both turn and mirror images the same way, and functions on the group too?"""
    image, features = normal(1, 2, 2, 5, 5), normal(2, 3, 2, group.order, 5, 5)
    for g in range(group.order):
        assert error(escnn[f"{group}.images"][g], reference.act_on_image(image, g, group)) < TOLERANCE
        got = from_escnn(escnn[f"{group}.features"][g], group.order)
        assert error(got, reference.act_on_features(features, g, group)) < TOLERANCE


@EVERY_CASE
def test_escnns_filters_are_ours(escnn, i):
    """Is escnn's filter bank, for its own random numbers, the one that we make of its first element's filters?"""
    group, (layer, make) = GROUPS[CASES[i]["group"]], layer_and_bank(i)
    weight, _, x = question(i)
    bank = escnn[f"{i}.own.filter"].unflatten(0, (FIELDS_OUT, group.order))
    ours = bank[:, 0] if CASES[i]["layer"] == "lifting" else from_escnn(bank[:, 0], group.order)
    assert ours.shape == weight.shape
    assert error(escnn[f"{i}.own.filter"], bank_to_escnn(make(ours))) < TOLERANCE
    bias = None
    if CASES[i]["bias"]:
        bias = escnn[f"{i}.own.bias"].unflatten(0, (FIELDS_OUT, group.order))[:, 0]
        assert error(escnn[f"{i}.own.bias"], reference.bias_bank(bias, group).flatten()) < TOLERANCE
    assert error(from_escnn(escnn[f"{i}.own.output"], group.order), layer(x, ours, bias)) < TOLERANCE


@EVERY_CASE
def test_our_filters_are_escnns(escnn, i):
    """Has escnn a layer with exactly our filters, for any weights of ours, and does it compute what ours does?"""
    group, (layer, make) = GROUPS[CASES[i]["group"]], layer_and_bank(i)
    weight, bias, x = question(i)
    assert error(escnn[f"{i}.nearest.filter"], bank_to_escnn(make(weight))) < TOLERANCE
    y = layer(x, weight, bias)
    assert error(from_escnn(escnn[f"{i}.nearest.output"], group.order), y) < TOLERANCE
    gradient = reference.gradients(lambda x: layer(x, weight, bias), {"x": x}, 2 * y)["x"]
    got = escnn[f"{i}.nearest.gradient"]
    assert error(got if CASES[i]["layer"] == "lifting" else from_escnn(got, group.order), gradient) < TOLERANCE


@EVERY_CASE
def test_wrong_conventions_are_none_of_escnns(escnn, i):
    """Would a turn or a roll in the other direction show?"""
    group = GROUPS[CASES[i]["group"]]
    weight, bank = question(i)[0], escnn[f"{i}.nearest.filter"].unflatten(0, (FIELDS_OUT, group.order))
    act = reference.act_on_image if CASES[i]["layer"] == "lifting" else reference.act_on_features
    other = torch.stack([act(weight, group.inverse(g), group) for g in range(group.order)], 1)
    if CASES[i]["layer"] == "group":
        other = other.flatten(2, 3)
    differs = [error(bank[:, g], other[:, g]) > 1e-2 for g in range(group.order)]
    same = CASES[i]["layer"] == "lifting" and CASES[i]["kernel_size"] == 1
    assert differs == [not same and group.inverse(g) != g for g in range(group.order)]


@BOTH
def test_norms_and_pools_are_the_same(escnn, group):
    """Does escnn normalise and pool over the group as the course does: one statistic per field, the largest value?"""
    features = normal(2, 3, 2, group.order, 5, 5)
    assert error(escnn[f"{group}.pooled"], features.amax(2)) == 0
    scale, shift = torch.arange(1.0, 3, dtype=torch.float64), torch.arange(2, dtype=torch.float64) - 0.5
    start = {"running_mean": torch.zeros(2).double(), "running_var": torch.ones(2).double()}
    y, mean, var = reference.batch_norm(features, scale, shift, **start, eps=0.25, momentum=0.3, training=True)
    assert error(escnn[f"{group}.norm.training"], to_escnn(y)) < TOLERANCE
    assert error(escnn[f"{group}.norm.running_mean"], mean) < TOLERANCE
    assert error(escnn[f"{group}.norm.running_var"], var) < TOLERANCE
    y, *_ = reference.batch_norm(features, scale, shift, mean, var, eps=0.25, momentum=0.3, training=False)
    assert error(escnn[f"{group}.norm.evaluation"], to_escnn(y)) < TOLERANCE
