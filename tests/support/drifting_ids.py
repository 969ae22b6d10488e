"""Requests whose popular objects are others now and then."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def drifting_ids(requests: int, seed: int, drift: float = 0.0) -> NDArray[np.uint64]:
    """Zipf's law over 4,000 objects; before each request, with a chance of `drift`, each object
    hands its popularity on to another.
    """
    random = np.random.default_rng(seed)
    shares = np.cumsum(1 / np.arange(1, 4_001) ** 0.9)
    ranks = np.searchsorted(shares / shares[-1], random.random(requests))
    moves = (random.random(requests) < drift) * random.integers(1, 4_000, requests)
    return ((ranks + np.cumsum(moves)) % 4_000).astype(np.uint64)
