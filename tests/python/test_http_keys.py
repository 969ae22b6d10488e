"""Keys of requests: the same for the same response, and never for another."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

import pytest
from asgi_calls import Origin, asked, scope_of
from clocked import ClockedCache
from hypothesis import given
from hypothesis import strategies as st

from vcache.http import CacheMiddleware, by_headers, by_path
from vcache.http._keys import whole_key

PART = st.text(alphabet="ab%1+é/#?", max_size=4)
QUERY = st.lists(
    st.tuples(st.sampled_from(["a", "b", "%61", "a+", "%62"]), st.sampled_from(["1", "2", ""])),
    max_size=4,
).map(lambda pairs: "&".join(f"{name}={value}" for name, value in pairs))


def test_a_key_is_the_url_with_its_query_sorted() -> None:
    assert by_path(scope_of("/a/b?z=1&b=2&a")) == "http://a.test/a/b?a&b=2&z=1"
    assert by_path(scope_of("/")) == "http://a.test/"


def test_parameters_of_one_name_keep_their_order() -> None:
    assert by_path(scope_of("/?b=0&a=2&a=1")) == "http://a.test/?a=2&a=1&b=0"
    assert by_path(scope_of("/?%61=2&a=1")) != by_path(scope_of("/?a=1&%61=2"))


@given(QUERY, QUERY)
def test_one_key_means_one_query(first: str, second: str) -> None:
    """Whatever an application reads of the query by names."""

    def read(query: str) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name, value in parse_qsl(query, keep_blank_values=True):
            found.setdefault(name, []).append(value)
        return found

    if by_path(scope_of(f"/?{first}")) == by_path(scope_of(f"/?{second}")):
        assert read(first) == read(second)


@given(PART, PART)
def test_one_key_means_one_path(first: str, second: str) -> None:
    keys = [
        by_path(scope_of("/") | {"path": f"/{path}", "raw_path": None}) for path in (first, second)
    ]
    assert (keys[0] == keys[1]) == (first == second)


def test_the_path_counts_that_the_application_sees() -> None:
    scope = scope_of("/a b/c") | {"raw_path": b"/a%20b/c"}
    assert by_path(scope) == "http://a.test/a%20b/c"
    assert by_path(scope | {"path": "/other"}) == "http://a.test/other"
    assert by_path(scope | {"raw_path": b"/a%20b%2Fc"}) == "http://a.test/a%20b%2Fc"
    assert by_path(scope | {"root_path": "/v2"}) == "http://a.test/v2/a%20b/c"


def test_headers_may_count_too() -> None:
    build: Any = by_headers("X-A", "X-B")
    requests = [{}, {"X-A": "1"}, {"X-B": "1"}, {"X-A": "1", "X-B": ""}, {"X-A": "1;x-b=0:"}]
    assert len({build(scope_of("/", headers=headers)).name for headers in requests}) == 5
    for wrong in ((), ("",), (1,)):
        with pytest.raises(ValueError, match="names="):
            by_headers(*wrong)  # type: ignore[arg-type]


@given(st.text(alphabet="a#é\udc80", min_size=1, max_size=2), st.integers(0, 600))
def test_keys_are_of_bounded_length(part: str, count: int) -> None:
    with ClockedCache(memory="1MiB") as cache:
        try:
            name = part + "a" * count
            key = whole_key("http", name, cache._digest)
        except UnicodeEncodeError:  # which the middleware passes by
            return
        cache.set(key, 1)
        assert len(key.encode()) <= 600
        assert key != whole_key("http", f"{name}a", cache._digest)


def test_long_urls_are_cached_apart(cache: ClockedCache) -> None:
    app = CacheMiddleware(Origin(), cache)
    for call, end in enumerate("ab", start=1):
        for x_cache in ("MISS", "HIT"):
            answer = asked(app, f"/?q={'x' * 2000}{end}")
            assert (answer.body, answer.x_cache) == (f"call {call}".encode(), x_cache)
    assert cache.invalidate("http:http://a.test/?q=*") == 2
