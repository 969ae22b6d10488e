"""A cache in memory and Redis against a plain dict: what it must answer."""

from __future__ import annotations

from typing import Any

import pytest
from cache_model_computed import ComputingModel
from clocked import ClockedCache
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test
from nightly import examples
from redis_server import RedisServer

from vcache import _core
from vcache.options import SmallOrHot

VARIANTS: dict[str, dict[str, Any]] = {
    "both": {"memory_ttl": None},
    "expiring in memory": {"memory_ttl": 101.0, "grace": 30.0},
    "redis only": {"memory": 0, "memory_ttl": None},
    "few in memory": {"max_entries": 3, "memory_ttl": None},
    "promoted late": {"promotion_threshold": 3},
    "admitted small": {"admit": SmallOrHot(bytes=8, hits=1)},
    "encrypted": {"encryption_key": "ab" * 32, "key_secret": "secret of the test", "grace": 30.0},
}


@pytest.mark.parametrize("arguments", VARIANTS.values(), ids=VARIANTS)
def test_memory_and_redis(redis_server: RedisServer, arguments: dict[str, Any]) -> None:
    class OverRedis(ComputingModel):
        is_timed = False
        grace = arguments.get("grace", 0.0)
        count = 0

        def open(self, clock: _core.ManualClock, namespace: str) -> ClockedCache:
            OverRedis.count += 1
            return ClockedCache(
                clock,
                redis=redis_server.unix_url,
                namespace=f"run-{OverRedis.count}-{namespace}",
                timeout=5.0,
                **({"memory": "1MiB"} | arguments),
            )

    limits = settings(
        max_examples=examples(25),
        stateful_step_count=40,
        deadline=None,
        report_multiple_bugs=False,
        database=None,
    )
    run_state_machine_as_test(OverRedis, settings=limits)
