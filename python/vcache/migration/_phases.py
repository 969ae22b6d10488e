"""The phase of a migration, on which all processes agree."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Literal

import msgspec

from .._agreed import NO_ANSWER, Agreed
from .._background import tell_listener, workers
from .._shared_state import SharedState
from ..embedding import EmbeddingCache
from ..errors import ConfigError
from ..logs import tell

__all__ = ["Event", "Phase", "Phases"]

Phase = Literal["dual", "cut_over", "rolled_back", "finished"]

_MOST_EVENTS = 50

_log = logging.getLogger("vcache")


class Event(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A change of the phase, at a time in seconds since 1970."""

    at: float
    phase: Phase
    why: str


class Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What all processes know. old, new: keys that tell the models from others."""

    version: int
    phase: Phase
    old: str
    new: str
    events: list[Event] = []


class Phases:
    """Which phase it is, and the changes of it. Thread-safe.

    every: how often tick() has a background thread look; None: never.
    """

    def __init__(
        self,
        name: str,
        old: EmbeddingCache,
        new: EmbeddingCache,
        store: SharedState,
        *,
        every: float | None,
        clock: Callable[[], float],
        on_event: Callable[[Event], object] | None,
    ) -> None:
        self._name, self._models = name, (old.key(""), new.key(""))
        self._every, self._clock, self._on_event = every, clock, on_event
        self._pending: str | None = None  # why it is rolled back here, which is not yet written
        self._next = 0.0
        self.problem: str | None = None
        self._agreed: Agreed[Kept] = Agreed(
            store,
            Kept,
            f"the state of the migration {name!r}",
            first=self._first,
            check=self._check_models,
            on_news=self._on_news,
        )
        self.refresh(is_first=True)

    @property
    def now(self) -> Phase | None:
        """None: not known."""
        if self._pending is not None:
            return "rolled_back"
        newest = self._agreed.newest
        return None if newest is None else newest.phase

    @property
    def events(self) -> tuple[Event, ...]:
        newest = self._agreed.newest
        return () if newest is None else tuple(newest.events)

    def require(self, *allowed: Phase | None) -> None:
        """Raises ConfigError in any other phase."""
        if self.now not in allowed:
            names = " and ".join(str(each) for each in allowed if each is not None)
            raise ConfigError(f"the migration {self._name!r} is {self.now}: allowed are {names}")

    def refresh(self, *, is_first: bool = False) -> None:
        """Takes over the newest phase; writes what is not yet written."""
        try:
            self._agreed.refresh()
            self.problem = None
        except (*NO_ANSWER, ConfigError) as error:
            if is_first and isinstance(error, ConfigError):
                raise
            self.problem = f"{type(error).__name__}: {error}"
            return
        if self._pending is not None:
            self._write_pending()

    def tick(self) -> None:
        """To be called often: looks when it is time."""
        if self._every is None or (now := self._clock()) < self._next:
            return
        self._next = now + self._every
        workers.submit(self.refresh)

    def change(self, phase: Phase, why: str, allowed: tuple[Phase, ...]) -> None:
        """Raises ConfigError where it is by then none of the allowed, RedisError or OSError for no
        answer; then nothing is changed.
        """

        def make(kept: Kept) -> Kept | None:
            if kept.phase == phase:
                return None
            if kept.phase not in allowed:
                names = " and ".join(allowed)
                problem = f"the migration {self._name!r} is {kept.phase}: allowed are {names}"
                raise ConfigError(problem)
            return self._changed(kept, phase, why)

        self._agreed.change(make)
        self._pending = None

    def roll_back(self, why: str) -> None:
        """Here at once, and for all when that can be written."""
        self._pending = why
        self._write_pending()

    def _write_pending(self) -> None:
        why = self._pending
        if why is None:
            return
        try:
            self._agreed.change(partial(self._rolled_back, why=why))
            self._pending = None
        except (*NO_ANSWER, ConfigError) as error:
            self.problem = f"{type(error).__name__}: {error}"

    def _rolled_back(self, kept: Kept, *, why: str) -> Kept | None:
        """None where it is, or where there is no way back."""
        if kept.phase in ("rolled_back", "finished"):
            return None
        return self._changed(kept, "rolled_back", why)

    def _changed(self, kept: Kept, phase: Phase, why: str) -> Kept:
        events = [*kept.events, Event(self._clock(), phase, why)][-_MOST_EVENTS:]
        version = kept.version + 1
        return msgspec.structs.replace(kept, version=version, phase=phase, events=events)

    def _first(self) -> Kept:
        old, new = self._models
        event = Event(self._clock(), "dual", "it is new")
        return Kept(version=1, phase="dual", old=old, new=new, events=[event])

    def _check_models(self, kept: Kept) -> None:
        if (kept.old, kept.new) != self._models:
            raise ConfigError(
                f"the migration {self._name!r} is one of other models, or has other kinds, dims,"
                " normalize or key_secret: allowed are the same, or another name"
            )

    def _on_news(self, kept: Kept, before: Kept | None) -> None:
        for event in kept.events[before.version - kept.version :] if before else ():
            tell(
                *(_log, logging.INFO, "migration"),
                "migration {name}: {phase}: {why}",
                name=self._name,
                phase=event.phase,
                why=event.why,
            )
            tell_listener(self._on_event, event, f"on_event of migration {self._name}")
