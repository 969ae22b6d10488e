"""Having in memory what is likely to be read next."""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from time import monotonic, thread_time
from typing import Any, cast

from ._ahead import Batch, batches, check_key, count_argument, fill, share_argument
from ._arguments import Key, Ttl, callable_argument
from ._callers import refuse_async, run_blocking
from ._calls import BLOCKING, Calls, storing_of
from ._filling import Storing
from ._freshness import FreshnessOptions
from ._jobs import Job
from ._locks import ForkLock
from ._messages import shown
from ._source import Source, batch_source
from ._transitions import Transitions
from .errors import ConfigError

__all__ = ["PrefetchReport", "Related", "prefetch"]

_EVERY = 0.02  # seconds between looks at what was read, at least
_PAUSE = 50.0  # times what the last look took of the processor
_MOST_READS = 512  # of each look that are learned from: the newest
_MOST_WAITED = 16_384  # keys of which it is not known yet whether they are used
_UNUSED_AFTER = 300.0  # seconds
_MOST_ERRORS = 16
_JUDGED = 200  # prefetched keys after which little use ends the learned ones for a while
_LEAST_USE = 0.1
_REST = 60.0  # seconds; also of a key that could not be had

_UNDER_WAY = "prefetch() is under way already: cancel that one first"
_lock = ForkLock()

Related = Callable[[Key], Iterable[Key]]


@dataclass(frozen=True)
class PrefetchReport:
    """What prefetching came to so far, in keys."""

    reads: int = 0
    """That it was told of."""
    asked: int = 0
    """Keys that it foresaw and memory lacked."""
    prefetched: int = 0
    """Of them, in memory since: from Redis or from the factory."""
    used: int = 0
    """Of those, read later."""
    wasted: int = 0
    """Of those, gone unread, not read within 5 minutes, or forgotten behind 16,384 others."""
    absent: int = 0
    """In neither tier, without a factory."""
    failed: int = 0
    learned: int = 0
    """Keys whose successors are known."""
    resting: bool = False
    """Whether learned successors are left out, since less than a tenth of them were used."""
    errors: tuple[Exception, ...] = ()
    """Of `related` and of the factory; the newest, up to 16."""

    @property
    def usefulness(self) -> float | None:
        """The share of what was prefetched that was read, of that which is decided; None: none."""
        decided = self.used + self.wasted
        return self.used / decided if decided else None


class _Prefetching:
    """What was read, what is foreseen from it, and what came of that. Of one thread."""

    def __init__(
        self,
        related: Related | None,
        transitions: Transitions | None,
        least: float,
        source: Source | None,
        storing: Storing,
        size: int,
    ) -> None:
        self._related = related
        self._transitions = transitions
        self._least = least
        self._source = source
        self._storing = storing
        self._size = size
        self._waited: OrderedDict[Key, float] = OrderedDict()  # prefetched, and when
        self._vain: OrderedDict[Key, float] = OrderedDict()  # could not be had, and when
        self._judged_from = (0, 0)
        self._rests_until = 0.0
        self.report = PrefetchReport()

    def look(self, cache: Calls, is_over: Callable[[], bool]) -> None:
        """Learns from what was read since the last look, and prefetches what follows."""
        reads = cache._tiers.take_reads()
        self._age()
        if not reads:
            return
        self._use(reads)
        reads = reads[-_MOST_READS:]
        foreseen = self._foreseen(reads)
        if self._transitions is not None:
            self._transitions.read(reads)
            self._note(learned=len(self._transitions))
        lacking = self._lacking(cache, foreseen)
        for keys in batches(lacking, self._size):
            if is_over():
                return
            batch = run_blocking(fill(cache, BLOCKING, keys, self._source, self._storing))
            self._count(cache, keys, batch)
        self._judge()

    def _use(self, reads: Sequence[Key]) -> None:
        used = 0
        for key in set(reads):
            used += self._waited.pop(key, None) is not None
        self._note(reads=self.report.reads + len(reads), used=self.report.used + used)

    def _foreseen(self, reads: Sequence[Key]) -> list[Key]:
        """Distinct keys that may be read next, those of the newest read first."""
        found: dict[Key, None] = {}
        related = self._related
        transitions = None if self.report.resting else self._transitions
        for key in dict.fromkeys(reversed(reads)):
            if related is not None:
                found.update(dict.fromkeys(self._ask(related, key)))
            if transitions is not None:
                found.update(dict.fromkeys(transitions.after(key, self._least)))
        return list(found)

    def _ask(self, related: Related, key: Key) -> list[Key]:
        try:
            keys = related(key)
            if isinstance(keys, (str, bytes)) or not isinstance(keys, Iterable):
                raise TypeError(
                    f"related returned {shown(keys)}: allowed is an iterable of str or bytes"
                )
            return [each for each in keys if self._is_key(each)]
        except Exception as error:
            self._fail(0, error)
            return []

    def _is_key(self, key: object) -> bool:
        try:
            check_key(key)
        except (TypeError, ValueError) as error:
            self._fail(1, error)
            return False
        return True

    def _lacking(self, cache: Calls, keys: list[Key]) -> list[Key]:
        lacking = []
        for some in batches(keys, self._size):
            times = cache._tiers.peek_times(some)
            lacking += [key for key, each in zip(some, times, strict=True) if each is None]
        lacking = [key for key in lacking if key not in self._vain]
        lost = sum(self._waited.pop(key, None) is not None for key in lacking)  # unread
        self._note(asked=self.report.asked + len(lacking), wasted=self.report.wasted + lost)
        return lacking

    def _count(self, cache: Calls, keys: list[Key], batch: Batch) -> None:
        if batch.error is not None:
            self._fail(len(batch.failed), batch.error)
        now = monotonic()
        held = cache._tiers.peek_times(keys)
        came = [key for key, each in zip(keys, held, strict=True) if each is not None]
        self._waited.update(dict.fromkeys(came, now))
        self._vain.update((key, now) for key, each in zip(keys, held, strict=True) if each is None)
        self._note(
            prefetched=self.report.prefetched + len(came),
            absent=self.report.absent + batch.absent,
        )

    def _age(self) -> None:
        now = monotonic()
        while self._vain:
            key, since = next(iter(self._vain.items()))
            if since > now - _REST and len(self._vain) <= _MOST_WAITED:
                break
            del self._vain[key]
        before = now - _UNUSED_AFTER
        wasted = 0
        while self._waited:
            key, since = next(iter(self._waited.items()))
            if since > before and len(self._waited) <= _MOST_WAITED:
                break
            del self._waited[key]
            wasted += 1
        if wasted:
            self._note(wasted=self.report.wasted + wasted)

    def _judge(self) -> None:
        """Leaves learned successors out for a while where hardly any was read."""
        now = monotonic()
        if self.report.resting and now >= self._rests_until:
            self._judged_from = self.report.prefetched, self.report.used
            self._note(resting=False)
        prefetched, used = self.report.prefetched, self.report.used
        since = prefetched - self._judged_from[0]
        if self._transitions is None or self.report.resting or since < _JUDGED:
            return
        if used - self._judged_from[1] < _LEAST_USE * since:
            self._rests_until = now + _REST
            self._note(resting=True)
        self._judged_from = prefetched, used

    def _fail(self, count: int, error: Exception) -> None:
        errors = (*self.report.errors, error)[-_MOST_ERRORS:]
        self._note(failed=self.report.failed + count, errors=errors)

    def _note(self, **changes: Any) -> None:
        self.report = replace(self.report, **changes)


