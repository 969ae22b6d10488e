"""The stages of a rollout: when it goes on, and when back."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Literal

import msgspec

from .._agreed import NO_ANSWER, Agreed, name_option, why_option
from .._arguments import callable_argument
from .._background import tell_listener, workers
from .._locks import ForkLock
from .._messages import shown
from .._shared_state import state_of
from ..cache import Cache
from ..durations import Duration, duration_option
from ..errors import ConfigError
from ..logs import tell
from ._judge import Limits, judge, judge_sums
from ._report import RolloutReport, SideReport
from ._routing import Routing
from ._stages import STAGES, Event, Kept, Phase, Stage, seed_of, stage_list
from ._window import CANARY, CONTROL, Counts, Window, sum_of

__all__ = ["Rollout"]

_MOST_EVENTS = 50
_BY_HAND = "by hand"

_log = logging.getLogger("vcache")


class Rollout(Routing):
    """Two caches as one: a growing share of the keys is the canary's, unless it proves worse.

    control, canary: the cache as it was, and the one with the new policy or configuration. On the
        same Redis and namespace they share what is stored there; else what is written to one is
        removed from the other, so that no older value comes back with a change of stages. They stay
        the caller's, who closes them. Where one has other encryption keys, it needs a namespace of
        its own.
    name: 1 to 64 characters; of rollouts of the same name all processes share the stage. Each name
        chooses other keys.
    stages: shares of the keys and their times: 10 % for 2 to 4 hours, 50 % for 4 to 8, then all,
        which is watched for an hour more. Keys stay with the canary from stage to stage.
    limits: what the canary is rolled back for, within `check_every` and the `window` of them.
    undecided: what becomes of a stage that cannot be judged by the end of its time: "roll_back" or
        "hold", which waits on.
    check_every: how often calls have a background thread judge and take over what other processes
        found; None: only check() does.
    state_path: a file that keeps the state, for processes of one host; unless given it is in the
        Redis of `control`, else of `canary`, else of this process alone.
    on_event: takes each Event, of any process, in the thread that found it.
    clock, timer: seconds since 1970, which the processes compare, and seconds to measure with.

    Asks for the state when it is made; until it is known all keys are the control's. What the
    calls of the two caches are, the calls here are, and their a… twins; get_or_set_many() calls its
    factory up to once for each side. Thread-safe. A process is judged by its own look-ups, and one
    that finds the canary worse rolls it back for all.

    Raises ConfigError, also a ValueError, for an argument that is not allowed, and where the state
    is that of other stages.
    """

    def __init__(
        self,
        control: Cache,
        canary: Cache,
        *,
        name: str = "canary",
        stages: Iterable[Stage] = STAGES,
        limits: Limits | None = None,
        undecided: Literal["roll_back", "hold"] = "roll_back",
        check_every: Duration | None = "15s",
        state_path: str | os.PathLike[str] | None = None,
        on_event: Callable[[Event], object] | None = None,
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._stages = stage_list(stages)
        self._limits = _limits(limits)
        self._name = name_option(name)
        if undecided not in ("roll_back", "hold"):
            raise ConfigError(f"undecided={shown(undecided)}: allowed are 'roll_back' and 'hold'")
        self._undecided = undecided
        self._every = None if check_every is None else duration_option(check_every, "check_every")
        if on_event is not None:
            callable_argument(on_event, "on_event")
        self._on_event = on_event
        super().__init__(
            control,
            canary,
            seed_of(name),
            Window(self._limits.window_seconds, self._limits.warm_seconds),
        )
        self._clock, self._timer = callable_argument(clock, "clock"), timer
        self._lock = ForkLock()
        self._pending: str | None = None  # why it is rolled back here, which is not yet written
        self._problem: str | None = None
        self._next = 0.0
        self._seen = [self._errors_of(side) for side in (CONTROL, CANARY)]
        self._agreed: Agreed[Kept] = Agreed(
            state_of([control, canary], state_path, f"rollout:{name}"),
            Kept,
            f"the state of the rollout {name!r}",
            first=self._first,
            check=self._check_stages,
            on_news=self._on_news,
        )
        self._refresh(is_first=True)

    @property
    def share(self) -> float:
        """Of the keys that are the canary's, 0 to 1."""
        return self._share

    @property
    def phase(self) -> Phase | None:
        """None: not known."""
        if self._pending is not None:
            return "rolled_back"
        newest = self._agreed.newest
        return None if newest is None else newest.phase

    def check(self) -> RolloutReport:
        """Takes over what other processes found, judges the canary, and goes on or back."""
        now = self._clock()
        self._next = now + (self._every or 0.0)
        self._refresh()
        self._note_errors(now)
        kept = self._agreed.newest
        if kept is not None and kept.phase == "running" and self._pending is None:
            self._judge(kept, now)
        return self.report()

    def roll_back(self, why: str = _BY_HAND) -> RolloutReport:
        """Gives all keys to the control, here at once and in other processes with their next check.

        Where the state cannot be written it is tried again with each check.
        """
        self._end(why_option(why))
        return self.report()

    def advance(self, why: str = _BY_HAND) -> RolloutReport:
        """Begins the next stage now, or ends the last. Raises RedisError or OSError for no answer,
        and ConfigError unless it is running.
        """
        self._refresh()
        if self.phase not in ("running", None):
            raise ConfigError(f"the rollout {self._name!r} is {self.phase}: allowed is running")
        of = self._agreed.newest
        self._change(partial(self._following, of=of, why=why_option(why)), must=True)
        return self.report()

    def restart(self, why: str = _BY_HAND) -> RolloutReport:
        """Begins with the first stage again, whatever was. Raises as advance()."""
        self._change(partial(self._restarted, why=why_option(why)), must=True)
        return self.report()

    def report(self) -> RolloutReport:
        now, kept = self._clock(), self._agreed.newest
        control, canary = sum_of(self._window.slices(now))
        is_running = kept is not None and self.phase == "running"
        stage = self._stages[kept.stage] if is_running and kept is not None else None
        began = None if kept is None else kept.began
        most = None if stage is None else stage.most_seconds
        return RolloutReport(
            name=self._name,
            phase=self.phase,
            stage=None if kept is None else kept.stage,
            share=self._share,
            began=began,
            earliest=None if stage is None or began is None else began + stage.seconds,
            latest=None if most is None or began is None else began + most,
            control=SideReport.of(control),
            canary=SideReport.of(canary),
            why=self._pending or (kept.events[-1].why if kept and kept.events else None),
            problem=self._problem,
            events=tuple(kept.events) if kept else (),
        )

    def _judge(self, kept: Kept, now: float) -> None:
        stage, alone = self._stages[kept.stage], kept.share == 1
        slices, began = self._window.slices(now), self._window.began
        verdict = judge(self._limits, slices, began, alone=alone, before=kept.before)
        if verdict.why is not None:
            self._end(verdict.why)
        elif now - kept.began >= stage.seconds:
            self._end_stage(kept, stage, now - kept.began)

    def _end_stage(self, kept: Kept, stage: Stage, age: float) -> None:
        """It has lasted long enough: goes on if it can be judged by all that came since."""
        alone, before = kept.share == 1, kept.before
        verdict = judge_sums(self._limits, *self._window.since(), alone=alone, before=before)
        is_late = stage.most_seconds is not None and age >= stage.most_seconds
        if verdict.is_judged and verdict.is_worse:
            self._end(verdict.why)
        elif verdict.is_judged:
            self._change(partial(self._following, of=kept, why=verdict.why), must=False)
        elif is_late and self._undecided == "roll_back":
            self._end(f"there were too few look-ups to judge it by: {verdict.why}")

    def _end(self, why: str) -> None:
        """Rolls back here, and then for all."""
        with self._lock:
            self._pending, self._share = why, 0.0
        self._change(partial(self._rolled_back, why=why), must=False)

    def _change(self, make: Callable[[Kept], Kept | None], *, must: bool) -> None:
        """Writes what `make` makes of the newest state, unless it makes nothing of it."""
        try:
            self._settle(is_decided=self._agreed.change(make))
        except (*NO_ANSWER, ConfigError) as error:
            self._problem = f"{type(error).__name__}: {error}"
            if must:
                raise

    def _refresh(self, *, is_first: bool = False) -> None:
        """Takes over the newest state; writes what is not yet written."""
        pending = self._pending
        try:
            self._agreed.refresh()
            self._problem = None
        except (*NO_ANSWER, ConfigError) as error:
            if is_first and isinstance(error, ConfigError):
                raise
            self._problem = f"{type(error).__name__}: {error}"
            return
        self._settle(is_decided=False)
        if pending is not None:
            self._change(partial(self._rolled_back, why=pending), must=False)

    def _settle(self, *, is_decided: bool) -> None:
        """Goes by the newest state; `is_decided`: it is of here, and over what was pending."""
        with self._lock:
            kept = self._agreed.newest
            if kept is not None and (is_decided or kept.phase == "rolled_back"):
                self._pending = None
            self._share = 0.0 if kept is None or self._pending is not None else kept.share

    def _check_stages(self, kept: Kept) -> None:
        shares = [stage.share for stage in self._stages]
        if kept.shares != shares or not 0 <= kept.stage < len(shares):
            raise ConfigError(
                f"stages of the shares {shares}: the rollout {self._name!r} has {kept.shares};"
                " allowed are those, or another name"
            )

    def _on_news(self, kept: Kept, before: Kept | None) -> None:
        self._window.clear(self._clock())
        for event in kept.events[before.version - kept.version :] if before else ():
            self._tell(event)

    def _tell(self, event: Event) -> None:
        tell(
            *(_log, logging.INFO, "rollout"),
            "rollout {name}: {change}, {share:.0%} of the keys: {why}",
            name=self._name,
            change=event.kind,
            share=event.share,
            why=event.why,
        )
        tell_listener(self._on_event, event, f"on_event of rollout {self._name}")

    def _first(self) -> Kept:
        now, shares = self._clock(), [stage.share for stage in self._stages]
        event = Event(now, "began", 0, shares[0], "it is new")
        return Kept(version=1, phase="running", stage=0, began=now, shares=shares, events=[event])

    def _following(self, kept: Kept, *, of: Kept | None, why: str) -> Kept | None:
        """What follows `of`; None where another thread or process saw to that."""
        if (of is not None and kept.version != of.version) or kept.phase != "running":
            return None
        if kept.stage + 1 == len(self._stages):
            return self._changed(kept, "done", kept.stage, "done", why)
        control = self._window.since()[CONTROL]
        known = control.requests >= self._limits.least_requests
        following = self._changed(kept, "running", kept.stage + 1, "advanced", why)
        return msgspec.structs.replace(following, before=control.hit_rate if known else kept.before)

    def _rolled_back(self, kept: Kept, *, why: str) -> Kept | None:
        if kept.phase == "rolled_back":
            return None
        return self._changed(kept, "rolled_back", kept.stage, "rolled_back", why)

    def _restarted(self, kept: Kept, *, why: str) -> Kept:
        restarted = self._changed(kept, "running", 0, "restarted", why)
        return msgspec.structs.replace(restarted, before=None)

    def _changed(self, kept: Kept, phase: Phase, stage: int, kind: str, why: str) -> Kept:
        now = self._clock()
        share = 0.0 if phase == "rolled_back" else kept.shares[stage]
        events = [*kept.events, Event(now, kind, stage, share, why)][-_MOST_EVENTS:]
        changes = {"version": kept.version + 1, "phase": phase, "stage": stage, "events": events}
        began = kept.began if phase == "rolled_back" else now
        return msgspec.structs.replace(kept, began=began, **changes)

    def _note_errors(self, now: float) -> None:
        """What the tiers failed since the last time."""
        newest = [self._errors_of(side) for side in (CONTROL, CANARY)]
        with self._lock:
            seen, self._seen = self._seen, newest
            for side, (before, after) in enumerate(zip(seen, newest, strict=True)):
                asked, errors = (max(0, b - a) for a, b in zip(before, after, strict=True))
                self._window.note(now, side, Counts(asked=asked, errors=min(errors, asked)))

    def _errors_of(self, side: int) -> tuple[int, int]:
        stats = self._sides[side].stats()
        return stats.requests, stats.errors + stats.skipped

    def _tick(self) -> None:
        """Has a background thread check, when it is time."""
        if self._every is None or (now := self._clock()) < self._next:
            return
        self._next = now + self._every
        workers.submit(self.check)


def _limits(given: object) -> Limits:
    if given is None:
        return Limits()
    if not isinstance(given, Limits):
        kind = type(given).__name__
        raise ConfigError(f"limits={shown(given)} of type {kind}: allowed are None and Limits")
    return given
