"""Functions that return a list whose items are entries of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from inspect import isawaitable
from itertools import islice
from typing import TYPE_CHECKING, Any

from ._arguments import Key
from ._callers import Caller, is_async
from ._core import MISSING, TieredCache
from ._current import Made, noted
from ._filling import Overtaken, Storing
from ._flight import Flights, Outcome, normal_key
from ._many import ManySite
from ._messages import shown
from ._modes import Mode
from ._site import Args, Named
from ._site_options import Options
from ._source import Source
from .objects import encode, stored_form

if TYPE_CHECKING:
    from .cache import Cache

__all__ = ["ListSite"]

_TRIES = 3
_SEEN = 4096  # keys of items


class _Watch:
    """What happens to the keys of items since it was made.

    Of set() it learns where the key is one of those given, of every other call in any case.
    """

    def __init__(self, core: TieredCache, flights: Flights, keys: Sequence[Key]) -> None:
        self._core = core
        self._since = flights.since_now()
        self._writes = dict(zip(keys, core.watch_fills(keys), strict=True))

    def is_touched(self, key: Key) -> bool:
        """Whether it was written or removed."""
        writes = self._writes.get(key)
        is_written = writes is not None and not self._core.is_unwritten(key, writes)
        return is_written or self._since.has(normal_key(key))

    def __del__(self) -> None:
        with suppress(AttributeError):  # of one that could not be made
            self._core.unwatch_fills(list(self._writes))


@dataclass(frozen=True, slots=True)
class _Listed:
    """What the function returned, and what happened since it was called."""

    items: Any
    watch: _Watch


class ListSite(ManySite):
    """The list is stored as the keys of its items, each item under its own.

    So what is read is what the items are by then; where one of them is gone the list is missing.
    """

    def __init__(
        self,
        cache: Cache,
        function: Callable[..., Any],
        options: Options,
        item_key: Callable[[Any], Key],
    ) -> None:
        super().__init__(cache, function, options)
        self._item_key = item_key
        self._encode = self.storing.encode
        self._seen: dict[Key, None] = {}  # keys of items, the newest last
        wanted = self.storing.wanted
        self.storing = replace(
            self.storing,
            encode=partial(self._store, self.storing),
            decode=self._check_items,
            wanted=wanted and (lambda listed: wanted(listed.items)),
        )
        self.run = noted(self._listing(), self.begin_call)

    async def call(self, caller: Caller, args: Args, named: Named) -> Any:
        seen, key = self.cache._loader.flights.step, self.key(args, named)
        if self.is_early:
            found = await self.find(caller, key, args, named)
        else:
            (found,) = await self.read(caller, [key])
        if _are_keys(found):
            values = self._decoded_all(await self.read(caller, found))
            if values is not MISSING:
                self.hits += 1
                return values
        self.misses += 1
        return await self._compute(caller, key, seen, args, named)

    async def _compute(self, caller: Caller, key: str, seen: int, args: Args, named: Named) -> Any:
        source, storing = self.source(args, named), self.storing_of(key, args, named)
        for _ in range(_TRIES):
            outcome = await self.cache._load_one(caller, key, source, storing, seen)
            seen = self.cache._loader.flights.step
            values = await self._listed(caller, outcome)
            if values is not MISSING:
                return values
        # Items leave as fast as they come.
        return await self.switched(caller, "bypass", args, named)

    async def refresh(self, caller: Caller, args: Args, named: Named) -> Any:
        seen, key = self.cache._loader.flights.step, self.key(args, named)
        source, storing = self.source(args, named), self.storing_of(key, args, named)
        keys: dict[bytes, Key] = {normal_key(key): key}
        (outcome,) = (await self.cache._loader.renew(caller, keys, source, storing)).values()
        values = await self._listed(caller, outcome)
        if values is not MISSING:
            return values
        return await self._compute(caller, key, seen, args, named)

    async def switched(self, caller: Caller, mode: Mode, args: Args, named: Named) -> Any:
        result = await super().switched(caller, mode, args, named)
        return result.items if isinstance(result, _Listed) else result

    def source(self, args: Args, named: Named) -> Source:
        def amend(made: Made, storing: Storing) -> Storing:
            amended = made.call.amend(storing)
            return replace(amended, encode=partial(self._store, amended))

        return replace(super().source(args, named), amend=amend)

    def _listing(self) -> Callable[..., Any]:
        """The function, sync or async as it is, that returns a _Listed."""
        core, flights, function = self.cache._tiers, self.cache._loader.flights, self.function

        async def listing(*args: Any, **named: Any) -> Any:
            watch = _Watch(core, flights, list(self._seen))
            return _Listed(await function(*args, **named), watch)

        def plain_listing(*args: Any, **named: Any) -> Any:
            watch = _Watch(core, flights, list(self._seen))
            result = function(*args, **named)
            return result if isawaitable(result) else _Listed(result, watch)

        listing.__qualname__ = plain_listing.__qualname__ = self.name
        return listing if is_async(function) else plain_listing

    async def _listed(self, caller: Caller, outcome: Outcome) -> Any:
        """What the caller gets of an outcome; MISSING where an item is gone again."""
        self.count_refused(outcome)
        if not outcome.stored:
            return outcome.value.items
        return self._decoded_all(await caller.core(self._find, outcome.value))

    def _store(self, storing: Storing, listed: _Listed) -> list[Key]:
        """Stores the items, and returns their keys. Raises Overtaken where one is not to be.

        What was written meanwhile stays.
        """
        plains = self._plain_items(listed.items)
        keys, loader = list(plains), self.cache._loader
        with (
            loader.flights.alone(map(normal_key, keys)) as flights,
            loader._filler.watching(flights, keys),
        ):
            touched = {key for key in keys if listed.watch.is_touched(key)}
            if any(found is MISSING for found in self._find(list(touched))):
                raise Overtaken
            rest = [index for index, key in enumerate(keys) if key not in touched]
            if rest:
                loader._filler.put(
                    [keys[index] for index in rest],
                    [plains[keys[index]] for index in rest],
                    Storing(ttl=storing.ttl),
                    0.0,
                    [flights[index] for index in rest],
                    None,
                )
            if any(flights[index].forgotten for index in rest):
                raise Overtaken
        self._note(keys)
        return [self._item_key(item) for item in listed.items]

    def _plain_items(self, items: Any) -> dict[Key, Any]:
        """What is to be stored under each key. Raises ValueError for a key of two items."""
        if not isinstance(items, (list, tuple)):
            raise TypeError(
                f"it returned {shown(items)} of type {type(items).__name__}: allowed are a list and"
                " a tuple of items"
            )
        plains: dict[Key, Any] = {}
        for item in items:
            key = self._item_key(item)
            plain = item if self._encode is None else self._encode(item)
            if key in plains and encode(plains[key]) != encode(plain):
                raise ValueError(f"item_key returned {shown(key)} for two items that differ")
            plains[key] = plain
        return plains

    def _note(self, keys: Sequence[Key]) -> None:
        for key in keys:
            self._seen.pop(key, None)
            self._seen[key] = None
        for key in list(islice(self._seen, max(0, len(self._seen) - _SEEN))):
            self._seen.pop(key, None)

    def _find(self, keys: Sequence[Key]) -> list[Any]:
        """What is stored of items, counted nowhere; MISSING for the others."""
        found = self.cache._tiers.find_again(keys, False)
        return [each if each is MISSING else each[0] for each in found]

    def _check_items(self, keys: Any) -> None:
        """Raises Overtaken where one of those items is gone."""
        if not _are_keys(keys) or self._decoded_all(self._find(keys)) is MISSING:
            raise Overtaken

    def _decoded_all(self, items: list[Any]) -> Any:
        """What the caller gets of stored items; MISSING where one of them is, or cannot be read."""
        if any(item is MISSING for item in items):
            return MISSING
        if self.decode is None:
            return items
        try:
            return [self.decode(stored_form(item)) for item in items]
        except Exception:  # of a user's function, whatever it raises
            return MISSING


def _are_keys(found: Any) -> bool:
    return isinstance(found, list) and all(isinstance(key, (str, bytes)) for key in found)
