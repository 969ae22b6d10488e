"""Functions of a list whose results are cached item by item."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from ._arguments import Key
from ._callers import Caller, is_async
from ._core import MISSING
from ._current import Made, amended
from ._flight import Outcome, Work, normal_key
from ._keying import bounded
from ._many import ManySite
from ._messages import shown
from ._modes import Mode
from ._site import Args, Named
from ._site_options import Options
from ._source import Source, aligned
from .errors import ConfigError
from .objects import stored_form

if TYPE_CHECKING:
    from .cache import Cache

__all__ = ["BatchSite"]


class BatchSite(ManySite):
    """One entry for each item of the argument `over`, whose key has all other arguments too."""

    def __init__(
        self, cache: Cache, function: Callable[..., Any], options: Options, over: str
    ) -> None:
        super().__init__(cache, function, options)
        singles = self.signature.single_names
        if over not in singles or (self.signature.is_method and over == singles[0]):
            raise ConfigError(
                f"over={shown(over)}: {self.name} has no such parameter: allowed are"
                f" {', '.join(singles) or 'none'}"
            )
        self._over = over
        self._index = self.signature.names.index(over)

    def items(self, args: Args, named: Named) -> list[Any]:
        """The items of a call. Raises TypeError for what is no list of them."""
        given = self.signature.bind(args, named)[self._index]
        if isinstance(given, (str, bytes, Mapping)) or not isinstance(given, Iterable):
            raise TypeError(
                f"{self._over}={shown(given)} of type {type(given).__name__}: allowed is a list or"
                " another iterable of items"
            )
        return list(given)

    def key(self, args: Args, named: Named) -> Any:
        """The keys of all items, in their order."""
        args, named = self.signature.with_value(args, named, self._over, self.items(args, named))
        self.prepare_here()
        values, names = self.signature.bind(args, named), self.signature.names
        before, after = (values[: self._index], values[self._index + 1 :])
        head = self._part(before, names[: self._index])
        tail = self.encoder.all(after, names[self._index + 1 :])
        of_item = self._last if not after else self._inner
        return [
            bounded(self.head, f"{head}{of_item(item)}{tail}", self.digest)
            for item in values[self._index]
        ]

    def _part(self, values: Sequence[Any], names: Sequence[str]) -> str:
        """Arguments that others follow."""
        parts = zip(values, names, strict=True)
        if not self.signature.is_method:
            return "".join(self.encoder.named(value, name) for value, name in parts)
        next(parts)
        owner = self._owner(values[0], names[0])
        return owner + "".join(self.encoder.named(value, name) for value, name in parts)

    def _inner(self, item: Any) -> str:
        return self.encoder.named(item, self._over)

    def _last(self, item: Any) -> str:
        return self.encoder.all([item], [self._over])

    async def call(self, caller: Caller, args: Args, named: Named) -> list[Any]:
        args, named, items, keys = self._listed(args, named)
        seen = self.cache._loader.flights.step
        storing = self.unless_unready(self.head, self.storing)
        source = self._source(args, named, dict(zip(keys, items, strict=True)))
        if self.is_early:
            values = await self.cache._find_many(caller, keys, source, storing)
        else:
            values = await self.read(caller, keys)
        values = [each if each is MISSING else self.decoded(each, args, named) for each in values]
        missing: dict[bytes, Key] = {}
        for key, value in zip(keys, values, strict=True):
            if value is MISSING:
                self.misses += 1
                missing.setdefault(normal_key(key), key)
            else:
                self.hits += 1
        if not missing:
            return values
        outcomes = await self.cache._loader.load(caller, missing, source, storing, seen)
        return self._filled(keys, values, outcomes)

    async def refresh(self, caller: Caller, args: Args, named: Named) -> list[Any]:
        """Computes all items anew, in one call."""
        args, named, items, keys = self._listed(args, named)
        if not keys:
            return []
        storing = self.unless_unready(self.head, self.storing)
        source = self._source(args, named, dict(zip(keys, items, strict=True)))
        wanted: dict[bytes, Key] = {normal_key(key): key for key in keys}
        outcomes = await self.cache._loader.renew(caller, wanted, source, storing)
        return self._filled(keys, [MISSING] * len(keys), outcomes)

    async def switched(self, caller: Caller, mode: Mode, args: Args, named: Named) -> Any:
        if mode == "refresh":
            return await super().switched(caller, mode, args, named)
        items = self.items(args, named)
        args, named = self.signature.with_value(args, named, self._over, items)
        made: Made = await caller.factory(Work(), partial(self.run, *args, **named))
        return list(aligned(made.result, items, self.name))

    async def remove(self, caller: Caller, args: Args, named: Named) -> int:
        """Removes what is stored of each item; how many there were."""
        await self.ready(caller)
        return await caller.core(self.cache.mdelete, self.key(args, named))

    def _listed(self, args: Args, named: Named) -> tuple[Args, Named, list[Any], list[str]]:
        """A call with its items as a list, these, and their keys."""
        items = self.items(args, named)
        args, named = self.signature.with_value(args, named, self._over, items)
        return args, named, items, self.key(args, named)

    def _source(self, args: Args, named: Named, items: Mapping[str, Any]) -> Source:
        def given(missing: list[Any]) -> tuple[Args, Named]:
            return self.signature.with_value(args, named, self._over, missing)

        async def call_async(missing: list[Any]) -> Any:
            positional, by_name = given(missing)
            return await self.run(*positional, **by_name)

        def call(missing: list[Any]) -> Any:
            positional, by_name = given(missing)
            return self.run(*positional, **by_name)

        def unpack(made: Made, keys: list[Key]) -> Any:
            return aligned(made.result, [items[str(key)] for key in keys], self.name)

        return Source(
            function=call_async if is_async(self.function) else call,
            arguments=lambda keys: ([items[str(key)] for key in keys],),
            unpack=unpack,
            on_computed=self.runs.note,
            amend=amended,
        )

    def _filled(
        self, keys: Sequence[str], values: list[Any], outcomes: Mapping[bytes, Outcome]
    ) -> list[Any]:
        """The values with those filled in that are MISSING, each its own."""
        given: set[str] = set()
        for index, key in enumerate(keys):
            if values[index] is not MISSING:
                continue
            outcome = outcomes[normal_key(key)]
            if key not in given:
                values[index] = self.result(outcome, self.storing)
            else:
                values[index] = self._again(outcome)
            given.add(key)
        return values

    def _again(self, outcome: Outcome) -> Any:
        """What result() returns, for another item of the same key."""
        if not outcome.stored:
            return outcome.value
        return stored_form(outcome.value) if self.decode is None else self.decode(outcome.value)
