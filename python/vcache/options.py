"""Where Redis is and what a cache is made of: validated, frozen records."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Literal

from ._adaptive import AdaptiveTTL
from ._messages import shown
from ._servers import SERVERS_QUERY, check_nodes, servers_of_url, shown_nodes
from .durations import Duration, duration_option
from .errors import ConfigError
from .sizes import Size, parse_size

if TYPE_CHECKING:
    from urllib.parse import SplitResult

__all__ = [
    "MAX_HITS",
    "AdaptiveTTL",
    "RedisOptions",
    "SmallOrHot",
    "options_of_url",
    "parse_admit_bytes",
    "parse_redis",
    "parse_timeout",
    "with_timeouts",
]

MAX_HITS = 255  # that are counted of one key
_MAX_BYTES = 256 << 20

_SUPPORTED = (
    "supported are redis://[user:password@]host[:port][/db], rediss:// for TLS and"
    " unix://[user:password@]/path, redis+cluster://host:port,… and"
    " redis+sentinel://host:port,…/service[/db], with ?db=, pool_size=, timeout=, connect_timeout="
    " and tracking=yes|no, and for TLS ca_file=, cert_file=, key_file= and verify="
)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]{0,19}")
_SCHEMES = {"redis", "rediss", "unix"} | {
    f"{transport}+{kind}" for transport in ("redis", "rediss") for kind in SERVERS_QUERY
}
_MAX_DIGITS = 20
_QUERY = {"db": int, "pool_size": int, "timeout": str, "connect_timeout": str, "tracking": bool}
_TLS_QUERY = dict.fromkeys(("ca_file", "cert_file", "key_file", "verify"), str)
_FLAGS = {"yes": True, "no": False}


@dataclass(frozen=True, kw_only=True)
class RedisOptions:
    """How to reach one Redis node, over TCP or, with `unix_socket`, over a Unix socket.

    Or several servers: with `nodes` ("HOST:PORT") a Redis Cluster, of which some are named, and of
    whose `replicas` those are read that keep up; with `nodes` and a `service` the primary of that
    name, which these sentinels know; with `shards` independent servers that share the keys, and
    nothing else but the timeouts.

    With `tls` the server must prove its name by a certificate of an authority in `ca_file` (PEM;
    the system's unless given), but for `verify="none"`, which gives a warning. `cert_file` and
    `key_file` (PEM) are what this client shows.

    `tracking`: Redis tells of what other processes change, so that it leaves this one's memory at
    once. `timeout` and `connect_timeout` are durations; None takes those of the cache. Passwords
    are never part of `repr` or of an error. Raises ConfigError naming the option that is not
    allowed.
    """

    host: str = "127.0.0.1"
    port: int = 6379
    unix_socket: str = ""
    db: int = 0
    username: str = ""
    password: str = field(default="", repr=False)
    pool_size: int = 16
    timeout: Duration | None = None
    connect_timeout: Duration | None = None
    tls: bool = False
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    verify: Literal["full", "none"] = "full"
    tracking: bool = True
    nodes: tuple[str, ...] = ()
    service: str = ""
    replicas: bool = False
    sentinel_username: str = ""
    sentinel_password: str = field(default="", repr=False)
    shards: tuple[RedisOptions, ...] = ()

    def __post_init__(self) -> None:
        for name in ("host", "unix_socket", "username", "ca_file", "cert_file", "key_file"):
            _check_text(name, getattr(self, name))
        if not isinstance(self.password, str) or "\0" in self.password:
            raise ConfigError("password: allowed is text without NUL")
        if self.username and not self.password:
            raise ConfigError(  # where it stands alone in a URL it may be a password
                "username: allowed only with a password, which stands behind a colon in a URL"
            )
        if not self.host and not self.unix_socket:
            raise ConfigError("host='': allowed is a host name or address, or a unix_socket")
        _check_range("port", self.port, 1, 65535)
        _check_range("db", self.db, 0, 2**31 - 1)
        _check_range("pool_size", self.pool_size, 1, 1024)
        if not isinstance(self.tracking, bool):
            raise ConfigError(f"tracking={shown(self.tracking)}: allowed are True and False")
        for name in ("timeout", "connect_timeout"):
            if getattr(self, name) is not None:
                parse_timeout(getattr(self, name), name)
        self._check_tls()
        self._check_servers()

    def _check_servers(self) -> None:
        check_nodes(self.nodes)
        for name in ("service", "sentinel_username"):
            _check_text(name, getattr(self, name))
        if not isinstance(self.sentinel_password, str) or "\0" in self.sentinel_password:
            raise ConfigError("sentinel_password: allowed is text without NUL")
        if not isinstance(self.replicas, bool):
            raise ConfigError(f"replicas={shown(self.replicas)}: allowed are True and False")
        cluster = bool(self.nodes) and not self.service
        if self.service and not self.nodes:
            raise ConfigError(
                f"service={shown(self.service)}: allowed only with nodes, the sentinels"
            )
        if self.sentinel_password and not self.service:
            raise ConfigError("sentinel_password: allowed only with a service")
        if self.sentinel_username and not self.sentinel_password:
            raise ConfigError("sentinel_username: allowed only with a sentinel_password")
        if self.replicas and not cluster:
            raise ConfigError("replicas=True: allowed only with a cluster")
        if cluster and self.db:
            raise ConfigError(f"db={self.db}: a cluster has database 0 only")
        if self.nodes and self.unix_socket:
            raise ConfigError("nodes: allowed only without a unix_socket")
        self._check_shards()

    def _check_shards(self) -> None:
        if not isinstance(self.shards, tuple):
            raise ConfigError("shards: allowed is a tuple of RedisOptions")
        if self.shards:
            for option in fields(self):
                given = getattr(self, option.name) != option.default
                if given and option.name not in ("shards", "timeout", "connect_timeout"):
                    raise ConfigError(f"{option.name}: allowed in each of the shards, not for all")
        for shard in self.shards:
            if not isinstance(shard, RedisOptions) or shard.nodes or shard.shards:
                raise ConfigError("shards: each must be one server")
            for name in ("timeout", "connect_timeout"):
                if getattr(shard, name) is not None:
                    raise ConfigError(f"{name} of one shard: allowed is that of the cache, for all")
        if len({shard.address for shard in self.shards}) < len(self.shards):
            raise ConfigError("shards: each server may be there once")

    def _check_tls(self) -> None:
        if not isinstance(self.tls, bool):
            raise ConfigError(f"tls={shown(self.tls)}: allowed are True and False")
        if self.verify not in ("full", "none"):
            raise ConfigError(f"verify={shown(self.verify)}: allowed are full and none")
        if self.tls and self.unix_socket:
            raise ConfigError("tls=True: allowed only without a unix_socket")
        for name in ("ca_file", "cert_file", "key_file"):
            if getattr(self, name) and not self.tls:
                raise ConfigError(f"{name}={shown(getattr(self, name))}: allowed only with TLS")
        if self.verify != "full" and not self.tls:
            raise ConfigError(f"verify={self.verify!r}: allowed only with TLS")
        if bool(self.cert_file) != bool(self.key_file):
            given = "cert_file" if self.cert_file else "key_file"
            text = shown(getattr(self, given))
            raise ConfigError(f"{given}={text}: allowed are cert_file and key_file together")

    @classmethod
    def from_url(cls, url: str) -> RedisOptions:
        """Options of a redis://, rediss:// or unix:// URL.

        Raises ConfigError, never showing a password.
        """
        return options_of_url(url, {})

    @property
    def address(self) -> str:
        """The URL without user and password; of shards, all of them."""
        scheme = "rediss" if self.tls else "redis"
        if self.shards:
            return ", ".join(shard.address for shard in self.shards)
        if self.service:
            return f"{scheme}+sentinel://{shown_nodes(self.nodes)}/{self.service}/{self.db}"
        if self.nodes:
            return f"{scheme}+cluster://{shown_nodes(self.nodes)}"
        if self.unix_socket:
            return f"unix://{self.unix_socket}?db={self.db}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}:{self.port}/{self.db}"


@dataclass(frozen=True, kw_only=True)
class SmallOrHot:
    """Which values may enter memory: those of at most `bytes`, and those hit often in Redis.

    `bytes` is a size such as 100 or "4KiB"; of a vector its numbers count, of an object its
    MessagePack. Often is more than `hits` times, 0 to 254; all counts are halved with every 65,536
    hits in Redis, so that old ones fade. Raises ConfigError naming the option that is not allowed.
    """

    bytes: Size = 100
    hits: int = 50

    def __post_init__(self) -> None:
        parse_admit_bytes(self.bytes, "bytes")
        _check_range("hits", self.hits, 0, MAX_HITS - 1)


def parse_admit_bytes(value: object, name: str) -> int:
    """Bytes of the largest small value; else a ConfigError."""
    allowed = 'allowed is 0 to 256 MiB, as bytes or text such as "4KiB"'
    try:
        return parse_size(value, name, most=_MAX_BYTES, allowed=allowed)
    except (TypeError, ValueError) as error:
        raise ConfigError(str(error)) from None


def options_of_url(url: object, defaults: Mapping[str, Any]) -> RedisOptions:
    """As RedisOptions.from_url(); `defaults` are for what the URL leaves open."""
    if not isinstance(url, str):  # not shown: bytes may hold a password
        raise ConfigError(f"url of type {type(url).__name__}: allowed is a str; {_SUPPORTED}")
    scheme = url.partition("://")[0].lower() if "://" in url else ""
    if scheme not in _SCHEMES:
        named = repr(scheme) if _SCHEME.fullmatch(scheme) else "unknown"
        raise ConfigError(f"redis URL of scheme {named}: {_SUPPORTED}")
    try:
        parts = _split(url)
        if "@" in parts.path + parts.query + parts.fragment:
            raise ValueError("credentials with unescaped characters")
        own = _place(parts) | _credentials(parts) | _query(parts)
        return RedisOptions(**(dict(defaults) | own))
    except ConfigError as error:
        raise ConfigError(f"redis URL {scheme}://…: {error}") from None
    except ValueError:  # its text may quote a part of a password that was not escaped
        raise ConfigError(
            f"redis URL {scheme}://… cannot be read; {_SUPPORTED};"
            " special characters in user and password must be percent-encoded"
        ) from None


def _split(url: str) -> SplitResult:
    """As urlsplit(), which in many versions of Python takes no list of hosts with brackets."""
    from urllib.parse import urlsplit

    scheme, _, rest = url.partition("://")
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    if "," not in authority:
        return urlsplit(url)
    return urlsplit(f"{scheme}://{rest[len(authority) :]}")._replace(netloc=authority)


def parse_redis(value: object) -> RedisOptions | None:
    """The argument `redis` of a cache as options; None stays None: memory only."""
    if value is None or isinstance(value, RedisOptions):
        return value
    if isinstance(value, str):
        return RedisOptions.from_url(value)
    if isinstance(value, list | tuple) and value:
        parts = tuple(parse_redis(part) for part in value)
        if None not in parts:
            return RedisOptions(shards=parts)  # type: ignore[arg-type]
    raise ConfigError(
        f"redis of type {type(value).__name__}: allowed are None, RedisOptions, a URL and a list of"
        " them;"
        f" {_SUPPORTED}"
    )


def with_timeouts(options: RedisOptions, timeout: float, connect_timeout: float) -> RedisOptions:
    """`options` with both timeouts in seconds, the given ones where it has none of its own."""
    own, own_connect = options.timeout, options.connect_timeout
    return replace(
        options,
        timeout=timeout if own is None else parse_timeout(own, "timeout"),
        connect_timeout=(
            connect_timeout
            if own_connect is None
            else parse_timeout(own_connect, "connect_timeout")
        ),
    )


def parse_timeout(value: object, name: str) -> float:
    """Seconds of a timeout, at least a millisecond and at most an hour; else a ConfigError."""
    allowed = 'allowed is 1 ms to 1 hour, as seconds, a timedelta or text such as "250ms"'
    seconds = duration_option(value, name, allowed=allowed)
    if not 0.001 <= seconds <= 3600:
        raise ConfigError(f"{name}={shown(value)}: {allowed}")
    return seconds


def _check_text(name: str, value: object) -> None:
    if not isinstance(value, str) or "\0" in value:
        raise ConfigError(f"{name}={shown(value)}: allowed is text without NUL")


def _check_range(name: str, value: object, least: int, most: int) -> None:
    if type(value) is not int or not least <= value <= most:
        raise ConfigError(f"{name}={shown(value)}: allowed is an int from {least} to {most}")


def _place(parts: SplitResult) -> dict[str, Any]:
    if "+" not in parts.scheme:
        return _address(parts)
    options = servers_of_url(parts)
    if "db" in options:
        options["db"] = _number("db", options["db"])
    return options


def _address(parts: SplitResult) -> dict[str, Any]:
    from urllib.parse import unquote

    if parts.scheme.lower() == "unix":
        # unix://user:password@/path and unix:///path
        if parts.hostname or not parts.path.strip("/"):
            raise ConfigError("no path to a socket; allowed is unix:///path")
        return {"unix_socket": unquote(parts.path)}
    if "," in parts.netloc.rpartition("@")[2]:
        raise ConfigError(
            "several servers: allowed are redis=[URL, …], redis+cluster:// and redis+sentinel://"
        )
    address: dict[str, Any] = {"host": unquote(parts.hostname or ""), "port": parts.port or 6379}
    if parts.scheme.lower() == "rediss":
        address["tls"] = True
    db = parts.path.strip("/")
    if db:
        address["db"] = _number("db", db)
    if parts.port == 0:
        raise ConfigError("port=0: allowed is an int from 1 to 65535")
    return address


def _credentials(parts: SplitResult) -> dict[str, Any]:
    from urllib.parse import unquote

    given = {"username": parts.username, "password": parts.password}
    return {name: unquote(text) for name, text in given.items() if text}


def _query(parts: SplitResult) -> dict[str, Any]:
    from urllib.parse import parse_qsl

    if parts.fragment:
        raise ConfigError("a fragment (#…) is not allowed; percent-encode special characters")
    if not parts.query:
        return {}
    query: dict[str, Any] = {}
    kind = parts.scheme.lower().partition("+")[2]
    allowed = _QUERY | _TLS_QUERY | SERVERS_QUERY.get(kind, {})
    for name, text in parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True):
        if name not in allowed:
            raise ConfigError(f"query option {name!r}: allowed are {', '.join(allowed)}")
        if name in _TLS_QUERY and not parts.scheme.lower().startswith("rediss"):
            raise ConfigError(f"query option {name!r}: allowed only for TLS, with rediss://")
        query[name] = _READERS[allowed[name]](name, text)
    return query


def _flag(name: str, text: str) -> bool:
    if text not in _FLAGS:
        raise ConfigError(f"{name}={shown(text)}: allowed are yes and no")
    return _FLAGS[text]


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        raise ConfigError(f"{name}={shown(text)}: allowed is a whole number")
    return int(text)


_READERS: dict[type, Callable[[str, str], Any]] = {
    int: _number,
    str: lambda _, text: text,
    bool: _flag,
}
