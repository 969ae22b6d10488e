"""The Redis tier against redis-py with hiredis and against RedisVL, over TCP on loopback."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from statistics import median
from typing import Any

import numpy as np
import redis
from harness import CannotRun, Check, Outcome, Timing, compete, expect, key, quiet, vectors
from redisvl.extensions.cache.embeddings import EmbeddingsCache
from server import HOST, redis_server

import vcache

BATCH, BATCHES, REDISVL_BATCHES = 256, 24, 1
SINGLES = 2_000
TTL_SECONDS = 3600
WIDE_DIM = 1536
MODEL = "all-MiniLM-L6-v2"


def get_vectors(rounds: int) -> Outcome:
    """`get_vectors` of 256 x 384 that only Redis holds; each batch also enters the memory tier."""
    stored = vectors(BATCH * BATCHES)
    same = partial(_expect_rows, stored)
    with redis_server() as port:
        client, redisvl = _client(port), _redisvl(port, stored)
        _store(port, client, stored)

        def ours() -> Timing:
            with _connected(port) as cache:
                return _timed(BATCHES, _batch, cache.get_vectors, lambda n, got: same(n, got[0]))

        best = compete(
            {
                "vcache": ours,
                "redis-py MGET + np.stack": lambda: _timed(
                    BATCHES, _batch, partial(_mget_stack, client), same
                ),
                "RedisVL mget": lambda: _timed(
                    REDISVL_BATCHES, _batch, partial(_redisvl_matrix, redisvl), same
                ),
            },
            rounds,
        )
    faster = {name: seconds / best["vcache"] for name, seconds in best.items()}
    plain, framework = faster["redis-py MGET + np.stack"], faster["RedisVL mget"]
    checks = [
        Check("redis-py MGET + np.stack", plain, 2.0),
        Check("RedisVL mget", framework, 100.0),
    ]
    return Outcome(checks, best)


def set_vectors(rounds: int) -> Outcome:
    """`set_vectors` of 256 x 384 with a TTL, both tiers written."""
    stored = vectors(BATCH * BATCHES)

    def batch(number: int) -> tuple[list[str], np.ndarray]:
        return _batch(number), _rows(stored, number)

    with redis_server() as port:
        client = _client(port)

        def ours() -> Timing:
            with _connected(port) as cache:
                return _timed(
                    BATCHES,
                    batch,
                    lambda made: cache.set_vectors(*made, ttl=TTL_SECONDS),
                    lambda n, _: _expect_stored(port, stored, n),
                )

        def plain() -> Timing:
            return _timed(
                BATCHES,
                batch,
                lambda made: _pipeline_set(client, *made),
                lambda n, _: _expect_rows(stored, n, _mget_stack(client, _batch(n))),
            )

        best = compete({"vcache": ours, "redis-py pipeline SET EX": plain}, rounds)
    ratio = best["redis-py pipeline SET EX"] / best["vcache"]
    return Outcome([Check("redis-py pipeline SET EX", ratio, 4.0)], best)


def one_get(rounds: int) -> Outcome:
    """One `get` of a 384-d vector that only Redis holds; it also enters the memory tier."""
    stored = vectors(SINGLES)

    def same(number: int, row: np.ndarray) -> None:
        expect(np.array_equal(row, stored[number]), f"vector {number} read from Redis")

    with redis_server() as port:
        client = _client(port)
        _store(port, client, stored)

        def ours() -> Timing:
            with _connected(port) as cache:
                return _timed(SINGLES, key, cache.get, same)

        best = compete(
            {
                "vcache": ours,
                "redis-py GET + np.frombuffer": lambda: _timed(
                    SINGLES, key, partial(_get, client), same
                ),
            },
            rounds,
        )
    ratio = best["redis-py GET + np.frombuffer"] / best["vcache"]
    return Outcome([Check("redis-py GET + np.frombuffer", ratio, 1.5)], best)


def stored_size(rounds: int) -> Outcome:
    """Redis' MEMORY USAGE of one 1536-d float32 vector, over the 6,144 bytes of its numbers."""
    row = vectors(1, WIDE_DIM)[0]
    with redis_server() as port:
        with _cache(port) as cache:
            cache.set(key(1), row)
        used = _client(port).memory_usage(f"vcache:{key(1)}", samples=0)
        with _cache(port) as cache:
            expect(np.array_equal(cache.get(key(1)), row), "1536-d vector")
    if used is None:
        raise CannotRun(f"Redis holds no key vcache:{key(1)}")
    check = Check(
        "bytes in Redis over bytes of the numbers", used / row.nbytes, 1.2, at_least=False
    )
    return Outcome([check], {"bytes": float(used)})


