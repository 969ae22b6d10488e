"""What a load run counted, by the second and in all, and whether it passes."""

from __future__ import annotations

import os
import threading
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from load_source import Asked

GATES = ("exceptions", "wrong", "no fault struck", "no fault was noticed", "recovery")


@dataclass
class Tally:
    """One thread's counts; read by the reporter while they grow."""

    calls: int = 0
    requests: int = 0  # keys asked for or written
    checked: int = 0  # values that were found and compared
    wrong: Counter[str] = field(default_factory=Counter)
    exceptions: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)  # of each call
    examples: list[str] = field(default_factory=list)


@dataclass
class Recovery:
    """From the end of a fault to the next hit in Redis, or from a flush to its hit rate again."""

    action: str
    seconds: float | None = None


@dataclass
class Report:
    rows: list[dict[str, Any]] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    noticed: int = 0  # requests without an answer of Redis, or without what a flush took
    recoveries: list[Recovery] = field(default_factory=list)
    wrong: Counter[str] = field(default_factory=Counter)
    exceptions: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    checked: int = 0
    calls: int = 0
    requests: int = 0
    longest: float = 0.0
    source: Asked = field(default_factory=Asked)

    def add(self, tally: Tally) -> None:
        self.wrong += tally.wrong
        self.exceptions += tally.exceptions
        self.examples += tally.examples
        self.checked += tally.checked
        self.calls += tally.calls
        self.requests += tally.requests
        self.longest = max(self.longest, max(tally.seconds, default=0.0))

    def failures(self, *, expects_faults: bool, recovery: float) -> list[str]:
        """The gates that this run does not pass, each with its figures."""
        slow = [r for r in self.recoveries if r.seconds is None or r.seconds > recovery]
        found = {
            "exceptions": dict(self.exceptions),
            "wrong": dict(self.wrong),
            "no fault struck": expects_faults and not self.faults.total(),
            "no fault was noticed": expects_faults and not self.noticed,
            "recovery": [f"{r.action}: {r.seconds} s" for r in slow],
        }
        return [f"{name}: {found[name]} {self.examples[:3]}" for name in GATES if found[name]]

    def summary(self) -> dict[str, Any]:
        return {
            "calls": self.calls,
            "requests": self.requests,
            "checked": self.checked,
            "faults": dict(self.faults),
            "noticed": self.noticed,
            "exceptions": self.exceptions.total(),
            "wrong": self.wrong.total(),
            "recover_seconds": [r.seconds and round(r.seconds, 3) for r in self.recoveries],
            "longest_call": round(self.longest, 4),
            "source": asdict(self.source),
        }


def process_figures() -> dict[str, int]:
    """Resident bytes, open files and threads of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "rss": pages * os.sysconf("SC_PAGE_SIZE"),
        "fds": len(list(Path("/proc/self/fd").iterdir())),
        "threads": len(list(Path("/proc/self/task").iterdir())),
        "python_threads": threading.active_count(),
    }


def percentiles(seconds: list[float]) -> dict[str, float]:
    if not seconds:
        return {"p50": 0.0, "p99": 0.0, "p999": 0.0}
    found = np.percentile(np.array(seconds), [50, 99, 99.9]) * 1e6
    return dict(zip(("p50", "p99", "p999"), found.round(1).tolist(), strict=True))
