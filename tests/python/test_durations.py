from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vcache._messages import shown
from vcache.durations import MAX_SECONDS, parse_duration, parse_ttl


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        (300, 300.0),
        (0.25, 0.25),
        (np.float32(1.5), 1.5),
        (np.int64(7), 7.0),
        (timedelta(minutes=2), 120.0),
        ("300", 300.0),
        (" 1.5 ", 1.5),
        ("5m", 300.0),
        ("1h30m", 5400.0),
        ("1h 30m", 5400.0),
        ("30d", 2_592_000.0),
        ("2w", 1_209_600.0),
        ("250ms", 0.25),
        ("1.5H", 5400.0),
    ],
)
def test_seconds(given: Any, seconds: float) -> None:
    assert parse_duration(given, "ttl") == pytest.approx(seconds)


@pytest.mark.parametrize(
    "given",
    [0, -1, -0.5, math.nan, math.inf, -math.inf, True, False, MAX_SECONDS + 1, timedelta(0),
     10**400, "9" * 5000, timedelta(days=4000), "", "0", "-5", "5 minutes", "m", "5m3",
     "1h-5m", "nan", "inf", "1e3", "٣"],
)  # fmt: skip
def test_bad_value(given: Any) -> None:
    with pytest.raises(ValueError, match="ttl=") as caught:
        parse_duration(given, "ttl")
    assert f"ttl={shown(given)}: " in str(caught.value)
    assert "allowed is more than 0 and at most 10 years" in str(caught.value)


@pytest.mark.parametrize("given", [[], {}, b"5m", 1j, object()])
def test_bad_type(given: Any) -> None:
    with pytest.raises(TypeError, match=rf"ttl=.*of type {type(given).__name__}.*allowed"):
        parse_duration(given, "ttl")


def test_none_is_no_expiry_for_a_ttl_only() -> None:
    assert parse_ttl(None, "ttl") is None
    with pytest.raises(TypeError):
        parse_duration(None, "timeout")


@given(st.integers(0, 300), st.integers(0, 23), st.integers(0, 59), st.integers(1, 59))
def test_parts_add_up(days: int, hours: int, minutes: int, seconds: int) -> None:
    wanted = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    text = f"{days}d{hours}h{minutes}m{seconds}s"
    assert parse_duration(text, "ttl") == pytest.approx(wanted.total_seconds())
