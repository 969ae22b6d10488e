"""The keys that are read most."""

from __future__ import annotations

from threading import Thread
from typing import Any

import numpy as np
import pytest
from clocked import ClockedCache

from vcache import Cache


def read(cache: Cache, key: str | bytes, times: int) -> None:
    for _ in range(times):
        assert cache.get(key) is not None


def test_the_hottest_come_first_with_their_hits(cache: ClockedCache) -> None:
    for index in range(10):
        cache.set(f"k{index}", index)
        read(cache, f"k{index}", index)
    assert cache.hot_keys(3) == [("k9", 9), ("k8", 8), ("k7", 7)]
    assert [hits for _, hits in cache.hot_keys()] == list(range(9, 0, -1))  # k0 was never read
    assert cache.hot_keys(0) == []
    assert cache.hot_keys(2**70) == cache.hot_keys(np.int64(50))


def test_all_ways_of_reading_count(cache: ClockedCache) -> None:
    cache.set("k", np.ones(3, "f4"))
    cache.mget(["k", "k", "other"])
    cache.get_vectors(["k"])
    cache.lookup("k")
    cache.get_or_set("k", lambda: 1)
    assert cache.hot_keys() == [("k", 5)]


def test_what_only_looks_does_not_count(cache: ClockedCache) -> None:
    cache.set("k", 1)
    read(cache, "k", 1)
    cache.exists("k")
    cache.touch("k", 60)
    cache.hot_keys()
    assert cache.hot_keys() == [("k", 1)]


def test_equal_hits_are_in_the_order_of_keys(cache: ClockedCache) -> None:
    for key in ("b", "c", "a"):
        cache.set(key, 1)
        read(cache, key, 2)
    assert cache.hot_keys() == [("a", 2), ("b", 2), ("c", 2)]


def test_keys_are_text_where_they_are_utf8(cache: ClockedCache) -> None:
    for key in ("grüße", b"text", b"\xff\xfe"):
        cache.set(key, 1)
        read(cache, key, 1)
    assert {key for key, _ in cache.hot_keys()} == {"grüße", "text", b"\xff\xfe"}


def test_a_value_set_over_another_keeps_the_hits(cache: ClockedCache) -> None:
    cache.set("k", 1)
    read(cache, "k", 3)
    cache.set("k", np.zeros(1000, "f4"))
    read(cache, "k", 1)
    assert cache.hot_keys() == [("k", 4)]


def test_what_left_memory_has_no_hits_left(cache: ClockedCache) -> None:
    for key in ("deleted", "expired", "tagged"):
        cache.set(key, 1, ttl=60 if key == "expired" else 600, tags=[key])
        read(cache, key, 2)
    cache.delete("deleted")
    cache.invalidate_tags("tagged")
    cache.clock.advance(61)
    assert cache.hot_keys() == []
    cache.set("deleted", 1)
    assert cache.hot_keys() == []
    read(cache, "deleted", 1)
    assert cache.hot_keys() == [("deleted", 1)]
    cache.clear()
    assert cache.hot_keys() == []


@pytest.mark.parametrize("policy", ["s3fifo", "lru", "learned"])
def test_the_rest_of_a_full_cache_is_told_exactly(policy: Any) -> None:
    reads = dict[str, int]()
    with Cache(memory="1MiB", policy=policy, jitter=0.0) as cache:
        for index in range(5000):
            key = f"k{index % 1700}"
            if cache.get(key) is None:
                cache.set(key, np.zeros(200, "f4"))
                reads[key] = 0
            else:
                reads[key] += 1
        told = cache.hot_keys(10_000)
        assert dict(told) == {
            key: hits for key, hits in reads.items() if hits and cache.exists(key)
        }
        assert cache.stats().evictions > 0


def test_hits_of_many_threads_are_all_counted(cache: ClockedCache) -> None:
    cache.set("k", 1)
    threads = [Thread(target=read, args=(cache, "k", 2000)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cache.hot_keys() == [("k", 8000)]


def test_arrays_that_are_held_stay_valid(cache: ClockedCache) -> None:
    cache.set("k", np.arange(8.0))
    held = [cache.get("k") for _ in range(1000)]
    cache.set("k", np.zeros(8))
    cache.clear()
    assert all(array.tolist() == list(range(8)) for array in held)
    assert cache.stats().pinned_bytes > 0
    held.clear()
    assert cache.stats().pinned_bytes == 0


def test_without_a_memory_tier_there_are_none() -> None:
    with Cache(memory=0) as cache:
        cache.set("k", 1)
        assert cache.hot_keys() == []


@pytest.mark.parametrize("n", [-1, -(2**70)])
def test_a_negative_number(cache: ClockedCache, n: int) -> None:
    with pytest.raises(ValueError, match=rf"^n={n}: allowed is an int from 0 on$"):
        cache.hot_keys(n)


@pytest.mark.parametrize("n", [1.0, "5", None, True])
def test_what_is_no_number(cache: ClockedCache, n: Any) -> None:
    with pytest.raises(TypeError, match=r"^n=.* is of type .*: allowed is an int") as caught:
        cache.hot_keys(n)
    assert repr(n) in str(caught.value)
