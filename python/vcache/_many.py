"""What decorated functions have in common whose results are many entries."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from ._arguments import Key
from ._callers import Caller, is_async, run_blocking
from ._calls import BLOCKING
from ._core import MISSING
from ._site import Args, Named, Site

__all__ = ["ManySite"]


class ManySite(Site):
    """How such a function is called."""

    @abstractmethod
    async def call(self, caller: Caller, args: Args, named: Named) -> Any:
        """The result of a call, from the cache or from the function."""

    def wrapper(self) -> Callable[..., Any]:
        caller: Caller = self.cache._on_loop if is_async(self.function) else BLOCKING

        async def answer(args: Args, named: Named) -> Any:
            mode = self.cache._modes.now() if self.cache._modes.are_on else None
            if mode is not None:
                return await self.switched(caller, mode, args, named)
            await self.ready(caller)
            return await self.call(caller, args, named)

        def wrapper(*args: Any, **named: Any) -> Any:
            return run_blocking(answer(args, named))

        async def async_wrapper(*args: Any, **named: Any) -> Any:
            return await answer(args, named)

        return async_wrapper if is_async(self.function) else wrapper

    async def read(self, caller: Caller, keys: Sequence[Key]) -> list[Any]:
        """What is stored under the keys and fresh, MISSING for the others."""
        if caller is BLOCKING:
            return self.cache._tiers.mget(keys, MISSING, True)
        return await self.cache._amget(keys, MISSING, fresh=True)
