"""What a cached function may say of its result while it runs: vcache.current()."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, replace
from inspect import isawaitable
from typing import Any

from ._arguments import Ttl, tag_list, ttl_argument
from ._callers import is_async
from ._core import DEFAULT
from ._filling import Storing
from ._naming import full_name

__all__ = ["CurrentCall", "Made", "Tags", "amended", "current", "noted"]

# The call of a cached function that the running code is part of, the innermost.
_running: ContextVar[CurrentCall | None] = ContextVar("vcache_call", default=None)


class Tags:
    """The tags that a result gets beside those it has anyway, at most 64 with these."""

    __slots__ = ("_call", "_tags")

    def __init__(self, call: CurrentCall) -> None:
        self._call = call
        self._tags: dict[bytes, None] = {}

    def add(self, *tags: str | bytes) -> None:
        """Raises TypeError or ValueError for what is no tag, and for more than 64 of them."""
        self.update(tags)

    def update(self, tags: Iterable[str | bytes]) -> None:
        """As add(), of an iterable."""
        self._call._check_runs()
        self._tags = dict.fromkeys(tag_list([*self._tags, *tags]))

    def __contains__(self, tag: object) -> bool:
        return (tag.encode() if isinstance(tag, str) else tag) in self._tags

    def __iter__(self) -> Iterator[str]:
        return (tag.decode(errors="surrogateescape") for tag in self._tags)

    def __len__(self) -> int:
        return len(self._tags)

    def __repr__(self) -> str:
        return f"Tags({list(self)})"


class CurrentCall:
    """The running call of a cached function, and how its result is to be stored.

    ttl: time to live of the result in seconds; None: no expiry. Set it to seconds, a timedelta or
        "1h30m". With a `negative_ttl`, what is set here goes for a None too. `refresh_ahead` and
        `beta` go by the time to live that the decorator was given.
    tags: add(), update(): tags of the result. What ended one of them since the call began has ended
        the result.
    skip(): the result is not stored.
    similarity: under `similar`, that of the nearest answered query, which did not answer this call:
        a cosine similarity; None for none that is near.

    Raises RuntimeError where it is changed once the function has returned. Of a batch, all this
    goes for each value that the call computes. What several threads of one function say is taken in
    their order.
    """

    __slots__ = ("_default", "_is_over", "_skipped", "_ttl", "similarity", "tags")

    def __init__(self, ttl: Any, default: float | None) -> None:
        self._ttl: Any = DEFAULT
        self._default = default if ttl is DEFAULT else ttl
        self._skipped = self._is_over = False
        self.similarity: float | None = None
        self.tags = Tags(self)

    @property
    def ttl(self) -> float | None:
        ttl: float | None = self._default if self._ttl is DEFAULT else self._ttl
        return ttl

    @ttl.setter
    def ttl(self, ttl: Ttl) -> None:
        self._check_runs()
        self._ttl = ttl_argument(ttl)

    @property
    def skipped(self) -> bool:
        """Whether skip() was called."""
        return self._skipped

    def skip(self) -> None:
        """Has the result not be stored; who waits for it gets it."""
        self._check_runs()
        self._skipped = True

    def amend(self, storing: Storing) -> Storing:
        """How the result is stored, after all that was said here."""
        if self.tags:
            late = tag_list([*storing.tags, *self.tags._tags])[len(storing.tags) :]
            storing = replace(storing, late_tags=tuple(late))
        if self._ttl is not DEFAULT:
            freshness = replace(storing.freshness, negative_ttl=None)
            storing = replace(storing, ttl=self._ttl, freshness=freshness)
        return replace(storing, wanted=_nothing) if self._skipped else storing

    def _check_runs(self) -> None:
        if self._is_over:
            raise RuntimeError("the call of this cached function is over: its result is made")

    def __repr__(self) -> str:
        return f"CurrentCall(ttl={self.ttl}, tags={list(self.tags)}, skipped={self._skipped})"


def current() -> CurrentCall:
    """The call of a cached function that the running code is part of, of several the innermost.

    Also in threads and tasks that have the function's context. Raises RuntimeError elsewhere: the
    function may have been called by its `__wrapped__`, or is over.
    """
    call = _running.get()
    if call is None or call._is_over:
        raise RuntimeError(
            "current() outside of a cached function: allowed is the code that one calls to compute"
            " its result"
        )
    return call


@dataclass(frozen=True, slots=True)
class Made:
    """A result, and what was said of it."""

    result: Any
    call: CurrentCall


def amended(made: Made, storing: Storing) -> Storing:
    return made.call.amend(storing)


def noted(function: Callable[..., Any], begin: Callable[[], CurrentCall]) -> Callable[..., Any]:
    """The function, sync or async as it is, with its result as a Made of a call that `begin` makes.

    An awaitable that a plain function returns stays as it is.
    """
    run: Any

    if is_async(function):

        async def run(*args: Any, **named: Any) -> Any:
            with _within(begin()) as call:
                return Made(await function(*args, **named), call)
    else:

        def run(*args: Any, **named: Any) -> Any:
            with _within(begin()) as call:
                result = function(*args, **named)
            return result if isawaitable(result) else Made(result, call)

    run.__qualname__ = getattr(function, "__qualname__", full_name(function))  # for errors
    return run  # type: ignore[no-any-return]


@contextmanager
def _within(call: CurrentCall) -> Iterator[CurrentCall]:
    token = _running.set(call)
    try:
        yield call
    finally:
        call._is_over = True
        with suppress(ValueError):  # of a coroutine that is thrown away, in another context
            _running.reset(token)


def _nothing(_: Any) -> bool:
    return False
