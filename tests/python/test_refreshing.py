"""refresh_hot(): the hottest entries are computed anew before they expire."""

from __future__ import annotations

import gc
import os
import threading
import weakref
from collections.abc import Callable

import pytest
from clocked import ClockedCache
from polling import wait_until

from vcache import Cache
from vcache._jobs import Job
from vcache._refreshing import RefreshReport
from vcache.errors import ConfigError

EVERY = 0.01  # seconds between rounds


def after_rounds(job: Job[RefreshReport], more: int = 2) -> RefreshReport:
    """Its report once so many rounds have begun and ended."""
    target = job.progress.rounds + more
    wait_until(lambda: job.progress.rounds >= target)
    return job.progress


def counting(calls: list[list[str]]) -> Callable[[list[str]], list[str]]:
    def factory(keys: list[str]) -> list[str]:
        calls.append(list(keys))
        return [f"new {key}" for key in keys]

    return factory


def hot_cache() -> ClockedCache:
    """Of ten keys k5 to k9 are hot; all expire in 100 seconds of a clock that stands still."""
    cache = ClockedCache(ttl=100, memory_ttl=None)
    cache.mset({f"k{i}": "old" for i in range(10)})
    for _ in range(5):
        cache.mget([f"k{i}" for i in range(5, 10)])
    return cache


def test_the_hottest_that_are_due_are_computed_anew() -> None:
    cache, calls = hot_cache(), list[list[str]]()
    job = cache.refresh_hot(5, EVERY, counting(calls), batch_size=2)
    assert after_rounds(job).refreshed == 0  # with 100 seconds left none is due
    cache.clock.advance(99.995)
    wait_until(lambda: job.progress.refreshed >= 5)
    report = after_rounds(job)
    job.cancel()
    job.wait(10)
    assert sorted(key for keys in calls for key in keys) == [f"k{i}" for i in range(5, 10)]
    assert max(map(len, calls)) <= 2
    assert (report.refreshed, report.failed) == (5, 0)
    cache.clock.advance(50)
    assert cache.mget(["k4", "k5"]) == [None, "new k5"]


def test_entries_without_expiry_are_left_alone() -> None:
    cache, calls = ClockedCache(ttl=None, memory_ttl=None), list[list[str]]()
    cache.mset({"a": 1, "b": 2})
    cache.mget(["a", "b"])
    job = cache.refresh_hot(5, EVERY, counting(calls))
    assert after_rounds(job).looked_at >= 4
    job.cancel()
    assert calls == []


def test_what_a_tag_may_end_is_left_to_who_made_it() -> None:
    cache, calls = ClockedCache(ttl=100, memory_ttl=None), list[list[str]]()
    cache.set("tagged", "old", tags=["t"])
    cache.set("plain", "old")
    for _ in range(5):
        cache.mget(["tagged", "plain"])
    job = cache.refresh_hot(5, EVERY, counting(calls))
    cache.clock.advance(99.995)
    wait_until(lambda: cache.get("plain") == "new plain")
    after_rounds(job)
    job.cancel()
    job.wait(10)
    assert {key for keys in calls for key in keys} == {"plain"}
    cache.invalidate_tags("t")
    assert cache.get("tagged") is None


def test_a_factory_that_raises_leaves_the_values() -> None:
    cache = hot_cache()

    def factory(keys: list[str]) -> list[str]:
        raise OSError("away")

    job = cache.refresh_hot(5, EVERY, factory)
    cache.clock.advance(99.995)
    wait_until(lambda: job.progress.failed >= 5)
    job.cancel()
    report = job.wait(10)
    assert {type(error) for error in report.errors} == {OSError}
    assert report.refreshed == 0
    assert cache.get("k5") == "old"


def test_what_was_deleted_meanwhile_is_not_brought_back() -> None:
    cache = hot_cache()
    began, go_on = threading.Event(), threading.Event()

    def factory(keys: list[str]) -> list[str]:
        began.set()
        assert go_on.wait(10)
        return ["new"] * len(keys)

    job = cache.refresh_hot(5, EVERY, factory)
    cache.clock.advance(99.995)
    assert began.wait(10)
    cache.delete("k6")
    job.cancel()
    go_on.set()
    job.wait(10)
    assert cache.mget(["k5", "k6"]) == ["new", None]


def test_ends_with_its_cache() -> None:
    cache = hot_cache()
    job = cache.refresh_hot(5, EVERY, counting([]))
    cache.close()
    job.wait(10)
    assert job.cancelled


def test_nothing_begins_in_a_closed_cache() -> None:
    cache = hot_cache()
    cache.close()
    job = cache.refresh_hot(5, EVERY, counting([]))
    assert job.wait(10).rounds == 0
    warming = cache.warm(["k"], counting([]))
    assert warming.wait(10).cancelled


def test_keeps_no_cache_alive() -> None:
    cache = Cache()
    job = cache.refresh_hot(5, EVERY, counting([]))
    gone = weakref.ref(cache)
    del cache
    wait_until(lambda: gc.collect() is not None and gone() is None)
    job.wait(10)
    assert not job.cancelled


def test_stays_off_in_a_forked_child() -> None:
    cache = hot_cache()
    job = cache.refresh_hot(5, EVERY, counting([]))
    child = os.fork()
    if child == 0:
        try:
            ok = job.done
            again = cache.refresh_hot(5, EVERY, counting([]))
            after_rounds(again)
            cache.close()
            again.wait(10)
        except BaseException:
            ok = False
        os._exit(0 if ok else 1)
    assert os.waitpid(child, 0)[1] == 0
    after_rounds(job)
    job.cancel()


def test_bad_arguments() -> None:
    cache = Cache()

    async def later(keys: list[str]) -> list[int]:
        return [1 for _ in keys]

    factory = counting([])
    with pytest.raises(ValueError, match="n=0"):
        cache.refresh_hot(0, 1, factory)
    with pytest.raises(ValueError, match="every"):
        cache.refresh_hot(5, 0, factory)
    with pytest.raises(ValueError, match="jitter=2"):
        cache.refresh_hot(5, 1, factory, jitter=2)
    with pytest.raises(TypeError, match="is async"):
        cache.refresh_hot(5, "5m", later)
    with pytest.raises(ConfigError, match="memory=0"):
        Cache(memory=0).refresh_hot(5, "5m", factory)
    with pytest.raises(TypeError, match="factory=None"):
        cache.refresh_hot(5, "5m", None)  # type: ignore[arg-type]
