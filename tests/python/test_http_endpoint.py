"""The endpoint that removes what is cached."""

from __future__ import annotations

import json
from typing import Any

import pytest
from asgi_calls import Answer, Origin, asked
from clocked import ClockedCache

from vcache.errors import RedisTimeout
from vcache.http import CacheKey, CacheMiddleware, by_path

PATH = "/api/cache/invalidate"
TOKEN = {"Authorization": "Bearer s3cret"}


@pytest.fixture
def app(cache: ClockedCache) -> CacheMiddleware:
    key = lambda scope: CacheKey(by_path(scope), tags=[scope["path"]])  # noqa: E731
    return CacheMiddleware(Origin(), cache, key=key, token="s3cret")


def post(app: CacheMiddleware, given: Any, headers: Any = TOKEN) -> Answer:
    body = given if isinstance(given, bytes) else json.dumps(given).encode()
    return asked(app, PATH, "POST", headers, body=body)


def test_a_pattern_is_invalidated(app: CacheMiddleware) -> None:
    for target in ("/a/1", "/a/2", "/b"):
        asked(app, target)
    answer = post(app, {"pattern": "http:*/a/*"})
    assert (answer.status, json.loads(answer.body)) == (200, {"invalidated": 2})
    assert answer.headers["cache-control"] == "no-store"
    assert [asked(app, target).x_cache for target in ("/a/1", "/b")] == ["MISS", "HIT"]


def test_a_pattern_may_be_plain_text(app: CacheMiddleware) -> None:
    asked(app, "/a")
    answer = post(app, b"http:*", TOKEN | {"Content-Type": "text/plain; charset=utf-8"})
    assert json.loads(answer.body) == {"invalidated": 1}


def test_tags_are_invalidated(app: CacheMiddleware) -> None:
    for target in ("/a", "/b"):
        asked(app, target)
    assert json.loads(post(app, {"tags": ["/a", "/c"]}).body) == {"invalidated": 2}
    assert [asked(app, target).x_cache for target in ("/a", "/b")] == ["MISS", "HIT"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer s3cre"},
        {"Authorization": "Bearer "},
        {"Authorization": "Basic s3cret"},
        {"Authorization": "s3cret"},
        {"Authorization": "Bearer é"},
    ],
)
def test_others_are_refused(app: CacheMiddleware, headers: dict[str, str]) -> None:
    asked(app, "/a")
    answer = post(app, {"pattern": "*"}, headers)
    assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert answer.headers["content-type"] == "application/problem+json"
    assert asked(app, "/a").x_cache == "HIT"


@pytest.mark.parametrize(
    ("given", "status"),
    [
        (b"{", 400),
        (b"", 400),
        (b'"http:*"', 400),
        ({}, 400),
        ({"pattern": ""}, 400),
        ({"pattern": 1}, 400),
        ({"pattern": "*", "tags": ["a"]}, 400),
        ({"patterns": "*"}, 400),
        ({"tags": []}, 400),
        ({"tags": "a"}, 400),
        ({"tags": [1]}, 400),
        ({"pattern": "x" * 70_000}, 413),
    ],
)
def test_wrong_bodies_are_refused(app: CacheMiddleware, given: Any, status: int) -> None:
    asked(app, "/a")
    answer = post(app, given)
    problem = json.loads(answer.body)
    assert (answer.status, problem["status"]) == (status, status)
    assert problem.keys() == {"title", "status", "detail"}
    assert asked(app, "/a").x_cache == "HIT"


def test_other_methods_are_refused(app: CacheMiddleware) -> None:
    answer = asked(app, PATH, "GET", TOKEN)
    assert (answer.status, answer.headers["allow"]) == (405, "POST")


def test_a_body_that_breaks_off_is_refused(app: CacheMiddleware) -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    assert asked(app, PATH, "POST", TOKEN, receive=receive).status == 400


def test_a_cache_that_fails_is_said_to(
    app: CacheMiddleware, cache: ClockedCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(pattern: Any) -> int:
        raise RedisTimeout("secret")

    monkeypatch.setattr(cache, "ainvalidate", fail)
    answer = post(app, {"pattern": "*"})
    assert (answer.status, b"RedisTimeout" in answer.body) == (503, True)
    assert b"secret" not in answer.body


def test_without_a_token_there_is_no_endpoint(cache: ClockedCache) -> None:
    app = CacheMiddleware(origin := Origin(), cache)
    assert asked(app, PATH, "POST", body=b'{"pattern": "*"}').x_cache == "BYPASS"
    assert origin.calls == 1
    app = CacheMiddleware(Origin(), cache, token=b"s3cret", invalidate_path="/purge")
    assert asked(app, PATH, "POST", TOKEN).x_cache == "BYPASS"
    answer = asked(app, "/purge", "POST", TOKEN, body=b'{"pattern": "*"}')
    assert json.loads(answer.body) == {"invalidated": 0}
