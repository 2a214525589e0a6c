"""Do the checks that name the mistake name the right one, and never a wrong one for a right answer?"""

import html
import json
import re
from importlib import resources
from pathlib import Path

import pytest
import tomllib
import torch

from autograder import hints
from autograder.alternatives import FOLDER, alternatives
from autograder.hinting import defined
from autograder.mutants.made import TABLES, field_mutants, written_mutants
from autograder.mutants.networks import NORM_BY_HAND
from gcnn import checks
from gcnn.diagnosis import course, family
from gcnn.diagnosis.course import ASKED, outcomes
from gcnn.diagnosis.outcomes import digest, quietly

PROJECT = Path(__file__).parents[2]
ALTERNATIVES = sorted(path.stem for path in (PROJECT / FOLDER).glob("*.py"))


@pytest.mark.parametrize("key", ASKED)
def test_the_model_answer_is_right(key, answers, report):
    """Does the model's answer get the sentence that all is well, which names what was checked and promises no more?"""
    found = report(key, answers[key])
    assert found.ok, found
    assert ASKED[key].name in str(found) and "hidden" in str(found)


@pytest.fixture(scope="module")
def others(source):
    """The different right answers by name."""
    return {one.name: one for one in alternatives(PROJECT / FOLDER, source)}


@pytest.mark.parametrize("name", ALTERNATIVES)
def test_every_different_right_answer_is_right(name, others, report):
    """Is no right answer called wrong, however it is written?"""
    one = others[name]
    assert report(one.exercise, one.code).ok


MISTAKES = [
    ("c4", "(r + s) % 4", "r + s", "no-wrap"),
    ("c4", "-r % 4", "4 - r", "four"),
    ("d4", "(r1 + (-r2 if f1 else r2)) % 4", "(r1 + r2) % 4", "no-reversal"),
    ("d4", "(1, r) if f else (0, -r % 4)", "(f, -r % 4)", "inverse-like-turn"),
    (
        "isotropic-conv",
        "self.weight[..., 0], self.weight[..., 1]",
        "self.weight[..., 1], self.weight[..., 0]",
        "swapped",
    ),
    ("isotropic-conv", "centre, ring = self.weight", "centre, ring = self.weight.data", "detached-filter"),
    ("rotate-p4", ".roll(r, -3)", ".roll(-r, -3)", "other-roll"),
    ("rotate-p4", ".roll(r, -3)", "", "no-roll"),
    ("rotate-p4", ".roll(r, -3)", ".roll(r)", "no-axis"),
    ("d4-action", ".roll(r, -3)", ".roll(r)", "no-axis"),
    ("lifting-conv", "rotate(self.weight, s)", "rotate(self.weight, -s)", "clockwise"),
    ("lifting-conv", "self.bias[:, None].expand(-1, 4)", "4 * self.bias[:, None].expand(-1, 4)", "bias-scaled"),
    ("lifting-conv", "None if self.bias is None else ", "", "no-bias-case"),
    ("group-conv", "rotate_p4(self.weight, s)", "rotate(self.weight, s)", "no-roll"),
    ("c4cnn", "layers.append(nn.ReLU())", "layers.extend([nn.ReLU()] if i else [])", "relu-first"),
    ("c4cnn", "nn.MaxPool3d((4, 3, 3)", "nn.MaxPool3d((1, 3, 3)", "last-pool-group"),
    ("isotropic-cnn", "n_classes)\n", "10)\n", "ignores-classes"),
    ("batch-norm", "self.training, self.momentum", "True, self.momentum", "eval-batch"),
    ("c4cnn-bn", "layers.append(GroupBatchNorm2d(out_channels))", "pass", "no-norm"),
    ("d4-action", "[4, 7, 6, 5, 0, 3, 2, 1]", "[4, 5, 6, 7, 0, 1, 2, 3]", "not-reversed"),
    ("d4-lifting-conv", "rotate(starts[f], r)", "rotate(starts[f], -r if f else r)", "turn-first"),
    ("d4cnn", "channels = [8, 16, 32, 64, 128]", "channels = [8, 16, 32, 64, 64]", "channels"),
]


def test_variances_divided_by_the_wrong_number_are_told_apart(report):
    """Is normalising with n - 1 named by itself, whatever is kept, and keeping the average of n another mistake?"""
    var, kept = "y.var(axes, unbiased=False)", " * n / (n - 1)"
    for changes, cause in (
        ([(var, "y.var(axes)"), (kept, "")], "batch-unbiased"),
        ([(var, "y.var(axes)")], "batch-unbiased"),
        ([(kept, "")], "unbiased"),
    ):
        code = NORM_BY_HAND
        for old, new in changes:
            assert old in code
            code = code.replace(old, new)
        found = report("batch-norm", code)
        assert [one.key for one in found.finding.causes] == [cause], changes


