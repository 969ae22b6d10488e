"""Values in their grace, limits of factories, early refreshes and back-off; memory only."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from clocked import ClockedCache
from failing import Ask, Factory, Graceful, awaited, batched, blocking, decorated
from sync_points import DEADLINE

from vcache import errors
from vcache._background import FailureLog, Workers
from vcache._freshness import Freshness


@pytest.fixture
def graceful() -> Iterator[Graceful]:
    with Graceful() as cache:
        yield cache


BLOCKING_WAYS = pytest.mark.parametrize("ask", [blocking, batched, decorated])
WAYS = pytest.mark.parametrize("ask", [blocking, awaited, batched, decorated])


@WAYS
def test_a_value_in_its_grace_stands_in_for_a_factory_that_fails(
    graceful: Graceful, ask: Ask
) -> None:
    factory = Factory()
    assert ask(graceful, factory) == 1
    graceful.advance(11)
    assert graceful.get("k") is None, "a fresh read does not see it"
    factory.error = KeyError("down")
    before = graceful.stats()
    assert ask(graceful, factory) == 1
    after = graceful.stats()
    assert factory.calls == 2
    assert after.stale_served == before.stale_served + 1
    assert (after.hits, after.misses) == (before.hits + 1, before.misses)
    assert graceful._loader.failures.count == 1


@WAYS
def test_after_its_grace_nothing_stands_in(graceful: Graceful, ask: Ask) -> None:
    factory = Factory()
    ask(graceful, factory)
    graceful.advance(71)
    factory.error = KeyError("down")
    with pytest.raises(KeyError):
        ask(graceful, factory)
    assert graceful.stats().stale_served == 0


def test_without_grace_nothing_is_kept() -> None:
    with ClockedCache(ttl=10) as cache:
        factory = Factory()
        blocking(cache, factory)
        cache.clock.advance(10)
        factory.error = KeyError("down")
        with pytest.raises(KeyError):
            blocking(cache, factory)


@pytest.mark.parametrize("end", ["delete", "mdelete", "clear"])
def test_what_is_removed_is_not_kept_for_its_grace(graceful: Graceful, end: str) -> None:
    factory = Factory()
    blocking(graceful, factory)
    graceful.advance(11)
    {
        "delete": lambda: graceful.delete("k"),
        "mdelete": lambda: graceful.mdelete(["k"]),
        "clear": graceful.clear,
    }[end]()
    factory.error = KeyError("down")
    with pytest.raises(KeyError):
        blocking(graceful, factory)


def test_in_their_grace_entries_are_not_there(graceful: Graceful) -> None:
    graceful.set("k", [1])
    graceful.advance(10)
    assert graceful.get("k") is None
    assert graceful.mget(["k"]) == [None]
    assert not graceful.lookup("k").hit
    assert not graceful.exists("k")
    assert not graceful.touch("k", 100)
    assert not graceful.delete("k")


def test_a_failed_factory_is_left_alone_for_a_while(graceful: Graceful) -> None:
    factory = Factory()
    blocking(graceful, factory)
    graceful.advance(11)
    factory.error = KeyError("down")
    for _ in range(5):
        assert blocking(graceful, factory, retry_after=3) == 1
    assert factory.calls == 2
    graceful.advance(3)
    factory.error = None
    assert blocking(graceful, factory, retry_after=3) == 3
    assert blocking(graceful, factory) == 3
    assert graceful.stats().stale_served == 5


def test_without_a_stale_value_each_call_tries(graceful: Graceful) -> None:
    factory = Factory()
    factory.error = KeyError("down")
    for _ in range(3):
        with pytest.raises(KeyError):
            blocking(graceful, factory, retry_after=100)
    assert factory.calls == 3


@BLOCKING_WAYS
def test_soft_timeout_serves_what_is_in_its_grace(graceful: Graceful, ask: Ask) -> None:
    factory = Factory()
    ask(graceful, factory)
    graceful.advance(11)
    factory.done = threading.Semaphore(0)
    factory.hold = threading.Event()
    assert ask(graceful, factory, soft_timeout=0.01) == 1
    factory.hold.set()
    assert factory.done.acquire(timeout=DEADLINE)
    assert _settled(lambda: ask(graceful, factory) == 2), "its result was stored"
    assert factory.calls == 2


def test_soft_timeout_on_a_loop(graceful: Graceful) -> None:
    factory = Factory()

    async def main() -> None:
        assert await graceful.aget_or_set("k", factory) == 1
        graceful.advance(11)
        factory.hold = threading.Event()
        assert await graceful.aget_or_set("k", factory, soft_timeout=0.01) == 1
        waiter = asyncio.create_task(graceful.aget_or_set("k", factory))
        factory.hold.set()
        assert await waiter == 2

    asyncio.run(main())
    assert factory.calls == 2


def test_hard_timeout_on_a_loop(graceful: Graceful) -> None:
    async def main() -> None:
        release = asyncio.Event()

        async def factory() -> int:
            await release.wait()
            return 7

        for _ in range(2):
            with pytest.raises(errors.FactoryTimeout):
                await graceful.aget_or_set("k", factory, hard_timeout=0.01)
        release.set()
        assert await graceful.aget_or_set("k", factory, hard_timeout=DEADLINE) == 7

    asyncio.run(main())
    assert graceful.stats().source_calls == 1


def test_soft_timeout_without_a_stale_value_waits(graceful: Graceful) -> None:
    factory = Factory()
    factory.hold = threading.Event()
    threading.Timer(0.05, factory.hold.set).start()
    assert blocking(graceful, factory, soft_timeout=0.01) == 1


@BLOCKING_WAYS
def test_hard_timeout_raises_and_the_result_is_stored(graceful: Graceful, ask: Ask) -> None:
    factory = Factory()
    factory.hold = threading.Event()
    with pytest.raises(errors.FactoryTimeout, match="hard_timeout=0.01 seconds"):
        ask(graceful, factory, hard_timeout=0.01)
    factory.hold.set()
    assert factory.done.acquire(timeout=DEADLINE)
    assert _settled(lambda: ask(graceful, factory) == 1)
    assert factory.calls == 1


def test_hard_timeout_serves_what_is_in_its_grace(graceful: Graceful) -> None:
    factory = Factory()
    blocking(graceful, factory)
    graceful.advance(11)
    factory.hold = threading.Event()
    assert blocking(graceful, factory, hard_timeout=0.01) == 1
    factory.hold.set()


def test_limits_leave_a_quick_factory_alone(graceful: Graceful) -> None:
    factory = Factory()
    assert blocking(graceful, factory, soft_timeout=5, hard_timeout="10s") == 1
    factory.error = KeyError("down")
    with pytest.raises(KeyError):
        graceful.get_or_set("other", factory, hard_timeout=10)


def test_limits_within_limits_do_not_use_up_the_threads() -> None:
    with ClockedCache() as cache:

        def nested(depth: int) -> int:
            if depth == 0:
                return 0
            inner = cache.get_or_set(f"k{depth}", lambda: nested(depth - 1), hard_timeout=DEADLINE)
            return int(inner) + 1

        assert nested(40) == 40


@BLOCKING_WAYS
def test_refresh_ahead_begins_one_refresh(graceful: Graceful, ask: Ask) -> None:
    factory = Factory()
    assert ask(graceful, factory, refresh_ahead=0.8) == 1
    graceful.advance(7.9)
    assert ask(graceful, factory, refresh_ahead=0.8) == 1
    assert factory.calls == 1
    graceful.advance(0.2)
    factory.hold = threading.Event()
    for _ in range(5):
        assert ask(graceful, factory, refresh_ahead=0.8) == 1, "a hit is served at once"
    factory.hold.set()
    assert _settled(lambda: ask(graceful, factory, refresh_ahead=0.8) == 2)
    assert factory.calls == 2


def test_refresh_ahead_on_a_loop(graceful: Graceful) -> None:
    calls = 0
    refreshed = asyncio.Event()

    async def factory() -> int:
        nonlocal calls
        calls += 1
        if calls == 2:
            refreshed.set()
        return calls

    async def main() -> None:
        await graceful.aget_or_set("k", factory, refresh_ahead=0.5)
        graceful.advance(6)
        assert await graceful.aget_or_set("k", factory, refresh_ahead=0.5) == 1
        await asyncio.wait_for(refreshed.wait(), DEADLINE)
        while await graceful.aget("k") != 2:
            await asyncio.to_thread(int)

    asyncio.run(main())
    assert calls == 2


def test_refresh_ahead_of_a_batch_asks_for_what_is_due(graceful: Graceful) -> None:
    asked: list[list[Any]] = []

    def factory(keys: list[Any]) -> list[int]:
        asked.append(keys)
        return [len(asked)] * len(keys)

    graceful.get_or_set_many(["a", "b"], factory)
    graceful.advance(6)
    graceful.get_or_set_many(["c"], factory)
    graceful.advance(3)
    keys = ["a", "c", "b", "a"]
    assert graceful.get_or_set_many(keys, factory, refresh_ahead=0.8) == [1, 2, 1, 1]
    assert _settled(lambda: graceful.mget(keys) == [3, 2, 3, 3])
    assert asked == [["a", "b"], ["c"], ["a", "b"]]


def test_a_failing_refresh_is_counted_and_left_alone(graceful: Graceful) -> None:
    factory = Factory()
    blocking(graceful, factory)
    graceful.advance(9)
    factory.error = KeyError("down")
    assert blocking(graceful, factory, refresh_ahead=0.5, retry_after=5) == 1
    assert _settled(lambda: graceful._loader.failures.count == 1)
    assert blocking(graceful, factory, refresh_ahead=0.5, retry_after=5) == 1
    assert factory.calls == 2
    assert graceful.stats().stale_served == 0, "it was fresh"


def test_a_set_during_a_refresh_stays(graceful: Graceful) -> None:
    factory = Factory()
    blocking(graceful, factory)
    graceful.advance(9)
    factory.hold = threading.Event()
    blocking(graceful, factory, refresh_ahead=0.5)
    graceful.set("k", "newer")
    factory.hold.set()
    assert _settled(lambda: graceful._loader.flights._open == {})
    assert graceful.get("k") == "newer"


@pytest.mark.parametrize(("draw", "is_due"), [(0.0, False), (0.5, False), (0.9999, True)])
def test_beta_draws_by_the_time_that_the_factory_takes(draw: float, is_due: bool) -> None:
    # 4 s to live, took 1 s: due when -ln(1 - draw) >= 4, of probability exp(-4).
    assert Freshness(beta=1.0).is_due(6.0, 4.0, 1.0, lambda: draw) is is_due


def test_beta_refreshes_in_the_background(graceful: Graceful) -> None:
    factory = Factory()
    graceful._loader.draw = lambda: 1.0 - 1e-15
    graceful._tiers.put("k", 0, 10.0, None, b"", 0.0, 2.0)
    graceful.advance(1)
    assert blocking(graceful, factory, beta=1.0) == 0
    assert _settled(lambda: graceful.get("k") == 1)


def test_negative_ttl(graceful: Graceful) -> None:
    assert graceful.get_or_set("none", lambda: None, negative_ttl=2) is None
    assert graceful.get_or_set_many(["a", "b"], lambda _: [None, 1], negative_ttl=2) == [None, 1]
    assert graceful.lookup("none").ttl == pytest.approx(2)
    assert graceful.lookup("a").ttl == pytest.approx(2)
    assert graceful.lookup("b").ttl == pytest.approx(10)
    graceful.advance(3)
    assert graceful.get_or_set("none", lambda: 5, negative_ttl=2) == 5


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"soft_timeout": 0}, ValueError),
        ({"soft_timeout": 2, "hard_timeout": 1}, ValueError),
        ({"hard_timeout": "soon"}, ValueError),
        ({"refresh_ahead": 1}, ValueError),
        ({"refresh_ahead": "often"}, TypeError),
        ({"beta": -1}, ValueError),
        ({"beta": float("inf")}, ValueError),
        ({"negative_ttl": -1}, ValueError),
        ({"error_ttl": 0}, ValueError),
        ({"retry_after": -1}, ValueError),
        ({"softtimeout": 1}, TypeError),
    ],
)
def test_bad_options_are_named(
    graceful: Graceful, options: dict[str, Any], error: type[Exception]
) -> None:
    name = next(iter(options))
    for ask in (blocking, awaited, batched, decorated):
        with pytest.raises(error, match=rf"{name}.*allowed"):
            ask(graceful, Factory(), **options)


@pytest.mark.parametrize("argument", ["grace", "lease"])
@pytest.mark.parametrize("value", [-1, "soon", "11000w", float("nan")])
def test_bad_arguments_of_the_cache(argument: str, value: Any) -> None:
    with pytest.raises(errors.ConfigError, match=rf"{argument}=.*allowed"):
        ClockedCache(**{argument: value})


def test_failures_are_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    log = FailureLog(lambda: now)
    for _ in range(3):
        log.note(ValueError("secret"))
    now = 61.0
    log.note(KeyError("secret"))
    told = [(record.event, record.fields) for record in caplog.records]  # type: ignore[attr-defined]
    assert told == [
        ("factory_failed", {"error": "ValueError", "count": 1}),
        ("factory_failed", {"error": "KeyError", "count": 3}),
    ]
    assert "secret" not in caplog.text
    assert log.count == 4


def test_workers_are_few_and_end_no_program() -> None:
    workers, release, threads = Workers(), threading.Event(), set()
    done = threading.Semaphore(0)

    def work() -> None:
        threads.add(threading.current_thread())
        assert release.wait(DEADLINE)
        done.release()

    for _ in range(100):
        assert workers.submit(work)
    release.set()
    for _ in range(100):
        assert done.acquire(timeout=DEADLINE)
    assert len(threads) <= 16
    assert all(thread.daemon for thread in threads)


def _settled(condition: Callable[[], bool]) -> bool:
    """Whether it comes to hold."""
    pause = threading.Event()
    for _ in range(int(DEADLINE / 0.005)):
        if condition():
            return True
        pause.wait(0.005)
    return False
