"""The middleware: which requests are answered from the cache, and who calls the application."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from time import perf_counter
from typing import NamedTuple

from .._arguments import Ttl, callable_argument, ttl_argument
from .._core import DEFAULT, TieredCache
from ..cache import Cache
from ..durations import Duration, parse_duration
from ..sizes import Size
from ._asgi import App, Headers, Receive, Scope, Send, header_map, labelled
from ._control import Wants, is_plain, wants_of
from ._endpoint import Endpoint
from ._flight import Flight, Next, Outbox
from ._keys import KeyBuilder, Keyed, by_path, keyed, whole_key
from ._options import (
    body_argument,
    cache_argument,
    methods_argument,
    path_argument,
    patterns_argument,
    prefix_argument,
    token_argument,
)
from ._recorder import Made, Recorder, Rules
from ._response import Response
from ._shelf import Failures, Place, Shelf

__all__ = ["CacheMiddleware"]

_ROUNDS = 3  # looks for a response, each after one that was under way did not fit
_REMEMBERED = 1024  # keys whose responses may not be stored
_CONDITIONS = frozenset([b"if-none-match", b"if-modified-since"])

_FlightKey = tuple[asyncio.AbstractEventLoop, str]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that may be answered from the cache."""

    key: str
    covers: frozenset[bytes]
    tags: tuple[bytes, ...]
    headers: Headers
    wants: Wants
    is_head: bool


class Call(NamedTuple):
    """A request as it came."""

    scope: Scope
    receive: Receive
    send: Send


class UnderWay(NamedTuple):
    """A response that others may wait for, and where it will be."""

    flight: Flight
    place: Place


