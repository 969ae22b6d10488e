"""Calls of the core as Python sees them: argument names, misuse, lifetimes of what they give."""

from __future__ import annotations

import sys
import weakref
from typing import Any

import numpy as np
import pytest
from clocked import ClockedCache

from vcache import Cache, _core, objects
from vcache.errors import SerializationError


def test_arguments_of_get_have_names(cache: ClockedCache) -> None:
    cache.set(key="a", value=1)
    cache.set("b", value=2, ttl="1h", cost=1)
    assert cache.get(key="a") == 1
    assert cache.get("b", default=3) == 2
    assert cache.get(default=3, key="c") == 3
    assert cache._memory_get(key="a") == 1


def test_arguments_of_set_have_names_on_both_paths(cache: ClockedCache) -> None:
    cache.set(value=1, key="plain", ttl=5.0, memory_ttl=None, cost=1.0)
    cache.set(value=1, key="general", metadata={"a": 1}, ttl="5s")
    assert cache.lookup("plain").ttl == pytest.approx(5.0)
    assert cache.lookup("general").metadata == {"a": 1}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda c: c.get(), "get() misses argument 'key'"),
        (lambda c: c.get("a", 1, 2), "get() takes at most 2 positional arguments, 3 were given"),
        (lambda c: c.get("a", key="b"), "get() got multiple values for argument 'key'"),
        (lambda c: c.get("a", other=1), "get() got an unexpected keyword argument 'other'"),
        (lambda c: c.set("a"), "set() misses argument 'value'"),
        (lambda c: c.set("a", 1, 2), "set() takes at most 2 positional arguments, 3 were given"),
        (lambda c: c.set("a", 1, value=2), "set() got multiple values for argument 'value'"),
        (lambda c: c.set("a", 1, ttls=2), "set() got an unexpected keyword argument 'ttls'"),
        (lambda c: c.set(value=1), "set() misses argument 'key'"),
    ],
)
def test_wrong_calls_are_named(cache: ClockedCache, call: Any, message: str) -> None:
    with pytest.raises(TypeError) as raised:
        call(cache)
    assert str(raised.value) == message


def test_a_ttl_below_a_nanosecond_is_not_zero(cache: ClockedCache) -> None:
    cache.set("fast", 1, ttl=1e-10)
    cache.set("general", 1, ttl=1e-10, metadata={"a": 1})
    assert (cache.get("fast"), cache.get("general")) == (1, 1)
    cache.clock.advance(1e-9)
    assert (cache.get("fast"), cache.get("general")) == (None, None)


@pytest.mark.parametrize("ttl", [0, -1, 0.0, float("nan"), 1e300, 10**400])
def test_ttls_out_of_range_are_refused_on_both_paths(cache: ClockedCache, ttl: float) -> None:
    for metadata in ({}, {"metadata": {"a": 1}}):
        with pytest.raises(ValueError, match="ttl="):
            cache.set("a", 1, ttl=ttl, **metadata)


def test_a_cache_is_not_made_twice() -> None:
    with Cache(memory="1MiB") as cache, pytest.raises(RuntimeError, match="called already"):
        cache.__init__(memory="1MiB")  # type: ignore[misc]


def test_a_text_call_is_not_made_twice(cache: ClockedCache) -> None:
    call = _core.TextCall(cache._tiers, str, "head")  # type: ignore[call-arg]
    with pytest.raises(RuntimeError, match="called already"):
        call.__init__(cache._tiers, str, "head")  # type: ignore[misc]


def test_a_core_is_a_core(cache: ClockedCache) -> None:
    for core in (None, 1):
        with pytest.raises(TypeError, match="allowed is a TieredCache"):
            _core.TextCall(core, str, "head")  # type: ignore[call-arg]
        with pytest.raises(TypeError, match="allowed is a TieredCache"):
            _core.CacheBase(core)  # type: ignore[call-arg]


