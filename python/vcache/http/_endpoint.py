"""The path by which operators remove what is cached."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from msgspec import DecodeError, json

from .._arguments import pattern_bytes, tag_list
from ..cache import Cache
from ..errors import VcacheError
from ._asgi import Headers, Receive, Scope, Send, header_map

__all__ = ["Endpoint"]

_MAX_BODY = 64 * 1024
_SCHEME = b"bearer "
_ALLOWED = 'allowed is {"pattern": "…"}, {"tags": ["…"]} or a pattern as text/plain'


class Refused(Exception):
    """A request that gets another status than 200."""

    def __init__(self, status: int, detail: str, *headers: tuple[bytes, bytes]) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, headers


class Endpoint:
    """POST {"pattern": …} or {"tags": […]} with the bearer token: {"invalidated": n}.

    n is how many values a pattern took, or the number of tags. Errors are application/problem+json.
    """

    def __init__(self, cache: Cache, token: bytes) -> None:
        self._cache = cache
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            count = await self._invalidated(scope, receive)
        except Refused as refused:
            about = {
                "title": HTTPStatus(refused.status).phrase,
                "status": refused.status,
                "detail": refused.detail,
            }
            kind = b"application/problem+json"
            await _answer(send, refused.status, about, kind, refused.headers)
        else:
            await _answer(send, 200, {"invalidated": count}, b"application/json", ())

    async def _invalidated(self, scope: Scope, receive: Receive) -> int:
        headers = header_map(scope["headers"])
        if not self._is_known(headers.get(b"authorization", b"")):
            raise Refused(401, "the bearer token is another", (b"www-authenticate", b"Bearer"))
        if scope["method"] != "POST":
            raise Refused(405, "allowed is POST", (b"allow", b"POST"))
        pattern, tags = _asked(await _body(receive), headers)
        try:
            if pattern is not None:
                return await self._cache.ainvalidate(pattern)
            await self._cache.ainvalidate_tags(*tags)
        except VcacheError as error:
            raise Refused(503, f"the cache failed with {type(error).__name__}") from error
        return len(tags)

    def _is_known(self, authorization: bytes) -> bool:
        has_scheme = authorization[: len(_SCHEME)].lower() == _SCHEME
        given = authorization[len(_SCHEME) :].strip()
        return hmac.compare_digest(given, self._token) and has_scheme


def _asked(body: bytes, headers: Headers) -> tuple[bytes | None, Sequence[bytes]]:
    """The pattern or the tags in a body."""
    try:
        given = _decoded(body, headers)
        if type(given) is not dict or given.keys() not in ({"pattern"}, {"tags"}):
            raise Refused(400, _ALLOWED)
        if "pattern" in given:
            return pattern_bytes(given["pattern"]), ()
        if type(given["tags"]) is not list or not given["tags"]:
            raise Refused(400, _ALLOWED)
        return None, tag_list(given["tags"], most=None)
    except DecodeError as error:
        raise Refused(400, f"the body is no JSON: {error}") from error
    except (TypeError, ValueError) as error:
        raise Refused(400, str(error)) from error


def _decoded(body: bytes, headers: Headers) -> Any:
    if headers.get(b"content-type", b"").lower().startswith(b"text/plain"):
        return {"pattern": body.decode()}
    return json.decode(body)


async def _body(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refused(400, "the body is not whole")
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > _MAX_BODY:
            raise Refused(413, f"the body is over {_MAX_BODY} bytes")
    return body


async def _answer(
    send: Send, status: int, about: dict[str, Any], kind: bytes, more: Sequence[tuple[bytes, bytes]]
) -> None:
    body = json.encode(about)
    headers = [
        (b"content-type", kind),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        *more,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
