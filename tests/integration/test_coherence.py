"""What one process changes, others see: goals R06 to R08, and where Redis tells of nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable

import pytest
from redis_figures import coherence
from redis_server import MAKES, RedisServer

from vcache import Cache

MakeCache = Callable[..., Cache]
Eventually = Callable[[Callable[[], object]], None]

# Reads one key from memory all the time, and tells when it first sees each version.
READER = """
import sys, time
from vcache import Cache
cache = Cache(redis=sys.argv[1], jitter=0.0)
while cache.stats().redis["coherence"] != "tracking":
    cache.get("k")
print("ready", flush=True)
for version in range(1, int(sys.argv[2]) + 1):
    seen = cache.get("k")
    while seen != version:
        assert seen is None or seen < version, "older than one that was seen"
        seen = cache.get("k")
    print(time.monotonic(), flush=True)
cache.close()
"""


@pytest.fixture(params=MAKES)
def server_make(request: pytest.FixtureRequest) -> str:
    """All of it over Valkey too."""
    make: str = request.param
    return make


def _is_linked(cache: Cache) -> bool:
    cache.get("any")
    return coherence(cache) == "tracking"


def _delays(server: RedisServer, cache: Cache, versions: int) -> list[float]:
    """Seconds from the end of a write to its first sight in another process, in order of length."""
    command = [sys.executable, "-c", READER, server.url, str(versions)]
    delays = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "ready\n"
        for version in range(1, versions + 1):
            cache.set("k", version)
            written = time.monotonic()
            delays.append(float(reader.stdout.readline()) - written)
    assert reader.returncode == 0
    return sorted(delays)


def test_r06_another_process_sees_a_write_within_milliseconds(
    make_cache: MakeCache, redis_server: RedisServer, eventually: Eventually
) -> None:
    cache = make_cache()
    eventually(lambda: _is_linked(cache))
    for _ in range(3):  # the machine may be busy with something else
        delays = _delays(redis_server, cache, 300)
        assert delays[-1] <= 1.0
        if delays[int(len(delays) * 0.99)] <= 0.050:
            return
        cache.delete("k")
    pytest.fail(f"p99 {delays[int(len(delays) * 0.99)] * 1e3:.1f} ms")


def test_r07_a_frozen_server_makes_memory_stale_and_then_fresh_again(
    make_cache: MakeCache, redis_server: RedisServer, eventually: Eventually
) -> None:
    cache, other = make_cache(timeout=0.1), make_cache()
    cache.set("k", 1)
    eventually(lambda: _is_linked(cache))
    redis_server.pause()
    frozen = time.monotonic()
    eventually(lambda: cache.lookup("k").stale)
    assert time.monotonic() - frozen <= 4.0  # 3 s, and a call that waits for its timeout
    stale = cache.lookup("k")
    assert (stale.value, stale.tier, stale.hit) == (1, "memory", True)
    stats = cache.stats()
    assert stats.stale_served >= 2
    assert stats.hits + stats.misses == stats.requests
    redis_server.resume()
    # A busy machine may take longer than the timeout for one call.
    eventually(lambda: other.set("k", 2) is None and cache.get("k") == 2)
    eventually(lambda: not cache.lookup("k").stale)


def test_r07_a_killed_link_hides_nothing(
    make_cache: MakeCache, redis_server: RedisServer, eventually: Eventually
) -> None:
    cache, other = make_cache(), make_cache()
    eventually(lambda: _is_linked(cache) and _is_linked(other))
    for version in range(1, 11):
        cache.set("k", -version)
        redis_server.client().client_kill_filter(_type="normal")
        other.set("k", version)
        changed = time.monotonic()
        eventually(lambda version=version: cache.get("k") == version)  # type: ignore[misc]
        assert time.monotonic() - changed <= 3.0
        eventually(lambda: _is_linked(cache) and _is_linked(other))


def test_deletes_and_clears_of_others_reach_memory(
    make_cache: MakeCache, eventually: Eventually
) -> None:
    cache, other = make_cache(), make_cache()
    eventually(lambda: _is_linked(cache) and _is_linked(other))
    cache.mset({"a": 1, "b": 2})
    assert cache.lookup("a").tier == "memory"
    other.delete("a")
    eventually(lambda: cache.get("a") is None)
    assert cache.get("b") == 2
    other.clear()
    eventually(lambda: cache.get("b") is None)


def test_a_server_that_tells_nothing_is_warned_of_once(
    make_cache: MakeCache, redis_server: RedisServer, eventually: Eventually
) -> None:
    redis_server.client().execute_command(
        "ACL", "SETUSER", "app", "on", ">secret", "~*", "+@all", "-client|tracking"
    )
    cache = make_cache(redis=redis_server.url.replace("//", "//app:secret@"))

    def use() -> None:
        eventually(lambda: cache.set("k", 1) is None and coherence(cache) == "ttl")
        cache.set("k", 1)

    with pytest.warns(RuntimeWarning, match="CLIENT TRACKING") as warned:
        use()
    assert len(warned) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cache.set("k", 2)
    left = cache.lookup("k").ttl
    assert left is not None
    assert left <= 5.0


def test_tracking_can_be_declined(make_cache: MakeCache, redis_server: RedisServer) -> None:
    cache = make_cache(redis=f"{redis_server.url}?tracking=no")
    cache.set("k", 1)
    assert coherence(cache) == "off"
    assert len(redis_server.client().client_list()) == 2  # its own connection, and this one


def test_a_forked_child_hears_of_changes_too(make_cache: MakeCache, eventually: Eventually) -> None:
    cache, other = make_cache(), make_cache()
    cache.set("k", 1)
    eventually(lambda: _is_linked(cache) and _is_linked(other))
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            eventually(lambda: _is_linked(cache) and cache.lookup("k").tier == "memory")
            os.write(writing, b"linked")
            eventually(lambda: cache.get("k") == 2)
            os._exit(0)
        finally:
            os._exit(1)
    assert os.read(reading, 6) == b"linked"
    other.set("k", 2)
    assert os.waitpid(child, 0)[1] == 0
    eventually(lambda: cache.get("k") == 2)
