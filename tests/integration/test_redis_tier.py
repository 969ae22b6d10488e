"""A cache over a Redis that works."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from redis_server import MAKES, RedisServer

from vcache import MISSING, Cache, EmbeddingCache, RedisOptions
from vcache.errors import ConfigError

MakeCache = Callable[..., Cache]
DTYPES = ["float32", "float16", "float64", "int8", "uint8", "int32", "int64"]


@pytest.fixture(params=["default", "least"])
def redis_user(request: pytest.FixtureRequest) -> str:
    """All of it as the user of cpp/l2/README.md too."""
    user: str = request.param
    return user


@pytest.fixture(params=MAKES)
def server_make(request: pytest.FixtureRequest) -> str:
    """All of it over Valkey too."""
    make: str = request.param
    return make


@pytest.mark.parametrize("memory", ["10MiB", 0])
def test_another_cache_finds_everything(make_cache: MakeCache, memory: Any) -> None:
    one, other = make_cache(memory=memory), make_cache(memory=memory)
    values: dict[Any, Any] = {dtype: np.arange(6, dtype=dtype).reshape(2, 3) for dtype in DTYPES}
    values |= {"object": {"a": [1, None, 2.5, "é", b"b"]}, "none": None, b"\x00\xff:k": "bytes"}
    values["scalar"] = np.array(1.5, "f4")
    one.mset(values)
    for key, value in values.items():
        found = other.lookup(key)
        assert found.tier == "redis"
        if isinstance(value, np.ndarray):
            assert (found.value.dtype, found.value.shape) == (value.dtype, value.shape)
            np.testing.assert_array_equal(found.value, value)
            assert not found.value.flags.writeable
        else:
            assert found.value == value
    again = other.lookup("object")
    assert again.tier == ("redis" if memory == 0 else "memory")
    stats = other.stats()
    assert stats.redis_hits + stats.memory_hits == stats.requests == len(values) + 1
    assert stats.redis is not None
    assert stats.redis["breaker"] == "closed"


def test_batches_mix_tiers_and_misses(make_cache: MakeCache) -> None:
    one, other = make_cache(), make_cache()
    matrix = np.arange(32, dtype="f4").reshape(8, 4)
    keys = [f"v:{index}" for index in range(8)]
    one.set_vectors(keys, matrix, ttl="1h")
    other.get_vectors(keys[:3])
    asked = [*keys[::-1], "no", keys[0]]
    out, found = other.get_vectors(asked)
    assert found.tolist() == [True] * 8 + [False, True]
    np.testing.assert_array_equal(out[:8], matrix[::-1])
    np.testing.assert_array_equal(out[9], matrix[0])
    assert other.stats().groups["v"] == {"memory_hits": 4, "redis_hits": 8, "misses": 0}
    assert [value is MISSING for value in other.mget([*keys, "no"], MISSING)] == [False] * 8 + [
        True
    ]


def test_every_key_has_its_time_to_live(make_cache: MakeCache, redis_server: RedisServer) -> None:
    cache = make_cache(ttl=100.0, namespace="ns")
    cache.set("default", 1)
    cache.set("given", np.ones(3, "f4"), ttl="50s")
    cache.set("none", 1, ttl=None)
    cache.mset({"m1": 1, "m2": np.ones(2, "f4")}, ttl=50)
    cache.set_vectors([f"v{i}" for i in range(300)], np.ones((300, 4), "f4"), ttl=50)
    cache.get_or_set("made", lambda: 1, ttl=50)
    cache.get_or_set_many(["made1", "made2"], lambda keys: [1, 2], ttl=50)
    with redis_server.client() as redis:
        keys = {key.decode() for key in redis.keys("*") if b"!" not in key}
        assert keys >= {"ns:default", "ns:given", "ns:none", "ns:m2", "ns:v299", "ns:made2"}
        assert all(key.startswith("ns:") for key in keys)
        left = {key: redis.pttl(key) for key in keys}
    assert left.pop("ns:none") == -1
    assert 95_000 < left.pop("ns:default") <= 100_000
    assert all(45_000 < ttl <= 50_000 for ttl in left.values())


def test_delete_touch_exists(make_cache: MakeCache, redis_server: RedisServer) -> None:
    one, other = make_cache(), make_cache(memory=0)
    one.set("k", 1, ttl=100)
    assert other.exists("k")
    assert other.touch("k", 1000)
    with redis_server.client() as redis:
        assert redis.pttl("vcache:k") > 900_000
    assert other.get("k") == 1
    assert other.delete("k")
    assert not other.delete("k")
    assert not other.exists("k")
    assert not other.touch("k", 5)
    other.mset({"a": 1, "b": 2})
    assert other.mdelete(["a", "b", "no"]) == 2
    assert other.stats().requests == 1


def test_clear_reaches_every_process_and_no_other_namespace(make_cache: MakeCache) -> None:
    one, other = make_cache(memory=0), make_cache(memory=0)
    elsewhere = make_cache(memory=0, namespace="elsewhere")
    for cache in (one, elsewhere):
        cache.mset({"a": 1, "b": 2})
    assert other.get("a") == 1
    other.clear()
    assert one.mget(["a", "b"]) == other.mget(["a", "b"]) == [None, None]
    assert elsewhere.mget(["a", "b"]) == [1, 2]
    one.set("a", 3)
    assert other.get("a") == 3


def test_metadata_is_in_both_tiers(make_cache: MakeCache) -> None:
    make_cache().set("k", np.ones(3, "f4"), metadata={"model": "m", "n": [1]})
    assert make_cache().lookup("k").metadata == {"model": "m", "n": [1]}


def test_two_processes_share(make_cache: MakeCache, redis_server: RedisServer) -> None:
    make_cache().set_vectors(["a", "b"], np.arange(8, dtype="f4").reshape(2, 4))
    code = (
        "import sys, vcache, numpy as np\n"
        "cache = vcache.Cache(redis=sys.argv[1])\n"
        "matrix, found = cache.get_vectors(['b', 'a'])\n"
        "assert found.all() and cache.stats().redis_hits == 2\n"
        "cache.set('sum', float(matrix.sum()))\n"
    )
    subprocess.run([sys.executable, "-c", code, redis_server.url], check=True, timeout=60)
    assert make_cache().get("sum") == 28.0


def test_over_a_unix_socket(make_cache: MakeCache, redis_server: RedisServer) -> None:
    make_cache(redis=redis_server.unix_url).set("k", 1)
    assert make_cache(redis=redis_server.url).get("k") == 1
    assert make_cache(redis=f"{redis_server.unix_url}?db=3").get("k") is None


def test_password(make_cache: MakeCache, redis_server: RedisServer) -> None:
    with redis_server.client() as redis:
        redis.config_set("requirepass", "p@ss/word")
    right = RedisOptions(port=redis_server.port, password="p@ss/word")
    cache = make_cache(redis=right, memory=0)
    cache.set("k", 1)
    assert cache.get("k") == 1
    for guess in ("", "guess"):  # each cache is the last to ask
        wrong = RedisOptions(port=redis_server.port, password=guess)
        refused = make_cache(redis=wrong, memory=0)
        assert refused.get("k") is None
        refused.set("k", 2)
        assert refused.get("k") == 2  # waits for a Redis that takes it
        health = refused.healthy()
        assert not health
        assert health.redis is not None
        assert "guess" not in str(health)


def test_embeddings_of_another_process_are_found(make_cache: MakeCache) -> None:
    def embed(texts: list[str]) -> Any:
        return [[float(len(text)), 1.0] for text in texts]

    texts = [f"text {index}" * (index % 7 + 1) for index in range(700)]
    first = EmbeddingCache(embed, model="m", cache=make_cache(), batch_size=100)
    wanted = first.embed(texts)

    def refuse(texts: list[str]) -> Any:
        raise AssertionError(f"{len(texts)} texts were computed anew")

    second = EmbeddingCache(refuse, model="m", cache=make_cache())
    np.testing.assert_array_equal(second.embed(texts[::-1]), wanted[::-1])
    assert second.report().hit_rate == 1


def test_a_hit_in_memory_stays_in_the_thread_of_the_loop(
    make_cache: MakeCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = make_cache()
    cache.mset({"a": 1, "b": 2})
    cache.set_vectors(["v", "w"], np.ones((2, 3), "f4"))
    embeddings = EmbeddingCache(lambda texts: [[1.0]] * len(texts), model="m", cache=cache)
    embeddings.embed(["text"])

    @cache.cached
    async def double(x: int) -> int:
        return 2 * x

    async def main() -> None:
        await double(4)

        def refuse(*_: Any) -> Any:
            raise AssertionError("left the thread")

        monkeypatch.setattr(ThreadPoolExecutor, "submit", refuse)
        assert await cache.aget("a") == 1
        assert await cache.amget(["b", "a"]) == [2, 1]
        assert (await cache.alookup("a")).value == 1
        assert (await cache.aget_vectors(["w", "v"]))[1].all()
        assert await cache.aget_or_set("a", refuse) == 1
        assert await cache.aget_or_set_many(["b", "a"], refuse) == [2, 1]
        assert await cache.aexists("a")
        assert await double(4) == 8
        assert (await embeddings.aembed(["text", "text"])).tolist() == [[1.0], [1.0]]
        with pytest.raises(AssertionError, match="left the thread"):
            await cache.aget("no")
        monkeypatch.undo()  # the loop ends with its executor

    asyncio.run(main())


def test_twins_over_redis(make_cache: MakeCache) -> None:
    one, other = make_cache(memory=0), make_cache()

    async def main() -> None:
        await one.amset({"a": 1, "b": [2]})
        await one.aset_vectors(["v"], np.ones((1, 3), "f4"))
        mine = threading.get_ident()
        assert await other.amget(["b", "no", "a", "b"]) == [[2], None, 1, [2]]
        assert await other.aget("v") is not None
        assert (await one.aget_vectors(["v", "no"]))[1].tolist() == [True, False]
        made = await asyncio.gather(*[other.aget_or_set("made", lambda: 5) for _ in range(20)])
        assert made == [5] * 20
        assert await one.aget("made") == 5
        assert await one.aget_or_set_many(["made", "new"], lambda keys: {"new": 6}) == [5, 6]
        assert (await other.ahealthy()).ok
        assert threading.get_ident() == mine

    asyncio.run(main())
    assert other.stats().source_calls == 1


@pytest.mark.parametrize("memory", ["10MiB", 0])
def test_one_computation_over_threads_with_redis(make_cache: MakeCache, memory: Any) -> None:
    cache = make_cache(memory=memory)
    calls = []
    start = threading.Barrier(16)

    def ask() -> None:
        start.wait()
        for index in range(20):
            cache.get_or_set(f"k{index}", lambda index=index: calls.append(index))  # type: ignore[misc]

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(calls) == list(range(20))


@pytest.mark.parametrize("redis", ["redis+tls://127.0.0.1", "redis+proxy://127.0.0.1"])
def test_other_kinds_of_redis_are_refused(redis: str) -> None:
    with pytest.raises(ConfigError, match="supported are"):
        Cache(redis=redis)
