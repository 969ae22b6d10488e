"""cached_batch: functions of a list that are cached item by item."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from clocked import ClockedCache
from polling import wait_until
from sync_points import Waiters, in_threads

import vcache
from vcache.errors import ConfigError, UnkeyableError

Make = Callable[..., Any]


def blocking(cache: ClockedCache, function: Callable[..., Any], **options: Any) -> Any:
    @cache.cached_batch(over="items", **options)
    def process(items: list[Any], power: int = 2) -> Any:
        return function(items, power)

    return process


def awaited(cache: ClockedCache, function: Callable[..., Any], **options: Any) -> Any:
    @cache.cached_batch(over="items", **options)
    async def process(items: list[Any], power: int = 2) -> Any:
        return function(items, power)

    class Plain:
        cache_info, cache_key = process.cache_info, process.cache_key

        def __call__(self, *args: Any, **named: Any) -> Any:
            return asyncio.run(process(*args, **named))

        def invalidate(self, *args: Any) -> int:
            return asyncio.run(process.ainvalidate(*args))

        def refresh(self, *args: Any) -> Any:
            return asyncio.run(process.arefresh(*args))

        def cache_clear(self) -> None:
            asyncio.run(process.acache_clear())

    return Plain()


BOTH = pytest.mark.parametrize("make", [blocking, awaited])


class Powers:
    """A function that notes what it was called with."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def __call__(self, items: list[int], power: int) -> list[int]:
        assert type(items) is list
        self.calls.append(items)
        return [item**power for item in items]


@pytest.fixture
def powers() -> Powers:
    return Powers()


@BOTH
def test_only_missing_items_are_computed_in_one_call(
    cache: ClockedCache, powers: Powers, make: Make
) -> None:
    process = make(cache, powers)
    assert process([3, 1]) == [9, 1]
    assert process([1, 2, 3, 2, 4]) == [1, 4, 9, 4, 16]
    assert process([4, 3, 2, 1]) == [16, 9, 4, 1]
    assert powers.calls == [[3, 1], [2, 4]]
    assert process.cache_info()[:2] == (6, 5)


@BOTH
def test_other_arguments_are_part_of_the_key(
    cache: ClockedCache, powers: Powers, make: Make
) -> None:
    process = make(cache, powers)
    assert process([2]) == process([2], 2) == process(items=[2], power=2) == [4]
    assert process([2], power=3) == [8]
    assert powers.calls == [[2], [2]]


@BOTH
def test_an_empty_list(cache: ClockedCache, powers: Powers, make: Make) -> None:
    process = make(cache, powers)
    assert process([]) == process.refresh([]) == []
    assert process.invalidate([]) == 0
    assert powers.calls == []


@BOTH
def test_keys_invalidate_refresh_and_clear(cache: ClockedCache, powers: Powers, make: Make) -> None:
    process = make(cache, powers)
    process([1, 2, 3])
    keys = process.cache_key([1, 2, 3])
    assert cache.mget(keys) == [1, 4, 9]
    assert process.invalidate([2, 3, 5]) == 2
    process([1, 2, 3])
    assert process.refresh([3, 1, 3]) == [9, 1, 9]
    process.cache_clear()
    assert process.cache_info()[:2] == (0, 0)
    process([1])
    assert powers.calls == [[1, 2, 3], [2, 3], [3, 1], [1]]


@pytest.mark.parametrize("items", [(1, 2), {1: 0, 2: 0}.keys(), range(1, 3), iter([1, 2])])
def test_any_iterable_of_items(cache: ClockedCache, powers: Powers, items: Any) -> None:
    process = blocking(cache, powers)
    assert process(items) == [1, 4]
    assert process([1, 2]) == [1, 4]
    assert len(powers.calls) == 1


@pytest.mark.parametrize("items", ["ab", b"ab", 5, None, {"a": 1}])
def test_what_is_no_list_of_items(cache: ClockedCache, powers: Powers, items: Any) -> None:
    with pytest.raises(TypeError, match="items=.*allowed is a list"):
        blocking(cache, powers)(items)


RESULTS: dict[str, Callable[[list[int]], Any]] = {
    "list": lambda items: [[i, i] for i in items],
    "tuple": lambda items: tuple([i, i] for i in items),
    "matrix": lambda items: np.array([[i, i] for i in items]),
    "mapping": lambda items: {i: [i, i] for i in reversed([*items, 99])},
}


@pytest.mark.parametrize("form", RESULTS)
@BOTH
def test_forms_of_results(cache: ClockedCache, make: Make, form: str) -> None:
    process = make(cache, lambda items, _: RESULTS[form](items))
    for wanted in ([2, 1, 2], [1, 3, 2]):
        assert np.array(process(wanted)).tolist() == [[i, i] for i in wanted]


