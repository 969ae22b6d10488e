"""Computations that end in something other than a result or an error."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from clocked import ClockedCache
from sync_points import DEADLINE, Waiters, in_threads

from vcache import _callers


class Ended(BaseException):
    pass


@pytest.fixture
def waiters(monkeypatch: pytest.MonkeyPatch) -> Waiters:
    return Waiters(monkeypatch)


@pytest.fixture
def reports() -> list[str]:
    """What event loops made by run() complain of."""
    return []


def run(main: Callable[[], Coroutine[Any, Any, Any]], reports: list[str] | None = None) -> Any:
    async def watched() -> Any:
        told = reports if reports is not None else []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: told.append(context["message"]))
        return await main()

    return asyncio.run(asyncio.wait_for(watched(), DEADLINE))


def limited(calls: list[int]) -> None:
    """Counts a call of a factory, and ends a test whose factory is called for ever."""
    calls.append(1)
    assert len(calls) < 10


@pytest.mark.parametrize("kind", ["async", "plain"])
@pytest.mark.parametrize("error", [Ended, asyncio.CancelledError])
def test_the_leader_raises_what_the_factory_raised(
    cache: ClockedCache, reports: list[str], kind: str, error: type[BaseException]
) -> None:
    calls: list[int] = []

    def plain() -> None:
        limited(calls)
        raise error("mine")

    async def coroutine() -> None:
        plain()

    async def main() -> None:
        with pytest.raises(error):
            await cache.aget_or_set("k", plain if kind == "plain" else coroutine)
        assert await cache.aget_or_set("k", lambda: "anew") == "anew"

    run(main, reports)
    gc.collect()
    assert calls == [1]
    assert reports == []


@pytest.mark.parametrize("error", [Ended, SystemExit, KeyboardInterrupt])
def test_the_leader_raises_what_ended_a_factory_with_a_limit(
    cache: ClockedCache, error: type[BaseException]
) -> None:
    calls: list[int] = []

    def factory() -> None:
        limited(calls)
        raise error("mine")

    with pytest.raises(error, match="mine"):
        cache.get_or_set("k", factory, soft_timeout=DEADLINE)
    assert calls == [1]
    assert cache.get_or_set("k", lambda: "anew", soft_timeout=DEADLINE) == "anew"


def test_a_factory_that_awaits_what_was_cancelled(cache: ClockedCache) -> None:
    calls: list[int] = []

    async def factory() -> None:
        limited(calls)
        task = asyncio.create_task(asyncio.Event().wait())
        task.cancel()
        await task

    async def main() -> None:
        with pytest.raises(asyncio.CancelledError):
            await cache.aget_or_set("k", factory)

    run(main)
    assert calls == [1]


def test_a_factory_that_cancels_its_own_task(cache: ClockedCache) -> None:
    calls: list[int] = []

    async def factory() -> None:
        limited(calls)
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.Event().wait()

    async def main() -> None:
        with pytest.raises(asyncio.CancelledError):
            await cache.aget_or_set_many(["j", "k"], lambda keys: factory())

    run(main)
    assert calls == [1]


def test_who_waits_for_a_leader_that_raised_leads_next(cache: ClockedCache) -> None:
    release = asyncio.Event()
    calls: list[str] = []

    async def first() -> None:
        calls.append("first")
        await release.wait()
        raise asyncio.CancelledError

    async def second() -> str:
        calls.append("second")
        return "second"

    async def main() -> Any:
        leader = asyncio.create_task(cache.aget_or_set("k", first))
        followers = [asyncio.create_task(cache.aget_or_set("k", second)) for _ in range(3)]
        while cache.stats().coalesced < 3:
            await asyncio.wait([asyncio.create_task(asyncio.Event().wait())], timeout=0)
        release.set()
        return await asyncio.gather(leader, *followers, return_exceptions=True)

    results = run(main)
    assert isinstance(results[0], asyncio.CancelledError)
    assert results[1:] == ["second"] * 3
    assert calls == ["first", "second"]


@pytest.mark.parametrize("style", ["blocking", "async"])
def test_a_stop_iteration_is_an_error_that_names_the_factory(
    cache: ClockedCache, style: str
) -> None:
    def first_of_none() -> Any:
        return next(iter([]))

    def ask() -> Any:
        if style == "blocking":
            return cache.get_or_set("k", first_of_none)
        return run(lambda: cache.aget_or_set("k", first_of_none))

    with pytest.raises(RuntimeError, match="first_of_none raised StopIteration") as caught:
        ask()
    assert isinstance(caught.value.__cause__, StopIteration)


@pytest.mark.parametrize("style", ["blocking", "async"])
def test_a_stop_iteration_of_a_result_is_an_error(cache: ClockedCache, style: str) -> None:
    class Odd(dict[str, int]):
        def __getitem__(self, key: str) -> int:
            raise StopIteration

    def ask() -> Any:
        factory = lambda keys: Odd(k=1)  # noqa: E731
        if style == "blocking":
            return cache.get_or_set_many(["k"], factory)
        return run(lambda: cache.aget_or_set_many(["k"], factory))

    with pytest.raises(RuntimeError, match="raised StopIteration"):
        ask()


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
    monkeypatch.setattr(_callers, "_ALIVE_CHECK", 0.01)
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
