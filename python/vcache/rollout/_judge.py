"""Whether the canary is worse than the control, by what both did in the same time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from .._messages import shown
from ..durations import Duration, duration_option
from ..errors import ConfigError
from ._window import CANARY, CONTROL, Counts, Slice, sum_of

__all__ = ["Limits", "Verdict", "Whole", "judge", "judge_sums"]

_SURE = 3.0  # standard errors: rollouts are judged hundreds of times
_LEAST_SLICES = 4  # of both sides, for their latency
_LEAST_TIMED = 10  # look-ups of a slice


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When a canary is rolled back. Each limit is off where it is None.

    hit_rate: its hit rate is surely below this, unless the control's is too and no better. In a
        stage of all keys, where the control's was below it before: below this share of that.
    hit_rate_drop: its hit rate is surely lower than the control's by more than this.
    latency: its look-ups of one key that hit surely take longer than the control's, by their
        arithmetic or geometric means, by more than this share, and by more than `latency_least`
        seconds: which keys are whose, and what else a process does, makes as much.
    errors: the share of requests that its tiers fail is surely above the control's by more than
        this.
    least_requests: look-ups of each side below which it is not judged.
    window: the time that is judged, up to now.
    warmup, latency_warmup: how long after a stage began hits and latency are not judged, as it
        begins cold: what is in Redis takes its time to come into memory, most of `memory_ttl`.

    Surely: by three standard errors, of a binomial share, or of the latency's means of slices of
    the window.
    """

    hit_rate: float | None = 0.80
    hit_rate_drop: float | None = None
    latency: float | None = 0.05
    latency_least: float = 2e-6
    errors: float | None = 0.001
    least_requests: int = 1000
    window: Duration = "2m"
    warmup: Duration | None = "1m"
    latency_warmup: Duration | None = "4m"

    def __post_init__(self) -> None:
        for name, most in (("hit_rate", 1), ("hit_rate_drop", 1), ("latency", 100), ("errors", 1)):
            value = getattr(self, name)
            if value is not None and not _is_within(value, most):
                allowed = f"allowed are None and a number from 0 to {most}"
                raise ConfigError(f"{name}={shown(value)}: {allowed}")
        if not _is_within(self.latency_least, 3600):
            allowed = "allowed is a number of seconds from 0 to 3600"
            raise ConfigError(f"latency_least={shown(self.latency_least)}: {allowed}")
        least = self.least_requests
        if isinstance(least, bool) or not isinstance(least, int) or least < 1:
            raise ConfigError(f"least_requests={shown(least)}: allowed is an int of 1 or more")
        object.__setattr__(self, "window", duration_option(self.window, "window"))
        for name in ("warmup", "latency_warmup"):
            given = getattr(self, name)
            seconds = 0.0 if given is None else duration_option(given, name)
            object.__setattr__(self, name, seconds)

    @property
    def window_seconds(self) -> float:
        return float(self.window)  # type: ignore[arg-type]

    @property
    def warm_seconds(self) -> float:
        return float(self.warmup or 0.0)  # type: ignore[arg-type]

    @property
    def latency_seconds(self) -> float:
        """How long latency is not judged."""
        return max(self.warm_seconds, float(self.latency_warmup or 0.0))  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Verdict:
    """why: what the canary is rolled back for; None: nothing is wrong with it, as far as known.
    is_judged: there was enough to judge its hits by.
    """

    why: str | None
    is_judged: bool


def judge(
    limits: Limits, slices: Sequence[Slice], began: float, *, alone: bool, before: float | None
) -> Verdict:
    """Of the slices up to now, in a stage that began then. `alone`: the canary has all keys, and
    there is no control, whose hit rate was `before`; None: not known.
    """
    warm = [each for each in slices if each.began >= began + limits.warm_seconds]
    control, canary = sum_of(warm)
    errors = _errors(limits, *sum_of(slices), alone=alone)
    enough = canary.requests >= limits.least_requests
    enough = enough and (alone or control.requests >= limits.least_requests)
    if errors is not None or not enough:
        return Verdict(errors, enough)
    why = _hits(limits, control, canary, alone=alone, before=before)
    if why is None and not alone:
        from_then = began + limits.latency_seconds
        why = _latency(limits, [each for each in warm if each.began >= from_then])
    return Verdict(why, is_judged=True)


@dataclass(frozen=True, slots=True)
class Whole:
    """Of all that came in a stage. why: what was found, be it good or not."""

    is_judged: bool
    is_worse: bool
    why: str


