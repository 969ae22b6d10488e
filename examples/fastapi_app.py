"""A FastAPI application whose pages are cached until they change.

    python examples/fastapi_app.py
    uvicorn --app-dir examples fastapi_app:app      # to ask it yourself

Needs fastapi, uvicorn and httpx. The first form serves the application on a free port and asks it.
You will see what X-Cache says, how long pages take, that twenty clients who ask for a page at once
make one computation, and that a page that was changed, or invalidated by an operator, is made anew.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI, HTTPException
from passages import PASSAGES

import vcache
from vcache.http import CacheKey, CacheMiddleware

CLIENTS, SECONDS = 20, 0.1
TOKEN = os.environ.get("CACHE_TOKEN", "a token for this example")

cache = vcache.Cache(memory="64MiB")
passages = dict(PASSAGES)
calls = 0


def page_key(scope: Any) -> CacheKey:
    """The path is the name of a page; its last part, the passage, is what ends it."""
    path = scope["path"]
    return CacheKey(path, tags=[f"passage:{path.rpartition('/')[2]}"])


app = FastAPI()
app.add_middleware(
    CacheMiddleware, cache=cache, ttl="1m", key=page_key, include=["/passages/*"], token=TOKEN
)


@app.get("/passages/{name}")
async def read(name: str) -> dict[str, str]:
    global calls
    calls += 1
    await asyncio.sleep(SECONDS)  # a database would be asked here
    if name not in passages:
        raise HTTPException(404, f"no passage {name}")
    return {"name": name, "text": passages[name]}


@app.put("/passages/{name}")
async def write(name: str, text: str) -> None:
    passages[name] = text
    await cache.ainvalidate_tags(f"passage:{name}")


def ask(client: httpx.Client) -> bool:
    """What the docstring promises, as a client sees it; whether all of it held."""

    def get(name: str, words: str) -> httpx.Response:
        start = time.perf_counter()
        response = client.get(f"/passages/{name}")
        taken = (time.perf_counter() - start) * 1000
        print(f"{words:<32} {response.headers['x-cache']:<4} {taken:8.2f} ms  {response.text}")
        return response

    def invalidate(token: str) -> httpx.Response:
        response = client.post(
            "/api/cache/invalidate",
            json={"pattern": "http:/passages/*"},
            headers={"Authorization": f"Bearer {token}"},
        )
        print(f"POST /api/cache/invalidate       {response.status_code}  {response.text}")
        return response

    seen = [get("open", "first time"), get("open", "again")]
    with ThreadPoolExecutor(CLIENTS) as pool:
        pages = list(pool.map(lambda _: client.get("/passages/sqrt").text, range(CLIENTS)))
    print(f"{CLIENTS} clients at once: {len(set(pages))} answer, computed {calls - 1} time")
    right = (len(set(pages)), calls) == (1, 2)
    client.put("/passages/open", params={"text": "another text"}).raise_for_status()
    seen += [get("open", "after it was changed"), get("open", "again")]
    refused, done = invalidate("a guess"), invalidate(TOKEN)
    seen.append(get("open", "after it was invalidated"))
    right &= [page.headers["x-cache"] for page in seen] == ["MISS", "HIT", "MISS", "HIT", "MISS"]
    right &= [page.json()["text"] for page in seen] == [PASSAGES["open"]] * 2 + ["another text"] * 3
    return right and refused.status_code == 401 and done.json() == {"invalidated": 2}


def main() -> None:
    listening = socket.socket(proto=socket.IPPROTO_TCP)  # else asyncio leaves Nagle's delay on
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}") as client:
            if not ask(client):
                sys.exit("wrong: a page or what X-Cache says of it is not what it should be")
    finally:
        server.should_exit = True
        thread.join()


if __name__ == "__main__":
    main()
