"""A slow function and a slow vector search, each remembered by one decorator.

    python examples/decorator.py

Needs vcache only. You will see what each call took, and that a list and an array of the same
numbers are one search.
"""

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

import vcache

cache = vcache.Cache(memory="64MiB")
documents = np.random.default_rng(0).standard_normal((1_000, 384)).astype(np.float32)


@cache.cached(ttl="10m", key_prefix="recommend")
def recommend(user: str, count: int = 3) -> list[str]:
    time.sleep(0.2)  # a model or a database would be asked here
    return [f"{user}'s choice {n}" for n in range(count)]


@cache.cache_vector_search(ttl="5m")
def search(namespace: str, vector: NDArray[np.float32], top_k: int = 10) -> list[int]:
    time.sleep(0.1)
    best: list[int] = np.argsort(-(documents @ vector))[:top_k].tolist()
    return best


def timed(words: str, call: Callable[..., list[Any]], *arguments: Any) -> list[Any]:
    start = time.perf_counter()
    found = call(*arguments)
    print(f"{words:<28} {(time.perf_counter() - start) * 1000:8.3f} ms   {found[:3]}")
    return found


question = documents[42] + np.float32(0.01)
recommended = timed("recommend, first time", recommend, "ada")
right = timed("recommend, again", recommend, "ada") == recommended
found = timed("search, first time", search, "docs", question)
right &= timed("search, again", search, "docs", question) == found
right &= timed("search, as a plain list", search, "docs", question.tolist()) == found
print(cache.stats().hits, "hits,", cache.stats().misses, "misses")
print(search.cache_info())
if not right or found[0] != 42 or cache.stats().hits != 3:
    sys.exit("wrong: an answer from the cache is another, or there were not three")
