"""Orders threads and coroutines without sleeping."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from vcache import _callers
from vcache._flight import Flight

DEADLINE = 30.0  # seconds; a test that waits longer has failed


class Waiters:
    """Counts the callers who have joined a computation and are about to wait for it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._arrived = threading.Semaphore(0)
        self._original = _callers.waiting_for
        monkeypatch.setattr(_callers, "waiting_for", self._noted)

    def wait_for(self, count: int) -> None:
        """Returns when `count` more callers wait."""
        for _ in range(count):
            assert self._arrived.acquire(timeout=DEADLINE)

    @contextmanager
    def _noted(self, flight: Flight) -> Iterator[None]:
        with self._original(flight):
            self._arrived.release()
            yield


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
