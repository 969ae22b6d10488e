"""Writes of a key while its value is being computed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from clocked import ClockedCache

NEW = np.arange(2.0)
WRITES: dict[str, Callable[[ClockedCache], Any]] = {
    "set": lambda cache: cache.set("k", NEW),
    "set with metadata": lambda cache: cache.set("k", NEW, metadata={"by": "me"}),
    "mset": lambda cache: cache.mset({"j": 1, "k": NEW}),
    "set_vectors": lambda cache: cache.set_vectors(["k"], NEW[None]),
    "aset": lambda cache: asyncio.run(cache.aset("k", NEW)),
    "amset": lambda cache: asyncio.run(cache.amset([("k", NEW)])),
    "aset_vectors": lambda cache: asyncio.run(cache.aset_vectors(["k"], NEW[None])),
}


@pytest.mark.parametrize("write", WRITES)
def test_what_is_written_meanwhile_stays(cache: ClockedCache, write: str) -> None:
    def factory() -> str:
        WRITES[write](cache)
        return "old"

    assert cache.get_or_set("k", factory) == "old"
    assert cache.get("k").tolist() == [0, 1]


@pytest.mark.parametrize("write", WRITES)
def test_of_a_batch_the_others_are_stored(cache: ClockedCache, write: str) -> None:
    def factory(keys: list[str]) -> list[str]:
        WRITES[write](cache)
        return [f"old {key}" for key in keys]

    assert cache.get_or_set_many(["a", "k", "b"], factory) == ["old a", "old k", "old b"]
    assert cache.get("k").tolist() == [0, 1]
    assert cache.mget(["a", "b"]) == ["old a", "old b"]


@pytest.mark.parametrize("write", ["set", "aset"])
def test_on_a_loop(cache: ClockedCache, write: str) -> None:
    async def main() -> None:
        started, release = asyncio.Event(), asyncio.Event()

        async def slow() -> str:
            started.set()
            await release.wait()
            return "old"

        task = asyncio.create_task(cache.aget_or_set("r", slow))
        await started.wait()
        if write == "set":
            cache.set("r", "new")
        else:
            await cache.aset("r", "new")
        assert await cache.aget_or_set("r", slow) == "new"
        release.set()
        assert await task == "old"
        assert cache.get("r") == "new"

    asyncio.run(main())


def test_a_write_while_the_value_is_being_stored_is_not_left_behind(
    cache: ClockedCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    filler = cache._loader._filler
    withdraw = filler._withdraw_older

    def written_first(key: Any, flight: Any) -> None:
        cache.mset({key: "new"})
        cache._tiers.put(key, "old", None, None, b"", 0.0, 0.0)
        withdraw(key, flight)

    monkeypatch.setattr(filler, "_withdraw_older", written_first)
    assert cache.get_or_set("k", lambda: "old") == "old"
    assert cache.get("k") is None


def test_a_value_that_the_leader_cannot_use_is_replaced(cache: ClockedCache) -> None:
    calls: list[int] = []

    @cache.cached(encode=str, decode=int)
    def count(x: int) -> int:
        calls.append(x)
        return x

    cache.set(count.cache_key(1), "no number")
    assert [count(1), count(1)] == [1, 1]
    assert calls == [1]
