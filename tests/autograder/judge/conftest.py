"""Fixtures of the judge's tests."""

import contextlib

import pytest
from judging import NAMES, ROOT, UNTRAINED, Kernel, in_one_kernel, read_cells


@pytest.fixture(scope="module")
def kernels():
    """A context manager that gives a fresh kernel for some names and code."""

    @contextlib.contextmanager
    def start(names, code=""):
        kernel = Kernel(names)
        try:
            kernel.run(code)
            yield kernel
        finally:
            kernel.close()

    return start


@pytest.fixture(scope="session")
def notebook():
    """The notebook's cells."""
    return read_cells(ROOT / "notebooks" / "gcnn.py")


@pytest.fixture(scope="session")
def given(notebook):
    """What the given cells define, the grader's own."""
    namespace = {}
    for header, code in notebook:
        if not header:
            exec(code, namespace)
    return namespace


@pytest.fixture(scope="session")
def model_kernel(notebook):
    """A kernel in which the given cells and the model answers ran; its four networks are not trained."""
    kernel = Kernel(NAMES)
    for header, code in notebook:
        if in_one_kernel(header):
            kernel.run(code)
    kernel.run(UNTRAINED)
    yield kernel
    kernel.close()
