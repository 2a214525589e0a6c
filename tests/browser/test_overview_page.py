"""The report about a class in a real browser: what an instructor sees and does there."""

import pytest

from autograder.overview import write_report

PICTURES = """() => [...document.querySelectorAll("svg[role=img]")].map(picture => ({
    width: picture.getBoundingClientRect().width,
    height: picture.getBoundingClientRect().height,
    words: picture.getAttribute("aria-label"),
    marks: [...picture.querySelectorAll(".bar, circle, .bad rect")].map(mark => {
        const box = mark.getBoundingClientRect();
        return [box.width, box.height, getComputedStyle(mark).fill];
    }),
}))"""


@pytest.fixture(scope="module")
def report(fabricated_class, tmp_path_factory):
    """The page about the fabricated class, beside two pages of feedback of which one has a hostile name."""
    course, names = fabricated_class
    pages = [course.feedback(name) for name in (names[0], "javascript:alert(1)")]
    page = course.root / "report.html"
    write_report(course, page)
    yield page, pages, names
    for written in pages:
        written.unlink()
    page.unlink()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["phone", "desk"])
def test_the_page_fits_and_every_picture_shows(report, look, sideways, size, scheme):
    """Is nothing wider than the window, and has every picture a size, marks that can be seen, and words?"""
    page = look(report[0], size, color_scheme=scheme)
    page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
    assert sideways(page) == 0
    pictures = page.evaluate(PICTURES)
    assert len(pictures) >= 1 + 2 + 14 + 4 + 4 + 2  # standing, points, exercises, networks, written answers, usage
    for picture in pictures:
        assert picture["width"] > 150 and picture["height"] > 15, picture
        assert len(picture["words"]) > 10, picture
        assert picture["marks"] and all(width > 1 and height > 1 for width, height, _ in picture["marks"]), picture
        assert not [colour for _, _, colour in picture["marks"] if colour in ("rgb(0, 0, 0)", "none")], picture


def test_no_letter_of_a_picture_is_cut_off(report, look):
    """Does each label in a picture lie within the window of a phone?"""
    page = look(report[0], "phone")
    edges = page.evaluate("""[...document.querySelectorAll("svg[role=img] text")].map(text => {
        const box = text.getBoundingClientRect();
        return [text.textContent, box.left, box.right];
    })""")
    assert len(edges) > 50
    assert [edge for edge in edges if edge[1] < 0 or edge[2] > 390] == []


def test_dark_and_light_differ_and_can_be_read(report, look):
    """Does the page follow the reader's choice, with letters that stand out from what is behind them?"""
    contrast = """() => {
        const light = colour => {
            const parts = colour.match(/[\\d.]+/g).slice(0, 3).map(c => c / 255)
                .map(c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
            return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
        };
        const style = element => getComputedStyle(document.querySelector(element));
        const back = light(style("body").backgroundColor);
        return [style("body").color, style(".soft").color, style("a").color].map(colour => {
            const [low, high] = [light(colour), back].sort((a, b) => a - b);
            return (high + 0.05) / (low + 0.05);
        });
    }"""
    backgrounds = set()
    for scheme in ("light", "dark"):
        page = look(report[0], color_scheme=scheme)
        assert min(page.evaluate(contrast)) >= 4.5
        backgrounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(backgrounds) == 2


def test_every_link_leads_somewhere(report, look):
    """Does each name lead to its feedback, whatever the name is, and each other link to a place of this page?"""
    page = look(report[0])
    links = page.locator("a").all()
    addresses = [link.evaluate("link => link.href") for link in links]
    files = {address for address in addresses if "#" not in address}
    assert files == {path.as_uri().replace("javascript:alert(1)", "javascript%3Aalert%281%29") for path in report[1]}
    for link in links:
        place = link.get_attribute("href")
        if place.startswith("#"):
            assert page.locator(f"[id='{place[1:]}']").count() == 1
    page.locator("#table a").last.click()
    page.wait_for_url("**/feedback/**")
    assert "gcnn" in page.content()


def test_hostile_names_are_text(report, look):
    """Are names that look like HTML, scripts or templates shown as they are, and is the page's own script alone?"""
    page = look(report[0])
    assert page.locator("img, iframe, object, form").count() == 0
    assert page.locator("script").count() == 1
    shown = page.locator("#table tbody th bdi").all_inner_texts()
    assert '"><img src=x onerror=alert(1)>' in shown and "{{ 7 * 7 }}{% raw %}" in shown
    assert not [name for name in shown if "\u202e" in name]


def test_students_are_found_sorted_and_filtered(report, look):
    """Do search, filter and the heads of the table do what they say?"""
    page = look(report[0])
    rows = page.locator("#table tbody tr:visible")
    everyone = rows.count()
    assert everyone == len(report[2])
    page.get_by_label("Search").fill("STUDENT-0")
    assert rows.count() == 10
    assert page.locator("#found").inner_text() == f"10 of {everyone}"
    page.get_by_label("Search").fill("")
    page.get_by_label("Show").select_option("missing")
    assert rows.count() == 2 and "missing" in rows.first.inner_text()
    page.get_by_label("Show").select_option("")
    for order in ("ascending", "descending"):
        page.locator("#table thead th").nth(2).get_by_role("button").click()
        assert page.locator("#table thead th").nth(2).get_attribute("aria-sort") == order
        points = [text for text in page.locator("#table tbody td:nth-of-type(2)").all_inner_texts() if text.isdigit()]
        assert points == sorted(points, key=int, reverse=order == "descending") and len(points) > 15


def test_a_name_in_a_list_leads_to_its_row(report, look):
    """Does a name among those with a mistake lead to the student's row, also while the table shows others?"""
    page = look(report[0])
    page.get_by_label("Show").select_option("missing")
    page.locator("#exercises ~ .exercises summary").first.click()
    name = page.locator("details[open] .who a").first
    wanted = name.inner_text()
    name.click()
    row = page.locator("tr:target")
    row.wait_for(state="visible")
    assert row.locator("th bdi").inner_text() == wanted


def test_the_page_works_without_its_script(report, look):
    """Is the whole class there where no script runs, and are tools that would do nothing away?"""
    page = look(report[0], "phone", java_script_enabled=False)
    assert page.locator("#table tbody tr").count() == len(report[2])
    assert not page.locator(".tools").is_visible()


def test_it_can_be_printed(report, look):
    """Is on paper nothing hidden in a box that scrolls, or folded away?"""
    page = look(report[0])
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator(".scroll").evaluate("box => box.scrollHeight - box.clientHeight") <= 1
    assert page.locator("details:not([open])").count() == 0
    assert not page.locator("nav").is_visible()
    assert page.pdf(format="A4").startswith(b"%PDF")
