"""Tests of autograder.forecast with real kernels: who is trained in full, and who on trial only."""

import copy

import pytest
from grading import hand_ins

from autograder.forecast import on_trial
from autograder.notebooks import role, submission_names
from autograder.run import Settings, run
from autograder.sandbox import Limits
from autograder.submissions import pour, read_sample

SETTINGS = Settings(limits=Limits(memory_mb=3000))
NETWORKS = {"c4cnn": "C4CNN", "isotropic_cnn": "IsotropicCNN", "c4cnn_bn": "C4CNNWithBatchNorm", "d4cnn": "D4CNN"}


def graded(notebook, source, change):
    """The run of a notebook without its free cells and without the tests of anything but accuracy.

    Args:
        notebook: the poured hand-in.
        source: the source notebook.
        change: is called with each training and each test cell.
    """
    notebook = copy.deepcopy(notebook)
    notebook.cells = [
        cell
        for cell in notebook.cells
        if role(cell) in ("given", "answer", "training") or cell.id.endswith("-accuracy") or role(cell) == ""
    ]
    for cell in notebook.cells:
        if role(cell) in ("training", "tests"):
            change(cell)
    return run(notebook, frozenset(submission_names(source)), settings=SETTINGS)


def test_a_network_that_computes_something_else_is_trained_on_trial_only(source):
    """Do networks without ReLU get a few steps of training, and fail at once, with a message that says why?"""
    done = graded(hand_ins(source)["early_fail"], source, lambda cell: None)
    assert {outcome.status for outcome in done.outcomes.values()} == {"failed"}
    assert len(done.outcomes) == len(NETWORKS)
    for name, outcome in zip(NETWORKS, done.outcomes.values(), strict=True):
        assert outcome.message.startswith(f"{name} cannot pass this test, which compares it with the network described")
        assert f"{NETWORKS[name]}'s answer for the weights that it starts with is wrong: at index" in outcome.message
        assert not outcome.grader_error
    trained = {cell.metadata.course.exercise: cell for cell in done.notebook.cells if role(cell) == "training"}
    assert len(trained) == len(NETWORKS)
    for cell in trained.values():
        assert "budget" not in cell.source  # what is shown is the course's cell
        assert "epoch 0.02 of 0.02" in cell.outputs[0].text


@pytest.mark.parametrize("name", ["passes_all", "passes_all__written_quite_differently"])
def test_right_networks_are_trained_in_full(project, source, name):
    """Is nothing held against right networks before their training, however they are written?"""

    def untrained(cell):
        network = next(name for name in NETWORKS if cell.id.replace("-", "_").removesuffix("_accuracy").endswith(name))
        training = (
            f"def train_model(net, **more):\n    return net, more\n{network} = train_model({NETWORKS[network]}())"
        )
        cell.source = training if role(cell) == "training" else f"assert {network}[1] == {{}}, 'on trial'"

    poured = pour(read_sample(project / "tests" / "submissions" / f"{name}.py", source).notebook, source).notebook
    done = graded(poured, source, untrained)
    assert {test: outcome.message for test, outcome in done.outcomes.items()} == dict.fromkeys(done.outcomes, "")
    assert len(done.outcomes) == len(NETWORKS)


def test_a_trial_is_the_same_cell_with_another_budget():
    """Does every training in a cell get the argument, and nothing else change?"""
    assert on_trial("torch.manual_seed(0)\nnet = train_model(C4CNN(), seed=2)") == (
        "torch.manual_seed(0)\nnet = train_model(C4CNN(), seed=2, budget='trial')"
    )
