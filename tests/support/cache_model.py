"""A Cache against a plain dict: every operation in any order must leave both the same.

Two namespaces share what is below memory. A call is the blocking one, or its twin and awaited.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from asking_machine import AskingMachine
from cache_reference import PATTERNS, Reference, assert_same
from clocked import ClockedCache
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from vcache import MISSING, _core

NAMES: list[str | bytes] = ["a", "b", "g:c", "g:d", b"\x00e", "ф"]
KEYS = st.sampled_from(NAMES)
KEY_LISTS = st.lists(KEYS, max_size=6)
TTLS = st.sampled_from([None, 32, 102.5, "1h1s"])
TAGS = st.lists(st.sampled_from(["t", "u"]), max_size=2, unique=True)
# Which namespace, most often the first, and whether awaited.
SIDES = st.tuples(st.sampled_from([0, 0, 0, 1]), st.booleans())
WIDTH = 4

VECTORS = st.integers(-100, 100).map(lambda n: np.arange(n, n + WIDTH, dtype="f4"))
OBJECTS = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=4,
)
VALUES = VECTORS | OBJECTS | st.tuples(st.integers(0, 9), st.text(max_size=2))
METADATA = st.none() | st.dictionaries(st.sampled_from(["m", "n"]), st.integers(0, 9), max_size=2)


class Failing(Exception):
    """What a factory raises that is told to."""


class Side:
    """A cache and its reference. What memory evicts of its own accord is told by exists() first."""

    def __init__(self, cache: ClockedCache, reference: Reference, *, evicts: bool) -> None:
        self.cache, self.reference = cache, reference
        self.requests = 0
        self.awaited = False
        self._evicts = evicts

    @property
    def how(self) -> tuple[ClockedCache, bool]:
        """The cache, and whether to await its calls."""
        return self.cache, self.awaited

    def held(self, key: Any) -> Any:
        if self._evicts and not self.cache.exists(key):
            self.reference.drop(key)
        return self.reference.held(key)

    def standing_in(self, key: Any) -> Any:
        return MISSING if self._evicts else self.reference.standing_in(key)

    def assert_has_the_rest(self) -> None:
        """That what was removed is gone, and nothing else."""
        for key in sorted(self.reference.known):
            assert self.cache.exists(key) == (self.held(key) is not MISSING), key

    def recount(self) -> None:
        """Takes the number of requests from the cache, where calls look up for themselves."""
        self.requests = self.cache.stats().requests


class CacheModel(AskingMachine):
    """Reads, writes and removals. Subclasses say in open() what caches to check."""

    memory_ttl: float | None = None  # of the cache, where there is nothing below memory
    grace = 0.0
    is_timed = True  # False: Redis keeps the time, which stands still in so short a test
    evicts = False  # whether there is room in memory for fewer than all keys, and nothing below

    def open(self, clock: _core.ManualClock, namespace: str) -> ClockedCache:
        raise NotImplementedError

    def __init__(self) -> None:
        super().__init__()
        self.clock = _core.ManualClock()
        self.now = 0.0
        self.sides = [self.opened(name) for name in ("one", "two")]

    def opened(self, namespace: str) -> Side:
        cache = self.open(self.clock, namespace)
        cache._loader.clock.now = lambda: self.now
        terms = {"memory_ttl": self.memory_ttl, "is_timed": self.is_timed, "grace": self.grace}
        return Side(cache, Reference(**terms), evicts=self.evicts)

    def teardown(self) -> None:
        for side in self.sides:
            side.cache.close()
        super().teardown()

    def side(self, at: tuple[int, bool]) -> Side:
        side = self.sides[at[0]]
        side.awaited = at[1]
        return side

    # Time, which both have in common.

    @rule(seconds=st.sampled_from([5.0, 25.0, 200.0, 1000.0]))
    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.now += seconds
        for side in self.sides:
            side.reference.now = self.now

    # Writes.

    @rule(
        at=SIDES,
        key=KEYS,
        value=VALUES,
        ttl=TTLS,
        memory_ttl=st.sampled_from([None, 20.0]),
        tags=TAGS,
        metadata=METADATA,
    )
    def set(
        self,
        at: tuple[int, bool],
        key: Any,
        value: Any,
        ttl: Any,
        memory_ttl: Any,
        tags: list[str],
        metadata: dict[str, Any] | None,
    ) -> None:
        side = self.side(at)
        named = {} if memory_ttl is None else {"memory_ttl": memory_ttl}
        self.ask(*side.how, "set", key, value, ttl=ttl, tags=tags, metadata=metadata, **named)
        side.reference.put(key, value, ttl, tags=tags, metadata=metadata, **named)

    @rule(at=SIDES, keys=KEY_LISTS, value=VALUES, ttl=TTLS)
    def mset(self, at: tuple[int, bool], keys: list[Any], value: Any, ttl: Any) -> None:
        side = self.side(at)
        self.ask(*side.how, "mset", [(key, value) for key in keys], ttl=ttl)
        for key in keys:
            side.reference.put(key, value, ttl)

    @rule(at=SIDES, keys=st.lists(KEYS, min_size=1, max_size=6), ttl=TTLS, start=st.integers(0, 50))
    def set_vectors(self, at: tuple[int, bool], keys: list[Any], ttl: Any, start: int) -> None:
        side = self.side(at)
        matrix = np.arange(start, start + len(keys) * WIDTH, dtype="f4").reshape(-1, WIDTH)
        self.ask(*side.how, "set_vectors", keys, matrix, ttl=ttl)
        for key, row in zip(keys, matrix, strict=True):
            side.reference.put(key, row, ttl)

    @rule(at=SIDES, key=KEYS, bad=st.sampled_from([object(), {1, 2}, np.array(["x"]), 1 << 70]))
    def set_what_cannot_be_stored(self, at: tuple[int, bool], key: Any, bad: Any) -> None:
        with pytest.raises((TypeError, ValueError)):
            self.ask(*self.side(at).how, "set", key, bad)
        with pytest.raises((TypeError, ValueError)):
            self.ask(*self.side(at).how, "mset", [("a", 0), (key, bad)])

    # Reads.

    @rule(at=SIDES, key=KEYS)
    def get(self, at: tuple[int, bool], key: Any) -> None:
        side = self.side(at)
        held = side.held(key)
        side.requests += 1
        assert_same(self.ask(*side.how, "get", key, MISSING), held)

    @rule(at=SIDES, key=KEYS)
    def lookup(self, at: tuple[int, bool], key: Any) -> None:
        side = self.side(at)
        held = side.held(key)
        side.requests += 1
        found = self.ask(*side.how, "lookup", key)
        assert_same(found.value, held)
        assert found.hit == (found.value is not MISSING) == (found.tier is not None)
        entry = side.reference.entry(key)
        assert found.metadata == ({} if entry is None else entry.metadata)
        assert not found.stale
        if entry is not None and entry.until is not None:
            assert found.ttl == pytest.approx(entry.until - self.now, abs=0.01)

    @rule(at=SIDES, keys=KEY_LISTS)
    def mget(self, at: tuple[int, bool], keys: list[Any]) -> None:
        side = self.side(at)
        held = [side.held(key) for key in keys]
        side.requests += len(keys)
        for value, wanted in zip(self.ask(*side.how, "mget", keys, MISSING), held, strict=True):
            assert_same(value, wanted)

    @rule(at=SIDES, keys=KEY_LISTS, dim=st.sampled_from([WIDTH, WIDTH + 1]), own=st.booleans())
    def get_vectors(self, at: tuple[int, bool], keys: list[Any], dim: int, own: bool) -> None:
        side = self.side(at)
        held = [side.held(key) for key in keys]
        side.requests += len(keys)
        out = np.full((len(keys), dim), np.nan, "f4") if own else None
        matrix, found = self.ask(*side.how, "get_vectors", keys, dim=dim, out=out)
        assert matrix.shape == (len(keys), dim)
        assert out is None or matrix is out
        for row, hit, wanted in zip(matrix, found, held, strict=True):
            assert hit == (isinstance(wanted, np.ndarray) and dim == WIDTH)
            np.testing.assert_array_equal(row, wanted if hit else np.zeros(dim, "f4"))

    @rule(at=SIDES, key=KEYS)
    def exists(self, at: tuple[int, bool], key: Any) -> None:
        side = self.side(at)
        assert self.ask(*side.how, "exists", key) == (side.held(key) is not MISSING)

    # Removals.

    @rule(at=SIDES, key=KEYS)
    def delete(self, at: tuple[int, bool], key: Any) -> None:
        side = self.side(at)
        held, ended = side.held(key) is not MISSING, side.reference.is_ended(key)
        assert self.ask(*side.how, "delete", key) in ({held, True} if ended else {held})
        side.reference.drop(key)

    @rule(at=SIDES, keys=KEY_LISTS)
    def mdelete(self, at: tuple[int, bool], keys: list[Any]) -> None:
        side = self.side(at)
        distinct = {key if isinstance(key, bytes) else key.encode() for key in keys}
        least = sum(side.held(key) is not MISSING for key in distinct)
        most = least + sum(side.reference.is_ended(key) for key in distinct)
        assert least <= self.ask(*side.how, "mdelete", keys) <= most
        for key in distinct:
            side.reference.drop(key)

    @rule(at=SIDES, key=KEYS, ttl=TTLS)
    def touch(self, at: tuple[int, bool], key: Any, ttl: Any) -> None:
        side = self.side(at)
        held = side.held(key) is not MISSING
        assert self.ask(*side.how, "touch", key, ttl) == held
        if held:
            side.reference.touch(key, ttl)

    @rule(at=SIDES)
    def clear(self, at: tuple[int, bool]) -> None:
        side = self.side(at)
        self.ask(*side.how, "clear")
        side.reference.clear()
        side.assert_has_the_rest()

    @rule(at=SIDES, pattern=st.sampled_from([*PATTERNS]))
    def invalidate(self, at: tuple[int, bool], pattern: str) -> None:
        side = self.side(at)
        for key in NAMES:
            side.held(key)
        least, most = side.reference.drop_matching(pattern)
        count = self.ask(*side.how, "invalidate", pattern)
        assert least <= count
        if pattern not in ("*", "[^a]*"):  # which take keys of other rules too
            assert count <= most
        side.assert_has_the_rest()

    @rule(at=SIDES, tags=st.lists(st.sampled_from(["t", "u"]), min_size=1, max_size=2))
    def invalidate_tags(self, at: tuple[int, bool], tags: list[str]) -> None:
        side = self.side(at)
        self.ask(*side.how, "invalidate_tags", *tags)
        side.reference.drop_tags(tags)
        side.assert_has_the_rest()

    @rule(at=SIDES, pattern=st.sampled_from(["g:*", "[ab]"]), tags=TAGS, fails=st.booleans())
    def invalidate_on_write(
        self, at: tuple[int, bool], pattern: str, tags: list[str], fails: bool
    ) -> None:
        side = self.side(at)

        def write() -> str:
            if fails:
                raise Failing
            return "written"

        async def awrite() -> str:
            return write()

        changed = side.cache.invalidate_on_write(pattern, tags=tags)
        call = changed(awrite) if side.awaited else changed(write)
        if fails:
            with pytest.raises(Failing):
                self.run(call)
        else:
            assert self.run(call) == "written"
            side.reference.drop_matching(pattern)
            side.reference.drop_tags(tags)

    @invariant()
    def counts_add_up(self) -> None:
        for side in self.sides:
            stats = side.cache.stats()
            assert stats.hits + stats.misses == stats.requests == side.requests
            assert stats.errors == stats.skipped == stats.coalesced == 0
