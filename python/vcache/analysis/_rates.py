"""Hit rates and latencies."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .._messages import shown
from ..durations import Duration
from ..stats import Stats
from ._accesses import LogLike, accesses
from ._cells import By, Cells, check_by, table

__all__ = ["hit_rates", "latencies"]

Counts = npt.NDArray[np.int64]


def hit_rates(
    log: LogLike | Stats, *, by: By = None, window: Duration | None = None
) -> npt.NDArray[Any]:
    """How many look-ups each tier answered.

    log: as for accesses(), or Stats, which tell of no time.
    by: "group": a row for each key group; None: for all.
    window: a row for each stretch of so many seconds (also a timedelta, or text such as "5m") in
        which something was looked up; the stretches begin at multiples of it since the epoch.

    Of shape (m,), with the fields time (f8, seconds since the epoch, start of the stretch) with a
    window; group with by="group"; requests, hits, memory_hits, redis_hits (i8); hit_rate,
    memory_hit_rate, redis_hit_rate (f8): shares of the requests, 0 to 1, of which the last two sum
    to the first; NaN without requests. In the order of time, and then the busiest group first.
    """
    if isinstance(log, Stats):
        return _of_stats(log, by, window)
    found = accesses(log)
    cells = Cells(found, by, window)
    memory = cells.count(found["tier"] == "memory")
    redis = cells.count(found["tier"] == "redis")
    return _rates(cells.labels, cells.count(), memory, redis)


def _of_stats(stats: Stats, by: By, window: object) -> npt.NDArray[Any]:
    check_by(by)
    if window is not None:
        raise ValueError(f"window={shown(window)}: Stats tell of no time; allowed is None")
    rows: dict[str, dict[str, int]] = stats.groups
    if by is None:
        one = {"memory_hits": stats.memory_hits, "redis_hits": stats.redis_hits}
        rows = {"": one | {"misses": stats.misses}}
    memory, redis, misses = (
        np.array([row[name] for row in rows.values()], np.int64)
        for name in ("memory_hits", "redis_hits", "misses")
    )
    requests = memory + redis + misses
    order = np.argsort(-requests, kind="stable")
    labels = {} if by is None else {"group": np.array(list(rows), "U")[order]}
    return _rates(labels, requests[order], memory[order], redis[order])


def _rates(
    labels: dict[str, npt.NDArray[Any]], requests: Counts, memory: Counts, redis: Counts
) -> npt.NDArray[Any]:
    hits = memory + redis
    whole = np.where(requests > 0, requests, np.nan)
    return table(
        **labels,
        requests=requests,
        hits=hits,
        memory_hits=memory,
        redis_hits=redis,
        hit_rate=hits / whole,
        memory_hit_rate=memory / whole,
        redis_hit_rate=redis / whole,
    )


def latencies(stats: Stats) -> npt.NDArray[Any]:
    """How long calls took, by operation and the tier that answered.

    Of shape (m,), with the fields operation and tier (text), count (i8), and p50, p95, p99 (f8,
    seconds): half, 95 and 99 in 100 of the calls took no longer. Empty for a cache with
    metrics=False, whose Stats have none.
    """
    _check(stats)
    rows = [
        (operation, tier, *(of[name] for name in ("count", "p50", "p95", "p99")))
        for operation, tiers in stats.latency.items()
        for tier, of in tiers.items()
    ]
    widths = (max((len(row[place]) for row in rows), default=1) for place in (0, 1))
    text = [(name, f"U{width}") for name, width in zip(("operation", "tier"), widths, strict=True)]
    return np.array(
        rows, [*text, ("count", "i8"), *((name, "f8") for name in ("p50", "p95", "p99"))]
    )


def _check(stats: object) -> None:
    if not isinstance(stats, Stats):
        kind = type(stats).__name__
        raise TypeError(f"stats={shown(stats)} is of type {kind}: allowed are Stats")
