"""Which keys a cache holds."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from functools import partial
from numbers import Integral
from typing import Any

from . import _core
from ._arguments import Key, key_list
from ._messages import shown

__all__ = ["ListingCalls", "apages_under", "keys_under", "pages_under"]


class ListingCalls:
    """Calls that tell of keys."""

    _tiers: _core.TieredCache
    _away: Callable[..., Any]
    _near: Callable[..., Any]

    def hot_keys(self, n: int = 50) -> list[tuple[Key, int]]:
        """The keys of the memory tier that are read most, at most `n`, with their hits.

        Hottest first; of those that were hit as often, in the order of their bytes. A key is a str
        where it is UTF-8, else bytes. Hits are those of memory since the key came into it, also by
        batches and those of values set over each other, up to 4,000,000,000; what has left memory,
        by eviction, expiry or deletion, has none left. Keys without hits are not listed. Looks at
        all entries, some at a time, so that other calls hardly wait: about 10 ms for a million.
        """
        return self._tiers.hot_keys(_count(n, "n"))

    def mexists(self, keys: Iterable[Key]) -> list[bool]:
        """Of each key whether either tier has it, in their order; counts nothing.

        One round trip per Redis node, which sends no values but those with tags.
        """
        return self._tiers.mexists(key_list(keys))

    async def amexists(self, keys: Iterable[Key]) -> list[bool]:
        """Twin of mexists()."""
        keys = key_list(keys)
        found: list[bool] = await self._near(keys, self.mexists, keys)
        return found


def pages_under(
    core: _core.TieredCache, prefix: str, *, required: bool = False
) -> Iterator[list[Key]]:
    """Lists of the keys that begin with `prefix`, each key once, those of memory first.

    Of Redis by SCAN, some round trips for each 1,000 keys there, of whatever names. What is set or
    removed meanwhile is there or not. Where Redis gives no answer, its part is missing; a strict
    cache raises RedisError then, and so does `required`.
    """
    head = prefix.encode()
    seen = set[Key]()
    for page in _in_memory(core, head):
        yield _new(page, seen)
    for page in _in_redis(core, head, required):
        yield _new(page, seen)


def keys_under(core: _core.TieredCache, prefix: str, *, required: bool = False) -> Iterator[Key]:
    """The keys of pages_under()."""
    for page in pages_under(core, prefix, required=required):
        yield from page


async def apages_under(
    core: _core.TieredCache, prefix: str, away: Callable[..., Any]
) -> AsyncIterator[list[Key]]:
    """Twin of pages_under(); `away` runs a call where it may wait."""
    pages = pages_under(core, prefix)
    while (page := await away(partial(next, pages, None))) is not None:
        yield page


def _new(page: list[Key], seen: set[Key]) -> list[Key]:
    new = [key for key in dict.fromkeys(page) if key not in seen]
    seen.update(new)
    return new


def _in_memory(core: _core.TieredCache, prefix: bytes) -> Iterator[list[Key]]:
    place: int | None = 0
    while place is not None:
        keys, place = core.memory_keys(prefix, place)
        yield keys


def _in_redis(core: _core.TieredCache, prefix: bytes, required: bool) -> Iterator[list[Key]]:
    page = core.Page()
    while not page.is_last:
        yield core.redis_keys(prefix, page, required)


def _count(value: object, name: str) -> int:
    allowed = "allowed is an int from 0 on"
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name}={shown(value)} is of type {type(value).__name__}: {allowed}")
    if value < 0:
        raise ValueError(f"{name}={shown(value)}: {allowed}")
    return min(int(value), 2**63)
