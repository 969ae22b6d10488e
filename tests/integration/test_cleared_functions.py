"""Cached functions whose results were cleared by another process, over a Redis that is away."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

import pytest
from polling import wait_until
from redis_server import RedisServer

from vcache import Cache

MakeCache = Callable[..., Cache]


def plain(cache: Cache, value: str, **options: Any) -> Any:
    @cache.cached(key_prefix="price", **options)
    def price(item: str) -> str:
        return value

    return price


def coroutine(cache: Cache, value: str, **options: Any) -> Any:
    @cache.cached(key_prefix="price", **options)
    async def price(item: str) -> str:
        return value

    return price


Make = Callable[..., Any]
KINDS = pytest.mark.parametrize("make", [plain, coroutine])
EARLY = pytest.mark.parametrize("options", [{}, {"refresh_ahead": 0.9}])


def result(function: Any, *arguments: Any) -> Any:
    value = function(*arguments)
    return asyncio.run(value) if inspect.isawaitable(value) else value


@pytest.fixture
def cleared(make_cache: MakeCache) -> None:
    """There is a result that was cleared, and a newer one."""
    old = plain(make_cache(), "old")
    assert old("a") == "old"
    old.cache_clear()
    assert plain(make_cache(), "new")("a") == "new"


@KINDS
@EARLY
def test_what_was_cleared_is_never_served(
    cleared: None, make_cache: MakeCache, redis_server: RedisServer, make: Make, options: Any
) -> None:
    cache = make_cache(timeout=0.1, connect_timeout=0.1)
    function = make(cache, "computed", **options)
    with redis_server.paused():
        for argument in "aab":
            assert result(function, argument) == "computed"
        assert result(function.refresh, "a") == "computed"
        assert function.cache_info().hits == 0, "nothing of it was stored"
    wait_until(lambda: cache.healthy().ok)
    wait_until(lambda: result(function, "a") == "new", what="of the kept generation")
    assert result(function, "b") == "computed"
    assert plain(make_cache(), "other")("b") == "computed", "it stores again"


@KINDS
def test_without_a_record_results_are_stored(make_cache: MakeCache, make: Make) -> None:
    assert result(make(make_cache(), "one"), "a") == "one"
    assert result(make(make_cache(), "other"), "a") == "one"
