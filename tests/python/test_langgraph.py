"""vcache inside LangGraph, over a cache in memory."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from clocked import ClockedCache
from langchain_core.messages import AIMessage
from langgraph.cache.base import BaseCache as LangGraphCache
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from vcache import Cache
from vcache.errors import ConfigError
from vcache.integrations.langgraph import BaseCache


@dataclass
class State:
    """What a node of an application returns."""

    word: str


@pytest.fixture
def graph() -> Iterator[BaseCache[Any]]:
    with Cache() as cache:
        yield BaseCache(cache)


VALUES = [
    None,
    b"bytes",
    "text",
    {"n": 1, "list": [1.5, "x"], "none": None},
    [1, [2, 3]],
    AIMessage("t", tool_calls=[{"name": "f", "args": {}, "id": "1"}]),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_values_come_back_as_they_were(graph: BaseCache[Any], value: object) -> None:
    key = (("a", "b"), "k")
    graph.set({key: (value, 60)})
    assert graph.get([key, (("a",), "k")]) == {key: value}


def test_coroutines_do_the_same(graph: BaseCache[Any]) -> None:
    async def ask() -> None:
        await graph.aset({one: (1, 60), other: (2, None)})
        assert await graph.aget([one, other]) == {one: 1, other: 2}
        await graph.aclear([("a",)])
        assert await graph.aget([one, other]) == {other: 2}
        await graph.aclear()
        assert await graph.aget([one, other]) == {}

    one, other = (("a",), "k"), (("b",), "k")
    asyncio.run(ask())


def test_it_is_one_of_langgraphs(graph: BaseCache[Any]) -> None:
    assert isinstance(graph, LangGraphCache)
    assert graph.get([]) == {}
    graph.set({})


def test_clear_ends_what_it_names() -> None:
    cache = Cache()
    graph, other = BaseCache[int](cache), BaseCache[int](cache, name="other")
    keys = [(("a",), "k"), (("a", "b"), "k"), (("c",), "k")]
    for one in (graph, other):
        one.set({key: (number, None) for number, key in enumerate(keys)})
    graph.clear([("a",)])
    assert graph.get(keys) == {keys[1]: 1, keys[2]: 2}
    graph.clear()
    assert graph.get(keys) == {}
    assert len(other.get(keys)) == 3


def test_namespaces_and_names_do_not_run_together(graph: BaseCache[Any]) -> None:
    keys = [(("a", "b"), "c"), (("a",), "b:c"), (("a:b",), "c"), ((), "a:b:c"), (("ab",), "c")]
    graph.set({key: (number, None) for number, key in enumerate(keys)})
    assert graph.get(keys) == {key: number for number, key in enumerate(keys)}


def test_a_time_to_live_ends(cache: ClockedCache) -> None:
    graph = BaseCache[int](cache)
    keys = [((), "short"), ((), "long")]
    graph.set({keys[0]: (1, 60), keys[1]: (2, 120)})
    cache.clock.advance(61.0)
    assert graph.get(keys) == {keys[1]: 2}


def test_a_class_that_is_not_allowed_is_not_stored(caplog: pytest.LogCaptureFixture) -> None:
    cache, key = Cache(), ((), "k")
    graph = BaseCache[State](cache)
    with caplog.at_level(logging.WARNING, "vcache"):
        graph.set({key: (State("w"), None)})
        graph.set({key: (State("w"), None)})
    assert graph.get([key]) == {}
    assert sum("not cached" in record.message for record in caplog.records) == 1


def test_an_allowed_class_comes_back_and_is_a_miss_to_who_does_not_allow_it() -> None:
    cache, key = Cache(), ((), "k")
    allowing = BaseCache[State](cache, allowed_objects=[State])
    allowing.set({key: (State("w"), None)})
    assert allowing.get([key]) == {key: State("w")}
    assert BaseCache[State](cache).get([key]) == {}


@pytest.mark.parametrize("stored", [3, ["pickle", b"\x80\x04K\x01."], ["msgpack", b"\xc1"], []])
def test_what_others_stored_under_its_key_is_a_miss(stored: object) -> None:
    cache, key = Cache(), ((), "k")
    graph = BaseCache[Any](cache)
    cache.set(graph._key(key), stored)
    assert graph.get([key]) == {}


def test_pickle_is_refused() -> None:
    with pytest.raises(ConfigError, match="pickle_fallback=False"):
        BaseCache(Cache(), serde=JsonPlusSerializer(pickle_fallback=True))
    with pytest.raises(ConfigError, match="allowed only without serde"):
        BaseCache(Cache(), serde=JsonPlusSerializer(), allowed_objects=[State])
