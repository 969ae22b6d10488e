"""vcache inside LlamaIndex: a key-value store and embeddings.

from vcache.integrations.llamaindex import BaseEmbedding, BaseKVStore

Settings.embed_model = BaseEmbedding(OpenAIEmbedding(), cache=cache)
pipeline = IngestionPipeline(..., cache=IngestionCache(cache=BaseKVStore(cache)))
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .._arguments import Ttl, ttl_argument
from .._core import DEFAULT
from .._messages import shown
from ..cache import Cache
from ..costs import CostReport
from ..durations import Duration
from ..embedding import Matrix, cache_argument
from ..errors import ConfigError, SerializationError
from ..prices import Price
from ._hosts import check_name, digest_of, dims_of, missing, model_of
from ._kind import Kind, Rows, lists, total
from ._listing import keys_under

try:
    from llama_index.core.base.embeddings.base import BaseEmbedding as _BaseEmbedding
    from llama_index.core.base.embeddings.base import Embedding
    from llama_index.core.bridge.pydantic import PrivateAttr
    from llama_index.core.storage.kvstore.types import (
        DEFAULT_BATCH_SIZE,
        DEFAULT_COLLECTION,
    )
    from llama_index.core.storage.kvstore.types import BaseKVStore as _BaseKVStore
except ImportError as error:
    raise missing("llamaindex", "llama-index-core", "llamaindex") from error

__all__ = ["BaseEmbedding", "BaseKVStore"]

_MOST_TEXTS = 2048  # that LlamaIndex takes for one batch
_LISTED = 1000  # values read at once


class BaseKVStore(_BaseKVStore):
    """A LlamaIndex store of dicts in a cache. Thread-safe.

    cache: where to keep them; vcache.get_cache() unless given.
    name: stores of one name share their entries.
    ttl: time to live; that of the cache unless given, None for no expiry.

    Keys may be of any length: the cache has their digest, and each value stands beside its key.
    A cache evicts: what was put may be gone. get_all() tells of what is there, and raises
    RedisError where there is a Redis that gives no answer.
    """

    def __init__(
        self, cache: Cache | None = None, *, name: str = "store", ttl: Ttl = DEFAULT
    ) -> None:
        self._cache = cache_argument(cache)
        self._prefix = f"kv:{check_name(name)}"
        self._ttl = ttl_argument(ttl)

    def put(self, key: str, val: dict[str, Any], collection: str = DEFAULT_COLLECTION) -> None:
        self.put_all([(key, val)], collection)

    async def aput(
        self, key: str, val: dict[str, Any], collection: str = DEFAULT_COLLECTION
    ) -> None:
        await self.aput_all([(key, val)], collection)

    def put_all(
        self,
        kv_pairs: list[tuple[str, dict[str, Any]]],
        collection: str = DEFAULT_COLLECTION,
        batch_size: int = DEFAULT_BATCH_SIZE,
    ) -> None:
        """Puts all pairs at once, whatever `batch_size` is."""
        items = self._items(kv_pairs, collection)
        try:
            self._cache.mset(items.items(), ttl=self._ttl)
        except SerializationError as error:
            self._cache.mset(_as_json(items, error).items(), ttl=self._ttl)

    async def aput_all(
        self,
        kv_pairs: list[tuple[str, dict[str, Any]]],
        collection: str = DEFAULT_COLLECTION,
        batch_size: int = DEFAULT_BATCH_SIZE,
    ) -> None:
        """Twin of put_all()."""
        items = self._items(kv_pairs, collection)
        try:
            await self._cache.amset(items.items(), ttl=self._ttl)
        except SerializationError as error:
            await self._cache.amset(_as_json(items, error).items(), ttl=self._ttl)

    def get(self, key: str, collection: str = DEFAULT_COLLECTION) -> dict[str, Any] | None:
        return _value(self._cache.get(self._key(key, collection)), key)

    async def aget(self, key: str, collection: str = DEFAULT_COLLECTION) -> dict[str, Any] | None:
        return _value(await self._cache.aget(self._key(key, collection)), key)

    def get_all(self, collection: str = DEFAULT_COLLECTION) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        keys = list(keys_under(self._cache, self._under(collection)))
        for start in range(0, len(keys), _LISTED):
            for stored in self._cache.mget(keys[start : start + _LISTED]):
                if _is_pair(stored):
                    found[stored[0]] = stored[1]
        return found

    async def aget_all(self, collection: str = DEFAULT_COLLECTION) -> dict[str, dict[str, Any]]:
        return await self._cache._away(self.get_all, collection)

    def delete(self, key: str, collection: str = DEFAULT_COLLECTION) -> bool:
        return self._cache.delete(self._key(key, collection))

    async def adelete(self, key: str, collection: str = DEFAULT_COLLECTION) -> bool:
        return await self._cache.adelete(self._key(key, collection))

    def _under(self, collection: str) -> str:
        return f"{self._prefix}:{digest_of(self._cache._digest, collection)[:16]}:"

    def _key(self, key: str, collection: str) -> str:
        return self._under(collection) + digest_of(self._cache._digest, collection, key)

    def _items(
        self, pairs: Sequence[tuple[str, dict[str, Any]]], collection: str
    ) -> dict[str, list[Any]]:
        items: dict[str, list[Any]] = {}
        for key, val in pairs:
            if not isinstance(key, str):
                raise TypeError(f"key={shown(key)} of type {type(key).__name__}: allowed is a str")
            if not isinstance(val, dict):
                raise TypeError(
                    f"val of key {shown(key)} is of type {type(val).__name__}: allowed is a dict"
                )
            items[self._key(key, collection)] = [key, val]
        return items


def _as_json(items: dict[str, list[Any]], error: SerializationError) -> dict[str, list[Any]]:
    """The items as JSON has them, as in LlamaIndex' own stores: an enum of str is its value."""
    try:
        return {name: json.loads(json.dumps(item)) for name, item in items.items()}
    except (TypeError, ValueError):
        raise error from None


