"""How many queries of a search with `similar` are kept, and in what."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from clocked import ClockedCache
from polling import wait_until
from similar_searches import DIM, FIRST, similar_search, turned
from sync_points import in_threads

from vcache import _neighbours


def test_the_oldest_leave_where_there_is_no_room(cache: ClockedCache) -> None:
    search = similar_search(cache, [], similar_memory="64KiB")
    queries = np.random.default_rng(5).standard_normal((500, DIM))
    for query in queries:
        search("docs", query)
    found = [search.nearest("docs", query) for query in queries]
    kept = [near is not None and near.similarity > 0.999 for near in found]
    assert 20 < sum(kept) < 200
    assert kept == sorted(kept)


def test_of_many_indexes_those_not_used_leave(cache: ClockedCache) -> None:
    search = similar_search(cache, [], similar_memory="64KiB")
    for number in range(100):
        search(f"docs{number}", FIRST)
        search("docs0", turned(0.99, seed=number))
    kept = [search.nearest(f"docs{number}", FIRST) is not None for number in range(100)]
    assert kept[0]
    assert kept[-1]
    assert 2 < sum(kept) < 50


def test_long_texts_have_no_more_room(cache: ClockedCache) -> None:
    """What is kept of a text counts: of texts of 500 words fewer queries are known."""

    @cache.cache_vector_search(similar=0.97, similar_text="text", similar_memory="64KiB")
    def search(text: str, vector: Any) -> list[int]:
        return [1]

    queries = np.random.default_rng(5).standard_normal((100, DIM))
    texts = [" ".join(f"{chr(97 + n % 26)}{chr(97 + n // 26)}word" for n in range(500))] * 100
    for text, query in zip(texts, queries, strict=True):
        search(text, query)
    found = [search.nearest(text, query) for text, query in zip(texts, queries, strict=True)]
    kept = [near is not None and near.similarity > 0.999 for near in found]
    assert 5 < sum(kept) < 20, "5 KB each"
    assert kept == sorted(kept)


class AtOnce:
    """Does in the calling thread what is to be done in the background."""

    def submit(self, work: Callable[[], None]) -> bool:
        work()
        return True


@pytest.fixture
def small_flat(monkeypatch: pytest.MonkeyPatch) -> None:
    """Indexes whose older vectors are in a graph from the 101st on."""
    pytest.importorskip("usearch")
    monkeypatch.setattr(_neighbours, "FLAT_VECTORS", 100)
    monkeypatch.setattr(_neighbours, "workers", AtOnce())


@pytest.mark.usefixtures("small_flat")
def test_older_queries_answer_from_a_graph(cache: ClockedCache) -> None:
    calls: list[Any] = []
    search = similar_search(cache, calls)
    queries = np.random.default_rng(5).standard_normal((400, DIM))
    results = [search("docs", query) for query in queries]
    assert len(calls) == 400
    near = [turned(0.99, query) for query in queries]
    found = [search.nearest("docs", query) for query in near]
    assert all(each.similarity == pytest.approx(0.99, abs=1e-5) for each in found)
    assert search("docs", near[0]) == results[0]
    search.invalidate("docs", queries[1])
    assert search("docs", near[1]) not in results
    assert search.nearest("docs", queries[1]).key == search.cache_key("docs", near[1])


@pytest.mark.usefixtures("small_flat")
def test_the_graph_is_bounded_too(cache: ClockedCache) -> None:
    search = similar_search(cache, [], similar_memory="200KiB")
    queries = np.random.default_rng(5).standard_normal((600, DIM))
    for query in queries:
        search("docs", query)
    found = [search.nearest("docs", query) for query in queries]
    kept = [near is not None and near.similarity > 0.999 for near in found]
    assert 101 < sum(kept) < 400
    assert kept == sorted(kept)


def test_the_graph_grows_in_the_background(
    cache: ClockedCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("usearch")
    monkeypatch.setattr(_neighbours, "FLAT_VECTORS", 100)
    search = similar_search(cache, [])
    queries = np.random.default_rng(5).standard_normal((300, DIM))

    def ask(number: int) -> None:
        for query in queries[number::3]:
            search("docs", query)

    assert in_threads(*[partial(ask, number) for number in range(3)]) == [None] * 3

    def is_found(query: Any) -> bool:
        near = search.nearest("docs", query)
        return near is not None and near.similarity > 0.999

    wait_until(lambda: all(map(is_found, queries)), 30, "all queries")
