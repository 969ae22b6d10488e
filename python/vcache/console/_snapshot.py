"""Live caches at a moment, and what changed since the one before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ._live import Found, Live, total_of
from ._server import ServerFigures

__all__ = ["Pace", "Snapshot", "next_snapshot"]

_COUNTED = ("requests", "hits", "memory_hits", "redis_hits", "evictions", "errors")


@dataclass(frozen=True)
class Pace:
    """What a cache did between two of its records, `seconds` apart."""

    seconds: float
    counts: dict[str, int]

    def per_second(self, name: str) -> float:
        return self.counts[name] / self.seconds


@dataclass(frozen=True)
class Snapshot:
    """Caches with the pace of those that told their figures twice, and servers."""

    time: float
    caches: list[Live]
    servers: list[ServerFigures]
    failures: dict[str, str]
    paces: dict[str, Pace] = field(default_factory=dict)

    @property
    def pace(self) -> Pace | None:
        """Of all caches together: per second, so that its `seconds` are 1."""
        if not self.paces:
            return None
        sums = {
            name: sum(pace.per_second(name) for pace in self.paces.values()) for name in _COUNTED
        }
        return Pace(1.0, sums)  # type: ignore[arg-type]

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        from .stats import cache_json

        return {
            "time": self.time,
            "total": total_of(self.caches),
            "per_second": None if (pace := self.pace) is None else pace.counts,
            "caches": [cache_json(live) for live in self.caches],
            "redis": [asdict(server) for server in self.servers],
            "failures": self.failures,
        }

    def latencies(self) -> list[tuple[str, str, dict[str, float]]]:
        """Operation, tier and the worst percentiles of all caches; the most frequent first."""
        worst: dict[tuple[str, str], dict[str, float]] = {}
        often: Counter[tuple[str, str]] = Counter()
        for live in self.caches:
            for operation, tiers in live.record.stats.latency.items():
                for tier, told in tiers.items():
                    kind = (operation, tier)
                    often[kind] += int(told.get("count", 0))
                    seen = worst.setdefault(kind, {})
                    for name in ("p50", "p95", "p99"):
                        if name in told:
                            seen[name] = max(told[name], seen.get(name, 0.0))
        return [(*kind, worst[kind]) for kind, _ in often.most_common()]


def next_snapshot(
    before: Snapshot | None, found: Found, servers: Sequence[ServerFigures], now: float
) -> Snapshot:
    """Of what was found now; a cache that told nothing new keeps its pace."""
    earlier = {} if before is None else {live.id: live for live in before.caches}
    paces = {}
    for live in found.caches:
        pace = _pace(earlier.get(live.id), live)
        if pace is None and before is not None:
            pace = before.paces.get(live.id)
        if pace is not None:
            paces[live.id] = pace
    return Snapshot(now, found.caches, list(servers), found.failures, paces)


def _pace(before: Live | None, now: Live) -> Pace | None:
    if before is None:
        return None
    seconds = now.record.written - before.record.written
    if seconds <= 0:
        return None
    counts = {
        name: max(0, getattr(now.record.stats, name) - getattr(before.record.stats, name))
        for name in _COUNTED
    }
    return Pace(seconds, counts)
