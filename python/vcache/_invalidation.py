"""Invalidating what a write makes wrong, once it has succeeded."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Sequence
from functools import wraps
from types import TracebackType
from typing import Any, TypeVar

from ._callers import is_async
from .errors import RedisError

__all__ = ["OnWrite", "run_all"]

F = TypeVar("F", bound=Callable[..., Any])


class OnWrite:
    """A context manager and decorator whose end invalidates, unless that is an exception."""

    def __init__(
        self,
        invalidate: Callable[[], object],
        ainvalidate: Callable[[], Coroutine[Any, Any, object]],
    ) -> None:
        self._invalidate = invalidate
        self._ainvalidate = ainvalidate

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self._invalidate()

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            await self._ainvalidate()

    def __call__(self, function: F) -> F:
        """`function`, sync or async, with an invalidation behind each call that returns."""
        if not callable(function):
            raise TypeError(
                f"function={function!r} of type {type(function).__name__}: allowed is a callable"
            )
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(
                f"function={function!r} is a generator: allowed are functions and coroutine"
                " functions, whose end is the write's"
            )
        wrapper: Any

        if is_async(function):

            @wraps(function)
            async def wrapper(*args: Any, **kwargs: Any) -> Any:
                async with self:
                    return await function(*args, **kwargs)
        else:

            @wraps(function)
            def wrapper(*args: Any, **kwargs: Any) -> Any:
                with self:
                    result = function(*args, **kwargs)
                    if inspect.isawaitable(result):
                        _close(result)
                        raise TypeError(
                            f"{function!r} returned an awaitable, before its write: allowed are"
                            " functions, and coroutine functions declared as such"
                        )
                    return result

        return wrapper  # type: ignore[no-any-return]


def run_all(calls: Sequence[Callable[[], object]]) -> None:
    """Each of the calls; the first exception of a RedisError's kind is raised at the end."""
    first: RedisError | None = None
    for call in calls:
        try:
            call()
        except RedisError as error:
            first = first or error
    if first is not None:
        raise first


def _close(awaitable: object) -> None:
    """So that a coroutine nobody awaits gives no warning."""
    if inspect.iscoroutine(awaitable):
        awaitable.close()
