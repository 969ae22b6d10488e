"""What a factory raised lately is raised again, without a call."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from typing import Any

import pytest
from failing import Ask, Factory, Graceful, awaited, batched, blocking, decorated


@pytest.fixture
def graceful() -> Iterator[Graceful]:
    with Graceful() as cache:
        yield cache


@pytest.fixture
def factory() -> Factory:
    factory = Factory()
    factory.error = KeyError("down")
    return factory


@pytest.mark.parametrize("ask", [blocking, awaited, batched, decorated])
def test_it_is_raised_again_by_all_who_want_that(
    graceful: Graceful, factory: Factory, ask: Ask
) -> None:
    for now in (0.0, 0.5, 0.999):
        graceful.advance(now - graceful.now)
        with pytest.raises(KeyError) as caught:
            ask(graceful, factory, error_ttl=1)
        assert caught.value is factory.error
    assert factory.calls == 1
    with pytest.raises(KeyError):
        ask(graceful, factory)
    assert factory.calls == 2, "without the option each call tries"
    graceful.advance(0.001)
    factory.error = None
    assert ask(graceful, factory, error_ttl=1) == 3


def test_a_value_in_its_grace_comes_first(graceful: Graceful, factory: Factory) -> None:
    graceful.set("k", "old")
    graceful.advance(11)
    for _ in range(3):
        graceful.advance(2)
        assert blocking(graceful, factory, error_ttl=7, retry_after=1) == "old"
    assert factory.calls == 1
    graceful.advance(60)
    with pytest.raises(KeyError):
        blocking(graceful, factory, error_ttl=7)
    assert factory.calls == 2


def test_a_success_ends_it(graceful: Graceful, factory: Factory) -> None:
    with pytest.raises(KeyError):
        blocking(graceful, factory, error_ttl=100)
    factory.error = None
    assert blocking(graceful, factory) == 2
    graceful.delete("k")
    assert blocking(graceful, factory, error_ttl=100) == 3


def test_a_refresh_by_hand_ends_it(graceful: Graceful, factory: Factory) -> None:
    call = graceful.cached(key_prefix="f", error_ttl=100)(lambda x: factory(x))
    with pytest.raises(KeyError):
        call(1)
    factory.error = None
    assert call.refresh(1) == 2
    call.invalidate(1)
    assert call(1) == 3


def test_it_is_of_its_key(graceful: Graceful) -> None:
    asked: list[Any] = []

    def factory(keys: list[Any]) -> list[int]:
        asked.append(keys)
        if "bad" in keys:
            raise ValueError("bad")
        return [1] * len(keys)

    for _ in range(2):
        for keys in (["bad"], ["good", "bad"]):
            with pytest.raises(ValueError, match="bad"):
                graceful.get_or_set_many(keys, factory, error_ttl=10)
    assert graceful.get_or_set_many(["good"], factory, error_ttl=10) == [1]
    assert asked == [["bad"], ["good"]]


def test_what_does_not_fit_counts_as_raised(graceful: Graceful) -> None:
    asked: list[Any] = []
    for _ in range(2):
        with pytest.raises(ValueError, match="factory returned 0 values for 1 keys"):
            graceful.get_or_set_many(["k"], lambda keys: asked.append(keys) or [], error_ttl=1)
    assert len(asked) == 1


def test_who_looked_before_the_failure_is_held_too(
    graceful: Graceful, factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    flights, claim = graceful._loader.flights, graceful._loader.flights.claim

    def late(*arguments: Any) -> Any:
        monkeypatch.setattr(flights, "claim", claim)
        with pytest.raises(KeyError):
            blocking(graceful, factory, error_ttl=1)
        return claim(*arguments)

    monkeypatch.setattr(flights, "claim", late)
    with pytest.raises(KeyError):
        blocking(graceful, factory, error_ttl=1)
    assert factory.calls == 1


def test_its_traceback_does_not_grow(graceful: Graceful, factory: Factory) -> None:
    depths = []
    for _ in range(4):
        with pytest.raises(KeyError) as caught:
            blocking(graceful, factory, error_ttl=1)
        depths.append(len(list(traceback.walk_tb(caught.value.__traceback__))))
    assert depths[1] == depths[3]
