"""Work that goes on beside the calls: a few shared threads, and a log of what failed there."""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import copy_context
from time import monotonic
from typing import TypeVar

from ._locks import ForkLock
from .logs import tell

__all__ = ["FailureLog", "Workers", "blocked", "factories", "tell_listener", "workers"]

_MOST_THREADS = 16
_MOST_FACTORIES = 32  # as many as asyncio would have
_MOST_WAITING = 1024
_IDLE = 10.0  # seconds after which a thread without work ends
_LOG_EVERY = 60.0

_log = logging.getLogger("vcache")

T = TypeVar("T")


class Workers:
    """Daemon threads, started when there is work: they keep no interpreter alive. Thread-safe.

    Work that is handed over by work gets a thread of its own, so that none waits for its own
    thread; and a thread that is blocked() does not count, so that none waits for what is queued
    behind it.
    """

    def __init__(self, most: int = _MOST_THREADS) -> None:
        self._most = most
        self._ready = threading.Condition(threading.Lock())
        self._waiting: deque[Callable[[], object]] = deque()
        self._idle = 0
        self._threads = 0
        self._blocked = 0  # of those threads

    def submit(self, work: Callable[[], object], *, bounded: bool = True) -> bool:
        """Has `work` run in a copy of the caller's context.

        False where too much waits already, if that is `bounded`, or no thread can be started.
        """
        call = _in_context(work)
        if _here.is_worker:
            return _start(_once, call)
        with self._ready:
            if bounded and len(self._waiting) >= _MOST_WAITING:
                return False
            self._waiting.append(call)
            if not self._grow() and self._threads == self._blocked:
                self._waiting.pop()
                return False
            self._ready.notify()
        return True

    def count_blocked(self, change: int) -> None:
        """One more of the threads waits for other work, or one less."""
        with self._ready:
            self._blocked += change
            self._grow()

    def _grow(self) -> bool:
        """Starts a thread if there is work for one more. False where that is not possible.

        Requires: the lock.
        """
        running = self._threads - self._blocked
        if self._idle >= len(self._waiting) or running >= self._most:
            return True
        self._threads += 1
        if _start(self._serve):
            return True
        self._threads -= 1
        return False

    def _serve(self) -> None:
        _here.pool = self
        while (call := self._next()) is not None:
            _once(call)
            del call  # with all that it holds, before the wait for another

    def _next(self) -> Callable[[], object] | None:
        """Work to do, or None when the thread is to end."""
        with self._ready:
            if self._threads - self._blocked > self._most:  # some were blocked until now
                self._threads -= 1
                return None
            self._idle += 1
            try:
                has_work = self._ready.wait_for(lambda: self._waiting, _IDLE)
            finally:
                self._idle -= 1
            if not has_work:
                self._threads -= 1
                return None
            return self._waiting.popleft()


class _Here(threading.local):
    """Of the running thread: whether it does such work, whose it is, and how often it is blocked.

    A thread that was started for one work is nobody's.
    """

    is_worker = False
    pool: Workers | None = None
    depth = 0


_here = _Here()


@contextmanager
def blocked() -> Iterator[None]:
    """Tells that the running thread waits for other work meanwhile."""
    pool = _here.pool
    if pool is None:
        yield
        return
    _here.depth += 1
    if _here.depth == 1:
        pool.count_blocked(1)
    try:
        yield
    finally:
        _here.depth -= 1
        if _here.depth == 0:
            pool.count_blocked(-1)


def _start(target: Callable[..., object], *args: object) -> bool:
    """Whether a thread could be started."""
    try:
        threading.Thread(target=target, args=args, name="vcache", daemon=True).start()
    except RuntimeError:  # the system has no more of them
        return False
    return True


def _once(call: Callable[[], object]) -> None:
    _here.is_worker = True
    with suppress(BaseException):  # whoever waits for it has been told
        call()


def _in_context(work: Callable[[], object]) -> Callable[[], object]:
    context = copy_context()
    return lambda: context.run(work)


class FailureLog:
    """Counts failures that no caller sees, and logs them once a minute at most. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._lock = ForkLock()
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
        tell(
            _log,
            logging.WARNING,
            "factory_failed",
            "a factory failed with {error} where an older value could be served: {count} since the"
            " last such line",
            error=type(error).__name__,  # its text may hold anything
            count=since,
        )


def tell_listener(listener: Callable[[T], object] | None, told: T, of: str) -> None:
    """Calls a function of the user's, of which nothing depends; logs what it raises."""
    if listener is None:
        return
    try:
        listener(told)
    except Exception as error:  # whatever that is
        kind = type(error).__name__
        tell(_log, logging.WARNING, "listener_failed", "{of} raised {error}", of=of, error=kind)


workers = Workers()
factories = Workers(_MOST_FACTORIES)  # for the plain ones of coroutines


def _reset_after_fork() -> None:
    """None of the threads is there in the child."""
    workers.__init__()  # type: ignore[misc]
    factories.__init__(_MOST_FACTORIES)  # type: ignore[misc]
    _here.__dict__.clear()


os.register_at_fork(after_in_child=_reset_after_fork)
