"""Hits in memory that a coroutine awaits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import cashews
import moka_py
import numpy as np
from harness import (
    ENTRIES,
    OPERATIONS,
    CannotRun,
    Check,
    Outcome,
    Round,
    Timing,
    compete,
    expect,
    key,
    quiet,
    vectors,
    zipf,
)
from server import redis_server

import vcache

Get = Callable[[str], Awaitable[Any]]

TTL = 3600


def hit(rounds: int) -> Outcome:
    """`await cache.aget(key)` of a 384-d vector, every key in memory and made anew.

    Both peers are async functions that they decorate, the only way that moka_py has; so is ours in
    the last check. What the get of cashews takes is printed.
    """
    stored = vectors()
    ours, theirs = vcache.Cache(), cashews.Cache()
    theirs.setup("mem://", size=2 * ENTRIES)
    read = source(stored)
    gets: dict[str, Get] = {
        "vcache": ours.aget,
        "vcache, decorated": ours.cached(read, key_prefix="read"),
        "cashews memory": theirs(ttl=TTL, key="{name}")(read),
        "cashews memory, its get": theirs.get,
        "moka_py.cached": moka_py.cached(maxsize=2 * ENTRIES)(read),
    }
    ours.set_vectors([key(number) for number in range(ENTRIES)], stored)
    for name, get in gets.items():
        asyncio.run(check(name, get, stored))
    best = compete({name: awaits(get) for name, get in gets.items()}, rounds)
    best |= with_redis(stored, rounds)
    expect(ours.stats().misses == ENTRIES, "vcache: misses beside those of the first calls")
    moka = best["moka_py.cached"]
    return Outcome(
        [
            Check("cashews memory, decorated", best["cashews memory"] / best["vcache"], 20.0),
            Check("the time of moka_py.cached", best["vcache"] / moka, 2.0, False),
            Check("decorated, the same", best["vcache, decorated"] / moka, 2.0, False),
        ],
        best,
    )


def source(stored: np.ndarray) -> Get:
    """An async function of a key, called where a decorator does not know the answer."""
    rows = {key(number): row for number, row in enumerate(stored)}

    async def read(name: str) -> np.ndarray:
        return rows[name]

    return read


async def check(name: str, get: Get, stored: np.ndarray) -> None:
    for number, row in enumerate(stored):
        expect(np.array_equal(await get(key(number)), row), f"{name}: an awaited vector")


def with_redis(stored: np.ndarray, rounds: int) -> dict[str, float]:
    """The same hits in the memory of a cache that has a Redis, where there is a server."""
    try:
        with redis_server() as port, vcache.Cache(redis=f"redis://127.0.0.1:{port}") as cache:
            cache.set_vectors([key(number) for number in range(ENTRIES)], stored)
            return compete({"vcache with Redis": awaits(cache.aget)}, rounds)
    except CannotRun:
        return {}


def awaits(get: Get) -> Round:
    """One await after the other."""
    numbers = zipf(OPERATIONS)

    async def timed() -> Timing:
        made = [key(number) for number in numbers]
        with quiet():
            start = time.thread_time()
            for name in made:
                await get(name)
            between = time.thread_time()
            for _name in made:
                pass
            end = time.thread_time()
        return Timing((between - start) / len(made), (end - between) / len(made))

    return lambda: asyncio.run(timed())
