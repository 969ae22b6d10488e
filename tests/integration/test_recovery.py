"""What was written while Redis was away."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from alone import run_alone
from redis_figures import figure, unanswered
from redis_server import RedisServer

from vcache import MISSING, Cache
from vcache.errors import RedisError

MakeCache = Callable[..., Cache]
Eventually = Callable[[Callable[[], object]], None]
KEYS = 10_000
NEW_PROCESS = """
import sys
import vcache

with vcache.Cache(redis=sys.argv[1], memory=0, timeout=5) as cache:
    values = cache.mget([f"k{i}" for i in range(int(sys.argv[2]))], vcache.MISSING)
print(*sorted({str(value) for value in values}))
"""


@pytest.mark.parametrize("kill", [True, False], ids=["killed", "frozen"])
def test_no_older_value_comes_back(
    make_cache: MakeCache, redis_server: RedisServer, eventually: Eventually, kill: bool
) -> None:
    """10,000 keys, most of them evicted from memory before Redis is back, with old values there."""
    cache = make_cache(max_entries=500, timeout=1)
    keys = [f"k{i}" for i in range(KEYS)]

    def reads(some: list[str]) -> bool:
        """Whether all were answered; if so, with the new values, and in no case with the old."""
        missed = unanswered(cache)
        found = set(cache.mget(some, MISSING))
        assert found == {"new"} or (found <= {"new", MISSING} and unanswered(cache) > missed)
        return found == {"new"}

    cache.mset(dict.fromkeys(keys, "old"))
    eventually(lambda: figure(cache, "waiting") == 0)
    if kill:
        redis_server.call("SAVE")  # what it starts with again
        redis_server.stop()
    else:
        redis_server.pause()
    for key in keys:
        cache.set(key, "new")
    assert figure(cache, "waiting") == KEYS
    assert set(cache.mget(keys, MISSING)) == {"new"}, "from memory, or from what waits"
    if kill:
        redis_server.start()
        assert "DB loaded from disk" in redis_server.log
    else:
        redis_server.resume()
    eventually(lambda: reads(keys[::97]) and figure(cache, "waiting") == 0)
    eventually(lambda: reads(keys))
    assert figure(cache, "recovered") >= KEYS, "and what a busy machine did not take at first"
    assert figure(cache, "dropped") == 0
    assert run_alone(NEW_PROCESS, redis_server.url, str(KEYS)) == "new"


def test_what_was_deleted_stays_so(
    make_cache: MakeCache, redis_server: RedisServer, eventually: Eventually
) -> None:
    cache = make_cache(timeout=0.1)
    cache.mset({f"k{i}": "old" for i in range(100)})
    redis_server.pause()
    try:
        for index in range(0, 100, 2):
            cache.delete(f"k{index}")
        cache.mdelete([f"k{i}" for i in range(1, 100, 2)])
    finally:
        redis_server.resume()
    assert set(cache.mget([f"k{i}" for i in range(100)])) == {None}
    eventually(lambda: figure(cache, "waiting") == 0)
    assert set(make_cache(memory=0).mget([f"k{i}" for i in range(100)])) == {None}


def test_a_clear_and_what_was_written_after_it(
    make_cache: MakeCache, redis_server: RedisServer, eventually: Eventually
) -> None:
    cache = make_cache(timeout=0.1)
    cache.mset({"before": 1, "both": 1})
    redis_server.pause()
    try:
        cache.set("during", 1)
        cache.clear()
        cache.mset({"after": 2, "both": 2})
    finally:
        redis_server.resume()
    expected = [None, None, 2, 2]
    keys = ["before", "during", "after", "both"]
    assert cache.mget(keys) == expected
    eventually(lambda: figure(cache, "waiting") == 0)
    assert cache.mget(keys) == expected
    assert make_cache(memory=0).mget(keys) == expected


def test_values_made_during_an_outage_are_kept(
    make_cache: MakeCache, redis_server: RedisServer, eventually: Eventually
) -> None:
    cache = make_cache(timeout=0.1)
    redis_server.stop()
    assert [cache.get_or_set(f"k{i}", lambda i=i: i) for i in range(50)] == [*range(50)]  # type: ignore[misc]
    redis_server.start()
    eventually(lambda: figure(cache, "waiting") == 0)
    assert make_cache(memory=0).mget([f"k{i}" for i in range(50)]) == [*range(50)]


def test_close_sends_what_waits(
    make_cache: MakeCache, redis_server: RedisServer, eventually: Eventually
) -> None:
    cache = make_cache(timeout=0.2)
    redis_server.stop()
    cache.set("k", "v")  # one failure: the breaker is closed
    assert figure(cache, "waiting") == 1
    redis_server.start()
    cache.close()
    assert make_cache(memory=0).get("k") == "v"


def test_a_child_leaves_what_waits_to_its_parent(
    make_cache: MakeCache, redis_server: RedisServer, eventually: Eventually
) -> None:
    cache = make_cache(timeout=0.2, memory=0)
    redis_server.stop()
    cache.set("k", "parent's")
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = 0 if figure(cache, "waiting") == 0 and cache.get("k") is None else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert cache.get("k") == "parent's"
    redis_server.start()
    eventually(lambda: figure(cache, "waiting") == 0)
    assert make_cache(memory=0).get("k") == "parent's"


def test_a_strict_cache_raised_and_keeps_nothing(
    make_cache: MakeCache, redis_server: RedisServer
) -> None:
    cache = make_cache(strict=True, timeout=0.2)
    redis_server.stop()
    with pytest.raises(RedisError):
        cache.set("k", 1)
    assert figure(cache, "waiting") == 0


@pytest.mark.parametrize("how", ["set", "mset", "set with tags"])
def test_what_a_strict_cache_raised_for_is_not_in_memory(
    make_cache: MakeCache, redis_server: RedisServer, how: str
) -> None:
    cache = make_cache(strict=True)
    cache.set("k", "old")
    store: dict[str, Callable[[], object]] = {
        "set": lambda: cache.set("k", "new"),
        "mset": lambda: cache.mset({"k": "new"}),
        "set with tags": lambda: cache.set("k", "new", tags=["t"]),
    }
    with refusing(redis_server), pytest.raises(RedisError):
        store[how]()
    assert cache.get("k") == "old", "which is what Redis has"


def test_what_redis_never_got_ends_by_removal_elsewhere(
    make_cache: MakeCache, redis_server: RedisServer, eventually: Eventually
) -> None:
    """A value with tags that met no stamp becomes a deletion, of which no server tells anybody."""
    writer, other = make_cache(), make_cache()
    eventually(lambda: writer.get("any") is None and figure(writer, "coherence") == "tracking")
    with refusing(redis_server):
        writer.set("k", "v", tags=["t"])
    eventually(lambda: figure(writer, "waiting") == 0)
    other.delete("k")
    eventually(lambda: writer.get("k") is None)


@contextmanager
def refusing(server: RedisServer) -> Iterator[None]:
    """A block in which the server takes no values."""
    server.call("CONFIG", "SET", "maxmemory", "1")
    yield
    server.call("CONFIG", "SET", "maxmemory", "0")


def counts() -> tuple[int, int]:
    """Open files and threads of this process."""
    return len(list(Path("/proc/self/fd").iterdir())), len(list(Path("/proc/self/task").iterdir()))


def test_a_hundred_restarts_leave_nothing_behind(
    make_cache: MakeCache, redis_server: RedisServer, eventually: Eventually
) -> None:
    before = counts()
    cache = make_cache(timeout=0.2)
    stop = threading.Event()
    failures: list[BaseException] = []

    def use(number: int) -> None:
        turn = 0
        try:
            while not stop.is_set():
                turn += 1
                key = f"{number}:{turn % 50}"
                cache.set(key, turn)
                assert cache.get(key) == turn
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(100):
            redis_server.stop()
            redis_server.start()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failures == []
    eventually(lambda: figure(cache, "waiting") == 0)
    assert figure(cache, "connections") <= 5
    cache.close()
    eventually(lambda: counts() == before)


def test_without_a_free_connection_nobody_waits_long(
    make_cache: MakeCache, redis_server: RedisServer
) -> None:
    """16 threads, 2 connections, and a server that answers nobody for the length of a timeout."""
    cache = make_cache(redis=f"{redis_server.url}?pool_size=2", timeout=2.0, memory=0)
    cache.set("k", 1)
    redis_server.pause()
    waited: list[float] = []

    def ask() -> None:
        started = time.monotonic()
        cache.get("k")
        waited.append(time.monotonic() - started)

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    redis_server.resume()
    assert sum(seconds > 1.0 for seconds in waited) <= 2
    assert sorted(waited)[10] < 0.5, "5 ms, on a machine that is not busy"
    assert figure(cache, "waiting") == 0
