"""Which keys are the canary's in which stage, and what all processes know of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal
from zlib import crc32

import msgspec

from .._messages import shown
from ..durations import Duration, duration_option
from ..errors import ConfigError

__all__ = ["STAGES", "Event", "Kept", "Phase", "Stage", "position", "seed_of", "stage_list"]

Phase = Literal["running", "done", "rolled_back"]

_MOST_STAGES = 32
_MASK = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Stage:
    """A share of the keys, for a time.

    share: of all keys, above 0 and at most 1.
    least: how long it lasts, however good the canary is.
    most: when it is over at the latest; if it cannot be judged by then, for want of look-ups, the
        rollout ends as its `undecided` says. None: it waits for them.
    """

    share: float
    least: Duration
    most: Duration | None = None

    def __post_init__(self) -> None:
        share = self.share
        if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 < share <= 1:
            raise ConfigError(f"share={shown(share)}: allowed is a number above 0, at most 1")
        least = duration_option(self.least, "least")
        most = None if self.most is None else duration_option(self.most, "most")
        if most is not None and most < least:
            raise ConfigError(f"most={shown(self.most)}: allowed is None, or `least` and longer")
        object.__setattr__(self, "least", least)
        object.__setattr__(self, "most", most)

    @property
    def seconds(self) -> float:
        """The least time."""
        return float(self.least)  # type: ignore[arg-type]

    @property
    def most_seconds(self) -> float | None:
        return None if self.most is None else float(self.most)  # type: ignore[arg-type]


STAGES = (Stage(0.1, "2h", "4h"), Stage(0.5, "4h", "8h"), Stage(1.0, "1h"))


def stage_list(given: object) -> tuple[Stage, ...]:
    """Stages of growing shares, the last of all keys."""
    allowed = "allowed is a sequence of up to 32 Stage, of growing shares, the last of them 1.0"
    is_sequence = isinstance(given, Iterable) and not isinstance(given, (str, bytes))
    stages: tuple[Any, ...] = tuple(given) if is_sequence else ()  # type: ignore[arg-type]
    if not 1 <= len(stages) <= _MOST_STAGES or not all(isinstance(s, Stage) for s in stages):
        raise ConfigError(f"stages={shown(given)}: {allowed}")
    shares = [stage.share for stage in stages]
    if shares != sorted(set(shares)) or shares[-1] != 1:
        raise ConfigError(f"stages of the shares {shares}: {allowed}")
    return stages


class Event(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something that became of a rollout, at a time in seconds since 1970.

    kind: "began", "advanced", "done", "rolled_back", "restarted".
    """

    at: float
    kind: str
    stage: int
    share: float
    why: str


class Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What all processes know of a rollout. `version` grows with each change of it.

    before: the hit rate of the control before the canary had all keys; None: not known.
    """

    version: int
    phase: Phase
    stage: int
    began: float
    shares: list[float]
    events: list[Event] = []
    before: float | None = None

    @property
    def share(self) -> float:
        """Of the keys that are the canary's."""
        return 0.0 if self.phase == "rolled_back" else self.shares[self.stage]


def seed_of(name: str) -> int:
    """What makes each rollout choose other keys."""
    return crc32(name.encode())


def position(key: bytes, seed: int) -> float:
    """Where a key stands from 0 to below 1, the same in all processes and for all stages.

    CRC-32, with the last mixing of MurmurHash3, so that keys that differ little are spread too.
    """
    number = crc32(key, seed)
    number = (number ^ number >> 16) * 0x85EBCA6B & _MASK
    number = (number ^ number >> 13) * 0xC2B2AE35 & _MASK
    return (number ^ number >> 16) / (_MASK + 1)
