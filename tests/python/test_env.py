from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sync_points import in_threads

import vcache
from vcache import Cache, RedisOptions, env
from vcache.env import VARIABLES, arguments_from_env
from vcache.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def setenv(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def test_nothing_set_is_the_constructors_defaults() -> None:
    assert arguments_from_env() == {}
    with Cache.from_env() as cache, Cache() as default:
        assert cache._config == default._config


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        ({"CACHE_LOCAL_SIZE_MB": "64"}, {"memory": 64 << 20}),
        ({"CACHE_LOCAL_SIZE_MB": "0.5"}, {"memory": 1 << 19}),
        ({"CACHE_LOCAL_SIZE_MB": "64", "CACHE_LOCAL_ENABLED": "no"}, {"memory": None}),
        ({"CACHE_LOCAL_ENABLED": "true"}, {}),
        ({"MAX_CACHE_SIZE": "1000"}, {"max_entries": 1000}),
        ({"DEFAULT_TTL": "1h"}, {"ttl": 3600.0}),
        ({"DEFAULT_TTL": "1h", "REDIS_TTL": "2h"}, {"ttl": 7200.0}),
        ({"DEFAULT_TTL": "1h", "REDIS_TTL": "2h", "CACHE_REDIS_TTL": "300"}, {"ttl": 300.0}),
        ({"CACHE_REDIS_TTL": "none"}, {"ttl": None}),
        ({"CACHE_LOCAL_TTL": "5m"}, {"memory_ttl": 300.0}),
        ({"CACHE_KEY_PREFIX": "app.v1"}, {"namespace": "app.v1"}),
        ({"VCACHE_POLICY": "lru"}, {"policy": "lru"}),
        ({"VCACHE_JITTER": "0.25"}, {"jitter": 0.25}),
        ({"VCACHE_TIMEOUT": "100ms"}, {"timeout": 0.1}),
        ({"VCACHE_CONNECT_TIMEOUT": "1"}, {"connect_timeout": 1.0}),
        ({"VCACHE_STRICT": "on"}, {"strict": True}),
        ({"VCACHE_MAX_VALUE": "1MiB"}, {"max_value": 1 << 20}),
        ({"VCACHE_METRICS": "0"}, {"metrics": False}),
        ({"DEFAULT_TTL": ""}, {}),
        ({"REDIS_PORT": "tcp://10.0.0.1:6379"}, {}),
    ],
)
def test_arguments(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], wanted: dict[str, Any]
) -> None:
    setenv(monkeypatch, **variables)
    assert arguments_from_env() == wanted


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        ({"REDIS_URL": "redis://:p@db:7/2"}, {"host": "db", "port": 7, "db": 2, "password": "p"}),
        ({"REDIS_URL": "redis://db", "REDIS_HOST": "other"}, {"host": "db"}),
        (
            {"REDIS_HOST": "db", "REDIS_PORT": "7", "REDIS_DB": "3", "REDIS_USERNAME": "u",
             "REDIS_PASSWORD": "p@/:", "REDIS_POOL_SIZE": "4", "REDIS_TLS": "false"},
            {"host": "db", "port": 7, "db": 3, "username": "u", "password": "p@/:", "pool_size": 4},
        ),
        ({"CACHE_REDIS_ENABLED": "true"}, {}),
        ({"CACHE_REDIS_ENABLED": "true", "REDIS_HOST": "db"}, {"host": "db"}),
    ],
)  # fmt: skip
def test_redis(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], wanted: dict[str, Any]
) -> None:
    setenv(monkeypatch, **variables)
    assert arguments_from_env() == {"redis": RedisOptions(**wanted)}


