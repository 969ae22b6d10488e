"""Traces from which a model learns in a second."""

from __future__ import annotations

import numpy as np


def hot_and_cold(requests: int = 12_000, seed: int = 1) -> np.ndarray:
    """Half of the requests are for 150 objects, by turns at random; the others never come again."""
    random = np.random.default_rng(seed)
    hot = random.integers(0, 150, requests)
    cold = 1_000_000 + np.arange(requests)
    return np.where(random.random(requests) < 0.5, hot, cold).astype(np.uint64)
