"""vcache inside LangGraph: the cache of what nodes returned.

graph = builder.compile(cache=vcache.integrations.langgraph.BaseCache(cache))
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from .._arguments import Ttl, ttl_argument
from .._core import MISSING
from .._messages import shown
from ..cache import Cache
from ..embedding import cache_argument
from ..errors import ConfigError
from ..logs import tell
from ._hosts import check_name, digest_of, missing

try:
    from langgraph.cache.base import BaseCache as _BaseCache
    from langgraph.cache.base import FullKey, Namespace
    from langgraph.checkpoint.serde.base import SerializerProtocol
    from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
except ImportError as error:
    raise missing("langgraph", "langgraph-checkpoint", "langchain") from error

__all__ = ["BaseCache"]

ValueT = TypeVar("ValueT")

_logger = logging.getLogger(__name__)


class BaseCache(_BaseCache[ValueT]):
    """A LangGraph cache of what nodes returned. Thread-safe.

    cache: where to keep it; vcache.get_cache() unless given.
    name: caches of one name share their entries, and clear() ends those of its name only.
    serde: how values become bytes; LangGraph's own, without pickle, unless given. One that falls
        back to pickle is a ConfigError.
    allowed_objects: classes that values may hold beside those that LangGraph takes for safe; not
        with `serde`.

    A value that would not come back as it is, is not stored, and the log says so once; a tuple in
    it comes back as a list, as from LangGraph's own caches. Values are stored with the time to live
    that LangGraph gives; None is no expiry.
    """

    def __init__(
        self,
        cache: Cache | None = None,
        *,
        name: str = "default",
        serde: SerializerProtocol | None = None,
        allowed_objects: Iterable[type] = (),
    ) -> None:
        super().__init__(serde=_checked(serde, tuple(allowed_objects)))
        self._cache = cache_argument(cache)
        self._prefix = f"graph:{check_name(name)}"
        self._has_warned = False

    def get(self, keys: Sequence[FullKey]) -> dict[FullKey, ValueT]:
        return self._found(keys, self._cache.mget(map(self._key, keys)))

    async def aget(self, keys: Sequence[FullKey]) -> dict[FullKey, ValueT]:
        return self._found(keys, await self._cache.amget(map(self._key, keys)))

    def set(self, pairs: Mapping[FullKey, tuple[ValueT, int | None]]) -> None:
        for key, stored, options in self._stored(pairs):
            self._cache.set(key, stored, **options)

    async def aset(self, pairs: Mapping[FullKey, tuple[ValueT, int | None]]) -> None:
        stores = [
            self._cache.aset(key, value, **options) for key, value, options in self._stored(pairs)
        ]
        await asyncio.gather(*stores)

    def clear(self, namespaces: Sequence[Namespace] | None = None) -> None:
        """Ends the values of these namespaces, or all of this name, in all processes."""
        self._cache.invalidate_tags(*self._tags(namespaces))

    async def aclear(self, namespaces: Sequence[Namespace] | None = None) -> None:
        """Twin of clear()."""
        await self._cache.ainvalidate_tags(*self._tags(namespaces))

    def _key(self, key: FullKey) -> str:
        namespace, name = key
        return f"{self._prefix}:{digest_of(self._cache._digest, *namespace, name)}"

    def _tags(self, namespaces: Sequence[Namespace] | None) -> list[str]:
        if namespaces is None:
            return [self._prefix]
        return [
            f"{self._prefix}:{digest_of(self._cache._digest, *namespace)}"
            for namespace in namespaces
        ]

    def _stored(
        self, pairs: Mapping[FullKey, tuple[ValueT, int | None]]
    ) -> list[tuple[str, list[Any], dict[str, Any]]]:
        """Keys, values in the stored form, and how to store them."""
        found = []
        for key, (value, seconds) in pairs.items():
            ttl: Ttl = ttl_argument(seconds)
            kind, data = self.serde.dumps_typed(value)
            if self._revived([kind, data]) is MISSING:
                self._warn()
                continue
            options = {"ttl": ttl, "tags": [*self._tags(None), *self._tags([key[0]])]}
            found.append((self._key(key), [kind, data], options))
        return found

    def _found(self, keys: Sequence[FullKey], stored: Sequence[Any]) -> dict[FullKey, ValueT]:
        values = zip(keys, map(self._revived, stored), strict=True)
        return {key: value for key, value in values if value is not MISSING}

    def _revived(self, stored: object) -> Any:
        """The value, or MISSING where it is none or would become something else.

        LangGraph makes a plain dict of an object whose class is not allowed.
        """
        if not isinstance(stored, list) or len(stored) != 2:
            return MISSING
        kind, data = stored
        try:
            value = self.serde.loads_typed((kind, data))
            is_same = self.serde.dumps_typed(value) == (kind, data)
        except Exception as error:  # whatever a serializer raises for what it cannot read
            tell(
                *(_logger, logging.DEBUG, "value_unreadable"),
                "a value cannot be read: {error}",
                of="langgraph",
                error=type(error).__name__,
            )
            return MISSING
        return value if is_same else MISSING

    def _warn(self) -> None:
        if not self._has_warned:
            self._has_warned = True
            tell(
                *(_logger, logging.WARNING, "value_not_cached"),
                "a value is not cached, for it holds what allowed_objects= does not name; this is"
                " said once",
                of="langgraph",
            )


def _checked(serde: Any, allowed: tuple[type, ...]) -> Any:
    if serde is None:
        return JsonPlusSerializer(pickle_fallback=False, allowed_msgpack_modules=allowed or None)
    if allowed:
        raise ConfigError("allowed_objects: allowed only without serde")
    if getattr(serde, "pickle_fallback", False):
        raise ConfigError(f"serde={shown(serde)}: allowed is one with pickle_fallback=False")
    return serde
