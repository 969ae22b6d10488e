"""How fresh a value has to be: limits of its computation, early refreshes, and back-off."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from numbers import Real
from time import monotonic
from typing import Any, TypedDict

from ._arguments import Volatility, volatility_argument
from ._core import DEFAULT
from ._messages import shown
from .durations import Duration, parse_duration

__all__ = ["PLAIN", "Backoff", "Clock", "Freshness", "FreshnessOptions", "Terms"]

_REMEMBERED = 4096


class FreshnessOptions(TypedDict, total=False):
    """Options of one call that computes what is missing.

    soft_timeout: a factory that takes longer goes on in the background, and the caller gets a value
        that has expired within the grace of the cache, if there is one.
    hard_timeout: the same, but without such a value the caller gets a FactoryTimeout.
    refresh_ahead: a hit older than this share of its time to live starts one refresh in the
        background.
    beta: the same at random (XFetch), the likelier the nearer the expiry and the longer the factory
        took last time; 1.0 is usual.
    negative_ttl: time to live of results that are None, with `type=` too.
    error_ttl: for so long after a factory raised it is not called again for that key in this
        process: who asks, with this option, gets an expired value within the grace, or else the
        same exception, without its cause. A batch with such a key raises it. A success ends it, and
        so do refresh(), mset(), set_vectors(), aset() and whatever removes the key; after set()
        there is a value. None: without an expired value, each call tries anew.
    retry_after: for so long after a factory failed it is not called again for a key of which there
        is an expired value to serve.
    volatility: how soon the source changes: "high", "medium" or "low" keep values for 1, 7 or 30
        days; allowed only without `ttl`.
    """

    soft_timeout: Duration | None
    hard_timeout: Duration | None
    refresh_ahead: float | None
    beta: float
    negative_ttl: Duration | None
    error_ttl: Duration | None
    retry_after: Duration
    volatility: Volatility | None


@dataclass(frozen=True, slots=True)
class Freshness:
    """FreshnessOptions, checked, in seconds."""

    soft_timeout: float | None = None
    hard_timeout: float | None = None
    refresh_ahead: float | None = None
    beta: float = 0.0
    negative_ttl: float | None = None
    error_ttl: float | None = None
    retry_after: float = 1.0
    volatility: Volatility | None = None

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Freshness:
        """Raises TypeError or ValueError for an option that is unknown or not allowed."""
        for name in options:
            if name not in _CHECKS:
                raise TypeError(f"{name}: allowed are {', '.join(_CHECKS)}")
        checked = cls(**{name: _CHECKS[name](value, name) for name, value in options.items()})
        soft, hard = checked.soft_timeout, checked.hard_timeout
        if soft is not None and hard is not None and soft > hard:
            raise ValueError(
                f"soft_timeout={soft}: allowed is at most the hard_timeout, which is {hard}"
            )
        return checked

    @property
    def is_early(self) -> bool:
        """Whether a hit may start a refresh."""
        return self.refresh_ahead is not None or self.beta > 0

    @property
    def has_limits(self) -> bool:
        """Whether a caller may leave before the factory is done."""
        return self.soft_timeout is not None or self.hard_timeout is not None

    def is_due(self, age: float, left: float, took: float, draw: Callable[[], float]) -> bool:
        """Whether a hit with `left` seconds to live, whose value `took` some, is to be refreshed.

        `draw` gives a random number from 0 to below 1.
        """
        if self.refresh_ahead is not None and age >= self.refresh_ahead * (age + left):
            return True
        # XFetch: Vattani, Chierichetti, Lowenstein, VLDB 2015.
        return self.beta > 0 and -self.beta * took * math.log(1.0 - draw()) >= left


@dataclass(frozen=True, slots=True)
class Terms:
    """What a loader is to know of its cache."""

    grace: float = 0.0  # seconds for which expired values are kept
    lease: float = 0.0  # seconds of a lease; 0: none are taken
    ttl: float | None = None
    jitter: float = 0.0

    def left(self, ttl: Any, age: float, left: float) -> float | None:
        """Seconds until a value written with `ttl` expires in both tiers; None: never.

        `left` is what the tier says that had it: memory may keep it for a shorter time.
        """
        whole: float | None = self.ttl if ttl is DEFAULT else ttl
        return None if whole is None else max(left, whole * (1.0 - self.jitter) - age)


class Clock:
    """A monotonic time in seconds, unless `now` is set to another."""

    def __init__(self) -> None:
        self.now: Callable[[], float] = monotonic

    def __call__(self) -> float:
        return self.now()


class Backoff:
    """Keys whose factory failed lately, until when each is left alone, and what it raised.

    Used under the GIL: each step is one operation of a dict.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._held: dict[bytes, tuple[float, Exception | None]] = {}

    def __bool__(self) -> bool:
        return bool(self._held)

    def note(self, keys: Iterable[bytes], seconds: float, error: Exception | None = None) -> None:
        if seconds <= 0:
            return
        now, raised = self._clock(), error and (_copied(error) or error)
        for key in keys:
            self._held.pop(key, None)  # for its place among the others
            self._held[key] = now + seconds, raised
        while (oldest := self._oldest()) is not None:
            held = self._held.get(oldest)
            if held is not None and held[0] > now and len(self._held) <= _REMEMBERED:
                break
            self._held.pop(oldest, None)

    def _oldest(self) -> bytes | None:
        while True:
            try:
                return next(iter(self._held), None)
            except RuntimeError:  # another thread wrote between the two steps
                continue

    def holds(self, key: bytes) -> bool:
        held = self._held.get(key)
        if held is None:
            return False
        if self._clock() < held[0]:
            return True
        self._held.pop(key, None)
        return False

    def error_of(self, keys: Iterable[bytes]) -> Exception | None:
        """What was raised for the first of the keys that is left alone, to be raised once."""
        for key in keys:
            held = self._held.get(key)
            if held is not None and self.holds(key):
                return held[1] and (_copied(held[1]) or held[1].with_traceback(None))
        return None

    def forget(self, keys: Iterable[bytes]) -> None:
        if self._held:
            for key in keys:
                self._held.pop(key, None)

    def clear(self) -> None:
        self._held.clear()


