"""Which computations wait for which: of several that would wait in a circle, the last one fails."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._flight import Claim, Flight, Work

__all__ = ["waits"]


class Waits:
    """Which computations wait for which, in all caches. Thread-safe.

    A claim adds its edges in the same step in which it is checked against those there are, so that
    of several claims that would close a circle the last one fails.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def add(self, claim: Claim) -> None:
        """What the caller is part of waits for `joined`. Raises RuntimeError for a circle."""
        if not claim.inside:
            return
        with self._lock:
            for flight in claim.joined:
                _check_no_circle(flight, claim.inside)
            for work in claim.inside:
                work.awaits += [flight.work for flight in claim.joined]

    def drop(self, claim: Claim) -> None:
        if not claim.inside:
            return
        with self._lock:
            for work in claim.inside:
                for flight in claim.joined:
                    work.awaits.remove(flight.work)


waits = Waits()


def _check_no_circle(flight: Flight, inside: tuple[Work, ...]) -> None:
    if any(work in inside for work in _reachable(flight.work)):
        raise RuntimeError(
            f"key {flight.key!r} is asked for from within its own factory, which never ends: a task"
            " that it does not wait for may be begun in another context, as by create_task(…,"
            " context=contextvars.Context())"
        )


def _reachable(work: Work) -> Iterator[Work]:
    """`work` and all that it waits for, up to what is dead and no longer waited for."""
    seen: set[int] = set()
    pending = [work]
    while pending:
        current = pending.pop()
        if id(current) not in seen and not current.is_dead:
            seen.add(id(current))
            yield current
            pending.extend(current.awaits)
