"""Entries of an embeddings cache, and those that RedisVL keeps as hashes in Redis.

RedisVL's key is NAME: and the SHA-256 of "CONTENT:MODEL", with the content in hexadecimal digits if
it is bytes; its fields are content, model_name, embedding (a JSON list), inserted_at and metadata
(JSON). Two entries can have one key, so content and model are compared.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._messages import shown
from ..errors import ConfigError
from ..keys import escape
from ..logs import tell

__all__ = ["Entry", "Hashes", "Old", "as_vector"]

_logger = logging.getLogger(__name__)

_AT_ONCE = 500  # keys that one SCAN looks at and one DEL names

Content = str | bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """One embedding and what it is of."""

    content: Content
    model_name: str
    embedding: NDArray[Any]
    inserted_at: float
    metadata: dict[str, Any] | None = None

    def stored(self) -> dict[str, Any]:
        """As it stands in a cache."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def of_stored(cls, value: object) -> Entry | None:
        """What stored() gave, or None for anything else."""
        if not isinstance(value, dict) or value.keys() != set(cls.__slots__):
            return None
        entry = cls(**value)
        is_one = (
            isinstance(entry.content, str | bytes)
            and isinstance(entry.model_name, str)
            and isinstance(entry.embedding, np.ndarray)
            and isinstance(entry.inserted_at, float)
        )
        return entry if is_one else None

    def answer(self, entry_id: str) -> dict[str, Any]:
        """As RedisVL returns it."""
        found: dict[str, Any] = {
            "entry_id": entry_id,
            "content": self.content,
            "model_name": self.model_name,
            "embedding": self.embedding.tolist(),
            "inserted_at": self.inserted_at,
        }
        return found if self.metadata is None else found | {"metadata": self.metadata}


@dataclass(frozen=True, slots=True)
class Old:
    """An entry that RedisVL wrote, and the whole seconds it has left; None for no expiry."""

    entry: Entry
    ttl: float | None

    def is_of(self, content: Content, model_name: str) -> bool:
        return (_plain(self.entry.content), self.entry.model_name) == (_plain(content), model_name)


class Hashes:
    """RedisVL's entries under one name, read through redis-py clients. Its errors are misses."""

    def __init__(self, name: str, client: Any, async_client: Any) -> None:
        self._name = name
        self._client = client
        self._async_client = async_client
        self._has_warned = False

    def __bool__(self) -> bool:
        return self._client is not None or self._async_client is not None

    def key(self, content: Content, model_name: str) -> str:
        text = content.hex() if isinstance(content, bytes) else content
        return f"{self._name}:{sha256(f'{text}:{model_name}'.encode()).hexdigest()}"

    def read(self, keys: Sequence[str]) -> list[Old | None]:
        """The entries under `keys`, in one round trip."""
        if not keys:
            return []
        try:
            with self._blocking().pipeline(transaction=False) as pipeline:
                _ask(pipeline, keys)
                return _old(pipeline.execute(raise_on_error=False))
        except _errors() as error:
            return self._unread(keys, error)

    async def aread(self, keys: Sequence[str]) -> list[Old | None]:
        """Twin of read(), through the client for coroutines, or else the other in a thread."""
        if not keys:
            return []
        if self._async_client is None:
            return await asyncio.to_thread(self.read, keys)
        try:
            async with self._async_client.pipeline(transaction=False) as pipeline:
                _ask(pipeline, keys)
                return _old(await pipeline.execute(raise_on_error=False))
        except _errors() as error:
            return self._unread(keys, error)

    def delete(self, keys: Sequence[str]) -> None:
        """Removes entries. Raises what the client raises, for they would come back."""
        if keys:
            self._blocking().delete(*keys)

    async def adelete(self, keys: Sequence[str]) -> None:
        """Twin of delete()."""
        if not keys:
            return
        if self._async_client is None:
            await asyncio.to_thread(self.delete, keys)
        else:
            await self._async_client.delete(*keys)

    def pages(self) -> Iterator[list[str]]:
        """The keys of all entries, some at a time."""
        page: list[str] = []
        for name in self._scanned(self._blocking()):
            if _is_digest(key := _text(name), self._name):
                page.append(key)
            if len(page) >= _AT_ONCE:
                yield page
                page = []
        if page:
            yield page

    async def aclear(self) -> None:
        """Removes all entries."""
        if self._async_client is None:
            await asyncio.to_thread(self.clear)
            return
        found = self._scanned(self._async_client)
        await self.adelete(
            [key async for name in found if _is_digest(key := _text(name), self._name)]
        )

    def clear(self) -> None:
        """Removes all entries."""
        for page in self.pages():
            self.delete(page)

    def _scanned(self, client: Any) -> Any:
        return client.scan_iter(match=f"{escape(self._name)}:*", count=_AT_ONCE, _type="HASH")

    def _unread(self, keys: Sequence[str], error: Exception) -> list[Old | None]:
        level = logging.DEBUG if self._has_warned else logging.WARNING
        self._has_warned = True
        tell(
            *(_logger, level, "redisvl_unreadable"),
            "entries of RedisVL cannot be read ({error}): they are misses",
            error=type(error).__name__,
        )
        return [None] * len(keys)

    def _blocking(self) -> Any:
        if self._client is None:
            raise ConfigError(
                "redis_client=None: allowed is a client that blocks, for this call does; its twin"
                " with an a- uses async_redis_client"
            )
        return self._client


