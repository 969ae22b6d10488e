"""The HTTP middleware against a FastAPI route that has the same bytes in a dict."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI
from harness import Check, Outcome, Round, Timing, compete, expect, quiet
from pydantic import BaseModel

import vcache
from vcache.http import CacheMiddleware

REQUESTS, RESULTS = 2000, 10
ROUTE = "/search"

App = Callable[[Any, Any, Any], Awaitable[None]]


class Found(BaseModel):
    id: str
    score: float
    text: str


class Page(BaseModel):
    query: str
    results: list[Found]


def hit(rounds: int) -> Outcome:
    """A GET answered by the middleware, and by the route below it, both called in this process."""
    route = _route()
    cache = vcache.Cache()
    cached = CacheMiddleware(route, cache)
    wanted, label = asyncio.run(_answer(route))
    expect(len(wanted) > 500 and label is None, "the route alone")
    expect(asyncio.run(_answer(cached)) == (wanted, b"MISS"), "the first answer of the middleware")
    expect(asyncio.run(_answer(cached)) == (wanted, b"HIT"), "the second answer of the middleware")
    best = compete({"vcache": _requests(cached), "FastAPI": _requests(route)}, rounds)
    expect(cache.stats().misses == 1, "misses among hits")
    rates = {f"{name} (requests a second)": 1 / seconds for name, seconds in best.items()}
    check = Check("FastAPI route returning a dict", best["FastAPI"] / best["vcache"], 3.0)
    return Outcome([check], best | rates)


def _route() -> App:
    page = {
        "query": "gpu",
        "results": [
            {"id": f"doc:{number}", "score": 1 / (number + 1), "text": "passage of a text " * 4}
            for number in range(RESULTS)
        ],
    }
    stored = {"gpu": page}
    app = FastAPI()

    @app.get(ROUTE, response_model=Page)
    async def search(q: str, top_k: int = 10) -> dict[str, Any]:
        return stored[q]

    return app


def _scope() -> dict[str, Any]:
    """A request as a server hands it over; the application writes to it."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": ROUTE,
        "raw_path": ROUTE.encode(),
        "query_string": b"top_k=10&q=gpu",
        "root_path": "",
        "headers": [
            (b"host", b"127.0.0.1:8000"),
            (b"accept", b"*/*"),
            (b"accept-encoding", b"gzip, deflate"),
            (b"connection", b"keep-alive"),
            (b"user-agent", b"bench"),
        ],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8000),
        "state": {},
    }


async def _receive() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _answer(app: App) -> tuple[bytes, bytes | None]:
    """The body, and what X-Cache says."""
    messages: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        messages.append(message)

    await app(_scope(), _receive, send)
    expect(messages[0]["status"] == 200, "status of an answer")
    body = b"".join(message.get("body", b"") for message in messages[1:])
    return body, dict(messages[0]["headers"]).get(b"x-cache")


def _requests(app: App) -> Round:
    async def send(message: dict[str, Any]) -> None:
        pass

    async def nothing(scope: Any, receive: Any, send: Any) -> None:
        pass

    async def timed(called: App) -> float:
        scopes = [_scope() for _ in range(REQUESTS)]
        with quiet():
            start = time.thread_time()
            for scope in scopes:
                await called(scope, _receive, send)
            return (time.thread_time() - start) / REQUESTS

    return lambda: Timing(asyncio.run(timed(app)), asyncio.run(timed(nothing)))
