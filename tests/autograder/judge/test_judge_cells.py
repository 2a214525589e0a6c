"""Tests of autograder.judge.cells: each test cell gets the outcome that its run deserves, and outputs that say why."""

import time
import warnings

import pytest

from autograder.judge import Outcome, judge_cell
from autograder.judge.cells import clean
from gcnn import checks

CODE = """
import torch

def answer():
    return 42

def broken(text="it broke"):
    raise ValueError(text)

def unfinished():
    raise NotImplementedError()

def nothing():
    pass

def flat():
    return torch.zeros(3)

def leave():
    raise SystemExit(0)

class Thing:
    pass
"""
NAMES = {"answer", "broken", "unfinished", "nothing", "flat", "leave", "Thing", "never", "lost"}
GIVEN = {"checks": checks, "number": 1, "shared": [], "answer": lambda: "the grader's own, never seen"}


@pytest.fixture(scope="module")
def kernel(kernels):
    """A kernel for this module."""
    with kernels(NAMES, CODE) as kernel:
        yield kernel


@pytest.fixture
def judge(kernel):
    """Judge a cell."""
    return lambda source, **options: judge_cell(source, GIVEN, kernel.submission, **options)


def texts(outcome, kind):
    """The outputs of one type."""
    return [output for output in outcome.outputs if output["output_type"] == kind]


def test_what_checks_measured_is_kept(judge):
    """Does an outcome hold the accuracies that its test measured, also where it failed by them, and no other test's?"""
    cell = """
import torch
labels = torch.tensor([0, 1, 2, 1])
checks.accuracy(torch.eye(3)[labels], labels)
accuracy = checks.accuracy(torch.eye(3)[[0, 1, 2, 2]], labels, "The second answer")
assert accuracy >= 80, "too few"
"""
    outcome = judge(cell)
    assert outcome.status == "failed"
    assert outcome.measured == [
        {"what": "The network's output", "accuracy": 100.0, "images": 4},
        {"what": "The second answer", "accuracy": 75.0, "images": 4},
    ]
    assert judge("assert answer() == 42").measured == []


def test_numbers_that_no_whole_number_can_hold_are_the_submissions(judge):
    """Does a test fail that cannot count with what came back, and is it not said to have a mistake of its own?"""
    outcome = judge("import torch\nint((flat() + 3e38).sum())")
    assert (outcome.status, outcome.grader_error) == ("failed", False)
    assert "OverflowError" in outcome.message


def test_passed(judge):
    """Does a cell that runs to its end pass, with what it printed and nothing else?"""
    outcome = judge('assert answer() == 42, "no"\nprint("All", 1, "passed", sep="-")\nprint("end", end="")')
    assert (outcome.status, outcome.message) == ("passed", "")
    assert outcome.outputs == [{"output_type": "stream", "name": "stdout", "text": "All-1-passed\nend"}]
    assert 0 < outcome.seconds < 5 and not outcome.kernel_lost and not outcome.grader_error


def test_failed_by_an_assertion(judge):
    """Does a failed assertion show its message, and no line of the test?"""
    hidden = 'print("so far")\nfor secret in (1, 2):\n    assert answer() == 43, f"answer() is {answer()}"\n'
    outcome = judge(hidden)
    assert (outcome.status, outcome.message) == ("failed", "answer() is 42")
    assert outcome.outputs[1:] == [
        {
            "output_type": "error",
            "ename": "AssertionError",
            "evalue": "answer() is 42",
            "traceback": ["AssertionError: answer() is 42"],
        }
    ]
    assert "secret" not in str(outcome)


def test_failed_without_a_message(judge):
    """Is there a sentence also where the test has none?"""
    assert judge("assert answer() == 43").message == "A check did not hold."


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("broken()", "Your code raised ValueError: it broke"),
        ("unfinished()", "Your code raised NotImplementedError"),
        ("leave()", "Your code raised SubmissionError: SystemExit: 0"),
        ("Thing().missing", "Your code raised AttributeError: 'Thing' object has no attribute 'missing'"),
        ("answer(1)", "Your code raised TypeError: answer() takes 0 positional arguments but 1 was given"),
    ],
)
def test_failed_by_the_submissions_exception(judge, call, message):
    """Does an exception of the submission fail the cell, by its name and message?"""
    outcome = judge(call)
    assert (outcome.status, outcome.message) == ("failed", message)
    assert texts(outcome, "error")


@pytest.mark.parametrize(
    "source",
    [
        "bank, bias = nothing()",
        "bank, bias = flat()",
        "nothing()[0]",
        "nothing().shape",
        "flat()[1, 2]",
        "flat().amax(-3)",
        "answer() + 'x'",
        "{}[answer()]",
        "checks.varies(nothing(), 'It')",
        "from gcnn.equivariance import rotate\nrotate(flat(), 1)",
        "import torch\ntorch.stack([flat(), flat()[:2]])",
        "from autograder import reference\nreference.act_on_features(flat(), 1)",
        "answer() + Thing()",
        "if Thing(): pass",
        "checks.equal(answer(), 42, 'x')\nchecks.equal(Thing(), 42, 'x')",
    ],
)
def test_failed_by_a_value_that_cannot_be_used(judge, source):
    """Is a value of another kind or shape than expected the submission's failure, not the test's?"""
    outcome = judge(source)
    assert outcome.status == "failed" and outcome.message and not outcome.grader_error


