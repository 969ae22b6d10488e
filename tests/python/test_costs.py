from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vcache import CostReport
from vcache.costs import Bill, Upkeep
from vcache.errors import ConfigError

REPORT = CostReport(
    hits=80, misses=20, computed=20, cost_per_embedding=0.001, seconds_saved=8.0, seconds=3600.0
)
EMPTY = CostReport(
    hits=0, misses=0, computed=0, cost_per_embedding=0.001, seconds_saved=0.0, seconds=0.0
)
UNKNOWN = CostReport(hits=30, misses=70, computed=60, seconds_saved=4.0, seconds=60.0)
UPKEEP = Upkeep(redis=50.0, memory=4.0, second=0.01)


def test_shares() -> None:
    assert (REPORT.hit_rate, REPORT.cost_reduction) == (0.8, 0.8)
    assert REPORT.cost_total == pytest.approx(0.1)
    assert REPORT.cost_spent == pytest.approx(0.02)
    assert REPORT.cost_saved == pytest.approx(0.08)
    assert (REPORT.unpriced, REPORT.is_partial) == (0, False)


def test_projections() -> None:
    assert REPORT.monthly(1_000_000) == pytest.approx(800)
    assert REPORT.monthly(1_000_000, redis_cost=50) == pytest.approx(750)
    assert REPORT.annual(1000) == pytest.approx(1000 * 24 * 365 * 0.0008)
    assert REPORT.roi_months(1500, monthly_saving=REPORT.monthly(1_000_000, 50)) == pytest.approx(2)
    assert REPORT.roi_months(0.08 * 730) == pytest.approx(1)


def test_the_pace_of_each_period() -> None:
    hour, day, month, year = (REPORT.savings(period) for period in ("hour", "day", "month", "year"))
    requests = [each.requests for each in (hour, day, month, year)]
    assert requests == pytest.approx([100, 2400, 100 * 730, 100 * 8760])
    assert hour.gross == pytest.approx(0.08)
    assert day.gross == pytest.approx(0.08 * 24)
    assert month.gross == pytest.approx(0.08 * 730)
    assert year.gross == pytest.approx(0.08 * 8760)
    assert hour.unknown == ("redis", "memory", "lookups")
    assert hour.net == hour.gross, "what is not known is not subtracted, and said"


def test_net_of_redis_memory_and_look_ups() -> None:
    report = CostReport(
        hits=80,
        misses=20,
        computed=20,
        cost_per_embedding=0.001,
        seconds_saved=8.0,
        seconds=3600.0,
        lookup_seconds=0.5,
        memory_bytes=1 << 29,
    )
    month = report.savings("month", requests=1_000_000, upkeep=UPKEEP)
    assert month.gross == pytest.approx(800)
    assert month.redis == 50
    assert month.memory == pytest.approx(2)  # half a GiB at 4 a month
    assert month.lookups == pytest.approx(50)  # 1,000,000 at 5 ms, 0.01 a second
    assert month.net == pytest.approx(800 - 50 - 2 - 50)
    assert month.unknown == ()
    assert report.monthly(1_000_000, upkeep=UPKEEP) == pytest.approx(698)
    assert report.monthly(1_000_000, 10, upkeep=Upkeep(memory=4.0)) == pytest.approx(788)
    day = report.savings("day", requests=1000, upkeep=UPKEEP)
    assert day.redis == pytest.approx(50 * 12 / 365)
    assert report.annual(100, upkeep=UPKEEP) == pytest.approx(
        876_000 * (0.0008 - 0.00005) - 12 * 52
    )
    assert report.roi_months(6980, monthly_saving=month.net) == pytest.approx(10)
    paid = report.savings("month", upkeep=Upkeep(redis=50.0)).net
    assert paid is not None
    assert paid < 58.4
    assert report.roi_months(84, upkeep=Upkeep(redis=50.0)) == pytest.approx(10)
    assert report.seconds_net == pytest.approx(7.5)


