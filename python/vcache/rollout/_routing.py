"""The calls of a rollout: those of a Cache, each for whose the key is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypedDict, Unpack

from numpy.typing import DTypeLike, NDArray

from .._arguments import Key, Ttl, key_list, pair_lists
from .._callers import run_blocking
from .._core import DEFAULT
from .._freshness import FreshnessOptions
from ..stats import Lookup
from ._sides import Sides, awaited, blocking
from ._vectors import Found, get_vectors, set_vectors

__all__ = ["Routing"]


class SetOptions(TypedDict, total=False):
    """Of set(), as of that of a Cache."""

    ttl: Ttl
    memory_ttl: Ttl
    metadata: dict[str, Any] | None
    tags: Iterable[str | bytes]
    cost: float | None


Items = Mapping[Key, Any] | Iterable[tuple[Key, Any]]


class Routing(Sides):
    """As of a Cache."""

    def get(self, key: Key, default: Any = None) -> Any:
        return run_blocking(self._get(blocking, key, default))

    async def aget(self, key: Key, default: Any = None) -> Any:
        return await self._get(awaited, key, default)

    def lookup(self, key: Key) -> Lookup:
        found: Lookup = run_blocking(self._lookup(blocking, key))
        return found

    async def alookup(self, key: Key) -> Lookup:
        found: Lookup = await self._lookup(awaited, key)
        return found

    def mget(self, keys: Iterable[Key], default: Any = None) -> list[Any]:
        """As of a Cache, in a round trip for each side."""
        return run_blocking(self._mget(blocking, key_list(keys), default))

    async def amget(self, keys: Iterable[Key], default: Any = None) -> list[Any]:
        return await self._mget(awaited, key_list(keys), default)

    def get_vectors(
        self,
        keys: Iterable[Key],
        *,
        dim: int | None = None,
        dtype: DTypeLike = "float32",
        out: NDArray[Any] | None = None,
    ) -> Found:
        return run_blocking(get_vectors(self, blocking, key_list(keys), dim, dtype, out))

    async def aget_vectors(
        self,
        keys: Iterable[Key],
        *,
        dim: int | None = None,
        dtype: DTypeLike = "float32",
        out: NDArray[Any] | None = None,
    ) -> Found:
        return await get_vectors(self, awaited, key_list(keys), dim, dtype, out)

    def set(self, key: Key, value: Any, **options: Unpack[SetOptions]) -> None:
        run_blocking(self._set(blocking, key, value, dict(options)))

    async def aset(self, key: Key, value: Any, **options: Unpack[SetOptions]) -> None:
        await self._set(awaited, key, value, dict(options))

    def mset(self, items: Items, *, ttl: Ttl = DEFAULT) -> None:
        """As of a Cache; what cannot be stored on one side leaves what the other has stored."""
        run_blocking(self._mset(blocking, *pair_lists(items), ttl))

    async def amset(self, items: Items, *, ttl: Ttl = DEFAULT) -> None:
        await self._mset(awaited, *pair_lists(items), ttl)

    def set_vectors(
        self,
        keys: Iterable[Key],
        matrix: NDArray[Any],
        *,
        ttl: Ttl = DEFAULT,
        cost: float | None = None,
    ) -> None:
        named = {"ttl": ttl, "cost": cost}
        run_blocking(set_vectors(self, blocking, key_list(keys), matrix, named))

    async def aset_vectors(
        self,
        keys: Iterable[Key],
        matrix: NDArray[Any],
        *,
        ttl: Ttl = DEFAULT,
        cost: float | None = None,
    ) -> None:
        named = {"ttl": ttl, "cost": cost}
        await set_vectors(self, awaited, key_list(keys), matrix, named)

    def get_or_set(
        self,
        key: Key,
        factory: Callable[[], Any],
        *,
        ttl: Ttl = DEFAULT,
        tags: Iterable[str | bytes] = (),
        cost: float | None = None,
        **options: Unpack[FreshnessOptions],
    ) -> Any:
        named = {"ttl": ttl, "tags": tags, "cost": cost} | options
        return run_blocking(self._get_or_set(blocking, key, factory, named))

    async def aget_or_set(
        self,
        key: Key,
        factory: Callable[[], Any],
        *,
        ttl: Ttl = DEFAULT,
        tags: Iterable[str | bytes] = (),
        cost: float | None = None,
        **options: Unpack[FreshnessOptions],
    ) -> Any:
        named = {"ttl": ttl, "tags": tags, "cost": cost} | options
        return await self._get_or_set(awaited, key, factory, named)

    def get_or_set_many(
        self,
        keys: Iterable[Key],
        factory: Callable[[list[Key]], Any],
        *,
        ttl: Ttl = DEFAULT,
        **options: Unpack[FreshnessOptions],
    ) -> list[Any]:
        """As of a Cache; `factory` is called up to once for the missing keys of each side."""
        named: dict[str, Any] = {"ttl": ttl} | options
        return run_blocking(self._get_or_set_many(blocking, key_list(keys), factory, named))

    async def aget_or_set_many(
        self,
        keys: Iterable[Key],
        factory: Callable[[list[Key]], Any],
        *,
        ttl: Ttl = DEFAULT,
        **options: Unpack[FreshnessOptions],
    ) -> list[Any]:
        named: dict[str, Any] = {"ttl": ttl} | options
        return await self._get_or_set_many(awaited, key_list(keys), factory, named)

    def delete(self, key: Key) -> bool:
        return any(run_blocking(self._both(blocking, "delete", key)))

    async def adelete(self, key: Key) -> bool:
        return any(await self._both(awaited, "delete", key))

    def mdelete(self, keys: Iterable[Key]) -> int:
        return run_blocking(self._mdelete(blocking, key_list(keys)))

    async def amdelete(self, keys: Iterable[Key]) -> int:
        return await self._mdelete(awaited, key_list(keys))

    def touch(self, key: Key, ttl: Ttl = DEFAULT) -> bool:
        return bool(run_blocking(self._owner(blocking, "touch", key, ttl)))

    async def atouch(self, key: Key, ttl: Ttl = DEFAULT) -> bool:
        return bool(await self._owner(awaited, "touch", key, ttl))

    def exists(self, key: Key) -> bool:
        return bool(run_blocking(self._owner(blocking, "exists", key)))

    async def aexists(self, key: Key) -> bool:
        return bool(await self._owner(awaited, "exists", key))

    def clear(self) -> None:
        """Empties both."""
        run_blocking(self._both(blocking, "clear"))

    async def aclear(self) -> None:
        await self._both(awaited, "clear")

    def invalidate(self, pattern: str | bytes) -> int:
        """As of a Cache, in both."""
        return run_blocking(self._invalidate(blocking, pattern))

    async def ainvalidate(self, pattern: str | bytes) -> int:
        return await self._invalidate(awaited, pattern)

    def invalidate_tags(self, *tags: str | bytes) -> None:
        """As of a Cache, in both."""
        run_blocking(self._both(blocking, "invalidate_tags", *tags))

    async def ainvalidate_tags(self, *tags: str | bytes) -> None:
        await self._both(awaited, "invalidate_tags", *tags)
