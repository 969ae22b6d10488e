"""What vcache._torch does to the process around it, and to a torch that does not fit."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from torch_models import WIDTH, Mlp, features, save, torch

from vcache import _model
from vcache._model import load_scorer
from vcache.errors import ModelError

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    return save(Mlp(), tmp_path / "mlp.pt")


def test_torch_thread_counts_stay(model: Path) -> None:
    before = torch.get_num_threads()
    counts: list[int] = []

    def work() -> None:
        counts.append(torch.get_num_threads())
        scorer.score(features(100))
        counts.append(torch.get_num_threads())

    try:
        torch.set_num_threads(3)
        scorer = load_scorer(model)
        scorer.score(features(2000))
        assert torch.get_num_threads() == 3
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert counts == [3, 3]
    finally:
        torch.set_num_threads(before)


def run_alone(script: str, *arguments: str) -> str:
    """Output of a fresh interpreter that may use four threads."""
    environment = os.environ | {"OMP_NUM_THREADS": "4", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


class Big(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a = torch.nn.Linear(512, 512)
        self.b = torch.nn.Linear(512, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.b(torch.tanh(self.a(x))))


@pytest.fixture
def big(tmp_path: Path) -> Path:
    return save(Big(), tmp_path / "big.pt")


def test_scoring_starts_no_thread_and_imports_no_torch(big: Path) -> None:
    script = """
import sys, os, numpy
from vcache._model import load_scorer
x = numpy.ones((4096, 512), numpy.float32)
before = len(os.listdir("/proc/self/task"))
load_scorer(sys.argv[1], batch_size=4096).score(x)
print(len(os.listdir("/proc/self/task")) - before, "torch" in sys.modules)
"""
    assert run_alone(script, str(big)) == "0 False"


def test_torch_alone_would_start_threads(big: Path) -> None:
    """Shows that the test above can fail."""
    script = """
import sys, os, warnings
warnings.simplefilter("ignore")
import torch
before = len(os.listdir("/proc/self/task"))
torch.jit.load(sys.argv[1])(torch.ones(4096, 512))
print(len(os.listdir("/proc/self/task")) - before)
"""
    assert int(run_alone(script, str(big))) > 0


def test_forked_child_scores_too(big: Path) -> None:
    script = """
import sys, os, numpy
from vcache._model import load_scorer
scorer = load_scorer(sys.argv[1])
x = numpy.ones((2048, 512), numpy.float32)
scores = scorer.score(x)
child = os.fork()
if child == 0:
    os._exit(0 if numpy.array_equal(scorer.score(x), scores) else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert run_alone(script, str(big)) == "0"


@pytest.mark.parametrize("order", ["torch, vcache._torch", "vcache._torch, torch"])
def test_lives_beside_the_python_package_of_torch(model: Path, order: str) -> None:
    script = f"""
import warnings
warnings.simplefilter("ignore")
import sys, numpy
import {order}
from vcache._model import load_scorer
x = numpy.ones((5, {WIDTH}), numpy.float32)
with torch.inference_mode():
    expected = torch.jit.load(sys.argv[1]).eval()(torch.from_numpy(x))[:, 0].numpy()
print(numpy.allclose(load_scorer(sys.argv[1]).score(x), expected, atol=1e-6))
"""
    assert run_alone(script, str(model)) == "True"


@pytest.fixture
def forgetful() -> Iterator[None]:
    """Whether torch fits is found out anew, in the test and after it."""
    known = (_model._unfit, _model._loaded, _model.torch_library)
    for each in known:
        each.cache_clear()
    yield
    for each in known:
        each.cache_clear()


@pytest.mark.usefixtures("forgetful")
def test_other_torch_warns_once_and_switches_models_off(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metadata, "version", lambda name: "2.14.1")
    message = "torch 2.14.1 is installed: models need torch 2.13, and are switched off"
    with pytest.warns(RuntimeWarning, match=message), pytest.raises(ModelError, match=message):
        load_scorer(model)
    with pytest.raises(ModelError, match=message):  # a second warning would be an error
        load_scorer(model)


@pytest.mark.usefixtures("forgetful")
def test_absent_torch_says_what_to_install(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", version)
    with pytest.raises(ModelError, match=r"pip install vcache\[torch\]"):
        load_scorer(model)
