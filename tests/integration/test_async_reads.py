"""Coroutines that wait for Redis share round trips."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from redis_figures import coherence
from redis_server import RedisServer

from vcache import Cache
from vcache.errors import RedisError

Eventually = Callable[[Callable[[], object]], None]
MakeCache = Callable[..., Cache]

KEYS = [f"k:{number}" for number in range(64)]


def _mgets(server: RedisServer) -> int:
    """MGET commands that the server has had."""
    statistics: dict[str, Any] = server.client().info("commandstats")
    return int(statistics.get("cmdstat_mget", {"calls": 0})["calls"])


@pytest.mark.parametrize("memory", ["10MiB", 0])
def test_reads_of_one_turn_share_a_round_trip(
    make_cache: MakeCache, redis_server: RedisServer, eventually: Eventually, memory: Any
) -> None:
    with make_cache() as writer:
        writer.mset({key: number for number, key in enumerate(KEYS)})
    cache = make_cache(memory=memory)
    cache.get("other")
    if memory:  # its link learns the namespace's state by itself
        eventually(lambda: coherence(cache) == "tracking")

    async def read() -> list[Any]:
        return await asyncio.gather(*[cache.aget(key, "none") for key in [*KEYS, "no", KEYS[0]]])

    before = _mgets(redis_server)
    assert asyncio.run(read()) == [*range(64), "none", 0]
    assert _mgets(redis_server) - before <= 3  # of at most 32 keys; 64 when each goes alone
    stats = cache.stats()
    assert (stats.redis_hits + stats.memory_hits, stats.misses, stats.requests) == (65, 2, 67)


def test_rows_are_read_into_the_array_of_the_caller(make_cache: MakeCache) -> None:
    rows = np.arange(8, dtype=np.float32).reshape(2, 4)
    make_cache().set_vectors(["a", "b"], rows)

    async def read(**arguments: Any) -> Any:
        return await make_cache().aget_vectors(["a", "none", "b"], **arguments)

    out = np.full((3, 4), -1, np.float32)
    matrix, found = asyncio.run(read(out=out))
    assert matrix is out
    assert found.tolist() == [True, False, True]
    assert np.array_equal(out, [rows[0], np.zeros(4), rows[1]])
    fixed = out.copy()
    fixed.flags.writeable = False
    for bad in (
        out[:2],
        out[:, :3],
        np.zeros((6, 4), np.float32)[::2],
        fixed,
        out.astype("f8"),
        [],
    ):
        with pytest.raises((ValueError, TypeError), match="out="):
            asyncio.run(read(out=bad))


def test_who_is_cancelled_has_his_array_back(
    make_cache: MakeCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_cache().set_vectors(["a", "b"], np.ones((2, 4), np.float32))
    cache = make_cache()
    reading, release, done = threading.Event(), threading.Event(), threading.Event()
    read = cache.get_vectors

    def held(*args: Any, **named: Any) -> Any:
        reading.set()
        assert release.wait(20)
        try:
            return read(*args, **named)
        finally:
            done.set()

    monkeypatch.setattr(cache, "get_vectors", held)

    async def leave(out: Any) -> None:
        task = asyncio.create_task(cache.aget_vectors(["a", "b"], out=out))
        await asyncio.to_thread(reading.wait, 20)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        release.set()
        assert await asyncio.to_thread(done.wait, 20)

    out = np.zeros((2, 4), np.float32)
    asyncio.run(leave(out))
    assert not out.any()


def test_one_reader_that_leaves_takes_nothing_from_the_others(make_cache: MakeCache) -> None:
    make_cache().mset({key: number for number, key in enumerate(KEYS)})
    cache = make_cache()

    async def read() -> list[Any]:
        tasks = [asyncio.create_task(cache.aget(key)) for key in KEYS]
        await asyncio.sleep(0)  # all of them have asked
        tasks[0].cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    first, *others = asyncio.run(read())
    assert isinstance(first, asyncio.CancelledError)
    assert others == list(range(1, 64))


def test_each_loop_gets_its_own(make_cache: MakeCache) -> None:
    make_cache().mset({key: number for number, key in enumerate(KEYS)})
    cache = make_cache(memory=0)
    results: list[Any] = [None] * 4

    def work(place: int) -> None:
        async def read() -> list[Any]:
            return await asyncio.gather(*[cache.aget(key) for key in KEYS])

        results[place] = [asyncio.run(read()) for _ in range(5)]

    threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [[list(range(64))] * 5] * 4


def test_strict_readers_all_learn_of_a_failure(
    make_cache: MakeCache, redis_server: RedisServer
) -> None:
    cache = make_cache(strict=True, memory=0)
    redis_server.stop()

    async def read() -> list[Any]:
        return await asyncio.gather(*[cache.aget(key) for key in KEYS[:3]], return_exceptions=True)

    assert all(isinstance(outcome, RedisError) for outcome in asyncio.run(read()))
