"""Tests of the tests: each different right answer of tests/alternatives earns full marks, in a sandbox and judged."""

import copy
import dataclasses
import re
from pathlib import Path

import pytest

from autograder.alternatives import FOLDER, PATIENT, alternatives, combined, judged
from autograder.errors import CourseError
from autograder.exercises import EXERCISES, dependants
from autograder.notebooks import role, submission_names
from autograder.run import run
from autograder.submissions import model_answer

CODE = [key for key, exercise in EXERCISES.items() if not exercise.by_hand]
NAMES = sorted(path.stem for path in (Path(__file__).parents[2] / FOLDER).glob("*.py"))
LAYERS = [name for name in NAMES if not re.match("[a-z0-9]+cnn(_bn)?__|isotropic_cnn__", name)]
# A whole hand-in, trained as in grading, in the style of modules; that of functions is passes_all__written_quite_
# differently in tests/submissions.
TRAINED = (
    *("c4__walks_round_the_clock", "d4__permutations_of_corners", "isotropic_conv__writes_the_centre_in_place"),
    *("rotate_p4__where_each_value_came_from", "lifting_conv__turns_the_image_instead"),
    *("group_conv__a_convolution_for_each_pair", "c4cnn__is_a_sequential", "isotropic_cnn__is_a_sequential"),
    *("batch_norm__mean_of_squares", "c4cnn_bn__is_a_sequential", "d4_action__a_table_from_the_product"),
    *("d4_lifting_conv__transforms_the_image_instead", "d4_group_conv__convolves_in_three_dimensions"),
    "d4cnn__is_a_sequential",
)


@pytest.fixture(scope="module")
def found(project, source):
    """All alternatives, by name."""
    return {alternative.name: alternative for alternative in alternatives(project / FOLDER, source)}


@pytest.fixture(scope="module")
def own(found, source):
    """How each alternative fares in its own exercise, but for networks; and how two wrong ones do among them."""
    right = found["rotate_p4__one_quarter_turn_at_a_time"]
    wrong = dataclasses.replace(right, name="wrong", code=right.code.replace("flip(-2)", "flip(-1)"))
    broken = dataclasses.replace(right, name="broken", code="def rotate_p4(y, r):")
    after = dataclasses.replace(right, name="right after a wrong one")
    layers = [found[name] for name in LAYERS]
    return judged([*layers[:-1], wrong, broken, after, layers[-1]], source, own_tests_only=True)


@pytest.fixture(scope="module")
def everywhere(found, source):
    """How each alternative fares in its exercise and all that need it."""
    return judged(found.values(), source)


def ids_of_tests(keys, source):
    """The test cells of exercises, but for accuracy."""
    cells = [cell for cell in source.cells if role(cell) == "tests" and cell.metadata.course.exercise in keys]
    return {cell.id for cell in cells if not cell.id.endswith("-accuracy")}


def refused(outcomes):
    """The tests that were not passed, with what they say."""
    return {test: outcome.message for test, outcome in outcomes.items() if outcome.status != "passed"}


def test_every_exercise_has_several_right_answers(found, source):
    """Are there at least 25 in all, two for each exercise in code, none of them another's or the model's?"""
    assert len(found) >= 25 and sorted(found) == NAMES
    model = {cell.id: model_answer(cell) for cell in source.cells if role(cell) == "answer"}
    for key in CODE:
        codes = [alternative.code for alternative in found.values() if alternative.exercise == key] + [model[key]]
        bare = {"".join(code.split()) for code in codes}
        assert len(bare) == len(codes) >= 3, key


@pytest.mark.parametrize("name", LAYERS)
def test_a_right_answer_passes_its_tests(found, own, source, name):
    """Does every test of its exercise, hidden part and all, accept it?"""
    assert own[name].keys() == ids_of_tests({found[name].exercise}, source)
    assert refused(own[name]) == {}


def test_a_wrong_answer_among_them_is_seen(own, source):
    """Is a mistake found, or an answer that does not run, where right answers come before and after it?"""
    assert "After a counter-clockwise turn it is top left" in refused(own["wrong"])["test-rotate-p4-quarter-turn"]
    assert refused(own["broken"]).keys() == ids_of_tests({"rotate-p4"}, source)
    assert own["right after a wrong one"] and refused(own["right after a wrong one"]) == {}


def test_a_course_that_does_not_run_is_not_taken_for_wrong_answers(found, source):
    """Is it said, and nothing judged, where the course's own cells fail?"""
    broken = copy.deepcopy(source)
    next(cell for cell in broken.cells if cell.id == "c4").source = "1 / 0"
    broken.cells = [cell for cell in broken.cells if cell.metadata.course.get("exercise") in ("c4", "d4")]
    with pytest.raises(CourseError, match=r"own cell 'model-0' failed \(division by zero\)"):
        judged([found["d4__cases"]], broken, own_tests_only=True)


def test_malformed_texts_are_named(found, source, tmp_path):
    """Is a text that answers another exercise, none, two, or starts elsewhere refused by its file's name?"""
    good = found["c4__complex_numbers"].path.read_text()
    other = found["d4__cases"].path.read_text().split("\n", 1)[1]
    for name, text in (
        ("d4__complex_numbers", good),
        ("c4__nothing", good.split("# %% answer")[0]),
        ("c4__two", good + other),
        ("c4__from_the_release", good.replace('"model"', '"release"')),
        ("c4__without_a_start", good.split("\n", 1)[1]),
        ("c5__unknown", good.replace('answer="c4"', 'answer="c5"')),
    ):
        folder = tmp_path / name
        folder.mkdir()
        (folder / f"{name}.py").write_text(text)
        with pytest.raises(ValueError, match=f"{name}.py"):
            alternatives(folder, source)


def test_one_hand_in_has_one_answer_to_an_exercise(found, source):
    """Are answers put where they belong, and two answers to one exercise refused?"""
    chosen = [found["c4__complex_numbers"], found["d4__cases"]]
    cells = {cell.id: cell.source for cell in combined(chosen, source).cells}
    assert cells["c4"] == chosen[0].code and cells["d4"] == chosen[1].code
    model = {cell.id: model_answer(cell) for cell in source.cells if role(cell) == "answer"}
    assert all(cells[key] == code for key, code in model.items() if key not in ("c4", "d4"))
    with pytest.raises(ValueError, match=r"two answers to 1\.2"):
        combined([found["c4__complex_numbers"], found["c4__multiplication_table"]], source)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_right_answer_costs_nothing_elsewhere(found, everywhere, source, name):
    """Do the tests of the exercises that need it accept it as well?"""
    assert everywhere[name].keys() == ids_of_tests(dependants([found[name].exercise]), source)
    assert refused(everywhere[name]) == {}


def test_the_whole_hand_in_answers_everything_once(found):
    """Has it one answer to every exercise in code?"""
    assert sorted(found[name].exercise for name in TRAINED) == sorted(CODE)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_whole_hand_in_earns_full_marks(found, source):
    """Do networks in another style, on layers in another style, pass everything after training as in grading?"""
    notebook = combined([found[name] for name in TRAINED], source)
    done = run(notebook, frozenset(submission_names(source)), settings=PATIENT)
    assert refused(done.outcomes) == {}
    assert done.outcomes.keys() == {cell.id for cell in source.cells if role(cell) == "tests"}
    assert done.evidence["kernel deaths"] == []
