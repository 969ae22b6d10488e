"""Which of two policies misses fewer requests, and how sure that is."""

from __future__ import annotations

import os
import time
from pathlib import Path

from .._messages import shown
from .._weights import ModelLike, model_of
from ..durations import Duration, parse_duration
from ..sim._replay import POLICIES, Capacity, Objective, Unit, check_objective
from ..sim._trace import Trace, TraceLike, trace_of
from ._cases import Told, shared, whole
from ._comparison import Comparison, Plan, result_of
from ._live import Live

__all__ = ["ARMS", "ab_test"]

ARMS = tuple(name for name in POLICIES if name != "belady")
"""The policies that can be compared."""


def ab_test(
    trace: TraceLike | None = None,
    policy: str = "learned",
    against: str = "lru",
    *,
    access_log: str | os.PathLike[str] | None = None,
    duration: Duration = "1h",
    capacity: Capacity = "10%",
    unit: Unit = "entries",
    seed: int = 0,
    model: ModelLike | None = None,
    objective: Objective = "misses",
    progress: Told = lambda stage, share: None,
) -> Comparison:
    """Compares two eviction policies on a trace, or on what a running service asks for.

    trace: anything that vcache.sim.replay() takes; or None, with
    access_log: the path of a log that a cache writes, Cache(access_log=PATH). It is followed for
        `duration`, also where the cache begins a new file and renames this one to PATH.1. What the
        file holds already fills the caches and is not counted. Ctrl-C ends it early: the result is
        of what was seen.
    policy, against: any of a cache's policies, and "fifo".
    capacity, unit: as for vcache.sim.replay(); a share of a log is one of what it holds already.
    seed: of the halves of the keys, and of what the policies leave to chance.
    model, objective: as for vcache.sim.replay(). With the objective "cost" the cost that is missed
        is compared, not the number of requests.
    progress: takes the name of a stage, and the share of it that is done.

    Keys are halved by a hash, and each half has a cache of half the capacity. Where one policy got
    one half and the other the other, most of the difference would be which half is more popular; so
    both policies get both halves, in caches of metadata only, and that for four hashes. Requests
    count once each cache was filled three times anew, or from half of those on that came when all
    were full. The interval covers how the difference varies over the time observed, and with the
    halves and the policies' chance; _interval.estimate() has the method and its sources. It knows
    nothing of other services, nor of what happens once a day where an hour was observed.
    Raises TypeError or ValueError, naming argument, value and what is allowed; ModelError; OSError
    for a log that cannot be read.
    """
    began = time.monotonic()
    plan = Plan(
        _arm(policy, "policy"),
        _arm(against, "against"),
        capacity,
        unit,
        whole(seed, "seed", 0, 2**32 - 1),
        None if model is None else model_of(model, "model"),
        objective,
        progress,
    )
    check_objective(objective)
    if access_log is None and trace is not None:
        return _over_trace(plan, trace_of(trace), began)
    if access_log is not None and trace is None:
        return _over_log(plan, access_log, duration, began)
    raise ValueError(
        f"trace={shown(trace)} and access_log={shown(access_log)}: allowed is one of the two"
    )


def _arm(policy: object, name: str) -> str:
    if policy not in ARMS:
        raise ValueError(f"{name}={shown(policy)}: allowed are {', '.join(ARMS)}")
    return str(policy)


def _over_log(plan: Plan, access_log: object, duration: Duration, began: float) -> Comparison:
    seconds = parse_duration(duration, "duration")
    if not isinstance(access_log, (str, os.PathLike)):
        kind = type(access_log).__name__
        raise TypeError(f"access_log={shown(access_log)} is of type {kind}: allowed is a path")
    live = Live(plan, Path(access_log), began)
    try:
        return live.run(seconds)
    finally:
        live.close()


def _over_trace(plan: Plan, trace: Trace, began: float) -> Comparison:
    if plan.objective == "cost" and trace.costs is None:
        raise ValueError("objective='cost': the trace has no costs; allowed is 'misses'")
    capacity = plan.capacity_in(trace)
    crossover = plan.crossover(capacity)
    crossover.feed(trace, shared(trace.requests, plan.progress, "replay"))
    return result_of(plan, crossover, capacity, trace.name, began, skipped=trace.skipped)
