"""Tests of autograder.rebinding: what a hand-in's code does to the course's names, and what is no more than its own."""

import nbformat
import pytest

from autograder.rebinding import REBOUND, REPLACED, Given
from autograder.submissions import pour, read_sample

GIVEN = "import torch\nfrom gcnn import checks\n\ndef rotate(x, r):\n    return x\n\nimages = 3"


def touched(code, role="added"):
    """What one cell of this role does to the given cell above."""
    cells = [nbformat.v4.new_code_cell(text) for text in (GIVEN, code)]
    for cell, kind in zip(cells, ("given", role), strict=True):
        cell.metadata["course"] = {"role": kind}
    return list(Given().touched(nbformat.v4.new_notebook(cells=cells)))


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("def rotate(x, r):\n    return 0", [(REBOUND, "rotate")]),
        ("class checks:\n    pass", [(REBOUND, "checks")]),
        ("torch, y = None, 1", [(REBOUND, "torch")]),
        ("torch.allclose = lambda *a: True", [(REPLACED, "torch.allclose")]),
        ("def f():\n    torch.Tensor.equal = None", [(REPLACED, "torch.Tensor.equal")]),
        ("setattr(checks, 'close', None)", [(REPLACED, "checks.close")]),
        ("import sys as s\ns.modules['torch'] = 1\ns.path = []", [(REPLACED, "s.path")]),
        ("import sys\nsys.modules['torch'] = 1", [(REPLACED, "sys.modules")]),
        ("torch.equal = 1\ntorch.equal = 2", [(REPLACED, "torch.equal")]),
        ("images = 4", []),
        ("def f():\n    rotate = 3\n    return rotate", []),
        ("class Own:\n    def __init__(self):\n        self.rotate = torch.ones(1)", []),
        ("from gcnn.equivariance import rotate", []),
        ("this is no Python", []),
        ("(" * 5000, []),
        ("x = [1]\nx[0] = 2\nx.y = 3", []),
    ],
)
def test_only_what_is_the_courses_is_found(code, found):
    """Is each way to give a course's name another meaning found once, and what is the student's own not?"""
    assert touched(code) == found


def test_only_the_students_own_cells_are_read():
    """Is a playground, which students may change, left alone, and an answer not?"""
    assert touched("rotate = None", "playground") == []
    assert touched("rotate = None", "answer") == [(REBOUND, "rotate")]


@pytest.mark.parametrize(
    ("sample", "something"),
    [
        ("passes_all", None),
        ("passes_all__written_quite_differently", None),
        ("fails_everything__untouched", None),
        ("cheats__patches_every_comparison", (REPLACED, "torch.allclose")),
        ("cheats__redefines_given_names", (REBOUND, "rotate")),
        ("cheats__replaces_modules", (REPLACED, "sys.modules")),
    ],
)
def test_samples(sample, something, project, source):
    """Is nothing found in honest samples, and in hostile ones what they do?"""
    poured = pour(read_sample(project / "tests" / "submissions" / f"{sample}.py", source).notebook, source)
    found = list(Given().touched(poured.notebook))
    assert something in found if something else found == []
