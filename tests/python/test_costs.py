from __future__ import annotations

import math
from typing import Any

import pytest

from vcache import CostReport

REPORT = CostReport(
    hits=80, misses=20, computed=20, cost_per_embedding=0.001, seconds_saved=8.0, seconds=3600.0
)
EMPTY = CostReport(
    hits=0, misses=0, computed=0, cost_per_embedding=0.001, seconds_saved=0.0, seconds=0.0
)


def test_shares() -> None:
    assert (REPORT.hit_rate, REPORT.cost_reduction) == (0.8, 0.8)
    assert REPORT.cost_total == pytest.approx(0.1)
    assert REPORT.cost_saved == pytest.approx(0.08)


def test_projections() -> None:
    assert REPORT.monthly(1_000_000) == pytest.approx(800)
    assert REPORT.monthly(1_000_000, redis_cost=50) == pytest.approx(750)
    assert REPORT.annual(1000) == pytest.approx(1000 * 24 * 365 * 0.0008)
    assert REPORT.roi_months(1500, monthly_saving=REPORT.monthly(1_000_000, 50)) == pytest.approx(2)
    assert REPORT.roi_months(0.08 * 730) == pytest.approx(1)


def test_nothing_saved() -> None:
    assert (EMPTY.hit_rate, EMPTY.cost_reduction, EMPTY.cost_total) == (0, 0, 0)
    assert EMPTY.monthly(100, 5) == -5
    assert EMPTY.roi_months(10) == math.inf
    assert REPORT.roi_months(10, monthly_saving=-1) == math.inf


@pytest.mark.parametrize("value", [-1, math.nan, math.inf])
def test_bad_numbers(value: Any) -> None:
    for name, call in {
        "requests": lambda: REPORT.monthly(value),
        "redis_cost": lambda: REPORT.monthly(1, value),
        "queries_per_hour": lambda: REPORT.annual(value),
        "setup_cost": lambda: REPORT.roi_months(value),
    }.items():
        with pytest.raises(ValueError, match=f"{name}={value}: allowed is a finite number"):
            call()
