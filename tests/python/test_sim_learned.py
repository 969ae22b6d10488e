"""The learned policy in the simulator."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from plain_caches import skewed_ids

from vcache import _model
from vcache.__main__ import main
from vcache.errors import ModelError
from vcache.ml import Model, default_model
from vcache.sim import POLICIES, Result, Trace, miss_ratio_curve, recommend_size, replay

CLASSICS = tuple(name for name in POLICIES if name not in ("learned", "belady"))


def zipf_with_scans() -> np.ndarray:
    """Skewed requests, and after every 20,000 of them 4,000 objects that are never asked again."""
    skewed = skewed_ids(200_000, 20_000, 0.9, 1).reshape(10, -1)
    scans = np.uint64(1 << 32) + np.arange(40_000, dtype=np.uint64).reshape(10, -1)
    return np.hstack([skewed, scans]).ravel()


IDS = zipf_with_scans()


def counted(result: Result) -> tuple[int, int, str, int, dict[str, int]]:
    return result.hits, result.evictions, result.leader, result.switches, result.experts


@pytest.mark.parametrize("capacity", [300, 3_000])
def test_the_shipped_model_is_about_as_good_as_the_best_classic(capacity: int) -> None:
    ratios = {policy: replay(IDS, policy, capacity).miss_ratio for policy in CLASSICS}
    result = replay(IDS, "learned", capacity)
    assert result.miss_ratio <= 1.02 * min(ratios.values())
    assert result.miss_ratio >= replay(IDS, "belady", capacity).miss_ratio


def test_says_who_leads() -> None:
    result = replay(IDS, "learned", 500, learns=False)
    assert set(result.experts) == {"s3fifo", "lru", "arc", "wtinylfu", "frozen"}
    assert result.fits == 0
    assert 0 < result.policy_bytes <= 300 * 500
    assert result.leader in result.experts
    assert all(0 < misses <= len(IDS) for misses in result.experts.values())
    for other in ("lru", "belady"):
        result = replay(IDS[:1_000], other, 50)
        assert (result.leader, result.switches, result.experts) == ("", 0, {})
        assert (result.fits, result.policy_bytes) == (0, 0)


def test_learns_meanwhile() -> None:
    pytest.importorskip("torch")
    ids = IDS[:60_000]
    first, again, other = (replay(ids, "learned", 400, seed=seed) for seed in (3, 3, 4))
    assert first.fits > 1
    assert "online" in first.experts
    assert (counted(first), first.fits) == (counted(again), again.fits)
    assert counted(first) != counted(other)
    assert "online" not in replay(ids, "learned", 400, learns=False).experts


def test_learns_nothing_without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = IDS[:30_000]
    expected = counted(replay(ids, "learned", 400, learns=False))
    monkeypatch.setattr(_model, "_loaded", lambda: (None, "torch is not installed"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = replay(ids, "learned", 400)
    assert (counted(result), result.fits) == (expected, 0)


def test_equal_seeds_give_equal_results() -> None:
    first, again = (replay(IDS[:50_000], "learned", 400, seed=3) for _ in range(2))
    assert counted(first) == counted(again)
    assert hash(first) != hash(replay(IDS[:50_000], "learned", 40, seed=3))


def test_models_by_path_and_as_objects(tmp_path: Path) -> None:
    path = tmp_path / "m.bin"
    default_model().save(path)
    shipped = counted(replay(IDS[:50_000], "learned", 400))
    for model in (path, str(path), default_model()):
        assert counted(replay(IDS[:50_000], "learned", 400, model=model)) == shipped


def test_the_model_decides() -> None:
    layers = default_model().layers
    weights, biases = layers[2]
    worst = Model.of_layers([*layers[:2], (-weights, -biases)])
    ids = IDS[:60_000]
    good, bad = (replay(ids, "learned", 200, model=model) for model in (None, worst))
    assert bad.experts["frozen"] > good.experts["frozen"]
    assert bad.leader != "frozen"


def test_costs_are_an_objective() -> None:
    costs = np.where(IDS % np.uint64(5) == 0, 1.0, 0.01)
    trace = Trace(IDS[:40_000], costs=costs[:40_000])
    saved = {
        objective: replay(trace, "learned", 300, objective=objective).cost_saved
        for objective in ("misses", "cost")
    }
    assert saved["cost"] > 1.1 * saved["misses"]
    assert "gdsf" in replay(trace, "learned", 300, objective="cost").experts


def test_bytes() -> None:
    trace = Trace(IDS[:60_000], sizes=IDS[:60_000] % np.uint64(900) + np.uint64(100))
    result = replay(trace, "learned", "2%", unit="bytes")
    assert 0 < result.hits < result.requests


def test_curves() -> None:
    ids = IDS[:20_000]
    curve = miss_ratio_curve(ids, "learned", sizes=[100, 1_000], rate=1, objective="cost")
    exact = [replay(ids, "learned", size, objective="cost").miss_ratio for size in (100, 1_000)]
    assert curve.miss_ratios.tolist() == exact
    found = recommend_size(ids, "learned", sizes=[100, 1_000], model=default_model(), rate=0.5)
    assert found.size == 1_000


@pytest.mark.parametrize("policy", ["learned", "lru"])
@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"learns": 1}, TypeError, "learns=1 is of type int: allowed are True and False"),
        ({"seed": -1}, ValueError, "seed=-1: allowed are whole numbers from 0"),
        ({"seed": 0.5}, TypeError, "seed=0.5 is of type float: allowed are whole numbers"),
        ({"objective": "hits"}, ValueError, "objective='hits': allowed are 'misses' and 'cost'"),
        ({"model": 7}, TypeError, "model=7 is of type int: allowed are a path"),
        ({"model": "no-such.bin"}, ModelError, "model='no-such.bin': No such file"),
    ],
)
def test_bad_input(policy: str, change: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        replay([1, 2, 3], policy, 2, **change)


@pytest.fixture
def trace(tmp_path: Path) -> str:
    np.savez(tmp_path / "made.npz", ids=IDS[:20_000])
    return str(tmp_path / "made.npz")


def test_the_command_knows_it(trace: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "--trace", trace, "--size", "200", "--json"]) == 0
    rows = {row["policy"]: row for row in json.loads(capsys.readouterr().out)}
    assert set(rows) == set(POLICIES)
    assert rows["learned"]["leader"] in rows["learned"]["experts"]
    assert rows["lru"]["experts"] == {}


def test_the_command_learns_unless_told_not_to(
    trace: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch")
    arguments = ["simulate", "--trace", trace, "--policy", "learned", "--size", "200", "--json"]
    for options, fits in (([], True), (["--no-learning"], False), (["--seed", "7"], True)):
        assert main([*arguments, *options]) == 0
        (row,) = json.loads(capsys.readouterr().out)
        assert (row["fits"] > 0) is fits


def test_the_command_takes_a_model(
    trace: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "m.bin"
    default_model().save(path)
    arguments = ["simulate", "--trace", trace, "--policy", "learned", "--size", "200"]
    assert main([*arguments, "--model-path", str(path), "--objective", "cost"]) == 0
    assert "learned" in capsys.readouterr().out
    path.write_bytes(b"no model")
    with pytest.raises(SystemExit) as caught:
        main([*arguments, "--model-path", str(path)])
    assert caught.value.code == 2
    assert "not a file of weights" in capsys.readouterr().err
