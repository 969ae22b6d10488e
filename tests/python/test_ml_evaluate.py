"""What is said of a model: how right its predictions are, and what it would have missed."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from plain_caches import lru_hits, skewed_ids
from small_traces import hot_and_cold

from vcache import _core
from vcache.errors import ModelError
from vcache.ml import Report, default_model, evaluate
from vcache.ml._examples import learned_cache, new_ones
from vcache.ml._report import _horizon
from vcache.sim import POLICIES, replay

IDS = hot_and_cold()
CUT = len(IDS) - len(IDS) // 10


def cache_of(examples: int) -> _core.Replay:
    return _core.Replay(
        policy="learned",
        capacity=200,
        in_bytes=False,
        seed=0,
        model=default_model().core,
        by_cost=False,
        examples=examples,
    )


def rows_of(examples: dict[str, np.ndarray]) -> list[bytes]:
    arrays = [examples[name] for name in ("features", "heads", "labels", "weights")]
    return [
        b"".join(np.ascontiguousarray(part).tobytes() for part in row)
        for row in zip(*arrays, strict=True)
    ]


def run(cache: _core.Replay, ids: np.ndarray) -> dict[str, Any]:
    cache.run(ids, None, None, None)
    return cache.examples()


def test_examples_are_byte_equal_between_runs() -> None:
    first, again = (run(learned_cache(200, default_model(), 3), IDS) for _ in range(2))
    assert len(first["heads"]) > 3_000
    for name, values in first.items():
        assert values.tobytes() == again[name].tobytes(), name
    assert first["features"].dtype == np.float32
    assert first["features"].shape == (len(first["heads"]), 17)


def test_new_examples_are_those_of_the_later_requests() -> None:
    keeps_all, keeps_some = cache_of(1_000_000), cache_of(4_000)
    before = run(keeps_all, IDS[:CUT])
    later = {
        name: values[len(before[name]) :] for name, values in run(keeps_all, IDS[CUT:]).items()
    }
    found = new_ones(before, keeps_all.examples())
    np.testing.assert_array_equal(found.features, later["features"])
    np.testing.assert_array_equal(found.labels, later["labels"])
    assert found.weights.sum() == pytest.approx(1, abs=1e-4)

    before = run(keeps_some, IDS[:CUT])
    some = new_ones(before, run(keeps_some, IDS[CUT:]))
    rows = {row[: 17 * 4 + 2] for row in rows_of(later)}
    taken = zip(some.features, some.heads, some.labels, strict=True)
    assert all(f.tobytes() + h.tobytes() + y.tobytes() in rows for f, h, y in taken)
    share = len(later["heads"]) / len(keeps_all.examples()["heads"])
    assert len(some) == pytest.approx(4_000 * share, rel=0.2)


def test_figures_of_a_horizon() -> None:
    found = _horizon(
        0.5,
        np.array([0.9, 0.95, 0.2, 0.6]),
        np.array([1.0, 0.0, 0.0, 1.0]),
        np.array([1.0, 1.0, 2.0, 4.0]),
    )
    assert found.base_rate == pytest.approx(5 / 8)
    assert found.accuracy == pytest.approx(7 / 8)
    assert found.brier == pytest.approx((0.1**2 + 0.95**2 + 2 * 0.2**2 + 4 * 0.4**2) / 8)
    assert found.base_brier == pytest.approx(5 / 8 * 3 / 8)
    # The first two share a bin: |1.85 - 1| of it, then 2 * 0.2, and 4 * 0.4.
    assert found.calibration_error == pytest.approx((0.85 + 0.4 + 1.6) / 8)
    assert (found.residences, found.examples) == (0.5, 4)
    none = _horizon(2.0, np.empty(0), np.empty(0), np.empty(0))
    assert (none.examples, none.accuracy, none.brier) == (0, None, None)


def test_certain_chances_fall_into_the_last_bin() -> None:
    found = _horizon(2.0, np.array([1.0, 0.0]), np.array([1.0, 0.0]), np.ones(2))
    assert (found.brier, found.calibration_error, found.accuracy) == (0, 0, 1)


@pytest.fixture(scope="module")
def report() -> Report:
    return evaluate(None, IDS, sizes=[200, "10%"])


def test_misses_are_those_of_the_newest_requests(report: Report) -> None:
    first, second = report.simulated
    assert (first.size, first.capacity, second.size) == ("200", 200, "10%")
    assert second.capacity == len(np.unique(IDS)) // 10
    assert set(first.miss_ratios) == set(POLICIES)
    hits = lru_hits(IDS.tolist(), 200) - lru_hits(IDS[:CUT].tolist(), 200)
    assert first.requests == len(IDS) - CUT
    assert first.miss_ratios["lru"] == pytest.approx(1 - hits / first.requests)
    whole = evaluate(None, IDS, sizes=[200], newest=1).simulated[0]
    for policy, ratio in whole.miss_ratios.items():
        off = 0.01 if policy == "learned" else 1e-9  # to take examples draws random numbers
        assert ratio == pytest.approx(replay(IDS, policy, 200, learns=False).miss_ratio, rel=off)
    assert whole.best_classic not in ("learned", "belady")
    assert whole.leader in ("frozen", *POLICIES)


def test_the_shipped_model_knows_more_than_the_base_rate(report: Report) -> None:
    assert [each.residences for each in report.horizons] == [0.125, 0.5, 2, 8]
    for each in report.horizons[1:]:
        assert each.examples > 10
        assert each.brier is not None
        assert each.base_brier is not None
        assert each.brier < each.base_brier
    assert report.model == default_model().sha256


def test_reports_are_json(report: Report) -> None:
    assert json.loads(json.dumps(report.as_dict()))["simulated"][0]["trace"] == "trace"


def test_equal_but_for_the_time() -> None:
    ids = IDS[:6_000]
    one, other = (asdict(evaluate(None, [ids, ids], sizes=[100], seed=5)) for _ in range(2))
    assert one | {"seconds": 0} == other | {"seconds": 0}


def test_without_entries_to_judge_there_are_misses_only() -> None:
    found = evaluate(None, skewed_ids(2_000, 100, 1, 1), sizes=[20, "20%", 20])
    assert len(found.simulated) == 1
    assert [each.examples for each in found.horizons] == [0, 0, 0, 0]
    assert found.horizons[0].accuracy is None
    assert evaluate(None, [[1]], sizes=[1]).simulated[0].requests == 1


def test_progress_reaches_its_end() -> None:
    told: list[tuple[str, float]] = []
    evaluate(None, IDS[:4_000], sizes=[100, 200], progress=lambda *each: told.append(each))
    assert told == sorted(told)
    assert told[-1] == ("simulate", 1.0)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"model": 5}, TypeError, "model=5 is of type int"),
        ({"model": "no-such.bin"}, ModelError, "model='no-such.bin': No such file"),
        ({"traces": []}, TypeError, r"traces=\[\]: allowed are a trace"),
        ({"traces": 5}, TypeError, "traces=5: allowed"),
        ({"traces": [5]}, TypeError, "trace=5 is of type int"),
        ({"traces": Path("x.parquet")}, ValueError, "trace='x.parquet': allowed"),
        ({"traces": "no-such.npz"}, OSError, "no-such.npz"),
        ({"sizes": []}, ValueError, r"sizes=\[\]: allowed is a sequence"),
        ({"sizes": "1%"}, ValueError, "sizes='1%': allowed is a sequence"),
        ({"sizes": ["1%", 0]}, ValueError, r"sizes\[1\]=0: allowed"),
        ({"newest": 0}, ValueError, "newest=0: allowed are numbers above 0 and up to 1"),
        ({"newest": 1.5}, ValueError, "newest=1.5"),
        ({"newest": float("nan")}, ValueError, "newest=nan"),
        ({"newest": "10%"}, TypeError, "newest='10%' is of type str"),
        ({"seed": -1}, ValueError, "seed=-1: allowed are whole numbers from 0"),
        ({"seed": 0.5}, TypeError, "seed=0.5 is of type float"),
    ],
)
def test_bad_input(change: dict[str, Any], error: type[Exception], words: str) -> None:
    arguments: dict[str, Any] = {"model": None, "traces": [[1, 2, 3]], "sizes": [2]} | change
    model, traces = arguments.pop("model"), arguments.pop("traces")
    with pytest.raises(error, match=words):
        evaluate(model, traces, **arguments)
