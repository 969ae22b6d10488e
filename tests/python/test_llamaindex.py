"""vcache inside LlamaIndex, over a cache in memory."""

from __future__ import annotations

import asyncio
import pickle
from typing import Any

import pytest
from llama_index.core.base.embeddings.base import BaseEmbedding as LlamaIndexEmbedding
from llama_index.core.base.embeddings.base import Embedding
from llama_index.core.embeddings import MockEmbedding
from llama_index.core.ingestion import IngestionCache, IngestionPipeline
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.schema import Document, TextNode
from llama_index.core.storage.docstore.keyval_docstore import KVDocumentStore
from llama_index.core.storage.kvstore.types import BaseKVStore as LlamaIndexStore
from texts_of import row, rows

from vcache import Cache, EmbeddingCache
from vcache.errors import ConfigError, SerializationError
from vcache.integrations.llamaindex import BaseEmbedding, BaseKVStore


class Model(LlamaIndexEmbedding):
    """Notes what it was asked for."""

    dimensions: int | None = None
    query_instruction: str | None = None
    asked: list[tuple[str, list[str]]] = []  # noqa: RUF012, pydantic copies it

    def _get_query_embedding(self, query: str) -> Embedding:
        self.asked.append(("query", [query]))
        return row(query, "query")

    async def _aget_query_embedding(self, query: str) -> Embedding:
        self.asked.append(("aquery", [query]))
        return row(query, "query")

    def _get_text_embedding(self, text: str) -> Embedding:
        return self._get_text_embeddings([text])[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[Embedding]:
        self.asked.append(("text", list(texts)))
        return rows(texts)

    async def _aget_text_embeddings(self, texts: list[str]) -> list[Embedding]:
        self.asked.append(("atext", list(texts)))
        return rows(texts)


def make(**options: Any) -> tuple[Model, BaseEmbedding]:
    model = Model(model_name="m", **options)
    return model, BaseEmbedding(model, cache=Cache())


def test_each_text_is_embedded_once_and_in_its_place() -> None:
    model, cached = make(embed_batch_size=2)
    cached.get_text_embedding("b")
    asked = ["a", "b", "a", "c", "d"]
    assert cached.get_text_embedding_batch(asked) == rows(asked)
    assert cached.get_text_embedding_batch(asked) == rows(asked)
    assert model.asked == [("text", ["b"]), ("text", ["a", "c"]), ("text", ["d"])]
    assert cached.get_text_embedding_matrix(["a"]).tolist() == rows(["a"])


def test_texts_and_queries_are_apart() -> None:
    model, cached = make()
    assert cached.get_text_embedding("a") == row("a")
    assert cached.get_query_embedding("a") == row("a", "query")
    assert cached.get_query_embedding("a") == row("a", "query")
    assert model.asked == [("text", ["a"]), ("query", ["a"])]


def test_coroutines_call_the_models_coroutines_and_share_what_is_known() -> None:
    async def ask() -> None:
        assert await cached.aget_text_embedding_batch(["a", "b"]) == rows(["a", "b"])
        assert await cached.aget_text_embedding("b") == row("b")
        assert await cached.aget_query_embedding("q") == row("q", "query")

    model, cached = make()
    cached.get_text_embedding("a")
    asyncio.run(ask())
    assert model.asked == [("text", ["a"]), ("atext", ["b"]), ("aquery", ["q"])]
    report = cached.report()
    assert (report.hits, report.misses, report.computed) == (2, 3, 3)


def test_a_pipeline_embeds_its_nodes_through_it() -> None:
    model, cached = make()
    pipeline = IngestionPipeline(transformations=[SentenceSplitter(), cached], disable_cache=True)
    documents = [Document(text=text) for text in ("one", "two", "one")]
    nodes = pipeline.run(documents=documents)
    assert [node.embedding for node in nodes] == rows(["one", "two", "one"])
    pipeline.run(documents=documents)
    assert model.asked == [("text", ["one", "two"])]


def test_an_embedding_cache_of_the_model_has_the_same_entries() -> None:
    cache = Cache()
    BaseEmbedding(Model(model_name="m"), cache=cache).get_text_embedding("a")

    def never(texts: list[str]) -> list[list[float]]:
        raise AssertionError(texts)

    assert EmbeddingCache(never, model="m", cache=cache).embed(["a"]).tolist() == [row("a")]


@pytest.mark.parametrize(
    ("options", "said"),
    [({}, "does not say which model"), ({"query_instruction": "query: "}, "query_instruction")],
)
def test_a_model_that_cannot_be_told_apart_is_refused(options: dict[str, Any], said: str) -> None:
    name = {"model_name": "m"} if options else {}
    with pytest.raises(ConfigError, match=said):
        BaseEmbedding(Model(**name, **options), cache=Cache())
    assert BaseEmbedding(Model(**options), cache=Cache(), model="mine").model_name == "mine"


def test_dimensions_that_were_asked_for_are_part_of_the_key() -> None:
    cache = Cache()
    models = [Model(model_name="m", dimensions=8), Model(model_name="m")]
    for model in models:
        BaseEmbedding(model, cache=cache).get_text_embedding("a")
    assert [model.asked for model in models] == [[("text", ["a"])]] * 2


def test_what_is_no_model_is_refused() -> None:
    with pytest.raises(ConfigError, match="embed_model='m' of type str"):
        BaseEmbedding("m", cache=Cache())  # type: ignore[arg-type]


def test_it_pickles_with_its_model() -> None:
    cached = BaseEmbedding(MockEmbedding(embed_dim=4), cache=Cache(), model="mock")
    copy = pickle.loads(pickle.dumps(cached))
    assert copy.get_text_embedding("a") == cached.get_text_embedding("a")


def test_a_store_keeps_dicts_by_collection() -> None:
    store = BaseKVStore(Cache())
    store.put("k", {"n": 1})
    store.put("k", {"n": 2, "rows": [[0.5], []], "none": None}, collection="other")
    assert store.get("k") == {"n": 1}
    assert store.get("k", collection="other") == {"n": 2, "rows": [[0.5], []], "none": None}
    assert store.get("absent") is None
    assert store.get_all() == {"k": {"n": 1}}
    assert store.delete("k") is True
    assert store.delete("k") is False
    assert store.get_all() == {}
    assert list(store.get_all("other")) == ["k"]


def test_coroutines_of_a_store_do_the_same() -> None:
    async def ask() -> None:
        await store.aput("k", {"n": 1})
        await store.aput_all([("a", {}), ("b", {"x": "y"})], batch_size=10)
        assert await store.aget("k") == {"n": 1}
        assert await store.aget_all() == {"k": {"n": 1}, "a": {}, "b": {"x": "y"}}
        assert await store.adelete("k")
        assert await store.aget("k") is None

    store = BaseKVStore(Cache())
    asyncio.run(ask())


def test_keys_may_be_of_any_length_and_do_not_run_together() -> None:
    store = BaseKVStore(Cache())
    keys = ["", "a:b", "a", "x" * 100_000, "\x00", "*", "é"]
    for number, key in enumerate(keys):
        store.put(key, {"n": number}, collection="c")
        store.put(key, {"n": -number}, collection=f"c:{key}")
    assert store.get_all("c") == {key: {"n": number} for number, key in enumerate(keys)}
    assert [store.get(key, f"c:{key}") for key in keys] == [{"n": -n} for n in range(len(keys))]


def test_what_a_store_gives_can_be_changed() -> None:
    store = BaseKVStore(Cache())
    store.put("k", {"list": [1]})
    found = store.get("k")
    assert found is not None
    found["list"].append(2)
    assert store.get("k") == {"list": [1]}


def test_a_store_refuses_what_it_cannot_keep() -> None:
    store = BaseKVStore(Cache())
    with pytest.raises(TypeError, match="val of key 'k' is of type list"):
        store.put("k", [1])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="key=1 of type int"):
        store.put(1, {})  # type: ignore[arg-type]
    with pytest.raises(SerializationError):
        store.put("k", {"x": object()})
    assert store.get_all() == {}