NORMS = [
    *(("c4cnn", f"{norm}(out_channels)") for norm in ("nn.BatchNorm2d", "nn.BatchNorm3d", "GroupBatchNorm2d")),
    *(("isotropic-cnn", f"{norm}(out_channels)") for norm in ("nn.BatchNorm2d", "GroupBatchNorm2d")),
    ("d4cnn", "GroupBatchNorm2d(out_channels)"),
]


@pytest.mark.parametrize(("key", "norm"), NORMS, ids=[f"{key}: {norm}" for key, norm in NORMS])
def test_a_norm_that_is_not_asked_for_is_named(key, norm, answers, report):
    """Is a student who adds a normalisation told so, and not sent to write one?"""
    relu = "layers.append(nn.ReLU())"
    assert relu in answers[key]
    found = report(key, answers[key].replace(relu, f"layers.append({norm}); {relu}"))
    assert [one.key for one in found.finding.causes] == ["norm-unasked"], found
    assert "no normalisation is expected" in str(found)


def test_a_norm_with_other_settings_is_another_norm(answers, report):
    """Is a norm still called another one where the network should have norms?"""
    norm = "GroupBatchNorm2d(out_channels"
    found = report("c4cnn-bn", answers["c4cnn-bn"].replace(norm, f"{norm}, eps=0.1"))
    assert [one.key for one in found.finding.causes] == ["other-norm"]


@pytest.mark.parametrize("key", ["lifting-conv", "group-conv"])
def test_mistakes_with_the_bias_bank_are_told_apart(key, answers, report):
    """Are both stacks along the first axis not taken for biases that are mixed up, which are named as ever?"""
    bias = "self.bias[:, None].expand(-1, 4)"
    assert bias in answers[key] and "], dim=1)" in answers[key]
    first = answers[key].replace(bias, "torch.stack([self.bias] * 4)")
    for code, cause in (
        (first.replace("], dim=1)", "])"), "stack-axis"),
        (first, "bias-shape"),
        (answers[key].replace(bias, "self.bias.repeat(4).view(-1, 4)"), "bias-mixed"),
    ):
        assert [one.key for one in report(key, code).finding.causes] == [cause], code


WITHOUT_A_CASE = [
    "self.bias[:, None].expand(-1, 4)",
    "self.bias.view(-1, 1).expand(-1, 4)",
    "self.bias.unsqueeze(1).repeat(1, 4)",
    "torch.stack([self.bias] * 4, dim=1)",
]


@pytest.mark.parametrize("bias", WITHOUT_A_CASE)
@pytest.mark.parametrize("key", ["lifting-conv", "group-conv"])
def test_a_forgotten_bias_false_is_named_however_it_fails(key, bias, answers, report):
    """Is it the one cause that is named, whichever exception None leads to?"""
    old = f"None if self.bias is None else {WITHOUT_A_CASE[0]}"
    assert old in answers[key]
    found = report(key, answers[key].replace(old, bias))
    assert [one.key for one in found.finding.causes] == ["no-bias-case"], found


@pytest.mark.parametrize("key", ["lifting-conv", "group-conv"])
def test_an_error_for_want_of_a_bias_is_not_explained_by_another_mistake(key, answers, report):
    """Is what is said to give the headline's error what gives it, where the filters are wrong as well?"""
    old, turned = f"None if self.bias is None else {WITHOUT_A_CASE[0]}", "(self.weight, s)"
    assert old in answers[key] and turned in answers[key]
    code = answers[key].replace(old, WITHOUT_A_CASE[0]).replace(turned, "(self.weight, -s)")
    found = report(key, code)
    assert "NoneType" in str(found), found
    assert [one.key for one in found.finding.causes] == ["no-bias-case"], found


@pytest.mark.parametrize("key", ["lifting-conv", "group-conv", "d4-lifting-conv", "d4-group-conv"])
def test_a_bank_and_a_bias_in_a_list_are_right(key, answers, report):
    """Is an answer that returns a list for a tuple right, as it is for the tests?"""
    assert "return bank, bias" in answers[key]
    assert report(key, answers[key].replace("return bank, bias", "return [bank, bias]")).ok