@pytest.mark.parametrize(
    ("result", "error", "message"),
    [
        ([1, 2], ValueError, "returned 2 values for 3 keys"),
        (np.zeros((4, 2)), ValueError, "returned 4 values for 3 keys"),
        ({1: 1, 2: 2}, ValueError, "returned a mapping without 1 of 3 keys, the first of them 3"),
        (7, TypeError, "returned int"),
        ("abc", TypeError, "returned str"),
    ],
)
@BOTH
def test_a_result_of_another_length_is_an_error(
    cache: ClockedCache, make: Make, result: Any, error: type[Exception], message: str
) -> None:
    process = make(cache, lambda items, _: result)
    with pytest.raises(error, match=f"process {message}"):
        process([1, 2, 3])
    assert cache.stats().entries == 0


def test_values_are_the_callers_own(cache: ClockedCache) -> None:
    process = blocking(cache, lambda items, _: [{"n": [i]} for i in items])
    first = process([1, 1])
    first[0]["n"].append("changed")
    assert first[1] == {"n": [1]}
    again = process([1, 1])
    again[0]["n"].append("changed")
    assert again[1] == process([1])[0] == {"n": [1]}


def test_methods_and_class_methods(cache: ClockedCache) -> None:
    class Model:
        calls: list[Any] = []  # noqa: RUF012

        @cache.cached_batch(over="texts")
        def score(self, texts: list[str], scale: int = 1) -> list[int]:
            """Doc."""
            self.calls.append(texts)
            return [len(text) * scale for text in texts]

        @classmethod
        @cache.cached_batch(over="texts")
        def of_class(cls, scale: int, /, *, texts: list[str]) -> list[int]:
            cls.calls.append(texts)
            return [len(text) * scale for text in texts]

        @staticmethod
        @cache.cached_batch(over="texts")
        def plain(texts: tuple[str, ...] = ("a", "bb")) -> list[int]:
            return [len(text) for text in texts]

    model = Model()
    assert model.score(["a", "bb"]) == Model().score(["a", "bb"]) == [1, 2]
    assert Model.of_class(2, texts=["a", "bb"]) == [2, 4]
    assert model.of_class(2, texts=["bb", "ccc"]) == [4, 6]
    assert Model.calls == [["a", "bb"], ["a", "bb"], ["ccc"]]
    assert model.plain() == Model.plain(["a", "bb"]) == [1, 2]
    assert (Model.score.__doc__, model.score.__wrapped__(["x"])) == ("Doc.", [1])
    assert model.score.invalidate(["a"]) == 1
    assert model.score.refresh(["a"]) == [1]
    assert len(model.score.cache_key(["a", "b"])) == 2


@pytest.mark.parametrize("over", ["item", "rest", "self", None, 5])
def test_over_names_a_parameter(cache: ClockedCache, over: Any) -> None:
    with pytest.raises(ConfigError, match=r"over=.*allowed are items, power"):

        @cache.cached_batch(over=over)
        def process(items: list[int], power: int, *rest: int) -> list[int]:
            return items


def test_items_without_a_key_are_named(cache: ClockedCache, powers: Powers) -> None:
    with pytest.raises(UnkeyableError, match="argument 'items': a value of type .*object"):
        blocking(cache, powers)([1, object()])
    with pytest.raises(TypeError, match="items"):
        blocking(cache, powers, key_prefix="other")()


def test_long_items_and_odd_texts(cache: ClockedCache) -> None:
    process = blocking(cache, lambda items, _: [len(item) for item in items])
    items = ["x" * 5000, "\ud800", "é", "", "a\x1fb", "x" * 5001]
    for _ in range(2):
        assert process(items) == [len(item) for item in items]
    assert len(set(process.cache_key(items))) == len(items)


def test_keys_are_injective_wherever_the_items_stand(cache: ClockedCache) -> None:
    @cache.cached_batch(over="items")
    def middle(before: str, items: list[str], after: str) -> list[str]:
        return [f"{before}|{item}|{after}" for item in items]

    calls = [("a", ["b"], "c"), ("ab", [""], "c"), ("a", [""], "bc"), ("", ["ab"], "c")]
    for _ in range(2):
        assert [middle(*call)[0] for call in calls] == ["a|b|c", "ab||c", "a||bc", "|ab|c"]


@dataclass
class Record:
    number: int


def test_records_and_cache_if(cache: ClockedCache) -> None:
    calls: list[list[int]] = []

    def function(items: list[int], _: int) -> list[Record]:
        calls.append(items)
        return [Record(item) for item in items]

    process = blocking(cache, function, type=Record, cache_if=lambda record: record.number > 1)
    for _ in range(2):
        assert process([1, 2, 1]) == [Record(1), Record(2), Record(1)]
    assert calls == [[1, 2], [1]]


