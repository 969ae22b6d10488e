"""Calls from code that an event loop runs, as the cells of a notebook are."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from vcache import MISSING, Cache

MakeCache = Callable[..., Cache]
Cell = Callable[[], Coroutine[Any, Any, None]]

DEADLINE = 30.0  # seconds; who waits longer hangs
VECTOR = np.arange(8, dtype=np.float32)


@pytest.fixture(params=[0, "10MiB"], ids=["redis", "both tiers"])
def cache(make_cache: MakeCache, request: pytest.FixtureRequest) -> Cache:
    return make_cache(memory=request.param, strict=True, timeout=5)


def run_cells(*cells: Cell) -> None:
    """Runs each as a task of one loop, which goes on from one to the next."""

    async def kernel() -> None:
        for cell in cells:
            await asyncio.wait_for(asyncio.create_task(cell()), DEADLINE)

    asyncio.run(kernel())


def test_every_kind_of_call_blocks_where_it_is_made(cache: Cache) -> None:
    calls: list[int] = []

    @cache.cached(key_prefix="square")
    def square(x: int) -> int:
        calls.append(x)
        return x * x

    async def stores() -> None:
        cache.set("a", 1)
        cache.mset({"b": 2, "c": [3]})
        cache.set_vectors(["v"], VECTOR[None])
        assert cache.get_or_set("made", lambda: "once") == "once"
        assert cache.get_or_set_many(["a", "d"], lambda keys: [4 for _ in keys]) == [1, 4]
        assert [square(3), square(3), square.refresh(4)] == [9, 9, 16]

    async def reads() -> None:
        assert cache.get("a") == 1
        assert cache.mget(["a", "none", "c", "a"]) == [1, None, [3], 1]
        rows, found = cache.get_vectors(["v", "none"], dim=8)
        assert found.tolist() == [True, False]
        assert np.array_equal(rows[0], VECTOR)
        assert cache.get_or_set("made", lambda: "again") == "once"
        assert [square(3), square(4)] == [9, 16]
        assert cache.lookup("b").value == 2
        assert cache.healthy()

    async def ends() -> None:
        assert cache.delete("a")
        cache.set("t", 1, tags=["red"])
        cache.invalidate_tags("red")
        assert cache.invalidate("square:*") == 2
        assert cache.mget(["a", "t"], MISSING) == [MISSING, MISSING]
        assert cache.stats().errors == 0

    run_cells(stores, reads, ends)
    assert calls == [3, 4]


def test_both_kinds_of_calls_take_turns_on_one_loop(cache: Cache) -> None:
    @cache.cached(key_prefix="one")
    def one(x: int) -> str:
        return f"one {x}"

    @cache.cached(key_prefix="other")
    async def other(x: int) -> str:
        return f"{one(x)}, {cache.get('a')}, {await cache.aget('b')}"

    async def cell() -> None:
        cache.set("a", 1)
        await cache.aset("b", 2)
        assert [await cache.aget("a"), cache.get("b")] == [1, 2]
        assert cache.mget(["a", "b"]) == await cache.amget(["a", "b"]) == [1, 2]
        assert one(1) == "one 1"
        assert [await other(1), await other(1)] == ["one 1, 1, 2"] * 2
        assert await cache.aget_or_set("c", lambda: cache.get("a")) == 1
        assert cache.get_or_set("c", dict) == 1

    run_cells(cell, cell)


def test_a_blocking_call_passes_what_the_loop_has_under_way(cache: Cache) -> None:
    """The others go on once it has returned."""
    keys = [f"k{index}" for index in range(64)]

    async def cell() -> None:
        started, release = asyncio.Event(), asyncio.Event()

        async def slow() -> str:
            started.set()
            await release.wait()
            return "slow"

        cache.mset(dict.fromkeys(keys, 1))
        reads = [asyncio.create_task(cache.aget(key)) for key in keys]
        load = asyncio.create_task(cache.aget_or_set("slow", slow))
        await started.wait()
        assert cache.mget(keys) == [1] * len(keys)
        assert cache.get("slow", MISSING) is MISSING
        assert cache.get_or_set("quick", lambda: "quick") == "quick"
        with pytest.raises(RuntimeError, match="being computed on this event loop"):
            cache.get_or_set("slow", lambda: "never called")
        release.set()
        assert await asyncio.gather(*reads, load) == [*[1] * len(keys), "slow"]
        assert cache.get("slow") == "slow"

    run_cells(cell)


def test_a_loop_of_another_thread_serves_a_cell_that_waits_for_it(cache: Cache) -> None:
    """As libraries do that have only awaited calls and are asked from a notebook."""

    async def there() -> list[Any]:
        made = await cache.aget_or_set("made", lambda: "there")
        return [made, *await asyncio.gather(*[cache.aget("a") for _ in range(8)])]

    async def cell() -> None:
        cache.set("a", 1)
        reads = [asyncio.create_task(cache.aget("a")) for _ in range(8)]
        await asyncio.wait(reads, timeout=0)
        with ThreadPoolExecutor(1) as pool:
            result = pool.submit(asyncio.run, there()).result(DEADLINE)
        assert result == ["there", *[1] * 8]
        assert await asyncio.gather(*reads) == [1] * 8
        assert cache.get("made") == "there"

    run_cells(cell, cell)
