"""What a rollout says of itself."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from ._stages import Event, Phase
from ._window import Counts

__all__ = ["Event", "RolloutReport", "SideReport"]


@dataclass(frozen=True, slots=True)
class SideReport:
    """One of the two caches, of late. Rates are 0 to 1; None: there was nothing to tell by.

    latency: mean seconds of a look-up of one key that was answered by the cache.
    """

    requests: int
    hit_rate: float | None
    latency: float | None
    error_rate: float | None

    @classmethod
    def of(cls, counts: Counts) -> SideReport:
        return cls(counts.requests, counts.hit_rate, counts.latency, counts.error_rate)


@dataclass(frozen=True, slots=True)
class RolloutReport:
    """Where a rollout is, and how both sides did in the window up to now, in this process.

    phase: "running", "done", "rolled_back"; None: it is not known, and all keys are the control's.
    share: of the keys that are the canary's.
    began, earliest, latest: of the stage, and when it may be and has to be over, in seconds since
        1970; None: no such time.
    why: what the last event was for.
    problem: why the state could not be read or written of late; None: it could.
    events: what became of it, in all processes, the oldest first.
    """

    name: str
    phase: Phase | None
    stage: int | None
    share: float
    began: float | None
    earliest: float | None
    latest: float | None
    control: SideReport
    canary: SideReport
    why: str | None
    problem: str | None
    events: tuple[Event, ...]

    def as_dict(self) -> dict[str, Any]:
        found = {name: getattr(self, name) for name in self.__slots__}
        sides = {"control": asdict(self.control), "canary": asdict(self.canary)}
        return found | sides | {"events": [msgspec.to_builtins(event) for event in self.events]}

    def rows(self) -> list[dict[str, Any]]:
        """A row for each side, for a DataFrame."""
        pairs = (("control", self.control), ("canary", self.canary))
        return [{"side": name} | asdict(side) for name, side in pairs]

    def __str__(self) -> str:
        lines = [f"rollout {self.name}: {self.phase or 'not known'}, {self.share:.0%} of the keys"]
        pairs = (("control", self.control), ("canary", self.canary))
        lines += [f"  {name}: {_side(side)}" for name, side in pairs]
        lines += [
            f"  {datetime.fromtimestamp(event.at, UTC):%Y-%m-%d %H:%M:%S}Z {event.kind}"
            f" ({event.share:.0%}): {event.why}"
            for event in self.events
        ]
        return "\n".join([*lines, *([f"  problem: {self.problem}"] if self.problem else [])])


def _side(side: SideReport) -> str:
    hits = "" if side.hit_rate is None else f", hit rate {side.hit_rate:.2%}"
    took = "" if side.latency is None else f", {side.latency * 1e6:,.4g} us"
    errors = "" if side.error_rate is None else f", errors {side.error_rate:.2%}"
    return f"{side.requests:,} look-ups{hits}{took}{errors}"
