"""What says which values enter memory: its checks, and a cache without Redis."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest

from vcache import Cache
from vcache.errors import ConfigError
from vcache.options import SmallOrHot


@pytest.mark.parametrize("threshold", [0, -1, 256, 1.0, "3", True, None])
def test_a_bad_threshold(threshold: Any) -> None:
    with pytest.raises(
        ConfigError, match=r"^promotion_threshold=.*: allowed .* 1 to 255"
    ) as caught:
        Cache(promotion_threshold=threshold)
    assert repr(threshold) in str(caught.value)


@pytest.mark.parametrize("admit", ["small_or_hot", 5, (100, 50), SmallOrHot, len])
def test_a_bad_rule(admit: Any) -> None:
    with pytest.raises(
        ConfigError, match=r"^admit=.*: allowed are None and .*SmallOrHot"
    ) as caught:
        Cache(admit=admit)
    assert repr(admit) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("bytes", -1),
        ("bytes", 1.5),
        ("bytes", None),
        ("bytes", "few"),
        ("bytes", "257MiB"),
        ("hits", -1),
        ("hits", 255),
        ("hits", 1.0),
        ("hits", "50"),
        ("hits", True),
    ],
)
def test_a_bad_option_of_the_rule(name: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=rf"^{name}=.*allowed") as caught:
        SmallOrHot(**{name: value})
    assert repr(value) in str(caught.value)


def test_the_rule_is_a_frozen_record() -> None:
    rule = SmallOrHot()
    assert (rule.bytes, rule.hits) == (100, 50)
    assert rule == SmallOrHot(bytes=100, hits=50)
    with pytest.raises(FrozenInstanceError):
        rule.hits = 1  # type: ignore[misc]


def test_a_cache_is_pickled_with_both() -> None:
    rule = SmallOrHot(bytes="4KiB", hits=0)
    with Cache(promotion_threshold=255, admit=rule) as cache:
        pickled = pickle.dumps(cache)
    with pickle.loads(pickled) as copy:
        assert copy._config == cache._config
        assert (copy._config.promotion_threshold, copy._config.admit) == (255, rule)


def test_without_redis_all_values_enter_memory() -> None:
    with Cache(promotion_threshold=3, admit=SmallOrHot(bytes=0, hits=254)) as cache:
        cache.set("k", np.ones(1000, "f4"))
        assert cache.lookup("k").tier == "memory"
        assert cache.stats().declined == 0
