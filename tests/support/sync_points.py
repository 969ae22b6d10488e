"""Orders threads and coroutines without sleeping."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from polling import wait_until

from vcache._callers import Blocking, OnLoop
from vcache._flight import Flight, Outcome

DEADLINE = 30.0  # seconds; a test that waits longer has failed


class Waiters:
    """Counts the callers who have joined a computation and are about to wait for it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._arrived = threading.Semaphore(0)
        for caller in (Blocking, OnLoop):
            monkeypatch.setattr(caller, "wait", self._noting(caller.wait))

    def wait_for(self, count: int) -> None:
        """Returns when `count` more callers wait."""
        for _ in range(count):
            assert self._arrived.acquire(timeout=DEADLINE)

    def _noting(self, wait: Callable[..., Any]) -> Callable[..., Any]:
        async def noted(caller: Any, flight: Flight, until: float | None = None) -> Outcome:
            if not flight.future.done():
                self._arrived.release()
            return await wait(caller, flight, until)

        return noted


class LeaseWaiters:
    """Counts the callers who at the moment wait for the lease of another process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self._lock = threading.Lock()
        for caller in (Blocking, OnLoop):
            monkeypatch.setattr(caller, "lease", self._counting(caller.lease))

    def wait_for(self, count: int) -> None:
        """Returns when that many wait."""
        wait_until(lambda: self.count == count, DEADLINE, "callers who wait for a lease")

    def _counting(self, lease: Callable[..., Any]) -> Callable[..., Any]:
        async def counted(caller: Any, watch: Any) -> None:
            self._add(1)
            try:
                await lease(caller, watch)
            finally:
                self._add(-1)

        return counted

    def _add(self, number: int) -> None:
        with self._lock:
            self.count += number


def in_threads(*functions: Callable[[], Any]) -> list[Any]:
    """Results of the functions, each called in a thread of its own, or their exceptions."""
    results: list[Any] = [None] * len(functions)

    def run(index: int) -> None:
        try:
            results[index] = functions[index]()
        except BaseException as error:
            results[index] = error

    threads = [threading.Thread(target=run, args=(i,), daemon=True) for i in range(len(functions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
        assert not thread.is_alive(), "a thread hangs"
    return results
