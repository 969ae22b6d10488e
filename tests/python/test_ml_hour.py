"""How right a cache is about what is read within the next hour."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from vcache import Cache, _core
from vcache.__main__ import main
from vcache.ml import default_model, evaluate
from vcache.ml._hour import nanoseconds, predicted, span_of
from vcache.sim import Trace
from vcache.sim._replay import feed

HOURS = 12
POPULAR = 300


def two_kinds(hours: int = HOURS, seed: int = 3) -> Trace:
    """Keys read twice an hour on average, and as many requests for keys read once."""
    random = np.random.default_rng(seed)
    count = 2 * POPULAR * hours
    ids = np.concatenate([random.integers(0, POPULAR, count), POPULAR + np.arange(count)])
    times = np.concatenate([random.uniform(0, 3600 * hours, count) for _ in range(2)])
    order = np.argsort(times)
    return Trace(ids[order].astype(np.uint64), times=times[order], name="two kinds")


def outcomes_of(trace: Trace, span: float = 3600.0) -> tuple[np.ndarray, np.ndarray]:
    cache = _core.Replay(
        policy="learned",
        capacity=1_000,
        in_bytes=False,
        seed=1,
        model=default_model().core,
        span=span,
    )
    feed(cache, trace, "learned", times=nanoseconds(trace))
    return cache.outcomes()


def test_predictions_are_off_by_less_than_a_tenth() -> None:
    chances, are_read = outcomes_of(two_kinds())
    half = len(chances) // 2
    found = predicted("two kinds", "1000", 3600, chances[half:], are_read[half:])
    assert found.samples > 1_000
    assert found.calibration_error is not None
    assert found.calibration_error < 0.1
    assert found.brier is not None
    assert found.base_brier is not None
    assert found.brier < 0.6 * found.base_brier


def test_an_hour_that_is_not_over_counts_nothing() -> None:
    trace = two_kinds(1)
    assert [len(values) for values in outcomes_of(trace)] == [0, 0]
    assert len(outcomes_of(trace, span_of(trace))[0]) > 100


def test_outcomes_are_equal_between_runs_and_none_without_times() -> None:
    trace = two_kinds(2)
    first, again = outcomes_of(trace), outcomes_of(trace)
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert len(outcomes_of(Trace(trace.ids))[0]) == 0


def test_figures_of_predictions() -> None:
    chances = np.array([0.91, 0.95, 0.2, 1.0])
    found = predicted("t", "1%", 60.0, chances, np.array([True, False, False, True]))
    assert found.base_rate == 0.5
    assert found.accuracy == 0.75
    assert found.brier == pytest.approx((0.09**2 + 0.95**2 + 0.2**2) / 4)
    assert found.base_brier == 0.25
    assert found.calibration_error == pytest.approx((0.86 + 0.2) / 4)
    assert [b.samples for b in found.bins] == [1, 3]
    none = predicted("t", "1%", 60.0, np.empty(0), np.empty(0, np.bool_))
    assert (none.samples, none.brier, none.bins) == (0, None, ())


@pytest.mark.parametrize(
    ("times", "span"),
    [([0.0, 7200.0], 3600.0), ([5.0, 1005.0], 250.0), ([7.0, 7.0], 3600.0), (None, 3600.0)],
)
def test_a_short_trace_is_asked_about_a_quarter_of_it(
    times: list[float] | None, span: float
) -> None:
    ids = np.array([1, 2], np.uint64)
    assert span_of(Trace(ids, times=None if times is None else np.array(times))) == span


def test_times_that_jump_end_no_replay() -> None:
    ids = np.arange(4_000, dtype=np.uint64) % 500
    times = np.arange(4_000.0)
    times[1_000:] += 1e30
    times[2_000] = -1e30
    chances, _ = outcomes_of(Trace(ids, times=times))
    assert ((chances > 0) & (chances < 1)).all()


def test_a_report_has_the_hour_where_there_are_times() -> None:
    trace = two_kinds()
    timed = evaluate(None, trace, sizes=[1_000])
    (found,) = timed.predicted
    assert (found.trace, found.size, found.seconds) == ("two kinds", "1000", 3600.0)
    assert found.samples > 100
    assert evaluate(None, Trace(trace.ids), sizes=[1_000]).predicted == ()


def test_the_command_prints_and_plots_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    trace = two_kinds()
    np.savez(tmp_path / "kinds.npz", ids=trace.ids, times=trace.times)
    plot = tmp_path / "reliability.png"
    arguments = ["evaluate", "--data-path", str(tmp_path / "kinds.npz"), "--size", "1000"]
    assert main([*arguments, "--plot", str(plot), "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["predicted"]
    assert sum(each["samples"] for each in found["bins"]) == found["samples"]
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert main(arguments) == 0
    assert "kinds 1000" in capsys.readouterr().out


def test_a_young_cache_says_no_calibration() -> None:
    with Cache(policy="learned", memory="2MiB") as cache:
        cache.set("k", np.zeros(384, np.float32))
        model = cache.stats().model
        assert model is not None
        assert (model["calibration"], model["brier"]) == (None, None)
