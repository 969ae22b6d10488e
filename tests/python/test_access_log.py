from __future__ import annotations

import asyncio
import json
import logging
import os
import pickle
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from alone import run_alone

from vcache import MISSING, Cache, EmbeddingCache
from vcache._config import Config
from vcache.errors import ConfigError

VECTOR = np.ones(8, np.float32)


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "access_patterns.jsonl"


@pytest.fixture
def cache(path: Path) -> Cache:
    return Cache(access_log=path, memory="32MiB")


def embedded(cache: Cache, texts: list[str]) -> None:
    embedder = EmbeddingCache(
        lambda missing: np.ones((len(missing), 4), np.float32), model="m", cache=cache
    )
    embedder.embed(texts)


CALLS: list[tuple[Callable[[Cache], object], int]] = [
    (lambda cache: cache.get("a:1"), 1),
    (lambda cache: cache.get("b:none"), 1),
    (lambda cache: cache.lookup("a:1"), 1),
    (lambda cache: cache.mget(["a:1", "a:1", "a:2", "b:none"]), 4),
    (lambda cache: cache.get_vectors(["a:1", "a:2", "b:none"], dim=8), 3),
    (lambda cache: cache.get_vectors(["b:none", "a:1"]), 2),
    (lambda cache: cache.get_vectors([f"a:{i % 3}" for i in range(256)], dim=8), 256),
    (lambda cache: cache.get_or_set("a:1", lambda: 1), 1),
    (lambda cache: cache.get_or_set("b:new", lambda: 1), 1),
    (lambda cache: cache.get_or_set("a:1", lambda: 1, refresh_ahead=0.5), 1),
    (lambda cache: cache.get_or_set_many(["a:1", "b:n1", "b:n2"], lambda keys: keys), 3),
    (lambda cache: asyncio.run(cache.aget("a:1")), 1),
    (lambda cache: asyncio.run(cache.aget("b:none")), 1),
    (lambda cache: asyncio.run(cache.alookup("a:1")), 1),
    (lambda cache: asyncio.run(cache.amget(["a:1", "b:none"])), 2),
    (lambda cache: asyncio.run(cache.aget_vectors(["a:1", "b:none"], dim=8)), 2),
    (lambda cache: asyncio.run(cache.aget_or_set("b:none", lambda: 1)), 1),
    (lambda cache: embedded(cache, ["x", "y", "x"]), 3),
    (lambda cache: cache.cached(key_prefix="f")(abs)(-3), 1),
    (lambda cache: cache.exists("a:1"), 0),
    (lambda cache: cache.set("a:9", VECTOR), 0),
    (lambda cache: cache.delete("a:1"), 0),
    (lambda cache: cache.touch("a:1"), 0),
    (lambda cache: (cache.stats(), cache.healthy()), 0),
]


@pytest.mark.parametrize(("call", "looked_up"), CALLS)
def test_each_look_up_is_a_line(
    cache: Cache, path: Path, call: Callable[[Cache], object], looked_up: int
) -> None:
    cache.set_vectors(["a:1", "a:2"], np.stack([VECTOR, VECTOR]), cost=0.25)
    call(cache)
    cache.close()
    lines = lines_of(path)
    stats = cache.stats()
    assert len(lines) == looked_up == stats.requests
    assert stats.access_log == {"recorded": looked_up, "dropped": 0, "errors": 0}
    tiers = [line["tier"] for line in lines]
    assert tiers.count("memory") == stats.memory_hits
    assert tiers.count(None) == stats.misses
    for line in lines:
        assert list(line) == ["time", "key", "group", "tier", "size", "cost"]
        assert re.fullmatch("[0-9a-f]{16}", line["key"])
        if line["tier"] is None:
            assert line["size"] == line["cost"] == 0
        elif line["group"] == "a":
            assert line["cost"] == 0.25
            assert line["size"] > VECTOR.nbytes


def test_lines_are_in_the_order_of_the_look_ups(cache: Cache, path: Path) -> None:
    keys = [f"group{number % 40}:{number % 97}" for number in range(2_000)]
    for number, key in enumerate(keys):
        if number % 3 == 0:
            cache.set(key, number)
        cache.get(key)
    cache.close()
    lines = lines_of(path)
    assert [line["group"] for line in lines] == [key.partition(":")[0] for key in keys]
    hashes: dict[str, str] = {}
    assert all(hashes.setdefault(key, line["key"]) == line["key"]
               for key, line in zip(keys, lines, strict=True))  # fmt: skip
    assert len(set(hashes.values())) == len(hashes)
    times = [line["time"] for line in lines]
    assert times == sorted(times)


