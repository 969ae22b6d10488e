"""TorchScript models of one's own that learned eviction must refuse, or bear.

Annotations are not postponed here: TorchScript reads them.
"""

from pathlib import Path

import numpy as np
import pytest
from torch_models import save, torch

from vcache import Cache
from vcache.errors import ConfigError

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")

INPUTS, HEADS = 17, 5
VALUE = np.ones(384, np.float32)


class Plain(torch.nn.Module):
    """Probabilities by a few layers."""

    def __init__(self, inputs: int = INPUTS, heads: int = HEADS, width: int = 16, depth: int = 1):
        super().__init__()
        self.inputs = inputs
        layers = [torch.nn.Linear(inputs, width)]
        layers += [torch.nn.Linear(width, width) for _ in range(depth)]
        self.net = torch.nn.Sequential(*layers, torch.nn.Linear(width, heads))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.net(x))


class Unbounded(Plain):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 3 + self.net(x) * 0


class NotANumber(Plain):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.log(self.net(x) * 0 - 1)


class Random(Plain):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.net(x) + torch.rand_like(x[:, :5]))


class Brittle(Plain):
    """Infinity for what is not in Redis, as all entries here are and none of the probes is."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        is_known = (x.abs().sum(dim=1, keepdim=True) > 0).float()
        is_here = is_known * (x[:, 16:17].abs() <= 0).float()
        return torch.sigmoid(self.net(x)) / (1 - is_here)


def replay(cache: Cache, requests: int = 20_000) -> int:
    random = np.random.default_rng(0)
    misses = 0
    for key in (5_000 * random.random(requests) ** 3).astype(int).tolist():
        if cache.get(f"v:{key}") is None:
            misses += 1
            cache.set(f"v:{key}", VALUE)
    return misses


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (Plain(inputs=12), "takes 12 inputs"),
        (Plain(heads=1), "gives 1"),
        (Unbounded(), "probabilities from 0 to 1"),
        (NotANumber(), "nan"),
        (Random(), "rand"),
        (Plain(width=512, depth=50), "us to score"),
    ],
    ids=["inputs", "outputs", "unbounded", "nan", "operator", "slow"],
)
def test_a_model_that_is_not_fit_is_warned_of(
    tmp_path: Path, model: torch.nn.Module, why: str
) -> None:
    path = save(model, tmp_path / "model.pt")
    with pytest.warns(RuntimeWarning, match=f"model_path=.*{why}.*the shipped model is used"):
        cache = Cache(policy="learned", memory="2MiB", model_path=path)
    with cache:
        replay(cache, 5_000)
        assert cache.predict("v:0") > 0


@pytest.mark.parametrize("kind", ["missing", "corrupt", "slow", "nan"])
def test_with_a_model_that_is_not_fit_as_many_are_hit_as_by_the_heuristic(
    tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "model.pt"
    if kind == "corrupt":
        whole = save(Plain(), path).read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
    elif kind != "missing":
        save(NotANumber() if kind == "nan" else Plain(width=512, depth=50), path)
    with Cache(policy="lru", memory="2MiB") as lru:
        heuristic = replay(lru)
    with pytest.warns(RuntimeWarning, match="the shipped model is used"):
        cache = Cache(policy="learned", memory="2MiB", model_path=path)
    with cache:
        assert replay(cache) < 1.02 * heuristic


def test_a_model_that_breaks_later_hands_over(tmp_path: Path) -> None:
    path = save(Brittle(), tmp_path / "model.pt")
    with Cache(policy="lru", memory="2MiB") as lru:
        classic = replay(lru)
    with Cache(policy="learned", memory="2MiB", model_path=path) as cache:
        assert replay(cache) < 1.02 * classic
        policy = cache.stats().policy
        assert policy["failures"] > 0
        assert policy["leader"] != "frozen"
        with pytest.raises(ConfigError, match="frozen"):
            cache.pin_expert("frozen")
