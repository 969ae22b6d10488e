"""vcache inside LangChain: embeddings, byte stores and results of language models.

from vcache.integrations.langchain import BaseCache, ByteStore, Embeddings

embeddings = Embeddings(OpenAIEmbeddings(model="text-embedding-3-small"), cache=cache)
set_llm_cache(BaseCache(cache))
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from .._arguments import Ttl, key_list, ttl_argument
from .._core import DEFAULT
from .._messages import shown
from ..cache import Cache
from ..costs import CostReport
from ..durations import Duration
from ..embedding import Matrix, cache_argument
from ..errors import ConfigError
from ..logs import tell
from ..prices import Price
from ._hosts import check_name, digest_of, dims_of, missing, model_of
from ._kind import Kind, Rows, lists, total
from ._listing import keys_under

try:
    from langchain_core import messages, outputs
    from langchain_core.caches import BaseCache as _BaseCache
    from langchain_core.embeddings import Embeddings as _Embeddings
    from langchain_core.load import dumps, loads
    from langchain_core.load.serializable import Serializable
    from langchain_core.stores import BaseStore
except ImportError as error:
    raise missing("langchain", "langchain-core", "langchain") from error

__all__ = ["BaseCache", "ByteStore", "Embeddings"]

_logger = logging.getLogger(__name__)

# What the result of a language model is made of.
_RESULTS: tuple[type[Serializable], ...] = (
    outputs.Generation,
    outputs.GenerationChunk,
    outputs.ChatGeneration,
    outputs.ChatGenerationChunk,
    messages.AIMessage,
    messages.AIMessageChunk,
    messages.ChatMessage,
    messages.ChatMessageChunk,
    messages.FunctionMessage,
    messages.HumanMessage,
    messages.SystemMessage,
    messages.ToolMessage,
)

with warnings.catch_warnings():  # it says once in a process that it is beta
    warnings.simplefilter("ignore")
    loads("{}", allowed_objects=[])


class Embeddings(_Embeddings):
    """Embeddings of a LangChain model, each computed once. Thread-safe.

    embeddings: the model. Documents and queries are kept apart.
    cache: where to keep them; vcache.get_cache() unless given.
    model: name and version of the model, part of every key. Unless given, it is what `embeddings`
        says of itself; what else changes its vectors belongs in it too. A vcache.EmbeddingCache of
        this `model` and `kind`, "document" or "query", has the same entries.
    batch_size, ttl, cost_per_embedding, prices, count_tokens: as of vcache.EmbeddingCache.

    Numbers are of float32 precision, whether computed or found. Raises ConfigError, also a
    ValueError, for an argument that is not allowed or a model that has no name.
    """

    def __init__(
        self,
        embeddings: _Embeddings,
        *,
        cache: Cache | None = None,
        model: str | None = None,
        batch_size: int = 256,
        ttl: Duration | None = "30d",
        cost_per_embedding: float | None = None,
        prices: Price | Mapping[str, Any] | None = None,
        count_tokens: Callable[[str], int] | None = None,
    ) -> None:
        if not isinstance(embeddings, _Embeddings):
            raise ConfigError(
                f"embeddings={shown(embeddings)} of type {type(embeddings).__name__}: allowed is a"
                " langchain_core.embeddings.Embeddings"
            )
        self.embeddings = embeddings
        self.model = model_of(embeddings, model)
        options: dict[str, Any] = {
            "model": self.model,
            "cache": cache,
            "ttl": ttl,
            "cost_per_embedding": cost_per_embedding,
            "prices": prices,
            "count_tokens": count_tokens,
            "dims": dims_of(embeddings) if model is None else None,
        }
        source = _Source(embeddings)
        self._documents = Kind(
            source.documents, source.adocuments, kind="document", batch_size=batch_size, **options
        )
        self._queries = Kind(
            source.queries, source.aqueries, kind="query", batch_size=batch_size, **options
        )

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return lists(self.embed_documents_np(texts))

    def embed_query(self, text: str) -> list[float]:
        return lists(self._queries.embed([text]))[0]

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        return lists(await self._documents.aembed(texts))

    async def aembed_query(self, text: str) -> list[float]:
        return lists(await self._queries.aembed([text]))[0]

    def embed_documents_np(self, texts: Sequence[str]) -> Matrix:
        """embed_documents() as an (n, d) float32 matrix, without the way through lists."""
        return self._documents.embed(texts)

    def embed_query_np(self, text: str) -> Matrix:
        """embed_query() as a float32 array of shape (d,)."""
        row: Matrix = self._queries.embed([text])[0]
        return row

    def report(self) -> CostReport:
        """What was asked for and saved, documents and queries together."""
        return total(self._documents, self._queries)


class _Source:
    """The calls of a model, in a form that pickles if the model does."""

    def __init__(self, embeddings: _Embeddings) -> None:
        self._embeddings = embeddings

    def documents(self, texts: list[str]) -> Rows:
        return self._embeddings.embed_documents(texts)

    async def adocuments(self, texts: list[str]) -> Rows:
        return await self._embeddings.aembed_documents(texts)

    def queries(self, texts: list[str]) -> Rows:
        return [self._embeddings.embed_query(text) for text in texts]

    async def aqueries(self, texts: list[str]) -> Rows:
        return [await self._embeddings.aembed_query(text) for text in texts]


class ByteStore(BaseStore[str, bytes]):
    """A LangChain store of bytes in a cache, such as CacheBackedEmbeddings wants. Thread-safe.

    cache: where to keep them; vcache.get_cache() unless given.
    name: stores of one name share their entries. Keys are bytes:NAME:KEY, 1024 bytes at most.
    ttl: time to live; that of the cache unless given, None for no expiry.

    A cache evicts: what was stored may be gone. yield_keys() tells of what is there, and raises
    RedisError where there is a Redis that gives no answer.
    """

    def __init__(
        self, cache: Cache | None = None, *, name: str = "store", ttl: Ttl = DEFAULT
    ) -> None:
        self._cache = cache_argument(cache)
        self._prefix = f"bytes:{check_name(name)}:"
        self._ttl = ttl_argument(ttl)

    def mget(self, keys: Sequence[str]) -> list[bytes | None]:
        return [_as_bytes(value) for value in self._cache.mget(self._named(keys))]

    async def amget(self, keys: Sequence[str]) -> list[bytes | None]:
        return [_as_bytes(value) for value in await self._cache.amget(self._named(keys))]

    def mset(self, key_value_pairs: Sequence[tuple[str, bytes]]) -> None:
        items = self._items(key_value_pairs)
        self._cache.mset(items.items(), ttl=self._ttl)

    async def amset(self, key_value_pairs: Sequence[tuple[str, bytes]]) -> None:
        items = self._items(key_value_pairs)
        await self._cache.amset(items.items(), ttl=self._ttl)

    def mdelete(self, keys: Sequence[str]) -> None:
        self._cache.mdelete(self._named(keys))

    async def amdelete(self, keys: Sequence[str]) -> None:
        await self._cache.amdelete(self._named(keys))

    def yield_keys(self, *, prefix: str | None = None) -> Iterator[str]:
        for key in keys_under(self._cache, self._prefix + (prefix or "")):
            yield key.removeprefix(self._prefix)

    async def ayield_keys(self, *, prefix: str | None = None) -> AsyncIterator[str]:
        listed = self._cache._away(lambda: list(self.yield_keys(prefix=prefix)))
        for key in await listed:
            yield key

    def _named(self, keys: Iterable[Any]) -> list[str]:
        named = []
        for key in key_list(keys):
            if not isinstance(key, str):
                raise TypeError(f"key={shown(key)} of type {type(key).__name__}: allowed is a str")
            named.append(self._prefix + key)
        return named

    def _items(self, pairs: Sequence[tuple[str, bytes]]) -> dict[str, bytes]:
        pairs = list(pairs)
        items: dict[str, bytes] = {}
        for name, (key, value) in zip(self._named([key for key, _ in pairs]), pairs, strict=True):
            if not isinstance(value, bytes):
                raise TypeError(
                    f"value of type {type(value).__name__} for key {shown(key)}: allowed are bytes"
                )
            items[name] = value
        return items


def _as_bytes(value: object) -> bytes | None:
    return value if isinstance(value, bytes) else None


class BaseCache(_BaseCache):
    """A LangChain cache of what language models answered. Thread-safe.

    cache: where to keep it; vcache.get_cache() unless given.
    name: caches of one name share their entries, and clear() ends those of its name only.
    ttl: time to live; that of the cache unless given, None for no expiry.
    allowed_objects: classes that answers may hold beside LangChain's own generations and messages.

    Answers are JSON as langchain_core.load writes it, and only what is allowed is made of it again.
    One that would not come back as it is, is not stored, and the log says so once.
    """

    def __init__(
        self,
        cache: Cache | None = None,
        *,
        name: str = "default",
        ttl: Ttl = DEFAULT,
        allowed_objects: Sequence[type[Serializable]] = (),
    ) -> None:
        self._cache = cache_argument(cache)
        self._prefix = f"llm:{check_name(name)}"
        self._ttl = ttl_argument(ttl)
        self._allowed = [*_RESULTS, *allowed_objects]
        self._has_warned = False

    def lookup(self, prompt: str, llm_string: str) -> Sequence[outputs.Generation] | None:
        return self._revived(self._cache.get(self._key(prompt, llm_string)))

    async def alookup(self, prompt: str, llm_string: str) -> Sequence[outputs.Generation] | None:
        return self._revived(await self._cache.aget(self._key(prompt, llm_string)))

    def update(
        self, prompt: str, llm_string: str, return_val: Sequence[outputs.Generation]
    ) -> None:
        text = self._text(return_val)
        if text is not None:
            key, tags = self._key(prompt, llm_string), (self._prefix,)
            self._cache.set(key, text, ttl=self._ttl, tags=tags)

    async def aupdate(
        self, prompt: str, llm_string: str, return_val: Sequence[outputs.Generation]
    ) -> None:
        text = self._text(return_val)
        if text is not None:
            key, tags = self._key(prompt, llm_string), (self._prefix,)
            await self._cache.aset(key, text, ttl=self._ttl, tags=tags)

    def clear(self, **kwargs: Any) -> None:
        """Ends all answers of this name, in all processes."""
        self._cache.invalidate_tags(self._prefix)

    async def aclear(self, **kwargs: Any) -> None:
        """Twin of clear()."""
        await self._cache.ainvalidate_tags(self._prefix)

    def _key(self, prompt: str, llm_string: str) -> str:
        return f"{self._prefix}:{digest_of(self._cache._digest, prompt, llm_string)}"

    def _text(self, answers: Sequence[outputs.Generation]) -> str | None:
        """The answers as JSON, or None where they would come back as something else."""
        try:
            text = json.dumps([dumps(answer) for answer in answers])
            revived = self._revived(text)
            if revived is not None and [dumps(answer) for answer in revived] == json.loads(text):
                return text
        except (TypeError, ValueError) as error:
            tell(
                *(_logger, logging.DEBUG, "value_unreadable"),
                "an answer cannot be written: {error}",
                of="langchain",
                error=type(error).__name__,
            )
        if not self._has_warned:
            self._has_warned = True
            tell(
                *(_logger, logging.WARNING, "value_not_cached"),
                "an answer is not cached, for it holds what allowed_objects= does not name or JSON"
                " cannot hold; this is said once",
                of="langchain",
            )
        return None

    def _revived(self, text: object) -> list[outputs.Generation] | None:
        if not isinstance(text, str):
            return None
        try:
            found = [loads(one, allowed_objects=self._allowed) for one in json.loads(text)]
        except (TypeError, ValueError, NotImplementedError) as error:
            tell(
                *(_logger, logging.DEBUG, "value_unreadable"),
                "an answer cannot be read: {error}",
                of="langchain",
                error=type(error).__name__,
            )
            return None
        return found if all(isinstance(one, outputs.Generation) for one in found) else None
