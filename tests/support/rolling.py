"""A rollout whose time a test advances, over caches that take as long as they are told."""

from __future__ import annotations

from typing import Any

from clocked import ClockedCache

from vcache.rollout import Rollout

HOUR = 3600.0


class Time:
    """Seconds since 1970, and seconds to measure with."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0
        self.measured = 0.0


class TimedCache(ClockedCache):
    """Each get() takes `seconds` of the measured time."""

    def __init__(self, time: Time, **arguments: Any) -> None:
        self.time, self.seconds = time, 0.0
        super().__init__(**arguments)

    def get(self, key: Any, default: Any = None) -> Any:
        self.time.measured += self.seconds
        return super().get(key, default)


class Traffic:
    """Look-ups of a rollout, of which a share of each side's hit."""

    def __init__(self, **options: Any) -> None:
        self.time = Time()
        self.control, self.canary = TimedCache(self.time), TimedCache(self.time)
        self.options = options
        self.rollout = self.join()
        self.keys = [f"key:{number}" for number in range(400)]

    def join(self) -> Rollout:
        """One more process would have one like it."""
        clocks: dict[str, Any] = {
            "clock": lambda: self.time.now,
            "timer": lambda: self.time.measured,
            "check_every": None,
        }
        return Rollout(self.control, self.canary, **(clocks | self.options))

    def set_all(self) -> None:
        for key in self.keys:
            self.rollout.set(key, 1)

    def minutes(self, count: int, *, control: float = 1.0, canary: float = 1.0) -> None:
        """So many minutes with 1,600 look-ups each, of which those shares hit; checks each."""
        for _ in range(count * 4):
            self.set_all()
            self.quarter(control, canary)
            self.time.now += 15
            self.rollout.check()

    def quarter(self, control: float, canary: float) -> None:
        shares = {"control": control, "canary": canary}
        counts = {"control": 0.0, "canary": 0.0}
        for key in self.keys:
            side = self.rollout.side_of(key)
            before, counts[side] = int(counts[side]), counts[side] + shares[side]
            if int(counts[side]) == before:
                self.rollout.delete(key)
            self.rollout.get(key)

    def close(self) -> None:
        self.control.close()
        self.canary.close()
