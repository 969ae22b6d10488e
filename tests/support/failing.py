"""A factory that fails when told to, a cache that keeps values for that, and the ways to ask it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from clocked import ClockedCache
from sync_points import DEADLINE


class Graceful(ClockedCache):
    """A cache whose entries live 10 s and are kept 60 s longer."""

    def __init__(self) -> None:
        super().__init__(ttl=10, memory_ttl=None, grace=60)
        self.now = 0.0
        self._loader.clock.now = lambda: self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds
        self.clock.advance(seconds)


class Factory:
    """Counts its calls; raises what it is told to, waits where it is told to."""

    def __init__(self) -> None:
        self.calls = 0
        self.error: Exception | None = None
        self.hold: threading.Event | None = None
        self.done = threading.Semaphore(0)

    def __call__(self, *_: Any) -> int:
        self.calls += 1
        number = self.calls
        try:
            if self.hold is not None:
                assert self.hold.wait(DEADLINE)
            if self.error is not None:
                raise self.error
            return number
        finally:
            self.done.release()


Ask = Callable[..., Any]


def blocking(cache: ClockedCache, factory: Factory, **options: Any) -> Any:
    return cache.get_or_set("k", factory, **options)


def awaited(cache: ClockedCache, factory: Factory, **options: Any) -> Any:
    return asyncio.run(cache.aget_or_set("k", factory, **options))


def batched(cache: ClockedCache, factory: Factory, **options: Any) -> Any:
    return cache.get_or_set_many(["k"], lambda _: [factory()], **options)[0]


def decorated(cache: ClockedCache, factory: Factory, **options: Any) -> Any:
    def function(x: int) -> int:
        return factory(x)

    return cache.cached(key_prefix="f", **options)(function)(1)