def test_the_newest_as_an_array(cache: Cache, path: Path) -> None:
    cache.set("emb:a", VECTOR, cost=2.0)
    assert len(cache.accesses()) == 0
    cache.get("emb:a")
    cache.get("no group")
    accesses = cache.accesses()
    assert accesses.dtype.names == ("time", "key", "group", "tier", "size", "cost")
    assert accesses["group"].tolist() == ["emb", "-"]
    assert accesses["tier"].tolist() == ["memory", ""]
    assert accesses["cost"].tolist() == [2.0, 0.0]
    cache.close()
    lines = lines_of(path)
    assert accesses["key"].tolist() == [int(line["key"], 16) for line in lines]
    assert accesses["time"].tolist() == [line["time"] for line in lines]
    assert accesses["size"].tolist() == [line["size"] for line in lines]
    assert cache.accesses(1).tolist() == accesses[1:].tolist()
    assert cache.accesses(0).shape == (0,)


def test_no_more_than_65536_are_kept(cache: Cache) -> None:
    keys = [f"k:{number}" for number in range(1_000)]
    for _ in range(70):
        cache.mget(keys)
        assert 0 < len(cache.accesses(5)) <= 5
    assert len(cache.accesses()) == len(cache.accesses(10**30)) == 65_536


@pytest.mark.parametrize("n", [1.5, "3", True])
def test_a_number_of_the_wrong_type(cache: Cache, n: Any) -> None:
    with pytest.raises(TypeError, match=f"n={n!r} is of type {type(n).__name__}: allowed are"):
        cache.accesses(n)
    with pytest.raises(ValueError, match="n=-1: allowed are None and an int from 0 on"):
        cache.accesses(-1)


def test_without_a_log_there_are_no_accesses() -> None:
    with Cache() as cache:
        cache.get("a")
        assert cache.stats().access_log is None
        with pytest.raises(ConfigError, match="access_log=None.*access_log=PATH"):
            cache.accesses()


def test_paths_that_are_not_allowed(tmp_path: Path) -> None:
    for bad, says in (
        (tmp_path, "Is a directory"),
        (tmp_path / "none" / "log", "No such file or directory"),
        ("/dev/null", "Not a regular file"),
        ("", "allowed are None and the path"),
        ("a\0b", "allowed are None and the path"),
        (b"log", "of type bytes: allowed are None"),
        (True, "of type bool: allowed are None"),
    ):
        with pytest.raises(ConfigError, match=f"access_log=.*{says}"):
            Cache(access_log=bad)  # type: ignore[arg-type]


def test_only_its_user_may_read_it(cache: Cache, path: Path) -> None:
    cache.get("a")
    cache.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "a" not in {line["key"] for line in lines_of(path)}


def test_a_relative_path_is_that_of_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with Cache(access_log="log.jsonl") as cache:
        monkeypatch.chdir("/")
        cache.get("a")
    assert len(lines_of(tmp_path / "log.jsonl")) == 1


def test_hashes_are_those_of_the_secret(tmp_path: Path) -> None:
    def hash_of(name: str, **arguments: Any) -> str:
        with Cache(access_log=tmp_path / name, **arguments) as cache:
            cache.get("a")
        key: str = lines_of(tmp_path / name)[-1]["key"]
        return key

    plain = hash_of("1")
    assert hash_of("2") == plain == "e6c632b61e964e1f"  # XXH3-64 of b"a"
    secret = hash_of("3", key_secret="s" * 32)
    assert secret != plain
    assert hash_of("4", key_secret="s" * 32) == secret != hash_of("5", key_secret="t" * 32)


