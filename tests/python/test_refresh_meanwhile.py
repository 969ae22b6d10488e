"""What ends or writes the result of a call while refresh() computes it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from clocked import ClockedCache
from sync_points import DEADLINE, in_threads

from vcache import Cache

Change = Callable[[Cache, str], Any]

ENDS: dict[str, Change] = {
    "invalidate": lambda cache, key: cache.invalidate("f:*"),
    "ainvalidate": lambda cache, key: asyncio.run(cache.ainvalidate("f:*")),
    "invalidate_on_write": lambda cache, key: cache.invalidate_on_write("f:*")(dict)(),
    "delete": lambda cache, key: cache.delete(key),
    "mdelete": lambda cache, key: cache.mdelete([key]),
    "clear": lambda cache, key: cache.clear(),
}
WRITES: dict[str, Change] = {
    "set": lambda cache, key: cache.set(key, "new"),
    "set with metadata": lambda cache, key: cache.set(key, "new", metadata={"by": "me"}),
    "mset": lambda cache, key: cache.mset({"j": 1, key: "new"}),
    "aset": lambda cache, key: asyncio.run(cache.aset(key, "new")),
}


class Slow:
    """A cached function whose calls after the first wait to be released, one by one."""

    def __init__(self, cache: Cache, **options: Any) -> None:
        self.started = threading.Semaphore(0)
        self.releases: list[threading.Event] = []
        self.cached = cache.cached(key_prefix="f", **options)(self._function())
        self.key = self.cached.cache_key(1)
        self.cached(1)

    def begun(self) -> threading.Event:
        """Waits until one more call has begun; what releases it."""
        assert self.started.acquire(timeout=DEADLINE)
        return self.releases[-1]

    def _function(self) -> Callable[[int], str]:
        calls = []

        def function(x: int) -> str:
            calls.append(x)
            number = len(calls)
            if number > 1:
                release = threading.Event()
                self.releases.append(release)
                self.started.release()
                assert release.wait(DEADLINE)
            return f"call {number}"

        return function


def refreshed_during(slow: Slow, change: Callable[[], object]) -> Any:
    """What a refresh() returns, while which there is that change."""

    def act() -> None:
        release = slow.begun()
        change()
        release.set()

    result, error = in_threads(lambda: slow.cached.refresh(1), act)
    assert error is None
    return result


@pytest.mark.parametrize("end", ENDS)
def test_what_was_ended_meanwhile_is_not_stored(cache: ClockedCache, end: str) -> None:
    slow = Slow(cache)
    assert refreshed_during(slow, lambda: ENDS[end](cache, slow.key)) == "call 2"
    assert not cache.exists(slow.key)


@pytest.mark.parametrize("write", WRITES)
def test_what_was_written_meanwhile_stays(cache: ClockedCache, write: str) -> None:
    slow = Slow(cache)
    assert refreshed_during(slow, lambda: WRITES[write](cache, slow.key)) == "call 2"
    assert cache.get(slow.key) == "new"


def test_a_result_that_is_not_to_be_stored_does_not_remove_what_was_written(
    cache: ClockedCache,
) -> None:
    slow = Slow(cache, cache_if=lambda result: result == "call 1")
    assert refreshed_during(slow, lambda: cache.set(slow.key, "new")) == "call 2"
    assert cache.get(slow.key) == "new"
    assert refreshed_during(slow, dict) == "call 3"
    assert not cache.exists(slow.key)


def test_what_does_not_concern_it_does_not_keep_it_from_being_stored(cache: ClockedCache) -> None:
    slow = Slow(cache)

    def change() -> None:
        cache.set("other", 1)
        cache.invalidate("other*")
        cache.delete("f")

    assert refreshed_during(slow, change) == "call 2"
    assert slow.cached(1) == "call 2"


def test_an_invalidation_while_the_result_is_being_stored_leaves_none(
    cache: ClockedCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    function = cache.cached(key_prefix="f")(repr)
    filler = cache._loader._filler
    withdraw = filler._withdraw_older

    def invalidated_first(key: Any, flight: Any) -> None:
        cache.invalidate("f:*")
        cache._tiers.put(key, "old", None, None, b"", 0.0, 0.0)
        withdraw(key, flight)

    monkeypatch.setattr(filler, "_withdraw_older", invalidated_first)
    assert function.refresh(1) == "1"
    assert not cache.exists(function.cache_key(1))


@pytest.mark.parametrize("first_to_end", [0, 1], ids=["earlier first", "later first"])
def test_of_two_the_later_is_stored(cache: ClockedCache, first_to_end: int) -> None:
    slow = Slow(cache)
    ends = [threading.Event(), threading.Event()]
    begun = threading.Event()

    def refresh(index: int) -> Any:
        assert index == 0 or begun.wait(DEADLINE)
        result = slow.cached.refresh(1)
        ends[index].set()
        return result

    def act() -> None:
        releases = [slow.begun()]
        begun.set()
        releases.append(slow.begun())
        for index in (first_to_end, 1 - first_to_end):
            releases[index].set()
            assert ends[index].wait(DEADLINE)

    results = in_threads(lambda: refresh(0), lambda: refresh(1), act)
    assert results == ["call 2", "call 3", None]
    assert slow.cached(1) == "call 3"


def test_a_load_that_was_under_way_is_not_stored_over_it(cache: ClockedCache) -> None:
    slow = Slow(cache)
    cache.delete(slow.key)
    loaded = threading.Event()

    def load() -> Any:
        result = slow.cached(1)
        loaded.set()
        return result

    def act() -> None:
        release = slow.begun()
        assert refreshed_during(slow, dict) == "call 3"
        release.set()
        assert loaded.wait(DEADLINE)

    assert in_threads(load, act) == ["call 2", None]
    assert cache.get(slow.key) == "call 3"


@pytest.mark.parametrize("end", ["invalidate", "ainvalidate"])
def test_on_a_loop(cache: ClockedCache, end: str) -> None:
    async def main() -> None:
        started, release = asyncio.Event(), asyncio.Event()

        @cache.cached(key_prefix="f")
        async def slow(x: int) -> str:
            started.set()
            await release.wait()
            return "old"

        task = asyncio.create_task(slow.arefresh(1))
        await started.wait()
        if end == "invalidate":
            cache.invalidate("f:*")
        else:
            await cache.ainvalidate("f:*")
        release.set()
        assert await task == "old"
        assert not cache.exists(slow.cache_key(1))
        assert [await slow.arefresh(1), cache.get(slow.cache_key(1))] == ["old", "old"]

    asyncio.run(main())


def test_one_that_fails_or_is_cancelled_leaves_nothing_behind(cache: ClockedCache) -> None:
    @cache.cached(key_prefix="f")
    def fails(x: int) -> str:
        raise KeyError(x)

    @cache.cached(key_prefix="g")
    async def hangs(x: int) -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        task = asyncio.create_task(hangs.arefresh(1))
        await asyncio.wait([task], timeout=0)
        task.cancel()
        await asyncio.wait([task])

    for _ in range(2):
        with pytest.raises(KeyError):
            fails.refresh(1)
        asyncio.run(main())
    assert not cache._loader.flights._alone
    assert not cache._tiers.is_unwritten(fails.cache_key(1), 0), "nobody watches it"
