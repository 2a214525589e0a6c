"""What crosses between the grader and a submission's process, and nothing else: plain data, tensors, handles.

A message is a list of frames. The first is JSON, the others are the bytes of its tensors in order. JSON's own values
stand for themselves where they can (``null``, booleans, integers, strings, objects for dicts); everything else is an
array that begins with its kind::

    ["f", "0x1.8p+1"]            a float; "nan", "inf" and "-inf" too
    ["t", …]  ["l", …]           a tuple, a list
    ["T", dtype, shape, grad]    a tensor, its bytes in the next frame
    ["D", "float64"]             a dtype
    ["h", number, type's name]   a handle: an object that stays where it is

Nothing is ever unpickled, evaluated or imported by name, and what `decode` returns has exactly the built-in types
above. Both directions are bounded. This module's source is also sent into the submission's kernel, so it imports only
the standard library, and torch when the first tensor comes.
"""

import json
import math
import sys

MAX_BYTES = 256 * 2**20  # of a whole message
MAX_VALUES = 2**24  # of one tensor: compared in double precision, each takes eight bytes, several times over
MAX_TEXT = 4 * 2**20  # of its JSON: parsed, it takes up to thirty times as much memory
MAX_NESTING = 8  # containers in containers
MAX_ELEMENTS = 10_000  # of one container
MAX_DIGITS = 310  # of an integer: about 1,000 bits, so that no quadratic conversion can be asked for
MAX_DIMENSIONS = 16  # of a tensor
MAX_NAME = 100  # characters of a type's name
_TOO_LARGE = 10 ** (MAX_DIGITS - 1)
ENVELOPE = 2  # the containers that carry a request's arguments

DTYPES = (
    *("bool", "uint8", "int8", "int16", "int32", "int64", "uint16", "uint32", "uint64"),
    *("float16", "bfloat16", "float32", "float64", "complex64", "complex128"),
)


class WireError(Exception):
    """Something that may not cross: of another kind, too large, too deep, or not what the format says.

    No `ValueError`, so that it is never taken for an exception that a test expects of a submission.
    """


def encode(value, to_handle, nesting=MAX_NESTING):
    """Write a value as a list of frames.

    Args:
        value: plain data, tensors, and whatever ``to_handle`` accepts.
        to_handle: takes an object that is not plain and returns ``(number, type's name)``, or raises `WireError`.
        nesting: how many containers may stand in one another.

    Raises:
        WireError: the value is not plain, or beyond a limit.
    """
    buffers = []
    tree = _encoded(value, to_handle, nesting, buffers)
    text = json.dumps(tree, separators=(",", ":")).encode("ascii")
    if len(text) > MAX_TEXT:
        raise WireError(f"{len(text):,} bytes of plain data are more than the {MAX_TEXT:,} that may cross")
    if len(text) + sum(map(len, buffers)) > MAX_BYTES:
        raise WireError(f"more than {MAX_BYTES:,} bytes may not cross at once")
    return [text, *buffers]


def decode(frames, to_object, nesting=MAX_NESTING):
    """Rebuild the value that a list of frames holds.

    Args:
        frames: bytes-like objects; none is kept.
        to_object: takes a handle's number and its type's name, and returns what stands for the object.
        nesting: how many containers may stand in one another.

    Raises:
        WireError: not a message of this format, or beyond a limit.
    """
    if not frames:
        raise WireError("a message without frames")
    frames = [memoryview(frame).cast("B") for frame in frames]
    if len(frames[0]) > MAX_TEXT or sum(frame.nbytes for frame in frames) > MAX_BYTES:
        raise WireError(f"more than {MAX_BYTES:,} bytes, or {MAX_TEXT:,} of plain data, may not cross at once")
    try:
        # Numbers with a point and the constants NaN and Infinity are not in the format; integers are bounded before
        # they are converted.
        tree = json.loads(bytes(frames[0]), parse_int=_integer, parse_float=_refused, parse_constant=_refused)
    except (ValueError, RecursionError) as error:  # RecursionError: arrays nested without end
        raise WireError(f"not a message: {type(error).__name__}") from None
    buffers = iter(frames[1:])
    value = _decoded(tree, to_object, nesting, buffers)
    if next(buffers, None) is not None:
        raise WireError("more frames than tensors")
    return value


def _refused(text):
    raise WireError("a number that is not an integer")


def _integer(text):
    if len(text) > MAX_DIGITS:
        raise WireError(f"an integer of more than {MAX_DIGITS} digits")
    return int(text)


