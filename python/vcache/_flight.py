"""Single-flight: one computation of a key at a time, over all threads and loops of a process."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from itertools import takewhile
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from ._waits import waits

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from concurrent.futures import Future

__all__ = ["Abandoned", "Claim", "Flight", "Flights", "Outcome", "Since", "TimeUp", "Work"]

_REMEMBERED = 4096

Tags = tuple[bytes, ...]


class Abandoned(Exception):
    """The computation ended without a result; whoever still wants the value starts anew.

    error: what ended it, for its leader to raise; None where nobody is to.
    """

    def __init__(self, error: BaseException | None = None) -> None:
        super().__init__()
        self.error = error


class TimeUp(Exception):
    """Whoever waits is to wait no longer."""


class Outcome(NamedTuple):
    """A value, in the form in which get() returns it if it could be stored; else why it was not.

    stale: the tier of a value that is past its expiry.
    tags: all those it has, where some became known only with it.
    """

    value: Any
    stored: bool = True
    refused: Exception | None = None
    stale: str | None = None
    tags: Tags = ()


class Work:
    """One call of a factory, and how many callers still want what it computes.

    One that `goes_on` is done to its end whether they do or not. Its values have the `tags`, and
    their making began at `made`.
    """

    __slots__ = ("awaits", "cancel", "goes_on", "loop", "made", "tags", "wanted")

    def __init__(self, tags: Tags = ()) -> None:
        self.tags = tags
        self.made: object | None = None
        self.wanted = 1
        self.goes_on = False
        self.awaits: list[Work] = []  # what its factory has joined and not left
        self.cancel: Callable[[], object] | None = None
        self.loop: AbstractEventLoop | None = None  # it runs there, unless None

    @property
    def is_dead(self) -> bool:
        """Its loop was closed before it was done."""
        return self.loop is not None and self.loop.is_closed()


class Flight:
    """The value of one key under way. Callers wait on `future`."""

    __slots__ = ("forgotten", "future", "key", "work", "writes")

    def __init__(self, key: bytes, work: Work) -> None:
        self.key = key
        self.work = work
        self.forgotten = False  # the key was deleted or written since: do not store
        self.writes = 0  # of set() to the key before, as the core counts them
        from concurrent.futures import Future

        self.future: Future[Outcome] = Future()
        self.future.set_running_or_notify_cancel()  # so that no waiter can cancel it

    def release(self) -> None:
        """Drops the exception it ended in, which nobody asks for any more.

        Its traceback has the frames of those who waited, and through them the flight: all that
        they and the factory hold would live until the collector of cycles finds it.
        """
        if self.future.done() and self.future.exception() is not None:
            self.future = cast("Future[Outcome]", _Spent())


class _Spent:
    """The future of a flight that nobody waits for."""

    __slots__ = ()

    def done(self) -> bool:
        return True

    def exception(self) -> None:
        return None

    def result(self) -> Outcome:
        raise Abandoned


class Since:
    """What was forgotten since it was made, whoever computes it."""

    __slots__ = ("__weakref__", "_ends", "_keys")

    def __init__(self) -> None:
        self._keys: set[bytes] = set()
        self._ends: list[Callable[[Flight], bool]] = []

    def add(self, keys: Iterable[bytes]) -> None:
        self._keys.update(keys)

    def add_where(self, is_over: Callable[[Flight], bool]) -> None:
        self._ends.append(is_over)

    def has(self, key: bytes) -> bool:
        flight = Flight(key, Work())
        return key in self._keys or any(is_over(flight) for is_over in self._ends)


@dataclass(slots=True)
class Claim:
    """What a caller is to do: compute `led`, wait for `joined`, look up `again`."""

    work: Work
    led: list[Flight] = field(default_factory=list)
    joined: list[Flight] = field(default_factory=list)
    again: list[bytes] = field(default_factory=list)
    inside: tuple[Work, ...] = ()  # the computations that the caller is part of


# The computations that the running code is part of.
_inside: ContextVar[tuple[Work, ...]] = ContextVar("vcache_inside", default=())


class Flights:
    """The computations under way in one cache. Thread-safe.

    A caller reads `step`, looks its keys up, and claims those it missed. A key whose computation
    finished in between is handed back as `again`, so that no value is computed twice. What it
    claimed, it leaves when it has its values or gives up.
    """

    def __init__(
        self,
        on_fork: Callable[[], object] = lambda: None,
        is_over: Callable[[Work], bool] = lambda work: False,
    ) -> None:
        self._on_fork = on_fork  # called in a child, where none of them goes on
        self._is_over = is_over  # whether an invalidation has overtaken it
        self._reset()
        _all_flights.add(self)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[bytes, Flight] = {}
        self._alone: dict[Flight, None] = {}  # in the order of their beginnings
        self._finished: dict[bytes, int] = {}  # newest last, bounded
        self._since: weakref.WeakSet[Since] = weakref.WeakSet()
        self.step = 0

    def claim(self, keys: Iterable[bytes], seen: int, tags: Tags = ()) -> Claim:
        """Divides distinct `keys`. Raises RuntimeError where waiting could never end."""
        claim = Claim(Work(tags), inside=_inside.get())
        vacant = []
        with self._lock:
            for key in keys:
                flight = self._open.get(key)
                if flight is None or flight.work.is_dead:
                    vacant.append(key)
                elif self._is_over(flight.work):
                    flight.forgotten = True
                    vacant.append(key)
                else:
                    claim.joined.append(flight)
            waits.add(claim)
            for flight in claim.joined:
                flight.work.wanted += 1
            for key in vacant:
                self._take(claim, key, seen)
        return claim

    def claim_vacant(self, keys: Iterable[bytes], tags: Tags = ()) -> Claim:
        """Those of distinct `keys` that nobody computes, for work that goes on by itself."""
        claim = Claim(Work(tags))
        claim.work.goes_on, claim.work.wanted = True, 0
        with self._lock:
            for key in keys:
                flight = self._open.get(key)
                if flight is None or flight.work.is_dead:
                    self._lead(claim, key)
        return claim

    @contextmanager
    def alone(self, keys: Iterable[bytes]) -> Iterator[list[Flight]]:
        """Flights that nobody joins, beside those of distinct `keys` that others do."""
        work = Work()
        flights = [Flight(key, work) for key in keys]
        with self._lock:
            self._alone.update(dict.fromkeys(flights))
        try:
            yield flights
        finally:
            with self._lock:
                for flight in flights:
                    self._alone.pop(flight, None)

    def overtake(self, flight: Flight) -> None:
        """As forget() of its key, for all but itself and those alone that began after it."""
        with self._lock:
            earlier = takewhile(lambda each: each is not flight, self._alone)
            for each in (*filter(None, [self._open.get(flight.key)]), *earlier):
                if each.key == flight.key:
                    self._forget(each)

    def _take(self, claim: Claim, key: bytes, seen: int) -> None:
        """Requires: nobody computes `key`."""
        if self._finished.get(key, -1) > seen:
            claim.again.append(key)
        else:
            self._lead(claim, key)

    def _lead(self, claim: Claim, key: bytes) -> None:
        flight = self._open[key] = Flight(key, claim.work)
        claim.led.append(flight)

    def settle(self, flight: Flight, outcome: Outcome) -> None:
        """Hands the outcome to all waiters. After it is stored, if it is."""
        with self._lock:
            self._close(flight)
            if not flight.forgotten and outcome.stale is None:
                self._remember(flight.key)
        flight.future.set_result(outcome)

    def fail(self, flights: Iterable[Flight], error: Exception) -> None:
        """Raises `error` in all waiters of those flights that are not settled."""
        for flight in flights:
            if not flight.future.done():
                with self._lock:
                    self._close(flight)
                    is_wanted = flight.work.wanted > 0
                flight.future.set_exception(error)
                if not is_wanted:
                    flight.release()

    def abandon(self, flights: Iterable[Flight], error: BaseException | None = None) -> None:
        """Has all waiters start anew, but for the leader if there is an `error`: he raises it."""
        self.fail(flights, Abandoned(error))

    @contextmanager
    def handing_over(self, claim: Claim) -> Iterator[None]:
        """Abandons what the claim leads where that raises: nobody may have taken it over."""
        try:
            yield
        except BaseException:
            self.abandon(claim.led)
            raise

    def leave(self, claim: Claim) -> None:
        """Its caller no longer waits; work that nobody wants is cancelled."""
        waits.drop(claim)
        unwanted = []
        with self._lock:
            for flight in (*claim.led[:1], *claim.joined):
                flight.work.wanted -= 1
                is_over = flight.work.goes_on or flight.future.done()
                if flight.work.wanted == 0 and not is_over:
                    unwanted.append(flight.work)
            for flight in (*claim.led, *claim.joined):
                if flight.work.wanted == 0:
                    flight.release()
        for work in unwanted:
            if work.cancel is not None:
                work.cancel()

    def since_now(self) -> Since:
        """What will be forgotten from now on, as long as somebody holds it."""
        since = Since()
        with self._lock:
            self._since.add(since)
        return since

    def forget(self, keys: Iterable[str | bytes]) -> None:
        """What is being computed for `keys` will not be stored, and later callers start anew."""
        if self._open or self._alone or self._since:
            normal = set(map(normal_key, keys))
            with self._lock:
                for since in self._since:
                    since.add(normal)
                joined = [self._open[key] for key in normal if key in self._open]
                for flight in (*joined, *(each for each in self._alone if each.key in normal)):
                    self._forget(flight)

    def forget_where(self, is_over: Callable[[Flight], bool]) -> None:
        """As forget(), for the flights of which that is true."""
        if self._open or self._alone or self._since:
            with self._lock:
                for since in self._since:
                    since.add_where(is_over)
                for flight in filter(is_over, [*self._open.values(), *self._alone]):
                    self._forget(flight)

    def forget_all(self) -> None:
        with self._lock:
            for since in self._since:
                since.add_where(lambda flight: True)
            for flight in [*self._open.values(), *self._alone]:
                self._forget(flight)
            self._finished.clear()

    def _forget(self, flight: Flight) -> None:
        flight.forgotten = True
        self._close(flight)

    def _close(self, flight: Flight) -> None:
        if self._open.get(flight.key) is flight:
            del self._open[flight.key]

    def _remember(self, key: bytes) -> None:
        self.step += 1
        self._finished.pop(key, None)
        self._finished[key] = self.step
        if len(self._finished) > _REMEMBERED:
            del self._finished[next(iter(self._finished))]


def leave_all() -> None:
    """Marks the running code, up to the end of its context, as part of no computation."""
    _inside.set(())


@contextmanager
def inside(work: Work) -> Iterator[None]:
    """Marks the running code as part of `work`."""
    token = _inside.set((*_inside.get(), work))
    try:
        yield
    finally:
        with suppress(ValueError):  # of a coroutine that is thrown away, in another context
            _inside.reset(token)


def normal_key(key: object) -> bytes:
    """One form for the str and the bytes of a key; what is no key is refused elsewhere."""
    if isinstance(key, str):
        return key.encode(errors="surrogatepass")
    return key if isinstance(key, bytes) else b""


_all_flights: weakref.WeakSet[Flights] = weakref.WeakSet()


def _reset_after_fork() -> None:
    """No computation of the parent goes on in the child, and its locks may be held for ever."""
    waits.__init__()  # type: ignore[misc]
    for flights in list(_all_flights):
        flights._reset()
        flights._on_fork()


os.register_at_fork(after_in_child=_reset_after_fork)
