"""Leases of callers who left while they were taken."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from redis_server import RedisServer

from vcache import Cache

Eventually = Callable[[Callable[[], object]], None]
PATIENCE = 20.0


class Held:
    """The core, whose take_leases() waits before or after it takes them."""

    def __init__(self, core: Any, when: str) -> None:
        self._core, self._when = core, when
        self.waiting, self.release = threading.Event(), threading.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._core, name)

    def take_leases(self, *args: Any) -> Any:
        if self._when == "before":
            self._wait()
        grants = self._core.take_leases(*args)
        if self._when == "after":
            self._wait()
        return grants

    def _wait(self) -> None:
        self.waiting.set()
        assert self.release.wait(PATIENCE)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_cancelled_caller_leaves_no_lease(
    make_cache: Callable[..., Cache],
    redis_server: RedisServer,
    eventually: Eventually,
    when: str,
) -> None:
    cache = make_cache(lease=600)
    core = Held(cache._tiers, when)
    cache._loader._leases._core = core  # type: ignore[assignment]

    async def leave() -> None:
        task = asyncio.create_task(cache.aget_or_set("k", lambda: 1))
        assert await asyncio.to_thread(core.waiting.wait, PATIENCE)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.to_thread(eventually, lambda: not cache._loader.flights._open)

    asyncio.run(leave())
    core.release.set()
    assert make_cache(lease=600).get_or_set("k", lambda: 2) == 2
    eventually(lambda: redis_server.client().keys("vcache!lease:*") == [])


def test_an_interrupted_caller_leaves_no_lease(
    make_cache: Callable[..., Cache], redis_server: RedisServer, eventually: Eventually
) -> None:
    cache = make_cache(lease=600)

    class Interrupted(Held):
        def take_leases(self, *args: Any) -> Any:
            self._core.take_leases(*args)
            raise KeyboardInterrupt

    cache._loader._leases._core = Interrupted(cache._tiers, "")  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        cache.get_or_set("k", lambda: 1)
    eventually(lambda: redis_server.client().keys("vcache!lease:*") == [])
