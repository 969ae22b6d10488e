"""Replays by libCacheSim, the referee of the simulator: installed by hand, for its licence."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from harness import CannotRun

try:
    import libcachesim
except ImportError:
    libcachesim = None

CLASSICS = (
    "LHD",
    "LRU",
    "LRUK",
    "FIFO",
    "LFU",
    "ARC",
    "Clock",
    "S3FIFO",
    "Sieve",
    "LIRS",
    "TwoQ",
    "SLRU",
    "MQ",
    "WTinyLFU",
    "LeCaR",
    "ClockPro",
    "Clock2QPlus",
    "Cacheus",
    "GDSF",
    "Hyperbolic",
    "LRUProb",
)
"""Its policies that fit no model, but LFUDA, whose replay does not end. Its W-TinyLFU rejects
everything in caches of under 100 entries."""
LEARNERS = ("LRB", "ThreeLCache")

_RECORD = np.dtype([("time", "<u4"), ("id", "<u8"), ("size", "<u4"), ("next", "<i8")])


def write_trace(ids: np.ndarray, path: Path) -> Path:
    """A file of libCacheSim's oracleGeneral format, in which each object has size 1."""
    order = np.argsort(ids, kind="stable")
    again = ids[order][1:] == ids[order][:-1]
    records = np.zeros(len(ids), _RECORD)
    records["time"], records["id"], records["size"] = np.arange(len(ids)), ids + np.uint64(1), 1
    records["next"] = -1
    records["next"][order[:-1][again]] = order[1:][again] + 1
    records.tofile(path)
    return path


def replay(path: Path, algorithm: str, capacity: int) -> tuple[float, float]:
    """Miss ratio, and seconds of this thread, of `capacity` objects under a class of its."""
    if libcachesim is None:
        raise CannotRun("libcachesim is not installed: pip install libcachesim")
    parameters = libcachesim.ReaderInitParam(ignore_obj_size=True)
    kind = libcachesim.TraceType.ORACLE_GENERAL_TRACE
    reader = libcachesim.TraceReader(str(path), kind, parameters)
    if not hasattr(libcachesim, algorithm):
        raise CannotRun(f"libcachesim {libcachesim.__version__} has no {algorithm}")
    cache = getattr(libcachesim, algorithm)(cache_size=capacity)
    start = time.thread_time()
    ratio, _ = cache.process_trace(reader)
    return ratio, time.thread_time() - start
