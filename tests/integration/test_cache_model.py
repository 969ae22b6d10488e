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


@pytest.mark.parametrize("memory", ["1MiB", 0])
@pytest.mark.parametrize("memory_ttl", [None, 101.0])
def test_memory_and_redis(redis_server: RedisServer, memory: Any, memory_ttl: Any) -> None:
    class OverRedis(CacheModel):
        is_timed = False
        count = 0

        def open(self) -> ClockedCache:
            OverRedis.count += 1
            return ClockedCache(
                memory=memory,
                memory_ttl=memory_ttl,
                redis=redis_server.unix_url,
                namespace=f"run-{OverRedis.count}",
                timeout=5.0,
            )

    limits = settings(
        max_examples=examples(25), stateful_step_count=40, deadline=None, database=None
    )
    run_state_machine_as_test(OverRedis, settings=limits)
    assert Path(redis_server.socket).exists()
