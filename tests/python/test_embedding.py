from __future__ import annotations

import asyncio
import hashlib
import pickle
import threading
from typing import Any

import numpy as np
import pytest
from clocked import ClockedCache
from sync_points import DEADLINE, Waiters, in_threads

from vcache import Cache, EmbeddingCache
from vcache.errors import ConfigError


class Model:
    """Embeds a text as its length and its first character's code; notes what it was asked."""

    def __init__(self, dims: int = 2) -> None:
        self.dims = dims
        self.batches: list[list[str]] = []

    def __call__(self, texts: list[str]) -> list[list[float]]:
        self.batches.append(list(texts))
        return [[float(len(text))] * (self.dims - 1) + [float(ord(text[0]))] for text in texts]

    def rows(self, texts: list[str]) -> list[list[float]]:
        return [[float(len(text))] * (self.dims - 1) + [float(ord(text[0]))] for text in texts]


@pytest.fixture
def model() -> Model:
    return Model()


def make(embed: Any, cache: ClockedCache, **options: Any) -> EmbeddingCache:
    return EmbeddingCache(embed, **({"model": "m", "cache": cache} | options))


def test_order_duplicates_and_only_the_misses(cache: ClockedCache, model: Model) -> None:
    embeddings = make(model, cache)
    texts = ["bb", "a", "bb", "ccc", "a"]
    matrix = embeddings.embed(texts)
    assert (matrix.dtype, matrix.shape) == (np.float32, (5, 2))
    assert matrix.tolist() == model.rows(texts)
    more = ["d", "a", "e", "ccc"]
    assert embeddings.embed(more).tolist() == model.rows(more)
    assert model.batches == [["bb", "a", "ccc"], ["d", "e"]]
    assert embeddings.embed(iter(texts)).tolist() == model.rows(texts)
    assert embeddings.embed_one("a").tolist() == model.rows(["a"])[0]
    assert len(model.batches) == 2


def test_no_texts(cache: ClockedCache, model: Model) -> None:
    embeddings = make(model, cache)
    assert embeddings.embed([]).shape == (0, 0)
    embeddings.embed(["a"])
    assert embeddings.embed([]).shape == (0, 2)


def test_each_batch_is_stored_before_the_next(cache: ClockedCache) -> None:
    stored = []

    def embed(texts: list[str]) -> list[list[float]]:
        stored.append(cache.stats().entries)
        if "fail" in texts:
            raise LookupError
        return [[1.0]] * len(texts)

    embeddings = make(embed, cache, batch_size=2)
    with pytest.raises(LookupError):
        embeddings.embed(["a", "b", "c", "d", "fail", "e"])
    assert stored == [0, 2, 4]
    assert cache.stats().entries == 4


def test_the_key_covers_all_that_makes_a_vector(cache: ClockedCache, model: Model) -> None:
    variants = [
        make(model, cache),
        make(model, cache, model="m2"),
        make(model, cache, kind="query"),
        make(model, cache, dims=2),
        make(model, cache, normalize=True),
        make(model, cache, model="m:document"),
        make(model, cache, model="mdocument", kind="d"),
    ]
    keys = {embeddings.key("text") for embeddings in variants}
    assert len(keys) == len(variants)
    for embeddings in variants:
        embeddings.embed(["text"])
    assert len(model.batches) == len(variants)


def test_the_key_is_as_documented(cache: ClockedCache, model: Model) -> None:
    fields = [b"m", b"document", b"", b"False", "té".encode()]
    digest = hashlib.sha256(b"".join(len(f).to_bytes(8, "little") + f for f in fields))
    assert make(model, cache).key("té") == f"emb:m:{digest.hexdigest()}"


def test_no_text_is_stored(cache: ClockedCache, model: Model) -> None:
    make(model, cache).embed(["a secret text"])
    assert "secret" not in make(model, cache).key("a secret text")
    assert list(cache.stats().groups) == ["emb"]


def test_rows_of_another_width_are_misses(cache: ClockedCache) -> None:
    make(Model(2), cache).embed(["a", "b"])
    wide = Model(3)
    embeddings = make(wide, cache)
    assert embeddings.embed(["a", "c", "b"]).tolist() == wide.rows(["a", "c", "b"])
    assert wide.batches == [["c"], ["a", "b"]]
    assert embeddings.embed(["b", "a"]).tolist() == wide.rows(["b", "a"])
    assert len(wide.batches) == 2


