"""Tests of the mutants: how they are made, what the arena says of a few, and that a weakened test is found out."""

import collections
import dataclasses
import os
import re
import subprocess
import sys

import pytest

from autograder.errors import CourseError
from autograder.exercises import EXERCISES
from autograder.kept import Kept
from autograder.mutants import page, proof
from autograder.mutants.arena import Arena, Verdict
from autograder.mutants.made import TABLES, all_mutants, equivalents, field_mutants, model_answers, written_mutants
from autograder.mutants.mutant import FIELD, LIBRARY, STUDENT, Mutant, normalised
from autograder.mutants.patterns import places, rewritten
from autograder.mutants.uses import Uses, only_defines
from autograder.notebooks import role


@pytest.fixture(scope="module")
def folder(project):
    """Where the mutants are that were written by hand."""
    return project / "tests" / "mutants"


@pytest.fixture(scope="module")
def mutants(source, folder):
    """All mutants."""
    return all_mutants(source, folder)


@pytest.fixture(scope="module")
def arena(source):
    """A warm kernel, in which small tensors have one core."""
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"
    with Arena(source) as arena:
        yield arena
    if before is None:
        del os.environ["OMP_NUM_THREADS"]
    else:
        os.environ["OMP_NUM_THREADS"] = before


def a_proof(exercise="c4", equivalent="", lost=(), lost_in=(), message="wrong"):
    """A proof as it would be after judging."""
    mutant = Mutant(exercise, "adds 1", FIELD, "`_x`", "x = 1", equivalent)
    verdict = Verdict(dict.fromkeys(lost, "failed"), dict.fromkeys(lost, message), [])
    return proof.Proof(mutant, verdict, frozenset(lost_in))


def test_there_are_enough_of_every_kind(source, mutants):
    """Are there at least 400, 20 for each exercise in code, 40 written by hand, and two origins beside?"""
    in_code = {cell.metadata.course.exercise for cell in source.cells if role(cell) == "tests"}
    by_exercise = collections.Counter(mutant.exercise for mutant in mutants)
    assert set(TABLES) == in_code == set(by_exercise) and in_code <= EXERCISES.keys()
    assert len(mutants) >= 400 and min(by_exercise.values()) >= 20
    origins = collections.Counter(mutant.origin for mutant in mutants)
    assert set(origins) == {LIBRARY, FIELD, STUDENT} and origins[STUDENT] >= 40
    assert {m.exercise for m in mutants if m.origin == STUDENT} == in_code


def test_ids_are_stable_and_unique(mutants):
    """Is an id the exercise and a hash of the code, the same for another layout, and no one else's?"""
    assert len({mutant.id for mutant in mutants}) == len(mutants)
    assert all(re.fullmatch(rf"{mutant.exercise}-[0-9a-f]{{10}}", mutant.id) for mutant in mutants)
    code = "def rotate_p4(y, r):\n    return rotate(y, -r).roll(r, -3)\n"
    spaced = 'def rotate_p4( y,r ):\n    """Turn."""\n\n    return (rotate(y, -r).roll(r, -3))  # !\n'
    one, other = (Mutant("rotate-p4", "turns clockwise", FIELD, "", text) for text in (code, spaced))
    assert one.id == other.id == "rotate-p4-712ffef000"


def test_making_them_is_deterministic(source, mutants):
    """Do the same operators on the same answer make the same mutants in the same order, with the same names?"""
    kept = {mutant.id: mutant for mutant in mutants}
    for key, answer in model_answers(source).items():
        again = list(field_mutants(key, answer, TABLES[key]))
        first = {m.id: m.mistake for m in reversed(again)}  # of equal code, the first has given the name
        assert {n: kept[n].mistake for n in first if n in kept and kept[n].origin == FIELD}.items() <= first.items()
        assert again == list(field_mutants(key, answer, TABLES[key]))


def test_every_mutant_is_code_that_differs(source, mutants):
    """Does each differ from the model's answer, and is each that is no Python one that should not be?"""
    right = {key: normalised(answer) for key, answer in model_answers(source).items()}
    broken = [mutant for mutant in mutants if not mutant.parses]
    assert all(normalised(mutant.source) != right[mutant.exercise] for mutant in mutants)
    assert {mutant.exercise for mutant in broken} == set(TABLES)
    assert all(mutant.origin == STUDENT or "forgets" in mutant.mistake for mutant in broken)
    assert all(mutant.mistake and mutant.operator and len(mutant.mistake) < 200 for mutant in mutants)


