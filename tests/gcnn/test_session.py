"""What a student's session says when a name is missing or means something else, in a real IPython."""

import IPython
import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell

from gcnn import checks, session, submission

SET_UP = """
import torch
from torch import nn
from gcnn import checks, plots, session
from gcnn.data import MnistRotDataset
from gcnn.equivariance import rotate
from gcnn.training import train_model
test_set = MnistRotDataset("test")
GRADING = False
"""


@pytest.fixture
def shell(monkeypatch):
    """A student's IPython in which the set-up cell has run."""
    shell = InteractiveShell()
    shell.colors = "nocolor"
    monkeypatch.setattr(IPython, "get_ipython", lambda: shell)
    shell.user_ns["get_ipython"] = lambda: shell
    monkeypatch.setattr(session, "_given", {})
    assert shell.run_cell(SET_UP + "session.begin()").success
    return shell


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("C4", "Run your answer to exercise 1.2 C4 first; after a restart, run every cell above this one"),
        ("rotate_p4", "Run your answer to exercise 2.2 rotate_p4 first"),
        ("c4cnn_bn", "Run the training of C4CNNWithBatchNorm first"),
        ("PlainCNN", "Run the cell that begins with `class PlainCNN(nn.Module):` first"),
        ("results", "Run the cell that begins with `results, trained = "),
        ("test_model", "Run the cell that begins with `import torch` first"),
    ],
)
def test_an_error_for_a_missing_name_says_what_to_run(name, what, shell, capsys):
    """Does the sentence name the cell, below the traceback as ever, and does the cell fail as before?"""
    result = shell.run_cell(f"1 + {name}")
    said = capsys.readouterr().out
    assert f"NameError: name '{name}' is not defined. {what}" in said and "----> 1" in said
    assert isinstance(result.error_in_exec, NameError)


@pytest.mark.parametrize(
    "code",
    [
        "a_name_of_my_own",
        "x",
        "digit",
        "images",
        "size",
        "name",
        "missing",
        "raise NameError('x is not defined')",
        "def f():\n    print(y)\n    y = 1\nf()",
    ],
)
def test_other_errors_are_as_ever(code, shell, capsys):
    """Is nothing added where the course knows nothing?"""
    shell.run_cell(code)
    said = capsys.readouterr().out
    assert "Error" in said and "Run " not in said


def test_another_way_to_show_errors_stays(shell, monkeypatch):
    """Is a platform's own handler of errors left alone?"""
    shell.custom_exceptions = ()
    shell.set_custom_exc((ImportError,), lambda *_: None)
    session.begin()
    assert shell.custom_exceptions == (ImportError,)


@pytest.mark.parametrize("name", ["train_model", "rotate", "nn", "checks", "test_set"])
def test_a_redefined_name_is_said(name, shell, capsys):
    """Do the checks of an exercise and the check before handing in say so, until the name is given again?"""

    class C4:
        pass

    shell.run_cell(f"{name} = 7")
    assert session.redefined() == [name]
    checks.c4(C4)
    words = " ".join(capsys.readouterr().out.split())
    assert f"{name} no longer means what the course gave you" in words and "run the two set-up cells again" in words
    submission._say_names()
    assert f"{name} no longer means" in " ".join(capsys.readouterr().out.split())
    shell.run_cell(SET_UP + "session.begin()")
    assert session.redefined() == []
    checks.c4(C4)
    assert "no longer" not in capsys.readouterr().out


@pytest.mark.parametrize("code", ["mine = 3", "from torch import nn", "GRADING = 1", "del checks", "rotate_p4 = print"])
def test_names_that_are_a_students_own_are_not(code, shell):
    """Is nothing said of own names, of the same thing imported again, or of what no cell needs?"""
    shell.run_cell(code)
    assert session.redefined() == [] and session.about_redefined() == ""


def test_what_a_student_had_already_is_not_given(shell):
    """Is an own thing under a given name not taken for the course's when the package is looked at anew?"""
    shell.user_ns["torch"] = object()
    session.begin()
    shell.user_ns["torch"] = torch
    assert session.redefined() == []


def test_outside_of_a_notebook_there_is_nothing_to_do(monkeypatch):
    """Does a plain Python neither fail nor say anything?"""
    monkeypatch.setattr(IPython, "get_ipython", lambda: None)
    monkeypatch.setattr(session, "_given", {})
    session.begin()
    assert session.redefined() == []
