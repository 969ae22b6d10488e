from __future__ import annotations

import asyncio
import gc
import inspect
import pickle
import weakref
from typing import Any

import numpy as np
import pytest
from clocked import ClockedCache
from polling import wait_until

import vcache
from vcache import MISSING, Cache

DTYPES = ["float32", "float16", "float64", "int8", "uint8", "int32", "int64"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (5,), (2, 3), (2, 1, 3), (1, 2, 3, 4)])
def test_vector_round_trip(cache: ClockedCache, dtype: str, shape: tuple[int, ...]) -> None:
    value = np.arange(np.prod(shape), dtype=dtype).reshape(shape)
    cache.set("v", value)
    out = cache.get("v")
    assert (out.dtype, out.shape) == (value.dtype, shape)
    np.testing.assert_array_equal(out, value)
    assert not out.flags.writeable
    assert out.flags.c_contiguous


@pytest.mark.parametrize("key", ["k", "ключ", b"\x00\xff", "a b\n*?[", "x" * 1024])
def test_any_key(cache: ClockedCache, key: Any) -> None:
    cache.set(key, 1)
    assert cache.get(key) == 1
    assert cache.exists(key)
    assert cache.delete(key)
    assert cache.get(key, MISSING) is MISSING


def test_str_and_bytes_of_a_key_are_one(cache: ClockedCache) -> None:
    cache.set("é", 1)
    assert cache.get("é".encode()) == 1


def test_an_array_is_copied_in(cache: ClockedCache) -> None:
    value = np.zeros(4, "f4")
    cache.set("v", value)
    value[0] = 9
    assert cache.get("v")[0] == 0


def test_each_hit_of_an_object_is_its_own(cache: ClockedCache) -> None:
    cache.set("o", {"list": [1, (2, 3)]})
    cache.get("o")["list"].append(4)
    assert cache.get("o") == {"list": [1, [2, 3]]}


def test_none_can_be_stored(cache: ClockedCache) -> None:
    cache.set("none", None)
    assert cache.get("none", MISSING) is None
    assert cache.mget(["none", "no"], MISSING) == [None, MISSING]
    assert repr(MISSING) == "<MISSING>"
    assert not MISSING


def test_views_outlive_eviction_deletion_and_close() -> None:
    cache = Cache(memory="256KiB", policy="lru")
    value = np.arange(1000, dtype="f4")
    cache.set("evicted", value)
    evicted = cache.get("evicted")
    for index in range(400):
        cache.set(f"other:{index}", value + index)
    assert not cache.exists("evicted")
    assert cache.stats().pinned_bytes > 0
    cache.set("deleted", value)
    deleted = cache.get("deleted")
    cache.delete("deleted")
    cache.set("deleted", value * 0)
    cache.close()
    cache.close()
    del cache
    gc.collect()
    np.testing.assert_array_equal(evicted, value)
    np.testing.assert_array_equal(deleted, value)


def test_lookup(cache: ClockedCache) -> None:
    cache.set("k", 5, ttl=60, metadata={"source": "test", "n": [1, (2,)]})
    cache.clock.advance(10)
    found = cache.lookup("k")
    assert (found.value, found.hit, found.tier, found.stale) == (5, True, "memory", False)
    assert (found.age, found.ttl) == (pytest.approx(10), pytest.approx(50))
    assert found.metadata == {"source": "test", "n": [1, [2]]}
    missed = cache.lookup("no")
    assert (missed.value, missed.hit, missed.tier, missed.metadata) == (MISSING, False, None, {})


def test_times_to_live(cache: ClockedCache) -> None:
    cache.set("default", 1)
    cache.set("short", 1, ttl="5s")
    cache.set("memory", 1, memory_ttl=2.5)
    cache.set("ever", 1, ttl=None, memory_ttl=None)
    cache.mset({"batch": 1}, ttl=5)
    cache.clock.advance(2.4)
    assert all(map(cache.exists, ["default", "short", "memory", "ever", "batch"]))
    cache.clock.advance(0.2)
    assert not cache.exists("memory")
    cache.clock.advance(2.5)
    assert not cache.exists("short")
    assert not cache.exists("batch")
    cache.clock.advance(300)
    assert not cache.exists("default")
    assert cache.exists("ever")
    assert cache.stats().expired >= 0


