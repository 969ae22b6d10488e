"""Examples of a rule that a model of the cache's shape can learn, and that model in NumPy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

INPUTS, HIDDEN, HEADS = 17, 32, 5
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Examples:
    features: Floats
    heads: NDArray[np.uint8]
    labels: Floats
    weights: Floats
    entropy: float  # the mean loss of whoever knows the rule

    @property
    def arrays(self) -> tuple[Floats, NDArray[np.uint8], Floats, Floats]:
        """As a trainer takes them."""
        return self.features, self.heads, self.labels, self.weights


def random_examples(count: int, seed: int = 0) -> Examples:
    """P(1) = sigmoid(3 * (the feature of the head's number + feature 6))."""
    random = np.random.default_rng(seed)
    features = random.uniform(-1, 1, (count, INPUTS)).astype(np.float32)
    heads = random.integers(0, HEADS, count).astype(np.uint8)
    p = sigmoid(3 * (features[np.arange(count), heads] + features[:, 6]))
    return Examples(
        features=features,
        heads=heads,
        labels=(random.uniform(size=count) < p).astype(np.float32),
        weights=np.ones(count, np.float32),
        entropy=float(-(p * np.log(p) + (1 - p) * np.log(1 - p)).mean()),
    )


def sigmoid(x: Floats) -> Floats:
    y: Floats = 1 / (1 + np.exp(-x))
    return y


def scores(weights: Floats, features: Floats) -> Floats:
    """What a model with these weights, layer after layer, gives."""
    x, start = features, 0
    for width, outputs in ((INPUTS, HIDDEN), (HIDDEN, HIDDEN), (HIDDEN, HEADS)):
        layer = weights[start : start + (width + 1) * outputs].reshape(width + 1, outputs)
        start += layer.size
        x = x @ layer[:-1] + layer[-1]
        x = sigmoid(x) if outputs == HEADS else np.maximum(x, 0)
    return x
