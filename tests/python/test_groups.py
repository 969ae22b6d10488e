"""Key groups of stats(): which names become labels."""

from __future__ import annotations

import pytest
from clocked import ClockedCache


@pytest.mark.parametrize(
    "key",
    [b"\xff\xfe:1", b"\xc0\xaf:1", b"\xed\xa0\x80:1", b"\xf5\x80\x80\x80:1", b"\xe2\x82:1"],
)
def test_a_group_that_is_no_text_is_nameless(cache: ClockedCache, key: bytes) -> None:
    cache.set(key, 1)
    assert cache.get(key) == 1
    assert cache.stats().groups["-"]["memory_hits"] == 1


@pytest.mark.parametrize("key", [b"a\0b:x", b"a\nb:x", b"\x7f:x", "a\u0085b:x"])
def test_control_characters_make_no_label(cache: ClockedCache, key: bytes | str) -> None:
    cache.get(key)
    assert set(cache.stats().groups) == {"-"}


@pytest.mark.parametrize("name", ["Straße", "日本", "a b", "😀"])
def test_text_of_any_script_is_a_label(cache: ClockedCache, name: str) -> None:
    cache.get(f"{name}:x")
    assert cache.stats().groups[name]["misses"] == 1


def test_binary_keys_use_up_no_groups(cache: ClockedCache) -> None:
    for i in range(3000):
        cache.get(i.to_bytes(2, "big") + b"\xff:digest")
    cache.get("late:x")
    assert set(cache.stats().groups) == {"-", "late"}


def test_groups_of_one_request_do_not_keep_a_busy_one_out(cache: ClockedCache) -> None:
    for i in range(1100):
        cache.get(f"once{i}:x")
    for _ in range(300):
        cache.get("late:x")
    groups = cache.stats().groups
    assert groups["late"]["misses"] >= 290
    assert sum(group["misses"] for group in groups.values()) == 1400
