"""Checks of the arguments that the calls of a cache share.

Each error names the argument, its value and what is allowed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np

from ._core import DEFAULT, DefaultType
from ._messages import shown
from .durations import Duration, parse_ttl
from .objects import check_plain, encode

__all__ = [
    "FLAGS",
    "VOLATILITY",
    "Key",
    "Ttl",
    "Volatility",
    "callable_argument",
    "cost_argument",
    "dim_argument",
    "dtype_name",
    "key_list",
    "metadata_bytes",
    "pair_lists",
    "pattern_bytes",
    "tag_list",
    "ttl_argument",
    "ttl_chosen",
    "volatility_argument",
]

Key = str | bytes

# A time to live; None: no expiry; DEFAULT: the cache's own.
Ttl = Duration | None | DefaultType

# How soon the source of a value changes: its time to live in seconds instead of a ttl.
Volatility = Literal["high", "medium", "low"]
VOLATILITY = {"high": 86400.0, "medium": 7 * 86400.0, "low": 30 * 86400.0}

# What a text says for True and False.
FLAGS = {"1": True, "true": True, "yes": True, "on": True} | {
    "0": False,
    "false": False,
    "no": False,
    "off": False,
}

_MAX_METADATA = 64 * 1024
_MAX_PATTERN = 1024
_MAX_TAGS = 64
_MAX_TAG = 256
_MAX_COST = float(np.finfo(np.float32).max)  # an entry keeps its cost as a float32

_VECTOR_DTYPES = {"float32", "float16", "float64", "int8", "uint8", "int32", "int64"}


def key_list(keys: Iterable[Key]) -> Sequence[Key]:
    """The keys as a list or tuple, which may be the argument itself."""
    if isinstance(keys, (list, tuple)):
        return keys
    if isinstance(keys, (str, bytes)) or not isinstance(keys, Iterable):
        raise TypeError(
            f"keys={shown(keys)} of type {type(keys).__name__}: allowed is a sequence of str or"
            " bytes"
        )
    return list(keys)


def pair_lists(items: Mapping[Key, Any] | Iterable[tuple[Key, Any]]) -> tuple[list[Key], list[Any]]:
    """Keys and values of a mapping or of pairs."""
    pairs = items.items() if isinstance(items, Mapping) else items
    if not isinstance(pairs, Iterable):
        raise _no_pairs(items)
    keys, values = [], []
    for pair in pairs:
        try:
            key, value = pair
        except (TypeError, ValueError):
            raise _no_pairs(items) from None
        keys.append(key)
        values.append(value)
    return keys, values


def _no_pairs(items: object) -> TypeError:
    return TypeError(
        f"items of type {type(items).__name__}: allowed is a mapping of keys to values,"
        " or (key, value) pairs"
    )


def ttl_argument(value: object, name: str = "ttl") -> Any:
    """Seconds, None for no expiry, or DEFAULT for the cache's own."""
    return value if value is DEFAULT else parse_ttl(value, name)


def ttl_chosen(ttl: object, volatility: object) -> Any:
    """As ttl_argument(), of a ttl or else the volatility of the source."""
    if volatility is None:
        return ttl_argument(ttl)
    seconds = VOLATILITY[volatility_argument(volatility, "volatility")]
    if ttl is not DEFAULT:
        raise ValueError(f"volatility={shown(volatility)}: allowed only without ttl={shown(ttl)}")
    return seconds


def volatility_argument(value: object, name: str) -> Any:
    """One of VOLATILITY, or None."""
    if value is None or (isinstance(value, str) and value in VOLATILITY):
        return value
    allowed = "allowed are None, " + ", ".join(f'"{each}"' for each in VOLATILITY)
    error = ValueError if isinstance(value, str) else TypeError
    raise error(f"{name}={shown(value)}: {allowed}")


def cost_argument(value: object, name: str = "cost") -> float:
    """What a miss costs; None is 0."""
    if value is None:
        return 0.0
    allowed = "allowed is None or a finite number from 0 to 3.4e38"
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name}={shown(value)} of type {type(value).__name__}: {allowed}")
    try:
        cost = float(value)
    except OverflowError:
        cost = math.inf
    if not 0 <= cost <= _MAX_COST:
        raise ValueError(f"{name}={shown(value)}: {allowed}")
    return cost


def dim_argument(value: object) -> int | None:
    if value is None:
        return None
    allowed = "allowed is None or an int from 1 to 2**31 - 1"
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"dim={shown(value)} of type {type(value).__name__}: {allowed}")
    if not 1 <= int(value) < 2**31:
        raise ValueError(f"dim={shown(value)}: {allowed}")
    return int(value)


def dtype_name(value: Any) -> str:
    """Name of a dtype of this machine's byte order."""
    if type(value) is str and value in _VECTOR_DTYPES:
        return value
    try:
        dtype = None if value is None else np.dtype(value)  # NumPy reads None as float64
    except (TypeError, ValueError):
        dtype = None
    if dtype is None:
        raise TypeError(f"dtype={shown(value)}: allowed is a NumPy dtype or its name")
    if not dtype.isnative:
        raise ValueError(f"dtype={shown(value)}: allowed is the native byte order")
    return str(dtype.name)


def metadata_bytes(value: object) -> bytes:
    """MessagePack form of metadata; None has none."""
    if value is None:
        return b""
    if not isinstance(value, dict):
        raise TypeError(
            f"metadata={shown(value)} of type {type(value).__name__}: allowed is None or a dict"
        )
    check_plain(value, "metadata")
    data = encode(value)
    if len(data) > _MAX_METADATA:
        raise ValueError(f"metadata of {len(data)} bytes: allowed are at most {_MAX_METADATA}")
    return data


def tag_list(tags: object, name: str = "tags", most: int | None = _MAX_TAGS) -> list[bytes]:
    """Distinct tags as UTF-8, in the order given; up to `most`, unless that is None."""
    if isinstance(tags, (str, bytes)) or not isinstance(tags, Iterable):
        raise TypeError(
            f"{name}={shown(tags)} of type {type(tags).__name__}: allowed is a sequence of str or"
            " bytes"
        )
    distinct = list(dict.fromkeys(_utf8(tag, name, _MAX_TAG) for tag in tags))
    if most is not None and len(distinct) > most:
        raise ValueError(f"{name} of {len(distinct)} tags: allowed are at most {most}")
    return distinct


def pattern_bytes(pattern: object, name: str = "pattern") -> bytes:
    """A glob pattern as UTF-8."""
    return _utf8(pattern, name, _MAX_PATTERN)


def _utf8(value: object, name: str, most: int) -> bytes:
    if not isinstance(value, (str, bytes)):
        raise TypeError(
            f"{name}: {shown(value)} is of type {type(value).__name__}: allowed are str and bytes"
        )
    try:
        text = value.encode() if isinstance(value, str) else value
    except UnicodeEncodeError:
        text = b""
    if not 1 <= len(text) <= most:
        raise ValueError(
            f"{name}: {shown(value)} of {len(value)} characters: allowed are 1 to {most} bytes of"
            " UTF-8"
        )
    return text


def callable_argument(value: object, name: str) -> Callable[..., Any]:
    if not callable(value):
        raise TypeError(
            f"{name}={shown(value)} of type {type(value).__name__}: allowed is a callable"
        )
    return value
