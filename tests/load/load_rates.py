"""The share of requests that hit, over time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

WINDOW = 0.1  # seconds
BACK = 0.9  # the share of an earlier hit rate that counts as that rate again


@dataclass(frozen=True)
class Window:
    start: float
    end: float
    hits: int
    misses: int

    @property
    def rate(self) -> float:
        return self.hits / (self.hits + self.misses)


class HitRates:
    """`counts()` are the hits and misses so far; watch() notes what each WINDOW adds."""

    def __init__(self, counts: Callable[[], tuple[int, int]]) -> None:
        self._counts = counts
        self._windows: list[Window] = []  # those in which there were requests

    def watch(self, stop: threading.Event) -> None:
        start, last = time.monotonic(), self._counts()
        while not stop.wait(WINDOW):
            now, counts = time.monotonic(), self._counts()
            hits, misses = (new - old for new, old in zip(counts, last, strict=True))
            if hits + misses:
                self._windows.append(Window(start, now, hits, misses))
            start, last = now, counts

    def lately(self, seconds: float = 1.0) -> float:
        """The hit rate of so many last seconds; 0 where there were no requests."""
        windows = self._since(time.monotonic() - seconds)
        hits, misses = sum(w.hits for w in windows), sum(w.misses for w in windows)
        return hits / (hits + misses) if windows else 0.0

    def below(self, rate: float, since: float) -> list[Window]:
        return [window for window in self._since(since) if window.rate < rate]

    def _since(self, start: float) -> list[Window]:
        return [window for window in list(self._windows) if window.start >= start]
