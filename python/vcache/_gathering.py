"""Waiting for computations that are under way."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ._callers import Caller
from ._flight import Abandoned, Claim, Flight, Outcome, TimeUp
from .objects import stored_form

__all__ = ["gather"]


async def gather(
    caller: Caller,
    claim: Claim,
    flights: Sequence[Flight],
    until: float | None,
    outcomes: dict[bytes, Outcome],
    abandoned: list[bytes],
) -> list[Flight]:
    """Adds what flights end in, and returns those that do not in time."""
    late = []
    for flight in flights:
        try:
            outcome = await caller.wait(flight, until)
        except TimeUp:
            late.append(flight)
        except Abandoned as end:
            if flight.work is claim.work and end.error is not None:
                raise end.error from None
            abandoned.append(flight.key)
        else:
            is_shared = flight.work is not claim.work or flight.work.wanted > 1
            outcomes[flight.key] = _unshared(outcome) if is_shared else outcome
    return late


def _unshared(outcome: Outcome) -> Outcome:
    """The same with an object value of its own, so that no waiter can change another's."""
    if not outcome.stored or isinstance(outcome.value, np.ndarray):
        return outcome
    return outcome._replace(value=stored_form(outcome.value))
