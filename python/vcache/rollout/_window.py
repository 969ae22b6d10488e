"""What the look-ups of both sides came to of late, in slices of time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain

from .._locks import ForkLock

__all__ = ["CANARY", "CONTROL", "Counts", "Slice", "Window", "sum_of"]

CONTROL, CANARY = 0, 1
_SLICES = 12  # of a window


@dataclass(slots=True)
class Counts:
    """Of one side. `timed` look-ups of one key took `seconds` together; `logs` is the sum of the
    natural logarithms of their seconds.

    asked, errors: requests of the whole cache, be it of others too, and errors of it.
    """

    requests: int = 0
    hits: int = 0
    timed: int = 0
    seconds: float = 0.0
    logs: float = 0.0
    asked: int = 0
    errors: int = 0

    def add(self, other: Counts) -> None:
        self.requests += other.requests
        self.hits += other.hits
        self.timed += other.timed
        self.seconds += other.seconds
        self.logs += other.logs
        self.asked += other.asked
        self.errors += other.errors

    @property
    def hit_rate(self) -> float | None:
        return self.hits / self.requests if self.requests else None

    @property
    def latency(self) -> float | None:
        """Mean seconds of a look-up of one key."""
        return self.seconds / self.timed if self.timed else None

    @property
    def error_rate(self) -> float | None:
        return self.errors / self.asked if self.asked else None


@dataclass(slots=True)
class Slice:
    """A stretch of time, and the counts of both sides in it."""

    began: float
    sides: tuple[Counts, Counts] = field(default_factory=lambda: (Counts(), Counts()))


class Window:
    """The newest slices, as far back as `seconds`, and the sum of what came. Thread-safe.

    The two sides are counted in the same slices, so that they compare.
    """

    def __init__(self, seconds: float, warmup: float) -> None:
        self._seconds, self._slice, self._warmup = seconds, seconds / _SLICES, warmup
        self.began = 0.0
        self._lock = ForkLock()
        self._slices: deque[Slice] = deque()
        self._since = (Counts(), Counts())

    def note(self, now: float, side: int, counts: Counts) -> None:
        with self._lock:
            self._current(now).sides[side].add(counts)
            if now >= self.began + self._warmup:
                self._since[side].add(counts)

    def clear(self, now: float) -> None:
        """Begins anew; since() when it is warm."""
        with self._lock:
            self._slices.clear()
            self._since, self.began = (Counts(), Counts()), now

    def slices(self, now: float) -> list[Slice]:
        """Copies of them, the oldest first."""
        with self._lock:
            self._drop(now)
            return [Slice(each.began, _copies(each.sides)) for each in self._slices]

    def since(self) -> tuple[Counts, Counts]:
        """All that was noted once it was warm."""
        with self._lock:
            return _copies(self._since)

    def _current(self, now: float) -> Slice:
        newest = self._slices[-1] if self._slices else None
        if newest is None or not newest.began <= now < newest.began + self._slice:
            newest = Slice(now)
            self._slices.append(newest)
            self._drop(now)
        return newest

    def _drop(self, now: float) -> None:
        """Old ones, and those of a clock that was set back."""
        while self._slices and not now - self._seconds < self._slices[0].began <= now:
            self._slices.popleft()


def sum_of(slices: Iterable[Slice]) -> tuple[Counts, Counts]:
    sides: tuple[Counts, Counts] = (Counts(), Counts())
    for side, counts in chain.from_iterable(enumerate(each.sides) for each in slices):
        sides[side].add(counts)
    return sides


def _copies(sides: Sequence[Counts]) -> tuple[Counts, Counts]:
    control, canary = Counts(), Counts()
    control.add(sides[CONTROL])
    canary.add(sides[CANARY])
    return control, canary
