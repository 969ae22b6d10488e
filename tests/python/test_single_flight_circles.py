"""Computations that wait for each other."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from typing import Any

import pytest
from clocked import ClockedCache
from sync_points import DEADLINE, in_threads


@pytest.fixture
def other() -> Any:
    with ClockedCache() as cache:
        yield cache


def test_a_batch_that_waits_once_its_own_part_is_made(cache: ClockedCache) -> None:
    """The circle closes while the batch still computes."""
    in_a, in_b, in_c, refused = (threading.Event() for _ in range(4))

    def make_c(keys: list[str]) -> list[int]:
        in_c.set()
        assert refused.wait(DEADLINE)
        return [1] * len(keys)

    def make_a() -> Any:
        in_a.set()
        assert in_b.wait(DEADLINE)
        return cache.get_or_set_many(["C", "B"], make_c)

    def make_b() -> Any:
        in_b.set()
        assert in_c.wait(DEADLINE)
        try:
            return cache.get_or_set("A", lambda: 1)
        finally:
            refused.set()

    def ask_b() -> Any:
        assert in_a.wait(DEADLINE)
        return cache.get_or_set("B", make_b)

    results = in_threads(lambda: cache.get_or_set("A", make_a), ask_b)
    assert all(isinstance(result, RuntimeError) for result in results), results
    assert cache.mget(["A", "B", "C"]) == [None, None, 1]


@pytest.mark.parametrize("spans_caches", [False, True])
def test_a_circle_that_closes_between_claim_and_wait(
    cache: ClockedCache,
    other: ClockedCache,
    monkeypatch: pytest.MonkeyPatch,
    spans_caches: bool,
) -> None:
    """Both have claimed, or been refused, before either waits."""
    second = other if spans_caches else cache
    both, claimed = threading.Barrier(2), threading.Barrier(2)
    for each in {cache, second}:
        _meet_after_nested_claims(each, monkeypatch, claimed)

    def make(ask: Callable[[], Any]) -> Any:
        both.wait(DEADLINE)
        return ask()

    results = in_threads(
        lambda: cache.get_or_set("a", lambda: make(lambda: second.get_or_set("b", lambda: 0))),
        lambda: second.get_or_set("b", lambda: make(lambda: cache.get_or_set("a", lambda: 0))),
    )
    assert all(isinstance(result, RuntimeError) for result in results), results
    assert all("own factory" in str(result) for result in results)


def _meet_after_nested_claims(
    cache: ClockedCache, monkeypatch: pytest.MonkeyPatch, meeting: threading.Barrier
) -> None:
    """Has those meet who claimed what another computes, or were refused to."""
    flights = cache._loader.flights
    claim = flights.claim

    def claim_and_meet(*given: Any) -> Any:
        try:
            claimed = claim(*given)
        except RuntimeError:
            meeting.wait(DEADLINE)
            raise
        if claimed.joined:
            meeting.wait(DEADLINE)
        return claimed

    monkeypatch.setattr(flights, "claim", claim_and_meet)


def test_waiting_for_what_a_waiting_batch_computes_is_no_circle(cache: ClockedCache) -> None:
    in_b, in_c = threading.Event(), threading.Event()

    def make_c(keys: list[str]) -> list[int]:
        in_c.set()
        return [1] * len(keys)

    def make_a() -> Any:
        assert in_b.wait(DEADLINE)
        return cache.get_or_set_many(["C", "B"], make_c)

    def make_b() -> Any:
        in_b.set()
        assert in_c.wait(DEADLINE)
        return cache.get_or_set("C", lambda: 0) + 1

    results = in_threads(
        lambda: cache.get_or_set("A", make_a), lambda: cache.get_or_set("B", make_b)
    )
    assert results == [[1, 2], 2]


def test_no_edge_is_left_behind(cache: ClockedCache) -> None:
    in_b = threading.Event()
    release = threading.Event()
    work: list[Any] = []

    def make_b() -> int:
        in_b.set()
        assert release.wait(DEADLINE)
        return 2

    def make_a() -> int:
        assert in_b.wait(DEADLINE)
        work.append(cache._loader.flights._open[b"a"].work)
        threading.Thread(target=release.set).start()
        return int(cache.get_or_set("b", lambda: 0)) + 1

    assert in_threads(
        lambda: cache.get_or_set("a", make_a), lambda: cache.get_or_set("b", make_b)
    ) == [3, 2]
    assert work[0].awaits == []


def test_a_task_of_a_factory_in_another_context_is_no_part_of_it(cache: ClockedCache) -> None:
    async def main() -> list[Any]:
        tasks: list[asyncio.Task[Any]] = []
        asked = asyncio.Event()

        async def ask() -> Any:
            asked.set()
            return await cache.aget_or_set("k", factory)

        async def factory() -> int:
            with pytest.raises(RuntimeError, match="own factory.*another context"):
                await asyncio.create_task(ask())
            asked.clear()
            tasks.append(asyncio.create_task(ask(), context=contextvars.Context()))
            await asked.wait()
            return 1

        return [await cache.aget_or_set("k", factory), await tasks[0]]

    assert asyncio.run(asyncio.wait_for(main(), DEADLINE)) == [1, 1]
