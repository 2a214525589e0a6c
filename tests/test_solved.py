"""Tests of what `benchmarks/solved.py` makes of a notebook that ran; nothing is run or timed here."""

import nbformat
import pytest


def ran():
    """A notebook as it is after its run, and the seconds of its cells."""
    said = "Training C4CNN in part 3 will take about 45 seconds here, D4CNN in part 4 2 minutes."
    set_up = nbformat.v4.new_code_cell("print(announce())")
    set_up.outputs = [nbformat.v4.new_output("stream", text=said)]
    codes = [
        "c4cnn = train_model(C4CNN(), checkpoint=True)",
        "d4cnn = train_model(D4CNN(), checkpoint=True)",
        "submission.check()",
    ]
    text = nbformat.v4.new_markdown_cell("It runs, with trainings of a single step, which takes about 20 seconds.")
    cells = [set_up, *map(nbformat.v4.new_code_cell, codes), text]
    return nbformat.v4.new_notebook(cells=cells), [1.0, 30.0, 150.0, 22.0, 0.0]


def test_stated_times_stand_beside_those_that_were_taken():
    """Is each stated time found, in the output or in the text, with what its cell took?"""
    import solved

    figures = {row["name"]: row["value"] for row in solved.rows(*ran())}
    assert figures["solved.seconds"] == 203 and figures["solved.training_seconds"] == 180
    assert figures["solved.c4cnn.stated_seconds"] == 45 and figures["solved.c4cnn.taken_by_stated"] == 0.67
    assert figures["solved.d4cnn.stated_seconds"] == 120 and figures["solved.d4cnn.taken_by_stated"] == 1.25
    assert figures["solved.check.stated_seconds"] == 20 and figures["solved.check.taken_by_stated"] == 1.1


@pytest.mark.parametrize("lost", ["will take about", "train_model(D4CNN(),", "which takes about"])
def test_a_time_that_is_not_stated_is_named(lost):
    """Is it an error, not a missing row, where a time is not stated or its cell is not there?"""
    import solved

    notebook, taken = ran()
    for cell in notebook.cells:
        cell.source = cell.source.replace(lost, "")
        for out in cell.get("outputs", []):
            out.text = out.text.replace(lost, "")
    with pytest.raises(ValueError, match=r"states no time for|has 0 cells with"):
        solved.rows(notebook, taken)


@pytest.mark.parametrize(
    ("words", "seconds"), [("a second", 1), ("20 seconds", 20), ("a minute", 60), ("3 minutes", 180)]
)
def test_durations_are_read_as_they_are_said(words, seconds):
    """Is a duration in words the number of seconds that it says?"""
    import solved

    assert solved.seconds(words) == seconds
    with pytest.raises(ValueError, match="no duration"):
        solved.seconds(f"about {words}")
