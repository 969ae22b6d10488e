"""Scoring with vcache._torch: what comes out, what may go in."""

import threading
from pathlib import Path

import numpy as np
import pytest
from torch_models import WIDTH, LogOfSum, Mlp, Squeezed, features, save, torch

from vcache._model import load_scorer
from vcache.errors import ModelError

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    return save(Mlp(), tmp_path / "mlp.pt")


def reference(path: Path, x: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        scores = torch.jit.load(str(path)).eval()(torch.from_numpy(x)).numpy()
    return scores[:, 0] if scores.ndim == 2 and scores.shape[1] == 1 else scores


@pytest.mark.parametrize("rows", [0, 1, 7, 64, 65, 1000])
@pytest.mark.parametrize("batch_size", [1, 64, 1024])
def test_scores_are_those_of_torch(model: Path, rows: int, batch_size: int) -> None:
    scorer = load_scorer(model, batch_size=batch_size)
    x = features(rows)
    scores = scorer.score(x)
    assert scores.dtype == np.float32
    assert scores.shape == (rows,)
    np.testing.assert_allclose(scores, reference(model, x), rtol=0, atol=1e-6)


def test_scores_in_one_batch_equal_torch_bit_for_bit(model: Path) -> None:
    x = features(256)
    assert np.array_equal(load_scorer(model, batch_size=256).score(x), reference(model, x))


def test_inputs_and_outputs_are_known(tmp_path: Path, model: Path) -> None:
    scorer = load_scorer(model)
    assert (scorer.inputs, scorer.outputs) == (WIDTH, 1)
    assert load_scorer(save(Squeezed(), tmp_path / "s.pt")).score(features(3)).shape == (3,)
    assert load_scorer(save(LogOfSum(), tmp_path / "l.pt")).inputs == WIDTH


def test_several_outputs_give_a_matrix(tmp_path: Path) -> None:
    path = save(Mlp(outputs=3), tmp_path / "three.pt")
    scorer = load_scorer(path, batch_size=10)
    x = features(25)
    assert scorer.outputs == 3
    np.testing.assert_allclose(scorer.score(x), reference(path, x), rtol=0, atol=1e-6)


def test_read_only_features_are_scored_and_stay_as_they_are(model: Path) -> None:
    x = features(50)
    before = x.copy()
    x.flags.writeable = False
    load_scorer(model).score(x)
    assert np.array_equal(x, before)


def test_threads_score_at_once(model: Path) -> None:
    scorer = load_scorer(model, batch_size=32)
    matrices = [features(200, seed) for seed in range(4)]
    expected = [scorer.score(x) for x in matrices]
    wrong: list[int] = []

    def work(i: int) -> None:
        for _ in range(50):
            if not np.array_equal(scorer.score(matrices[i]), expected[i]):
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_nan_and_infinity_are_errors_that_name_the_row(tmp_path: Path) -> None:
    scorer = load_scorer(save(LogOfSum(), tmp_path / "log.pt"), batch_size=4)
    x = np.ones((10, WIDTH), np.float32)
    assert np.isfinite(scorer.score(x)).all()
    x[6] = -1
    with pytest.raises(ModelError, match=r"model scores row 6 as -?nan"):
        scorer.score(x)
    x[6] = 0
    with pytest.raises(ModelError, match=r"model scores row 6 as -inf"):
        scorer.score(x)


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        ([[0.0] * WIDTH], TypeError, "features of type list: allowed is a numpy.ndarray without"),
        (None, TypeError, "features of type NoneType: allowed is a numpy.ndarray without a mask"),
        (
            np.ma.masked_array(np.zeros((1, WIDTH), np.float32)),
            TypeError,
            "features of type MaskedArray: allowed is a numpy.ndarray without a mask",
        ),
        (
            np.zeros((1, WIDTH)),
            TypeError,
            "features of dtype <f8: allowed is float32 in native byte order",
        ),
        (np.zeros((1, WIDTH), ">f4"), TypeError, "features of dtype >f4: allowed is float32"),
        (np.zeros((1, WIDTH), np.int32), TypeError, "features of dtype <i4: allowed is float32"),
        (np.zeros((1, WIDTH), np.complex64), TypeError, "features of dtype <c8: allowed is"),
        (np.zeros(WIDTH, np.float32), ValueError, "features of shape (12,): allowed is (n, 12)"),
        (np.zeros((3, 5), np.float32), ValueError, "features of shape (3, 5): allowed is (n, 12)"),
        (
            np.zeros((WIDTH, 4), np.float32).T,
            ValueError,
            "features of strides (4, 16): allowed is C-contiguous and aligned",
        ),
        (
            np.zeros((4, 2 * WIDTH), np.float32)[:, ::2],
            ValueError,
            "features of strides (96, 8): allowed is C-contiguous and aligned",
        ),
        (
            np.frombuffer(bytearray(1 + 4 * WIDTH), np.uint8)[1:]
            .view(np.float32)
            .reshape(1, WIDTH),
            ValueError,
            "features of strides (48, 4): allowed is C-contiguous and aligned",
        ),
    ],
)
def test_features_that_cannot_be_read_in_place(
    model: Path, x: object, error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as caught:
        load_scorer(model).score(x)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"batch_size": 0}, ValueError, "batch_size=0: allowed is an int from 1 to 65536"),
        ({"batch_size": 65_537}, ValueError, "batch_size=65537: allowed is an int from 1 to 65536"),
        ({"batch_size": 1.0}, TypeError, "batch_size=1.0 of type float: allowed is an int from"),
        ({"batch_size": True}, TypeError, "batch_size=True of type bool: allowed is an int from"),
        ({"sha256": b"00"}, TypeError, "sha256=b'00' of type bytes: allowed is None or a str"),
        ({"sha256": "00"}, ValueError, "sha256='00': allowed are 64 hexadecimal digits"),
    ],
)
def test_options(
    model: Path, options: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as caught:
        load_scorer(model, **options)
    assert message in str(caught.value)
