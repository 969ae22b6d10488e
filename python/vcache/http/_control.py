"""What Cache-Control, Pragma and Expires allow a shared cache, by RFC 9111."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from ..durations import MAX_SECONDS
from ._asgi import Headers

__all__ = [
    "ANYTHING",
    "Wants",
    "age_of",
    "http_time",
    "is_plain",
    "lifetime",
    "vary_names",
    "wants_of",
]

_DIRECTIVE = re.compile(r'([\w-]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*)))?')
_DIGITS = re.compile(r"[0-9]{1,10}")

# Requests with one of these are answered by the application alone.
_UNCOMMON = frozenset(
    [b"range", b"if-match", b"if-unmodified-since", b"if-range", b"transfer-encoding", b"upgrade"]
)


class Wants(NamedTuple):
    """What a request says of the responses that it takes."""

    max_age: float | None = None
    only_stored: bool = False
    may_store: bool = True

    def takes(self, age: float) -> bool:
        """Whether a response of this age from the cache will do."""
        return self.max_age is None or age <= self.max_age > 0


ANYTHING = Wants()


def is_plain(headers: Headers) -> bool:
    """Whether a request asks for the whole response to its URL, and has no body."""
    return _UNCOMMON.isdisjoint(headers) and headers.get(b"content-length", b"0") == b"0"


def wants_of(headers: Headers) -> Wants:
    control = headers.get(b"cache-control")
    if control is None:
        old = headers.get(b"pragma")
        return Wants(max_age=0.0) if old and "no-cache" in _directives(old) else ANYTHING
    said = _directives(control)
    max_age = _seconds(said["max-age"]) if "max-age" in said else None
    return Wants(
        max_age=0.0 if "no-cache" in said else max_age,
        only_stored="only-if-cached" in said,
        may_store="no-store" not in said,
    )


def lifetime(headers: Headers, default: float | None, now: float) -> float | None:
    """Seconds for which a response may be served from the cache, 0 if it is not to be stored.

    None is for ever. One that says nothing of it has `default`.
    """
    said = _directives(headers.get(b"cache-control", b""))
    if not said.keys().isdisjoint(("no-store", "private", "no-cache")):
        return 0.0
    for name in ("s-maxage", "max-age"):
        if name in said:
            return _left(_seconds(said[name]), headers)
    if b"expires" in headers:
        ends, date = http_time(headers[b"expires"]), http_time(headers.get(b"date", b""))
        return 0.0 if ends is None else _left(ends - (now if date is None else date), headers)
    return default


def age_of(headers: Headers) -> float:
    """How old a response was when it came, having been in another cache."""
    return _seconds(headers.get(b"age", b"").decode("latin-1"))


def vary_names(headers: Headers) -> list[bytes] | None:
    """By which headers of requests the response varies; None: by more than these."""
    names = {name.strip().lower() for name in headers.get(b"vary", b"").split(b",")} - {b""}
    return None if b"*" in names else sorted(names)


def http_time(value: bytes) -> float | None:
    """Seconds since the epoch of a date in a header, None for what is none."""
    try:
        when = parsedate_to_datetime(value.decode("latin-1"))
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    return (when if when.tzinfo else datetime.replace(when, tzinfo=UTC)).timestamp()


def _left(seconds: float, headers: Headers) -> float:
    return min(max(0.0, seconds - age_of(headers)), MAX_SECONDS)


def _directives(value: bytes) -> dict[str, str]:
    """Directives by their lower-case names; the first of a name counts."""
    found: dict[str, str] = {}
    for name, quoted, plain in _DIRECTIVE.findall(value.decode("latin-1")):
        found.setdefault(name.lower(), quoted or plain)
    return found


def _seconds(text: str) -> float:
    """What is no number of seconds counts as 0."""
    return float(text) if _DIGITS.fullmatch(text.strip()) else 0.0
