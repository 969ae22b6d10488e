"""Results of decorated functions that cannot be stored, or read back."""

from __future__ import annotations

import asyncio
import warnings
from typing import Any

import pytest
from clocked import ClockedCache

from vcache import MISSING


@pytest.mark.parametrize("latest", [None, object()])
def test_refresh_to_a_result_that_is_not_stored_removes_the_old_one(
    cache: ClockedCache, latest: Any
) -> None:
    answer: list[Any] = [1]

    @cache.cached(cache_if=lambda result: result is not None)
    def ask(x: int) -> Any:
        return answer[0]

    assert ask(1) == 1
    answer[0] = latest
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        assert [ask.refresh(1), ask(1)] == [latest, latest]
    assert cache.get(ask.cache_key(1), MISSING) is MISSING


def test_a_refresh_that_fails_keeps_the_old_one(cache: ClockedCache) -> None:
    fail = False

    @cache.cached
    def ask(x: int) -> int:
        if fail:
            raise LookupError
        return x

    assert ask(1) == 1
    fail = True
    with pytest.raises(LookupError):
        ask.refresh(1)
    assert ask(1) == 1


def test_arefresh_to_a_result_that_is_not_stored_removes_the_old_one(cache: ClockedCache) -> None:
    answer: list[Any] = [1]

    @cache.cached(cache_if=lambda result: result is not None)
    async def ask(x: int) -> Any:
        return answer[0]

    async def main() -> None:
        assert await ask(1) == 1
        answer[0] = None
        assert [await ask.arefresh(1), await ask(1)] == [None, None]

    asyncio.run(main())
