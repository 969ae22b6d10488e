"""warm(), refresh_hot() and prefetch() with Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from redis_server import RedisServer

from vcache import Cache
from vcache.options import AdaptiveTTL

MakeCache = Callable[..., Cache]
Eventually = Callable[[Callable[[], object]], None]


def values_of(keys: list[str]) -> dict[str, str]:
    return {key: f"value of {key}" for key in keys}


def in_memory(cache: Cache, key: str) -> bool:
    return cache.lookup(key).tier == "memory"


def test_warming_brings_into_memory_what_redis_has(make_cache: MakeCache) -> None:
    first, second = make_cache(), make_cache()
    first.mset({f"k{i}": i for i in range(600)})
    report = second.warm([f"k{i}" for i in range(601)]).wait(30)
    assert (report.present, report.absent, report.failed) == (600, 1, 0)
    assert second.stats().requests == 0
    assert in_memory(second, "k599")


def test_what_is_in_neither_tier_is_made_once_and_stored_in_both(make_cache: MakeCache) -> None:
    first, second = make_cache(), make_cache()
    calls: list[str] = []

    def factory(keys: list[str]) -> dict[str, str]:
        calls.extend(keys)
        return values_of(keys)

    keys = [f"k{i}" for i in range(300)]
    jobs = [cache.warm(keys, factory, batch_size=50) for cache in (first, second)]
    reports = [job.wait(60) for job in jobs]
    assert sorted(calls) == sorted(keys)
    assert [report.failed for report in reports] == [0, 0]
    assert make_cache().get("k299") == "value of k299"


def test_warming_goes_on_without_redis(make_cache: MakeCache, redis_server: RedisServer) -> None:
    cache = make_cache(timeout=0.5, connect_timeout=0.5)
    redis_server.stop()
    report = cache.warm([f"k{i}" for i in range(20)], values_of, batch_size=5).wait(30)
    assert (report.loaded, report.failed) == (20, 0)
    assert cache.get("k7") == "value of k7"


def test_awarm(make_cache: MakeCache) -> None:
    async def factory(keys: list[str]) -> dict[str, str]:
        return values_of(keys)

    cache = make_cache()
    report = asyncio.run(cache.awarm([f"k{i}" for i in range(10)], factory))
    assert report.loaded == 10
    assert make_cache().get("k9") == "value of k9"


def test_refreshed_values_reach_the_other_processes(
    make_cache: MakeCache, eventually: Eventually
) -> None:
    first, second = make_cache(), make_cache()
    first.set("hot", "old", ttl=4)
    first.get("hot")
    job = first.refresh_hot(3, 2, lambda keys: ["new" for _ in keys], ttl=100)
    eventually(lambda: second.get("hot") == "new")
    job.cancel()
    report = job.wait(10)
    assert report.refreshed >= 1
    assert report.failed == 0


def test_what_redis_has_for_longer_is_not_refreshed(
    make_cache: MakeCache, eventually: Eventually
) -> None:
    """Though memory is to drop it before the round after the next, by its use."""
    rule = AdaptiveTTL(memory_ttl=4, hot_memory_ttl=4, cold_memory_ttl=4)
    cache = make_cache(adaptive_ttl=rule)
    cache.set("kept", "old")
    job = cache.refresh_hot(3, 2, lambda keys: ["new" for _ in keys])
    eventually(lambda: cache.get("kept") and job.progress.looked_at >= 2)
    job.cancel()
    assert job.wait(10).refreshed == 0
    assert cache.get("kept") == "old"


def test_prefetching_from_redis(make_cache: MakeCache, eventually: Eventually) -> None:
    first, second = make_cache(), make_cache()
    first.mset({"doc": 0, "doc/1": 1, "doc/2": 2})
    job = second.prefetch(lambda key: [f"{key}/{i}" for i in (1, 2, 3)], learn=False)
    assert second.get("doc") == 0
    eventually(lambda: job.progress.prefetched == 2)
    assert in_memory(second, "doc/2")
    eventually(lambda: job.progress.used == 1)
    job.cancel()
    assert job.wait(10).absent >= 1


def test_prefetching_goes_on_once_redis_is_back(
    make_cache: MakeCache, redis_server: RedisServer, eventually: Eventually
) -> None:
    cache = make_cache(timeout=0.5, connect_timeout=0.5)
    job = cache.prefetch(lambda key: [f"{key}+"], learn=False)
    redis_server.stop()
    cache.get("a")
    eventually(lambda: job.progress.absent >= 1)
    redis_server.start()
    eventually(lambda: cache.healthy().redis is not None and cache.healthy().redis.ok)  # type: ignore[union-attr]
    make_cache().set("b+", 1)
    cache.get("b")
    eventually(lambda: job.progress.prefetched == 1)
    job.cancel()
