"""The decorators of a cache, and what goes for the calls of all that they make."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, Unpack, cast, overload

from ._arguments import Ttl
from ._core import DEFAULT
from ._freshness import Freshness, FreshnessOptions
from ._modes import Modes
from ._site import Site
from ._site_options import Options
from .decorators import AsyncCached, Cached, Decorator, decorate

if TYPE_CHECKING:
    from .cache import Cache

__all__ = ["Decorating"]

P = ParamSpec("P")
R = TypeVar("R")


class Decorating:
    """Calls that make cached functions, or have to do with them."""

    _modes: Modes

    @overload
    def cached(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> AsyncCached[P, R]: ...

    @overload
    def cached(self, function: Callable[P, R], /) -> Cached[P, R]: ...

    @overload
    def cached(
        self,
        /,
        *,
        ttl: Ttl = ...,
        key_prefix: str | None = ...,
        key: Callable[..., Any] | None = ...,
        encode: Callable[[Any], Any] | None = ...,
        decode: Callable[[Any], Any] | None = ...,
        type: Any = ...,
        cache_if: Callable[[Any], bool] | None = ...,
        **options: Unpack[FreshnessOptions],
    ) -> Decorator: ...

    def cached(
        self,
        function: Any = None,
        /,
        *,
        ttl: Ttl = DEFAULT,
        key_prefix: str | None = None,
        key: Callable[..., Any] | None = None,
        encode: Callable[[Any], Any] | None = None,
        decode: Callable[[Any], Any] | None = None,
        type: Any = None,
        cache_if: Callable[[Any], bool] | None = None,
        **options: Unpack[FreshnessOptions],
    ) -> Any:
        """Decorator of a function, coroutine function or method: its results are cached.

        The key is `key_prefix` (its qualified name unless given) and the arguments, with defaults
        applied; or what `key(*args, **kwargs)` returns. Lists of numbers and arrays count by value.
        Of a method's object only the class counts, unless the object has a `__cache_key__`. An
        argument that cannot be keyed is an UnkeyableError naming it. The arguments stand in the key
        as they are where it has room for them, else as their SHA-256; with the `key_secret` of the
        cache always as an HMAC, so that patterns take all calls of a function or none.

        A name means one function, in all processes that share a Redis. One that is defined anew
        under its name goes on with its results; `cache_clear()` or another `key_prefix` ends that.
        What a closure holds is told apart where it can be: constants (None, bool, int, float, str,
        bytes, enums, tuples of these, classes, modules and functions, as they are when it is
        decorated) are part of the key; other objects, such as a client, are not, and a second
        function of the same code that holds others is a ConfigError, as is what has no name of its
        own: a lambda, functools.partial, bound method or callable object. `key_prefix` names each.

        Results that are records are stored with `type=` (a dataclass, a pydantic model, a list of
        them) or `encode=` and `decode=`; `cache_if(result)` says which to store. A result that
        cannot be stored is returned uncached, counted, and warned of once. While it runs, the
        function may say of its result what the call of the decorator cannot: vcache.current().

        soft_timeout, hard_timeout, refresh_ahead, beta, negative_ttl, error_ttl, retry_after: as
        for get_or_set(). A refresh in the background calls the function with the arguments of the
        hit.
        """
        fresh = Freshness.of(options)
        given = Options(
            ttl=ttl,
            key_prefix=key_prefix,
            key=key,
            encode=encode,
            decode=decode,
            type=type,
            cache_if=cache_if,
            freshness=fresh,
        )
        make = partial(Site, options=given)
        if function is None:
            return self._decorator(make)
        return decorate(cast("Cache", self), function, make)

    def cache_vector_search(
        self,
        *,
        ttl: Ttl = DEFAULT,
        precision: int | None = 6,
        key_prefix: str | None = None,
        **options: Unpack[FreshnessOptions],
    ) -> Decorator:
        """Decorator of a vector search: as cached(), with vectors rounded to `precision` decimals.

        A list and an array of the same numbers are the same query, and -0.0 is 0.0. NaN or Inf in
        a vector is a ValueError.
        """
        if precision is not None and (type(precision) is not int or not 0 <= precision <= 15):
            raise ValueError(f"precision={precision!r}: allowed is None or an int from 0 to 15")
        given = Options(
            ttl=ttl,
            key_prefix=key_prefix,
            precision=precision,
            freshness=Freshness.of(options),
        )
        return cast(Decorator, self._decorator(partial(Site, options=given)))

    def bypass(self) -> AbstractContextManager[None]:
        """A block in which this cache is left out: what is asked for is computed, and not stored.

        Goes for cached functions, get_or_set(), get_or_set_many(), EmbeddingCache and their twins,
        called by the code of the block, in the threads and tasks that have its context, and by what
        they call; not for get(), set() and their like. Calls are counted nowhere. Results are as
        they were computed. Of several blocks the innermost counts. For one call of a function there
        is its `__wrapped__`.
        """
        return self._modes.block("bypass")

    def refreshing(self) -> AbstractContextManager[None]:
        """A block in which what is asked for is computed anew, and stored over what is there.

        Goes for the calls that bypass() does. For one call of a function there is its refresh().
        """
        return self._modes.block("refresh")

    def _decorator(self, make: Callable[..., Site]) -> Any:
        return partial(decorate, cast("Cache", self), make=make)
