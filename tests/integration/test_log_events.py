"""What the core tells of Redis, as events of vcache.logs."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable

import pytest
from redis_server import RedisServer

from vcache import Cache, logs

MakeCache = Callable[..., Cache]
Eventually = Callable[[Callable[[], object]], None]


def test_an_outage_is_events_with_fields(
    make_cache: MakeCache, redis_server: RedisServer, eventually: Eventually
) -> None:
    stream = io.StringIO()
    handler = logs.configure(stream=stream)
    try:
        cache = make_cache()
        cache.set("secret", 1)
        redis_server.stop()

        def is_down() -> bool:
            cache.get("secret:1")
            return bool(cache.stats().redis["breaker"] != "closed")  # type: ignore[index]

        eventually(is_down)
        redis_server.start()
        eventually(lambda: not is_down())
    finally:
        logging.getLogger("vcache").removeHandler(handler)
        logging.getLogger("vcache").setLevel(logging.NOTSET)
    told = {line["event"]: line for line in map(json.loads, stream.getvalue().splitlines())}
    server = f"127.0.0.1:{redis_server.port}"
    assert told["redis_down"]["server"] == server
    assert told["redis_down"]["reason"] == "no answer"
    assert told["redis_down"]["level"] == "warning"
    assert told["redis_up"]["server"] == server
    assert 0 <= told["redis_up"]["seconds"] < 60
    assert told["redis_errors"]["count"] >= 1
    assert told["redis_errors"]["kind"] in ("disconnected", "connect", "timeout")
    assert "secret" not in stream.getvalue()


def test_credentials_that_are_refused(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    with redis_server.client() as redis:
        redis.execute_command("ACL", "SETUSER", "bob", "on", ">right", "+@all", "~*")
    with (
        caplog.at_level(logging.INFO, "vcache.redis"),
        Cache(redis=f"redis://bob:wrong@127.0.0.1:{redis_server.port}") as cache,
    ):
        for _ in range(50):
            cache.get("a")
            if cache.stats().redis["breaker"] != "closed":  # type: ignore[index]
                break
        cache.get("a")
    events = {record.event: record.fields for record in caplog.records}  # type: ignore[attr-defined]
    assert events["redis_down"]["reason"] == "credentials"
    assert "wrong" not in caplog.text
