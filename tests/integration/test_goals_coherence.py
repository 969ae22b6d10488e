"""R06 and R07: what other processes changed is seen."""

from __future__ import annotations

import itertools
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from chaos_proxy import ChaosProxy
from nightly import NIGHTLY
from polling import wait_until
from redis_server import RedisServer

from vcache import MISSING, Cache

MakeCache = Callable[..., Cache]


def tracked(cache: Cache) -> None:
    """Waits until a change by another is seen, so that the link is up."""
    cache.set("link", 0)
    other = Cache(redis=cache._arguments["redis"].reveal(), memory=0)
    turns = itertools.count(1)

    def seen() -> bool:
        turn = next(turns)
        other.set("link", turn)
        return cache.get("link") == turn

    wait_until(seen, what="the link")
    other.close()


WRITER = """
import sys, time
import vcache

cache = vcache.Cache(redis=sys.argv[1], timeout=2.0)
for turn in range(1, int(sys.argv[2]) + 1):
    if turn % 10 == 0:
        cache.delete("k")
    cache.set("k", turn)
    print(turn, time.monotonic(), flush=True)
    time.sleep(0.01)
"""


def test_r06_another_process_sees_changes_within_milliseconds(
    make_cache: MakeCache, redis_server: RedisServer
) -> None:
    """Each version is seen, or a later one; no read is older than its time allows."""
    turns = 2000 if NIGHTLY else 200
    reader = make_cache(timeout=2.0)
    tracked(reader)
    seen: list[tuple[float, int]] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            found = reader.get("k", MISSING)
            if found is not MISSING:
                seen.append((time.monotonic(), found))

    thread = threading.Thread(target=read)
    thread.start()
    command = [sys.executable, "-c", WRITER, redis_server.url, str(turns)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    wait_until(lambda: reader.get("k") == turns)
    done.set()
    thread.join()
    written = [(int(turn), float(at)) for turn, at in map(str.split, said.splitlines())]
    lags = lags_of(written, seen)
    assert reader.stats().memory_hits > turns
    assert max(lags) < (1.0 if NIGHTLY else 5.0)
    assert statistics.median(lags) < 0.05
    if NIGHTLY:
        assert statistics.quantiles(lags, n=100)[-1] < 0.05


def lags_of(written: list[tuple[int, float]], seen: list[tuple[float, int]]) -> list[float]:
    """For each version, how long after its write a read returned an older one."""
    lags, ends = [], dict.fromkeys((turn for turn, _ in written), 0.0)
    oldest_wanted = sorted(written)
    for at, version in seen:
        if version + 1 in ends:
            ends[version + 1] = at
    for turn, at in oldest_wanted:
        lags.append(max(ends[turn] - at, 0.0))
    return lags


def test_r06_own_changes_are_seen_at_once(make_cache: MakeCache) -> None:
    """By every thread of the process that made them, with memory and links at work."""
    cache, other = make_cache(timeout=2.0), make_cache(timeout=2.0)
    tracked(cache)
    for turn in range(500):
        key = f"k{turn % 7}"
        cache.set(key, turn)
        assert cache.get(key) == turn
        if turn % 3 == 0:
            other.get(key)
            assert cache.delete(key)
            assert cache.get(key, MISSING) is MISSING


def links_of(server: RedisServer) -> list[int]:
    """The connections that are pushed changes."""
    with server.client() as redis:
        return [int(c["id"]) for c in redis.client_list() if "t" in c["flags"]]


@pytest.mark.parametrize("fault", ["client kill", "black hole", "restart"])
def test_r07_copies_are_unverified_after_the_link_was_lost(
    redis_server: RedisServer, proxy: ChaosProxy, fault: str
) -> None:
    """What changed while it was down is not served as fresh three seconds later."""
    keys = [f"k{i}" for i in range(50)]
    with (
        Cache(redis=proxy.url, timeout=0.2, jitter=0.0) as reader,
        Cache(redis=redis_server.url, memory=0, timeout=2.0) as writer,
    ):
        writer.mset(dict.fromkeys(keys, "old"))
        tracked(reader)
        assert reader.mget(keys) == ["old"] * 50
        if fault == "client kill":
            for number in links_of(redis_server):
                redis_server.call("CLIENT", "KILL", "ID", number)
        elif fault == "black hole":
            proxy.set(black_hole=True)
        else:
            redis_server.restart()
        writer.mset(dict.fromkeys(keys, "new"))
        wait_until(lambda: not fresh_and_old(reader, keys), 6.0, "copies to be unverified")
        for _ in range(20):
            assert not fresh_and_old(reader, keys)
        proxy.heal()
        wait_until(lambda: reader.mget(keys) == ["new"] * 50)
        tracked(reader)


def fresh_and_old(cache: Cache, keys: list[str]) -> list[Any]:
    found = [cache.lookup(key) for key in keys]
    return [answer for answer in found if answer.value == "old" and not answer.stale]
