"""Models that differ."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from vcache.ml import Model


def small_model(seed: int) -> Model:
    """One of random weights."""
    random = np.random.default_rng(seed)
    layers = [
        (random.normal(0, 0.1, (inputs, outputs)).astype(np.float32), np.zeros(outputs, np.float32))
        for inputs, outputs in pairwise((17, 32, 32, 5))
    ]
    return Model.of_layers(layers)
