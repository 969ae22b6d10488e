"""What lies in Redis: readable by a stranger, and distrusted."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from redis_server import RedisServer

from vcache import MISSING, Cache
from vcache.objects import decode

MakeCache = Callable[..., Cache]

HEADER = 96
KIND, DTYPE, NDIM, SHAPE, METADATA_LENGTH, PAYLOAD_LENGTH = 5, 6, 48, 32, 52, 56
DTYPES = {1: "<f4", 2: "<f2", 3: "<f8", 4: "i1", 5: "u1", 6: "<i4", 7: "<i8"}


def read_as_a_stranger(raw: bytes) -> Any:
    """A stored value by what cpp/l2/codec/FORMAT.md says, without vcache."""
    assert raw[:5] == b"VCHE\x01"
    metadata, length = struct.unpack_from("<II", raw, METADATA_LENGTH)
    start = (HEADER + metadata + 63) // 64 * 64
    assert len(raw) == start + length
    if raw[KIND] == 0:
        return decode(raw[start:])
    shape = struct.unpack_from("<4I", raw, SHAPE)[: raw[NDIM]]
    return np.frombuffer(raw, DTYPES[raw[DTYPE]], offset=start).reshape(shape)


@pytest.mark.parametrize("dtype", list(DTYPES.values()))
@pytest.mark.parametrize("metadata", [None, {"model": "m" * 200}])
def test_a_stranger_can_read_a_vector(
    make_cache: MakeCache, redis_server: RedisServer, dtype: str, metadata: Any
) -> None:
    value = np.arange(6).astype(dtype).reshape(2, 3)
    make_cache().set("k", value, metadata=metadata)
    with redis_server.client() as redis:
        raw = redis.get("vcache:k")
    read = read_as_a_stranger(raw)
    assert read.dtype == value.dtype
    np.testing.assert_array_equal(read, value)


def test_a_stranger_can_read_an_object(make_cache: MakeCache, redis_server: RedisServer) -> None:
    make_cache().set("k", {"a": [1, "é", None]})
    with redis_server.client() as redis:
        assert read_as_a_stranger(redis.get("vcache:k")) == {"a": [1, "é", None]}


def test_redis_bytes_of_a_vector(make_cache: MakeCache, redis_server: RedisServer) -> None:
    make_cache().set("k", np.ones(1536, "f4"))
    with redis_server.client() as redis:
        assert redis.strlen("vcache:k") <= 1.05 * 6144
        assert redis.memory_usage("vcache:k", samples=0) <= 1.2 * 6144


def spoil(raw: bytes, at: int, byte: int | None = None) -> bytes:
    return raw[:at] + bytes([raw[at] ^ 0xFF if byte is None else byte]) + raw[at + 1 :]


FOREIGN = [
    b"",
    b"x",
    b"hello world",
    b"VCHE",
    b"VCHE\x01" + bytes(91),
    b"\x93NUMPY\x01\x00" + bytes(200),
    b"\x80\x04K\x01.",
    bytes(4096),
]


@pytest.mark.parametrize("raw", FOREIGN, ids=lambda raw: raw[:8].hex())
def test_foreign_values(make_cache: MakeCache, redis_server: RedisServer, raw: bytes) -> None:
    cache = make_cache()
    with redis_server.client() as redis:
        redis.set("vcache:k", raw)
        assert cache.get("k", MISSING) is MISSING
        assert cache.get_vectors(["k"], dim=4)[1].tolist() == [False]
        assert cache.mget(["k"], MISSING) == [MISSING]
    stats = cache.stats()
    assert (stats.hits, stats.misses) == (0, 3)
    assert stats.redis is not None
    assert sum(stats.redis["errors"].values()) >= 1
    assert cache.get_or_set("k", lambda: 5) == 5
    assert make_cache().get("k") == 5


@pytest.mark.parametrize("kind", ["list", "hash", "set"])
def test_a_key_of_another_redis_type(
    make_cache: MakeCache, redis_server: RedisServer, kind: str
) -> None:
    cache = make_cache(memory=0)
    with redis_server.client() as redis:
        if kind == "list":
            redis.rpush("vcache:k", "a")
        elif kind == "hash":
            redis.hset("vcache:k", "a", "b")
        else:
            redis.sadd("vcache:k", "a")
    cache.set("j", 1)
    assert cache.mget(["k", "j"], MISSING) == [MISSING, 1]
    assert cache.get("k", MISSING) is MISSING


def test_any_flipped_byte_is_a_miss(make_cache: MakeCache, redis_server: RedisServer) -> None:
    cache = make_cache(memory=0)
    cache.set("k", np.arange(16, dtype="f4"), metadata={"a": 1})
    with redis_server.client() as redis:
        raw = redis.get("vcache:k")
        for at in range(len(raw)):
            redis.set("vcache:k", spoil(raw, at))
            assert cache.get("k", MISSING) is MISSING, at
        redis.set("vcache:k", raw)
        assert cache.get("k") is not None
    assert cache.stats().misses == len(raw)


def test_any_truncation_or_addition_is_a_miss(
    make_cache: MakeCache, redis_server: RedisServer
) -> None:
    cache = make_cache(memory=0)
    cache.set("k", np.arange(16, dtype="f4"))
    with redis_server.client() as redis:
        raw = redis.get("vcache:k")
        for length in range(len(raw)):
            redis.set("vcache:k", raw[:length])
            assert cache.get("k", MISSING) is MISSING, length
        redis.set("vcache:k", raw + b"\0")
        assert cache.get("k", MISSING) is MISSING


def test_a_value_of_another_key_or_namespace_is_a_miss(
    make_cache: MakeCache, redis_server: RedisServer
) -> None:
    cache, other = make_cache(memory=0), make_cache(memory=0, namespace="other")
    cache.mset({"a": "of a", "b": "of b"})
    with redis_server.client() as redis:
        redis.copy("vcache:a", "vcache:b", replace=True)
        redis.copy("vcache:a", "other:a")
    assert cache.get("b", MISSING) is MISSING
    assert other.get("a", MISSING) is MISSING
    assert cache.get("a") == "of a"


def test_a_spoilt_element_leaves_the_rest_of_a_batch(
    make_cache: MakeCache, redis_server: RedisServer
) -> None:
    cache = make_cache(memory=0)
    keys = [f"k{index}" for index in range(50)]
    matrix = np.arange(200, dtype="f4").reshape(50, 4)
    cache.set_vectors(keys, matrix)
    with redis_server.client() as redis:
        for index in (0, 7, 49):
            redis.setrange(f"vcache:k{index}", 100, b"\xff\xff")
        redis.delete("vcache:k20")
    out, found = cache.get_vectors(keys, dim=4)
    wrong = [0, 7, 20, 49]
    assert np.flatnonzero(~found).tolist() == wrong
    np.testing.assert_array_equal(out[found], np.delete(matrix, wrong, axis=0))
