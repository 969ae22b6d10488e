"""The items of mset()."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from clocked import ClockedCache


@pytest.mark.parametrize("error", [ValueError, TypeError, LookupError])
def test_an_exception_of_a_generator_is_its_own(
    cache: ClockedCache, error: type[Exception]
) -> None:
    def pairs() -> Iterator[tuple[str, int]]:
        yield "a", 1
        raise error("of the generator")

    with pytest.raises(error, match="of the generator"):
        cache.mset(pairs())
    assert not cache.exists("a")


@pytest.mark.parametrize("items", [5, None, [5], [("a",)], [("a", 1, 2)], ["a"], iter(["abc"])])
def test_what_is_no_pairs_is_named(cache: ClockedCache, items: Any) -> None:
    with pytest.raises(TypeError, match="items of type .*allowed is a mapping"):
        cache.mset(items)


def test_pairs_of_any_kind(cache: ClockedCache) -> None:
    cache.mset(pair for pair in [("a", 1), ["b", 2]])
    cache.mset({"c": 3})
    assert cache.mget(["a", "b", "c"]) == [1, 2, 3]
