"""A cache looked at as a mapping."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from ._arguments import Key, pair_lists
from ._core import MISSING
from ._messages import shown
from .errors import ConfigError
from .keys import escape

__all__ = ["Entries"]

_NAMESPACE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_NONE_GIVEN: Any = object()


class _Calls(Protocol):
    """What is asked of a cache."""

    def get(self, key: Key, default: Any = None) -> Any: ...
    def set(self, key: Key, value: Any) -> None: ...
    def mset(self, items: Iterable[tuple[Key, Any]]) -> None: ...
    def delete(self, key: Key) -> bool: ...
    def exists(self, key: Key) -> bool: ...
    def get_or_set(self, key: Key, factory: Callable[[], Any]) -> Any: ...
    def invalidate(self, pattern: str | bytes) -> int: ...
    def clear(self) -> None: ...


class Entries:
    """The entries of a cache by their keys; with a namespace, those whose keys it begins.

    The entry "a" of the namespace "users" is what the cache has under "users:a". Reads and writes
    are those of the cache: both tiers, its times to live, its counts. Values that expire or are
    evicted meanwhile are not there any more, so `view[key]` may raise KeyError after `key in view`
    was true. Keys cannot be listed, and so neither iterated over nor counted. Thread-safe.
    """

    __slots__ = ("_cache", "_prefix")
    __iter__ = None  # else Python would ask for the keys 0, 1, ...

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

    def update(
        self, items: Mapping[Any, Any] | Iterable[tuple[Key, Any]] = (), /, **named: Any
    ) -> None:
        """Stores a mapping or pairs, in one round trip; nothing if one of them cannot be."""
        keys, values = pair_lists(items)
        keys += named
        values += named.values()
        self._cache.mset(list(zip(map(self._whole, keys), values, strict=True)))

    def clear(self) -> None:
        """Removes all entries of this view."""
        if self._prefix:
            self._cache.invalidate(f"{escape(self._prefix)}*")
        else:
            self._cache.clear()

    def _whole(self, key: Any) -> Any:
        if isinstance(key, str):
            return self._prefix + key
        if isinstance(key, bytes):
            return self._prefix.encode() + key
        return key  # which the cache refuses


def _checked(namespace: object) -> str:
    if not isinstance(namespace, str):
        kind = type(namespace).__name__
        raise TypeError(f"namespace={shown(namespace)} of type {kind}: allowed are None and a str")
    if not _NAMESPACE.fullmatch(namespace):
        raise ConfigError(f"namespace={shown(namespace)}: allowed are 1 to 64 of A-Z a-z 0-9 _ . -")
    return namespace
