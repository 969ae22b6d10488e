"""The middleware: what is answered from the cache, and what passes by it."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from asgi_calls import Origin, asked, run
from clocked import ClockedCache

import vcache
from vcache.errors import ConfigError
from vcache.http import CacheKey, CacheMiddleware, by_headers, by_path


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time of the middleware."""
    now = [1_700_000_000.0]
    monkeypatch.setattr("vcache.http._response.time.time", lambda: now[0])
    return now


def test_the_second_get_is_a_hit(cache: ClockedCache, clock: list[float]) -> None:
    origin = Origin({"Content-Type": "text/plain", "X-Of": "origin"})
    app = CacheMiddleware(origin, cache)
    first = asked(app, "/a?x=1")
    assert (first.status, first.body, first.x_cache) == (200, b"call 1", "MISS")
    assert "age" not in first.headers
    clock[0] += 7.9
    second = asked(app, "/a?x=1")
    assert (second.status, second.body, second.x_cache) == (200, b"call 1", "HIT")
    assert (second.headers["age"], second.headers["x-of"]) == ("7", "origin")
    assert second.headers["content-type"] == "text/plain"
    assert second.headers["content-length"] == "6"
    assert origin.calls == 1


def test_a_request_without_a_response_in_time_is_a_miss(cache: ClockedCache) -> None:
    app = CacheMiddleware(Origin(), cache, ttl="1m")
    asked(app)
    cache.clock.advance(59)
    assert asked(app).x_cache == "HIT"
    cache.clock.advance(2)
    assert asked(app).body == b"call 2"


def test_a_response_is_not_served_past_its_time(cache: ClockedCache, clock: list[float]) -> None:
    """By whatever the cache would serve in its grace."""
    app = CacheMiddleware(Origin({"Cache-Control": "max-age=60"}), cache)
    asked(app)
    clock[0] += 60
    assert asked(app).x_cache == "HIT"
    clock[0] += 1
    assert asked(app).x_cache == "MISS"


def test_head_is_answered_from_what_get_stored(cache: ClockedCache) -> None:
    app = CacheMiddleware(origin := Origin(), cache)
    assert asked(app, method="HEAD").x_cache == "MISS"
    assert asked(app, method="HEAD").x_cache == "MISS"
    asked(app)
    head = asked(app, method="HEAD")
    assert (head.x_cache, head.body, head.headers["content-length"]) == ("HIT", b"", "6")
    assert origin.calls == 3


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_other_methods_pass_by(cache: ClockedCache, method: str) -> None:
    app = CacheMiddleware(origin := Origin(), cache)
    asked(app)
    assert asked(app, method=method).x_cache == "BYPASS"
    assert origin.calls == 2
    assert asked(app).body == b"call 1"


def test_methods_may_be_fewer(cache: ClockedCache) -> None:
    app = CacheMiddleware(Origin(), cache, methods=["GET"])
    asked(app)
    assert asked(app, method="HEAD").x_cache == "BYPASS"


@pytest.mark.parametrize("status", [204, 203, 299])
def test_2xx_are_stored(cache: ClockedCache, status: int) -> None:
    app = CacheMiddleware(Origin(status=status), cache)
    asked(app)
    assert (asked(app).x_cache, asked(app).status) == ("HIT", status)


@pytest.mark.parametrize("status", [206, 301, 304, 404, 500, 503])
def test_others_are_not(cache: ClockedCache, status: int) -> None:
    app = CacheMiddleware(Origin({"Cache-Control": "max-age=60"}, status), cache)
    assert [asked(app).x_cache for _ in range(2)] == ["MISS", "MISS"]
    assert (asked(app).body, asked(app).status) == (b"call 3", status)
    assert cache.stats().entries == 0


def test_errors_of_the_application_are_its_own(cache: ClockedCache) -> None:
    calls: list[int] = []

    async def broken(scope: Any, receive: Any, send: Any) -> None:
        calls.append(1)
        if len(calls) == 2:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise LookupError("no rows")

    app = CacheMiddleware(broken, cache)
    for _ in range(3):
        with pytest.raises(LookupError, match="no rows"):
            asked(app)
    assert (len(calls), cache.stats().entries) == (3, 0)


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer x"},
        {"Cookie": "session=1"},
        {"Range": "bytes=0-1"},
        {"Content-Length": "3"},
        {"Transfer-Encoding": "chunked"},
        {"If-Match": '"x"'},
        {"Upgrade": "h2c"},
    ],
)
def test_requests_of_one_client_pass_by(cache: ClockedCache, headers: dict[str, str]) -> None:
    app = CacheMiddleware(origin := Origin(), cache)
    asked(app)
    for call in (2, 3):
        answer = asked(app, headers=headers)
        assert (answer.x_cache, answer.body) == ("BYPASS", f"call {call}".encode())
    assert asked(app).body == b"call 1"
    assert origin.calls == 3


