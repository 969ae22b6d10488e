"""R19 to R21 and R33: after an outage, after a flush, and over a long time."""

from __future__ import annotations

import inspect
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable

import pytest
from alone import run_alone
from chaos_proxy import ChaosProxy
from load_faults import Faults
from load_generator import Generator, Load
from load_report import process_figures
from nightly import NIGHTLY
from polling import wait_until
from redis_server import RedisServer

from vcache import MISSING, Cache

MakeCache = Callable[..., Cache]
HAS_LEASES = "lease" in inspect.signature(Cache).parameters


def keeps_writes(cache: Cache) -> bool:
    """Whether this build keeps the writes that Redis did not take."""
    redis = cache.stats().redis
    return redis is not None and "recovered" in redis


@pytest.mark.parametrize(
    ("outage", "memory"),
    [("refuse", "64MiB"), ("black_hole", "64MiB"), ("restart", "64MiB"), ("refuse", "1MiB")],
)
def test_r19_older_values_never_replace_what_was_written_while_redis_was_away(
    redis_server: RedisServer, outage: str, memory: str
) -> None:
    """The newest of two writes of a key is there later; where there was too little room to keep
    it, nothing is.
    """
    count = 10_000 if NIGHTLY else 2_000
    keys = [f"k{i}" for i in range(count)]
    with (
        ChaosProxy(redis_server.port) as proxy,
        Cache(redis=proxy.url, memory=memory, timeout=0.2, jitter=0.0) as cache,
    ):
        if not keeps_writes(cache):
            pytest.skip("this build keeps no writes for later")
        cache.mset({key: [key, 1] for key in keys})
        if outage == "restart":
            redis_server.kill()
        else:
            proxy.set(**{outage: True})
        cache.mset({key: [key, 2] for key in keys})
        cache.mset({key: [key, 3] for key in keys[::2]})
        cache.mdelete(keys[::5])
        wanted: dict[str, object] = {
            key: [key, 3 - index % 2] for index, key in enumerate(keys) if index % 5
        }
        if outage == "restart":
            redis_server.start()
        else:
            assert proxy.heal()[outage] > 0
        wait_until(cache.healthy)
        for _ in range(3):
            assert outdated(cache, keys, wanted) == []
        with Cache(redis=redis_server.url, memory=0, timeout=2.0) as other:
            wait_until(lambda: outdated(other, keys, wanted) == [])
            if memory == "64MiB":
                wait_until(lambda: other.mget(list(wanted)) == list(wanted.values()))


def outdated(cache: Cache, keys: list[str], wanted: dict[str, object]) -> list[tuple[str, object]]:
    """What is found and is not the newest."""
    return [
        (key, value)
        for key, value in zip(keys, cache.mget(keys, MISSING), strict=True)
        if value is not MISSING and value != wanted.get(key)
    ]


def test_r20_one_computation_by_many_threads(make_cache: MakeCache) -> None:
    """64 threads miss one key; one that raises is asked again, once at a time."""
    cache = make_cache(timeout=2.0)
    calls: Counter[str] = Counter()
    start = threading.Barrier(64)
    results = []

    def make() -> str:
        calls["made"] += 1
        threading.Event().wait(0.05)
        return "value"

    def ask() -> None:
        start.wait()
        results.append(cache.get_or_set("k", make))

    threads = [threading.Thread(target=ask) for _ in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == ["value"] * 64
    assert calls["made"] == 1


PROCESSES = """
import multiprocessing, sys, threading, time
import redis, vcache

URL, PORT = sys.argv[1], int(sys.argv[2])

def serve(number):
    cache = vcache.Cache(redis=URL, timeout=2.0)
    counter = redis.Redis(port=PORT)

    def make():
        counter.incr("made")
        time.sleep(0.3)
        return "value"

    counter.incr("ready")
    while int(counter.get("ready")) < 4:
        time.sleep(0.002)
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(cache.get_or_set("k", make)))
        for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    cache.close()
    return results == ["value"] * 16

if __name__ == "__main__":
    with multiprocessing.get_context("spawn" if sys.argv[0] != "-c" else "fork").Pool(4) as pool:
        print(all(pool.map(serve, range(4), chunksize=1)))
"""


@pytest.mark.skipif(not HAS_LEASES, reason="this build has no leases")
def test_r20_one_computation_by_many_processes(redis_server: RedisServer) -> None:
    """4 processes of 16 threads each miss one key."""
    assert run_alone(PROCESSES, redis_server.url, str(redis_server.port)) == "True"
    assert redis_server.call("GET", "made") == b"1"


HOLDER = """
import sys, time
import vcache

cache = vcache.Cache(redis=sys.argv[1], lease=1.0, timeout=2.0)

def make():
    print("holding", flush=True)
    time.sleep(100)

cache.get_or_set("k", make)
"""


@pytest.mark.skipif(not HAS_LEASES, reason="this build has no leases")
def test_r20_a_killed_holder_of_a_lease_is_replaced(redis_server: RedisServer) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, redis_server.url], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline().strip() == "holding"
        holder.kill()
    with Cache(redis=redis_server.url, lease=1.0, timeout=2.0) as cache:  # type: ignore[call-arg]
        started = time.monotonic()
        assert cache.get_or_set("k", lambda: 1) == 1
        assert time.monotonic() - started < 1.0 + (0.2 if NIGHTLY else 3.0)


