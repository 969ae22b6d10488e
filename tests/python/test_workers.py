"""The threads of computations that go on beside their callers."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from typing import Any

import pytest
from clocked import ClockedCache
from polling import wait_until
from sync_points import DEADLINE, Waiters, in_threads

from vcache import _background
from vcache._background import Workers, blocked


@pytest.fixture
def waiters(monkeypatch: pytest.MonkeyPatch) -> Waiters:
    return Waiters(monkeypatch)


class Outer:
    """A factory that waits for its release, then for what another computes."""

    def __init__(self, cache: ClockedCache, **options: Any) -> None:
        self.arrived = threading.Semaphore(0)
        self.release = threading.Event()
        self._cache, self._options = cache, options

    def __call__(self) -> Any:
        self.arrived.release()
        assert self.release.wait(DEADLINE)
        return self._cache.get_or_set("shared", shared, **self._options)

    def wait_for(self, count: int) -> None:
        for _ in range(count):
            assert self.arrived.acquire(timeout=DEADLINE)


def shared() -> str:
    return "shared"


def test_work_that_all_threads_wait_for_is_done(cache: ClockedCache, waiters: Waiters) -> None:
    most = _background._MOST_THREADS
    outer = Outer(cache, soft_timeout=DEADLINE)

    def ask(key: str) -> Callable[[], Any]:
        return lambda: cache.get_or_set(key, outer, soft_timeout=DEADLINE)

    def queue_one() -> Any:
        outer.wait_for(most)  # no thread is free
        return cache.get_or_set("shared", shared, soft_timeout=DEADLINE)

    def begin() -> None:
        waiters.wait_for(most + 1)
        outer.release.set()

    results = in_threads(begin, queue_one, *(ask(f"k{number}") for number in range(most)))
    assert results == [None, *["shared"] * (most + 1)]


def test_work_of_a_loop_that_all_threads_wait_for_is_done(
    cache: ClockedCache, waiters: Waiters
) -> None:
    most = _background._MOST_FACTORIES
    outer = Outer(cache)

    async def main() -> list[Any]:
        tasks = [asyncio.create_task(cache.aget_or_set(f"k{i}", outer)) for i in range(most)]
        await asyncio.to_thread(outer.wait_for, most)
        tasks.append(asyncio.create_task(cache.aget_or_set("shared", shared)))
        await asyncio.to_thread(waiters.wait_for, most + 1)
        outer.release.set()
        return await asyncio.gather(*tasks)

    results = asyncio.run(asyncio.wait_for(main(), DEADLINE))
    assert results == ["shared"] * (most + 1)


def test_threads_are_few_again_once_none_is_blocked() -> None:
    workers, unblock, release = Workers(1), threading.Event(), threading.Event()
    waiting, done = threading.Semaphore(0), threading.Semaphore(0)

    def work() -> None:
        with blocked():
            waiting.release()
            assert unblock.wait(DEADLINE)
        assert release.wait(DEADLINE)
        done.release()

    for _ in range(3):
        assert workers.submit(work)
    for _ in range(3):
        assert waiting.acquire(timeout=DEADLINE)
    unblock.set()
    release.set()
    for _ in range(3):
        assert done.acquire(timeout=DEADLINE)
    wait_until(lambda: workers._threads == 1)


def test_an_idle_thread_holds_nothing_of_its_last_work() -> None:
    class Request:
        pass

    workers, variable = Workers(), ContextVar[Request]("request")

    def request() -> weakref.ref[Request]:
        variable.set(Request())
        assert workers.submit(lambda: None)
        return weakref.ref(variable.get())

    seen = copy_context().run(request)

    def is_gone() -> bool:
        gc.collect()
        return seen() is None

    wait_until(is_gone, 5.0)
