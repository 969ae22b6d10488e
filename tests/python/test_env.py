from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sync_points import in_threads

import vcache
from vcache import Cache, RedisOptions, env
from vcache.env import VARIABLES, arguments_from_env
from vcache.errors import ConfigError
from vcache.options import AdaptiveTTL, SmallOrHot

ROOT = Path(__file__).resolve().parents[2]
KEY = "0123456789abcdef" * 4


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [*VARIABLES, *(name for name in os.environ if name.startswith("VCACHE_"))]:
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
        ({"VCACHE_PROMOTION_THRESHOLD": "3"}, {"promotion_threshold": 3}),
        ({"VCACHE_ADMIT_BYTES": "4KiB"}, {"admit": SmallOrHot(bytes=4096)}),
        ({"VCACHE_ADMIT_HITS": "0"}, {"admit": SmallOrHot(hits=0)}),
        (
            {"VCACHE_ADMIT_BYTES": "10", "VCACHE_ADMIT_HITS": "7"},
            {"admit": SmallOrHot(bytes=10, hits=7)},
        ),
        ({"VCACHE_ADAPTIVE_TTL": "true"}, {"adaptive_ttl": AdaptiveTTL()}),
        ({"VCACHE_ADAPTIVE_TTL": "Off"}, {"adaptive_ttl": None}),
        (
            {"VCACHE_ADAPTIVE_TTL": "hot_hits=100, hot_memory_ttl = 5m,ttl=none"},
            {"adaptive_ttl": AdaptiveTTL(hot_hits=100, hot_memory_ttl="5m", ttl=None)},
        ),
        ({"VCACHE_COMPRESSION": "zstd"}, {"compression": "zstd"}),
        ({"VCACHE_STORAGE_DTYPE": "int8"}, {"storage_dtype": "int8"}),
        ({"VCACHE_STORAGE_DTYPE": "None"}, {"storage_dtype": None}),
        ({"VCACHE_ENCRYPTION_KEY": f"{KEY}, {KEY}"}, {"encryption_key": [KEY, KEY]}),
        ({"VCACHE_KEY_SECRET": " as it stands, é"}, {"key_secret": " as it stands, é".encode()}),
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
        (
            {"REDIS_HOST": "db", "REDIS_TLS": "true", "VCACHE_REDIS_CA_FILE": "/ca",
             "VCACHE_REDIS_CERT_FILE": "/c", "VCACHE_REDIS_KEY_FILE": "/k",
             "VCACHE_REDIS_VERIFY": "none"},
            {"host": "db", "tls": True, "ca_file": "/ca", "cert_file": "/c", "key_file": "/k",
             "verify": "none"},
        ),
        (
            {"REDIS_URL": "rediss://db?ca_file=/own", "REDIS_TLS": "true",
             "VCACHE_REDIS_CA_FILE": "/ca", "VCACHE_REDIS_VERIFY": "full"},
            {"host": "db", "tls": True, "ca_file": "/own"},
        ),
        ({"REDIS_URL": "rediss://db", "REDIS_TLS": "false"}, {"host": "db", "tls": True}),
        ({"CACHE_REDIS_ENABLED": "true"}, {}),
        ({"CACHE_REDIS_ENABLED": "true", "REDIS_HOST": "db"}, {"host": "db"}),
        ({"REDIS_PORT": "7"}, {"port": 7}),
        ({"REDIS_PASSWORD": "p"}, {"password": "p"}),
        ({"REDIS_DB": "3"}, {"db": 3}),
        ({"REDIS_DB": "3", "REDIS_PORT": "tcp://10.0.0.1:6379"}, {"db": 3}),
        (
            {"REDIS_URL": "redis://db", "REDIS_PORT": "tcp://10.0.0.1:6379", "REDIS_DB": "3",
             "REDIS_USERNAME": "u", "REDIS_PASSWORD": "p", "REDIS_POOL_SIZE": "4"},
            {"host": "db", "db": 3, "username": "u", "password": "p", "pool_size": 4},
        ),
        (
            {"REDIS_URL": "redis://own:q@db/2?pool_size=5", "REDIS_DB": "3",
             "REDIS_USERNAME": "u", "REDIS_PASSWORD": "p", "REDIS_POOL_SIZE": "4"},
            {"host": "db", "db": 2, "username": "own", "password": "q", "pool_size": 5},
        ),
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
        ("VCACHE_PROMOTION_THRESHOLD", "0"),
        ("VCACHE_PROMOTION_THRESHOLD", "256"),
        ("VCACHE_ADAPTIVE_TTL", "maybe"),
        ("VCACHE_ADAPTIVE_TTL", "hot_hits=5,hot_hits=6"),
        ("VCACHE_ADAPTIVE_TTL", "hot_hits=few"),
        ("VCACHE_ADAPTIVE_TTL", "memory_ttl=none"),
        ("VCACHE_ADMIT_BYTES", "few"),
        ("VCACHE_ADMIT_BYTES", "257MiB"),
        ("VCACHE_ADMIT_HITS", "255"),
        ("VCACHE_ADMIT_HITS", "-1"),
        ("REDIS_PORT", "tcp://10.0.0.1:6379"),
        ("REDIS_PORT", "0"),
        ("REDIS_DB", "-1"),
        ("REDIS_POOL_SIZE", "0"),
        ("REDIS_TLS", "x"),
        ("VCACHE_REDIS_VERIFY", "yes"),
        ("CACHE_LOCAL_SIZE_MB", "abc"),
        ("CACHE_LOCAL_SIZE_MB", "0.01"),
        ("EVICTION_THRESHOLD", "1.5"),
        ("EVICTION_THRESHOLD", "often"),
        ("CACHE_LOCAL_EVICTION", "never"),
        ("MODEL_SHA256", "abc"),
        ("MODEL_UPDATE_INTERVAL", "0"),
        ("PREDICTION_BATCH_SIZE", "0"),
        ("PROMETHEUS_PORT", "http"),
        ("METRICS_INTERVAL", "-1"),
        ("METRICS_INTERVAL", "10ms"),
        ("VCACHE_ANNOUNCE", "perhaps"),
        ("VCACHE_GRACE", "-5m"),
        ("VCACHE_GRACE", "11y"),
        ("VCACHE_LEASE", "2h"),
        ("VCACHE_COMPRESSION", "gzip"),
        ("VCACHE_STORAGE_DTYPE", "float64"),
    ],
)
def test_a_bad_value_names_variable_value_and_allowed(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    setenv(monkeypatch, REDIS_HOST="db", **{name: value})
    with pytest.raises(ConfigError, match=f"{name}={value!r}.*allowed"):
        Cache.from_env()


@pytest.mark.parametrize("name", ["CACHE_LOCAL_SIZE_MB", "MAX_CACHE_SIZE", "DEFAULT_TTL"])
def test_a_number_beyond_all_bounds(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    setenv(monkeypatch, **{name: "9" * 5000})
    with pytest.raises(ConfigError, match=f"{name}='9+….*: allowed"):
        Cache.from_env()


@pytest.mark.parametrize("name", ["DEFAULT_TTL", "REDIS_TTL", "CACHE_REDIS_TTL", "CACHE_LOCAL_TTL"])
def test_no_expiry_is_spelt_as_the_variables_do(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    setenv(monkeypatch, **{name: "None at all"})
    with pytest.raises(ConfigError, match="or none for no expiry"):
        Cache.from_env()


@pytest.mark.parametrize("text", ["hunter2", f"{KEY},hunter2", f"{KEY},", ",".join([KEY] * 17)])
def test_a_bad_encryption_key_is_not_shown(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    setenv(monkeypatch, VCACHE_ENCRYPTION_KEY=text)
    with pytest.raises(ConfigError, match="VCACHE_ENCRYPTION_KEY: allowed are 32 bytes") as caught:
        Cache.from_env()
    assert "hunter2" not in str(caught.value)
    assert KEY not in str(caught.value)


def test_a_bad_key_secret_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    setenv(monkeypatch, VCACHE_KEY_SECRET="hunter2")
    with pytest.raises(ConfigError, match="VCACHE_KEY_SECRET: allowed are 16 to 1024 b") as caught:
        Cache.from_env()
    assert "hunter2" not in str(caught.value)


def test_protection_that_cannot_be_given(monkeypatch: pytest.MonkeyPatch) -> None:
    setenv(monkeypatch, VCACHE_API_TOKEN="hunter2")
    with pytest.raises(
        ConfigError, match="VCACHE_API_TOKEN is not supported yet: allowed"
    ) as caught:
        Cache.from_env()
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"REDIS_TLS": "true", "REDIS_URL": "redis://db"}, "REDIS_TLS: allowed is true only"),
        ({"REDIS_TLS": "true", "REDIS_URL": "unix:///run/r"}, "REDIS_TLS: allowed is true only"),
        ({"REDIS_HOST": "db", "VCACHE_REDIS_CA_FILE": "/ca"}, "VCACHE_REDIS_CA_FILE: allowed only"),
        ({"REDIS_URL": "redis://db", "VCACHE_REDIS_VERIFY": "none"}, "VCACHE_REDIS_VERIFY: all"),
    ],
)
def test_tls_that_would_not_be(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], says: str
) -> None:
    setenv(monkeypatch, **variables)
    with pytest.raises(ConfigError, match=says):
        arguments_from_env()


