"""vcache inside LangChain, over a cache in memory: LangChain's own tests, then ours."""

from __future__ import annotations

import asyncio
import logging
import pickle
import threading
import tracemalloc
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from langchain_core.caches import BaseCache as LangChainCache
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.embeddings import Embeddings as LangChainEmbeddings
from langchain_core.language_models.fake import FakeListLLM
from langchain_core.load.serializable import Serializable
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, Generation
from langchain_tests.integration_tests import (
    AsyncCacheTestSuite,
    BaseStoreAsyncTests,
    BaseStoreSyncTests,
    SyncCacheTestSuite,
)
from langchain_tests.unit_tests import EmbeddingsUnitTests
from texts_of import row, rows

from vcache import Cache, EmbeddingCache
from vcache.errors import ConfigError
from vcache.integrations.langchain import BaseCache, ByteStore, Embeddings

# One test of each suite is no coroutine.
AWAITED = [pytest.mark.asyncio, pytest.mark.filterwarnings("ignore:The test .* is marked with")]
THREE = (b"foo", b"bar", b"\x00\xff")


class Model(LangChainEmbeddings):
    """Notes what it was asked for."""

    def __init__(self, **named: Any) -> None:
        self.asked: list[tuple[str, list[str]]] = []
        for name, value in named.items():
            setattr(self, name, value)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        self.asked.append(("document", list(texts)))
        return rows(texts)

    def embed_query(self, text: str) -> list[float]:
        self.asked.append(("query", [text]))
        return row(text, "query")

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        self.asked.append(("adocument", list(texts)))
        return rows(texts)

    async def aembed_query(self, text: str) -> list[float]:
        self.asked.append(("aquery", [text]))
        return row(text, "query")


class TestEmbeddingsStandard(EmbeddingsUnitTests):
    @property
    def embeddings_class(self) -> type[Embeddings]:
        return Embeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        model = DeterministicFakeEmbedding(size=8)
        return {"embeddings": model, "model": "fake", "cache": Cache()}


class TestByteStoreSync(BaseStoreSyncTests[bytes]):
    @pytest.fixture
    def kv_store(self) -> ByteStore:
        return ByteStore(Cache())

    @pytest.fixture
    def three_values(self) -> tuple[bytes, bytes, bytes]:
        return THREE


class TestByteStoreAsync(BaseStoreAsyncTests[bytes]):
    pytestmark = AWAITED

    @pytest.fixture
    def kv_store(self) -> ByteStore:
        return ByteStore(Cache())

    @pytest.fixture
    def three_values(self) -> tuple[bytes, bytes, bytes]:
        return THREE


class TestBaseCacheSync(SyncCacheTestSuite):
    @pytest.fixture
    def cache(self) -> LangChainCache:
        return BaseCache(Cache())


class TestBaseCacheAsync(AsyncCacheTestSuite):
    pytestmark = AWAITED

    @pytest.fixture
    def cache(self) -> LangChainCache:
        return BaseCache(Cache())


def test_each_text_is_embedded_once_and_in_its_place() -> None:
    model = Model(model="m")
    embeddings = Embeddings(model, cache=Cache())
    embeddings.embed_documents(["b"])
    assert embeddings.embed_documents(["a", "b", "a", "c"]) == rows(["a", "b", "a", "c"])
    assert model.asked == [("document", ["b"]), ("document", ["a", "c"])]
    assert embeddings.embed_documents([]) == []


def test_documents_and_queries_are_apart() -> None:
    model = Model(model="m")
    embeddings = Embeddings(model, cache=Cache())
    assert embeddings.embed_documents(["a"]) == [row("a")]
    assert embeddings.embed_query("a") == row("a", "query")
    assert embeddings.embed_query("a") == row("a", "query")
    assert model.asked == [("document", ["a"]), ("query", ["a"])]


def test_coroutines_call_the_models_coroutines_and_share_what_is_known() -> None:
    async def ask(embeddings: Embeddings) -> None:
        assert await embeddings.aembed_documents(["a", "b"]) == rows(["a", "b"])
        assert await embeddings.aembed_query("q") == row("q", "query")

    model = Model(model="m")
    embeddings = Embeddings(model, cache=Cache())
    embeddings.embed_documents(["a"])
    asyncio.run(ask(embeddings))
    assert model.asked == [("document", ["a"]), ("adocument", ["b"]), ("aquery", ["q"])]
    assert embeddings.embed_query("q") == row("q", "query")
    report = embeddings.report()
    assert (report.hits, report.misses, report.computed) == (2, 3, 3)