def test_r21_a_flush_under_load_heals_by_itself(
    make_cache: MakeCache, redis_server: RedisServer
) -> None:
    """A source of 50 calls a second; one computation of a key at a time."""
    count = 500 if NIGHTLY else 60
    cache = make_cache(memory=0, timeout=1.0)
    gate, under_way = threading.Lock(), Counter[str]()
    most: Counter[str] = Counter()
    stop, failures = threading.Event(), []

    def source(key: str) -> str:
        under_way[key] += 1
        most[key] = max(most[key], under_way[key])
        with gate:
            threading.Event().wait(0.02)
        under_way[key] -= 1
        return key

    def ask(number: int) -> None:
        turn = number
        try:
            while not stop.is_set():
                turn += 7
                key = f"k{turn % count}"
                assert cache.get_or_set(key, lambda key=key: source(key)) == key  # type: ignore[misc]
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: rate(cache) > 0.9, 2 * 2 * count / 50 + 10)
        redis_server.call("FLUSHALL")
        took = wait_until(lambda: rate(cache) > 0.9, 2 * 2 * count / 50 + 10)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failures == []
    assert took <= 2 * count / 50 + (0 if NIGHTLY else 5)
    assert set(most.values()) == {1}


def rate(cache: Cache) -> float:
    """The share of hits in the next moment."""
    before = cache.stats()
    wait_until(lambda: cache.stats().requests - before.requests >= 100)
    after = cache.stats()
    return (after.hits - before.hits) / (after.requests - before.requests)


@pytest.mark.skipif(not NIGHTLY, reason="takes fifty minutes")
def test_r33_a_long_time_under_the_fault_matrix(redis_server: RedisServer) -> None:
    """Memory, files and threads stay what they are after the first round."""
    faults = (
        "t=2 kill; t=3 start; t=6 pause; t=8 resume; t=10 latency 0.1; t=12 heal; t=14 drip 0.01;"
        "t=16 heal; t=18 flip_chance 0.2; t=20 heal; t=22 reset_after 500; t=24 heal;"
        "t=26 black_hole; t=28 heal"
    )
    figures, until = [], time.monotonic() + 3000
    with (
        ChaosProxy(redis_server.port) as proxy,
        Cache(redis=proxy.url, memory="4MiB", timeout=0.1) as cache,
    ):
        for seed in range(1000):
            script = Faults(redis_server, proxy)
            steps = script.steps(faults)
            load = Load(seconds=30, seed=seed, prefix=f"soak-{seed % 3}", rate=2000)
            report = Generator(cache, load, steps, script.counts).run()
            assert report.failures(expects_faults=True, recovery=5.0) == []
            figures.append(process_figures())
            if time.monotonic() > until:
                break
    first, last = figures[3], figures[-1]
    assert last["rss"] - first["rss"] < 8 << 20
    assert last["fds"] <= first["fds"] + 8
    assert last["threads"] <= first["threads"]
