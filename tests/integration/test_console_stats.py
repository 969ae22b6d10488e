"""`python -m vcache stats`: live caches are seen through a folder and through Redis."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from console_runs import Worker, console, console_json
from redis_cluster import RedisCluster
from redis_server import RedisServer

from vcache import Cache

Eventually = Callable[[Callable[[], object]], None]


def caches_of(folder: Path, *arguments: str) -> list[dict[str, Any]]:
    _, report = console_json(folder, "stats", *arguments)
    found: list[dict[str, Any]] = report["caches"]
    return found


def test_caches_of_a_host(tmp_path: Path, eventually: Eventually) -> None:
    with Worker(tmp_path, namespace="a") as one, Worker(tmp_path, namespace="b") as other:
        one.call("asked", ["g:1", "g:1", "g:2"])
        eventually(lambda: len(caches_of(tmp_path)) == 2)
        first, second = caches_of(tmp_path)
        assert (first["pid"], first["namespace"]) == (one.pid, "a")
        assert (second["pid"], second["namespace"]) == (other.pid, "b")
        status, report = console_json(tmp_path, "stats", "--namespace", "b")
        assert [each["pid"] for each in report["caches"]] == [other.pid]
        assert (status, report["redis"]) == (0, None)
        eventually(lambda: caches_of(tmp_path)[0]["stats"]["requests"] == 3)
        status, text = console(tmp_path, "stats")
        assert status == 0
        assert f":{one.pid} " in text
        assert "33.3%" in text
        one.call("close")
        eventually(lambda: len(caches_of(tmp_path)) == 1)
        other.stop()  # as a crash would
        assert caches_of(tmp_path) == []
    status, text = console(tmp_path, "stats")
    assert status == 1
    assert "no live cache" in text


@pytest.mark.parametrize("redis_user", ["least"])
def test_caches_of_a_redis(
    redis_server: RedisServer, tmp_path: Path, eventually: Eventually
) -> None:
    """Another host's are seen as well: the folders of the two differ. The least user may do it."""
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    url = redis_server.url
    with Worker(there, redis=url, namespace="ns") as worker:
        worker.call("asked", ["g:1", "g:1"])
        arguments = ("--redis", url, "--namespace", "ns")
        eventually(lambda: caches_of(here, *arguments))
        (cache,) = caches_of(here, *arguments)
        assert (cache["pid"], cache["where"]) == (worker.pid, "redis")
        assert cache["stats"]["redis"]["breaker"] == "closed"
        assert list(there.iterdir()) == [], "no file where there is a Redis"
        assert caches_of(here, "--redis", url) == [], "another namespace"
        status, text = console(here, "stats", *arguments)
        assert status == 0
        assert f":{worker.pid} " in text
        assert "keys" in text
        with redis_server.client() as redis:
            names = {name.decode() for name in redis.keys("ns!live:*")}
            assert len(names) == 1
            assert 0 < redis.pttl(names.pop()) <= 15_000
            stats: dict[str, Any] = redis.info("commandstats")
        assert [name for name, row in stats.items() if row["rejected_calls"]] == []
        worker.call("close")
        assert caches_of(here, *arguments) == []


def test_redis_that_is_away(redis_server: RedisServer, tmp_path: Path) -> None:
    with Worker(tmp_path, redis=redis_server.url) as worker:
        redis_server.stop()
        status, text = console(tmp_path, "stats", "--redis", redis_server.url)
        assert status == 3
        assert "refused" in text
        status, report = console_json(tmp_path, "stats", REDIS_URL=redis_server.url)
        assert (status, report["caches"]) == (3, [])
        assert report["redis"][0]["is_away"]
        assert worker.call("get", "a") is None


def test_what_others_plant_is_passed_over(redis_server: RedisServer, tmp_path: Path) -> None:
    mark = b"0123456789abcdef"
    good = {"namespace": "x", "host": "\x1b[2J\nh", "pid": 1, "started": 0.0, "written": 1.0}
    good["stats"] = {"hits": -5, "requests": 0, "policy": {"active": "\x1b]0;x\x07"}}
    deep: Any = 1
    for _ in range(2000):
        deep = [deep]
    planted = [
        b"",
        b"\xff" * 100,
        mark + b"\xc1",
        mark + msgspec.msgpack.encode([1, 2]),
        mark + msgspec.msgpack.encode(good | {"pid": "one"}),
        mark + msgspec.msgpack.encode(good | {"stats": {"latency": {"get": 1}}}),
        mark + b"\x91" * 20_000,
        mark + msgspec.msgpack.encode(good),
        b"\x1b" * 16 + msgspec.msgpack.encode(good),
    ]
    with redis_server.client() as redis:
        for slot, data in enumerate(planted):
            redis.set(f"vcache!live:{slot}", data)
        redis.lpush("vcache!live:200", "no string")
    status, report = console_json(tmp_path, "stats", "--redis", redis_server.url)
    assert status == 0
    assert [each["host"] for each in report["caches"]] == ["?[2J?h"]
    status, text = console(tmp_path, "stats", "--redis", redis_server.url)
    assert status == 0
    assert "\x1b" not in text


def test_caches_of_a_cluster(tmp_path: Path, eventually: Eventually) -> None:
    with RedisCluster(tmp_path, 3) as cluster, Cache(redis=cluster.url, announce=True):
        eventually(lambda: caches_of(tmp_path, "--redis", cluster.url))
        status, report = console_json(tmp_path, "stats", "--redis", cluster.url)
        assert status == 0
        assert len(report["redis"]) == 3
        assert [each["pid"] for each in report["caches"]] == [os.getpid()]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--redis", "http://x"], "redis URL of scheme 'http'"),
        (["--namespace", "a b"], "--namespace='a b': allowed are"),
        (["--redis", "redis://:hunter2@h:x/"], "cannot be read"),
        (["extra"], "unrecognized arguments"),
    ],
)
def test_bad_arguments(tmp_path: Path, arguments: list[str], says: str) -> None:
    status, text = console(tmp_path, "stats", *arguments)
    assert status == 2
    assert says in text
    assert "hunter2" not in text


def test_a_bad_variable(tmp_path: Path) -> None:
    status, text = console(tmp_path, "stats", REDIS_PORT="0")
    assert status == 2
    assert "REDIS_PORT='0'" in text


@pytest.mark.parametrize("has_redis", [False, True])
def test_a_forked_child_is_a_cache_of_its_own(
    redis_server: RedisServer, tmp_path: Path, eventually: Eventually, has_redis: bool
) -> None:
    redis = {"redis": redis_server.url} if has_redis else {}
    arguments = ("--redis", redis_server.url) if has_redis else ()
    with Worker(tmp_path, **redis) as worker:
        eventually(lambda: caches_of(tmp_path, *arguments))
        child = worker.call("fork")
        eventually(lambda: len(caches_of(tmp_path, *arguments)) == 2)
        pids = {each["pid"] for each in caches_of(tmp_path, *arguments)}
        os.kill(child, signal.SIGKILL)
        assert pids == {worker.pid, child}


def test_a_process_that_ends_is_gone_at_once(tmp_path: Path, eventually: Eventually) -> None:
    folder = tmp_path / "vcache"
    with Worker(tmp_path) as worker:
        eventually(lambda: list(folder.glob("vcache!live:*")))
        worker.say('["leave"]')
        assert worker.process.wait(60) == 0
        assert list(folder.glob("vcache!live:*")) == []
