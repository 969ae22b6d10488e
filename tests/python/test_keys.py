"""Keys of parts: their shapes, and that no two lists of parts make one key."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest
from clocked import ClockedCache
from hypothesis import given
from hypothesis import strategies as st

from vcache.keys import KeyGen, escape

GPU = KeyGen("gpu")
PART = st.text(alphabet="ab:%*?[]\\&=3A25é/", max_size=6)
TEXT = st.text(max_size=8).filter(lambda text: text.isprintable())


def test_shapes() -> None:
    assert GPU.resource("instance", "vast-123") == "gpu:resource:instance:vast-123"
    assert GPU.list("instances", "status=available") == "gpu:list:instances:status=available"
    assert GPU.list("instances") == "gpu:list:instances"
    assert GPU.user("u1", "profile") == "gpu:user:u1:profile"
    assert GPU.user(7, "orders", 3) == "gpu:user:7:orders:3"
    assert GPU.query("search", {"region": "us", "q": "gpu"}) == "gpu:query:search:q=gpu&region=us"


def test_parts_are_encoded_but_a_star_stays() -> None:
    assert GPU.resource("a:b", "50%") == "gpu:resource:a%3Ab:50%25"
    assert GPU.user("*", "a*") == "gpu:user:*:a*"
    assert KeyGen("a:b").list("x") == "a%3Ab:list:x"
    assert repr(KeyGen("a:%3A")) == "KeyGen('a:%3A')"


def test_queries_are_encoded_as_in_a_url() -> None:
    key = GPU.query(
        "s", {"q": "a b&c=d", "n": 3, "x": 0.5, "on": True, "ids": ["2", 1], "any": "*"}
    )
    assert key == "gpu:query:s:any=*&ids=2&ids=1&n=3&on=true&q=a%20b%26c%3Dd&x=0.5"
    assert GPU.query("s", {}) == "gpu:query:s:"


@pytest.mark.parametrize(
    ("seconds", "at", "start"),
    [(60, 125.9, 120), ("5m", 299.0, 0), (timedelta(hours=1), 7200.0, 7200), (60, -1.0, -60)],
)
def test_a_time_is_the_start_of_its_stretch(seconds: Any, at: float, start: int) -> None:
    assert GPU.timestamped("requests", seconds, at=at) == f"gpu:ts:requests:{start}"


def test_now_is_in_its_stretch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vcache.keys.time.time", lambda: 1_000_000_059.5)
    assert GPU.timestamped("requests", 60) == "gpu:ts:requests:1000000020"


def _resource(parts: list[str]) -> str:
    return GPU.resource(parts[0], *parts[1:])


def _list(parts: list[str]) -> str:
    return GPU.list(parts[0], *parts[1:])


def _user(parts: list[str]) -> str:
    return GPU.user(parts[0], *parts[1:])


@given(st.lists(PART, min_size=1, max_size=4), st.lists(PART, min_size=1, max_size=4))
@pytest.mark.parametrize("make", [_resource, _list, _user])
def test_parts_never_run_together(
    make: Callable[[list[str]], str], first: list[str], second: list[str]
) -> None:
    assert (make(first) == make(second)) == (first == second)


@given(PART, st.lists(PART, min_size=1, max_size=3))
def test_shapes_and_prefixes_never_run_together(prefix: str, parts: list[str]) -> None:
    keys = [make(parts) for make in (_resource, _list, _user)]
    keys += [GPU.query(parts[0], dict.fromkeys(parts[1:], "")), GPU.timestamped(parts[0], 60)]
    assert len(set(keys)) == len(keys)
    if prefix not in ("", "gpu"):
        assert KeyGen(prefix).user(*parts) not in keys  # type: ignore[call-arg]


@given(st.dictionaries(TEXT, TEXT, max_size=4))
def test_queries_are_read_back(params: dict[str, str]) -> None:
    key = GPU.query("s", params)
    assert key == GPU.query("s", dict(reversed(params.items())))
    text = key.removeprefix("gpu:query:s:")
    assert ":" not in text
    read = parse_qsl(text.replace("*", "%2A"), keep_blank_values=True, separator="&")
    assert dict(read) == params


@given(PART, PART)
def test_a_pattern_takes_the_keys_of_its_parts_only(name: str, other: str) -> None:
    with ClockedCache(memory="1MiB") as cache:
        cache.mset({GPU.user(name, "a"): 1, GPU.user(other, "a"): 2, GPU.user(name): 3})
        assert cache.invalidate(GPU.user(escape(name), "*")) == 1
        assert not cache.exists(GPU.user(name, "a"))
        assert cache.exists(GPU.user(other, "a")) == (other != name)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: KeyGen(None), "prefix=None of type NoneType"),  # type: ignore[arg-type]
        (lambda: GPU.user("u", b"x"), "parts[0]=b'x' of type bytes"),  # type: ignore[arg-type]
        (lambda: GPU.resource("a", 1, True), "identifiers[1]=True of type bool"),
        (lambda: GPU.list(1.5), "kind=1.5 of type float"),  # type: ignore[arg-type]
        (lambda: GPU.query("s", "q=1"), "params='q=1' of type str"),  # type: ignore[arg-type]
        (lambda: GPU.query("s", {"a": None}), "params['a']=None of type NoneType"),  # type: ignore
        (lambda: GPU.query("s", {b"a": 1}), "a name in params=b'a'"),  # type: ignore[dict-item]
    ],
)
def test_other_types_are_refused(make: Callable[[], object], text: str) -> None:
    with pytest.raises(TypeError, match="allowed") as raised:
        make()
    assert str(raised.value).startswith(text)


def test_other_values_are_refused() -> None:
    with pytest.raises(ValueError, match="prefix=''"):
        KeyGen("")
    with pytest.raises(ValueError, match=r"seconds=0\.5: allowed are whole seconds"):
        GPU.timestamped("a", 0.5)
