"""A real browser for the pages that the project makes: Chromium, as wide as a phone or a desk's screen, and no network.

A test asks for ``look`` and gets pages; whatever a page complains of, or asks of a network, fails the test at its end.
"""

import contextlib
import os
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
SIZES = {"phone": (390, 844), "desk": (1280, 800)}
HERE = ("localhost", "127.0.0.1")
_OUTSIDE = "([places, part]) => places.map(place => document.querySelector(place).closest(part) === null)"


@pytest.fixture(scope="module")
def chromium():
    """The browser, without a window. It ends with the module: as long as it is there, asyncio has a running loop."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip("there is no Chromium to look at pages with: `make browser` installs it, or says what to type")
    with sync_playwright() as tool:
        # Chromium refuses to run as root in a sandbox of its own.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = tool.chromium.launch(executable_path=program, args=arguments)
        yield browser
        browser.close()


def _is_here(address: str) -> bool:
    parts = urlsplit(address)
    return parts.scheme in ("file", "data", "blob", "about") or parts.hostname in HERE


@contextlib.contextmanager
def _watching(browser):
    """A function that opens pages until the block ends, which fails if one of them complained."""
    complaints = []

    def refuse(route):
        if _is_here(route.request.url):
            route.continue_()
        else:
            complaints.append(f"it asks for {route.request.url}")
            route.abort()

    def dialog(box):
        complaints.append(f"it opens a dialog: {box.message}")
        box.dismiss()

    with contextlib.ExitStack() as stack:

        def open_page(where, size="desk", **options):
            width, height = SIZES[size]
            address = where.resolve().as_uri() if isinstance(where, Path) else where
            context = browser.new_context(viewport={"width": width, "height": height}, **options)
            stack.callback(context.close)
            context.set_offline(isinstance(where, Path))
            context.route("**/*", refuse)
            page = context.new_page()
            page.on("console", lambda m: m.type in ("error", "warning") and complaints.append(f"{m.type}: {m.text}"))
            page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
            page.on("dialog", dialog)
            page.goto(address)
            return page

        yield open_page
    assert complaints == []


@pytest.fixture
def look(chromium):
    """Opens a file or an address of this machine at a size, "phone" or "desk", in a context with these options."""
    with _watching(chromium) as open_page:
        yield open_page


@pytest.fixture(scope="module")
def look_long(chromium):
    """The same for a page that several tests of a module look at; a complaint fails the last of them."""
    with _watching(chromium) as open_page:
        yield open_page


@pytest.fixture(scope="session")
def grave():
    """Says what axe-core finds serious or critical in a part of a page: rule and element, and how to mend it."""
    axe = Axe()

    def find(page, part="body", forgiven=()):
        """All findings but those of the rules and selectors that are forgiven, each with its reason."""
        found = {}
        for violation in axe.run(page, {"include": [[part]]}).response["violations"]:
            if violation["impact"] in ("serious", "critical"):
                places = [node["target"][0] for node in violation["nodes"]]
                theirs = ", ".join(selector for rule, selector, _ in forgiven if rule == violation["id"])
                ours = page.evaluate(_OUTSIDE, [places, theirs or ":not(*)"])
                for node, own in zip(violation["nodes"], ours, strict=True):
                    if own:
                        found[f"{violation['id']}: {node['html'][:200]}"] = node["failureSummary"]
        return found

    return find


@pytest.fixture
def sideways():
    """By how many pixels a page is wider than its window."""
    return lambda page: page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
