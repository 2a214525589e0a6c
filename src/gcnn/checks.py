"""Comparisons for test cells: each says what it looked at, what it got, what it expected, and the likely cause.

The order is always type, shape, dtype, value, so that the first message is the one to act on. Nothing here knows an
answer: what is expected comes from the test. The checks that name the mistake, one for each exercise, are those of
`gcnn.diagnosis` and have their names here too: ``checks.lifting_conv(LiftingConv2d)``.
"""

import hashlib

import torch

from gcnn.diagnosis import (
    batch_norm,
    c4,
    c4cnn,
    c4cnn_bn,
    d4,
    d4_action,
    d4_group_conv,
    d4_lifting_conv,
    d4cnn,
    group_conv,
    isotropic_cnn,
    isotropic_conv,
    lifting_conv,
    rotate_p4,
)
from gcnn.equivariance import TOLERANCES, relative_error
from gcnn.measurements import note

__all__ = [
    "accuracy",
    "batch_norm",
    "c4",
    "c4cnn",
    "c4cnn_bn",
    "close",
    "d4",
    "d4_action",
    "d4_group_conv",
    "d4_lifting_conv",
    "d4cnn",
    "equal",
    "generator",
    "group_conv",
    "isotropic_cnn",
    "isotropic_conv",
    "lifting_conv",
    "parameters",
    "rotate_p4",
    "shape",
    "varies",
]


def _cause(text: str) -> str:
    return f" {text}" if text else ""


def equal(got: object, expected: object, what: str, cause: str = "") -> None:
    """Judge that a plain value is exactly the expected one, type included (``True`` is not 1).

    Raises:
        AssertionError: with got, expected and the likely ``cause``.
    """
    if type(got) is not type(expected):
        kinds = f"a {type(got).__name__}, {got!r}, where {type(expected).__name__} {expected!r} is expected"
        raise AssertionError(f"{what} is {kinds}.{_cause(cause)}")
    if isinstance(expected, tuple):
        if len(got) != len(expected):
            raise AssertionError(f"{what} is {got!r}, expected {expected!r}.{_cause(cause)}")
        for g, e in zip(got, expected, strict=True):
            if type(g) is not type(e):
                raise AssertionError(f"{what} is {got!r}, expected {expected!r}: {g!r} is a {type(g).__name__}")
    if not got == expected:
        raise AssertionError(f"{what} is {got!r}, expected {expected!r}.{_cause(cause)}")


def shape(got: object, expected: tuple[int, ...], what: str, cause: str = "") -> None:
    """Judge that ``got`` is a tensor of this shape without NaN or infinity.

    Raises:
        AssertionError: with got, expected and the likely ``cause``.
    """
    if not isinstance(got, torch.Tensor):
        raise AssertionError(f"{what} is a {type(got).__name__}; a tensor is expected.{_cause(cause)}")
    if tuple(got.shape) != tuple(expected):
        raise AssertionError(f"{what} has shape {tuple(got.shape)}, expected {tuple(expected)}.{_cause(cause)}")
    if not bool(torch.isfinite(got).all()):
        raise AssertionError(f"{what} holds NaN or infinite values.{_cause(cause)}")


def close(got: object, expected: torch.Tensor, what: str, cause: str = "", tolerance: float | None = None) -> None:
    """Judge that a tensor equals the expected one up to rounding.

    Args:
        got: what the submission gave.
        expected: the right values; its shape and dtype are the right ones too.
        what: names what was compared, at the start of the message.
        cause: the likely mistake, in a full sentence.
        tolerance: largest relative error; by default the one of ``TOLERANCES`` for the expected dtype.

    Raises:
        AssertionError: with got, expected and the likely ``cause``.
    """
    shape(got, tuple(expected.shape), what, cause)
    assert isinstance(got, torch.Tensor)
    if got.dtype != expected.dtype:
        raise AssertionError(f"{what} has dtype {got.dtype}, expected {expected.dtype}.{_cause(cause)}")
    if expected.numel() == 0:  # nothing would be compared, and everything equal
        raise AssertionError(f"{what} has no elements.{_cause(cause)}")
    tolerance = TOLERANCES.get(expected.dtype, 0.0) if tolerance is None else tolerance
    error = relative_error(got, expected)
    if not error <= tolerance:
        at = int((got.to("cpu") - expected.to("cpu")).abs().flatten().argmax())
        where = tuple(int(i) for i in torch.unravel_index(torch.tensor(at), expected.shape))
        pair = f"at index {where} it is {got.flatten()[at].item():.6g}, expected {expected.flatten()[at].item():.6g}"
        raise AssertionError(f"{what} is wrong: {pair} (relative error {error:.2g}).{_cause(cause)}")


def parameters(values: dict[str, torch.Tensor], expected: dict[str, tuple[int, ...] | None], what: str) -> None:
    """Judge that a module has these parameters and buffers; others do not matter.

    Args:
        values: by name, as the probes give them.
        expected: shapes by name; ``None`` for one that must not be there.
        what: names the module, at the start of the message.

    Raises:
        AssertionError: one is missing, has another shape, or should not be there.
    """
    for name, shape in expected.items():
        got = tuple(values[name].shape) if name in values else None
        if got != shape:
            raise AssertionError(f"{what}: {name} has shape {got}, expected {shape} (None: there is none)")


def varies(got: torch.Tensor, what: str, cause: str = "") -> None:
    """Judge that the rows of ``(N, …)`` differ: a constant answer is invariant under everything and worth nothing.

    Raises:
        AssertionError: all rows are equal up to rounding.
    """
    if not relative_error(got, got[:1].expand_as(got)) > TOLERANCES.get(got.dtype, 0.0):
        raise AssertionError(f"{what} is the same for different inputs.{_cause(cause)}")


def accuracy(logits: torch.Tensor, labels: torch.Tensor, what: str = "The network's output") -> float:
    """Percent of images whose largest output is their label's. `gcnn.measurements` keeps it for who wants it.

    Args:
        logits: ``(N, classes)``.
        labels: ``(N,)``, integers.
        what: names the outputs, at the start of a message.

    Raises:
        AssertionError: the outputs are not one finite row per label.
    """
    rows = tuple(logits.shape) if isinstance(logits, torch.Tensor) else None
    if rows is None or len(rows) != 2 or rows[0] != len(labels):
        raise AssertionError(f"{what} has shape {rows}, expected ({len(labels)}, classes)")
    shape(logits, rows, what)
    percent = 100 * float((logits.argmax(1) == labels).double().mean())
    note(what=what, accuracy=percent, images=len(labels))
    return percent


def generator(name: str) -> torch.Generator:
    """A random generator that always starts in the same place for the same name, for the inputs of public checks."""
    return torch.Generator().manual_seed(int.from_bytes(hashlib.sha256(name.encode()).digest()[:7], "big"))
