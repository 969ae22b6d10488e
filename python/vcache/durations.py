"""Durations as users write them: seconds, timedelta or text such as "1h30m"."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from numbers import Real

from ._messages import shown
from .errors import ConfigError

__all__ = [
    "MAX_SECONDS",
    "POSITIVE",
    "Duration",
    "duration_option",
    "parse_duration",
    "parse_ttl",
]

Duration = float | str | timedelta

MAX_SECONDS = 10 * 365 * 86400.0

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?|\.[0-9]+")
_PART = re.compile(rf"({_NUMBER.pattern})\s*(ms|[smhdw])\s*")

# What is allowed of a duration, unless it says otherwise.
POSITIVE = (
    'allowed is more than 0 and at most 10 years, as seconds, a timedelta or text such as "300",'
    ' "5m", "1h30m", "30d"'
)


def parse_duration(value: object, name: str, *, allowed: str = POSITIVE) -> float:
    """Seconds of a duration given as argument `name`.

    Raises ValueError for one that is not positive, not finite, a bool, over 10 years or not
    understood, and TypeError for any other type; both name argument, value and what is allowed.
    """
    seconds = _seconds(value, name, allowed)
    if not 0 < seconds <= MAX_SECONDS:
        raise ValueError(f"{name}={shown(value)}: {allowed}")
    return seconds


def duration_option(value: object, name: str, *, allowed: str = POSITIVE) -> float:
    """As parse_duration(), of what is given to a constructor or a command: raises ConfigError."""
    try:
        return parse_duration(value, name, allowed=allowed)
    except (TypeError, ValueError) as error:
        raise ConfigError(str(error)) from None


def parse_ttl(value: object, name: str) -> float | None:
    """As parse_duration(); None stays None, which means no expiry."""
    if value is None:
        return None
    return parse_duration(value, name, allowed=f"{POSITIVE}, or None for no expiry")


def _seconds(value: object, name: str, allowed: str) -> float:
    if isinstance(value, bool):
        raise ValueError(f"{name}={shown(value)}: {allowed}")
    if isinstance(value, Real):
        return _finite(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, str):
        return _from_text(value)
    raise TypeError(f"{name}={shown(value)} is of type {type(value).__name__}: {allowed}")


def _finite(value: Real) -> float:
    """Seconds of a number, negative if no float holds it or it is not finite."""
    try:
        seconds = float(value)
    except OverflowError:
        return -1.0
    return seconds if math.isfinite(seconds) else -1.0


def _from_text(text: str) -> float:
    """Seconds of a text, negative if it is not a duration."""
    stripped = text.strip().lower()
    if _NUMBER.fullmatch(stripped):
        return float(stripped)
    parts = _PART.findall(stripped)
    if not parts or _PART.sub("", stripped):
        return -1.0
    return sum(float(number) * _UNITS[unit] for number, unit in parts)