IDLE = {
    "CACHE_LOCAL_EVICTION": "1m",
    "EVICTION_THRESHOLD": "0.9",
    "PREDICTION_BATCH_SIZE": "64",
    "PROMETHEUS_PORT": "9100",
}


def test_one_warning_for_all_that_has_no_effect_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    setenv(monkeypatch, **IDLE)
    with pytest.warns(RuntimeWarning) as caught:
        Cache.from_env().close()
    assert [str(warning.message) for warning in caught] == [
        f"set, but without effect yet: {', '.join(IDLE)}"
    ]
    assert caught[0].filename == __file__


def test_options_of_a_redis_that_nobody_names(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"REDIS_TLS": "true", "REDIS_POOL_SIZE": "4", "VCACHE_REDIS_CA_FILE": "/ca"}
    setenv(monkeypatch, **given)
    says = f"set, but without effect while none says where Redis is: {', '.join(given)}"
    with pytest.warns(RuntimeWarning) as caught:
        assert arguments_from_env() == {}
    assert [str(warning.message) for warning in caught] == [says]


@pytest.mark.parametrize(
    "variables", [{"REDIS_TLS": "false"}, {"REDIS_TLS": "true", "CACHE_REDIS_ENABLED": "false"}]
)
def test_no_redis_is_no_reason_to_warn(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    setenv(monkeypatch, **variables)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert arguments_from_env() == {}


def test_what_asks_for_nothing_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    setenv(monkeypatch, VCACHE_KEY_SECRET="")
    setenv(monkeypatch, PROMETHEUS_PORT="tcp://10.0.0.2:9090")
    assert arguments_from_env() == {}


@pytest.mark.parametrize(
    ("name", "nearest"), [("VCACHE_POLICE", "VCACHE_POLICY"), ("VCACHE_MAXVALUE", "VCACHE_MAX_")]
)
@pytest.mark.parametrize("in_file", [False, True])
def test_an_unknown_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, nearest: str, in_file: bool
) -> None:
    if in_file:
        (tmp_path / ".env").write_text(f"{name}=hunter2\n")
    else:
        setenv(monkeypatch, **{name: "hunter2"})
    with pytest.raises(ConfigError, match=f"{name} is no variable.*nearest is {nearest}") as caught:
        Cache.from_env()
    assert "hunter2" not in str(caught.value)


