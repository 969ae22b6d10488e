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
from redis_figures import breaker
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
