"""The two ways to call: in the calling thread, and from an event loop.

Everything above the core is written once, as coroutines over a Caller. Those of a Blocking caller
never suspend, so run_blocking() gets their result at once.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from inspect import isawaitable, iscoroutinefunction
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from . import _core
from ._background import Workers, blocked, factories, workers
from ._flight import Abandoned, Flight, Outcome, TimeUp, Work

if TYPE_CHECKING:
    from asyncio import Task
    from concurrent.futures import ThreadPoolExecutor

__all__ = ["Blocking", "Caller", "OnLoop", "run_blocking", "waiting_threads"]

T = TypeVar("T")

_MAX_THREADS = 16
_ALIVE_CHECK = 0.5  # seconds between looks at whether what is waited for can still end
_LEASE_CHECK = 0.01  # seconds between looks, which ask nobody, at whether a lease was given up
_LEASE_WAIT = 1.0

# A computation, to be run to its end.
Computation = Coroutine[Any, Any, None]


class Caller(Protocol):
    """How a coroutine of ours gets work done."""

    async def core(self, function: Callable[..., T], /, *args: Any) -> T:
        """Result of a call that may wait for Redis."""

    async def factory(self, work: Work, function: Callable[..., Any], /, *args: Any) -> Any:
        """Result of a user's function."""

    async def lead(self, work: Work, computation: Computation, end: Callable[[], None]) -> None:
        """Runs the computation, here or, if it goes on, in the background.

        Calls `end` when it is over, however that came.
        """

    def spawn(self, work: Work, computation: Computation, end: Callable[[], None]) -> None:
        """The same in the background, unless too much waits there already."""

    async def wait(self, flight: Flight, until: float | None = None) -> Outcome:
        """Outcome of a computation that anyone leads. Raises Abandoned if it has none.

        Raises TimeUp if it has none by `until`, a time of monotonic().
        """

    async def lease(self, watch: _core.TieredCache.LeaseWait) -> None:
        """Waits until a lease may be free."""


class Blocking:
    """Calls everything in the calling thread."""

    async def core(self, function: Callable[..., T], /, *args: Any) -> T:
        return function(*args)

    async def factory(self, work: Work, function: Callable[..., Any], /, *args: Any) -> Any:
        refuse_async(function)
        result = _call(function, *args)
        if isawaitable(result):
            getattr(result, "close", lambda: None)()  # a coroutine that is never awaited warns
            raise _async_factory(function)
        return result

    async def lead(self, work: Work, computation: Computation, end: Callable[[], None]) -> None:
        if work.goes_on and workers.submit(partial(_run_to_end, computation, end)):
            return
        try:
            await computation
        finally:
            end()

    def spawn(self, work: Work, computation: Computation, end: Callable[[], None]) -> None:
        if not workers.submit(partial(_run_to_end, computation, end)):
            computation.close()
            end()

    async def wait(self, flight: Flight, until: float | None = None) -> Outcome:
        if flight.future.done():
            return flight.future.result()
        from concurrent.futures import wait

        if flight.work.loop is not None:
            _refuse_own_loop(flight)
        with blocked():
            while not wait([flight.future], _pause(until)).done:
                _check_alive(flight)
                _check_time(until)
        return flight.future.result()

    async def lease(self, watch: _core.TieredCache.LeaseWait) -> None:
        while not watch.changed(_LEASE_WAIT):
            pass


class OnLoop:
    """Calls from a coroutine; what may wait for Redis (`offload`) goes to a shared thread pool."""

    def __init__(self, offload: bool) -> None:
        self._offload = offload

    async def core(self, function: Callable[..., T], /, *args: Any) -> T:
        if not self._offload:
            return function(*args)
        import asyncio

        call = partial(_call, function, *args)
        return await asyncio.get_running_loop().run_in_executor(waiting_threads(), call)

    async def to_the_end(self, function: Callable[..., T], /, *args: Any) -> T:
        """As core(), and done also where the caller is cancelled or its loop ends meanwhile."""
        if not self._offload:
            return function(*args)
        return await _in_worker(workers, partial(_call, function, *args))

    async def factory(self, work: Work, function: Callable[..., Any], /, *args: Any) -> Any:
        """A plain function runs in a worker thread, so that it does not hold up the loop."""
        if is_async(function):
            result = _call(function, *args)
        else:
            result = await _in_worker(factories, partial(_call, function, *args))
        return await result if isawaitable(result) else result

    async def lead(self, work: Work, computation: Computation, end: Callable[[], None]) -> None:
        self.spawn(work, computation, end)

    def spawn(self, work: Work, computation: Computation, end: Callable[[], None]) -> None:
        import asyncio

        work.loop = asyncio.get_running_loop()
        task = work.loop.create_task(computation)
        task.add_done_callback(partial(_end, end))
        work.cancel = partial(_cancel, work.loop, task)

    async def wait(self, flight: Flight, until: float | None = None) -> Outcome:
        import asyncio

        if flight.future.done():
            return flight.future.result()
        future = asyncio.wrap_future(flight.future)
        try:
            with blocked():  # where the loop is a worker's own
                if until is None and flight.work.loop is asyncio.get_running_loop():
                    return await future
                try:
                    while not (await asyncio.wait([future], timeout=_pause(until)))[0]:
                        _check_alive(flight)
                        _check_time(until)
                    return future.result()
                finally:
                    future.cancel()  # who left asks for no result
        finally:
            del future  # whose exception has this frame in its traceback

    async def lease(self, watch: _core.TieredCache.LeaseWait) -> None:
        import asyncio

        while not (watch.due() and await self.core(watch.changed, 0.0)):
            await asyncio.sleep(_LEASE_CHECK)


