"""Tests of gcnn.environment: what the notebook is told about where it runs."""

import importlib

import pytest
import torch

import gcnn
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


@pytest.mark.parametrize(
    ("variable", "name", "says"),
    [
        ("COLAB_RELEASE_TAG", "Colab", "Change runtime type"),
        ("KAGGLE_KERNEL_RUN_TYPE", "Kaggle", "Accelerator"),
        (None, "", None),
    ],
)
def test_a_service_without_gpu_is_told_how_to_get_one(monkeypatch, variable, name, says):
    """Is the menu named that turns on the GPU, on a service that has one to give, and nothing said elsewhere?"""
    for one in ("COLAB_RELEASE_TAG", "KAGGLE_KERNEL_RUN_TYPE"):
        monkeypatch.delenv(one, raising=False)
    if variable:
        monkeypatch.setenv(variable, "x")
    assert environment.platform_name() == name
    monkeypatch.setattr(environment, "default_device", lambda: torch.device("cpu"))
    assert says in environment.gpu_advice() if says else environment.gpu_advice() == ""
    monkeypatch.setattr(environment, "default_device", lambda: torch.device("cuda"))
    assert environment.gpu_advice() == ""


@pytest.mark.parametrize(
    ("version", "refused"), [("2.5.1+cu124", True), ("1.13", True), ("2.6.0", False), ("3.0", False)]
)
def test_an_old_torch_is_refused_in_a_sentence(monkeypatch, version, refused):
    """Does an import with a torch that is too old say so, and what to do?"""
    monkeypatch.setattr("importlib.metadata.version", lambda name: version)
    try:
        if refused:
            with pytest.raises(ImportError, match=r"needs PyTorch 2\.6 or newer, and here is .*pip install --upgrade"):
                importlib.reload(gcnn)
        else:
            importlib.reload(gcnn)
    finally:
        monkeypatch.undo()
        importlib.reload(gcnn)
