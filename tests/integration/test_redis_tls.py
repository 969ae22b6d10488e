"""A cache over Redis with TLS."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from certificates import Certificates, TlsServer
from redis_server import is_installed

from vcache import Cache, RedisOptions
from vcache.errors import ConfigError, RedisError, RedisTimeout

MakeCache = Callable[..., Cache]


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def tls_server(tmp_path: Path, certificates: Certificates) -> Iterator[TlsServer]:
    if not is_installed():
        pytest.skip("redis-server is not installed")
    server = TlsServer(tmp_path, certificates)
    server.start()
    yield server
    server.stop()


def options(server: TlsServer, **more: object) -> RedisOptions:
    given = {"port": server.tls_port, "tls": True}
    given |= {"ca_file": server.certificates.certificate("ca"), "connect_timeout": 2, "timeout": 4}
    return RedisOptions(**(given | more))  # type: ignore[arg-type]


def test_everything_over_tls(tls_server: TlsServer) -> None:
    url = f"{tls_server.tls_url}&timeout=4s&connect_timeout=2s"
    with Cache(redis=url, memory=0) as one, Cache(redis=url, memory=0) as other:
        matrix = np.arange(256 * 384, dtype="f4").reshape(256, 384)
        keys = [f"v{index}" for index in range(256)]
        one.set_vectors(keys, matrix)
        found, hits = other.get_vectors(keys[::-1])
        assert hits.all()
        np.testing.assert_array_equal(found, matrix[::-1])
        large = np.arange(1 << 20, dtype="f4")
        one.set("large", large)
        np.testing.assert_array_equal(other.get("large"), large)
        one.mset({"object": {"a": [1, "é"]}, "none": None})
        assert other.mget(["object", "no", "none"]) == [{"a": [1, "é"]}, None, None]
        assert other.delete("object")
        one.clear()
        assert other.get("none", 5) == 5
        assert other.healthy()
        assert not other.stats().redis["errors"]  # type: ignore[index]
        assert repr(other).count("rediss://127.0.0.1") == 1


def test_a_client_certificate(tls_server: TlsServer) -> None:
    with tls_server.client() as redis:
        redis.config_set("tls-auth-clients", "yes")
    files = tls_server.certificates
    mine = {"cert_file": files.certificate("client"), "key_file": files.key("client")}
    with Cache(redis=options(tls_server, **mine), strict=True, memory=0) as cache:
        cache.set("k", 1)
        assert cache.get("k") == 1
    refused = "tls: TLS: .*certificate required"
    with (
        Cache(redis=options(tls_server), strict=True) as cache,
        pytest.raises(RedisError, match=refused),
    ):
        cache.get("k")


def test_r37_the_system_does_not_trust_it(tls_server: TlsServer) -> None:
    with Cache(redis=options(tls_server, ca_file="", password="hunter2"), strict=True) as cache:
        with pytest.raises(RedisError, match="tls: the server's certificate is refused") as caught:
            cache.get("k")
        assert "hunter2" not in str(caught.value)
        health = cache.healthy()
        assert not health
        assert "certificate" in str(health)
        assert cache.stats().redis["errors"] == {"tls": 2}  # type: ignore[index]


def test_r37_without_verification_each_cache_warns(tls_server: TlsServer) -> None:
    unverified = options(tls_server, ca_file="", verify="none")
    for _ in range(2):
        with pytest.warns(RuntimeWarning, match="verify='none' takes any certificate") as caught:
            cache = Cache(redis=unverified, strict=True)
        assert caught[0].filename == __file__
        cache.set("k", 1)
        cache.close()


def test_a_frozen_server(tls_server: TlsServer) -> None:
    tls_server.pause()
    frozen = options(tls_server, connect_timeout=0.2)
    with Cache(redis=frozen, strict=True) as cache:
        start = time.monotonic()
        with pytest.raises(RedisTimeout, match="no answer to the TLS handshake"):
            cache.get("k")
        assert time.monotonic() - start < 2.0, "0.25 s where nothing else runs"
    tls_server.resume()


@pytest.mark.parametrize("name", ["ca_file", "cert_file"])
def test_files_that_cannot_be_used(certificates: Certificates, name: str) -> None:
    files = {"key_file": certificates.key("client")} if name == "cert_file" else {}
    bad = RedisOptions(tls=True, **{name: "/no/such/file"}, **files)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=f"{name} /no/such/file: No such file"):
        Cache(redis=bad)


def test_a_key_with_a_password_asks_nobody(certificates: Certificates, tmp_path: Path) -> None:
    key = tmp_path / "locked.key"
    command = ["openssl", "pkey", "-in", certificates.key("client"), "-aes256"]
    subprocess.run([*command, "-passout", "pass:hunter2", "-out", str(key)], check=True)
    locked = RedisOptions(tls=True, cert_file=certificates.certificate("client"), key_file=str(key))
    with pytest.raises(ConfigError, match="key_file .*locked.key: "):
        Cache(redis=locked)


def test_a_forked_child_has_connections_of_its_own(tls_server: TlsServer) -> None:
    script = """
import os, sys, vcache
cache = vcache.Cache(redis=sys.argv[1] + "&timeout=4s&connect_timeout=2s", memory=0, strict=True)
cache.set("k", 1)
children = []
for index in range(8):
    child = os.fork()
    if child == 0:
        try:
            assert cache.get("k") == 1
            cache.set(f"child{index}", index)
            os._exit(0)
        finally:
            os._exit(1)
    children.append(child)
    assert cache.get("k") == 1
for child in children:
    assert os.waitpid(child, 0)[1] == 0
assert cache.mget([f"child{index}" for index in range(8)]) == list(range(8))
"""
    subprocess.run([sys.executable, "-c", script, tls_server.tls_url], check=True, timeout=60)
