"""Single reads of coroutines: those of one turn of an event loop share one call of the core."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ._arguments import Key

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future
    from concurrent.futures import Executor

    Waiting = list[tuple[Key, Future[Any]]]

__all__ = ["Turns"]

_MOST = 256  # keys of one call: more would wait for each other's bytes


class Turns(threading.local):
    """Reads asked for in this turn of the thread's event loop; each thread has its own.

    `read(keys)` returns one value for each key, in order. It runs in `executor()`.
    """

    def __init__(
        self, read: Callable[[list[Key]], list[Any]], executor: Callable[[], Executor]
    ) -> None:
        self._read = read
        self._executor = executor
        self._loop: AbstractEventLoop | None = None
        self._waiting: Waiting = []

    def get(self, key: Key) -> Future[Any]:
        """What `read` returns for the key, to be awaited by one coroutine of the running loop."""
        from asyncio import get_running_loop

        loop = get_running_loop()
        if self._loop is not loop:  # one that stopped before its turn has no waiters any more
            self._loop, self._waiting = loop, []
        waiting, future = self._waiting, loop.create_future()
        waiting.append((key, future))
        if len(waiting) == 1:
            loop.call_soon(self._send, loop, waiting)
        elif len(waiting) == _MOST:
            self._waiting = []
        return future

    def _send(self, loop: AbstractEventLoop, waiting: Waiting) -> None:
        if self._waiting is waiting:
            self._waiting = []
        wanted = [(key, future) for key, future in waiting if not future.done()]
        if not wanted:  # all of them were cancelled
            return
        try:
            self._executor().submit(_serve, loop, self._read, wanted)
        except Exception as error:  # such as that of an executor that is shut down
            _end(wanted, None, error)


def _serve(
    loop: AbstractEventLoop, read: Callable[[list[Key]], list[Any]], waiting: Waiting
) -> None:
    """Reads for all of them, in a thread of the executor, and has the loop hand it out."""
    values, failure = None, None
    try:
        values = read([key for key, _ in waiting])
    except BaseException as error:
        failure = error
    with suppress(RuntimeError):  # of a loop that is closed: nobody waits
        loop.call_soon_threadsafe(_end, waiting, values, failure)


def _end(waiting: Waiting, values: list[Any] | None, failure: BaseException | None) -> None:
    for index, (_, future) in enumerate(waiting):
        if future.done():  # its waiter left
            continue
        if values is not None:
            future.set_result(values[index])
        elif failure is not None:
            future.set_exception(failure)