def test_filters_that_are_wrong_in_one_size_are_no_matter_of_the_bias(answers, report):
    """Is a mistake that shows only in the layer with kernel size 5, which has no bias, not blamed on the bias?"""
    old = "rotate(self.weight, s)"
    assert old in answers["lifting-conv"]
    code = answers["lifting-conv"].replace(old, "rotate(self.weight, s if self.weight.shape[-1] < 5 else 0)")
    found = report("lifting-conv", code)
    assert not found.ok and "no-bias-case" not in [one.key for one in found.finding.causes]


@pytest.mark.parametrize(
    ("key", "old", "new", "says"),
    [
        ("c4cnn", "nn.MaxPool3d((4, 3, 3)", "nn.AvgPool3d((4, 3, 3)", "✗ The answers for given weights are not right."),
        ("c4cnn", "self.features(x).flatten(1)", "self.features(x).squeeze()", "✗ An image's answer by itself "),
        (
            "lifting-conv",
            "        bank, bias",
            "        x.foo\n        bank, bias",
            "✗ Calling LiftingConv2d(2, 3, 3, padding=1) raises",
        ),
        (
            "batch-norm",
            "self.eps, self.momentum = eps",
            "self.register_buffer('spare', torch.ones(1)); self.eps, self.momentum = eps",
            "✗ The names in the state_dict() of GroupBatchNorm2d(3) are not right.",
        ),
    ],
)
def test_a_headline_is_a_sentence(key, old, new, says, answers, report):
    """Does it begin with a capital, and does its verb fit?"""
    assert old in answers[key]
    assert says in str(report(key, answers[key].replace(old, new)))


@pytest.mark.parametrize(("key", "old", "new", "cause"), MISTAKES, ids=[f"{m[0]}: {m[3]}" for m in MISTAKES])
def test_a_typical_mistake_is_named(key, old, new, cause, answers, report):
    """Is a mistake that many make called by its name, with a hint and a bigger one?"""
    assert old in answers[key]
    found = report(key, answers[key].replace(old, new))
    assert not found.ok
    assert cause in [one.key for one in found.finding.causes], found
    assert found.hint and found.bigger_hint and "This is what comes out" in str(found)


def test_a_network_written_in_another_way_is_understood_by_its_layers(report):
    """Is a mistake found in a network that no known variant is like, by the shapes that its layers get?"""
    found = report(
        "c4cnn",
        "class C4CNN(nn.Module):\n"
        "    def __init__(self, n_classes=10):\n"
        "        super().__init__()\n"
        "        self.a, self.b = LiftingConv2d(1, 8, 3, padding=1), GroupConv2d(8, 16, 3, padding=1)\n"
        "        self.c, self.d = GroupConv2d(16, 32, 3, padding=1), GroupConv2d(32, 64, 3, padding=1)\n"
        "        self.e, self.f = GroupConv2d(64, 128, 3, padding=1), nn.Linear(128, n_classes)\n"
        "    def forward(self, x):\n"
        "        x = F.relu(self.a(x))\n"
        "        for layer in (self.b, self.c, self.d):\n"
        "            x = F.relu(F.max_pool3d(layer(x), (1, 3, 3), (1, 2, 2), (0, 1, 1)))\n"
        "        return self.f(F.relu(self.e(x)).amax((-3, -2, -1)))\n",
    )
    assert [cause.key for cause in found.finding.causes] == ["pool-stride"]
    assert "layer 2, a GroupConv2d, gets (8, 4, 33, 33)" in str(found)


@pytest.mark.parametrize(("key", "kind"), [("c4cnn", "Conv3d"), ("isotropic-cnn", "Conv2d")])
def test_a_foreign_layer_is_not_called_the_first(key, kind, answers, report):
    """Is a layer that the network does not have named without a number, as those before it may not have been seen?"""
    made = "        self.features ="
    assert made in answers[key]
    found = str(report(key, answers[key].replace(made, f"        layers[-3] = nn.{kind}(64, 128, 3)\n{made}")))
    assert f"one of the layers that run is a {kind}, which this network does not have" in found, found


@pytest.mark.parametrize("key", ["c4cnn", "isotropic-cnn", "c4cnn-bn", "d4cnn"])
def test_dropout_is_not_only_called_a_gradient_cut_off(key, answers, report):
    """Is a student who drops features while training told to look for that?"""
    old = "self.classifier(self.features(x).flatten(1))"
    assert old in answers[key]
    found = report(key, answers[key].replace(old, f"self.classifier(F.dropout({old[16:-1]}, 0.5, self.training))"))
    assert not found.ok and "random" in str(found) and "dropout" in found.bigger_hint, found


