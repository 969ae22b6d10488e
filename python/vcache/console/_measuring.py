"""Times of short calls, and of what does the same by other means."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

__all__ = ["Match", "Measured", "compete"]

_ROUNDS = 5

Call = Callable[[], object]


@dataclass(frozen=True)
class Match:
    """One kind of work: a call of ours that does it `times`, and that of another, if there is."""

    work: str
    times: int
    ours: Call
    against: str = ""
    theirs: Call | None = None


@dataclass(frozen=True)
class Measured:
    """Seconds for the work once."""

    work: str
    seconds: float
    against: str
    against_seconds: float | None

    @property
    def faster(self) -> float | None:
        """The other's time over ours."""
        return None if self.against_seconds is None else self.against_seconds / self.seconds


def compete(match: Match, seconds: float) -> Measured:
    """The best of rounds that take turns, about so many seconds for both together."""
    calls = [match.ours] if match.theirs is None else [match.ours, match.theirs]
    share = seconds / _ROUNDS / len(calls)
    counts = [_count(call, share) for call in calls]
    best = [float("inf")] * len(calls)
    was_on = gc.isenabled()
    gc.disable()
    try:
        for _ in range(_ROUNDS):
            for place, (call, count) in enumerate(zip(calls, counts, strict=True)):
                best[place] = min(best[place], _time(call, count))
    finally:
        if was_on:
            gc.enable()
    theirs = None if match.theirs is None else best[1] / match.times
    return Measured(match.work, best[0] / match.times, match.against, theirs)


def _count(call: Call, share: float) -> int:
    """How often a call fits into so many seconds; it is warm then."""
    call()
    once = _time(call, 1)
    return max(1, int(share / max(once, 1e-9)))


def _time(call: Call, count: int) -> float:
    """Seconds of one call."""
    started = perf_counter()
    for _ in range(count):
        call()
    return (perf_counter() - started) / count
