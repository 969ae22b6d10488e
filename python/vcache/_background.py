"""Work that nobody waits for: a few shared threads, and a log of what failed there."""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from time import monotonic

__all__ = ["FailureLog", "Workers", "workers"]

_MOST_THREADS = 16
_MOST_WAITING = 1024
_IDLE = 10.0  # seconds after which a thread without work ends
_LOG_EVERY = 60.0

_log = logging.getLogger("vcache")
_log.addHandler(logging.NullHandler())  # only a program that asks for it gets a log


class Workers:
    """Daemon threads, started when there is work: they keep no interpreter alive. Thread-safe.

    Work that is handed over by work gets a thread of its own, so that none waits for its own
    thread.
    """

    def __init__(self) -> None:
        self._ready = threading.Condition(threading.Lock())
        self._waiting: deque[Callable[[], object]] = deque()
        self._idle = 0
        self._threads = 0
        self._local = threading.local()

    def submit(self, work: Callable[[], object]) -> bool:
        """Has `work` run in a copy of the caller's context. False where too much waits already."""
        call = _in_context(work)
        if getattr(self._local, "is_worker", False):
            threading.Thread(target=self._once, args=(call,), name="vcache", daemon=True).start()
            return True
        with self._ready:
            if len(self._waiting) >= _MOST_WAITING:
                return False
            self._waiting.append(call)
            if self._idle < len(self._waiting) and self._threads < _MOST_THREADS:
                threading.Thread(target=self._serve, name="vcache", daemon=True).start()
                self._threads += 1
            else:
                self._ready.notify()
        return True

    def _serve(self) -> None:
        while (call := self._next()) is not None:
            self._once(call)

    def _next(self) -> Callable[[], object] | None:
        """Work to do, or None when the thread is to end."""
        with self._ready:
            self._idle += 1
            try:
                has_work = self._ready.wait_for(lambda: self._waiting, _IDLE)
            finally:
                self._idle -= 1
            if not has_work:
                self._threads -= 1
                return None
            return self._waiting.popleft()

    def _once(self, call: Callable[[], object]) -> None:
        self._local.is_worker = True
        with suppress(BaseException):  # whoever waits for it has been told
            call()


def _in_context(work: Callable[[], object]) -> Callable[[], object]:
    context = copy_context()
    return lambda: context.run(work)


class FailureLog:
    """Counts failures that no caller sees, and logs them once a minute at most. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._next = -1.0
        self._since = 0
        self.count = 0

    def note(self, error: BaseException) -> None:
        with self._lock:
            self.count += 1
            self._since += 1
            now = self._clock()
            if now < self._next:
                return
            self._next, since, self._since = now + _LOG_EVERY, self._since, 0
        _log.warning(
            "a factory failed with %s where an older value could be served: %d since the last"
            " such line",
            type(error).__name__,  # its text may hold anything
            since,
        )


workers = Workers()

os.register_at_fork(after_in_child=workers.__init__)  # type: ignore[misc]
