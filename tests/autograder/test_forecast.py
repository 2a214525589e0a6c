"""Tests of autograder.forecast with real kernels: who is trained in full, and who on trial only."""

import copy

import pytest
from grading import hand_ins

from autograder.forecast import FLOAT64, on_trial
from autograder.kernel import Settings
from autograder.notebooks import role, submission_names
from autograder.run import run
from autograder.sandbox import Limits
from autograder.submissions import pour, read_sample

SETTINGS = Settings(limits=Limits(memory_mb=3000))
# By answer, how its bank is made, and how it is filled that begins with zeros.
FILLED = {
    "isotropic-conv": (
        "return torch.stack([ring, ring, ring, ring, centre, ring, ring, ring, ring], dim=-1).unflatten(-1, (3, 3))",
        "bank = torch.zeros(*self.weight.shape[:2], 3, 3)",
        "bank[:] = ring[..., None, None]",
        "bank[..., 1, 1] = centre",
        "return bank",
    ),
    "group-conv": (
        "bank = torch.stack([rotate_p4(self.weight, s) for s in range(4)], dim=1)",
        "bank = torch.zeros(len(self.weight), 4, *self.weight.shape[1:])",
        "for s in range(4): bank[:, s] = rotate_p4(self.weight, s)",
    ),
    "d4-group-conv": (
        "bank = torch.stack([transform_p4m(self.weight, (f, r)) for f in (0, 1) for r in range(4)], dim=1)",
        "bank = torch.zeros(len(self.weight), 8, *self.weight.shape[1:])",
        "for i in range(8): bank[:, i] = transform_p4m(self.weight, divmod(i, 4))",
    ),
}
ONLY_IN_TRAINING = """
class OnlyInTraining(nn.Sequential):
    def forward(self, x):
        if not self.training:
            raise RuntimeError("not in training")
        return super().forward(x)
"""
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


def sample(project, source, name):
    """A sample submission, poured."""
    return pour(read_sample(project / "tests" / "submissions" / f"{name}.py", source).notebook, source).notebook


def change(notebook, name, old, new):
    """Change a line of an answer."""
    cell = next(cell for cell in notebook.cells if cell.id == name)
    assert old in cell.source
    cell.source = cell.source.replace(old, new)


def untrained(cell):
    """Train nothing; the tests of accuracy say whether the training would have been one on trial."""
    network = next(name for name in NETWORKS if cell.id.replace("-", "_").removesuffix("_accuracy").endswith(name))
    # One name only is bound, as in a training cell of the course's.
    training = f"{network} = (lambda train_model: train_model({NETWORKS[network]}()))(lambda net, **more: (net, more))"
    cell.source = training if role(cell) == "training" else f"assert {network}[1] == {{}}, 'on trial'"


def messages(done):
    """By network, what its test of accuracy says."""
    found = {name.removeprefix("test-").removesuffix("-accuracy"): o.message for name, o in done.outcomes.items()}
    return {name.replace("-", "_"): message for name, message in found.items()}


@pytest.mark.parametrize("name", ["passes_all", "passes_all__written_quite_differently"])
def test_right_networks_are_trained_in_full(project, source, name):
    """Is nothing held against right networks before their training, however they are written?"""
    done = graded(sample(project, source, name), source, untrained)
    assert messages(done) == dict.fromkeys(NETWORKS, "")


def test_networks_in_single_precision_only_are_trained_where_their_test_asks_no_other(project, source):
    """Is a bank that is single precision, whatever the weights are, no reason against a network that may pass?

    It is one where the test asks the trained network in double precision: that raises then, too.
    """
    notebook = sample(project, source, "passes_all")
    for name, (made, *filled) in FILLED.items():
        change(notebook, name, made, "\n        ".join(filled))
    said = messages(graded(notebook, source, untrained))
    assert {name for name, message in said.items() if message} == FLOAT64
    for name in FLOAT64:
        assert said[name].startswith(f"{name} cannot pass this test") and "Your code raised RuntimeError" in said[name]


def test_a_network_that_raises_before_its_training_is_trained_in_full(project, source):
    """Is an exception no reason against a network: is that left to its training and its tests?"""
    notebook = sample(project, source, "passes_all")
    change(notebook, "c4cnn", "class C4CNN", f"{ONLY_IN_TRAINING}\n\nclass C4CNN")
    change(notebook, "c4cnn", "nn.Sequential(", "OnlyInTraining(")
    assert messages(graded(notebook, source, untrained)) == dict.fromkeys(NETWORKS, "")


def test_the_networks_that_are_asked_in_double_precision(source):
    """Are they those whose test of accuracy asks in double precision?"""
    tests = {cell.id: cell.source for cell in source.cells if cell.id.endswith("-accuracy")}
    asked = {name for name in NETWORKS if "torch.float64" in tests[f"test-{name.replace('_', '-')}-accuracy"]}
    assert asked == FLOAT64 and len(tests) == len(NETWORKS)


def test_a_trial_is_the_same_cell_with_another_budget():
    """Does every training in a cell get the argument, and nothing else change?"""
    assert on_trial("torch.manual_seed(0)\nnet = train_model(C4CNN(), seed=2)") == (
        "torch.manual_seed(0)\nnet = train_model(C4CNN(), seed=2, budget='trial')"
    )
