from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vcache.sim import read_trace, replay


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def log_of(*accesses: dict[str, Any]) -> str:
    return "".join(json.dumps(access) + "\n" for access in accesses)


def access(key: object, time: float = 0.0, **more: object) -> dict[str, Any]:
    return {"time": time, "key": key, "group": "emb", "tier": "memory", **more}


def test_arrays(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    arrays = {"ids": [3, 1, 3], "sizes": [5, 6, 5], "times": [0.0, 1, 2], "costs": [0.5, 1, 0.5]}
    np.savez_compressed(path, batch=np.zeros(3), **{k: np.array(v) for k, v in arrays.items()})
    trace = read_trace(path)
    for name, dtype in (("ids", "u8"), ("sizes", "u4"), ("times", "f8"), ("costs", "f4")):
        assert getattr(trace, name).tolist() == arrays[name]
        assert getattr(trace, name).dtype == dtype
    assert (trace.name, trace.requests, trace.objects, trace.footprint) == ("a", 3, 2, 11)
    assert replay(str(path), "lru", 2).hits == 1


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"keys": [1]}, "has no array 'ids'"),
        ({"ids": [1.5]}, "ids of dtype float64"),
        ({"ids": [1, 2], "sizes": [1]}, "sizes of length 1"),
        ({"ids": []}, "at least one is needed"),
        ({"ids": np.array([{}], object)}, "not an .npz of arrays"),
    ],
)
def test_bad_arrays(arrays: dict[str, Any], words: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.npz"
    np.savez(path, **{name: np.asarray(values) for name, values in arrays.items()})
    with pytest.raises((ValueError, TypeError), match=f"trace='.*bad.npz'.*{words}"):
        read_trace(path)


@pytest.mark.parametrize("kept", [0, 10, 200])
def test_a_truncated_archive(kept: int, tmp_path: Path) -> None:
    whole = tmp_path / "whole.npz"
    np.savez(whole, ids=np.arange(1_000))
    with pytest.raises(ValueError, match="trace='.*cut.npz': not an .npz"):
        read_trace(written(tmp_path, "cut.npz", whole.read_bytes()[:kept]))


def test_one_array_alone_is_no_archive(tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", np.arange(5))
    with pytest.raises(ValueError, match="not an .npz"):
        read_trace((tmp_path / "one.npy").rename(tmp_path / "one.npz"))


def test_an_access_log(tmp_path: Path) -> None:
    text = log_of(
        access("00000000000000ff", 1.0, size=100, cost=0.5),
        access(255, 2.0, size=100, cost=0.5),
        access("emb:a text", 3.0),
        access("emb:a text", 4.0, size=7, extra=[1, 2]),
    )
    trace = read_trace(written(tmp_path, "a.jsonl", text + "\n\n"))
    assert trace.ids[0] == trace.ids[1] == 255
    assert trace.ids[2] == trace.ids[3] != 255
    assert trace.sizes is not None
    assert trace.sizes.tolist() == [100, 100, 7, 7]
    assert trace.costs is not None
    assert trace.costs.tolist() == [0.5, 0.5, 0, 0]
    assert (trace.skipped, trace.reordered) == (0, 0)


def test_a_log_without_sizes_costs_and_times(tmp_path: Path) -> None:
    trace = read_trace(written(tmp_path, "a.jsonl", '{"key": 1}\n{"key": 2}\n'))
    assert trace.sizes is trace.costs is trace.times is None


def test_a_log_that_is_cut_off_is_read_up_to_there(tmp_path: Path) -> None:
    text = log_of(*(access(number, number) for number in range(5)))
    trace = read_trace(written(tmp_path, "cut.jsonl", text[:-10]))
    assert trace.ids.tolist() == [0, 1, 2, 3]
    assert trace.skipped == 1
    assert trace.skipped_why.startswith("line 5: ")
    assert replay(trace, "lru", 1).skipped == 1


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"not json\n",
        b"[1, 2]\n",
        b'{"key": -1}\n',
        b'{"key": 1.5}\n',
        b'{"key": 1, "size": -1}\n',
        b'{"key": 1, "size": 4294967296}\n',
        b'{"key": 1, "cost": -0.5}\n',
        b'{"time": 5}\n',
        b"\xff\xfe\x00\n",
        b'{"key": "\xff"}\n',
    ],
)
def test_lines_that_are_no_requests_are_skipped(line: bytes, tmp_path: Path) -> None:
    text = log_of(access(1), access(2)).encode()
    trace = read_trace(written(tmp_path, "a.jsonl", text + line + text))
    assert trace.ids.tolist() == [1, 2, 1, 2]
    assert trace.skipped == (1 if line else 0)