def test_jitter_only_shortens() -> None:
    with ClockedCache(jitter=0.5) as cache:
        for index in range(64):
            cache.set(str(index), 1, ttl=100)
        left = [cache.lookup(str(index)).ttl or 0.0 for index in range(64)]
    assert all(50 <= ttl <= 100 for ttl in left)
    assert len(set(left)) > 32


def test_touch(cache: ClockedCache) -> None:
    cache.set("k", 1, ttl=5)
    assert cache.touch("k", "20s")
    assert not cache.touch("no", 20)
    cache.clock.advance(10)
    assert cache.get("k") == 1
    cache.clock.advance(11)
    assert cache.get("k") is None


def test_batches_keep_order_and_duplicates(cache: ClockedCache) -> None:
    cache.mset([("a", 1), ("b", 2), ("a", 3)])
    assert cache.mget(("b", "no", "a", "b"), default=0) == [2, 0, 3, 2]
    assert cache.mget(key for key in "ab") == [3, 2]
    assert cache.mdelete(["a", "no", "b"]) == 2
    assert cache.mget([]) == []
    cache.mset({})


def test_vector_batches(cache: ClockedCache) -> None:
    matrix = np.arange(12, dtype="f4").reshape(3, 4)
    cache.set_vectors(["a", "b", "c"], matrix, ttl="1h", cost=0.1)
    cache.set("object", [1.0])
    cache.set("wide", np.ones(5, "f4"))
    cache.set("double", np.ones(4, "f8"))
    keys = ["c", "no", "a", "c", "object", "wide", "double"]
    out, found = cache.get_vectors(keys)
    assert found.tolist() == [True, False, True, True, False, False, False]
    assert found.dtype == np.bool_
    np.testing.assert_array_equal(out[[0, 2, 3]], matrix[[2, 0, 2]])
    assert not out[~found].any()
    assert cache.stats().mismatch == 3
    assert cache.exists("object")
    assert cache.get_vectors(["no"])[0].shape == (1, 0)
    assert cache.get_vectors([])[0].shape == (0, 0)
    assert cache.get_vectors(["double"], dtype=np.float64)[1].all()


def test_vectors_into_given_memory(cache: ClockedCache) -> None:
    cache.set_vectors(["a", "b"], np.ones((2, 3), "f4"))
    out = np.full((2, 3), 7, "f4")
    matrix, found = cache.get_vectors(["a", "no"], out=out)
    assert matrix is out
    assert out.tolist() == [[1, 1, 1], [0, 0, 0]]
    assert found.tolist() == [True, False]


def test_clear_empties_this_namespace_only() -> None:
    with ClockedCache() as one, ClockedCache(namespace="other") as other:
        one.set("k", 1)
        other.set("k", 2)
        one.clear()
        assert (one.get("k"), other.get("k")) == (None, 2)


def test_a_closed_cache_misses(cache: ClockedCache) -> None:
    cache.set("k", 1)
    cache.close()
    assert cache.get("k") is None


def test_no_memory_tier() -> None:
    with Cache(memory=None) as cache:
        cache.set("k", 1)
        assert cache.get("k") is None
        assert cache.get_or_set("k", lambda: 2) == 2


def test_more_than_fits_is_evicted_and_counted() -> None:
    with Cache(memory="1MiB", max_value="4MiB") as cache:
        for index in range(2000):
            cache.set(str(index), np.zeros(1000, "f4"))
        cache.set("huge", np.zeros(1 << 19, "f4"))
        stats = cache.stats()
        assert stats.evictions > 1000
        assert stats.memory_bytes <= stats.memory_limit
        assert cache.get("huge") is None


@pytest.mark.parametrize("policy", ["lru", "lfu", "s3fifo", "sieve", "arc", "wtinylfu", "gdsf"])
def test_every_policy_bounds_entries(policy: Any) -> None:
    with Cache(policy=policy, max_entries=64) as cache:
        for index in range(1000):
            cache.set(str(index), index)
        assert 0 < cache.stats().entries <= 64
        assert cache.stats().policy["active"] == policy


