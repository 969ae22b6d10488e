"""The cache over several real servers: a cluster, shards, sentinels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import least_user
import numpy as np
import pytest
import tls_files
from polling import wait_until
from redis_cluster import RedisCluster
from redis_figures import breaker, breakers
from redis_server import RedisServer, is_installed

from vcache import MISSING, Cache

pytestmark = pytest.mark.skipif(not is_installed(), reason="needs redis-server")

KEYS = [f"key{i}" for i in range(64)]
ROWS = np.arange(64 * 8, dtype=np.float32).reshape(64, 8)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    with RedisCluster(tmp_path_factory.mktemp("cluster"), masters=3, replicas=0) as servers:
        yield servers


def test_a_batch_goes_to_all_nodes_and_comes_back(cluster: RedisCluster) -> None:
    with Cache(memory=0, redis=cluster.url, strict=True, timeout=2) as cache:
        cache.set_vectors(KEYS, ROWS)
        rows, found = cache.get_vectors(KEYS)
        assert found.all()
        assert np.array_equal(rows, ROWS)
        cache.clear()
        assert not cache.get_vectors(KEYS)[1].any()
    assert all(int(node.call("DBSIZE")) > 0 for node in cluster.nodes)


def test_the_least_user_over_tls_is_refused_nothing(tmp_path: Path) -> None:
    authority = tls_files.Authority(tmp_path / "ca")
    with RedisCluster(tmp_path / "cluster", 3, 0, tls=authority.server()) as servers:
        servers.run_everywhere("ACL", "SETUSER", least_user.NAME, *least_user.rules())
        login = f"rediss+cluster://{least_user.NAME}:{least_user.PASSWORD}@"
        url = servers.url.replace("rediss+cluster://", login)
        url += f"?ca_file={authority.certificate}"
        with Cache(redis=url, strict=True, timeout=2) as cache:
            cache.set_vectors(KEYS, ROWS)
            assert cache.get_vectors(KEYS)[1].all()
            cache.set("k", 1, tags=["red"])
            assert cache.touch("k", 100)
            cache.invalidate_tags("red")
            assert cache.get("k", MISSING) is MISSING
            assert cache.get_or_set("made", lambda: 1, tags=["red"]) == 1
            assert cache.invalidate("key*") == len(KEYS)
            assert cache.delete("made")
            cache.clear()
            assert cache.healthy()
            assert cache.stats().redis["errors"] == {}  # type: ignore[index]


@pytest.fixture
def shards(tmp_path: Path) -> Iterator[list[RedisServer]]:
    with ExitStack() as stack:
        yield [stack.enter_context(RedisServer(tmp_path / name)) for name in ("1", "2", "3")]


def test_shards_share_the_keys(shards: list[RedisServer]) -> None:
    urls = [server.url for server in shards]
    with Cache(memory=0, redis=urls, strict=True, timeout=2) as cache:
        cache.set_vectors(KEYS, ROWS)
        assert cache.get_vectors(KEYS)[1].all()
    assert all(server.client().dbsize() > 0 for server in shards)


def test_a_shard_that_is_away_costs_its_own_keys_alone(shards: list[RedisServer]) -> None:
    """Whichever it is: one of them also has the namespace's own keys."""
    urls = [server.url for server in shards]
    with Cache(memory=0, redis=urls, timeout=1.0) as cache:
        cache.set_vectors(KEYS, ROWS)
        for away in shards:
            lost = {key for key in KEYS if away.client().exists(f"vcache:{key}")}
            kept = set(KEYS) - lost
            assert 0 < len(kept) < len(KEYS)
            wait_until(lambda: all(cache.get(key) is not None for key in KEYS), what="all back")
            with away.paused():
                wait_until(lambda: cache.get(min(lost)) is None and breaker(cache) == "open")  # noqa: B023
                assert {key for key in KEYS if cache.get(key) is not None} == kept


def expect_one_open(cache: Cache, servers: list[RedisServer], away: RedisServer, key: str) -> None:
    """With that one killed, which holds the key; and all is well when it is back."""
    closed = {f"127.0.0.1:{server.port}": "closed" for server in servers}
    wait_until(lambda: breakers(cache) == closed)
    away.kill()
    one_open = closed | {f"127.0.0.1:{away.port}": "open"}
    wait_until(lambda: cache.get(key) is None and breakers(cache) == one_open)
    assert sum(cache.get(each) is not None for each in KEYS) > len(KEYS) / 3
    assert breaker(cache) in ("open", "half_open")
    away.start()
    wait_until(lambda: cache.get(key) is None and breakers(cache) == closed)


def test_of_several_shards_the_one_that_is_away_is_told(tmp_path: Path) -> None:
    user = ("--user", "app", "on", ">canary-password", "~*", "&*", "+@all")
    with ExitStack() as stack:
        servers = [stack.enter_context(RedisServer(tmp_path / name, *user)) for name in "123"]
        for server in servers:
            server.credentials = "app:canary-password@"
        with Cache(memory=0, redis=[server.url for server in servers], timeout=1.0) as cache:
            cache.mset(dict.fromkeys(KEYS, 1))
            held = [key for key in KEYS if servers[1].client().exists(f"vcache:{key}")]
            expect_one_open(cache, servers, servers[1], held[0])
            assert "canary" not in repr(cache.stats())


def test_of_a_cluster_the_node_that_is_away_is_told(tmp_path: Path) -> None:
    partial = ("--cluster-require-full-coverage", "no")
    with (
        RedisCluster(tmp_path, 3, 0, *partial) as servers,
        Cache(memory=0, redis=servers.url, timeout=1.0) as cache,
    ):
        cache.mset(dict.fromkeys(KEYS, 1))
        held = next(iter(servers.nodes[2].client().scan_iter("{}vcache:key*")))
        key = held.decode().removeprefix("{}vcache:")
        expect_one_open(cache, servers.nodes, servers.nodes[2], key)