def test_set_cookie_is_not_stored(cache: ClockedCache) -> None:
    app = CacheMiddleware(Origin({"Set-Cookie": "a=1"}), cache)
    assert [asked(app).x_cache for _ in range(2)] == ["MISS", "MISS"]
    assert cache.stats().entries == 0


def test_a_key_may_cover_what_is_personal(cache: ClockedCache) -> None:
    origin = Origin({"Set-Cookie": "a=1"})
    app = CacheMiddleware(origin, cache, key=by_headers("Authorization", "Set-Cookie"))
    for token, call in (("x", 1), ("y", 2), ("x", 1), ("y", 2)):
        answer = asked(app, headers={"Authorization": token})
        assert (answer.body, answer.headers["set-cookie"]) == (f"call {call}".encode(), "a=1")
    assert asked(app, headers={"Cookie": "z", "Authorization": "x"}).x_cache == "BYPASS"
    assert (asked(app).body, asked(app).x_cache) == (b"call 4", "HIT")


def test_headers_in_keys_are_not_readable(cache: ClockedCache) -> None:
    app = CacheMiddleware(Origin(), cache, key=by_headers("Authorization"))
    asked(app, "/a", headers={"Authorization": "secret"})
    assert cache.invalidate("*secret*") == 0
    assert cache.invalidate("http:http://a.test/a#*") == 1


def test_builders_may_refuse_and_name(cache: ClockedCache) -> None:
    def by_tenant(scope: Any) -> CacheKey | None:
        tenant = dict(scope["headers"]).get(b"x-tenant")
        if tenant is None:
            return None
        return CacheKey(f"{tenant.decode()}{scope['path']}", ["cookie"], [f"tenant:{tenant!r}"])

    app = CacheMiddleware(Origin(), cache, key=by_tenant)
    assert [asked(app).x_cache for _ in range(2)] == ["BYPASS", "BYPASS"]
    one = {"X-Tenant": "one", "Cookie": "a"}
    assert [asked(app, headers=one).x_cache for _ in range(2)] == ["MISS", "HIT"]
    assert cache.exists("http:one/")
    cache.invalidate_tags("tenant:b'one'")
    assert asked(app, headers=one).x_cache == "MISS"


@pytest.mark.parametrize("built", [3, "", CacheKey(""), CacheKey("a", ["x-user"]), b"a", 1 / 2])
def test_a_builder_that_fails_is_passed_by(cache: ClockedCache, built: Any) -> None:
    app = CacheMiddleware(Origin(), cache, key=lambda scope: built)
    assert [asked(app).x_cache for _ in range(2)] == ["BYPASS", "BYPASS"]
    app = CacheMiddleware(Origin(), cache, key=lambda scope: scope["absent"])
    assert asked(app).x_cache == "BYPASS"


def test_paths_are_included_and_excluded(cache: ClockedCache) -> None:
    app = CacheMiddleware(Origin(), cache, include=["/api/*", "/x"], exclude=["/api/*/live"])
    targets = {"/api/a": "HIT", "/x": "HIT", "/y": "BYPASS", "/api/b/live": "BYPASS"}
    for target, x_cache in targets.items():
        asked(app, target)
        assert asked(app, target).x_cache == x_cache


def test_large_bodies_are_not_stored(cache: ClockedCache) -> None:
    app = CacheMiddleware(Origin(body="12345"), cache, max_body=5)
    asked(app, "/five")
    assert asked(app, "/five").x_cache == "HIT"
    app = CacheMiddleware(Origin(body="123456"), cache, max_body=5)
    assert [asked(app, "/six").body for _ in range(2)] == [b"123456"] * 2
    assert asked(app, "/six").x_cache == "MISS"


def test_hop_by_hop_headers_are_not_stored(cache: ClockedCache) -> None:
    origin = Origin(
        {
            "Connection": "close, X-Hop",
            "X-Hop": "1",
            "Keep-Alive": "timeout=5",
            "Transfer-Encoding": "chunked",
            "X-Stays": "1",
        }
    )
    app = CacheMiddleware(origin, cache)
    assert asked(app).headers["x-hop"] == "1"
    assert set(asked(app).headers) == {"x-stays", "etag", "content-length", "age", "x-cache"}


def test_the_label_of_a_cache_before_is_replaced(cache: ClockedCache) -> None:
    app = CacheMiddleware(Origin({"X-Cache": "HIT from cdn"}), cache, exclude=["/b"])
    for target, x_cache in (("/a", b"MISS"), ("/a", b"HIT"), ("/b", b"BYPASS")):
        headers = asked(app, target).messages[0]["headers"]
        assert [value for name, value in headers if name == b"x-cache"] == [x_cache]


