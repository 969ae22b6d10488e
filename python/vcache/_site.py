"""One decorated function: the keys of its calls, how their results are stored, and its counts."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from ._callers import Caller, is_async
from ._core import MISSING
from ._current import CurrentCall, Made, amended, noted
from ._filling import Storing
from ._flight import Outcome, Work, normal_key
from ._heads import Heads
from ._keying import MAX_KEY, Encoder, are_constant, bounded
from ._messages import caller_level
from ._modes import Mode
from ._site_options import CacheInfo, Options, codec
from ._source import Source
from .errors import UnkeyableError

if TYPE_CHECKING:
    from .cache import Cache
    from .costs import CostReport

__all__ = ["Args", "Named", "Site"]

Args = tuple[Any, ...]
Named = dict[str, Any]

_MAX_OWNERS = 256


class Site(Heads):
    """How the calls of one decorated function are keyed, stored and counted."""

    def __init__(self, cache: Cache, function: Callable[..., Any], options: Options) -> None:
        super().__init__(cache, function, options.key_prefix)
        self.owners: dict[type, str] = {}  # of methods: the keys' part for the object's class
        self.encoder = Encoder(options.precision)
        self.key_function = options.key
        encode, self.decode = codec(options)
        self.storing = Storing(
            ttl=options.ttl,
            encode=encode,
            decode=self.decode,
            wanted=options.cache_if,
            lenient=True,
            freshness=options.freshness,
            with_tags=True,
        )
        self.run = noted(function, self.begin_call)

    @property
    def is_early(self) -> bool:
        """Whether a hit may start a refresh."""
        return self.storing.freshness.is_early

    @property
    def decodes(self) -> bool:
        """Whether a result is not as it is stored."""
        return self.decode is not None

    @property
    def takes_one_text(self) -> bool:
        """Whether the key of a str is `text_head` and that, and a result is as it is stored."""
        is_single = self.signature.is_plain and len(self.signature.names) == 1
        is_usual = self.key_function is None and not self.decodes and not self.is_early
        return is_single and is_usual and not (self.signature.is_method or self.digest.is_keyed)

    def quick_tails(self) -> dict[int, str] | None:
        """What the core needs to key calls with a vector: by the number of their arguments, what
        the other ones come to in a key. None where it cannot, or where a result is not as stored.
        """
        usual = self.key_function is None and not self.decodes and not self.is_early
        if not usual or self.signature.is_method or self.digest.is_keyed:
            return None
        tails = self.signature.tails.items()
        return {count: self.encoder.tail(tail) for count, tail in tails if are_constant(tail)}

    def begin_call(self) -> CurrentCall:
        return CurrentCall(self.storing.ttl, self.cache._config.ttl)

    def key(self, args: Args, named: Named) -> str:
        """The key of a call. Raises UnkeyableError naming the argument that has no key.

        One of `unready_head` where it is not known what was cleared: nothing is stored there.
        """
        tail = None if named or self.key_function is not None else self.tails.get(len(args))
        if tail is not None:
            try:
                key = self.head + self._quick(args + tail)
            except Exception:  # the longer way says what is wrong, or finds nothing wrong
                return self._slow_key(args, named)
            if len(key) <= MAX_KEY and key.isascii():
                return key
        return self._slow_key(args, named)

    def _quick(self, values: Args) -> str:
        if not self.signature.is_method:
            return self.encoder.quick(values)
        if hasattr(values[0], "__cache_key__"):
            raise KeyError
        return self.owners[type(values[0])] + self.encoder.quick(values[1:])

    def _slow_key(self, args: Args, named: Named) -> str:
        self.prepare_here()
        if self.key_function is not None:
            own = self.key_function(*args, **named)
            return bounded(self.head, self.encoder.all([own], ["key"]), self.digest)
        values = self.signature.bind(args, named)
        return bounded(self.head, self.encoded(values, self.signature.names), self.digest)

    def prepare_here(self) -> None:
        """As prepare(), but in no event loop, whose wrapper awaits it."""
        if not self.is_ready and not is_async(self.function):
            self.prepare()

    def encoded(self, values: Sequence[Any], names: Sequence[str]) -> str:
        """The part of a key for arguments, of a method with its object first."""
        if not self.signature.is_method:
            return self._arguments(values, names)
        return self._owner(values[0], names[0]) + self._arguments(values[1:], names[1:])

    def _arguments(self, values: Sequence[Any], names: Sequence[str]) -> str:
        try:
            return self.encoder.all(values, names)
        except (UnkeyableError, ValueError):
            if self.signature.has_named:  # those that have no parameter are named as they are
                for name, value in values[-1].items():
                    self.encoder.named(value, name)
            raise

    def _owner(self, owner: Any, name: str) -> str:
        """The class of a method's object, and the object itself if it has a __cache_key__."""
        if isinstance(owner, type) or hasattr(owner, "__cache_key__"):
            return self.encoder.named(owner, name)
        if len(self.owners) < _MAX_OWNERS:
            self.owners[type(owner)] = self.encoder.one(type(owner))
        return self.encoder.one(type(owner))

    def source(self, args: Args, named: Named) -> Source:
        return Source(
            function=partial(self.run, *args, **named),
            arguments=lambda _: (),
            unpack=lambda made, _: [made.result],
            on_computed=self.runs.note,
            amend=amended,
        )

    async def find(self, caller: Caller, key: str, args: Args, named: Named) -> Any:
        """What is stored of a call that may be refreshed early, or MISSING."""
        source, storing = self.source(args, named), self.storing_of(key, args, named)
        return await self.cache._find_one(caller, key, source, storing)

    async def load(self, caller: Caller, key: str, seen: int, args: Args, named: Named) -> Any:
        """The result of a call that was missed after `seen`."""
        self.misses += 1
        source, storing = self.source(args, named), self.storing_of(key, args, named)
        outcome = await self.cache._load_one(caller, key, source, storing, seen)
        return self.result(outcome, storing)

    async def refresh(self, caller: Caller, args: Args, named: Named) -> Any:
        key, source = self.key(args, named), self.source(args, named)
        storing, normal = self.storing_of(key, args, named), normal_key(key)
        outcomes = await self.cache._loader.renew(caller, {normal: key}, source, storing)
        return self.result(outcomes[normal], storing)

    async def switched(self, caller: Caller, mode: Mode, args: Args, named: Named) -> Any:
        """The result of a call in a block of bypass() or refreshing()."""
        if mode == "refresh":
            await self.ready(caller)
            return await self.refresh(caller, args, named)
        made: Made = await caller.factory(Work(), partial(self.run, *args, **named))
        return made.result

    async def remove(self, caller: Caller, args: Args, named: Named) -> Any:
        """Removes the result of a call; whether it was there."""
        await self.ready(caller)
        return await caller.core(self.cache.delete, self.key(args, named))

    def storing_of(self, key: str, args: Args, named: Named) -> Storing:
        """How the result is stored of a call with this key."""
        return self.unless_unready(key, self.storing)

    def unless_unready(self, key: str, storing: Storing) -> Storing:
        if key.startswith(self.unready_head):
            return replace(storing, wanted=lambda _: False)
        return storing

    def decoded(self, found: Any, args: Args, named: Named) -> Any:
        """What the caller gets of a stored value; MISSING if that fails."""
        try:
            return found if self.decode is None else self.decode(found)
        except Exception:  # of a user's function, whatever it raises
            return MISSING

    def result(self, outcome: Outcome, storing: Storing) -> Any:
        """What the caller gets of an outcome."""
        self.count_refused(outcome)
        if outcome.stored and storing.decode is not None:
            return storing.decode(outcome.value)
        return outcome.value

    def count_refused(self, outcome: Outcome) -> None:
        """Warns of the first result that could not be stored."""
        if outcome.refused is not None:
            self.uncached += 1
            if self.uncached == 1:
                message = f"results of {self.name} are not cached: {outcome.refused}"
                warnings.warn(message, RuntimeWarning, stacklevel=caller_level())

    def attributes(self) -> dict[str, Callable[..., Any]]:
        """What the function carries beside what all cached functions do, by name."""
        return {}

    def info(self) -> CacheInfo:
        entries = self.cache.stats().entries
        hits = self.hits + self.quick_hits()
        return CacheInfo(hits, self.misses, None, entries, self.uncached)

    def costs(self, price: Any = None) -> CostReport:
        hits = self.hits + self.quick_hits()
        return self.runs.report(hits, self.misses, price, self.cache.stats())

    def key_now(self, *args: Any, **named: Any) -> Any:
        self.prepare()
        return self.key(args, named)