class CacheMiddleware:
    """Answers GET requests to an ASGI application from a cache, and HEAD from what GET stored.

    app: the application. Nothing of it but its responses counts, so any framework may be below.
    cache: where responses are kept.
    ttl: time to live of responses that do not say it; those with Cache-Control s-maxage or max-age,
        or with Expires, are kept that long. Of ones with tags it is the longest.
    key: a builder of keys, called with the scope: by_path unless given, by_headers(…), or a
        function of yours. What it returns None for passes by the cache.
    methods: "GET", "HEAD" or both.
    include, exclude: glob patterns of paths, as invalidate() takes them for keys: what one of the
        first and none of the second takes is cached.
    max_body: responses with a longer body are not stored.
    wait: the longest that a request waits for the response to another of its key.
    key_prefix: keys are KEY_PREFIX:NAME, so that is the group in stats(), and
        `cache.invalidate("http:*/search*")` takes the responses to a path.
    token, invalidate_path: with a token, POST of {"pattern": …} or {"tags": […]} to that path
        with it as bearer token removes what is cached.

    Stored are responses 2xx but 206 that are complete. Not stored are those with Set-Cookie, with
    Cache-Control no-store, private or no-cache, or Vary: *. Vary is heeded for other headers.
    Requests with Authorization or Cookie pass by the cache, unless the key builder says that its
    key covers these; so do those with Cache-Control: no-store, a Range or a body. no-cache, max-age
    and only-if-cached of a request are heeded. All responses say HIT, MISS or BYPASS in X-Cache,
    those from the cache their Age; If-None-Match and If-Modified-Since get a 304 where they can.

    The application is called once for requests of one key that come while it is at work; the others
    get its response if it can be stored, whatever becomes of the client of the first. Its response
    goes on to that client as it comes. Where the cache fails, the application answers.
    """

    def __init__(
        self,
        app: App,
        cache: Cache,
        *,
        ttl: Ttl = DEFAULT,
        key: KeyBuilder = by_path,
        methods: Collection[str] = ("GET", "HEAD"),
        include: Iterable[str] = ("*",),
        exclude: Iterable[str] = (),
        max_body: Size = "1MiB",
        wait: Duration = 30.0,
        key_prefix: str = "http",
        token: str | bytes | None = None,
        invalidate_path: str = "/api/cache/invalidate",
    ) -> None:
        self.app = app
        self._build_key = callable_argument(key, "key")
        self._methods = methods_argument(methods)
        self._include = patterns_argument(include, "include")
        self._exclude = patterns_argument(exclude, "exclude")
        self._wait = parse_duration(wait, "wait")
        self._prefix = prefix_argument(key_prefix)
        self._digest = cache_argument(cache)._digest
        default = ttl_argument(ttl)
        default = cache._config.ttl if default is DEFAULT else default
        self._rules = Rules(default, body_argument(max_body))
        self._failures = Failures()
        self._shelf = Shelf(cache, default, self._failures)
        self._flights: dict[_FlightKey, UnderWay] = {}
        self._unstorable: dict[str, None] = {}  # keys of late
        self._invalidate_path = path_argument(invalidate_path)
        known = token_argument(token)
        self._endpoint = None if known is None else Endpoint(cache, known)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif self._endpoint is not None and scope["path"] == self._invalidate_path:
            await self._endpoint(scope, receive, send)
        elif (asked := self._asked(scope)) is None:
            await self.app(scope, receive, labelled(send, b"BYPASS"))
        else:
            await self._answer(asked, Call(scope, receive, send))

    def _asked(self, scope: Scope) -> Asked | None:
        """What is asked of the cache; None: nothing."""
        if scope["method"] not in self._methods or not self._takes(scope["path"]):
            return None
        headers = header_map(scope["headers"])
        wants = wants_of(headers)
        if not wants.may_store or not is_plain(headers):
            return None
        try:
            built = keyed(self._build_key(scope))
            if built is None or _is_personal(headers, built):
                return None
            key = whole_key(self._prefix, built.name, self._digest)
        except Exception as error:
            self._failures.note("the key builder", error)
            return None
        return Asked(key, built.covers, built.tags, headers, wants, scope["method"] == "HEAD")

    def _takes(self, path: str) -> bool:
        if self._include == [b"*"] and not self._exclude:
            return True
        name, matches = path.encode(errors="surrogatepass"), TieredCache.matches_glob
        return any(matches(pattern, name) for pattern in self._include) and not any(
            matches(pattern, name) for pattern in self._exclude
        )

    async def _answer(self, asked: Asked, call: Call) -> None:
        for _ in range(_ROUNDS):
            place = await self._shelf.find(asked.key, asked.tags, asked.headers)
            stored = place.response
            if stored is not None and asked.wants.takes(stored.age()):
                return await stored.send(call.send, asked.headers, head=asked.is_head)
            if asked.wants.only_stored:
                return await _send_not_stored(call.send)
            if asked.is_head:
                return await self.app(call.scope, call.receive, labelled(call.send, b"MISS"))
            if asked.wants.max_age == 0 or asked.key in self._unstorable:
                break
            named = asyncio.get_running_loop(), place.key
            under_way = self._flights.get(named)
            if under_way is None or self._shelf.is_outdated(under_way.place):
                return await self._lead(named, place, asked, call)
            self._shelf.count_coalesced()
            outcome = await under_way.flight.join(asked.headers, self._wait)
            if isinstance(outcome, Response):
                return await outcome.send(call.send, asked.headers, head=False)
            if outcome is Next.ALONE:
                break
        return await self._make(Flight(asked.headers), place, asked, call, _nothing)

    async def _lead(self, named: _FlightKey, place: Place, asked: Asked, call: Call) -> None:
        """As _make(), and others may wait for the response."""
        flight = Flight(asked.headers)
        under_way = self._flights[named] = UnderWay(flight, place)

        def forget() -> None:
            if self._flights.get(named) is under_way:
                del self._flights[named]

        try:
            await self._make(flight, place, asked, call, forget)
        finally:
            flight.abandon()
            forget()

    async def _make(
        self, flight: Flight, place: Place, asked: Asked, call: Call, on_end: Callable[[], None]
    ) -> None:
        """Has the application answer, and stores that if it may be.

        `on_end` is called when it is stored, or turns out not to be: nobody is to join it then.
        """
        started, outbox = perf_counter(), Outbox(call.send)

        async def keep(made: Made) -> None:
            self._unstorable.pop(asked.key, None)
            flight.end(made.response, made.vary)
            seconds = perf_counter() - started
            await self._shelf.keep(place, made, asked.headers, seconds)
            on_end()

        def give_up(by_response: bool) -> None:
            flight.end(None, [])
            on_end()
            if by_response:
                self._note_unstorable(asked.key)

        recorder = Recorder(self._rules, outbox, asked.headers, asked.covers, keep, give_up)
        scope, receive = _unconditional(call.scope), flight.shielded(call.receive)
        try:
            with self._shelf.watching(place):
                await self._shelf.begin(place)
                await self.app(scope, receive, recorder.send)
            recorder.close()
            await outbox.emptied()
        except Exception:
            recorder.close()
            with suppress(Exception):  # what was sent before the error reaches the client
                await outbox.emptied()
            raise
        finally:
            outbox.close()

    def _note_unstorable(self, key: str) -> None:
        if len(self._unstorable) >= _REMEMBERED:
            self._unstorable.clear()
        self._unstorable[key] = None


def _nothing() -> None:
    """What there is to do at the end of a call that nobody can join."""


def _is_personal(headers: Headers, key: Keyed) -> bool:
    """Whether a request says who sends it, in a way that its key does not cover."""
    return any(name in headers and name not in key.covers for name in (b"authorization", b"cookie"))


def _unconditional(scope: Scope) -> Scope:
    """The scope of a request for the whole response."""
    headers = [pair for pair in scope["headers"] if pair[0].lower() not in _CONDITIONS]
    return scope if len(headers) == len(scope["headers"]) else {**scope, "headers": headers}


async def _send_not_stored(send: Send) -> None:
    body = b"the response is not in the cache\n"
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(body)),
        (b"x-cache", b"MISS"),
    ]
    await send({"type": "http.response.start", "status": 504, "headers": headers})
    await send({"type": "http.response.body", "body": body})
