from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vcache import sizes
from vcache._messages import shown
from vcache.sizes import memory_limit, parse_size


def parse(value: Any) -> int:
    return parse_size(value, "memory", most=1 << 40, allowed="allowed is a size")


@pytest.mark.parametrize(
    ("given", "size"),
    [
        (0, 0),
        (4096, 4096),
        (np.int64(10), 10),
        ("123", 123),
        ("100MiB", 100 << 20),
        ("100 mib", 100 << 20),
        ("100MB", 100_000_000),
        ("1.5GiB", 3 << 29),
        ("2kb", 2000),
        ("7B", 7),
    ],
)
def test_bytes(given: Any, size: int) -> None:
    assert parse(given) == size


@pytest.mark.parametrize(
    "given",
    ["9" * 400 + "GiB", -1, 1 << 41, 1.5, True, "", "MiB", "-5MiB", "5XB", "1e3", "ten", "5 Mi B"],
)
def test_bad_value(given: Any) -> None:
    with pytest.raises(ValueError, match="allowed is a size") as caught:
        parse(given)
    assert f"memory={shown(given)}" in str(caught.value)


def test_an_int_that_python_does_not_write() -> None:
    with pytest.raises(ValueError, match="memory=<int too long to show>: allowed is a size"):
        parse(10**5000)


@pytest.mark.parametrize("given", [None, [], b"5MiB"])
def test_bad_type(given: Any) -> None:
    with pytest.raises(TypeError, match=f"of type {type(given).__name__}"):
        parse(given)


def test_auto_is_a_tenth_of_what_the_process_may_use() -> None:
    assert parse("auto") == int(memory_limit() * 0.1)
    assert 0 < memory_limit() < 1 << 50


def test_limit_of_the_tightest_group_of_version_2(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "memory.max").write_text("5000\n")
    (tmp_path / "a" / "b" / "memory.max").write_text("max\n")
    membership = tmp_path / "cgroup"
    membership.write_text("0::/a/b\n")
    assert list(sizes._group_limits(membership, tmp_path)) == [5000]


def test_limit_of_a_group_of_version_1(tmp_path: Path) -> None:
    (tmp_path / "memory" / "job").mkdir(parents=True)
    (tmp_path / "memory" / "job" / "memory.limit_in_bytes").write_text("7000\n")
    membership = tmp_path / "cgroup"
    membership.write_text("5:cpu:/job\n4:memory,pids:/job\n")
    assert list(sizes._group_limits(membership, tmp_path)) == [7000]


def test_no_groups(tmp_path: Path) -> None:
    assert list(sizes._group_limits(tmp_path / "absent", tmp_path)) == []