def as_vector(embedding: object) -> NDArray[Any]:
    """One row of numbers, as float32 where that loses nothing, else as float64."""
    try:
        row = np.asarray(embedding)
    except (TypeError, ValueError):
        row = np.empty(0, object)
    if row.ndim != 1 or row.dtype.kind not in "fiu" or not row.size:
        raise ValueError(f"embedding={shown(embedding)}: allowed is a list of numbers")
    wide = row.astype(np.float64)
    with np.errstate(over="ignore"):
        narrow = wide.astype(np.float32)
    return narrow if np.array_equal(narrow, wide, equal_nan=True) else wide


def _ask(pipeline: Any, keys: Sequence[str]) -> None:
    for key in keys:
        pipeline.hgetall(key)
        pipeline.pttl(key)


def _old(replies: Sequence[Any]) -> list[Old | None]:
    pairs = zip(replies[::2], replies[1::2], strict=True)
    return [_parsed(fields, left) for fields, left in pairs]


def _parsed(fields: object, left: object) -> Old | None:
    """What HGETALL and PTTL say of an entry; None for no hash, or one of something else."""
    if not isinstance(fields, Mapping) or not fields or not isinstance(left, int):
        return None
    try:
        named = {_text(name): value for name, value in fields.items()}
        metadata = named.get("metadata")
        entry = Entry(
            content=_readable(named["content"]),
            model_name=_text(named["model_name"]),
            embedding=as_vector(json.loads(named["embedding"])),
            inserted_at=float(named["inserted_at"]),
            metadata=None if metadata is None else json.loads(metadata),
        )
    except (KeyError, TypeError, ValueError) as error:
        tell(
            *(_logger, logging.DEBUG, "value_unreadable"),
            "a hash is no entry of RedisVL: {error}",
            of="redisvl",
            error=type(error).__name__,
        )
        return None
    return Old(entry, max(1.0, left // 1000) if left >= 0 else None)


def _errors() -> tuple[type[Exception], ...]:
    """What clients raise where Redis fails."""
    from redis.exceptions import RedisError

    return RedisError, OSError


def _is_digest(key: str, name: str) -> bool:
    return len(key) == len(name) + 1 + 64


def _text(value: Any) -> str:
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)


def _readable(value: Any) -> Content:
    """Text where it is UTF-8, as RedisVL has it."""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value
    return str(value)


def _plain(content: Content) -> bytes:
    return content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
