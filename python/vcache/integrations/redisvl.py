"""RedisVL's EmbeddingsCache over a vcache.Cache: the same methods, and its own entries read too.

from vcache.integrations.redisvl import EmbeddingsCache

embeddings = EmbeddingsCache(cache=cache, redis_client=redis.Redis())  # reads what RedisVL wrote
vectorizer = HFTextVectorizer(cache=embeddings)
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from .._arguments import ttl_argument
from .._messages import shown
from ..cache import Cache
from ..durations import Duration
from ..embedding import cache_argument
from ..errors import ConfigError
from ..keys import escape
from ._hosts import digest_of
from ._redisvl_asked import (
    DIGITS,
    Asked,
    Found,
    are_there,
    check_content,
    check_model,
    filled,
    found_in,
    gaps,
    new_entry,
    under,
)
from ._redisvl_hashes import Content, Entry, Hashes, Old

if TYPE_CHECKING:
    _Host = object
else:
    try:  # the vectorizers of RedisVL take no other class for a cache
        from redisvl.extensions.cache.embeddings import EmbeddingsCache as _Host
    except ImportError:
        _Host = object

__all__ = ["EmbeddingsCache"]

_MOST_NAME = 512

Answer = dict[str, Any]


class EmbeddingsCache(_Host):
    """Embeddings by content and name of the model, with the methods of RedisVL. Thread-safe.

    name: caches of one name share their entries; keys are NAME: and 64 hexadecimal digits.
    ttl: time to live where set() gives none; None for no expiry. An entry that is read in the
        second half of it has it anew.
    redis_client, async_redis_client: redis-py clients of a Redis where RedisVL kept a cache of this
        name. What this cache does not hold is looked up there, and kept here with the time it has
        left. drop() and clear() remove it there too. migrate() copies all.
    redis_url: makes a cache of its own on this Redis, which disconnect() closes.
    cache: where to keep entries; vcache.get_cache() unless given or `redis_url` is.

    Embeddings come back as the lists of float that they were. As RedisVL's, entries hold the
    content in clear text. Raises ConfigError, also a ValueError, for an argument that is not
    allowed.
    """

    def __init__(
        self,
        name: str = "embedcache",
        ttl: Duration | None = None,
        redis_client: Any = None,
        async_redis_client: Any = None,
        redis_url: str | None = None,
        *,
        cache: Cache | None = None,
    ) -> None:
        if not isinstance(name, str) or not 1 <= len(name.encode("utf-8", "replace")) <= _MOST_NAME:
            raise ConfigError(f"name={shown(name)}: allowed is text of 1 to {_MOST_NAME} bytes")
        if cache is not None and redis_url is not None:
            raise ConfigError("redis_url: allowed only without cache")
        self.name = name
        self.set_ttl(ttl)
        self._is_own = redis_url is not None
        self._cache = Cache(redis=redis_url) if self._is_own else cache_argument(cache)
        self._old = Hashes(name, redis_client, async_redis_client)

    @property
    def ttl(self) -> Duration | None:
        """Time to live where set() gives none."""
        return self._ttl

    def set_ttl(self, ttl: Duration | None = None) -> None:
        """Takes another time to live; None for no expiry."""
        self._seconds = ttl_argument(ttl)
        self._ttl = ttl

    def get(self, content: Content, model_name: str) -> Answer | None:
        """The entry of `content`, or None."""
        return self.mget([content], model_name)[0]

    def get_by_key(self, key: str) -> Answer | None:
        """The entry that set() returned `key` for, or RedisVL's under it; or None."""
        return self.mget_by_keys([key])[0]

    def mget(self, contents: Iterable[Content], model_name: str) -> list[Answer | None]:
        """Entries of `contents` in their order, None for each that is missing."""
        return self._answers(self._find(self._asked(contents, model_name)))

    def mget_by_keys(self, keys: Iterable[str]) -> list[Answer | None]:
        """Entries under `keys` in their order, None for each that is missing."""
        return self._answers(self._find(under(keys)))

    def set(
        self,
        content: Content,
        model_name: str,
        embedding: Sequence[float],
        metadata: dict[str, Any] | None = None,
        ttl: Duration | None = None,
    ) -> str:
        """Stores an entry; its key."""
        return self._store([new_entry(content, model_name, embedding, metadata)], ttl)[0]

    def mset(self, items: Iterable[dict[str, Any]], ttl: Duration | None = None) -> list[str]:
        """Stores dicts of content, model_name, embedding and, if wanted, metadata; their keys."""
        return self._store([new_entry(**item) for item in items], ttl)

    def exists(self, content: Content, model_name: str) -> bool:
        return self.mexists([content], model_name)[0]

    def exists_by_key(self, key: str) -> bool:
        return self.mexists_by_keys([key])[0]

    def mexists(self, contents: Iterable[Content], model_name: str) -> list[bool]:
        return are_there(self._find(self._asked(contents, model_name)))

    def mexists_by_keys(self, keys: Iterable[str]) -> list[bool]:
        return are_there(self._find(under(keys)))

    def drop(self, content: Content, model_name: str) -> None:
        self.mdrop([content], model_name)

    def drop_by_key(self, key: str) -> None:
        self.mdrop_by_keys([key])

    def mdrop(self, contents: Iterable[Content], model_name: str) -> None:
        asked = self._asked(contents, model_name)
        if self._old:
            self._old.delete(asked.old_keys)
        self._cache.mdelete(asked.keys)

    def mdrop_by_keys(self, keys: Iterable[str]) -> None:
        asked = under(keys)
        if self._old:
            found = found_in(self._cache.mget(asked.keys)), self._old.read(asked.keys)
            asked = self._related(asked.keys, *found)
            self._old.delete(asked.old_keys)
        self._cache.mdelete(asked.keys)

    def expire(self, key: str, ttl: Duration | None = None) -> None:
        """Gives an entry a new time to live, that of this cache unless given."""
        if (seconds := self._lifetime(ttl)) is not None:
            self._cache.touch(key, seconds)

    def clear(self) -> None:
        """Removes all entries of this name."""
        if self._old:
            self._old.clear()
        self._cache.invalidate(self._pattern)

    def disconnect(self) -> None:
        """Closes the cache that `redis_url` made."""
        if self._is_own:
            self._cache.close()

    def migrate(self) -> int:
        """Copies all that RedisVL kept under this name, with the time it has left; how many.

        Entries that are here already stay as they are.
        """
        count = 0
        for page in self._old.pages():
            old = [one for one in self._old.read(page) if one is not None]
            keys = [self._key(one.entry) for one in old]
            stored = found_in(self._cache.mget(keys))
            fresh = [one for one, there in zip(old, stored, strict=True) if there is None]
            self._adopt(fresh)
            count += len(fresh)
        return count

    async def aget(self, content: Content, model_name: str) -> Answer | None:
        """Twin of get()."""
        return (await self.amget([content], model_name))[0]

    async def aget_by_key(self, key: str) -> Answer | None:
        """Twin of get_by_key()."""
        return (await self.amget_by_keys([key]))[0]

    async def amget(self, contents: Iterable[Content], model_name: str) -> list[Answer | None]:
        """Twin of mget()."""
        return self._answers(await self._afind(self._asked(contents, model_name)))

    async def amget_by_keys(self, keys: Iterable[str]) -> list[Answer | None]:
        """Twin of mget_by_keys()."""
        return self._answers(await self._afind(under(keys)))

    async def aset(
        self,
        content: Content,
        model_name: str,
        embedding: Sequence[float],
        metadata: dict[str, Any] | None = None,
        ttl: Duration | None = None,
    ) -> str:
        """Twin of set()."""
        return (await self._astore([new_entry(content, model_name, embedding, metadata)], ttl))[0]

    async def amset(
        self, items: Iterable[dict[str, Any]], ttl: Duration | None = None
    ) -> list[str]:
        """Twin of mset()."""
        return await self._astore([new_entry(**item) for item in items], ttl)

    async def aexists(self, content: Content, model_name: str) -> bool:
        return (await self.amexists([content], model_name))[0]

    async def aexists_by_key(self, key: str) -> bool:
        return (await self.amexists_by_keys([key]))[0]

    async def amexists(self, contents: Iterable[Content], model_name: str) -> list[bool]:
        return are_there(await self._afind(self._asked(contents, model_name)))

    async def amexists_by_keys(self, keys: Iterable[str]) -> list[bool]:
        return are_there(await self._afind(under(keys)))

    async def adrop(self, content: Content, model_name: str) -> None:
        await self.amdrop([content], model_name)

    async def adrop_by_key(self, key: str) -> None:
        await self.amdrop_by_keys([key])

    async def amdrop(self, contents: Iterable[Content], model_name: str) -> None:
        asked = self._asked(contents, model_name)
        if self._old:
            await self._old.adelete(asked.old_keys)
        await self._cache.amdelete(asked.keys)

    async def amdrop_by_keys(self, keys: Iterable[str]) -> None:
        asked = under(keys)
        if self._old:
            stored = await self._cache.amget(asked.keys)
            found = found_in(stored), await self._old.aread(asked.keys)
            asked = self._related(asked.keys, *found)
            await self._old.adelete(asked.old_keys)
        await self._cache.amdelete(asked.keys)

    async def aexpire(self, key: str, ttl: Duration | None = None) -> None:
        """Twin of expire()."""
        if (seconds := self._lifetime(ttl)) is not None:
            await self._cache.atouch(key, seconds)

    async def aclear(self) -> None:
        """Twin of clear()."""
        if self._old:
            await self._old.aclear()
        await self._cache.ainvalidate(self._pattern)

    async def adisconnect(self) -> None:
        """Twin of disconnect()."""
        if self._is_own:
            await self._cache.aclose()

    @property
    def _pattern(self) -> str:
        return f"{escape(self.name)}:{'?' * DIGITS}"

    def _find(self, asked: Asked) -> list[Found]:
        found = found_in(self._cache.mget(asked.keys))
        if self._old and (missed := gaps(found)):
            old = self._old.read([asked.old_keys[index] for index in missed])
            self._adopt(filled(found, missed, old, asked))
        for key in self._due(asked.keys, found):
            self._cache.touch(key, self._seconds)
        return found

    async def _afind(self, asked: Asked) -> list[Found]:
        found = found_in(await self._cache.amget(asked.keys))
        if self._old and (missed := gaps(found)):
            old = await self._old.aread([asked.old_keys[index] for index in missed])
            for seconds, items in self._lasting(filled(found, missed, old, asked)).items():
                await self._cache.amset(items.items(), ttl=seconds)
        for key in self._due(asked.keys, found):
            await self._cache.atouch(key, self._seconds)
        return found

    def _store(self, entries: list[Entry], ttl: Duration | None) -> list[str]:
        keys = [self._key(entry) for entry in entries]
        items = [(key, entry.stored()) for key, entry in zip(keys, entries, strict=True)]
        self._cache.mset(items, ttl=self._lifetime(ttl))
        return keys

    async def _astore(self, entries: list[Entry], ttl: Duration | None) -> list[str]:
        keys = [self._key(entry) for entry in entries]
        items = [(key, entry.stored()) for key, entry in zip(keys, entries, strict=True)]
        await self._cache.amset(items, ttl=self._lifetime(ttl))
        return keys

    def _adopt(self, old: Iterable[Old]) -> None:
        """Keeps entries of RedisVL here."""
        for seconds, items in self._lasting(old).items():
            self._cache.mset(items.items(), ttl=seconds)

    def _lasting(self, old: Iterable[Old]) -> dict[float | None, dict[str, Any]]:
        """Entries to keep here, by the seconds that they have left."""
        found: dict[float | None, dict[str, Any]] = {}
        for one in old:
            found.setdefault(one.ttl, {})[self._key(one.entry)] = one.entry.stored()
        return found

    def _related(self, keys: list[str], found: Sequence[Found], old: Sequence[Old | None]) -> Asked:
        """The same entries here and in RedisVL, whichever of the two the keys are of."""
        here = [self._key(one.entry) for one in old if one is not None]
        there = [self._old.key(one.content, one.model_name) for one in found if one is not None]
        return Asked([*keys, *here], [*keys, *there])

    def _due(self, keys: Sequence[str], found: Sequence[Found]) -> list[str]:
        """The keys of entries in the second half of the time that this cache gives."""
        if self._seconds is None:
            return []
        half = time.time() - self._seconds / 2
        pairs = zip(keys, found, strict=True)
        return [key for key, entry in pairs if entry is not None and entry.inserted_at < half]

    def _lifetime(self, ttl: Duration | None) -> float | None:
        seconds: float | None = self._seconds if ttl is None else ttl_argument(ttl)
        return seconds

    def _asked(self, contents: Iterable[Content], model_name: str) -> Asked:
        if isinstance(contents, str | bytes) or not isinstance(contents, Iterable):
            raise TypeError(
                f"contents={shown(contents)} of type {type(contents).__name__}: allowed is a list"
                " of str or bytes"
            )
        wanted = [(check_content(content), check_model(model_name)) for content in contents]
        keys = [self._key_of(*one) for one in wanted]
        old_keys = [self._old.key(*one) for one in wanted] if self._old else []
        return Asked(keys, old_keys, wanted)

    def _key(self, entry: Entry) -> str:
        return self._key_of(entry.content, entry.model_name)

    def _key_of(self, content: Content, model_name: str) -> str:
        is_bytes = isinstance(content, bytes)
        text = content.hex() if isinstance(content, bytes) else content
        digest = digest_of(self._cache._digest, "bytes" if is_bytes else "text", text, model_name)
        return f"{self.name}:{digest}"

    def _answers(self, found: Iterable[Found]) -> list[Answer | None]:
        return [None if one is None else one.answer(self._key(one)[-DIGITS:]) for one in found]
