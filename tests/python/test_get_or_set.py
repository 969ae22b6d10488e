from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest
from clocked import ClockedCache

from vcache import MISSING


def refuse(*_: Any) -> Any:
    raise AssertionError("the factory was called")


def test_computes_once_and_counts(cache: ClockedCache) -> None:
    assert cache.get_or_set("k", lambda: 5, ttl="5s", cost=2.0) == 5
    assert cache.get_or_set("k", refuse) == 5
    stats = cache.stats()
    assert (stats.misses, stats.hits, stats.source_calls) == (1, 1, 1)
    assert stats.cost_saved == 2.0
    assert stats.seconds_saved > 0
    cache.clock.advance(6)
    assert cache.get_or_set("k", lambda: 6) == 6


def test_a_cached_none_is_a_hit(cache: ClockedCache) -> None:
    assert cache.get_or_set("k", lambda: None) is None
    assert cache.get_or_set("k", refuse) is None


@pytest.mark.parametrize("value", [(1, (2, 3)), {"a": (1,)}, np.arange(3), [np.arange(2.0)], "x"])
def test_a_miss_returns_the_stored_form(cache: ClockedCache, value: Any) -> None:
    missed, hit = cache.get_or_set("k", lambda: value), cache.get_or_set("k", refuse)
    assert repr(missed) == repr(hit)
    assert type(missed) is type(hit)
    if isinstance(value, np.ndarray):
        assert not missed.flags.writeable
        assert not np.shares_memory(missed, value)


def test_other_layouts_return_the_stored_form_too(cache: ClockedCache) -> None:
    value = np.arange(12.0).reshape(3, 4).T.astype(">f4")
    missed, hit = cache.get_or_set("k", lambda: value), cache.get_or_set("k", refuse)
    assert missed.dtype == hit.dtype == np.float32
    assert missed.flags.c_contiguous
    np.testing.assert_array_equal(missed, hit)


def test_a_raising_factory_stores_nothing(cache: ClockedCache) -> None:
    with pytest.raises(ZeroDivisionError):
        cache.get_or_set("k", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        cache.get_or_set_many(["k", "j"], lambda keys: 1 / 0)
    assert cache.stats().entries == 0
    assert cache.stats().source_calls == 2


def test_an_async_factory_is_refused(cache: ClockedCache) -> None:
    async def factory(*_: Any) -> int:
        return 1

    async def called() -> int:
        return 1

    for call in (
        lambda: cache.get_or_set("k", factory),
        lambda: cache.get_or_set("k", lambda: called()),
        lambda: cache.get_or_set_many(["k"], factory),
    ):
        with pytest.raises(TypeError, match="is async: allowed here is a plain function"):
            call()
    assert cache.stats().entries == 0


def test_many_asks_for_distinct_missing_keys_in_first_seen_order(cache: ClockedCache) -> None:
    cache.set("there", 0)
    asked: list[list[Any]] = []

    def factory(keys: list[Any]) -> list[Any]:
        asked.append(keys)
        return [f"made {key!r}" for key in keys]

    keys = ["b", "there", "a", "b", b"a", b"c"]
    values = cache.get_or_set_many(keys, factory, ttl="5s")
    assert asked == [["b", "a", b"c"]]
    assert values == ["made 'b'", 0, "made 'a'", "made 'b'", "made 'a'", "made b'c'"]
    assert cache.get_or_set_many(keys, refuse) == values
    assert cache.get_or_set_many([], refuse) == []
    cache.clock.advance(6)
    assert not cache.exists("b")


def test_duplicates_do_not_share_an_object(cache: ClockedCache) -> None:
    one, other = cache.get_or_set_many(["k", "k"], lambda keys: [[1]])
    one.append(2)
    assert other == [1]


@pytest.mark.parametrize(
    "result",
    [
        [[1.0, 2.0], [3.0, 4.0]],
        ([1.0, 2.0], [3.0, 4.0]),
        {"b": [3.0, 4.0], "a": [1.0, 2.0], "unasked": 5},
    ],
)
def test_many_takes_sequences_and_mappings(cache: ClockedCache, result: Any) -> None:
    assert cache.get_or_set_many(["a", "b"], lambda keys: result) == [[1.0, 2.0], [3.0, 4.0]]
    assert cache.mget(["a", "b", "unasked"]) == [[1.0, 2.0], [3.0, 4.0], None]


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 4)])
def test_many_takes_the_rows_of_an_array(cache: ClockedCache, shape: tuple[int, ...]) -> None:
    result = np.arange(np.prod(shape), dtype="f4").reshape(shape)
    values = cache.get_or_set_many(["a", "b"], lambda keys: result)
    for value, stored, row in zip(values, cache.mget(["a", "b"]), result, strict=True):
        np.testing.assert_array_equal(value, row)
        np.testing.assert_array_equal(stored, row)
        assert not value.flags.writeable