def _timed(
    turns: int,
    make: Callable[[int], Any],
    work: Callable[[Any], Any],
    verify: Callable[[int, Any], None],
) -> Timing:
    """Median seconds of `work` over the turns, of what `make` made anew before the clock started.

    One answer, drawn by chance, is verified.
    """
    chosen, kept = random.randrange(turns), None
    taken = []
    with quiet():
        for number in range(turns):
            made = make(number)
            start = time.perf_counter()
            found = work(made)
            taken.append(time.perf_counter() - start)
            if number == chosen:
                kept = found
    verify(chosen, kept)
    return Timing(median(taken))


@contextmanager
def _connected(port: int) -> Iterator[vcache.Cache]:
    """A cache with an empty memory tier and an open connection."""
    with _cache(port) as cache:
        expect(cache.get("absent") is None, "a key never stored")
        yield cache


def _cache(port: int) -> vcache.Cache:
    return vcache.Cache(redis=f"redis://{HOST}:{port}/0", memory="200MiB")


def _client(port: int) -> redis.Redis:
    return redis.Redis(host=HOST, port=port)


def _batch(number: int) -> list[str]:
    return [key(n) for n in range(number * BATCH, (number + 1) * BATCH)]


def _rows(stored: np.ndarray, number: int) -> np.ndarray:
    return stored[number * BATCH : (number + 1) * BATCH]


def _store(port: int, client: redis.Redis, stored: np.ndarray) -> None:
    """The same vectors for redis-py, under the bare keys, and for vcache, under its namespace."""
    client.mset({key(n): row.tobytes() for n, row in enumerate(stored)})
    with _cache(port) as cache:
        for start in range(0, len(stored), BATCH):
            rows = stored[start : start + BATCH]
            cache.set_vectors([key(start + n) for n in range(len(rows))], rows)


def _expect_stored(port: int, stored: np.ndarray, number: int) -> None:
    """Read by another cache, whose memory tier is empty: the batch must have reached Redis."""
    with _cache(port) as cache:
        _expect_rows(stored, number, cache.get_vectors(_batch(number))[0])


def _get(client: redis.Redis, name: str) -> np.ndarray:
    return np.frombuffer(client.get(name), np.float32)


def _mget_stack(client: redis.Redis, names: list[str]) -> np.ndarray:
    return np.stack([np.frombuffer(found, np.float32) for found in client.mget(names)])


def _pipeline_set(client: redis.Redis, names: list[str], rows: np.ndarray) -> None:
    pipeline = client.pipeline(transaction=False)
    for name, row in zip(names, rows, strict=True):
        pipeline.set(name, row.tobytes(), ex=TTL_SECONDS)
    pipeline.execute()


def _redisvl(port: int, stored: np.ndarray) -> EmbeddingsCache:
    cache = EmbeddingsCache(name="redisvl", redis_url=f"redis://{HOST}:{port}")
    cache.mset(
        [
            {"content": key(n), "model_name": MODEL, "embedding": row.tolist()}
            for n, row in enumerate(stored[: BATCH * REDISVL_BATCHES])
        ]
    )
    return cache


def _redisvl_matrix(cache: EmbeddingsCache, names: list[str]) -> np.ndarray:
    return np.array([found["embedding"] for found in cache.mget(names, MODEL)], np.float32)


def _expect_rows(stored: np.ndarray, number: int, rows: np.ndarray) -> None:
    expect(np.array_equal(rows, _rows(stored, number)), f"batch {number} read from Redis")
