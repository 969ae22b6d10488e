"""What search.advice() learns about the threshold from live traffic."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest
from clocked import ClockedCache
from similar_searches import OfLoop, similar_search, turned

from vcache import _advice

DIM = 64


class Documents:
    """A search whose results are those of the direction a query was turned from, up to a point."""

    def __init__(self, alike_from: float) -> None:
        self.alike_from = alike_from
        self.calls = 0
        self.base = np.ones(DIM)

    def ask(self, search: Any, seed: int, similarity: float) -> None:
        """One base query, then one near to it."""
        self.base = np.random.default_rng(seed).standard_normal(DIM)
        search(self.base)
        search(turned(similarity, self.base, seed + 10_000))

    def __call__(self, vector: Any) -> list[tuple[str, float]]:
        self.calls += 1
        near = vector @ self.base / np.linalg.norm(vector) / np.linalg.norm(self.base)
        kind = "alike" if near >= self.alike_from else f"call {self.calls}"
        return [(f"{kind} {row}", 1 / self.calls) for row in range(5)]


def searching(cache: ClockedCache, documents: Documents, similar: float) -> Any:
    @cache.cache_vector_search(similar=similar)
    def search(vector: Any) -> list[tuple[str, float]]:
        return documents(vector)

    return search


def test_nothing_is_advised_before_enough_was_seen(cache: ClockedCache) -> None:
    documents = Documents(0.9)
    search = searching(cache, documents, 0.99)
    assert search.advice().threshold is None
    assert search.advice().bands == ()
    for seed in range(49):
        documents.ask(search, seed, 0.985)
    advice = search.advice()
    assert (advice.threshold, advice.compared, advice.similar) == (None, 49, 0.99)
    documents.ask(search, 1000, 0.985)
    assert search.advice().threshold == 0.98


def test_a_lower_threshold_is_advised_where_answers_agree(cache: ClockedCache) -> None:
    documents = Documents(0.9495)
    search = searching(cache, documents, 0.99)
    for seed in range(400):
        documents.ask(search, seed, 0.901 + (seed % 88) / 1000)
    advice = search.advice(0.95)
    assert advice.threshold == 0.95
    assert [band.low for band in advice.bands] == [n / 100 for n in range(98, 89, -1)]
    for band in advice.bands:
        assert band.high == pytest.approx(band.low + 0.01)
        assert band.seen == band.compared > 20
        assert band.answered == 0
        assert band.precision == (1.0 if band.low >= 0.95 else 0.0)
    assert search.advice(0.5).threshold == 0.92  # of which as many rows are right as wrong
    search.cache_clear()
    assert search.advice().bands == ()


def test_a_higher_one_is_advised_where_answers_are_wrong(cache: ClockedCache) -> None:
    documents = Documents(0.995)
    search = searching(cache, documents, 0.9)
    seed = 0
    while search.advice().compared < 60:
        seed += 1
        documents.ask(search, seed, 0.93)
    advice = search.advice()
    assert advice.threshold == 1.0
    (band,) = advice.bands
    assert band.answered > 20 * band.compared
    assert band.seen == band.answered + band.compared
    assert documents.calls == seed + band.compared


def test_async_searches_learn_too(cache: ClockedCache) -> None:
    documents = Documents(0.9)

    @cache.cache_vector_search(similar=0.99)
    async def search(vector: Any) -> list[tuple[str, float]]:
        return documents(vector)

    async def main() -> None:
        for seed in range(60):
            documents.base = np.random.default_rng(seed).standard_normal(DIM)
            await search(documents.base)
            await search(turned(0.955, documents.base, seed + 10_000))

    asyncio.run(main())
    assert search.advice().threshold == 0.95


def test_a_search_is_not_compared_with_itself(cache: ClockedCache) -> None:
    documents = Documents(0.9)
    search = searching(cache, documents, 0.99)
    for _ in range(40):
        search(np.ones(DIM))
        cache.clock.advance(4000)
    assert documents.calls == 40
    assert search.advice().bands == ()


def test_a_comparison_counts_no_request(cache: ClockedCache) -> None:
    documents = Documents(0.9)
    search = searching(cache, documents, 0.99)
    documents.ask(search, 1, 0.95)
    assert search.advice().compared == 1
    assert cache.stats().requests == 2


@pytest.mark.parametrize(
    ("cached", "fresh", "share"),
    [
        ([1, 2, 3, 4], [4, 3, 2, 1], 1.0),
        ([1, 2, 3, 4], [1, 2, 8, 9], 0.5),
        ([1, 2], [1, 2, 3, 4], 0.5),
        ([], [], 1.0),
        ([1], [], 0.0),
        ([("a", 0.9), ("b", 0.8)], [["a", 0.7], ["b", 0.1]], 1.0),
        ([[1, 2], [0.5, 0.25]], [[2, 1], [0.75, 0.5]], 1.0),
        ((np.array([1, 2]), np.array([0.5, 0.25])), (np.array([2, 9]), np.array([0.1, 0.2])), 0.5),
        ([{"id": 1, "score": 0.5}], [{"id": 1, "score": 0.6, "text": "new"}], 1.0),
        ([{"text": "a", "score": 0.5}], [{"text": "b", "score": 0.5}], 0.0),
        ({"ids": [[1, 2]], "distances": [[0.1, 0.2]]}, {"ids": [[2, 1]], "distances": []}, 1.0),
        ({"matches": [{"id": "x"}], "took": 5.0}, {"matches": [{"id": "x"}], "took": 7.0}, 1.0),
        (np.array([1, 2, 3]), [1, 2, 3], 1.0),
        (np.array([[0.5, 1.0]]), np.array([[0.5, 2.0]]), 0.5),
        ("text", "text", 1.0),
        ("text", "other", 0.0),
        (None, None, 1.0),
    ],
)
def test_rows_in_common(cached: Any, fresh: Any, share: float) -> None:
    assert _advice.overlap(cached, fresh) == share


def test_rows_by_what_a_result_depends_on(cache: ClockedCache) -> None:
    calls: list[Any] = []
    search = similar_search(cache, calls, similar=0.99, depends_on=lambda _: ["doc"])
    search("docs", np.ones(DIM))
    search("docs", turned(0.95, np.ones(DIM)))
    (band,) = search.advice().bands
    assert band.precision == 1.0


def test_results_that_cannot_be_compared_are_not() -> None:
    def broken(_: Any) -> Any:
        raise KeyError("absent")

    assert _advice.overlap([1], [1], broken) is None


@pytest.mark.parametrize("is_async", [False, True])
def test_a_check_that_fails_is_answered_all_the_same(cache: ClockedCache, is_async: bool) -> None:
    is_away = False
    calls = 0

    def answer(vector: Any) -> list[int]:
        nonlocal calls
        calls += 1
        if is_away:
            raise OSError("the index is away")
        return [1]

    async def answer_async(vector: Any) -> list[int]:
        return answer(vector)

    decorator = cache.cache_vector_search(similar=0.97)
    search: Any = OfLoop(decorator(answer_async)) if is_async else decorator(answer)
    base = np.ones(DIM)
    search(base)
    is_away, calls = True, 0
    asked = [search(turned(0.99, base, seed)) for seed in range(70)]
    assert (asked, calls) == ([[1]] * 70, 2)
    with pytest.raises(OSError, match="away"):
        search(-base)