def test_many_takes_an_array_of_numbers(cache: ClockedCache) -> None:
    assert cache.get_or_set_many(["a", "b"], lambda keys: np.array([1, 2])) == [1, 2]
    assert cache.mget(["a", "b"]) == [1, 2]


@pytest.mark.parametrize(
    ("result", "error", "says"),
    [
        ([1], ValueError, "1 values for 2 keys: allowed is one for each"),
        ([1, 2, 3], ValueError, "3 values for 2 keys"),
        (np.ones((3, 4)), ValueError, "3 values for 2 keys"),
        ({"a": 1}, ValueError, "without 1 of 2 keys, the first of them 'b'"),
        ("ab", TypeError, "factory returned str: allowed is a mapping, a sequence or an array"),
        (None, TypeError, "factory returned NoneType"),
        ({1, 2}, TypeError, "factory returned set"),
        (np.float64(1), TypeError, "factory returned float64"),
        (np.array(1.0), TypeError, "factory returned ndarray"),
    ],
)
def test_many_refuses_what_does_not_fit(
    cache: ClockedCache, result: Any, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        cache.get_or_set_many(["a", "b"], lambda keys: result)
    assert cache.mget(["a", "b"], MISSING) == [MISSING, MISSING]


def sort_first(keys: list[str]) -> dict[str, str]:
    keys.sort()
    return {key: key.upper() for key in keys}


def drain(keys: list[str]) -> list[str]:
    answers = []
    while keys:
        answers.append(keys.pop(0).upper())
    return answers


@pytest.mark.parametrize("factory", [sort_first, drain])
@pytest.mark.parametrize("style", ["blocking", "async"])
def test_many_keeps_its_keys_whatever_the_factory_does_to_its_list(
    cache: ClockedCache, factory: Any, style: str
) -> None:
    keys = ["b", "a", "c"]
    if style == "blocking":
        values = cache.get_or_set_many(keys, factory)
    else:
        values = asyncio.run(cache.aget_or_set_many(keys, factory))
    assert values == cache.mget(keys) == ["B", "A", "C"]
    assert keys == ["b", "a", "c"]


def test_many_aligns_a_sequence_to_the_order_in_which_it_asked(cache: ClockedCache) -> None:
    def factory(missing: list[str]) -> list[str]:
        missing.sort()
        return ["1", "2", "3"]

    keys = ["b", "a", "c"]
    assert cache.get_or_set_many(keys, factory) == cache.mget(keys) == ["1", "2", "3"]


@pytest.mark.parametrize("style", ["blocking", "async"])
def test_many_does_not_mind_a_change_of_the_list_it_was_given(
    cache: ClockedCache, style: str
) -> None:
    keys = ["a", "b"]

    def factory(missing: list[str]) -> list[str]:
        keys.clear()
        return missing

    if style == "blocking":
        assert cache.get_or_set_many(keys, factory) == ["a", "b"]
    else:
        assert asyncio.run(cache.aget_or_set_many(keys, factory)) == ["a", "b"]
