"""Tests of autograder.findings: equal mistakes count as one, and shares are of those whose points are final."""

import pytest

from autograder import findings
from autograder.classroom import Classroom, Student, Verdict
from autograder.exercises import EXERCISES
from autograder.findings import grouped, normalised
from autograder.report import Grades, Score


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("C4.product(1, 2) is 3, expected -3.", "C4.product(3, 3) is 6, expected 2."),
        ("it has shape (2, 3, 4, 5), expected (2, 3)", "it has shape (2, 4), expected (2, 33, 33, 4)"),
        ("at index (0, 1) it is -1e-05 (relative error 0.5)", "at index (3, 2) it is nan (relative error inf)"),
        ("got tensor([[1., 2.],\n        [3., nan]])", "got tensor([0.5])"),
        ("got tensor([[1., 2., ..., 3.]])", "got tensor([[[4.]]])"),
        ("<C4 object at 0x7f01ab> is 71.3 %", "<C4 object at 0x7fffff> is 1,071 %"),
    ],
)
def test_messages_that_differ_in_numbers_are_equal(one, other):
    """Do numbers, shapes, tensors' values and addresses make no difference?"""
    assert normalised(one) == normalised(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("C4.product is wrong", "D4.product is wrong"),
        ("it has dtype torch.float32", "it has dtype torch.float64"),
        ("conv1 is wrong", "conv2 is wrong"),
        ("it holds info", "it holds nano"),
        ("ValueError: no", "TypeError: no"),
    ],
)
def test_messages_that_differ_in_words_are_not(one, other):
    """Do names keep their digits, so that different mistakes stay apart?"""
    assert normalised(one) != normalised(other)


@pytest.mark.parametrize("unit", ["(", "[1,", "1,", "-", "1e", "0x", "(((1)))", "#", "1 ", "…", "."])
@pytest.mark.timeout(20)
def test_no_message_takes_for_ever(unit):
    """Is a long message that repeats itself normalised in good time, and to the end?"""
    text = normalised((unit * 4000)[:4000])
    assert normalised(text) == text


def test_groups_name_everyone_once_and_show_the_commonest_wording():
    """Are students counted, not cases, the largest group first, with a message that somebody really got?"""
    cases = [("bert", "x is 1"), ("anna", "it died"), ("anna", "x is 2"), ("carl", "x is 2"), ("anna", "x is 3")]
    first, second = grouped(cases)
    assert (first.example, first.students, first.cases) == ("x is 2", ("bert", "anna", "carl"), 4)
    assert (second.example, second.students) == ("it died", ("anna",))
    assert grouped([]) == []


def student(name, *, tests=None, state="waiting for marking", **points):
    """A graded student with full points but for those given; ``None`` is not final."""
    scores = {}
    for key, exercise in EXERCISES.items():
        value = points.get(key.replace("-", "_"), exercise.points)
        scores[key] = Score(value or 0, exercise.points, waiting=value is None)
    return Student(name, state, grades=Grades(name, scores), tests=tests or {})


def classroom(*students):
    """A class of these."""
    return Classroom("gcnn", None, students, 6000, 3600)


def test_a_rate_is_of_those_whose_points_are_final():
    """Is who waits in no rate, and is there none where nobody is decided?"""
    whole = classroom(
        student("a"), student("b", c4=2), student("c", c4=0), student("d", c4=None), Student("e", "missing")
    )
    found = {one.exercise.key: one for one in findings.successes(whole)}
    c4 = found["c4"]
    assert (c4.full, c4.part, c4.none, c4.waiting, c4.decided) == (1, 1, 1, 1, 3)
    assert c4.rate == pytest.approx(100 / 3) and found["d4"].rate == 100
    assert {one.rate for one in findings.successes(classroom())} == {None}


def test_failures_are_grouped_with_their_tests():
    """Are equal messages one, with the tests that gave them, other messages apart, and passed tests left out?"""
    wrong = Verdict("c4", "failed", "product is 3")
    whole = classroom(
        student("a", c4=2, tests={"test-c4-product": wrong, "test-c4-inverse": wrong}),
        student("b", c4=2, tests={"test-c4-product": Verdict("c4", "failed", "product is 5")}),
        student("c", tests={"test-c4-product": Verdict("c4", "passed"), "test-d4-product": wrong}),
        student("d", tests={"test-c4-product": Verdict("c4", "failed", "it is no number")}),
    )
    failures = {one.exercise.key: one for one in findings.successes(whole)}["c4"].failures
    assert [(group.students, cells) for group, cells in failures] == [
        (("a", "b", "c"), ("test-c4-product", "test-c4-inverse", "test-d4-product")),
        (("d",), ("test-c4-product",)),
    ]


def test_networks_are_judged_by_their_thresholds():
    """Is an accuracy below the bound not enough, and is who was not measured counted apart?"""
    cases = [("c4cnn", 84.9), ("c4cnn", 85.0), ("isotropic-cnn", 16), ("isotropic-cnn", 30), ("isotropic-cnn", 90)]
    tests = [{f"test-{key}-accuracy": Verdict(key, "passed", accuracy=x, images=5000)} for key, x in cases]
    whole = classroom(*(student(str(number), tests=one) for number, one in enumerate(tests)))
    found = {network.name: network for network in findings.networks(whole)}
    assert [one.enough for one in found["c4cnn"].measured] == [False, True] and found["c4cnn"].unmeasured == 3
    assert [one.enough for one in found["isotropic_cnn"].measured] == [False, True, True]
    assert found["d4cnn"].measured == () and found["d4cnn"].unmeasured == 5


def test_what_a_person_has_decided_is_no_longer_open():
    """Is a test that was not graded listed until somebody gave it points?"""
    dead = {"test-c4-product": Verdict("c4", "not graded", "the kernel died")}
    whole = classroom(
        student("open", c4=None, tests=dead, state="not graded"), student("decided", c4=3, tests=dead, state="final")
    )
    [(group, cells)] = findings.not_graded(whole)
    assert (group.example, group.students, cells) == ("the kernel died", ("open",), ("test-c4-product",))
