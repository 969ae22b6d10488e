"""Fitting models with LibTorch: what is learned, and what may be learned from."""

import ctypes
import dataclasses
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from learning import HEADS, INPUTS, random_examples, scores

from vcache import _core, _model
from vcache._model import load_scorer, make_trainer
from vcache.errors import ModelError

pytest.importorskip("torch", reason="torch is not installed", exc_type=ImportError)


def test_learns_a_rule_and_is_calibrated() -> None:
    known, unknown = random_examples(8192, 1), random_examples(8192, 2)
    trainer = make_trainer()
    assert trainer.loss(*unknown.arrays) == pytest.approx(np.log(2), abs=0.1)
    trainer.fit(*known.arrays, passes=8)
    assert trainer.loss(*unknown.arrays) == pytest.approx(unknown.entropy, abs=0.03)
    given = scores(trainer.weights(), unknown.features)[np.arange(8192), unknown.heads]
    for low in (0, 0.25, 0.5, 0.75):
        chosen = (given >= low) & (given < low + 0.25)
        assert unknown.labels[chosen].mean() == pytest.approx(given[chosen].mean(), abs=0.06)


def test_loss_is_the_weighted_cross_entropy() -> None:
    examples = random_examples(300)
    weights = np.linspace(0, 2, 300, dtype=np.float32)
    trainer = make_trainer()
    p = scores(trainer.weights(), examples.features)[np.arange(300), examples.heads]
    entropies = -np.where(examples.labels > 0, np.log(p), np.log(1 - p))
    loss = trainer.loss(examples.features, examples.heads, examples.labels, weights)
    assert loss == pytest.approx(np.average(entropies, weights=weights), abs=1e-5)


def test_equal_calls_give_equal_weights() -> None:
    examples = random_examples(1000)

    def fitted(seed: int) -> bytes:
        trainer = make_trainer(batch_size=96, seed=seed)
        trainer.fit(*examples.arrays, passes=3)
        trainer.fit(*examples.arrays, passes=1)
        return trainer.weights().tobytes()

    assert fitted(1) == fitted(1)
    assert fitted(1) != fitted(2)


def test_archive_scores_as_the_weights_do(tmp_path: Path) -> None:
    examples = random_examples(2048)
    trainer = make_trainer()
    trainer.fit(*examples.arrays, passes=2)
    path = tmp_path / "model.pt"
    path.write_bytes(trainer.archive())
    scorer = load_scorer(path)
    assert (scorer.inputs, scorer.outputs) == (INPUTS, HEADS)
    np.testing.assert_allclose(
        scorer.score(examples.features),
        scores(trainer.weights(), examples.features),
        rtol=0,
        atol=1e-5,
    )


def test_begins_with_given_weights() -> None:
    start = make_trainer(seed=1).weights()
    trainer = make_trainer(seed=2, weights=start)
    assert np.array_equal(trainer.weights(), start)
    trainer.fit(*random_examples(100).arrays, passes=1)
    assert not np.array_equal(trainer.weights(), start)
    start[7] = np.nan
    with pytest.raises(ModelError, match="weights to start from are not finite"):
        make_trainer(weights=start)


