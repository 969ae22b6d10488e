"""Where get_or_set's values come from."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass


@dataclass(frozen=True)
class Asked:
    """calls: how many were answered. most: at the source at once, waiting or not; most_of_a_key:
    of those for one key.
    """

    calls: int = 0
    most: int = 0
    most_of_a_key: int = 0


class Source:
    """Answers no more than `rate` calls a second, one at a time; 0: at once. Thread-safe."""

    def __init__(self, rate: float = 0.0) -> None:
        self._seconds = 1 / rate if rate else 0.0
        self._turn = threading.Lock()
        self._lock = threading.Lock()
        self._asking: Counter[int] = Counter()
        self._asked = Asked()

    @property
    def asked(self) -> Asked:
        with self._lock:
            return self._asked

    def ask(self, key: int) -> None:
        """Returns when the call is answered."""
        self._note(key, 1)
        try:
            if self._seconds:
                with self._turn:
                    time.sleep(self._seconds)
        finally:
            self._note(key, -1)

    def _note(self, key: int, change: int) -> None:
        with self._lock:
            self._asking[key] += change
            self._asked = Asked(
                calls=self._asked.calls + (change < 0),
                most=max(self._asked.most, self._asking.total()),
                most_of_a_key=max(self._asked.most_of_a_key, self._asking[key]),
            )
            if not self._asking[key]:
                del self._asking[key]