def test_redis_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    setenv(monkeypatch, REDIS_URL="redis://db", CACHE_REDIS_ENABLED="false")
    assert arguments_from_env() == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CACHE_LOCAL_SIZE_MB", "-5"),
        ("CACHE_LOCAL_SIZE_MB", "lots"),
        ("CACHE_LOCAL_SIZE_MB", "64MiB"),
        ("CACHE_LOCAL_ENABLED", "maybe"),
        ("CACHE_REDIS_ENABLED", "2"),
        ("MAX_CACHE_SIZE", "0"),
        ("MAX_CACHE_SIZE", "1.5"),
        ("DEFAULT_TTL", "0"),
        ("REDIS_TTL", "soon"),
        ("CACHE_REDIS_TTL", "-1"),
        ("CACHE_LOCAL_TTL", "nan"),
        ("CACHE_KEY_PREFIX", "a:b"),
        ("VCACHE_POLICY", "mru"),
        ("VCACHE_JITTER", "1"),
        ("VCACHE_JITTER", "much"),
        ("VCACHE_TIMEOUT", "2h"),
        ("VCACHE_CONNECT_TIMEOUT", "0"),
        ("VCACHE_STRICT", "strict"),
        ("VCACHE_MAX_VALUE", "1GiB"),
        ("VCACHE_MAX_VALUE", "0"),
        ("VCACHE_METRICS", "yes please"),
        ("REDIS_PORT", "tcp://10.0.0.1:6379"),
        ("REDIS_PORT", "0"),
        ("REDIS_DB", "-1"),
        ("REDIS_POOL_SIZE", "0"),
        ("REDIS_TLS", "true"),
        ("REDIS_TLS", "x"),
    ],
)
def test_a_bad_value_names_variable_value_and_allowed(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    setenv(monkeypatch, REDIS_HOST="db", **{name: value})
    with pytest.raises(ConfigError, match=f"{name}=.*allowed") as caught:
        Cache.from_env()
    assert value in str(caught.value)


def test_no_error_shows_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    setenv(monkeypatch, REDIS_URL="redis://u:hunter2@db:x")
    with pytest.raises(ConfigError, match="REDIS_URL: redis URL") as caught:
        Cache.from_env()
    assert "hunter2" not in str(caught.value)
    setenv(monkeypatch, REDIS_URL="", REDIS_HOST="db", REDIS_USERNAME="u")
    with pytest.raises(ConfigError, match="REDIS_USERNAME: allowed only with REDIS_PASSWORD"):
        Cache.from_env()


def test_a_file_is_read_and_the_environment_wins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("DEFAULT_TTL=5m\nVCACHE_POLICY=lru\nUNKNOWN=1\n")
    setenv(monkeypatch, VCACHE_POLICY="sieve")
    assert arguments_from_env() == {"ttl": 300.0, "policy": "sieve"}


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"DEFAULT_TTL=\xff\xfe\n")
    with pytest.raises(ConfigError, match=r"\.env: allowed is UTF-8"):
        arguments_from_env()


def example() -> Iterator[tuple[str, str]]:
    for line in (ROOT / ".env.example").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.partition("=")
            yield name, value


def test_the_example_shows_every_variable_once_and_parses(tmp_path: Path) -> None:
    shown = [name for name, _ in example()]
    assert sorted(shown) == sorted(VARIABLES)
    (tmp_path / ".env").write_bytes((ROOT / ".env.example").read_bytes())
    arguments = arguments_from_env()
    assert set(arguments) == {
        "memory", "max_entries", "ttl", "memory_ttl", "namespace", "policy", "jitter", "timeout",
        "connect_timeout", "strict", "max_value", "metrics", "redis",
    }  # fmt: skip
    Cache(**arguments).close()


@pytest.mark.parametrize("left_out", ["REDIS_URL", "CACHE_REDIS_TTL", "REDIS_TTL"])
def test_each_shadowed_variable_of_the_example_parses_too(
    monkeypatch: pytest.MonkeyPatch, left_out: str
) -> None:
    for name, value in example():
        if name != left_out:
            monkeypatch.setenv(name, value)
    with Cache.from_env() as cache:
        assert cache._config.redis is not None


def test_one_cache_for_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(env, "_shared", None)
    setenv(monkeypatch, CACHE_KEY_PREFIX="shared")
    caches = in_threads(*[vcache.get_cache] * 16)
    assert all(cache is caches[0] for cache in caches)
    assert caches[0]._config.namespace == "shared"
    assert "CACHE_KEY_PREFIX" in os.environ
