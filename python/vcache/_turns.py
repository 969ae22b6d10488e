"""Single reads of coroutines: those of one turn of an event loop share one call of the core."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any

from ._arguments import Key

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future
    from concurrent.futures import Executor

    Waiting = list[tuple[Key, Future[Any]]]

__all__ = ["Turns"]

_MOST = 256  # keys of one call: more would wait for each other's bytes


class Turns:
    """Reads asked for in this turn of each running event loop.

    `read(keys)` returns one value for each key, in order. It runs in `executor()`. Used under the
    GIL: each step is one operation of a dict, and a loop has its own entry.
    """

    def __init__(
        self, read: Callable[[list[Key]], list[Any]], executor: Callable[[], Executor]
    ) -> None:
        self._read = read
        self._executor = executor
        self._waiting: dict[AbstractEventLoop, Waiting] = {}

    def get(self, key: Key) -> Future[Any]:
        """What `read` returns for the key, to be awaited by one coroutine of the running loop."""
        loop = _running_loop_of()()
        future: Future[Any] = loop.create_future()
        waiting = self._waiting.get(loop)
        if waiting is None:
            waiting = self._begin(loop)
        waiting.append((key, future))
        if len(waiting) == _MOST:
            self._waiting.pop(loop, None)
        return future

    def _begin(self, loop: AbstractEventLoop) -> Waiting:
        for other in list(self._waiting):  # one that was closed before its turn
            if other.is_closed():
                self._waiting.pop(other, None)
        waiting: Waiting = []
        self._waiting[loop] = waiting
        loop.call_soon(self._send, loop, waiting)
        return waiting

    def _send(self, loop: AbstractEventLoop, waiting: Waiting) -> None:
        if self._waiting.get(loop) is waiting:
            self._waiting.pop(loop, None)
        wanted = [(key, future) for key, future in waiting if not future.done()]
        if not wanted:  # all of them were cancelled
            return
        try:
            self._executor().submit(_serve, loop, self._read, wanted)
        except Exception as error:  # such as that of an executor that is shut down
            _end(wanted, None, error)


@cache
def _running_loop_of() -> Callable[[], AbstractEventLoop]:
    from asyncio import get_running_loop

    return get_running_loop


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
