"""What a factory that raised leaves behind: nothing, once its caller has dealt with the error."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from clocked import ClockedCache
from polling import wait_until

from vcache import EmbeddingCache


class Big:
    """Something a factory holds while it runs."""


class Raising:
    """A factory that raises, and knows whether what it held is alive."""

    def __init__(self) -> None:
        self.held: list[weakref.ref[Big]] = []

    def __call__(self, *_: Any) -> Any:
        big = Big()
        self.held.append(weakref.ref(big))
        raise ValueError("down")

    async def coroutine(self) -> Any:
        await asyncio.to_thread(int)  # so that it is suspended once
        self()

    @property
    def is_alive(self) -> bool:
        return any(each() is not None for each in self.held)


@pytest.fixture(autouse=True)
def without_the_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


CALLS: dict[str, Callable[[ClockedCache, Raising], Any]] = {
    "get_or_set": lambda cache, raising: cache.get_or_set("k", raising),
    "error_ttl": lambda cache, raising: cache.get_or_set("k", raising, error_ttl=10),
    "soft_timeout": lambda cache, raising: cache.get_or_set("k", raising, soft_timeout=30),
    "many": lambda cache, raising: cache.get_or_set_many(["a", "b"], raising),
    "embed": lambda cache, raising: EmbeddingCache(raising, model="m", cache=cache).embed(["a"]),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_frames_of_a_factory_end_with_its_error(
    cache: ClockedCache, call: Callable[[ClockedCache, Raising], Any]
) -> None:
    raising = Raising()
    with pytest.raises(ValueError, match="down") as raised:
        call(cache, raising)
    assert raised.value.__traceback__ is not None
    del raised
    wait_until(lambda: not raising.is_alive, 5.0, "a thread that goes on may be last")


@pytest.mark.parametrize("waiters", [1, 3])
@pytest.mark.parametrize("is_async", [True, False])
def test_the_same_on_a_loop(cache: ClockedCache, is_async: bool, waiters: int) -> None:
    raising = Raising()

    async def ask() -> None:
        factory = raising.coroutine if is_async else raising
        try:
            await cache.aget_or_set("k", factory)
        except ValueError:
            return
        raise AssertionError

    async def main() -> None:
        await asyncio.gather(*(ask() for _ in range(waiters)))
        wait_until(lambda: not raising.is_alive, 5.0)

    asyncio.run(main())
    assert raising.held
