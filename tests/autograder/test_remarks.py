"""Whether feedback says which hand-in a comment is about, through a new hand-in, back again, and a new comment."""

import pytest
from bs4 import BeautifulSoup
from fabricated import answered, landed, mark, open_course
from handed_back import comment

from autograder.sending import page_of, write_pages

EARLIER = "on an earlier hand-in"


@pytest.fixture(scope="module")
def course(project, tmp_path_factory):
    """A course with its release made."""
    return open_course(tmp_path_factory.mktemp("remarks"), project)


def heading(course, student, key):
    """What stands above the comment on an exercise."""
    assert not write_pages(course, [student])
    page = BeautifulSoup(page_of(course, student).read_text(encoding="utf-8"), "html.parser")
    found = page.find(id=f"exercise-{key}")
    (title,) = [node.get_text() for node in found.find_all("h3") if "comment" in node.get_text()]
    assert found.find(class_="comment")
    return title


def changed(source, key):
    """A full hand-in, in which one answer is another."""
    notebook = answered(source)
    next(cell for cell in notebook.cells if cell.get("id") == key).source += "\n# once more"
    return notebook


def test_a_comment_on_an_earlier_hand_in_says_so(course):
    """Is a comment labelled as long as it is about another answer than the one that is shown, and only then?"""
    first, second = answered(course.source()), changed(course.source(), "c4")
    landed(course, "ada", first)
    comment(course, "ada", "c4", "Off by one.")
    comment(course, "ada", "d4", "Nice.")
    assert EARLIER not in heading(course, "ada", "c4")
    landed(course, "ada", second)
    assert EARLIER in heading(course, "ada", "c4") and EARLIER not in heading(course, "ada", "d4")
    landed(course, "ada", changed(course.source(), "d4"))  # c4 is as it was when it was commented on
    assert EARLIER not in heading(course, "ada", "c4") and EARLIER in heading(course, "ada", "d4")
    landed(course, "ada", second)
    landed(course, "ada", second)  # the same once more
    assert EARLIER in heading(course, "ada", "c4")
    comment(course, "ada", "c4", "Right now.")
    assert EARLIER not in heading(course, "ada", "c4")


def test_whoever_marks_an_answer_has_seen_the_comment(course):
    """Does the label on a written answer go once the new answer has a mark?"""
    landed(course, "bob", answered(course.source()))
    mark(course, "bob")
    comment(course, "bob", "why-pool", "Why?")
    landed(course, "bob", changed(course.source(), "why-pool"))
    assert EARLIER in heading(course, "bob", "why-pool")
    mark(course, "bob")
    assert EARLIER not in heading(course, "bob", "why-pool")
