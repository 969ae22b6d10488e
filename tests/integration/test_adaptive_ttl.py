"""Times to live by the use of keys, in both tiers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from redis_server import RedisServer

from vcache import Cache
from vcache.options import AdaptiveTTL

MakeCache = Callable[..., Cache]
DAY = 86400


@pytest.fixture(params=["default", "least"])
def redis_user(request: pytest.FixtureRequest) -> str:
    """All of it as the user of cpp/l2/README.md too."""
    user: str = request.param
    return user


def days_left(redis_server: RedisServer, key: str = "k") -> int:
    return round(redis_server.call("PTTL", f"vcache:{key}") / 1000 / DAY)


def memory_left(cache: Cache, times: int = 1, key: str = "k") -> float:
    """Seconds to live in memory after so many reads."""
    found = [cache.lookup(key) for _ in range(times)]
    assert found[-1].ttl is not None
    return found[-1].ttl


@pytest.mark.parametrize(
    ("tags", "way"), [((), "set"), ((), "mset"), (("t",), "set"), (("t",), "mset")]
)
def test_redis_keeps_by_the_reads_of_a_day(
    make_cache: MakeCache, redis_server: RedisServer, tags: tuple[str, ...], way: str
) -> None:
    cache = make_cache(adaptive_ttl=True)

    def store() -> None:
        cache.set("k", 1, tags=tags) if way == "set" else cache.mset({"k": 1}, tags=tags)

    store()
    assert days_left(redis_server) == 30
    cache.mget(["k"] * 10)
    store()
    assert days_left(redis_server) == 30
    cache.get("k")
    store()
    assert days_left(redis_server) == 14
    cache.mget(["k"] * 90)
    store()
    assert days_left(redis_server) == 7
    cache.touch("k")
    assert days_left(redis_server) == 7
    cache.set("k", 1, ttl=3 * DAY)
    assert days_left(redis_server) == 3
    cache.set("k", 1, ttl=None)
    assert redis_server.call("PTTL", "vcache:k") == -1


def test_what_comes_from_redis_has_the_time_of_its_use(make_cache: MakeCache) -> None:
    writer, reader = make_cache(), make_cache(adaptive_ttl=AdaptiveTTL(cold_hits=3, hot_hits=5))
    writer.set("k", 1)
    first = reader.lookup("k")
    assert first.tier == "redis"
    assert first.ttl == pytest.approx(20, abs=3)
    assert memory_left(reader) == pytest.approx(20, abs=3)
    assert memory_left(reader) == pytest.approx(45, abs=3)
    assert memory_left(reader, 3) == pytest.approx(120, abs=3)
    writer.set("k", 2)
    again = reader.lookup("k")
    if again.tier == "redis":
        assert again.ttl == pytest.approx(120, abs=3)


def test_what_is_restored_has_the_time_of_its_use(make_cache: MakeCache, tmp_path: Path) -> None:
    path = tmp_path / "memory.snapshot"
    first = make_cache(adaptive_ttl=True)
    first.set("k", 1)
    first.snapshot(path)
    second = make_cache(adaptive_ttl=AdaptiveTTL(cold_hits=3, hot_hits=5))
    assert second.restore(path).confirmed == 1
    assert memory_left(second) == pytest.approx(20, abs=3)
    assert memory_left(second, 2) == pytest.approx(45, abs=3)


def test_memory_never_outlives_redis(make_cache: MakeCache) -> None:
    writer, reader = make_cache(), make_cache(adaptive_ttl=True)
    writer.set("k", 1, ttl=30)
    assert memory_left(reader, 4) == pytest.approx(20, abs=3)
    assert memory_left(reader, 100) == pytest.approx(30, abs=5)


def test_without_a_memory_tier_the_reads_count(
    make_cache: MakeCache, redis_server: RedisServer
) -> None:
    cache = make_cache(adaptive_ttl=True, memory=0)
    cache.set("k", 1)
    for _ in range(6):
        cache.get("k")
    cache.mget(["k"] * 5)
    cache.set("k", 1)
    assert days_left(redis_server) == 14


def test_rows_that_are_read_from_redis_count(
    make_cache: MakeCache, redis_server: RedisServer
) -> None:
    cache = make_cache(adaptive_ttl=True, memory=0)
    cache.set_vectors(["k"], np.ones((1, 8), "f4"))
    for _ in range(11):
        assert cache.get_vectors(["k"], dim=8)[1].all()
    cache.set_vectors(["k"], np.ones((1, 8), "f4"))
    assert days_left(redis_server) == 14


@pytest.mark.parametrize(("volatility", "days"), [("high", 1), ("medium", 7), ("low", 30)])
def test_redis_keeps_by_volatility(
    make_cache: MakeCache, redis_server: RedisServer, volatility: str, days: int
) -> None:
    for adaptive in (None, True):
        cache = make_cache(adaptive_ttl=adaptive)
        cache.set("a", 1, volatility=volatility)  # type: ignore[arg-type]
        cache.get_or_set("b", lambda: 1, volatility=volatility)  # type: ignore[arg-type]
        assert days_left(redis_server, "a") == days_left(redis_server, "b") == days
        cache.mdelete(["a", "b"])
