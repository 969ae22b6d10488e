"""Reading through: what was missed is computed once, stored, and handed to all who wait for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _core
from ._arguments import Key
from ._callers import Caller
from ._core import DEFAULT, MISSING
from ._flight import Abandoned, Claim, Flight, Flights, Outcome, inside
from .errors import RedisError
from .objects import stored_form

__all__ = ["Loader", "Source", "Storing", "aligned"]


# One value for each key: a list, or an array of as many rows.
Rows = Sequence[Any] | NDArray[Any]


@dataclass(frozen=True, slots=True)
class Source:
    """Where missing values come from: a user's function, how to call it and how to read it.

    `unpack` takes the result and the keys and returns one value for each key, in order, as a list
    or as the rows of a matrix; it raises ValueError or TypeError for a result that does not fit.
    """

    function: Callable[..., Any]
    arguments: Callable[[list[Key]], tuple[Any, ...]]
    unpack: Callable[[Any, list[Key]], Rows]
    on_computed: Callable[[int, float], None] = lambda count, seconds: None


@dataclass(frozen=True, slots=True)
class Storing:
    """How computed values are stored.

    `encode` makes something that can be stored of one, `wanted` says whether to store it at all.
    `decode` reads it back: what it fails for is not stored, and is missing if it was. A `lenient`
    one hands out what cannot be stored as it is; else that raises.
    """

    ttl: Any = DEFAULT
    cost: float = 0.0
    encode: Callable[[Any], Any] | None = None
    decode: Callable[[Any], Any] | None = None
    wanted: Callable[[Any], bool] | None = None
    lenient: bool = False

    def can_read(self, stored: Any) -> bool:
        """Whether a stored value is one that callers can be given."""
        if self.decode is None:
            return True
        try:
            self.decode(stored_form(stored))
        except Exception:  # of a user's function, whatever it raises
            return False
        return True


class Loader:
    """Computes the missing values of one cache, each once. Thread-safe."""

    def __init__(self, core: _core.TieredCache) -> None:
        self._core = core
        self.flights = Flights()

    async def load(
        self, caller: Caller, keys: Mapping[bytes, Key], source: Source, storing: Storing, seen: int
    ) -> dict[bytes, Outcome]:
        """Outcomes of keys that were missed after `seen` was read from `flights.step`."""
        outcomes: dict[bytes, Outcome] = {}
        pending = list(keys)
        while pending:
            claim = self.flights.claim(pending, seen)
            try:
                await self._start(caller, claim, keys, source, storing)
                abandoned = await _collect(caller, claim, outcomes)
            finally:
                self.flights.leave(claim)
            seen, again = self.flights.step, [*claim.again, *abandoned]
            pending = await self._look_up(caller, again, keys, storing, outcomes)
        return outcomes

    async def store(
        self, caller: Caller, key: Key, value: Any, storing: Storing, seconds: float
    ) -> Outcome:
        """Stores one value that was computed elsewhere, over anything now being computed.

        If it is not one to store, nothing is left under the key.
        """
        self.flights.forget([key])
        return await caller.core(self._replace, key, value, storing, seconds)

    async def _start(
        self,
        caller: Caller,
        claim: Claim,
        keys: Mapping[bytes, Key],
        source: Source,
        storing: Storing,
    ) -> None:
        if claim.joined:
            self._core.count_coalesced(len(claim.joined))
        if claim.led:
            named = [keys[flight.key] for flight in claim.led]
            for flight, key in zip(claim.led, named, strict=True):
                flight.replaces = self._core.memory_has([key])
            computation = self._compute(caller, claim, named, source, storing)
            await caller.lead(claim.work, computation, lambda: self.flights.abandon(claim.led))

    async def _compute(
        self, caller: Caller, claim: Claim, keys: list[Key], source: Source, storing: Storing
    ) -> None:
        try:
            await self._produce(caller, claim, keys, source, storing)
        except Exception as error:
            self.flights.fail(claim.led, error)
        except (KeyboardInterrupt, SystemExit):  # ends more than this computation
            self.flights.abandon(claim.led)
            raise
        except BaseException as error:  # such as a cancellation, which is not for other waiters
            self.flights.abandon(claim.led, error)
            raise

    async def _produce(
        self, caller: Caller, claim: Claim, keys: list[Key], source: Source, storing: Storing
    ) -> None:
        result, seconds = await self._call(caller, claim, keys, source)
        values, share = source.unpack(result, keys), seconds / len(keys)
        source.on_computed(len(keys), seconds)
        outcomes = await caller.core(self._put, keys, values, storing, share, claim.led)
        for flight, outcome in zip(claim.led, outcomes, strict=True):
            self.flights.settle(flight, outcome)

    async def _call(
        self, caller: Caller, claim: Claim, keys: list[Key], source: Source
    ) -> tuple[Any, float]:
        started = perf_counter()
        try:
            with inside(claim.work):
                result = await caller.factory(source.function, *source.arguments(keys))
        finally:
            seconds = perf_counter() - started
            self._core.count_source(1, seconds)
        return result, seconds

    async def _look_up(
        self,
        caller: Caller,
        wanted: list[bytes],
        keys: Mapping[bytes, Key],
        storing: Storing,
        outcomes: dict[bytes, Outcome],
    ) -> list[bytes]:
        """Adds what is stored by now to `outcomes` and returns what is not."""
        if not wanted:
            return []
        values = await caller.core(self._core.mget, [keys[key] for key in wanted], MISSING)
        found = {
            key: Outcome(value)
            for key, value in zip(wanted, values, strict=True)
            if value is not MISSING and storing.can_read(value)
        }
        outcomes |= found
        return [key for key in wanted if key not in found]

    def _put(
        self,
        keys: list[Key],
        values: Rows,
        storing: Storing,
        seconds: float,
        flights: list[Flight],
    ) -> list[Outcome]:
        """Stores values but those under whose key there is something newer."""
        if len(keys) == 1:
            return [self._put_one(keys[0], values[0], storing, seconds, flights[0])]
        kept = [i for i, flight in enumerate(flights) if self._is_newest(keys[i], flight)]
        if len(kept) == len(keys):
            self._write(keys, values, storing, seconds)
        elif kept:
            rows = values[kept] if isinstance(values, np.ndarray) else [values[i] for i in kept]
            self._write([keys[index] for index in kept], rows, storing, seconds)
        for index in kept:
            self._withdraw_forgotten(keys[index], flights[index])
        return [Outcome(form) for form in _stored_forms(values)]

    def _put_one(
        self, key: Key, value: Any, storing: Storing, seconds: float, flight: Flight | None
    ) -> Outcome:
        if storing.wanted is not None and not storing.wanted(value):
            return Outcome(value, stored=False)
        try:
            plain = value if storing.encode is None else storing.encode(value)
            if storing.decode is not None:
                storing.decode(stored_form(plain))
            keep = flight is None or self._is_newest(key, flight)
            if keep:
                self._core.put(key, plain, storing.ttl, DEFAULT, b"", storing.cost, seconds)
            outcome = Outcome(stored_form(plain))
        except RedisError:
            raise
        except Exception as error:
            if not storing.lenient:
                raise
            return Outcome(value, stored=False, refused=error)
        if keep and flight is not None:
            self._withdraw_forgotten(key, flight)
        return outcome

    def _replace(self, key: Key, value: Any, storing: Storing, seconds: float) -> Outcome:
        outcome = self._put_one(key, value, storing, seconds, None)
        if not outcome.stored:
            self._core.delete(key)
        return outcome

    def _is_newest(self, key: Key, flight: Flight) -> bool:
        """Whether nothing was written or deleted under the key since it was claimed.

        All calls but one have the flight forgotten before they write. set() does not, being too
        short to look; what tells of it is a value in memory where there was none. So it goes
        unnoticed where its value does not stay in memory or replaces one that the leader could not
        use, and between this look and the write that follows.
        """
        return not flight.forgotten and (flight.replaces or not self._core.memory_has([key]))

    def _write(self, keys: list[Key], values: Rows, storing: Storing, seconds: float) -> None:
        if isinstance(values, np.ndarray) and values.ndim == 2:
            self._core.set_vectors(keys, values, storing.ttl, DEFAULT, storing.cost, seconds)
        else:
            self._core.mput(keys, list(values), storing.ttl, DEFAULT, storing.cost, seconds)

    def _withdraw_forgotten(self, key: Key, flight: Flight) -> None:
        """What was stored while its key was deleted or written is not to outlast that."""
        if flight.forgotten:
            self._core.delete(key)


def aligned(result: Any, keys: list[Key]) -> Rows:
    """Values of `keys` in what the factory of get_or_set_many() returned, in their order."""
    if isinstance(result, Mapping):
        absent = [key for key in keys if key not in result]
        if absent:
            raise ValueError(
                f"factory returned a mapping without {len(absent)} of {len(keys)} keys, the first"
                f" of them {absent[0]!r}: allowed is a mapping with every missing key"
            )
        return [result[key] for key in keys]
    is_array = isinstance(result, np.ndarray) and result.ndim > 0
    is_list = isinstance(result, Sequence) and not isinstance(result, (str, bytes, bytearray))
    if not is_array and not is_list:
        raise TypeError(
            f"factory returned {type(result).__name__}: allowed is a mapping, a sequence or an"
            " array with one row for each key"
        )
    if len(result) != len(keys):
        raise ValueError(
            f"factory returned {len(result)} values for {len(keys)} keys: allowed is one for each"
        )
    rows: Rows = result.tolist() if is_array and result.ndim == 1 else result
    return rows


def _stored_forms(values: Rows) -> list[Any]:
    if isinstance(values, np.ndarray):
        return list(stored_form(values))
    return [stored_form(value) for value in values]


async def _collect(caller: Caller, claim: Claim, outcomes: dict[bytes, Outcome]) -> list[bytes]:
    """Waits for all that was claimed; returns the keys that were abandoned."""
    abandoned = []
    for flight in (*claim.led, *claim.joined):
        outcome, is_ours = await _ended(caller, flight), flight.work is claim.work
        if isinstance(outcome, Outcome):
            is_shared = not is_ours or flight.work.wanted > 1
            outcomes[flight.key] = _unshared(outcome) if is_shared else outcome
        elif is_ours and outcome.error is not None:
            raise outcome.error
        else:
            abandoned.append(flight.key)
    return abandoned


async def _ended(caller: Caller, flight: Flight) -> Outcome | Abandoned:
    try:
        return await caller.wait(flight)
    except Abandoned as abandoned:
        return abandoned


def _unshared(outcome: Outcome) -> Outcome:
    """The same with an object value of its own, so that no waiter can change another's."""
    if not outcome.stored or isinstance(outcome.value, np.ndarray):
        return outcome
    return outcome._replace(value=stored_form(outcome.value))
