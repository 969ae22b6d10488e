"""What a live cache recorded, replayed, trained on and told by the commands."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from vcache import Cache
from vcache.__main__ import main
from vcache.sim import read_trace, replay

VALUE = np.zeros(384, np.float32)


def zipf(requests: int, objects: int, seed: int) -> list[int]:
    weights = 1 / np.arange(1, objects + 1) ** 0.8
    draws = np.random.default_rng(seed).choice(objects, requests, p=weights / weights.sum())
    return [int(draw) for draw in draws]


def use(cache: Cache, ids: Iterable[int], *, cost: float | None = None) -> None:
    """Looks up, and stores what was missed."""
    for number, identity in enumerate(ids):
        key = f"emb:{identity}"
        if cache.get(key) is None:
            cache.set(key, VALUE, cost=cost)
        if number % 10_000 == 0:
            cache.accesses(0)


@pytest.mark.parametrize("policy", ["lru", "lfu"])
def test_a_log_replays_to_the_misses_of_the_live_cache(policy: str, tmp_path: Path) -> None:
    path = tmp_path / "access_patterns.jsonl"
    with Cache(access_log=path, policy=policy, max_entries=300, memory="8MiB") as cache:
        use(cache, zipf(20_000, 2_000, seed=1))
        live = cache.stats()
    trace = read_trace(path)
    assert trace.requests == live.requests == 20_000
    assert (trace.skipped, trace.reordered) == (0, 0)
    result = replay(trace, policy, 300)
    assert result.requests - result.hits == live.misses


def test_a_log_replays_in_bytes(tmp_path: Path) -> None:
    path = tmp_path / "access_patterns.jsonl"
    with Cache(access_log=path, policy="lru", memory="1MiB", ttl=None, memory_ttl=None) as cache:
        use(cache, zipf(20_000, 2_000, seed=2))
        live = cache.stats()
    trace = read_trace(path)
    assert trace.sizes is not None
    assert trace.sizes.min() == trace.sizes.max() > VALUE.nbytes  # of misses too
    entries = live.entries
    assert 500 < entries < 700
    result = replay(trace, "lru", entries * int(trace.sizes[0]), unit="bytes")
    assert abs(result.requests - result.hits - live.misses) <= 0.002 * live.misses


def test_the_commands_take_a_recorded_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "access_patterns.jsonl"
    with Cache(access_log=path, policy="lru", max_entries=300, memory="8MiB") as cache:
        use(cache, zipf(20_000, 2_000, seed=3), cost=0.5)
        live = cache.stats()
    assert main(["simulate", "--trace", str(path), "--policy", "lru,fifo", "--size", "300",
                 "--json"]) == 0  # fmt: skip
    lru, fifo = json.loads(capsys.readouterr().out)
    assert (lru["requests"], lru["hits"]) == (live.requests, live.hits)
    assert fifo["hits"] < lru["hits"]
    assert lru["cost_saved"] == pytest.approx(live.cost_saved)


def test_a_model_is_trained_on_a_recorded_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch")
    path, output = tmp_path / "access_patterns.jsonl", tmp_path / "model.bin"
    with Cache(access_log=path, policy="lru", max_entries=300, memory="8MiB") as cache:
        use(cache, zipf(6_000, 2_000, seed=4))
    fit = ["train", "--data-path", str(path), "--epochs", "1", "--output", str(output)]
    assert main([*fit, "--size", "300", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["output"] == str(output)
    assert output.exists()
    assert told["report"]["simulated"][0]["trace"] == "access_patterns"
