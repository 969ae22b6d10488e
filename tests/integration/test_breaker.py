"""What an outage of Redis costs, and what the log and the figures say of it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import pytest
from alone import run_alone
from redis_figures import breaker, breakers, error_kinds
from redis_server import RedisServer

from vcache import Cache

MakeCache = Callable[..., Cache]
Eventually = Callable[[Callable[[], object]], None]


def open_breaker(cache: Cache) -> None:
    """Asks a server that does not answer until nothing is asked of it."""
    for index in range(6):
        cache.get(f"nobody answers:{index}")
    assert breaker(cache) != "closed"


def test_nobody_waits_for_a_server_that_is_frozen(
    make_cache: MakeCache, redis_server: RedisServer, eventually: Eventually
) -> None:
    """Callers that wait: those that found out. The breaker's probes go on without them."""
    cache = make_cache(memory=0, timeout=1)
    cache.set("k", 1)
    redis_server.pause()
    slow = []

    def ask(until: float) -> None:
        while time.monotonic() < until:
            started = time.monotonic()
            cache.get("k")
            if time.monotonic() - started > 0.9:
                slow.append(started)

    until = time.monotonic() + 4
    threads = [threading.Thread(target=ask, args=(until,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert error_kinds(cache)["timeout"] <= len(threads) + 5
    assert len(slow) <= len(threads) + 5
    redis_server.resume()
    resumed = time.monotonic()
    eventually(lambda: cache.get("k") == 1)
    assert time.monotonic() - resumed < 1.5, "at most one second, on a machine that is not busy"


@pytest.mark.parametrize("kill", [True, False], ids=["killed", "frozen"])
def test_an_idle_cache_finds_out_that_redis_is_back(
    make_cache: MakeCache, redis_server: RedisServer, eventually: Eventually, kill: bool
) -> None:
    cache = make_cache(timeout=0.1)
    redis_server.stop() if kill else redis_server.pause()
    open_breaker(cache)
    redis_server.start() if kill else redis_server.resume()
    eventually(lambda: breaker(cache) == "closed")
    assert breakers(cache) == {f"127.0.0.1:{redis_server.port}": "closed"}
    assert cache.stats().redis["openings"] == 1  # type: ignore[index]


def test_an_outage_is_two_lines_of_the_log(
    make_cache: MakeCache,
    redis_server: RedisServer,
    eventually: Eventually,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "vcache.redis")
    cache = make_cache()
    cache.set("secret", 1)
    redis_server.stop()
    open_breaker(cache)
    for index in range(1000):
        cache.get(f"secret:{index}")
    redis_server.start()
    eventually(lambda: breaker(cache) == "closed")
    cache.get("secret:1")
    lines = [(record.levelname, record.getMessage()) for record in caplog.records]
    address = f"127.0.0.1:{redis_server.port}"
    opened = f"{address} does not answer: nothing is asked of it until it does better"
    assert lines.count(("WARNING", opened)) == 1
    assert next(line for level, line in lines if level == "INFO").startswith(
        f"{address} answers again, after "
    )
    assert len(lines) <= 4, "and one for each kind of error"
    assert "secret" not in caplog.text


def test_a_handler_of_the_log_may_use_the_cache(
    make_cache: MakeCache, redis_server: RedisServer
) -> None:
    cache = make_cache()
    seen = []

    class Reader(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(record.getMessage())
            cache.get("from the handler")
            assert cache.stats().redis is not None

    reader = Reader()
    logging.getLogger("vcache.redis").addHandler(reader)
    try:
        redis_server.stop()
        open_breaker(cache)
    finally:
        logging.getLogger("vcache.redis").removeHandler(reader)
    assert seen


ENDS = """
import sys
import vcache

cache = vcache.Cache(redis=sys.argv[1], timeout=0.2)
for index in range(6):
    cache.get(str(index))
assert cache.stats().redis["breaker"] != "closed"
print("end")
"""


@pytest.mark.parametrize("close", ["", "cache.close()\n"])
def test_the_interpreter_ends_while_probes_are_sent(redis_server: RedisServer, close: str) -> None:
    redis_server.pause()
    try:
        for _ in range(3):
            started = time.monotonic()
            assert run_alone(ENDS + close, redis_server.url) == "end"
            assert time.monotonic() - started < 20
    finally:
        redis_server.resume()