def test_nothing_saved() -> None:
    assert (EMPTY.hit_rate, EMPTY.cost_reduction, EMPTY.cost_total) == (0, 0, 0)
    assert EMPTY.monthly(100, 5) == -5
    assert EMPTY.roi_months(10) == math.inf
    assert REPORT.roi_months(10, monthly_saving=-1) == math.inf


def test_an_unknown_price_is_unknown() -> None:
    assert (UNKNOWN.cost_total, UNKNOWN.cost_spent, UNKNOWN.cost_saved) == (None, None, None)
    assert (UNKNOWN.unpriced, UNKNOWN.is_partial) == (100, False)
    assert UNKNOWN.monthly(1000) is None
    assert UNKNOWN.annual(10) is None
    assert UNKNOWN.roi_months(10) is None
    assert UNKNOWN.savings("day", upkeep=UPKEEP).net is None
    assert UNKNOWN.cost_reduction == pytest.approx(0.4), "of the requests"
    assert "not known" in str(UNKNOWN)
    assert "not known" in str(UNKNOWN.savings())


def test_free_is_not_unknown() -> None:
    free = CostReport(hits=1, misses=1, computed=1, cost_per_embedding=0.0)
    assert (free.cost_total, free.cost_saved, free.monthly(10)) == (0, 0, 0)
    assert free.cost_reduction == 0.5
    assert free.roi_months(1) == math.inf


def test_known_and_unknown_together_says_so() -> None:
    both = CostReport.together([REPORT, UNKNOWN])
    assert (both.hits, both.misses, both.computed) == (110, 90, 80)
    assert both.cost_saved == pytest.approx(0.08)
    assert both.cost_total == pytest.approx(0.1)
    assert (both.unpriced, both.is_partial) == (100, True)
    assert both.seconds_saved == 12.0
    assert both.monthly(200) == pytest.approx(0.08)
    assert both.cost_per_embedding is None
    assert "at least 0.08 saved of 0.1" in str(both)
    assert "100 of 200 requests have no known price" in str(both)
    assert "at least" in str(both.savings())
    again = CostReport.together([both, both])
    assert (again.unpriced, again.cost_saved) == (200, pytest.approx(0.16))


def test_together_is_no_invention() -> None:
    same = CostReport.together([REPORT, REPORT])
    assert same.cost_per_embedding == 0.001
    assert (same.cost_total, same.unpriced) == (pytest.approx(0.2), 0)
    assert same.lookup_seconds is None
    assert (same.tokens, same.memory_bytes) == (None, None)
    never = CostReport(hits=5, misses=0, computed=0, seconds_saved=None)
    assert CostReport.together([REPORT, never]).seconds_saved is None
    with pytest.raises(ValueError, match="at least one"):
        CostReport.together([])


def test_more_computed_than_asked_for_is_a_loss() -> None:
    refreshed = CostReport(hits=10, misses=0, computed=15, cost_per_embedding=2.0, seconds=60.0)
    assert refreshed.cost_saved == -10
    assert refreshed.cost_reduction == -0.5
    assert refreshed.roi_months(1) == math.inf


def test_rows_and_text() -> None:
    (row,) = REPORT.rows()
    assert row == REPORT.as_dict()
    assert all(not isinstance(value, (dict, list)) for value in row.values())
    assert row["cost_saved"] == REPORT.cost_saved
    assert row["hit_rate"] == 0.8
    text = str(REPORT)
    assert "100: 80 hits, 20 misses, hit rate 80.00%" in text
    assert "0.08 saved of 0.1, 0.02 spent (80.00% less)" in text
    month = REPORT.savings("month", requests=1_000_000, upkeep=Upkeep(redis=50))
    assert str(month) == (
        "saved a month: 750 net (800 less redis 50); not known of memory, lookups"
    )
    assert month.as_dict()["net"] == pytest.approx(750)