def test_threads_and_coroutines_that_want_one_text_compute_it_once() -> None:
    threads = 8
    everyone_asks = threading.Barrier(threads, timeout=30.0)

    class Slow(Model):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            assert is_asked.wait(30.0)
            return super().embed_documents(texts)

    def ask(number: int) -> list[list[float]]:
        everyone_asks.wait()
        if number == 0:
            is_asked.set()
        if number % 2:
            return asyncio.run(embeddings.aembed_documents(["a"]))
        return embeddings.embed_documents(["a"])

    is_asked = threading.Event()
    model = Slow(model="m")
    embeddings = Embeddings(model, cache=Cache())
    with ThreadPoolExecutor(threads) as pool:
        assert list(pool.map(ask, range(threads))) == [rows(["a"])] * threads
    assert len(model.asked) == 1


def test_an_array_comes_without_lists() -> None:
    embeddings = Embeddings(Model(model="m"), cache=Cache())
    matrix = embeddings.embed_documents_np(["a", "b"])
    assert matrix.dtype == np.float32
    assert matrix.tolist() == rows(["a", "b"])
    assert embeddings.embed_query_np("q").tolist() == row("q", "query")


def test_an_embedding_cache_of_the_model_has_the_same_entries() -> None:
    cache = Cache()
    Embeddings(Model(model="m"), cache=cache).embed_documents(["a"])

    def never(texts: list[str]) -> list[list[float]]:
        raise AssertionError(texts)

    plain = EmbeddingCache(never, model="m", cache=cache)
    assert plain.embed(["a"]).tolist() == [row("a")]


@pytest.mark.parametrize("name", ["model", "model_name", "model_id"])
def test_the_model_is_what_it_says_it_is(name: str) -> None:
    assert Embeddings(Model(**{name: "m-1"}), cache=Cache()).model == "m-1"
    assert Embeddings(Model(**{name: "m-1"}), cache=Cache(), model="mine").model == "mine"


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (Model(), "does not say which model"),
        (Model(model=""), "does not say which model"),
        (Model(model="m", encode_kwargs={"normalize_embeddings": True}), "encode_kwargs"),
        (Model(model="m", query_instruction="query: "), "query_instruction"),
    ],
)
def test_a_model_that_cannot_be_told_apart_is_refused(model: Model, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Embeddings(model, cache=Cache())
    assert Embeddings(model, cache=Cache(), model="m/with-all").embed_query("q")


def test_dimensions_that_were_asked_for_are_part_of_the_key() -> None:
    cache, first, second = Cache(), Model(model="m", dimensions=8), Model(model="m")
    Embeddings(first, cache=cache).embed_documents(["a"])
    Embeddings(second, cache=cache).embed_documents(["a"])
    assert [model.asked for model in (first, second)] == [[("document", ["a"])]] * 2


def test_what_is_no_model_is_refused() -> None:
    with pytest.raises(ConfigError, match="embeddings='m' of type str"):
        Embeddings("m", cache=Cache())  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="cache=3"):
        Embeddings(Model(model="m"), cache=3)  # type: ignore[arg-type]


def test_embeddings_pickle_with_their_model() -> None:
    embeddings = Embeddings(DeterministicFakeEmbedding(size=8), model="fake", cache=Cache())
    copy = pickle.loads(pickle.dumps(embeddings))
    assert copy.embed_documents(["a"]) == embeddings.embed_documents(["a"])


def test_stores_of_other_names_share_nothing() -> None:
    cache = Cache()
    one, other = ByteStore(cache, name="one"), ByteStore(cache, name="other")
    one.mset([("k", b"1")])
    other.mset([("k", b"2"), ("more", b"3")])
    assert (one.mget(["k"]), other.mget(["k"])) == ([b"1"], [b"2"])
    assert list(one.yield_keys()) == ["k"]
    assert sorted(ByteStore(cache, name="other").yield_keys()) == ["k", "more"]


def test_a_store_lists_only_what_the_cache_still_holds() -> None:
    cache = Cache(memory="1MiB", max_entries=64, jitter=0.0)
    store = ByteStore(cache)
    names = [f"key {number}" for number in range(5000)]
    for name in names:
        store.mset([(name, b"value")])
    held = {name for name, value in zip(names, store.mget(names), strict=True) if value}
    assert 0 < len(held) < len(names)
    assert set(store.yield_keys()) == held
    cache.clear()
    assert list(store.yield_keys()) == []


def test_what_a_store_remembers_of_evicted_keys_is_bounded() -> None:
    store = ByteStore(Cache(memory="1MiB", max_entries=64))
    tracemalloc.start()
    for number in range(20_000):
        store.mset([(f"{number:0200d}", b"value")])
    remembered = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert remembered < 1 << 20  # of 5 MiB of keys


def test_a_store_refuses_what_is_no_bytes_or_no_name() -> None:
    store = ByteStore(Cache())
    with pytest.raises(TypeError, match="value of type str for key 'k'"):
        store.mset([("k", "text")])  # type: ignore[list-item]
    assert store.mget(["k"]) == [None]
    with pytest.raises(TypeError, match="key=1 of type int"):
        store.mset([(1, b"value")])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="keys='text' of type str"):
        store.mget("text")
    with pytest.raises(ConfigError, match="name='a:b'"):
        ByteStore(Cache(), name="a:b")


