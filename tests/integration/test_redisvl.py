"""RedisVL's EmbeddingsCache, and entries that RedisVL itself wrote."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import redis
import redis.asyncio
from redis_server import RedisServer
from redisvl.extensions.cache.embeddings import EmbeddingsCache as RedisVL
from redisvl.utils.vectorize import CustomVectorizer
from texts_of import row

from vcache import Cache
from vcache.errors import ConfigError
from vcache.integrations.redisvl import EmbeddingsCache

MakeCache = Callable[..., Cache]
MODEL = "m"
# Not all of them are numbers that float32 holds.
EXACT = [0.1, -0.2, 1e-300, 3.0]


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator[redis.Redis[Any]]:
    with redis_server.client() as made:
        yield made


@pytest.fixture
def theirs(client: redis.Redis[Any]) -> RedisVL:
    return RedisVL(redis_client=client)


@pytest.fixture
def ours(make_cache: MakeCache, client: redis.Redis[Any]) -> EmbeddingsCache:
    """With what RedisVL wrote behind it."""
    return EmbeddingsCache(redis_client=client, cache=make_cache())


def without_time(answer: dict[str, Any] | None) -> dict[str, Any]:
    """What RedisVL and we answer alike: our entry_id tells apart what RedisVL's does not."""
    assert answer is not None
    assert answer["inserted_at"] > 0
    assert len(answer["entry_id"]) == 64
    return {name: answer[name] for name in answer if name not in ("inserted_at", "entry_id")}


@pytest.mark.parametrize("metadata", [None, {"source": "user", "n": [1, 2.5]}])
@pytest.mark.parametrize("content", ["text", "", "é:x", b"\xff\x00"])
def test_the_same_calls_give_the_same_answers(
    make_cache: MakeCache, theirs: RedisVL, content: str | bytes, metadata: dict[str, Any] | None
) -> None:
    fresh = EmbeddingsCache(cache=make_cache())
    answers = []
    for cache in (fresh, theirs):
        key = cache.set(content, MODEL, EXACT, metadata=metadata)
        assert key.startswith("embedcache:")
        assert cache.exists(content, MODEL)
        assert cache.exists_by_key(key)
        assert not cache.exists(content, "other")
        answers.append([cache.get(content, MODEL), cache.get_by_key(key)])
        assert cache.mget(["absent", content], MODEL) == [None, cache.get(content, MODEL)]
        assert cache.mexists(["absent", content], MODEL) == [False, True]
        cache.drop(content, MODEL)
        assert cache.get(content, MODEL) is None
        assert cache.get_by_key(key) is None
    ours_found, theirs_found = answers
    if isinstance(content, bytes):
        theirs_found = [found | {"content": content} for found in theirs_found if found]
    assert list(map(without_time, ours_found)) == list(map(without_time, theirs_found))


def test_batches_by_content_and_by_key(make_cache: MakeCache) -> None:
    cache = EmbeddingsCache(cache=make_cache())
    items = [
        {"content": name, "model_name": MODEL, "embedding": row(name), "metadata": {"n": name}}
        for name in ("a", "b", "c")
    ]
    keys = cache.mset(items)
    found = cache.mget_by_keys([*keys[::-1], "embedcache:absent"])
    assert [one and one["embedding"] for one in found] == [row("c"), row("b"), row("a"), None]
    assert cache.mexists_by_keys([keys[0], "embedcache:absent"]) == [True, False]
    cache.mdrop(["a"], MODEL)
    cache.mdrop_by_keys([keys[1]])
    assert cache.mexists(["a", "b", "c"], MODEL) == [False, False, True]
    cache.clear()
    assert cache.mget(["a", "b", "c"], MODEL) == [None] * 3
    assert cache.mset([]) == cache.mget([], MODEL) == []