def test_what_is_stored_is_an_object(cache: ClockedCache, clock: list[float]) -> None:
    asked(CacheMiddleware(Origin({"X-A": "1", "ETag": '"e"'}), cache), "/a")
    assert cache.get("http:http://a.test/a") == {
        "status": 200,
        "headers": [[b"x-a", b"1"], [b"etag", b'"e"'], [b"content-length", b"6"]],
        "body": b"call 1",
        "time": clock[0],
        "expires": clock[0] + 3600,
    }


@pytest.mark.parametrize("value", [1, "text", [], {"status": 200}, {"vary": 3}, {"body": "x"}])
def test_what_is_no_response_is_a_miss(cache: ClockedCache, value: Any) -> None:
    app = CacheMiddleware(Origin(), cache)
    cache.set("http:http://a.test/", value)
    assert [asked(app).x_cache for _ in range(2)] == ["MISS", "HIT"]


def test_a_cache_that_fails_breaks_no_response(
    cache: ClockedCache, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(*args: Any, **named: Any) -> None:
        raise vcache.errors.RedisError("secret text")

    app = CacheMiddleware(Origin(), cache, key=lambda scope: CacheKey("k", tags=["t"]))
    monkeypatch.setattr(cache, "aget", fail)
    monkeypatch.setattr(cache._on_loop, "core", fail)
    with caplog.at_level(logging.WARNING, "vcache"):
        assert [asked(app).body for _ in range(3)] == [b"call 1", b"call 2", b"call 3"]
    assert caplog.text.count("failed with RedisError") == 1
    assert "secret" not in caplog.text


def test_a_closed_cache_breaks_no_response() -> None:
    cache = ClockedCache()
    app = CacheMiddleware(Origin(), cache)
    cache.close()
    assert [asked(app).status for _ in range(2)] == [200, 200]


def test_a_response_that_is_made_while_its_key_is_deleted_is_not_stored(
    cache: ClockedCache,
) -> None:
    for end in (
        lambda: cache.delete("http:http://a.test/"),
        lambda: cache.invalidate("http:*"),
        lambda: cache.invalidate_tags("t"),
        cache.clear,
    ):

        async def origin(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            end()  # noqa: B023
            await send({"type": "http.response.body", "body": b"old"})

        key = lambda scope: CacheKey(by_path(scope), tags=["t"])  # noqa: E731
        assert asked(CacheMiddleware(origin, cache, key=key)).body == b"old"
        assert asked(CacheMiddleware(Origin(), cache, key=key)).body == b"call 1"
        cache.clear()


def test_lifespan_and_websockets_pass_through(cache: ClockedCache) -> None:
    seen: list[Any] = []

    async def origin(*args: Any) -> None:
        seen.append(args)

    async def main() -> None:
        for kind in ("lifespan", "websocket"):
            given = {"type": kind}, object(), object()
            await CacheMiddleware(origin, cache)(*given)  # type: ignore[arg-type]
            assert all(a is b for a, b in zip(seen.pop(), given, strict=True))

    run(main)


def test_hosts_and_schemes_have_responses_of_their_own(cache: ClockedCache) -> None:
    app = CacheMiddleware(Origin(), cache)
    others = [{}, {"scheme": "https"}, {"host": "b.test"}, {"host": ""}]
    for call, other in enumerate(others, start=1):
        assert asked(app, **other).body == f"call {call}".encode()
    assert asked(app, host="A.Test").body == b"call 1"


@pytest.mark.parametrize(
    ("named", "kind", "text"),
    [
        ({"cache": {}}, TypeError, "cache={}"),
        ({"key": "path"}, TypeError, "key='path'"),
        ({"methods": ["POST"]}, ConfigError, "methods=['POST']: allowed are GET, HEAD or both"),
        ({"methods": []}, ConfigError, "methods=[]"),
        ({"include": "/a"}, TypeError, "include='/a'"),
        ({"exclude": [1]}, TypeError, "exclude: 1 is of type int"),
        ({"ttl": 0}, ValueError, "ttl=0"),
        ({"wait": 0}, ValueError, "wait=0"),
        ({"max_body": "2GiB"}, ValueError, "max_body='2GiB'"),
        ({"key_prefix": "a:b"}, ConfigError, "key_prefix='a:b'"),
        ({"token": " "}, ConfigError, "token: allowed"),
        ({"token": 7}, TypeError, "token of type int"),
        ({"invalidate_path": "x"}, ConfigError, "invalidate_path='x'"),
    ],
)
def test_wrong_arguments_are_named(
    cache: ClockedCache, named: dict[str, Any], kind: type[Exception], text: str
) -> None:
    with pytest.raises(kind, match="allowed") as raised:
        CacheMiddleware(Origin(), **({"cache": cache} | named))
    assert str(raised.value).startswith(text)
