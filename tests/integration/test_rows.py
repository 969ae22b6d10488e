"""Rows that go from Redis straight into the matrix, there being no memory tier."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from vcache import Cache

MakeCache = Callable[..., Cache]

KEYS = [f"v:{number}" for number in range(8)]
MATRIX = np.arange(32, dtype="f4").reshape(8, 4)


@pytest.fixture
def cache(make_cache: MakeCache) -> Cache:
    """Without memory tier, over eight vectors of width 4."""
    cache = make_cache(memory=0)
    cache.set_vectors(KEYS, MATRIX, cost=2.0)
    return cache


@pytest.mark.parametrize("dim", [4, None])
def test_order_duplicates_and_misses(cache: Cache, dim: int | None) -> None:
    for asked in ([*KEYS[::-1], "no", KEYS[0]], ["no", *KEYS[::-1], KEYS[0]]):
        rows, found = cache.get_vectors(asked, dim=dim)
        expected = dict(zip(KEYS, MATRIX, strict=True)) | {"no": [0] * 4}
        np.testing.assert_array_equal(rows, [expected[key] for key in asked])
        assert found.tolist() == [key != "no" for key in asked]
    stats = cache.stats()
    assert (stats.redis_hits, stats.misses, stats.requests) == (18, 2, 20)
    assert stats.groups["v"] == {"memory_hits": 0, "redis_hits": 18, "misses": 0}
    assert stats.cost_saved == pytest.approx(36.0)


def test_the_first_hit_tells_the_width_each_time(cache: Cache) -> None:
    assert cache.get_vectors(KEYS)[0].shape == (8, 4)
    cache.set("wide", np.ones(6, "f4"))
    rows, found = cache.get_vectors(["wide", KEYS[0]])
    assert (rows.shape, found.tolist()) == ((2, 6), [True, False])
    rows, found = cache.get_vectors([KEYS[0], "wide"])
    assert (rows.shape, found.tolist()) == ((2, 4), [True, False])
    stats = cache.stats()
    assert (stats.redis_hits, stats.misses, stats.mismatch) == (10, 2, 2)


def test_none_found_has_no_width(cache: Cache) -> None:
    for keys in (["no"], KEYS, ["no", "none"]):
        rows, found = cache.get_vectors(keys)
        assert rows.shape == (len(keys), 4 if keys is KEYS else 0)
        assert found.all() == (keys is KEYS)
    stats = cache.stats()
    assert (stats.redis_hits, stats.misses) == (8, 3)


def test_none_found_after_all_were(cache: Cache) -> None:
    """Whatever lay in memory before: the last flags were all True."""
    absent = [f"no:{number}" for number in range(len(KEYS))]
    for _ in range(20):
        assert cache.get_vectors(KEYS)[1].all()
        assert not cache.get_vectors(absent)[1].any()


def test_another_dtype_is_a_mismatch(cache: Cache) -> None:
    cache.get_vectors(KEYS)
    rows, found = cache.get_vectors(KEYS, dtype="float64")
    assert (rows.shape, found.any()) == ((8, 0), False)
    assert cache.stats().mismatch == 8
