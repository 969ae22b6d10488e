"""One computation of a key at a time, over threads."""

from __future__ import annotations

import os
import threading
from typing import Any

import numpy as np
import pytest
from clocked import ClockedCache
from sync_points import DEADLINE, Waiters, in_threads

from vcache import MISSING

THREADS = 64


@pytest.fixture
def waiters(monkeypatch: pytest.MonkeyPatch) -> Waiters:
    return Waiters(monkeypatch)


def test_64_threads_make_one_call(cache: ClockedCache, waiters: Waiters) -> None:
    calls = []

    def factory() -> np.ndarray[Any, Any]:
        calls.append(threading.get_ident())
        waiters.wait_for(THREADS - 1)
        return np.arange(3.0)

    results = in_threads(*[lambda: cache.get_or_set("k", factory)] * THREADS)
    assert len(calls) == 1
    assert all(result.tolist() == [0, 1, 2] for result in results)
    assert not any(result.flags.writeable for result in results)
    stats = cache.stats()
    assert (stats.misses, stats.coalesced, stats.source_calls) == (THREADS, THREADS - 1, 1)
    assert stats.requests == THREADS


def test_waiters_do_not_share_an_object(cache: ClockedCache, waiters: Waiters) -> None:
    def factory() -> dict[str, Any]:
        waiters.wait_for(3)
        return {"list": (1, 2)}

    results = in_threads(*[lambda: cache.get_or_set("k", factory)] * 4)
    results[0]["list"].append("mine")
    assert [result["list"] for result in results[1:]] == [[1, 2]] * 3
    assert cache.get("k") == {"list": [1, 2]}


def test_a_failure_reaches_all_waiters_and_nothing_is_stored(
    cache: ClockedCache, waiters: Waiters
) -> None:
    calls = []

    def factory() -> None:
        calls.append(1)
        waiters.wait_for(7)
        raise LookupError("no answer")

    results = in_threads(*[lambda: cache.get_or_set("k", factory)] * 8)
    assert len(calls) == 1
    assert all(isinstance(result, LookupError) for result in results)
    assert cache.get("k", MISSING) is MISSING
    assert cache.get_or_set("k", lambda: 2) == 2


