"""A snapshot that was damaged: what is served of it is what was stored, or nothing."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from vcache import Cache
from vcache.errors import SnapshotError

KEY = bytes(range(32))
COUNT = 12


def value_of(number: int) -> object:
    return np.full(number * 7 + 1, number, np.float32) if number % 2 else {"n": [number] * number}


@cache
def snapshot(encrypted: bool) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        source = made(encrypted)
        for number in range(COUNT):
            source.set(f"k{number}", value_of(number), tags=["t"] * (number % 3), metadata={"m": 1})
        path = Path(folder) / "file"
        source.snapshot(path)
        return path.read_bytes()


def made(encrypted: bool) -> Cache:
    return Cache(memory="1MiB", encryption_key=KEY if encrypted else None)


def same(got: object, expected: object) -> bool:
    if isinstance(expected, np.ndarray):
        return isinstance(got, np.ndarray) and np.array_equal(got, expected)
    return bool(got == expected)


edits = st.one_of(
    st.tuples(st.just("cut"), st.floats(0, 1), st.just(0)),
    st.tuples(st.just("flip"), st.floats(0, 1), st.integers(1, 255)),
    st.tuples(st.just("insert"), st.floats(0, 1), st.integers(1, 300)),
    st.tuples(st.just("drop"), st.floats(0, 1), st.integers(1, 300)),
    st.tuples(st.just("zero"), st.floats(0, 1), st.integers(1, 300)),
    st.tuples(st.just("repeat"), st.floats(0, 1), st.integers(1, 2000)),
)


def edited(data: bytes, edit: tuple[str, float, int]) -> bytes:
    kind, where, size = edit
    at = min(int(where * len(data)), len(data) - 1)
    if kind == "cut":
        return data[:at]
    if kind == "flip":
        return data[:at] + bytes([data[at] ^ size]) + data[at + 1 :]
    if kind == "insert":
        return data[:at] + b"\xa5" * size + data[at:]
    if kind == "drop":
        return data[:at] + data[at + size :]
    if kind == "zero":
        return data[:at] + bytes(min(size, len(data) - at)) + data[at + size :]
    return data[: at + size] + data[at:]


@settings(max_examples=300, deadline=None)
@given(encrypted=st.booleans(), changes=st.lists(edits, min_size=1, max_size=3))
def test_nothing_wrong_is_ever_served(
    encrypted: bool, changes: list[tuple[str, float, int]]
) -> None:
    whole = snapshot(encrypted)
    data = whole
    for change in changes:
        if data:
            data = edited(data, change)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(data)
        cache = made(encrypted)
        try:
            report = cache.restore(path)
        except SnapshotError:
            assert cache.stats().entries == 0
            return
    found = {number: cache.get(f"k{number}") for number in range(COUNT)}
    held = {number: value for number, value in found.items() if value is not None}
    assert all(same(value, value_of(number)) for number, value in held.items())
    assert len(held) == report.entries == cache.stats().entries
    if report.complete:
        assert data == whole
