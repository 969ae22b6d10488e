from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from plain_caches import belady_hits, fifo_hits, lfu_hits, lru_byte_hits, lru_hits, skewed_ids

from vcache.sim import POLICIES, Result, Trace, replay

CAPACITIES = (1, 2, 7, 50, 199, 400)
PLAIN: dict[str, Callable[[Sequence[int], int], int]] = {
    "lru": lru_hits,
    "fifo": fifo_hits,
    "lfu": lfu_hits,
    "belady": belady_hits,
}
TRACES = {
    "random": np.random.default_rng(1).integers(0, 400, 6_000).astype(np.uint64),
    "skewed": skewed_ids(6_000, 400, 1.0, 2),
    "flat": skewed_ids(6_000, 2_000, 0.6, 3),
    "loop": np.tile(np.arange(120, dtype=np.uint64), 40),
    "large ids": np.uint64(2**64 - 1) - skewed_ids(3_000, 300, 0.9, 4),
}


@pytest.mark.parametrize("policy", PLAIN)
@pytest.mark.parametrize("name", TRACES)
def test_agrees_with_plain_python(policy: str, name: str) -> None:
    ids = TRACES[name]
    for capacity in CAPACITIES:
        result = replay(ids, policy, capacity)
        assert result.hits == PLAIN[policy](ids.tolist(), capacity), capacity
        assert result.requests == len(ids)
        assert result.miss_ratio == pytest.approx(1 - result.hits / len(ids))


def test_bytes_agree_with_plain_python() -> None:
    ids = TRACES["skewed"]
    sizes = (ids * np.uint64(7919) % np.uint64(1_000)).astype(np.uint32)
    trace = Trace(ids, sizes=sizes)
    for capacity in (500, 5_000, 50_000):
        result = replay(trace, "lru", capacity, unit="bytes")
        assert result.hits == lru_byte_hits(ids.tolist(), sizes.tolist(), capacity)


def test_no_policy_beats_the_one_that_knows_the_future() -> None:
    for ids in TRACES.values():
        for capacity in CAPACITIES:
            least = replay(ids, "belady", capacity).miss_ratio
            assert all(replay(ids, policy, capacity).miss_ratio >= least for policy in POLICIES)


# Two rounds over a loop of 10 do not fit into 5: recency keeps nothing of it, a ghost does.
def test_loops_are_hit_by_those_that_resist_scans() -> None:
    ids = np.tile(np.arange(10), 200)
    hits = {policy: replay(ids, policy, 5).hits for policy in POLICIES}
    assert hits["lru"] == hits["fifo"] == 0
    assert hits["belady"] == max(hits.values())
    assert hits["wtinylfu"] > 400


# 1 and 2 are used twice and then again after a scan of ten.
@pytest.mark.parametrize(
    ("policy", "hits"), [("s3fifo", 6), ("arc", 6), ("sieve", 6), ("lru", 4), ("fifo", 4)]
)
def test_what_was_used_again_outlives_a_scan(policy: str, hits: int) -> None:
    ids = [1, 2, 1, 2, 1, 2, *range(10, 20), 1, 2]
    assert replay(ids, policy, 5).hits == hits


def test_costs_and_bytes_are_summed() -> None:
    trace = Trace([1, 2, 1, 2], sizes=[10, 20, 10, 20], costs=[0.5, 1, 0.5, 1])
    result = replay(trace, "lru", 2)
    assert (result.bytes_requested, result.bytes_hit) == (60, 30)
    assert (result.cost_requested, result.cost_saved) == (3.0, 1.5)
    assert (result.miss_ratio, result.byte_miss_ratio) == (0.5, 0.5)
    assert replay(trace, "lru", 10, unit="bytes").byte_miss_ratio == pytest.approx(5 / 6)


def test_costs_count_for_gdsf() -> None:
    ids = TRACES["skewed"]
    costs = np.where(ids % np.uint64(5) == 0, 1.0, 0.01)
    saved = {
        policy: replay(Trace(ids, costs=costs), policy, 40).cost_saved
        for policy in ("lru", "lfu", "gdsf")
    }
    assert saved["gdsf"] > 1.1 * max(saved["lru"], saved["lfu"])