def test_coroutines_do_the_same(make_cache: MakeCache, redis_server: RedisServer) -> None:
    async def ask() -> None:
        async with redis.asyncio.Redis(port=redis_server.port) as client:
            await RedisVL(async_redis_client=client).aset("old", MODEL, EXACT)
            cache = EmbeddingsCache(async_redis_client=client, cache=make_cache())
            key = await cache.aset("a", MODEL, EXACT, metadata={"n": 1})
            assert without_time(await cache.aget("a", MODEL)) == {
                "content": "a",
                "model_name": MODEL,
                "embedding": EXACT,
                "metadata": {"n": 1},
            }
            item = {"content": "b", "model_name": MODEL, "embedding": [1.0]}
            (other,) = await cache.amset([item], ttl=60)
            found = await cache.amget_by_keys([other, key])
            assert [one and one["content"] for one in found] == ["b", "a"]
            assert await cache.amexists(["b", "old", "absent"], MODEL) == [True, True, False]
            assert await cache.aexists_by_key(key)
            assert without_time(await cache.aget("old", MODEL))["embedding"] == EXACT
            await cache.adrop("old", MODEL)
            await cache.adrop_by_key(key)
            await cache.aexpire(other, 30)
            found = await cache.amget(["old", "a", "b"], MODEL)
            assert [one and one["content"] for one in found] == [None, None, "b"]
            await cache.aclear()
            assert not await cache.aexists("b", MODEL)
            with pytest.raises(ConfigError, match="redis_client=None"):
                cache.get("absent", MODEL)

    asyncio.run(ask())


def test_coroutines_read_through_a_client_that_blocks(
    ours: EmbeddingsCache, theirs: RedisVL
) -> None:
    theirs.set("old", MODEL, EXACT)
    found = asyncio.run(ours.aget("old", MODEL))
    assert without_time(found)["embedding"] == EXACT
    asyncio.run(ours.aclear())
    assert theirs.get("old", MODEL) is None


@pytest.mark.parametrize("decode", [False, True])
def test_what_redisvl_wrote_is_read_and_kept(
    make_cache: MakeCache, redis_server: RedisServer, theirs: RedisVL, decode: bool
) -> None:
    key = theirs.set("old", MODEL, EXACT, metadata={"n": 1}, ttl=1000)
    written = theirs.get("old", MODEL)
    with redis.Redis(port=redis_server.port, decode_responses=decode) as client:
        ours = EmbeddingsCache(redis_client=client, cache=make_cache())
        assert ours.exists_by_key(key)
        assert without_time(ours.get_by_key(key)) == without_time(written)
        found = ours.get("old", MODEL)
        assert without_time(found) == without_time(written)
        assert found is not None
        assert written is not None
        assert found["inserted_at"] == written["inserted_at"]
    theirs.clear()
    fresh = EmbeddingsCache(cache=make_cache())
    assert fresh.get("old", MODEL) == found
    left = redis_server.call("TTL", f"vcache:{fresh.name}:{found['entry_id']}")
    assert 990 <= left <= 1000


def test_a_batch_mixes_ours_theirs_and_none(ours: EmbeddingsCache, theirs: RedisVL) -> None:
    for name in ("b", "d"):
        theirs.set(name, MODEL, row(name))
    for name in ("a", "d"):
        ours.set(name, MODEL, row(name, "newer"))
    found = ours.mget(["d", "x", "b", "a", "b"], MODEL)
    assert [one and one["embedding"] for one in found] == [
        row("d", "newer"),
        None,
        row("b"),
        row("a", "newer"),
        row("b"),
    ]


def test_two_contents_with_one_key_of_redisvl_are_told_apart(
    ours: EmbeddingsCache, theirs: RedisVL
) -> None:
    theirs.set("a:b", "c", [1.0])
    assert ours.get("a", "b:c") is None
    theirs.set(b"\xab", "m", [2.0])
    assert ours.get("ab", "m") is None
    ours.set("a", "b:c", [3.0])
    found = [ours.get("a:b", "c"), ours.get("a", "b:c"), ours.get(b"\xab", "m")]
    assert [one and one["embedding"] for one in found] == [[1.0], [3.0], [2.0]]


