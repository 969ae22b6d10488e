"""`python -m vcache explain KEY`: where a key is, and why it was a miss."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from console_runs import Worker, console, console_json
from redis_cluster import RedisCluster
from redis_server import RedisServer

from vcache import Cache

Eventually = Callable[[Callable[[], object]], None]
MakeCache = Callable[..., Cache]


def explain(folder: Path, key: str, *arguments: str, **variables: str) -> tuple[int, Any]:
    return console_json(folder, "explain", key, *arguments, **variables)


def is_announced(folder: Path, number: int, *arguments: str) -> Callable[[], bool]:
    return lambda: len(console_json(folder, "stats", *arguments)[1]["caches"]) == number


def test_an_entry_in_redis(
    redis_server: RedisServer, make_cache: MakeCache, tmp_path: Path
) -> None:
    cache = make_cache()
    vector = np.zeros((2, 3), "f4")
    given = {"source": "a.pdf", "page": 2}
    cache.set("doc:1", vector, ttl=100, metadata=given, tags=["t1", "t2"], cost=0.5)
    status, report = explain(tmp_path, "doc:1", "--redis", redis_server.url)
    assert status == 0
    redis, entry = report["redis"], report["redis"]["entry"]
    assert (redis["found"], redis["why_not"]) == (True, "")
    assert 0 <= redis["age"] < 60
    assert 40 < redis["ttl"] <= 100
    assert (entry["kind"], entry["dtype"], entry["shape"]) == ("vector", "float32", [2, 3])
    assert (entry["tags"], entry["metadata_keys"]) == (2, ["source", "page"])
    assert entry["cost"] == 0.5
    with redis_server.client() as client:
        assert entry["stored_bytes"] == client.strlen("vcache:doc:1")
    status, text = console(tmp_path, "explain", "doc:1", "--redis", redis_server.url)
    assert status == 0
    assert "vector of 2x3 float32" in text
    assert "2 tags, metadata: source, page" in text
    assert "a.pdf" not in text


@pytest.mark.parametrize(
    ("arguments", "value", "says"),
    [
        ({"compression": "zstd"}, "word " * 1000, "compressed"),
        ({"storage_dtype": "int8"}, np.ones(1000, "f4"), "kept as int8"),
        ({"encryption_key": b"k" * 32}, "x" * 100, "encrypted"),
        ({}, {"a": [1, 2]}, "object"),
    ],
    ids=["zstd", "int8", "encrypted", "object"],
)
def test_forms(
    redis_server: RedisServer,
    make_cache: MakeCache,
    tmp_path: Path,
    arguments: dict[str, Any],
    value: Any,
    says: str,
) -> None:
    make_cache(**arguments).set("k", value, metadata={"m": 1}, ttl=None)
    status, text = console(tmp_path, "explain", "k", "--redis", redis_server.url)
    assert status == 0
    assert says in text
    assert "no expiry" in text
    assert ("tags are encrypted" in text) == (says == "encrypted")
    _, report = explain(tmp_path, "k", "--redis", redis_server.url)
    with redis_server.client() as client:
        assert report["redis"]["entry"]["stored_bytes"] == client.strlen("vcache:k")


@pytest.mark.parametrize(
    ("end", "why"),
    [
        (lambda cache: cache.clear(), "a clear() ended it"),
        (lambda cache: cache.invalidate_tags("t"), "an invalidate_tags() ended it"),
    ],
    ids=["clear", "invalidate_tags"],
)
def test_what_redis_has_and_nobody_is_served(
    redis_server: RedisServer,
    make_cache: MakeCache,
    tmp_path: Path,
    end: Callable[[Cache], None],
    why: str,
) -> None:
    cache = make_cache()
    cache.set("k", 1, tags=["t"])
    assert explain(tmp_path, "k", "--redis", redis_server.url)[0] == 0
    end(cache)
    status, report = explain(tmp_path, "k", "--redis", redis_server.url)
    assert status == 1
    assert report["redis"]["found"]
    assert report["redis"]["why_not"] == why
    assert why in report["conclusions"][0]
    assert cache.get("k") is None


def test_what_is_kept_for_its_grace_has_expired(
    redis_server: RedisServer, make_cache: MakeCache, tmp_path: Path, eventually: Eventually
) -> None:
    make_cache(grace=600).set("k", 1, ttl=0.05)
    eventually(lambda: explain(tmp_path, "k", "--redis", redis_server.url)[0] == 1)
    _, report = explain(tmp_path, "k", "--redis", redis_server.url)
    assert report["redis"]["why_not"] == "it has expired, and is kept for its grace"


def test_what_nobody_has(redis_server: RedisServer, tmp_path: Path) -> None:
    status, report = explain(tmp_path, "nothing", "--redis", redis_server.url)
    assert status == 1
    assert not report["redis"]["found"]
    assert any("has evicted nothing since" in line for line in report["conclusions"])
    assert any("keeps no record" in line for line in report["unknown"])
    with redis_server.client() as client:
        client.set("vcache:other", "x" * 200)
        client.lpush("vcache:list", "x")
    status, report = explain(tmp_path, "other", "--redis", redis_server.url)
    assert (status, report["redis"]["why_not"]) == (1, "it is no value of vcache")
    status, report = explain(tmp_path, "list", "--redis", redis_server.url)
    assert status == 1
    assert "WRONGTYPE" in report["redis"]["failures"][0]


@pytest.mark.parametrize("redis_user", ["least"])
def test_whose_memory_has_it(
    redis_server: RedisServer, tmp_path: Path, eventually: Eventually
) -> None:
    """With the rights of the least user, and without counting anything."""
    url = redis_server.url
    with Worker(tmp_path, redis=url) as one, Worker(tmp_path, redis=url, memory=None) as other:
        one.call("set", "k", 1)
        eventually(is_announced(tmp_path, 2, "--redis", url))
        status, report = explain(tmp_path, "k", "--redis", url)
        assert status == 0
        held = {each["name"].split(":")[1].split()[0]: each["held"] for each in report["caches"]}
        assert held == {str(one.pid): True, str(other.pid): False}
        assert any("no memory tier" in line for line in report["conclusions"])
        assert one.call("get_stats")["requests"] == 0
        one.call("delete", "k")
        assert explain(tmp_path, "k", "--redis", url)[0] == 1
    with redis_server.client() as client:
        assert client.keys("vcache!ask") == []
        stats: dict[str, Any] = client.info("commandstats")
    refused = {name for name, row in stats.items() if row["rejected_calls"]}
    assert refused <= {"cmdstat_pttl"}


def test_who_does_not_answer_is_named(tmp_path: Path, eventually: Eventually) -> None:
    with Worker(tmp_path) as worker:
        worker.call("set", "k", 1)
        eventually(is_announced(tmp_path, 1))
        worker.process.send_signal(19)  # SIGSTOP
        status, report = explain(tmp_path, "k", "--wait", "200ms")
        worker.process.send_signal(18)  # SIGCONT
        assert status == 1
        assert report["caches"][0]["held"] is None
        assert f":{worker.pid}" in report["unknown"][0]


def test_what_the_learned_policy_let_go_of(tmp_path: Path, eventually: Eventually) -> None:
    arguments = {"policy": "learned", "memory": "4MiB", "namespace": "learned"}
    with Worker(tmp_path, **arguments) as worker:
        eventually(is_announced(tmp_path, 1))
        pad = "x" * 900
        keys = [f"doc:{number}:{pad}" for number in range(4000)]
        for start in range(0, len(keys), 500):
            worker.call("asked", keys[start : start + 500])
        gone = next(
            key
            for key in reversed(keys)
            if (told := worker.call("explain", key)) is not None and "held=False" in told
        )
        status, report = explain(tmp_path, gone)
        assert status == 1
        assert report["caches"][0]["learned"]["held"] is False
        assert any("let go of it" in line for line in report["conclusions"])


def test_what_access_logs_tell(tmp_path: Path, eventually: Eventually) -> None:
    log = tmp_path / "log"
    with Worker(tmp_path, access_log=str(log), key_secret="s" * 20) as worker:
        worker.call("asked", ["a:1", "a:1", "a:2"])
        worker.call("delete", "a:1")
        worker.call("get", "a:1")
        eventually(is_announced(tmp_path, 1))
        eventually(lambda: log.exists() and len(log.read_text().splitlines()) == 4)
        secret = {"VCACHE_KEY_SECRET": "s" * 20}
        status, report = explain(tmp_path, "a:1", **secret)
        (history,) = report["access_logs"]
        assert status == 1
        assert (history["hits"], history["misses"]) == ({"memory": 1}, 2)
        assert any("It was there" in line for line in report["conclusions"])
        _, other = explain(tmp_path, "a:1")
        assert other["access_logs"][0]["misses"] == 0
        assert any("key_secret" in line for line in other["unknown"])
    status, report = explain(tmp_path, "a:1", "--access-log", str(log), **secret)
    assert report["access_logs"][0]["misses"] == 2
    status, report = explain(tmp_path, "a:9", "--access-log", str(tmp_path / "none"))
    assert (status, report["access_logs"][0]["error"]) == (1, "there is no such file")
    log.write_text("broken\n" + json.dumps({"time": "x"}) + "\n")
    assert explain(tmp_path, "a:1", "--access-log", str(log))[0] == 1
    assert explain(tmp_path, "a:1", "--access-log", "/dev/zero")[0] == 1


def test_in_a_cluster(tmp_path: Path) -> None:
    with RedisCluster(tmp_path, 3, 0) as cluster, Cache(redis=cluster.url) as cache:
        cache.set("{odd}:key", 1, tags=["t"])
        status, report = explain(tmp_path, "{odd}:key", "--redis", cluster.url)
        assert status == 0
        assert report["redis"]["failures"] == []
        cache.invalidate_tags("t")
        status, report = explain(tmp_path, "{odd}:key", "--redis", cluster.url)
        assert (status, report["redis"]["why_not"]) == (1, "an invalidate_tags() ended it")


def test_in_one_of_several_servers(tmp_path: Path) -> None:
    servers = [RedisServer(tmp_path / name) for name in ("one", "other")]
    for server in servers:
        server.start()
    try:
        urls = [server.url for server in servers]
        given = [word for url in urls for word in ("--redis", url)]
        with Worker(tmp_path, redis=urls) as worker:
            for number in range(8):
                worker.call("set", f"k:{number}", number)
            found = [explain(tmp_path, f"k:{number}", *given)[1] for number in range(8)]
        assert {each["redis"]["entry"]["kind"] for each in found} == {"object"}
        assert len({each["redis"]["server"] for each in found}) == 2
        assert any(cache["held"] for each in found for cache in each["caches"])
    finally:
        for server in servers:
            server.stop()


def test_redis_that_evicts_says_so(
    redis_server: RedisServer, make_cache: MakeCache, tmp_path: Path
) -> None:
    with redis_server.client() as client:
        client.config_set("maxmemory", "3mb")
        client.config_set("maxmemory-policy", "allkeys-lru")
        cache = make_cache(memory=0)
        for number in range(300):
            cache.set(f"k:{number}", np.ones(10_000, "f4"))
        gone = next(number for number in range(300) if not client.exists(f"vcache:k:{number}"))
    _, report = explain(tmp_path, f"k:{gone}", "--redis", redis_server.url)
    told = " ".join(report["conclusions"])
    assert "(allkeys-lru): this may be one of them" in told


def test_redis_that_is_away(redis_server: RedisServer, tmp_path: Path) -> None:
    redis_server.stop()
    status, report = explain(tmp_path, "k", "--redis", redis_server.url)
    assert status == 3
    assert any("could not be asked" in line for line in report["unknown"])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([""], "KEY of 0 bytes: allowed are 1 to 1024"),
        (["x" * 1025], "KEY of 1025 bytes"),
        (["k", "--wait", "no"], "--wait='no'"),
        ([], "required: KEY"),
    ],
)
def test_bad_arguments(tmp_path: Path, arguments: list[str], says: str) -> None:
    status, text = console(tmp_path, "explain", *arguments)
    assert status == 2
    assert says in text


def test_keys_of_any_text(redis_server: RedisServer, make_cache: MakeCache, tmp_path: Path) -> None:
    make_cache().set("ä\x1b[2J\n", 1)
    status, text = console(tmp_path, "explain", "ä\x1b[2J\n", "--redis", redis_server.url)
    assert status == 0
    assert "\x1b" not in text