@pytest.mark.parametrize("value", [-1, math.nan, math.inf, True, "1"])
def test_bad_numbers(value: Any) -> None:
    for name, call in {
        "requests": lambda: REPORT.monthly(value),
        "redis_cost": lambda: REPORT.monthly(1, value),
        "queries_per_hour": lambda: REPORT.annual(value),
        "setup_cost": lambda: REPORT.roi_months(value),
        "memory": lambda: Upkeep(memory=value),
        "second": lambda: Upkeep(second=value),
        "redis": lambda: Upkeep(redis=value),
    }.items():
        with pytest.raises(ConfigError, match=f"{name}={value!r}.*: allowed is a finite number"):
            call()


def test_bad_period() -> None:
    with pytest.raises(ValueError, match="period='week': allowed are hour, day, month, year"):
        REPORT.savings("week")  # type: ignore[arg-type]


MONEY = st.floats(0, 1e6)
COUNT = st.integers(0, 10**9)
UPKEEPS = st.builds(
    Upkeep, redis=st.none() | MONEY, memory=st.none() | MONEY, second=st.none() | MONEY
)


@st.composite
def reports(draw: st.DrawFn) -> CostReport:
    hits, misses = draw(COUNT), draw(COUNT)
    computed = draw(st.integers(0, misses))
    billed = draw(st.booleans())
    spent = draw(MONEY)
    return CostReport(
        hits=hits,
        misses=misses,
        computed=computed,
        cost_per_embedding=draw(st.none() | MONEY),
        seconds=draw(st.floats(0, 1e7)),
        lookup_seconds=draw(st.none() | st.floats(0, 1e5)),
        memory_bytes=draw(st.none() | st.integers(0, 1 << 40)),
        bill=Bill(spent + draw(MONEY), spent) if billed else None,
    )


@given(reports(), UPKEEPS, COUNT)
def test_net_is_at_most_gross(report: CostReport, upkeep: Upkeep, requests: int) -> None:
    saved = report.savings("month", requests=requests, upkeep=upkeep)
    if saved.gross is None:
        assert saved.net is None
    else:
        assert saved.net is not None
        assert saved.net <= saved.gross
        assert saved.gross >= 0


@given(reports(), st.lists(COUNT, min_size=2, max_size=2).map(sorted))
def test_more_requests_save_no_less(report: CostReport, counts: list[int]) -> None:
    less, more = (report.savings("year", requests=count).gross for count in counts)
    assert (less is None) == (more is None) == (report.cost_saved is None)
    assert less is None or more is None or less <= more


@given(COUNT, COUNT, MONEY)
def test_a_hit_more_saves_no_less(hits: int, misses: int, price: float) -> None:
    few = CostReport(hits=hits, misses=misses + 1, computed=misses + 1, cost_per_embedding=price)
    many = CostReport(hits=hits + 1, misses=misses, computed=misses, cost_per_embedding=price)
    assert few.cost_saved is not None
    assert many.cost_saved is not None
    assert few.cost_saved <= many.cost_saved
    assert few.cost_total == many.cost_total


@given(st.lists(reports(), min_size=1, max_size=5))
def test_a_sum_knows_what_its_parts_know(parts: list[CostReport]) -> None:
    sum_ = CostReport.together(parts)
    known = [part for part in parts if part.cost_saved is not None]
    assert sum_.requests == sum(part.requests for part in parts)
    assert (sum_.cost_saved is None) == (not known)
    assert sum_.unpriced == sum(part.requests for part in parts if part.cost_saved is None)
    if known:
        assert sum_.cost_spent == pytest.approx(sum(part.cost_spent or 0 for part in known))
        assert sum_.cost_total == pytest.approx(sum(part.cost_total or 0 for part in known))


@given(reports(), MONEY.filter(lambda cost: cost > 0), UPKEEPS)
def test_upkeep_never_shortens_the_way_back(
    report: CostReport, setup: float, upkeep: Upkeep
) -> None:
    gross, net = report.roi_months(setup), report.roi_months(setup, upkeep=upkeep)
    assert (gross is None) == (net is None)
    assert gross is None or net is None or gross <= net
