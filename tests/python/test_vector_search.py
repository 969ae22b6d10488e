"""cache_vector_search: parameters, documents, epochs of indexes, and tenants."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from clocked import ClockedCache
from searches import VECTOR, Index, searching, searching_async
from sync_points import in_threads

from vcache.errors import ConfigError, UnkeyableError

BOTH = pytest.mark.parametrize("make", [searching, searching_async])
Make = Callable[..., Any]


def test_parameters_in_any_order_are_one_search(cache: ClockedCache) -> None:
    index = Index()
    search = searching(cache, index)
    same: list[dict[str, Any]] = [
        {"filters": {"a": 1, "b": {"x": {"q", "p"}, "y": [1, 2]}}, "metric": "l2"},
        {"metric": "l2", "filters": {"b": {"y": [1, 2], "x": {"p", "q"}}, "a": 1}},
        {"metric": "l2", "filters": {"b": {"y": [1, 2], "x": frozenset("pq")}, "a": np.int64(1)}},
    ]
    for params in same:
        search("docs", VECTOR, **params)
        search("docs", VECTOR.tolist(), 10, **params)
        search(vector=VECTOR + 1e-9, namespace="docs", **params)
    assert index.asked == [10]
    others: list[dict[str, Any]] = [
        {"filters": {"a": 1, "b": {"x": {"q", "p"}, "y": [2, 1]}}, "metric": "l2"},
        {"filters": {"a": 1, "b": {"x": {"q"}, "y": [1, 2]}}, "metric": "l2"},
        {"filters": {"a": "1", "b": {"x": {"q", "p"}, "y": [1, 2]}}, "metric": "l2"},
        {"filters": {"a": 1}, "b": {"x": {"q", "p"}, "y": [1, 2]}, "metric": "l2"},
    ]
    for params in others:
        search("docs", VECTOR, **params)
    assert len(index.asked) == 1 + len(others)


@BOTH
def test_a_document_that_changed_ends_what_returned_it(cache: ClockedCache, make: Make) -> None:
    index = Index()
    options = {"depends_on": lambda found: [f"doc:{each}" for each in found]}
    search = make(cache, index, **options)
    for k in (3, 6):
        search("docs", VECTOR, k)
    cache.invalidate_tags("doc:4")
    search("docs", VECTOR, 3)
    search("docs", VECTOR, 6)
    assert index.asked == [3, 6, 6]
    cache.invalidate_tags("doc:7")
    cache.invalidate_tags("doc:1")
    search("docs", VECTOR, 3)
    assert index.asked == [3, 6, 6, 3]


def test_documents_under_superset_are_those_of_the_larger_search(cache: ClockedCache) -> None:
    index = Index()
    search = searching(cache, index, superset=True, depends_on=lambda rows: map(str, rows))
    search("docs", VECTOR, 20)
    search("docs", VECTOR, 2)
    cache.invalidate_tags("15")
    search("docs", VECTOR, 2)
    assert index.asked == [20, 2]


def test_a_document_that_changes_while_it_is_searched(cache: ClockedCache) -> None:
    calls = []

    @cache.cache_vector_search(depends_on=lambda found: found)
    def search(vector: Any) -> list[str]:
        calls.append(1)
        if len(calls) == 1:
            cache.invalidate_tags("doc")
        return ["doc"]

    for _ in range(3):
        search(VECTOR)
    assert len(calls) == 2


@pytest.mark.parametrize(
    ("depends_on", "message"),
    [
        (lambda found: [f"t{i}" for i in range(65)], "at most 64"),
        (lambda found: [5], "depends_on: 5 is of type int"),
        (lambda found: found["absent"], "list indices"),
        (lambda found: "text", "depends_on='text'"),
    ],
)
def test_tags_that_a_result_cannot_have(
    cache: ClockedCache, depends_on: Callable[[Any], Any], message: str
) -> None:
    search = searching(cache, Index(), depends_on=depends_on)
    with pytest.warns(RuntimeWarning, match=f"search are not cached: .*{message}"):
        assert search("docs", VECTOR, 2) == [0, 1]
    assert not cache.exists(search.cache_key("docs", VECTOR, 2))


def test_depends_on_is_a_callable(cache: ClockedCache) -> None:
    with pytest.raises(TypeError, match="depends_on='doc'.*allowed is a callable"):
        cache.cache_vector_search(depends_on="doc")  # type: ignore[arg-type]


@BOTH
@pytest.mark.parametrize("superset", [False, True])
def test_an_epoch_ends_all_searches_of_its_index(
    cache: ClockedCache, make: Make, superset: bool
) -> None:
    index = Index()
    search = make(cache, index, superset=superset)
    search("docs", VECTOR, 3)
    search("docs", VECTOR + 1, 3)
    search("other", VECTOR, 3)
    cache.bump_epoch("docs")
    search("other", VECTOR, 3)
    assert len(index.asked) == 3
    search("docs", VECTOR, 3)
    search("docs", VECTOR + 1, 3)
    search("docs", VECTOR, 3)
    assert len(index.asked) == 5
    asyncio.run(cache.abump_epoch("other"))
    search("other", VECTOR, 3)
    assert len(index.asked) == 6


def test_an_epoch_that_begins_while_the_index_is_searched(cache: ClockedCache) -> None:
    calls = []

    @cache.cache_vector_search()
    def search(namespace: str) -> int:
        calls.append(1)
        if len(calls) == 1:
            cache.bump_epoch("docs")
        return len(calls)

    assert [search("docs"), search("docs"), search("docs")] == [1, 2, 2]


def test_who_comes_after_the_epoch_began_does_not_wait_for_the_old_search(
    cache: ClockedCache,
) -> None:
    started, release, calls = threading.Event(), threading.Event(), []

    @cache.cache_vector_search()
    def search(namespace: str) -> int:
        calls.append(1)
        number = len(calls)
        if number == 1:
            started.set()
            release.wait(30)
        return number

    def later() -> int:
        started.wait(30)
        cache.bump_epoch("docs")
        found = search("docs")
        release.set()
        return found

    assert in_threads(lambda: search("docs"), later) == [1, 2]
    assert search("docs") == 2


def test_index_names_the_parameter(cache: ClockedCache) -> None:
    calls = []

    class Store:
        @cache.cache_vector_search(index="collection")
        def search(self, vector: Any, collection: tuple[str, int] = ("docs", 1)) -> int:
            calls.append(collection)
            return len(calls)

    store = Store()
    store.search(VECTOR)
    cache.bump_epoch(("docs", 2))
    assert store.search(VECTOR) == 1
    cache.bump_epoch(("docs", 1))
    assert store.search(VECTOR) == 2
    with pytest.raises(ConfigError, match="index='namespace'.*allowed are vector"):
        cache.cache_vector_search(index="namespace", key_prefix="x")(lambda vector: None)
    with pytest.raises(UnkeyableError, match="namespace"):
        cache.bump_epoch(object())


def test_an_index_without_a_parameter(cache: ClockedCache) -> None:
    calls = []

    @cache.cache_vector_search()
    def search(vector: Any, **params: Any) -> int:
        calls.append(params)
        return len(calls)

    search(VECTOR)
    search(VECTOR, namespace="docs")
    cache.bump_epoch("docs")
    assert search(VECTOR) == 1
    assert search(VECTOR, namespace="docs") == 3


def test_a_refresh_during_which_the_epoch_begins(cache: ClockedCache) -> None:
    calls = []

    @cache.cache_vector_search()
    def search(namespace: str) -> int:
        calls.append(1)
        if len(calls) == 1:
            cache.bump_epoch("docs")
        return len(calls)

    assert search.refresh("docs") == 1
    assert [search("docs"), search("docs")] == [2, 2]


@BOTH
def test_tenants_share_nothing(cache: ClockedCache, make: Make) -> None:
    index = Index()
    search = make(cache, index, tenant="org")
    for _ in range(2):
        for org in ("a", "b", 1, ["x", "y"]):
            search("docs", VECTOR, org=org)
    assert len(index.asked) == 4


@pytest.mark.parametrize("superset", [False, True])
@pytest.mark.parametrize("params", [{}, {"org": None}, {"org": ""}, {"org": b""}])
def test_a_missing_tenant_is_an_error(
    cache: ClockedCache, params: dict[str, Any], superset: bool
) -> None:
    index = Index()
    search = searching(cache, index, tenant="org", superset=superset)
    for call in (search, search.cache_key, search.invalidate, search.refresh):
        with pytest.raises(UnkeyableError, match="org=.*needs a tenant"):
            call("docs", VECTOR, **params)
    assert index.asked == []


def test_a_tenant_of_the_context(cache: ClockedCache) -> None:
    tenant: dict[str, Any] = {}
    calls = []

    @cache.cache_vector_search(tenant=lambda *_, **__: tenant.get("id"))
    def search(text: str) -> int:
        calls.append(text)
        return len(calls)

    with pytest.raises(UnkeyableError, match="tenant=None"):
        search("q")
    for number, name in enumerate(("a", "b", "q", "as", {"acl": {"x", "y"}}), 1):
        tenant["id"] = name
        assert search("q") == search("q") == number
    tenant["id"] = {"acl": {"y", "x"}}
    assert search("q") == 5
    assert search.cache_info()[:2] == (6, 5)
    tenant["id"] = object()
    with pytest.raises(UnkeyableError, match="tenant"):
        search("q")


def test_tenants_are_told_apart_exactly(cache: ClockedCache) -> None:
    index = Index()
    search = searching(cache, index, tenant="groups", precision=2)
    search("docs", VECTOR, groups=[1.001, 2.0])
    search("docs", VECTOR + 0.0001, groups=[1.001, 2.0])
    search("docs", VECTOR, groups=[1.002, 2.0])
    assert len(index.asked) == 2


@pytest.mark.parametrize("tenant", ["org", 5])
def test_a_tenant_without_a_parameter(cache: ClockedCache, tenant: Any) -> None:
    with pytest.raises(ConfigError, match="tenant=.*allowed are vector"):
        cache.cache_vector_search(tenant=tenant, key_prefix="x")(lambda vector: None)


def test_a_secret_hides_index_and_tenant() -> None:
    with ClockedCache(key_secret="s" * 16) as cache:
        index = Index()
        search = searching(cache, index, tenant="org", superset=True)
        search("docs", VECTOR, org="acme")
        assert "acme" not in search.cache_key("docs", VECTOR, org="acme")
        cache.bump_epoch("docs")
        search("docs", VECTOR, 2, org="acme")
        assert len(index.asked) == 2


QUICK_CALLS: list[tuple[Any, ...]] = [
    ("docs", VECTOR),
    ("docs", VECTOR.astype(np.float32), 7),
    ("docs", -VECTOR.astype(np.float32), -7),
    ("", VECTOR, 0),
    ("docs", np.zeros(8), 2**62),
    ("docs", np.arange(1536.0) * 1e-3),
    ("d" * 900, VECTOR),
    # Of these the longer way says the key.
    ("d" * 1000, VECTOR),
    ("d\u00f6cs", VECTOR),
    ("do\x1fcs", VECTOR),
    ("docs", VECTOR, 2**70),
    ("docs", VECTOR, True),
    (2.5, VECTOR),
    (True, VECTOR),
    ("docs", VECTOR * 1e30),
    ("docs", np.arange(5000.0)),
    ("docs", VECTOR[::-1]),
    ("docs", VECTOR.astype(">f8")),
    ("docs", VECTOR.astype(np.float16)),
    ("docs", np.arange(8)),
    ("docs", VECTOR.reshape(2, 4)),
    ("docs", VECTOR.tolist()),
    ("docs", VECTOR[:0]),
    (b"docs", VECTOR),
    (None, VECTOR),
]


@pytest.mark.parametrize("args", QUICK_CALLS)
def test_a_call_is_keyed_the_same_in_every_way(cache: ClockedCache, args: tuple[Any, ...]) -> None:
    index = Index()
    search = searching(cache, index)
    search(*args)
    names = dict(zip(("namespace", "vector", "top_k"), args, strict=False))
    search(**names)
    search(*args)
    assert len(index.asked) == 1
    assert cache.exists(search.cache_key(*args))
    assert cache.exists(search.cache_key(**names))
    info = search.cache_info()
    assert (info.hits, info.misses) == (2, 1)


def test_a_quick_hit_heeds_blocks_clears_and_ends(cache: ClockedCache) -> None:
    index = Index()
    search = searching(cache, index)
    search("docs", VECTOR)
    with cache.bypass():
        search("docs", VECTOR)
    search("docs", VECTOR)
    assert len(index.asked) == 2
    search.cache_clear()
    search("docs", VECTOR)
    assert len(index.asked) == 3
    cache.bump_epoch("docs")
    search("docs", VECTOR)
    assert len(index.asked) == 4
    cache.clock.advance(3601)
    search("docs", VECTOR)
    assert len(index.asked) == 5
    with pytest.raises(TypeError, match="missing a required argument"):
        search("docs")
    with pytest.raises(ValueError, match="argument 'vector'.*finite"):
        search("docs", np.array([1.0, np.nan]))


def test_a_default_that_may_change_is_asked_each_time(cache: ClockedCache) -> None:
    calls = []
    fields = ["text"]

    @cache.cache_vector_search()
    def search(vector: Any, fields: list[str] = fields, vectors: bool = False) -> int:
        calls.append(1)
        return len(calls)

    assert search(VECTOR) == search(VECTOR) == 1
    fields.append("title")
    assert search(VECTOR) == 2
