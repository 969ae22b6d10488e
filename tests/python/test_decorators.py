from __future__ import annotations

import asyncio
import gc
import inspect
import weakref
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from clocked import ClockedCache
from pydantic import BaseModel
from sync_points import Waiters, in_threads

from vcache import MISSING
from vcache.errors import ConfigError, UnkeyableError


def test_bare_and_called(cache: ClockedCache) -> None:
    calls = []

    @cache.cached
    def bare(x: str) -> str:
        """Doc."""
        calls.append(x)
        return x.upper()

    @cache.cached(ttl=5, key_prefix="short")
    def called(x: str) -> str:
        calls.append(x)
        return x.lower()

    assert [bare("a"), bare("a"), called("A"), called("A")] == ["A", "A", "a", "a"]
    assert calls == ["a", "A"]
    assert (bare.__name__, bare.__doc__) == ("bare", "Doc.")
    assert bare.__wrapped__("b") == "B"
    assert inspect.signature(bare).parameters.keys() == {"x"}
    assert bare.cache_key("a").startswith(f"{__name__}.test_bare_and_called.<locals>.bare:")
    assert called.cache_key("a").startswith("short:")
    cache.clock.advance(6)
    called("A")
    bare("a")
    assert calls == ["a", "A", "b", "A"]


def test_arguments_are_bound(cache: ClockedCache) -> None:
    calls = []

    @cache.cached
    def recommend(
        scenario: str, context: Any = None, *rest: int, limit: int = 5, **more: Any
    ) -> int:
        calls.append(scenario)
        return len(calls)

    same = [
        recommend("a"),
        recommend("a", None),
        recommend(scenario="a"),
        recommend(context=None, scenario="a", limit=5),
    ]
    assert same == [1] * 4
    assert recommend("a", limit=6) == 2
    assert recommend("a", None, 1) == 3
    assert recommend("a", x=1, y=2) == recommend("a", y=2, x=1) == 4
    assert recommend("a", {"k": [1, 2]}) == 5
    with pytest.raises(TypeError, match="scenario"):
        recommend()  # type: ignore[call-arg]


@pytest.mark.parametrize(
    "value", ["a", 1, 1.5, True, None, "é", "x" * 5000, "\ud800", "a\x1fb", b"b"]
)
def test_one_argument_in_every_way(cache: ClockedCache, value: Any) -> None:
    calls = []

    @cache.cached
    def single(x: Any) -> int:
        calls.append(x)
        return len(calls)

    assert single(value) == single(value) == single(x=value) == 1
    assert single.invalidate(value)
    assert cache.get(single.cache_key(x=value), MISSING) is MISSING
    assert single(x=value) == single(value) == 2


def test_one_argument_behaves_as_a_function(cache: ClockedCache) -> None:
    @cache.cached
    def single(x: str) -> str:
        return x.upper()

    class Holder:
        bound = single
        plain = staticmethod(single)

    assert Holder.plain("a") == Holder().plain("a") == "A"
    with pytest.raises(TypeError, match="argument"):
        Holder().bound("a")
    with pytest.raises(TypeError, match="argument"):
        single()  # type: ignore[call-arg]
    assert single.__reduce__() == single.__qualname__
    assert list(map(single, "aab")) == ["A", "A", "B"]
    assert single.cache_info()[:2] == (3, 2)
    single.cache_clear()
    assert single("a") == single("a") == "A"
    assert single.cache_info()[:2] == (1, 1)
    alive = weakref.ref(single)
    del single, Holder
    gc.collect()
    assert alive() is None


def test_one_argument_and_its_default(cache: ClockedCache) -> None:
    @cache.cached
    def single(x: str = "default") -> str:
        return x

    assert single() == single("default") == "default"
    assert single.cache_info().misses == 1
    with pytest.raises(TypeError):
        single("a", "b")  # type: ignore[call-arg]


def test_types_of_arguments_are_kept_apart(cache: ClockedCache) -> None:
    @cache.cached
    def kind(x: Any) -> str:
        return type(x).__name__

    values = [1, 1.0, True, "1", b"1", None, "None", [1], ("a",), ["a"]]
    assert [kind(value) for value in values] == [type(value).__name__ for value in values]


