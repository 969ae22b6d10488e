"""What a cache of embeddings saves."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["CostReport"]

_HOURS_A_YEAR = 24 * 365
_SECONDS_A_MONTH = _HOURS_A_YEAR / 12 * 3600


@dataclass(frozen=True, slots=True)
class CostReport:
    """Texts embedded so far and what the cache saved on them, in the unit of `cost_per_embedding`.

    `hits` were found in the cache, `misses` were not; `computed` of those went to the model, the
    rest were duplicates or already under way. `seconds` is the time these figures span.
    """

    hits: int
    misses: int
    computed: int
    cost_per_embedding: float
    seconds_saved: float
    seconds: float

    @property
    def requests(self) -> int:
        return self.hits + self.misses

    @property
    def hit_rate(self) -> float:
        """Share of texts found in the cache, 0 to 1."""
        return self.hits / self.requests if self.requests else 0.0

    @property
    def cost_total(self) -> float:
        """What all requests would have cost without a cache."""
        return self.requests * self.cost_per_embedding

    @property
    def cost_saved(self) -> float:
        return (self.requests - self.computed) * self.cost_per_embedding

    @property
    def cost_reduction(self) -> float:
        """Saved share of `cost_total`, 0 to 1, whatever an embedding costs."""
        return 1 - self.computed / self.requests if self.requests else 0.0

    def monthly(self, requests: float, redis_cost: float = 0.0) -> float:
        """What is saved a month at `requests` a month, less what Redis costs a month."""
        _check("requests", requests)
        _check("redis_cost", redis_cost)
        return requests * self._saved_each - redis_cost

    def annual(self, queries_per_hour: float) -> float:
        """What is saved a year at this many queries an hour, round the clock."""
        _check("queries_per_hour", queries_per_hour)
        return queries_per_hour * _HOURS_A_YEAR * self._saved_each

    def roi_months(self, setup_cost: float, *, monthly_saving: float | None = None) -> float:
        """Months until `setup_cost` is earned back, at the pace seen so far unless given.

        `monthly_saving` is what monthly() returns. Infinite where nothing is saved.
        """
        _check("setup_cost", setup_cost)
        saving = self._pace if monthly_saving is None else monthly_saving
        return setup_cost / saving if saving > 0 else math.inf

    @property
    def _saved_each(self) -> float:
        return self.cost_reduction * self.cost_per_embedding

    @property
    def _pace(self) -> float:
        """What is saved a month at the pace of these figures."""
        return self.cost_saved / self.seconds * _SECONDS_A_MONTH if self.seconds > 0 else 0.0


def _check(name: str, value: float) -> None:
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{name}={value!r}: allowed is a finite number of 0 or more")
