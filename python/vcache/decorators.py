"""Functions whose results are cached."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Mapping
from functools import update_wrapper
from importlib import import_module
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar, overload

from ._arguments import callable_argument
from ._attributes import attributes
from ._callers import is_async, run_blocking
from ._calls import BLOCKING
from ._core import MISSING, TextCall
from ._many import ManySite
from ._methods import Method
from ._naming import full_name
from ._site import Site
from ._site_options import CacheInfo

if TYPE_CHECKING:
    from ._similar_records import Nearest, SimilarAdvice, SimilarBand
    from .cache import Cache
    from .costs import CostReport
    from .prices import Price

__all__ = [
    "AsyncCached",
    "AsyncCachedBatch",
    "AsyncCachedSearch",
    "BatchDecorator",
    "CacheInfo",
    "Cached",
    "CachedBatch",
    "CachedSearch",
    "Decorator",
    "Nearest",
    "SearchDecorator",
    "SimilarAdvice",
    "SimilarBand",
    "decorate",
]

# Of searches with `similar`, and so loaded with their first use.
_RECORDS = ("Nearest", "SimilarAdvice", "SimilarBand")

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class Cached(Protocol[P, R_co]):
    """A function whose results are cached."""

    @property
    def __wrapped__(self) -> Callable[P, R_co]:
        """The function itself."""

    def __call__(self, *args: P.args, **named: P.kwargs) -> R_co: ...

    def __get__(self, instance: Any, owner: type | None = None) -> Cached[..., R_co]: ...

    def cache_info(self) -> CacheInfo:
        """Hits and misses of this function."""

    def cost_report(self, price: Price | float | Mapping[str, Any] | None = None) -> CostReport:
        """What this function was asked for and saved here, since it was made or cleared.

        price: what a call costs: a number or a vcache.prices.Price; without one the money is
            None.
        """

    def cache_clear(self) -> None:
        """Forgets the results of this function only.

        Its keys get a new prefix, which is kept in the cache for processes that call the function
        for the first time later. Those that have called it before go on with its old results
        until these expire.
        """

    def cache_key(self, *args: P.args, **named: P.kwargs) -> str:
        """The key of a call."""

    def invalidate(self, *args: P.args, **named: P.kwargs) -> bool:
        """Removes the result of a call from both tiers; whether it was in one."""

    def refresh(self, *args: P.args, **named: P.kwargs) -> R_co:
        """Calls the function, whatever is stored, and stores the result.

        One that is not to be stored removes the old. If the key is deleted, invalidated or written
        meanwhile, the result is returned and nothing is stored.
        """


class AsyncCached(Cached[P, Coroutine[Any, Any, R_co]], Protocol[P, R_co]):
    """An async function whose results are cached; refresh() is to be awaited."""

    def __get__(self, instance: Any, owner: type | None = None) -> AsyncCached[..., R_co]: ...

    async def ainvalidate(self, *args: P.args, **named: P.kwargs) -> bool:
        """Twin of invalidate()."""

    async def arefresh(self, *args: P.args, **named: P.kwargs) -> R_co:
        """Twin of refresh()."""

    async def acache_clear(self) -> None:
        """Twin of cache_clear()."""


class Decorator(Protocol):
    """What makes a cached function of a function."""

    @overload
    def __call__(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> AsyncCached[P, R]: ...

    @overload
    def __call__(self, function: Callable[P, R], /) -> Cached[P, R]: ...


class CachedSearch(Cached[P, R_co], Protocol[P, R_co]):
    """A vector search whose results are cached."""

    def __get__(self, instance: Any, owner: type | None = None) -> CachedSearch[..., R_co]: ...

    def nearest(self, *args: P.args, **named: P.kwargs) -> Nearest | None:
        """The answered query nearest to a call; None for none. Only with `similar`."""

    def advice(self, precision: float = 0.95) -> SimilarAdvice:
        """The threshold for a wanted precision, by live traffic. Only with `similar`.

        precision: the share of the rows of semantic answers that a computed answer has as well.
        Compared are, where a call was computed, its result and that of the nearest answered query
        down to 0.1 below `similar`. Rows count by what `depends_on` returns for a result, else by
        their id, or all that they are but floats. Raises ValueError for no share over 0 up to 1.
        """


class AsyncCachedSearch(AsyncCached[P, R_co], Protocol[P, R_co]):
    """An async one; nearest() and advice() are not to be awaited."""

    def __get__(self, instance: Any, owner: type | None = None) -> AsyncCachedSearch[..., R_co]: ...

    def nearest(self, *args: P.args, **named: P.kwargs) -> Nearest | None:
        """As that of any cached search."""

    def advice(self, precision: float = 0.95) -> SimilarAdvice:
        """As that of any cached search."""


class SearchDecorator(Protocol):
    """What makes a cached search of a function."""

    @overload
    def __call__(
        self, function: Callable[P, Coroutine[Any, Any, R]], /
    ) -> AsyncCachedSearch[P, R]: ...

    @overload
    def __call__(self, function: Callable[P, R], /) -> CachedSearch[P, R]: ...


class CachedBatch(Protocol[P, R_co]):
    """A function of a list whose results are cached for each of its items."""

    @property
    def __wrapped__(self) -> Callable[P, Any]:
        """The function itself."""

    def __call__(self, *args: P.args, **named: P.kwargs) -> R_co: ...

    def __get__(self, instance: Any, owner: type | None = None) -> CachedBatch[..., R_co]: ...

    def cache_info(self) -> CacheInfo:
        """Hits and misses of this function: each item counts."""

    def cost_report(self, price: Price | float | Mapping[str, Any] | None = None) -> CostReport:
        """What this function was asked for and saved here, since it was made or cleared.

        price: what the value of an item costs: a number or a vcache.prices.Price; without one
            the money is None.
        """

    def cache_clear(self) -> None:
        """As that of any cached function."""

    def cache_key(self, *args: P.args, **named: P.kwargs) -> list[str]:
        """The keys of the items of a call, in their order."""

    def invalidate(self, *args: P.args, **named: P.kwargs) -> int:
        """Removes what is stored of the items of a call; how many there were."""

    def refresh(self, *args: P.args, **named: P.kwargs) -> R_co:
        """Calls the function with all distinct items, and stores its results."""


class AsyncCachedBatch(CachedBatch[P, Coroutine[Any, Any, list[Any]]], Protocol[P]):
    """An async function of a list; refresh() is to be awaited."""

    def __get__(self, instance: Any, owner: type | None = None) -> AsyncCachedBatch[...]: ...

    async def ainvalidate(self, *args: P.args, **named: P.kwargs) -> int:
        """Twin of invalidate()."""

    async def arefresh(self, *args: P.args, **named: P.kwargs) -> list[Any]:
        """Twin of refresh()."""

    async def acache_clear(self) -> None:
        """Twin of cache_clear()."""


class BatchDecorator(Protocol):
    """What makes a function that is cached item by item of a function of a list."""

    @overload
    def __call__(
        self, function: Callable[P, Coroutine[Any, Any, Any]], /
    ) -> AsyncCachedBatch[P]: ...

    @overload
    def __call__(self, function: Callable[P, Any], /) -> CachedBatch[P, list[Any]]: ...


def decorate(cache: Cache, function: Any, make: Callable[[Cache, Any], Site]) -> Any:
    """`function` with its results cached; class and static methods stay what they are.

    `make` says what its site is.
    """
    if isinstance(function, (classmethod, staticmethod)):
        return type(function)(decorate(cache, function.__func__, make))
    callable_argument(function, "function")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(f"{full_name(function)} is a generator function: allowed are others")
    site = make(cache, function)
    if isinstance(site, ManySite):
        wrapper = site.wrapper()
    elif is_async(function):
        wrapper = _async_wrapper(site)
    else:
        wrapper = _plain_wrapper(site)
    update_wrapper(wrapper, function)
    vars(wrapper).update(attributes(site))
    return Method.over(wrapper) if site.signature.is_method else wrapper


def _plain_wrapper(site: Site) -> Any:
    """The wrapper of a sync function, quick where the core can key its calls."""
    if site.takes_one_text:
        return _watched(site, TextCall(site.cache._tiers, _any_wrapper(site), site.text_head))
    tails, precision = site.quick_tails(), site.encoder.precision
    if not tails or precision is None:
        return _any_wrapper(site)
    head, tiers = site.text_head[:-1], site.cache._tiers
    return _watched(site, TextCall(tiers, _any_wrapper(site), head, tails, precision), tag=1)


def _watched(site: Site, wrapper: TextCall, tag: int = 0) -> Any:
    """The wrapper with the site's heads, without the `tag` of a text behind them."""
    site.quick_hits = wrapper.hits
    site.restart = lambda head: wrapper.restart(head[: len(head) - tag])
    site.cache._modes.watch(site)
    return wrapper


