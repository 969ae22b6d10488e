"""A Cache whose time stands still until a test advances it."""

from __future__ import annotations

from typing import Any

from vcache import Cache, _core
from vcache._config import Config


class ClockedCache(Cache):
    """A Cache on a clock of its own, without jitter unless asked for."""

    def __init__(self, clock: _core.ManualClock | None = None, **arguments: Any) -> None:
        self.clock = clock or _core.ManualClock()
        super().__init__(**({"jitter": 0.0} | arguments))

    def _open(self, config: Config) -> _core.TieredCache:
        return config.open(clock=self.clock, seed=1)