def test_the_hint_on_one_half_of_d4_is_about_halves(answers, report):
    """Is a student whose mirrored half alone moves the wrong way sent to compare the halves?"""
    old = "mirrored.roll(r, -3)"
    assert old in answers["d4-action"]
    found = report("d4-action", answers["d4-action"].replace(old, "mirrored.roll(-r, -3)"))
    assert "half" in str(found) and "(1, 0)" in found.hint, found


def test_what_is_not_written_yet_is_called_so(report):
    """Does an untouched cell get one plain sentence?"""
    found = report("rotate-p4", "def rotate_p4(y, r):\n    raise NotImplementedError")
    assert "not written yet" in str(found)


def test_an_exception_is_shown_with_the_students_own_line(report):
    """Does an exception come with its type, its message and the line of the cell that raised it?"""
    found = report("rotate-p4", "def rotate_p4(y, r):\n    z = y + 0\n    return z.roll(r, 'three')")
    assert "TypeError" in str(found) and "line 3" in str(found) and "z.roll(r, 'three')" in str(found)


def test_the_own_line_is_found_in_a_decorated_function(report):
    """Is a student's line shown that stands in a function in PyTorch's decorator?"""
    found = report("rotate-p4", "@torch.no_grad()\ndef rotate_p4(y, r):\n    return y.roll(r, 'three')")
    assert "line 3" in str(found) and "y.roll(r, 'three')" in str(found)


@pytest.mark.parametrize(
    ("key", "last", "says"),
    [
        ("lifting-conv", "self.register_buffer('kept', self.build_filter()[0])", "RuntimeError"),
        ("lifting-conv", "self.build_filter = lambda: (self.weight.sum(), self.weight.sum())", "IndexError"),
        ("isotropic-conv", "self.register_buffer('kept', self.build_filter())", "RuntimeError"),
        ("isotropic-conv", "self.build_filter = lambda: self.weight.sum((-2, -1))", "filter"),
    ],
)
def test_a_strange_layer_gets_a_hint_and_no_traceback_of_ours(key, last, says, answers, report):
    """Is a layer that cannot be copied, or whose filters have too few axes, found wrong like any other?"""
    name = ASKED[key].name
    code = (
        f"{answers[key]}\n\n\nclass Strange({name}):\n    def __init__(self, *args, **kwargs):\n"
        f"        super().__init__(*args, **kwargs)\n        {last}\n\n\n{name} = Strange\n"
    )
    found = report(key, code)
    assert not found.ok and says in str(found), str(found)


def test_a_forgotten_return_is_seen(report):
    """Does a function that returns nothing get told so?"""
    found = report("rotate-p4", "def rotate_p4(y, r):\n    rotate(y, r).roll(r, -3)")
    assert "None" in str(found) and "return" in str(found)


@pytest.mark.parametrize(
    ("check", "thing", "says"),
    [
        (checks.lifting_conv, None, "is None"),
        (checks.lifting_conv, torch.nn.Linear(1, 1), "leave the call out"),
        (checks.lifting_conv, lambda: 1, "A class is expected"),
        (checks.lifting_conv, int, "nn.Module"),
        (checks.rotate_p4, torch.nn.Linear, "The function itself"),
        (checks.rotate_p4, torch.ones(1), "The function itself"),
        (checks.c4, 3, "leave the call out"),
    ],
)
def test_a_thing_of_the_wrong_kind_gets_one_sentence(check, thing, says):
    """Does whoever hands over the wrong thing learn what to hand over?"""
    text = str(check(thing))
    assert says in text and "\n" not in text


def test_a_redefined_given_name_is_the_mistake(answers, report):
    """Is a given name that a student has bound anew found out?"""
    code = "def rotate(x, r):\n    return torch.rot90(x, -r, (-2, -1))\n\n\n" + answers["rotate-p4"]
    assert "The name rotate no longer means" in str(report("rotate-p4", code))


def test_a_mistake_of_another_exercise_is_not_blamed_on_this_one(answers, report):
    """Is a group convolution on a wrong rotate_p4 told to look there first?"""
    found = report("group-conv", "def rotate_p4(y, r):\n    return rotate(y, r)\n\n\n" + answers["group-conv"])
    assert "checks.rotate_p4(rotate_p4)" in str(found)


def test_nothing_runs_under_a_grader(monkeypatch):
    """Do the checks return at once while grading, whatever they are given?"""
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")

    class Bomb:
        def __getattribute__(self, name):
            raise AssertionError("it was looked at")

    for asked in ASKED.values():
        assert getattr(checks, asked.check)(Bomb()) is None


