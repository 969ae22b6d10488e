"""Replays a trace of requests through the eviction policies of the cache, without any values.

>>> import numpy as np
>>> ids = np.random.default_rng(1).zipf(1.3, 100_000).astype("u8")
>>> replay(ids, "lru", "1%").miss_ratio > replay(ids, "belady", "1%").miss_ratio
True
"""

from __future__ import annotations

from ._curves import Curve, Recommendation, miss_ratio_curve, recommend_size
from ._replay import POLICIES, Result, replay
from ._trace import Trace, read_trace

__all__ = [
    "POLICIES",
    "Curve",
    "Recommendation",
    "Result",
    "Trace",
    "miss_ratio_curve",
    "read_trace",
    "recommend_size",
    "replay",
]
