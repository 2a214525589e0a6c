"""Tests of the doctor: it says what is enforced because it tried."""

import pytest

from autograder.sandbox import sandbox as sandboxes
from autograder.sandbox.available import check
from autograder.sandbox.doctor import doctor
from autograder.sandbox.limits import Limits


def test_the_doctor_finds_this_machine_well(bubblewrap):
    """Are all walls and limits found to hold here, each with its mechanism?"""
    rows = {row.what: row for row in doctor(Limits(memory_mb=500))}
    held = ("bubblewrap", "network cut", "system read-only", "no privileges", "autograder unseen", "gcnn installed")
    for what in (*held, "memory limit", "processes limit", "time limit", "disk limit", "memory"):
        assert rows[what].ok, rows[what]
        assert rows[what].detail
    assert "tmpfs" in rows["disk limit"].detail
    assert {"cores", "GPU", "alembic on PATH"} <= set(rows)


def test_the_doctor_finds_that_bubblewrap_is_missing(monkeypatch, tmp_path):
    """Where there is no bubblewrap: does the doctor say so and what to do, and still tell of the machine?"""
    monkeypatch.setenv("PATH", str(tmp_path))
    check.cache_clear()
    try:
        rows = {row.what: row for row in doctor(Limits(memory_mb=1e9))}
    finally:
        check.cache_clear()
    assert not rows["bubblewrap"].ok
    assert "apt-get install bubblewrap" in rows["bubblewrap"].todo
    assert not rows["memory"].ok and "below" in rows["memory"].todo
    assert not rows["alembic on PATH"].ok and rows["alembic on PATH"].todo


def test_the_doctor_notices_a_limit_that_does_not_hold(monkeypatch, bubblewrap):
    """If nothing watched processes and time, would the doctor notice?"""
    from autograder.sandbox import cgroups, watchdog
    from autograder.sandbox import doctor as module

    monkeypatch.setattr(module, "PATIENCE", 1.5)

    monkeypatch.setattr(cgroups, "parents", lambda: ({}, None, None))
    monkeypatch.setattr(watchdog.Watchdog, "_look", lambda self: None)
    monkeypatch.setattr(sandboxes.Sandbox, "_resource_limits", lambda self: {})
    rows = {row.what: row for row in doctor()}
    assert not rows["memory limit"].ok
    assert not rows["processes limit"].ok
    assert not rows["time limit"].ok
    assert rows["disk limit"].ok


@pytest.mark.parametrize("hidden", [True, False])
def test_the_doctor_notices_an_autograder_that_can_be_imported(hidden, environment, tmp_path, bubblewrap, monkeypatch):
    """If autograder were not masked, would the doctor notice?"""
    import dataclasses

    from autograder.sandbox.interpreter import interpreter

    python, packages = environment(tmp_path / "venv")
    (packages / "autograder").mkdir()
    (packages / "autograder" / "__init__.py").write_text("")
    if not hidden:
        shown = dataclasses.replace(interpreter(python), hidden_packages=())
        monkeypatch.setattr(sandboxes, "interpreter", lambda executable: shown)
    from autograder.sandbox.doctor import _walls

    rows = {row.what: row for row in _walls(python)}
    assert rows["autograder unseen"].ok is hidden
    assert not rows["ipykernel installed"].ok and "Install ipykernel" in rows["ipykernel installed"].todo
