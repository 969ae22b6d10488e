"""What calls cost while Redis does not answer, and how soon it is used again."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import redis
from harness import SEED, Check, Outcome, expect, quiet
from server import HOST, redis_server

import vcache

CALLS = 20_000
PART = 500  # calls of one kind before the other kind has its turn
TIMEOUT = 0.1
PATIENCE = 10.0  # seconds to wait for a server that should be found within one


def frozen(rounds: int) -> Outcome:
    """p99 of `get` of a key that memory does not hold: Redis frozen, against no Redis at all."""
    with redis_server() as port, _cache(port) as cache, vcache.Cache() as alone:
        cache.set("kept", 1)
        with _frozen(port):
            _until(lambda: _breaker(cache) != "closed", lambda: cache.get("nobody answers"))
            taken = _interleaved({"Redis frozen": cache.get, "memory only": alone.get}, rounds)
    p99 = {name: float(np.percentile(times, 99)) for name, times in taken.items()}
    medians = {f"{name}, p50": float(np.median(times)) for name, times in taken.items()}
    ratio = p99["Redis frozen"] / p99["memory only"]
    measured = {f"{name}, p99": value for name, value in p99.items()} | medians
    return Outcome([Check("p99 of a miss without Redis", ratio, 2.0, at_least=False)], measured)


def back(rounds: int) -> Outcome:
    """Seconds from the moment that a frozen server goes on to the first hit in Redis."""
    waits = []
    with redis_server() as port, _cache(port, memory=0) as cache:
        cache.set("kept", 1)
        for _ in range(rounds):
            with _frozen(port):
                _until(lambda: _breaker(cache) != "closed", lambda: cache.get("kept"))
                time.sleep(random.random())  # anywhere between two probes
            start = time.perf_counter()
            _until(lambda: cache.get("kept") == 1, lambda: time.sleep(0.001))
            waits.append(time.perf_counter() - start)
    longest = max(waits)
    check = Check("after the server answers again", longest, 1.0, at_least=False, unit=" s")
    return Outcome([check], {"longest": longest, "median": float(np.median(waits))})


def _interleaved(calls: dict[str, Callable[[str], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each call, the kinds in turn, so that both meet the same machine."""
    rng = random.Random(SEED)
    taken: dict[str, list[float]] = {name: [] for name in calls}
    keys = [f"absent:{number}" for number in range(PART)]
    order = list(calls)
    with quiet():
        for _ in range(rounds * CALLS // PART):
            rng.shuffle(order)
            for name in order:
                _time(calls[name], keys, taken[name])
    return taken


def _time(call: Callable[[str], object], keys: list[str], taken: list[float]) -> None:
    clock = time.perf_counter
    for key in keys:
        start = clock()
        found = call(key)
        taken.append(clock() - start)
        expect(found is None, f"{key} was found")


def _cache(port: int, memory: str | int = "64MiB") -> vcache.Cache:
    return vcache.Cache(redis=f"redis://{HOST}:{port}/0", memory=memory, timeout=TIMEOUT)


def _breaker(cache: vcache.Cache) -> str:
    stats = cache.stats()
    return str(stats.redis["breaker"]) if stats.redis is not None else "none"


def _until(condition: Callable[[], bool], meanwhile: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        expect(time.monotonic() < deadline, f"not within {PATIENCE:.0f} s")
        meanwhile()


@contextmanager
def _frozen(port: int) -> Iterator[None]:
    process = _server_process(port)
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


def _server_process(port: int) -> int:
    """The process id that the server on `port` tells."""
    with redis.Redis(HOST, port) as client:
        return int(client.info("server")["process_id"])
