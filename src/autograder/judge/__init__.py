"""The judge: test cells run in the grader's own process, a submission's names in them stand for objects in its kernel.

`wire` says what crosses, `agent` answers in the kernel, `channel` carries requests and replies, `guard` keeps the
grader's memory, `proxies` stand for the submission's objects, `helpers` are the names of `gcnn.probes` as test cells
see them, `cells` judges one test cell, and `lint` finds what a test cell may not do.

    limit_messages(manager)                     # before the client's channels are started
    with MemoryGuard(kill):
        submission = Submission(Channel(client, alive), names)  # best before any cell of the submission has run
        …                                       # run the submission's cells
        outcome = judge_cell(source, given, submission)
"""

from autograder.judge.cells import Outcome, judge_cell
from autograder.judge.channel import Channel, KernelGone, NotAnswered, Stopped, Unreadable, limit_messages
from autograder.judge.guard import MemoryGuard
from autograder.judge.lint import problems
from autograder.judge.proxies import Submission

__all__ = [
    "Channel",
    "KernelGone",
    "MemoryGuard",
    "NotAnswered",
    "Outcome",
    "Stopped",
    "Submission",
    "Unreadable",
    "judge_cell",
    "limit_messages",
    "problems",
]
