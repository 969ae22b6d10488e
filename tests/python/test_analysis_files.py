"""Look-ups from caches, arrays, and files of every condition."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from access_lines import rotate
from look_ups import look_ups, of_keys

from vcache import Cache
from vcache.analysis import accesses, costs, hit_rates, objects, reuse_distances, sizes


def line(key: object, time: float = 1.5, tier: str | None = "memory", **more: object) -> str:
    given = {"time": time, "key": key, "group": "emb", "tier": tier, "size": 8, "cost": 0.5}
    return json.dumps(given | more) + "\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.jsonl"


def test_a_cache_and_its_file_say_the_same(path: Path) -> None:
    with Cache(access_log=path) as cache:
        cache.set("emb:a", np.ones(4, np.float32), cost=0.25)
        cache.mget(["emb:a", "emb:none", "search:none", "emb:a"])
        live = accesses(cache)
    found = accesses(path)
    assert found.tolist() == live.tolist() == accesses(live).tolist()
    assert found.dtype.names == live.dtype.names
    assert sorted(found[["group", "tier", "cost"]].tolist()) == [
        ("emb", "", 0),
        ("emb", "memory", 0.25),
        ("emb", "memory", 0.25),
        ("search", "", 0),
    ]
    assert accesses(path, 1).tolist() == accesses(str(path), 1).tolist() == live[3:].tolist()
    assert len(accesses(path, 0)) == 0


def test_keys_are_those_of_the_simulator(path: Path) -> None:
    from vcache.sim import read_trace

    given = ["00000000000000ff", "7", 7, "any text"]
    path.write_text("".join(line(key, number) for number, key in enumerate(given)))
    assert accesses(path)["key"].tolist() == read_trace(path).ids.tolist()
    assert accesses(path)["key"][:3].tolist() == [255, 7, 7]


def test_older_files_belong_to_the_log(path: Path) -> None:
    for age, name in ((0, path), (1, Path(f"{path}.1")), (2, Path(f"{path}.2"))):
        name.write_text("".join(line(10 * age + n, time=100 - 10 * age + n) for n in range(3)))
    Path(f"{path}.4").write_text(line(99))  # there is no .3
    assert accesses(path)["key"].tolist() == [20, 21, 22, 10, 11, 12, 0, 1, 2]
    assert accesses(path, 4)["key"].tolist() == [12, 0, 1, 2]
    assert accesses(f"{path}.2")["key"].tolist() == [20, 21, 22]
    path.unlink()
    assert accesses(path)["key"].tolist() == [20, 21, 22, 10, 11, 12]


def test_a_log_that_is_rotated_meanwhile_is_read_once(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for age, name in ((0, path), (1, Path(f"{path}.1"))):
        name.write_text("".join(line(10 * age + n, time=100 - 10 * age + n) for n in range(3)))
    opened, real = list[str](), Path.open

    def opening(self: Path, *arguments: Any) -> Any:
        opened.append(self.name)
        if len(opened) == 2:  # the newest was read
            rotate(path)
        return real(self, *arguments)

    monkeypatch.setattr(Path, "open", opening)
    assert accesses(path)["key"].tolist() == [10, 11, 12, 0, 1, 2]
    assert opened[:3] == ["log.jsonl", "log.jsonl.1", "log.jsonl.2"]


def test_look_ups_are_sorted_by_time(path: Path) -> None:
    path.write_text(line(1, 5) + line(2, 3) + line(3, 5) + line(4, 4))
    assert accesses(path)["key"].tolist() == [2, 4, 1, 3]
    assert accesses(path, 2)["key"].tolist() == [1, 3]


@pytest.mark.parametrize("content", ["", "\n", " \n\n"])
def test_an_empty_log(path: Path, content: str) -> None:
    path.write_text(content)
    found = accesses(path)
    assert found.shape == (0,)
    assert hit_rates(path)["requests"].tolist() == [0]
    assert np.isnan(hit_rates(path)["hit_rate"]).all()
    assert len(hit_rates(path, by="group", window="1m")) == 0
    assert sizes(path)["objects"].tolist() == [0]
    for empty in (objects(path), costs(path), reuse_distances(path), sizes(path, by="group")):
        assert len(empty) == 0


@pytest.mark.parametrize("kept", [1, 20, 60])
def test_a_last_line_that_is_cut_off_is_passed_over(path: Path, kept: int) -> None:
    path.write_text(line(1) + line(2) + line(3)[:kept])
    assert accesses(path)["key"].tolist() == [1, 2]


def test_a_whole_last_line_needs_no_end(path: Path) -> None:
    path.write_text((line(1) + line(2)).rstrip())
    assert accesses(path)["key"].tolist() == [1, 2]


BAD = [
    "no JSON\n",
    "[1, 2]\n",
    '{"time": 1, "key": 5}\n',
    line(-1),
    line(2**64),
    line(1.5),
    line(1, tier="disk"),
    line(1, time=1e30),
    line(1, size=-1),
    line(1, size=2**32),
    line(1, cost=-1),
    line(1, cost=1e39),
    line(1, group="g" * 65),
]


@pytest.mark.parametrize("bad", BAD)
def test_other_lines_are_skipped_with_a_warning(path: Path, bad: str) -> None:
    path.write_text(line(1) + bad + line(2) + "\n" + line(3))
    with pytest.warns(UserWarning, match=r"log.jsonl: 1 lines skipped, line 2: .+") as told:
        assert accesses(path)["key"].tolist() == [1, 2, 3]
    assert told[0].filename == __file__


def test_bytes_that_are_no_text_are_skipped(path: Path) -> None:
    path.write_bytes(line(1).encode() + b'{"key": "\xff\xfe"}\n' + line(2).encode())
    with pytest.warns(UserWarning, match="1 lines skipped"):
        assert len(accesses(path)) == 2


def test_a_file_of_another_kind(path: Path) -> None:
    path.write_text("a,b\n1,2\n" + line(1))
    with pytest.raises(ValueError, match=r"log='.*log.jsonl': 2 of 3 lines are no look-ups; line"):
        accesses(path)
    path.write_bytes(b"\0" * (3 << 20))
    with pytest.raises(ValueError, match="a line is longer than 1 MiB"):
        accesses(path)
    with pytest.raises(FileNotFoundError):
        accesses(path.with_name("none.jsonl"))


def test_a_large_log_is_read_in_little_memory(path: Path) -> None:
    count = 100_000
    with path.open("w") as file:
        for number in range(count):
            file.write(line(number % 997, time=float(number)))
        file.write("{\n")  # in its last block only
    tracemalloc.start()
    with pytest.warns(UserWarning, match=f"1 lines skipped, line {count + 1}"):
        found = accesses(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found) == count
    assert found["time"].tolist() == list(range(count))
    assert peak < 5 * path.stat().st_size


@pytest.mark.parametrize(
    ("log", "error"),
    [
        (None, TypeError),
        (7, TypeError),
        (b"log", TypeError),
        (np.arange(3), TypeError),
        (of_keys([1, 2]).reshape(1, 2), TypeError),
        (of_keys([1])[["time", "key"]], TypeError),
        (np.zeros(2, [(name, "i8") for name in of_keys([]).dtype.names or ()]), TypeError),
        (look_ups([(np.nan, 1, "a", "", 0, 0)]), ValueError),
        (look_ups([(1e12, 1, "a", "", 0, 0)]), ValueError),
    ],
)
def test_what_is_no_log(log: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="log.*allowed are"):
        accesses(log)


@pytest.mark.parametrize(("n", "error"), [(1.5, TypeError), (True, TypeError), (-1, ValueError)])
def test_a_wrong_number(n: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=f"n={n}.*allowed are None and an int"):
        accesses(of_keys([1]), n)
