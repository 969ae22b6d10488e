"""Cached vector searches over an index that notes what it is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
from clocked import ClockedCache

VECTOR = np.linspace(0, 1, 8)
FOUND = 30  # rows that an index of these tests has


class Index:
    """An index that notes for how many rows it was asked."""

    def __init__(self, form: Callable[[int], Any] = lambda k: list(range(k))) -> None:
        self.asked: list[int] = []
        self._form = form

    def __call__(self, k: int) -> Any:
        self.asked.append(k)
        return self._form(min(k, FOUND))


def searching(cache: ClockedCache, index: Index, **options: Any) -> Any:
    @cache.cache_vector_search(**options)
    def search(namespace: str, vector: Any, top_k: int = 10, **params: Any) -> Any:
        return index(top_k)

    return search


def searching_async(cache: ClockedCache, index: Index, **options: Any) -> Any:
    @cache.cache_vector_search(**options)
    async def search(namespace: str, vector: Any, top_k: int = 10, **params: Any) -> Any:
        return index(top_k)

    return lambda *args, **named: asyncio.run(search(*args, **named))


def plain(result: Any) -> Any:
    if isinstance(result, np.ndarray):
        return result.tolist()
    if isinstance(result, (list, tuple)):
        return [plain(each) for each in result]
    return result