def test_every_pattern_of_the_tables_fits(source):
    """Does each pattern match somewhere in its exercise's answer, so that no mistake has silently gone?"""
    answers = model_answers(source)
    for key, tables in TABLES.items():
        for pattern in {pattern for table in tables for pattern in table}:
            assert list(places(answers[key], pattern)), f"{pattern} is nowhere in the answer {key}"


def test_equivalents_exist_and_have_reasons(mutants):
    """Is every entry in the table of equivalents a mutant that there is, with a sentence for a reason?"""
    reasons = equivalents()
    assert reasons.keys() <= {mutant.id for mutant in mutants}
    assert all(len(reason) > 20 and reason.endswith(".") for reason in reasons.values())
    assert {mutant.id for mutant in mutants if mutant.equivalent} == reasons.keys()
    for entry in ('[c4-0123456789]\nreason = " "\n', "[c4-0123456789]\n"):
        with pytest.raises(CourseError, match="no reason why c4-0123456789 is right"):
            equivalents(entry)


def test_patterns_match_structure_and_keep_the_rest():
    """Are names of patterns any expression, brackets put where they are needed, and statements indented?"""
    code = "def f(y, r):\n    return rotate(y, r + 1).roll(r, -3)  # so\n"
    assert rewritten(code, "rotate(_x, _r)", "rotate(_x, -_r)") == [code.replace("r + 1", "-(r + 1)")]
    assert rewritten(code, "rotate( _x,_r)", "_x + _r") == [code.replace("rotate(y, r + 1)", "(y + (r + 1))")]
    assert rewritten(code, "_x.roll(_x, -3)", "_x") == []
    assert rewritten("a(1, b, c=2)", "a(_x, *_rest)", "d(*_rest)") == ["d(b, c=2)"]
    loop = "for i in x:\n    go(i)\n"
    assert rewritten(loop, "go(_i)", "if _i:\n    go(_i)") == ["for i in x:\n    if i:\n        go(i)\n"]
    assert rewritten("x = f(1)\ny = f(2)", "f(_a)", "g(_a)") == ["x = g(1)\ny = f(2)", "x = f(1)\ny = g(2)"]
    with pytest.raises(ValueError, match="names _b"):
        rewritten("f(1)", "f(_a)", "f(_b)")


def test_a_malformed_hand_written_mutant_is_named(tmp_path):
    """Is a text without a mistake's name, or for an exercise that there is not, refused with its name?"""
    for text in ('# %% answer="c4"\nx = 1\n', '# %% [markdown] mistake="no"\n\n# %% answer="c5"\nx = 1\n'):
        (tmp_path / "c4__odd.py").write_text(text)
        with pytest.raises(ValueError, match="c4__odd"):
            list(written_mutants(tmp_path))


def test_what_an_answer_can_change(source):
    """Are the tests found that use an answer's names, through others too, and all later ones where it does more?"""
    uses = Uses(source)
    answers = model_answers(source)
    rotated = uses.affected("rotate-p4", answers["rotate-p4"])
    assert {uses.exercise(test) for test in rotated.tests} >= {"rotate-p4", "group-conv"}
    assert {uses.exercise(test) for test in rotated.trained} == {"c4cnn", "c4cnn-bn"}
    assert "train-c4cnn" in rotated.training and "test-c4cnn-accuracy" in rotated.trained
    alone = uses.affected("c4", answers["c4"])
    assert alone.tests == ("test-c4-product", "test-c4-inverse") and not alone.training
    more = uses.affected("group-conv", "rotate = None\n" + answers["group-conv"])
    assert {"d4-action", "d4-lifting-conv"} <= {uses.exercise(test) for test in more.tests}
    for code in ("torch.rot90 = None", "x = y = 1\nx[0] = 2", "print(1)", "if True:\n    x = 1"):
        assert not only_defines(code)
    assert only_defines('"""Mine."""\nimport math\na, (b, *c) = 1, (2, 3)\nn: int = 4\nclass D: pass')
    later = uses.affected("d4-action", "torch.set_default_dtype(torch.float64)")
    assert {uses.exercise(test) for test in later.cells} == {"d4-action", "d4-lifting-conv", "d4-group-conv", "d4cnn"}


