"""R19 and R33: after an outage, and over a long time."""

from __future__ import annotations

import time

import pytest
from chaos_proxy import ChaosProxy
from load_faults import Faults
from load_generator import Generator, Load
from load_report import process_figures
from nightly import NIGHTLY
from polling import wait_until
from redis_server import RedisServer

from vcache import MISSING, Cache


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
