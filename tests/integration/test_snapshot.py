"""restore() with Redis: nothing is served that was changed while the file lay on disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from polling import wait_until
from redis_server import RedisServer

from vcache import Cache
from vcache.errors import SnapshotError

MakeCache = Callable[..., Cache]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "memory.snapshot"


def hits_in_memory(cache: Cache, key: str) -> bool:
    return cache.lookup(key).tier == "memory"


def test_values_come_from_redis(make_cache: MakeCache, path: Path) -> None:
    first = make_cache()
    first.mset({f"k{i}": np.full(64, i, np.float32) for i in range(600)})
    first.set("tagged", 1, tags=["t"], metadata={"m": 2})
    assert first.snapshot(path).entries == 601
    first.close()
    second = make_cache()
    report = second.restore(path)
    assert (report.entries, report.confirmed, report.unverified) == (601, 601, 0)
    assert second.stats().requests == 0
    found = second.lookup("tagged")
    assert (found.value, found.metadata) == (1, {"m": 2})


def test_what_was_changed_meanwhile(make_cache: MakeCache, path: Path) -> None:
    first = make_cache()
    first.mset({"deleted": 1, "written": 1, "pattern:a": 1, "same": 1})
    first.set("tagged", 1, tags=["t"])
    first.snapshot(path)
    first.close()
    other = make_cache()
    other.delete("deleted")
    other.set("written", 2)
    other.invalidate("pattern:*")
    other.invalidate_tags("t")
    second = make_cache()
    report = second.restore(path)
    assert (report.entries, report.skipped["gone"]) == (2, 3)
    assert second.mget(["deleted", "written", "pattern:a", "tagged", "same"]) == [
        None,
        2,
        None,
        None,
        1,
    ]


def test_the_time_in_memory_begins_anew(make_cache: MakeCache, path: Path) -> None:
    """Redis has the value for longer than memory had it."""
    first = make_cache(memory_ttl=1)
    first.set("k", 1, ttl=100)
    assert first.snapshot(path).entries == 1
    wait_until(lambda: first.lookup("k").tier == "redis")
    first.close()
    second = make_cache(memory_ttl=40)
    assert second.restore(path).confirmed == 1
    left = second.lookup("k").ttl
    assert left is not None
    assert 30 < left <= 40


def test_a_cleared_namespace(make_cache: MakeCache, path: Path) -> None:
    first = make_cache()
    first.mset({f"k{i}": i for i in range(50)})
    first.snapshot(path)
    make_cache().clear()
    second = make_cache()
    report = second.restore(path)
    assert (report.entries, report.skipped["gone"]) == (0, 50)
    assert second.get("k1") is None


def test_changes_after_the_restoration_are_told(
    make_cache: MakeCache, path: Path, eventually: Callable[[Callable[[], object]], None]
) -> None:
    first, second = make_cache(), make_cache()
    first.set("k", 1)
    first.snapshot(path)
    eventually(
        lambda: second.get("any") is None and second.stats().redis["coherence"] == "tracking"
    )
    assert second.restore(path).confirmed == 1
    assert hits_in_memory(second, "k")
    first.set("k", 2)
    eventually(lambda: second.get("k") == 2)


@pytest.mark.parametrize("keep", [False, True])
def test_without_an_answer(
    make_cache: MakeCache, path: Path, redis_server: RedisServer, keep: bool
) -> None:
    first = make_cache()
    first.mset({"a": 1, "b": np.ones(8, np.float32)})
    first.set("c", 3, tags=["t"], metadata={"m": 1})
    first.snapshot(path)
    redis_server.stop()
    second = make_cache(timeout=0.5, connect_timeout=0.5, grace=60)
    report = second.restore(path, keep_unconfirmed=keep)
    assert report.confirmed == 0
    if not keep:
        assert (report.entries, report.skipped["unconfirmed"]) == (0, 3)
        assert second.get("a") is None
        return
    assert (report.entries, report.unverified) == (3, 3)
    assert (second.get("a"), second.get("c")) == (1, 3)
    assert second.lookup("a").stale


def test_unverified_ones_are_asked_for_once_redis_is_back(
    make_cache: MakeCache,
    path: Path,
    redis_server: RedisServer,
    eventually: Callable[[Callable[[], object]], None],
) -> None:
    first = make_cache()
    first.set("a", 1)
    first.snapshot(path)
    first.close()
    redis_server.stop()
    second = make_cache(timeout=0.5, connect_timeout=0.5)
    assert second.restore(path, keep_unconfirmed=True).unverified == 1
    assert second.get("a") == 1
    redis_server.start()  # it kept nothing
    eventually(lambda: second.get("a") is None)


def test_a_cache_without_redis_refuses_the_file(make_cache: MakeCache, path: Path) -> None:
    make_cache().snapshot(path)
    with pytest.raises(SnapshotError, match="of a cache with Redis"):
        Cache().restore(path)


def test_encrypted(make_cache: MakeCache, path: Path) -> None:
    key = bytes(range(32))
    first = make_cache(encryption_key=key)
    first.set("k", "secret")
    first.snapshot(path)
    assert b"secret" not in path.read_bytes()
    assert make_cache(encryption_key=key).restore(path).confirmed == 1
