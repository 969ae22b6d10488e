"""What a cached function carries beside the function itself."""

from __future__ import annotations

from typing import Any

from ._callers import is_async, run_blocking
from ._calls import BLOCKING
from ._site import Site

__all__ = ["attributes"]


def attributes(site: Site) -> dict[str, Any]:
    """By name: cache_info, cache_clear and so on; of an async function with their a… twins."""

    def cache_clear() -> None:
        run_blocking(site.clear(BLOCKING))

    def invalidate(*args: Any, **named: Any) -> Any:
        return run_blocking(site.remove(BLOCKING, args, named))

    common = {
        "cache_info": site.info,
        "cost_report": site.costs,
        "cache_clear": cache_clear,
        "cache_key": site.key_now,
        "invalidate": invalidate,
    }
    twins = _async_twins(site) if is_async(site.function) else _blocking(site)
    return common | twins | site.attributes()


def _blocking(site: Site) -> dict[str, Any]:
    def refresh(*args: Any, **named: Any) -> Any:
        return run_blocking(site.refresh(BLOCKING, args, named))

    return {"refresh": refresh}


def _async_twins(site: Site) -> dict[str, Any]:
    async def refresh(*args: Any, **named: Any) -> Any:
        await site.ready(site.cache._on_loop)
        return await site.refresh(site.cache._on_loop, args, named)

    async def ainvalidate(*args: Any, **named: Any) -> Any:
        return await site.remove(site.cache._on_loop, args, named)

    async def acache_clear() -> None:
        await site.clear(site.cache._on_loop)

    return {
        "refresh": refresh,
        "arefresh": refresh,
        "ainvalidate": ainvalidate,
        "acache_clear": acache_clear,
    }
