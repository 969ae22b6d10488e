"""An A/B test over what a running service asks for."""

from __future__ import annotations

import os
import time
from pathlib import Path
from threading import Event

import numpy as np

from .._messages import shown
from ..sim._trace import Trace
from ._comparison import Comparison, Plan, result_of
from ._crossover import Crossover
from ._follow import Accesses, AccessLog

__all__ = ["Live"]

_POLL = 0.25  # seconds between looks at a log

_NOTHING = Trace(np.zeros(1, np.uint64), np.ones(1, np.uint32))
"""Of which there is no share."""


class Live:
    """A comparison over a log that is being written."""

    def __init__(self, plan: Plan, path: Path, began: float) -> None:
        self._plan, self._path, self._began = plan, path, began
        self._log, self._accesses = AccessLog(path), Accesses()

    def close(self) -> None:
        self._log.close()

    def run(self, seconds: float) -> Comparison:
        earlier = self._earlier()
        capacity = self._capacity(earlier)
        crossover = self._plan.crossover(capacity)
        for trace in earlier:
            crossover.feed(trace)
        earlier.clear()
        crossover.forget()
        is_complete = True
        try:
            self._follow(crossover, seconds)
        except KeyboardInterrupt:
            is_complete = False
        return result_of(
            self._plan,
            crossover,
            capacity,
            os.fspath(self._path),
            self._began,
            skipped=self._accesses.skipped + self._log.cut,
            is_complete=is_complete,
        )

    def _earlier(self) -> list[Trace]:
        """What the log holds already."""
        found = []
        while lines := self._log.lines():
            trace = self._accesses.trace_of(lines)
            if trace is not None:
                found.append(trace)
        return found

    def _capacity(self, earlier: list[Trace]) -> int:
        is_share = isinstance(self._plan.capacity, str) and "%" in self._plan.capacity
        if is_share and not earlier:
            raise ValueError(
                f"capacity={shown(self._plan.capacity)}: {shown(os.fspath(self._path))} holds no"
                " accesses yet to take a share of; allowed is a number"
            )
        return self._plan.capacity_in(_joined(earlier) if earlier else _NOTHING)

    def _follow(self, crossover: Crossover, seconds: float) -> None:
        start, pause = time.monotonic(), Event()
        while True:
            passed = time.monotonic() - start
            lines = self._log.lines()
            trace = self._accesses.trace_of(lines) if lines else None
            if trace is not None:
                crossover.feed(trace)
            self._plan.progress("follow", min(passed / seconds, 1.0))
            if passed >= seconds:
                return
            if not lines:
                pause.wait(min(_POLL, seconds - passed))


def _joined(traces: list[Trace]) -> Trace:
    """Their requests; they all have sizes."""
    sizes = [trace.sizes for trace in traces if trace.sizes is not None]
    return Trace(np.concatenate([trace.ids for trace in traces]), np.concatenate(sizes))
