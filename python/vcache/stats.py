"""What a cache says of itself and of one entry: plain frozen records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

__all__ = ["Health", "Lookup", "Stats", "TierHealth"]

Tier = Literal["memory", "redis", "source"]


@dataclass(frozen=True, slots=True)
class Lookup:
    """Answer of `Cache.lookup`: the value and where it came from.

    `value` is `vcache.MISSING` on a miss; `tier` is None then. `age` and `ttl` are seconds, `ttl`
    None for an entry without expiry. `stale`: Redis gave no answer, and the value comes from memory
    past its expiry, within the grace of the cache, or may have been changed by others since.
    """

    value: Any
    hit: bool
    tier: Tier | None
    age: float | None
    ttl: float | None
    stale: bool
    metadata: dict[str, Any]


@dataclass(frozen=True, slots=True)
class TierHealth:
    """Outcome of one probe: written, read back, and how many seconds that took."""

    ok: bool
    seconds: float
    error: str | None = None

    def __bool__(self) -> bool:
        return self.ok


@dataclass(frozen=True, slots=True)
class Health:
    """Outcome of `Cache.healthy`; true when every tier that is configured answered."""

    memory: TierHealth | None
    redis: TierHealth | None

    @property
    def ok(self) -> bool:
        return all(tier is None or tier.ok for tier in (self.memory, self.redis))

    def __bool__(self) -> bool:
        return self.ok


@dataclass(frozen=True, slots=True)
class Stats:
    """Counts since the cache was made; `hits + misses == requests` always.

    Rates are shares of all requests, so `memory_hit_rate + redis_hit_rate == hit_rate`. Sizes are
    bytes, times are seconds, `cost_saved` is in the unit that `cost=` was given in. `latency` is by
    operation and tier, `groups` by the part of a key before its first ":". `declined` counts values
    that did not enter memory, for `promotion_threshold`, `admit` or want of room. In `redis`,
    "breakers" says of each server by its address whether it is asked: "closed" if it is, "open" if
    not, "half_open" while it is probed; "breaker" is the worst of these. `model` is None as long as
    no model takes part in a decision; in it "calibration" and "brier" are how far off predict() was
    for the newest keys whose hour is over: mean |p - share read| over ten bins of p, and mean
    (p - outcome)**2, None as long as there are fewer than 100. `access_log` is None without one;
    "recorded" and "dropped" are look-ups, "errors" those of its file.
    """

    hits: int
    misses: int
    hit_rate: float
    memory_hit_rate: float
    redis_hit_rate: float
    coalesced: int
    mismatch: int
    pinned_bytes: int
    memory_hits: int
    redis_hits: int
    source_calls: int
    requests: int
    evictions: int
    expired: int
    declined: int
    errors: int
    skipped: int
    entries: int
    memory_bytes: int
    memory_limit: int
    stale_served: int
    cost_saved: float
    seconds_saved: float
    latency: dict[str, Any]
    groups: dict[str, Any]
    policy: dict[str, Any]
    model: dict[str, Any] | None
    redis: dict[str, Any] | None
    access_log: dict[str, int] | None

    @classmethod
    def from_counters(cls, counters: Mapping[str, Any]) -> Stats:
        """Stats of the core's raw numbers; totals and rates are worked out here."""
        memory_hits, redis_hits = counters["memory_hits"], counters["redis_hits"]
        hits, misses = memory_hits + redis_hits, counters["misses"]
        requests = hits + misses
        derived = {
            "hits": hits,
            "requests": requests,
            "hit_rate": _share(hits, requests),
            "memory_hit_rate": _share(memory_hits, requests),
            "redis_hit_rate": _share(redis_hits, requests),
        }
        learning = counters.get("learning")
        if learning is not None:
            derived |= {
                "policy": counters["policy"] | {name: learning[name] for name in _OF_POLICY},
                "model": {name: learning[name] for name in _OF_MODEL},
            }
        given = {
            field.name: counters.get(field.name, _ABSENT.get(field.name)) for field in fields(cls)
        }
        return cls(**(given | derived))

    def as_dict(self) -> dict[str, Any]:
        """The same as a dict, with rates as text such as "80.00%"."""
        numbers = asdict(self)
        for name in ("hit_rate", "memory_hit_rate", "redis_hit_rate"):
            numbers[name] = f"{numbers[name]:.2%}"
        return numbers


_OF_POLICY = ("leader", "led_shards", "experts", "switches", "failures")
_OF_MODEL = (
    *("version", "age", "accuracy", "loss", "calibration", "brier"),
    *("fits", "published", "refused", "failed", "problem"),
)

# What only some caches have.
_ABSENT: dict[str, Any] = {"model": None, "redis": None}


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
