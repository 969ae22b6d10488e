"""What is compared in an A/B test, and what came of it."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any

from .._messages import shown
from .._weights import Model
from ..sim._replay import Capacity, Objective, Unit, capacity_of
from ..sim._trace import Trace
from ._cases import Told
from ._crossover import Counts, Crossover
from ._interval import LEAST_REQUESTS, Estimate, estimate

__all__ = ["Comparison", "Plan", "result_of"]


@dataclass(frozen=True)
class Comparison:
    """What ab_test() found.

    policy, against: the two that were compared; source: the trace's name, or the log's path.
    capacity, unit: of the whole cache; each half of the keys had half of it.
    objective: what the ratios are of: "misses", requests missed among all; "cost", the cost of
        those among that of all.
    requests, warm_up: those that count; those before, which only filled the caches.
    miss_ratio, against_miss_ratio: of the two policies. None, as the four below, where the requests
        are too few to tell anything.
    difference: the first ratio less the second; negative: `policy` misses less.
    low, high: where the difference is with a confidence of 95 %.
    relative: the difference in terms of against_miss_ratio: -0.05 is 5 % fewer misses.
    verdict: in words.
    is_complete: False where it was ended early.
    skipped: lines that were no accesses.
    seconds: that it took.
    """

    policy: str
    against: str
    source: str
    capacity: int
    unit: Unit
    objective: Objective
    requests: int
    warm_up: int
    miss_ratio: float | None
    against_miss_ratio: float | None
    difference: float | None
    low: float | None
    high: float | None
    relative: float | None
    verdict: str
    is_complete: bool
    skipped: int
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """For json.dumps()."""
        return asdict(self)


@dataclass(frozen=True)
class Plan:
    """The arguments of ab_test() but for its source."""

    policy: str
    against: str
    capacity: Capacity
    unit: Unit
    seed: int
    model: Model | None
    objective: Objective
    progress: Told

    def crossover(self, capacity: int) -> Crossover:
        policies = (self.policy, self.against)
        return Crossover(policies, capacity, self.unit, self.seed, self.model, self.objective)

    def capacity_in(self, trace: Trace) -> int:
        """The capacity, of which a share is one of what `trace` asks for."""
        found = capacity_of(self.capacity, trace, self.unit)
        if found < 2:
            raise ValueError(
                f"capacity={shown(self.capacity)} is {found}: allowed is at least 2, one for each"
                " half of the keys"
            )
        return found


def result_of(
    plan: Plan,
    crossover: Crossover,
    capacity: int,
    source: str,
    began: float,
    *,
    skipped: int,
    is_complete: bool = True,
) -> Comparison:
    """Of what was fed; it began when time.monotonic() was `began`."""
    counts = crossover.counts()
    found = estimate(counts)
    return Comparison(
        policy=plan.policy,
        against=plan.against,
        source=source,
        capacity=capacity,
        unit=plan.unit,
        objective=plan.objective,
        requests=int(counts.requests.sum()),
        warm_up=counts.warm_up,
        **asdict(found),
        verdict=_verdict(plan, counts, found),
        is_complete=is_complete,
        skipped=skipped,
        seconds=time.monotonic() - began,
    )


def _verdict(plan: Plan, counts: Counts, found: Estimate) -> str:
    if len(counts.weights) and not counts.weights.any():
        return "no request has a cost"
    if found.low is None or found.high is None:
        return (
            f"too few requests to tell: at least {LEAST_REQUESTS:,} are needed after the caches"
            " were full"
        )
    what = "less cost" if plan.objective == "cost" else "fewer requests"
    if found.high < 0:
        return f"{plan.policy} misses {what} than {plan.against}"
    if found.low > 0:
        return f"{plan.against} misses {what} than {plan.policy}"
    return f"no difference found between {plan.policy} and {plan.against}"
