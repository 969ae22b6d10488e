"""Filling a cache from a list of keys, before the first request or beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sized
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any, cast

from ._ahead import Batch, batches, count_argument, fill
from ._arguments import Key, Ttl, callable_argument
from ._callers import Caller, OnLoop, refuse_async, run_blocking
from ._calls import BLOCKING, Calls, storing_of
from ._filling import Storing
from ._freshness import FreshnessOptions
from ._jobs import Job
from ._messages import shown
from ._source import Source, batch_source

__all__ = ["Told", "WarmReport", "awarm", "warm"]

_MOST_FAILED = 10_000
_MOST_ERRORS = 16

Told = Callable[["WarmReport"], object]


@dataclass(frozen=True)
class WarmReport:
    """How far a warming is, in keys."""

    total: int | None = None
    """None where the iterable did not tell how many there are, until its end."""
    done: int = 0
    present: int = 0
    """Were in memory, or in Redis and are in memory now."""
    loaded: int = 0
    """Made by the factory."""
    absent: int = 0
    """In neither tier, where there is no factory."""
    failed: int = 0
    failed_keys: tuple[Key, ...] = ()
    """Those to try again; the first 10,000."""
    errors: tuple[Exception, ...] = ()
    """Why; the first of each batch, up to 16."""
    seconds: float = 0.0
    cancelled: bool = False

    @property
    def share(self) -> float | None:
        """From 0 to 1; None where `total` is."""
        if self.total is None:
            return None
        return min(self.done / self.total, 1.0) if self.total else 1.0

    def plus(self, count: int, batch: Batch, seconds: float) -> WarmReport:
        errors = self.errors if batch.error is None else (*self.errors, batch.error)
        return replace(
            self,
            done=self.done + count,
            present=self.present + batch.present,
            loaded=self.loaded + batch.loaded,
            absent=self.absent + batch.absent,
            failed=self.failed + len(batch.failed),
            failed_keys=(*self.failed_keys, *batch.failed)[:_MOST_FAILED],
            errors=errors[:_MOST_ERRORS],
            seconds=seconds,
        )


class _Warming:
    """One warming: what it takes, and how far it is."""

    def __init__(
        self, keys: object, source: Source | None, storing: Storing, size: int, told: Told | None
    ) -> None:
        if isinstance(keys, (str, bytes)) or not isinstance(keys, Iterable):
            raise TypeError(
                f"keys={shown(keys)} of type {type(keys).__name__}: allowed is an iterable of str"
                " or bytes"
            )
        self._keys: Iterable[Key] = keys
        self._source = source
        self._storing = storing
        self._size = size
        self._told = told
        self.report = WarmReport(total=len(keys) if isinstance(keys, Sized) else None)

    async def run(self, cache: Calls, caller: Caller, is_over: Callable[[], bool]) -> None:
        started = perf_counter()
        for keys in batches(self._keys, self._size):
            if is_over():
                self.report = replace(self.report, cancelled=True)
                return
            batch = await fill(cache, caller, keys, self._source, self._storing)
            self.report = self.report.plus(len(keys), batch, perf_counter() - started)
            if self._told is not None:
                self._told(self.report)
        done = self.report.done
        self.report = replace(self.report, total=done, seconds=perf_counter() - started)


def warm(
    cache: Any,
    keys: Iterable[Key],
    factory: Callable[[list[Key]], Any] | None,
    batch_size: int,
    progress: Told | None,
    ttl: Ttl,
    options: FreshnessOptions,
) -> Job[WarmReport]:
    """As Cache.warm()."""
    if factory is not None:
        refuse_async(callable_argument(factory, "factory"))
    warming = _warming(keys, factory, batch_size, progress, ttl, options)

    def run(job: Job[WarmReport]) -> None:
        run_blocking(warming.run(cache, BLOCKING, job._is_over))

    job = Job(run, lambda: warming.report)
    cache._jobs.start(job)
    return job


async def awarm(
    cache: Any,
    keys: Iterable[Key],
    factory: Callable[[list[Key]], Any] | None,
    batch_size: int,
    progress: Told | None,
    ttl: Ttl,
    options: FreshnessOptions,
) -> WarmReport:
    """As Cache.awarm()."""
    import asyncio

    warming = _warming(keys, factory, batch_size, progress, ttl, options)
    caller = _Yielding(cache._on_loop, asyncio.sleep)
    await warming.run(cache, cast(Caller, caller), lambda: False)
    return warming.report


class _Yielding:
    """A caller on a loop that lets others have a turn before each batch."""

    def __init__(self, caller: OnLoop, pause: Callable[[float], Any]) -> None:
        self._caller = caller
        self._pause = pause

    async def core(self, function: Callable[..., Any], /, *args: Any) -> Any:
        await self._pause(0)
        return await self._caller.core(function, *args)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._caller, name)


def _warming(
    keys: object,
    factory: Callable[[list[Key]], Any] | None,
    batch_size: int,
    progress: Told | None,
    ttl: Ttl,
    options: FreshnessOptions,
) -> _Warming:
    source = None if factory is None else batch_source(factory)
    storing = storing_of(ttl, None, options)
    size = count_argument(batch_size, "batch_size")
    told = None if progress is None else callable_argument(progress, "progress")
    return _Warming(keys, source, storing, size, told)