def test_an_argument_without_a_key_is_named(cache: ClockedCache) -> None:
    @cache.cached
    def search(query: str, client: Any) -> None:
        raise AssertionError("called")

    with pytest.raises(UnkeyableError, match="argument 'client': a value of type .*object"):
        search("a", object())
    assert cache.stats().requests == 0


def test_a_keyword_without_a_parameter_is_named(cache: ClockedCache) -> None:
    @cache.cached
    def search(query: str, **params: Any) -> None:
        raise AssertionError("called")

    with pytest.raises(UnkeyableError, match="argument 'client': a value of type .*object"):
        search("a", limit=5, client=object())
    with pytest.raises(ValueError, match="argument 'vector'.*finite"):
        search("a", vector=[float("nan")])


def test_numpy_numbers_are_numbers_wherever_they_stand(cache: ClockedCache) -> None:
    @cache.cached
    def find(one: Any, other: Any) -> Any:
        return [float(one), float(other)]

    assert find.cache_key(1, np.int64(5)) == find.cache_key(np.int64(1), 5) == find.cache_key(1, 5)
    assert find.cache_key(0, np.float64(0.5)) == find.cache_key(0, 0.5)


def test_counts_and_clearing(cache: ClockedCache) -> None:
    @cache.cached
    def one(x: int) -> int:
        return x

    @cache.cached
    def other(x: int) -> int:
        return x

    for function in (one, other):
        assert [function(1), function(1), function(2)] == [1, 1, 2]
    assert one.cache_info()[:2] == (1, 2)
    assert one.cache_info().currsize == 4
    one.cache_clear()
    assert one.cache_info()[:2] == (0, 0)
    one(1)
    other(1)
    assert one.cache_info()[:2] == (0, 1)
    assert other.cache_info()[:2] == (2, 2)


def test_refresh(cache: ClockedCache) -> None:
    answers = iter(range(10))

    @cache.cached
    def count(x: str) -> int:
        return next(answers)

    assert [count("a"), count("a"), count.refresh("a"), count("a")] == [0, 0, 1, 1]
    assert cache.stats().source_calls == 2


def test_a_cached_none_and_the_stored_form(cache: ClockedCache) -> None:
    calls = []

    @cache.cached
    def nothing(x: int) -> None:
        calls.append(x)

    @cache.cached
    def pair(x: int) -> Any:
        return (x, np.arange(x))

    nothing(1)
    nothing(1)
    assert calls == [1]
    missed, hit = pair(2), pair(2)
    assert type(missed) is type(hit) is list
    assert not missed[1].flags.writeable


def test_cache_if(cache: ClockedCache) -> None:
    calls = []

    @cache.cached(cache_if=bool)
    def find(x: str) -> list[str]:
        calls.append(x)
        return [x] if x else []

    assert [find(""), find(""), find("a"), find("a")] == [[], [], ["a"], ["a"]]
    assert calls == ["", "", "a"]


def test_own_key(cache: ClockedCache) -> None:
    @cache.cached(key=lambda user, **_: user["id"])
    def profile(user: dict[str, Any], verbose: bool = False) -> str:
        return str(user["name"])

    assert profile({"id": 1, "name": "a"}) == profile({"id": 1, "name": "b"}, verbose=True) == "a"
    assert profile({"id": "1", "name": "c"}) == "c"


def test_a_result_that_cannot_be_stored(cache: ClockedCache) -> None:
    made = []

    @cache.cached
    def make(x: int) -> Any:
        made.append(object())
        return made[-1]

    with pytest.warns(RuntimeWarning, match="results of .*make are not cached") as caught:
        assert make(1) is made[0]
    assert "type object" in str(caught[0].message)
    assert caught[0].filename == __file__
    assert make(1) is made[1]
    assert make.refresh(1) is made[2]
    assert make.cache_info().uncached == 3
    assert cache.stats().entries == 0