def test_an_empty_cache_is_not_taken_for_none() -> None:
    store, answers = ByteStore(Cache()), BaseCache(Cache())
    assert store
    assert answers
    llm = FakeListLLM(responses=["first", "second"], cache=answers)
    assert [llm.invoke("question"), llm.invoke("question")] == ["first", "first"]


@pytest.mark.parametrize(
    "answer",
    [
        Generation(text="t", generation_info={"finish_reason": "stop", "lc": 1}),
        ChatGeneration(
            message=AIMessage(
                "t",
                tool_calls=[{"name": "f", "args": {"x": [1, 2]}, "id": "1"}],
                usage_metadata={"input_tokens": 1, "output_tokens": 2, "total_tokens": 3},
                response_metadata={"model": "m"},
            )
        ),
    ],
)
def test_answers_come_back_as_they_were(answer: Generation) -> None:
    answers = BaseCache(Cache())
    answers.update("p", "l", [answer])
    assert answers.lookup("p", "l") == [answer]


def test_no_prompts_of_two_models_share_an_answer() -> None:
    answers = BaseCache(Cache())
    asked = [("ab", "c"), ("a", "bc"), ("abc", ""), ("", "abc"), ("a:b", "c"), ("a", "b:c")]
    for number, (prompt, model) in enumerate(asked):
        answers.update(prompt, model, [Generation(text=str(number))])
    found = [answers.lookup(*one) for one in asked]
    assert found == [[Generation(text=str(number))] for number in range(len(asked))]


def test_clear_ends_the_answers_of_its_name_only() -> None:
    cache = Cache()
    one, other = BaseCache(cache, name="one"), BaseCache(cache, name="other")
    for answers in (one, other):
        answers.update("p", "l", [Generation(text="t")])
    cache.set("mine", 1)
    one.clear()
    assert one.lookup("p", "l") is None
    assert other.lookup("p", "l") == [Generation(text="t")]
    assert cache.get("mine") == 1


class Custom(Serializable):
    """A class of an application, which LangChain can write."""

    word: str

    @classmethod
    def is_lc_serializable(cls) -> bool:
        return True

    @classmethod
    def get_lc_namespace(cls) -> list[str]:
        return ["langchain_core", "custom"]


@pytest.mark.parametrize("held", [object(), {1, 2}, Custom(word="w")])
def test_an_answer_that_would_not_come_back_is_not_stored(
    held: object, caplog: pytest.LogCaptureFixture
) -> None:
    cache = Cache()
    answers = BaseCache(cache)
    with caplog.at_level(logging.WARNING, "vcache"):
        for _ in range(2):
            answers.update("p", "l", [Generation(text="t", generation_info={"held": held})])
    assert answers.lookup("p", "l") is None
    assert cache.stats().entries == 0
    assert [record.message for record in caplog.records if "not cached" in record.message] != []
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    "stored",
    [
        3,
        "not JSON",
        '["{\\"lc\\": 1, \\"type\\": \\"constructor\\", \\"id\\": [\\"langchain\\", \\"llms\\",'
        ' \\"openai\\", \\"OpenAI\\"], \\"kwargs\\": {\\"base_url\\": \\"http://elsewhere\\"}}"]',
        '["{\\"plain\\": 1}"]',
    ],
)
def test_what_others_stored_under_its_key_is_a_miss(stored: object) -> None:
    cache = Cache()
    answers = BaseCache(cache)
    cache.set(answers._key("p", "l"), stored)
    assert answers.lookup("p", "l") is None


def test_keys_are_secret_where_the_cache_has_a_secret() -> None:
    plain, keyed = BaseCache(Cache()), BaseCache(Cache(key_secret=b"0123456789abcdef"))
    assert plain._key("p", "l") != keyed._key("p", "l")
    assert "prompt" not in plain._key("prompt", "l")


def test_no_two_kinds_of_embedding_share_a_key() -> None:
    cache = Cache()
    made: Sequence[tuple[str, str]] = [("m", "document"), ("m", "query"), ("n", "document")]
    caches = [EmbeddingCache(rows, model=name, kind=kind, cache=cache) for name, kind in made]
    caches += [EmbeddingCache(rows, model="m", cache=cache, normalize=True)]
    caches += [EmbeddingCache(rows, model="m", cache=cache, dims=8)]
    for one, other in combinations(caches, 2):
        assert one.key("a") != other.key("a")


def test_savings_by_the_models_price() -> None:
    prices = {"m": {"per_token": 0.5}}
    embeddings = Embeddings(Model(model="m"), cache=Cache(), prices=prices, count_tokens=len)
    embeddings.embed_documents(["aa", "b", "aa"])
    embeddings.embed_query("q")
    assert embeddings.report().cost_spent == 2.0
    assert embeddings.report().cost_saved == 1.0
    assert Embeddings(Model(model="m"), cache=Cache()).report().cost_saved is None
