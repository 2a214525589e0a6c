"""The judge: test cells run in the grader's own process, a submission's names in them stand for objects in its kernel.

`wire` says what crosses, `agent` answers in the kernel, `channel` carries requests and replies, `proxies` stand for the
submission's objects, `helpers` are the names of `gcnn.probes` as test cells see them, `cells` judges one test cell, and
`lint` finds what a test cell may not do. How much memory a kernel's messages may take here is the sandbox's affair.

    submission = Submission(Channel(client, alive), names)  # best before any cell of the submission has run
    …                                           # run the submission's cells
    outcome = judge_cell(source, given, submission)
"""

from autograder.judge.cells import Outcome, judge_cell
from autograder.judge.channel import Channel, KernelGone, NotAnswered, Stopped, Unreadable
from autograder.judge.lint import problems
from autograder.judge.proxies import Submission

__all__ = [
    "Channel",
    "KernelGone",
    "NotAnswered",
    "Outcome",
    "Stopped",
    "Submission",
    "Unreadable",
    "judge_cell",
    "problems",
]