def test_a_result_over_max_value_is_returned() -> None:
    with ClockedCache(max_value=100) as cache:

        @cache.cached
        def long(x: int) -> str:
            return "x" * x

        with pytest.warns(RuntimeWarning, match="max_value=100"):
            assert len(long(1000)) == 1000


@dataclass
class Record:
    id: int
    vector: np.ndarray[Any, Any]
    tags: tuple[str, ...] = ()


class Document(BaseModel):
    page_content: str
    metadata: dict[str, Any] = {}


def test_records(cache: ClockedCache) -> None:
    @cache.cached(type=list[Record])
    def records(n: int) -> list[Record]:
        return [Record(i, np.arange(i, i + 2), ("a",)) for i in range(n)]

    @cache.cached(type=list[Document])
    def documents(n: int) -> list[Document]:
        return [Document(page_content=str(i), metadata={"i": i}) for i in range(n)]

    for missed, hit in ((records(2), records(2)), (documents(2), documents(2))):
        assert repr(missed) == repr(hit)
    assert isinstance(records(2)[0], Record)
    assert records(2)[1].tags == ("a",)
    assert records(2)[1].vector.tolist() == [1, 2]
    assert documents(2)[1] == Document(page_content="1", metadata={"i": 1})
    assert records.cache_info().misses == 1


def test_own_codec(cache: ClockedCache) -> None:
    @cache.cached(encode=lambda value: value.real, decode=complex)
    def root(x: int) -> complex:
        return complex(x)

    assert root(2) == root(2) == 2 + 0j
    assert cache.get(root.cache_key(2)) == 2.0
    with pytest.raises(TypeError, match="encode and decode: allowed are both or neither"):
        cache.cached(encode=str)(len)
    with pytest.raises(TypeError, match="type: allowed only without"):
        cache.cached(type=int, encode=str, decode=int)(len)
    with pytest.raises(ConfigError, match="encode=5 of type int: allowed are None and a callable"):
        cache.cached(encode=5, decode=str)(len)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="decode=6 of type int: allowed are None and a callable"):
        cache.cached(encode=str, decode=6)(len)  # type: ignore[arg-type]


class Service:
    def __init__(self, name: str) -> None:
        self.name = name


def test_methods(cache: ClockedCache) -> None:
    class Search(Service):
        @cache.cached
        def find(self, text: str) -> str:
            return f"{self.name}:{text}"

        @classmethod
        @cache.cached
        def kind(cls, text: str) -> str:
            return f"{cls.__name__}:{text}"

        @cache.cached  # type: ignore[arg-type]
        @classmethod
        def outer(cls, text: str) -> str:
            return f"{cls.__name__}:{text}"

        @cache.cached
        @staticmethod
        def plain(text: str) -> str:
            return text.upper()

    class Special(Search):
        pass

    assert Search("one").find("a") == Search("two").find("a") == "one:a"
    assert Special("three").find("a") == "three:a"
    kinds = [Search.kind("a"), Special.kind("a"), Search.kind("a")]
    assert kinds == ["Search:a", "Special:a", "Search:a"]
    assert [Search.outer("a"), Special.outer("a")] == ["Search:a", "Special:a"]
    assert Search.plain("a") == Search("one").plain("a") == "A"
    assert Search.find.cache_info()[:2] == (1, 2)


def test_methods_of_objects_with_a_key(cache: ClockedCache) -> None:
    class Search(Service):
        @cache.cached
        def find(self, text: str) -> str:
            return f"{self.name}:{text}"

    class Keyed(Search):
        def __cache_key__(self) -> str:
            return self.name

    answers = [Keyed("one").find("a"), Keyed("two").find("a"), Keyed("one").find("a")]
    assert answers == ["one:a", "two:a", "one:a"]
    plain, marked = Search("plain"), Search("marked")
    marked.__cache_key__ = "m"  # type: ignore[attr-defined]
    assert plain.find("b") == "plain:b"
    assert marked.find("b") == "marked:b"


