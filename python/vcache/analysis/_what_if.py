"""What other policies and sizes would have done with the look-ups of a log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .._messages import shown
from ..sim import Recommendation, Result, Trace, replay
from ..sim import recommend_size as recommended
from ..sim._lines import UNKNOWN, known_costs, known_sizes
from ..sim._replay import Capacity, Unit, capacity_of, check_policy
from ._accesses import LogLike, accesses

__all__ = ["recommend_size", "trace", "what_if"]

_COLUMNS = (
    *(("capacity", "i8"), ("requests", "i8"), ("hits", "i8"), ("evictions", "i8")),
    *(("miss_ratio", "f8"), ("byte_miss_ratio", "f8")),
    *(("cost_requested", "f8"), ("cost_saved", "f8")),
)


def trace(log: LogLike) -> Trace:
    """The look-ups as vcache.sim and vcache.ml take them.

    log: as for accesses(). The size and cost of a miss, which its line does not say, are as for
    vcache.sim.read_trace(); sizes are None where no line has one. Raises ValueError for a log
    without look-ups.
    """
    found = accesses(log)
    size, cost = found["size"].astype(np.int64), found["cost"].astype(np.float64)
    is_unknown = size == 0
    sizes = known_sizes(found["key"], np.where(is_unknown, UNKNOWN, size)) if len(found) else None
    costs = known_costs(found["key"], np.where(is_unknown & (cost == 0), UNKNOWN, cost))
    return Trace(
        np.ascontiguousarray(found["key"]),
        None if sizes is None else sizes.astype(np.uint32),
        np.ascontiguousarray(found["time"]),
        None if costs is None else costs.astype(np.float32),
        name="log",
    )


def what_if(
    log: LogLike | Trace,
    policies: Sequence[str] = ("lru", "s3fifo", "wtinylfu", "belady"),
    sizes: Sequence[Capacity] = ("1%", "3%", "10%", "30%"),
    *,
    unit: Unit = "bytes",
    seed: int = 0,
    learns: bool = True,
) -> npt.NDArray[Any]:
    """Replays a log with each of `policies` at each of `sizes`.

    log: as for accesses(), or a Trace.
    policies: of vcache.sim.POLICIES. "belady" knows the future: what is left to gain.
    sizes: capacities as for vcache.sim.replay(): bytes, "512MiB", or shares of the trace.
    unit: "bytes" as in a live cache's `memory`, or "entries".
    seed, learns: as for vcache.sim.replay(); with learns=False "learned" follows the shipped model
        and the classic experts only, which takes a fraction of the time.

    Of shape (policies * sizes,), with the fields policy (text), and of the Result of each replay
    capacity, requests, hits, evictions (i8), miss_ratio, byte_miss_ratio, cost_requested and
    cost_saved (f8). Nothing expires in a replay, and caches begin empty.
    """
    given = log if isinstance(log, Trace) else trace(log)
    for argument, values in (("policies", policies), ("sizes", sizes)):
        if isinstance(values, str) or not isinstance(values, Sequence) or not values:
            raise ValueError(f"{argument}={shown(values)}: allowed is a sequence of at least one")
    for policy in policies:
        check_policy(policy)
    capacities = [
        capacity_of(size, given, unit, f"sizes[{place}]") for place, size in enumerate(sizes)
    ]
    results = [
        replay(given, policy, capacity, unit=unit, seed=seed, learns=learns)
        for policy in policies
        for capacity in sorted(set(capacities))
    ]
    return _rows(results)


def _rows(results: Sequence[Result]) -> npt.NDArray[Any]:
    width = max(len(result.policy) for result in results)
    rows = [(result.policy, *(getattr(result, name) for name, _ in _COLUMNS)) for result in results]
    return np.array(rows, [("policy", f"U{width}"), *_COLUMNS])


def recommend_size(
    log: LogLike | Trace,
    policy: str = "lru",
    *,
    within: float = 0.05,
    sizes: Sequence[Capacity] | None = None,
    unit: Unit = "bytes",
    seed: int = 0,
) -> Recommendation:
    """The least memory that is nearly as good as any: vcache.sim.recommend_size() of a log.

    log: as for accesses(), or a Trace; the other arguments as there, but that sizes are bytes.
    """
    given = log if isinstance(log, Trace) else trace(log)
    return recommended(given, policy, within=within, sizes=sizes, unit=unit, seed=seed)
