"""ASGI requests without a server, and an application that counts them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

DEADLINE = 20.0

Message = dict[str, Any]
Pairs = list[tuple[bytes, bytes]]


def run(main: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    return asyncio.run(asyncio.wait_for(main(), DEADLINE))


def pairs(headers: Mapping[str, str] | Iterable[tuple[str, str]]) -> Pairs:
    items = headers.items() if isinstance(headers, Mapping) else headers
    return [(name.lower().encode(), value.encode()) for name, value in items]


@dataclass
class Answer:
    """What a client got."""

    messages: list[Message] = field(default_factory=list)

    @property
    def status(self) -> int:
        return self.messages[0]["status"]

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.messages[0]["headers"]}

    @property
    def body(self) -> bytes:
        return b"".join(message["body"] for message in self.messages[1:])

    @property
    def x_cache(self) -> str | None:
        return self.headers.get("x-cache")

    @property
    def is_whole(self) -> bool:
        return not self.messages[-1].get("more_body", False)


def scope_of(
    target: str, method: str = "GET", headers: Any = (), host: str = "a.test", **more: Any
) -> Message:
    path, _, query = target.partition("?")
    return {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "scheme": "http",
        "headers": [(b"host", host.encode()), *pairs(headers)],
        "extensions": {},
    } | more


async def ask(
    app: Any,
    target: str = "/",
    method: str = "GET",
    headers: Any = (),
    *,
    body: bytes = b"",
    receive: Callable[[], Awaitable[Message]] | None = None,
    answer: Answer | None = None,
    **more: Any,
) -> Answer:
    answer = answer or Answer()

    async def one_body() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        answer.messages.append(message)

    await app(scope_of(target, method, headers, **more), receive or one_body, send)
    return answer


def asked(app: Any, *args: Any, **named: Any) -> Answer:
    """As ask(), in a loop of its own."""
    return run(lambda: ask(app, *args, **named))


class Origin:
    """An application that answers with `headers`, and a body that says which call it was."""

    def __init__(self, headers: Any = (), status: int = 200, body: str = "call {}") -> None:
        self.headers = headers
        self.status = status
        self.body = body
        self.scopes: list[Message] = []

    @property
    def calls(self) -> int:
        return len(self.scopes)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        body = self.body.format(self.calls).encode()
        headers = pairs(self.headers)
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


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
        await turn()


async def turn() -> None:
    """Lets other coroutines run for a turn of the loop."""
    await asyncio.wait([asyncio.ensure_future(_pass())])


async def _pass() -> None:
    pass