def _is_pair(stored: object) -> bool:
    return isinstance(stored, list) and len(stored) == 2 and isinstance(stored[1], dict)


def _value(stored: Any, key: str) -> dict[str, Any] | None:
    """The dict that stands beside `key`."""
    return stored[1] if _is_pair(stored) and stored[0] == key else None


class BaseEmbedding(_BaseEmbedding):
    """Embeddings of a LlamaIndex model, each computed once. Thread-safe.

    embed_model: the model. Texts and queries are kept apart.
    cache: where to keep them; vcache.get_cache() unless given.
    model: name and version of the model, part of every key. Unless given, it is what `embed_model`
        says of itself; what else changes its vectors belongs in it too. A vcache.EmbeddingCache of
        this `model` and `kind`, "document" or "query", has the same entries.
    ttl, cost_per_embedding, prices, count_tokens: as of vcache.EmbeddingCache. What is missing is
        computed, and stored, `embed_model.embed_batch_size` at a time, with its rate limiter.
    options: fields of LlamaIndex' own class. embed_batch_size is of look-ups here, and greatest
        unless given.

    Numbers are of float32 precision, whether computed or found. Raises ConfigError, also a
    ValueError, for an argument that is not allowed or a model that has no name.
    """

    _model: _BaseEmbedding = PrivateAttr()
    _texts: Kind = PrivateAttr()
    _queries: Kind = PrivateAttr()

    def __init__(
        self,
        embed_model: _BaseEmbedding,
        *,
        cache: Cache | None = None,
        model: str | None = None,
        ttl: Duration | None = "30d",
        cost_per_embedding: float | None = None,
        prices: Price | Mapping[str, Any] | None = None,
        count_tokens: Callable[[str], int] | None = None,
        **options: Any,
    ) -> None:
        if not isinstance(embed_model, _BaseEmbedding):
            raise ConfigError(
                f"embed_model={shown(embed_model)} of type {type(embed_model).__name__}: allowed is"
                " a LlamaIndex BaseEmbedding"
            )
        name = model_of(embed_model, model)
        options.setdefault("embed_batch_size", _MOST_TEXTS)
        super().__init__(model_name=name, **options)
        shared: dict[str, Any] = {
            "model": name,
            "cache": cache,
            "batch_size": embed_model.embed_batch_size,
            "ttl": ttl,
            "cost_per_embedding": cost_per_embedding,
            "prices": prices,
            "count_tokens": count_tokens,
            "dims": dims_of(embed_model) if model is None else None,
        }
        source = _Source(embed_model)
        self._model = embed_model
        self._texts = Kind(source.texts, source.atexts, kind="document", **shared)
        self._queries = Kind(source.queries, source.aqueries, kind="query", **shared)

    @classmethod
    def class_name(cls) -> str:
        return "VcacheEmbedding"

    @property
    def embed_model(self) -> _BaseEmbedding:
        """The model behind the cache."""
        return self._model

    def get_text_embedding_matrix(self, texts: Sequence[str]) -> Matrix:
        """The embeddings as an (n, d) float32 matrix, without the way through lists and events."""
        return self._texts.embed(texts)

    def report(self) -> CostReport:
        """What was asked for and saved, texts and queries together."""
        return total(self._texts, self._queries)

    def _get_query_embedding(self, query: str) -> Embedding:
        return lists(self._queries.embed([query]))[0]

    async def _aget_query_embedding(self, query: str) -> Embedding:
        return lists(await self._queries.aembed([query]))[0]

    def _get_text_embedding(self, text: str) -> Embedding:
        return self._get_text_embeddings([text])[0]

    async def _aget_text_embedding(self, text: str) -> Embedding:
        return (await self._aget_text_embeddings([text]))[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[Embedding]:
        return lists(self._texts.embed(texts))

    async def _aget_text_embeddings(self, texts: list[str]) -> list[Embedding]:
        return lists(await self._texts.aembed(texts))


class _Source:
    """The calls of a model, in a form that pickles if the model does."""

    def __init__(self, model: _BaseEmbedding) -> None:
        self._model = model

    def texts(self, texts: list[str]) -> Rows:
        return self._model.get_text_embedding_batch(texts)

    async def atexts(self, texts: list[str]) -> Rows:
        return await self._model.aget_text_embedding_batch(texts)

    def queries(self, texts: list[str]) -> Rows:
        return [self._model.get_query_embedding(text) for text in texts]

    async def aqueries(self, texts: list[str]) -> Rows:
        return [await self._model.aget_query_embedding(text) for text in texts]
