"""One call of the application for many requests, and responses that come in parts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from asgi_calls import Answer, Message, ask, pairs, run, scope_of
from clocked import ClockedCache

from vcache.http import CacheKey, CacheMiddleware


class Gated:
    """An application that sends a part of its body for each part() and ends with the last."""

    def __init__(self, headers: Any = (), *, last: int = 2, status: int = 200) -> None:
        self.headers, self.last, self.status = headers, last, status
        self.calls = 0
        self.heard: list[str] = []
        self._parts: list[asyncio.Event] = []

    def part(self, number: int) -> asyncio.Event:
        while len(self._parts) < number:
            self._parts.append(asyncio.Event())
        return self._parts[number - 1]

    def open(self) -> None:
        for number in range(1, self.last + 1):
            self.part(number).set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.calls += 1
        headers, call = pairs(self.headers), self.calls
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        for number in range(1, self.last + 1):
            await self.part(number).wait()
            body, more = b"%d.%d " % (call, number), number < self.last
            await send({"type": "http.response.body", "body": body, "more_body": more})


async def until(condition: Callable[[], bool]) -> None:
    """Lets other coroutines run until the condition holds."""
    while not condition():
        await asyncio.wait([asyncio.ensure_future(_pass())])


async def _pass() -> None:
    pass


def test_many_requests_make_one_call(cache: ClockedCache) -> None:
    origin = Gated()
    app = CacheMiddleware(origin, cache)

    async def main() -> list[Answer]:
        requests = [asyncio.ensure_future(ask(app)) for _ in range(64)]
        await until(lambda: cache.stats().coalesced == 63)
        origin.open()
        return await asyncio.gather(*requests)

    answers = run(main)
    assert origin.calls == 1
    assert {answer.body for answer in answers} == {b"1.1 1.2 "}
    assert [answer.x_cache for answer in answers] == ["MISS"] + ["HIT"] * 63
    assert cache.stats().misses == 64


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


@pytest.mark.parametrize("more", [{"headers": {"Content-Length": "3"}}, {"last": 4}])
def test_what_turns_out_not_to_be_stored_is_not_shared(
    cache: ClockedCache, more: dict[str, Any]
) -> None:
    """One of another length than it says, and one that is too large."""
    origin = Gated(**more)
    app = CacheMiddleware(origin, cache, max_body=10)

    async def main() -> list[Answer]:
        requests = [asyncio.ensure_future(ask(app)) for _ in range(3)]
        await until(lambda: cache.stats().coalesced == 2)
        origin.open()
        return await asyncio.gather(*requests)

    answers = run(main)
    assert origin.calls == 3
    assert len({answer.body for answer in answers}) == 3
    assert {answer.x_cache for answer in answers} == {"MISS"}
    assert cache.stats().entries == 0


@pytest.mark.parametrize("more", [{"status": 500}, {"headers": {"Cache-Control": "private"}}])
def test_nobody_waits_for_the_body_of_what_is_not_stored(
    cache: ClockedCache, more: dict[str, Any]
) -> None:
    origin = Gated(**more)
    app = CacheMiddleware(origin, cache)

    async def main() -> list[Answer]:
        requests = [asyncio.ensure_future(ask(app)) for _ in range(3)]
        await until(lambda: origin.calls == 3)
        origin.open()
        return await asyncio.gather(*requests)

    assert len({answer.body for answer in run(main)}) == 3
    assert cache.stats().entries == 0


def test_requests_for_what_may_not_be_stored_do_not_wait_again(cache: ClockedCache) -> None:
    origin = Gated({"Cache-Control": "no-store"})
    app = CacheMiddleware(origin, cache)

    async def main() -> None:
        first = asyncio.ensure_future(ask(app))
        await until(lambda: origin.calls == 1)
        others = [asyncio.ensure_future(ask(app)) for _ in range(3)]
        await until(lambda: origin.calls == 4)
        origin.open()
        await asyncio.gather(first, *others)

    run(main)
    assert cache.stats().coalesced == 0


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


def test_a_cancelled_request_hands_the_call_to_another(cache: ClockedCache) -> None:
    origin = Gated()
    app = CacheMiddleware(origin, cache)

    async def main() -> list[Answer]:
        first = asyncio.ensure_future(ask(app))
        await until(lambda: origin.calls == 1)
        others = [asyncio.ensure_future(ask(app)) for _ in range(3)]
        await until(lambda: cache.stats().coalesced == 3)
        first.cancel()
        await until(lambda: cache.stats().coalesced == 5)
        origin.open()
        return await asyncio.gather(*others)

    assert {answer.body for answer in run(main)} == {b"2.1 2.2 "}
    assert origin.calls == 2


@pytest.mark.parametrize("how", ["delete", "invalidate", "invalidate_tags", "clear"])
def test_nobody_joins_a_call_that_began_before_its_key_was_removed(
    cache: ClockedCache, how: str
) -> None:
    origin = Gated()
    app = CacheMiddleware(origin, cache, key=lambda scope: CacheKey("k", tags=["t"]))
    arguments = {"delete": ["http:k"], "invalidate": ["http:*"], "invalidate_tags": ["t"]}

    async def main() -> list[Answer]:
        first = asyncio.ensure_future(ask(app))
        await until(lambda: origin.calls == 1)
        getattr(cache, how)(*arguments.get(how, []))
        others = [asyncio.ensure_future(ask(app)) for _ in range(2)]
        await until(lambda: cache.stats().coalesced == 1)
        origin.open()
        answers = await asyncio.gather(first, *others)
        return [*answers, await ask(app)]

    bodies = [answer.body for answer in run(main)]
    assert bodies == [b"1.1 1.2 ", *[b"2.1 2.2 "] * 3]
    assert origin.calls == 2


def test_a_cancelled_waiter_cancels_nobody(cache: ClockedCache) -> None:
    origin = Gated()
    app = CacheMiddleware(origin, cache)

    async def main() -> list[Answer]:
        requests = [asyncio.ensure_future(ask(app)) for _ in range(3)]
        await until(lambda: cache.stats().coalesced == 2)
        requests[1].cancel()
        origin.open()
        return await asyncio.gather(requests[0], requests[2])

    assert {answer.body for answer in run(main)} == {b"1.1 1.2 "}
    assert origin.calls == 1


def test_a_call_that_fails_fails_for_its_own_request(cache: ClockedCache) -> None:
    calls: list[int] = []
    gate = asyncio.Event()

    async def origin(scope: Any, receive: Any, send: Any) -> None:
        calls.append(1)
        if len(calls) == 1:
            await gate.wait()
            raise LookupError("no rows")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"whole"})

    app = CacheMiddleware(origin, cache)

    async def main() -> list[Any]:
        requests = [asyncio.ensure_future(ask(app)) for _ in range(2)]
        await until(lambda: cache.stats().coalesced == 1)
        gate.set()
        return await asyncio.gather(*requests, return_exceptions=True)

    failed, answer = run(main)
    assert isinstance(failed, LookupError)
    assert (answer.body, answer.x_cache) == (b"whole", "MISS")


def test_nobody_waits_longer_than_allowed(cache: ClockedCache) -> None:
    origin = Gated()
    app = CacheMiddleware(origin, cache, wait=0.01)

    async def main() -> None:
        first = asyncio.ensure_future(ask(app))
        await until(lambda: origin.calls == 1)
        second = asyncio.ensure_future(ask(app))
        await until(lambda: origin.calls == 2)
        origin.open()
        await asyncio.gather(first, second)

    run(main)


def test_variants_under_way_are_told_apart(cache: ClockedCache) -> None:
    origin = Gated({"Vary": "Accept"})
    app = CacheMiddleware(origin, cache)

    async def main() -> list[Answer]:
        requests = [
            asyncio.ensure_future(ask(app, headers={"Accept": accept})) for accept in "abab"
        ]
        await until(lambda: cache.stats().coalesced == 3)
        origin.open()
        return await asyncio.gather(*requests)

    first, second, *rest = run(main)
    assert [first.body, second.body] == [b"1.1 1.2 ", b"2.1 2.2 "]
    assert [answer.body for answer in rest] == [first.body, second.body]
    assert origin.calls == 2


def test_loops_do_not_wait_for_each_other(cache: ClockedCache) -> None:
    """One that is stopped with a request under way is no hindrance to the next."""
    origin = Gated()
    app = CacheMiddleware(origin, cache)
    loop = asyncio.new_event_loop()
    request = loop.create_task(ask(app))
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert origin.calls == 1
    origin.open()
    assert run(lambda: ask(app)).body == b"2.1 2.2 "
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(request)
    loop.close()
