"""Which values enter memory, over a real Redis."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from redis_figures import coherence
from redis_server import RedisServer
from sync_points import in_threads

from vcache import Cache
from vcache.options import SmallOrHot

MakeCache = Callable[..., Cache]
Eventually = Callable[[Callable[[], object]], None]

SMALL = np.arange(4, dtype="f4")
LARGE = np.arange(64, dtype="f4")
RULE = SmallOrHot(bytes=SMALL.nbytes, hits=5)


def is_linked(cache: Cache) -> bool:
    cache.get("not there")
    return coherence(cache) == "tracking"


@pytest.fixture
def linked(make_cache: MakeCache, eventually: Eventually) -> MakeCache:
    """Makes a cache that is told of changes by now."""

    def make(**arguments: Any) -> Cache:
        cache = make_cache(**arguments)
        eventually(lambda: is_linked(cache))
        return cache

    return make


@pytest.fixture
def after_set(make_cache: MakeCache, linked: MakeCache) -> Callable[..., Cache]:
    """Makes a cache that has nothing in memory, over a Redis that has the values."""

    def make(values: dict[str, Any], **arguments: Any) -> Cache:
        make_cache().mset(values)
        return linked(**arguments)

    return make


def tiers(cache: Cache, key: str, count: int) -> list[str | None]:
    """Where the next `count` look-ups find the key."""
    return [cache.lookup(key).tier for _ in range(count)]


@pytest.mark.parametrize("threshold", [1, 2, 3, 255])
def test_a_value_enters_memory_at_its_nth_hit(
    after_set: Callable[..., Cache], threshold: int
) -> None:
    cache = after_set({"k": LARGE, "other": 1}, promotion_threshold=threshold)
    assert tiers(cache, "k", threshold + 1) == ["redis"] * threshold + ["memory"]
    np.testing.assert_array_equal(cache.get("k"), LARGE)
    stats = cache.stats()
    assert (stats.redis_hits, stats.memory_hits) == (threshold, 2)
    assert stats.declined == threshold - 1
    assert stats.entries == 1


def test_what_is_set_enters_memory_at_once(linked: MakeCache) -> None:
    cache = linked(promotion_threshold=3)
    cache.set("k", 1)
    cache.mset({"a": 1})
    cache.set_vectors(["v"], SMALL[None])
    assert [cache.lookup(key).tier for key in ("k", "a", "v")] == ["memory"] * 3
    assert cache.stats().declined == 0


def test_each_occurrence_in_a_batch_is_a_hit(after_set: Callable[..., Cache]) -> None:
    values = {"a": SMALL, "b": SMALL + 1, "c": SMALL + 2}
    cache = after_set(values, promotion_threshold=3)
    got = cache.mget(["a", "b", "a", "not there", "a", "c", "c"])
    assert got[3] is None
    np.testing.assert_array_equal(got[4], values["a"])
    np.testing.assert_array_equal(got[5], values["c"])
    assert [tiers(cache, key, 2) for key in ("a", "b", "c")] == [
        ["memory", "memory"],
        ["redis", "redis"],  # its second and third
        ["redis", "memory"],
    ]
    assert cache.lookup("b").tier == "memory"


def test_rows_that_stay_out_of_memory_are_whole(after_set: Callable[..., Cache]) -> None:
    values = {f"v{i}": SMALL + i for i in range(100)}
    cache = after_set(values, promotion_threshold=3)
    keys = [*values, "v0", "v0", "not there"]
    want = np.stack([*values.values(), SMALL, SMALL, np.zeros(4, "f4")])
    for entries in (1, 1, 100):  # v0 has three hits at once
        rows, found = cache.get_vectors(keys, dim=4)
        np.testing.assert_array_equal(rows, want)
        assert found.tolist() == [True] * 102 + [False]
        assert cache.stats().entries == entries


def test_hits_of_all_threads_count(after_set: Callable[..., Cache]) -> None:
    cache = after_set({"k": LARGE}, promotion_threshold=40)

    def read() -> None:
        for _ in range(10):
            np.testing.assert_array_equal(cache.get("k"), LARGE)

    assert in_threads(*[read] * 3) == [None] * 3
    assert cache.stats().entries == 0
    assert tiers(cache, "k", 11) == ["redis"] * 10 + ["memory"]


def test_small_values_enter_memory_and_large_ones_once_they_are_hot(
    after_set: Callable[..., Cache],
) -> None:
    cache = after_set({"small": SMALL, "large": LARGE}, admit=RULE)
    assert tiers(cache, "small", 2) == ["redis", "memory"]
    assert tiers(cache, "large", 7) == ["redis"] * 6 + ["memory"]
    cache.set("large", LARGE + 1)  # hot by now
    assert cache.lookup("large").tier == "memory"
    np.testing.assert_array_equal(cache.get("large"), LARGE + 1)


@pytest.mark.parametrize("call", ["set", "mset", "set_vectors", "get_or_set"])
def test_a_value_that_is_kept_out_leaves_no_older_copy(linked: MakeCache, call: str) -> None:
    cache = linked(admit=RULE)
    cache.set("k", SMALL)
    assert cache.lookup("k").tier == "memory"
    if call == "set":
        cache.set("k", LARGE)
    elif call == "mset":
        cache.mset({"a": 1, "k": LARGE})
    elif call == "set_vectors":
        cache.set_vectors(["k"], LARGE[None])
    else:
        cache.delete("k")
        np.testing.assert_array_equal(cache.get_or_set("k", lambda: LARGE), LARGE)
    seen = cache.lookup("k")
    assert seen.tier == "redis"
    np.testing.assert_array_equal(seen.value, LARGE)
    assert cache.stats().declined == 2  # as it was written, and as it was read


def test_what_is_written_elsewhere_is_read_at_once_though_it_stays_out(
    make_cache: MakeCache, linked: MakeCache, eventually: Eventually
) -> None:
    cache, other = linked(admit=RULE, promotion_threshold=2), make_cache()
    cache.set("k", SMALL)
    other.set("k", LARGE)
    eventually(lambda: np.array_equal(cache.get("k"), LARGE))
    assert cache.lookup("k").tier == "redis"


def test_the_environment_and_a_pickle_say_the_same(
    monkeypatch: pytest.MonkeyPatch,
    redis_server: RedisServer,
    tmp_path: Path,
    eventually: Eventually,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_URL", redis_server.url)
    monkeypatch.setenv("VCACHE_TIMEOUT", "5s")
    monkeypatch.setenv("VCACHE_PROMOTION_THRESHOLD", "2")
    monkeypatch.setenv("VCACHE_ADMIT_BYTES", str(SMALL.nbytes))
    monkeypatch.setenv("VCACHE_ADMIT_HITS", "3")
    with Cache.from_env() as made:
        pickled = pickle.dumps(made)
    for open_cache in (Cache.from_env, partial(pickle.loads, pickled)):
        with open_cache() as cache:
            eventually(partial(is_linked, cache))
            cache.mset({"small": SMALL, "large": LARGE})
            assert cache.lookup("small").tier == "memory"
            assert tiers(cache, "large", 5) == ["redis"] * 4 + ["memory"]
