"""One decorated function: the keys of its calls, how their results are stored, and its counts."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from ._arguments import callable_argument, ttl_argument
from ._callers import Caller, is_async, run_blocking
from ._calls import BLOCKING
from ._core import MISSING
from ._filling import Storing
from ._flight import Outcome
from ._freshness import Freshness
from ._keying import LAST_TAGS, MAX_KEY, Encoder, Signature, bounded
from ._messages import caller_level, shown
from ._naming import full_name
from ._source import Source
from ._typed import codec_of
from .errors import ConfigError, UnkeyableError

if TYPE_CHECKING:
    from ._core import TieredCache
    from .cache import Cache

__all__ = ["CacheInfo", "Options", "Site"]

_MAX_PREFIX = 512
_MAX_OWNERS = 256


class CacheInfo(NamedTuple):
    """Calls of one wrapped function in this process, since it was made or cleared.

    `maxsize` is None: all share the budget of the cache, whose entries in memory are `currsize`.
    `uncached` results could not be stored.
    """

    hits: int
    misses: int
    maxsize: int | None
    currsize: int
    uncached: int


class Options(NamedTuple):
    """What a decorator was given, but the function."""

    ttl: Any
    key_prefix: str | None
    key: Callable[..., Any] | None
    encode: Callable[[Any], Any] | None
    decode: Callable[[Any], Any] | None
    type: Any
    cache_if: Callable[[Any], bool] | None
    precision: int | None
    freshness: Freshness


class Site:
    """How the calls of one decorated function are keyed, stored and counted."""

    __slots__ = (
        "cache",
        "closure",
        "decode",
        "digest",
        "encoder",
        "function",
        "generation",
        "head",
        "hits",
        "is_ready",
        "key_function",
        "misses",
        "name",
        "owners",
        "prefix",
        "quick_hits",
        "restart",
        "signature",
        "storing",
        "tails",
        "text_head",
        "uncached",
        "unstored",
    )

    def __init__(self, cache: Cache, function: Callable[..., Any], options: Options) -> None:
        self.cache, self.function = cache, function
        self.signature = _signature(function)
        self.owners: dict[type, str] = {}  # of methods: the keys' part for the object's class
        self.encoder, self.digest = Encoder(options.precision), cache._digest
        self.key_function = options.key and callable_argument(options.key, "key")
        encode, self.decode = _codec(options)
        self.storing = Storing(
            ttl=ttl_argument(options.ttl),
            encode=encode,
            decode=self.decode,
            wanted=options.cache_if and callable_argument(options.cache_if, "cache_if"),
            lenient=True,
            freshness=options.freshness,
        )
        self.unstored = replace(self.storing, wanted=lambda _: False)
        self.quick_hits: Callable[[], int] = int  # hits that the wrapper itself counts
        self.restart: Callable[[str], object] = str  # tells the wrapper of another head
        self.hits = self.misses = self.uncached = 0
        self.name, closure = full_name(function), ""
        if options.key_prefix is None:
            self.name, closure = cache._names.claim(function)
        self.prefix = _prefix(options.key_prefix, self.name)
        self.closure = f"+{closure}" if closure else ""
        known = cache._names.generation(self.record)
        self.is_ready = known is not None or not cache._has_redis
        self.begin(known or 0)

    @property
    def is_early(self) -> bool:
        """Whether a hit may start a refresh."""
        return self.storing.freshness.is_early

    @property
    def takes_one_text(self) -> bool:
        """Whether the key of a str is `text_head` and that, and a result is as it is stored."""
        is_single = self.signature.is_plain and len(self.signature.names) == 1
        is_usual = self.key_function is None and self.decode is None and not self.is_early
        return is_single and is_usual and not (self.signature.is_method or self.digest.is_keyed)

    def key(self, args: tuple[Any, ...], named: dict[str, Any]) -> str:
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

    def _quick(self, values: tuple[Any, ...]) -> str:
        if not self.signature.is_method:
            return self.encoder.quick(values)
        if hasattr(values[0], "__cache_key__"):
            raise KeyError
        return self.owners[type(values[0])] + self.encoder.quick(values[1:])

    def _slow_key(self, args: tuple[Any, ...], named: dict[str, Any]) -> str:
        if not self.is_ready and not is_async(self.function):  # which awaits it
            self.prepare()
        if self.key_function is not None:
            own = self.key_function(*args, **named)
            return bounded(self.head, self.encoder.all([own], ["key"]), self.digest)
        values, names = self.signature.bind(args, named), self.signature.names
        if self.signature.is_method:
            owner = self._owner(values[0], names[0])
            arguments = owner + self._arguments(values[1:], names[1:])
        else:
            arguments = self._arguments(values, names)
        return bounded(self.head, arguments, self.digest)

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

    def source(self, args: tuple[Any, ...], named: dict[str, Any]) -> Source:
        return Source(
            function=partial(self.function, *args, **named),
            arguments=lambda _: (),
            unpack=lambda result, _: [result],
        )

    async def find(
        self, caller: Caller, key: str, args: tuple[Any, ...], named: dict[str, Any]
    ) -> Any:
        """What is stored of a call that may be refreshed early, or MISSING."""
        source = self.source(args, named)
        return await self.cache._find_one(caller, key, source, self.storing)

    async def load(
        self, caller: Caller, key: str, seen: int, args: tuple[Any, ...], named: dict[str, Any]
    ) -> Any:
        """The result of a call that was missed after `seen`."""
        self.misses += 1
        source, storing = self.source(args, named), self.storing_of(key)
        outcome = await self.cache._load_one(caller, key, source, storing, seen)
        return self.result(outcome)

    async def refresh(self, caller: Caller, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        key, source = self.key(args, named), self.source(args, named)
        storing = self.storing_of(key)
        return self.result(await self.cache._loader.renew(caller, key, source, storing))

    def storing_of(self, key: str) -> Storing:
        """How the result is stored of a call with this key."""
        return self.unstored if key.startswith(self.unready_head) else self.storing

    def decoded(self, found: Any) -> Any:
        """What the caller gets of a stored value; MISSING if `decode` fails."""
        try:
            return found if self.decode is None else self.decode(found)
        except Exception:  # of a user's function, whatever it raises
            return MISSING

    def result(self, outcome: Outcome) -> Any:
        """What the caller gets of an outcome."""
        if outcome.refused is not None:
            self.uncached += 1
            if self.uncached == 1:
                message = f"results of {self.name} are not cached: {outcome.refused}"
                warnings.warn(message, RuntimeWarning, stacklevel=caller_level())
        if outcome.stored and self.decode is not None:
            return self.decode(outcome.value)
        return outcome.value

    @property
    def record(self) -> str:
        """The key of the generation that the last cache_clear() began."""
        return f"{self.prefix}:generation{self.closure}"

    @property
    def unready_head(self) -> str:
        """What the keys begin with that are made before the generation is known."""
        return f"{self.record}:"

    def prepare(self) -> None:
        """Takes up the generation that is kept in the cache, as soon as Redis says which it is.

        Before that what was cleared cannot be told from what was not.
        """
        if not self.is_ready:
            self.take_up(self.kept())

    async def aprepare(self) -> None:
        """Twin of prepare()."""
        if not self.is_ready:
            self.take_up(await self.cache._on_loop.core(self.kept))

    def kept(self) -> int | None:
        """The generation that is kept in the cache, 0 for none; None where Redis does not say."""
        core = self.cache._tiers
        before = _unanswered(core)
        (found,) = core.find_again([self.record], False)  # which counts no request
        if found is MISSING:
            return 0 if _unanswered(core) == before else None
        return found[0] if type(found[0]) is int else 0

    def take_up(self, kept: int | None) -> None:
        if kept is not None:
            self.is_ready = True
            self.begin(self.cache._names.reach(self.record, kept))

    def begin(self, generation: int) -> None:
        """Makes keys of this generation from now on."""
        self.generation = generation
        self.head = f"{self.prefix}:{generation}{self.closure}:"
        self.tails = {} if self.digest.is_keyed else self.signature.tails
        if not self.is_ready:  # the quick ways find nothing
            self.head, self.tails = self.unready_head, {}
        self.text_head = f"{self.head}{LAST_TAGS[str]}"  # before a str that is all
        self.restart(self.text_head)

    def clear(self) -> None:
        self._forget()
        if self.cache._has_redis:
            self.cache.set(self.record, self.generation, ttl=None)

    async def aclear(self) -> None:
        self._forget()
        if self.cache._has_redis:
            await self.cache.aset(self.record, self.generation, ttl=None)

    def _forget(self) -> None:
        self.is_ready = True
        self.begin(self.cache._names.step(self.record))
        self.hits = self.misses = self.uncached = 0

    def info(self) -> CacheInfo:
        entries = self.cache.stats().entries
        hits = self.hits + self.quick_hits()
        return CacheInfo(hits, self.misses, None, entries, self.uncached)

    def key_now(self, *args: Any, **named: Any) -> str:
        self.prepare()
        return self.key(args, named)

    def invalidate(self, *args: Any, **named: Any) -> bool:
        self.prepare()
        return self.cache.delete(self.key(args, named))

    def attributes(self) -> dict[str, Any]:
        """What the wrapper carries."""
        common = {
            "cache_info": self.info,
            "cache_clear": self.clear,
            "cache_key": self.key_now,
            "invalidate": self.invalidate,
        }
        return common | (self._async_twins() if is_async(self.function) else self._blocking())

    def _blocking(self) -> dict[str, Any]:
        def refresh(*args: Any, **named: Any) -> Any:
            return run_blocking(self.refresh(BLOCKING, args, named))

        return {"refresh": refresh}

    def _async_twins(self) -> dict[str, Any]:
        async def refresh(*args: Any, **named: Any) -> Any:
            await self.aprepare()
            return await self.refresh(self.cache._on_loop, args, named)

        async def ainvalidate(*args: Any, **named: Any) -> bool:
            await self.aprepare()
            return await self.cache.adelete(self.key(args, named))

        return {
            "refresh": refresh,
            "arefresh": refresh,
            "ainvalidate": ainvalidate,
            "acache_clear": self.aclear,
        }


def _unanswered(core: TieredCache) -> int:
    """How often Redis did not answer so far: one more after each time, and maybe more."""
    counters = core.stats()
    return int(counters["skipped"] + counters["errors"])


def _signature(function: Callable[..., Any]) -> Signature:
    try:
        return Signature(function)
    except (TypeError, ValueError):  # some built-in types and functions tell none
        raise ConfigError(
            f"function={shown(function)}: its parameters are not known: allowed are functions whose"
            " signature inspect can tell"
        ) from None


def _codec(options: Options) -> tuple[Callable[[Any], Any] | None, Callable[[Any], Any] | None]:
    for name in ("encode", "decode"):
        given = getattr(options, name)
        if given is not None and not callable(given):
            allowed = "allowed are None and a callable"
            raise ConfigError(f"{name}={shown(given)} of type {type(given).__name__}: {allowed}")
    if (options.encode is None) != (options.decode is None):
        raise TypeError("encode and decode: allowed are both or neither")
    if options.type is None:
        return options.encode, options.decode
    if options.encode is not None:
        raise TypeError("type: allowed only without encode and decode")
    return codec_of(options.type, none_too=options.freshness.negative_ttl is not None)


def _prefix(given: object, name: str) -> str:
    prefix = name if given is None else given
    if not isinstance(prefix, str):
        raise TypeError(
            f"key_prefix={shown(given)} of type {type(given).__name__}: allowed is a str"
        )
    try:
        size = len(prefix.encode())
    except UnicodeEncodeError:  # a lone surrogate
        size = 0
    if not 1 <= size <= _MAX_PREFIX:
        allowed = f"allowed are 1 to {_MAX_PREFIX} bytes of UTF-8"
        raise ConfigError(f"key_prefix={shown(prefix)}: {allowed}")
    return prefix