def test_a_value_that_cannot_be_stored(cache: ClockedCache) -> None:
    thing = object()
    process = blocking(cache, lambda items, _: [thing if item == 2 else item for item in items])
    with pytest.warns(RuntimeWarning, match="process are not cached: .*object"):
        assert process([1, 2, 2, 3]) == [1, thing, thing, 3]
    assert process.cache_info().uncached == 1
    assert cache.mget(process.cache_key([1, 2, 3])) == [1, None, 3]


def test_a_value_that_is_too_large() -> None:
    with ClockedCache(max_value=2000) as cache:
        process = blocking(cache, lambda items, _: ["x" * item for item in items])
        with pytest.warns(RuntimeWarning, match="process are not cached: .*2000"):
            assert list(map(len, process([10, 5000, 20]))) == [10, 5000, 20]
        found = cache.mget(process.cache_key([10, 5000, 20]))
        assert found == ["x" * 10, None, "x" * 20]


def test_what_the_function_says_goes_for_each_item(cache: ClockedCache) -> None:
    @cache.cached_batch(over="items")
    def process(items: list[int]) -> list[int]:
        vcache.current().ttl = 5
        vcache.current().tags.add("t")
        if 9 in items:
            vcache.current().skip()
        return items

    process([1, 2])
    assert [cache.lookup(key).ttl for key in process.cache_key([1, 2])] == [pytest.approx(5)] * 2
    process([1, 9, 3])
    assert cache.mget(process.cache_key([1, 9, 3])) == [1, None, None]
    cache.invalidate_tags("t")
    assert cache.mget(process.cache_key([1, 2])) == [None, None]


@BOTH
def test_bypass_and_refreshing(cache: ClockedCache, make: Make) -> None:
    version = 1
    process = make(cache, lambda items, _: {item: item * version for item in items})
    process([1, 2])
    version = 10
    with cache.bypass():
        assert process([2, 1, 2]) == [20, 10, 20]
    assert process([1, 2]) == [1, 2]
    with cache.refreshing():
        assert process([2]) == [20]
    assert process([1, 2]) == [1, 20]


def test_items_that_another_call_computes_are_waited_for(
    cache: ClockedCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, waiters = threading.Event(), Waiters(monkeypatch)
    calls = []

    @cache.cached_batch(over="items")
    def process(items: list[int]) -> list[int]:
        calls.append(items)
        if 1 in items:
            started.set()
            waiters.wait_for(1)
        return [item * 10 for item in items]

    def second() -> list[int]:
        started.wait(30)
        return process([2, 3, 4])

    assert in_threads(lambda: process([1, 2, 3]), second) == [[10, 20, 30], [20, 30, 40]]
    assert sorted(calls) == [[1, 2, 3], [4]]


def test_an_item_that_is_removed_meanwhile_is_not_stored(cache: ClockedCache) -> None:
    @cache.cached_batch(over="items")
    def process(items: list[int]) -> list[int]:
        cache.delete(process.cache_key([2])[0])
        return items

    assert process([1, 2, 3]) == [1, 2, 3]
    assert cache.mget(process.cache_key([1, 2, 3])) == [1, None, 3]
    assert process.refresh([1, 2]) == [1, 2]
    assert cache.mget(process.cache_key([1, 2, 3])) == [1, None, 3]


def test_a_refresh_ahead(cache: ClockedCache, powers: Powers) -> None:
    process = blocking(cache, powers, ttl=100, refresh_ahead=0.5)
    process([1, 2])
    cache.clock.advance(60)
    assert process([2, 3]) == [4, 9]
    wait_until(lambda: cache.lookup(process.cache_key([2])[0]).age == 0)
    assert sorted(powers.calls) == [[1, 2], [2], [3]]


def test_a_failing_function_stores_nothing(cache: ClockedCache) -> None:
    @cache.cached_batch(over="items")
    def failing(items: list[int]) -> list[int]:
        raise KeyError("down")

    with pytest.raises(KeyError, match="down"):
        failing([1, 2])
    assert cache.stats().entries == 0


def test_none_is_a_value(cache: ClockedCache) -> None:
    calls = []

    @cache.cached_batch(over="items", negative_ttl=5, ttl=50)
    def find(items: list[int]) -> dict[int, Any]:
        calls.append(items)
        return {item: None if item == 1 else item for item in items}

    assert find([1, 2]) == find([1, 2]) == [None, 2]
    cache.clock.advance(6)
    find([1, 2])
    assert calls == [[1, 2], [1]]
