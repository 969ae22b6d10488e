"""What fitting does to the process around it, and what a fork leaves of it."""

import threading

import pytest
from alone import run_alone
from learning import random_examples

from vcache._model import make_trainer

torch = pytest.importorskip("torch", reason="torch is not installed", exc_type=ImportError)

# Examples that hold nothing to be learned.
PRELUDE = """
import os, sys, threading
import numpy as np
from vcache._model import make_trainer

def fit(trainer, count=8192, passes=1):
    random = np.random.default_rng(0)
    features = random.normal(size=(count, 17)).astype(np.float32)
    heads = random.integers(0, 5, count).astype(np.uint8)
    labels = random.integers(0, 2, count).astype(np.float32)
    trainer.fit(features, heads, labels, np.ones(count, np.float32), passes)
    return trainer.weights().tobytes()
"""
FOUR_THREADS = {"OMP_NUM_THREADS": "4", "OPENBLAS_NUM_THREADS": "1"}


def test_torch_thread_counts_stay() -> None:
    before = torch.get_num_threads()
    counts: list[int] = []

    def work() -> None:
        counts.append(torch.get_num_threads())
        trainer.fit(*random_examples(100).arrays, passes=1)
        counts.append(torch.get_num_threads())

    try:
        torch.set_num_threads(3)
        trainer = make_trainer(batch_size=1024)
        trainer.fit(*random_examples(4096).arrays, passes=1)
        assert torch.get_num_threads() == 3
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert counts == [3, 3]
    finally:
        torch.set_num_threads(before)


def test_fitting_starts_no_thread_and_imports_no_torch() -> None:
    script = """
before = len(os.listdir("/proc/self/task"))
trainer = make_trainer(batch_size=4096)
fit(trainer)
trainer.archive()
print(len(os.listdir("/proc/self/task")) - before, "torch" in sys.modules)
"""
    assert run_alone(PRELUDE + script, **FOUR_THREADS) == "0 False"


def test_the_default_dtype_and_modes_of_torch_do_not_matter() -> None:
    random = random_examples(500)

    def fitted() -> bytes:
        trainer = make_trainer()
        trainer.fit(*random.arrays, passes=1)
        return trainer.weights().tobytes()

    expected = fitted()
    torch.set_default_dtype(torch.float64)
    try:
        with torch.no_grad(), torch.autocast("cpu"):
            assert fitted() == expected
    finally:
        torch.set_default_dtype(torch.float32)


def test_a_forked_child_fits_too() -> None:
    script = """
trainer = make_trainer(batch_size=1024)
fit(trainer)
expected = fit(make_trainer(weights=trainer.weights()))
child = os.fork()
if child == 0:
    restarted = fit(make_trainer(weights=trainer.weights()))
    os._exit(0 if restarted == expected and fit(trainer) else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert run_alone(PRELUDE + script, **FOUR_THREADS) == "0"


def test_a_child_forked_while_a_thread_fits_restarts() -> None:
    script = """
trainer, others = make_trainer(), make_trainer()
expected = fit(make_trainer())
stop = threading.Event()
def work():
    while not stop.is_set():
        fit(others, count=2048)
thread = threading.Thread(target=work)
thread.start()
codes = []
for _ in range(10):
    child = os.fork()
    if child == 0:
        os._exit(0 if fit(make_trainer()) == expected else 1)
    codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
stop.set()
thread.join()
print(codes)
"""
    assert run_alone(PRELUDE + script, **FOUR_THREADS) == str([0] * 10)
