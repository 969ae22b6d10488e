from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from plain_caches import skewed_ids

from vcache.sim import Trace, miss_ratio_curve, recommend_size, replay

IDS = skewed_ids(200_000, 50_000, 0.8, 1)
SIZES = (1_000, 5_000, 20_000)


@pytest.mark.parametrize("policy", ["lru", "arc", "s3fifo", "belady"])
def test_without_a_sample_it_is_exact(policy: str) -> None:
    curve = miss_ratio_curve(IDS, policy, sizes=SIZES, rate=1)
    for size, ratio in zip(SIZES, curve.miss_ratios, strict=True):
        assert ratio == replay(IDS, policy, size).miss_ratio
    assert not curve.errors.any()


@pytest.mark.parametrize("policy", ["lru", "s3fifo"])
def test_a_sample_is_near_and_says_how_near(policy: str) -> None:
    off = []
    for seed in range(5):
        curve = miss_ratio_curve(IDS, policy, sizes=SIZES, rate=0.2, seed=seed)
        exact = [replay(IDS, policy, size).miss_ratio for size in SIZES]
        assert curve.rate == 0.2
        assert (curve.errors > 0).all()
        assert np.abs(curve.miss_ratios - exact).max() < 0.05
        off.append(np.abs(curve.miss_ratios - exact) / curve.errors)
    assert np.mean(np.array(off) <= 1) >= 0.8


def test_sizes_that_a_sample_would_make_too_small_get_a_larger_one() -> None:
    curve = miss_ratio_curve(IDS, "lru", sizes=[10, 40], rate=0.01)
    assert curve.miss_ratios.tolist() == [replay(IDS, "lru", size).miss_ratio for size in (10, 40)]


def test_the_usual_sizes_reach_from_a_thousandth_to_all() -> None:
    curve = miss_ratio_curve(IDS)
    objects = len(np.unique(IDS))
    assert (curve.sizes[0], curve.sizes[-1]) == (objects // 1_000, objects)
    assert (np.diff(curve.sizes) > 0).all()
    assert (np.diff(curve.miss_ratios) <= 0.01).all()
    assert curve.rate == pytest.approx(32_768 / objects)
    assert curve.requests == len(IDS)


def test_bytes() -> None:
    trace = Trace(IDS, sizes=IDS % np.uint64(900) + np.uint64(100))
    curve = miss_ratio_curve(trace, "lru", sizes=["1%", "10%"], unit="bytes", rate=0.3)
    exact = [replay(trace, "lru", size, unit="bytes").miss_ratio for size in ("1%", "10%")]
    assert np.abs(curve.miss_ratios - exact).max() < 0.05


def test_recommends_the_smallest_that_is_nearly_as_good() -> None:
    loop = np.tile(np.arange(1_000), 20)
    found = recommend_size(loop, "lru", sizes=[10, 500, 1_000, 5_000], rate=1)
    assert (found.size, found.unit) == (1_000, "entries")
    assert found.miss_ratio == found.best_miss_ratio == 0.05
    assert recommend_size(loop, "lru", sizes=[10, 1_000], within=100, rate=1).size == 10
    assert found.curve.sizes.tolist() == [10, 500, 1_000, 5_000]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"rate": 0}, "rate=0: allowed are numbers above 0"),
        ({"rate": 1.5}, "rate=1.5"),
        ({"rate": "1%"}, "rate='1%'"),
        ({"sizes": []}, "sizes=.*at least one"),
        ({"sizes": "1%"}, "sizes='1%'"),
        ({"sizes": ["1%", 0]}, r"sizes\[1\]=0"),
        ({"policy": "random"}, "policy='random'"),
        ({"unit": "bytes"}, "unit='bytes'"),
        ({"within": -1}, "within=-1"),
        ({"within": "5%"}, "within='5%'"),
    ],
)
def test_bad_input(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        recommend_size([1, 2, 3], **arguments)
