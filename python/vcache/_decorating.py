"""The decorators of a cache, and what goes for the calls of all that they make."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, Unpack, cast, overload

from ._arguments import Key, Ttl, callable_argument
from ._batches import BatchSite
from ._core import DEFAULT
from ._digest import KeyDigest
from ._freshness import Freshness, FreshnessOptions
from ._lists import ListSite
from ._modes import Modes
from ._search import SearchOptions, epoch_tag
from ._similar_options import VectorSearchOptions, search_site, split_options
from ._site import Site
from ._site_options import Options
from .decorators import (
    AsyncCached,
    BatchDecorator,
    Cached,
    Decorator,
    SearchDecorator,
    decorate,
)

if TYPE_CHECKING:
    from .cache import Cache

__all__ = ["Decorating"]

P = ParamSpec("P")
R = TypeVar("R")


class Decorating:
    """Calls that make cached functions, or have to do with them."""

    _modes: Modes
    _digest: KeyDigest

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
        superset: bool | str = False,
        depends_on: Callable[[Any], Any] | None = None,
        index: str | None = None,
        tenant: str | Callable[..., Any] | None = None,
        encode: Callable[[Any], Any] | None = None,
        decode: Callable[[Any], Any] | None = None,
        type: Any = None,
        cache_if: Callable[[Any], bool] | None = None,
        **options: Unpack[VectorSearchOptions],
    ) -> SearchDecorator:
        """Decorator of a vector search: as cached(), with vectors rounded to `precision` decimals.

        A list and an array of the same numbers are the same query, and -0.0 is 0.0. NaN or Inf in
        a vector is a ValueError. Dicts and sets count without their order, at any depth.

        superset: a search cached for a larger `top_k` answers one for fewer rows by its first ones;
            one that found less than its `top_k` answers all. The parameter is `top_k`, or the one
            of this name. Results are a list or an array of rows, or a tuple of columns of one
            length, such as (ids, scores), each a list or an array; that comes back as a tuple.
            Other results, one list in a list, and those of calls with a matrix or a list of vectors
            answer their own `top_k` only. What cache.get() has under the key is [top_k, how it can
            be cut, result].
        depends_on: `depends_on(result)` returns tags of the result, at most 64 with all others,
            such as one for each document in it: invalidate_tags("doc:42") ends every search that
            returned it, also one that was under way. A result with more is not cached, and warned
            of once.
        index: the name of the argument that says which index is searched, for bump_epoch():
            `namespace` unless given. A call without it has none.
        tenant: the name of an argument, or a callable that gets those of the call, which says who
            may share the result; it is part of the key, exactly. None, "" or a call without it is
            an UnkeyableError.
        similar: 0.97, say, has the result of the nearest query answer where there is none of the
            same: as VectorSearchOptions has it, and similar_vector, similar_text, similar_memory.
        """
        near, rest = split_options(options)
        if precision is not None and (not _is_int(precision) or not 0 <= precision <= 15):
            raise ValueError(f"precision={precision!r}: allowed is None or an int from 0 to 15")
        given = Options(
            ttl=ttl,
            key_prefix=key_prefix,
            encode=encode,
            decode=decode,
            type=type,
            cache_if=cache_if,
            precision=precision,
            freshness=Freshness.of(rest),
        )
        search = SearchOptions(superset=superset, depends_on=depends_on, index=index, tenant=tenant)
        return cast(SearchDecorator, self._decorator(partial(search_site, given, search, near)))

    def cached_list(
        self,
        *,
        item_key: Callable[[Any], Key],
        ttl: Ttl = DEFAULT,
        key_prefix: str | None = None,
        key: Callable[..., Any] | None = None,
        encode: Callable[[Any], Any] | None = None,
        decode: Callable[[Any], Any] | None = None,
        type: Any = None,
        cache_if: Callable[[Any], bool] | None = None,
        **options: Unpack[FreshnessOptions],
    ) -> Decorator:
        """Decorator of a function that returns a list or tuple: it is cached, and so is each item.

        An item is stored under the key `item_key(item)`, as cache.set() would, and the list as
        these keys. So the list is read with its items as they are by then: one that was set anew is
        served anew, and where one was deleted, invalidated or has expired, the function is called
        again. A call stores all items over what was there, but for those that were written while
        it ran: by set() in this process, of items that it has had in a list before, by any other
        call of this process, of all. If one was removed meanwhile, the list is returned and not
        stored. A hit is one look-up for the list and one for its items, each of which is counted.

        The result is a list, of items in their stored form. `encode`, `decode` and `type` are of
        one item, `cache_if` of the list; two items under one key that differ are not cached.
        invalidate(), cache_clear() and the tags of vcache.current() end lists, not items. Other
        options as for cached(). Nothing is served past its expiry.
        """
        given = Options(
            ttl=ttl,
            key_prefix=key_prefix,
            key=key,
            encode=encode,
            decode=decode,
            type=type,
            cache_if=cache_if,
            freshness=Freshness.of(options),
        )
        named = callable_argument(item_key, "item_key")
        make = partial(ListSite, options=given, item_key=named)
        return cast(Decorator, self._decorator(make))

    def cached_batch(
        self,
        *,
        over: str,
        ttl: Ttl = DEFAULT,
        key_prefix: str | None = None,
        encode: Callable[[Any], Any] | None = None,
        decode: Callable[[Any], Any] | None = None,
        type: Any = None,
        cache_if: Callable[[Any], bool] | None = None,
        **options: Unpack[FreshnessOptions],
    ) -> BatchDecorator:
        """Decorator of a function of a list: its results are cached for each item of that list.

        `over` names the parameter. The function is called once, with the distinct missing items in
        first-seen order and all other arguments as given; it returns a mapping of items, or a
        sequence or matrix aligned to them. Another length is a ValueError, and nothing is stored.
        What is returned is a list aligned to the items of the call, each value in its stored form,
        duplicates kept. Items that another caller is computing are waited for.

        The key of an item has the other arguments too. cache_key() returns a list of keys,
        invalidate() how many values it removed, refresh() computes all items of its call anew.
        `encode`, `decode`, `type` and `cache_if` are of the value of one item. Other options as for
        cached().
        """
        given = Options(
            ttl=ttl,
            key_prefix=key_prefix,
            encode=encode,
            decode=decode,
            type=type,
            cache_if=cache_if,
            freshness=Freshness.of(options),
        )
        return cast(BatchDecorator, self._decorator(partial(BatchSite, options=given, over=over)))

    def bump_epoch(self, namespace: Any) -> None:
        """Ends all cached searches of an index, of all functions, in both tiers and all processes.

        `namespace` is what they were given for the parameter `index` of cache_vector_search(). As
        invalidate_tags(): one step, and searches that are under way are ended too.
        """
        cast("Cache", self).invalidate_tags(epoch_tag(namespace, self._digest))

    async def abump_epoch(self, namespace: Any) -> None:
        """Twin of bump_epoch()."""
        await cast("Cache", self).ainvalidate_tags(epoch_tag(namespace, self._digest))

    def bypass(self) -> AbstractContextManager[None]:
        """A block in which this cache is left out: what is asked for is computed, and not stored.

        Goes for cached functions, get_or_set(), get_or_set_many(), EmbeddingCache and their twins,
        called by the code of the block, in the threads and tasks that have its context, and by what
        they call; not for get(), set() and their like. stats() and cache_info() do not count them.
        Results are as they were computed. Of several blocks the innermost counts. For one call of a
        function there is its `__wrapped__`.
        """
        return self._modes.block("bypass")

    def refreshing(self) -> AbstractContextManager[None]:
        """A block in which what is asked for is computed anew, and stored over what is there.

        Goes for the calls that bypass() does. For one call of a function there is its refresh().
        """
        return self._modes.block("refresh")

    def _decorator(self, make: Callable[..., Site]) -> Any:
        return partial(decorate, cast("Cache", self), make=make)


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
