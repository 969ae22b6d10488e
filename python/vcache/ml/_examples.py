"""What can be learned of a trace: entries as they were judged, and what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import _core
from .._weights import INPUTS, Model
from ._hour import HOUR

__all__ = ["KEPT", "NONE", "Examples", "joined", "learned_cache", "new_ones"]

KEPT = 120_000
"""Examples that a cache keeps at most."""


@dataclass(frozen=True, eq=False)
class Examples:
    """n entries of a cache, each at a moment, and whether it was read within one horizon of then.

    features: float32 of shape (n, 17), as in cpp/predictor/features.hpp.
    heads: uint8 of shape (n,): which horizon, as the place of the model's output.
    labels: bool of shape (n,): whether it was read.
    weights: float32 of shape (n,): of what one cache has they sum to 1.
    """

    features: npt.NDArray[np.float32]
    heads: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.bool_]
    weights: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.heads)


NONE = Examples(
    np.empty((0, INPUTS), np.float32),
    np.empty(0, np.uint8),
    np.empty(0, np.bool_),
    np.empty(0, np.float32),
)


def learned_cache(
    capacity: int, model: Model | None, seed: int, span: float = HOUR
) -> _core.Replay:
    """A cache of `capacity` entries that keeps examples; None: it has the classic experts only.

    span: the seconds that its predictions are for.
    """
    core: Any = None if model is None else model.core
    return _core.Replay(
        policy="learned",
        capacity=capacity,
        in_bytes=False,
        seed=seed,
        model=core,
        by_cost=False,
        examples=KEPT,
        span=span,
    )


def new_ones(before: dict[str, Any], after: dict[str, Any]) -> Examples:
    """Those whose outcome became known between `before` and `after`, which a cache kept.

    What it keeps is a random part of all so far (a reservoir), so that what it keeps afterwards and
    did not keep in the same place before is a random part of the later ones.
    """
    shared = len(before["heads"])
    is_new = np.ones(len(after["heads"]), np.bool_)
    is_new[:shared] = (after["features"][:shared] != before["features"]).any(axis=1)
    for name in ("heads", "labels", "weights"):
        is_new[:shared] |= after[name][:shared] != before[name]
    weights = after["weights"][is_new]
    return Examples(
        after["features"][is_new],
        after["heads"][is_new],
        after["labels"][is_new],
        weights / max(float(weights.sum(dtype=np.float64)), 1e-9),
    )


def joined(parts: Sequence[Examples]) -> Examples:
    """All of them, in order."""
    if not parts:
        return NONE
    return Examples(
        np.concatenate([part.features for part in parts]),
        np.concatenate([part.heads for part in parts]),
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.weights for part in parts]),
    )
