"""Tests of the judge beside nbclient, which runs a notebook's cells over an asyncio client of its own."""

import nbformat
import torch
from nbclient import NotebookClient

from autograder.judge import Channel, Submission, judge_cell
from gcnn import checks

CELLS = [
    "import torch\ndef double(x):\n    print('doubling')\n    return 2 * x\nprint('ready')",
    "import sys\nprint('error', file=sys.stderr)\n1 + 1",
    "raise ValueError('a mistake')",
    "raise SystemExit",
    "double(3)",
]


def test_cells_and_judging_alternate():
    """Do the judge and nbclient share one client, each with its own messages, over cells that print, raise and exit?"""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code) for code in CELLS])
    client = NotebookClient(notebook, allow_errors=True, timeout=60)
    client.km = client.create_kernel_manager()
    with client.setup_kernel():
        process = client.km.provisioner.process
        submission = Submission(Channel(client.kc, lambda: process.poll() is None), {"double"})
        given = {"checks": checks, "torch": torch}
        for i, cell in enumerate(notebook.cells):
            client.execute_cell(cell, i)
            for _ in range(3):
                outcome = judge_cell(
                    "x = torch.randn(10_000)\nchecks.close(double(x), 2 * x, 'double(x)')", given, submission
                )
                assert (outcome.status, outcome.message) == ("passed", "")
        process.kill()
        outcome = judge_cell("double(1)", given, submission, seconds=30)
        assert (outcome.status, outcome.kernel_lost) == ("not graded", True)
    assert notebook.cells[0].outputs[0].text == "ready\n"
    assert [output.output_type for output in notebook.cells[1].outputs] == ["stream", "execute_result"]
    assert notebook.cells[2].outputs[0].evalue == "a mistake"
    assert notebook.cells[4].outputs[-1].data["text/plain"] == "6"
