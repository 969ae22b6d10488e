"""State machines that ask a cache by its blocking calls and by their twins."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import Any

from hypothesis.stateful import RuleBasedStateMachine

from vcache import Cache


class AskingMachine(RuleBasedStateMachine):
    """Has an event loop of its own, on which twins run."""

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner()

    def teardown(self) -> None:
        self._runner.close()

    def ask(self, cache: Cache, awaited: bool, name: str, *args: Any, **named: Any) -> Any:
        """What a call of this name returns, or where `awaited` its twin."""
        return self.run(getattr(cache, "a" * awaited + name), *args, **named)

    def run(self, function: Callable[..., Any], *args: Any, **named: Any) -> Any:
        """What a plain or an async function returns."""

        async def wait() -> Any:
            return await function(*args, **named)

        if iscoroutinefunction(function):
            return self._runner.run(wait())
        return function(*args, **named)
