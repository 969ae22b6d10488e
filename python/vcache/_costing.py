"""What a cache and its functions saved: reports over their counts."""

from __future__ import annotations

from collections.abc import Mapping
from time import monotonic
from typing import TYPE_CHECKING, Any

from ._locks import ForkLock

if TYPE_CHECKING:
    from .costs import Bill, CacheCosts, CostReport
    from .prices import Price
    from .stats import Stats

__all__ = ["CostCalls", "Runs"]

_READS = ("get", "mget", "lookup", "get_vectors")


class Runs:
    """What the calls of one cached function computed. Thread-safe."""

    def __init__(self) -> None:
        self._lock = ForkLock()
        self.restart()

    def restart(self) -> None:
        with self._lock:
            self.computed, self.calls, self.seconds = 0, 0, 0.0
            self.started = monotonic()

    def note(self, count: int, seconds: float) -> None:
        """One call of the function, for so many values."""
        with self._lock:
            self.computed += count
            self.calls += 1
            self.seconds += seconds

    def report(self, hits: int, misses: int, price: object, stats: Stats) -> CostReport:
        """Each request counts as one call of the function, and as one embedding."""
        from .costs import CostReport

        with self._lock:
            computed, calls, seconds = self.computed, self.calls, self.seconds
            passed = monotonic() - self.started
        paid, saved = _price(price, "price"), hits + misses - computed
        each = seconds / computed if computed else None
        return CostReport(
            hits=hits,
            misses=misses,
            computed=computed,
            seconds_saved=saved * each if each is not None else (None if saved else 0.0),
            seconds=passed,
            calls=calls,
            memory_bytes=stats.memory_bytes + stats.pinned_bytes,
            bill=_bill(paid, hits + misses, computed, each),
        )


class CostCalls:
    """Calls of a cache that have to do with costs."""

    _made_at: float

    def cost_report(self, prices: Mapping[str, Any] | None = None) -> CacheCosts:
        """What the cache saved since it was made, by group of keys.

        prices: by group, what a value costs to compute: a number for each, a vcache.prices.Price,
            or what else a PriceTable takes. A group that is not named has no known price, as one
            that goes by tokens or seconds, which are not counted by group.
        """
        from .costs import CacheCosts
        from .prices import PriceTable

        table = prices if isinstance(prices, PriceTable) else PriceTable(prices)
        stats: Stats = self.stats()  # type: ignore[attr-defined]
        passed = monotonic() - self._made_at
        groups = {
            name: _of_group(counts, table.get(name), passed)
            for name, counts in sorted(stats.groups.items())
        }
        return CacheCosts(_total(stats, groups, passed), groups, stats.cost_saved or None)


def _of_group(counts: Mapping[str, int], price: Price | None, passed: float) -> CostReport:
    from .costs import CostReport

    hits, misses = counts["memory_hits"] + counts["redis_hits"], counts["misses"]
    return CostReport(
        hits=hits,
        misses=misses,
        computed=misses,
        seconds_saved=None,
        seconds=passed,
        calls=misses,
        bill=_bill(price, hits + misses, misses, None),
    )


def _total(stats: Stats, groups: Mapping[str, CostReport], passed: float) -> CostReport:
    from .costs import Bill, CostReport

    sum_ = CostReport.together(groups.values()) if groups else None
    return CostReport(
        hits=stats.hits,
        misses=stats.misses,
        computed=stats.misses,
        seconds_saved=stats.seconds_saved,
        seconds=passed,
        calls=stats.source_calls,
        lookup_seconds=_lookup_seconds(stats),
        memory_bytes=stats.memory_bytes + stats.pinned_bytes,
        bill=Bill(None, None) if sum_ is None else sum_.bill,
    )


def _lookup_seconds(stats: Stats) -> float | None:
    """What look-ups took, by the medians of Stats.latency; None where these are not kept.

    A hit of memory is one there, anything else one of Redis where there is one.
    """
    far = "memory" if stats.redis is None else "redis"
    parts = ((stats.memory_hits, "memory"), (stats.requests - stats.memory_hits, far))
    sum_ = 0.0
    for count, tier in parts:
        each = _median(stats, tier)
        if count and each is None:
            return None
        sum_ += count * (each or 0.0)
    return sum_


def _median(stats: Stats, tier: str) -> float | None:
    """Of a look-up of one key in a tier: that of single reads if there were any."""
    for operation in _READS:
        found = stats.latency.get(operation, {}).get(tier)
        if found is not None and found["count"]:
            return float(found["p50"])
    return None


def _bill(price: Price | None, requests: int, computed: int, each: float | None) -> Bill:
    from .costs import Bill

    if price is None:
        return Bill(None, None, requests)
    # Nothing was measured where nothing was computed, and nothing is needed for nothing.
    times = (
        each * requests if each is not None else (None if requests else 0.0),
        each * computed if each is not None else (None if computed else 0.0),
    )
    total = price.of(calls=requests, embeddings=requests, seconds=times[0])
    spent = price.of(calls=computed, embeddings=computed, seconds=times[1])
    if total is None or spent is None:
        return Bill(None, None, requests)
    return Bill(total, spent)


def _price(given: object, name: str) -> Price | None:
    from .prices import price_argument

    return None if given is None else price_argument(given, name)
