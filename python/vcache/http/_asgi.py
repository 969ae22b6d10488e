"""The words of ASGI, and headers by their names."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from typing import Any

__all__ = [
    "App",
    "Headers",
    "Message",
    "Receive",
    "Scope",
    "Send",
    "header_map",
    "labelled",
    "with_label",
]

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


def with_label(pairs: Iterable[Sequence[bytes]], label: bytes) -> list[Sequence[bytes]]:
    """Headers with this X-Cache, in the place of that of a cache before."""
    kept = [pair for pair in pairs if pair[0].lower() != b"x-cache"]
    return [*kept, (b"x-cache", label)]


def labelled(send: Send, label: bytes) -> Send:
    """`send` for a response that says in X-Cache what the cache had to do with it."""

    async def send_labelled(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": with_label(message.get("headers", ()), label)}
        await send(message)

    return send_labelled
