"""Texts that were asked for, and that the new model is yet to embed."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from itertools import islice

__all__ = ["Waiting"]

_LONGEST = 0.5  # seconds of one wait


class Waiting:
    """Distinct texts, the oldest first, of which at most `most` wait. Thread-safe.

    It takes texts only while a job is there to take them.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._ready = threading.Condition(threading.Lock())
        self._texts: dict[str, None] = {}
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._texts)

    def add(self, texts: Iterable[str]) -> None:
        """Drops, and counts, what there is no room for."""
        if self._most == 0:
            return
        with self._ready:
            for text in texts:
                if text in self._texts or len(self._texts) < self._most:
                    self._texts[text] = None
                else:
                    self.dropped += 1
            self._ready.notify()

    def take(self, most: int, *, wait: bool = False) -> list[str]:
        """Up to so many; waits a moment for the first."""
        with self._ready:
            if wait and not self._texts:
                self._ready.wait(_LONGEST)
            taken = list(islice(self._texts, most))
            for text in taken:
                del self._texts[text]
            return taken

    def wake(self) -> None:
        with self._ready:
            self._ready.notify_all()
