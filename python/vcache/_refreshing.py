"""Computing the hottest entries anew before they expire."""

from __future__ import annotations

import random
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any, cast

from ._adaptive import least_memory_ttl
from ._ahead import batches, count_argument, share_argument
from ._arguments import Key, Ttl, callable_argument
from ._callers import Blocking, Computation, refuse_async, run_blocking
from ._calls import Calls, storing_of
from ._config import Config
from ._filling import Storing
from ._flight import Work, normal_key
from ._freshness import FreshnessOptions
from ._jobs import Job
from ._source import Source, batch_source
from .durations import Duration, parse_duration
from .errors import ConfigError

__all__ = ["RefreshReport", "refresh_hot"]

_MOST_ERRORS = 16
_AHEAD = 1.25  # intervals before its end that a value is refreshed, as the next round may be late


@dataclass(frozen=True)
class RefreshReport:
    """What the rounds came to so far."""

    rounds: int = 0
    looked_at: int = 0
    """Keys, over all rounds."""
    refreshed: int = 0
    failed: int = 0
    """Values whose factory raised: those in the cache stay until they expire."""
    errors: tuple[Exception, ...] = ()
    """The newest, up to 16."""
    seconds: float = 0.0
    """That the last round took."""


class _Here(Blocking):
    """Computes in the calling thread what others compute in the background."""

    def spawn(self, work: Work, computation: Computation, end: Callable[[], None]) -> None:
        try:
            run_blocking(computation)
        finally:
            end()


class _Refreshing:
    """What to refresh, how, and what came of it."""

    def __init__(self, source: Source, storing: Storing, n: int, every: float, size: int) -> None:
        self._given = source
        self._source = replace(source, function=self._counted)
        self._storing = storing
        self._n = n
        self._every = every
        self._size = size
        self.report = RefreshReport()

    def round(self, cache: Calls, is_over: Callable[[], bool]) -> None:
        started = perf_counter()
        hot = [key for key, _ in cast(Any, cache).hot_keys(self._n)]
        for keys in batches(hot, self._size):
            if is_over():
                return
            due = self._due(cache, keys)
            self.report = replace(self.report, looked_at=self.report.looked_at + len(keys))
            if due:
                cache._loader.refresh(_Here(), due, self._source, self._storing)
        self.report = replace(
            self.report, rounds=self.report.rounds + 1, seconds=perf_counter() - started
        )

    def _due(self, cache: Calls, keys: Sequence[Key]) -> dict[bytes, Key]:
        config = cast(Any, cache)._config
        due = {}
        for key, times in zip(keys, cache._tiers.peek_times(keys), strict=True):
            if times is None:
                continue
            age, left, has_tags = times
            if left is None or has_tags:  # which the new value would not have
                continue
            left = self._left(config, age, left)
            if left is not None and left <= _AHEAD * self._every:
                due[normal_key(key)] = key
        return due

    def _left(self, config: Config, age: float, left: float) -> float | None:
        """Seconds until a value expires in both tiers that memory has for `left` more; None: never.

        One whose time in memory is shorter than memory would have it ends in Redis then, too.
        """
        rule, ttl = config.adaptive_ttl, config.memory_ttl
        given = ttl if rule is None else least_memory_ttl(rule)
        is_cut = given is not None and age + left >= given * (1.0 - config.jitter)
        if config.redis is None or not is_cut:
            return left
        return config.terms.left(self._storing.ttl, age, left)

    def _counted(self, keys: list[Key]) -> Any:
        report = self.report
        try:
            result = self._given.function(keys)
            self._given.unpack(result, keys)
        except Exception as error:
            self.report = replace(
                report,
                failed=report.failed + len(keys),
                errors=(*report.errors, error)[-_MOST_ERRORS:],
            )
            raise
        self.report = replace(report, refreshed=report.refreshed + len(keys))
        return result


def refresh_hot(
    cache: Any,
    n: int,
    every: Duration,
    factory: Callable[[list[Key]], Any],
    batch_size: int,
    jitter: float,
    ttl: Ttl,
    options: FreshnessOptions,
) -> Job[RefreshReport]:
    """As Cache.refresh_hot()."""
    number = count_argument(n, "n")
    interval = parse_duration(every, "every")
    share = share_argument(jitter, "jitter")
    size = count_argument(batch_size, "batch_size")
    refuse_async(callable_argument(factory, "factory"))
    refreshing = _Refreshing(
        batch_source(factory), storing_of(ttl, None, options), number, interval, size
    )
    if cache._config.memory == 0:
        raise ConfigError("memory=0: a cache without memory has no hottest entries")
    held_weakly = weakref.ref(cache)  # which this does not keep alive

    def run(job: Job[RefreshReport]) -> None:
        while not job._is_over(interval * (1.0 - share * random.random())):
            held = held_weakly()
            if held is None:
                return
            refreshing.round(cast(Calls, held), job._is_over)
            del held

    job = Job(run, lambda: refreshing.report)
    cache._jobs.start(job)
    return job
