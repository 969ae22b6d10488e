"""Responses that processes share through Redis, and what becomes of them without it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from asgi_calls import Answer, Origin, ask, asked, run
from polling import wait_until
from redis_server import RedisServer

from vcache import Cache
from vcache.http import CacheKey, CacheMiddleware, by_path

MakeCache = Callable[..., Cache]


def by_tag(scope: Any) -> CacheKey:
    return CacheKey(by_path(scope), tags=[scope["path"]])


@pytest.fixture
def origin() -> Origin:
    return Origin({"Vary": "Accept"})


@pytest.fixture
def apps(make_cache: MakeCache, origin: Origin) -> list[CacheMiddleware]:
    """The middleware of two processes, as it were, without memory of their own."""
    return [CacheMiddleware(origin, make_cache(memory=0), key=by_tag) for _ in range(2)]


def test_processes_share_responses_and_variants(
    apps: list[CacheMiddleware], origin: Origin, redis_server: RedisServer
) -> None:
    for accept in "ab":
        first, second = (asked(app, "/a", headers={"Accept": accept}) for app in apps)
        assert (first.x_cache, second.x_cache) == ("MISS", "HIT")
        assert first.body == second.body
    assert origin.calls == 2
    client: Any = redis_server.client()
    keys = list(client.scan_iter("vcache:http:*"))
    assert len(keys) == 3  # a record and two variants
    assert all(0 < client.pttl(key) <= 3_600_000 for key in keys)


@pytest.mark.parametrize("how", ["delete", "invalidate", "invalidate_tags", "clear"])
def test_what_one_process_removes_is_gone_for_all(
    apps: list[CacheMiddleware], make_cache: MakeCache, how: str
) -> None:
    for accept in "ab":
        asked(apps[0], "/a", headers={"Accept": accept})
    arguments = {
        "delete": ["http:http://a.test/a"],
        "invalidate": ["http:*/a*"],
        "invalidate_tags": ["/a"],
        "clear": [],
    }
    getattr(make_cache(), how)(*arguments[how])
    answers = [asked(apps[1], "/a", headers={"Accept": accept}) for accept in "ab"]
    assert [answer.body for answer in answers] == [b"call 3", b"call 4"]


@pytest.mark.parametrize("memory", [0, "10MiB"])
def test_requests_at_once_are_one_call(make_cache: MakeCache, memory: Any) -> None:
    cache = make_cache(memory=memory)
    gate, calls = asyncio.Event(), list[int]()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        calls.append(1)
        await gate.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"once"})

    app = CacheMiddleware(slow, cache, key=by_tag)

    async def main() -> list[Answer]:
        requests = [asyncio.ensure_future(ask(app)) for _ in range(32)]
        await asyncio.to_thread(wait_until, lambda: cache.stats().coalesced >= 31)
        gate.set()
        return await asyncio.gather(*requests)

    assert {answer.body for answer in run(main)} == {b"once"}
    assert len(calls) == 1


def test_without_redis_the_application_answers(
    make_cache: MakeCache, redis_server: RedisServer
) -> None:
    limits: Any = {"timeout": 0.2, "connect_timeout": 0.2}
    cache = make_cache(grace=60, **limits)
    strict = make_cache(memory=0, strict=True, **limits)
    origin = Origin()
    app, other = (CacheMiddleware(origin, each, key=by_tag) for each in (cache, strict))
    asked(app, "/kept")
    redis_server.stop()
    for _ in range(2):  # which memory has, and may not have expired
        assert asked(app, "/kept").body == b"call 1"
    for call in (2, 3):
        answer = asked(other, "/kept")
        assert (answer.status, answer.body, answer.x_cache) == (
            200,
            f"call {call}".encode(),
            "MISS",
        )
