"""Searches with semantic hits, over functions that note what they are called for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
from clocked import ClockedCache
from numpy.typing import NDArray

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
