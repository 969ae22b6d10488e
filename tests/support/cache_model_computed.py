"""More rules of the model of a cache: what is computed, cached functions, embeddings, mappings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import pytest
from cache_model import KEY_LISTS, KEYS, SIDES, TAGS, TTLS, VALUES, CacheModel, Failing, Side
from cache_reference import assert_same
from clocked import ClockedCache
from hypothesis import strategies as st
from hypothesis.stateful import rule

import vcache
from vcache import MISSING, EmbeddingCache

ITEMS = st.integers(0, 1)
TEXTS = st.lists(st.sampled_from(["a", "b", "c"]), max_size=4)
SELDOM = st.sampled_from([False, False, False, True])
TTL = 90.0  # of what the functions return
At = tuple[int, bool]
SAYINGS: dict[str, Callable[[], object]] = {  # what a function says of its result
    "": lambda: None,
    "skip": lambda: vcache.current().skip(),
    "ttl": lambda: setattr(vcache.current(), "ttl", 20),
    "tag": lambda: vcache.current().tags.add("t"),
}


class Factory:
    """Returns one value for each key, or raises; notes which keys it was asked for."""

    def __init__(self, value: Any, fails: bool) -> None:
        self._value, self._fails = value, fails
        self.calls = 0
        self.asked: list[Any] = []

    def one(self) -> Any:
        self.calls += 1
        if self._fails:
            raise Failing
        return self._value

    def many(self, keys: list[Any]) -> list[Any]:
        self.asked += keys
        return [self.one()] * len(keys)


class Source:
    """What functions and embeddings are computed from: changes, fails, and counts its calls."""

    def __init__(self, cache: ClockedCache) -> None:
        self.versions = dict.fromkeys([*range(4), "a", "b", "c"], 0)
        self.asked: list[Any] = []
        self.fails = False
        self.within = SAYINGS[""]

        def function(x: int, *, y: int = 0) -> Any:
            return self.made(x)

        async def coroutine(x: int, *, y: int = 0) -> Any:
            return self.made(x)

        def search(namespace: str, vector: Any, top_k: int) -> Any:
            return self.made(top_k)

        def batch(items: list[int]) -> Any:
            return [self.made(item) for item in items]

        options = {"ttl": TTL, "retry_after": 0}
        self.function = cache.cached(key_prefix="fn", **options)(function)
        self.coroutine = cache.cached(key_prefix="co", **options)(coroutine)
        self.search = cache.cache_vector_search(key_prefix="search", **options)(search)
        self.batch = cache.cached_batch(over="items", key_prefix="batch", **options)(batch)
        self.embeddings = EmbeddingCache(self.embed, model="m", cache=cache, batch_size=2, ttl=TTL)

    def made(self, item: Any) -> Any:
        self.asked.append(item)
        self.within()
        if self.fails:
            raise Failing
        return [item, self.versions[item]]

    def embed(self, texts: list[str]) -> Any:
        made = [self.made(text) for text in texts]
        return np.array([[ord(text), version] for text, version in made], "f4")


class ComputingModel(CacheModel):
    """The rules of CacheModel and those of what is computed where it is missing."""

    def opened(self, namespace: str) -> Side:
        side = super().opened(namespace)
        side.source = Source(side.cache)
        side.recount()
        return side

    # get_or_set() and its like.

    @rule(at=SIDES, key=KEYS, value=VALUES, ttl=TTLS, tags=TAGS, fails=st.booleans())
    def get_or_set(
        self, at: At, key: Any, value: Any, ttl: Any, tags: list[str], fails: bool
    ) -> None:
        side, factory = self.side(at), Factory(value, fails)
        held, standing_in = side.held(key), side.standing_in(key)
        side.requests += 1
        call = partial(self.ask, *side.how, "get_or_set", key, factory.one, ttl=ttl, tags=tags)
        if held is MISSING and fails:
            self.assert_stands_in(partial(call, retry_after=0), standing_in)
        else:
            assert_same(call(), value if held is MISSING else held)
            if held is MISSING:
                side.reference.put(key, value, ttl, tags=tags)
        assert factory.calls == (held is MISSING)

    @rule(at=SIDES, keys=KEY_LISTS, value=VALUES, ttl=TTLS, fails=st.booleans())
    def get_or_set_many(self, at: At, keys: list[Any], value: Any, ttl: Any, fails: bool) -> None:
        side, factory = self.side(at), Factory(value, fails)
        held = [side.held(key) for key in keys]
        missing = [key for key, each in zip(keys, held, strict=True) if each is MISSING]
        side.requests += len(keys)
        call = partial(self.ask, *side.how, "get_or_set_many", keys, factory.many, ttl=ttl)
        standing_in = [side.standing_in(key) for key in missing]
        if not missing or not fails:
            wanted = [value if each is MISSING else each for each in held]
            self.assert_all_same(call(), wanted)
            for key in missing:
                side.reference.put(key, value, ttl)
        elif any(each is MISSING for each in standing_in):
            with pytest.raises(Failing):
                call(retry_after=0)
        else:
            stale = iter(standing_in)
            wanted = [next(stale) if each is MISSING else each for each in held]
            self.assert_all_same(call(retry_after=0), wanted)
        assert factory.asked == list(dict.fromkeys(missing))

    @rule(at=SIDES, key=KEYS, value=VALUES, stores=st.booleans())
    def compute_in_a_block(self, at: At, key: Any, value: Any, stores: bool) -> None:
        side, factory = self.side(at), Factory(value, fails=False)
        block = side.cache.refreshing if stores else side.cache.bypass

        def ask() -> Any:
            with block():
                return side.cache.get_or_set(key, factory.one, ttl=90)

        async def aask() -> Any:
            with block():
                return await side.cache.aget_or_set(key, factory.one, ttl=90)

        got = self.run(aask if side.awaited else ask)
        assert factory.calls == 1
        side.recount()
        if stores:
            side.reference.put(key, value, 90)
            assert_same(got, value)
        else:
            assert got is value

    # Cached functions.

    @rule(at=SIDES, item=st.sampled_from([*range(4), "a", "b", "c"]))
    def change_the_source(self, at: At, item: Any) -> None:
        self.side(at).source.versions[item] += 1

    @rule(at=SIDES, x=ITEMS, says=st.sampled_from([*SAYINGS]), fails=SELDOM)
    def call(self, at: At, x: int, says: str, fails: bool) -> None:
        side = self.side(at)
        source, function = side.source, self.function(side)
        key = function.cache_key(x)
        held, standing_in = side.held(key), side.standing_in(key)
        with self.telling(source, says, fails):
            if held is MISSING and fails:
                self.assert_stands_in(partial(self.run, function, x), standing_in)
            else:
                got = self.run(function, x=x)
                assert got == ([x, source.versions[x]] if held is MISSING else held)
        if held is MISSING and not fails and says != "skip":
            tags = ["t"] if says == "tag" else []
            side.reference.put(key, got, 20 if says == "ttl" else TTL, tags=tags)
        assert source.asked == ([x] if held is MISSING else [])
        self.done(side)

    @rule(at=SIDES, x=ITEMS)
    def refresh_a_call(self, at: At, x: int) -> None:
        side = self.side(at)
        function = self.function(side)
        got = self.run(function.refresh, x)
        assert got == [x, side.source.versions[x]]
        assert side.source.asked == [x]
        side.reference.put(function.cache_key(x), got, TTL)
        self.done(side)

    @rule(at=SIDES, x=ITEMS)
    def invalidate_a_call(self, at: At, x: int) -> None:
        side = self.side(at)
        function = self.function(side)
        key = function.cache_key(x)
        held, ended = side.held(key) is not MISSING, side.reference.is_ended(key)
        removed = self.run(getattr(function, "a" * side.awaited + "invalidate"), x)
        assert removed == held or ended
        side.reference.drop(key)
        self.done(side)

    @rule(at=SIDES)
    def clear_a_function(self, at: At) -> None:
        side = self.side(at)
        function = self.function(side)
        before = {function.cache_key(x) for x in range(4)}
        self.run(getattr(function, "a" * side.awaited + "cache_clear"))
        assert before.isdisjoint(function.cache_key(x) for x in range(4))
        self.done(side)

    @rule(at=SIDES, top_k=st.integers(1, 2), bumps=st.booleans())
    def search(self, at: At, top_k: int, bumps: bool) -> None:
        side = self.side(at)
        search = side.source.search
        key = search.cache_key("docs", [0.5, 1.0], top_k)
        if bumps:
            self.ask(*side.how, "bump_epoch", "docs")
            side.reference.drop_tags(["epoch of docs"])
        held = side.held(key)
        got = search("docs", np.array([0.5, 1.0]), top_k=top_k)
        assert got == ([top_k, side.source.versions[top_k]] if held is MISSING else held)
        assert side.source.asked == ([top_k] if held is MISSING else [])
        if held is MISSING:
            side.reference.put(key, got, TTL, tags=["epoch of docs"])
        self.done(side)

    @rule(at=SIDES, items=st.lists(ITEMS, max_size=5))
    def batch(self, at: At, items: list[int]) -> None:
        side = self.side(at)
        keys = [side.source.batch.cache_key([item])[0] for item in items]
        held = [side.held(key) for key in keys]
        got = side.source.batch(items)
        assert side.source.asked == self.distinct_missing(items, held)
        for item, key, value, wanted in zip(items, keys, got, held, strict=True):
            made = [item, side.source.versions[item]]
            assert value == (made if wanted is MISSING else wanted)
            if wanted is MISSING:
                side.reference.put(key, made, TTL)
        self.done(side)

    # Embeddings.

    @rule(at=SIDES, texts=TEXTS)
    def embed(self, at: At, texts: list[str]) -> None:
        side = self.side(at)
        embeddings = side.source.embeddings
        keys = [embeddings.key(text) for text in texts]
        held = [side.held(key) for key in keys]
        matrix = self.run(getattr(embeddings, "a" * side.awaited + "embed"), texts)
        assert side.source.asked == self.distinct_missing(texts, held)
        for text, key, row, wanted in zip(texts, keys, matrix, held, strict=True):
            made = np.array([ord(text), side.source.versions[text]], "f4")
            np.testing.assert_array_equal(row, made if wanted is MISSING else wanted)
            if wanted is MISSING:
                side.reference.put(key, made, TTL)
        self.done(side)

    # The view as a mapping.

    @rule(at=SIDES, key=st.sampled_from(["c", "d", b"c"]), value=VALUES)
    def setdefault(self, at: At, key: Any, value: Any) -> None:
        side, whole = self.side(at), self.whole(key)
        held = side.held(whole)
        side.requests += 1
        got = side.cache.mapping("g").setdefault(key, value)
        assert_same(got, value if held is MISSING else held)
        if held is MISSING:
            side.reference.put(whole, value, 3600)

    @rule(at=SIDES, key=st.sampled_from(["c", "d", b"c"]), removes=st.booleans())
    def item(self, at: At, key: Any, removes: bool) -> None:
        side, whole = self.side(at), self.whole(key)
        view, held = side.cache.mapping("g"), side.held(whole)
        assert (key in view) == (held is not MISSING)
        side.requests += 1
        take = view.pop if removes else view.__getitem__
        if held is MISSING:
            with pytest.raises(KeyError):
                take(key)
        else:
            assert_same(take(key), held)
        if removes and held is not MISSING:
            side.reference.drop(whole)

    @rule(at=SIDES, values=st.dictionaries(st.sampled_from(["c", "d"]), VALUES, max_size=2))
    def update(self, at: At, values: dict[str, Any]) -> None:
        side = self.side(at)
        side.cache.mapping("g").update(values)
        for key, value in values.items():
            side.reference.put(self.whole(key), value, 3600)

    @rule(at=SIDES)
    def clear_the_view(self, at: At) -> None:
        side = self.side(at)
        side.cache.mapping("g").clear()
        side.reference.drop_matching("g:*")

    # What the rules share.

    def function(self, side: Side) -> Any:
        return side.source.coroutine if side.awaited else side.source.function

    def done(self, side: Side) -> None:
        side.source.asked.clear()
        side.recount()

    @contextmanager
    def telling(self, source: Source, says: str, fails: bool) -> Iterator[None]:
        """While it lasts the function says so of its result, or fails."""
        source.within, source.fails = SAYINGS[says], fails
        yield
        source.within, source.fails = SAYINGS[""], False

    def assert_stands_in(self, call: Callable[[], Any], standing_in: Any) -> None:
        """Of a factory that fails: what has expired within the grace stands in, or it raises."""
        if standing_in is MISSING:
            with pytest.raises(Failing):
                call()
        else:
            assert_same(call(), standing_in)

    def assert_all_same(self, got: list[Any], wanted: list[Any]) -> None:
        for value, each in zip(got, wanted, strict=True):
            assert_same(value, each)

    def distinct_missing(self, items: list[Any], held: list[Any]) -> list[Any]:
        pairs = zip(items, held, strict=True)
        return list(dict.fromkeys(item for item, value in pairs if value is MISSING))

    def whole(self, key: Any) -> Any:
        return b"g:" + key if isinstance(key, bytes) else f"g:{key}"
