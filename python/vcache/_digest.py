"""Digests that stand in keys for texts and arguments."""

from __future__ import annotations

from hashlib import sha256
from typing import Protocol, Self

from .errors import ConfigError

__all__ = ["DIGITS", "PLAIN", "KeyDigest", "KeySecret", "parse_secret"]

KeySecret = str | bytes
DIGITS = 64  # hexadecimal, of a digest

_LEAST, _MOST = 16, 1024
_ALLOWED = (
    f"allowed are {_LEAST} to {_MOST} bytes, as bytes or as text that UTF-8 can encode; what was"
    " given is not shown"
)


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...

    def hexdigest(self) -> str: ...

    def copy(self) -> Self: ...


class KeyDigest:
    """SHA-256, or HMAC-SHA-256 under a `secret`: then only its owners can tell what was hashed."""

    __slots__ = ("_empty", "is_keyed")

    def __init__(self, secret: bytes = b"") -> None:
        self.is_keyed = bool(secret)
        self._empty: _Hash = _keyed(secret) if secret else sha256()

    def new(self) -> _Hash:
        """One of nothing so far."""
        return self._empty.copy()

    def of(self, data: bytes) -> str:
        """64 hexadecimal digits."""
        hashed = self._empty.copy()
        hashed.update(data)
        return hashed.hexdigest()


def parse_secret(value: object, name: str) -> bytes:
    """The bytes of a secret, none for None. Errors never show what was given."""
    if value is None:
        return b""
    secret = b""
    if isinstance(value, bytes | bytearray):
        secret = bytes(value)
    elif isinstance(value, str):
        try:
            secret = value.encode()
        except UnicodeEncodeError:  # a lone surrogate; its text holds the secret
            secret = b""
    if not _LEAST <= len(secret) <= _MOST:
        raise ConfigError(f"{name}: {_ALLOWED}")
    return secret


def _keyed(secret: bytes) -> _Hash:
    import hmac

    return hmac.new(secret, digestmod="sha256")


PLAIN = KeyDigest()
