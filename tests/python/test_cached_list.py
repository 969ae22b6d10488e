"""cached_list: lists whose items are entries of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from clocked import ClockedCache
from polling import wait_until
from sync_points import Waiters, in_threads

import vcache

User = dict[str, Any]


def key_of(user: User) -> str:
    return f"user:{user['id']}"


class Source:
    """Users as a database has them, and how often it was asked for all."""

    def __init__(self) -> None:
        self.names = {1: "ann", 2: "bob", 3: "cem"}
        self.asked = 0

    def users(self) -> list[User]:
        self.asked += 1
        return [{"id": number, "name": name} for number, name in self.names.items()]


@pytest.fixture
def source() -> Source:
    return Source()


def blocking(cache: ClockedCache, source: Source, **options: Any) -> Any:
    @cache.cached_list(item_key=key_of, ttl=300, **options)
    def users() -> list[User]:
        return source.users()

    return users


def awaited(cache: ClockedCache, source: Source, **options: Any) -> Any:
    @cache.cached_list(item_key=key_of, ttl=300, **options)
    async def users() -> list[User]:
        return source.users()

    class Plain:
        cache_info, cache_key = users.cache_info, users.cache_key

        def __call__(self) -> Any:
            return asyncio.run(users())

        def invalidate(self) -> bool:
            return asyncio.run(users.ainvalidate())

        def refresh(self) -> Any:
            return asyncio.run(users.arefresh())

        def cache_clear(self) -> None:
            asyncio.run(users.acache_clear())

    return Plain()


BOTH = pytest.mark.parametrize("make", [blocking, awaited])
Make = Callable[..., Any]


@BOTH
def test_the_list_and_each_item(cache: ClockedCache, source: Source, make: Make) -> None:
    users = make(cache, source)
    expected = source.users()
    assert [users(), users()] == [expected] * 2
    assert source.asked == 2
    assert cache.mget(["user:1", "user:2", "user:3"]) == expected
    assert users.cache_info()[:2] == (1, 1)


@BOTH
def test_an_item_that_was_set_is_not_served_old(
    cache: ClockedCache, source: Source, make: Make
) -> None:
    users = make(cache, source)
    users()
    cache.set("user:2", {"id": 2, "name": "bea"})
    assert [user["name"] for user in users()] == ["ann", "bea", "cem"]
    assert source.asked == 1


REMOVALS: list[Callable[[ClockedCache], object]] = [
    lambda cache: cache.delete("user:2"),
    lambda cache: cache.mdelete(["user:2"]),
    lambda cache: cache.invalidate("user:*"),
    lambda cache: cache.clear(),
]


@BOTH
@pytest.mark.parametrize("remove", REMOVALS)
def test_an_item_that_was_removed_is_not_served(
    cache: ClockedCache, source: Source, make: Make, remove: Callable[[ClockedCache], object]
) -> None:
    users = make(cache, source)
    users()
    source.names[2] = "bea"
    remove(cache)
    assert [user["name"] for user in users()] == ["ann", "bea", "cem"]
    assert source.asked == 2
    assert cache.get("user:2")["name"] == "bea"


@BOTH
def test_invalidate_and_refresh_make_all_anew(
    cache: ClockedCache, source: Source, make: Make
) -> None:
    users = make(cache, source)
    users()
    source.names = {1: "amy", 4: "dan"}
    assert users.invalidate()
    assert [user["name"] for user in users()] == ["amy", "dan"]
    assert cache.get("user:1")["name"] == "amy"
    source.names[4] = "eva"
    assert [user["name"] for user in users.refresh()] == ["amy", "eva"]
    assert [user["name"] for user in users()] == ["amy", "eva"]
    source.names[4] = "fay"
    users.cache_clear()
    assert [user["name"] for user in users()] == ["amy", "fay"]
    assert users.cache_info()[:2] == (0, 1)


def test_an_item_that_expired(cache: ClockedCache, source: Source) -> None:
    users = blocking(cache, source)
    users()
    cache.touch("user:2", 5)
    cache.clock.advance(6)
    users()
    assert source.asked == 2
    cache.clock.advance(299)
    users()
    assert source.asked == 2
    cache.clock.advance(2)
    users()
    assert source.asked == 3


WRITES: list[Callable[[ClockedCache, User], object]] = [
    lambda cache, user: cache.set(key_of(user), user),
    lambda cache, user: cache.set(key_of(user), user, metadata={"by": "me"}),
    lambda cache, user: cache.mset({key_of(user): user}),
    lambda cache, user: asyncio.run(cache.aset(key_of(user), user)),
]


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("by_refresh", [False, True])
def test_an_item_that_is_written_meanwhile_stays(
    cache: ClockedCache,
    source: Source,
    write: Callable[[ClockedCache, User], object],
    by_refresh: bool,
) -> None:
    newer = {"id": 2, "name": "newer"}
    writes = False

    @cache.cached_list(item_key=key_of)
    def users() -> list[User]:
        found = source.users()
        if writes:
            write(cache, newer)
        return found

    users()
    users.invalidate()
    writes = True
    assert (users.refresh() if by_refresh else users())[1] == newer
    assert users()[1] == cache.get("user:2") == newer
    assert source.asked == 2


@pytest.mark.parametrize("remove", REMOVALS)
def test_an_item_that_is_removed_meanwhile(
    cache: ClockedCache, source: Source, remove: Callable[[ClockedCache], object]
) -> None:
    removes = True

    @cache.cached_list(item_key=key_of)
    def users() -> list[User]:
        found = source.users()
        if removes:
            remove(cache)
        return found

    assert [user["name"] for user in users()] == ["ann", "bob", "cem"]
    assert cache.get("user:2") is None, "what was read before the removal is not stored"
    removes, source.names[2] = False, "bea"
    assert users()[1]["name"] == users()[1]["name"] == "bea"
    assert source.asked == 2


def test_arguments_have_lists_of_their_own(cache: ClockedCache, source: Source) -> None:
    @cache.cached_list(item_key=key_of)
    def starting(letters: str, *, limit: int = 10) -> list[User]:
        return [user for user in source.users() if user["name"][0] in letters][:limit]

    assert [user["id"] for user in starting("ab")] == [1, 2]
    assert [user["id"] for user in starting("bc")] == [2, 3]
    assert [user["id"] for user in starting("abc", limit=1)] == [1]
    assert source.asked == 3
    cache.set("user:2", {"id": 2, "name": "x"})
    assert starting("ab")[1] == starting("bc")[0] == {"id": 2, "name": "x"}
    assert source.asked == 3


def test_methods_and_class_methods(cache: ClockedCache) -> None:
    class Shop:
        calls = 0

        @cache.cached_list(item_key=lambda item: f"item:{item}")
        def items(self, count: int) -> list[int]:
            """Doc."""
            Shop.calls += 1
            return list(range(count))

        @classmethod
        @cache.cached_list(item_key=lambda item: f"other:{item}")
        def of_class(cls, count: int) -> list[int]:
            Shop.calls += 1
            return list(range(count))

    shop = Shop()
    assert shop.items(2) == shop.items(2) == [0, 1]
    assert Shop.of_class(3) == shop.of_class(3) == [0, 1, 2]
    assert Shop.calls == 2
    assert cache.get("other:2") == 2
    assert (Shop.items.__doc__, shop.items.__wrapped__(1)) == ("Doc.", [0])
    assert shop.items.invalidate(2)
    assert shop.items.refresh(2) == [0, 1]
    assert Shop.of_class.cache_key(3) != Shop.of_class.cache_key(2)


def test_lists_of_nothing_tuples_and_the_same_item_twice(cache: ClockedCache) -> None:
    calls = []

    @cache.cached_list(item_key=lambda item: f"item:{item}")
    def items(*wanted: int) -> Any:
        calls.append(wanted)
        return wanted

    for _ in range(2):
        assert [items(), items(1, 2, 1)] == [[], [1, 2, 1]]
    assert calls == [(), (1, 2, 1)]


def test_vectors(cache: ClockedCache) -> None:
    @cache.cached_list(item_key=lambda row: f"row:{int(row[0])}")
    def rows() -> list[Any]:
        return [np.arange(i, i + 3, dtype=np.float32) for i in range(2)]

    for _ in range(2):
        assert [row.tolist() for row in rows()] == [[0, 1, 2], [1, 2, 3]]
    assert cache.get("row:1").tolist() == [1, 2, 3]
    matrix, found = cache.get_vectors(["row:0", "row:1"])
    assert found.all()
    assert matrix.shape == (2, 3)


@dataclass
class Item:
    number: int


def test_records(cache: ClockedCache) -> None:
    calls = []

    @cache.cached_list(item_key=lambda item: f"item:{item.number}", type=Item)
    def items() -> list[Item]:
        calls.append(1)
        return [Item(1), Item(2)]

    assert items() == items() == [Item(1), Item(2)]
    assert calls == [1]
    assert cache.get("item:1") == {"number": 1}


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ([{"id": 1, "v": 1}, {"id": 1, "v": 2}], "'user:1' for two items that differ"),
        ([{"name": "x"}], "id"),
        ([{"id": 1, "v": object()}], "object"),
        ({"id": 1}, "allowed are a list and a tuple"),
        (None, "allowed are a list and a tuple"),
    ],
)
def test_what_cannot_be_cached_is_returned(cache: ClockedCache, result: Any, message: str) -> None:
    @cache.cached_list(item_key=key_of)
    def users() -> Any:
        return result

    with pytest.warns(RuntimeWarning, match=f"users are not cached: .*{message}"):
        assert users() is result
    assert users() is result
    assert users.cache_info().uncached == 2
    assert not cache.exists("user:1")


def test_cache_if_and_what_the_function_says(cache: ClockedCache, source: Source) -> None:
    @cache.cached_list(item_key=key_of, cache_if=len)
    def users(seconds: float, tag: str) -> list[User]:
        vcache.current().ttl = seconds
        vcache.current().tags.add(tag)
        return source.users() if seconds > 1 else []

    assert users(1, "a") == []
    assert not cache.exists(users.cache_key(1, "a"))
    users(10, "a")
    assert cache.lookup("user:1").ttl == pytest.approx(10)
    cache.invalidate_tags("a")
    source.names[1] = "amy"
    assert users(10, "a")[0]["name"] == cache.get("user:1")["name"] == "amy"


def test_bypass_and_refreshing(cache: ClockedCache, source: Source) -> None:
    users = blocking(cache, source)
    users()
    source.names[1] = "amy"
    with cache.bypass():
        assert users()[0]["name"] == "amy"
    assert users()[0]["name"] == "ann"
    with cache.refreshing():
        users()
    assert users()[0]["name"] == "amy"
    assert source.asked == 3


def test_one_call_at_a_time(cache: ClockedCache, monkeypatch: pytest.MonkeyPatch) -> None:
    waiters, calls = Waiters(monkeypatch), []

    @cache.cached_list(item_key=lambda item: f"item:{item}")
    def items() -> list[int]:
        calls.append(1)
        waiters.wait_for(3)
        return [1, 2]

    assert in_threads(*[items] * 4) == [[1, 2]] * 4
    assert calls == [1]


def test_a_failing_function(cache: ClockedCache) -> None:
    @cache.cached_list(item_key=key_of)
    def failing() -> list[User]:
        raise KeyError("down")

    for _ in range(2):
        with pytest.raises(KeyError, match="down"):
            failing()


def test_where_nothing_stays(source: Source) -> None:
    with ClockedCache(memory=0) as cache:
        users = blocking(cache, source)
        assert users() == users() == source.users()


def test_a_refresh_ahead(cache: ClockedCache, source: Source) -> None:
    users = blocking(cache, source, refresh_ahead=0.5)
    users()
    cache.clock.advance(200)
    source.names[1] = "amy"
    assert users()[0]["name"] in ("ann", "amy"), "which the refresh may have stored by then"
    wait_until(lambda: cache.get("user:1")["name"] == "amy")
    assert source.asked == 2


@pytest.mark.parametrize("item_key", [None, "user:{id}", 5])
def test_item_key_is_a_callable(cache: ClockedCache, item_key: Any) -> None:
    with pytest.raises(TypeError, match="item_key=.*allowed is a callable"):
        cache.cached_list(item_key=item_key)