def names_of_the_build() -> set[str]:
    """VCACHE_ names of the scripts, the build and the tests, but macros of C++."""
    folders = ("script", ".ci", "build_backend", "cmake", "tests/support", "tests/bench")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
    found = set[str]()
    for path in [*files, ROOT / "CMakeLists.txt", ROOT / "CMakePresets.json"]:
        if path.suffix not in {".hpp", ".cpp", ".pyc"}:
            found |= set(re.findall(r"VCACHE_[A-Z0-9_]+", path.read_text(encoding="utf-8")))
    return found


@pytest.mark.parametrize(
    "name",
    sorted({"VCACHE_PORT", "VCACHE_SERVICE_HOST", "VCACHE_PORT_80_TCP_ADDR", "VCACHE_API_PORT",
            "VCACHE_API_SERVICE_PORT_HTTP", *names_of_the_build()} - set(VARIABLES)),
)  # fmt: skip
def test_names_of_the_build_and_of_kubernetes(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    setenv(monkeypatch, **{name: "1"})
    assert arguments_from_env() == {}


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


def test_a_model_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    setenv(monkeypatch, MODEL_PATH="/model.pt", MODEL_SHA256="AB" * 32, VCACHE_MINIMIZE="cost")
    assert arguments_from_env() == {
        "model_path": "/model.pt",
        "model_sha256": "ab" * 32,
        "minimize": "cost",
    }


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"DEFAULT_TTL=\xff\xfe\n")
    with pytest.raises(ConfigError, match=r"\.env: allowed is UTF-8"):
        arguments_from_env()


