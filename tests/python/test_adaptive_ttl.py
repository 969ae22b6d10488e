"""Times to live by the use of keys."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clocked import ClockedCache

from vcache import Cache
from vcache.errors import ConfigError
from vcache.options import AdaptiveTTL

DAY = 86400.0


def adaptive(**options: Any) -> ClockedCache:
    return ClockedCache(adaptive_ttl=AdaptiveTTL(**options))


def left(cache: Cache, times: int = 1, key: str = "k") -> float:
    """Seconds to live after so many reads."""
    found = [cache.lookup(key) for _ in range(times)]
    assert found[-1].ttl is not None
    return round(found[-1].ttl, 3)


def test_off_unless_asked_for() -> None:
    for given in (None, False):
        with ClockedCache(adaptive_ttl=given) as cache:
            cache.set("k", 1)
            assert left(cache, 200) == 300


def test_the_read_that_reaches_a_threshold_lengthens_the_time() -> None:
    with adaptive() as cache:
        cache.set("k", 1)
        assert left(cache, 1) == left(cache, 3) == 20
        assert left(cache, 1) == 45
        cache.clock.advance(10)
        assert left(cache, 45) == 35
        assert left(cache, 1) == 120
        assert left(cache, 500) == 120


def test_a_key_that_is_set_again_has_the_time_of_its_use() -> None:
    with adaptive() as cache:
        cache.set("k", 1)
        assert left(cache, 10) == 45
        cache.set("k", 2)
        assert left(cache, 1) == left(cache, 39) == 45
        cache.set("k", np.ones(4, "f4"))
        assert left(cache, 1) == 120


def test_reads_are_remembered_when_the_entry_is_gone() -> None:
    with adaptive() as cache:
        cache.set("k", 1)
        assert left(cache, 30) == 45
        cache.delete("k")
        cache.set("k", 1)
        assert left(cache, 30) == 120
        cache.clock.advance(121)
        assert cache.get("k") is None
        cache.set("k", 1)
        assert left(cache) == 120
        cache.set("other", 1)
        assert left(cache, 1, "other") == 20


def test_reads_are_forgotten_after_two_days() -> None:
    with adaptive() as cache:
        cache.set("k", 1)
        left(cache, 60)
        cache.delete("k")
        cache.clock.advance(2 * DAY)
        cache.set("k", 1)
        assert left(cache) == 20


def test_reads_of_the_day_before_fade() -> None:
    with adaptive(cold_hits=10) as cache:
        cache.clock.advance(DAY - 1e9 % DAY)  # to where a day begins
        cache.set("k", 1)
        left(cache, 100)
        times = []
        for _ in range(9):
            cache.clock.advance(DAY / 4)
            cache.set("k", 1)
            times.append(left(cache))
        assert times == sorted(times, reverse=True)
        assert times[:4] == [120] * 4
        assert times[-1] == 20
        assert 45 in times


@pytest.mark.parametrize("way", ["get", "mget", "get_vectors", "get_or_set"])
def test_all_ways_of_reading_count(way: str) -> None:
    with adaptive(cold_hits=2) as cache:
        cache.set("k", np.ones(2, "f4"))
        reads: dict[str, Callable[[], object]] = {
            "get": lambda: cache.get("k"),
            "mget": lambda: cache.mget(["k"]),
            "get_vectors": lambda: cache.get_vectors(["k"]),
            "get_or_set": lambda: cache.get_or_set("k", lambda: 1),
        }
        reads[way]()
        assert left(cache) == 45


def test_what_only_looks_does_not_count() -> None:
    with adaptive(cold_hits=2) as cache:
        cache.set("k", 1)
        cache.exists("k")
        cache.mexists(["k"])
        cache.hot_keys()
        assert left(cache) == 20


def test_all_ways_of_setting_have_it() -> None:
    with adaptive() as cache:
        cache.mset({"a": 1})
        cache.set_vectors(["b"], np.ones((1, 3), "f4"))
        cache.get_or_set("c", lambda: 1)
        cache.set("d", 1, tags=["t"], metadata={"m": 1}, cost=2.0)
        cache.get_or_set("e", lambda: 1, tags=["t"])
        for key in "abcde":
            assert left(cache, 4, key) == 20
            assert left(cache, 1, key) == 45
        assert cache.lookup("d").metadata == {"m": 1}
        assert cache.stats().cost_saved == 2.0 * 6
        cache.invalidate_tags("t")
        assert cache.mget(["d", "e"]) == [None, None]


def test_what_a_call_says_is_kept_to() -> None:
    with adaptive() as cache:
        cache.set("k", 1, memory_ttl=30)
        assert left(cache, 100) == 30
        cache.set("k", 1, ttl=10)
        assert left(cache, 100) == 10
        cache.set("k", 1, ttl=60, memory_ttl=None)
        assert left(cache) == 60


def test_memory_never_outlives_the_other_tier() -> None:
    with adaptive(ttl=40, warm_ttl=40, hot_ttl=40) as cache:
        cache.set("k", 1)
        cache.clock.advance(10)
        assert left(cache, 5) == 30
        cache.clock.advance(5)
        assert left(cache, 100) == 25


def test_a_touch_gives_the_time_of_the_use() -> None:
    with adaptive() as cache:
        cache.set("k", 1)
        assert left(cache, 10) == 45
        cache.clock.advance(30)
        cache.touch("k")
        assert left(cache) == 45
        cache.touch("k", 12)
        assert left(cache, 100) == 12
        cache.touch("k")
        assert left(cache) == 120


def test_the_time_is_only_lengthened() -> None:
    with adaptive(memory_ttl=5, hot_memory_ttl=1, cold_memory_ttl=20) as cache:
        cache.set("k", 1)
        assert left(cache, 100) == 20


def test_thresholds_may_be_zero() -> None:
    with adaptive(cold_hits=0, hot_hits=0) as cache:
        cache.set("k", 1)
        assert left(cache) == 120


def test_a_restored_entry_ends_when_it_would_have(tmp_path: Path) -> None:
    key, path = "twelve bytes", tmp_path / "memory.snapshot"
    with adaptive() as cache:
        cache.set(key, np.array([1e300, 0.0]))  # whose bits, as a time, are one far away
        left(cache, 2, key)
        cache.snapshot(path)
    with adaptive() as cache:
        assert cache.restore(path).entries == 1
        assert left(cache, 60, key) == 20
        assert cache.hot_keys() == [(key, 62)]
        cache.delete(key)
        cache.set(key, 1)
        assert left(cache, 1, key) == 120


def test_hits_in_another_process_are_not_of_this_day(tmp_path: Path) -> None:
    path = tmp_path / "memory.snapshot"
    with adaptive() as cache:
        cache.set("k", 1)
        left(cache, 100)
        cache.snapshot(path)
    with adaptive() as cache:
        cache.restore(path)
        cache.set("k", 1)
        assert left(cache, 4) == 20
        assert left(cache, 1) == 45


def test_jitter_shortens_it() -> None:
    with ClockedCache(adaptive_ttl=True, jitter=0.5) as cache:
        cache.mset({f"k{number}": number for number in range(200)})
        times = {left(cache, 1, f"k{number}") for number in range(200)}
        assert all(10 <= time <= 20 for time in times)
        assert len(times) > 100


@pytest.mark.parametrize("policy", ["s3fifo", "learned"])
def test_a_full_cache_keeps_to_its_budget(policy: Any) -> None:
    with ClockedCache(adaptive_ttl=True, memory="1MiB", policy=policy) as cache:
        for number in range(4000):
            cache.set(f"k{number}", np.zeros(100, "f4"))
            assert left(cache, 6, f"k{number}") == 45
        stats = cache.stats()
        assert stats.evictions > 0
        assert stats.memory_bytes <= stats.memory_limit


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("memory_ttl", 0),
        ("hot_memory_ttl", None),
        ("cold_memory_ttl", "soon"),
        ("ttl", -1),
        ("warm_ttl", "11y"),
        ("hot_ttl", True),
        ("hot_hits", -1),
        ("hot_hits", 65535),
        ("cold_hits", 1.0),
        ("cold_hits", True),
        ("cold_hits", 51),
        ("warm_reads", 101),
        ("hot_reads", "100"),
    ],
)
def test_a_bad_option(option: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=rf"^{option}=.*allowed") as caught:
        AdaptiveTTL(**{option: value})
    assert str(value) in str(caught.value)


@pytest.mark.parametrize("given", ["true", 1, AdaptiveTTL, {"hot_hits": 3}])
def test_a_bad_argument(given: Any) -> None:
    with pytest.raises(ConfigError, match=r"^adaptive_ttl=.*: allowed are None, True"):
        Cache(adaptive_ttl=given)


def test_the_options_are_a_frozen_record_and_pickled() -> None:
    rule = AdaptiveTTL(hot_hits=100, ttl=None)
    with pytest.raises(FrozenInstanceError):
        rule.hot_hits = 1  # type: ignore[misc]
    assert AdaptiveTTL(hot_hits=100, ttl=None) == rule
    with Cache(adaptive_ttl=rule) as cache:
        pickled = pickle.dumps(cache)
    with pickle.loads(pickled) as copy:
        assert copy._config.adaptive_ttl == rule
