from __future__ import annotations

from typing import Any

import pytest

from vcache import Cache, RedisOptions
from vcache.errors import ConfigError


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("redis://db", {"host": "db"}),
        ("redis://127.0.0.1:7000", {"port": 7000}),
        ("redis://db/3", {"host": "db", "db": 3}),
        ("REDIS://db:1/2", {"host": "db", "port": 1, "db": 2}),
        ("redis://[::1]:6380/1", {"host": "::1", "port": 6380, "db": 1}),
        ("redis://u:p%40%2F%3A@db", {"host": "db", "username": "u", "password": "p@/:"}),
        ("redis://:secret@db", {"host": "db", "password": "secret"}),
        ("redis://db/1?db=2", {"host": "db", "db": 2}),
        ("redis://db?pool_size=4", {"host": "db", "pool_size": 4}),
        (
            "redis://db?timeout=50ms&connect_timeout=1s",
            {"host": "db", "timeout": "50ms", "connect_timeout": "1s"},
        ),
        ("rediss://db", {"host": "db", "tls": True}),
        (
            "rediss://[::1]:1?ca_file=/a%20b&cert_file=/c&key_file=/k&verify=none",
            {"host": "::1", "port": 1, "tls": True, "ca_file": "/a b", "cert_file": "/c",
             "key_file": "/k", "verify": "none"},
        ),
        ("redis+cluster://a:1,b,[::1]:3", {"nodes": ("a:1", "b:6379", "[::1]:3")}),
        ("rediss+cluster://a:1?replicas=yes", {"nodes": ("a:1",), "replicas": True, "tls": True}),
        ("redis+sentinel://:p@a,b:2/main/3",
         {"nodes": ("a:26379", "b:2"), "service": "main", "db": 3, "password": "p"}),
        ("redis+sentinel://a/main?sentinel_username=u&sentinel_password=p%40",
         {"nodes": ("a:26379",), "service": "main", "sentinel_username": "u",
          "sentinel_password": "p@"}),
        ("unix:///run/redis.sock", {"unix_socket": "/run/redis.sock"}),
        ("unix://u:p@/run/my%20redis?db=5",
         {"unix_socket": "/run/my redis", "username": "u", "password": "p", "db": 5}),
    ],
)  # fmt: skip
def test_url(url: str, wanted: dict[str, Any]) -> None:
    assert RedisOptions.from_url(url) == RedisOptions(**wanted)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("redis://db?ca_file=/ca", "query option 'ca_file': allowed only for TLS, with rediss"),
        ("unix:///run/r?verify=none", "query option 'verify': allowed only for TLS"),
        ("rediss://db?verify=some", "verify='some': allowed are full and none"),
        ("rediss://db?cert_file=/c", "cert_file='/c': allowed are cert_file and key_file together"),
        ("rediss://", "host=''"),
        ("redis+ring://db", "supported are"),
        ("redis+cluster://", "node ''.*HOST:PORT"),
        ("redis+cluster://a:1,b:x", "node 'b:x'.*HOST:PORT"),
        ("redis+cluster://a:1/2", "db='2'.*database 0 only"),
        ("redis+cluster://a:1?replicas=maybe", "replicas='maybe'.*yes and no"),
        ("redis+sentinel://a:1", "no service.*SERVICE"),
        ("redis+sentinel://a:1/main/x", "db='x'.*whole number"),
        ("redis+sentinel://a:1/main?replicas=yes", "'replicas'.*allowed are"),
        ("redis+sentinel://a:1/main?sentinel_username=u", "sentinel_username: .*password"),
        ("redis://db?replicas=yes", "'replicas'.*allowed are"),
        ("http://db", "supported are"),
        ("db:6379", "supported are"),
        ("", "supported are"),
        ("redis://", "host=''"),
        ("redis://db:0", "port=0"),
        ("redis://db:70000", "cannot be read"),
        ("redis://db/x", "db='x'.*whole number"),
        ("redis://db?colour=red", "'colour'.*allowed are db, pool_size"),
        ("redis://db?pool_size=0", "pool_size=0.*1 to 1024"),
        ("redis://db?timeout=soon", "timeout='soon'.*1 ms to 1 hour"),
        ("redis://db?timeout=0", "timeout='0'"),
        ("redis://db#1", "fragment"),
        ("redis://db/" + "9" * 5000, "db='9+….*whole number"),
        ("unix://db/run", "unix:///path"),
        ("unix://", "unix:///path"),
        ("redis://user@db", "username: allowed only with a password.*colon"),
        ("redis://h1,redis://h2", "several servers: allowed are redis="),
        ("redis://h1:1,redis://h2:2", "several servers: allowed are redis="),
        ("redis://:a,b@h1,h2", "several servers: allowed are redis="),
    ],
)
def test_bad_url(url: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        RedisOptions.from_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "redis://u:hunter2@db:x",
        "redis://u:hun/ter2@db",
        "redis://u:hun?ter2@db",
        "redis://u:hun?ter2=1@db",
        "redis://u:hun#ter2@db",
        "redis://u:hunter2@db/x",
        "redis://u:hunter2@db?colour=1",
        "redis://u:hunter2@[db",
        "rediss://u:hunter2@db?colour=1",
        "redis://hunter2@db",
        "redis://u:hunter2@db,redis://u:hunter2@db2",
        "redis+sentinel://a:1/main?sentinel_username=hunter2",
        "u:hunter2@db://",
    ],
)
def test_no_error_shows_a_password(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Cache(redis=url)
    assert "hun" not in str(caught.value)
    assert "ter2" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize("url", [5, None, b"redis://:hunter2@db"])
def test_a_url_that_is_no_text(url: Any) -> None:
    says = f"url of type {type(url).__name__}: allowed is a str; supported are"
    with pytest.raises(ConfigError, match=says) as caught:
        RedisOptions.from_url(url)
    assert "hunter2" not in str(caught.value)


def test_no_repr_shows_a_password() -> None:
    options = RedisOptions(username="u", password="hunter2")
    assert "hunter2" not in repr(options)
    with Cache(redis="redis://u:hunter2@127.0.0.1:1/3") as cache:
        assert "hunter2" not in repr(cache)
        assert "redis://127.0.0.1:1/3" in repr(cache)


@pytest.mark.parametrize(
    ("options", "address"),
    [
        ({}, "redis://127.0.0.1:6379/0"),
        ({"host": "::1", "db": 2}, "redis://[::1]:6379/2"),
        ({"unix_socket": "/run/r"}, "unix:///run/r?db=0"),
        ({"tls": True, "host": "db"}, "rediss://db:6379/0"),
    ],
)
def test_address(options: dict[str, Any], address: str) -> None:
    assert RedisOptions(**options).address == address


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("host", ""),
        ("host", 5),
        ("host", "a\0b"),
        ("port", 0),
        ("port", 65536),
        ("port", "6379"),
        ("port", True),
        ("db", -1),
        ("db", 1.0),
        ("pool_size", 0),
        ("pool_size", 1025),
        ("unix_socket", b"/run"),
        ("timeout", 0),
        ("timeout", "2h"),
        ("timeout", []),
        ("connect_timeout", float("nan")),
        ("tls", 1),
        ("ca_file", "/ca"),
        ("verify", "none"),
        ("verify", True),
        ("key_file", 5),
    ],
)
def test_bad_option(name: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=rf"^{name}=.*allowed") as caught:
        RedisOptions(**{name: value})
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize("password", [5, "a\0b", b"x"])
def test_bad_password_is_not_shown(password: Any) -> None:
    with pytest.raises(ConfigError, match="^password: allowed is text"):
        RedisOptions(password=password)


