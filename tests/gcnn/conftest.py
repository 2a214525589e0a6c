"""What tests of the checks that diagnose start from."""

import pytest

from autograder.hinting import defined, given_names
from autograder.mutants.made import model_answers
from gcnn import checks
from gcnn.diagnosis.course import ASKED


@pytest.fixture(scope="module")
def answers(source):
    """The model's answers in code, by exercise."""
    return model_answers(source)


@pytest.fixture(scope="module")
def names(source):
    """What stands in the notebook when an answer's cell runs."""
    return given_names(source)


@pytest.fixture
def report(names):
    """The report on the code of an answer."""

    def check(key, code, **also):
        thing = defined({**names, **also}, f"test {key}", code, ASKED[key].name)
        return getattr(checks, ASKED[key].check)(thing)

    return check
