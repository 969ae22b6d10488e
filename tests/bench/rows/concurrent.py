"""Reads that only Redis can answer, without memory tier: batches, and many readers at once."""

from __future__ import annotations

import asyncio
import ctypes
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import redis
from harness import DIM, Check, Outcome, Round, Timing, compete, expect, key, quiet, vectors
from native import load
from server import HOST, redis_server

import vcache

BATCH, BATCHES = 256, 24
TASKS, TURNS = 64, 40
THREADS, CALLS, AMONG = 8, 1_500, 10_000
HEAD = 128  # bytes before the numbers of a float32 vector without metadata
TIMEOUT = 2.0


def rows(rounds: int) -> Outcome:
    """`get_vectors` of 256 x 384 against C that parses RESP into the matrix, checksums checked."""
    stored = vectors(BATCH * BATCHES)
    with redis_server() as port, _cache(port) as cache, tempfile.TemporaryDirectory() as folder:
        _store(cache, stored)
        c = _CReader(port, Path(folder))
        best = compete(
            {
                "vcache": _batches(lambda names: cache.get_vectors(names)[0], stored),
                "C": _batches(c.read, stored, c.keys),
            },
            rounds,
        )
    ratio = best["vcache"] / best["C"]
    return Outcome([Check("C that parses RESP into the matrix", ratio, 1.25, at_least=False)], best)


def coroutines(rounds: int) -> Outcome:
    """64 tasks that each await a `get` of another key."""
    stored = vectors(AMONG)

    async def run() -> dict[str, float]:
        client = redis.asyncio.Redis(host=HOST, port=port)

        async def theirs(name: str) -> np.ndarray:
            return np.frombuffer((await client.get(f"vcache:{name}"))[HEAD:], np.float32)

        taken: dict[str, list[float]] = {"vcache": [], "redis-py asyncio": []}
        for _ in range(rounds):
            for which, get in (("vcache", cache.aget), ("redis-py asyncio", theirs)):
                taken[which].append(await _gathered(get, stored))
        await client.aclose()
        return {which: min(times) for which, times in taken.items()}

    with redis_server() as port, _cache(port) as cache:
        _store(cache, stored)
        best = asyncio.run(run())
    ratio = best["redis-py asyncio"] / best["vcache"]
    return Outcome([Check("redis-py asyncio, 64 tasks", ratio, 5.0)], best)


def threads(rounds: int) -> Outcome:
    """8 threads of single `get`s over 10,000 keys."""
    stored = vectors(AMONG)
    with redis_server() as port, _cache(port) as cache:
        _store(cache, stored)
        client = redis.Redis(host=HOST, port=port)

        def theirs(name: str) -> np.ndarray:
            return np.frombuffer(client.get(f"vcache:{name}")[HEAD:], np.float32)

        best = compete(
            {
                "vcache": _threaded(cache.get, stored),
                "redis-py with a pool": _threaded(theirs, stored),
            },
            rounds,
        )
    ratio = best["redis-py with a pool"] / best["vcache"]
    return Outcome([Check("redis-py with a pool, 8 threads", ratio, 3.0)], best)


def cluster(rounds: int) -> Outcome:
    """`get_vectors` of 256 x 384 from a cluster of six nodes against one node."""
    sys.path.append(str(Path(__file__).parents[2] / "support"))
    from redis_cluster import RedisCluster

    stored = vectors(BATCH * BATCHES)
    with (
        tempfile.TemporaryDirectory() as folder,
        redis_server() as port,
        RedisCluster(Path(folder)) as nodes,
        _cache(port) as one,
        vcache.Cache(redis=nodes.url, memory=0, timeout=TIMEOUT) as many,
        redis.RedisCluster(host=HOST, port=nodes.nodes[0].port) as client,
    ):
        for cache in (one, many):
            _store(cache, stored)
        best = compete(
            {
                "one node": _batches(lambda names: one.get_vectors(names)[0], stored),
                "six nodes": _batches(lambda names: many.get_vectors(names)[0], stored),
                "redis-py, six nodes": _batches(
                    lambda names: np.stack(
                        [
                            np.frombuffer(found[HEAD:], np.float32)
                            for found in client.mget_nonatomic([f"{{}}vcache:{n}" for n in names])
                        ]
                    ),
                    stored,
                ),
            },
            rounds,
        )
    checks = [
        Check(
            "the time of one node, six nodes",
            best["six nodes"] / best["one node"],
            1.5,
            at_least=False,
        ),
        Check(
            "redis-py's cluster client, six nodes",
            best["redis-py, six nodes"] / best["six nodes"],
            3.0,
        ),
    ]
    return Outcome(checks, best)


