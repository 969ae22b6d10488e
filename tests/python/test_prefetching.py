"""prefetch(): what is likely to be read next comes into memory, and whether that was of use."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable

import numpy as np
import pytest
from polling import wait_until

from vcache import Cache
from vcache._transitions import Transitions
from vcache.errors import ConfigError


def values_of(keys: list[str]) -> dict[str, str]:
    return {key: f"value of {key}" for key in keys}


def test_related_keys_are_loaded_and_counted_once_used() -> None:
    cache = Cache()
    calls: list[list[str]] = []

    def factory(keys: list[str]) -> dict[str, str]:
        calls.append(keys)
        return values_of(keys)

    job = cache.prefetch(lambda key: [f"{key}/1", f"{key}/2"], factory=factory, learn=False)
    cache.set("doc", 1)
    cache.get("doc")
    wait_until(lambda: job.progress.prefetched == 2)
    assert calls == [["doc/1", "doc/2"]]
    assert cache.get("doc/1") == "value of doc/1"
    wait_until(lambda: job.progress.used == 1)
    report = job.progress
    assert (report.asked >= 2, report.absent, report.failed) == (True, 0, 0)
    assert report.usefulness == 1.0
    job.cancel()
    job.wait(10)


def test_counts_no_look_up_and_leaves_what_is_there() -> None:
    cache = Cache()
    cache.mset({"a": 1, "b": 2})
    job = cache.prefetch(lambda key: ["b"], factory=values_of, learn=False)
    cache.get("a")
    wait_until(lambda: job.progress.reads == 1)
    job.cancel()
    report = job.wait(10)
    assert (report.asked, report.prefetched) == (0, 0)
    assert cache.stats().requests == 1


def test_learns_what_follows() -> None:
    cache = Cache()
    job = cache.prefetch(factory=values_of)
    for turn in range(6):  # "b" is read after "a", and nobody sets it
        for key in ("a", "b", f"x{turn}", f"y{turn}", f"z{turn}"):
            cache.get(key)
        wait_until(lambda turn=turn: job.progress.reads == 5 * (turn + 1))  # type: ignore[misc]
    wait_until(lambda: cache.exists("b"))
    job.cancel()
    assert job.wait(10).learned >= 2


def test_every_way_to_read_is_noted() -> None:
    cache = Cache()
    cache.set("k", np.ones(4, np.float32))
    job = cache.prefetch(lambda key: (), factory=values_of, learn=False)
    cache.get("k")
    cache.lookup("k")
    cache.mget(["k", "none"])
    cache.get_vectors(["k"])
    cache.get_or_set("k", lambda: 1)
    cache.get_or_set("early", lambda: 1, refresh_ahead=0.5)
    wait_until(lambda: job.progress.reads == 7)
    job.cancel()


def test_calls_of_decorated_functions_are_noted() -> None:
    cache = Cache()

    @cache.cached
    def of_text(text: str) -> str:
        return text

    @cache.cached
    def of_two(text: str, number: int) -> str:
        return text * number

    seen: list[str | bytes] = []

    def related(key: str | bytes) -> Iterable[str]:
        seen.append(key)
        return ()

    job = cache.prefetch(related, factory=values_of, learn=False)
    for _ in range(3):
        of_text("é")
        of_two("a", 2)
    wait_until(lambda: job.progress.reads == 6)
    assert set(seen) == {of_text.cache_key("é"), of_two.cache_key("a", 2)}
    job.cancel()


def test_what_related_and_the_factory_raise_is_reported_and_it_goes_on() -> None:
    cache = Cache()

    def related(key: str) -> Iterable[str]:
        if key == "bad":
            raise LookupError("no such document")
        return "text" if key == "text" else [f"{key}/next", 3, ""]  # type: ignore[list-item]

    def factory(keys: list[str]) -> dict[str, str]:
        if "away/next" in keys:
            raise OSError("away")
        return values_of(keys)

    job = cache.prefetch(related, factory=factory, learn=False, batch_size=1)  # type: ignore[arg-type]
    for count, key in enumerate(["bad", "text", "away", "good"], 1):
        cache.get(key)
        wait_until(lambda count=count: job.progress.reads == count)  # type: ignore[misc]
    wait_until(lambda: cache.exists("good/next"))
    job.cancel()
    kinds = {type(error) for error in job.wait(10).errors}
    assert kinds >= {LookupError, TypeError, OSError, ValueError}


def test_what_is_no_key_keeps_no_other_back() -> None:
    cache = Cache()
    job = cache.prefetch(
        lambda key: ["", "k" * 1025, 3, f"{key}/next"],  # type: ignore[list-item]
        factory=values_of,
        learn=False,
    )
    cache.get("doc")
    wait_until(lambda: cache.exists("doc/next"))
    job.cancel()
    report = job.wait(10)
    assert {type(error) for error in report.errors} == {TypeError, ValueError}
    assert (report.prefetched, report.failed) == (1, 3)


def test_many_reads_share_a_batch() -> None:
    cache = Cache()
    sizes: list[int] = []
    held, first = threading.Event(), threading.Event()

    def factory(keys: list[str]) -> dict[str, str]:
        sizes.append(len(keys))
        first.set()
        assert held.wait(10)
        return values_of(keys)

    job = cache.prefetch(lambda key: [f"{key}+"], factory=factory, learn=False)
    cache.get("first")
    assert first.wait(10)
    for i in range(100):
        cache.get(f"k{i}")
    held.set()
    wait_until(lambda: job.progress.prefetched == 101)
    job.cancel()
    assert sizes == [1, 100]


def test_one_at_a_time_and_ends_with_the_cache() -> None:
    cache = Cache()
    job = cache.prefetch(factory=values_of)
    with pytest.raises(RuntimeError, match="under way"):
        cache.prefetch(factory=values_of)
    job.cancel()
    again = cache.prefetch(factory=values_of)
    assert job.done
    cache.close()
    again.wait(10)
    cache.get("nothing is noted any more")
    assert cache._tiers.take_reads() == []


def test_bad_arguments() -> None:
    cache = Cache()
    with pytest.raises(ValueError, match="factory=None"):
        cache.prefetch()
    with pytest.raises(ConfigError, match="memory=0"):
        Cache(memory=0).prefetch(factory=values_of)
    with pytest.raises(ValueError, match="related=None"):
        cache.prefetch(factory=values_of, learn=False)
    with pytest.raises(TypeError, match="related=3"):
        cache.prefetch(3, factory=values_of)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="confidence=2"):
        cache.prefetch(factory=values_of, confidence=2)
    with pytest.raises(ValueError, match="most_keys=0"):
        cache.prefetch(factory=values_of, most_keys=0)
    with pytest.raises(TypeError, match="learn=1"):
        cache.prefetch(factory=values_of, learn=1)  # type: ignore[arg-type]


def test_over_in_a_forked_child() -> None:
    cache = Cache()
    job = cache.prefetch(lambda key: [f"{key}+"], factory=values_of, learn=False)
    child = os.fork()
    if child == 0:
        try:
            ok = job.done
            again = cache.prefetch(lambda key: [f"{key}+"], factory=values_of, learn=False)
            cache.get("k")
            wait_until(lambda: cache.exists("k+"))
            cache.close()
            again.wait(10)
        except BaseException:
            ok = False
        os._exit(0 if ok else 1)
    assert os.waitpid(child, 0)[1] == 0
    job.cancel()


def test_transitions_are_the_share_of_reads() -> None:
    known = Transitions(100)
    for turn in range(10):
        known.read(["a", "b" if turn % 2 else "c", f"x{turn}", f"y{turn}", f"z{turn}"])
    assert set(known.after("a", 0.4)) == {"b", "c"}
    assert known.after("a", 0.6) == []
    assert known.after("unknown", 0.0) == []
    assert known.after("x1", 0.0) == []  # read once


def test_transitions_are_bounded_and_follow_a_change() -> None:
    known = Transitions(50)
    known.read(str(i) for i in range(10_000))
    assert len(known) == 50
    for turn in range(300):
        after = "old" if turn < 100 else "new"
        known.read(["a", after, f"x{turn}", f"y{turn}", f"z{turn}"])
    assert known.after("a", 0.5) == ["new"]