def _copied(error: Exception) -> Exception | None:
    """The same exception for another caller, with no frame and no context of this one.

    None where a copy would say something else.
    """
    try:
        copy = type(error).__new__(type(error), *error.args)
        copy.__dict__.update(error.__dict__)
        return copy if (copy.args, str(copy)) == (error.args, str(error)) else None
    except Exception:
        return None


def _optional_duration(value: object, name: str) -> float | None:
    return None if value is None else parse_duration(value, name)


def _number(value: object, name: str, allowed: str) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name}={shown(value)} of type {type(value).__name__}: {allowed}")
    return float(value)


def _share(value: object, name: str) -> float | None:
    if value is None:
        return None
    allowed = "allowed is None or a number above 0 and below 1"
    share = _number(value, name, allowed)
    if not 0 < share < 1:
        raise ValueError(f"{name}={shown(value)}: {allowed}")
    return share


def _beta(value: object, name: str) -> float:
    allowed = "allowed is a finite number of 0 or more"
    beta = _number(value, name, allowed)
    if not 0 <= beta < math.inf:
        raise ValueError(f"{name}={shown(value)}: {allowed}")
    return beta


def _pause(value: object, name: str) -> float:
    return 0.0 if type(value) in (int, float) and value == 0 else parse_duration(value, name)


_CHECKS: dict[str, Callable[[object, str], Any]] = {
    "soft_timeout": _optional_duration,
    "hard_timeout": _optional_duration,
    "refresh_ahead": _share,
    "beta": _beta,
    "negative_ttl": _optional_duration,
    "error_ttl": _optional_duration,
    "retry_after": _pause,
    "volatility": volatility_argument,
}

PLAIN = Freshness()
