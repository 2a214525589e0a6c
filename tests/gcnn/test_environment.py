"""Tests of gcnn.environment: what the notebook is told about where it runs."""

import importlib

import pytest
import torch
import torch.nn.functional as F

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


@pytest.fixture
def gpu(monkeypatch):
    """A machine on which PyTorch counts a GPU, whatever it is: `gpu(error)` lets all work on it end with an error."""

    def broken(error):
        def fail(*args, **kwargs):
            raise error

        environment._gpu_problem.cache_clear()
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda *args: "Tesla P100-PCIE-16GB")
        monkeypatch.setattr(torch, "ones", lambda *args, device, **kwargs: torch.zeros(*args))
        monkeypatch.setattr(F, "conv2d", fail if error else lambda *args: torch.zeros(()))

    yield broken
    environment._gpu_problem.cache_clear()


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (
            RuntimeError("CUDA error: no kernel image is available\nCUDA kernel errors might be reported later"),
            "cannot be used by this PyTorch (CUDA error: no kernel image is available), so the CPU is used",
        ),
        (
            torch.cuda.DeferredCudaCallError("CUDA call failed lazily at initialization. More of it"),
            "cannot be used by this PyTorch (CUDA call failed lazily at initialization), so the CPU is used",
        ),
        (
            torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 MiB"),
            "has no memory left, so the CPU is used: close what else uses it, then restart the kernel",
        ),
    ],
)
def test_a_gpu_that_cannot_be_used_gives_way_to_the_cpu(gpu, monkeypatch, error, says):
    """Is a GPU tried out before it is chosen, and is it said why it was not?"""
    gpu(error)
    assert environment.default_device() == torch.device("cpu")
    told = environment.describe()
    assert told.startswith("CPU (")
    assert told.endswith(f". The GPU (Tesla P100-PCIE-16GB) {says}") and "\n" not in told
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "x")
    assert "GPU T4 x2" in environment.gpu_advice()


def test_a_gpu_that_works_is_used(gpu):
    """Is a GPU chosen that computed something, and is nothing more said of it?"""
    gpu(None)
    assert environment.default_device() == torch.device("cuda")
    assert environment.describe().startswith("GPU (Tesla P100-PCIE-16GB), torch ")
    assert "cannot be used" not in environment.describe()


def test_kaggle_is_not_taken_for_colab(monkeypatch):
    """Is Kaggle known, although its machines have Colab's variable as well?"""
    monkeypatch.setenv("COLAB_RELEASE_TAG", "release-colab_20260101")
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Interactive")
    assert environment.platform_name() == "Kaggle"


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


def test_an_intel_mac_is_not_told_to_upgrade(monkeypatch):
    """Is somebody sent elsewhere for whose machine there is no newer torch?"""
    monkeypatch.setattr("importlib.metadata.version", lambda name: "2.2.2")
    monkeypatch.setattr("sys.platform", "darwin")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    try:
        with pytest.raises(
            ImportError, match=r"here is 2\.2\.2\. .*Intel processors: .*another one use Colab or Kaggle$"
        ):
            importlib.reload(gcnn)
    finally:
        monkeypatch.undo()
        importlib.reload(gcnn)