class _CReader:
    def __init__(self, port: int, folder: Path) -> None:
        self._library = load("resp", folder, "-march=native")
        self._library.resp_fetch.restype = ctypes.c_long
        self._socket = self._library.resp_connect(port)

    def keys(self, names: list[str]) -> Any:
        """The names as C has them."""
        return (ctypes.c_char_p * len(names))(*[name.encode() for name in names])

    def read(self, keys: Any) -> np.ndarray:
        out = np.empty((len(keys), DIM), np.float32)
        found = self._library.resp_fetch(
            self._socket,
            b"vcache:",
            keys,
            ctypes.c_size_t(len(keys)),
            ctypes.c_size_t(out.strides[0]),
            ctypes.c_void_p(out.ctypes.data),
        )
        expect(found == len(keys), "rows read by C")
        return out


def _cache(port: int) -> vcache.Cache:
    return vcache.Cache(redis=f"redis://{HOST}:{port}/0", memory=0, timeout=TIMEOUT)


def _store(cache: vcache.Cache, stored: np.ndarray) -> None:
    for start in range(0, len(stored), BATCH):
        part = stored[start : start + BATCH]
        cache.set_vectors([key(start + n) for n in range(len(part))], part)
    expect(np.array_equal(cache.get(key(len(stored) - 1)), stored[-1]), "the last vector stored")


def _batches(
    read: Callable[[Any], np.ndarray],
    stored: np.ndarray,
    argument: Callable[[list[str]], Any] = lambda names: names,
) -> Round:
    """Median seconds of a batch, `argument` not among them; one of the answers is checked."""

    def run() -> Timing:
        chosen, taken = random.randrange(BATCHES), []
        with quiet():
            for number in range(BATCHES):
                names = argument([key(n) for n in range(number * BATCH, (number + 1) * BATCH)])
                start = time.perf_counter()
                found = read(names)
                taken.append(time.perf_counter() - start)
                if number == chosen:
                    same = np.array_equal(found, stored[number * BATCH :][:BATCH])
                    expect(same, f"batch {number}")
        return Timing(median(taken))

    return run


async def _gathered(get: Callable[[str], Any], stored: np.ndarray) -> float:
    """Median seconds in which 64 tasks have their values; those of one turn are checked."""
    taken, chosen, found = [], [], []
    for _ in range(TURNS):
        chosen = random.sample(range(len(stored)), TASKS)
        names = [key(number) for number in chosen]
        start = time.perf_counter()
        found = await asyncio.gather(*[get(name) for name in names])
        taken.append(time.perf_counter() - start)
    same = all(np.array_equal(*pair) for pair in zip(found, stored[chosen], strict=True))
    expect(same, "values of the tasks")
    return median(taken)


def _threaded(get: Callable[[str], Any], stored: np.ndarray) -> Round:
    """Seconds of one call, over all threads; the last of each thread is checked."""

    def run() -> Timing:
        chosen = np.random.default_rng().integers(len(stored), size=(THREADS, CALLS))
        names = [[key(int(number)) for number in numbers] for numbers in chosen]
        found: list[Any] = [None] * THREADS
        ready = threading.Barrier(THREADS + 1)

        def work(place: int) -> None:
            ready.wait()
            for name in names[place]:
                found[place] = get(name)

        workers = [threading.Thread(target=work, args=(place,)) for place in range(THREADS)]
        for worker in workers:
            worker.start()
        ready.wait()
        start = time.perf_counter()
        for worker in workers:
            worker.join()
        seconds = time.perf_counter() - start
        expect(all(map(np.array_equal, found, stored[chosen[:, -1]])), "values of the threads")
        return Timing(seconds / (THREADS * CALLS))

    return run
