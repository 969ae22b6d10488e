"""A cache in memory and Redis against a plain dict."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cache_model import CacheModel
from clocked import ClockedCache
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test
from nightly import examples
from redis_server import RedisServer

from vcache.options import SmallOrHot


@pytest.mark.parametrize(
    "arguments",
    [
        {"memory_ttl": None},
        {"memory_ttl": 101.0},
        {"memory": 0, "memory_ttl": None},
        {"memory": 0, "memory_ttl": 101.0},
        {"promotion_threshold": 3},
        {"admit": SmallOrHot(bytes=8, hits=1)},
    ],
    ids=str,
)
def test_memory_and_redis(redis_server: RedisServer, arguments: dict[str, Any]) -> None:
    class OverRedis(CacheModel):
        is_timed = False
        count = 0

        def open(self) -> ClockedCache:
            OverRedis.count += 1
            return ClockedCache(
                redis=redis_server.unix_url,
                namespace=f"run-{OverRedis.count}",
                timeout=5.0,
                **({"memory": "1MiB"} | arguments),
            )

    limits = settings(
        max_examples=examples(25), stateful_step_count=40, deadline=None, database=None
    )
    run_state_machine_as_test(OverRedis, settings=limits)
    assert Path(redis_server.socket).exists()
