from __future__ import annotations

import asyncio
import inspect
import pickle
from typing import Any

import pytest
from clocked import ClockedCache

from vcache.errors import UnkeyableError

cache = ClockedCache()


class Search:
    def __init__(self, name: str) -> None:
        self.name = name

    @cache.cached(key_prefix="find")
    def find(self, text: str, limit: int = 5) -> str:
        """Doc."""
        return f"{self.name}:{text}"

    @cache.cached(key_prefix="afind")
    async def afind(self, text: str) -> str:
        return f"{self.name}:{text}"

    @classmethod
    @cache.cached(key_prefix="kind")
    def kind(cls, text: str) -> str:
        return f"{cls.__name__}:{text}"

    @cache.cached(key_prefix="outer")  # type: ignore[arg-type]
    @classmethod
    def outer(cls, text: str) -> str:
        return f"{cls.__name__}:{text}"

    @staticmethod
    @cache.cached(key_prefix="plain")
    def plain(text: str) -> str:
        return text


class Special(Search):
    pass


@pytest.mark.parametrize("bound", [Search("one").find, Special.kind, Search.outer, Search.plain])
def test_attributes_of_what_is_bound(bound: Any) -> None:
    wanted = bound("a")
    assert cache.get(bound.cache_key("a")) == wanted
    assert bound.cache_key(text="a") == bound.cache_key("a")
    assert bound.invalidate("a")
    assert not bound.invalidate("a")
    assert bound.refresh("a") == wanted
    assert cache.exists(bound.cache_key("a"))
    assert bound.__wrapped__("a") == wanted


def test_attributes_of_a_method_of_a_class() -> None:
    one = Search("one")
    assert Search.find.cache_key(one, "b") == one.find.cache_key("b")
    assert Search.kind.cache_key("a") != Special.kind.cache_key("a")
    assert Search.find(one, "b") == one.find("b")
    hits = Search.find.cache_info().hits
    one.find("b")
    assert one.find.cache_info().hits == Search.find.cache_info().hits == hits + 1


def test_attributes_of_an_async_method() -> None:
    async def main() -> None:
        one = Search("one")
        assert inspect.iscoroutinefunction(one.afind)
        assert await one.afind("a") == "one:a"
        assert await one.afind.ainvalidate("a")
        assert await one.afind.arefresh("a") == await one.afind.refresh("a") == "one:a"
        assert one.afind.invalidate("a")
        await one.afind.acache_clear()
        assert one.afind.cache_info()[:2] == (0, 0)

    asyncio.run(main())


def test_a_bound_method_behaves_as_one() -> None:
    one, two = Search("one"), Search("two")
    assert one.find == one.find
    assert one.find != two.find
    assert one.find != "find"
    assert len({one.find, one.find, two.find}) == 2
    assert one.find.__self__ is one
    assert (one.find.__name__, one.find.__doc__) == ("find", "Doc.")
    assert repr(one.find).startswith("<bound method Search.find of <")
    assert list(inspect.signature(one.find).parameters) == ["text", "limit"]
    assert list(inspect.signature(Search.find).parameters) == ["self", "text", "limit"]
    assert pickle.loads(pickle.dumps(one.find))("a") == "one:a"
    assert pickle.loads(pickle.dumps(Search.find)) is Search.find
    with pytest.raises(AttributeError, match="colour"):
        _ = one.find.colour


def test_an_object_whose_key_is_none_is_named() -> None:
    one = Search("one")
    one.__cache_key__ = object()  # type: ignore[attr-defined]
    with pytest.raises(UnkeyableError, match="argument 'self': a value of type .*object"):
        one.find("a")
