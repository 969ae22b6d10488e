"""cache_vector_search(superset=): answers from larger searches."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from clocked import ClockedCache
from searches import FOUND, VECTOR, Index, plain, searching, searching_async
from sync_points import Waiters, in_threads

import vcache
from vcache.errors import ConfigError

BOTH = pytest.mark.parametrize("make", [searching, searching_async])
Make = Callable[..., Any]


# Results of k rows, and their first few.
FORMS: dict[str, Callable[[int], Any]] = {
    "list": lambda k: [{"id": i, "score": 1 - i / 100} for i in range(k)],
    "pairs": lambda k: [(f"doc{i}", i / 100) for i in range(k)],
    "tuple of pairs": lambda k: tuple((f"doc{i}", i / 100) for i in range(k)),
    "array": lambda k: np.arange(k, dtype=np.int64),
    "table": lambda k: np.arange(2.0 * k).reshape(k, 2),
    "columns": lambda k: ([f"doc{i}" for i in range(k)], np.arange(k, dtype=np.float32)),
    "lists": lambda k: (list(range(k)), [i / 100 for i in range(k)], ["x"] * k),
}


@pytest.mark.parametrize("form", FORMS)
@BOTH
def test_a_larger_search_answers_smaller_ones(cache: ClockedCache, make: Make, form: str) -> None:
    index = Index(FORMS[form])
    search = make(cache, index, superset=True)
    for k in (20, 5, 20, 1, 19):
        found = search("docs", VECTOR, k)
        assert plain(found) == plain(FORMS[form](k))
        assert isinstance(found, tuple) == (form in ("columns", "lists"))
    assert index.asked == [20]
    assert plain(search("docs", VECTOR, 25)) == plain(FORMS[form](25))
    assert plain(search("docs", VECTOR, top_k=22)) == plain(FORMS[form](22))
    assert index.asked == [20, 25]


@pytest.mark.parametrize("form", FORMS)
@BOTH
def test_one_that_found_all_there_is_answers_any(
    cache: ClockedCache, make: Make, form: str
) -> None:
    index = Index(FORMS[form])
    search = make(cache, index, superset=True)
    for k in (FOUND + 1, FOUND + 50, FOUND, 3, 10_000):
        assert plain(search("docs", VECTOR, k)) == plain(FORMS[form](min(k, FOUND)))
    assert index.asked == [FOUND + 1]


@BOTH
def test_one_that_found_as_many_as_it_asked_for_may_not_be_all(
    cache: ClockedCache, make: Make
) -> None:
    index = Index()
    search = make(cache, index, superset=True)
    for k in (FOUND, FOUND + 1, FOUND + 2):
        assert search("docs", VECTOR, k) == list(range(FOUND))
    assert index.asked == [FOUND, FOUND + 1]


def test_nothing_found_is_complete(cache: ClockedCache) -> None:
    index = Index(lambda k: [])
    search = searching(cache, index, superset=True)
    assert search("docs", VECTOR, 5) == search("docs", VECTOR, 50) == []
    assert index.asked == [5]


def test_other_arguments_still_count(cache: ClockedCache) -> None:
    index = Index()
    search = searching(cache, index, superset=True)
    search("docs", VECTOR, 20)
    search("docs", VECTOR + 1, 5)
    search("other", VECTOR, 5)
    search("docs", VECTOR, 5, metric="l2")
    assert index.asked == [20, 5, 5, 5]
    assert search.cache_key("docs", VECTOR, 5) == search.cache_key("docs", VECTOR, 50)
    assert search.cache_info()[:2] == (0, 4)


@pytest.mark.parametrize("top_k", [0, -1, None, True, "5", 5.0])
def test_a_top_k_that_is_no_number_of_rows(cache: ClockedCache, top_k: Any) -> None:
    calls = []

    @cache.cache_vector_search(superset=True)
    def search(vector: Any, top_k: Any) -> list[Any]:
        calls.append(top_k)
        return [top_k]

    search(VECTOR, 20)
    assert search(VECTOR, top_k) == search(VECTOR, top_k) == [top_k]
    assert calls == [20, top_k]


def test_a_numpy_number_of_rows(cache: ClockedCache) -> None:
    index = Index()
    search = searching(cache, index, superset=True)
    search("docs", VECTOR, np.int64(20))
    assert search("docs", VECTOR, np.int32(3)) == [0, 1, 2]
    assert index.asked == [20]


@pytest.mark.parametrize("vector", [VECTOR[None], np.stack([VECTOR, VECTOR]), [list(VECTOR)]])
def test_several_queries_answer_their_own_k_only(cache: ClockedCache, vector: Any) -> None:
    """As of FAISS, whose rows are queries."""
    index = Index(lambda k: (np.arange(2.0 * k).reshape(2, k), np.arange(2 * k).reshape(2, k)))
    search = searching(cache, index, superset=True)
    for k in (20, 5, 20, 5):
        scores, _ = search("docs", vector, k)
        assert scores.shape == (2, k)
    assert index.asked == [20, 5]


WHOLE: dict[str, Callable[[int], Any]] = {
    "dict": lambda k: {"ids": list(range(k))},
    "one list in a list": lambda k: [list(range(k))],
    "one row of an array": lambda k: np.arange(k)[None],
    "columns of two lengths": lambda k: (list(range(k)), [1]),
    "text": lambda k: "x" * k,
}


@pytest.mark.parametrize("form", WHOLE)
@BOTH
def test_what_cannot_be_cut_answers_its_own_k_only(
    cache: ClockedCache, make: Make, form: str
) -> None:
    index = Index(WHOLE[form])
    search = make(cache, index, superset=True)
    for k in (20, 20, 5, 5, 25):
        assert plain(search("docs", VECTOR, k)) == plain(WHOLE[form](k))
    assert index.asked == [20, 5, 25]


def test_superset_names_the_parameter(cache: ClockedCache) -> None:
    calls = []

    @cache.cache_vector_search(superset="limit")
    def search(vector: Any, *, limit: int) -> list[int]:
        calls.append(limit)
        return list(range(limit))

    assert search(VECTOR, limit=9) == list(range(9))
    assert search(VECTOR, limit=2) == [0, 1]
    assert calls == [9]


@pytest.mark.parametrize("superset", [True, "limit", 5, None])
def test_superset_of_no_parameter(cache: ClockedCache, superset: Any) -> None:
    with pytest.raises(ConfigError, match=r"superset=.*no such parameter: allowed are vector, k"):

        @cache.cache_vector_search(superset=superset)
        def search(vector: Any, k: int) -> None: ...


def test_keys_with_and_without_rows_do_not_meet(cache: ClockedCache) -> None:
    @cache.cache_vector_search(superset=True)
    def search(text: str, top_k: Any) -> list[str]:
        return [f"{text!r} {top_k!r}"]

    calls = [("a", 5), ("a\x1fi5", None), ("a", None), ("+a", 5), ("@a", 5)]
    for _ in range(2):
        for text, k in calls:
            assert search(text, k) == [f"{text!r} {k!r}"]


def test_a_larger_search_does_not_get_a_smaller_one_that_it_waited_for(
    cache: ClockedCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiters, started, calls = Waiters(monkeypatch), threading.Event(), []

    @cache.cache_vector_search(superset=True)
    def search(vector: Any, top_k: int) -> list[int]:
        calls.append(top_k)
        if top_k == 5:
            started.set()
            waiters.wait_for(2)
        return list(range(top_k))

    def later(k: int) -> Any:
        started.wait(30)
        return search(VECTOR, k)

    results = in_threads(lambda: search(VECTOR, 5), lambda: later(3), lambda: later(20))
    assert [len(result) for result in results] == [5, 3, 20]
    assert calls == [5, 20]


@dataclass
class Hit:
    id: str
    score: float


def test_records(cache: ClockedCache) -> None:
    index = Index(lambda k: [Hit(f"d{i}", i / 10) for i in range(k)])
    search = searching(cache, index, superset=True, type=list[Hit])
    assert search("docs", VECTOR, 4)[3] == Hit("d3", 0.3)
    assert search("docs", VECTOR, 1) == [Hit("d0", 0.0)]
    assert index.asked == [4]


def test_a_refresh_of_another_size(cache: ClockedCache) -> None:
    index = Index()
    search = searching(cache, index, superset=True)
    search("docs", VECTOR, 20)
    assert search.refresh("docs", VECTOR, 5) == [0, 1, 2, 3, 4]
    assert search("docs", VECTOR, 20) == list(range(20))
    with cache.refreshing():
        assert search("docs", VECTOR, 7) == list(range(7))
    with cache.bypass():
        assert search("docs", VECTOR, 3) == [0, 1, 2]
    assert index.asked == [20, 5, 20, 7, 3]


def test_nobody_gets_the_rows_of_another_search_that_is_not_stored(
    cache: ClockedCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiters, started, calls = Waiters(monkeypatch), threading.Event(), []

    @cache.cache_vector_search(superset=True)
    def search(vector: Any, top_k: int) -> list[int]:
        calls.append(top_k)
        vcache.current().skip()
        if not started.is_set():
            started.set()
            waiters.wait_for(3)
        return list(range(top_k))

    def later(k: int) -> Any:
        started.wait(30)
        return search(VECTOR, k)

    results = in_threads(lambda: search(VECTOR, 5), *(lambda k=k: later(k) for k in (3, 5, 20)))
    assert [len(result) for result in results] == [5, 3, 5, 20]
    assert not cache.exists(search.cache_key(VECTOR, 5))


def test_options_see_the_result_itself(cache: ClockedCache) -> None:
    index = Index(lambda k: list(range(k)) if k > 2 else None)
    search = searching(
        cache, index, superset=True, cache_if=lambda rows: rows != [0, 1, 2], negative_ttl=5
    )
    for k in (3, 3, 2, 2):
        search("docs", VECTOR, k)
    assert index.asked == [3, 3, 2]
    cache.clock.advance(6)
    assert search("docs", VECTOR, 2) is None
    assert search("docs", VECTOR, 4) == search("docs", VECTOR, 4) == [0, 1, 2, 3]
    assert index.asked == [3, 3, 2, 2, 4]


def test_what_is_encoded_in_another_form_answers_its_own_k_only(cache: ClockedCache) -> None:
    index = Index()
    search = searching(
        cache,
        index,
        superset=True,
        encode=lambda rows: ",".join(map(str, rows)),
        decode=lambda text: [int(row) for row in text.split(",")],
    )
    for k in (12, 12, 3):
        assert search("docs", VECTOR, k) == list(range(k))
    assert index.asked == [12, 3]


@pytest.mark.parametrize("queries", [VECTOR[None], [VECTOR], [[np.float32(1)]], ((1, 2), (3, 4))])
def test_queries_without_a_parameter(cache: ClockedCache, queries: Any) -> None:
    index = Index(lambda k: [list(range(k)), list(range(k))])

    @cache.cache_vector_search(superset=True)
    def search(top_k: int, **params: Any) -> Any:
        return index(top_k)

    for k in (9, 2):
        assert [len(found) for found in search(k, queries=queries)] == [k, k]
    assert index.asked == [9, 2]
