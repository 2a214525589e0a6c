"""Whether a network can pass its accuracy test at all, asked before it is trained, which is what takes long.

That test compares the trained network with the reference on the trained network's own weights. One that computes
something else with the weights that it starts with does so after training, too: it is trained for a few steps only, so
that tests of everything but its accuracy find a trained network, and its accuracy has failed already.
"""

import ast
from collections.abc import Mapping
from typing import Any

from nbformat import NotebookNode

from autograder.exercises import EXERCISES
from autograder.judge import Outcome, Submission, judge_cell
from autograder.notebooks import bound_names

TRIAL = "trial"  # the budget, of `gcnn.training`, of a network whose accuracy has failed already
SECONDS = 60  # that the question may take
# Float64 and a whole percent: rounding cannot be the difference, and what is smaller is left to the test itself.
_TEST = """
from autograder import hidden, reference
net = in_dtype({network}(), torch.float64)
x = torch.rand(4, 1, 33, 33, generator=hidden.generator("{name}-forecast"), dtype=torch.float64)
order = layer_order(net, x)
answers = predict(net, x)
layers = reference.in_execution_order(state(net), order)
what = "{network}'s answer for the weights that it starts with"
checks.close(answers, reference.network("{name}", layers, x), what, tolerance=0.01)
"""


def forecast(cell: NotebookNode, given: Mapping[str, Any], submission: Submission) -> Outcome:
    """What is known of a network's accuracy before its training cell is run.

    Args:
        cell: the training cell.
        given: what the source notebook's given cells define, the grader's own copy.
        submission: the submission's kernel, in which the network's class is defined.

    Returns:
        *Failed*, with why, for a network that cannot pass; anything else says nothing about it. It may have cost the
        kernel: ``kernel_lost``.
    """
    exercise = EXERCISES.get(cell.metadata.course.exercise)
    names = bound_names(cell.source)
    if exercise is None or len(names) != 1:
        return Outcome.not_graded("this network is none of the course's")
    source = _TEST.format(network=exercise.answer, name=names.pop())
    return judge_cell(source, given, submission, seconds=SECONDS)


def on_trial(source: str) -> str:
    """A training cell that trains in the budget of a trial: its code, every ``train_model`` with one more argument."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "train_model":
            node.keywords.append(ast.keyword("budget", ast.Constant(TRIAL)))
    return ast.unparse(tree)


def reason(name: str, why: str) -> str:
    """What a student is told whose network was not trained to the end."""
    return (
        f"{name} cannot pass this test, which compares it with the network described, however long it is trained; it "
        f"was, for a few steps only. {why}"
    )
