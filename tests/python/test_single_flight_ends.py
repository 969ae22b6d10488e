"""Computations that end in something other than a result or an error."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from clocked import ClockedCache
from sync_points import DEADLINE, Waiters, in_threads

from vcache import _callers


@pytest.fixture
def waiters(monkeypatch: pytest.MonkeyPatch) -> Waiters:
    return Waiters(monkeypatch)


def run(main: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    return asyncio.run(asyncio.wait_for(main(), DEADLINE))


class LoopThatIsClosed:
    """An event loop that is closed, without its tasks being cancelled, once others wait."""

    def __init__(self, cache: ClockedCache) -> None:
        self._cache = cache
        self._started = threading.Event()
        self._tasks: set[asyncio.Task[Any]] = set()

    def run(self, wait: Callable[[], None]) -> None:
        loop = asyncio.new_event_loop()
        task = loop.create_task(self._cache.aget_or_set("k", self._factory))
        loop.run_until_complete(asyncio.wait_for(self._leads(), DEADLINE))
        wait()
        self._tasks = {task, *asyncio.all_tasks(loop)}
        loop.close()

    def wait_until_it_leads(self) -> None:
        assert self._started.wait(DEADLINE)

    def silence(self) -> None:
        for task in self._tasks:
            task._log_destroy_pending = False  # type: ignore[attr-defined]

    async def _leads(self) -> None:
        while not self._started.is_set():
            await asyncio.wait([asyncio.create_task(asyncio.Event().wait())], timeout=0)

    async def _factory(self) -> None:
        self._started.set()
        await asyncio.Event().wait()


@pytest.mark.parametrize("style", ["blocking", "async"])
def test_a_loop_closed_on_its_tasks_hands_over(
    cache: ClockedCache, waiters: Waiters, monkeypatch: pytest.MonkeyPatch, style: str
) -> None:
    monkeypatch.setattr(_callers, "_ALIVE_CHECK", 0.01, raising=False)
    closing = LoopThatIsClosed(cache)

    def follow() -> Any:
        closing.wait_until_it_leads()
        if style == "blocking":
            return cache.get_or_set("k", lambda: "taken over")
        return run(lambda: cache.aget_or_set("k", lambda: "taken over"))

    # The leader waits too.
    results = in_threads(lambda: closing.run(lambda: waiters.wait_for(2)), follow)
    closing.silence()
    assert results == [None, "taken over"]
