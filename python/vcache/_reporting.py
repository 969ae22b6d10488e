"""What a cache tells without being asked: lines of the log, and that it is there."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any

from ._locks import ForkLock
from ._messages import shown
from ._ticker import Recurring, Ticker, ticker
from ._twins import Twins
from .durations import Duration, parse_duration
from .errors import ConfigError
from .logs import tell
from .stats import Stats

if TYPE_CHECKING:
    from ._announcing import Announcement
    from ._config import Config

__all__ = ["LEAST_INTERVAL", "Reporting", "figures_of", "parse_metrics_interval"]

LEAST_INTERVAL = 0.1  # seconds
_ALLOWED = 'allowed is None, for never, or at least 100 ms, such as 60, "15s", "5m"'
_NOW: Any = object()

_log = logging.getLogger("vcache.stats")
_lock = ForkLock()  # of which reports caches have


class Reporting(Twins):
    """Calls of a cache that have to do with its periodic reports."""

    _config: Config
    _report: Report | None = None
    _announcement: Announcement | None = None

    def log_stats(self, *, every: Duration | None = _NOW) -> None:
        """Logs a line of figures now, or with `every` so often from now on; None: no more.

        To the logger "vcache.stats" at level INFO, as the event "stats" of vcache.logs.EVENTS.
        One thread of the process logs for all its caches; close() ends it for this one, and a
        forked child goes on with its own figures. Raises ConfigError below 100 ms.
        """
        if every is _NOW:
            (self._report or Report(self.stats, self._config.namespace)).log(self.stats())
            return
        seconds = parse_metrics_interval(every, "every")
        report: Report | None = None
        if seconds is not None:
            report = Report(self.stats, self._config.namespace)
            report.start(seconds)
        self._replace_report(report)

    def close(self) -> None:
        """Closes the connections, frees the memory tier and writes the access log to its end.

        Values handed out stay valid.
        """
        self._replace_report(None)
        with _lock:
            announcement, self._announcement = self._announcement, None
        if announcement is not None:
            announcement.stop()
        super().close()

    def _start_reports(self, config: Config) -> None:
        if config.metrics_interval is not None:
            self.log_stats(every=config.metrics_interval)
        if config.announce:
            from ._announcing import announce

            self._announcement = announce(self, config)

    def _replace_report(self, report: Report | None) -> None:
        with _lock:
            before, self._report = self._report, report
        if before is not None:
            before.stop()


class Report:
    """The lines of one cache, which it does not keep alive."""

    def __init__(
        self,
        stats: Callable[[], Stats],
        namespace: str,
        ticker: Ticker = ticker,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._stats = weakref.WeakMethod(stats)
        self._namespace = namespace
        self._ticker = ticker
        self._clock = clock
        self._recurring: Recurring | None = None
        self._last: tuple[float, int, int] = (clock(), 0, 0)  # then, requests, hits

    def start(self, every: float) -> None:
        now = self._stats()
        if now is not None:
            self._remember(now())
        self._recurring = self._ticker.add(self._tick, every)

    def stop(self) -> None:
        if self._recurring is not None:
            self._ticker.remove(self._recurring)

    def log(self, stats: Stats) -> None:
        then, requests, hits = self._last
        self._remember(stats)
        recent = stats.requests - requests
        fields = figures_of(stats) | {
            "namespace": self._namespace,
            "seconds": round(self._last[0] - then, 3),
            "recent_requests": recent,
            "recent_hit_rate": round((stats.hits - hits) / recent, 4) if recent > 0 else None,
        }
        tell(
            *(_log, logging.INFO, "stats"),
            "{namespace}: {requests} requests, hit rate {hit_rate:.2%} (memory"
            " {memory_hit_rate:.2%}, redis {redis_hit_rate:.2%}), {entries} entries in"
            " {memory_bytes} bytes, {evictions} evictions, {errors} errors",
            **fields,
        )

    def _remember(self, stats: Stats) -> None:
        self._last = (self._clock(), stats.requests, stats.hits)

    def _tick(self) -> None:
        stats = self._stats()
        if stats is None:  # the cache is gone
            self.stop()
            return
        try:
            self.log(stats())
        except Exception as error:  # whatever a handler of the application raises
            tell(
                *(_log, logging.WARNING, "report_failed"),
                "a line of figures could not be written: {error}",
                of="stats",
                error=type(error).__name__,
            )


def figures_of(stats: Stats) -> dict[str, Any]:
    """The figures of the event "stats", None for what is not known."""
    names = (
        *("requests", "hits", "misses", "hit_rate", "memory_hit_rate", "redis_hit_rate"),
        *("entries", "memory_bytes", "memory_limit", "evictions", "expired", "errors"),
        *("skipped", "stale_served", "coalesced", "seconds_saved", "cost_saved"),
    )
    figures = {name: getattr(stats, name) for name in names}
    figures = {n: round(v, 6) if isinstance(v, float) else v for n, v in figures.items()}
    gets = stats.latency.get("get", {})
    for tier in ("memory", "redis"):
        for share in ("p50", "p99"):
            figures[f"{tier}_{share}"] = gets.get(tier, {}).get(share)
    redis, model = stats.redis or {}, stats.model or {}
    return figures | {
        "policy": stats.policy.get("active"),
        "leader": stats.policy.get("leader"),
        "model": model.get("version"),
        "breaker": redis.get("breaker"),
        "coherence": redis.get("coherence"),
    }


def parse_metrics_interval(value: object, name: str) -> float | None:
    """Seconds between reports, None for never."""
    if value is None:
        return None
    seconds = parse_duration(value, name, allowed=_ALLOWED)
    if seconds < LEAST_INTERVAL:
        raise ConfigError(f"{name}={shown(value)}: {_ALLOWED}")
    return seconds