def test_the_first_batch_teaches_the_width(cache: ClockedCache) -> None:
    widths = iter([3, 4])
    embeddings = make(lambda texts: np.ones((len(texts), next(widths))), cache, batch_size=1)
    with pytest.raises(ValueError, match="rows of 4 numbers: allowed are 3"):
        embeddings.embed(["a", "b"])
    assert cache.exists(embeddings.key("a"))
    assert not cache.exists(embeddings.key("b"))


def test_given_width(cache: ClockedCache, model: Model) -> None:
    with pytest.raises(ValueError, match="rows of 2 numbers: allowed are 3"):
        make(model, cache, dims=3).embed(["a"])
    assert cache.stats().entries == 0


@pytest.mark.parametrize(
    ("result", "says"),
    [
        ([[1.0, 2.0]], r"embed returned \(1, 2\) for 2 texts.*allowed is one row"),
        (np.ones((3, 2)), r"\(3, 2\) for 2 texts"),
        ([1.0, 2.0], r"\(2,\) for 2 texts"),
        (np.ones((2, 0)), r"\(2, 0\) for 2 texts"),
        (np.ones((2, 2, 2)), r"\(2, 2, 2\)"),
        ([[1.0], [1.0, 2.0]], "list for 2 texts"),
        (None, "NoneType for 2 texts"),
        ([["a"], ["b"]], "list for 2 texts"),
        (np.ones((2, 2), "c8"), "ndarray for 2 texts"),
        ([[1.0, 2.0], [float("nan"), 1.0]], "NaN or Inf in row 1"),
        ([[float("inf"), 2.0], [1.0, 1.0]], "NaN or Inf in row 0"),
        (np.full((2, 2), 1e300), "NaN or Inf in row 0"),
        (np.ma.masked_array(np.ones((2, 2)), np.eye(2)), "returned a masked array: allowed are"),
    ],
)
def test_what_embed_may_not_return(cache: ClockedCache, result: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        make(lambda texts: result, cache).embed(["a", "b"])
    assert cache.stats().entries == 0


@pytest.mark.parametrize("dtype", ["f2", "f4", ">f4", "f8", "i4"])
def test_results_become_float32(cache: ClockedCache, dtype: str) -> None:
    embeddings = make(lambda texts: np.arange(6, dtype=dtype).reshape(3, 2)[: len(texts)], cache)
    assert embeddings.embed(["a", "b", "c"]).tolist() == [[0, 1], [2, 3], [4, 5]]
    assert embeddings.embed(["a", "b", "c"]).dtype == np.float32


def test_normalized_rows(cache: ClockedCache) -> None:
    rows = {"a": [3.0, 4.0], "zero": [0.0, 0.0]}
    embeddings = make(lambda texts: [rows[text] for text in texts], cache, normalize=True)
    for _ in range(2):
        np.testing.assert_allclose(embeddings.embed(["a", "zero"]), [[0.6, 0.8], [0, 0]], rtol=1e-6)


def test_time_to_live(cache: ClockedCache, model: Model) -> None:
    embeddings = make(model, cache, ttl=5)
    embeddings.embed(["a"])
    cache.clock.advance(6)
    embeddings.embed(["a"])
    assert len(model.batches) == 2


@pytest.mark.parametrize(
    ("texts", "error", "says"),
    [
        ("text", TypeError, "texts='text' of type str: allowed is a list of str"),
        (5, TypeError, "texts=5"),
        (["a", b"b"], TypeError, r"texts\[1\] of type bytes: allowed are str"),
        (["a", None], TypeError, r"texts\[1\] of type NoneType"),
        (["a", "\ud800"], ValueError, r"texts\[1\]='\\ud800': allowed is text that UTF-8 can"),
    ],
)
def test_bad_texts(
    cache: ClockedCache, model: Model, texts: Any, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        make(model, cache).embed(texts)
    assert model.batches == []


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("model", "", ConfigError),
        ("model", "m" * 513, ConfigError),
        ("model", 5, ConfigError),
        ("kind", "", ConfigError),
        ("batch_size", 0, ConfigError),
        ("batch_size", 1.5, ConfigError),
        ("batch_size", True, ConfigError),
        ("dims", 0, ConfigError),
        ("ttl", 0, ConfigError),
        ("ttl", 10**400, ConfigError),
        ("ttl", [], ConfigError),
        ("model", "\ud800", ConfigError),
        ("kind", "\ud800", ConfigError),
        ("normalize", "yes", ConfigError),
        ("normalize", None, ConfigError),
        ("cache", 5, ConfigError),
        ("cost_per_embedding", -1, ConfigError),
        ("cost_per_embedding", "1", ConfigError),
        ("embed", 5, TypeError),
    ],
)
def test_bad_argument(cache: ClockedCache, name: str, value: Any, error: type[Exception]) -> None:
    arguments = {"embed": Model(), "model": "m", "cache": cache} | {name: value}
    with pytest.raises(error, match=f"{name}=.*allowed"):
        EmbeddingCache(**arguments)