def test_a_head_that_utf8_cannot_encode_is_refused(cache: ClockedCache) -> None:
    with pytest.raises(ValueError, match="UTF-8"):
        _core.TextCall(cache._tiers, str, "\ud800")  # type: ignore[call-arg]
    call = _core.TextCall(cache._tiers, str, "head:")  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="UTF-8"):
        call.restart("\ud800")
    cache.set("head:x", "stored")
    assert call("x") == "stored"  # type: ignore[operator]


def test_an_empty_head_and_text_are_no_key(cache: ClockedCache) -> None:
    call = _core.TextCall(cache._tiers, lambda text: f"general {text}", "")  # type: ignore[call-arg]
    assert call("") == "general "  # type: ignore[operator]


@pytest.fixture
def kept_views(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Registers a decoder that keeps what it was given, and raises."""
    kept: list[memoryview] = []

    def decode(payload: memoryview) -> None:
        kept.append(payload[1:])
        raise SerializationError("not decoded")

    _core.set_object_codec(objects.encode, decode)
    yield kept
    _core.set_object_codec(objects.encode, objects.decode)


def test_what_a_decoder_keeps_stays_whole(cache: ClockedCache, kept_views: Any) -> None:
    cache.set("a", "x" * 200)
    with pytest.raises(SerializationError):
        cache.get("a")
    before = bytes(kept_views[0])
    cache.delete("a")
    assert cache.stats().pinned_bytes > 0
    for i in range(100):
        cache.set(f"other{i}", "y" * 200)
    assert bytes(kept_views[0]) == before
    assert kept_views[0].readonly
    kept_views.clear()
    assert cache.stats().pinned_bytes == 0


def test_clear_lets_go_of_arrays_kept_for_reuse(cache: ClockedCache) -> None:
    cache.set("a", np.ones(4, np.float32))
    alive = weakref.ref(cache.get("a"))
    cache.clear()
    assert alive() is None


def test_the_bytes_of_a_pin_are_read_only(cache: ClockedCache) -> None:
    cache.set("a", np.arange(4, dtype=np.int32))
    array = cache.get("a")
    view = memoryview(array.base)
    assert view.readonly
    assert bytes(view) == np.arange(4, dtype=np.int32).tobytes()
    del array
    cache.set("b", np.zeros(4, np.int32))
    assert not cache.get("b").any()
    assert bytes(view) == np.arange(4, dtype=np.int32).tobytes()


def test_huge_numbers_keep_their_digests_apart() -> None:
    def digest(value: float) -> bytes:
        return _core.digest_vector(np.array([value]), 6)

    assert digest(1e305) != digest(2e305)
    assert digest(1e12) != digest(1e12 + 1)
    assert digest(float(2**60)) != digest(float(2**60 + 256))
    assert digest(1.0000001) == digest(1.0000002)


def test_a_long_vector_has_the_digest_of_its_values() -> None:
    values = np.arange(100_000, dtype=np.float64)
    assert _core.digest_vector(values, 6) == _core.digest_vector(values.astype(np.int64), 6)


def test_huge_rows_are_normalized() -> None:
    out = _core.normalize_rows(np.array([[3e38, 3e38], [1e-40, 0.0]], np.float32))
    assert out == pytest.approx(np.array([[0.5**0.5, 0.5**0.5], [1.0, 0.0]]), rel=1e-6)


def test_long_batches_from_memory(cache: ClockedCache) -> None:
    keys = [f"key{i}" for i in range(500)]
    cache.mset([(key, i) for i, key in enumerate(keys)])
    assert cache._tiers.memory_get_many([*keys, "none"], None) == [*range(500), None]
    assert cache._tiers.memory_has(keys)
    assert not cache._tiers.memory_has([*keys, "none"])


def test_keys_of_a_call_are_given_back(cache: ClockedCache) -> None:
    key = "".join(["key", "of", "its", "own"])
    before = sys.getrefcount(key)
    cache.set(key=key, value=1, ttl="1h")
    cache.get(key=key, default=key)
    with pytest.raises(TypeError):
        cache.set(key, value=1, other=2)  # type: ignore[call-arg]
    assert sys.getrefcount(key) == before
