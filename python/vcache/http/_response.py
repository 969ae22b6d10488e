"""A response as it is stored, and as it is sent from there.

Stored it is the object {"status", "headers", "body", "time", "expires"}: an int, pairs of bytes,
bytes, and when it was made and may no longer be served, in seconds since the epoch or None.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, TypeVar

from ._asgi import Headers, Send
from ._control import http_time

__all__ = ["Pairs", "Response", "is_conditional", "is_unchanged", "not_modified", "now"]

Pairs = Sequence[Sequence[bytes]]
P = TypeVar("P", bound=Sequence[bytes])

# Of one connection, or of this cache.
_DROPPED = frozenset(
    [
        *(b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization"),
        *(b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade"),
        *(b"age", b"x-cache"),
    ]
)
# Of the body, so not of a response 304.
_OF_BODY = frozenset(
    [
        *(b"content-encoding", b"content-language", b"content-length", b"content-range"),
        *(b"content-type", b"transfer-encoding"),
    ]
)
_FIELDS = ("status", "headers", "body", "time", "expires")
_ETAG = re.compile(rb'(?:W/)?("[^"]*")')


def now() -> float:
    """Seconds since the epoch."""
    return time.time()


@dataclass(frozen=True, slots=True)
class Response:
    """A whole response to GET."""

    status: int
    headers: Pairs
    body: bytes
    time: float
    expires: float | None = None

    @classmethod
    def made(
        cls,
        status: int,
        pairs: Pairs,
        headers: Headers,
        body: bytes,
        since: float,
        ttl: float | None,
    ) -> Response:
        """One that is to be stored for `ttl` from now on, having been made at `since`.

        The headers are given as they were sent, and by their names.

        It gets an ETag and a Content-Length if it has none.
        """
        named = {name.strip().lower() for name in headers.get(b"connection", b"").split(b",")}
        dropped = _DROPPED | named
        kept = [(name, value) for name, value in pairs if name.lower() not in dropped]
        if status == 200 and b"etag" not in headers:
            kept.append((b"etag", b'W/"%s"' % sha256(body).hexdigest()[:32].encode()))
        if status not in (204, 205) and b"content-length" not in headers:
            kept.append((b"content-length", b"%d" % len(body)))
        return cls(status, kept, body, since, None if ttl is None else now() + ttl)

    @classmethod
    def stored(cls, value: Any) -> Response | None:
        """The response in a value of the cache, None for a value that is none or has expired."""
        try:
            response = cls(*(value[name] for name in _FIELDS))
        except (KeyError, TypeError, IndexError):
            return None
        is_over = response.expires is not None and response.expires < now()
        return None if is_over or type(response.body) is not bytes else response

    def plain(self) -> dict[str, Any]:
        """What is stored."""
        return {name: getattr(self, name) for name in _FIELDS}

    def age(self) -> float:
        return max(0.0, now() - self.time)

    async def send(self, send: Send, request: Headers, *, head: bool) -> None:
        """The response, or that it is unchanged, to a request with these headers."""
        own = [(b"age", b"%d" % self.age()), (b"x-cache", b"HIT")]
        status, headers, body = self.status, self.headers, self.body
        if is_conditional(request) and is_unchanged(status, headers, request):
            status, headers, body = 304, not_modified(headers), b""
        if head:
            body = b""
        await send({"type": "http.response.start", "status": status, "headers": [*headers, *own]})
        await send({"type": "http.response.body", "body": body})


def is_conditional(request: Headers) -> bool:
    return b"if-none-match" in request or b"if-modified-since" in request


def is_unchanged(status: int, headers: Pairs, request: Headers) -> bool:
    """Whether whoever asks has this very response."""
    if status != 200:
        return False
    found = {name.lower(): value for name, value in headers}
    known = request.get(b"if-none-match")
    if known is not None:
        own = _ETAG.fullmatch(found.get(b"etag", b"").strip())
        return own is not None and (known.strip() == b"*" or own[1] in _ETAG.findall(known))
    since = http_time(request.get(b"if-modified-since", b""))
    changed = http_time(found.get(b"last-modified", b""))
    return since is not None and changed is not None and changed <= since


def not_modified(headers: Iterable[P]) -> list[P]:
    """The headers of a response 304."""
    return [pair for pair in headers if pair[0].lower() not in _OF_BODY]
