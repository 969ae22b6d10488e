"""What a Redis server says of itself, judged as a cache needs it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from .options import RedisOptions

__all__ = ["Finding", "parse_info", "symptoms_of_clock", "symptoms_of_info", "symptoms_of_link"]

Level = Literal["ok", "advice", "problem"]

_NEAR = {"127.0.0.1", "::1", "localhost"}
_MOST_SKEW = 1.0  # seconds


@dataclass(frozen=True)
class Finding:
    """One thing looked at; `advice` says what to do where there is something to do.

    `server` is the address of the one that it is about; "" where there is one only, or it is about
    all.
    """

    check: str
    level: Level
    text: str
    advice: str = ""
    server: str = ""


def parse_info(text: bytes) -> dict[str, str]:
    """The figures of INFO by name."""
    lines = (line.partition(":") for line in text.decode("latin-1").splitlines())
    return {name: value for name, colon, value in lines if colon}


def symptoms_of_link(redis: RedisOptions) -> Iterator[Finding]:
    if redis.tls and redis.verify == "none":
        yield Finding(
            "tls", "problem", "TLS whose certificates are not verified",
            'say who vouches for the server (ca_file) and leave verify at "full"',
        )  # fmt: skip
    elif redis.tls:
        yield Finding("tls", "ok", "TLS, and the server has proved its name")
    elif redis.unix_socket or redis.host in _NEAR:
        yield Finding("tls", "ok", "no TLS, on this host")
    else:
        yield Finding(
            "tls", "advice", "no TLS: the password and all values can be read on the way",
            "use rediss://",
        )  # fmt: skip


def symptoms_of_info(info: Mapping[str, str], pool_size: int) -> Iterator[Finding]:
    if not info:
        yield Finding(
            "server", "advice", "INFO is refused: version, memory and persistence are unknown",
            "let the user run +info",
        )  # fmt: skip
        return
    yield _server(info)
    yield from _role(info)
    yield _memory(info)
    yield _evictions(info)
    yield _persistence(info)
    yield _clients(info, pool_size)


def _number(info: Mapping[str, str], name: str) -> int:
    text = info.get(name, "0")
    return int(text) if text.isdigit() else 0


def _server(info: Mapping[str, str]) -> Finding:
    valkey = info.get("valkey_version")
    version = valkey or info.get("redis_version", "unknown")
    name = f"{'Valkey' if valkey else 'Redis'} {version}, {info.get('redis_mode', 'standalone')}"
    major = version.partition(".")[0]
    if major.isdigit() and int(major) < 7:
        return Finding("server", "advice", name, "7.0 is the oldest that vcache is tested with")
    return Finding("server", "ok", name)


def _role(info: Mapping[str, str]) -> Iterator[Finding]:
    if info.get("role") == "slave":
        yield Finding(
            "role", "problem", "a replica, which refuses writes", "connect to its primary"
        )
    if _number(info, "loading"):
        yield Finding("role", "problem", "still loading its data", "wait until it is done")


def _memory(info: Mapping[str, str]) -> Finding:
    limit, policy = _number(info, "maxmemory"), info.get("maxmemory_policy", "unknown")
    if limit == 0:
        return Finding(
            "memory", "problem", "no maxmemory: Redis grows until its host ends it",
            "set maxmemory, and maxmemory-policy to allkeys-lru or allkeys-lfu",
        )  # fmt: skip
    used = f"{_number(info, 'used_memory') / limit:.0%} of maxmemory used, {policy}"
    if policy == "noeviction":
        return Finding(
            "memory", "problem", f"{used}: writes are refused when it is full",
            "set maxmemory-policy to allkeys-lru or allkeys-lfu",
        )  # fmt: skip
    if policy.startswith("volatile"):
        return Finding(
            "memory", "advice", f"{used}: entries without a time to live are never evicted",
            "give every entry a ttl, or set maxmemory-policy to an allkeys- one",
        )  # fmt: skip
    return Finding("memory", "ok", used)


def _evictions(info: Mapping[str, str]) -> Finding:
    evicted, expired = _number(info, "evicted_keys"), _number(info, "expired_keys")
    text = f"{evicted} keys evicted and {expired} expired since it was started"
    if evicted > expired:
        return Finding("evictions", "advice", text, "more maxmemory would raise the hit rate")
    return Finding("evictions", "ok", text)


def _persistence(info: Mapping[str, str]) -> Finding:
    kinds = ["AOF"] if _number(info, "aof_enabled") else []
    failed = [
        name
        for name, figure in (("RDB", "rdb_last_bgsave_status"), ("AOF", "aof_last_write_status"))
        if info.get(figure, "ok") != "ok"
    ]
    if failed:
        return Finding(
            "persistence", "problem", f"the last {failed[0]} write failed: Redis refuses writes",
            "free its disk, or set stop-writes-on-bgsave-error to no",
        )  # fmt: skip
    return Finding("persistence", "ok", " and ".join(kinds) or "no AOF")


def _clients(info: Mapping[str, str], pool_size: int) -> Finding:
    most, now = _number(info, "maxclients"), _number(info, "connected_clients")
    text = f"{now} of {most or 'an unknown number of'} connections in use"
    if most and now + pool_size > most:
        return Finding(
            "clients", "problem", f"{text}: {pool_size} of this process do not fit",
            "raise maxclients, or lower pool_size",
        )  # fmt: skip
    return Finding("clients", "ok", text)


def symptoms_of_clock(skew: float) -> Finding:
    text = f"{abs(skew):.3f} s {'ahead of' if skew > 0 else 'behind'} this host"
    if abs(skew) > _MOST_SKEW:
        return Finding(
            "clock", "advice", f"its clock is {text}",
            "entries expire by the clock of Redis: let both hosts keep time by NTP",
        )  # fmt: skip
    return Finding("clock", "ok", f"its clock is {text}")
