"""A cache looked at as a mapping."""

from __future__ import annotations

import re
from collections.abc import (
    AsyncIterator,
    Callable,
    ItemsView,
    Iterable,
    Iterator,
    Mapping,
    MutableMapping,
    ValuesView,
)
from itertools import chain
from typing import Any, Protocol

from . import _core
from ._arguments import Key, pair_lists
from ._core import MISSING
from ._listing import apages_under, pages_under
from ._messages import shown
from .errors import ConfigError
from .keys import escape

__all__ = ["Entries"]

_NAMESPACE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_NONE_GIVEN: Any = object()
_AT_ONCE = 256  # values read in one call


class _Calls(Protocol):
    """What is asked of a cache."""

    _tiers: _core.TieredCache

    async def _away(self, function: Callable[..., Any], *args: Any) -> Any: ...
    def mget(self, keys: Iterable[Key], default: Any = None) -> list[Any]: ...
    async def amget(self, keys: Iterable[Key], default: Any = None) -> list[Any]: ...
    async def amset(self, items: Iterable[tuple[Key, Any]]) -> None: ...
    async def ainvalidate(self, pattern: str | bytes) -> int: ...
    async def aclear(self) -> None: ...
    def get(self, key: Key, default: Any = None) -> Any: ...
    def set(self, key: Key, value: Any) -> None: ...
    def mset(self, items: Iterable[tuple[Key, Any]]) -> None: ...
    def delete(self, key: Key) -> bool: ...
    def exists(self, key: Key) -> bool: ...
    def get_or_set(self, key: Key, factory: Callable[[], Any]) -> Any: ...
    def invalidate(self, pattern: str | bytes) -> int: ...
    def clear(self) -> None: ...


