"""Two caches, and which of them has a key; each call once, for blocking and awaiting callers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import wraps
from math import log
from typing import Any, Literal

from .._arguments import Key
from .._callers import is_async
from .._core import MISSING
from .._flight import normal_key
from .._locks import ForkLock
from .._messages import shown
from ..cache import Cache
from ..errors import ConfigError, RedisError
from ._stages import position
from ._window import CANARY, CONTROL, Counts, Window

__all__ = ["Ask", "Sides", "awaited", "blocking"]

_SHORTEST = 1e-9  # seconds

# Calls a method of a cache by its name, or awaits its twin.
Ask = Callable[..., Awaitable[Any]]


async def blocking(cache: Cache, name: str, *args: Any, **named: Any) -> Any:
    return getattr(cache, name)(*args, **named)


async def awaited(cache: Cache, name: str, *args: Any, **named: Any) -> Any:
    return await getattr(cache, f"a{name}")(*args, **named)


class Sides:
    """The control and the canary, and what is counted of their look-ups. Thread-safe."""

    _clock: Callable[[], float]
    _timer: Callable[[], float]

    def __init__(self, control: Cache, canary: Cache, seed: int, window: Window) -> None:
        self._sides = (_cache(control, "control"), _cache(canary, "canary"))
        self._is_shared = _is_shared(control, canary)
        self._seed, self._window = seed, window
        self._share = 0.0
        self._computing: dict[bytes, int] = {}  # keys whose factories run here
        self._computing_lock = ForkLock()

    @property
    def control(self) -> Cache:
        return self._sides[CONTROL]

    @property
    def canary(self) -> Cache:
        return self._sides[CANARY]

    def side_of(self, key: Key) -> Literal["control", "canary"]:
        """Whose a key is now."""
        return "canary" if self._side(key) == CANARY else "control"

    def _side(self, key: Key) -> int:
        share = self._share
        if share in (0.0, 1.0):
            return CANARY if share else CONTROL
        return CANARY if position(normal_key(key), self._seed) < share else CONTROL

    def _split(self, keys: Sequence[Key]) -> list[list[int]]:
        """Indexes of the keys of each side."""
        parts: list[list[int]] = [[], []]
        for index, key in enumerate(keys):
            parts[self._side(key)].append(index)
        return parts

    def _tick(self) -> None:
        """Has what is due done beside the calls."""

    def _note(
        self, side: int, *, hits: int = 0, misses: int = 0, seconds: float | None = None
    ) -> None:
        """seconds: of one look-up, which hit."""
        counts = Counts(requests=hits + misses, hits=hits)
        if seconds is not None:
            counts.timed, counts.seconds = 1, seconds
            counts.logs = log(max(seconds, _SHORTEST))
        self._window.note(self._clock(), side, counts)
        self._tick()

    async def _get(self, ask: Ask, key: Key, default: Any) -> Any:
        side, began = self._side(key), self._timer()
        value = await ask(self._sides[side], "get", key, MISSING)
        hit = value is not MISSING
        seconds = self._timer() - began if hit else None
        self._note(side, hits=hit, misses=not hit, seconds=seconds)
        return value if hit else default

    async def _lookup(self, ask: Ask, key: Key) -> Any:
        side, began = self._side(key), self._timer()
        found = await ask(self._sides[side], "lookup", key)
        seconds = self._timer() - began if found.hit else None
        self._note(side, hits=found.hit, misses=not found.hit, seconds=seconds)
        return found

    async def _mget(self, ask: Ask, keys: Sequence[Key], default: Any) -> list[Any]:
        values: list[Any] = [default] * len(keys)
        for side, indexes in enumerate(self._split(keys)):
            if not indexes:
                continue
            found = await ask(self._sides[side], "mget", [keys[i] for i in indexes], MISSING)
            hits = 0
            for index, value in zip(indexes, found, strict=True):
                if value is not MISSING:
                    values[index] = value
                    hits += 1
            self._note(side, hits=hits, misses=len(indexes) - hits)
        return values

    async def _set(self, ask: Ask, key: Key, value: Any, named: dict[str, Any]) -> None:
        side = self._side(key)
        await self._forget(ask, side, [key])
        await ask(self._sides[side], "set", key, value, **named)
        self._tick()

    async def _mset(self, ask: Ask, keys: list[Key], values: list[Any], ttl: Any) -> None:
        for side, indexes in enumerate(self._split(keys)):
            if indexes:
                await self._forget(ask, side, [keys[i] for i in indexes])
                pairs = [(keys[i], values[i]) for i in indexes]
                await ask(self._sides[side], "mset", pairs, ttl=ttl)
        self._tick()

    async def _get_or_set(self, ask: Ask, key: Key, factory: Any, named: dict[str, Any]) -> Any:
        side, normal = self._side(key), normal_key(key)
        waits, ran = normal in self._computing, list[Key]()
        made = self._watched(side, factory, lambda: [key], ran)
        began = self._timer()
        value = await ask(self._sides[side], "get_or_set", key, made, **named)
        hit = not ran and not (waits and normal not in self._computing)  # else it refreshes
        self._note(side, hits=hit, misses=not hit, seconds=self._timer() - began if hit else None)
        return value

    async def _get_or_set_many(
        self, ask: Ask, keys: Sequence[Key], factory: Any, named: dict[str, Any]
    ) -> list[Any]:
        values: list[Any] = [None] * len(keys)
        for side, indexes in enumerate(self._split(keys)):
            if not indexes:
                continue
            wanted, ran = [keys[i] for i in indexes], list[Key]()
            missed = {key for key in map(normal_key, wanted) if key in self._computing}
            made = self._watched(side, factory, list, ran)
            found = await ask(self._sides[side], "get_or_set_many", wanted, made, **named)
            missed = {key for key in missed if key not in self._computing}  # else it refreshes
            missed.update(map(normal_key, ran))
            misses = sum(normal_key(key) in missed for key in wanted)
            self._note(side, hits=len(wanted) - misses, misses=misses)
            for index, value in zip(indexes, found, strict=True):
                values[index] = value
        return values

    def _watched(
        self, side: int, factory: Any, keys_of: Callable[..., list[Key]], ran: list[Key]
    ) -> Any:
        """`factory`, whose keys are noted in `ran`, and removed from the other side before it."""
        if not callable(factory):
            return factory  # which the cache refuses

        @wraps(factory, updated=())
        def made(*args: Any) -> Any:
            keys = keys_of(*args)
            ran.extend(keys)
            self._enter(keys, 1)
            try:
                if not self._is_shared:
                    self._sides[1 - side].mdelete(keys)
                return factory(*args)
            finally:
                self._enter(keys, -1)

        @wraps(factory, updated=())
        async def amade(*args: Any) -> Any:
            keys = keys_of(*args)
            ran.extend(keys)
            self._enter(keys, 1)
            try:
                if not self._is_shared:
                    await self._sides[1 - side].amdelete(keys)
                return await factory(*args)
            finally:
                self._enter(keys, -1)

        return amade if is_async(factory) else made

    def _enter(self, keys: Iterable[Key], change: int) -> None:
        with self._computing_lock:
            for key in map(normal_key, keys):
                count = self._computing.get(key, 0) + change
                if count:
                    self._computing[key] = count
                else:
                    self._computing.pop(key, None)

    async def _forget(self, ask: Ask, side: int, keys: list[Key]) -> None:
        """Before a side is written: what the other has of it is older."""
        if not self._is_shared:
            await ask(self._sides[1 - side], "mdelete", keys)

    async def _owner(self, ask: Ask, name: str, key: Key, *args: Any) -> Any:
        """A call of whose the key is."""
        result = await ask(self._sides[self._side(key)], name, key, *args)
        self._tick()
        return result

    async def _mdelete(self, ask: Ask, keys: Sequence[Key]) -> int:
        counts = await self._both(ask, "mdelete", list(keys))
        distinct = len(set(map(normal_key, keys)))
        return min(int(sum(counts)), distinct)

    async def _invalidate(self, ask: Ask, pattern: str | bytes) -> int:
        counts: list[int] = await self._both(ask, "invalidate", pattern)
        return max(counts) if self._is_shared else sum(counts)

    async def _both(self, ask: Ask, name: str, *args: Any) -> list[Any]:
        """The results of both sides, of which the second is asked whatever becomes of the first.

        Raises what the first raised, of both.
        """
        results, failed = list[Any](), None
        for cache in self._sides:
            try:
                results.append(await ask(cache, name, *args))
            except RedisError as error:
                failed = failed or error
        self._tick()
        if failed is not None:
            raise failed
        return results


def _cache(given: object, name: str) -> Cache:
    if not isinstance(given, Cache):
        kind = type(given).__name__
        raise ConfigError(f"{name}={shown(given)} of type {kind}: allowed is a Cache")
    return given


def _is_shared(control: Cache, canary: Cache) -> bool:
    """Whether what one stores in Redis the other has. Raises ConfigError if it cannot read it."""
    if control is canary:
        raise ConfigError(f"canary={shown(canary)}: allowed is another cache than `control`")
    one, other = control._config, canary._config
    if one.redis is None or other.redis is None or one.namespace != other.namespace:
        return False
    if one.redis.address != other.redis.address:
        return False
    if one.encryption_key != other.encryption_key:
        raise ConfigError(
            f"canary={shown(canary)}: it has the namespace of `control` and another"
            " encryption_key, so that each would drop what the other stores: allowed is a"
            " namespace of its own"
        )
    return True
