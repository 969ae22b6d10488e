"""Training: what is learned, from which requests, and that it is the same each time."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_traces import hot_and_cold

from vcache.errors import ModelError
from vcache.ml import Trained, default_model, evaluate, load_model, train
from vcache.sim import Trace

torch = pytest.importorskip("torch")

IDS = hot_and_cold()
QUICK: dict[str, Any] = {"sizes": [200], "epochs": 12}


@pytest.fixture(scope="module")
def trained() -> Trained:
    return train(IDS, **QUICK)


def test_learns_what_is_read_again(trained: Trained) -> None:
    learned, guessed = 0, 0
    for each in trained.report.horizons:
        assert each.brier is not None
        assert each.base_brier is not None
        assert each.brier < 1.05 * each.base_brier
        learned, guessed = learned + each.brier, guessed + each.base_brier
    assert learned < 0.7 * guessed
    two_stays = trained.report.horizons[2]
    assert two_stays.accuracy is not None
    assert two_stays.base_rate is not None
    assert two_stays.accuracy > max(two_stays.base_rate, 1 - two_stays.base_rate) + 0.1
    assert two_stays.calibration_error is not None
    assert two_stays.calibration_error < 0.15
    ratios = trained.report.simulated[0].miss_ratios
    assert ratios["learned"] < 0.95 * ratios["lru"]
    assert trained.examples > 3_000
    assert trained.seconds >= trained.report.seconds > 0


def test_what_nothing_is_known_of_is_even(trained: Trained) -> None:
    rows = np.random.default_rng(1).normal(size=(9, 17))
    assert trained.model.predict(rows)[:, 4].tolist() == [0.5] * 9


def test_inputs_that_no_example_has_weigh_nothing(trained: Trained) -> None:
    weights = trained.model.layers[0][0]
    for place in (13, 15, 16):  # key group, cost and tier, of which a trace of ids says nothing
        assert not weights[place].any()
    assert weights[0].any()


def test_equal_seeds_give_equal_bytes(trained: Trained) -> None:
    again = train(IDS, **QUICK)
    assert again.model.data == trained.model.data
    assert again.report.horizons == trained.report.horizons
    assert train(IDS, seed=1, **QUICK).model.data != trained.model.data


def test_the_newest_tenth_is_not_learned_from(trained: Trained) -> None:
    others = IDS.copy()
    end = len(IDS) - len(IDS) // 10
    others[end:] = np.arange(len(IDS) - end, dtype=np.uint64) + np.uint64(1 << 40)
    changed = train(others, **QUICK)
    assert changed.model.data == trained.model.data
    assert changed.report.horizons != trained.report.horizons
    others[end - 2_000 :] = others[end]
    assert train(others, **QUICK).model.data != trained.model.data


def test_sizes_by_share_do_not_depend_on_the_newest_tenth() -> None:
    end = len(IDS) - len(IDS) // 10
    few = IDS.copy()
    few[end:] = IDS[0]
    first, second = (train(ids, sizes=["2%"], epochs=1) for ids in (IDS, few))
    assert first.model.data == second.model.data


def test_the_report_is_that_of_evaluate(trained: Trained) -> None:
    again = evaluate(trained.model, IDS, sizes=[200])
    assert again.horizons == trained.report.horizons
    assert again.simulated == trained.report.simulated
    assert trained.report.model == trained.model.sha256 == trained.as_dict()["sha256"]


def test_files_come_back(trained: Trained, tmp_path: Path) -> None:
    trained.model.save(tmp_path / "m.bin")
    again = evaluate(tmp_path / "m.bin", IDS, sizes=[200])
    assert load_model(tmp_path / "m.bin") == trained.model
    assert again.simulated == trained.report.simulated


def test_begins_with_the_weights_of_start(trained: Trained) -> None:
    more = train(IDS, start=default_model(), **QUICK).model
    assert more != trained.model
    last, shipped = more.layers[-1][0][:, 4], default_model().layers[-1][0][:, 4]
    np.testing.assert_array_equal(last, shipped)


def test_traces_weigh_alike() -> None:
    """More requests for what never comes again do not drown the other trace."""
    never = Trace(np.arange(40_000), name="never")
    found = train([IDS, never], **QUICK)
    alone = evaluate(found.model, IDS, sizes=[200]).horizons[-1]
    assert alone.brier is not None
    assert alone.base_brier is not None
    assert alone.brier < alone.base_brier
    assert [case.trace for case in found.report.simulated] == ["trace", "never"]


def test_torch_is_left_as_it_was() -> None:
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    torch.set_num_threads(2)
    try:
        train(IDS[:4_000], sizes=[100], epochs=1)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(torch.get_rng_state(), state)


def test_threads_come_back_after_an_error() -> None:
    threads = torch.get_num_threads()

    def fails(stage: str, share: float) -> None:
        if stage == "fit":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(IDS[:4_000], sizes=[100], epochs=1, progress=fails)
    assert torch.get_num_threads() == threads


def test_progress_by_stage() -> None:
    told: dict[str, list[float]] = {}
    train(
        IDS[:4_000],
        sizes=[100],
        epochs=2,
        progress=lambda stage, share: told.setdefault(stage, []).append(share),
    )
    assert list(told) == ["replay", "fit", "simulate"]
    for shares in told.values():
        assert shares == sorted(shares)
        assert shares[-1] == 1.0


def test_without_torch_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ModelError, match=r"needs torch.*pip install 'vcache\[torch\]'"):
        train(IDS, **QUICK)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"epochs": 0}, ValueError, "epochs=0: allowed are whole numbers from 1 to 10,000"),
        ({"epochs": 10**6}, ValueError, "epochs=1000000"),
        ({"epochs": 1.5}, TypeError, "epochs=1.5 is of type float"),
        ({"epochs": True}, TypeError, "epochs=True is of type bool"),
        ({"seed": 2**32}, ValueError, "seed=4294967296"),
        ({"start": "no-such.bin"}, ModelError, "start='no-such.bin': No such file"),
        ({"start": 3}, TypeError, "start=3 is of type int"),
        ({"sizes": ["x"]}, ValueError, r"sizes\[0\]='x'"),
        ({"traces": []}, TypeError, "traces="),
        ({"traces": [[]]}, ValueError, "at least one is needed"),
        ({"traces": [[7]]}, ValueError, "they give 0 examples to learn from, and 1,000 are needed"),
        ({"sizes": [10]}, ValueError, "sizes at which caches of at least 64 entries are filled"),
    ],
)
def test_bad_input(change: dict[str, Any], error: type[Exception], words: str) -> None:
    arguments: dict[str, Any] = {"traces": IDS[:2_000], **QUICK} | change
    with pytest.raises(error, match=words):
        train(arguments.pop("traces"), **arguments)
