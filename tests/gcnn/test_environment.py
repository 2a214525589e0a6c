"""Tests of gcnn.environment: what the notebook is told about where it runs."""

import torch

from gcnn import environment


def test_grading_is_what_nbgrader_sets(monkeypatch):
    """Is a run while grading told from a student's run?"""
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    assert not environment.grading()
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    assert environment.grading()


def test_describe_names_device_and_versions():
    """Does the line say what the notebook runs on?"""
    assert torch.__version__ in environment.describe()
    assert ("GPU" if torch.cuda.is_available() else "CPU") in environment.describe()


def test_cache_dir_can_be_chosen(monkeypatch, tmp_path):
    """Does GCNN_CACHE move the downloads?"""
    monkeypatch.setenv("GCNN_CACHE", str(tmp_path))
    assert environment.cache_dir() == tmp_path
