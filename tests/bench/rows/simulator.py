"""Replays of a trace without values."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np
from harness import Check, Outcome, Timing, compete, expect, quiet
from libcachesim_traces import replay as replay_by_libcachesim
from libcachesim_traces import write_trace

from vcache.sim import Trace, replay

REQUESTS, OBJECTS, SKEW = 1_000_000, 200_000, 0.9
CAPACITIES = (2_000, 20_000)


def lru(rounds: int) -> Outcome:
    """LRU over a million skewed requests, at 1 % and 10 % of the objects, by the thread's clock."""
    shares = 1.0 / np.arange(1, OBJECTS + 1) ** SKEW
    random = np.random.default_rng(11)
    drawn = random.choice(OBJECTS, size=REQUESTS, p=shares / shares.sum())
    ids = random.permutation(OBJECTS)[drawn].astype(np.uint64)
    trace, checks, measured = Trace(ids), [], dict[str, float]()
    with tempfile.TemporaryDirectory() as folder:
        path = write_trace(ids, Path(folder) / "trace.bin")
        for capacity in CAPACITIES:
            ratio, _ = replay_by_libcachesim(path, "LRU", capacity)
            expect(abs(replay(trace, "lru", capacity).miss_ratio - ratio) < 1e-9, "miss ratios")

            def ours(capacity: int = capacity) -> Timing:
                with quiet():
                    start = time.thread_time()
                    replay(trace, "lru", capacity)
                    return Timing((time.thread_time() - start) / REQUESTS)

            def theirs(capacity: int = capacity) -> Timing:
                return Timing(replay_by_libcachesim(path, "LRU", capacity)[1] / REQUESTS)

            best = compete({"vcache": ours, "libcachesim": theirs}, rounds)
            of = f"libCacheSim's LRU, {capacity / OBJECTS:.0%} of the objects"
            checks.append(Check(of, best["libcachesim"] / best["vcache"], 1))
            measured |= {f"{name} {capacity}": seconds for name, seconds in best.items()}
    return Outcome(checks, measured)
