"""Responses that come in parts, and clients who are slow or leave."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from asgi_calls import Answer, Gated, Message, ask, run, scope_of, turn, until
from clocked import ClockedCache

from vcache.http import CacheMiddleware


def test_parts_go_on_at_once(cache: ClockedCache) -> None:
    origin, answer = Gated(), Answer()
    app = CacheMiddleware(origin, cache)

    async def main() -> None:
        request = asyncio.ensure_future(ask(app, answer=answer))
        origin.part(1).set()
        await until(lambda: len(answer.messages) == 2)
        assert (answer.body, answer.is_whole) == (b"1.1 ", False)
        assert cache.stats().entries == 0
        origin.open()
        await request
        assert (await ask(app)).x_cache == "HIT"

    run(main)
    assert answer.body == b"1.1 1.2 "


def test_parts_that_are_made_without_a_pause_go_on_at_once(cache: ClockedCache) -> None:
    answer, seen = Answer(), list[int]()

    async def origin(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for number in range(3):
            seen.append(len(answer.messages))
            more = number < 2
            await send({"type": "http.response.body", "body": b"part", "more_body": more})

    run(lambda: ask(CacheMiddleware(origin, cache), answer=answer))
    assert seen == [1, 2, 3]


def test_what_is_not_stored_is_made_no_faster_than_it_is_taken(cache: ClockedCache) -> None:
    origin, gate, taken = Gated({"Cache-Control": "no-store"}), asyncio.Event(), list[str]()
    passed: list[str] = []

    async def noting(scope: Any, receive: Any, send: Any) -> None:
        async def noted(message: Message) -> None:
            await send(message)
            passed.append(message["type"])

        await origin(scope, receive, noted)

    async def slow(message: Message) -> None:
        taken.append(message["type"])
        await gate.wait()

    async def main() -> None:
        origin.open()
        app = CacheMiddleware(noting, cache)
        request = asyncio.ensure_future(app(scope_of("/"), asyncio.Event().wait, slow))  # type: ignore
        await until(lambda: bool(taken))
        for _ in range(50):  # turns of the loop
            await turn()
        assert (len(taken), passed) == (1, [])
        gate.set()
        await request

    run(main)
    assert len(passed) == 3


def test_a_body_that_breaks_off_is_not_stored(cache: ClockedCache) -> None:
    calls: list[int] = []

    async def origin(scope: Any, receive: Any, send: Any) -> None:
        calls.append(1)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})

    app = CacheMiddleware(origin, cache)

    async def main() -> list[Answer]:
        return await asyncio.gather(*[ask(app) for _ in range(2)])

    assert [answer.body for answer in run(main)] == [b"half", b"half"]
    assert (len(calls), cache.stats().entries) == (2, 0)


@pytest.mark.parametrize("kind", ["http.response.pathsend", "http.response.trailers"])
def test_bodies_that_go_another_way_are_not_stored(cache: ClockedCache, kind: str) -> None:
    async def origin(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": kind, "path": "/file", "body": b""})

    app, answer = CacheMiddleware(origin, cache), Answer()
    run(lambda: ask(app, answer=answer))
    assert [message["type"] for message in answer.messages] == ["http.response.start", kind]
    assert cache.stats().entries == 0


def test_a_client_who_leaves_does_not_end_the_call_for_others(cache: ClockedCache) -> None:
    """The application hears of it only when nobody waits for its response."""
    origin, answer = Gated(), Answer()
    heard: list[str] = []

    async def listening(scope: Any, receive: Any, send: Any) -> None:
        listener = asyncio.ensure_future(receive())
        serving = asyncio.ensure_future(origin(scope, receive, send))
        await asyncio.wait([listener, serving], return_when=asyncio.FIRST_COMPLETED)
        if not serving.done():
            heard.append(listener.result()["type"])
        serving.cancel()
        listener.cancel()

    app = CacheMiddleware(listening, cache)
    left = asyncio.Event()

    async def receive() -> Message:
        await left.wait()
        return {"type": "http.disconnect"}

    async def main() -> Answer:
        first = asyncio.ensure_future(ask(app, receive=receive, answer=answer))
        await until(lambda: origin.calls == 1)
        second = asyncio.ensure_future(ask(app, receive=asyncio.Event().wait))  # type: ignore
        await until(lambda: cache.stats().coalesced == 1)
        left.set()
        origin.open()
        await first
        return await second

    assert (run(main).body, origin.calls, heard) == (b"1.1 1.2 ", 1, [])


def test_a_client_who_takes_nothing_holds_up_nobody(cache: ClockedCache) -> None:
    origin = Gated()
    app = CacheMiddleware(origin, cache)
    never = asyncio.Event()

    async def stuck(message: Message) -> None:
        await never.wait()

    async def main() -> Answer:
        first = asyncio.ensure_future(app(scope_of("/"), asyncio.Event().wait, stuck))  # type: ignore
        await until(lambda: origin.calls == 1)
        second = asyncio.ensure_future(ask(app))
        await until(lambda: cache.stats().coalesced == 1)
        origin.open()
        answer = await second
        assert not first.done()
        first.cancel()
        await asyncio.wait([first])
        assert first.cancelled()
        return answer

    assert (run(main).x_cache, origin.calls) == ("HIT", 1)


def test_a_connection_that_fails_does_not_keep_a_response_from_being_stored(
    cache: ClockedCache,
) -> None:
    origin = Gated()
    app = CacheMiddleware(origin, cache)

    async def broken(message: Message) -> None:
        raise ConnectionResetError("gone")

    async def main() -> Answer:
        origin.open()
        with pytest.raises(ConnectionResetError):
            await app(scope_of("/"), asyncio.Event().wait, broken)  # type: ignore[arg-type]
        return await ask(app)

    assert (run(main).x_cache, origin.calls) == ("HIT", 1)


def test_what_was_sent_before_an_error_reaches_the_client(cache: ClockedCache) -> None:
    """Such as one of a task that goes on after the response."""
    taken: list[Message] = []

    async def origin(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"whole"})
        raise LookupError("afterwards")

    async def slow(message: Message) -> None:
        for _ in range(5):
            await turn()
        taken.append(message)

    async def main() -> Answer:
        app = CacheMiddleware(origin, cache)
        with pytest.raises(LookupError, match="afterwards"):
            await app(scope_of("/"), asyncio.Event().wait, slow)  # type: ignore[arg-type]
        return await ask(app)

    assert run(main).x_cache == "HIT"
    assert [message.get("body") for message in taken] == [None, b"whole"]
