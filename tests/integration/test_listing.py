"""Keys as both tiers have them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from redis_cluster import RedisCluster
from redis_server import RedisServer

from vcache import Cache
from vcache.errors import RedisError

MakeCache = Callable[..., Cache]


@pytest.fixture(params=["default", "least"])
def redis_user(request: pytest.FixtureRequest) -> str:
    """All of it as the user of cpp/l2/README.md too."""
    user: str = request.param
    return user


@pytest.mark.parametrize("memory", ["10MiB", 0])
def test_a_view_has_what_another_process_stored(make_cache: MakeCache, memory: object) -> None:
    writer, reader = make_cache(), make_cache(memory=memory)
    items = {f"k{number}": number for number in range(5000)}
    writer.mapping("users").update(items)
    writer.set("orders:a", 1)
    view = reader.mapping("users")
    assert sorted(view) == sorted(items)  # type: ignore[type-var]
    assert len(view) == 5000
    assert dict(view.items()) == items
    view.clear()
    assert list(view) == []
    assert list(reader.mapping()) == ["orders:a"]


def test_each_key_once_though_both_tiers_have_it(make_cache: MakeCache) -> None:
    cache, other = make_cache(), make_cache()
    cache.mset({"both": 1, b"\xff": 2, "[x]*?\\^": 3})
    other.set("redis", 4)
    cache.get("both")
    keys = list(cache.mapping())
    assert len(keys) == 4
    assert set(keys) == {"both", b"\xff", "[x]*?\\^", "redis"}
    other.mapping("a.b").update({"x": 1})
    other.set("aXb:x", 1)
    other.set("a.b", 1)
    assert list(make_cache().mapping("a.b")) == ["x"]
    assert list(make_cache().mapping("users")) == []


def test_other_namespaces_and_generations_are_not_listed(make_cache: MakeCache) -> None:
    cache, elsewhere = make_cache(), make_cache(namespace="ns")
    cache.mset({"old": 1, "older": 2})
    elsewhere.set("k", 1)
    cache.clear()
    cache.set("new", 3, tags=["t"])
    assert list(cache.mapping()) == list(make_cache().mapping()) == ["new"]
    assert list(elsewhere.mapping()) == ["k"]


def test_ended_by_a_tag_is_not_listed(make_cache: MakeCache) -> None:
    cache, other = make_cache(), make_cache()
    cache.mset({"a": 1, "b": np.ones(3, "f4")}, tags=["doc"])
    cache.set("c", 2, tags=["kept"])
    assert set(other.mapping()) == {"a", "b", "c"}
    assert other.mexists(["a", "b", "c", "d"]) == [True, True, True, False]
    cache.invalidate_tags("doc")
    assert list(other.mapping()) == ["c"]
    assert make_cache().mexists(["a", "b", "c", "d"]) == [False, False, True, False]


def test_many_keys_in_one_look(make_cache: MakeCache, redis_server: RedisServer) -> None:
    cache, other = make_cache(), make_cache()
    cache.mset({f"k{number}": number for number in range(0, 10_000, 2)})
    found = other.mexists([f"k{number}" for number in range(10_000)])
    assert found == [number % 2 == 0 for number in range(10_000)]
    assert asyncio.run(other.amexists(["k0", "k1"])) == [True, False]
    assert other.stats().requests == 0


def test_a_foreign_value_is_no_entry(make_cache: MakeCache, redis_server: RedisServer) -> None:
    cache = make_cache()
    cache.set("k", 1)
    redis_server.call("SET", "vcache:foreign", "text")
    redis_server.call("RPUSH", "vcache:list", "text")
    assert set(make_cache().mapping()) == {"k"}
    assert make_cache().mexists(["foreign", "list", "k"]) == [False, False, True]


def test_while_redis_gives_no_answer(make_cache: MakeCache, redis_server: RedisServer) -> None:
    cache, strict = make_cache(timeout=0.2), make_cache(timeout=0.2, strict=True)
    cache.set("before", 1)
    strict.set("strict", 1)
    redis_server.kill()
    cache.set("after", 2)
    assert {"after"} <= set(cache.mapping())
    assert cache.mexists(["after", "absent"]) == [True, False]
    with pytest.raises(RedisError):
        list(strict.mapping())
    with pytest.raises(RedisError):
        strict.mexists(["absent"])


def test_twins_of_a_view(make_cache: MakeCache) -> None:
    async def use() -> None:
        view = make_cache().mapping("users")
        await view.aupdate({f"k{number}": number for number in range(600)})
        other = make_cache().mapping("users")
        assert len([key async for key in other]) == await other.alen() == 600
        assert dict([item async for item in other.aitems()]) == {
            f"k{number}": number for number in range(600)
        }
        await other.aclear()
        assert await other.alen() == 0

    asyncio.run(use())


def test_a_cluster_is_gone_through_whole(tmp_path: Path) -> None:
    items = {f"k{number}": number for number in range(500)}
    with (
        RedisCluster(tmp_path, masters=3, replicas=0) as servers,
        Cache(redis=servers.url, timeout=5.0) as cache,
        Cache(redis=servers.url, timeout=5.0) as other,
    ):
        cache.mset(items, tags=["t"])
        assert dict(other.mapping().items()) == items
        assert other.mexists([*items, "absent"]) == [True] * 500 + [False]
        cache.clear()
        cache.set("new", 1)
        with Cache(redis=servers.url, timeout=5.0) as third:
            assert list(third.mapping()) == ["new"]
            assert third.mexists(["k0", "new"]) == [False, True]


def test_servers_that_share_the_keys_are_gone_through(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    items = {f"k{number}": number for number in range(200)}
    folder = tmp_path / "second"
    folder.mkdir()
    second = RedisServer(folder)
    second.start()
    try:
        urls = [redis_server.url.replace(redis_server.credentials, ""), second.url]
        if redis_server.credentials:
            urls[0] = redis_server.url
        with Cache(redis=urls, timeout=5.0) as cache, Cache(redis=urls, timeout=5.0) as other:
            cache.mset(items)
            assert dict(other.mapping().items()) == items
            assert len(other.mapping()) == 200
    finally:
        second.stop()
