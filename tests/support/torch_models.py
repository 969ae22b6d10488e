"""TorchScript models for tests; importing this skips the module that does where torch is missing.

Annotations are not postponed here: TorchScript reads them.
"""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed", exc_type=ImportError)

WIDTH = 12


class Mlp(torch.nn.Module):
    """As a model for eviction may look: normalised features in, probabilities out."""

    def __init__(self, outputs: int = 1) -> None:
        super().__init__()
        self.register_buffer("mean", torch.full((WIDTH,), 0.25))
        self.net = torch.nn.Sequential(
            torch.nn.LayerNorm(WIDTH),
            torch.nn.Linear(WIDTH, 32),
            torch.nn.GELU(),
            torch.nn.Dropout(0.5),
            torch.nn.Linear(32, 32),
            torch.nn.BatchNorm1d(32),
            torch.nn.ReLU(),
            torch.nn.Linear(32, outputs),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.net((x - self.mean).clamp(-3.0, 3.0)))


class Squeezed(Mlp):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.net(x).squeeze(-1))


class LogOfSum(torch.nn.Module):
    """NaN where the sum of a row is negative, minus infinity where it is zero."""

    def __init__(self) -> None:
        super().__init__()
        self.inputs = WIDTH

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.log(x.sum(dim=1))


def save(module: torch.nn.Module, path: Path) -> Path:
    torch.jit.script(module.eval()).save(str(path))
    return path


def features(rows: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, WIDTH)).astype(np.float32)
