"""A Cache against a plain dict: every operation in any order must leave both the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from clocked import ClockedCache
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from vcache import MISSING
from vcache.durations import parse_ttl

KEYS = st.sampled_from(["a", "b", "g:c", "g:d", b"\x00e", "ф"])
KEY_LISTS = st.lists(KEYS, max_size=6)
TTLS = st.sampled_from([None, 32, 102.5, "1h1s"])
WIDTH = 4

VECTORS = st.integers(-100, 100).map(lambda n: np.arange(n, n + WIDTH, dtype="f4"))
OBJECTS = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=4,
)
VALUES = VECTORS | OBJECTS


@dataclass
class Entry:
    value: Any
    until: float | None


class CacheModel(RuleBasedStateMachine):
    """Subclasses say in open() what cache to check."""

    memory_ttl: float | None = None  # of the cache, where there is nothing below memory
    is_timed = True  # False: Redis keeps the time, which stands still in so short a test

    def open(self) -> ClockedCache:
        raise NotImplementedError

    def __init__(self) -> None:
        super().__init__()
        self.cache = self.open()
        self.now = 0.0
        self.entries: dict[bytes, Entry] = {}
        self.requests = 0

    def teardown(self) -> None:
        self.cache.close()

    # The model.

    def put(self, key: Any, value: Any, ttl: Any) -> None:
        lifetimes = [parse_ttl(ttl, "ttl"), self.memory_ttl] if self.is_timed else []
        ends = [self.now + seconds for seconds in lifetimes if seconds is not None]
        self.entries[normal(key)] = Entry(value, min(ends) if ends else None)

    def held(self, key: Any) -> Any:
        entry = self.entries.get(normal(key))
        if entry is None or (entry.until is not None and entry.until <= self.now):
            self.entries.pop(normal(key), None)
            return MISSING
        return entry.value

    # The operations.

    @rule(seconds=st.sampled_from([5.0, 25.0, 200.0, 1000.0]))
    def advance(self, seconds: float) -> None:
        self.cache.clock.advance(seconds)
        self.now += seconds

    @rule(key=KEYS, value=VALUES, ttl=TTLS)
    def set(self, key: Any, value: Any, ttl: Any) -> None:
        self.cache.set(key, value, ttl=ttl)
        self.put(key, value, ttl)

    @rule(keys=KEY_LISTS, value=VALUES, ttl=TTLS)
    def mset(self, keys: list[Any], value: Any, ttl: Any) -> None:
        self.cache.mset([(key, value) for key in keys], ttl=ttl)
        for key in keys:
            self.put(key, value, ttl)

    @rule(keys=st.lists(KEYS, min_size=1, max_size=6), ttl=TTLS, start=st.integers(-50, 50))
    def set_vectors(self, keys: list[Any], ttl: Any, start: int) -> None:
        matrix = np.arange(start, start + len(keys) * WIDTH, dtype="f4").reshape(-1, WIDTH)
        self.cache.set_vectors(keys, matrix, ttl=ttl)
        for key, row in zip(keys, matrix, strict=True):
            self.put(key, row, ttl)

    @rule(key=KEYS)
    def get(self, key: Any) -> None:
        self.requests += 1
        assert_same(self.cache.get(key, MISSING), self.held(key))

    @rule(key=KEYS)
    def lookup(self, key: Any) -> None:
        self.requests += 1
        found = self.cache.lookup(key)
        assert_same(found.value, self.held(key))
        assert found.hit == (found.value is not MISSING) == (found.tier is not None)

    @rule(keys=KEY_LISTS)
    def mget(self, keys: list[Any]) -> None:
        self.requests += len(keys)
        for value, key in zip(self.cache.mget(keys, MISSING), keys, strict=True):
            assert_same(value, self.held(key))

    @rule(keys=KEY_LISTS, dim=st.sampled_from([WIDTH, WIDTH + 1]))
    def get_vectors(self, keys: list[Any], dim: int) -> None:
        self.requests += len(keys)
        matrix, found = self.cache.get_vectors(keys, dim=dim)
        assert matrix.shape == (len(keys), dim)
        for row, hit, key in zip(matrix, found, keys, strict=True):
            held = self.held(key)
            assert hit == (isinstance(held, np.ndarray) and dim == WIDTH)
            assert_same(row, held if hit else np.zeros(dim, "f4"))

    @rule(key=KEYS, value=VALUES, ttl=TTLS)
    def get_or_set(self, key: Any, value: Any, ttl: Any) -> None:
        self.requests += 1
        held = self.held(key)
        if held is MISSING:
            self.put(key, value, ttl)
            held = value
        assert_same(self.cache.get_or_set(key, lambda: value, ttl=ttl), held)

    @rule(keys=KEY_LISTS, value=VALUES, ttl=TTLS)
    def get_or_set_many(self, keys: list[Any], value: Any, ttl: Any) -> None:
        self.requests += len(keys)
        missing = list(dict.fromkeys(key for key in keys if self.held(key) is MISSING))
        asked: list[Any] = []

        def factory(keys: list[Any]) -> list[Any]:
            asked.extend(keys)
            return [value] * len(keys)

        values = self.cache.get_or_set_many(keys, factory, ttl=ttl)
        assert asked == missing
        for key in missing:
            self.put(key, value, ttl)
        for got, key in zip(values, keys, strict=True):
            assert_same(got, self.held(key))

    @rule(key=KEYS)
    def delete(self, key: Any) -> None:
        assert self.cache.delete(key) == (self.held(key) is not MISSING)
        self.entries.pop(normal(key), None)

    @rule(keys=KEY_LISTS)
    def mdelete(self, keys: list[Any]) -> None:
        there = {normal(key) for key in keys if self.held(key) is not MISSING}
        assert self.cache.mdelete(keys) == len(there)
        for key in there:
            del self.entries[key]

    @rule(key=KEYS, ttl=TTLS)
    def touch(self, key: Any, ttl: Any) -> None:
        held = self.held(key)
        assert self.cache.touch(key, ttl) == (held is not MISSING)
        if held is not MISSING:
            self.put(key, held, ttl)

    @rule(key=KEYS)
    def exists(self, key: Any) -> None:
        assert self.cache.exists(key) == (self.held(key) is not MISSING)

    @precondition(lambda self: self.entries)
    @rule()
    def clear(self) -> None:
        self.cache.clear()
        self.entries.clear()

    @invariant()
    def counts_add_up(self) -> None:
        stats = self.cache.stats()
        assert stats.hits + stats.misses == stats.requests == self.requests
        assert stats.errors == stats.skipped == stats.coalesced == 0


def normal(key: Any) -> bytes:
    return key.encode() if isinstance(key, str) else bytes(key)


def assert_same(got: Any, wanted: Any) -> None:
    if isinstance(wanted, np.ndarray):
        assert isinstance(got, np.ndarray)
        assert (got.dtype, got.shape) == (wanted.dtype, wanted.shape)
        np.testing.assert_array_equal(got, wanted)
    else:
        assert type(got) is type(wanted)
        assert got == wanted