def test_objects_without_bytes_miss_none() -> None:
    assert replay(Trace([1, 2], sizes=[0, 0]), "lru", 1, unit="bytes").byte_miss_ratio == 0


@pytest.mark.parametrize(
    ("capacity", "unit", "expected"),
    [
        (7, "entries", 7),
        (np.int32(7), "entries", 7),
        ("7", "entries", 7),
        ("1%", "entries", 4),
        ("0.001 %", "entries", 1),
        ("100%", "entries", 400),
        ("50%", "bytes", 800),
        ("1KiB", "bytes", 1024),
        (100, "bytes", 100),
    ],
)
def test_capacities(capacity: Any, unit: Any, expected: int) -> None:
    trace = Trace(np.arange(400), sizes=np.full(400, 4))
    assert replay(trace, "lru", capacity, unit=unit).capacity == expected


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"capacity": 0}, ValueError, "capacity=0: allowed are a whole number above 0"),
        ({"capacity": -5}, ValueError, "capacity=-5"),
        ({"capacity": 2**63}, ValueError, "capacity="),
        ({"capacity": True}, TypeError, "capacity=True is of type bool"),
        ({"capacity": 1.5}, TypeError, "capacity=1.5 is of type float"),
        ({"capacity": None}, TypeError, "capacity=None"),
        ({"capacity": "1MiB"}, ValueError, "capacity='1MiB': allowed"),
        ({"capacity": "0%"}, ValueError, "capacity='0%'"),
        ({"capacity": "101%"}, ValueError, "capacity='101%'"),
        ({"capacity": "many"}, ValueError, "capacity='many'"),
        ({"policy": "LRU"}, ValueError, "policy='LRU': allowed are lru, .*belady"),
        ({"policy": None}, ValueError, "policy=None"),
        ({"unit": "MB"}, ValueError, "unit='MB': allowed are 'entries' and 'bytes'"),
        ({"unit": "bytes"}, ValueError, "unit='bytes': the trace has no sizes"),
        ({"trace": []}, ValueError, "at least one is needed"),
        ({"trace": [1.5]}, TypeError, "ids of dtype float64: allowed are whole numbers"),
        ({"trace": ["a"]}, TypeError, "ids of dtype"),
        ({"trace": [-1]}, ValueError, "ids with -1: allowed"),
        ({"trace": [[1, 2]]}, ValueError, r"ids of shape \(1, 2\)"),
        ({"trace": 7}, TypeError, "trace=7 is of type int: allowed are an array"),
        ({"trace": b"abc"}, TypeError, "trace=b'abc' is of type bytes"),
        ({"trace": "trace.parquet"}, ValueError, r"trace='trace.parquet': allowed .*\.npz"),
    ],
)
def test_bad_input(change: dict[str, Any], error: type[Exception], words: str) -> None:
    arguments: dict[str, Any] = {"trace": [1, 2, 3], "policy": "lru", "capacity": 2} | change
    trace, policy, capacity = (arguments.pop(each) for each in ("trace", "policy", "capacity"))
    with pytest.raises(error, match=words):
        replay(trace, policy, capacity, **arguments)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sizes": [1]}, "sizes of length 1: allowed is that of ids, 2"),
        ({"sizes": [1, 2**32]}, "sizes with 4294967296"),
        ({"costs": [1, -1]}, "costs: allowed are finite numbers from 0 on"),
        ({"costs": [1, np.nan]}, "costs: allowed are finite"),
        ({"times": [0, np.inf]}, "times: allowed are finite numbers"),
    ],
)
def test_bad_arrays(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Trace([1, 2], **change)


def test_results_are_equal_for_equal_seeds_but_for_the_time() -> None:
    def counted(result: Result) -> tuple[int, int]:
        return result.hits, result.evictions

    ids = TRACES["flat"]
    assert counted(replay(ids, "wtinylfu", 50)) == counted(replay(ids, "wtinylfu", 50))


def test_ctrl_c_ends_a_replay() -> None:
    ids = np.random.default_rng(5).integers(0, 1 << 22, 1 << 23).astype(np.uint64)
    main = threading.main_thread().ident
    assert main is not None
    timer = threading.Timer(0.05, signal.pthread_kill, (main, signal.SIGINT))
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            replay(ids, "arc", 1 << 20)
    finally:
        timer.cancel()
        signal.signal(signal.SIGINT, previous)