def test_what_is_dropped_does_not_come_back(ours: EmbeddingsCache, theirs: RedisVL) -> None:
    keys = {name: theirs.set(name, MODEL, [1.0]) for name in ("a", "b", "c", "d")}
    ours.mget(["a", "b"], MODEL)
    ours.drop("a", MODEL)
    ours.drop_by_key(keys["b"])
    found = ours.get("c", MODEL)
    assert found is not None
    ours.drop_by_key(f"{ours.name}:{found['entry_id']}")
    assert ours.mexists(["a", "b", "c", "d"], MODEL) == [False, False, False, True]
    ours.clear()
    assert ours.mexists(["a", "b", "c", "d"], MODEL) == [False] * 4


def test_clear_takes_its_name_only(
    make_cache: MakeCache, theirs: RedisVL, client: redis.Redis[Any]
) -> None:
    cache = make_cache(namespace="embedcache")
    ours = EmbeddingsCache(cache=cache, redis_client=client)
    nested = EmbeddingsCache("embedcache:more", cache=cache)
    for one in (ours, theirs, nested):
        one.set("a", MODEL, [1.0])
    cache.set("mine", 1)
    client.set("embedcache:of-the-application", b"1")
    client.set(f"embedcache:{'f' * 64}", b"2")
    ours.clear()
    assert ours.get("a", MODEL) is None
    assert nested.exists("a", MODEL)
    assert cache.get("mine") == 1
    assert client.get("embedcache:of-the-application") == b"1"
    assert client.get(f"embedcache:{'f' * 64}") == b"2"


def test_all_that_redisvl_kept_is_copied(
    ours: EmbeddingsCache, theirs: RedisVL, make_cache: MakeCache
) -> None:
    names = [f"text {number}" for number in range(1200)]
    items = [{"content": name, "model_name": MODEL, "embedding": row(name)} for name in names]
    theirs.mset(items, ttl=1000)
    ours.set(names[0], MODEL, [9.0])
    assert ours.migrate() == 1199
    assert ours.migrate() == 0
    theirs.clear()
    found = EmbeddingsCache(cache=make_cache()).mget(names, MODEL)
    expected = [[9.0], *map(row, names[1:])]
    assert [one and one["embedding"] for one in found] == expected


@pytest.mark.parametrize(
    "fields",
    [
        {"embedding": "not JSON"},
        {"embedding": json.dumps([[1.0]])},
        {"embedding": json.dumps("text")},
        {"inserted_at": "yesterday"},
        {"metadata": "{"},
        {"model_name": "another"},
    ],
)
def test_a_hash_that_is_no_entry_is_a_miss(
    ours: EmbeddingsCache, theirs: RedisVL, client: redis.Redis[Any], fields: dict[str, str]
) -> None:
    key = theirs.set("a", MODEL, [1.0])
    client.hset(key, mapping=fields)
    assert ours.get("a", MODEL) is None


def test_a_key_that_is_no_hash_is_a_miss(
    ours: EmbeddingsCache, theirs: RedisVL, client: redis.Redis[Any]
) -> None:
    key = theirs.set("a", MODEL, [1.0])
    client.set(key, b"text")
    theirs.set("b", MODEL, [2.0])
    found = ours.mget(["a", "b"], MODEL)
    assert [one and one["embedding"] for one in found] == [None, [2.0]]


