"""Tests of networks apart from their layers: a wrong layer costs no architecture, a wrong network is found on it."""

import collections
import inspect
import types

import pytest
import torch
from test_cells import ACCURACY, NETWORKS, SUBMISSIONS, changed, exercise

from autograder import hidden
from autograder.exercises import EXERCISES, dependants
from gcnn.probes import predict, state, with_random_state
from gcnn.stand_ins import LAYERS

APART = [test for test in NETWORKS if not test.endswith("invariance")]
LAYER_KEYS = {key for key, e in EXERCISES.items() if e.answer in LAYERS} | {"rotate-p4", "d4-action"}
WRONG = {f"{test}: {what}": (test, says, changes) for test in APART for what, says, *changes in NETWORKS[test]}
SAMPLES = [
    path
    for path in sorted(SUBMISSIONS.glob("fails_*.py"))
    if path.stem.split("__")[0].removeprefix("fails_").replace("_", "-") in LAYER_KEYS
]


@pytest.fixture(autouse=True)
def one_thread():
    """Small tensors are several times faster on one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def layers(notebook):
    """The model's layers by name."""
    names = notebook._before("", notebook.model, set(), lambda model: model)
    return {name: names[name] for name in LAYERS}


@pytest.fixture(scope="session")
def without_layers(notebook):
    """The model's answers with layers that cannot even be made."""
    broken = 'raise NotImplementedError("this layer was never written")'
    classes = {e.key: f"class {e.answer}(nn.Module):\n    def __init__(self, *_, **__):\n        {broken}"
               for e in EXERCISES.values() if e.answer in LAYERS}  # fmt: skip
    return {**notebook.model, **classes}


@pytest.mark.parametrize("name", LAYERS)
def test_stand_ins_fit_where_the_layers_do(layers, name):
    """Have a stand-in and the layer of the notebook the same arguments, parameters, buffers and output shapes?"""
    theirs, ours = (
        [(p.name, p.kind, p.default) for p in inspect.signature(layer).parameters.values()]
        for layer in (layers[name], LAYERS[name])
    )
    assert theirs == ours
    sizes = [(3,)] if "Norm" in name else [(2, 3)] if "Isotropic" in name else [(2, 3, 3), (2, 3, 1, 1), (2, 3, 5, 2)]
    for size in sizes:
        for options in ({},) if "Norm" in name else ({}, {"bias": False}):
            layer, stand_in = (made[name](*size, **options) for made in (layers, LAYERS))
            shapes = [{key: (t.shape, t.dtype) for key, t in state(module).items()} for module in (layer, stand_in)]
            assert shapes[0] == shapes[1]
            axes = (8,) if name == "D4GroupConv2d" else (4,) if name.startswith("Group") else ()
            x = torch.zeros(2, size[0], *axes, 7, 7)
            assert layer(x).shape == stand_in(x).shape


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
@pytest.mark.parametrize("whose", ["model", "different"])
def test_a_wrong_layer_costs_no_architecture(notebook, source, path, whose):
    """Does each network that needs the wrong answer pass its tests on stand-ins, however it is written?"""
    wrong = notebook.sample(path, source)
    key = path.stem.split("__")[0].removeprefix("fails_").replace("_", "-")
    networks = notebook.sample(SUBMISSIONS / "passes_all__written_quite_differently.py", source)
    answers = {**notebook.model, key: wrong[key]}
    reached = [test for test in APART if exercise(test) in dependants([key])]
    assert reached
    for test in reached:
        if whose == "different":
            answers[exercise(test)] = networks[exercise(test)]
        outcome = notebook.run(test, answers)
        assert outcome.passed, outcome.message


@pytest.mark.parametrize("test", APART)
def test_layers_that_were_never_written_cost_no_architecture(notebook, without_layers, test):
    """Does a network keep these points also where its layers cannot even be made, the visible part included?"""
    for visible_only in (True, False):
        outcome = notebook.run(test, without_layers, visible_only=visible_only)
        assert outcome.passed, outcome.message


@pytest.mark.parametrize(("test", "says", "changes"), WRONG.values(), ids=WRONG)
def test_a_wrong_network_on_wrong_layers_is_rejected(notebook, without_layers, test, says, changes):
    """Is each mistake of a network found where its layers are of no help, and is it the network's that is named?"""
    answers = {**without_layers, exercise(test): changed(notebook, test, changes)[exercise(test)]}
    outcome = notebook.run(test, answers)
    assert not outcome.passed, "the wrong answer survives"
    assert says in outcome.message


@pytest.mark.parametrize(
    ("test", "old", "new"),
    [
        ("test-c4cnn-invariance", "rotate(self.weight, s)", "rotate(self.weight, -s)"),
        ("test-isotropic-cnn-invariance", "[ring, ring", "[2 * ring, ring"),
    ],
)
def test_invariance_is_lost_with_a_wrong_layer(notebook, test, old, new):
    """Does a test that needs right layers fail on wrong ones, and say where to look?"""
    layer = {"test-c4cnn-invariance": "lifting-conv", "test-isotropic-cnn-invariance": "isotropic-conv"}[test]
    outcome = notebook.run(test, notebook.answers((layer, old, new)))
    assert not outcome.passed
    assert f"look at the layer{'s' if 'c4' in test else ''}, {EXERCISES[layer].number}" in outcome.message


# What samples lose outside of their own exercise: the table in autograder.exercises.
COSTS = {
    "fails_batch_norm__keeps_statistics_per_orientation": {},
    "fails_d4_action__permutes_without_reversing": {"d4-group-conv": 4, "d4cnn": 2},
    "fails_group_conv__cuts_the_gradient": {},
    "fails_group_conv__forgets_to_roll": {"c4cnn": 6, "c4cnn-bn": 2},
    "fails_isotropic_conv__gives_corners_a_zero": {"isotropic-cnn": 3},
    "fails_lifting_conv__rotates_the_wrong_way": {"c4cnn": 6, "c4cnn-bn": 2},
    "fails_rotate_p4__rolls_the_other_way": {"group-conv": 15, "c4cnn": 6, "c4cnn-bn": 2},
}


@pytest.mark.slow
@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_what_a_wrong_layer_costs(notebook, source, monkeypatch, path):
    """Does a sample lose the points that the table of exercises says, if its network is as accurate as it must be?"""
    key = path.stem.split("__")[0].removeprefix("fails_").replace("_", "-")
    answers = {**notebook.model, key: notebook.sample(path, source)[key]}
    public, secret = notebook.given["test_set"].images[:100], hidden.digits()[0][:100]
    lost = collections.Counter()
    for test in notebook.tests:
        if exercise(test) not in dependants([key]) - {key}:
            continue
        names = {}
        for name in {ACCURACY[t] for t in ACCURACY if exercise(t) == exercise(test)}:
            drawn = torch.Generator().manual_seed(1)
            net = notebook.network(name, answers, lambda fresh, g=drawn: with_random_state(fresh, g, torch.float32)[0])
            labels = {images: predict(net, images).argmax(1) for images in (public, secret)}
            right = (secret, labels[secret])
            monkeypatch.setattr(hidden, "digits", lambda right=right: right)
            names = {name: net, "test_set": types.SimpleNamespace(images=public, labels=labels[public])}
        if not notebook.run(test, answers, names={**names, "retrained": lambda model, seed: model}).passed:
            lost[exercise(test)] += notebook.cells[test].metadata.nbgrader.points
    assert lost == COSTS[path.stem]
