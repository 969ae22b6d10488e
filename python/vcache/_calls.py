"""The calls of a cache that block until they are done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from time import monotonic, perf_counter
from typing import TYPE_CHECKING, Any, Unpack, cast

import numpy as np
from numpy.typing import DTypeLike, NDArray

from . import _core
from ._accesses import newest
from ._arguments import (
    Key,
    Ttl,
    Volatility,
    cost_argument,
    dim_argument,
    dtype_name,
    key_list,
    metadata_bytes,
    pair_lists,
    pattern_bytes,
    tag_list,
    ttl_argument,
    ttl_chosen,
)
from ._callers import Blocking, Caller, refuse_async, run_blocking
from ._core import DEFAULT, MISSING
from ._filling import Storing
from ._flight import Outcome, Work, normal_key
from ._freshness import PLAIN, Freshness, FreshnessOptions, Terms
from ._loading import Loader
from ._modes import Modes
from ._source import Source, batch_source, single_source
from .objects import decode, stored_form
from .stats import Health, Lookup, Stats, TierHealth

__all__ = ["Calls"]

BLOCKING = Blocking()


class Calls(_core.CacheBase):
    """Reads, writes and what a cache says of itself, over one core."""

    def __init__(self, core: _core.TieredCache, terms: Terms) -> None:
        super().__init__(core)  # type: ignore[call-arg]
        self._tiers = core
        self._loader = Loader(core, terms)
        self._modes = Modes()
        self._made_at = monotonic()

    if TYPE_CHECKING:

        def get(self, key: Key, default: Any = None) -> Any: ...

        def _fresh_get(self, key: Key, default: Any = None) -> Any: ...

        def _memory_get(self, key: Key, default: Any = None) -> Any: ...

        def _fresh_memory_get(self, key: Key, default: Any = None) -> Any: ...

        def set(
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
        ) -> None: ...

    def _set_general(
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
        """set() for arguments that take more than a look to understand."""
        self._loader.forget([key])
        self._tiers.put(
            key,
            value,
            ttl_chosen(ttl, volatility),
            ttl_argument(memory_ttl, "memory_ttl"),
            metadata_bytes(metadata),
            cost_argument(cost),
            0.0,
            tag_list(tags),
        )

    def lookup(self, key: Key) -> Lookup:
        """The value under `key` with where it came from, its age, time left and metadata."""
        value, tier, age, ttl, metadata, stale = self._tiers.lookup(key)
        return Lookup(
            value=value,
            hit=tier is not None,
            tier=cast(Any, tier),
            age=age,
            ttl=ttl,
            stale=stale,
            metadata=decode(metadata) if metadata else {},
        )

    def mget(self, keys: Iterable[Key], default: Any = None) -> list[Any]:
        """Values of `keys` in their order, duplicates kept; `default` for each that is missing."""
        return self._tiers.mget(key_list(keys), default)

    def mset(
        self,
        items: Mapping[Key, Any] | Iterable[tuple[Key, Any]],
        *,
        ttl: Ttl = DEFAULT,
        tags: Iterable[str | bytes] = (),
        volatility: Volatility | None = None,
    ) -> None:
        """Stores a mapping or pairs; nothing if one of them cannot be stored.

        ttl, tags, volatility: of all of them, as for set().
        """
        keys, values = pair_lists(items)
        lifetime, given = ttl_chosen(ttl, volatility), tag_list(tags)
        self._loader.forget(keys)
        self._tiers.mput(keys, values, lifetime, DEFAULT, 0.0, 0.0, given)

    def get_vectors(
        self,
        keys: Iterable[Key],
        *,
        dim: int | None = None,
        dtype: DTypeLike = "float32",
        out: NDArray[Any] | None = None,
    ) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Vectors of `keys` as one (n, dim) array of `dtype`, and an (n,) array: which were found.

        Rows not found are zero. A value that is no vector of this width and dtype is not found; it
        is counted as `mismatch`, stays stored and is never cast. Without `dim` the width is that
        of `out`, else of the first hit, else 0. `out` must be writeable, C-contiguous and of the
        exact shape and dtype, else ValueError.
        """
        return self._tiers.get_vectors(key_list(keys), dim_argument(dim), dtype_name(dtype), out)

    def set_vectors(
        self,
        keys: Iterable[Key],
        matrix: NDArray[Any],
        *,
        ttl: Ttl = DEFAULT,
        cost: float | None = None,
        volatility: Volatility | None = None,
    ) -> None:
        """Stores row i of the (n, d) array `matrix` under key i.

        Raises ValueError for another number of rows than keys, TypeError for what is no array.
        """
        keys = key_list(keys)
        lifetime, worth = ttl_chosen(ttl, volatility), cost_argument(cost)
        self._loader.forget(keys)
        self._tiers.set_vectors(keys, matrix, lifetime, DEFAULT, worth, 0.0)

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
        """The value under `key`, or what `factory()` returns, which is then stored.

        One call of a factory at a time for each key in this process, and in all processes as long
        as the `lease` of the cache lasts; who asks meanwhile waits for its result. If it raises,
        nothing is stored, and all of them get a value that has expired within the `grace` of the
        cache, or else the exception. The result is in the stored form on a miss too: arrays
        read-only, tuples as lists. If the key is deleted or written meanwhile, the result is
        returned and not stored; nor is it served once one of its `tags` was invalidated since the
        call of `factory` began.

        soft_timeout, hard_timeout, refresh_ahead, beta, negative_ttl, error_ttl, retry_after,
        volatility: how long to wait for `factory`, when to call it before the value expires, when
        again after it failed, and how soon its source changes, as FreshnessOptions has them.
        Without error_ttl, and without an expired value to serve, each call tries anew.
        """
        source, storing = single_source(factory), storing_of(ttl, cost, options, tags)
        refuse_async(factory)
        seen = self._loader.flights.step
        if self._modes.are_on and self._modes.now() is not None:
            value = MISSING
        elif storing.freshness.is_early:
            value = run_blocking(self._find_one(BLOCKING, key, source, storing))
        else:
            value = self._fresh_get(key, MISSING)
        if value is not MISSING:
            return value
        return run_blocking(self._load_one(BLOCKING, key, source, storing, seen)).value

    def get_or_set_many(
        self,
        keys: Iterable[Key],
        factory: Callable[[list[Key]], Any],
        *,
        ttl: Ttl = DEFAULT,
        **options: Unpack[FreshnessOptions],
    ) -> list[Any]:
        """Values of `keys` in their order; missing ones from one call of `factory`.

        `factory(missing)` gets the distinct missing keys in first-seen order and returns a mapping
        of them, or a sequence or matrix aligned to them. Another length is a ValueError, and
        nothing is stored. Keys that another caller or process is computing are waited for, and
        asked of `factory` in another call if that comes to nothing. Options as for get_or_set().
        """
        source, storing = batch_source(factory), storing_of(ttl, None, options)
        refuse_async(factory)
        keys = tuple(key_list(keys))  # one that `factory` cannot change
        seen = self._loader.flights.step
        if self._modes.are_on and self._modes.now() is not None:
            values = [MISSING] * len(keys)
        elif storing.freshness.is_early:
            values = run_blocking(self._find_many(BLOCKING, keys, source, storing))
        else:
            values = self._tiers.mget(keys, MISSING, True)
        return run_blocking(self._fill(BLOCKING, keys, values, source, storing, seen))

    def delete(self, key: Key) -> bool:
        """Removes `key` from both tiers; whether it was in one."""
        self._loader.forget([key])
        return self._tiers.delete(key)

    def mdelete(self, keys: Iterable[Key]) -> int:
        """Removes `keys` from both tiers; how many of them were in one."""
        keys = key_list(keys)
        self._loader.forget(keys)
        return self._tiers.mdelete(keys)

    def touch(self, key: Key, ttl: Ttl = DEFAULT) -> bool:
        """Gives `key` a new time to live; whether it was there."""
        return self._tiers.touch(key, ttl_argument(ttl))

    def exists(self, key: Key) -> bool:
        """Whether either tier has `key`; counts nothing."""
        return self._tiers.exists(key)

    def clear(self) -> None:
        """Empties the namespace in both tiers by one step of its generation."""
        self._loader.forget_all()
        self._tiers.clear()

    def invalidate(self, pattern: str | bytes) -> int:
        """Removes all values whose keys the glob pattern takes; how many there were.

        `*` takes any characters, `?` one, `[ab]`, `[a-c]`, `[^a]` one of some; `\\` takes the next
        as it is, and vcache.keys.escape() does that for a whole part. Redis is asked for its keys,
        some round trips for each 10,000 of them: invalidate_tags() takes the same time for any
        number. While Redis gives no answer these keys are misses here, and are removed there as
        soon as it does. Other processes lose their copies as by delete().
        """
        given = pattern_bytes(pattern)
        matches = self._tiers.matches_glob
        self._loader.forget_where(lambda flight: matches(given, flight.key))
        return self._tiers.invalidate(given)

    def invalidate_tags(self, *tags: str | bytes) -> None:
        """Ends all values with one of these tags, in both tiers and all processes.

        One step for each tag, however many values bear it. What was being made when this was
        called, anywhere, is not served after. While Redis gives no answer, values with these tags
        end here, and in Redis before this process reads from it again.
        """
        given = tag_list(tags, most=None)
        if not given:
            return
        ended = frozenset(given)
        self._loader.forget_where(lambda flight: not ended.isdisjoint(flight.work.tags))
        self._tiers.invalidate_tags(given)

    def stats(self) -> Stats:
        """Counts since the cache was made."""
        return Stats.from_counters(self._tiers.stats())

    def get_stats(self) -> dict[str, Any]:
        """stats() as a dict, with rates as text such as "80.00%"."""
        return self.stats().as_dict()

    def accesses(self, n: int | None = None) -> NDArray[Any]:
        """The newest look-ups, at most `n` and 65,536, the oldest first, as a structured array.

        Of shape (m,) with the fields time (f8, seconds since the epoch), key (u8, its hash), group
        and tier (text; "" for a miss), size (u4, bytes in memory) and cost (f4), as in the file of
        `access_log`; pandas.DataFrame() takes it as it is. All look-ups that ended before the call
        are among them, and in a forked child those of its parent before the fork. Raises
        ConfigError for a cache without `access_log`.
        """
        return newest(self._tiers, n)

    def healthy(self) -> Health:
        """Writes and reads back a probe in each tier."""
        tiers = self._tiers.health()
        return Health(memory=_tier_health(tiers["memory"]), redis=_tier_health(tiers["redis"]))

    def close(self) -> None:
        """Closes the connections, frees the memory tier and writes the access log to its end.

        Values handed out stay valid.
        """
        self._tiers.close()

    async def _find_one(self, caller: Caller, key: Key, source: Source, storing: Storing) -> Any:
        """The value of a key that may be refreshed early, or MISSING."""
        normal = normal_key(key)
        found = await self._loader.find(caller, {normal: key}, source, storing)
        return found.get(normal, MISSING)

    async def _find_many(
        self, caller: Caller, keys: Sequence[Key], source: Source, storing: Storing
    ) -> list[Any]:
        """The same of many keys, in their order."""
        distinct = {normal_key(key): key for key in keys}
        found = await self._loader.find(caller, distinct, source, storing)
        given: set[bytes] = set()
        values = []
        for normal in map(normal_key, keys):
            value = found.get(normal, MISSING)
            values.append(stored_form(value) if normal in given and value is not MISSING else value)
            given.add(normal)
        return values

    async def _load_one(
        self, caller: Caller, key: Key, source: Source, storing: Storing, seen: int
    ) -> Outcome:
        """Outcome of a key that was missed after `seen`."""
        normal = normal_key(key)
        outcomes = await self._load(caller, {normal: key}, source, storing, seen)
        return outcomes[normal]

    async def _load(
        self, caller: Caller, keys: Mapping[bytes, Key], source: Source, storing: Storing, seen: int
    ) -> dict[bytes, Outcome]:
        """Outcomes of keys that were missed after `seen`, or are not looked up here."""
        mode = self._modes.now() if self._modes.are_on else None
        if mode is None:
            return await self._loader.load(caller, keys, source, storing, seen)
        if mode == "refresh":
            return await self._loader.renew(caller, keys, source, storing)
        named, started = list(keys.values()), perf_counter()
        result = await caller.factory(Work(), source.function, *source.arguments(named))
        values = source.unpack(result, named)
        source.on_computed(len(named), perf_counter() - started)
        return {key: Outcome(value, stored=False) for key, value in zip(keys, values, strict=True)}

    async def _fill(
        self,
        caller: Caller,
        keys: Sequence[Key],
        values: list[Any],
        source: Source,
        storing: Storing,
        seen: int,
    ) -> list[Any]:
        """`values` of `keys` with those filled in that were missed after `seen`."""
        missing: dict[bytes, Key] = {}
        for key, value in zip(keys, values, strict=True):
            if value is MISSING:
                missing.setdefault(normal_key(key), key)
        if not missing:
            return values
        outcomes = await self._load(caller, missing, source, storing, seen)
        given: set[bytes] = set()
        for index, key in enumerate(keys):
            if values[index] is MISSING:
                normal = normal_key(key)
                value = outcomes[normal].value
                values[index] = stored_form(value) if normal in given else value
                given.add(normal)
        return values


def storing_of(
    ttl: Ttl,
    cost: float | None,
    options: FreshnessOptions,
    tags: Iterable[str | bytes] = (),
) -> Storing:
    freshness = Freshness.of(options) if options else PLAIN
    return Storing(
        ttl=ttl_chosen(ttl, freshness.volatility),
        cost=cost_argument(cost),
        tags=tuple(tag_list(tags)),
        freshness=freshness,
    )


def _tier_health(answer: tuple[bool, float, str | None] | None) -> TierHealth | None:
    return None if answer is None else TierHealth(answer[0], answer[1], answer[2] or None)