def test_hints_fold_out_in_a_notebook_and_nothing_of_a_student_is_html(report):
    """Is the report HTML with hints inside each other, and is a student's own text escaped?"""
    code = "def rotate_p4(y, r):\n    raise ValueError('<script>alert(1)</script>')"
    assert "<script>" not in report("rotate-p4", code)._repr_html_()
    found = report("rotate-p4", "def rotate_p4(y, r):\n    return rotate(y, r).roll(-r, -3)")
    page = found._repr_html_()
    assert page.count("<details>") == page.count("</details>") == 3  # the picture is the third
    assert html.escape(found.bigger_hint) in page and found.bigger_hint not in str(found)


def test_a_check_is_quiet_and_leaves_random_numbers_alone(report, capfd):
    """Do prints and warnings of an answer stay out of the cell, and does the next random number stay what it was?"""
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    code = "import sys, warnings\n\n\ndef rotate_p4(y, r):\n    print('a')\n    print('b', file=sys.stderr)\n"
    assert report("rotate-p4", code + "    warnings.warn('c')\n    return rotate(y, r).roll(r, -3)").ok
    assert torch.equal(torch.rand(1), expected)
    assert capfd.readouterr() == ("", "")


def test_an_answer_that_never_ends_is_stopped(report, monkeypatch):
    """Does an endless loop end in a sentence?"""
    monkeypatch.setattr(course, "quietly", lambda: quietly(0.5))
    found = report("rotate-p4", "def rotate_p4(y, r):\n    while True:\n        pass")
    assert "never ends" in str(found) and "line" in str(found)


def test_nothing_in_the_package_is_a_line_of_a_solution(source):
    """Do the texts and the fingerprints hold no code of a model answer?"""
    texts = "".join(
        (resources.files("gcnn.diagnosis") / name).read_text(encoding="utf-8")
        for name in ("causes.json", "variants.json", "arrays.json")
    )
    for cell in source.cells:
        for block in re.findall(r"### BEGIN SOLUTION\n(.*?)### END SOLUTION", cell.source, re.DOTALL):
            for line in block.splitlines() if cell.cell_type == "code" else ():
                code = line.strip()
                assert len(code) < 12 or code not in texts, code


def test_every_cause_has_three_sentences_and_its_patterns_know_it():
    """Is each cause said, nudged at and hinted at, and does every pattern of mistakes name one that exists?"""
    for key in ASKED:
        for cause in family.causes(key).values():
            assert cause.says and cause.nudge and cause.hint and not cause.says.endswith(".")
    assert hints.unknown_causes() == []


def test_each_unseen_mistake_has_causes_that_exist():
    """Is it written down, for each mistake of the set that no hint was made from, which causes count as right?"""
    folder = PROJECT / "tests" / "mutants" / "unseen"
    accepted = tomllib.loads((folder / "causes.toml").read_text(encoding="utf-8"))
    exercises = {Path(one.operator).stem: one.exercise for one in written_mutants(folder)}
    assert accepted.keys() == exercises.keys() and len(exercises) >= 30
    for name, causes in accepted.items():
        assert causes and set(causes) <= family.causes(exercises[name]).keys(), name


@pytest.mark.parametrize("key", ASKED)
def test_the_fingerprints_are_current(key, answers, names):
    """Do the fingerprints fit what is looked at now: the right answer's, and those of some wrong answers?"""
    known = family.family(key)
    seen = outcomes(key, defined(names, "model", answers[key], ASKED[key].name))
    assert family.difference(known.right, seen) == frozenset()
    wrong = list(field_mutants(key, answers[key], TABLES[key]))[:: 40 if ASKED[key].network else 15]
    for mutant in wrong:
        cause = hints.covered(key, mutant.mistake)
        seen = outcomes(key, defined(names, mutant.id, mutant.source, ASKED[key].name))
        difference = family.difference(known.right, seen)
        if difference and cause:
            assert any(difference == variant and cause in causes for variant, causes in known.variants), mutant.mistake


def test_packing_loses_nothing():
    """Is a family the same after it was written and read?"""
    for key in ASKED:
        known = family.family(key)
        again = family.unpacked(json.loads(json.dumps(family.packed(known))))
        assert again.right == known.right and set(again.variants) == set(known.variants)


def test_a_digest_forgives_rounding_and_nothing_else():
    """Are digests equal up to the last digits, and different for another shape, dtype or value?"""
    values = torch.linspace(-3, 3, 50, dtype=torch.float64).reshape(5, 10)
    assert digest(values) == digest(values + 1e-11)
    others = (values + 1e-2, values.reshape(10, 5), values.float(), values.tolist(), None)
    assert digest(values) not in [digest(other) for other in others]
    assert digest(True) != digest(1) and digest((0, 1)) != digest([0, 1])
