"""What a factory raised lately is raised again, without a call."""

from __future__ import annotations

import gc
import traceback
import weakref
from collections.abc import Callable, Iterator
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
    for moment in (0.0, 0.5, 0.999):
        graceful.advance(moment - graceful.now)
        with pytest.raises(KeyError) as caught:
            ask(graceful, factory, error_ttl=1)
        assert (type(caught.value), caught.value.args) == (KeyError, ("down",))
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


@pytest.mark.parametrize(
    "end",
    [
        lambda cache: cache.mset({"k": 1}),
        lambda cache: cache.delete("k"),
        lambda cache: cache.mdelete(["k"]),
        lambda cache: cache.clear(),
        lambda cache: cache.invalidate("k*"),
        lambda cache: cache.invalidate_tags("any"),
    ],
)
def test_so_does_a_change_of_its_key(
    graceful: Graceful, factory: Factory, end: Callable[[Graceful], object]
) -> None:
    with pytest.raises(KeyError):
        blocking(graceful, factory, error_ttl=1000)
    end(graceful)
    graceful.advance(71)  # what was stored is over
    factory.error = None
    assert blocking(graceful, factory, error_ttl=1000) == 2


class Big:
    """What a factory has in its hands when it fails."""


@pytest.mark.parametrize("kind", [KeyError, OSError, UnicodeDecodeError])
def test_it_keeps_nothing_of_its_callers(graceful: Graceful, kind: type[Exception]) -> None:
    alive: list[weakref.ref[Big]] = []
    arguments = ("utf-8", b"x", 0, 1, "no") if kind is UnicodeDecodeError else (2, "down")

    def factory() -> int:
        big = Big()
        alive.append(weakref.ref(big))
        raise kind(*arguments)

    def ask() -> Exception:
        with pytest.raises(kind) as caught:
            graceful.get_or_set("k", factory, error_ttl=10)
        return caught.value

    first = ask()
    try:
        raise RuntimeError("of another request")
    except RuntimeError:
        ask()
    last = ask()
    assert (str(last), last.args) == (str(first), first.args)
    assert kind is UnicodeDecodeError or last.__context__ is None
    del first, last
    gc.collect()
    assert [ref() for ref in alive] == [None]


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