def test_who_missed_before_it_was_stored_computes_nothing(
    cache: ClockedCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A caller is overtaken between its look-up and its claim."""
    loader = cache._loader
    claim = loader.flights.claim

    def overtaken(*given: Any) -> Any:
        monkeypatch.setattr(loader.flights, "claim", claim)
        assert cache.get_or_set("k", lambda: "first") == "first"
        return claim(*given)

    monkeypatch.setattr(loader.flights, "claim", overtaken)
    assert cache.get_or_set("k", pytest.fail) == "first"
    stats = cache.stats()
    assert stats.source_calls == 1
    assert stats.hits + stats.misses == stats.requests


def test_an_interrupted_leader_hands_over(cache: ClockedCache, waiters: Waiters) -> None:
    leading = threading.Event()

    def interrupted() -> None:
        leading.set()
        waiters.wait_for(1)
        raise KeyboardInterrupt

    def follow() -> Any:
        assert leading.wait(DEADLINE)
        return cache.get_or_set("k", lambda: "second")

    results = in_threads(lambda: cache.get_or_set("k", interrupted), follow)
    assert isinstance(results[0], KeyboardInterrupt)
    assert results[1] == "second"


def test_reentry_is_an_error_at_once(cache: ClockedCache) -> None:
    with pytest.raises(RuntimeError, match="b'k' is asked for from within its own factory"):
        cache.get_or_set("k", lambda: cache.get_or_set("k", lambda: 1))
    with pytest.raises(RuntimeError, match="own factory"):
        cache.get_or_set_many(["a", "b"], lambda keys: [cache.get_or_set("b", lambda: 1), 2])
    assert cache.get_or_set("k", lambda: cache.get_or_set("other", lambda: 5)) == 5
    assert cache.get("other") == 5


def test_two_factories_that_wait_for_each_other_are_an_error(
    cache: ClockedCache, waiters: Waiters
) -> None:
    both = threading.Barrier(2)

    def needs(other: str) -> Any:
        both.wait(DEADLINE)
        return cache.get_or_set(other, lambda: 0)

    results = in_threads(
        lambda: cache.get_or_set("a", lambda: needs("b")),
        lambda: cache.get_or_set("b", lambda: needs("a")),
    )
    assert all(isinstance(result, RuntimeError) for result in results)
    assert cache.stats().entries == 0


@pytest.mark.parametrize("forget", ["delete", "mdelete", "clear"])
def test_a_key_deleted_meanwhile_is_not_stored(cache: ClockedCache, forget: str) -> None:
    drop = {
        "delete": lambda: cache.delete("k"),
        "mdelete": lambda: cache.mdelete(["k"]),
        "clear": cache.clear,
    }[forget]

    def factory() -> int:
        drop()
        return 1

    assert cache.get_or_set("k", factory) == 1
    assert not cache.exists("k")
    assert cache.get_or_set_many(["j", "k"], lambda keys: [factory(), 2]) == [1, 2]
    assert not cache.exists("k")
    assert cache.exists("j") == (forget != "clear")


def test_a_key_deleted_while_it_is_stored_is_withdrawn(
    cache: ClockedCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    filler = cache._loader._filler
    withdraw = filler._withdraw_older

    def deleted_first(key: Any, flight: Any) -> None:
        cache.delete(key)
        cache._tiers.put(key, "late", None, None, b"", 0.0, 0.0)
        withdraw(key, flight)

    monkeypatch.setattr(filler, "_withdraw_older", deleted_first)
    assert cache.get_or_set("k", lambda: 1) == 1
    assert not cache.exists("k")


def test_who_asks_after_a_delete_does_not_get_what_was_computed_before(
    cache: ClockedCache, waiters: Waiters
) -> None:
    deleted, release = threading.Event(), threading.Event()

    def old() -> str:
        cache.delete("k")
        deleted.set()
        assert release.wait(DEADLINE)
        return "old"

    def new() -> Any:
        assert deleted.wait(DEADLINE)
        result = cache.get_or_set("k", lambda: "new")
        release.set()
        return result

    assert in_threads(lambda: cache.get_or_set("k", old), new) == ["old", "new"]
    assert cache.get("k") == "new"


def test_elements_of_batches_are_computed_once(cache: ClockedCache, waiters: Waiters) -> None:
    asked: list[list[str]] = []
    leading = threading.Event()

    def first(keys: list[str]) -> list[str]:
        asked.append(keys)
        leading.set()
        waiters.wait_for(1)
        return [key.upper() for key in keys]

    def second(keys: list[str]) -> dict[str, str]:
        asked.append(keys)
        return {key: key.upper() for key in keys}

    def follow() -> Any:
        assert leading.wait(DEADLINE)
        return cache.get_or_set_many(["c", "a", "b"], second)

    results = in_threads(lambda: cache.get_or_set_many(["a", "b"], first), follow)
    assert results == [["A", "B"], ["C", "A", "B"]]
    assert asked == [["a", "b"], ["c"]]
    assert cache.stats().coalesced == 2


def test_batches_that_wait_for_each_other_do_not_hang(cache: ClockedCache) -> None:
    both = threading.Barrier(2)

    def factory(keys: list[str]) -> list[str]:
        both.wait(DEADLINE)
        return keys

    def ask(one: str, other: str) -> Any:
        cache.get_or_set_many([one], factory)
        return cache.get_or_set_many([one, other], pytest.fail)

    assert in_threads(lambda: ask("a", "b"), lambda: ask("b", "a"))
    assert cache.mget(["a", "b"]) == ["a", "b"]


def test_a_child_process_starts_without_the_computations_of_its_parent(
    cache: ClockedCache,
) -> None:
    def factory() -> str:
        if (child := os.fork()) == 0:
            answer = cache.get_or_set("other", lambda: "alive")
            os._exit(0 if answer == "alive" and not cache._loader.flights._open else 1)
        return str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

    assert cache.get_or_set("k", factory) == "0"
