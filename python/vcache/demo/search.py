"""Top-k search over unit vectors.

faiss-cpu's flat index: exact, so repeatable to the bit, and as fast as a graph at this size.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Answer = list[list[Any]]  # [passage number, score] pairs, best first


class FlatIndex:
    """Exact inner-product search; the row number is the passage's number."""

    def __init__(self, vectors: NDArray[np.float32]) -> None:
        import faiss

        self._index = faiss.IndexFlatIP(vectors.shape[1])
        self._index.add(np.ascontiguousarray(vectors))

    def search(self, vector: NDArray[np.float32], top_k: int) -> Answer:
        scores, numbers = self._index.search(vector[None, :], top_k)
        return [
            [number, score]
            for number, score in zip(numbers[0].tolist(), scores[0].tolist(), strict=True)
        ]
