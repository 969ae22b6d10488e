"""The words of ASGI, and headers by their names."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

__all__ = ["App", "Headers", "Message", "Receive", "Scope", "Send", "header_map", "labelled"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

# Values by lower-case names; those of a header that comes more than once are one list.
Headers = dict[bytes, bytes]


def header_map(pairs: Iterable[Iterable[bytes]]) -> Headers:
    found: Headers = {}
    for name, value in pairs:
        name = name.lower()
        found[name] = found[name] + b", " + value if name in found else value
    return found


def labelled(send: Send, label: bytes) -> Send:
    """`send` for a response that says in X-Cache what the cache had to do with it."""

    async def send_labelled(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), (b"x-cache", label)]}
        await send(message)

    return send_labelled
