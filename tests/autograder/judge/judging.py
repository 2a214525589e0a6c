"""What the judge's tests share: a plain kernel, the notebook's cells, and the names that are the submission's in it."""

import os
import re
import shlex
from pathlib import Path

import zmq
from jupyter_client import KernelManager

from autograder.judge import Channel, Submission, wire

ROOT = Path(__file__).parents[3]
NAMES = frozenset(
    {"C4", "D4", "IsotropicConv2d", "rotate_p4", "LiftingConv2d", "GroupConv2d", "C4CNN", "IsotropicCNN"}
    | {"GroupBatchNorm2d", "C4CNNWithBatchNorm", "transform_p4m", "D4LiftingConv2d", "D4GroupConv2d", "D4CNN"}
    | {"c4cnn", "isotropic_cnn", "c4cnn_bn", "d4cnn"}
)


def read_cells(path):
    """The cells of a percent-format text as pairs of the header's attributes and the code."""
    cells = []
    for part in re.split(r"^# %%", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        head, _, body = part.partition("\n")
        pairs = [word.partition("=") for word in shlex.split(head)]
        cells.append(({key: value for key, _, value in pairs}, body))
    return cells


class Kernel:
    """A kernel without a sandbox, and the judge's way to it."""

    def __init__(self, names):
        self.manager = KernelManager()
        self.manager.context.setsockopt(zmq.MAXMSGSIZE, wire.MAX_BYTES + 2**20)  # as the sandbox does
        self.manager.start_kernel(env={**os.environ, "NBGRADER_EXECUTION": "1"}, extra_arguments=["--log-level=50"])
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)
        self.channel = Channel(self.client, self.manager.is_alive)
        self.submission = Submission(self.channel, names)

    def run(self, code, fails=False, seconds=100):
        """Run a cell of the submission; whether it ran to its end."""
        # By default a cell that fails lets the kernel abort what comes right after it.
        content = self.client.execute(code, stop_on_error=False, reply=True, timeout=seconds)["content"]
        assert fails or content["status"] == "ok", content.get("evalue")
        return content["status"] == "ok"

    def close(self):
        """End it."""
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


def in_one_kernel(header):
    """Whether a cell runs in the kernel before the tests do: given code and answers, not the trainings."""
    return not header or ("answer" in header and "[markdown]" not in header)


UNTRAINED = """
torch.manual_seed(0)
c4cnn, isotropic_cnn, c4cnn_bn, d4cnn = C4CNN(), IsotropicCNN(), C4CNNWithBatchNorm(), D4CNN()
"""
