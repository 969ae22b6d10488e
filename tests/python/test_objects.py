from __future__ import annotations

import struct
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from vcache.errors import SerializationError
from vcache.objects import check_plain, decode, encode, stored_form

DTYPES = ["float32", "float16", "float64", "int8", "uint8", "int32", "int64"]

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.binary()
)
arrays = st.sampled_from(DTYPES).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=4, max_side=4))
)
keys = (
    st.text(st.characters(exclude_categories=["Cs"])) | st.integers(-(2**63), 2**63) | st.binary()
)
objects = st.recursive(
    scalars | arrays,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(keys, inner, max_size=4)
    ),
    max_leaves=12,
)


def same(one: Any, other: Any) -> bool:
    """Whether `other` is what `one` is stored as."""
    if isinstance(one, np.ndarray):
        return (
            isinstance(other, np.ndarray)
            and (one.dtype, one.shape) == (other.dtype, other.shape)
            and one.tobytes() == other.tobytes()
        )
    if isinstance(one, (list, tuple)):
        return type(other) is list and len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return type(one) is type(other) and bool(one == other)


@given(objects)
def test_round_trip(value: Any) -> None:
    assert same(value, decode(memoryview(encode(value))))


@given(objects)
def test_stored_form_is_what_decoding_gives(value: Any) -> None:
    assert same(value, stored_form(value))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("order", ["<", ">"])
def test_nested_arrays_of_any_layout(dtype: str, order: str) -> None:
    array = np.arange(24).reshape(2, 3, 4).astype(np.dtype(dtype).newbyteorder(order))
    for view in (array, array[:, ::2], array.T, array[:1, 0, 0].reshape(())):
        out = decode(encode([view]))[0]
        assert out.dtype == np.dtype(dtype)
        np.testing.assert_array_equal(out, view)


def test_decoded_arrays_are_aligned_read_only_and_outlive_their_bytes() -> None:
    buffer = bytearray(encode({"a": np.arange(5.0), "b": np.arange(3, dtype="f4")}))
    out = decode(memoryview(buffer))
    buffer[:] = bytes(len(buffer))
    for array in out.values():
        assert array.flags.aligned
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    np.testing.assert_array_equal(out["a"], np.arange(5.0))


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (2**64, "int outside"),
        (-(2**63) - 1, "int outside"),
        ("\ud800", "surrogates"),
        ([object()], "type object"),
        ([np.zeros(2, "c8")], "complex64"),
        ([np.zeros(2, bool)], "bool"),
        ([np.array(["a"])], "<U1"),
        ([np.zeros((1, 1, 1, 1, 1), "f4")], "5 dimensions"),
    ],
)
def test_what_cannot_be_encoded(value: Any, says: str) -> None:
    with pytest.raises(SerializationError, match=says):
        encode(value)


def test_endless_nesting_is_refused() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(SerializationError, match="nested"):
        encode(value)
    with pytest.raises(SerializationError, match="metadata is nested"):
        check_plain({"a": value}, "metadata")


def extension(code: int, data: bytes) -> bytes:
    return b"\xc8" + struct.pack(">Hb", len(data), code) + data


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc0\xc0",
        b"\xc1",
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\xa1\xff",
        b"\x91" * 100_000 + b"\xc0",
        extension(2, b"\x01\x00abcd"),
        extension(1, b""),
        extension(1, b"\x01"),
        extension(1, b"\x00\x00"),
        extension(1, b"\x08\x00abcd"),
        extension(1, b"\x01\x05" + bytes(20)),
        extension(1, b"\x01\x02\x01\x00\x00\x00"),
        extension(1, b"\x01\x01\x02\x00\x00\x00abcd"),
        extension(1, b"\x01\x02" + b"\xff" * 8),
    ],
)
def test_foreign_bytes_are_an_error_and_no_allocation(data: bytes) -> None:
    with pytest.raises((ValueError, RecursionError)):
        decode(memoryview(data))


@given(st.binary(max_size=64))
def test_any_bytes_decode_or_raise(data: bytes) -> None:
    with suppress(ValueError, RecursionError):
        decode(memoryview(data))


def test_stored_form_shares_nothing() -> None:
    value = {"list": [1, 2], "array": np.arange(3)}
    stored = stored_form(value)
    value["list"].append(3)
    value["array"][0] = 9
    assert stored["list"] == [1, 2]
    assert stored["array"].tolist() == [0, 1, 2]
    assert not stored_form(np.arange(3)).flags.writeable


@pytest.mark.parametrize("value", [{1, 2}, {"a": {1}}, [1 + 2j], np.float32(1), {(1, 2): 3}])
def test_what_is_not_plain(value: Any) -> None:
    with pytest.raises(SerializationError, match="metadata holds .* of type .*allowed are None"):
        check_plain(value, "metadata")