# A fixed sample: the mistake's exercise and name, and the exercises in which it must lose points.
SAMPLE = [
    ("c4", "forgets to wrap around", {"c4"}),
    ("c4", "forgets a closing bracket", {"c4"}),
    ("d4", "turns first, then mirrors: the opposite convention", {"d4"}),
    ("isotropic-conv", "gives the corners a zero", {"isotropic-conv"}),
    ("rotate-p4", "rolls the group axis the other way", {"rotate-p4", "group-conv"}),
    ("rotate-p4", "calls itself without an end", {"rotate-p4", "group-conv"}),
    ("lifting-conv", "turns its filters by 180° when it convolves", {"lifting-conv"}),
    ("group-conv", "turns its filters in the plane and does not roll them", {"group-conv"}),
    ("batch-norm", "has a biased running variance (written by hand)", {"batch-norm"}),
    ("c4cnn", "pools over half of the orientations", {"c4cnn"}),
    ("c4cnn-bn", "normalises after the ReLU", {"c4cnn-bn"}),
    ("d4-action", "swaps the halves without reversing them", {"d4-action", "d4-group-conv"}),
]


def test_a_sample_is_killed_where_it_should_be(arena, mutants):
    """Do known mistakes lose points in their own exercise, and only in those that need it?"""
    by_name = {(m.exercise, m.mistake): m for m in mutants}
    for key, mistake, expected in SAMPLE:
        verdict = arena.judge(key, by_name[key, mistake].source, trained=False)
        assert {arena.uses.exercise(test) for test in verdict.lost} == expected, (key, mistake, verdict.messages)


def test_the_models_answers_are_right_before_and_after(arena):
    """Does the model's own answer pass all tests, also right after an answer that left its names undefined?"""
    answers = arena.uses.answers
    broken = arena.judge("rotate-p4", "def rotate_p4(y, r):\n    return (", trained=False)
    assert set(broken.tests.values()) == {"not graded", "failed", "passed"}
    assert broken.tests["test-rotate-p4-every-turn"] == "not graded"
    for key in ("rotate-p4", "group-conv"):
        verdict = arena.judge(key, answers[key], trained=False)
        assert not verdict.lost and verdict.tests and "test-c4cnn-accuracy" in verdict.undecided


def test_what_kills_or_changes_the_kernel_is_an_outcome(arena):
    """Is a kernel that an answer ends or changes replaced, and what the answer did not define *not graded*?"""
    dead = arena.judge("d4-action", "import os\nos._exit(1)", trained=False)
    assert dead.tests["test-d4-action"] == "not graded" and "ended the kernel" in dead.messages["test-d4-action"]
    odd = arena.judge("d4-action", "torch.rot90 = None", trained=False)
    assert "test-d4-lifting-conv" in odd.lost
    assert not arena.judge("d4-action", arena.uses.answers["d4-action"], trained=False).lost


def test_statuses_and_problems():
    """Is each status right, and does whatever proves nothing become a sentence?"""
    killed = a_proof(lost=("test-c4-product",), lost_in=("c4",))
    elsewhere = a_proof(lost=("test-d4-product",), lost_in=("d4",))
    survived, equivalent = a_proof(), a_proof(equivalent="It is the same.")
    contradicted = a_proof(equivalent="It is the same.", lost=("test-c4-product",), lost_in=("c4",))
    everything = [killed, elsewhere, survived, equivalent, contradicted]
    assert [one.status for one in everything] == ["killed", "killed", "survived", "equivalent", "contradicted"]
    assert killed.alone and killed.localised and not elsewhere.localised
    assert a_proof("rotate-p4", lost=("x",), lost_in=("rotate-p4", "c4cnn")).localised
    assert proof.problems([killed, elsewhere, equivalent]) == []
    found = proof.problems([survived, contradicted, a_proof(lost=("t",), message="grader error: oh")], ["c4-0"])
    wanted = ("earns full marks", "is said to be right", "by the test's own mistake", "no mutant any more")
    assert len(found) == 4
    for part, sentence in zip(wanted, found, strict=True):
        assert part in sentence
    rows = {row["name"]: row["value"] for row in page.rows(everything)}
    assert rows["mutants.total"] == 5 and rows["mutants.survived"] == 1 and rows["mutants.c4.killed"] == 2
    assert rows["mutants.localised_share"] == 0.5
    text = page.page(everything, [("c4", 3, 0)])
    assert "It is the same." in text and "in d4" in text and "| 1.2 `c4` | 3 | 0 |" in text
    assert page.table(everything).count("\n") == 6


