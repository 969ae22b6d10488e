"""Computations that nobody could take over."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from failing import Factory, Graceful
from sync_points import DEADLINE, in_threads

from vcache import _callers
from vcache._background import Workers


@pytest.fixture
def cache() -> Iterator[Graceful]:
    with Graceful() as cache:
        yield cache


@pytest.fixture
def no_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """The system starts no thread until this is undone."""

    def fail(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_callers, "workers", Workers())
    monkeypatch.setattr(_callers, "factories", Workers())
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fail)
        yield patch


def answers_anew(cache: Graceful) -> bool:
    """Whether the key is free: who asks for it does not wait for what never comes."""
    cache._tiers.delete("k")  # as its expiry would
    return in_threads(lambda: cache.get_or_set("k", lambda: "anew")) == ["anew"]


def test_a_hit_is_a_hit_where_no_thread_can_refresh_it(
    cache: Graceful, no_threads: pytest.MonkeyPatch
) -> None:
    cache.set("k", 1)
    cache.advance(9)
    assert cache.get_or_set("k", Factory(), refresh_ahead=0.5) == 1
    no_threads.undo()
    assert answers_anew(cache)


def test_a_factory_with_a_limit_runs_in_the_callers_thread(
    cache: Graceful, no_threads: pytest.MonkeyPatch
) -> None:
    names: list[str] = []
    cache.get_or_set("k", lambda: names.append("called"), hard_timeout=DEADLINE)
    assert names == ["called"]
    no_threads.undo()
    assert answers_anew(cache)


def test_a_factory_of_a_loop_is_an_error(cache: Graceful, no_threads: pytest.MonkeyPatch) -> None:
    with pytest.raises(RuntimeError, match="start new thread"):
        asyncio.run(asyncio.wait_for(cache.aget_or_set("k", Factory()), DEADLINE))
    no_threads.undo()
    assert answers_anew(cache)


@pytest.mark.parametrize("kept", [False, True])
def test_a_caller_who_is_interrupted_before_he_leads(
    cache: Graceful, monkeypatch: pytest.MonkeyPatch, kept: bool
) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    if kept:
        cache.set("k", 1)
        cache.advance(9)
    with monkeypatch.context() as patch:
        patch.setattr(cache._loader._filler, "open", interrupt)
        with pytest.raises(KeyboardInterrupt):
            cache.get_or_set("k", Factory(), refresh_ahead=0.5)
    assert answers_anew(cache)
