"""What memory serves while Redis is known to give no answer, and that an answer ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import numpy as np
import pytest
from polling import wait_until
from redis_figures import breaker, coherence, error_kinds
from redis_server import RedisServer

from vcache import MISSING, Cache

MakeCache = Callable[..., Cache]
VECTOR = np.arange(8, dtype="f4")


@pytest.fixture
def silent(make_cache: MakeCache, redis_server: RedisServer) -> Cache:
    """A cache that read its values before its server was killed, and knows that it was."""
    cache, writer = make_cache(timeout=0.2), make_cache()
    writer.mset({"k": 1, "v": VECTOR})

    def is_linked() -> bool:
        return cache.mget(["k", "v"])[0] == 1 and coherence(cache) == "tracking"

    wait_until(is_linked)
    wait_until(lambda: cache.get("k") == 1 and cache.lookup("v").tier == "memory")
    redis_server.kill()
    fall_silent(cache)
    return cache


def fall_silent(cache: Cache) -> None:
    wait_until(lambda: cache.get("none") is None and breaker(cache) == "open")
    wait_until(lambda: coherence(cache) == "down")


def test_reads_are_stale_hits_that_ask_nobody(silent: Cache) -> None:
    before, errors = silent.stats(), error_kinds(silent)
    for _ in range(100):  # some of them are timed
        assert silent.get("k") == 1
    assert silent.mget(["k", "k"]) == [1, 1]
    matrix, found = silent.get_vectors(["v"])
    assert found.all()
    assert np.array_equal(matrix, VECTOR[None])
    seen = silent.lookup("k")
    assert (seen.value, seen.tier, seen.stale) == (1, "memory", True)
    after = silent.stats()
    assert after.memory_hits - before.memory_hits == 104
    assert after.stale_served - before.stale_served == 104
    assert after.skipped - before.skipped == 104
    assert (after.misses, after.redis_hits) == (before.misses, before.redis_hits)
    assert error_kinds(silent) == errors


def test_reads_that_want_it_fresh_get_nothing(silent: Cache) -> None:
    assert silent._fresh_get("k", MISSING) is MISSING
    assert silent._tiers.mget(["k", "v"], MISSING, True) == [MISSING, MISSING]
    assert silent.get_or_set("k", lambda: 2) == 2
    assert silent.get("k") == 2
    assert silent.get_or_set_many(["k", "new"], lambda keys: [3] * len(keys)) == [2, 3]


def test_own_changes_are_seen_at_once(silent: Cache) -> None:
    silent.set("k", 2)
    assert (silent.get("k"), silent.lookup("k").stale) == (2, True)
    assert silent.touch("k", 100)
    assert silent.get("k") == 2
    silent.delete("k")
    assert silent.mget(["k"]) == [None]
    silent.set("k", 3)
    assert silent.mget(["k"]) == [3]
    silent.clear()
    assert silent.get("k") is None
    assert not silent.get_vectors(["v"])[1].any()


def test_waiting_values_that_left_memory_are_seen(
    make_cache: MakeCache, redis_server: RedisServer
) -> None:
    cache = make_cache(memory="1MiB", max_entries=10, timeout=0.2)
    cache.set("k", 1)
    redis_server.kill()
    fall_silent(cache)
    items = {f"k{index}": index for index in range(50)}
    cache.mset(items)
    assert cache.stats().evictions >= 40
    assert {key: cache.get(key) for key in items} == items
    assert cache.mget(list(items)) == list(items.values())


def test_whoever_got_an_answer_gets_no_older_value(
    silent: Cache, redis_server: RedisServer, make_cache: MakeCache
) -> None:
    redis_server.start()
    other = make_cache()
    wait_until(lambda: other.healthy().redis)
    other.set("k", 2)
    other.set("sign", 1)
    wait_until(lambda: silent.get("sign") == 1)
    assert silent.get("k") == 2
    assert not silent.lookup("k").stale
    assert silent.get("v") is None, "it was kept in memory only"


def test_coroutines_are_served_on_the_thread_of_their_loop(
    silent: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        pytest.fail("was sent to another thread")

    async def read() -> None:
        assert await silent.aget("k") == 1
        assert await silent.amget(["k", "k"]) == [1, 1]
        assert (await silent.alookup("k")).stale
        assert (await silent.aget_vectors(["v"]))[1].all()

    before = silent.stats().stale_served
    monkeypatch.setattr(silent._on_loop, "core", refuse)
    monkeypatch.setattr(silent._turns, "get", refuse)
    asyncio.run(read())
    assert silent.stats().stale_served == before + 5


def test_coroutines_that_want_it_fresh_get_nothing(silent: Cache) -> None:
    async def read() -> None:
        assert await silent._afresh_get("k", MISSING) is MISSING
        assert await silent._amget(["k"], MISSING, fresh=True) == [MISSING]
        assert await silent.aget_or_set("k", lambda: 2) == 2

    before = silent.stats().stale_served
    asyncio.run(read())
    assert silent.stats().stale_served == before
