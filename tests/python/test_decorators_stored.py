"""Results of decorated functions that cannot be stored, or read back."""

from __future__ import annotations

import asyncio
import warnings
from dataclasses import dataclass
from typing import Any

import pytest
from clocked import ClockedCache

from vcache import MISSING


@pytest.mark.parametrize("latest", [None, object()])
def test_refresh_to_a_result_that_is_not_stored_removes_the_old_one(
    cache: ClockedCache, latest: Any
) -> None:
    answer: list[Any] = [1]

    @cache.cached(cache_if=lambda result: result is not None)
    def ask(x: int) -> Any:
        return answer[0]

    assert ask(1) == 1
    answer[0] = latest
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        assert [ask.refresh(1), ask(1)] == [latest, latest]
    assert cache.get(ask.cache_key(1), MISSING) is MISSING


def test_a_refresh_that_fails_keeps_the_old_one(cache: ClockedCache) -> None:
    fail = False

    @cache.cached
    def ask(x: int) -> int:
        if fail:
            raise LookupError
        return x

    assert ask(1) == 1
    fail = True
    with pytest.raises(LookupError):
        ask.refresh(1)
    assert ask(1) == 1


def test_arefresh_to_a_result_that_is_not_stored_removes_the_old_one(cache: ClockedCache) -> None:
    answer: list[Any] = [1]

    @cache.cached(cache_if=lambda result: result is not None)
    async def ask(x: int) -> Any:
        return answer[0]

    async def main() -> None:
        assert await ask(1) == 1
        answer[0] = None
        assert [await ask.arefresh(1), await ask(1)] == [None, None]

    asyncio.run(main())


def test_what_cannot_be_decoded_is_a_miss(cache: ClockedCache) -> None:
    calls: list[int] = []

    @cache.cached(type=int)
    def number(x: int) -> int:
        calls.append(x)
        return x

    cache.set(number.cache_key(1), "of an older version")
    assert [number(1), number(1)] == [1, 1]
    assert calls == [1]
    assert cache.get(number.cache_key(1)) == 1
    assert number.cache_info()[:2] == (1, 1)


def test_what_cannot_be_decoded_is_a_miss_of_an_async_function(cache: ClockedCache) -> None:
    calls: list[int] = []

    @cache.cached(encode=str, decode=int)
    async def number(x: int) -> int:
        calls.append(x)
        return x

    async def main() -> None:
        cache.set(number.cache_key(1), "of an older version")
        assert [await number(1), await number(1)] == [1, 1]
        assert calls == [1]

    asyncio.run(main())


def test_a_result_that_decoding_refuses_is_returned_uncached(cache: ClockedCache) -> None:
    calls: list[int] = []

    @cache.cached(type=int)
    def text(x: int) -> Any:
        calls.append(x)
        return "abc"

    with pytest.warns(RuntimeWarning, match=r"results of .*text are not cached: .*int"):
        assert text(1) == "abc"
    assert [text(1), text.refresh(1)] == ["abc", "abc"]
    assert calls == [1, 1, 1]
    assert text.cache_info().uncached == 3
    assert cache.stats().entries == 0


def test_who_was_overtaken_does_not_get_what_he_cannot_decode(
    cache: ClockedCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another computation of the key finishes between look-up and claim."""

    @cache.cached(encode=str, decode=int)
    def number(x: int) -> int:
        return x

    flights, key = cache._loader.flights, number.cache_key(1)
    claim = flights.claim

    def overtaken(*given: Any) -> Any:
        monkeypatch.setattr(flights, "claim", claim)
        assert cache.get_or_set(key, lambda: "no number") == "no number"
        return claim(*given)

    monkeypatch.setattr(flights, "claim", overtaken)
    assert number(1) == 1
    assert cache.get(key) == "1"


def test_decoding_may_take_its_argument_apart(cache: ClockedCache) -> None:
    @cache.cached(encode=lambda pair: {"pair": list(pair)}, decode=lambda held: held.pop("pair"))
    def pair(x: int) -> Any:
        return [x, x + 1]

    assert [pair(1), pair(1)] == [[1, 2], [1, 2]]


@dataclass
class Document:
    text: str


@pytest.mark.parametrize("kind", [Document, Document | None, list[Document]])
def test_a_missing_record_is_stored_for_its_negative_ttl(cache: ClockedCache, kind: Any) -> None:
    calls: list[int] = []

    @cache.cached(type=kind, negative_ttl=2)
    def find(x: int) -> Any:
        calls.append(x)

    assert [find(1), find(1)] == [None, None]
    assert calls == [1]
    assert cache.lookup(find.cache_key(1)).ttl == pytest.approx(2)
    cache.clock.advance(3)
    assert find(1) is None
    assert calls == [1, 1]


def test_without_a_negative_ttl_a_missing_record_is_not_of_its_type(cache: ClockedCache) -> None:
    @cache.cached(type=Document)
    def find(x: int) -> Any:
        return None

    with pytest.warns(RuntimeWarning, match="are not cached"):
        assert find(1) is None
    assert cache.stats().entries == 0
