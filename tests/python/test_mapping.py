"""A cache looked at as a mapping."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

import numpy as np
import pytest
from clocked import ClockedCache
from hypothesis import given
from hypothesis import strategies as st

from vcache.errors import ConfigError

KEYS = st.sampled_from(["a", "b", "users:a", "*"])
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["set", "delete", "pop", "default", "update", "clear"]),
        st.sampled_from([None, "users", "user"]),
        KEYS,
        st.integers(0, 9),
    ),
    max_size=12,
)


def test_reads_and_writes(cache: ClockedCache) -> None:
    view = cache.mapping()
    view["a"] = [1, 2]
    view[b"b"] = np.arange(3)
    assert view["a"] == cache.get("a") == [1, 2]
    assert view[b"b"].tolist() == [0, 1, 2]
    assert "a" in view
    assert b"b" in view
    del view["a"]
    assert "a" not in view
    assert view.get("a") is None
    assert view.get("a", 7) == 7
    view["none"] = None
    assert view["none"] is None


class Deleting:
    """Deletes all keys of a view when it is compared, and is equal to nothing."""

    def __init__(self, view: MutableMapping[Any, Any]) -> None:
        self.view = view

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        for key in ("a", "b", "c"):
            self.view.pop(key, None)
        return False


def test_a_value_is_looked_for_among_what_goes_meanwhile(cache: ClockedCache) -> None:
    view = cache.mapping()
    view.update(a=1, b=2, c=3)
    assert 3 in view.values()
    assert Deleting(view) not in view.values()
    assert list(view) == []


def test_what_is_missing_is_a_key_error(cache: ClockedCache) -> None:
    view = cache.mapping("users")
    for read in (view.__getitem__, view.__delitem__, view.pop):
        with pytest.raises(KeyError, match="^'a'$"):
            read("a")
    view["a"] = 1
    cache.clock.advance(400)
    with pytest.raises(KeyError):
        view["a"]


def test_a_namespace_has_the_keys_that_it_begins(cache: ClockedCache) -> None:
    users, orders = cache.mapping("users"), cache.mapping("orders")
    users["a"], orders["a"], users[b"b"] = 1, 2, 3
    assert cache.mget(["users:a", "orders:a", "users:b"]) == [1, 2, 3]
    users.clear()
    assert cache.mget(["users:a", "orders:a", "users:b"]) == [None, 2, None]


@given(STEPS)
def test_a_view_does_what_a_dict_does(steps: list[tuple[str, str | None, str, int]]) -> None:
    plain: dict[str, int] = {}
    with ClockedCache(memory="1MiB") as cache:
        for what, namespace, key, value in steps:
            view, prefix = cache.mapping(namespace), f"{namespace}:" if namespace else ""
            whole = prefix + key
            if what == "set":
                view[key] = plain[whole] = value
            elif what == "delete" and whole in plain:
                del view[key], plain[whole]
            elif what == "pop":
                assert view.pop(key, "none") == plain.pop(whole, "none")  # type: ignore[arg-type]
            elif what == "default":
                assert view.setdefault(key, value) == plain.setdefault(whole, value)
            elif what == "update":
                view.update({key: value}, c=value)
                plain |= {whole: value, f"{prefix}c": value}
            elif what == "clear":
                view.clear()
                plain = {k: v for k, v in plain.items() if not k.startswith(prefix)}
            assert (key in view) == (whole in plain)
        assert dict(cache.mapping().items()) == plain
        for key in ("a", "b", "c", "users:a", "users:b", "users:c", "user:a", "user:c", "*"):
            assert cache.mapping().get(key) == plain.get(key)


def test_what_is_no_key(cache: ClockedCache) -> None:
    view = cache.mapping("users")
    assert 1 not in view
    with pytest.raises(TypeError, match="key"):
        view[1]  # type: ignore[index]
    with pytest.raises(TypeError, match="mapping"):
        view.update(3)  # type: ignore[arg-type]


def test_a_view_is_iterated_over_and_counted(cache: ClockedCache) -> None:
    view = cache.mapping("users")
    assert not view
    assert (len(view), list(view)) == (0, [])
    view.update({"a": 1, b"b": 2, "grüße": 3, b"\xff": 4})
    cache.set("orders:a", 5)
    cache.set("users:", 6)  # the key of no entry of the view
    assert view
    assert set(view) == set(view.keys()) == {"a", "b", "grüße", b"\xff"}
    assert sorted(view.values()) == [1, 2, 3, 4]
    assert dict(view.items()) == {"a": 1, "b": 2, "grüße": 3, b"\xff": 4}
    assert len(view) == len(view.items()) == 4
    assert len(cache.mapping()) == 6
    assert isinstance(view, MutableMapping)


def test_what_is_not_there_any_more_is_not_listed(cache: ClockedCache) -> None:
    view = cache.mapping()
    for key in ("deleted", "expired", "tagged", "kept"):
        cache.set(key, key, ttl=60 if key == "expired" else 600, tags=[key])
    cache.delete("deleted")
    cache.invalidate_tags("tagged")
    cache.clock.advance(61)
    assert list(view) == ["kept"]
    assert list(view.items()) == [("kept", "kept")]
    view.clear()
    assert list(view) == []


def test_a_view_of_many_keys_has_each_once(cache: ClockedCache) -> None:
    view = cache.mapping("many")
    view.update({f"k{number}": number for number in range(5000)})
    keys = list(view)
    assert len(keys) == len(set(keys)) == len(view) == 5000
    assert dict(view.items()) == {f"k{number}": number for number in range(5000)}


def test_what_the_loop_over_a_view_changes(cache: ClockedCache) -> None:
    view = cache.mapping()
    view.update({f"k{number}": number for number in range(3000)})
    for key, value in view.items():
        del view[key]
        view[f"new {value}"] = value
    assert all(str(key).startswith("new ") for key in view)


def test_popitem_and_comparison(cache: ClockedCache) -> None:
    view = cache.mapping("users")
    view["a"] = 1
    assert view == {"a": 1}
    assert view.popitem() == ("a", 1)
    assert view == {}
    with pytest.raises(KeyError):
        view.popitem()


def test_twins_of_a_view(cache: ClockedCache) -> None:
    async def use() -> None:
        view = cache.mapping("users")
        await view.aupdate({"a": 1, "b": 2})
        assert sorted([key async for key in view], key=str) == ["a", "b"]
        assert dict([item async for item in view.aitems()]) == {"a": 1, "b": 2}
        assert await view.alen() == 2
        await view.aclear()
        assert await view.alen() == 0

    asyncio.run(use())


def test_several_keys_are_looked_for_at_once(cache: ClockedCache) -> None:
    cache.mset({"a": 1, b"\xff": None})
    keys = ["a", "absent", b"\xff", "a"]
    assert (
        cache.mexists(keys) == asyncio.run(cache.amexists(iter(keys))) == [True, False, True, True]
    )
    assert cache.mexists([]) == []
    assert cache.stats().requests == 0
    with pytest.raises(TypeError, match="keys='a'"):
        cache.mexists("a")
    with pytest.raises(ValueError, match="key="):
        cache.mexists([""])


def test_values_set_together_share_tags(cache: ClockedCache) -> None:
    cache.mset({"a": 1, "b": 2}, tags=["doc:1", b"doc:2"])
    cache.mset({"c": 3})
    cache.invalidate_tags("doc:2")
    assert cache.mget(["a", "b", "c"]) == [None, None, 3]
    with pytest.raises(TypeError, match="tags="):
        cache.mset({"d": 4}, tags=3)  # type: ignore[arg-type]
    assert not cache.exists("d")


@pytest.mark.parametrize("namespace", ["", "a:b", "x" * 65, "é"])
def test_other_namespaces_are_refused(cache: ClockedCache, namespace: str) -> None:
    with pytest.raises(ConfigError, match="namespace=.*: allowed are"):
        cache.mapping(namespace)
    with pytest.raises(TypeError, match="namespace=3 of type int"):
        cache.mapping(3)  # type: ignore[arg-type]


def test_a_view_says_what_it_is_of(cache: ClockedCache) -> None:
    assert repr(cache.mapping()) == f"{cache!r}.mapping()"
    assert repr(cache.mapping("users")) == f"{cache!r}.mapping('users')"
