"""The `send` of an application whose response is passed on, and kept if it is to be stored."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from ._asgi import Headers, Message, header_map, with_label
from ._control import age_of, lifetime, vary_names
from ._flight import Outbox
from ._response import Response, is_unchanged, not_modified, now

__all__ = ["Made", "Recorder", "Rules"]


# Messages beside the response.
_ASIDE = frozenset(["http.response.debug", "http.response.early_hint", "http.response.push"])


class Rules(NamedTuple):
    """Which responses are stored, and for how long if they do not say it."""

    ttl: float | None
    max_body: int


class Made(NamedTuple):
    """A response to be stored."""

    response: Response
    ttl: float | None
    vary: list[bytes]


class Recorder:
    """Passes messages to the outbox, and a whole response that may be stored to `keep`.

    `give_up` is called once, as soon as the response turns out to be none; with True if it is the
    response that forbids it, with False if it is an error or was broken off.
    """

    def __init__(
        self,
        rules: Rules,
        outbox: Outbox,
        request: Headers,
        covers: frozenset[bytes],
        keep: Callable[[Made], Awaitable[None]],
        give_up: Callable[[bool], None],
    ) -> None:
        self._rules = rules
        self._outbox = outbox
        self._request = request
        self._covers = covers
        self._keep = keep
        self._give_up = give_up
        self._is_kept = True
        self._is_unchanged = False  # to the client: its body stays here
        self._parts: list[bytes] = []
        self._size = 0
        self._status = 0
        self._pairs: list[tuple[bytes, bytes]] = []
        self._headers: Headers = {}
        self._ttl: float | None = 0.0
        self._made_at = 0.0

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "http.response.start":
            await self._start(message)
        elif kind == "http.response.body":
            await self._body(message)
        else:
            if kind not in _ASIDE:  # it tells of a body that does not come by here
                self._drop(True)
            await self._pass(message)

    def close(self) -> None:
        """The application has ended."""
        self._drop(False)

    async def _start(self, message: Message) -> None:
        self._status, self._made_at = message["status"], now()
        self._pairs = [(bytes(name), bytes(value)) for name, value in message.get("headers", ())]
        self._headers = header_map(self._pairs)
        self._ttl = self._lifetime(message)
        if self._ttl == 0.0:
            self._drop(self._is_success)
        status, pairs = self._status, self._pairs
        self._is_unchanged = is_unchanged(status, pairs, self._request)
        if self._is_unchanged:
            status, pairs = 304, not_modified(pairs)
        headers = with_label(pairs, b"MISS")
        await self._pass({**message, "status": status, "headers": headers})
        if self._is_unchanged:
            await self._pass({"type": "http.response.body", "body": b""})

    @property
    def _is_success(self) -> bool:
        return 200 <= self._status < 300 and self._status != 206

    def _lifetime(self, message: Message) -> float | None:
        """As lifetime(); 0 also for what is not to be stored for other reasons."""
        headers = self._headers
        if (
            not self._is_success
            or message.get("trailers", False)
            or vary_names(headers) is None
            or (b"set-cookie" in headers and b"set-cookie" not in self._covers)
            or headers.get(b"content-type", b"").startswith(b"text/event-stream")
        ):
            return 0.0
        return lifetime(headers, self._rules.ttl, self._made_at)

    async def _body(self, message: Message) -> None:
        body, is_last = message.get("body", b""), not message.get("more_body", False)
        self._size += len(body)
        if self._is_kept and self._size > self._rules.max_body:
            self._drop(True)
        if self._is_kept:
            self._parts.append(bytes(body))
        if not self._is_unchanged:
            await self._pass(message)
        if is_last:
            await self._end()

    async def _end(self) -> None:
        length = self._headers.get(b"content-length", b"%d" % self._size)
        if self._is_kept and length == b"%d" % self._size:
            self._is_kept = False
            body = b"".join(self._parts)
            since = self._made_at - age_of(self._headers)
            response = Response.made(
                self._status, self._pairs, self._headers, body, since, self._ttl
            )
            await self._keep(Made(response, self._ttl, vary_names(self._headers) or []))
        self._drop(False)

    async def _pass(self, message: Message) -> None:
        await self._outbox.put(message)
        if not self._is_kept:
            await self._outbox.emptied()

    def _drop(self, by_response: bool) -> None:
        if self._is_kept:
            self._is_kept = False
            self._parts.clear()
            self._give_up(by_response)
