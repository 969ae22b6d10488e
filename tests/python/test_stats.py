from __future__ import annotations

from dataclasses import FrozenInstanceError, asdict, fields

import numpy as np
import pytest
from clocked import ClockedCache

from vcache import Health, Stats
from vcache.stats import TierHealth

FIELDS = [
    "hits",
    "misses",
    "hit_rate",
    "memory_hit_rate",
    "redis_hit_rate",
    "coalesced",
    "mismatch",
    "pinned_bytes",
    "memory_hits",
    "redis_hits",
    "source_calls",
    "requests",
    "evictions",
    "expired",
    "declined",
    "errors",
    "skipped",
    "entries",
    "memory_bytes",
    "memory_limit",
    "stale_served",
    "cost_saved",
    "seconds_saved",
    "latency",
    "groups",
    "policy",
    "model",
    "redis",
    "access_log",
]


def test_fields_are_those_of_the_contract() -> None:
    assert [field.name for field in fields(Stats)] == FIELDS


def test_counts_add_up(cache: ClockedCache) -> None:
    cache.set("a", 1, cost=0.5)
    cache.set("g:b", np.zeros(3, "f4"))
    cache.get("a")
    cache.mget(["a", "g:b", "no", "no"])
    cache.get_vectors(["g:b", "a", "no"])
    stats = cache.stats()
    assert (stats.memory_hits, stats.redis_hits, stats.hits, stats.misses) == (4, 0, 4, 4)
    assert stats.requests == stats.hits + stats.misses == 8
    assert stats.hit_rate == stats.memory_hit_rate == 0.5
    assert stats.mismatch == 1
    assert stats.cost_saved == pytest.approx(1.0)
    assert stats.entries == 2
    assert 0 < stats.memory_bytes <= stats.memory_limit
    assert stats.groups["g"] == {"memory_hits": 2, "redis_hits": 0, "misses": 0}
    assert stats.groups["-"] == {"memory_hits": 2, "redis_hits": 0, "misses": 4}
    assert stats.policy["active"] == "s3fifo"
    assert (stats.model, stats.redis, stats.stale_served) == (None, None, 0)


def test_dict_has_rates_as_text(cache: ClockedCache) -> None:
    cache.set("a", 1)
    assert cache.get_stats()["hit_rate"] == "0.00%"
    cache.mget(["a", "a", "a", "a", "b"])
    numbers = cache.get_stats()
    assert numbers["hit_rate"] == numbers["memory_hit_rate"] == "80.00%"
    assert numbers["redis_hit_rate"] == "0.00%"
    assert numbers["requests"] == 5
    assert numbers.keys() == asdict(cache.stats()).keys()


def test_records_cannot_be_changed(cache: ClockedCache) -> None:
    with pytest.raises(FrozenInstanceError):
        cache.stats().hits = 1  # type: ignore[misc]


def test_health_is_that_of_all_tiers_there_are(cache: ClockedCache) -> None:
    assert cache.healthy()
    assert cache.healthy().redis is None
    good, bad = TierHealth(ok=True, seconds=0.1), TierHealth(ok=False, seconds=0.2, error="down")
    assert Health(memory=good, redis=good).ok
    assert not Health(memory=good, redis=bad)
    assert not Health(memory=bad, redis=None)
    with ClockedCache(memory=0) as without:
        assert without.healthy().memory is None
