"""One call of the application for many requests."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from asgi_calls import Answer, Gated, ask, run, until
from clocked import ClockedCache

from vcache.http import CacheKey, CacheMiddleware


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
    assert (cache.stats().entries, cache.stats().coalesced) == (0, 2)


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
