"""Times to live by how soon the source changes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from clocked import ClockedCache

DAY = 86400.0
DAYS = {"high": 1, "medium": 7, "low": 30}


@pytest.fixture
def cache() -> Any:
    """One whose memory keeps values for as long as their time to live."""
    with ClockedCache(memory_ttl=None) as cache:
        yield cache


def ways(cache: ClockedCache) -> dict[str, Callable[[Any], Any]]:
    run, ones = asyncio.run, np.ones((1, 3), "f4")
    return {
        "set": lambda v: cache.set("k", 1, volatility=v),
        "aset": lambda v: run(cache.aset("k", 1, volatility=v)),
        "mset": lambda v: cache.mset({"k": 1}, volatility=v),
        "amset": lambda v: run(cache.amset({"k": 1}, volatility=v)),
        "set_vectors": lambda v: cache.set_vectors(["k"], ones, volatility=v),
        "aset_vectors": lambda v: run(cache.aset_vectors(["k"], ones, volatility=v)),
        "get_or_set": lambda v: cache.get_or_set("k", lambda: 1, volatility=v),
        "aget_or_set": lambda v: run(cache.aget_or_set("k", lambda: 1, volatility=v)),
        "get_or_set_many": lambda v: cache.get_or_set_many(["k"], lambda _: [1], volatility=v),
        "cached": lambda v: cache.cached(key=lambda: "k", volatility=v)(search)(),
    }


def search() -> int:
    return 1


WAYS = list(ways(ClockedCache()))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("volatility", DAYS)
def test_each_way_of_storing_has_it(cache: ClockedCache, way: str, volatility: str) -> None:
    ways(cache)[way](volatility)
    (key,) = cache.mapping()
    assert cache.lookup(key).ttl == DAYS[volatility] * DAY


@pytest.mark.parametrize("way", WAYS)
def test_none_is_as_if_it_were_not_given(cache: ClockedCache, way: str) -> None:
    ways(cache)[way](None)
    (key,) = cache.mapping()
    assert cache.lookup(key).ttl == 3600


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("volatility", ["", "High", "never", 1, True])
def test_others_are_refused_and_nothing_is_stored(
    cache: ClockedCache, way: str, volatility: Any
) -> None:
    with pytest.raises((ValueError, TypeError), match=r"^volatility=.*allowed are None, \"high\""):
        ways(cache)[way](volatility)
    assert list(cache.mapping()) == []


@pytest.mark.parametrize("ttl", [60, None, "1h"])
def test_together_with_a_ttl_it_is_refused(cache: ClockedCache, ttl: Any) -> None:
    calls: list[Callable[[], Any]] = [
        lambda: cache.set("k", 1, ttl=ttl, volatility="high"),
        lambda: cache.mset({"k": 1}, ttl=ttl, volatility="high"),
        lambda: cache.set_vectors(["k"], np.ones((1, 3), "f4"), ttl=ttl, volatility="high"),
        lambda: cache.get_or_set("k", search, ttl=ttl, volatility="high"),
        lambda: cache.get_or_set_many(["k"], lambda _: [1], ttl=ttl, volatility="high"),
        lambda: cache.cached(ttl=ttl, volatility="high")(search),
        lambda: cache.cached_batch(over="items", ttl=ttl, volatility="high"),
        lambda: cache.cache_vector_search(ttl=ttl, volatility="high"),
        lambda: cache.cached_list(item_key=str, ttl=ttl, volatility="high"),
    ]
    for call in calls:
        with pytest.raises(ValueError, match="^volatility='high': allowed only without ttl="):
            call()
    assert list(cache.mapping()) == []


def test_a_bad_ttl_is_told_of_with_a_volatility_too(cache: ClockedCache) -> None:
    with pytest.raises(ValueError, match="volatility='high': allowed only without ttl"):
        cache.set("k", 1, ttl=-5, volatility="high")


def test_a_time_in_memory_goes_with_it(cache: ClockedCache) -> None:
    cache.set("k", 1, memory_ttl=10, volatility="low")
    assert cache.lookup("k").ttl == 10
