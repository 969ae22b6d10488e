"""MessagePack form of object values; arrays inside them are an extension type."""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np
from msgspec import msgpack

from ._messages import shown
from .errors import SerializationError

__all__ = ["check_plain", "decode", "encode", "stored_form"]

# Extension 1: one byte dtype code, one byte number of dimensions, each extent as little-endian
# uint32, then the elements in C order, little-endian. The codes are those of the wire format.
_ARRAY = 1
_DTYPES: dict[int, np.dtype[Any]] = {
    1: np.dtype("<f4"),
    2: np.dtype("<f2"),
    3: np.dtype("<f8"),
    4: np.dtype("i1"),
    5: np.dtype("u1"),
    6: np.dtype("<i4"),
    7: np.dtype("<i8"),
}
_CODES = {dtype: code for code, dtype in _DTYPES.items()}
_MAX_NDIM = 4
_MAX_DEPTH = 64
_SCALARS = frozenset({type(None), bool, int, float, str, bytes})


def check_plain(value: object, name: str, depth: int = 0) -> None:
    """Raises SerializationError where `value`, given as `name`, holds what cannot be stored.

    For what does not pass through the core, which checks the values of entries itself.
    """
    if type(value) in _SCALARS:
        return
    if depth >= _MAX_DEPTH:
        raise SerializationError(f"{name} is nested too deeply: allowed are {_MAX_DEPTH} levels")
    if type(value) is dict and _SCALARS.issuperset(map(type, value)):
        items = list(value.values())
    elif type(value) in (list, tuple):
        items = list(value)  # type: ignore[call-overload]
    elif type(value) is np.ndarray:
        return
    else:
        raise SerializationError(
            f"{name} holds {shown(value)} of type {type(value).__name__}: allowed are None, bool,"
            " int, float, str, bytes, list, tuple, dict and NumPy arrays"
        )
    for item in items:
        check_plain(item, name, depth + 1)


def encode(value: object) -> bytes:
    """MessagePack bytes of `value`. Raises SerializationError, naming what cannot be stored."""
    try:
        return _ENCODER.encode(value)
    except SerializationError:
        raise
    except RecursionError:
        raise SerializationError("value is nested too deeply: allowed are 64 levels") from None
    except OverflowError:
        raise SerializationError(
            "value holds an int outside what can be stored: allowed is -2**63 to 2**64 - 1"
        ) from None
    except (TypeError, ValueError) as error:
        raise SerializationError(f"value cannot be stored: {error}") from None


def stored_form(value: Any) -> Any:
    """What a later get() of `value` would return: own memory, arrays read-only, tuples as lists."""
    if type(value) in _SCALARS:
        return value
    if isinstance(value, np.ndarray) or hasattr(value, "__array__"):
        copy = np.array(value, order="C", copy=True)
        copy = copy.astype(copy.dtype.newbyteorder("="), copy=False)
        copy.flags.writeable = False
        return copy
    return decode(encode(value))


def _encode_array(value: object) -> msgpack.Ext:
    if not isinstance(value, np.ndarray):
        raise SerializationError(f"a value of type {type(value).__name__} cannot be stored")
    little = value.dtype.newbyteorder("<")
    code = _CODES.get(little)
    if code is None or value.ndim > _MAX_NDIM:
        names = ", ".join(dtype.name for dtype in _CODES)
        raise SerializationError(
            f"an array of {value.dtype} and {value.ndim} dimensions cannot be stored:"
            f" allowed are {names} and at most {_MAX_NDIM} dimensions"
        )
    header = struct.pack(f"<BB{value.ndim}I", code, value.ndim, *value.shape)
    return msgpack.Ext(_ARRAY, header + value.astype(little, copy=False).tobytes())


def _decode_array(code: int, data: memoryview) -> np.ndarray[Any, Any]:
    if code != _ARRAY or len(data) < 2:
        raise ValueError(f"not an object value: extension {code} of {len(data)} bytes")
    dtype, ndim = _DTYPES.get(data[0]), data[1]
    start = 2 + 4 * ndim
    if dtype is None or ndim > _MAX_NDIM or len(data) < start:
        raise ValueError(f"not an object value: array of type {data[0]}, {ndim} dimensions")
    shape = struct.unpack_from(f"<{ndim}I", data, 2)
    if math.prod(shape) * dtype.itemsize != len(data) - start:
        raise ValueError("not an object value: array of another size than its shape says")
    elements = bytes(data[start:])  # own memory: aligned, read-only, outlives `data`
    return np.frombuffer(elements, dtype).reshape(shape)


_ENCODER = msgpack.Encoder(enc_hook=_encode_array)
_DECODER: msgpack.Decoder[Any] = msgpack.Decoder(ext_hook=_decode_array)

# decode(memoryview | bytes): the value of MessagePack bytes; arrays in it are read-only. Raises
# ValueError (msgspec.DecodeError is one) or RecursionError for other bytes. The core calls it on
# each hit of an object, so it is the decoder's own method.
decode = _DECODER.decode
