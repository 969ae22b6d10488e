"""What vcache._torch refuses for its size, and the end of a process that scores.

Annotations are not postponed here: TorchScript reads them.
"""

from pathlib import Path

import pytest
from alone import run_alone
from torch_models import Mlp, save, torch

from vcache._model import load_scorer
from vcache.errors import ModelError

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")


class Wide(torch.nn.Module):
    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.inputs = inputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(x.sum(1))


@pytest.mark.parametrize("inputs", [2**48, 2**62, 65_537])
def test_r41_more_inputs_than_allowed(tmp_path: Path, inputs: int) -> None:
    path = save(Wide(inputs), tmp_path / "wide.pt")
    with pytest.raises(ModelError, match=f"inputs={inputs}: allowed are at most 65536"):
        load_scorer(path)


DAEMONS = """
import sys, threading
import numpy as np
from vcache._model import load_scorer

scorer = load_scorer(sys.argv[1])
rows = np.zeros((512, scorer.inputs), np.float32)
started = threading.Barrier(5)

def work():
    started.wait()
    while True:
        scorer.score(rows)

for _ in range(4):
    threading.Thread(target=work, daemon=True).start()
started.wait()
scorer.score(rows)
print("end")
"""


@pytest.mark.parametrize("attempt", range(3))
def test_daemon_threads_that_score_do_not_end_the_process(tmp_path: Path, attempt: int) -> None:
    path = save(Mlp(), tmp_path / "mlp.pt")
    assert run_alone(DAEMONS, str(path)) == "end"
