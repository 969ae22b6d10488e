"""The middleware around applications of Starlette and FastAPI, asked by httpx."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from asgi_calls import run, until
from clocked import ClockedCache
from fastapi import FastAPI, Response
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket

from vcache.http import CacheMiddleware, by_headers


class Item(BaseModel):
    id: int
    name: str


@asynccontextmanager
async def client_of(app: Any) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://a.test") as client:
        yield client


def talk(app: Any, main: Callable[[httpx.AsyncClient], Any]) -> Any:
    async def talked() -> Any:
        async with client_of(app) as client:
            return await main(client)

    return run(talked)


def cached_api(cache: ClockedCache, **options: Any) -> tuple[FastAPI, list[int]]:
    calls: list[int] = []
    app = FastAPI()
    app.add_middleware(CacheMiddleware, cache=cache, **options)

    @app.get("/items/{number}")
    async def item(number: int, response: Response, private: bool = False) -> Item:
        calls.append(number)
        if private:
            response.headers["Cache-Control"] = "private"
        return Item(id=number, name="x")

    return app, calls


def test_a_fastapi_route(cache: ClockedCache) -> None:
    app, calls = cached_api(cache, ttl="5m")

    async def main(client: httpx.AsyncClient) -> None:
        for x_cache in ("MISS", "HIT"):
            answer = await client.get("/items/7", params={"b": "1", "a": "2"})
            assert answer.json() == {"id": 7, "name": "x"}
            assert answer.headers["x-cache"] == x_cache
            assert answer.headers["content-type"] == "application/json"
        assert (await client.get("/items/7?a=2&b=1")).headers["x-cache"] == "HIT"
        known = {"If-None-Match": answer.headers["etag"]}
        assert (await client.get("/items/7?a=2&b=1", headers=known)).status_code == 304
        head = await client.head("/items/7?a=2&b=1")
        assert (head.status_code, head.headers["x-cache"], head.content) == (200, "HIT", b"")
        assert calls == [7]
        assert (await client.get("/items/x")).status_code == 422
        for _ in range(2):
            assert (await client.get("/items/8?private=1")).headers["x-cache"] == "MISS"

    talk(app, main)
    assert calls == [7, 8, 8]


def test_clients_at_once_are_one_call(cache: ClockedCache) -> None:
    calls: list[int] = []

    async def slow(request: Request) -> JSONResponse:
        calls.append(1)
        await until(lambda: cache.stats().coalesced == 15)
        return JSONResponse({"call": len(calls)})

    app = CacheMiddleware(Starlette(routes=[Route("/", slow)]), cache)

    async def main(client: httpx.AsyncClient) -> list[httpx.Response]:
        return await asyncio.gather(*[client.get("/") for _ in range(16)])

    answers = talk(app, main)
    assert [answer.json() for answer in answers] == [{"call": 1}] * 16


def test_responses_of_starlette(cache: ClockedCache, tmp_path: Path) -> None:
    """Streams, files and background tasks."""
    path, done = tmp_path / "file.txt", list[int]()
    path.write_text("a file")

    async def stream(request: Request) -> StreamingResponse:
        return StreamingResponse(iter(["one ", "two"]), media_type="text/plain")

    async def file(request: Request) -> FileResponse:
        return FileResponse(path)

    async def later(request: Request) -> PlainTextResponse:
        return PlainTextResponse("now", background=BackgroundTask(done.append, 1))

    routes = [Route("/stream", stream), Route("/file", file), Route("/later", later)]
    app = CacheMiddleware(Starlette(routes=routes), cache)

    async def main(client: httpx.AsyncClient) -> None:
        wanted = {"/stream": "one two", "/file": "a file", "/later": "now"}
        for target, text in wanted.items():
            for x_cache in ("MISS", "HIT"):
                answer = await client.get(target)
                assert (answer.text, answer.headers["x-cache"]) == (text, x_cache)
        since = (await client.get("/file")).headers["last-modified"]
        unchanged = await client.get("/file", headers={"If-Modified-Since": since})
        assert (unchanged.status_code, unchanged.headers["x-cache"]) == (304, "HIT")
        part = await client.get("/file", headers={"Range": "bytes=2-"})
        assert (part.status_code, part.headers["x-cache"], part.text) == (206, "BYPASS", "file")

    talk(app, main)
    assert done == [1]


def test_middleware_around_and_below(cache: ClockedCache) -> None:
    async def page(request: Request) -> PlainTextResponse:
        return PlainTextResponse("x" * 2000)

    class Stamp(BaseHTTPMiddleware):
        async def dispatch(self, request: Request, call_next: Any) -> Any:
            response = await call_next(request)
            response.headers["X-Stamp"] = "1"
            return response

    below = [
        Middleware(GZipMiddleware),
        Middleware(CORSMiddleware, allow_origins=["http://b.test"]),
    ]
    around = [Middleware(Stamp), Middleware(CacheMiddleware, cache=cache)]
    app = Starlette(routes=[Route("/", page)], middleware=[*around, *below])

    async def main(client: httpx.AsyncClient) -> None:
        for x_cache in ("MISS", "HIT"):
            for encoding in ("gzip", "identity"):
                headers = {"Accept-Encoding": encoding, "Origin": "http://b.test"}
                answer = await client.get("/", headers=headers)
                assert (answer.text, answer.headers["x-cache"]) == ("x" * 2000, x_cache)
                assert answer.headers.get("content-encoding", "identity") == encoding
                assert answer.headers["access-control-allow-origin"] == "http://b.test"
                assert answer.headers["x-stamp"] == "1"

    talk(app, main)


def test_mounted_applications_share_a_cache(cache: ClockedCache) -> None:
    def named(name: str) -> Any:
        async def page(request: Request) -> PlainTextResponse:
            return PlainTextResponse(name)

        return CacheMiddleware(Starlette(routes=[Route("/", page)]), cache)

    app = Starlette(routes=[Mount("/one", named("one")), Mount("/two", named("two"))])

    async def main(client: httpx.AsyncClient) -> None:
        for _ in range(2):
            for name in ("one", "two"):
                assert (await client.get(f"/{name}/")).text == name

    talk(app, main)


def test_each_user_has_responses_of_his_own(cache: ClockedCache) -> None:
    async def who(request: Request) -> PlainTextResponse:
        return PlainTextResponse(request.headers.get("authorization", "nobody"))

    routes = [Route("/", who)]
    app = CacheMiddleware(Starlette(routes=routes), cache, key=by_headers("Authorization"))

    async def main(client: httpx.AsyncClient) -> None:
        for x_cache in ("MISS", "HIT"):
            for user in ("a", "b"):
                answer = await client.get("/", headers={"Authorization": user})
                assert (answer.text, answer.headers["x-cache"]) == (user, x_cache)

    talk(app, main)


def test_lifespan_and_websockets_reach_the_application(cache: ClockedCache) -> None:
    began: list[str] = []

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        began.append("began")
        yield
        began.append("ended")

    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text("hello")
        await websocket.close()

    app = CacheMiddleware(Starlette(routes=[WebSocketRoute("/", socket)], lifespan=lifespan), cache)
    sent: list[dict[str, Any]] = []

    async def exchange(scope: dict[str, Any], *messages: str) -> None:
        left = [{"type": kind} for kind in messages]

        async def receive() -> dict[str, Any]:
            return left.pop(0)

        async def send(message: Any) -> None:
            sent.append(message)

        await app(scope, receive, send)

    async def main() -> None:
        await exchange({"type": "lifespan"}, "lifespan.startup", "lifespan.shutdown")
        scope = {"type": "websocket", "path": "/", "headers": [], "query_string": b""}
        await exchange(scope, "websocket.connect")

    run(main)
    assert began == ["began", "ended"]
    kinds = [message["type"] for message in sent]
    assert kinds[2:] == ["websocket.accept", "websocket.send", "websocket.close"]


def test_no_framework_is_imported() -> None:
    code = (
        "import sys, vcache.http;"
        "print({'fastapi', 'starlette', 'anyio', 'httpx'}.intersection(sys.modules))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"
