"""Work that a user starts beside the calls, follows and cancels: one thread for each."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from typing import Generic, TypeVar

from ._locks import ForkLock
from ._messages import shown

__all__ = ["Job", "JobRunner", "Jobs"]

R = TypeVar("R")


class Job(Generic[R]):
    """A handle of work in the background. Thread-safe.

    It ends by itself, by cancel(), and with its cache. In a forked child it is over: the thread
    is the parent's.
    """

    def __init__(self, run: Callable[[Job[R]], None], report: Callable[[], R]) -> None:
        self._run = run
        self._report = report
        self._stop = threading.Event()
        self._ended = threading.Event()
        self._error: BaseException | None = None
        self._process = os.getpid()

    @property
    def done(self) -> bool:
        """Whether it has ended, however that came."""
        return self._ended.is_set() or self._is_inherited

    @property
    def cancelled(self) -> bool:
        """Whether it was told to end early."""
        return self._stop.is_set()

    @property
    def progress(self) -> R:
        """What it has come to so far."""
        return self._report()

    def cancel(self) -> None:
        """Has it end after the batch at hand. Idempotent; does not wait."""
        if not self._is_inherited:  # its locks may be another thread's
            self._stop.set()

    def wait(self, timeout: float | None = None) -> R:
        """Waits for its end; what it came to.

        timeout: seconds; TimeoutError when it goes on by then. Raises what ended it, where that was
        an exception of the iterable that it was given, or of a function beside the factory.
        """
        if timeout is not None and (
            isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not timeout >= 0
        ):
            raise ValueError(f"timeout={shown(timeout)}: allowed are None and seconds from 0 on")
        if not self._is_inherited and not self._ended.wait(timeout):
            raise TimeoutError(f"it goes on after timeout={timeout} seconds")
        if self._error is not None:
            raise self._error
        return self._report()

    @property
    def _is_inherited(self) -> bool:
        return os.getpid() != self._process

    def _is_over(self, seconds: float = 0.0) -> bool:
        """Whether it is to end, asked for that long."""
        return self._stop.wait(seconds) if seconds > 0 else self._stop.is_set()

    def _serve(self) -> None:
        try:
            self._run(self)
        except BaseException as error:  # for whoever waits
            self._error = error
        finally:
            self._run = _nothing  # with what it holds
            self._ended.set()


class Jobs:
    """The jobs of one cache, which end with it. Thread-safe."""

    def __init__(self) -> None:
        self._all: weakref.WeakSet[Job[object]] = weakref.WeakSet()
        self._are_over = False
        self._lock = ForkLock()

    def start(self, job: Job[R]) -> None:
        """Of a closed cache it is over at once. RuntimeError where there are no more threads."""
        thread = threading.Thread(target=job._serve, name="vcache-job", daemon=True)
        with self._lock:
            if self._are_over:
                job.cancel()
            self._all.add(job)  # type: ignore[arg-type]
        thread.start()

    def end(self) -> None:
        """Cancels all, and what is started later."""
        with self._lock:
            self._are_over = True
            for job in list(self._all):
                job.cancel()


class JobRunner:
    """A cache whose jobs end with it."""

    @property
    def _jobs(self) -> Jobs:
        jobs = self.__dict__.get("_started_jobs")
        if jobs is None:
            jobs = self.__dict__.setdefault("_started_jobs", Jobs())
        return jobs  # type: ignore[no-any-return]

    def close(self) -> None:
        """Closes the connections, frees the memory tier and writes the access log to its end.

        Ends what warm(), refresh_hot(), prefetch() and a migration have under way. Values handed
        out stay valid.
        """
        self._jobs.end()
        super().close()  # type: ignore[misc]


def _nothing(job: object) -> None:
    return None
