from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from redis_server import RedisServer

from vcache import Cache

VECTOR = np.ones(8, np.float32)
KEYS = ["a:1", "a:2", "b:none"]


def logged(cache: Cache, path: Path) -> list[tuple[str, str | None]]:
    """Group and tier of each line that came since the last call."""
    cache.close()
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    path.write_text("")
    for line in lines:
        assert (line["size"] > VECTOR.nbytes) == (line["tier"] is not None)
        assert line["cost"] == (0.25 if line["tier"] else 0)
    return [(line["group"], line["tier"]) for line in lines]


REDIS = [("a", "redis"), ("a", "redis"), ("b", None)]
MEMORY = [("a", "memory"), ("a", "memory"), ("b", None)]


@pytest.mark.parametrize(
    "look_up",
    [
        lambda cache: [cache.get(key) for key in KEYS],
        lambda cache: [cache.lookup(key) for key in KEYS],
        lambda cache: cache.mget(KEYS),
        lambda cache: cache.get_vectors(KEYS, dim=8),
        lambda cache: cache.get_vectors(KEYS),
        lambda cache: cache.get_or_set_many(KEYS, lambda keys: keys, ttl=0.001),
        lambda cache: asyncio.run(cache.amget(KEYS)),
    ],
)
def test_the_tier_that_answered(
    make_cache: Callable[..., Cache], tmp_path: Path, look_up: Callable[[Cache], Any]
) -> None:
    make_cache().set_vectors(KEYS[:2], np.stack([VECTOR, VECTOR]), cost=0.25)
    path = tmp_path / "accesses.jsonl"
    cache = make_cache(access_log=path)
    look_up(cache)
    first = cache.stats()
    assert logged(cache, path) == REDIS
    assert (first.redis_hits, first.misses) == (2, 1)


def test_hits_in_memory_and_beyond(make_cache: Callable[..., Cache], tmp_path: Path) -> None:
    path = tmp_path / "accesses.jsonl"
    make_cache().set_vectors(KEYS[:2], np.stack([VECTOR, VECTOR]), cost=0.25)
    cache = make_cache(access_log=path)
    cache.mget(KEYS)
    cache.mget(KEYS)
    assert logged(cache, path) == REDIS + MEMORY


def test_rows_from_redis_alone(make_cache: Callable[..., Cache], tmp_path: Path) -> None:
    make_cache().set_vectors(KEYS[:2], np.stack([VECTOR, VECTOR]), cost=0.25)
    path = tmp_path / "accesses.jsonl"
    cache = make_cache(access_log=path, memory=None)
    cache.get_vectors(KEYS, dim=8)
    assert logged(cache, path) == REDIS


def test_a_redis_that_is_gone(
    make_cache: Callable[..., Cache], redis_server: RedisServer, tmp_path: Path
) -> None:
    path = tmp_path / "accesses.jsonl"
    cache = make_cache(access_log=path, timeout=0.2)
    redis_server.stop()
    for _ in range(20):  # asked at first, then no longer
        cache.get("b:none")
    assert logged(cache, path) == [("b", None)] * 20
