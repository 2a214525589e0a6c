"""Whether a network can pass its accuracy test at all, asked before it is trained, which is what takes long.

That test compares the trained network with the reference on the trained network's own weights. One that computes
something else with the weights that it starts with does so after training, too: it is trained for a few steps only, so
that tests of everything but its accuracy find a trained network, and its accuracy has failed already. So has that of
one which raises in double precision, if the test asks it in double precision, too.
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
FLOAT64 = frozenset({"c4cnn_bn", "d4cnn"})  # networks that their accuracy test asks in double precision, too
# Each network is asked in the precision in which its test asks it: in another one, right code may raise. Rounding is no
# whole percent; what is smaller is left to the test itself, and what raises in single precision to the training.
_TEST = """
from autograder import hidden, reference
x = torch.rand(4, 1, 33, 33, generator=hidden.generator("{name}-forecast"))
try:
    net = {network}()
    answers = predict(net, x)
    layers = reference.in_execution_order(state(net), layer_order(net, x))
except Exception:
    pass
else:
    what = "{network}'s answer for the weights that it starts with"
    checks.close(answers, reference.network("{name}", layers, x), what, tolerance=0.01)
    if {precise}:
        predict(in_dtype(net, torch.float64), x.double())
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
    name = names.pop()
    source = _TEST.format(network=exercise.answer, name=name, precise=name in FLOAT64)
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