@pytest.mark.parametrize(
    ("name", "place", "value", "message"),
    [
        ("features", (3, 5), np.nan, "example 3 has a feature that is not finite"),
        ("features", (3, 5), np.inf, "example 3 has a feature that is not finite"),
        ("labels", 7, np.nan, "example 7 has label nan: allowed is 0 to 1"),
        ("labels", 7, 1.5, "example 7 has label 1.5"),
        ("weights", 0, np.nan, "example 0 has weight nan"),
        ("weights", 0, -1, "example 0 has weight -1"),
        ("weights", 0, np.inf, "example 0 has weight inf"),
        ("weights", slice(None), 0, "examples weigh nothing together"),
        ("heads", 63, 5, "example 63 has head 5"),
    ],
)
def test_what_cannot_be_learned_changes_nothing(
    name: str, place: Any, value: float, message: str
) -> None:
    examples = random_examples(64)
    getattr(examples, name)[place] = value
    trainer = make_trainer()
    before = trainer.weights()
    with pytest.raises(ModelError, match=message):
        trainer.fit(*examples.arrays, passes=1)
    with pytest.raises(ModelError, match=message):
        trainer.loss(*examples.arrays)
    assert np.array_equal(trainer.weights(), before)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("features", np.zeros((64, INPUTS - 1), np.float32)),
        ("features", np.zeros((63, INPUTS), np.float32)),
        ("features", np.zeros((64, INPUTS))),
        ("features", np.zeros((INPUTS, 64), np.float32).T),
        ("features", None),
        ("heads", np.zeros(64, np.int64)),
        ("heads", np.zeros(63, np.uint8)),
        ("labels", np.zeros(64)),
        ("labels", [0.0] * 64),
        ("weights", np.zeros((64, 1), np.float32)),
    ],
)
def test_arrays_that_cannot_be_read_in_place(name: str, value: Any) -> None:
    examples = dataclasses.replace(random_examples(64), **{name: value})
    with pytest.raises(TypeError, match="wrong array"):
        make_trainer().fit(*examples.arrays, passes=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size=0: allowed is 1 to 4096"),
        ({"batch_size": 4097}, "batch_size=4097: allowed is 1 to 4096"),
        ({"learning_rate": 0}, "learning_rate=0.000000: allowed is over 0 and at most 1"),
        ({"learning_rate": float("nan")}, "learning_rate=-?nan"),
    ],
)
def test_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        make_trainer(**options)


def test_other_threads_run_python_meanwhile() -> None:
    examples = random_examples(20_000)
    trainer = make_trainer()
    before = sys.getswitchinterval()
    gate, ran = threading.Event(), list[int]()

    def work() -> None:
        gate.wait()
        ran.extend(range(1000))

    thread = threading.Thread(target=work)
    thread.start()
    try:
        sys.setswitchinterval(60)  # from here on the thread runs only if it is let
        gate.set()
        trainer.fit(*examples.arrays, passes=4)
        assert len(ran) == 1000
    finally:
        sys.setswitchinterval(before)
        thread.join()


def test_threads_take_turns() -> None:
    examples = random_examples(500)
    trainer = make_trainer()

    def work() -> None:
        for _ in range(10):
            trainer.fit(*examples.arrays, passes=1)
            trainer.loss(*examples.arrays)
            trainer.archive()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert trainer.loss(*examples.arrays) < 0.6


def test_a_table_of_another_build_is_refused() -> None:
    make = ctypes.pythonapi.PyCapsule_New
    make.restype = ctypes.py_object
    make.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    header = (ctypes.c_uint32 * 64)(2)
    for name, message in (
        (b"vcache._torch._table.2", r"its table is 'vcache\._torch\._table\.2', expected"),
        (b"vcache._torch._table.1", "its version of the table is 2, expected 1"),
    ):
        capsule = make(ctypes.addressof(header), name, None)
        with pytest.raises(ModelError, match=message):
            _core.use_torch(capsule)
    header[0], header[1] = 1, 24
    with pytest.raises(ModelError, match="its size of the table is 24, expected"):
        _core.use_torch(capsule)
    with pytest.raises(TypeError, match="capsule=None: allowed is the table of vcache._torch"):
        _core.use_torch(None)
    make_trainer()  # the one in use stays


def test_a_module_of_another_build_switches_models_off(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(capsule: object) -> None:
        raise ModelError("the module with LibTorch is of another build")

    monkeypatch.setattr(_core, "use_torch", refuse)
    _model._loaded.cache_clear()
    try:
        for _ in range(2):
            with pytest.raises(ModelError, match="of another build"):
                make_trainer()
    finally:
        _model._loaded.cache_clear()