@pytest.mark.parametrize(("text", "error"), [(None, TypeError), ("\ud800", ValueError)])
def test_the_key_of_what_is_no_text(
    cache: ClockedCache, model: Model, text: Any, error: type[Exception]
) -> None:
    with pytest.raises(error, match=r"text=.*allowed is"):
        make(model, cache).key(text)


def test_pickled_as_its_arguments(model: Model) -> None:
    with Cache() as cache:
        embeddings = EmbeddingCache(model, model="m", cache=cache, kind="query", normalize=True)
        embeddings.embed(["a"])
        copy = pickle.loads(pickle.dumps(embeddings))
        with copy._cache:
            assert copy.key("a") == embeddings.key("a")
            assert copy.report().requests == 0
            np.testing.assert_array_equal(copy.embed(["a"]), embeddings.embed(["a"]))


def test_each_text_is_computed_once_over_threads(
    cache: ClockedCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiters, leading, asked = Waiters(monkeypatch), threading.Event(), []

    def embed(texts: list[str]) -> list[list[float]]:
        asked.append(texts)
        if texts == ["a", "b"]:
            leading.set()
            waiters.wait_for(1)
        return [[float(ord(text))] for text in texts]

    embeddings = make(embed, cache)

    def follow() -> Any:
        assert leading.wait(DEADLINE)
        return embeddings.embed(["c", "b", "a"]).tolist()

    results = in_threads(lambda: embeddings.embed(["a", "b"]).tolist(), follow)
    assert results == [[[97.0], [98.0]], [[99.0], [98.0], [97.0]]]
    assert asked == [["a", "b"], ["c"]]
    report = embeddings.report()
    assert (report.hits, report.misses, report.computed) == (0, 5, 3)


@pytest.mark.parametrize("is_async", [True, False])
def test_async(cache: ClockedCache, model: Model, is_async: bool) -> None:
    async def embed(texts: list[str]) -> Any:
        return model(texts)

    embeddings = make(embed if is_async else model, cache)

    async def main() -> None:
        texts = ["bb", "a", "bb"]
        assert (await embeddings.aembed(texts)).tolist() == model.rows(texts)
        assert (await embeddings.aembed_one("a")).tolist() == model.rows(["a"])[0]
        assert model.batches == [["bb", "a"]]

    asyncio.run(main())
    if is_async:
        with pytest.raises(TypeError, match="is async"):
            embeddings.embed(["new"])


def test_report(cache: ClockedCache, model: Model) -> None:
    embeddings = make(model, cache, cost_per_embedding=0.5)
    embeddings.embed(["a", "b", "a"])
    embeddings.embed(["a", "b", "c"])
    report = embeddings.report()
    assert (report.hits, report.misses, report.computed, report.requests) == (2, 4, 3, 6)
    assert (report.cost_total, report.cost_saved, report.cost_reduction) == (3.0, 1.5, 0.5)
    assert report.hit_rate == pytest.approx(1 / 3)
    assert report.seconds_saved > 0
    assert report.hits + report.misses == report.requests
    assert cache.stats().cost_saved == pytest.approx(1.0)


def test_report_of_a_call_that_failed(cache: ClockedCache, model: Model) -> None:
    def embed(texts: list[str]) -> list[list[float]]:
        if "fail" in texts:
            raise LookupError
        return model(texts)

    embeddings = make(embed, cache, batch_size=2, cost_per_embedding=1.0)
    with pytest.raises(LookupError):
        embeddings.embed(["a", "b", "b", "c", "fail"])
    report = embeddings.report()
    assert (report.hits, report.misses, report.computed, report.requests) == (0, 3, 2, 3)
    assert (report.cost_saved, report.cost_reduction) == (1.0, pytest.approx(1 / 3))
    assert report.seconds_saved >= 0


def test_report_of_rows_of_another_width(cache: ClockedCache) -> None:
    make(Model(2), cache).embed(["a"])
    embeddings = make(Model(3), cache)
    embeddings.embed(["a", "c", "a"])
    report = embeddings.report()
    assert (report.hits, report.misses, report.computed) == (0, 3, 2)
