"""Look-ups as Cache.accesses() gives them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

FIELDS = [
    *(("time", "f8"), ("key", "u8"), ("group", "U16"), ("tier", "U6")),
    *(("size", "u4"), ("cost", "f4")),
]


def look_ups(rows: Iterable[tuple[float, int, str, str, int, float]]) -> NDArray[Any]:
    """Each (time, key, group, tier, size, cost)."""
    return np.array(list(rows), FIELDS)


def of_keys(keys: Iterable[int], tier: str = "memory") -> NDArray[Any]:
    """One a second, of one group, each of 100 bytes and of cost 0.5."""
    return look_ups((second, key, "emb", tier, 100, 0.5) for second, key in enumerate(keys))
