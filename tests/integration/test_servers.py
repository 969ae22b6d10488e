"""The servers that other tests start do what those tests take for granted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import tls_files
from polling import wait_until
from redis.exceptions import AskError, MovedError
from redis_cluster import RedisCluster
from redis_groups import Replicated, Sentinels
from redis_server import NO_VALKEY, VALKEY, RedisServer, is_installed

pytestmark = pytest.mark.skipif(not is_installed(), reason="redis-server is not installed")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    with RedisCluster(tmp_path_factory.mktemp("cluster")) as started:
        yield started


def test_one_node(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server:
        pid = server.pid
        assert server.call("PING")
        server.restart()
        assert server.pid != pid
        assert server.client().ping()
        server.kill()
        assert not server.is_running
        with pytest.raises(redis.ConnectionError):
            server.call("PING")


@pytest.mark.skipif(not tls_files.is_installed(), reason="openssl is not installed")
def test_a_node_that_speaks_tls_only(tmp_path: Path) -> None:
    authority = tls_files.Authority(tmp_path / "ca")
    with RedisServer(tmp_path, tls=authority.server()) as server:
        assert server.url.startswith("rediss://")
        assert server.call("PING")
        strict = {"ssl_cert_reqs": "required", "ssl_ca_certs": str(authority.certificate)}
        with server.client(**strict, ssl_check_hostname=True) as checked:
            assert checked.ping()
        with (
            redis.Redis(port=server.port, retry=None, socket_timeout=1) as plain,
            pytest.raises(redis.ConnectionError),
        ):
            plain.ping()


@pytest.mark.skipif(not tls_files.is_installed(), reason="openssl is not installed")
@pytest.mark.parametrize("kind", ["expired", "wrong_name", "self_signed"])
def test_bad_certificates_are_bad(tmp_path: Path, kind: str) -> None:
    authority = tls_files.Authority(tmp_path / "ca")
    strict = {"ssl_cert_reqs": "required", "ssl_ca_certs": str(authority.certificate)}
    with (
        RedisServer(tmp_path, tls=getattr(authority, kind)()) as server,
        server.client(**strict, ssl_check_hostname=True) as checked,
        pytest.raises(redis.ConnectionError, match="certificate verify failed"),
    ):
        checked.ping()


def test_replicas_follow_and_can_be_cut(tmp_path: Path) -> None:
    with Replicated(tmp_path) as pair:
        replica = pair.replicas[0]
        pair.primary.call("SET", "k", "1")
        wait_until(lambda: replica.call("GET", "k") == b"1")
        with pytest.raises(redis.ReadOnlyError):
            replica.call("SET", "k", "2")
        pair.cut()
        pair.primary.call("SET", "k", "3")
        assert replica.call("GET", "k") == b"1"
        pair.heal()
        wait_until(lambda: replica.call("GET", "k") == b"3")


def test_sentinels_agree_on_another_primary(tmp_path: Path) -> None:
    with Sentinels(tmp_path) as sentinels:
        first = sentinels.primary()
        seconds = sentinels.failover()
        assert sentinels.primary() is not first
        assert 0.4 < seconds < 20
        wait_until(lambda: sentinels.primary().info("replication")["role"] == "master")


def test_slots_move_with_their_keys(cluster: RedisCluster) -> None:
    slot = min(cluster.slots_of(0))
    assert cluster.owner_of(slot) == 0
    key = next(f"k{i}" for i in range(10**6) if cluster.slot_of(f"k{i}") == slot)
    cluster.nodes[0].call("SET", key, "v")
    with pytest.raises(MovedError):
        cluster.nodes[1].call("GET", key)
    cluster.begin_migration(slot, 0, 1)
    assert cluster.nodes[0].call("GET", key) == b"v"
    assert cluster.migrate_keys(slot, 0, 1) == 1
    with pytest.raises(AskError):
        cluster.nodes[0].call("GET", key)
    cluster.end_migration(slot, 0, 1)
    assert cluster.nodes[1].call("GET", key) == b"v"
    assert cluster.owner_of(slot) == 1
    assert cluster.migrate_slots(1, 1, 0) <= 1


def test_a_replica_takes_over_from_a_killed_master(cluster: RedisCluster) -> None:
    cluster.wait_until_well()
    cluster.kill(2)
    wait_until(lambda: cluster.is_master(5), 30)
    wait_until(cluster.is_usable, 30)
    cluster.restart(2)
    assert not cluster.is_master(2)
    cluster.failover(2)
    cluster.wait_until_well()
    assert cluster.is_master(2)


@pytest.mark.skipif(VALKEY is None, reason=NO_VALKEY)
def test_valkey(tmp_path: Path) -> None:
    """What the tests over both makes take for Valkey is one."""
    with RedisServer(tmp_path, executable=VALKEY) as server:
        assert "valkey_version" in server.info("server")