def judge_sums(
    limits: Limits, control: Counts, canary: Counts, *, alone: bool, before: float | None
) -> Whole:
    least = limits.least_requests
    is_judged = canary.requests >= least and (alone or control.requests >= least)
    worse = _hits(limits, control, canary, alone=alone, before=before)
    worse = worse or _errors(limits, control, canary, alone=alone)
    return Whole(is_judged, worse is not None, worse or _said(control, canary, alone=alone))


def _said(control: Counts, canary: Counts, *, alone: bool) -> str:
    rate, other = _rate(canary.hits, canary.requests), _rate(control.hits, control.requests)
    beside = "" if alone else f", that of the control {other:.2%} of {control.requests:,}"
    return f"the hit rate is {rate:.2%} of {canary.requests:,}{beside}"


def _hits(
    limits: Limits, control: Counts, canary: Counts, *, alone: bool, before: float | None
) -> str | None:
    rate, floor, drop = _rate(canary.hits, canary.requests), limits.hit_rate, limits.hit_rate_drop
    if alone and floor is not None and before is not None and before < floor:
        floor *= before
    other = _rate(control.hits, control.requests)
    spread = math.hypot(_spread(rate, canary.requests), _spread(other, control.requests))
    said = _said(control, canary, alone=alone)
    is_low = floor is not None and rate + _SURE * _spread(rate, canary.requests) < floor
    is_as_good = (
        not alone and floor is not None and other < floor and other - rate <= _SURE * spread
    )
    if is_low and not is_as_good:
        return f"{said}: allowed is {floor:.2%}"
    if drop is not None and not alone and other - rate - _SURE * spread > drop:
        return f"{said}: allowed is {drop:.2%} less"
    return None


def _errors(limits: Limits, control: Counts, canary: Counts, *, alone: bool) -> str | None:
    least = limits.least_requests
    if limits.errors is None or canary.asked < least or (not alone and control.asked < least):
        return None
    rate, other = _rate(canary.errors, canary.asked), _rate(control.errors, control.asked)
    other = 0.0 if alone else other
    spread = math.hypot(_spread(rate, canary.asked), _spread(other, control.asked))
    if rate - other - _SURE * spread <= limits.errors:
        return None
    beside = "" if alone else f", of the control {other:.2%} of {control.asked:,}"
    return (
        f"{rate:.2%} of {canary.asked:,} requests met an error{beside}: allowed is"
        f" {limits.errors:.2%} more"
    )


def _latency(limits: Limits, slices: Sequence[Slice]) -> str | None:
    """By the means of both sides in each slice: what slows both down at a time cancels out.

    Arithmetic means tell of rare long look-ups, geometric ones of all, which a few do not hide.
    """
    pairs = [
        each.sides
        for each in slices
        if min(each.sides[CONTROL].timed, each.sides[CANARY].timed) >= _LEAST_TIMED
    ]
    if limits.latency is None or len(pairs) < _LEAST_SLICES:
        return None
    for mean, name in ((_arithmetic, "mean"), (_geometric, "geometric mean")):
        means = [(mean(control), mean(canary)) for control, canary in pairs]
        if _is_slower(means, limits.latency, limits.latency_least):
            first, second = (fmean(side) for side in zip(*means, strict=True))
            more = second / first - 1 if first else math.inf
            return (
                f"a look-up takes {second * 1e6:,.4g} us ({name}), of the control"
                f" {first * 1e6:,.4g} us, which is {more:.1%} more: allowed is {limits.latency:.1%}"
            )
    return None


def _is_slower(means: Sequence[tuple[float, float]], share: float, least: float) -> bool:
    """Batch means, whose difference from the limit is compared to its standard error; the quantile
    is Student's t, by Fisher and Cornish's series.
    """
    over = [canary - control - max(share * control, least) for control, canary in means]
    error = stdev(over) / math.sqrt(len(over))
    return fmean(over) > max(0.0, _quantile(len(over) - 1) * error)


def _arithmetic(counts: Counts) -> float:
    return counts.seconds / counts.timed


def _geometric(counts: Counts) -> float:
    return math.exp(counts.logs / counts.timed)


def _quantile(degrees: int) -> float:
    z = _SURE
    first = (z**3 + z) / (4 * degrees)
    return z + first + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * degrees**2)


def _is_within(value: object, most: float) -> bool:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and 0 <= value <= most  # type: ignore[operator]


def _rate(part: int, whole: int) -> float:
    return min(part / whole, 1.0) if whole else 0.0


def _spread(rate: float, count: int) -> float:
    """The standard error of a share; that of Agresti and Coull, which is not 0 at the ends."""
    if not count:
        return 0.0
    middle = (rate * count + 2) / (count + 4)
    return math.sqrt(middle * (1 - middle) / (count + 4))
