"""What `bench` measures."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np

from ..cache import Cache
from ..errors import RedisError
from ..options import RedisOptions
from ._measuring import Match
from ._place import Place

__all__ = ["memory_matches", "redis_matches"]

_WIDTH = 384  # of a vector
_NUMBER = 1000  # of keys
_TTL = 120.0
_TEXT = "an answer of some hundred letters, as a model gives one " * 4


def _vectors() -> Any:
    return np.random.default_rng(0).standard_normal((_NUMBER, _WIDTH), dtype=np.float32)


def _each(function: Callable[[Any], object], keys: list[str]) -> None:
    for key in keys:
        function(key)


@contextmanager
def memory_matches() -> Iterator[list[Match]]:
    """Of a cache in memory against a dict."""
    keys, matrix = [f"v:{number}" for number in range(_NUMBER)], _vectors()
    names = [f"t:{number}" for number in range(_NUMBER)]
    plain: dict[str, Any] = {key: row.copy() for key, row in zip(keys, matrix, strict=True)}
    texts = dict.fromkeys(names, _TEXT)
    row = matrix[0]
    with Cache(memory="64MiB", ttl=None, memory_ttl=None) as cache:
        cache.set_vectors(keys, matrix)
        cache.mset([*texts.items()])

        def set_ours() -> None:
            for key in keys:
                cache.set(key, row)

        def set_plain() -> None:
            for key in keys:
                plain[key] = row.copy()

        def stack_plain() -> object:
            return np.stack([plain[key] for key in keys])

        def mget_plain() -> object:
            return [texts.get(name) for name in names]

        n = _NUMBER
        yield [
            Match("get a vector", n, partial(_each, cache.get, keys), "dict.get",
                  partial(_each, plain.get, keys)),
            Match("get a text", n, partial(_each, cache.get, names), "dict.get",
                  partial(_each, texts.get, names)),
            Match("set a vector", n, set_ours, "dict, of a copy", set_plain),
            Match(f"get_vectors of {n}", 1, lambda: cache.get_vectors(keys), "dict and np.stack",
                  stack_plain),
            Match(f"mget of {n} texts", 1, lambda: cache.mget(names), "dict", mget_plain),
        ]  # fmt: skip


@contextmanager
def redis_matches(place: Place) -> Iterator[list[Match]]:
    """Of a cache in Redis against redis-py, if that is installed and there is one server."""
    if place.redis is None:
        yield []
        return
    head = f"bench:{secrets.token_hex(4)}"
    keys, matrix = [f"{head}:{number}" for number in range(_NUMBER)], _vectors()
    client = _client(place.redis, f"{place.in_redis}:{head}:raw:0")
    with Cache(
        redis=place.redis, namespace=place.in_redis, memory=None, ttl=_TTL, strict=True
    ) as cache:
        try:
            cache.set_vectors(keys, matrix)
            yield _in_redis(cache, client, f"{place.in_redis}:{head}:raw", keys, matrix)
        finally:
            with suppress(RedisError):
                cache.mdelete(keys)
            if client is not None:
                _forget(client, f"{place.in_redis}:{head}:raw")


def _in_redis(cache: Cache, client: Any, head: str, keys: list[str], matrix: Any) -> list[Match]:
    some, n = keys[:100], _NUMBER
    raw = [f"{head}:{number}" for number in range(n)]
    ours: list[tuple[str, int, Callable[[], object]]] = [
        ("Redis: get a vector", len(some), partial(_each, cache.get, some)),
        (f"Redis: get_vectors of {n}", 1, lambda: cache.get_vectors(keys)),
        (f"Redis: set_vectors of {n}", 1, lambda: cache.set_vectors(keys, matrix)),
    ]
    if client is None:
        return [Match(*each) for each in ours]

    def set_theirs() -> None:
        with client.pipeline(transaction=False) as pipe:
            for name, row in zip(raw, matrix, strict=True):
                pipe.set(name, row.tobytes(), ex=int(_TTL))
            pipe.execute()

    def get_theirs(name: str) -> object:
        return np.frombuffer(client.get(name), "f4")

    def mget_theirs() -> object:
        return np.stack([np.frombuffer(data, "f4") for data in client.mget(raw)])

    set_theirs()
    theirs: list[tuple[str, Callable[[], object]]] = [
        ("redis-py GET", partial(_each, get_theirs, raw[:100])),
        ("redis-py MGET, np.stack", mget_theirs),
        ("redis-py pipeline of SET", set_theirs),
    ]
    return [Match(*mine, *other) for mine, other in zip(ours, theirs, strict=True)]


def _client(redis: RedisOptions, key: str) -> Any:
    """One of redis-py for the same server, which may do what is measured of it; else None."""
    if redis.nodes or redis.shards or redis.service or find_spec("redis") is None:
        return None
    from redis import Redis
    from redis.exceptions import RedisError as TheirError

    client = Redis(**_login(redis))
    try:
        client.set(key, b"", ex=int(_TTL))
        client.get(key)
    except TheirError:  # GET is no right that vcache needs
        client.close()
        return None
    return client


def _login(redis: RedisOptions) -> dict[str, Any]:
    """Arguments of redis-py that say the same."""
    login: dict[str, Any] = {"db": redis.db, "socket_timeout": 2.0}
    login |= {"username": redis.username or None, "password": redis.password or None}
    if redis.unix_socket:
        return login | {"unix_socket_path": redis.unix_socket}
    if redis.tls:
        login |= {
            "ssl": True,
            "ssl_ca_certs": redis.ca_file or None,
            "ssl_certfile": redis.cert_file or None,
            "ssl_keyfile": redis.key_file or None,
            "ssl_cert_reqs": "required" if redis.verify == "full" else "none",
        }
    return login | {"host": redis.host, "port": redis.port}


def _forget(client: Any, head: str) -> None:
    with suppress(Exception):  # they expire anyway
        client.unlink(*(f"{head}:{number}" for number in range(_NUMBER)))
        client.close()
