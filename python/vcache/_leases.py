"""Which process computes: leases of keys in Redis, over what _flight keeps within a process."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from . import _core
from ._arguments import Key
from ._background import workers
from ._callers import Caller
from ._flight import Flight

__all__ = ["Leases", "Share"]

_GRANTED, _HELD, _STORED = 1, 2, 3  # of l2::Grant

Wanted = tuple[Flight, Key]


@dataclass(slots=True)
class Share:
    """How keys are divided between this process and others."""

    token: bytes = b""
    mine: list[Wanted] = field(default_factory=list)  # to be computed here
    stored: list[Wanted] = field(default_factory=list)  # there by now, leases taken
    others: list[Wanted] = field(default_factory=list)  # being computed elsewhere
    leased: list[Key] = field(default_factory=list)


class _Taking:
    """One call that takes leases. Its caller may be cancelled while a thread makes it."""

    def __init__(self, core: _core.TieredCache, keys: list[Key], token: bytes) -> None:
        self._core = core
        self._keys = keys
        self._token = token
        self._is_done = self._is_left = False

    def run(self, seconds: float, unless_stored: bool) -> list[int]:
        try:
            return self._core.take_leases(self._keys, self._token, seconds, unless_stored)
        finally:
            self._is_done = True
            if self._is_left:
                self._give_up()

    def leave(self) -> None:
        """Nobody has use for the leases."""
        self._is_left = True
        if self._is_done:
            workers.submit(self._give_up)

    def _give_up(self) -> None:
        self._core.give_up_leases(self._keys, self._token)


class Leases:
    """The leases that one loader takes. Thread-safe."""

    def __init__(self, core: _core.TieredCache, seconds: float) -> None:
        self._core = core
        self._seconds = seconds

    @property
    def are_on(self) -> bool:
        return self._seconds > 0

    async def divide(
        self, caller: Caller, wanted: Sequence[Wanted], *, unless_stored: bool
    ) -> Share:
        """Takes what leases there are, in one round trip; without an answer all keys are ours."""
        if not self.are_on:
            return Share(mine=list(wanted))
        share = Share(token=os.urandom(16))
        taking = _Taking(self._core, [key for _, key in wanted], share.token)
        try:
            grants = await caller.core(taking.run, self._seconds, unless_stored)
        except BaseException:
            taking.leave()
            raise
        for each, grant in zip(wanted, grants, strict=True):
            {_HELD: share.others, _STORED: share.stored}.get(grant, share.mine).append(each)
            if grant in (_GRANTED, _STORED):
                share.leased.append(each[1])
        return share

    async def give_up(self, caller: Caller, share: Share) -> None:
        if share.leased:
            await caller.core(self._core.give_up_leases, share.leased, share.token)

    async def wait(self, caller: Caller, others: Sequence[Wanted]) -> None:
        """Until one of those leases may be free, or a value there."""
        await caller.lease(self._core.watch_leases([key for _, key in others]))