def run_blocking(coroutine: Coroutine[Any, Any, T]) -> T:
    """Result of a coroutine over a Blocking caller."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    coroutine.close()
    raise AssertionError("a blocking call was suspended")


def is_async(function: Callable[..., Any]) -> bool:
    """Whether `function` is a coroutine function, an object called as one, or a partial of one."""
    function = _inner(function)
    return iscoroutinefunction(function) or iscoroutinefunction(type(function).__call__)


def refuse_async(function: Callable[..., Any]) -> None:
    """Raises TypeError for a coroutine function."""
    if is_async(function):
        raise _async_factory(function)


def _async_factory(function: Callable[..., Any]) -> TypeError:
    return TypeError(
        f"{_name(function)} is async: allowed here is a plain function; await the a… twin"
    )


def _call(function: Callable[..., T], /, *args: Any) -> T:
    """Result of a function. Neither a future nor a coroutine can carry its StopIteration."""
    try:
        return function(*args)
    except StopIteration as error:
        raise RuntimeError(f"{_name(function)} raised StopIteration") from error


def _name(function: Callable[..., Any]) -> str:
    function = _inner(function)
    name: str = getattr(function, "__qualname__", type(function).__name__)
    return name


def _inner(function: Callable[..., Any]) -> Callable[..., Any]:
    """What a partial calls in the end."""
    while isinstance(function, partial):
        function = function.func
    return function


def _run_to_end(computation: Computation, end: Callable[[], None]) -> None:
    try:
        run_blocking(computation)
    finally:
        end()


async def _in_worker(pool: Workers, call: Callable[[], T]) -> T:
    """Result of a call in a thread of `pool`, or where none can be started in one of the loop's."""
    import asyncio
    from concurrent.futures import Future

    futures: list[Future[T]] = [Future()]  # that of the call, until it is over

    def run() -> None:
        future = futures.pop()
        try:
            result = call()
        except BaseException as error:
            future.set_exception(error)
        else:
            future.set_result(result)
        del future  # whose exception has this frame in its traceback

    futures[0].set_running_or_notify_cancel()
    awaited = asyncio.wrap_future(futures[0])
    try:
        if not pool.submit(run, bounded=False):
            return await asyncio.to_thread(call)
        return await awaited
    finally:
        del awaited  # the same


def _pause(until: float | None) -> float:
    return _ALIVE_CHECK if until is None else min(_ALIVE_CHECK, max(0.0, until - monotonic()))


def _check_time(until: float | None) -> None:
    if until is not None and monotonic() >= until:
        raise TimeUp


def _check_alive(flight: Flight) -> None:
    """Raises Abandoned for a computation that nobody will end."""
    if flight.work.is_dead:
        raise Abandoned


def _refuse_own_loop(flight: Flight) -> None:
    from asyncio import _get_running_loop

    if _get_running_loop() is flight.work.loop:
        raise RuntimeError(
            f"key {flight.key!r} is being computed on this event loop, which a blocking call would"
            " stop: await the a… twin instead"
        )


def _end(end: Callable[[], None], task: Task[None]) -> None:
    """Sees to a computation that was cancelled before its first step, and to its exception."""
    end()
    if not task.cancelled():
        task.exception()  # counts as retrieved: who waits has been told


def _cancel(loop: Any, task: Any) -> None:
    with suppress(RuntimeError):  # of a loop that is closed
        loop.call_soon_threadsafe(task.cancel)


class _Pool:
    """The threads that wait for Redis on behalf of event loops; started with their first work."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.executor: ThreadPoolExecutor | None = None


_shared = _Pool()


def waiting_threads() -> ThreadPoolExecutor:
    """The threads of this process that wait for Redis on behalf of event loops."""
    if _shared.executor is None:
        with _shared.lock:
            if _shared.executor is None:
                from concurrent.futures import ThreadPoolExecutor

                _shared.executor = ThreadPoolExecutor(_MAX_THREADS, thread_name_prefix="vcache")
    return _shared.executor


os.register_at_fork(after_in_child=_shared.__init__)  # type: ignore[misc]