def test_the_environment_names_it(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VCACHE_ACCESS_LOG", str(path))
    with Cache.from_env() as cache:
        cache.get("a")
    assert len(lines_of(path)) == 1
    monkeypatch.setenv("VCACHE_ACCESS_LOG", str(tmp_path))
    with pytest.raises(ConfigError, match="access_log='.*': Is a directory"):
        Cache.from_env()


def test_a_pickled_cache_writes_to_the_same_file(cache: Cache, path: Path) -> None:
    cache.get("a")
    with pickle.loads(pickle.dumps(cache)) as copy:
        copy.get("a")
    cache.close()
    first, second = lines_of(path)
    assert first["key"] == second["key"]


class SmallFiles(Cache):
    def _open(self, config: Config) -> Any:
        return config.open(log_bytes=10_000)


def test_the_file_is_rotated(path: Path) -> None:
    with SmallFiles(access_log=path) as cache:
        for number in range(1_000):
            cache.get(f"k:{number}")
            if number % 50 == 0:
                cache.accesses()
    names = [path, *(path.with_name(f"{path.name}.{age}") for age in (1, 2, 3))]
    assert sorted(path.parent.iterdir()) == names
    sizes = [name.stat().st_size for name in names]
    assert all(9_900 <= size <= 10_000 for size in sizes[1:])
    assert 0 < sizes[0] <= 10_000
    kept = [line["key"] for name in reversed(names) for line in lines_of(name)]
    assert kept == [f"{key:016x}" for key in cache.accesses()["key"][-len(kept) :]]


def test_an_error_of_the_file_reaches_no_caller(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    cache = Cache(access_log=folder / "log")
    folder.joinpath("log").unlink()
    folder.rmdir()
    with caplog.at_level(logging.INFO, "vcache.access"):
        cache.set("a", 1)
        assert cache.get("a") == 1
        cache.close()
        cache.get("a")
        cache.close()
    counts = cache.stats().access_log
    assert counts is not None
    assert (counts["dropped"], counts["recorded"]) == (2, 0)
    assert counts["errors"] >= 2
    assert len(caplog.records) == 2  # once for each writer that was closed
    assert "logs/log' cannot be written to: No such file" in caplog.records[0].message


FULL = """
import json, resource, sys
import vcache

path = sys.argv[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, 5_000))
cache = vcache.Cache(access_log=path)
for number in range(100):
    cache.get(f"k:{number}")
cache.close()
counts = cache.stats().access_log
whole = sum(line.endswith("}\\n") for line in open(path))
print(whole == counts["recorded"], counts["dropped"] == 100 - whole, 40 < whole < 60)
"""


def test_a_disk_that_is_full(path: Path) -> None:
    assert run_alone(FULL, str(path)) == "True True True"


EXIT = """
import sys
import vcache

cache = vcache.Cache(access_log=sys.argv[1])
keep = [cache]
keep.append(keep)
for number in range(100):
    cache.get(f"k:{number}")
print("done")
"""


def test_a_program_that_ends_writes_its_last_lines(path: Path) -> None:
    assert run_alone(EXIT, str(path)) == "done"
    assert len(lines_of(path)) == 100


FORK = """
import os, sys, threading
import vcache

cache = vcache.Cache(access_log=sys.argv[1])
cache.set("shared:1", 1)
cache.get("shared:1")
done = threading.Event()

def work():
    while not done.is_set():
        cache.get("busy:1")
        done.wait(0.0002)

thread = threading.Thread(target=work)
thread.start()
codes = []
for child in range(5):
    pid = os.fork()
    if pid == 0:
        for number in range(100):
            cache.get(f"child{child}:{number}")
        cache.get("shared:1")
        newest = cache.accesses()
        ok = sum(newest["group"] == f"child{child}") == 100
        ok = ok and sum(newest["group"] == "shared") == 2
        cache.close()
        os._exit(0 if ok else 1)
    codes.append(os.waitpid(pid, 0)[1])
done.set()
thread.join()
cache.close()
print(codes, cache.stats().access_log["dropped"])
"""


def test_forked_children_write_to_the_same_file(path: Path) -> None:
    assert run_alone(FORK, str(path)) == "[0, 0, 0, 0, 0] 0"
    groups = [line["group"] for line in lines_of(path)]
    for child in range(5):
        assert groups.count(f"child{child}") == 100
    assert groups.count("shared") == 6


TWO = """
import sys
import vcache

cache = vcache.Cache(access_log=sys.argv[1])
for number in range(20_000):
    cache.get(f"{sys.argv[2]}:{number}")
    if number % 1000 == 0:
        cache.accesses(0)
cache.close()
"""


def test_processes_share_a_file(path: Path) -> None:
    import subprocess
    import sys

    command = [sys.executable, "-c", TWO, str(path)]
    children = [subprocess.Popen([*command, name], env=os.environ) for name in "ab"]
    assert [child.wait(60) for child in children] == [0, 0]
    groups = [line["group"] for line in lines_of(path)]
    assert groups.count("a") == groups.count("b") == 20_000


def test_the_value_is_what_it_is_without_a_log(cache: Cache) -> None:
    cache.set("a", VECTOR)
    assert cache.get("a").tolist() == VECTOR.tolist()
    assert cache.get("none", MISSING) is MISSING
    matrix, found = cache.get_vectors(["a", "none"])
    assert (matrix.tolist(), found.tolist()) == ([[1.0] * 8, [0.0] * 8], [True, False])