def test_async_functions(cache: ClockedCache) -> None:
    calls = []

    @cache.cached(ttl=60)
    async def fetch(x: int, y: int = 2) -> Any:
        calls.append(x)
        await asyncio.wait([asyncio.ensure_future(asyncio.Event().wait())], timeout=0)
        return (x, y)

    async def main() -> None:
        assert inspect.iscoroutinefunction(fetch)
        assert await asyncio.gather(*[fetch(1) for _ in range(8)]) == [[1, 2]] * 8
        assert await fetch(1, y=2) == [1, 2]
        assert calls == [1]
        assert await fetch.arefresh(1) == [1, 2]
        assert await fetch.refresh(1) == [1, 2]
        assert calls == [1, 1, 1]
        assert await fetch.ainvalidate(1)
        assert not fetch.invalidate(1)
        await fetch(1)
        assert len(calls) == 4
        await fetch.acache_clear()
        await fetch(1)
        assert len(calls) == 5

    asyncio.run(main())


def test_generators_are_refused(cache: ClockedCache) -> None:
    def generator() -> Any:
        yield 1

    async def async_generator() -> Any:
        yield 1

    for function in (generator, async_generator):
        with pytest.raises(TypeError, match="generator function: allowed are others"):
            cache.cached(function)
    with pytest.raises(TypeError, match="function=5 .*allowed is a callable"):
        cache.cached(5)  # type: ignore[call-overload]
    with pytest.raises(ConfigError, match="function=<class 'dict'>: its parameters are not known"):
        cache.cached(dict)


@pytest.mark.parametrize(
    ("prefix", "error"),
    [("", ConfigError), ("p" * 513, ConfigError), ("\ud800", ConfigError), (5, TypeError)],
)
def test_bad_prefix(cache: ClockedCache, prefix: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="key_prefix=.*allowed"):
        cache.cached(key_prefix=prefix)(len)


def test_one_call_at_a_time(cache: ClockedCache, monkeypatch: pytest.MonkeyPatch) -> None:
    waiters, calls = Waiters(monkeypatch), []

    @cache.cached
    def slow(x: str) -> str:
        calls.append(x)
        waiters.wait_for(15)
        return x

    assert in_threads(*[lambda: slow("a")] * 16) == ["a"] * 16
    assert calls == ["a"]
    assert slow.cache_info()[:2] == (0, 16)


def test_vector_search(cache: ClockedCache) -> None:
    calls = []

    @cache.cache_vector_search(ttl=300, precision=6)
    def search(namespace: str, vector: Any, top_k: int = 10, **params: Any) -> list[Any]:
        calls.append(top_k)
        return [{"id": f"{namespace}:{i}", "score": 1.0 / (i + 1)} for i in range(top_k)]

    vector = [0.1, -0.0, 0.3]
    same = [
        search("docs", vector),
        search("docs", np.array(vector)),
        search("docs", np.array(vector, "f4")),
        search("docs", tuple(vector), top_k=10),
        search(vector=[0.1, 0.0, 0.3000000001], namespace="docs"),
    ]
    assert all(result == same[0] for result in same)
    assert len(calls) == 1
    search("docs", vector, top_k=5)
    search("other", vector)
    search("docs", [0.1, 0.0, 0.30001])
    search("docs", [vector])
    search("docs", vector, flt={"lang": "en"})
    assert len(calls) == 6
    cache.clock.advance(301)
    search("docs", vector)
    assert len(calls) == 7


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_nan_in_a_query_vector(cache: ClockedCache, bad: float) -> None:
    @cache.cache_vector_search()
    def search(vector: Any) -> None:
        raise AssertionError("called")

    for vector in ([1.0, bad], np.array([bad], "f4"), np.array([[1.0, bad]])):
        with pytest.raises(ValueError, match="argument 'vector'.*finite"):
            search(vector)
    assert cache.stats().requests == 0


@pytest.mark.parametrize("precision", [-1, 16, 2.0, True, "6"])
def test_bad_precision(cache: ClockedCache, precision: Any) -> None:
    with pytest.raises(ValueError, match="precision=.*allowed is None or an int from 0 to 15"):
        cache.cache_vector_search(precision=precision)