def example(pattern: str = r"([A-Z0-9_]+)=(.*)") -> Iterator[tuple[str, str]]:
    for line in (ROOT / ".env.example").read_text(encoding="utf-8").splitlines():
        match = re.fullmatch(pattern, line)
        if match:
            yield match[1], match[2]


def test_the_example_shows_every_variable_once_and_parses(tmp_path: Path) -> None:
    idle = [name for name, _ in example(r"# ([A-Z0-9_]+)=(.*)")]
    shown = [name for name, _ in example()] + idle
    assert sorted(shown) == sorted(VARIABLES)
    assert set(IDLE) <= set(idle)
    (tmp_path / ".env").write_bytes((ROOT / ".env.example").read_bytes())
    arguments = arguments_from_env()
    assert set(arguments) == {
        "memory", "max_entries", "ttl", "memory_ttl", "namespace", "policy", "grace", "jitter",
        "timeout", "connect_timeout", "lease", "strict", "max_value", "metrics", "redis",
        "compression", "storage_dtype", "promotion_threshold", "minimize",
        "model_update_interval", "metrics_interval", "announce", "adaptive_ttl",
    }  # fmt: skip
    redis = arguments["redis"]
    assert (redis.username, redis.password, redis.pool_size) == ("vcache", "change-me", 16)
    Cache(**arguments).close()


def test_what_the_example_leaves_out_parses_too(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = dict(example(r"# ([A-Z0-9_]+)=(.*)"))
    setenv(monkeypatch, **{name: shown[name] for name in IDLE})
    with pytest.warns(RuntimeWarning, match="without effect"):
        assert arguments_from_env() == {}


@pytest.mark.parametrize("left_out", ["REDIS_URL", "CACHE_REDIS_TTL", "REDIS_TTL"])
def test_each_shadowed_variable_of_the_example_parses_too(
    monkeypatch: pytest.MonkeyPatch, left_out: str
) -> None:
    for name, value in example():
        if name != left_out:
            monkeypatch.setenv(name, value)
    with Cache.from_env() as cache:
        assert cache._config.redis is not None


def test_the_rule_of_the_example_is_the_default_of_the_option(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = dict(example(r"# (VCACHE_ADMIT_[A-Z]+)=(.*)"))
    setenv(monkeypatch, **shown)
    assert arguments_from_env() == {"admit": SmallOrHot()}


def test_one_cache_for_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(env, "_shared", None)
    setenv(monkeypatch, CACHE_KEY_PREFIX="shared")
    caches = in_threads(*[vcache.get_cache] * 16)
    assert all(cache is caches[0] for cache in caches)
    assert caches[0]._config.namespace == "shared"
    assert "CACHE_KEY_PREFIX" in os.environ
