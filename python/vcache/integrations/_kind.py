"""Embeddings of one kind, made by a host's model, for blocking and for awaiting callers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..costs import CostReport
from ..embedding import EmbeddingCache

__all__ = ["Kind", "Rows", "lists", "total"]

Rows = Sequence[Sequence[float]]


class Kind:
    """Two caches over the same keys: one calls the model's blocking call, one its coroutine.

    Both are caches of one Cache, so that whoever comes first computes and the other waits.
    """

    def __init__(
        self,
        embed: Callable[[list[str]], Rows],
        aembed: Callable[[list[str]], Awaitable[Rows]],
        **options: Any,
    ) -> None:
        self._blocking = EmbeddingCache(embed, **options)
        self._awaited = EmbeddingCache(aembed, **options)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self._blocking.embed(texts)

    async def aembed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return await self._awaited.aembed(texts)

    def reports(self) -> list[CostReport]:
        return [self._blocking.report(), self._awaited.report()]


def total(*kinds: Kind) -> CostReport:
    """What was asked for and saved in all of them."""
    return CostReport.together(report for kind in kinds for report in kind.reports())


def lists(matrix: NDArray[np.float32]) -> list[list[float]]:
    """The rows as hosts want them."""
    rows: list[list[float]] = matrix.tolist()
    return rows