def test_an_empty_store_is_not_taken_for_none() -> None:
    store = BaseKVStore(Cache())
    assert isinstance(store, LlamaIndexStore)
    model = Model(model_name="m", embeddings_cache=store)
    assert [model.get_text_embedding("a"), model.get_text_embedding("a")] == rows(["a", "a"])
    assert model.asked == [("text", ["a"])]


def test_llamaindex_keeps_its_own_in_a_store() -> None:
    cache = Cache()
    documents = KVDocumentStore(BaseKVStore(cache))
    documents.add_documents([TextNode(id_="1", text="one"), TextNode(id_="2", text="two")])
    assert documents.get_document("1").get_content() == "one"
    assert sorted(documents.docs) == ["1", "2"]
    documents.delete_document("1")
    assert sorted(documents.docs) == ["2"]
    steps = IngestionCache(cache=BaseKVStore(cache, name="steps"))
    steps.put("hash", [TextNode(id_="1", text="one")])
    found = steps.get("hash")
    assert found is not None
    assert [node.get_content() for node in found] == ["one"]


def test_savings_by_the_models_price() -> None:
    model = Model(model_name="m")
    prices = {"m": {"per_token": 0.5}}
    cached = BaseEmbedding(model, cache=Cache(), prices=prices, count_tokens=len)
    cached.get_text_embedding_batch(["aa", "b", "aa"])
    cached.get_query_embedding("q")
    assert cached.report().cost_spent == 2.0
    assert cached.report().cost_saved == 1.0
    assert make()[1].report().cost_saved is None
