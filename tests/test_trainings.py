"""Tests of what benchmarks keep of trainings, and of the figures made of them."""

import pytest
from rich.console import Console

from autograder.kept import Kept


@pytest.fixture
def quiet():
    """A console that shows nothing."""
    return Console(quiet=True)


def test_a_training_is_known_by_its_code_not_by_its_prose(monkeypatch):
    """Does a comment or a docstring in the answers leave what was measured as it is, and any other change not?"""
    import networks
    import trainings

    code = networks.solution_code("plain_cnn")
    keys = []
    for changed in (code, code + "\n# a comment", code.replace("class PlainCNN", "x = 1\n\n\nclass PlainCNN")):
        monkeypatch.setattr(networks, "solution_code", lambda name, text=changed: text)
        trainings.code_of.cache_clear()
        keys.append(trainings.Training("plain_cnn", "standard", 0).key)
    trainings.code_of.cache_clear()
    assert keys[0] == keys[1] != keys[2]


def test_what_is_done_is_not_done_again(quiet, tmp_path):
    """Is a training that stands in the file taken from there, and a missing one done and put there?"""
    from trainings import Training, measured

    there, missing, file = Training("plain_cnn", "none", 0), Training("plain_cnn", "none", 1), tmp_path / "done.jsonl"
    Kept(file)[there.key] = {"accuracy": 99.0, "seconds": 1.0, "mistaken": {}, "on": "elsewhere"}
    found = measured([there, missing], quiet, done=file)
    assert found[there]["accuracy"] == 99.0 and found[there]["on"] == "elsewhere"
    assert 0 < found[missing]["accuracy"] < 30 and "threads" in found[missing]["on"]
    again = measured([missing, there], quiet, done=file)
    assert again == found and len(file.read_text().splitlines()) == 2


def test_seconds_are_measured_where_they_are_asked_for(quiet, tmp_path):
    """Is a training without its seconds done again for them, and not where they do not matter?"""
    from trainings import Training, measured

    one, file = Training("plain_cnn", "none", 1), tmp_path / "done.jsonl"
    beside = measured([one], quiet, processes=1, done=file)[one]
    assert "seconds" not in beside
    timed = measured([one], quiet, done=file)[one]
    assert timed["seconds"] >= 0 and timed["accuracy"] == pytest.approx(beside["accuracy"], abs=0.1)
    assert measured([one], quiet, processes=1, done=file)[one] == timed


def test_seconds_of_different_machines_are_not_mixed():
    """Are all seeds counted for the accuracy, and for the seconds each machine's own, that which timed most first?"""
    import record

    def one(accuracy, on, **more):
        return {"accuracy": accuracy, "on": on, "mistaken": {"2_5": 3}, "made": "2026-01-02", **more}

    done = [one(98.0, "a", seconds=10.0), one(97.0, "b", seconds=30.0), one(96.0, "b", seconds=40.0), one(99.0, "c")]
    rows = {row["name"]: row for row in record.rows("d4cnn", "record", done)}
    assert rows["accuracy.d4cnn.record"]["value"] == 97.5 and rows["accuracy.d4cnn.record"]["spread"]["n"] == 4
    assert rows["accuracy.d4cnn.record"]["machines"] == {"a": 1, "b": 2, "c": 1}
    assert rows["seconds.d4cnn.record"]["spread"]["values"] == [30.0, 40.0]
    assert rows["seconds.d4cnn.record"]["machine"] == "b"
    assert rows["seconds.d4cnn.record.1"]["value"] == 10 and rows["seconds.d4cnn.record.1"]["machine"] == "a"
    assert rows["mistaken.d4cnn.record.2_5"]["value"] == 3


def test_seconds_that_were_written_stay_until_as_many_are_measured_anew():
    """Does a row of five timed trainings outlive one more on its machine, and not five more?"""
    import record

    def one(seconds, on="a"):
        return {"accuracy": 98.0, "on": on, "mistaken": {}, "made": "2026-03-04", "seconds": seconds, "gflops": 500}

    five = record.rows("d4cnn", "record", [one(value) for value in (1.0, 2.0, 3.0, 4.0, 5.0)])
    again = record.rows("d4cnn", "record", [one(50.0), one(70.0, on="b")], earlier=five)
    values = {row["name"]: row["spread"]["values"] for row in again if row["name"].startswith("seconds")}
    assert values == {"seconds.d4cnn.record": [1, 2, 3, 4, 5], "seconds.d4cnn.record.1": [70]}
    anew = record.rows("d4cnn", "record", [one(50.0)] * 5, earlier=again)
    values = {row["name"]: row["spread"]["values"] for row in anew if row["name"].startswith("seconds")}
    assert values == {"seconds.d4cnn.record": [50] * 5, "seconds.d4cnn.record.1": [70]}
    assert {row["gflops"] for row in anew if row["name"].startswith("seconds")} == {500}


def test_a_timed_training_knows_what_the_machine_could_do(quiet, tmp_path):
    """Does a training that was timed have the machine's peak beside it, and one among others neither?"""
    from trainings import Training, measured

    one = Training("plain_cnn", "none", 0)
    assert measured([one], quiet, done=tmp_path / "timed.jsonl")[one]["gflops"] > 0
    assert not {"gflops", "seconds"} & {*measured([one], quiet, processes=1, done=tmp_path / "beside.jsonl")[one]}
