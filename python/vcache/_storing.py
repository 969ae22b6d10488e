"""The arguments that say in what form values are stored in Redis."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Literal, get_args

from ._messages import shown
from .errors import ConfigError

__all__ = [
    "Compression",
    "EncryptionKey",
    "StorageDtype",
    "parse_compression",
    "parse_keys",
    "parse_storage_dtype",
    "split_keys",
]

Compression = Literal["auto", "none", "zstd"]
StorageDtype = Literal["float16", "int8"]
EncryptionKey = str | bytes | Sequence[str | bytes]

_COMPRESSIONS: tuple[str, ...] = get_args(Compression)
_STORAGE_DTYPES: tuple[str, ...] = get_args(StorageDtype)
_KEY_BYTES = 32
_MOST_KEYS = 16
_HEX = re.compile("[0-9a-fA-F]{64}")
_BASE64 = re.compile("[A-Za-z0-9+/_-]{43}=?")
_KEYS = (
    "allowed are 32 bytes, as bytes, 64 hexadecimal digits or base64, or a list of 1 to 16 of"
    " these, the first of which encrypts; what was given is not shown"
)


def parse_compression(value: object, name: str) -> str:
    if not isinstance(value, str) or value not in _COMPRESSIONS:
        raise ConfigError(f"{name}={shown(value)}: allowed are {', '.join(_COMPRESSIONS)}")
    return value


def parse_storage_dtype(value: object, name: str) -> str | None:
    if value is not None and (not isinstance(value, str) or value not in _STORAGE_DTYPES):
        raise ConfigError(f"{name}={shown(value)}: allowed are None, {', '.join(_STORAGE_DTYPES)}")
    return value


def parse_keys(value: object, name: str) -> tuple[bytes, ...]:
    """The keys of the argument, none for None. Errors never show what was given."""
    if value is None:
        return ()
    given = value if isinstance(value, list | tuple) else [value]
    keys = [_key(one) for one in given]
    if not 1 <= len(keys) <= _MOST_KEYS or None in keys:
        raise ConfigError(f"{name}: {_KEYS}")
    return tuple(key for key in keys if key is not None)


def split_keys(text: str, name: str) -> list[str]:
    """The keys of a variable, between commas. Raises ConfigError as parse_keys() does."""
    keys = [part.strip() for part in text.split(",")]
    parse_keys(keys, name)
    return keys


def _key(value: object) -> bytes | None:
    """The 32 bytes that a key is given as, None for anything else."""
    if isinstance(value, bytes | bytearray):
        return bytes(value) if len(value) == _KEY_BYTES else None
    if not isinstance(value, str):
        return None
    if _HEX.fullmatch(value):
        return bytes.fromhex(value)
    if not _BASE64.fullmatch(value):
        return None
    try:
        key = base64.b64decode(
            value.rstrip("=") + "=", altchars=b"-_" if set(value) & set("-_") else None
        )
    except binascii.Error:
        return None
    return key if len(key) == _KEY_BYTES else None
