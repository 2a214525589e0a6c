"""The released notebook in a real JupyterLab in a real browser: set-up, hints, slider, and the check before handing in.

All of it is done as a student does it, with the keyboard, in what `make student` puts together. At the end nothing in
the page may have complained, and nothing may have been asked of another machine.
"""

import re
import shutil
from pathlib import Path

import nbformat
import pytest
from lab import BRIEF, WRONG, Lab, laboratory
from playwright.sync_api import expect

from autograder.exercises import EXERCISES
from autograder.submissions import model_answer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


# What is not ours in the notebook's texts and outputs: axe's rule, where, and why.
THEIRS = [("aria-input-field-name", ".noUi-handle", "ipywidgets gives a slider no name; the field beside it has one")]


def seen(picture):
    """Whether a picture is there, and no part of it sticks out of its cell's output."""
    return picture.evaluate(
        """img => {
            const [inner, outer] = [img, img.closest(".jp-OutputArea-output")].map(n => n.getBoundingClientRect());
            return img.naturalWidth > 0 && inner.left >= outer.left && inner.right <= outer.right;
        }"""
    )


def starting(words):
    """A pattern for a text that starts with these words."""
    return re.compile(f"^{re.escape(words)}")


@pytest.fixture(scope="module")
def model(source):
    """The model's answers, by exercise."""
    return {cell.id: model_answer(cell) for cell in source.cells if cell.id in EXERCISES}


@pytest.fixture(scope="module")
def lab(made_bundle, tmp_path_factory, look_long):
    """A student's notebook in JupyterLab, set up; its kernels train briefly."""
    folder = Path(shutil.copytree(made_bundle, tmp_path_factory.mktemp("lab") / "student"))
    with laboratory(folder, BRIEF) as address:
        lab = Lab(look_long(address), folder / "gcnn.ipynb")
        says = lab.set_up().inner_text()
        assert "Ready: " in says and "200 to test on" in says and "will take about" in says
        yield lab
        lab.page.context.close()  # before the server, which it would miss


def test_a_wrong_answer_gets_a_hint_and_a_right_one_praise(lab, model):
    """Does the check below an answer name the mistake, fold out hint after hint, and say when all is well?"""
    lab.type("rotate-p4", WRONG)
    assert lab.run("rotate-p4").inner_text() == ""
    says = lab.run("checks.rotate_p4(")
    expect(says).to_contain_text("rotate_p4(y, 1) for y of shape (2, 3, 4, 5, 5) is not right.")
    expect(says).to_contain_text("This is what comes out when the group axis is rolled the other way.")
    hint, bigger = says.get_by_text("Put a single one at s = 0"), says.locator("details details p")
    expect(hint).to_be_hidden()
    says.get_by_text("A hint", exact=True).click()
    expect(hint).to_be_visible()
    expect(bigger).to_be_hidden()
    says.get_by_text("A bigger hint", exact=True).click()
    expect(bigger).to_be_visible()
    for picture in says.locator("details").filter(has=lab.page.locator("> img")).all():
        picture.locator("summary").click()
        assert seen(picture.locator("img"))

    lab.type("rotate-p4", model["rotate-p4"])
    lab.run("rotate-p4")
    says = lab.run("checks.rotate_p4(")
    expect(says).to_contain_text("✓ All public checks of rotate_p4 passed")
    expect(says.locator("details")).to_have_count(0)
    # The test cells cannot be changed, and run.
    expect(lab.run("test-rotate-p4-quarter-turn")).to_contain_text("All public checks of")


def test_the_check_before_handing_in_reads_what_is_saved(lab, model):
    """Does the last cell name the untouched exercises and the file to hand in, with the answer typed here?"""
    lab.type("rotate-p4", model["rotate-p4"])
    lab.run("rotate-p4")
    lab.save()
    says = re.sub(r"\n {6}(?=\S)", " ", lab.run("submission.check()", seconds=300).inner_text())
    untouched = next(line for line in says.splitlines() if "Untouched: " in line)
    assert "2.2 rotate_p4" not in untouched and "1.2 C4;" in untouched and "4c D4CNN." in untouched
    assert "The course's own cells: all are there, as they were given." in says
    assert "Every cell that was run works from top to bottom." in says
    file = lab.path.parent / "hand-in" / "gcnn.ipynb"
    assert f"Hand in this copy of what is saved: {file}" in says
    answers = {cell.id: cell.source for cell in nbformat.read(file, as_version=4).cells}
    assert answers["rotate-p4"] == model["rotate-p4"]


def test_the_slider_turns_the_digit(lab, model):
    """Do the arrow keys move it, and does another picture of the digit, or layer, appear, whole, with its words?"""
    lab.before_the_slider(model)
    for picture in lab.page.locator(".jp-OutputArea img").all():
        assert seen(picture) and picture.get_attribute("alt")
    shown = lab.run("plots.turning(")
    slider, picture = shown.get_by_role("slider"), shown.get_by_role("img")
    expect(picture).to_have_count(1)
    before = picture.get_attribute("src")
    expect(picture).to_have_attribute("alt", starting("A digit turned by 0 degrees"))
    assert seen(picture)
    slider.focus()
    for angle in (5, 10):
        lab.page.keyboard.press("ArrowRight")
        expect(slider).to_have_attribute("aria-valuetext", str(angle))
    expect(picture).to_have_attribute("alt", starting("A digit turned by 10 degrees"), timeout=60_000)
    assert seen(picture) and picture.get_attribute("src") != before
    number = shown.get_by_label("turn by (°)")
    expect(number).to_have_value("10")
    number.fill("90")
    lab.page.keyboard.press("Enter")
    expect(picture).to_have_attribute("alt", starting("A digit turned by 90 degrees"), timeout=60_000)
    expect(slider).to_have_attribute("aria-valuetext", "90")
    layers = shown.get_by_label("beside the first layer")
    layers.select_option("4: Conv2d, IsotropicConv2d, GroupConv2d")
    at_layer_4 = re.compile(r"^A digit turned by 90 degrees.*LiftingConv2d, 33×33 pixels and GroupConv2d, 17×17 pixels")
    expect(picture).to_have_attribute("alt", at_layer_4, timeout=60_000)
    assert seen(picture)
    layers.select_option("the last one large enough to read")
    expect(picture).not_to_have_attribute("alt", at_layer_4, timeout=60_000)
    expect(layers).to_have_value("the last one large enough to read")


@pytest.mark.parametrize("part", [".jp-OutputArea-output", ".jp-RenderedMarkdown"])
def test_axe_finds_nothing_grave(lab, grave, part):
    """Is there nothing that keeps people out, by axe-core's rules, in the notebook's texts and in what it has shown?"""
    assert grave(lab.page, part, THEIRS) == {}
