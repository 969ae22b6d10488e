"""Blocks in which a cache is left out, or filled anew."""

from __future__ import annotations

import asyncio
import contextvars
import types
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from clocked import ClockedCache
from sync_points import in_threads

import vcache


@pytest.fixture
def answers() -> Iterator[int]:
    return iter(range(100))


def make(cache: ClockedCache, kind: str, answers: Iterator[int]) -> Any:
    """A cached function, called as a plain one."""
    if kind == "async":

        @cache.cached
        async def coroutine(x: str, y: int = 0) -> int:
            return next(answers)

        return lambda x: asyncio.run(coroutine(x))

    @cache.cached(ttl=50)
    def of_text(x: str) -> int:
        return next(answers)

    @cache.cached
    def of_two(x: str, y: int = 0) -> int:
        return next(answers)

    @cache.cached(refresh_ahead=0.9)
    def early(x: str) -> int:
        return next(answers)

    return {"text": of_text, "two": of_two, "early": early}.get(
        kind, lambda x: cache.get_or_set(x, lambda: next(answers))
    )


KINDS = pytest.mark.parametrize("kind", ["text", "two", "early", "async", "get_or_set"])


@KINDS
def test_bypass_neither_reads_nor_stores(
    cache: ClockedCache, answers: Iterator[int], kind: str
) -> None:
    function = make(cache, kind, answers)
    assert [function("a"), function("a")] == [0, 0]
    requests = cache.stats().requests
    with cache.bypass():
        assert [function("a"), function("a"), function("b")] == [1, 2, 3]
    assert cache.stats().requests == requests
    assert [function("a"), function("b")] == [0, 4]


@KINDS
def test_refreshing_stores_anew(cache: ClockedCache, answers: Iterator[int], kind: str) -> None:
    function = make(cache, kind, answers)
    assert [function("a"), function("a")] == [0, 0]
    with cache.refreshing():
        assert [function("a"), function("a"), function("b")] == [1, 2, 3]
    assert [function("a"), function("b")] == [2, 3]


def test_the_innermost_block_counts(cache: ClockedCache, answers: Iterator[int]) -> None:
    function = make(cache, "text", answers)
    with cache.refreshing():
        function("a")
        with cache.bypass():
            assert function("a") == 1
        assert function("a") == 2
    assert function("a") == 2


def test_a_block_that_raises_ends(cache: ClockedCache, answers: Iterator[int]) -> None:
    function = make(cache, "text", answers)
    with pytest.raises(KeyError), cache.bypass():
        raise KeyError
    assert [function("a"), function("a")] == [0, 0]


def test_other_caches_and_threads_are_as_ever(cache: ClockedCache, answers: Iterator[int]) -> None:
    with ClockedCache() as other:
        function, of_other = make(cache, "text", answers), make(other, "text", answers)
        function("a")
        of_other("a")
        with cache.bypass():
            assert of_other("a") == 1
            assert in_threads(lambda: function("a")) == [0]
            context = contextvars.copy_context()
            assert in_threads(lambda: context.run(function, "a")) == [2]
        assert context.run(function, "a") == 0, "the block is over"


def test_what_the_function_calls_is_bypassed_too(
    cache: ClockedCache, answers: Iterator[int]
) -> None:
    inner = make(cache, "text", answers)

    @cache.cached
    def outer() -> int:
        vcache.current().ttl = 5
        return int(inner("a"))

    assert [outer(), outer()] == [0, 0]
    with cache.bypass():
        assert [outer(), outer()] == [1, 2]
    assert outer() == 0


def test_counts_go_on(cache: ClockedCache, answers: Iterator[int]) -> None:
    function = make(cache, "text", answers)
    for _ in range(3):
        function("a")
    with cache.bypass():
        function("a")
    function("a")
    assert function.cache_info()[:2] == (3, 1)
    with cache.bypass():
        function.cache_clear()
        assert function("a") == 2
    assert [function("a"), function("a"), function.cache_info()[:2]] == [3, 3, (1, 1)]


def test_a_function_that_is_decorated_in_a_block(
    cache: ClockedCache, answers: Iterator[int]
) -> None:
    with cache.bypass():
        function = make(cache, "text", answers)
        assert [function("a"), function("a")] == [0, 1]
    assert [function("a"), function("a")] == [2, 2]


def test_methods(cache: ClockedCache, answers: Iterator[int]) -> None:
    class Shop:
        @cache.cached
        def price(self, item: str) -> int:
            return next(answers)

        @classmethod
        @cache.cached
        def of_class(cls, item: str) -> int:
            return next(answers)

    shop = Shop()
    assert [shop.price("a"), shop.of_class("a")] == [0, 1]
    with cache.bypass():
        assert [shop.price("a"), shop.of_class("a")] == [2, 3]
    assert shop.price.__wrapped__("a") == 4
    assert [shop.price("a"), shop.of_class("a")] == [0, 1]


def test_tasks_that_were_begun_in_a_block(cache: ClockedCache, answers: Iterator[int]) -> None:
    @cache.cached
    async def find(x: str) -> int:
        return next(answers)

    async def main() -> list[int]:
        await find("a")
        with cache.bypass():
            inside = await asyncio.gather(find("a"), find("a"))
            task = asyncio.create_task(find("a"))
        return [*inside, await task, await find("a")]

    assert asyncio.run(main()) == [1, 2, 0, 0]


def test_a_coroutine_that_is_thrown_away_ends_its_block(
    cache: ClockedCache, answers: Iterator[int]
) -> None:
    function = make(cache, "text", answers)

    @types.coroutine
    def pause() -> Iterator[None]:
        yield

    async def endless() -> None:
        with cache.bypass():
            await pause()

    coroutine = endless()
    contextvars.copy_context().run(coroutine.send, None)
    assert [function("a"), function("a")] == [0, 0]
    coroutine.close()
    assert not cache._modes.are_on
    assert function("a") == 0


def test_batches_of_get_or_set(cache: ClockedCache) -> None:
    version = "old"

    def factory(keys: list[Any]) -> list[str]:
        return [f"{version} {key}" for key in keys]

    cache.get_or_set_many(["a", "b"], factory)
    version = "new"
    with cache.bypass():
        assert cache.get_or_set_many(["b", "a", "b"], factory) == ["new b", "new a", "new b"]
    assert cache.get_or_set_many(["a"], factory) == ["old a"]
    with cache.refreshing():
        assert cache.get_or_set_many(["b", "a", "b"], factory) == ["new b", "new a", "new b"]
    version = "newest"
    assert asyncio.run(cache.aget_or_set_many(["a", "b"], factory)) == ["new a", "new b"]
    with cache.bypass():
        assert asyncio.run(cache.aget_or_set_many(["a"], factory)) == ["newest a"]


def test_embeddings(cache: ClockedCache) -> None:
    calls = []

    def embed(texts: list[str]) -> Any:
        calls.append(texts)
        return np.full((len(texts), 2), len(calls))

    embeddings = vcache.EmbeddingCache(embed, model="m", cache=cache)
    with cache.bypass():
        assert embeddings.embed(["a", "b", "a"]).tolist() == [[1, 1]] * 3
    assert embeddings.embed(["a"]).tolist() == [[2, 2]]
    with cache.refreshing():
        assert embeddings.embed(["a"]).tolist() == [[3, 3]]
    assert embeddings.embed(["a"]).tolist() == [[3, 3]]
    assert calls == [["a", "b"], ["a"], ["a"]]
    report = embeddings.report()
    assert (report.hits, report.misses, report.computed) == (1, 5, 4)