class Entries(MutableMapping[Key, Any]):
    """The entries of a cache by their keys; with a namespace, those whose keys it begins.

    The entry "a" of the namespace "users" is what the cache has under "users:a". Reads and writes
    are those of the cache: both tiers, its times to live, its counts. Values that expire or are
    evicted meanwhile are not there any more, so `view[key]` may raise KeyError after `key in view`
    was true. Thread-safe.

    Iterating gives each key that either tier has once, in no order, as a str where it is UTF-8,
    else bytes. It goes through memory and then, by SCAN, through all keys of each Redis server,
    about 1,000 in a round trip or two: so does len(), and list(view) asks for both. items() and
    values() read 256 values at a time. What is set or removed meanwhile may be met or not; what
    stays is met. While Redis gives no answer, what this process has is there; a strict cache raises
    RedisError.
    """

    __slots__ = ("_cache", "_prefix")

    def __init__(self, cache: _Calls, namespace: str | None) -> None:
        self._cache = cache
        self._prefix = "" if namespace is None else f"{_checked(namespace)}:"

    def __repr__(self) -> str:
        return (
            f"{self._cache!r}.mapping({self._prefix[:-1]!r})"
            if self._prefix
            else (f"{self._cache!r}.mapping()")
        )

    def __getitem__(self, key: Key) -> Any:
        value = self._cache.get(self._whole(key), MISSING)
        if value is MISSING:
            raise KeyError(key)
        return value

    def __setitem__(self, key: Key, value: Any) -> None:
        self._cache.set(self._whole(key), value)

    def __delitem__(self, key: Key) -> None:
        if not self._cache.delete(self._whole(key)):
            raise KeyError(key)

    def __iter__(self) -> Iterator[Key]:
        return chain.from_iterable(self._pages())

    def __len__(self) -> int:
        return sum(map(len, self._pages()))

    def __bool__(self) -> bool:
        return any(self._pages())

    async def __aiter__(self) -> AsyncIterator[Key]:
        async for page in self._apages():
            for key in page:
                yield key

    async def alen(self) -> int:
        """Twin of len()."""
        return sum([len(page) async for page in self._apages()])

    def items(self) -> ItemsView[Key, Any]:
        """Keys and values; of what is gone by the time that it is read there is nothing."""
        return _Items(self)

    def values(self) -> ValuesView[Any]:
        """The values of items()."""
        return _Values(self)

    async def aitems(self) -> AsyncIterator[tuple[Key, Any]]:
        """Twin of items(), to be iterated over."""
        async for page in self._apages():
            for keys in _parts(page):
                values = await self._cache.amget(list(map(self._whole, keys)), MISSING)
                for item in _present(keys, values):
                    yield item

    def __contains__(self, key: object) -> bool:
        return isinstance(key, (str, bytes)) and self._cache.exists(self._whole(key))

    def get(self, key: Key, default: Any = None) -> Any:
        """The value under `key`, or the default."""
        return self._cache.get(self._whole(key), default)

    def pop(self, key: Key, default: Any = _NONE_GIVEN) -> Any:
        """Removes `key` and returns its value; the default if it is not there, else KeyError."""
        value = self._cache.get(self._whole(key), MISSING)
        if value is not MISSING:
            self._cache.delete(self._whole(key))
            return value
        if default is _NONE_GIVEN:
            raise KeyError(key)
        return default

    def setdefault(self, key: Key, default: Any = None) -> Any:
        """The value under `key`, or the default, which is then stored."""
        return self._cache.get_or_set(self._whole(key), lambda: default)

    def update(  # type: ignore[override]
        self, items: Mapping[Any, Any] | Iterable[tuple[Key, Any]] = (), /, **named: Any
    ) -> None:
        """Stores a mapping or pairs, in one round trip; nothing if one of them cannot be."""
        keys, values = pair_lists(items)
        keys += named
        values += named.values()
        self._cache.mset(list(zip(map(self._whole, keys), values, strict=True)))

    async def aupdate(self, items: Mapping[Key, Any] | Iterable[tuple[Key, Any]] = (), /) -> None:
        """Twin of update()."""
        keys, values = pair_lists(items)
        await self._cache.amset(list(zip(map(self._whole, keys), values, strict=True)))

    def clear(self) -> None:
        """Removes all entries of this view."""
        if self._prefix:
            self._cache.invalidate(f"{escape(self._prefix)}*")
        else:
            self._cache.clear()

    async def aclear(self) -> None:
        """Twin of clear()."""
        if self._prefix:
            await self._cache.ainvalidate(f"{escape(self._prefix)}*")
        else:
            await self._cache.aclear()

    def _pages(self) -> Iterator[list[Key]]:
        return map(self._stripped, pages_under(self._cache._tiers, self._prefix))

    async def _apages(self) -> AsyncIterator[list[Key]]:
        async for page in apages_under(self._cache._tiers, self._prefix, self._cache._away):
            yield self._stripped(page)

    def _stripped(self, page: list[Key]) -> list[Key]:
        """The keys as this view has them; not that of the empty one, which no entry can have."""
        if not self._prefix:
            return page
        text, raw = len(self._prefix), len(self._prefix.encode())
        keys = [_text(key[raw:]) if isinstance(key, bytes) else key[text:] for key in page]
        return [key for key in keys if key]

    def _whole(self, key: Any) -> Any:
        if isinstance(key, str):
            return self._prefix + key
        if isinstance(key, bytes):
            return self._prefix.encode() + key
        return key  # which the cache refuses


class _Items(ItemsView[Key, Any]):
    _mapping: Entries

    def __iter__(self) -> Iterator[tuple[Key, Any]]:
        view = self._mapping
        for page in view._pages():
            for keys in _parts(page):
                yield from _present(keys, view._cache.mget(list(map(view._whole, keys)), MISSING))


class _Values(ValuesView[Any]):
    _mapping: Entries

    def __contains__(self, value: object) -> bool:
        return any(each is value or each == value for each in self)

    def __iter__(self) -> Iterator[Any]:
        return (value for _, value in self._mapping.items())


def _parts(page: list[Key]) -> Iterator[list[Key]]:
    return (page[at : at + _AT_ONCE] for at in range(0, len(page), _AT_ONCE))


def _present(keys: list[Key], values: list[Any]) -> Iterator[tuple[Key, Any]]:
    return ((key, value) for key, value in zip(keys, values, strict=True) if value is not MISSING)


def _text(key: bytes) -> Key:
    try:
        return key.decode()
    except UnicodeDecodeError:
        return key


def _checked(namespace: object) -> str:
    if not isinstance(namespace, str):
        kind = type(namespace).__name__
        raise TypeError(f"namespace={shown(namespace)} of type {kind}: allowed are None and a str")
    if not _NAMESPACE.fullmatch(namespace):
        raise ConfigError(f"namespace={shown(namespace)}: allowed are 1 to 64 of A-Z a-z 0-9 _ . -")
    return namespace
