"""What a cache refuses: the type of the exception, what it names, and that nothing was stored."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from clocked import ClockedCache

from vcache import Cache, EmbeddingCache
from vcache._messages import shown
from vcache.errors import ConfigError, SerializationError

VECTOR = np.ones(4, "f4")
Call = Callable[[ClockedCache, Any], Any]

KEY_CALLS: dict[str, Call] = {
    "get": lambda c, key: c.get(key),
    "lookup": lambda c, key: c.lookup(key),
    "set": lambda c, key: c.set(key, 1),
    "set_general": lambda c, key: c.set(key, 1, ttl="5m"),
    "mget": lambda c, key: c.mget(["kept", key]),
    "mset": lambda c, key: c.mset([("new", 1), (key, 1)]),
    "get_vectors": lambda c, key: c.get_vectors(["kept", key]),
    "set_vectors": lambda c, key: c.set_vectors(["new", key], np.ones((2, 4), "f4")),
    "get_or_set": lambda c, key: c.get_or_set(key, lambda: 1),
    "get_or_set_many": lambda c, key: c.get_or_set_many(["new", key], lambda keys: [1] * len(keys)),
    "delete": lambda c, key: c.delete(key),
    "mdelete": lambda c, key: c.mdelete(["kept", key]),
    "touch": lambda c, key: c.touch(key, 5),
    "exists": lambda c, key: c.exists(key),
}
BAD_KEYS = [
    (5, TypeError, "5"),
    (None, TypeError, "None"),
    (("a",), TypeError, "('a',)"),
    (bytearray(b"k"), TypeError, "bytearray"),
    (np.str_, TypeError, "numpy.str_"),
    ("", ValueError, "''"),
    (b"", ValueError, "b''"),
    ("x" * 1025, ValueError, "1025 bytes"),
    ("é" * 513, ValueError, "1026 bytes"),
    ("\ud800", ValueError, "UTF-8"),
]


@pytest.fixture
def cache() -> Any:
    with ClockedCache() as cache:
        cache.set("kept", 1)
        yield cache
        assert cache.stats().entries == 1, "something was stored"
        assert cache.get("kept") == 1, "something was lost"


@pytest.mark.parametrize("call", KEY_CALLS)
@pytest.mark.parametrize(("key", "error", "shown"), BAD_KEYS, ids=str)
def test_key(cache: ClockedCache, call: str, key: Any, error: type[Exception], shown: str) -> None:
    with pytest.raises(error, match="key") as caught:
        KEY_CALLS[call](cache, key)
    assert shown in str(caught.value)
    assert "allowed" in str(caught.value)


KEYS_CALLS: dict[str, Call] = {
    "mget": lambda c, keys: c.mget(keys),
    "get_vectors": lambda c, keys: c.get_vectors(keys),
    "set_vectors": lambda c, keys: c.set_vectors(keys, np.ones((3, 4), "f4")),
    "mdelete": lambda c, keys: c.mdelete(keys),
    "get_or_set_many": lambda c, keys: c.get_or_set_many(keys, lambda missing: missing),
}


@pytest.mark.parametrize("call", KEYS_CALLS)
@pytest.mark.parametrize("keys", ["abc", b"abc", 5, None])
def test_keys_are_a_sequence(cache: ClockedCache, call: str, keys: Any) -> None:
    with pytest.raises(TypeError, match="keys=.*allowed is a sequence of str or bytes"):
        KEYS_CALLS[call](cache, keys)


@pytest.mark.parametrize("items", [5, "ab", [("a",)], [1], None, {"a"}])
def test_items_are_a_mapping_or_pairs(cache: ClockedCache, items: Any) -> None:
    with pytest.raises(TypeError, match=f"items of type {type(items).__name__}: allowed"):
        cache.mset(items)


TTL_CALLS: dict[str, Call] = {
    "set": lambda c, ttl: c.set("new", 1, ttl=ttl),
    "mset": lambda c, ttl: c.mset({"new": 1}, ttl=ttl),
    "set_vectors": lambda c, ttl: c.set_vectors(["new"], np.ones((1, 4), "f4"), ttl=ttl),
    "get_or_set": lambda c, ttl: c.get_or_set("new", lambda: 1, ttl=ttl),
    "get_or_set_many": lambda c, ttl: c.get_or_set_many(["new"], lambda keys: [1], ttl=ttl),
    "touch": lambda c, ttl: c.touch("kept", ttl),
    "cached": lambda c, ttl: c.cached(ttl=ttl)(lambda x: x),
    "constructor": lambda c, ttl: Cache(ttl=ttl),
}


@pytest.mark.parametrize("call", TTL_CALLS)
@pytest.mark.parametrize(
    "ttl",
    [0, -1, -0.5, True, float("nan"), float("inf"), 1e10, "", "soon", "-5m", timedelta(0), 10**400],
)
def test_ttl(cache: ClockedCache, call: str, ttl: Any) -> None:
    with pytest.raises(ValueError, match="ttl=.*allowed is more than 0.*10 years") as caught:
        TTL_CALLS[call](cache, ttl)
    assert f"ttl={shown(ttl)}" in str(caught.value)


@pytest.mark.parametrize("ttl", [[], b"5m", object()])
def test_ttl_type(cache: ClockedCache, ttl: Any) -> None:
    with pytest.raises(TypeError, match=f"ttl=.*of type {type(ttl).__name__}.*allowed"):
        cache.set("new", 1, ttl=ttl)


def test_memory_ttl_is_named(cache: ClockedCache) -> None:
    with pytest.raises(ValueError, match="^memory_ttl=0"):
        cache.set("new", 1, memory_ttl=0)


class Foreign:
    pass


BAD_VALUES = [
    (Foreign(), SerializationError, "Foreign"),
    ({1, 2}, SerializationError, "set"),
    (1 + 2j, SerializationError, "complex"),
    (np.float32(1), SerializationError, "float32"),
    ([1, {"deep": [Foreign()]}], SerializationError, "Foreign"),
    ({(1, 2): 3}, SerializationError, "tuple"),
    (lambda: 1, SerializationError, "function"),
    (bytearray(b"x"), SerializationError, "bytearray"),
    (2**64, SerializationError, "2**64"),
    ("\ud800", SerializationError, "surrogates"),
    (np.zeros(3, "c8"), SerializationError, "complex64"),
    (np.zeros(3, bool), SerializationError, "bool"),
    (np.zeros(3, "u8"), SerializationError, "uint64"),
    (np.array(["a"]), SerializationError, "<U1"),
    (np.array([None, 1]), SerializationError, "dtype('O')"),
    (np.array(["2020"], "M8[Y]"), SerializationError, "M8[Y]"),
    (np.zeros((1,) * 5, "f4"), ValueError, "(1, 1, 1, 1, 1)"),
    (np.zeros((2, 0), "f4"), ValueError, "(2, 0)"),
    (np.ma.masked_array([1.0, 2.0], [True, False]), TypeError, "masked"),
    ([np.zeros(3, "c8")], SerializationError, "complex64"),
]
VALUE_CALLS: dict[str, Call] = {
    "set": lambda c, value: c.set("new", value),
    "set_general": lambda c, value: c.set("new", value, ttl="5m"),
    "mset": lambda c, value: c.mset({"first": 1, "new": value}),
    "get_or_set": lambda c, value: c.get_or_set("new", lambda: value),
    "get_or_set_many": lambda c, value: c.get_or_set_many(["first", "new"], lambda _: [1, value]),
}


@pytest.mark.parametrize("call", VALUE_CALLS)
@pytest.mark.parametrize(("value", "error", "shown"), BAD_VALUES, ids=str)
def test_value(
    cache: ClockedCache, call: str, value: Any, error: type[Exception], shown: str
) -> None:
    with pytest.raises(error) as caught:
        VALUE_CALLS[call](cache, value)
    assert shown in str(caught.value)
    assert "allowed" in str(caught.value) or "cannot be stored" in str(caught.value)


def test_endless_value(cache: ClockedCache) -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(SerializationError, match="64 levels"):
        cache.set("new", value)


@pytest.mark.parametrize("value", ["x" * 200, b"x" * 200, np.zeros(100, "f4"), [1] * 300])
@pytest.mark.parametrize("call", VALUE_CALLS)
def test_value_over_max_value(call: str, value: Any) -> None:
    with ClockedCache(max_value=128) as cache:
        with pytest.raises(ValueError, match=r"value of \d+ bytes.*allowed.*max_value=128"):
            VALUE_CALLS[call](cache, value)
        assert cache.stats().entries == 0


@pytest.mark.parametrize(
    ("matrix", "error", "says"),
    [
        ([[1.0] * 4] * 2, TypeError, "matrix of type list"),
        (None, TypeError, "matrix of type NoneType"),
        (np.ones(4, "f4"), ValueError, "matrix of 1 dimensions: allowed are 2"),
        (np.ones((2, 2, 2), "f4"), ValueError, "matrix of 3 dimensions"),
        (np.ones((3, 4), "f4"), ValueError, "3 rows for 2 keys"),
        (np.ones((2, 0), "f4"), ValueError, r"matrix of shape \(2, 0\)"),
        (np.ones((2, 4), "c8"), SerializationError, "matrix of dtype.*complex64"),
        (np.ones((2, 4), object), SerializationError, "matrix of dtype"),
    ],
)
def test_matrix(cache: ClockedCache, matrix: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        cache.set_vectors(["new", "newer"], matrix)


@pytest.mark.parametrize(
    "out",
    [
        np.zeros((2, 4), "f8"),
        np.zeros((3, 4), "f4"),
        np.zeros((2, 5), "f4"),
        np.zeros(8, "f4"),
        np.zeros((4, 2), "f4").T,
        np.zeros((2, 8), "f4")[:, ::2],
        np.zeros((2, 4), ">f4"),
        np.broadcast_to(np.zeros(4, "f4"), (2, 4)),
        [[0.0] * 4] * 2,
    ],
    ids=lambda out: str(getattr(out, "dtype", type(out))) + str(np.shape(out)),
)
def test_out(cache: ClockedCache, out: Any) -> None:
    with pytest.raises(ValueError, match=r"(?s)out=.*writeable C-contiguous \(2, 4\)"):
        cache.get_vectors(["kept", "no"], dim=4, out=out)


@pytest.mark.parametrize(
    ("dim", "error"), [(0, ValueError), (-1, ValueError), (2**31, ValueError), (True, TypeError),
                       (1.5, TypeError), ("4", TypeError)]
)  # fmt: skip
def test_dim(cache: ClockedCache, dim: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="dim=.*allowed is None or an int") as caught:
        cache.get_vectors(["kept"], dim=dim)
    assert repr(dim) in str(caught.value)


@pytest.mark.parametrize(
    ("dtype", "error"),
    [("complex64", ValueError), ("U4", ValueError), (">f4", ValueError), ("colour", TypeError),
     (bool, ValueError), (object, ValueError), (None, TypeError)],
)  # fmt: skip
def test_dtype(cache: ClockedCache, dtype: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="dtype=.*allowed"):
        cache.get_vectors(["kept"], dtype=dtype)


@pytest.mark.parametrize(
    ("cost", "error"),
    [(-1, ValueError), (float("nan"), ValueError), (float("inf"), ValueError), ("1", TypeError),
     (True, TypeError), (1e39, ValueError), (10**400, ValueError)],
)  # fmt: skip
def test_cost(cache: ClockedCache, cost: Any, error: type[Exception]) -> None:
    for call in (
        lambda: cache.set("new", 1, cost=cost),
        lambda: cache.set_vectors(["new"], np.ones((1, 4), "f4"), cost=cost),
        lambda: cache.get_or_set("new", lambda: 1, cost=cost),
    ):
        with pytest.raises(error, match="cost=.*allowed") as caught:
            call()
        assert f"cost={shown(cost)}" in str(caught.value)


@pytest.mark.parametrize(
    ("metadata", "error", "says"),
    [
        ([1], TypeError, "metadata=.*of type list.*allowed is None or a dict"),
        ("m", TypeError, "metadata='m'"),
        ({"a": {1}}, SerializationError, "metadata holds .* of type set"),
        ({"a": "x" * 70_000}, ValueError, r"metadata of 70\d+ bytes: allowed are at most 65536"),
    ],
)
def test_metadata(cache: ClockedCache, metadata: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        cache.set("new", VECTOR, metadata=metadata)


def test_unknown_keyword(cache: ClockedCache) -> None:
    with pytest.raises(TypeError, match="colour"):
        cache.set("new", 1, colour=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="colour"):
        Cache(colour=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        Cache("100MiB")  # type: ignore[misc]


BAD_ARGUMENTS = [
    ("memory", -1),
    ("memory", 1),
    ("memory", (64 << 10) - 1),
    ("memory", "1KiB"),
    ("memory", "9" * 400 + "GiB"),
    pytest.param("max_entries", 10**5000, id="max_entries-huge"),
    ("timeout", 10**400),
    pytest.param("ttl", 10**5000, id="ttl-huge"),
    ("memory", "lots"),
    ("memory", 1.5),
    ("memory", True),
    ("memory", []),
    ("max_entries", 0),
    ("max_entries", -5),
    ("max_entries", 1.0),
    ("max_entries", True),
    ("policy", "mru"),
    ("policy", None),
    ("policy", "belady"),
    ("namespace", ""),
    ("namespace", "a:b"),
    ("namespace", "a b"),
    ("namespace", "n" * 65),
    ("namespace", "vcache\n"),
    ("namespace", "ключ"),
    ("namespace", 5),
    ("ttl", 0),
    ("ttl", "soon"),
    ("ttl", []),
    ("memory_ttl", -1),
    ("jitter", 1),
    ("jitter", -0.1),
    ("jitter", float("nan")),
    ("jitter", True),
    ("jitter", "0.1"),
    ("timeout", 0),
    ("timeout", "2h"),
    ("timeout", None),
    ("connect_timeout", float("inf")),
    ("strict", 1),
    ("strict", "yes"),
    ("max_value", 0),
    ("max_value", "1GiB"),
    ("max_value", None),
    ("metrics", 0),
    ("compression", None),
    ("compression", "gzip"),
    ("compression", True),
    ("storage_dtype", "float64"),
    ("storage_dtype", np.float16),
]


@pytest.mark.parametrize(("name", "value"), BAD_ARGUMENTS)
def test_constructor(name: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=f"^{name}=.*allowed") as caught:
        Cache(**{name: value})
    assert f"{name}={shown(value)}" in str(caught.value)


def test_the_least_memory_holds_a_vector() -> None:
    for policy in ("lru", "lfu", "s3fifo", "sieve", "arc", "wtinylfu", "gdsf", "learned"):
        with Cache(memory="64KiB", policy=policy) as cache:
            cache.set("k", np.ones(1536, "f4"))
            assert cache.stats().entries == 1


@pytest.mark.parametrize("factory", [5, None, "f"])
def test_factory(cache: ClockedCache, factory: Any) -> None:
    with pytest.raises(TypeError, match="factory=.*allowed is a callable"):
        cache.get_or_set("kept", factory)
    with pytest.raises(TypeError, match="factory=.*allowed is a callable"):
        cache.get_or_set_many(["new"], factory)


LONG = "x" * 100_000


@pytest.mark.parametrize(
    "call",
    [
        lambda cache: cache.mget(LONG),
        lambda cache: cache.get_vectors(["k"], dim=LONG),
        lambda cache: cache.set("k", 1, metadata=LONG),
        lambda cache: cache.set("k", 1, metadata={"a": {LONG}}),
        lambda cache: cache.get_or_set("k", LONG),
        lambda cache: cache.cached(key_prefix=[LONG])(len),
        lambda cache: EmbeddingCache(len, model="m", cache=cache).embed(LONG),
    ],
)
def test_no_error_repeats_all_that_was_given(cache: ClockedCache, call: Any) -> None:
    with pytest.raises((TypeError, SerializationError), match="allowed") as caught:
        call(cache)
    assert len(str(caught.value)) < 400