def test_requests_that_came_late_are_sorted(tmp_path: Path) -> None:
    text = log_of(access(1, 1.0), access(3, 3.0), access(2, 2.0, size=9), access(4, 4.0))
    trace = read_trace(written(tmp_path, "a.jsonl", text))
    assert trace.ids.tolist() == [1, 2, 3, 4]
    assert trace.sizes is not None
    assert trace.sizes.tolist() == [9, 9, 9, 9]
    assert trace.reordered == 1


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv"])
def test_files_of_another_kind(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"trace='.*{name}' is empty"):
        read_trace(written(tmp_path, name, b""))
    with pytest.raises(ValueError, match=f"trace='.*{name}' is empty"):
        read_trace(written(tmp_path, name, b"\n \n"))
    with pytest.raises(ValueError, match="3 of 3 lines are no requests; line 1: "):
        read_trace(written(tmp_path, name, b"a\nb\nc\n"))
    with pytest.raises(ValueError, match="line 1 is longer than 1 MiB"):
        read_trace(written(tmp_path, name, b"\x00" * (1 << 21)))
    with pytest.raises(FileNotFoundError):
        read_trace(tmp_path / f"none-{name}")


@pytest.mark.parametrize(
    "text",
    [
        "0,5,100\n1,6,200\n2,5,100\n",
        "time,obj_id,obj_size,next_access\n0,5,100,2\n1,6,200,-1\n2,5,100,-1\n",
        "# time, id, size\n0, 5, 100\n1, 6, 200\n2, 5, 100\n",
        "\ufeffobj_size;key\n100;5\n200;6\n100;5\n",
        "0\t5\t100\n1\t6\t200\n2\t5\t100",
        '"size","id","cost"\n100,5,0\n200,"6",0\n100,5,0\n',
    ],
)
def test_csv(text: str, tmp_path: Path) -> None:
    trace = read_trace(written(tmp_path, "a.csv", text))
    assert trace.ids.tolist() == [5, 6, 5]
    assert trace.sizes is not None
    assert trace.sizes.tolist() == [100, 200, 100]
    assert trace.skipped == 0


def test_csv_ids_may_be_texts_and_rows_bad(tmp_path: Path) -> None:
    rows = ["1,a,10", "2,b", "2,b,-1", "2,b,x", "2,,5", "inf,b,1", "3,a,10", "4,c,5", "5,c,5"]
    rows += ["6,d,1", "7,d,1"]
    trace = read_trace(written(tmp_path, "a.csv", "\n".join(rows)))
    assert len(set(trace.ids.tolist())) == 3
    assert trace.ids[0] == trace.ids[1]
    assert trace.skipped == 5
    assert trace.skipped_why.startswith("line 2: '2,b'")


def test_csv_keeps_the_order_of_its_lines(tmp_path: Path) -> None:
    trace = read_trace(written(tmp_path, "a.csv", "5,1,1\n3,2,1\n"))
    assert trace.ids.tolist() == [1, 2]
    assert trace.reordered == 0


def test_what_a_miss_does_not_know_is_filled_in(tmp_path: Path) -> None:
    text = log_of(
        access(1, size=0, cost=0),
        access(1, size=100, cost=2.5),
        access(1, size=120, cost=2.0),
        access(2, size=0, cost=0),
        access(2, size=60, cost=0),  # known to cost nothing
        access(3, size=0, cost=0),  # never found
    )
    trace = read_trace(written(tmp_path, "a.jsonl", text))
    assert trace.sizes is not None
    assert trace.sizes.tolist() == [120, 100, 120, 60, 60, 90]
    assert trace.costs is not None
    assert trace.costs.tolist() == [2.5, 2.5, 2.0, 0, 0, 0]


def test_a_log_of_misses_alone_has_no_sizes(tmp_path: Path) -> None:
    text = log_of(access(1, size=0, cost=0), access(2, size=0, cost=0))
    trace = read_trace(written(tmp_path, "a.jsonl", text))
    assert trace.sizes is trace.costs is None


def test_hashes_of_decimal_digits_are_hashes(tmp_path: Path) -> None:
    trace = read_trace(written(tmp_path, "a.jsonl", log_of(access("1234567890123456"))))
    assert trace.ids.tolist() == [0x1234567890123456]


@pytest.mark.parametrize("name", ["a.jsonl.1", "a.JSONL", "a.jsonl.12"])
def test_rotated_logs_are_logs(name: str, tmp_path: Path) -> None:
    assert read_trace(written(tmp_path, name, log_of(access(1)))).requests == 1


@pytest.mark.parametrize("name", ["a.csv.1", "a.1", "jsonl.1", "a.jsonl.1.gz"])
def test_other_names_are_not(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="allowed are an array of ids"):
        read_trace(written(tmp_path, name, log_of(access(1))))


def test_a_large_log_takes_little_memory(tmp_path: Path) -> None:
    lines = 100_000
    path = tmp_path / "large.jsonl"
    line = '{"time":%d.000,"key":"%016x","group":"emb","tier":null,"size":%d,"cost":0}\n'
    with path.open("w") as file:
        file.writelines(line % (n, n % 5000, n % 2 * 100) for n in range(lines))
    tracemalloc.start()
    trace = read_trace(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert trace.requests == lines
    assert peak < 200 * lines < 3 * path.stat().st_size


def test_a_large_log_is_read_without_an_object_a_line(tmp_path: Path) -> None:
    lines = 200_000
    path = tmp_path / "large.jsonl"
    with path.open("w") as file:
        file.writelines(f'{{"time": {n}, "key": {n % 5000}, "size": 100}}\n' for n in range(lines))
    trace = read_trace(path)
    assert (trace.requests, trace.objects, trace.footprint) == (lines, 5_000, 500_000)
