"""What the doctor finds in what one server says of itself, and what it advises."""

from __future__ import annotations

import pytest

from vcache import RedisOptions
from vcache._rights import commands_of, prefixes, symptoms_of_state, symptoms_of_user
from vcache._symptoms import (
    Finding,
    parse_info,
    symptoms_of_clock,
    symptoms_of_info,
    symptoms_of_link,
)
from vcache.errors import RedisError

WELL = {
    "redis_version": "7.2.4",
    "redis_mode": "standalone",
    "role": "master",
    "maxmemory": "1000",
    "used_memory": "250",
    "maxmemory_policy": "allkeys-lru",
    "maxclients": "100",
    "connected_clients": "4",
    "rdb_last_bgsave_status": "ok",
    "aof_last_write_status": "ok",
}


def found(changes: dict[str, str], check: str, pool_size: int = 16) -> list[Finding]:
    """What is said about `check` by a server that is well but for `changes`."""
    findings = symptoms_of_info(WELL | changes, pool_size)
    return [finding for finding in findings if finding.check == check]


def test_a_server_that_is_well() -> None:
    findings = list(symptoms_of_info(WELL, 16))
    assert {each.level for each in findings} == {"ok"}
    assert [each.advice for each in findings if each.advice] == []
    assert {each.check: each.text for each in findings} == {
        "server": "Redis 7.2.4, standalone",
        "memory": "25% of maxmemory used, allkeys-lru",
        "evictions": "0 keys evicted and 0 expired since it was started",
        "persistence": "no AOF",
        "clients": "4 of 100 connections in use",
    }


@pytest.mark.parametrize(
    ("changes", "check", "level", "text", "advice"),
    [
        ({"redis_version": "6.2.14"}, "server", "advice", "Redis 6.2.14", "7.0 is the oldest"),
        ({"valkey_version": "8.0.1"}, "server", "ok", "Valkey 8.0.1", ""),
        ({"redis_version": "?"}, "server", "ok", "Redis ?", ""),
        ({"role": "slave"}, "role", "problem", "a replica", "connect to its primary"),
        ({"loading": "1"}, "role", "problem", "still loading", "wait until it is done"),
        ({"maxmemory": "0"}, "memory", "problem", "no maxmemory", "set maxmemory"),
        ({"maxmemory": "much"}, "memory", "problem", "no maxmemory", "maxmemory-policy"),
        (
            {"maxmemory_policy": "noeviction"},
            "memory", "problem", "25% of maxmemory used, noeviction: writes are refused",
            "set maxmemory-policy to allkeys-lru or allkeys-lfu",
        ),
        (
            {"maxmemory_policy": "volatile-lru"},
            "memory", "advice", "entries without a time to live are never evicted",
            "give every entry a ttl",
        ),
        (
            {"evicted_keys": "7", "expired_keys": "6"},
            "evictions", "advice", "7 keys evicted and 6 expired", "more maxmemory",
        ),
        ({"evicted_keys": "7", "expired_keys": "7"}, "evictions", "ok", "7 keys evicted", ""),
        ({"aof_enabled": "1"}, "persistence", "ok", "AOF", ""),
        (
            {"rdb_last_bgsave_status": "err"},
            "persistence", "problem", "the last RDB write failed: Redis refuses writes",
            "stop-writes-on-bgsave-error",
        ),
        (
            {"aof_enabled": "1", "aof_last_write_status": "err"},
            "persistence", "problem", "the last AOF write failed: Redis refuses writes",
            "free its disk",
        ),
        (
            {"connected_clients": "85"},
            "clients", "problem", "85 of 100 connections in use: 16 of this process do not fit",
            "raise maxclients, or lower pool_size",
        ),
        ({"connected_clients": "84"}, "clients", "ok", "84 of 100", ""),
        ({"maxclients": ""}, "clients", "ok", "4 of an unknown number", ""),
    ],
)  # fmt: skip
def test_a_server_that_is_not(
    changes: dict[str, str], check: str, level: str, text: str, advice: str
) -> None:
    (finding,) = found(changes, check)
    assert finding.level == level
    assert text in finding.text
    assert advice in finding.advice
    assert bool(finding.advice) == (level != "ok"), "advice is for what is to be done"
    others = [each for each in symptoms_of_info(WELL | changes, 16) if each.check != check]
    assert {each.level for each in others} == {"ok"}


def test_info_that_is_refused() -> None:
    (finding,) = symptoms_of_info({}, 16)
    assert (finding.check, finding.level) == ("server", "advice")
    assert finding.advice == "let the user run +info"


