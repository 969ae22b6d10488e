"""ab_test() over traces."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from drifting_ids import drifting_ids
from plain_caches import lru_hits

from vcache.errors import ModelError
from vcache.ml import Comparison, ab_test
from vcache.sim import Trace

SIZE = 400
TRACES = 100


def compared(policies: tuple[str, str], drift: float, requests: int = 20_000) -> list[Comparison]:
    return [
        ab_test(drifting_ids(requests, seed, drift), *policies, capacity=SIZE, seed=seed)
        for seed in range(TRACES)
    ]


def covering(found: Sequence[Comparison], truth: float) -> int:
    """How many intervals hold the truth."""
    return sum((each.low or 0.0) <= truth <= (each.high or 0.0) for each in found)


def differences(found: Sequence[Comparison]) -> list[float]:
    return [each.difference or 0.0 for each in found]


def test_of_equal_policies_95_intervals_in_100_hold_0() -> None:
    found = compared(("wtinylfu", "wtinylfu"), 0.001, 30_000)
    assert covering(found, 0) >= 95
    assert sum(each != 0 for each in differences(found)) >= 30, "chance makes them differ"
    assert np.mean([(each.high or 0.0) - (each.low or 0.0) for each in found]) < 0.01
    verdicts = [each.verdict for each in found]
    assert verdicts.count("no difference found between wtinylfu and wtinylfu") >= 95


@pytest.mark.parametrize(
    ("policies", "drift"),
    [(("lfu", "lru"), 0.0), (("wtinylfu", "lru"), 0.001)],
)
def test_intervals_hold_a_difference_and_find_it(policies: tuple[str, str], drift: float) -> None:
    found = compared(policies, drift)
    truth = float(np.mean(differences(found)))  # known ten times better than one trace tells it
    assert covering(found, truth) >= 90
    better, worse = policies if truth < 0 else policies[::-1]
    verdict = f"{better} misses fewer requests than {worse}"
    assert sum(each.verdict == verdict for each in found) >= 98
    signs = {np.sign(each.low or 0.0) for each in found if each.verdict == verdict}
    assert signs == {np.sign(truth)}


def test_more_requests_tell_more() -> None:
    widths = []
    for requests in (10_000, 90_000):
        found = [
            ab_test(drifting_ids(requests, seed), "s3fifo", "lru", capacity=SIZE)
            for seed in range(5)
        ]
        widths.append(np.mean([(each.high or 0.0) - (each.low or 0.0) for each in found]))
    assert widths[1] < widths[0] / 2


def test_the_ratios_are_those_of_two_caches_of_half_the_size() -> None:
    ids = drifting_ids(60_000, 1)
    found = ab_test(ids, "lru", "s3fifo", capacity=SIZE)
    whole = 1 - lru_hits(ids.tolist(), SIZE) / len(ids)
    assert found.miss_ratio == pytest.approx(whole, abs=0.02)
    assert found.miss_ratio is not None
    assert found.against_miss_ratio is not None
    assert found.difference == pytest.approx(found.miss_ratio - found.against_miss_ratio)
    assert found.relative == pytest.approx((found.difference or 0) / found.against_miss_ratio)
    assert found.requests + found.warm_up == len(ids)
    assert 1_000 < found.warm_up < 12_000
    assert (found.source, found.capacity, found.is_complete) == ("trace", SIZE, True)
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.difference < found.high


def test_a_half_that_holds_the_most_popular_object_makes_no_difference() -> None:
    random = np.random.default_rng(1)
    ids = np.where(random.random(30_000) < 0.5, 7, random.integers(100, 3_000, 30_000))
    found = ab_test(ids.astype(np.uint64), "lru", "fifo", capacity=SIZE)
    assert abs(found.difference or 1.0) < 0.05
    assert found.verdict == "lru misses fewer requests than fifo"


def test_equal_arguments_give_equal_results() -> None:
    ids = drifting_ids(20_000, 1)
    one, two, other = (
        ab_test(ids, "wtinylfu", "lru", capacity=SIZE, seed=seed).as_dict() for seed in (5, 5, 6)
    )
    del one["seconds"], two["seconds"]
    assert one == two
    assert one["difference"] != other["difference"]
    assert json.loads(json.dumps(other)) == other


def test_learned_is_compared_with_the_model_that_is_given(tmp_path: Path) -> None:
    ids = drifting_ids(8_000, 1)
    found = ab_test(ids, capacity=SIZE)
    assert (found.policy, found.against) == ("learned", "lru")
    assert found.difference is not None
    with pytest.raises(ModelError, match=r"model=.*No such file"):
        ab_test(ids, capacity=SIZE, model=tmp_path / "none.bin")


def test_capacity_in_bytes() -> None:
    ids = drifting_ids(30_000, 1)
    trace = Trace(ids, sizes=(10 + ids % 7 * 100).astype(np.uint32))
    found = ab_test(trace, "gdsf", "lru", capacity="128KiB", unit="bytes")
    assert (found.capacity, found.unit) == (131_072, "bytes")
    assert found.verdict == "gdsf misses fewer requests than lru"


def test_cost_is_compared_where_it_is_the_objective() -> None:
    ids = drifting_ids(30_000, 1)
    trace = Trace(ids, costs=np.where(ids % 10 == 0, 100, 1).astype(np.float32))
    by_cost = ab_test(trace, "gdsf", "lru", capacity=SIZE, objective="cost")
    by_count = ab_test(trace, "gdsf", "lru", capacity=SIZE)
    assert by_cost.verdict == "gdsf misses less cost than lru"
    assert by_cost.difference is not None
    assert by_count.difference is not None
    assert by_cost.difference < by_count.difference - 0.1
    free = ab_test(Trace(ids, costs=np.zeros(len(ids))), "gdsf", "lru", objective="cost")
    assert free.verdict == "no request has a cost"


@pytest.mark.parametrize(
    ("requests", "capacity"), [(1, 2), (1_000, 10), (20_000, 10_000)], ids=["one", "few", "roomy"]
)
def test_too_few_requests_tell_nothing(requests: int, capacity: int) -> None:
    found = ab_test(drifting_ids(requests, 1), "lru", "fifo", capacity=capacity)
    assert found.verdict.startswith("too few requests to tell: at least 1,200 are needed")
    assert (found.difference, found.low, found.high, found.miss_ratio) == (None, None, None, None)
    assert found.requests + found.warm_up == requests


def test_tells_of_its_progress() -> None:
    told: list[tuple[str, float]] = []
    ab_test(
        drifting_ids(5_000, 1),
        "lru",
        "fifo",
        capacity=10,
        progress=lambda name, share: told.append((name, share)),
    )
    assert {name for name, _ in told} == {"replay"}
    assert told[-1][1] == 1
    assert [share for _, share in told] == sorted(share for _, share in told)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"policy": "best"}, "policy='best': allowed are lru, "),
        ({"against": "belady"}, "against='belady': allowed are lru, "),
        ({"policy": None}, "policy=None: allowed"),
        ({"capacity": 1}, "capacity=1 is 1: allowed is at least 2"),
        ({"capacity": "0%"}, "capacity='0%': allowed"),
        ({"unit": "bytes"}, "unit='bytes': the trace has no sizes"),
        ({"seed": -1}, "seed=-1: allowed"),
        ({"objective": "cost"}, "objective='cost': the trace has no costs"),
        ({"objective": "hits"}, "objective='hits': allowed"),
        ({"access_log": "x.jsonl"}, "and access_log='x.jsonl': allowed is one of the two"),
        ({"trace": None}, "trace=None and access_log=None: allowed is one of the two"),
        ({"trace": None, "access_log": 3}, "access_log=3 is of type int: allowed is a path"),
        ({"trace": None, "access_log": "x", "duration": "0s"}, "duration='0s': allowed"),
        ({"trace": "x.txt"}, "trace='x.txt': allowed"),
    ],
)
def test_bad_arguments(arguments: dict[str, object], words: str) -> None:
    given = {"trace": np.arange(100), "policy": "lru", "against": "fifo"} | arguments
    with pytest.raises((TypeError, ValueError)) as caught:
        ab_test(**given)  # type: ignore[arg-type]
    assert words in str(caught.value)
