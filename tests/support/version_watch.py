"""Readers that judge each version which comes back by when a newer one was known to be stored."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from redis_figures import coherence

from vcache import Cache

PAUSE = 0.0005  # between the reads of a thread, which would leave the others no time


@dataclass(frozen=True)
class Read:
    began: float
    ended: float
    key: str
    version: int | None
    stale: bool
    tier: str | None


class VersionWatch:
    """Threads that look keys up all the time, in a `with` statement, and one that notes the state
    of the links. Versions are numbers that grow; one writer tells when one was stored."""

    def __init__(self, cache: Cache, keys: Sequence[str], threads: int = 3) -> None:
        self.cache = cache
        self.keys = list(keys)
        self.reads: list[Read] = []
        self.states: list[tuple[float, str]] = []
        self.failures: list[BaseException] = []
        self._stored: dict[str, list[tuple[float, int]]] = {key: [] for key in keys}
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._read, args=(i,)) for i in range(threads)]
        self._threads.append(threading.Thread(target=self._note_states))

    def stored(self, key: str, version: int) -> None:
        """The version is in Redis by now."""
        self._stored[key].append((time.monotonic(), version))

    def too_old(self, bound: float) -> list[Read]:
        """What was served as fresh longer than that after a newer version was stored."""
        return [
            read
            for read in self.reads
            if read.version is not None
            and not read.stale
            and read.version < self._wanted(read.key, read.began - bound)
        ]

    def tally(self) -> Counter[str]:
        """The reads by what they got: a tier, "stale" or "nothing"."""
        return Counter(
            "nothing" if read.version is None else "stale" if read.stale else str(read.tier)
            for read in self.reads
        )

    def wait_for_reads(self, count: int) -> None:
        """Returns when so many more keys were looked up."""
        until = len(self.reads) + count
        while len(self.reads) < until and not self.failures:
            self._stop.wait(PAUSE)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _wanted(self, key: str, by: float) -> int:
        return next((version for at, version in reversed(self._stored[key]) if at <= by), 0)

    def _read(self, number: int) -> None:
        draw = random.Random(number)
        try:
            while not self._stop.wait(PAUSE):
                key = draw.choice(self.keys)
                began = time.monotonic()
                found = self.cache.lookup(key)
                ended = time.monotonic()
                version = found.value if found.hit else None
                self.reads.append(Read(began, ended, key, version, found.stale, found.tier))
        except BaseException as error:
            self.failures.append(error)

    def _note_states(self) -> None:
        while not self._stop.wait(PAUSE):
            self.states.append((time.monotonic(), coherence(self.cache)))
