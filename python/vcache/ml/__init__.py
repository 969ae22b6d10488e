"""Models of the learned policy: trained on traces, held against what they were not trained on.

>>> import numpy as np
>>> ids = np.random.default_rng(1).zipf(1.3, 100_000).astype("u8")
>>> trained = train(ids, epochs=5)  # doctest: +SKIP
>>> trained.model.save("model.bin")  # doctest: +SKIP
"""

from __future__ import annotations

from .._weights import Model, ModelLike, default_model, load_model
from ._ab import ab_test
from ._comparison import Comparison
from ._exchange import ModelExchange
from ._hour import Bin, Predicted
from ._report import Horizon, Report, Simulated, evaluate
from ._sharing import Manifest, SharedModel, SharedModels
from ._train import Trained, train

__all__ = [
    "Bin",
    "Comparison",
    "Horizon",
    "Manifest",
    "Model",
    "ModelExchange",
    "ModelLike",
    "Predicted",
    "Report",
    "SharedModel",
    "SharedModels",
    "Simulated",
    "Trained",
    "ab_test",
    "default_model",
    "evaluate",
    "load_model",
    "train",
]
