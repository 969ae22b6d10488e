"""Tags, patterns and writes that invalidate, in memory; with Redis: tests/integration."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from clocked import ClockedCache

from vcache.keys import escape


def test_an_invalidation_ends_what_has_the_tag(cache: ClockedCache) -> None:
    cache.set("a", 1, tags=["red", "blue"])
    cache.set("b", 2, tags=(tag for tag in ["blue"]))
    cache.set("c", 3)
    cache.invalidate_tags("red")
    assert cache.mget(["a", "b", "c"]) == [None, 2, 3]
    assert not cache.exists("a")
    assert not cache.delete("a")
    cache.invalidate_tags("blue", "green")
    assert cache.mget(["a", "b", "c"]) == [None, None, 3]


def test_str_and_bytes_of_a_tag_are_one(cache: ClockedCache) -> None:
    cache.set("k", 1, tags=["é\r\n%s"])
    cache.invalidate_tags("é\r\n%s".encode())
    assert cache.get("k") is None


def test_what_is_set_after_an_invalidation_is_there(cache: ClockedCache) -> None:
    cache.set("k", 1, tags=["red"])
    cache.invalidate_tags("red")
    cache.set("k", 2, tags=["red"])
    assert cache.get("k") == 2
    cache.set("k", 3)
    cache.invalidate_tags("red")
    assert cache.get("k") == 3, "the value that had the tag was replaced"


def test_a_value_begun_before_an_invalidation_is_not_served_after(cache: ClockedCache) -> None:
    def factory() -> str:
        cache.invalidate_tags("red")
        return "of before"

    assert cache.get_or_set("k", factory, tags=["red"]) == "of before"
    assert cache.get("k") is None
    assert cache.get_or_set("k", lambda: "new", tags=["red"]) == "new"
    assert cache.get("k") == "new"
    assert cache.get_or_set("other", factory, tags=["blue"]) == "of before"
    assert cache.get("other") == "of before", "another tag's"


def test_who_asks_after_an_invalidation_does_not_join_a_computation_from_before(
    cache: ClockedCache,
) -> None:
    async def main() -> tuple[str, str]:
        started, release = asyncio.Event(), asyncio.Event()

        async def slow() -> str:
            started.set()
            await release.wait()
            return "old"

        async def fresh() -> str:
            return "new"

        first = asyncio.create_task(cache.aget_or_set("k", slow, tags=["red"]))
        await started.wait()
        await cache.ainvalidate_tags("red")
        second = await cache.aget_or_set("k", fresh, tags=["red"])
        release.set()
        return await first, second

    assert asyncio.run(main()) == ("old", "new")
    assert cache.get("k") == "new"


def test_the_same_for_a_pattern(cache: ClockedCache) -> None:
    def factory() -> str:
        assert cache.invalidate("k*") == 0
        assert cache.get_or_set("k", lambda: "new") == "new"
        return "old"

    assert cache.get_or_set("k", factory) == "old"
    assert cache.get("k") == "new"


def test_a_pattern_takes_what_redis_would_take(cache: ClockedCache) -> None:
    cache.mset([(key, 1) for key in ["user:1", "user:2", "users", "user:1:x", b"user:\xff"]])
    assert cache.invalidate("user:[12]") == 2
    assert cache.mget(["user:1", "users", "user:1:x"]) == [None, 1, 1]
    assert cache.invalidate(b"user:\xff") == 1
    assert cache.invalidate("user:*") == 1
    assert cache.invalidate("*") == 1
    assert cache.stats().entries == 0


def test_an_escaped_part_takes_itself_only(cache: ClockedCache) -> None:
    names = ["a*", "ab", "a[b]", "a?", "a\\b", "a^b"]
    for name in names:
        cache.mset([(f"{each}:1", 1) for each in names])
        assert cache.invalidate(f"{escape(name)}:*") == 1
        assert cache.get(f"{name}:1") is None
        assert escape(name.encode()) == escape(name).encode()
    with pytest.raises(TypeError, match="part=3"):
        escape(3)  # type: ignore[type-var]


@pytest.mark.parametrize("is_async", [False, True])
def test_a_write_invalidates_when_it_has_succeeded(cache: ClockedCache, is_async: bool) -> None:
    cache.mset({"user:1": 1, "user:2": 2, "other": 3})
    cache.set("tagged", 4, tags=["red"])
    guard = cache.invalidate_on_write("user:*", "nothing", tags=["red"])

    @guard
    def write(value: int) -> int:
        assert cache.get("user:1") is not None, "not before the write is done"
        if value < 0:
            raise ValueError(value)
        return value

    @guard
    async def awrite(value: int) -> int:
        return write.__wrapped__(value)  # type: ignore[attr-defined, no-any-return]

    def call(value: int) -> int:
        return asyncio.run(awrite(value)) if is_async else write(value)

    with pytest.raises(ValueError, match="-1"):
        call(-1)
    assert cache.mget(["user:1", "user:2", "tagged", "other"]) == [1, 2, 4, 3]
    assert call(5) == 5
    assert cache.mget(["user:1", "user:2", "tagged", "other"]) == [None, None, None, 3]
    assert write.__name__ == "write"


def test_an_object_called_as_a_coroutine_function_is_awaited_first(cache: ClockedCache) -> None:
    class Write:
        async def __call__(self) -> None:
            assert cache.get("k") == 1, "not before the write is done"

    cache.set("k", 1)
    guarded: Any = cache.invalidate_on_write("k")(Write())
    asyncio.run(guarded())
    assert cache.get("k") is None


def test_a_block_invalidates_at_its_end(cache: ClockedCache) -> None:
    cache.set("k", 1)
    with pytest.raises(KeyError), cache.invalidate_on_write("k"):
        raise KeyError
    assert cache.get("k") == 1
    with cache.invalidate_on_write("k"):
        assert cache.get("k") == 1
    assert cache.get("k") is None

    async def main() -> None:
        cache.set("k", 2)
        async with cache.invalidate_on_write("k"):
            assert cache.get("k") == 2
        assert cache.get("k") is None

    asyncio.run(main())


Call = Callable[[ClockedCache, Any], object]
TAG_CALLS: dict[str, Call] = {
    "set": lambda cache, tags: cache.set("k", 1, tags=tags),
    "aset": lambda cache, tags: asyncio.run(cache.aset("k", 1, tags=tags)),
    "get_or_set": lambda cache, tags: cache.get_or_set("k", lambda: 1, tags=tags),
    "aget_or_set": lambda cache, tags: asyncio.run(cache.aget_or_set("k", int, tags=tags)),
}


@pytest.mark.parametrize("call", TAG_CALLS)
@pytest.mark.parametrize(
    ("tags", "error", "text"),
    [
        ("red", TypeError, "tags='red' of type str"),
        (7, TypeError, "tags=7 of type int"),
        ([7], TypeError, "tags: 7 is of type int"),
        ([""], ValueError, "1 to 256 bytes"),
        (["x" * 257], ValueError, "1 to 256 bytes"),
        (["\ud800"], ValueError, "1 to 256 bytes of UTF-8"),
        ([str(i) for i in range(65)], ValueError, "tags of 65 tags: allowed are at most 64"),
    ],
)
def test_bad_tags_are_refused_and_nothing_is_stored(
    cache: ClockedCache, call: str, tags: Any, error: type[Exception], text: str
) -> None:
    cache.set("k", 0)
    if call.endswith("get_or_set"):
        cache.delete("k")
    before = cache.get("k")
    with pytest.raises(error) as caught:
        TAG_CALLS[call](cache, tags)
    assert text in str(caught.value)
    assert cache.get("k") == before


def test_64_tags_of_256_bytes_are_allowed(cache: ClockedCache) -> None:
    tags = [f"{i:0256}" for i in range(64)]
    cache.set("k", 1, tags=[*tags, *tags])
    cache.invalidate_tags(*[f"other{i}" for i in range(1000)])
    cache.invalidate_tags(tags[63])
    assert cache.get("k") is None


def test_bad_patterns_and_guards_are_refused(cache: ClockedCache) -> None:
    with pytest.raises(TypeError, match="pattern: 7 is of type int"):
        cache.invalidate(7)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="1 to 1024 bytes"):
        cache.invalidate("")
    with pytest.raises(TypeError, match="tags: None is of type NoneType"):
        cache.invalidate_tags(None)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least one pattern or tag"):
        cache.invalidate_on_write()
    with pytest.raises(TypeError, match="is a generator"):

        @cache.invalidate_on_write("k")
        def generator() -> Any:
            yield 1

    async def write() -> None: ...

    @cache.invalidate_on_write("k")
    def undeclared() -> Any:
        return write()

    with pytest.raises(TypeError, match="returned an awaitable"):
        undeclared()
    with pytest.raises(TypeError, match="function=3"):
        cache.invalidate_on_write("k")(3)  # type: ignore[type-var]
    cache.invalidate_tags()