@pytest.mark.parametrize("redis", [[], 5, b"redis://a", object()])
def test_bad_redis_argument(redis: Any) -> None:
    with pytest.raises(ConfigError, match=f"redis of type {type(redis).__name__}: allowed"):
        Cache(redis=redis)


def test_timeouts_of_the_options_win_over_those_of_the_cache() -> None:
    own = RedisOptions(port=1, timeout="50ms")
    with Cache(redis=own, timeout=1.0, connect_timeout="2s") as cache:
        options = cache._config.redis
    assert options is not None
    assert (options.timeout, options.connect_timeout) == (0.05, 2.0)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis+cluster://u:secret@a:1,b:2", "redis+cluster://a:1,b:2"),
        ("rediss+cluster://a:1", "rediss+cluster://a:1"),
        ("redis+sentinel://:secret@a:1,b:2/main/3", "redis+sentinel://a:1,b:2/main/3"),
    ],
)
def test_the_address_of_several_servers_has_no_secret(url: str, address: str) -> None:
    options = RedisOptions.from_url(url)
    assert options.address == address
    assert "secret" not in repr(options)


@pytest.mark.parametrize(
    "options",
    [
        {"password": "hunter2"},
        {"tls": True},
        {"db": 7},
        {"pool_size": 4},
        {"tracking": False},
        {"port": 1},
        {"host": "hunter2"},
    ],
)
def test_shards_have_their_own_options(options: dict[str, Any]) -> None:
    (name,) = options
    with pytest.raises(ConfigError, match=f"^{name}: allowed in each of the shards") as caught:
        RedisOptions(shards=(RedisOptions(),), **options)
    assert "hunter2" not in str(caught.value)
    RedisOptions(shards=(RedisOptions(**options),), timeout=1, connect_timeout=1)


@pytest.mark.parametrize("kind", ["one", "shards"])
def test_every_server_that_is_not_verified_is_warned_of(kind: str) -> None:
    unverified = [f"rediss://:hunter2@127.0.0.1:{port}?verify=none" for port in (1, 2)]
    given: Any = [*unverified, "rediss://127.0.0.1:3"] if kind == "shards" else unverified[0]
    names = "rediss://127.0.0.1:1/0"
    if kind == "shards":
        names += ", rediss://127.0.0.1:2/0"
    with pytest.warns(RuntimeWarning, match=f"^{names}: verify='none'") as warned:
        Cache(redis=given).close()
    assert len(warned) == 1
    assert warned[0].filename == __file__


def test_a_list_of_urls_is_shards() -> None:
    with Cache(redis=["redis://:secret@127.0.0.1:1", "redis://127.0.0.1:2"]) as cache:
        assert "secret" not in repr(cache)
    for bad, says in (
        ([], "list"),
        (["redis://a:1", "redis://a:1"], "once"),
        (["redis://a:1?timeout=1s"], "timeout of one shard"),
        (["redis+cluster://a:1"], "one server"),
    ):
        with pytest.raises(ConfigError, match=says):
            Cache(redis=bad)