def _encoded(value, to_handle, nesting, buffers):
    """The JSON tree of a value; the bytes of tensors are appended to ``buffers``. Subclasses are not plain."""
    kind = type(value)
    if value is None or kind is bool:
        return value
    if kind is str:
        if len(value) > MAX_TEXT:
            raise WireError(f"a string of {len(value):,} characters")
        return value
    if kind is int:
        if abs(value) >= _TOO_LARGE:
            raise WireError(f"an integer of more than {MAX_DIGITS} digits")
        return value
    if kind is float:
        return ["f", value.hex()]
    torch = sys.modules.get("torch")  # where torch was never imported there is no tensor
    size = getattr(torch, "Size", tuple)
    if kind in (tuple, list, dict) or kind is size:
        if nesting <= 0:
            raise WireError("containers are nested too deeply")
        if len(value) > MAX_ELEMENTS:
            raise WireError(f"a container of {len(value):,} elements, more than {MAX_ELEMENTS:,}")
        if kind is not dict:
            parts = [_encoded(element, to_handle, nesting - 1, buffers) for element in value]
            return ["l" if kind is list else "t", *parts]
        if all(type(key) is str for key in value):
            return {key: _encoded(element, to_handle, nesting - 1, buffers) for key, element in value.items()}
    elif torch is not None and issubclass(kind, torch.Tensor):
        with torch._C.DisableTorchFunctionSubclass():  # a subclass crosses as the plain tensor that it holds
            if value.layout is torch.strided and value.device.type != "meta" and _dtype_name(value.dtype) in DTYPES:
                return _encoded_tensor(value, torch, buffers)
    elif torch is not None and kind is torch.dtype and _dtype_name(value) in DTYPES:
        return ["D", _dtype_name(value)]
    number, name = to_handle(value)
    return ["h", number, str(name)[:MAX_NAME]]


def _dtype_name(dtype):
    return str(dtype).removeprefix("torch.")


def _encoded_tensor(tensor, torch, buffers):
    plain = tensor.detach().as_subclass(torch.Tensor)
    if plain.dim() > MAX_DIMENSIONS:
        raise WireError(f"a tensor with {plain.dim()} dimensions")
    if plain.numel() > MAX_VALUES:
        raise WireError(f"a tensor of {plain.numel():,} elements, more than {MAX_VALUES:,}")
    flat = plain.to("cpu").resolve_conj().resolve_neg().contiguous().reshape(-1)
    # A copy: the message may be sent after the tensor has changed.
    buffers.append(flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b"")
    return ["T", _dtype_name(plain.dtype), list(plain.shape), bool(tensor.requires_grad)]


def _decoded(tree, to_object, nesting, buffers):
    kind = type(tree)
    if tree is None or kind in (bool, int, str):
        return tree
    if kind is dict:
        _check_container(len(tree), nesting)
        return {key: _decoded(element, to_object, nesting - 1, buffers) for key, element in tree.items()}
    if kind is not list or not tree or type(tree[0]) is not str:
        raise WireError("an array without a kind")
    tag, parts = tree[0], tree[1:]
    if tag in ("t", "l"):
        _check_container(len(parts), nesting)
        elements = [_decoded(element, to_object, nesting - 1, buffers) for element in parts]
        return elements if tag == "l" else tuple(elements)
    kinds = {"f": (str,), "T": (str, list, bool), "D": (str,), "h": (int, str)}
    if tag not in kinds or tuple(map(type, parts)) != kinds[tag]:
        raise WireError(f"not a value: {tag[:10]!r} with {len(parts)} parts")
    if tag == "f":
        return _decoded_float(*parts)
    if tag == "h":
        if not 0 <= parts[0] < 2**53 or len(parts[1]) > MAX_NAME:
            raise WireError("not a handle")
        return to_object(*parts)
    if parts[0] not in DTYPES:
        raise WireError("an unknown dtype")
    import torch

    dtype = getattr(torch, parts[0])
    return dtype if tag == "D" else _decoded_tensor(torch, dtype, *parts[1:], next(buffers, None))


def _check_container(length, nesting):
    if nesting <= 0:
        raise WireError("containers are nested too deeply")
    if length > MAX_ELEMENTS:
        raise WireError(f"a container of {length:,} elements, more than {MAX_ELEMENTS:,}")


def _decoded_float(text):
    try:
        if len(text) > 40:
            raise ValueError
        return float.fromhex(text)
    except (ValueError, OverflowError):
        raise WireError("not a float") from None


def _decoded_tensor(torch, dtype, shape, requires_grad, data):
    """A new, plain tensor on the CPU that owns its memory."""
    if data is None:
        raise WireError("a tensor without its bytes")
    # The bytes are counted before anything is allocated: a shape alone must not be able to take memory.
    sizes_are_right = len(shape) <= MAX_DIMENSIONS and all(type(n) is int and 0 <= n < 2**40 for n in shape)
    if not sizes_are_right or math.prod(max(n, 1) for n in shape) > MAX_VALUES:
        raise WireError("not the shape of a tensor")
    if math.prod(shape) * dtype.itemsize != data.nbytes:
        raise WireError("a tensor whose bytes do not fill its shape")
    try:
        tensor = torch.empty(shape, dtype=dtype)
        if tensor.numel():
            memoryview(tensor.reshape(-1).view(torch.uint8).numpy())[:] = data
            if dtype is torch.bool:
                # A bool's byte other than 0 and 1 could equal both True and False, or neither.
                tensor = tensor.view(torch.uint8).ne(0)
        differentiable = dtype.is_floating_point or dtype.is_complex
        return tensor.requires_grad_() if requires_grad and differentiable else tensor
    except (RuntimeError, ValueError, MemoryError) as error:
        raise WireError(f"not a tensor: {type(error).__name__}") from None
