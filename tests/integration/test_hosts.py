"""Stores and caches of other frameworks over Redis: shared by processes, and listed from there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from langchain_core.outputs import Generation
from langchain_tests.integration_tests import (
    AsyncCacheTestSuite,
    BaseStoreAsyncTests,
    BaseStoreSyncTests,
    SyncCacheTestSuite,
)
from redis_cluster import RedisCluster
from redis_server import RedisServer

from vcache import Cache
from vcache.errors import RedisError
from vcache.integrations.langchain import BaseCache, ByteStore
from vcache.integrations.langgraph import BaseCache as GraphCache
from vcache.integrations.llamaindex import BaseKVStore

MakeCache = Callable[..., Cache]
THREE = (b"foo", b"bar", b"\x00\xff")
# One test of each suite is no coroutine.
AWAITED = [pytest.mark.asyncio, pytest.mark.filterwarnings("ignore:The test .* is marked with")]


class TestByteStoreSync(BaseStoreSyncTests[bytes]):
    @pytest.fixture
    def kv_store(self, make_cache: MakeCache) -> ByteStore:
        return ByteStore(make_cache())

    @pytest.fixture
    def three_values(self) -> tuple[bytes, bytes, bytes]:
        return THREE


class TestByteStoreAsync(BaseStoreAsyncTests[bytes]):
    pytestmark = AWAITED

    @pytest.fixture
    def kv_store(self, make_cache: MakeCache) -> ByteStore:
        return ByteStore(make_cache())

    @pytest.fixture
    def three_values(self) -> tuple[bytes, bytes, bytes]:
        return THREE


class TestBaseCacheSync(SyncCacheTestSuite):
    @pytest.fixture
    def cache(self, make_cache: MakeCache) -> BaseCache:
        return BaseCache(make_cache())


class TestBaseCacheAsync(AsyncCacheTestSuite):
    pytestmark = AWAITED

    @pytest.fixture
    def cache(self, make_cache: MakeCache) -> BaseCache:
        return BaseCache(make_cache())


def test_a_store_lists_what_other_processes_stored(make_cache: MakeCache) -> None:
    writer, reader = make_cache(), ByteStore(make_cache())
    names = [f"key {number}" for number in range(25_000)]
    ByteStore(writer).mset([(name, b"value") for name in names])
    ByteStore(writer, name="other").mset([("elsewhere", b"value")])
    assert sorted(reader.yield_keys()) == sorted(names)
    assert sorted(reader.yield_keys(prefix="key 2499")) == sorted(
        name for name in names if name.startswith("key 2499")
    )


def test_a_key_is_listed_as_it_is_and_only_where_it_is(make_cache: MakeCache) -> None:
    store = ByteStore(make_cache())
    names = ["*", "a:b", "[x]", "é", "{slot}", "\n"]
    store.mset([(name, b"value") for name in names])
    assert sorted(store.yield_keys()) == sorted(names)
    assert list(store.yield_keys(prefix="*")) == ["*"]
    assert list(store.yield_keys(prefix="[")) == ["[x]"]


def test_what_was_cleared_is_not_listed(make_cache: MakeCache, redis_server: RedisServer) -> None:
    cache = make_cache()
    store, documents = ByteStore(cache), BaseKVStore(cache)
    store.mset([("old", b"value")])
    documents.put("old", {})
    cache.clear()
    store.mset([("new", b"value")])
    documents.put("new", {"n": 1})
    assert redis_server.call("DBSIZE") >= 4
    assert list(store.yield_keys()) == ["new"]
    assert documents.get_all() == {"new": {"n": 1}}


def test_nothing_is_listed_where_redis_gives_no_answer(
    make_cache: MakeCache, redis_server: RedisServer
) -> None:
    async def ask() -> list[str]:
        return [key async for key in store.ayield_keys()]

    store = ByteStore(make_cache(timeout=0.2))
    store.mset([("k", b"value")])
    redis_server.kill()
    assert store.mget(["k"]) == [b"value"]
    with pytest.raises(RedisError):
        list(store.yield_keys())
    with pytest.raises(RedisError):
        asyncio.run(ask())


def test_a_cluster_is_listed_whole(tmp_path: Path) -> None:
    names = [f"key {number}" for number in range(300)]
    with (
        RedisCluster(tmp_path, masters=3, replicas=0) as servers,
        Cache(redis=servers.url, timeout=5.0) as cache,
    ):
        store, documents = ByteStore(cache), BaseKVStore(cache)
        store.mset([(name, b"value") for name in names])
        documents.put_all([(name, {"name": name}) for name in names])
        assert sorted(store.yield_keys()) == sorted(names)
        assert documents.get_all() == {name: {"name": name} for name in names}


def test_clear_ends_what_other_processes_have(make_cache: MakeCache) -> None:
    one, other = make_cache(), make_cache()
    key = (("ns",), "k")
    BaseCache(one).update("p", "l", [Generation(text="t")])
    GraphCache[int](one).set({key: (1, 60)})
    assert BaseCache(other).lookup("p", "l") == [Generation(text="t")]
    assert GraphCache[int](other).get([key]) == {key: 1}
    BaseCache(one).clear()
    GraphCache[int](one).clear([("ns",)])
    fresh = make_cache()
    assert BaseCache(fresh).lookup("p", "l") is None
    assert GraphCache[int](fresh).get([key]) == {}


def test_stored_values_expire_in_redis(make_cache: MakeCache, redis_server: RedisServer) -> None:
    cache = make_cache(ttl=100)
    ByteStore(cache).mset([("k", b"value")])
    BaseKVStore(cache).put_all([("k", {}), ("l", {})])
    BaseCache(cache).update("p", "l", [Generation(text="t")])
    GraphCache[int](cache).set({((), "k"): (1, 50)})
    with redis_server.client() as client:
        left = [client.ttl(name) for name in client.scan_iter(match="vcache:*")]
    assert len(left) == 5
    assert all(0 < seconds <= 100 for seconds in left)