def prefetch(
    cache: Any,
    related: Related | None,
    factory: Callable[[list[Key]], Any] | None,
    learn: bool,
    confidence: float,
    most_keys: int,
    batch_size: int,
    ttl: Ttl,
    options: FreshnessOptions,
) -> Job[PrefetchReport]:
    """As Cache.prefetch()."""
    source = None if factory is None else batch_source(factory)
    if factory is not None:
        refuse_async(factory)
    if not isinstance(learn, bool):
        raise TypeError(f"learn={shown(learn)}: allowed are True and False")
    if related is None and not learn:
        raise ValueError("related=None: allowed with learn=False is a callable")
    prefetching = _Prefetching(
        None if related is None else callable_argument(related, "related"),
        Transitions(count_argument(most_keys, "most_keys", 1 << 20)) if learn else None,
        share_argument(confidence, "confidence"),
        source,
        storing_of(ttl, None, options),
        count_argument(batch_size, "batch_size"),
    )
    _allow(cache, source)
    return _start(cache, prefetching)


def _allow(cache: Any, source: Source | None) -> None:
    if cache._config.memory == 0:
        raise ConfigError("memory=0: a cache without memory has nowhere to prefetch to")
    if source is None and not cache._has_redis:
        raise ValueError("factory=None: allowed in a cache without Redis is a callable")
    running: Job[PrefetchReport] | None = cache.__dict__.get("_prefetching")
    if running is not None and not running.done:
        if not running.cancelled:
            raise RuntimeError(_UNDER_WAY)
        with suppress(Exception):  # which whoever has its handle is told
            running.wait(60.0)


def _start(cache: Any, prefetching: _Prefetching) -> Job[PrefetchReport]:
    held_weakly = weakref.ref(cache)  # which this does not keep alive
    tiers = cache._tiers

    def run(job: Job[PrefetchReport]) -> None:
        pause = _EVERY
        try:
            while not job._is_over(pause):
                held = held_weakly()
                if held is None:
                    return
                started = thread_time()
                prefetching.look(cast(Calls, held), job._is_over)
                pause = max(_EVERY, _PAUSE * (thread_time() - started))
                del held
        finally:
            tiers.watch_reads(False)

    job = Job(run, lambda: prefetching.report)
    with _lock:
        running = cache.__dict__.get("_prefetching")
        if running is not None and not running.done:
            raise RuntimeError(_UNDER_WAY)
        tiers.watch_reads(True)
        try:
            cache._jobs.start(job)
        except BaseException:
            tiers.watch_reads(False)
            raise
        cache.__dict__["_prefetching"] = job
    return job
