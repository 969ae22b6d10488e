"""Searches with semantic hits, over functions that note what they are called for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from clocked import ClockedCache
from numpy.typing import NDArray

from vcache import Cache

DIM = 16
FIRST = np.random.default_rng(7).standard_normal(DIM)

Make = Callable[..., Any]


def turned(similarity: float, vector: NDArray[Any] = FIRST, seed: int = 1) -> NDArray[Any]:
    """A vector of that cosine similarity to another."""
    unit = vector / np.linalg.norm(vector)
    other = np.random.default_rng(seed).standard_normal(len(vector))
    other -= (other @ unit) * unit
    other /= np.linalg.norm(other)
    return similarity * unit + np.sqrt(1 - similarity**2) * other


def similar_search(cache: ClockedCache, calls: list[Any], **options: Any) -> Any:
    """Of a namespace, a vector and more; each call has a result of its own."""

    @cache.cache_vector_search(**({"similar": 0.97} | options))
    def search(namespace: str, vector: Any, top_k: int = 3, **params: Any) -> list[Any]:
        calls.append(namespace)
        return [f"{len(calls)}:{row}" for row in range(top_k)]

    return search


def similar_search_async(cache: ClockedCache, calls: list[Any], **options: Any) -> Any:
    @cache.cache_vector_search(**({"similar": 0.97} | options))
    async def search(namespace: str, vector: Any, top_k: int = 3, **params: Any) -> list[Any]:
        calls.append(namespace)
        return [f"{len(calls)}:{row}" for row in range(top_k)]

    return OfLoop(search)


class OfLoop:
    """An async function that is called as a plain one."""

    def __init__(self, function: Any) -> None:
        self._function = function

    def __call__(self, *args: Any, **named: Any) -> Any:
        return asyncio.run(self._function(*args, **named))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._function, name)


def text_search(cache: ClockedCache, calls: list[str], **options: Any) -> Any:
    """Of texts whose vectors are all the same."""
    vector = FIRST.copy()

    @cache.cache_vector_search(**({"similar": 0.9, "similar_text": "query"} | options))
    def search(query: Any, vector: Any) -> list[str]:
        calls.append(query)
        return [f"answer {len(calls)}"]

    return lambda query: search(query, vector)


ONE_QUESTION = "how do I reset my password"

# By what makes it another: a question, that one, and the first in other words.
OTHER_QUESTIONS = {
    "reversed": (
        "is Python faster than Ruby",
        "is Ruby faster than Python",
        "Is Python faster than Ruby?",
    ),
    "reversed route": (
        "flights from Paris to London",
        "flights from London to Paris",
        "the flights from Paris to London",
    ),
    "number": (
        "flights under 300 euros",
        "flights under 500 euros",
        "the flights under 300 euros",
    ),
    "number in words": (
        "top five laptops for students",
        "top ten laptops for students",
        "the top 5 laptops for students",
    ),
    "year": (
        "results of 2023 elections",
        "results of 2024 elections",
        "the results of the 2023 elections",
    ),
    "negation": (
        "foods that contain gluten",
        "foods that do not contain gluten",
        "which foods contain gluten",
    ),
    "contraction": (
        "which plants are safe for cats",
        "which plants aren't safe for cats",
        "what plants are safe for cats",
    ),
    "empty": (ONE_QUESTION, "", "how can I reset the password"),
    "blank": (ONE_QUESTION, " \t\n", "how can I reset the password?"),
    "marks": (ONE_QUESTION, "?!", "How do I reset my passwords?"),
}


def who_answers(
    cache: Cache,
    queries: Sequence[tuple[str, Any]],
    *,
    first: str = ONE_QUESTION,
    is_async: bool,
    similar: float,
    name: str = "search",
) -> list[bool]:
    """Of each query, whether the result of `first`, whose vector is FIRST, answered it.

    A result of a query's own is removed at once: it answers none of the others.
    """
    asked = [(first, FIRST), *queries]
    results: list[Any] = []
    decorator = cache.cache_vector_search(key_prefix=name, similar=similar, similar_text="query")

    def search(query: str, vector: Any) -> list[int]:
        return [len(results)]

    async def search_async(query: str, vector: Any) -> list[int]:
        return [len(results)]

    call: Any = OfLoop(decorator(search_async)) if is_async else decorator(search)
    for query, vector in asked:
        results.append(call(query, vector))
        if results[-1] != [0]:
            assert call.invalidate(query, vector)
    return [result == [0] for result in results[1:]]