def test_info_is_read_by_line() -> None:
    text = b"# Server\r\nredis_version:7.0.15\r\nconfig_file:/a:b\r\n\r\nno colon\r\n\xff:1\r\n"
    assert parse_info(text) == {"redis_version": "7.0.15", "config_file": "/a:b", "\xff": "1"}


@pytest.mark.parametrize(
    ("skew", "level", "text"),
    [
        (0.25, "ok", "its clock is 0.250 s ahead of this host"),
        (-1.0, "ok", "its clock is 1.000 s behind this host"),
        (1.5, "advice", "its clock is 1.500 s ahead of this host"),
        (-3600.0, "advice", "its clock is 3600.000 s behind this host"),
    ],
)
def test_clocks(skew: float, level: str, text: str) -> None:
    finding = symptoms_of_clock(skew)
    assert (finding.check, finding.level, finding.text) == ("clock", level, text)
    assert ("NTP" in finding.advice) == (level == "advice")


@pytest.mark.parametrize(
    ("options", "level", "text", "advice"),
    [
        ({}, "ok", "no TLS, on this host", ""),
        ({"unix_socket": "/run/redis"}, "ok", "no TLS, on this host", ""),
        ({"host": "db"}, "advice", "no TLS: the password", "use rediss://"),
        ({"host": "db", "tls": True}, "ok", "has proved its name", ""),
        ({"tls": True, "verify": "none"}, "problem", "not verified", "ca_file"),
    ],
)
def test_links(options: dict[str, object], level: str, text: str, advice: str) -> None:
    (finding,) = symptoms_of_link(RedisOptions(**options))  # type: ignore[arg-type]
    assert (finding.check, finding.level) == ("tls", level)
    assert text in finding.text
    assert advice in finding.advice


def test_keys_are_formed_as_the_core_forms_them() -> None:
    assert prefixes("ns", in_cluster=False) == ("ns:", "ns!")
    assert prefixes("ns", in_cluster=True) == ("{}ns:", "ns!{ns}")


def test_commands_of_each_layout() -> None:
    one = commands_of("ns", 3, in_cluster=False)
    cluster = commands_of("ns", 0, in_cluster=True)
    assert ["MGET", "ns:doctor"] in one
    assert ["COPY", "ns!doctor", "ns!tag:doctor"] in one
    assert ["MGET", "{}ns:doctor"] in cluster
    assert ["COPY", "ns!{ns}doctor", "ns!{ns}tag:doctor"] in cluster
    words = [{tuple(command) for command in commands} for commands in (one, cluster)]
    own = {("CLUSTER", "SLOTS"), ("READONLY",), ("ASKING",)}
    assert own <= words[1]
    assert not own & words[0]
    assert ("SELECT", "3") in words[0]
    assert "SELECT" not in {command[0] for command in cluster}


def test_rights_that_are_missing() -> None:
    commands = [["MGET", "k"], ["SET", "k", "0"], ["CLIENT", "ID"], ["CLUSTER", "SLOTS"]]
    no = RedisError("NOPERM this user has no permissions to run it")
    user, tracking = symptoms_of_user(commands, [b"QUEUED"] * 4, [b"OK", b"OK"])
    assert (user.level, tracking.level) == ("ok", "ok")
    moved = RedisError("MOVED 1 127.0.0.1:7001")
    user, _ = symptoms_of_user(commands, [moved] * 4, [b"OK", b"OK"])
    assert user.level == "ok", "keys of another node say nothing of rights"
    user, tracking = symptoms_of_user(commands, [no, b"QUEUED", no, no], [b"OK", no])
    assert (user.check, user.level) == ("user", "problem")
    assert user.text.endswith(": MGET, CLIENT ID, CLUSTER SLOTS")
    assert "cpp/l2/README.md" in user.advice
    assert (tracking.check, tracking.level) == ("tracking", "advice")
    assert "+client|tracking" in tracking.advice


def test_a_node_whose_cluster_is_down() -> None:
    down = RedisError("CLUSTERDOWN The cluster is down")
    finding = symptoms_of_state([b"QUEUED", down])
    assert (finding.check, finding.level) == ("state", "problem")
    assert finding.text == "refuses commands: CLUSTERDOWN The cluster is down"
    assert "CLUSTER NODES" in finding.advice
    assert symptoms_of_state([b"QUEUED", RedisError("MOVED 1 h:1")]).level == "ok"
