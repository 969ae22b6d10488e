"""Under which key a response is stored: by its URL, by headers too, or by a function of the user.

A key builder takes the scope of a request and returns the name of its response, a CacheKey that
says more of it, or None for a request that is not to be answered from the cache.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import quote, unquote, unquote_plus

from .._arguments import tag_list
from .._digest import KeyDigest
from .._messages import shown
from ._asgi import Headers, Scope, header_map

__all__ = [
    "CacheKey",
    "KeyBuilder",
    "Keyed",
    "by_headers",
    "by_path",
    "keyed",
    "variant_of",
    "whole_key",
]

_MAX_NAME = 512  # bytes; what is longer is hashed
_PERSONAL = frozenset({"authorization", "cookie", "set-cookie"})
_OF_PATHS = "/:@!$&'()*+,;=~"  # what stands as it is in the path of a URL


@dataclass(frozen=True, slots=True)
class CacheKey:
    """The name of a response, and more.

    covers: which of "authorization", "cookie" and "set-cookie" the name has been told apart by.
        Without these, requests that bear the first two pass by the cache, and responses that bear
        the last are not stored.
    tags: for invalidate_tags().
    """

    name: str
    covers: Iterable[str] = ()
    tags: Iterable[str | bytes] = ()


KeyBuilder = Callable[[Scope], str | CacheKey | None]


@dataclass(frozen=True, slots=True)
class Keyed:
    """A CacheKey that was checked."""

    name: str
    covers: frozenset[bytes]
    tags: tuple[bytes, ...]


def by_path(scope: Scope) -> str:
    """The URL: scheme, host, path, and the query with its parameters sorted by their names."""
    host = next((value for name, value in scope["headers"] if name == b"host"), b"")
    query = scope.get("query_string", b"")
    url = f"{scope.get('scheme', 'http')}://{host.decode('latin-1').lower()}{_path(scope)}"
    return f"{url}?{_sorted(query.decode('latin-1'))}" if query else url


def by_headers(*names: str) -> KeyBuilder:
    """A builder by the URL and the values of these headers, which it covers.

    `by_headers("Authorization")` keeps responses apart by who asks for them.
    """
    if not names or not all(isinstance(name, str) and name for name in names):
        raise ValueError(f"names={shown(names)}: allowed is at least one name of a header")
    lower = sorted({name.lower() for name in names})
    covers, wanted = tuple(_PERSONAL.intersection(lower)), [name.encode() for name in lower]

    def by_these(scope: Scope) -> CacheKey:
        values = _framed(header_map(scope["headers"]), wanted)
        return CacheKey(f"{by_path(scope)}#{values.decode('latin-1')}", covers)

    return by_these


def keyed(built: object) -> Keyed | None:
    """What a builder returned. Raises TypeError or ValueError for what it may not return."""
    if built is None:
        return None
    key = built if isinstance(built, CacheKey) else CacheKey(built)  # type: ignore[arg-type]
    if not isinstance(key.name, str) or not key.name:
        allowed = "allowed are a str that is not empty, a CacheKey and None"
        raise TypeError(f"key={shown(key.name)} of type {type(key.name).__name__}: {allowed}")
    if built is key.name:
        return Keyed(key.name, frozenset(), ())
    covers = frozenset(name.lower() for name in key.covers)
    if not covers <= _PERSONAL:
        raise ValueError(f"covers={shown(key.covers)}: allowed are {', '.join(sorted(_PERSONAL))}")
    encoded = frozenset(name.encode() for name in covers)
    return Keyed(key.name, encoded, tuple(tag_list(key.tags)))


def whole_key(prefix: str, name: str, digest: KeyDigest) -> str:
    """PREFIX:NAME; of a long name, or one with a "#", the beginning, "#" and its digest."""
    if len(name) <= _MAX_NAME and "#" not in name and len(name.encode()) <= _MAX_NAME:
        return f"{prefix}:{name}"
    head = name.partition("#")[0].encode()[:_MAX_NAME].decode(errors="ignore")
    return f"{prefix}:{head}#{digest.of(name.encode())}"


def variant_of(key: str, edition: str, names: list[bytes], headers: Headers, by: KeyDigest) -> str:
    """The key of the response to a request with these headers, where responses vary by `names`."""
    digest = by.of(edition.encode() + b"\n" + _framed(headers, names))
    return f"{key}#{digest[:32]}"


def _framed(headers: Headers, names: Iterable[bytes]) -> bytes:
    """Names and values, so that no two requests with other values make the same."""
    parts = []
    for name in names:
        value = headers.get(name)
        parts.append(b"%s-" % name if value is None else b"%s=%d:%s" % (name, len(value), value))
    return b";".join(parts)


def _path(scope: Scope) -> str:
    """The path as it was asked for, if it still is what the application goes by."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    if root and not path.startswith(root):
        path = root + path
    raw = (scope.get("raw_path") or b"").decode("latin-1")
    if raw and (raw == path if "%" not in raw else unquote(raw) == path) and "?" not in raw:
        return raw
    return quote(path, safe=_OF_PATHS)


def _sorted(query: str) -> str:
    """Parameters by their decoded names; those of one name keep their order, which may matter."""
    if "&" not in query:
        return query
    return "&".join(sorted(query.split("&"), key=_name_of))


def _name_of(parameter: str) -> str:
    name = parameter.partition("=")[0]
    return unquote_plus(name) if "%" in name or "+" in name else name