def test_a_name_that_was_never_defined(judge):
    """Is the test of a name that the submission never bound not graded, with the name and, if known, the reason?"""
    outcome = judge("never(1)")
    assert outcome.status == "not graded" and not outcome.grader_error
    assert outcome.message.startswith("never is not defined: no cell of the hand-in")
    outcome = judge("def f():\n    return lost\nf()", missing={"lost": "its training was stopped after 300 s"})
    assert outcome.message == "lost is not defined: its training was stopped after 300 s"
    assert judge("with raises(NameError):\n    never").status == "not graded"


def test_a_name_that_is_defined_but_not_reached_is_not_missed(judge):
    """Does a test that does not come to an undefined name pass?"""
    assert judge("if False:\n    never(1)").status == "passed"


@pytest.mark.parametrize(
    "source",
    [
        "unknown_name",
        "1 / 0",
        "this is not Python",
        "import no_such_module",
        "from autograder import reference\nreference.no_such_function()",
        "raise OSError('no digits')",
        "raise SystemExit(0)",
        "raise StopIteration",
        "answer(lambda: 1)",
        "checks.nothing()",
        "with raises(ZeroDivisionError):\n    1 / 0",
    ],
)
def test_a_mistake_in_the_test(judge, source):
    """Is a mistake of the test not graded, and flagged for the instructor?"""
    outcome = judge(source)
    assert (outcome.status, outcome.grader_error) == ("not graded", True)
    assert outcome.message.startswith("the test itself failed: ")
    assert texts(outcome, "error")[0]["ename"] == "NotGraded"


def test_the_names_that_a_cell_sees(judge, kernel):
    """Are given names the grader's, the submission's the submission's, others unknown, and each cell fresh?"""
    assert judge("assert answer() == 42, 'x'\nassert number == 1, 'x'").status == "passed"
    kernel.run("number = 2\nextra = 3\nchecks = None")
    assert judge("assert number == 1, 'x'\nchecks.equal(1, 1, 'x')\nnumber = 5\nanother = 1").status == "passed"
    assert judge("assert number == 1, 'x'").status == "passed"
    for name in ("another", "extra", "get_ipython", "kernel"):
        assert judge(name).grader_error


def test_a_submission_cannot_take_a_given_name(kernel):
    """Is a name looked up in the kernel only if it is on the list, also if it is a helper's or a built-in one's?"""
    kernel.run("predict = len = print = lambda *a: 1 / 0")
    outcome = judge_cell("assert len([1]) == 1, 'x'\nprint(predict.__module__)", GIVEN, kernel.submission)
    assert outcome.status == "passed" and "autograder.judge.helpers" in outcome.outputs[0]["text"]


def test_warnings_and_stderr_cost_nothing(judge):
    """Are warnings of the grader's process kept for the record, and not shown?"""
    outcome = judge("import sys, warnings\nwarnings.warn('careful')\nprint('x', file=sys.stderr)")
    assert outcome.status == "passed" and outcome.outputs == [] and outcome.warnings == ["UserWarning: careful"]
    with warnings.catch_warnings(record=True) as caught:
        warnings.warn("as before", stacklevel=1)
    assert len(caught) == 1


def test_output_and_messages_are_bounded(judge, kernel):
    """Are a cell's output, a submission's message and its control characters kept within limits?"""
    assert len(judge("while_true = [print('x' * 1000) for _ in range(1000)]").outputs[0]["text"]) <= 100_001
    outcome = judge("broken('\\x1b[31m' + '<b>' + chr(0xd800) + 'x' * 10**6)")
    assert len(outcome.message) < 2100 and "\x1b" not in outcome.message
    outcome.message.encode()
    assert clean("a\x00b\x1bc\u202ed\ne") == "a b c d\ne"


def test_a_cell_of_the_grader_ends_in_time(judge):
    """Does a cell that computes too long in the grader itself end, not graded, without waiting for the submission?"""
    start = time.monotonic()
    outcome = judge("while True:\n    pass", seconds=0.5)
    assert outcome.status == "not graded" and time.monotonic() - start < 3 and not outcome.kernel_lost
    outcome = judge("while True:\n    try:\n        while True: answer()\n    except Exception: pass", seconds=0.5)
    assert outcome.status == "not graded" and time.monotonic() - start < 8
    assert judge("assert answer() == 42, 'x'").status == "passed"


def test_time_that_ends_late_disturbs_nothing(judge):
    """Do many cells that end right at their limit leave no exception for the code that follows?"""
    for i in range(40):
        outcome = judge("import time\ntime.sleep(0.02)", seconds=0.02 + (i - 20) * 2e-4)
        assert outcome.status in ("passed", "not graded")
    for _ in range(10**5):
        pass


def test_the_instructors_interrupt_goes_through(judge):
    """Does Ctrl-C end the grading, and is it not a submission's outcome?"""
    with pytest.raises(KeyboardInterrupt):
        judge("raise KeyboardInterrupt")


def test_a_cell_that_was_not_reached():
    """Can an outcome be given without a kernel?"""
    outcome = Outcome.not_graded("the kernel died three times", kernel_lost=True)
    assert (outcome.status, outcome.message, outcome.kernel_lost) == ("not graded", "the kernel died three times", True)
    assert outcome.outputs[0]["evalue"] == "the kernel died three times"
