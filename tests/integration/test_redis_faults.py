"""A cache over a Redis that is absent, killed, frozen, or comes back."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from redis_figures import unanswered
from redis_server import RedisServer

from vcache import MISSING, Cache
from vcache.errors import RedisError, RedisTimeout, VcacheError

MakeCache = Callable[..., Cache]
Eventually = Callable[[Callable[[], object]], None]
VECTOR = np.arange(4, dtype="f4")


def use_everything(cache: Cache, tag: str) -> None:
    """Every operation; none may raise, and what is found must be what was written."""
    cache.set(f"{tag}:set", VECTOR)
    assert same_or_missing(cache.get(f"{tag}:set", MISSING))
    cache.mset({f"{tag}:m{index}": VECTOR for index in range(3)})
    assert all(map(same_or_missing, cache.mget([f"{tag}:m{i}" for i in range(4)], MISSING)))
    cache.set_vectors([f"{tag}:v0", f"{tag}:v1"], np.stack([VECTOR, VECTOR]))
    matrix, found = cache.get_vectors([f"{tag}:v0", f"{tag}:v1", f"{tag}:no"], dim=4)
    assert not found[2]
    assert all(
        np.array_equal(row, VECTOR if hit else VECTOR * 0)
        for row, hit in zip(matrix, found, strict=True)
    )
    assert cache.get_or_set(f"{tag}:made", lambda: [1, 2]) == [1, 2]
    assert cache.get_or_set_many([f"{tag}:a", f"{tag}:b"], lambda keys: keys) == [
        f"{tag}:a",
        f"{tag}:b",
    ]
    assert same_or_missing(cache.lookup(f"{tag}:set").value)
    cache.exists(f"{tag}:set")
    cache.touch(f"{tag}:set", 60)
    cache.delete(f"{tag}:set")
    cache.mdelete([f"{tag}:m0"])
    stats = cache.stats()
    assert stats.hits + stats.misses == stats.requests


def same_or_missing(value: Any) -> bool:
    return value is MISSING or np.array_equal(value, VECTOR)


@pytest.mark.parametrize("memory", ["10MiB", 0])
def test_absent(memory: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        with Cache(redis=f"redis://127.0.0.1:{taken.getsockname()[1]}", memory=memory) as cache:
            use_everything(cache, "absent")
            assert unanswered(cache) > 0
            cache.clear()
            assert not cache.healthy()
            if memory:
                cache.set("k", 1)
                assert cache.get("k") == 1


@pytest.mark.parametrize("memory", ["10MiB", 0])
def test_killed_and_back(
    make_cache: MakeCache, redis_server: RedisServer, eventually: Eventually, memory: Any
) -> None:
    cache = make_cache(memory=memory)
    use_everything(cache, "before")
    cache.set("kept", VECTOR)
    assert unanswered(cache) == 0
    redis_server.stop()
    use_everything(cache, "down")
    assert unanswered(cache) > 0
    assert not cache.healthy()
    if memory:
        assert np.array_equal(cache.get("kept"), VECTOR)
    redis_server.start()
    eventually(lambda: cache.healthy().ok)
    cache.set("after", VECTOR)
    assert make_cache(memory=0).get("after") is not None
    missed = unanswered(cache)
    use_everything(cache, "after")
    assert unanswered(cache) == missed


@pytest.mark.parametrize("memory", ["10MiB", 0])
def test_frozen(
    make_cache: MakeCache, redis_server: RedisServer, eventually: Eventually, memory: Any
) -> None:
    cache = make_cache(memory=memory, timeout=0.1)
    use_everything(cache, "before")
    redis_server.pause()
    try:
        started = time.monotonic()
        assert cache.get("no", MISSING) is MISSING
        assert time.monotonic() - started < 2.0, "the timeout did not end the call"
        use_everything(cache, "frozen")
        started = time.monotonic()
        for index in range(1000):
            cache.get(f"no:{index}")
        assert time.monotonic() - started < 10.0, "every call waited for a server that is frozen"
        stats = cache.stats()
        assert stats.redis is not None
        assert stats.redis["breaker"] != "closed"
        assert unanswered(cache) > 500
    finally:
        redis_server.resume()
    eventually(lambda: cache.healthy().ok)
    use_everything(cache, "after")


def test_killed_while_threads_use_it(
    make_cache: MakeCache, redis_server: RedisServer, eventually: Eventually
) -> None:
    """What is found is always the value of its own key."""
    cache = make_cache(memory=0)
    stop, failures = threading.Event(), []

    def use(number: int) -> None:
        turn = 0
        try:
            while not stop.is_set():
                turn += 1
                keys = [f"{number}:{turn}:{i}" for i in range(8)]
                cache.mset({key: key for key in keys})
                values = cache.mget(keys, MISSING)
                assert all(v is MISSING or v == k for k, v in zip(keys, values, strict=True))
                assert cache.get(keys[0], keys[0]) == keys[0]
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(3):
            hits = cache.stats().redis_hits
            eventually(lambda hits=hits: cache.stats().redis_hits > hits + 200)  # type: ignore[misc]
            missed = unanswered(cache)
            redis_server.stop()
            eventually(lambda missed=missed: unanswered(cache) > missed)  # type: ignore[misc]
            redis_server.start()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failures == []


def test_coroutines_go_on_while_redis_is_frozen(
    make_cache: MakeCache, redis_server: RedisServer
) -> None:
    cache = make_cache(timeout=0.5)
    cache.set("kept", 1)
    redis_server.pause()

    async def main() -> None:
        slow = asyncio.create_task(cache.aget("no"))
        turns = 0
        while not slow.done():
            assert await cache.aget("kept") == 1
            await asyncio.sleep(0)
            turns += 1
        assert turns > 10
        assert await slow is None

    try:
        asyncio.run(main())
    finally:
        redis_server.resume()


def test_strict_raises(make_cache: MakeCache, redis_server: RedisServer) -> None:
    cache = make_cache(strict=True, memory=0, timeout=0.1)
    cache.set("k", 1)
    assert cache.get("k") == 1
    redis_server.pause()
    try:
        with pytest.raises(RedisTimeout):
            cache.get("k")
    finally:
        redis_server.resume()
    redis_server.stop()
    for call in (
        lambda: cache.set("k", 1),
        lambda: cache.mget(["k"]),
        lambda: cache.get_or_set("k", lambda: 1),
        lambda: cache.delete("k"),
        lambda: cache.clear(),
    ):
        with pytest.raises(RedisError) as caught:
            call()
        assert isinstance(caught.value, VcacheError)


def test_full_redis(make_cache: MakeCache, redis_server: RedisServer) -> None:
    cache = make_cache()
    with redis_server.client() as redis:
        redis.config_set("maxmemory", "1mb")
        redis.config_set("maxmemory-policy", "noeviction")
    for index in range(40):
        cache.set(f"k{index}", np.full(25_000, index, "f4"))
    assert cache.get("k39")[0] == 39
    assert unanswered(cache) > 0


def test_read_only_replica(make_cache: MakeCache, redis_server: RedisServer) -> None:
    cache = make_cache(memory=0)
    cache.set("k", 1)
    with redis_server.client() as redis:
        redis.replicaof("127.0.0.1", "1")
    cache.set("j", 2)
    assert cache.get("k", MISSING) in (1, MISSING)
    assert unanswered(cache) > 0
    with redis_server.client() as redis:
        redis.replicaof("NO", "ONE")


def test_close_during_use(make_cache: MakeCache, redis_server: RedisServer) -> None:
    cache = make_cache()
    redis_server.pause()
    started = threading.Event()
    results: list[Any] = []

    def read() -> None:
        started.set()
        results.append(cache.get("no", MISSING))

    thread = threading.Thread(target=read)
    thread.start()
    started.wait()
    cache.close()
    thread.join(10)
    redis_server.resume()
    assert results == [MISSING]
    use_everything(cache, "closed")
