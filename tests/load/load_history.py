"""Which versions of a key a read may return.

A read must return a value whose write could have been the last to take effect, or nothing. A write
or deletion that surely took effect ends every version whose own write was over before it began;
reads that begin later may not see those. One that met a fault took effect at some time until
settle(), or not at all: it ends nothing, and nothing ends it before. Nor does what get_or_set
stored end anything: it leaves alone what was written since it was asked.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from math import inf

import numpy as np
from load_vectors import Numbers
from numpy.typing import NDArray

LONGEST_CALL = 10.0  # seconds; versions that ended so long ago are forgotten, and so never right


@dataclass(slots=True)
class _Version:
    begun: float
    done: float = inf  # from here on it has taken effect, if ever
    ended: float = inf  # reads that begin later must not return it
    in_doubt: bool = False


class History:
    """Thread-safe. Keys are 0 … count-1; versions of a key count from 1."""

    def __init__(self, count: int) -> None:
        self._lock = threading.Lock()
        self._next = [1] * count
        self._versions: list[dict[int, _Version]] = [{} for _ in range(count)]
        # The one version that a read may return, where there is one only; 0 where there are more.
        self._settled = np.zeros(count, np.uint64)
        self._in_doubt: list[_Version] = []

    def begin_write(self, keys: Iterable[int]) -> Numbers:
        """The version for each key; the call that writes them follows."""
        now = time.monotonic()
        versions = []
        with self._lock:
            for key in keys:
                version = self._next[key]
                self._next[key] = version + 1
                self._versions[key][version] = _Version(now)
                self._settled[key] = 0
                versions.append(version)
        return np.array(versions, np.uint64)

    def end_write(self, keys: Iterable[int], versions: Numbers, *, sure: bool) -> None:
        """sure: no fault was met, so each took effect."""
        now = time.monotonic()
        with self._lock:
            for key, version in zip(keys, versions.tolist(), strict=True):
                written = self._versions[key][version]
                self._end_own(written, now, sure=sure)
                if sure:
                    self._end_older(key, written.begun, now)

    def end_fill(self, keys: Iterable[int], versions: Numbers, *, sure: bool) -> None:
        """Ends nothing: a fill that met a newer value has left that one where it was."""
        now = time.monotonic()
        with self._lock:
            for key, version in zip(keys, versions.tolist(), strict=True):
                self._end_own(self._versions[key][version], now, sure=sure)

    def end_delete(self, keys: Iterable[int], begun: float, *, sure: bool) -> None:
        if sure:
            now = time.monotonic()
            with self._lock:
                for key in keys:
                    self._end_older(key, begun, now)

    def settle(self) -> None:
        """No call of the past takes effect after this: what they met is over."""
        now = time.monotonic()
        with self._lock:
            for version in self._in_doubt:
                version.done = min(version.done, now)
            self._in_doubt.clear()

    def undo_since(self, moment: float) -> None:
        """Of what took effect since then any may be lost, as where a replica that lags takes over.

        What it ended is right again, until a later write ends it. No call of before is under way.
        """
        with self._lock:
            for key, versions in enumerate(self._versions):
                for version in versions.values():
                    if moment <= version.ended < inf:
                        version.ended = inf
                        self._settled[key] = 0

    def may_return(self, keys: Numbers, versions: Numbers, begun: float) -> NDArray[np.bool_]:
        """For each key whether a read that began then may have returned that version."""
        right = self._settled[keys] == versions
        for index in np.flatnonzero(~right).tolist():
            right[index] = self._is_right(int(keys[index]), int(versions[index]), begun)
        return right

    def _is_right(self, key: int, version: int, begun: float) -> bool:
        with self._lock:
            found = self._versions[key].get(version)
            return found is not None and found.ended >= begun

    def _end_own(self, written: _Version, now: float, *, sure: bool) -> None:
        if sure:
            written.done = now
        else:
            written.in_doubt = True
            self._in_doubt.append(written)

    def _end_older(self, key: int, begun: float, now: float) -> None:
        versions = self._versions[key]
        for number, version in list(versions.items()):
            if version.done < begun:
                version.ended = min(version.ended, now)
                if version.ended < now - LONGEST_CALL:
                    del versions[number]
        live = [number for number, version in versions.items() if version.ended == inf]
        self._settled[key] = live[0] if len(live) == 1 and not self._is_open(key, live[0]) else 0

    def _is_open(self, key: int, version: int) -> bool:
        return self._versions[key][version].done == inf
