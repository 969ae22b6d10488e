"""Semantic hits over a Redis that several caches share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from redis_server import RedisServer

from vcache import Cache

FIRST = np.random.default_rng(7).standard_normal(32)
NEAR = FIRST + 0.01
Eventually = Callable[[Callable[[], object]], None]


def searching(cache: Cache, calls: list[Any]) -> Any:
    @cache.cache_vector_search(key_prefix="search", similar=0.97)
    def search(vector: Any) -> list[int]:
        calls.append(vector)
        return [len(calls)]

    return search


def searching_async(cache: Cache, calls: list[Any]) -> Any:
    @cache.cache_vector_search(key_prefix="search", similar=0.97)
    async def search(vector: Any) -> list[int]:
        calls.append(vector)
        return [len(calls)]

    return lambda vector: asyncio.run(search(vector))


BOTH = pytest.mark.parametrize("make", [searching, searching_async])


@BOTH
def test_an_answer_that_only_redis_has(make_cache: Callable[..., Cache], make: Any) -> None:
    calls: list[Any] = []
    search = make(make_cache(memory=0), calls)
    assert search(FIRST) == search(NEAR) == [1]
    assert len(calls) == 1


@BOTH
def test_what_another_cache_deleted_answers_nothing(
    make_cache: Callable[..., Cache], eventually: Eventually, make: Any
) -> None:
    calls: list[Any] = []
    search, other = make(make_cache(), calls), make_cache()
    keys = searching(other, [])
    assert search(FIRST) == search(NEAR) == [1]
    assert other.delete(keys.cache_key(FIRST))
    eventually(lambda: search(NEAR) != [1])
    assert len(calls) == 2


@BOTH
def test_with_redis_gone_the_search_is_computed(
    make_cache: Callable[..., Cache], redis_server: RedisServer, make: Any
) -> None:
    calls: list[Any] = []
    search = make(make_cache(memory=0), calls)
    search(FIRST)
    redis_server.stop()
    assert search(NEAR) == [2]
    assert len(calls) == 2
