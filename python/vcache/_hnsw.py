"""The graph for many vectors: usearch, where it is installed."""

from __future__ import annotations

import os
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._locks import ForkLock

__all__ = ["Hnsw", "has_hnsw"]


@cache
def has_hnsw() -> bool:
    return find_spec("usearch") is not None


class Hnsw:
    """Unit vectors of one width by their ids, searched approximately. Thread-safe.

    Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search using
    Hierarchical Navigable Small World graphs" (2016). Made when the first vector comes. A forked
    child begins with an empty one: a thread of its parent may have been changing this.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self._index: Any = None
        self._owner = 0  # process
        self._lock = ForkLock()

    def __bool__(self) -> bool:
        return self._index is not None and self._owner == os.getpid()

    def __len__(self) -> int:
        return len(self._index) if self else 0

    def __contains__(self, number: int) -> bool:
        with self._lock:
            return bool(self) and number in self._index

    @property
    def memory_bytes(self) -> int:
        return int(self._index.memory_usage) if self else 0

    def can_grow(self) -> bool:
        """Whether usearch can be loaded."""
        try:
            import usearch.index  # noqa: F401
        except Exception:  # whatever a broken installation raises
            return False
        return True

    def add(self, ids: NDArray[np.uint64], rows: NDArray[np.float32]) -> None:
        """One at a time: whoever searches meanwhile waits for one only."""
        for number, row in zip(ids.tolist(), rows, strict=True):
            with self._lock:
                if not self:
                    self._index, self._owner = _new_index(self._width), os.getpid()
                self._index.add(number, row, threads=1)

    def remove(self, number: int) -> None:
        with self._lock:
            if self and number in self._index:
                self._index.remove(number)

    def nearest(
        self, vector: NDArray[np.float64], at_least: float, most: int
    ) -> list[tuple[int, float]]:
        """Ids and cosine similarities, the nearest first."""
        with self._lock:
            if not self or len(self._index) == 0:
                return []
            scaled = vector / max(float(np.abs(vector).max()), np.finfo(np.float64).tiny)
            found = self._index.search(scaled.astype(np.float32), most, threads=1)
        pairs = zip(found.keys.tolist(), (1.0 - found.distances).tolist(), strict=True)
        return [(number, similarity) for number, similarity in pairs if similarity >= at_least]


def _new_index(width: int) -> Any:
    from usearch.index import Index

    return Index(ndim=width, metric="cos", dtype="f32")