def test_what_was_judged_is_kept(tmp_path, source, mutants):
    """Is a verdict the same when it was kept, and is another mutant's key, or another notebook's, different?"""
    verdict = Verdict({"test-c4-product": "failed"}, {"test-c4-product": "wrong"}, ["test-x"], 0.5)
    Kept(tmp_path / "kept.jsonl")["a"] = dataclasses.asdict(verdict)
    assert Verdict(**Kept(tmp_path / "kept.jsonl")["a"]) == verdict
    uses, mutant = Uses(source), mutants[0]
    name = proof.key(mutant, uses, "given")
    assert name == proof.key(mutant, Uses(source), "given") != proof.key(mutant, uses, "other")
    assert name != proof.key(dataclasses.replace(mutant, equivalent="Why not."), uses, "given")
    assert name != proof.key(dataclasses.replace(mutant, source=mutant.source + "\nx = 1"), uses, "given")


def run_script(project, tmp_path, *arguments):
    """Run ``benchmarks/tests.py``; its status and what it printed."""
    command = [sys.executable, "benchmarks/tests.py", "--cache", str(tmp_path / "kept.jsonl"), *arguments]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=550, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
def test_a_weakened_test_is_found_out(project, tmp_path):
    """Does the run pass with the course's tests, and fail once one of their hidden checks is taken out?"""
    which = ["--only", "c4", "--mistake", "looks at*", "--processes", "1"]
    status, said = run_script(project, tmp_path, *which, "--out", str(tmp_path))
    assert status == 0, said
    assert "Every wrong answer loses points" in said and "| 1.2 `c4` | " in (tmp_path / "tests.md").read_text()
    text = (project / "notebooks" / "gcnn.py").read_text()
    check = """    with raises(ValueError, mentions=outside, otherwise=f"{outside} is not an element of C4."):
        C4.product(1, outside)
"""
    assert text.count(check) == 1
    weakened = tmp_path / "weakened.py"
    weakened.write_text(text.replace(check, ""))
    status, said = run_script(project, tmp_path, *which, "--source", str(weakened))
    assert status == 1 and "looks at its first argument only" in said and "earns full marks" in said


@pytest.mark.slow
def test_a_larger_sample_is_killed(project, tmp_path):
    """Are all mutants of a fixed sample killed or right all the same, through the command that judges all of them?"""
    status, said = run_script(project, tmp_path, "--sample", "150", "--out", str(tmp_path))
    assert status == 0, said
    assert (tmp_path / "mutants.csv").read_text().count("\n") == 151


@pytest.mark.slow
def test_training_decides_where_nothing_else_does(arena):
    """Is a network trained and judged when it passed all other tests, and one that only training shows found out?"""
    answer = arena.uses.answers["isotropic-cnn"]
    verdict = arena.judge("isotropic-cnn", answer)
    assert not verdict.lost and not verdict.undecided and "test-isotropic-cnn-accuracy" in verdict.tests
    # It is right whenever it is looked at, and lets no gradient through where it should learn.
    sham = "\n\nclass IsotropicCNN(IsotropicCNN):\n    def forward(self, x):\n        y = super().forward(x)\n"
    sham += "        return y if x.requires_grad else y.detach() + 0 * sum(p.sum() for p in self.parameters())\n"
    verdict = arena.judge("isotropic-cnn", answer + sham)
    after_training = {"test-isotropic-cnn-invariance", "test-isotropic-cnn-accuracy"}
    assert set(verdict.lost) == after_training, verdict.messages
