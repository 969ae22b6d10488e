"""Cache-Control, Expires, Vary and conditional requests through the middleware."""

from __future__ import annotations

from email.utils import formatdate
from typing import Any

import pytest
from asgi_calls import Origin, asked
from clocked import ClockedCache

from vcache.http import CacheMiddleware

START = 1_700_000_000.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time of the middleware."""
    now = [START]
    monkeypatch.setattr("vcache.http._response.time.time", lambda: now[0])
    return now


def date(seconds: float) -> str:
    return formatdate(START + seconds, usegmt=True)


@pytest.mark.parametrize(
    "headers",
    [
        {"Cache-Control": "no-store"},
        {"Cache-Control": "private, max-age=60"},
        {"Cache-Control": "No-Cache"},
        {"Cache-Control": 'no-cache="set-cookie, x", max-age=60'},
        {"Cache-Control": "max-age=0"},
        {"Cache-Control": "max-age=60, s-maxage=0"},
        {"Cache-Control": "max-age=soon"},
        {"Cache-Control": 'max-age="0"'},
        {"Cache-Control": "max-age=60", "Age": "60"},
        {"Expires": "0"},
        {"Expires": date(-1)},
        {"Expires": date(60), "Date": date(61)},
        {"Vary": "*"},
        {"Vary": "Accept, *"},
        {"Content-Type": "text/event-stream; charset=utf-8"},
    ],
)
def test_responses_that_are_not_stored(
    cache: ClockedCache, clock: list[float], headers: dict[str, str]
) -> None:
    app = CacheMiddleware(Origin(headers), cache)
    assert [asked(app).x_cache for _ in range(3)] == ["MISS"] * 3
    assert cache.stats().entries == 0


def test_directives_in_headers_of_their_own_count(cache: ClockedCache) -> None:
    several = [("Cache-Control", "max-age=60"), ("Cache-Control", "no-store")]
    app = CacheMiddleware(Origin(several), cache)
    assert [asked(app).x_cache for _ in range(2)] == ["MISS", "MISS"]


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 20),
        ({"Cache-Control": "public"}, 20),
        ({"Cache-Control": "max-age=60"}, 60),
        ({"Cache-Control": "max-age=60, s-maxage=10"}, 10),
        ({"Cache-Control": "max-age=60", "Expires": date(5)}, 60),
        ({"Cache-Control": 'max-age="30", must-revalidate'}, 30),
        ({"Cache-Control": "max-age=60", "Age": "45"}, 15),
        ({"Expires": date(40)}, 40),
        ({"Expires": date(140), "Date": date(100)}, 40),
    ],
)
def test_for_how_long_responses_are_served(
    cache: ClockedCache, clock: list[float], headers: dict[str, str], seconds: int
) -> None:
    app = CacheMiddleware(Origin(headers), cache, ttl=20)
    asked(app)
    cache.clock.advance(seconds - 1)
    assert asked(app).x_cache == "HIT"
    cache.clock.advance(2)
    assert asked(app).x_cache == "MISS"


def test_an_age_from_another_cache_counts(cache: ClockedCache, clock: list[float]) -> None:
    app = CacheMiddleware(Origin({"Age": "45"}), cache)
    asked(app)
    clock[0] += 3
    assert asked(app).headers["age"] == "48"


def test_a_request_may_refuse_to_be_stored(cache: ClockedCache) -> None:
    app = CacheMiddleware(Origin(), cache)
    assert asked(app, headers={"Cache-Control": "no-store"}).x_cache == "BYPASS"
    assert cache.stats().entries == 0


@pytest.mark.parametrize(
    "headers",
    [{"Cache-Control": "no-cache"}, {"Cache-Control": "max-age=0"}, {"Pragma": "no-cache"}],
)
def test_a_request_may_ask_for_a_new_response(cache: ClockedCache, headers: dict[str, str]) -> None:
    app = CacheMiddleware(Origin(), cache)
    asked(app)
    answer = asked(app, headers=headers)
    assert (answer.body, answer.x_cache) == (b"call 2", "MISS")
    assert asked(app).body == b"call 2"


def test_a_request_says_how_old_a_response_may_be(cache: ClockedCache, clock: list[float]) -> None:
    app = CacheMiddleware(Origin(), cache)
    asked(app)
    clock[0] += 10
    assert asked(app, headers={"Cache-Control": "max-age=10"}).x_cache == "HIT"
    assert asked(app, headers={"Cache-Control": "max-age=9"}).body == b"call 2"
    assert asked(app).body == b"call 2"


def test_only_if_cached(cache: ClockedCache) -> None:
    app = CacheMiddleware(origin := Origin(), cache)
    wanted = {"Cache-Control": "only-if-cached"}
    missed = asked(app, headers=wanted)
    assert (missed.status, missed.x_cache, origin.calls) == (504, "MISS", 0)
    asked(app)
    assert asked(app, headers=wanted).x_cache == "HIT"
    both = {"Cache-Control": "only-if-cached, no-cache"}
    assert (asked(app, headers=both).status, origin.calls) == (504, 1)


def test_responses_vary_by_headers(cache: ClockedCache) -> None:
    app = CacheMiddleware(origin := Origin({"Vary": "Accept, X-B"}), cache)
    variants: list[Any] = [{}, {"Accept": "a"}, {"Accept": ""}, {"X-B": "a"}, {"Accept": "a,X-B=a"}]
    for call, headers in enumerate(variants, start=1):
        assert asked(app, headers=headers).body == f"call {call}".encode()
    for call, headers in enumerate(variants, start=1):
        answer = asked(app, headers={"X-Other": "1"} | headers)
        assert (answer.body, answer.x_cache) == (f"call {call}".encode(), "HIT")
    assert origin.calls == len(variants)


def test_deleting_a_key_removes_all_its_variants(cache: ClockedCache) -> None:
    app = CacheMiddleware(Origin({"Vary": "Accept"}), cache)
    for accept in "abc":
        asked(app, headers={"Accept": accept})
    assert cache.delete("http:http://a.test/")
    assert asked(app, headers={"Accept": "a"}).body == b"call 4"
    assert asked(app, headers={"Accept": "b"}).body == b"call 5"
    assert asked(app, headers={"Accept": "a"}).body == b"call 4"


def test_what_responses_vary_by_may_change(cache: ClockedCache) -> None:
    origin = Origin({"Vary": "Accept"})
    app = CacheMiddleware(origin, cache)
    asked(app, headers={"Accept": "a"})
    origin.headers = {"Vary": "X-B"}
    asked(app, headers={"Accept": "b", "X-B": "1"})
    assert asked(app, headers={"Accept": "c", "X-B": "1"}).body == b"call 2"
    origin.headers = {}
    asked(app, headers={"X-B": "2"})
    assert asked(app, headers={"X-B": "3"}).body == b"call 3"


def test_an_etag_is_answered_with_304(cache: ClockedCache) -> None:
    origin = Origin({"ETag": '"one"', "Content-Type": "text/plain", "Cache-Control": "max-age=60"})
    app = CacheMiddleware(origin, cache)
    for known in ('"one"', 'W/"one"', '"a", W/"b,c", "one"', "*"):
        for method in ("GET", "HEAD"):
            answer = asked(app, "/", method, {"If-None-Match": known})
            assert (answer.status, answer.body, origin.calls) == (304, b"", 1)
            assert answer.headers["etag"] == '"one"'
            assert "content-type" not in answer.headers
            assert "content-length" not in answer.headers
    assert asked(app).body == b"call 1"
    changed = asked(app, headers={"If-None-Match": '"two"'})
    assert (changed.status, changed.body) == (200, b"call 1")


def test_the_application_does_not_see_conditions(cache: ClockedCache) -> None:
    """So that what it answers is a whole response, which serves others too."""
    app = CacheMiddleware(origin := Origin({"ETag": '"one"'}), cache)
    answer = asked(app, headers={"If-None-Match": '"two"', "If-Modified-Since": date(0)})
    assert (answer.status, answer.x_cache) == (200, "MISS")
    assert [name for name, _ in origin.scopes[0]["headers"]] == [b"host"]


def test_a_miss_may_be_a_304_and_is_stored_whole(cache: ClockedCache) -> None:
    app = CacheMiddleware(Origin({"ETag": '"one"'}), cache)
    answer = asked(app, headers={"If-None-Match": '"one"'})
    assert (answer.status, answer.body, answer.x_cache) == (304, b"", "MISS")
    assert answer.is_whole
    assert (asked(app).body, asked(app).x_cache) == (b"call 1", "HIT")


def test_responses_without_an_etag_get_one(cache: ClockedCache) -> None:
    app = CacheMiddleware(Origin(), cache)
    asked(app, "/a")
    tag = asked(app, "/a").headers["etag"]
    assert tag.startswith('W/"')
    assert asked(app, "/a", headers={"If-None-Match": tag}).status == 304
    asked(app, "/b")
    assert asked(app, "/b").headers["etag"] != tag


def test_if_modified_since(cache: ClockedCache) -> None:
    app = CacheMiddleware(Origin({"Last-Modified": date(-100)}), cache)
    asked(app)
    for seconds, status in ((-101, 200), (-100, 304), (0, 304)):
        assert asked(app, headers={"If-Modified-Since": date(seconds)}).status == status
    assert asked(app, headers={"If-Modified-Since": "yesterday"}).status == 200
    both = {"If-Modified-Since": date(0), "If-None-Match": '"other"'}
    assert asked(app, headers=both).status == 200
