"""The calls of a cache for coroutines: each is the twin of the blocking one of its name.

A hit in memory never leaves the thread of the event loop; what may wait for Redis does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar, Unpack, cast
from weakref import WeakMethod

import numpy as np
from numpy.typing import DTypeLike, NDArray

from . import _core
from ._arguments import Key, Ttl, Volatility, key_list, pattern_bytes, tag_list
from ._callers import OnLoop, waiting_threads
from ._calls import Calls, storing_of
from ._core import DEFAULT, MISSING
from ._freshness import FreshnessOptions, Terms
from ._invalidation import OnWrite, run_all
from ._source import batch_source, single_source
from ._turns import Turns
from .stats import Health, Lookup

__all__ = ["Twins"]

T = TypeVar("T")


class Twins(Calls):
    """The same calls to be awaited."""

    def __init__(self, core: _core.TieredCache, terms: Terms, *, has_redis: bool) -> None:
        super().__init__(core, terms)
        self._has_redis = has_redis
        self._on_loop = OnLoop(offload=has_redis)
        each, fresh = WeakMethod(self._get_each), WeakMethod(self._fresh_get_each)
        # A cache is not to hold itself.
        self._turns = Turns(lambda keys: cast(Any, each())(keys), waiting_threads)
        self._fresh_turns = Turns(lambda keys: cast(Any, fresh())(keys), waiting_threads)

    async def aget(self, key: Key, default: Any = None) -> Any:
        """Twin of get(). What coroutines ask for in one turn of the loop shares a round trip."""
        if not self._has_redis:
            return self.get(key, default)
        value = self._memory_get(key, MISSING)
        if value is MISSING:
            value = await self._turns.get(key)
        return default if value is MISSING else value

    def _get_each(self, keys: list[Key]) -> list[Any]:
        if len(keys) == 1:
            return [self.get(keys[0], MISSING)]
        return self._tiers.mget(keys, MISSING)

    async def _afresh_get(self, key: Key, default: Any = None) -> Any:
        """Twin of _fresh_get()."""
        if not self._has_redis:
            return self.get(key, default)
        value = self._fresh_memory_get(key, MISSING)
        if value is MISSING:
            value = await self._fresh_turns.get(key)
        return default if value is MISSING else value

    def _fresh_get_each(self, keys: list[Key]) -> list[Any]:
        if len(keys) == 1:
            return [self._fresh_get(keys[0], MISSING)]
        return self._tiers.mget(keys, MISSING, True)

    async def alookup(self, key: Key) -> Lookup:
        """Twin of lookup()."""
        return await self._near([key], self.lookup, key)

    async def aset(
        self,
        key: Key,
        value: Any,
        *,
        ttl: Ttl = DEFAULT,
        memory_ttl: Ttl = DEFAULT,
        metadata: dict[str, Any] | None = None,
        tags: Iterable[str | bytes] = (),
        cost: float | None = None,
        volatility: Volatility | None = None,
    ) -> None:
        """Twin of set()."""
        await self._away(
            self._set_general,
            key,
            value,
            ttl=ttl,
            memory_ttl=memory_ttl,
            metadata=metadata,
            tags=tags,
            cost=cost,
            volatility=volatility,
        )

    async def amget(self, keys: Iterable[Key], default: Any = None) -> list[Any]:
        """Twin of mget()."""
        return await self._amget(key_list(keys), default, fresh=False)

    async def _amget(self, keys: Sequence[Key], default: Any, *, fresh: bool) -> list[Any]:
        if not self._has_redis:
            return self.mget(keys, default)
        values = self._tiers.memory_get_many(keys, MISSING, fresh)
        missed = [index for index, value in enumerate(values) if value is MISSING]
        if missed:
            found = await self._on_loop.core(
                self._tiers.mget, [keys[index] for index in missed], default, fresh
            )
            for index, value in zip(missed, found, strict=True):
                values[index] = value
        return values

    async def amset(
        self,
        items: Mapping[Key, Any] | Iterable[tuple[Key, Any]],
        *,
        ttl: Ttl = DEFAULT,
        tags: Iterable[str | bytes] = (),
        volatility: Volatility | None = None,
    ) -> None:
        """Twin of mset()."""
        await self._away(self.mset, items, ttl=ttl, tags=tags, volatility=volatility)

    async def aget_vectors(
        self,
        keys: Iterable[Key],
        *,
        dim: int | None = None,
        dtype: DTypeLike = "float32",
        out: NDArray[Any] | None = None,
    ) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Twin of get_vectors(). A caller who is cancelled has `out` back as it was."""
        keys, read = key_list(keys), partial(self.get_vectors, dim=dim, dtype=dtype)
        is_late = self._has_redis and not self._tiers.memory_has(keys)
        if not (is_late and isinstance(out, np.ndarray) and out.flags.carray):
            return await self._near(keys, read, keys, out=out)
        matrix, found = await self._away(read, keys, out=np.empty(out.shape, out.dtype))
        out[...] = matrix
        return out, found

    async def aset_vectors(
        self,
        keys: Iterable[Key],
        matrix: NDArray[Any],
        *,
        ttl: Ttl = DEFAULT,
        cost: float | None = None,
        volatility: Volatility | None = None,
    ) -> None:
        """Twin of set_vectors()."""
        given = {"ttl": ttl, "cost": cost, "volatility": volatility}
        await self._away(self.set_vectors, keys, matrix, **given)

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
        """Twin of get_or_set(). `factory` may be async; a plain one runs in a worker thread.

        A caller who is cancelled does not cancel the computation for others; the last one does.
        If `factory` ends in a CancelledError of its own or another BaseException, the caller whose
        factory it was raises that; who else waits starts anew.
        """
        source, storing = single_source(factory), storing_of(ttl, cost, options, tags)
        seen = self._loader.flights.step
        if self._modes.are_on and self._modes.now() is not None:
            value = MISSING
        elif storing.freshness.is_early:
            value = await self._find_one(self._on_loop, key, source, storing)
        else:
            value = await self._afresh_get(key, MISSING)
        if value is not MISSING:
            return value
        return (await self._load_one(self._on_loop, key, source, storing, seen)).value

    async def aget_or_set_many(
        self,
        keys: Iterable[Key],
        factory: Callable[[list[Key]], Any],
        *,
        ttl: Ttl = DEFAULT,
        **options: Unpack[FreshnessOptions],
    ) -> list[Any]:
        """Twin of get_or_set_many(); of `factory` and cancellation as for aget_or_set()."""
        source, storing = batch_source(factory), storing_of(ttl, None, options)
        keys = tuple(key_list(keys))  # one that nobody can change meanwhile
        seen = self._loader.flights.step
        if self._modes.are_on and self._modes.now() is not None:
            values = [MISSING] * len(keys)
        elif storing.freshness.is_early:
            values = await self._find_many(self._on_loop, keys, source, storing)
        else:
            values = await self._amget(keys, MISSING, fresh=True)
        return await self._fill(self._on_loop, keys, values, source, storing, seen)

    async def adelete(self, key: Key) -> bool:
        """Twin of delete()."""
        return await self._away(self.delete, key)

    async def amdelete(self, keys: Iterable[Key]) -> int:
        """Twin of mdelete()."""
        return await self._away(self.mdelete, keys)

    async def atouch(self, key: Key, ttl: Ttl = DEFAULT) -> bool:
        """Twin of touch()."""
        return await self._away(self.touch, key, ttl)

    async def aexists(self, key: Key) -> bool:
        """Twin of exists()."""
        return await self._near([key], self.exists, key)

    async def aclear(self) -> None:
        """Twin of clear()."""
        await self._away(self.clear)

    async def ainvalidate(self, pattern: str | bytes) -> int:
        """Twin of invalidate()."""
        return await self._away(self.invalidate, pattern)

    async def ainvalidate_tags(self, *tags: str | bytes) -> None:
        """Twin of invalidate_tags()."""
        await self._away(self.invalidate_tags, *tags)

    def invalidate_on_write(
        self, *patterns: str | bytes, tags: Iterable[str | bytes] = ()
    ) -> OnWrite:
        """Context manager, sync or async, and decorator of a function that writes to the source.

        When the write is done, invalidates what the patterns take and what has one of the tags,
        also where the caller is cancelled by then; if it raises, nothing. A strict cache raises the
        first error after all was tried.
        """
        given = [pattern_bytes(pattern, "patterns") for pattern in patterns]
        ended = tag_list(tags, most=None)
        if not given and not ended:
            raise ValueError("patterns=(): allowed is at least one pattern or tag")

        calls: list[Callable[[], object]] = [partial(self.invalidate_tags, *ended)]
        calls += [partial(self.invalidate, pattern) for pattern in given]
        return OnWrite(partial(run_all, calls), lambda: self._on_loop.to_the_end(run_all, calls))

    async def ahealthy(self) -> Health:
        """Twin of healthy()."""
        return await self._away(self.healthy)

    async def aclose(self) -> None:
        """Twin of close()."""
        await self._away(self.close)

    async def _near(
        self, keys: Sequence[Key], function: Callable[..., T], *args: Any, **named: Any
    ) -> T:
        """A read of `keys`: in this thread if memory has them all."""
        if self._tiers.memory_has(keys):
            return function(*args, **named)
        return await self._away(function, *args, **named)

    async def _away(self, function: Callable[..., T], *args: Any, **named: Any) -> T:
        return await self._on_loop.core(partial(function, *args, **named))
