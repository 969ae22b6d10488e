"""vcache.current(): what a cached function says of its own result."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from typing import Any

import pytest
from clocked import ClockedCache
from sync_points import Waiters, in_threads

import vcache


def test_a_time_to_live_set_inside(cache: ClockedCache) -> None:
    calls = []

    @cache.cached(ttl=100)
    def price(item: str, ttl: Any) -> str:
        assert vcache.current().ttl == 100
        vcache.current().ttl = ttl
        calls.append(item)
        return item

    for ttl, seconds in ((5, 5), ("1m", 60), (None, 300)):
        price("a", ttl)
        assert cache.lookup(price.cache_key("a", ttl)).ttl == pytest.approx(seconds)
        cache.clock.advance(4)
        price("a", ttl)
    assert calls == ["a"] * 3
    cache.clock.advance(2)
    price("a", 5)
    price("a", "1m")
    assert calls == ["a"] * 4


def test_a_time_to_live_goes_for_none_too(cache: ClockedCache) -> None:
    calls = []

    @cache.cached(negative_ttl=1)
    def find(ttl: float | None) -> None:
        calls.append(ttl)
        if ttl is not None:
            vcache.current().ttl = ttl

    find(None)
    find(50)
    cache.clock.advance(2)
    find(None)
    find(50)
    assert calls == [None, 50, None]


@pytest.mark.parametrize("ttl", [0, -1, "soon", True])
def test_a_wrong_time_to_live_is_an_error(cache: ClockedCache, ttl: Any) -> None:
    @cache.cached
    def wrong() -> None:
        vcache.current().ttl = ttl

    with pytest.raises(ValueError, match=f"ttl={ttl!r}"):
        wrong()


def test_the_default_time_to_live_is_that_of_the_cache() -> None:
    with ClockedCache(ttl=77) as cache:

        @cache.cached
        def default() -> float | None:
            return vcache.current().ttl

        assert default() == 77


def test_skip(cache: ClockedCache) -> None:
    calls = []

    @cache.cached
    def find(item: str) -> str:
        calls.append(item)
        if item == "partial":
            vcache.current().skip()
            assert vcache.current().skipped
        return item

    for _ in range(2):
        assert [find("partial"), find("whole")] == ["partial", "whole"]
    assert calls == ["partial", "whole", "partial"]
    assert find.cache_info().uncached == 0, "that was meant"


def test_a_refresh_that_skips_removes_the_old(cache: ClockedCache) -> None:
    skips = False

    @cache.cached
    def find() -> str:
        if skips:
            vcache.current().skip()
        return "skipped" if skips else "kept"

    find()
    skips = True
    assert find.refresh() == "skipped"
    assert cache.get(find.cache_key()) is None


def test_tags(cache: ClockedCache) -> None:
    calls = []

    @cache.cached
    def page(name: str) -> str:
        calls.append(name)
        tags = vcache.current().tags
        tags.add("pages", f"page:{name}")
        tags.update([b"pages", "more"])
        assert len(tags) == 3
        assert list(tags) == ["pages", f"page:{name}", "more"]
        assert "more" in tags
        assert "other" not in tags
        return name

    page("a")
    page("b")
    cache.invalidate_tags("page:a")
    page("a")
    page("b")
    cache.invalidate_tags("pages")
    page("b")
    assert calls == ["a", "b", "a", "b"]


def test_tags_of_a_refresh(cache: ClockedCache) -> None:
    @cache.cached
    def page() -> str:
        vcache.current().tags.add("t")
        return "page"

    page.refresh()
    cache.invalidate_tags("t")
    assert cache.get(page.cache_key()) is None


def test_too_many_tags_and_wrong_ones(cache: ClockedCache) -> None:
    @cache.cached
    def tagged(tags: Any) -> None:
        vcache.current().tags.update(tags)

    with pytest.raises(ValueError, match="at most 64"):
        tagged([f"t{i}" for i in range(65)])
    with pytest.raises(TypeError, match="tags"):
        tagged([5])
    tagged([f"t{i}" for i in range(64)])


def test_a_tag_that_ended_while_the_result_was_made(cache: ClockedCache) -> None:
    versions = iter("abc")

    @cache.cached
    def page() -> str:
        value = next(versions)
        if value == "a":
            cache.invalidate_tags("t")
        vcache.current().tags.add("t")
        return value

    assert [page(), page(), page()] == ["a", "b", "b"]


def test_who_joins_after_the_invalidation_gets_a_newer_result(
    cache: ClockedCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, release = threading.Event(), threading.Event()
    versions, waiters = iter("ab"), Waiters(monkeypatch)

    @cache.cached
    def page() -> str:
        value = next(versions)
        if value == "a":
            started.set()
            release.wait(30)
        vcache.current().tags.add("t")
        return value

    def joiner() -> str:
        started.wait(30)
        cache.invalidate_tags("t")
        return page()

    def releaser() -> None:
        waiters.wait_for(1)
        release.set()

    assert in_threads(page, joiner, releaser)[:2] == ["a", "b"]


def test_outside_of_a_cached_function(cache: ClockedCache) -> None:
    @cache.cached
    def inner() -> vcache._current.CurrentCall:
        return vcache.current()

    with pytest.raises(RuntimeError, match="outside of a cached function"):
        vcache.current()
    with pytest.raises(RuntimeError, match="outside of a cached function"):
        inner.__wrapped__()
    with pytest.raises(RuntimeError, match="outside of a cached function"):
        cache.get_or_set("k", vcache.current)


def test_when_the_function_has_returned(cache: ClockedCache) -> None:
    contexts, calls = [], []

    @cache.cached
    def find() -> int:
        contexts.append(contextvars.copy_context())
        calls.append(vcache.current())
        return 1

    find()
    with pytest.raises(RuntimeError, match="outside of a cached function"):
        contexts[0].run(vcache.current)
    late: list[Callable[[], object]] = [
        calls[0].skip,
        lambda: calls[0].tags.add("t"),
        lambda: setattr(calls[0], "ttl", 5),
    ]
    for change in late:
        with pytest.raises(RuntimeError, match="is over"):
            change()


def test_the_innermost_counts(cache: ClockedCache) -> None:
    @cache.cached
    def inner() -> str:
        vcache.current().ttl = 5
        return "inner"

    @cache.cached
    def outer() -> str:
        vcache.current().ttl = 50
        inner()
        assert vcache.current().ttl == 50
        vcache.current().tags.add("outer")
        return "outer"

    outer()
    assert cache.lookup(inner.cache_key()).ttl == 5
    cache.invalidate_tags("outer")
    assert cache.exists(inner.cache_key())
    assert not cache.exists(outer.cache_key())


def test_a_failed_call_is_over(cache: ClockedCache) -> None:
    @cache.cached
    def failing() -> None:
        vcache.current().ttl = 5
        raise KeyError("x")

    with pytest.raises(KeyError):
        failing()
    with pytest.raises(RuntimeError, match="outside"):
        vcache.current()


def test_threads_have_calls_of_their_own(cache: ClockedCache) -> None:
    meet = threading.Barrier(4, timeout=30)

    @cache.cached
    def find(seconds: int) -> int:
        vcache.current().ttl = seconds
        meet.wait()
        assert vcache.current().ttl == seconds
        return seconds

    seconds = [10, 20, 30, 40]
    assert in_threads(*(lambda s=s: find(s) for s in seconds)) == seconds
    found = [cache.lookup(find.cache_key(s)).ttl for s in seconds]
    assert found == pytest.approx(seconds)


def test_a_thread_with_the_context_of_the_call(cache: ClockedCache) -> None:
    @cache.cached
    def find() -> int:
        context = contextvars.copy_context()
        in_threads(lambda: context.run(lambda: vcache.current().tags.add("t")))
        return 1

    find()
    cache.invalidate_tags("t")
    assert not cache.exists(find.cache_key())


def test_coroutines_have_calls_of_their_own(cache: ClockedCache) -> None:
    @cache.cached
    async def find(seconds: int) -> int:
        vcache.current().ttl = seconds
        await asyncio.gather(*(part(seconds) for _ in range(3)))
        assert vcache.current().ttl == seconds
        if seconds == 30:
            vcache.current().skip()
        return seconds

    async def part(seconds: int) -> None:
        await asyncio.to_thread(int)
        assert vcache.current().ttl == seconds
        vcache.current().tags.add(f"t{seconds}")

    async def main() -> None:
        seconds = [10, 20, 30]
        assert await asyncio.gather(*map(find, seconds)) == seconds
        found = [cache.lookup(find.cache_key(s)).ttl for s in seconds]
        assert found == [pytest.approx(10), pytest.approx(20), None]
        await cache.ainvalidate_tags("t10")
        assert [cache.exists(find.cache_key(s)) for s in seconds] == [False, True, False]

    asyncio.run(main())


def test_a_refresh_ahead(cache: ClockedCache) -> None:
    calls = []

    @cache.cached(ttl=100, refresh_ahead=0.5)
    async def find() -> int:
        calls.append(vcache.current().ttl)
        if len(calls) == 2:
            vcache.current().ttl = 200
        return len(calls)

    async def main() -> None:
        await find()
        cache.clock.advance(80)
        await find()
        while cache.lookup(find.cache_key()).ttl != pytest.approx(200):
            await asyncio.to_thread(int)

    asyncio.run(asyncio.wait_for(main(), 30))
    assert calls == [100, 100]
