"""Two small workloads: searches over a slow source, most of them asked before."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence

import numpy as np
from harness import SEED, Check, Outcome, expect, vectors

import vcache

SOURCE_SECONDS = (0.100, 0.200)
TOP_K = 10
HOT_BELOW_COLD = 99.6  # percent
Answer = list[list[float]]


def realistic(rounds: int) -> Outcome:
    """50 searches over a source of 100-200 ms, ten of them different: 80 % hits expected."""
    return _profile(searches=50, different=10, skewed=False, expected=80)


def zipf(rounds: int) -> Outcome:
    """100 searches by Zipf's law, five of them different: 95 % hits expected."""
    return _profile(searches=100, different=5, skewed=True, expected=95)


def _profile(searches: int, different: int, skewed: bool, expected: float) -> Outcome:
    corpus, queries = vectors(2_000), vectors(2_000 + different)[2_000:]
    rng, calls = random.Random(SEED), 0

    def exact(query: np.ndarray) -> Answer:
        scores = corpus @ query
        best = np.argsort(-scores)[:TOP_K]
        return [[int(n), float(scores[n])] for n in best]

    cache = vcache.Cache()

    @cache.cache_vector_search(ttl=300)
    def search(namespace: str, vector: np.ndarray, top_k: int = TOP_K) -> Answer:
        nonlocal calls
        calls += 1
        time.sleep(rng.uniform(*SOURCE_SECONDS))
        return exact(vector)

    asked = _stream(searches, different, skewed)
    seconds, hit, seen = [], [], set[int]()
    for number in asked:
        start = time.perf_counter()
        found = search("bench", queries[number])
        seconds.append(time.perf_counter() - start)
        expect(found == exact(queries[number]), f"search {number}")
        hit.append(number in seen)
        seen.add(number)
    hot, cold = np.array(seconds)[hit], np.array(seconds)[np.logical_not(hit)]
    below = 100 * (1 - float(hot.mean() / cold.mean()))
    return Outcome(
        [
            Check("hit rate", 100 * (searches - calls) / searches, expected, unit="%"),
            Check("hot latency under cold", below, HOT_BELOW_COLD, unit="%"),
        ],
        {"hot, mean": float(hot.mean()), "cold, mean": float(cold.mean())},
    )


def _stream(searches: int, different: int, skewed: bool) -> Sequence[int]:
    """Every query at least once, the rest evenly or by Zipf's law, in random order."""
    rng = random.Random(SEED)
    weights = [1 / (rank + 1) if skewed else 1.0 for rank in range(different)]
    asked = [*range(different), *rng.choices(range(different), weights, k=searches - different)]
    rng.shuffle(asked)
    return asked
