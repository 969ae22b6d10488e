"""Cached functions that two processes share over one Redis."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from redis_server import RedisServer
from running import Talking
from search_worker import Functions

import vcache
from vcache import Cache

WORKER = Path(__file__).parents[1] / "support" / "search_worker.py"

MakeCache = Callable[..., Cache]
Eventually = Callable[[Callable[[], object]], None]


class Other(Talking):
    """The other process, with the same functions."""

    def __init__(self, url: str) -> None:
        self._url = url

    def start(self) -> None:
        self.spawn([sys.executable, str(WORKER), self._url])
        assert self.hear() == "ready"

    def ask(self, name: str, *arguments: Any) -> Any:
        self.say(json.dumps([name, *arguments]))
        return json.loads(self.hear())


@pytest.fixture
def other(redis_server: RedisServer) -> Iterator[Other]:
    with Other(redis_server.url) as process:
        yield process


@pytest.fixture
def here(make_cache: MakeCache) -> Functions:
    return Functions(make_cache())


def test_a_search_answers_the_smaller_ones_of_the_other(here: Functions, other: Other) -> None:
    found = here.search("docs", 20)
    assert other.ask("search", "docs", 5) == found[:5]
    assert len(other.ask("search", "docs", 25)) == 25
    assert len(here.search("docs", 20)) == 20
    assert other.ask("computed") == [["docs", 25]]


@pytest.mark.parametrize(
    "end", [lambda one: one("bump", "docs"), lambda one: one("end", "docs:3")], ids=["epoch", "tag"]
)
def test_what_one_process_ends_the_other_does_not_serve(
    here: Functions, other: Other, eventually: Eventually, end: Callable[[Any], object]
) -> None:
    here.search("docs", 5)
    here.search("rest", 5)
    assert other.ask("search", "docs", 5) == here.search("docs", 5)
    other.ask("become", 1)
    here.version = 1
    end(other.ask)
    assert other.ask("search", "docs", 5)[0] == ["docs:0", 1], "it read its own invalidation"
    eventually(lambda: here.search("docs", 5)[0] == ["docs:0", 1])
    assert here.search("rest", 5)[0] == ["rest:0", 0]
    assert here.calls == [["docs", 5], ["rest", 5]]


@pytest.mark.parametrize("name", ["search", "page"])
def test_what_ended_while_it_was_computed_is_served_to_nobody(
    here: Functions, other: Other, name: str
) -> None:
    """The other process ends a tag that is named only when the result is there."""
    tag, arguments = ("docs:3", ("docs", 5)) if name == "search" else ("page:a", ("a",))
    here.during = lambda: other.ask("end", tag)
    getattr(here, name)(*arguments)
    here.during, here.version = None, 1
    other.ask("become", 1)
    for _ in range(2):
        found = getattr(here, name)(*arguments)
        assert found == 1 if name == "page" else found[0] == ["docs:0", 1]
        assert other.ask(name, *arguments) == found
    assert len(here.calls) == 2
    assert other.ask("computed") == []


def test_an_epoch_that_the_other_process_begins_meanwhile(here: Functions, other: Other) -> None:
    here.during = lambda: other.ask("bump", "docs")
    here.search("docs", 5)
    here.during, here.version = None, 1
    assert here.search("docs", 5)[0] == ["docs:0", 1]


def test_tags_of_another_name_end_nothing(here: Functions, other: Other) -> None:
    here.during = lambda: None
    here.page("a")
    other.ask("end", "page:b")
    here.version = 1
    assert here.page("a") == other.ask("page", "a") == 0


def test_an_item_that_the_other_process_changed(
    here: Functions, other: Other, eventually: Eventually
) -> None:
    here.users()
    assert other.ask("users") == [[0, 0], [1, 0], [2, 0]]
    other.ask("set", "user:1", [1, "set"])
    assert other.ask("users")[1] == [1, "set"]
    eventually(lambda: here.users()[1] == [1, "set"])
    other.ask("become", 2)
    other.ask("delete", "user:2")
    here.version = 2
    eventually(lambda: here.users()[2] == [2, 2])
    eventually(lambda: other.ask("users") == here.users())
    assert other.ask("computed") == []
    assert here.calls == ["list", "list"]


def test_items_of_a_batch_are_shared(here: Functions, other: Other) -> None:
    here.scores(1, 2, 3)
    assert other.ask("scores", 3, 4, 1, 4) == [[3, 0], [4, 0], [1, 0], [4, 0]]
    assert other.ask("computed") == [[4]]
    here.scores(4, 5)
    assert here.calls == [[1, 2, 3], [5]]


def test_functions_that_are_awaited(make_cache: MakeCache) -> None:
    """Each look-up that may wait for Redis leaves the loop's thread."""
    calls: list[Any] = []

    def functions(cache: Cache) -> Any:
        @cache.cached_list(item_key=lambda item: f"item:{item[0]}", key_prefix="items")
        async def items() -> list[Any]:
            calls.append("items")
            return [[1, "a"], [2, "b"]]

        @cache.cached_batch(over="xs", key_prefix="double")
        async def double(xs: list[int]) -> list[int]:
            calls.append(xs)
            return [x * 2 for x in xs]

        @cache.cache_vector_search(key_prefix="find", superset=True, tenant="org")
        async def find(namespace: str, vector: Any, top_k: int, org: str) -> Any:
            calls.append(top_k)
            vcache.current().tags.add("late")
            return np.arange(top_k), [str(i) for i in range(top_k)]

        return items, double, find

    async def main() -> None:
        for cache in (make_cache(), make_cache(), make_cache(memory=0)):
            items, double, find = functions(cache)
            assert await items() == await items() == [[1, "a"], [2, "b"]]
            assert await double([1, 2, 1]) == [2, 4, 2]
            for top_k in (9, 3):
                numbers, texts = await find("docs", np.ones(4), top_k, org="o")
                assert (numbers.tolist(), len(texts)) == (list(range(top_k)), top_k)
            assert (await items.arefresh(), await double.arefresh([5])) == (await items(), [10])
        assert calls == ["items", [1, 2], 9, "items", [5], "items", [5], "items", [5]]
        await cache.abump_epoch("docs")
        assert await double.ainvalidate([1, 2, 7]) == 2
        await find("docs", np.ones(4), 3, org="o")
        await cache.ainvalidate_tags("late")
        await find("docs", np.ones(4), 3, org="o")
        assert calls[-2:] == [3, 3]

    asyncio.run(main())


def test_without_an_answer_of_redis_all_is_computed(
    make_cache: MakeCache, redis_server: RedisServer
) -> None:
    here = Functions(make_cache(timeout=0.1, connect_timeout=0.1))
    here.users()
    with redis_server.paused():
        away = Functions(make_cache(timeout=0.1, connect_timeout=0.1))
        assert away.users() == [[0, 0], [1, 0], [2, 0]]
        assert away.scores(1, 2) == [[1, 0], [2, 0]]
        assert len(away.search("docs", 3)) == 3
        assert away.page("a") == 0
