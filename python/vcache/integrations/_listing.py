"""Which keys a cache holds, for hosts whose stores list them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any
from weakref import WeakKeyDictionary

from .._locks import ForkLock
from .._messages import shown
from ..cache import Cache
from ..errors import RedisError
from ..keys import escape
from ..options import RedisOptions

__all__ = ["keys_under", "note"]

_PAGE = "10000"  # keys that one SCAN looks at
_SPARE = 1024


class _Written:
    """The keys that the integrations stored in a cache without Redis, most of which it holds."""

    def __init__(self) -> None:
        self._keys: dict[str, None] = {}
        self._most = _SPARE
        self._lock = ForkLock()

    def add(self, cache: Cache, keys: Iterable[str]) -> None:
        with self._lock:
            self._keys.update(dict.fromkeys(keys))
            if len(self._keys) > self._most:  # half of them are gone, or the cache has grown
                self._keys = {key: None for key in self._keys if cache.exists(key)}
                self._most = 2 * len(self._keys) + _SPARE

    def under(self, prefix: str) -> list[str]:
        with self._lock:
            return [key for key in self._keys if key.startswith(prefix)]


_written: WeakKeyDictionary[Cache, _Written] = WeakKeyDictionary()
_lock = ForkLock()


def _of(cache: Cache) -> _Written:
    with _lock:
        return _written.setdefault(cache, _Written())


def note(cache: Cache, keys: Iterable[str]) -> None:
    """Tells of keys that are being stored. Redis lists its own."""
    if not cache._has_redis:
        _of(cache).add(cache, keys)


def keys_under(cache: Cache, prefix: str) -> Iterator[str]:
    """The keys that begin with `prefix` and that `cache` holds, in no order, each once.

    With Redis those in Redis, by SCAN, some round trips for each 10,000 keys there; a RedisError if
    it gives no answer. Without it those that this process stored through the integrations.
    """
    redis = cache._config.redis
    found = _of(cache).under(prefix) if redis is None else _in_redis(cache, redis, prefix)
    return (key for key in found if cache.exists(key))


def _in_redis(cache: Cache, redis: RedisOptions, prefix: str) -> Iterator[str]:
    from .._topology import find_servers

    is_cluster = bool(redis.nodes) and not redis.service
    head = f"{{}}{cache._config.namespace}:" if is_cluster else f"{cache._config.namespace}:"
    pattern = f"{escape(head + prefix)}*"
    route = find_servers(redis)
    if not route.servers:
        raise RedisError("; ".join(finding.text for finding in route.findings) or "no server")
    seen: set[str] = set()
    for server in route.servers:
        for name in _scan(server, pattern):
            key = name.decode("utf-8", "surrogateescape").removeprefix(head)
            if key not in seen:
                seen.add(key)
                yield key


def _scan(server: RedisOptions, pattern: str) -> Iterator[bytes]:
    from .._topology import ask

    cursor = "0"
    while True:
        (reply,) = ask(server, [["SCAN", cursor, "MATCH", pattern, "COUNT", _PAGE]])
        if isinstance(reply, RedisError):
            raise reply
        following, names = _page(reply)
        yield from names
        if following == b"0":
            return
        cursor = following.decode()


def _page(reply: Any) -> tuple[bytes, list[bytes]]:
    if isinstance(reply, list) and len(reply) == 2 and isinstance(reply[1], list):
        return reply[0], reply[1]
    raise RedisError(f"no reply to SCAN: {shown(reply)}")
