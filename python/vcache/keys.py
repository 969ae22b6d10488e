"""Keys made of parts, and the glob patterns that take keys."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from typing import AnyStr
from urllib.parse import quote

from ._messages import shown
from .durations import Duration, parse_duration

__all__ = ["KeyGen", "Part", "QueryValue", "escape"]

# A part of a key.
Part = str | int

QueryValue = str | int | float | bool

_SPECIAL = re.compile(r"[*?\[\]\\]")
_SPECIAL_BYTES = re.compile(rb"[*?\[\]\\]")


class KeyGen:
    """Keys whose first part is `prefix`, in the shapes that most applications need.

    >>> gpu = KeyGen("gpu")
    >>> gpu.resource("instance", "vast-123")
    'gpu:resource:instance:vast-123'
    >>> gpu.query("search", {"region": "us", "q": "gpu"})
    'gpu:query:search:q=gpu&region=us'
    >>> gpu.user("u:1", "*")
    'gpu:user:u%3A1:*'

    In each part "%" becomes "%25" and ":" becomes "%3A", so that different parts make different
    keys. A part that is exactly "*" stays, which makes the key a pattern for invalidate(). Parts
    are str or int, and 1 is the same part as "1"; escape() those of a pattern that may hold other
    characters of globs. Raises TypeError for parts of other types. Immutable.
    """

    __slots__ = ("_prefix",)

    def __init__(self, prefix: Part) -> None:
        self._prefix = _encoded(prefix, "prefix")
        if not self._prefix:
            raise ValueError("prefix='': allowed is a str that is not empty")

    def __repr__(self) -> str:
        return f"KeyGen({self._prefix.replace('%3A', ':').replace('%25', '%')!r})"

    def resource(self, kind: Part, *identifiers: Part) -> str:
        """PREFIX:resource:KIND:IDENTIFIER…: one thing."""
        return self._joined("resource", kind, "kind", identifiers, "identifiers")

    def list(self, kind: Part, *filters: Part) -> str:
        """PREFIX:list:KIND:FILTER…: things of a kind, in the order of the filters given."""
        return self._joined("list", kind, "kind", filters, "filters")

    def user(self, user: Part, *parts: Part) -> str:
        """PREFIX:user:USER:PART…: what belongs to one user."""
        return self._joined("user", user, "user", parts, "parts")

    def timestamped(self, name: Part, seconds: Duration, *, at: float | None = None) -> str:
        """PREFIX:ts:NAME:START of the stretch of time that `at` is in; it is now unless given.

        Stretches are `seconds` long, whole seconds as a number, timedelta or text such as "5m", and
        begin with the epoch; `at` and START are seconds since then.
        """
        length = parse_duration(seconds, "seconds")
        if length != int(length):
            allowed = "allowed are whole seconds, from 1 on"
            raise ValueError(f"seconds={shown(seconds)}: {allowed}")
        start = int((time.time() if at is None else at) // length) * int(length)
        return self._joined("ts", name, "name", (start,), "at")

    def query(self, name: Part, params: Mapping[str, QueryValue | Sequence[QueryValue]]) -> str:
        """PREFIX:query:NAME:PARAM=VALUE&…: the parameters of a search, sorted by their names.

        Names and values are percent-encoded as in a URL, but those that are exactly "*". A bool is
        "true" or "false", a list or tuple one PARAM=VALUE for each of its values, in their order.
        """
        given = _mapping(params)
        pairs = [
            f"{_quoted(key, 'a name in params')}={_quoted(value, f'params[{key!r}]')}"
            for key in sorted(given, key=str)
            for value in _values(given[key])
        ]
        return f"{self._prefix}:query:{_encoded(name, 'name')}:{'&'.join(pairs)}"

    def _joined(
        self, shape: str, first: Part, name: str, rest: tuple[Part, ...], names: str
    ) -> str:
        parts = [self._prefix, shape, _encoded(first, name)]
        parts += [_encoded(part, f"{names}[{index}]") for index, part in enumerate(rest)]
        return ":".join(parts)


def escape(part: AnyStr) -> AnyStr:
    """`part` with each character of it that a glob pattern would read as something else escaped.

    `cache.invalidate(f"user:{escape(name)}:*")` takes the keys of that name and of no other.
    Raises TypeError for what is no str or bytes.
    """
    if isinstance(part, str):
        return _SPECIAL.sub(r"\\\g<0>", part)
    if isinstance(part, bytes):
        return _SPECIAL_BYTES.sub(rb"\\\g<0>", part)
    raise TypeError(f"part={part!r} of type {type(part).__name__}: allowed are str and bytes")


def _encoded(part: object, name: str) -> str:
    if isinstance(part, bool) or not isinstance(part, (str, int)):
        allowed = "allowed are str and int"
        raise TypeError(f"{name}={shown(part)} of type {type(part).__name__}: {allowed}")
    return str(part).replace("%", "%25").replace(":", "%3A")


def _mapping(params: object) -> Mapping[object, object]:
    if not isinstance(params, Mapping):
        allowed = "allowed is a mapping of str to str, int, float, bool or a list of them"
        raise TypeError(f"params={shown(params)} of type {type(params).__name__}: {allowed}")
    return params


def _values(value: object) -> Sequence[object]:
    return value if isinstance(value, (list, tuple)) else (value,)


def _quoted(value: object, name: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, (str, int, float)):
        allowed = "allowed are str, int, float, bool and, of values, a list or tuple of these"
        raise TypeError(f"{name}={shown(value)} of type {type(value).__name__}: {allowed}")
    text = str(value)
    return text if text == "*" else quote(text, safe="")
