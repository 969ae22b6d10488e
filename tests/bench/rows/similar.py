"""Cached vector searches: an exact hit, and the nearest of many answered queries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from harness import DIM, OPERATIONS, Check, Outcome, compete, expect, loop, vectors, zipf
from usearch.index import MetricKind, search

import vcache
from vcache import _core

LOOK_UPS = 100
NEAR = 0.05  # of the length of a query, by which another one is moved


def exact_hit(rounds: int) -> Outcome:
    """A hit of `cache_vector_search` with a 384-d query, without and with `similar`."""
    stored, cache = vectors(), vcache.Cache()
    rows = list(stored)
    plain, similar = (_searching(cache, rows, **given) for given in ({}, {"similar": 0.97}))
    keys = [plain.cache_key("docs", row) for row in rows]
    numbers = zipf(OPERATIONS)
    best = compete(
        {
            "cache.get": loop(cache.get, lambda: [f"{keys[n]} "[:-1] for n in numbers]),
            "cache_vector_search": loop(_of("docs", plain), lambda: [rows[n] for n in numbers]),
            "with similar": loop(_of("docs", similar), lambda: [rows[n] for n in numbers]),
        },
        rounds,
    )
    expect(plain.cache_info().misses == len(rows), "vector search: misses among hits")
    expect(similar.cache_info().similar == 0, "vector search: similar hits among exact ones")
    ours = best["cache_vector_search"]
    return Outcome(
        [
            Check("its time in cache.get's", ours / best["cache.get"], 4.0, at_least=False),
            Check("with similar, its time", best["with similar"] / ours, 1.05, at_least=False),
        ],
        best,
    )


def _searching(cache: vcache.Cache, rows: list[np.ndarray], **options: Any) -> Any:
    """One of which every answer is cached."""

    @cache.cache_vector_search(key_prefix=f"search{len(options)}", **options)
    def search(namespace: str, vector: Any, top_k: int = 10) -> list[int]:
        return list(range(top_k))

    for row in rows:
        search("docs", row)
    return search


def _of(namespace: str, function: Callable[[str, Any], Any]) -> Callable[[Any], Any]:
    return lambda vector: function(namespace, vector)


def look_up(rounds: int) -> Outcome:
    """The nearest among 10,000 queries of 384 dimensions."""
    stored = vectors()
    index = _core.FlatIndex(width=DIM, max_bytes=1 << 30)
    ids = [index.add(row) for row in stored.astype(np.float64)]
    moved = np.random.default_rng(1).standard_normal((LOOK_UPS, DIM)) * NEAR
    queries = stored[:LOOK_UPS].astype(np.float64) + moved
    singles = list(queries.astype(np.float32))

    def ours(query: np.ndarray) -> list[tuple[int, float]]:
        return index.nearest(query, at_least=0.97, most=1)

    def theirs(query: np.ndarray) -> Any:
        return search(stored, query, 1, MetricKind.Cos, exact=True)

    for number, (query, single) in enumerate(zip(queries, singles, strict=True)):
        ((found, similarity),), other = ours(query), theirs(single)
        expect(found == ids[number] and other.keys[0] == number, "nearest query")
        expect(abs(similarity - (1 - other.distances[0])) < 1e-3, "similarity")
    best = compete(
        {
            "vcache": loop(ours, lambda: list(queries)),
            "usearch, exact": loop(theirs, lambda: singles),
        },
        rounds,
    )
    ratio = best["vcache"] / best["usearch, exact"]
    return Outcome([Check("its time in usearch's", ratio, 1.2, at_least=False)], best)