def test_an_empty_cache_is_true_and_has_no_length(cache: ClockedCache) -> None:
    assert cache
    assert not hasattr(cache, "__len__")


def test_nobody_holds_a_cache_but_its_user() -> None:
    gc.collect()
    gc.disable()
    try:
        cache = ClockedCache(redis="redis://127.0.0.1:1", timeout=0.01)
        assert cache.get_or_set("k", lambda: 1, soft_timeout=10) == 1
        assert asyncio.run(cache.aget("none")) is None
        assert asyncio.run(cache._afresh_get("none")) is None
        alive = [weakref.ref(cache), weakref.ref(cache._loader)]
        del cache
        wait_until(lambda: [each() for each in alive] == [None, None], 5.0)
    finally:
        gc.enable()


def test_pickles_as_its_configuration() -> None:
    with Cache(memory="1MiB", namespace="n", ttl="1h", policy="lru") as cache:
        cache.set("k", 1)
        with pickle.loads(pickle.dumps(cache)) as copy:
            assert repr(copy) == repr(cache)
            assert copy._config == cache._config
            assert copy.get("k") is None


def test_a_cached_array_pickles_as_an_array(cache: ClockedCache) -> None:
    cache.set("v", np.arange(3))
    assert pickle.loads(pickle.dumps(cache.get("v"))).tolist() == [0, 1, 2]


def test_every_blocking_call_that_can_touch_redis_has_a_twin() -> None:
    local = {"stats", "get_stats", "cached", "cache_vector_search", "from_env"}
    local |= {"accesses", "cost_report", "hot_keys", "log_stats", "mapping"}
    local |= {"refresh_hot", "prefetch"}  # which return at once
    local.add("invalidate_on_write")  # whose guard is sync and async
    local |= {"cached_list", "cached_batch", "bypass", "refreshing"}
    local |= {"predict", "explain", "retrain", "roll_back_model", "pin_expert"}
    public = {name for name, _ in inspect.getmembers(Cache, callable) if not name.startswith("_")}
    blocking = {name for name in public if f"a{name}" in public}
    assert public - blocking - {f"a{name}" for name in blocking} == local
    for name in blocking:
        if name not in ("get", "set"):
            twin = inspect.signature(getattr(Cache, f"a{name}")).parameters
            assert list(twin) == list(inspect.signature(getattr(Cache, name)).parameters)


def test_twins_do_the_same() -> None:
    async def main() -> None:
        async with ClockedCache() as cache:
            await cache.aset("a", 1, ttl="5m", metadata={"m": 1})
            await cache.amset([("b", 2)], ttl=5)
            await cache.aset_vectors(["v"], np.ones((1, 2), "f4"))
            assert await cache.aget("a") == 1
            assert await cache.aget("no", MISSING) is MISSING
            assert (await cache.alookup("a")).metadata == {"m": 1}
            assert await cache.amget(["b", "no", "a"]) == [2, None, 1]
            matrix, found = await cache.aget_vectors(["v", "no"])
            assert (matrix.tolist(), found.tolist()) == ([[1, 1], [0, 0]], [True, False])
            assert await cache.atouch("a", 7)
            assert await cache.aexists("a")
            assert await cache.adelete("a")
            assert await cache.amdelete(["b", "v", "no"]) == 2
            assert (await cache.ahealthy()).ok
            await cache.aset("t", 1, tags=["red"])
            await cache.aset("u", 1)
            await cache.ainvalidate_tags("red")
            assert await cache.ainvalidate("[tu]") == 1
            await cache.aset("c", 1)
            await cache.aclear()
            assert not await cache.aexists("c")

    asyncio.run(main())


def test_leaving_with_closes() -> None:
    with ClockedCache() as cache:
        cache.set("k", 1)
    assert cache.get("k") is None


def test_version_is_text() -> None:
    assert isinstance(vcache.__version__, str)