def _any_wrapper(site: Site) -> Callable[..., Any]:
    get, flights, missing = site.cache._fresh_get, site.cache._loader.flights, MISSING
    is_early, decodes, modes = site.is_early, site.decodes, site.cache._modes

    def wrapper(*args: Any, **named: Any) -> Any:
        if modes.are_on and (mode := modes.now()) is not None:
            return run_blocking(site.switched(BLOCKING, mode, args, named))
        seen, key = flights.step, site.key(args, named)
        if is_early:
            found = run_blocking(site.find(BLOCKING, key, args, named))
        else:
            found = get(key, missing)
        if decodes and found is not missing:
            found = site.decoded(found, args, named)
        if found is missing:
            return run_blocking(site.load(BLOCKING, key, seen, args, named))
        site.hits += 1
        return found

    return wrapper


def _async_wrapper(site: Site) -> Callable[..., Any]:
    cache, flights, modes = site.cache, site.cache._loader.flights, site.cache._modes
    decodes = site.decodes

    async def wrapper(*args: Any, **named: Any) -> Any:
        if modes.are_on and (mode := modes.now()) is not None:
            return await site.switched(cache._on_loop, mode, args, named)
        if not site.is_ready:
            await site.ready(cache._on_loop)
        seen, key = flights.step, site.key(args, named)
        if site.is_early:
            found = await site.find(cache._on_loop, key, args, named)
        else:
            found = await cache._afresh_get(key, MISSING)
        if decodes and found is not MISSING:
            found = site.decoded(found, args, named)
        if found is MISSING:
            return await site.load(cache._on_loop, key, seen, args, named)
        site.hits += 1
        return found

    return wrapper


def __getattr__(name: str) -> Any:
    if name not in _RECORDS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("._similar_records", __package__), name)
