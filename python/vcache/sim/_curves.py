"""Miss ratios over sizes, from a sample of the objects, and the size that they recommend."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from .._messages import shown
from .._weights import ModelLike
from ._replay import Capacity, Objective, Result, Unit, capacity_of, check_policy, check_unit, run
from ._trace import Trace, TraceLike, trace_of

__all__ = ["Curve", "Recommendation", "miss_ratio_curve", "recommend_size"]

_POINTS = 16
_LEAST_SHARE = 1e-3
_GROUPS = 4
_QUANTILE = 3.182  # of Student's t: 95 % for _GROUPS - 1 degrees of freedom
_OBJECTS = 32_768  # that a sample has unless a rate is given
_LEAST_CAPACITY = 64  # entries of a scaled-down cache


@dataclass(frozen=True)
class Curve:
    """Miss ratios of one policy over sizes.

    sizes: capacities in `unit`, ascending, int64 of shape (k,).
    miss_ratios: float64 of shape (k,).
    errors: half the width of the interval in which a replay of all requests is 95 times in 100;
        float64 of shape (k,), 0 where that was done.
    rate: share of the objects in the sample.
    requests: of the trace; seconds: that the replays took.
    """

    policy: str
    unit: Unit
    sizes: npt.NDArray[np.int64]
    miss_ratios: npt.NDArray[np.float64]
    errors: npt.NDArray[np.float64]
    rate: float
    requests: int
    seconds: float


@dataclass(frozen=True)
class Recommendation:
    """The smallest size that is nearly as good as any: its miss ratio, and that of the best."""

    size: int
    unit: Unit
    miss_ratio: float
    best_miss_ratio: float
    curve: Curve


def miss_ratio_curve(
    trace: TraceLike,
    policy: str = "lru",
    *,
    sizes: Sequence[Capacity] | None = None,
    unit: Unit = "entries",
    rate: float | None = None,
    seed: int = 0,
    model: ModelLike | None = None,
    objective: Objective = "misses",
    learns: bool = True,
) -> Curve:
    """The miss ratio of `policy` at each of `sizes`, from a sample of the objects.

    trace, policy, unit, seed, model, objective, learns: as for replay().
    sizes: capacities as for replay(); None: 16 from 0.1 % of the trace to all of it, each by the
        same factor larger than the one before.
    rate: share of the objects in the sample, above 0 and at most 1: every request for an object is
        in it, or none, and caches are smaller by that factor. None: as much as gives 32,768
        objects. 1: no sample, exact.

    The error comes from four quarters of the sample, each replayed alone. Caches that would be
    smaller than 64 entries in the sample get a larger one.
    Waldspurger, Park, Garthwaite, Ahmad, "Efficient MRC Construction with SHARDS", FAST 2015, with
    its correction for samples of more or fewer requests than expected.
    """
    given = trace_of(trace)
    check_policy(policy)
    check_unit(unit, given)
    share = _rate_of(rate, given)
    capacities = np.unique(_capacities(sizes, given, unit)).astype(np.int64)
    replay = partial(run, policy=policy, unit=unit, model=model, objective=objective, learns=learns)
    start = time.perf_counter()
    sampler = _Sampler(given, seed)
    points = [_estimate(sampler, replay, int(size), unit, share) for size in capacities]
    ratios, errors = np.array(points).T
    taken = time.perf_counter() - start
    return Curve(policy, unit, capacities, ratios, errors, share, given.requests, taken)


def recommend_size(
    trace: TraceLike,
    policy: str = "lru",
    *,
    within: float = 0.05,
    sizes: Sequence[Capacity] | None = None,
    unit: Unit = "entries",
    rate: float | None = None,
    seed: int = 0,
    model: ModelLike | None = None,
    objective: Objective = "misses",
    learns: bool = True,
) -> Recommendation:
    """The smallest of `sizes` whose miss ratio is at most (1 + within) times the lowest of all.

    within: from 0 on; 0.05: up to 5 % more misses than the best of the sizes has. The others are
    those of miss_ratio_curve(), whose curve is the recommendation's.
    """
    if isinstance(within, bool) or not isinstance(within, (int, float)) or not 0 <= within < 1e9:
        raise ValueError(f"within={shown(within)}: allowed are numbers from 0 on, 0.05 for 5 %")
    curve = miss_ratio_curve(
        trace,
        policy,
        sizes=sizes,
        unit=unit,
        rate=rate,
        seed=seed,
        model=model,
        objective=objective,
        learns=learns,
    )
    best = float(curve.miss_ratios.min())
    first = int(np.argmax(curve.miss_ratios <= best * (1 + within)))
    return Recommendation(
        int(curve.sizes[first]), unit, float(curve.miss_ratios[first]), best, curve
    )


class _Sampler:
    """Chooses objects by a hash that the replay does not use, and keeps the latest choice."""

    def __init__(self, trace: Trace, seed: int) -> None:
        self.trace = trace
        mixed = trace.ids ^ np.uint64((seed * 0x9E3779B97F4A7C15) % 2**64)
        mixed = (mixed ^ (mixed >> np.uint64(32))) * np.uint64(0xD6E8FEB86659FD93)
        mixed = (mixed ^ (mixed >> np.uint64(32))) * np.uint64(0xD6E8FEB86659FD93)
        self._place = (mixed >> np.uint64(40)).astype(np.float64) / 2**24  # in 0 to 1
        self._rate, self._parts = 0.0, list[Trace | None]()

    def parts(self, rate: float) -> list[Trace | None]:
        """All objects below `rate`, and then each of its four quarters; None where that is none."""
        if rate != self._rate:
            edges = np.linspace(0, rate, _GROUPS + 1)
            bounds = [(0.0, rate), *pairwise(edges)]
            self._parts = [self._between(*each) for each in bounds]
            self._rate = rate
        return self._parts

    def _between(self, low: float, high: float) -> Trace | None:
        chosen = (self._place >= low) & (self._place < high)
        return self.trace.only(chosen) if chosen.any() else None


def _estimate(
    sampler: _Sampler, replay: Callable[..., Result], size: int, unit: Unit, rate: float
) -> tuple[float, float]:
    """Miss ratio and error at one size."""
    trace = sampler.trace
    mean = 1.0 if unit == "entries" else max(trace.footprint / trace.objects, 1.0)
    rate = max(rate, _LEAST_CAPACITY * mean / size)
    if rate >= 1:
        return replay(trace, capacity=size).miss_ratio, 0.0
    whole, *quarters = sampler.parts(rate)
    ratio = _scaled(whole, trace, replay, size, rate)
    each = [_scaled(part, trace, replay, size, rate / _GROUPS) for part in quarters]
    error = _QUANTILE * float(np.std(each, ddof=1)) / np.sqrt(_GROUPS)
    return ratio, float(error)


def _scaled(
    part: Trace | None, trace: Trace, replay: Callable[..., Result], size: int, rate: float
) -> float:
    """Misses of a sample among the requests that one of its rate is expected to have."""
    if part is None:
        return 0.0
    result = replay(part, capacity=max(round(size * rate), 1))
    return min((result.requests - result.hits) / (trace.requests * rate), 1.0)


def _rate_of(rate: float | None, trace: Trace) -> float:
    if rate is None:
        return min(1.0, _OBJECTS / trace.objects)
    if isinstance(rate, bool) or not isinstance(rate, (int, float)) or not 0 < rate <= 1:
        raise ValueError(f"rate={shown(rate)}: allowed are numbers above 0 and up to 1, and None")
    return float(rate)


def _capacities(sizes: Sequence[Capacity] | None, trace: Trace, unit: Unit) -> list[int]:
    if sizes is None:
        whole = trace.footprint if unit == "bytes" else trace.objects
        return [max(int(whole * share), 1) for share in np.geomspace(_LEAST_SHARE, 1, _POINTS)]
    if isinstance(sizes, str) or not len(sizes):
        raise ValueError(f"sizes={shown(sizes)}: allowed is a sequence of at least one capacity")
    return [capacity_of(size, trace, unit, f"sizes[{place}]") for place, size in enumerate(sizes)]
