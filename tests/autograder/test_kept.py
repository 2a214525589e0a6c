"""Tests of what is kept of a long run: it is there again, whatever interrupted the run."""

import pytest

from autograder.kept import Kept


def test_what_is_kept_is_there_again(tmp_path):
    """Does a second run find what a first one kept, in a folder that was not there, the last value of a name?"""
    kept = Kept(tmp_path / "new" / "kept.jsonl")
    assert not kept
    kept["a"], kept["b"], kept["a"] = 1.5, {"x": [1, None]}, 2.5
    assert dict(Kept(kept.path)) == dict(kept) == {"a": 2.5, "b": {"x": [1, None]}}


@pytest.mark.parametrize("cut", ['["c", {"tests"', "[1]\n", "{}\n", "[[], 1]\n", "\n\n"])
def test_a_line_that_was_cut_off_costs_nothing_else(tmp_path, cut):
    """Is such a line skipped, and what is kept after it found?"""
    kept = Kept(tmp_path / "kept.jsonl")
    kept["a"] = 1
    with kept.path.open("a") as file:
        file.write(cut)
    again = Kept(kept.path)
    assert dict(again) == {"a": 1}
    again["d"] = 2
    assert dict(Kept(kept.path)) == {"a": 1, "d": 2}


def test_without_a_file_nothing_is_kept(tmp_path, monkeypatch):
    """Is a run without a file like any other, but leaves none?"""
    monkeypatch.chdir(tmp_path)
    kept = Kept(None)
    kept["a"] = 1
    assert dict(kept) == {"a": 1} and list(tmp_path.iterdir()) == []
