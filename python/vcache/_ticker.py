"""Work that is due every so often, for all caches of a process: one thread while there is any."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from time import monotonic

from ._locks import ForkLock

__all__ = ["Recurring", "Ticker", "ticker"]

_PATIENCE = 5.0  # seconds; work may wait for a lock of who removes it


class Recurring:
    """Work and when it is due next, by the clock of its ticker."""

    __slots__ = ("due", "every", "work")

    def __init__(self, work: Callable[[], object], every: float, due: float) -> None:
        self.work, self.every, self.due = work, every, due


class Ticker:
    """Runs work on one daemon thread, which starts with the first and ends with the last of it.

    One runs after the other, never two at once; one that raises is run again when it is due. A
    forked child has the work of its parent and a thread of its own. Thread-safe.
    """

    def __init__(
        self, clock: Callable[[], float] = monotonic, *, starts_threads: bool = True
    ) -> None:
        self._clock = clock
        self._starts_threads = starts_threads
        self._all: list[Recurring] = []
        self._lock = ForkLock()
        self._woken = threading.Event()
        self._running = threading.Lock()
        self._runs: Recurring | None = None  # who holds that
        self._thread: threading.Thread | None = None

    @property
    def is_idle(self) -> bool:
        """Whether there is neither work nor a thread."""
        with self._lock:
            return not self._all and self._thread is None

    def add(self, work: Callable[[], object], every: float) -> Recurring:
        """Has `work` run every so many seconds, for the first time when those are over."""
        recurring = Recurring(work, every, self._clock() + every)
        with self._lock:
            self._all.append(recurring)
            self._start()
        self._woken.set()
        return recurring

    def remove(self, recurring: Recurring) -> None:
        """Has it run no more. Waits while it runs, unless it calls this itself, at most 5 s."""
        with self._lock:
            if recurring in self._all:
                self._all.remove(recurring)
            is_own = self._thread is threading.current_thread()
            waits, running = self._runs is recurring and not is_own, self._running
        self._woken.set()
        if waits and running.acquire(timeout=_PATIENCE):
            running.release()

    def run_due(self) -> float | None:
        """Runs what is due; seconds until the next, None where there is no work."""
        with self._lock:
            now = self._clock()
            due = [each for each in self._all if each.due <= now]
        for each in due:
            self._run(each)
        with self._lock:
            if not self._all:
                return None
            return max(0.0, min(each.due for each in self._all) - self._clock())

    def after_fork_in_child(self) -> None:
        """The thread did not come along."""
        self._running = threading.Lock()
        self._runs = None
        self._woken = threading.Event()
        self._thread = None
        if self._all:
            self._start()

    def _run(self, recurring: Recurring) -> None:
        with self._running:
            with self._lock:
                if recurring not in self._all:
                    return
                self._runs = recurring
            try:
                recurring.work()
            except Exception:  # noqa: S110  # it tells of its own failures
                pass
            finally:
                self._runs = None
                recurring.due = self._clock() + recurring.every

    def _start(self) -> None:
        """Requires: the lock, or that no other thread is there."""
        if self._thread is not None or not self._starts_threads:
            return
        self._thread = threading.Thread(target=self._serve, name="vcache-ticker", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # the system has no more of them, or the interpreter ends
            self._thread = None

    def _serve(self) -> None:
        while True:
            wait = self.run_due()
            if wait is None:
                with self._lock:
                    if not self._all:
                        self._thread = None
                        return
                continue
            self._woken.wait(wait)
            self._woken.clear()


ticker = Ticker()

os.register_at_fork(after_in_child=ticker.after_fork_in_child)
