"""A cache looked at as a mapping."""

from __future__ import annotations

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
        for key in ("a", "b", "c", "users:a", "users:b", "users:c", "user:a", "user:c", "*"):
            assert cache.mapping().get(key) == plain.get(key)


def test_what_is_no_key(cache: ClockedCache) -> None:
    view = cache.mapping("users")
    assert 1 not in view
    with pytest.raises(TypeError, match="key"):
        view[1]  # type: ignore[index]
    with pytest.raises(TypeError, match="mapping"):
        view.update(3)  # type: ignore[arg-type]


def test_keys_are_not_listed(cache: ClockedCache) -> None:
    view: Any = cache.mapping()
    for count in (iter, list, len):
        with pytest.raises(TypeError):
            count(view)
    assert view


@pytest.mark.parametrize("namespace", ["", "a:b", "x" * 65, "é"])
def test_other_namespaces_are_refused(cache: ClockedCache, namespace: str) -> None:
    with pytest.raises(ConfigError, match="namespace=.*: allowed are"):
        cache.mapping(namespace)
    with pytest.raises(TypeError, match="namespace=3 of type int"):
        cache.mapping(3)  # type: ignore[arg-type]


def test_a_view_says_what_it_is_of(cache: ClockedCache) -> None:
    assert repr(cache.mapping()) == f"{cache!r}.mapping()"
    assert repr(cache.mapping("users")) == f"{cache!r}.mapping('users')"
