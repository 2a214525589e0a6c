"""Tests of the judge on the course's own notebook: right answers pass every test cell, wrong ones do not."""

import re

import pytest
from judging import NAMES, ROOT, UNTRAINED, Kernel, in_one_kernel, read_cells

from autograder.exercises import dependants
from autograder.judge import judge_cell, problems

CELLS = read_cells(ROOT / "notebooks" / "gcnn.py")
TESTS = {" ".join(filter(None, (h["tests"], h.get("part")))): (h, code) for h, code in CELLS if "tests" in h}
TRAINED = [key for key in TESTS if key.endswith("accuracy")]
MISTAKES = sorted((ROOT / "tests" / "submissions").glob("fails_*__*.py"))


@pytest.mark.parametrize("key", TESTS)
def test_the_test_cells_keep_to_the_contract(key):
    """Does the lint find nothing in any test cell of the notebook?"""
    assert problems(TESTS[key][1], NAMES) == []


@pytest.mark.parametrize("key", [key for key in TESTS if key not in TRAINED])
def test_the_model_answer_passes(key, given, model_kernel):
    """Does every test cell that needs no training pass on the model answer when judged, and show its last line?"""
    outcome = judge_cell(TESTS[key][1], given, model_kernel.submission, seconds=120)
    assert (outcome.status, outcome.message) == ("passed", "")
    assert "passed." in outcome.outputs[0]["text"]


@pytest.fixture
def other_answers(model_kernel):
    """Run a sample's answers in the kernel of the model answer, and put the model's back afterwards.

    Gives the ids of answers that raised.
    """

    def run(path):
        answers = [(header["answer"], code) for header, code in read_cells(path) if "answer" in header]
        return {name for name, code in answers if not model_kernel.run(code, fails=True)}

    yield run
    for header, code in CELLS:
        if header and in_one_kernel(header):
            model_kernel.run(code)


@pytest.mark.parametrize("path", [p for p in MISTAKES if "everything" not in p.name], ids=lambda path: path.stem)
def test_a_mistake_fails_its_own_exercise(path, given, model_kernel, other_answers):
    """Does a sample mistake fail at least one test cell of its exercise, as an assertion with a message?"""
    assert other_answers(path) == set()
    exercise = re.match(r"fails_(\w+?)__", path.stem)[1].replace("_", "-")
    outcomes = [
        judge_cell(code, given, model_kernel.submission, seconds=120)
        for key, (header, code) in TESTS.items()
        if header["tests"] == exercise and key not in TRAINED
    ]
    assert "failed" in [outcome.status for outcome in outcomes]
    assert {outcome.status for outcome in outcomes} <= {"passed", "failed"}
    assert all(outcome.message.endswith((".", "?", "!")) for outcome in outcomes if outcome.status == "failed")


APART = {key: header["tests"] for key, (header, code) in TESTS.items() if "on_stand_ins" in code}
LAYERS = ("fails_lifting", "fails_isotropic_conv", "fails_batch_norm", "fails_d4_action")


@pytest.mark.parametrize("path", [p for p in MISTAKES if p.name.startswith(LAYERS)], ids=lambda path: path.stem)
def test_a_wrong_layer_costs_no_architecture(path, given, model_kernel, other_answers):
    """Does a network that needs a sample's wrong layer pass its test on stand-ins when judged?"""
    other_answers(path)
    wrong = re.match(r"fails_(\w+?)__", path.stem)[1].replace("_", "-")
    reached = [key for key, exercise in APART.items() if exercise in dependants([wrong])]
    assert reached
    for key in reached:
        outcome = judge_cell(TESTS[key][1], given, model_kernel.submission, seconds=120)
        assert (outcome.status, outcome.message) == ("passed", "")


OTHERWISE = ROOT / "tests" / "submissions" / "passes_all__written_quite_differently.py"


@pytest.mark.parametrize(
    "key", [pytest.param(key, marks=pytest.mark.slow if "cnn" in key else ()) for key in TESTS if key not in TRAINED]
)
def test_a_right_answer_written_differently_passes(key, given, model_kernel, other_answers):
    """Does an answer that shares nothing but behaviour with the model's pass when judged?"""
    assert TESTS[key][0]["tests"] not in other_answers(OTHERWISE), "the sample's answer cell itself raised"
    model_kernel.run(UNTRAINED)
    outcome = judge_cell(TESTS[key][1], given, model_kernel.submission, seconds=120)
    assert (outcome.status, outcome.message) == ("passed", "")


@pytest.fixture(scope="module")
def untouched_kernel():
    """A kernel in which the release ran, with nothing written."""
    kernel = Kernel(NAMES)
    for header, code in CELLS:
        if in_one_kernel(header) or "training" in header:
            stub = re.sub(
                r"( *)### BEGIN SOLUTION.*?### END SOLUTION", r"\1raise NotImplementedError()", code, flags=re.S
            )
            kernel.run(stub, fails="training" in header)
    yield kernel
    kernel.close()


@pytest.mark.parametrize("key", TESTS)
def test_the_untouched_release_passes_nothing(key, given, untouched_kernel):
    """Does no test cell pass where nothing was written, and is the missing network of a training not graded?"""
    outcome = judge_cell(TESTS[key][1], given, untouched_kernel.submission, seconds=60)
    assert outcome.status == ("not graded" if key in TRAINED else "failed")
    expected = "is not defined" if key in TRAINED else "Your code raised NotImplementedError"
    assert expected in outcome.message and not outcome.grader_error


@pytest.mark.slow
@pytest.mark.parametrize("key", TRAINED)
def test_a_trained_network_passes(key, given, model_kernel):
    """Does the model's network, trained in the grading budget, pass its accuracy test when judged?"""
    training = next(code for header, code in CELLS if header.get("training") == TESTS[key][0]["tests"])
    model_kernel.run(training, seconds=550)  # 11 s to 42 s on two cores that do nothing else
    outcome = judge_cell(TESTS[key][1], given, model_kernel.submission)
    assert (outcome.status, outcome.message) == ("passed", "")


@pytest.mark.slow
def test_an_untrained_network_is_trained_once_more(given, model_kernel):
    """Does a network that learned nothing get its second run, in the kernel, and pass with it?"""
    model_kernel.run(UNTRAINED)
    outcome = judge_cell(TESTS["isotropic-cnn accuracy"][1], given, model_kernel.submission)
    assert outcome.status == "passed" and outcome.seconds > 5
