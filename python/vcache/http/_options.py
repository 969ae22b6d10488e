"""Checks of the arguments of the middleware."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from .._arguments import pattern_bytes
from .._messages import shown
from ..cache import Cache
from ..errors import ConfigError
from ..sizes import parse_size

__all__ = [
    "body_argument",
    "cache_argument",
    "methods_argument",
    "path_argument",
    "patterns_argument",
    "prefix_argument",
    "token_argument",
]

_METHODS = frozenset({"GET", "HEAD"})
_PREFIX = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_MOST_BODY = 1 << 30


def cache_argument(value: object) -> Cache:
    if not isinstance(value, Cache):
        raise _wrong_type("cache", value, "a Cache")
    return value


def methods_argument(value: Collection[str]) -> frozenset[str]:
    given = frozenset((value,) if isinstance(value, str) else value)
    if not given or not given <= _METHODS:
        raise ConfigError(f"methods={shown(value)}: allowed are GET, HEAD or both")
    return given


def patterns_argument(value: Iterable[str], name: str) -> list[bytes]:
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        raise _wrong_type(name, value, "a list of patterns")
    return [pattern_bytes(each, name) for each in value]


def body_argument(value: object) -> int:
    allowed = 'allowed are 0 to 1 GiB, as bytes or text such as "1MiB"'
    return parse_size(value, "max_body", most=_MOST_BODY, allowed=allowed)


def prefix_argument(value: object) -> str:
    if not isinstance(value, str):
        raise _wrong_type("key_prefix", value, "a str")
    if not _PREFIX.fullmatch(value):
        raise ConfigError(f"key_prefix={shown(value)}: allowed are 1 to 64 of A-Z a-z 0-9 _ . -")
    return value


def path_argument(value: object) -> str:
    if not isinstance(value, str):
        raise _wrong_type("invalidate_path", value, "a str")
    if not value.startswith("/"):
        raise ConfigError(f'invalidate_path={shown(value)}: allowed is a path that begins with "/"')
    return value


def token_argument(value: object) -> bytes | None:
    """The token as bytes. Errors do not show what was given."""
    if value is None:
        return None
    if not isinstance(value, (str, bytes)):
        raise TypeError(f"token of type {type(value).__name__}: allowed are None, str and bytes")
    try:
        token = value.encode() if isinstance(value, str) else value
    except UnicodeEncodeError:
        token = b""
    if not token or token != token.strip():
        raise ConfigError("token: allowed is one that is not empty, without spaces around it")
    return token


def _wrong_type(name: str, value: object, allowed: str) -> TypeError:
    return TypeError(f"{name}={shown(value)} of type {type(value).__name__}: allowed is {allowed}")
