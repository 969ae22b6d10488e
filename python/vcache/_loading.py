"""Reading through: what was missed is computed once, stored, and handed to all who wait for it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from time import monotonic, perf_counter
from typing import Any

from . import _core
from ._arguments import Key
from ._background import FailureLog
from ._callers import Caller
from ._core import MISSING
from ._filling import Filler, Moment, Storing
from ._flight import (
    Claim,
    Flight,
    Flights,
    Outcome,
    Work,
    inside,
    leave_all,
    normal_key,
)
from ._freshness import Backoff, Clock, Freshness, Terms
from ._gathering import gather
from ._leases import Leases, Share, Wanted
from ._source import Source
from .errors import FactoryTimeout

__all__ = ["Loader"]


@dataclass(frozen=True, slots=True)
class _Order:
    """What a computation needs to know: what is wanted, from where, and how to store it."""

    keys: Mapping[bytes, Key]
    source: Source
    storing: Storing

    @property
    def freshness(self) -> Freshness:
        return self.storing.freshness


class Loader:
    """Computes the missing values of one cache, each once. Thread-safe.

    In a process the flights see to that, over processes the leases. Where a computation fails or
    takes too long, a value in its grace is served in its place.
    """

    def __init__(self, core: _core.TieredCache, terms: Terms) -> None:
        self._core = core
        self._terms = terms
        self._filler = Filler(core)
        self._leases = Leases(core, terms.lease)
        self.flights = Flights(core.unwatch_all, partial(_is_over, core))
        self.clock = Clock()
        self.draw: Callable[[], float] = random.random
        self.backoff = Backoff(self.clock)
        self.raised = Backoff(self.clock)  # with an error_ttl, and what they raised
        self.failures = FailureLog(self.clock)

    async def find(
        self, caller: Caller, keys: Mapping[bytes, Key], source: Source, storing: Storing
    ) -> dict[bytes, Any]:
        """What is stored under `keys`; begins to refresh those that are due."""
        order = _Order(keys, source, storing)
        found = await self._find_timed(caller, keys)
        due = [key for key, (_, *times) in found.items() if self._is_due(storing, *times)]
        if due:
            self._refresh(caller, due, order)
        return {key: value for key, (value, *_) in found.items()}

    async def load(
        self, caller: Caller, keys: Mapping[bytes, Key], source: Source, storing: Storing, seen: int
    ) -> dict[bytes, Outcome]:
        """Outcomes of keys that were missed after `seen` was read from `flights.step`."""
        order = _Order(keys, source, storing)
        outcomes = await self._left_alone(caller, order)
        started = monotonic()
        pending = [key for key in keys if key not in outcomes]
        self._raise_again(pending, order)
        while pending:
            claim = self.flights.claim(pending, seen, storing.tags)
            try:
                await self._start(caller, claim, order)
                abandoned = await self._collect(caller, claim, order, outcomes, started)
            finally:
                self.flights.leave(claim)
            seen, again = self.flights.step, [*claim.again, *abandoned]
            outcomes |= await self._look_up(caller, again, order, stale=False)
            pending = [key for key in again if key not in outcomes]
        for key, outcome in outcomes.items():
            if outcome.stale is not None:
                self._core.count_stale(keys[key], outcome.stale)
        return outcomes

    async def renew(
        self, caller: Caller, keys: Mapping[bytes, Key], source: Source, storing: Storing
    ) -> dict[bytes, Outcome]:
        """Computes values whatever there is, and stores them over all that was begun before.

        Where one is not to be stored, nothing is left under its key.
        """
        named = list(keys.values())
        with self.flights.alone(keys) as flights, self._filler.watching(flights, named):
            made = await self._begin(caller, storing)
            result, seconds = await self._call(caller, flights[0].work, named, source)
            values, storing = source.unpack(result, named), source.amend(result, storing)
            source.on_computed(len(named), seconds)
            for flight in flights:
                self.flights.overtake(flight)
            self.raised.forget(keys)
            share = seconds / len(named)
            put = self._filler.replace
            outcomes = await caller.core(put, named, values, storing, share, flights, made)
        return dict(zip(keys, outcomes, strict=True))

    def refresh(
        self, caller: Caller, keys: Mapping[bytes, Key], source: Source, storing: Storing
    ) -> None:
        """Computes values anew, but those that are being computed or failed a short time ago."""
        self._refresh(caller, keys, _Order(keys, source, storing))

    def forget(self, keys: Iterable[Key]) -> None:
        """Has what is computed for `keys` not be stored, and what was raised not raised again."""
        keys = list(keys)
        self.flights.forget(keys)
        if self.raised:
            self.raised.forget(map(normal_key, keys))

    def forget_where(self, is_over: Callable[[Flight], bool]) -> None:
        """As forget(), for the computations of which that is true; nothing is raised again."""
        self.flights.forget_where(is_over)
        self.raised.clear()

    def forget_all(self) -> None:
        """As forget(), for all keys."""
        self.flights.forget_all()
        self.raised.clear()

    async def _find_timed(self, caller: Caller, keys: Mapping[bytes, Key]) -> dict[bytes, Any]:
        """Values of keys, each with its age, seconds left and seconds that it took."""
        near = self._core.find_timed(list(keys.values()), True)
        found = {key: each for key, each in zip(keys, near, strict=True) if each is not MISSING}
        far = [key for key in keys if key not in found]
        if far:
            rest = await caller.core(self._core.find_timed, [keys[key] for key in far], False)
            pairs = zip(far, rest, strict=True)
            found |= {key: each for key, each in pairs if each is not MISSING}
        return found

    def _is_due(self, storing: Storing, age: float, left: float | None, took: float) -> bool:
        if left is not None:
            left = self._terms.left(storing.ttl, age, left)
        return left is not None and storing.freshness.is_due(age, left, took, self.draw)

    def _refresh(self, caller: Caller, due: Iterable[bytes], order: _Order) -> None:
        """Computes values anew in the background, but those that are being computed."""
        vacant = [key for key in due if not self._is_left_alone(key, order)]
        claim = self.flights.claim_vacant(vacant, order.storing.tags)
        if not claim.led:
            return
        with self.flights.handing_over(claim):
            named = self._open(claim, order)
            caller.spawn(
                claim.work,
                self._renew(caller, claim, named, order),
                lambda: self._end(claim, named),
            )

    async def _renew(self, caller: Caller, claim: Claim, named: list[Key], order: _Order) -> None:
        leave_all()  # whoever had the hit does not wait for this
        wanted = list(zip(claim.led, named, strict=True))
        try:
            share = await self._leases.divide(caller, wanted, unless_stored=False)
            try:
                if share.mine:  # others refresh the rest
                    await self._fill(caller, claim, share.mine, order)
            finally:
                await self._leases.give_up(caller, share)
        except Exception as error:
            await self._fail(caller, claim, order, error)

    async def _start(self, caller: Caller, claim: Claim, order: _Order) -> None:
        with self.flights.handing_over(claim):
            if claim.joined:
                self._core.count_coalesced(len(claim.joined))
            if claim.led:
                claim.work.goes_on = order.freshness.has_limits
                named = self._open(claim, order)
                await caller.lead(
                    claim.work,
                    self._compute(caller, claim, named, order),
                    lambda: self._end(claim, named),
                )

    def _open(self, claim: Claim, order: _Order) -> list[Key]:
        named = [order.keys[flight.key] for flight in claim.led]
        self._filler.open(claim.led, named)
        return named

    def _end(self, claim: Claim, named: list[Key]) -> None:
        self._filler.close(named)
        self.flights.abandon(claim.led)

    async def _compute(self, caller: Caller, claim: Claim, named: list[Key], order: _Order) -> None:
        try:
            # Of one that ended between the caller's look and his claim.
            self._raise_again((flight.key for flight in claim.led), order)
            await self._produce(caller, claim, named, order)
        except Exception as error:
            await self._fail(caller, claim, order, error)
        except BaseException as error:  # such as a cancellation, which is not for other waiters
            self.flights.abandon(claim.led, error)
            raise

    async def _produce(self, caller: Caller, claim: Claim, named: list[Key], order: _Order) -> None:
        """Computes what no other process computes, then sees what became of the rest."""
        wanted = list(zip(claim.led, named, strict=True))
        while wanted:
            share = await self._leases.divide(caller, wanted, unless_stored=True)
            try:
                unread = await self._settle_stored(caller, share.stored, order)
                if share.mine or unread:
                    await self._fill(caller, claim, [*share.mine, *unread], order)
            finally:
                await self._leases.give_up(caller, share)
            wanted = await self._await_others(caller, share, order)

    async def _await_others(self, caller: Caller, share: Share, order: _Order) -> list[Wanted]:
        """What is still to be computed of that which other processes were computing."""
        if not share.others:
            return []
        await self._leases.wait(caller, share.others)
        left = await self._settle_stored(caller, share.others, order)
        if len(left) < len(share.others):
            self._core.count_coalesced(len(share.others) - len(left))
        return left

    async def _settle_stored(
        self, caller: Caller, wanted: Sequence[Wanted], order: _Order
    ) -> list[Wanted]:
        """Hands out what is stored by now; returns the rest."""
        found = await self._look_up(
            caller, [flight.key for flight, _ in wanted], order, stale=False
        )
        for flight, _ in wanted:
            if flight.key in found:
                self.flights.settle(flight, found[flight.key])
        return [each for each in wanted if each[0].key not in found]

    async def _fill(
        self, caller: Caller, claim: Claim, wanted: Sequence[Wanted], order: _Order
    ) -> None:
        """Computes, stores and hands out values."""
        flights, keys = [flight for flight, _ in wanted], [key for _, key in wanted]
        source, work = order.source, claim.work
        work.made = made = await self._begin(caller, order.storing)
        try:
            result, seconds = await self._call(caller, work, keys, source)
            values, share = source.unpack(result, keys), seconds / len(keys)
            storing = source.amend(result, order.storing)
        except Exception as error:
            pause = order.freshness.error_ttl or 0.0
            self.raised.note((flight.key for flight in flights), pause, error)
            raise
        source.on_computed(len(keys), seconds)
        outcomes = await caller.core(self._filler.put, keys, values, storing, share, flights, made)
        for backoff in (self.backoff, self.raised):
            backoff.forget(flight.key for flight in flights)
        for flight, outcome in zip(flights, outcomes, strict=True):
            self.flights.settle(flight, outcome)

    async def _begin(self, caller: Caller, storing: Storing) -> Moment | None:
        if not (storing.tags or storing.with_tags):
            return None
        return await caller.core(self._filler.begin, storing)

    async def _call(
        self, caller: Caller, work: Work, keys: list[Key], source: Source
    ) -> tuple[Any, float]:
        started = perf_counter()
        try:
            with inside(work):
                result = await caller.factory(work, source.function, *source.arguments(keys))
        finally:
            seconds = perf_counter() - started
            self._core.count_source(1, seconds)
        return result, seconds

    async def _fail(self, caller: Caller, claim: Claim, order: _Order, error: Exception) -> None:
        """Ends what is left of a claim: with values in their grace, else with the error."""
        failed = [flight for flight in claim.led if not flight.future.done()]
        keys = [flight.key for flight in failed]
        try:
            self.backoff.note(keys, order.freshness.retry_after)
            stale = await self._stale(caller, keys, order)
            if stale or claim.work.wanted == 0:
                self.failures.note(error)
            for flight in failed:
                if flight.key in stale:
                    self.flights.settle(flight, stale[flight.key])
        finally:
            self.flights.fail(claim.led, error)

    async def _left_alone(self, caller: Caller, order: _Order) -> dict[bytes, Outcome]:
        """Values in their grace of the keys whose computation failed a short time ago."""
        if not self.backoff and not self.raised:
            return {}
        held = [key for key in order.keys if self._is_left_alone(key, order)]
        return await self._stale(caller, held, order)

    def _is_left_alone(self, key: bytes, order: _Order) -> bool:
        has_error = order.freshness.error_ttl is not None and self.raised.holds(key)
        return has_error or self.backoff.holds(key)

    def _raise_again(self, keys: Iterable[bytes], order: _Order) -> None:
        """Raises what the factory of one of those keys raised, where that is to last."""
        if self.raised and order.freshness.error_ttl is not None:
            error = self.raised.error_of(keys)
            if error is not None:
                raise error

    async def _stale(
        self, caller: Caller, keys: list[bytes], order: _Order
    ) -> dict[bytes, Outcome]:
        """What there is of those keys, be it past its expiry."""
        if self._terms.grace == 0:
            return {}
        return await self._look_up(caller, keys, order, stale=True)

    async def _look_up(
        self, caller: Caller, keys: list[bytes], order: _Order, *, stale: bool
    ) -> dict[bytes, Outcome]:
        """What is stored by now, of keys whose miss was counted."""
        if not keys:
            return {}
        found = await caller.core(self._find_again, keys, order, stale)
        return {key: Outcome(value, stale=tier) for key, value, tier in found}

    def _find_again(
        self, keys: list[bytes], order: _Order, stale: bool
    ) -> list[tuple[bytes, Any, str | None]]:
        found = self._core.find_again([order.keys[key] for key in keys], stale)
        return [
            (key, *each)
            for key, each in zip(keys, found, strict=True)
            if each is not MISSING and order.storing.can_read(each[0])
        ]

    async def _collect(
        self,
        caller: Caller,
        claim: Claim,
        order: _Order,
        outcomes: dict[bytes, Outcome],
        started: float,
    ) -> list[bytes]:
        """Waits for all that was claimed; returns the keys that were abandoned."""
        limits = order.freshness
        hard = None if limits.hard_timeout is None else started + limits.hard_timeout
        soft = hard if limits.soft_timeout is None else started + limits.soft_timeout
        abandoned: list[bytes] = []
        flights = [*claim.led, *claim.joined]
        late = await gather(caller, claim, flights, soft, outcomes, abandoned)
        if late:
            outcomes |= await self._stale(caller, [flight.key for flight in late], order)
            late = [flight for flight in late if flight.key not in outcomes]
        if late:
            late = await gather(caller, claim, late, hard, outcomes, abandoned)
        if late:
            raise FactoryTimeout(
                f"a factory took longer than hard_timeout={limits.hard_timeout} seconds and goes on"
                " in the background"
            )
        over = [flight.key for flight in claim.joined if self._is_over(flight, outcomes)]
        for key in over:
            del outcomes[key]
        return abandoned + over

    def _is_over(self, flight: Flight, outcomes: Mapping[bytes, Outcome]) -> bool:
        """Whether it ended in a value with tags that became known too late to stop its joiners."""
        outcome, made = outcomes.get(flight.key), flight.work.made
        if outcome is None or not outcome.tags or not isinstance(made, Moment):
            return False
        return self._core.is_over(outcome.tags, made)


def _is_over(core: _core.TieredCache, work: Work) -> bool:
    return isinstance(work.made, Moment) and core.is_over(work.tags, work.made)
