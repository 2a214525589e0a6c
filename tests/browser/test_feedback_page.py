"""The feedback that a student gets, in a real browser: at a phone's and a desk's width, by day, by night, on paper."""

import pytest
from handed_back import STUDENTS, handed_back

from autograder.sending import page_of

CONTRASTS = """() => {
    const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
    const channels = colour => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const light = colour => channels(colour).slice(0, 3).map(c => c / 255)
        .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
        .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = element => {
        for (; element; element = element.parentElement) {
            const colour = getComputedStyle(element).backgroundColor;
            if (channels(colour)[3] > 0) return colour;
        }
        return "white";
    };
    const found = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const element = walker.currentNode.parentElement;
        if (!walker.currentNode.data.trim() || !element.checkVisibility()) continue;
        const [low, high] = [light(getComputedStyle(element).color), light(behind(element))].sort((a, b) => a - b);
        const contrast = (high + 0.05) / (low + 0.05);
        if (contrast < 4.5) found.push([walker.currentNode.data.trim().slice(0, 40), element.className, contrast]);
    }
    return found;
}"""


@pytest.fixture(scope="module")
def course(project, tmp_path_factory):
    """A course with one student of each kind, and their pages."""
    return handed_back(tmp_path_factory.mktemp("feedback_page") / "course", project)


@pytest.mark.parametrize("student", STUDENTS)
@pytest.mark.parametrize("size", ["phone", "desk"])
def test_a_page_fits(course, look, sideways, student, size):
    """Is nothing wider than the window with everything unfolded, and does the page ask for nothing and say nothing?"""
    page = look(page_of(course, student), size)
    page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
    assert sideways(page) == 0
    assert page.get_by_role("heading", level=1).is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("student", STUDENTS)
def test_every_word_can_be_read(course, look, student, scheme):
    """Has each text that is seen a contrast of 4.5 to what is behind it, by day and by night?"""
    page = look(page_of(course, student), color_scheme=scheme)
    page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
    assert page.evaluate(CONTRASTS) == []


@pytest.mark.parametrize("size", ["phone", "desk"])
def test_the_table_is_a_table_and_leads_to_the_exercises(course, look, size):
    """Is the table one for a screen reader too, also where its rows are laid out for a phone, and do links lead on?"""
    page = look(page_of(course, "bert"), size, reduced_motion="reduce")
    row = page.get_by_role("table", name="Points by exercise").get_by_role("row").filter(has_text="2.3")
    assert row.get_by_role("cell").count() == 2
    row.get_by_role("link").click()
    heading = page.get_by_role("heading", level=2).filter(has_text="2.3")
    assert heading.is_visible() and heading.bounding_box()["y"] < 400


def test_formulas_and_figures_are_seen(course, look):
    """Does the browser draw MathML as formulas, and figures as large as they fit?"""
    page = look(page_of(course, "bert"), "phone")
    fraction = page.locator("#exercise-why-pool math mfrac").first.bounding_box()
    letter = page.locator("#exercise-why-pool math mfrac mi").first.bounding_box()
    assert fraction["height"] > 1.5 * letter["height"]
    sizes = page.evaluate("[...document.images].map(i => [i.naturalWidth, i.getBoundingClientRect().width])")
    assert len(sizes) > 2 and all(natural == 800 and 200 < width <= 390 for natural, width in sizes)


def test_hostile_words_do_nothing(course, look):
    """Does nothing that a student wrote run, cover the page or hide it, when it is clicked as well?"""
    page = look(page_of(course, "bert"))
    assert page.evaluate("document.body.children.length") == 2  # header and main
    assert page.get_by_text("<img src=x onerror=alert(1)>").first.is_visible()
    page.get_by_text("a link", exact=False).first.click()
    assert page.url.endswith("gcnn.html")


def test_on_paper_nothing_is_dark_or_folded(course, look):
    """Is the page printed black on white, with what is folded away on the screen?"""
    page = look(page_of(course, "bert"), color_scheme="dark")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    assert len(page.pdf()) > 10_000
    assert page.evaluate("document.querySelector('.tests details ul').getBoundingClientRect().height") > 10
