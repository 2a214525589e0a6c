"""Whether README and docs say what is there: commands, options, make's targets, settings, links, pictures, figures."""

import json
import re
import shlex
import statistics

import pytest
import typer
from nbgrader import plugins, preprocessors
from nbgrader.coursedir import CourseDirectory

from autograder import exports, lms
from autograder.cli import app
from autograder.steps import JudgedExecute
from gcnn import learning
from gcnn.budgets import BUDGETS

PAGES = (
    "README.md",
    *(f"docs/{name}.md" for name in ("instructor", "cluster", "postgresql", "exports", "security", "speed")),
)
COMMAND = re.compile(r"^(?:OMP_NUM_THREADS=\d+ )?(?:\.venv/bin/)?autograder (?![.…])(?P<rest>[a-z][^#…]*)")
SETTING = re.compile(r"\bc\.([A-Z]\w+)\.(\w+)\b")


@pytest.fixture(params=PAGES)
def page(project, request):
    """A page, and its text."""
    path = project / request.param
    return path, path.read_text(encoding="utf-8")


def typed(text):
    """What a page tells one to type: the lines of its blocks, and what stands between backquotes in its text."""
    blocks = re.findall(r"^```(?:bash|python)?\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))
    return [line.strip() for block in blocks for line in block.splitlines()] + inline


def test_every_command_is_there_with_its_options(page):
    """Does the command line know each command and each option that a page names?"""
    commands = typer.main.get_command(app).commands
    for line in typed(page[1]):
        if match := COMMAND.match(line):
            name, *words = shlex.split(match["rest"])
            assert name in commands, line
            options = {
                option for parameter in commands[name].params for option in (*parameter.opts, *parameter.secondary_opts)
            }
            assert {word.partition("=")[0] for word in words if word.startswith("--")} <= options, line


def test_every_target_of_make_is_there(page, project):
    """Has the Makefile each target that a page names?"""
    targets = set(re.findall(r"^([a-z-]+):", (project / "Makefile").read_text(), re.MULTILINE))
    named = {word for line in typed(page[1]) for word in re.findall(r"^make ([a-z-]+)", line)}
    assert named <= targets


def test_every_setting_is_there(page):
    """Does each setting that a page names exist, under that name?"""
    known = [CourseDirectory, JudgedExecute, preprocessors.AssignLatePenalties, plugins.LateSubmissionPlugin]
    known += [value for module in (exports, lms) for value in vars(module).values() if isinstance(value, type)]
    classes = {one.__name__: one for one in known}
    for name, trait in SETTING.findall(page[1]):
        assert trait in classes[name].class_traits(config=True), f"c.{name}.{trait}"


def test_every_link_and_picture_leads_somewhere(page):
    """Is each file that a page links to there, and each heading?"""
    path, text = page
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match("https?:", target):
            continue
        file, _, heading = target.partition("#")
        other = path.parent / file if file else path
        assert other.exists(), target
        if heading:
            titles = re.findall(r"^#+ (.*)", other.read_text(encoding="utf-8"), re.MULTILINE)
            anchors = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
            assert heading in anchors, target


def test_pictures_are_small(project):
    """Is no picture of the docs larger than a page should wait for?"""
    sizes = {path.name: path.stat().st_size for path in (project / "docs" / "pictures").iterdir()}
    assert sizes and max(sizes.values()) <= 200_000


@pytest.fixture
def measured(project):
    """Every figure in benchmarks/results, by file and name."""
    files = (project / "benchmarks" / "results").glob("*.json")
    return {(path.stem, row["name"]): row for path in files for row in json.loads(path.read_text())["rows"]}


def test_the_readme_has_the_figures_that_were_measured(project, measured):
    """Is each figure in the README that of the results?"""

    def value(file, name):
        return measured[file, name]["value"]

    def share(file, name):
        return 100 * value(file, name)

    def seconds(network):
        return value("training", f"{network}.ours.seconds_to_93")

    record, timed = (measured["record_c4cnn_bn", f"{what}.c4cnn_bn.record"] for what in ("accuracy", "seconds"))
    spread, fast = record["spread"], ("c4cnn", "c4cnn_bn")
    times = [value("training", f"{network}.speedup_to_93") for network in fast]
    steps = [value("training", f"{network}.step_ratio_to_escnn.best") for network in ("c4cnn", "d4cnn")]
    sentences = (
        f"Of {value('tests', 'mutants.total'):,} wrong answers {value('tests', 'mutants.killed'):,} lost points, "
        f"{share('tests', 'mutants.localised_share'):.1f} % of them only where they should; "
        f"{value('tests', 'mutants.equivalent')} are right after all",
        f"All {value('tests', 'alternatives.total')} different right answers",
        f"of the {value('hints', 'hints.total'):,} wrong answers that run, "
        f"{share('hints', 'hints.right_share'):.1f} % get a hint at the right cause or line and none at a wrong one",
        f"{share('hints', 'hints.library_unknown.right_share'):.0f} % of the others would get a hint at the right "
        f"cause or line, and {share('hints', 'hints.library_unknown.wrong_share'):.1f} % at a wrong one",
        f"Of the {value('hints', 'hints.written.total')} that were written by hand and made none, "
        f"{share('hints', 'hints.written.right_share'):.0f} % get the right cause",
        f"Of {value('unseen', 'unseen.total')} more wrong answers",
        f"all {value('unseen', 'unseen.tests.killed')} lost points, and only where they should. "
        f"{value('unseen', 'unseen.hints.right')} got a hint at the right cause or line, "
        f"{value('unseen', 'unseen.hints.wrong')} at a wrong one, and {value('unseen', 'unseen.hints.unnamed')} the",
        f"after {seconds('c4cnn'):.0f} seconds, and with normalisation after {seconds('c4cnn_bn'):.0f}",
        f"take {times[0]:.0f} and {times[1]:.0f} times as long",
        f"takes {steps[0]:.1f} times as long in escnn, and D4CNN's {steps[1]:.1f} times",
        f"to {record['value']:.1f} % (the mean of {spread['n']} seeds, {spread['min']:.1f} to {spread['max']:.1f}) in "
        f"{timed['value']:.0f} seconds on two cores with bfloat16 ({timed['spread']['n']} trainings timed, on an "
        f"{timed['machine'].partition(',')[0]};",
        f"and D4CNN to {value('record_d4cnn', 'accuracy.d4cnn.record'):.1f} %",
    )
    text = " ".join((project / "README.md").read_text(encoding="utf-8").split())
    assert [sentence for sentence in sentences if sentence not in text] == []
    assert value("hints", "hints.wrong_share") == 0 and value("tests", "mutants.survived") == 0


def test_the_notebook_says_what_was_measured(project, measured):
    """Is each accuracy in the notebook's text that of the course's own runs?"""

    def accuracy(network, budget, file=None):
        return measured[file or f"{budget}_{network}", f"accuracy.{network}.{budget}"]

    text = " ".join((project / "notebooks" / "gcnn.py").read_text(encoding="utf-8").split())
    (reached,) = re.findall(r"a right `C4CNN` reaches about (\d+) %", text)
    assert int(reached) == round(accuracy("c4cnn", "standard")["value"])
    (graded,) = re.findall(r"which brings a right `C4CNN` to about (\d+) %", text)
    assert int(graded) == round(accuracy("c4cnn", "grading", "calibrate")["value"])
    (graded,) = re.findall(r"Trained as briefly as in grading, a right one gets only about (\d+) %", text)
    assert int(graded) == round(accuracy("isotropic_cnn", "grading", "calibrate")["value"])
    gap = r"`C4CNN` gets about (\d+) % of the digits, `IsotropicCNN` only about (\d+) %"
    ((c4cnn, isotropic),) = re.findall(gap, text)
    assert c4cnn == reached and int(isotropic) == round(accuracy("isotropic_cnn", "standard")["value"])
    worst, middle, best = (accuracy(name, "standard")["spread"] for name in ("isotropic_cnn", "plain_cnn", "c4cnn"))
    assert worst["max"] < middle["min"] < middle["max"] < best["min"]
    full, standard, longest = (BUDGETS[name] for name in ("full", "standard", "record"))
    assert f'budget="full")` takes {full.epochs} epochs, four times as long as "standard"' in text
    assert full.epochs == 4 * standard.epochs
    rounds = f"{longest.epochs} rounds over {100 * longest.share:.0f} % of the digits"
    assert f'"record" takes some twenty times as long as "standard": {rounds}' in text
    assert longest.epochs * longest.share == pytest.approx(20 * standard.epochs, rel=0.1)
    (record,) = re.findall(r"brought `C4CNNWithBatchNorm` to ([\d.]+) %", text)
    assert float(record) == round(accuracy("c4cnn_bn", "record")["value"], 1)


def test_the_notebook_says_how_many_digits_a_symmetry_replaces(project, measured):
    """Do the sentences below the curves, and below those by angle, say what the measurements say?"""
    text = " ".join((project / "notebooks" / "gcnn.py").read_text(encoding="utf-8").split())
    found = learning.measurements()
    mean = {
        name: {digits: statistics.mean(values) for digits, values in by_digits.items()}
        for name, by_digits in found["accuracy"].items()
    }
    assert "Each point is the mean of three runs" in text
    assert {len(values) for by_digits in found["accuracy"].values() for values in by_digits.values()} == {3}
    few, all_of_them = (n * learning.budget(n).epochs / (10_000 * BUDGETS["standard"].epochs) for n in (200, 10_000))
    steps = "half as many steps again as in your trainings above, on 200 two fifths as many"
    assert f"on all 10,000 they take {steps}" in text
    assert all_of_them == 1.5 and 0.37 < few < 0.43
    assert learning.budget(200).muon == BUDGETS["standard"].muon
    assert "about as accurate from 200 as the ordinary CNN is from 500, and from 2,000 as it is from 5,000" in text
    for fewer, more in (("200", "500"), ("2000", "5000")):
        assert 0 < mean["C4CNN"][fewer] - mean["ordinary CNN"][more] < 1
    assert "From any number of digits, `D4CNN` is behind `C4CNN`" in text
    assert all(mean["D4CNN"][digits] < mean["C4CNN"][digits] for digits in mean["C4CNN"])
    wide, c4cnn = (measured[f"standard_{name}", f"accuracy.{name}.standard"] for name in ("d4cnn", "c4cnn"))
    assert "is behind `C4CNN` after the same training too" in text and wide["spread"]["max"] < c4cnn["spread"]["min"]
    assert "near 0° it does better than the `C4CNN` that learnt the same digits" in text
    ordinary, invariant = (found["by_angle"][name]["upright"] for name in ("ordinary CNN", "C4CNN"))
    assert ordinary[0] > invariant[0] and ordinary[-1] > invariant[-1]
    assert "at a right angle it mostly guesses" in text and max(ordinary[2:4] + ordinary[8:10]) < 30
    assert "It is weakest halfway between two quarter turns, at 45°" in text
    assert set(sorted(range(12), key=invariant.__getitem__)[:4]) == {1, 4, 7, 10}