def test_redisvl_being_away_is_a_miss_that_is_told_once(
    ours: EmbeddingsCache, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    ours.set("a", MODEL, [1.0])
    redis_server.kill()
    for _ in range(2):
        found = ours.mget(["a", "b"], MODEL)
        assert [one and one["embedding"] for one in found] == [[1.0], None]
    told = [record for record in caplog.records if "entries of RedisVL" in record.message]
    assert [record.levelname for record in told if record.levelno > 10] == ["WARNING"]


@pytest.mark.parametrize("changed", [{"embedding": [1.0]}, {"inserted_at": "now"}, {"more": 1}])
def test_what_others_stored_under_its_key_is_a_miss(changed: dict[str, object]) -> None:
    cache = Cache()
    embeddings = EmbeddingsCache(cache=cache)
    key = embeddings.set("a", MODEL, [1.0])
    cache.set(key, cache.get(key) | changed)
    assert embeddings.get("a", MODEL) is None


def test_a_time_to_live_is_in_redis_and_read_anew_in_its_second_half(
    make_cache: MakeCache, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def left(key: str) -> int:
        return int(redis_server.call("TTL", f"vcache:{key}"))

    cache = EmbeddingsCache(ttl=1000, cache=make_cache())
    keys = [cache.set("a", MODEL, [1.0]), cache.set("b", MODEL, [1.0], ttl=400)]
    assert 990 <= left(keys[0]) <= 1000
    assert 390 <= left(keys[1]) <= 400
    cache.get("b", MODEL)
    assert left(keys[1]) <= 400
    later = time.time() + 600
    monkeypatch.setattr("time.time", lambda: later)
    cache.get("b", MODEL)
    assert 990 <= left(keys[1]) <= 1000
    cache.expire(keys[0], 50)
    assert left(keys[0]) <= 50
    assert cache.ttl == 1000
    cache.set_ttl(None)
    assert left(cache.set("c", MODEL, [1.0])) == -1


def test_a_vectorizer_of_redisvl_takes_it(make_cache: MakeCache) -> None:
    asked: list[str] = []

    def embed(text: str) -> list[float]:
        asked.append(text)
        return row(text)

    def make() -> CustomVectorizer:
        return CustomVectorizer(embed=embed, cache=EmbeddingsCache(cache=make_cache()))

    vectorizer = make()
    asked.clear()  # it asks the model once to learn the width
    assert vectorizer.embed_many(["a", "b"]) == [row("a"), row("b")]
    assert vectorizer.embed("a") == row("a")
    assert sorted(asked) == ["a", "b"]


def test_a_url_makes_a_cache_of_its_own(redis_server: RedisServer, make_cache: MakeCache) -> None:
    cache = EmbeddingsCache(redis_url=redis_server.url)
    cache.set("a", MODEL, [1.0])
    cache.disconnect()
    shared = make_cache()
    other = EmbeddingsCache(cache=shared)
    assert other.exists("a", MODEL)
    other.disconnect()
    assert shared.healthy().memory.ok


@pytest.mark.parametrize("embedding", [[], [[1.0]], "text", None, ["x"], [1 + 2j], 3.0])
def test_what_is_no_embedding_is_refused(embedding: Any) -> None:
    with pytest.raises(ValueError, match="embedding="):
        EmbeddingsCache(cache=Cache()).set("a", MODEL, embedding)


def test_arguments_that_are_not_allowed_are_named() -> None:
    cache = Cache()
    with pytest.raises(ConfigError, match="name=''"):
        EmbeddingsCache("", cache=cache)
    with pytest.raises(ConfigError, match="redis_url: allowed only without cache"):
        EmbeddingsCache(redis_url="redis://127.0.0.1", cache=cache)
    with pytest.raises(ValueError, match="ttl"):
        EmbeddingsCache(ttl=0, cache=cache)
    embeddings = EmbeddingsCache(cache=cache)
    with pytest.raises(TypeError, match="contents='text' of type str"):
        embeddings.mget("text", MODEL)
    with pytest.raises(TypeError, match="content=1"):
        embeddings.get(1, MODEL)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="model_name=None"):
        embeddings.set("text", None, [1.0])  # type: ignore[arg-type]


def test_float32_where_that_loses_nothing() -> None:
    cache = Cache()
    embeddings = EmbeddingsCache(cache=cache)
    for numbers, dtype in ((row("a"), np.float32), (EXACT, np.float64)):
        key = embeddings.set("a", MODEL, numbers)
        assert cache.get(key)["embedding"].dtype == dtype
        assert embeddings.get("a", MODEL)["embedding"] == numbers  # type: ignore[index]
