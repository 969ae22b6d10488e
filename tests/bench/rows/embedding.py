"""1,000 texts whose embeddings are known, against the caches of three frameworks."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from statistics import median
from typing import Any

import numpy as np
import redis
from harness import DIM, CannotRun, Check, Outcome, Timing, compete, expect, quiet, vectors
from langchain_classic.embeddings import CacheBackedEmbeddings
from langchain_core.embeddings import Embeddings
from langchain_core.stores import InMemoryByteStore
from server import HOST, redis_server

import vcache
from vcache.integrations.langchain import Embeddings as CachedEmbeddings

TEXTS, BATCHES = 1_000, 8
TURNS = 24  # in memory
THEIR_TURNS = 3  # of what takes a hundred times as long
WIDE_DIM = 1536
MODEL = "a-model"

Embed = Callable[[list[str]], Any]
Peer = Callable[[int, "Model"], Embed]


def memory(rounds: int) -> Outcome:
    """`embed` of 1,000 texts from memory, and CacheBackedEmbeddings over a dict of bytes."""
    model = Model()
    theirs = CacheBackedEmbeddings.from_bytes_store(
        model, InMemoryByteStore(), namespace=MODEL, key_encoder="sha256"
    )
    theirs.embed_documents(model.texts(0))
    with vcache.Cache() as cache:
        ours = vcache.EmbeddingCache(model.rows_of, model=MODEL, cache=cache)
        lists = CachedEmbeddings(model, cache=cache, model=MODEL)
        ours.embed(model.texts(0))
        best = compete(
            {
                "vcache": partial(_timed, model, ours.embed, [0] * TURNS),
                "vcache, lists for LangChain": partial(
                    _timed, model, lists.embed_documents, [0] * TURNS
                ),
                "LangChain in memory": partial(
                    _timed, model, theirs.embed_documents, [0] * THEIR_TURNS
                ),
            },
            rounds,
        )
    ratio = best["LangChain in memory"] / best["vcache"]
    return Outcome([Check("LangChain CacheBackedEmbeddings in memory", ratio, 100.0)], best)


def from_redis(rounds: int) -> Outcome:
    """`embed` of 1,000 texts that only Redis holds; they also enter the memory tier."""
    return _widths({"LangChain RedisStore": _langchain, "RedisVL embed_many": _redisvl}, rounds)


def against_llamaindex(rounds: int) -> Outcome:
    """The same, and a LlamaIndex model whose `embeddings_cache` is a RedisKVStore."""
    return _widths({"LlamaIndex RedisKVStore": _llamaindex}, rounds)


def _widths(peers: Mapping[str, Peer], rounds: int) -> Outcome:
    """Embeddings of a small model, and as wide as those that are sold."""
    checks: list[Check] = []
    measured: dict[str, float] = {}
    for dim in (DIM, WIDE_DIM):
        model = Model(dim)
        with redis_server() as port:
            turns = {
                name: partial(_timed, model, make(port, model), [0] * THEIR_TURNS)
                for name, make in peers.items()
            }
            best = compete(_ours(port, model) | turns, rounds)
        checks += [Check(f"{name}, {dim}-d", best[name] / best["vcache"], 60.0) for name in peers]
        measured |= {f"{name}, {dim}-d": seconds for name, seconds in best.items()}
    return Outcome(checks, measured)


class Model(Embeddings):
    """Rows that were drawn at random, by text."""

    def __init__(self, dim: int = DIM) -> None:
        self._rows = vectors(TEXTS * BATCHES, dim)
        self._numbers = {_text(number): number for number in range(len(self._rows))}

    def texts(self, batch: int) -> list[str]:
        """New strings, their hashes not yet known to Python."""
        return [_text(number) for number in range(batch * TEXTS, (batch + 1) * TEXTS)]

    def rows(self, batch: int) -> np.ndarray:
        return self._rows[batch * TEXTS : (batch + 1) * TEXTS]

    def rows_of(self, texts: Sequence[str]) -> np.ndarray:
        # RedisVL asks for a text of its own, to see how wide a row is.
        return self._rows[[self._numbers.get(text, 0) for text in texts]]

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        rows: list[list[float]] = self.rows_of(texts).tolist()
        return rows

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


def _text(number: int) -> str:
    return f"How do I do the thing that is number {number:06d} of a list of some length?"


def _timed(model: Model, embed: Embed, batches: Sequence[int]) -> Timing:
    """Median seconds of one call over the batches; the last answer is verified."""
    taken = []
    with quiet():
        for batch in batches:
            texts = model.texts(batch)
            start = time.perf_counter()
            found = embed(texts)
            taken.append(time.perf_counter() - start)
    expect(
        np.array_equal(np.asarray(found, np.float32), model.rows(batches[-1])),
        f"the embeddings of batch {batches[-1]}",
    )
    return Timing(median(taken))


def _ours(port: int, model: Model) -> dict[str, Callable[[], Timing]]:
    with _connected(port) as cache:
        ours = vcache.EmbeddingCache(model.rows_of, model=MODEL, cache=cache)
        for batch in range(BATCHES):
            ours.embed(model.texts(batch))

    def never(texts: Sequence[str]) -> np.ndarray:
        raise AssertionError(f"{len(texts)} texts are not in Redis")

    def arrays() -> Timing:
        with _connected(port) as cache:
            known = vcache.EmbeddingCache(never, model=MODEL, cache=cache)
            return _timed(model, known.embed, range(BATCHES))

    def lists() -> Timing:
        with _connected(port) as cache:
            known = CachedEmbeddings(model, cache=cache, model=MODEL)
            return _timed(model, known.embed_documents, range(BATCHES))

    return {"vcache": arrays, "vcache, lists for LangChain": lists}


@contextmanager
def _connected(port: int) -> Iterator[vcache.Cache]:
    """A cache with an empty memory tier and an open connection."""
    with vcache.Cache(redis=f"redis://{HOST}:{port}/0", memory="200MiB") as cache:
        expect(cache.get("absent") is None, "a key never stored")
        yield cache


def _langchain(port: int, model: Model) -> Embed:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package says that it is to be retired
        from langchain_community.storage import RedisStore

        store = RedisStore(client=redis.Redis(host=HOST, port=port))
    cached = CacheBackedEmbeddings.from_bytes_store(
        model, store, namespace=MODEL, key_encoder="sha256"
    )
    cached.embed_documents(model.texts(0))
    return cached.embed_documents


def _redisvl(port: int, model: Model) -> Embed:
    from redisvl.extensions.cache.embeddings import EmbeddingsCache
    from redisvl.utils.vectorize import CustomVectorizer

    vectorizer = CustomVectorizer(
        embed=model.embed_query,
        embed_many=model.embed_documents,
        cache=EmbeddingsCache(name="redisvl", redis_url=f"redis://{HOST}:{port}"),
    )
    vectorizer.embed_many(model.texts(0))
    return vectorizer.embed_many


def _llamaindex(port: int, model: Model) -> Embed:
    try:
        from llama_index.storage.kvstore.redis import RedisKVStore
    except ImportError:
        raise CannotRun(
            "needs llama-index-storage-kvstore-redis, whose redis<6 RedisVL does not go with: pip"
            " install --no-deps llama-index-storage-kvstore-redis==0.6.0"
        ) from None
    from llama_index.core.embeddings import MockEmbedding

    class Known(MockEmbedding):
        def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
            return model.embed_documents(texts)

    store = RedisKVStore(redis_uri=f"redis://{HOST}:{port}/1")
    known = Known(embed_dim=1, embeddings_cache=store, embed_batch_size=TEXTS)
    known.get_text_embedding_batch(model.texts(0))
    return known.get_text_embedding_batch
