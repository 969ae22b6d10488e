"""One computation of a key at a time, over coroutines, event loops and threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import numpy as np
import pytest
from clocked import ClockedCache
from sync_points import DEADLINE, Waiters, in_threads


@pytest.fixture
def waiters(monkeypatch: pytest.MonkeyPatch) -> Waiters:
    return Waiters(monkeypatch)


def run(main: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    return asyncio.run(asyncio.wait_for(main(), DEADLINE))


async def until(condition: Callable[[], bool]) -> None:
    """Lets other coroutines run until the condition holds."""
    while not condition():
        await asyncio.wait([asyncio.ensure_future(_pass())])


async def _pass() -> None:
    pass


def test_64_tasks_make_one_call(cache: ClockedCache) -> None:
    calls: list[int] = []

    async def factory() -> np.ndarray[Any, Any]:
        calls.append(1)
        await until(lambda: cache.stats().coalesced == 63)
        return np.arange(3)

    async def main() -> Any:
        return await asyncio.gather(*[cache.aget_or_set("k", factory) for _ in range(64)])

    results = run(main)
    assert len(calls) == 1
    assert all(result.tolist() == [0, 1, 2] and not result.flags.writeable for result in results)
    stats = cache.stats()
    assert (stats.misses, stats.coalesced, stats.requests) == (64, 63, 64)


def test_a_failure_reaches_all(cache: ClockedCache) -> None:
    async def factory() -> None:
        await until(lambda: cache.stats().coalesced == 3)
        raise LookupError("no answer")

    async def main() -> Any:
        waiting = [cache.aget_or_set("k", factory) for _ in range(4)]
        return await asyncio.gather(*waiting, return_exceptions=True)

    assert all(isinstance(result, LookupError) for result in run(main))
    assert not cache.exists("k")


@pytest.mark.parametrize("leader", [True, False])
def test_a_cancelled_waiter_does_not_cancel_the_others(cache: ClockedCache, leader: bool) -> None:
    async def main() -> Any:
        release = asyncio.Event()

        async def factory() -> str:
            await release.wait()
            return "made"

        tasks = [asyncio.create_task(cache.aget_or_set("k", factory)) for _ in range(3)]
        await until(lambda: cache.stats().coalesced == 2)
        tasks[0 if leader else 2].cancel()
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        assert [task.cancelled() for task in done] == [True]
        release.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    results = run(main)
    assert sum(result == "made" for result in results) == 2
    assert cache.get("k") == "made"


def test_the_last_waiter_cancels_the_work(cache: ClockedCache) -> None:
    async def main() -> None:
        started, cancelled = asyncio.Event(), asyncio.Event()

        async def factory() -> None:
            started.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.set()
                raise

        tasks = [asyncio.create_task(cache.aget_or_set("k", factory)) for _ in range(3)]
        await started.wait()
        await until(lambda: cache.stats().coalesced == 2)
        for task in tasks:
            assert not cancelled.is_set()
            task.cancel()
        await cancelled.wait()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert await cache.aget_or_set("k", lambda: "anew") == "anew"

    run(main)


def test_cancelled_before_the_work_began(cache: ClockedCache) -> None:
    async def main() -> Any:
        async def factory() -> str:
            raise AssertionError("was to be cancelled")

        task = asyncio.create_task(cache.aget_or_set("k", factory))
        claim = cache._loader.flights.claim

        def claim_and_cancel(*given: Any) -> Any:
            task.cancel()
            return claim(*given)

        cache._loader.flights.claim = claim_and_cancel  # type: ignore[method-assign]
        with pytest.raises(asyncio.CancelledError):
            await task
        del cache._loader.flights.claim
        return await cache.aget_or_set("k", lambda: "anew")

    assert run(main) == "anew"


def test_a_thread_waits_for_a_loop(cache: ClockedCache, waiters: Waiters) -> None:
    leading = threading.Event()

    async def main() -> Any:
        async def factory() -> str:
            leading.set()
            await asyncio.to_thread(waiters.wait_for, 2)
            return "loop"

        return await cache.aget_or_set("k", factory)

    def follow() -> Any:
        assert leading.wait(DEADLINE)
        return cache.get_or_set("k", lambda: "thread")

    assert in_threads(lambda: run(main), follow) == ["loop", "loop"]


def test_two_loops_wait_for_a_thread(cache: ClockedCache, waiters: Waiters) -> None:
    leading = threading.Event()

    def factory() -> str:
        leading.set()
        waiters.wait_for(2)
        return "thread"

    async def main() -> Any:
        await asyncio.to_thread(leading.wait, DEADLINE)
        return await cache.aget_or_set("k", lambda: "loop")

    results = in_threads(
        lambda: cache.get_or_set("k", factory), lambda: run(main), lambda: run(main)
    )
    assert results == ["thread"] * 3


def test_a_loop_that_ends_hands_over(cache: ClockedCache, waiters: Waiters) -> None:
    leading = threading.Event()

    async def main() -> None:
        async def factory() -> None:
            leading.set()
            await asyncio.Event().wait()

        task = asyncio.create_task(cache.aget_or_set("k", factory))
        await asyncio.to_thread(waiters.wait_for, 2)
        assert not task.done()

    def follow() -> Any:
        assert leading.wait(DEADLINE)
        return cache.get_or_set("k", lambda: "taken over")

    assert in_threads(lambda: run(main), follow) == [None, "taken over"]


def test_a_loop_closed_on_its_tasks_is_not_waited_for(cache: ClockedCache) -> None:
    async def factory() -> None:
        await asyncio.Event().wait()

    loop = asyncio.new_event_loop()
    task = loop.create_task(cache.aget_or_set("k", factory))
    for _ in range(5):
        loop.call_soon(loop.stop)
        loop.run_forever()
    assert cache._loader.flights._open
    others = asyncio.all_tasks(loop)
    loop.close()
    assert cache.get_or_set("k", lambda: "anew") == "anew"
    for each in (task, *others):
        each._log_destroy_pending = False  # type: ignore[attr-defined]


def test_a_blocking_call_on_the_loop_that_computes_is_an_error(cache: ClockedCache) -> None:
    async def main() -> None:
        started, release = asyncio.Event(), asyncio.Event()

        async def factory() -> str:
            started.set()
            await release.wait()
            return "made"

        task = asyncio.create_task(cache.aget_or_set("k", factory))
        await started.wait()
        with pytest.raises(RuntimeError, match=r"computed on this event loop.*await"):
            cache.get_or_set("k", lambda: 1)
        release.set()
        assert await task == "made"

    run(main)


@pytest.mark.parametrize("inner", ["async", "blocking"])
def test_reentry_is_an_error_at_once(cache: ClockedCache, inner: str) -> None:
    async def factory() -> Any:
        if inner == "async":
            return await cache.aget_or_set("k", lambda: 1)
        return cache.get_or_set("k", lambda: 1)

    async def main() -> None:
        with pytest.raises(RuntimeError, match="own factory"):
            await cache.aget_or_set("k", factory)
        with pytest.raises(RuntimeError, match="own factory"):
            await cache.aget_or_set("k", lambda: cache.get_or_set("k", lambda: 1))

    run(main)


def test_a_plain_factory_runs_in_a_worker_thread(cache: ClockedCache) -> None:
    async def coroutine() -> str:
        return "awaited"

    async def main() -> Any:
        mine = threading.get_ident()
        assert await cache.aget_or_set("k", threading.get_ident) != mine
        assert await cache.aget_or_set("j", lambda: coroutine()) == "awaited"

    run(main)


def test_many(cache: ClockedCache) -> None:
    asked: list[list[str]] = []

    async def factory(keys: list[str]) -> dict[str, str]:
        asked.append(keys)
        await until(lambda: cache.stats().coalesced == 1)
        return {key: key.upper() for key in keys}

    async def second(keys: list[str]) -> list[str]:
        asked.append(keys)
        return [key.upper() for key in keys]

    async def main() -> Any:
        cache.set("x", "X")
        first = asyncio.create_task(cache.aget_or_set_many(["a", "x", "b", "a"], factory))
        await until(lambda: bool(asked))
        return await asyncio.gather(first, cache.aget_or_set_many(["b", "c"], second))

    assert run(main) == [["A", "X", "B", "A"], ["B", "C"]]
    assert asked == [["a", "b"], ["c"]]


def test_deleted_meanwhile_is_not_stored(cache: ClockedCache) -> None:
    async def factory() -> int:
        await cache.adelete("k")
        return 1

    async def main() -> None:
        assert await cache.aget_or_set("k", factory) == 1
        assert not await cache.aexists("k")

    run(main)


def test_what_the_leader_does_to_its_result_is_not_for_those_who_waited(
    cache: ClockedCache,
) -> None:
    async def factory() -> list[int]:
        await until(lambda: cache.stats().coalesced == 2)
        return [1]

    async def ask(mine: str) -> Any:
        result = await cache.aget_or_set("k", factory)
        result.append(mine)
        return result

    async def main() -> Any:
        return await asyncio.gather(*[ask(mine) for mine in "abc"])

    assert run(main) == [[1, "a"], [1, "b"], [1, "c"]]
